//! The state of a fiber, for people and tools.

use core::ffi::{c_char, c_int, c_void};
use core::ptr::null_mut;

use crate::fiber::{BROKEN, ENDED, FRESH, LIVE, pirn_fiber};

/// The state of a fiber: see `pirn_fiber_info`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pirn_fiber_info {
    /// `sizeof(struct pirn_fiber_info)`, set by the caller: no more than that is written.
    pub size: u32,
    /// `PIRN_FIBER_WAITING` or one of the others.
    pub state: u32,
    /// `name` of the fiber.
    pub name: *const c_char,
    /// What it waits for: `PIRN_FOR_PORT` and so on; 0 if it does not wait.
    pub waits_for: u32,
    /// `result` of the fiber.
    pub result: c_int,
    /// The object that it waits for; NULL if it does not wait, or is parked.
    pub object: *const c_void,
    /// When the wait ends by itself, on the loop's clock; 0: never.
    pub deadline_ns: u64,
    /// Bytes of its stack.
    pub stack: usize,
    /// Bytes of the stack in use while it waits; 0 while it runs.
    pub used: usize,
    /// The most bytes that were ever in use; 0 without `PIRN_FIBER_FILL`.
    pub deepest: usize,
    /// The stack pointer while it waits.
    pub pointer: usize,
}

/// State of a fiber: never started.
pub const PIRN_FIBER_FRESH: u32 = 0u32;
/// State of a fiber: its wait is over, and it will run.
pub const PIRN_FIBER_READY: u32 = 1u32;
/// State of a fiber: it runs.
pub const PIRN_FIBER_RUNNING: u32 = 2u32;
/// State of a fiber: it waits.
pub const PIRN_FIBER_WAITING: u32 = 3u32;
/// State of a fiber: its body has returned.
pub const PIRN_FIBER_ENDED: u32 = 4u32;
/// State of a fiber: its stack has overflowed, and it never runs again.
pub const PIRN_FIBER_BROKEN: u32 = 5u32;

impl pirn_fiber {
    /// Describes the fiber: see `pirn_fiber_info`.
    pub(crate) fn describe(&self, size: u32) -> pirn_fiber_info {
        let (is_waiting, is_woken) = (self.waiter.is_waiting(), self.waiter.is_live());
        let is_running = self.is_live() && core::ptr::eq(self.hub().running().get().cast(), self);
        let state = match self.state.get() {
            LIVE if is_running => PIRN_FIBER_RUNNING,
            LIVE if is_waiting || !is_woken => PIRN_FIBER_WAITING,
            LIVE => PIRN_FIBER_READY,
            ENDED => PIRN_FIBER_ENDED,
            BROKEN => PIRN_FIBER_BROKEN,
            _ => PIRN_FIBER_FRESH,
        };
        let kind = self.waiter.kind().filter(|_| is_waiting);
        let is_started = self.state.get() != FRESH;
        pirn_fiber_info {
            size,
            state,
            name: self.name.get(),
            waits_for: kind.map_or(0, |kind| kind.number),
            result: self.result.get(),
            object: if is_waiting {
                self.waiter.object()
            } else {
                null_mut()
            },
            deadline_ns: self.waiter.deadline_ns(),
            stack: if is_started { self.stack.size() } else { 0 },
            used: if self.is_live() && !is_running {
                self.stack.used(self.pointer.get())
            } else {
                0
            },
            deepest: if self.is_live() { self.deepest() } else { 0 },
            pointer: self.pointer.get(),
        }
    }
}
