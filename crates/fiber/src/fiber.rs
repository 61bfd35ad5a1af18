#![expect(
    unsafe_code,
    reason = "stacks are switched, and the layer below is called by its C functions"
)]
//! The life of a fiber.

mod end;

use core::cell::Cell;
use core::ffi::{c_char, c_int, c_void};
use core::mem::transmute;
use core::ptr::{NonNull, null, null_mut};

use pirn_abi::PIRN_FOREVER;
use pirn_wait::functions::{
    pirn_waiter_begin, pirn_waiter_end, pirn_waiter_grant, pirn_waiter_init,
};
use pirn_wait::{
    EBUSY, EINVAL, EOPNOTSUPP, EUCLEAN, PIRN_FOR_WAKE, pirn_hub, pirn_wait_kind, pirn_waiter,
    pirn_waiters,
};

use crate::group::pirn_group;
use crate::hooks::pirn_fiber_hooks;
use crate::scope::pirn_scope;
use crate::stack::pirn_stack;
use crate::switch::{is_supported, prepare, switch};

/// The body of a fiber. `user` is that of `pirn_fiber_start`, and the result is what
/// `pirn_fiber_join` returns. Must not unwind or longjmp out.
pub type pirn_fiber_fn =
    Option<unsafe extern "C" fn(hub: *mut pirn_hub, user: *mut c_void) -> c_int>;

/// The size of the smallest stack in bytes: the library's needs, and a little for the body.
///
/// A signal handler that has no stack of its own (`SA_ONSTACK`) runs on the stack of the fiber that
/// it interrupts. On x86-64 its frame alone takes 1 to 11 KiB, so use 16 KiB if you can.
pub const PIRN_FIBER_STACK_MIN: usize = 1024;

/// Option of a fiber: fill the stack with a pattern, so that `pirn_fiber_info` can report the
/// deepest use. O(size) at the start.
pub const PIRN_FIBER_FILL: u32 = 1u32 << 0;
/// Option of a fiber: the lowest page of the stack is inaccessible until the fiber has ended, so an
/// overflow faults at once. Takes two system calls, and up to two pages of the stack.
pub const PIRN_FIBER_GUARD: u32 = 1u32 << 1;
/// Option of a fiber: its time limits do not keep the loop going. Open its ports with `PIRN_UNREF`.
pub const PIRN_FIBER_DAEMON: u32 = 1u32 << 2;

/// What a waiter waits for: the end of a fiber.
pub const PIRN_FOR_FIBER: u32 = 3u32;

/// A fiber. Zero it before the first start. The memory is yours, and must stay where it is until
/// the fiber has ended. `name` and `result` may be read; set `name` after the start.
#[repr(C)]
pub struct pirn_fiber {
    // The first field, so that its address is the fiber's. It has the hub, and the argument of the
    // body.
    pub(crate) waiter: pirn_waiter,
    /// A name for people who debug. The string is not copied. May be NULL.
    pub name: Cell<*const c_char>,
    /// The result of the body; -EUCLEAN if the stack has overflowed.
    pub result: Cell<c_int>,
    // `FRESH`, `LIVE`, `ENDED` or `BROKEN`.
    pub(crate) state: Cell<u8>,
    is_cancelled: Cell<u8>,
    // How many reads and writes in a row did not have to wait.
    pub(crate) calls: Cell<u16>,
    // The stack pointer while the fiber does not run.
    pub(crate) pointer: Cell<usize>,
    pub(crate) stack: pirn_stack,
    joiners: pirn_waiters,
    next: Cell<Option<NonNull<pirn_fiber>>>,
    previous: Cell<Option<NonNull<pirn_fiber>>>,
    pub(crate) scope: Cell<Option<NonNull<pirn_scope>>>,
    pub(crate) group: Cell<Option<NonNull<pirn_group>>>,
    pub(crate) group_next: Cell<Option<NonNull<pirn_fiber>>>,
    pub(crate) group_previous: Cell<Option<NonNull<pirn_fiber>>>,
    /// For the functions of `pirn_fiber_hooks`.
    pub tool: Cell<*mut c_void>,
}

