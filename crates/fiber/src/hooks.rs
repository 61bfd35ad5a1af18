#![expect(unsafe_code, reason = "functions of the program are called")]
//! Functions that tell sanitizers and valgrind about stacks.

use core::cell::Cell;
use core::ffi::c_int;
use core::ptr::null_mut;

use pirn_wait::pirn_hub;

use crate::fiber::pirn_fiber;
use crate::switch::switch;

/// Functions that are called around each switch, to tell tools about stacks. A fiber that is NULL
/// stands for the loop's own stack; a fiber that waits also switches straight to another one.
/// `include/pirn/fiber_debug.h` has such functions for AddressSanitizer, ThreadSanitizer and
/// valgrind. Each may be NULL.
#[repr(C)]
pub struct pirn_fiber_hooks {
    /// Called when a fiber is started: `fiber->tool` may be set.
    pub start: Option<unsafe extern "C" fn(fiber: *mut pirn_fiber)>,
    /// Called before a switch, on the stack that is left. `ends` is 1 if `from` never runs again.
    pub leave:
        Option<unsafe extern "C" fn(from: *mut pirn_fiber, to: *mut pirn_fiber, ends: c_int)>,
    /// Called after a switch, on the stack that was entered.
    pub enter: Option<unsafe extern "C" fn(now: *mut pirn_fiber)>,
}

fn address(fiber: Option<&pirn_fiber>) -> *mut pirn_fiber {
    fiber.map_or(null_mut(), |fiber| (&raw const *fiber).cast_mut())
}

impl pirn_fiber_hooks {
    /// The hooks of a hub, if there are any.
    #[inline]
    pub(crate) fn of(hub: &pirn_hub) -> Option<&pirn_fiber_hooks> {
        let hooks = hub.hooks().get().cast::<pirn_fiber_hooks>();
        // SAFETY: set by `pirn_fiber_set_hooks` to hooks that outlive the hub.
        unsafe { hooks.as_ref() }
    }

    #[cold]
    pub(crate) fn start(&self, fiber: &pirn_fiber) {
        if let Some(start) = self.start {
            // SAFETY: called as documented there.
            unsafe { start(address(Some(fiber))) };
        }
    }

    /// Calls the hooks around a switch: see `cross`.
    ///
    /// # Safety
    ///
    /// As for `switch`.
    #[cold]
    #[inline(never)]
    pub(crate) unsafe fn around(
        &self,
        save: &Cell<usize>,
        pointer: usize,
        from: Option<&pirn_fiber>,
        to: Option<&pirn_fiber>,
    ) {
        if let Some(leave) = self.leave {
            let ends = from.is_some_and(pirn_fiber::has_ended);
            // SAFETY: called as documented there.
            unsafe { leave(address(from), address(to), c_int::from(ends)) };
        }
        // SAFETY: passed on.
        unsafe { switch(save.as_ptr(), pointer) };
        self.enter(from);
    }

    #[cold]
    pub(crate) fn enter(&self, now: Option<&pirn_fiber>) {
        if let Some(enter) = self.enter {
            // SAFETY: called as documented there.
            unsafe { enter(address(now)) };
        }
    }
}