/// Never started, or all zero.
pub(crate) const FRESH: u8 = 0;
pub(crate) const LIVE: u8 = 1;
pub(crate) const ENDED: u8 = 2;
/// The stack has overflowed, and the fiber never runs again.
pub(crate) const BROKEN: u8 = 3;

/// The first wait of a fiber, which is over at once. Its word is the address of the body.
static BEGINNING: pirn_wait_kind = pirn_wait_kind::plain(PIRN_FOR_WAKE);

/// The arguments of `pirn_fiber_start`.
pub(crate) struct Start {
    pub(crate) stack: *mut c_void,
    pub(crate) size: usize,
    pub(crate) options: u32,
    pub(crate) body: pirn_fiber_fn,
    pub(crate) user: *mut c_void,
}

impl pirn_fiber {
    /// Starts the fiber: see `pirn_fiber_start`.
    ///
    /// # Safety
    ///
    /// The fiber stays where it is until it has ended, the hub outlives it, and the stack is memory
    /// of the caller's.
    pub(crate) unsafe fn start(&self, hub: &pirn_hub, start: &Start) -> c_int {
        let known = PIRN_FIBER_FILL | PIRN_FIBER_GUARD | PIRN_FIBER_DAEMON;
        let Some(body) = start.body else {
            return -EINVAL;
        };
        if start.stack.is_null() || start.options & !known != 0 {
            return -EINVAL;
        }
        if hub.is_broken() {
            return -EUCLEAN;
        }
        if self.is_live() || self.state.get() == BROKEN {
            return -EBUSY;
        }
        if !is_supported() {
            return -EOPNOTSUPP;
        }
        // SAFETY: passed on.
        let rc = unsafe { self.stack.prepare(start.stack, start.size, start.options) };
        if rc < 0 {
            return rc;
        }
        start.stack.expose_provenance();
        let address = (&raw const *self).expose_provenance();
        // SAFETY: at least `PIRN_FIBER_STACK_MIN` bytes below the top belong to the stack.
        let pointer = unsafe { prepare(self.stack.top(), main, address) };
        self.pointer.set(pointer);
        self.scope.set(None);
        self.group.set(None);
        self.name.set(null());
        self.result.set(0);
        self.calls.set(0);
        self.is_cancelled.set(0);
        self.state.set(LIVE);
        let waiter = self.waiter();
        // SAFETY: the waiter is inside the fiber, and not in use.
        unsafe { pirn_waiter_init(hub_address(hub), waiter, Some(on_wake), start.user) };
        self.waiter.set_lazy();
        if start.options & PIRN_FIBER_DAEMON != 0 {
            self.waiter.set_unref();
        }
        self.enlist();
        if let Some(hooks) = pirn_fiber_hooks::of(hub) {
            hooks.start(self);
        }
        let (kind, word) = (&raw const BEGINNING, body as usize);
        // SAFETY: the waiter was just initialised, and the kind is a static.
        unsafe { pirn_waiter_begin(waiter, null(), kind, null_mut(), word, PIRN_FOREVER) };
        // SAFETY: it waits.
        unsafe { pirn_waiter_grant(waiter, 0) };
        0
    }

    // ---- questions ----

    /// True from the start until the body has returned.
    pub(crate) fn is_live(&self) -> bool {
        self.state.get() == LIVE
    }

    /// True if the body has returned.
    pub(crate) fn has_ended(&self) -> bool {
        self.state.get() == ENDED
    }

    /// The address of its waiter, for the functions of the layer below.
    pub(crate) fn waiter(&self) -> *mut pirn_waiter {
        (&raw const self.waiter).cast_mut()
    }

    /// Its address, as the hub keeps it.
    fn address(&self) -> *mut c_void {
        (&raw const *self).cast_mut().cast()
    }

    /// The hub of a fiber that was started.
    #[inline]
    pub(crate) fn hub(&self) -> &pirn_hub {
        // SAFETY: `start` has initialised the waiter with the hub.
        unsafe { self.waiter.hub().unwrap_unchecked() }
    }

    /// NULL if it was never started.
    pub(crate) fn hub_address(&self) -> *mut pirn_hub {
        self.waiter.hub().map_or(null_mut(), hub_address)
    }

    /// The fiber that runs, if one does.
    pub(crate) fn running(hub: &pirn_hub) -> Option<&pirn_fiber> {
        // SAFETY: set by `resume` to a live fiber, and taken back when that is left.
        unsafe { hub.running().get().cast::<pirn_fiber>().as_ref() }
    }

    /// The next live fiber of the hub.
    pub(crate) fn next(&self) -> *mut pirn_fiber {
        self.next.get().map_or(null_mut(), NonNull::as_ptr)
    }

    pub(crate) fn deepest(&self) -> usize {
        self.stack.deepest()
    }

    // ---- running ----

    /// Runs the fiber until it waits or ends, and the fibers to which it switches then. Called on
    /// the loop's stack.
    #[inline]
    fn resume(&self, hub: &pirn_hub) {
        hub.running().set(self.address());
        // SAFETY: the pointer came from `prepare`, or from the switch by which the fiber left its
        // stack. Nothing runs on that stack.
        unsafe { cross(hub, hub.stack(), self.pointer.get(), None, Some(self)) };
        // The one that has left its stack for the loop's.
        let last = hub.running().replace(null_mut()).cast::<pirn_fiber>();
        // SAFETY: a live fiber, or one that has just ended, which stays until it is joined.
        let last = unsafe { &*last };
        if !last.stack.is_intact(last.pointer.get()) {
            last.fall(hub);
        } else if last.has_ended() {
            last.end();
        }
    }

    /// Leaves the fiber's stack until its wait is over, and returns the result.
    #[inline]
    pub(crate) fn wait_until_over(&self, hub: &pirn_hub) -> c_int {
        self.leave(hub);
        self.waiter.take_grant();
        self.waiter.result()
    }

    /// Switches from the fiber's stack to that of the next fiber that is ready, or to the loop's if
    /// something else is to be done before. Returns when the fiber is resumed.
    #[inline(never)]
    pub(crate) fn leave(&self, hub: &pirn_hub) {
        self.calls.set(0);
        // What is left to be done on a stack that may have overflowed is the loop's decision.
        match hub.next_ready(|waiter| is_of_fiber(waiter) && self.stack.has_room()) {
            // SAFETY: the waiter of a live fiber.
            Some(waiter) => self.switch_to(hub, unsafe { fiber_of(waiter) }),
            None => self.switch_to_loop(hub),
        }
    }

    /// Switches from the fiber's stack to that of another one.
    #[inline]
    fn switch_to(&self, hub: &pirn_hub, next: &pirn_fiber) {
        // It may be the next one itself.
        if !core::ptr::eq(self, next) {
            hub.running().set(next.address());
            // SAFETY: called on the fiber's stack. The other fiber has left its own.
            unsafe {
                cross(
                    hub,
                    &self.pointer,
                    next.pointer.get(),
                    Some(self),
                    Some(next),
                )
            };
        }
    }

    /// Switches from the fiber's stack to the loop's.
    #[inline(never)]
    fn switch_to_loop(&self, hub: &pirn_hub) {
        // SAFETY: called on the fiber's stack. The loop's was left by `resume`.
        unsafe { cross(hub, &self.pointer, hub.stack().get(), Some(self), None) };
    }

    /// Called when the stack has overflowed: the fiber never runs again, even if its wait ends.
    #[cold]
    #[inline(never)]
    fn fall(&self, hub: &pirn_hub) {
        self.state.set(BROKEN);
        self.result.set(-EUCLEAN);
        self.waiter.wake.set(None);
        hub.break_down();
    }

    /// Called when the body has returned: wakes the joiners, and releases the stack.
    #[inline(never)]
    fn end(&self) {
        // SAFETY: initialised by `start`.
        unsafe { pirn_waiter_end(self.waiter()) };
        self.stack.release();
        self.delist();
        while let Some(joiner) = self.joiners.first() {
            // SAFETY: it is in the list, so it waits.
            unsafe { pirn_waiter_grant(joiner, 0) };
        }
        // Last: a pool may start the fiber again at once.
        if let Some(group) = self.group.take() {
            // SAFETY: a group outlives its members, as documented.
            let group = unsafe { group.as_ref() };
            if let Some(functions) = group.functions() {
                (functions.remove)(group, self);
            }
        }
    }

    fn enlist(&self) {
        let own = NonNull::from(self);
        let first = self.hub().fibers().replace(own.as_ptr().cast());
        self.previous.set(None);
        self.next.set(NonNull::new(first.cast()));
        if let Some(next) = self.next.get() {
            // SAFETY: in the list of live fibers.
            unsafe { next.as_ref() }.previous.set(Some(own));
        }
    }

    fn delist(&self) {
        let (next, previous) = (self.next.take(), self.previous.take());
        if let Some(next) = next {
            // SAFETY: in the list of live fibers.
            unsafe { next.as_ref() }.previous.set(previous);
        }
        match previous {
            // SAFETY: as above.
            Some(previous) => unsafe { previous.as_ref() }.next.set(next),
            None => {
                let first = next.map_or(null_mut(), |next| next.as_ptr().cast());
                self.hub().fibers().set(first);
            }
        }
    }
}

/// The first function on a fiber's stack.
unsafe extern "C" fn main(argument: usize) -> ! {
    // SAFETY: `start` passed the address of a fiber that stays until it has ended.
    let fiber = unsafe { &*core::ptr::with_exposed_provenance::<pirn_fiber>(argument) };
    let hub = fiber.hub();
    if let Some(hooks) = pirn_fiber_hooks::of(hub) {
        hooks.enter(Some(fiber));
    }
    let body = core::ptr::with_exposed_provenance::<()>(fiber.waiter.word());
    // SAFETY: the word of the first wait is the address of a function of this type.
    let body = unsafe { transmute::<*const (), unsafe extern "C" fn(_, _) -> _>(body) };
    // SAFETY: called as documented there.
    let result = unsafe { body(hub_address(hub), fiber.waiter.user.get()) };
    fiber.result.set(result);
    fiber.state.set(ENDED);
    loop {
        fiber.switch_to_loop(hub);
    }
}

unsafe extern "C" fn on_wake(hub: *mut pirn_hub, waiter: *mut pirn_waiter, _result: c_int) {
    // SAFETY: called with a live waiter.
    let waiter = unsafe { &*waiter };
    // SAFETY: a fiber's.
    let fiber = unsafe { fiber_of(waiter) };
    // SAFETY: a live hub calls.
    fiber.resume(unsafe { &*hub });
}

/// The fiber of a waiter, which stands first in it.
///
/// # Safety
///
/// The waiter is a fiber's.
#[inline]
unsafe fn fiber_of(waiter: &pirn_waiter) -> &pirn_fiber {
    // SAFETY: as the caller promises.
    unsafe { &*(&raw const *waiter).cast::<pirn_fiber>() }
}

/// True if this is the waiter of a fiber that can be resumed.
#[inline]
fn is_of_fiber(waiter: &pirn_waiter) -> bool {
    let wake = waiter.wake.get();
    wake.is_some_and(|wake| wake as usize == on_wake as *const () as usize)
}

/// Switches from the stack of one fiber to that of another; None is the loop's own. Returns when
/// the stack is switched to again.
///
/// # Safety
///
/// As for `switch`.
#[inline]
unsafe fn cross(
    hub: &pirn_hub,
    save: &Cell<usize>,
    pointer: usize,
    from: Option<&pirn_fiber>,
    to: Option<&pirn_fiber>,
) {
    match pirn_fiber_hooks::of(hub) {
        // SAFETY: passed on.
        None => unsafe { switch(save.as_ptr(), pointer) },
        // SAFETY: passed on.
        Some(hooks) => unsafe { hooks.around(save, pointer, from, to) },
    }
}

fn hub_address(hub: &pirn_hub) -> *mut pirn_hub {
    (&raw const *hub).cast_mut()
}
