#![expect(
    unsafe_code,
    reason = "stacks are the caller's memory, and are switched"
)]
//! The life of a fiber.

use core::cell::Cell;
use core::ffi::{c_char, c_int, c_void};
use core::ptr::{NonNull, null_mut};

use pirn_abi::{PIRN_DONE, PIRN_FOREVER, PIRN_STOPPED, pirn_run, pirn_update};
use pirn_wait::functions::{
    pirn_hub_loop, pirn_park_start, pirn_waiter_begin, pirn_waiter_cancel, pirn_waiter_drop,
    pirn_waiter_end, pirn_waiter_grant, pirn_waiter_init, pirn_waiter_wake,
};
use pirn_wait::{
    EBUSY, ECANCELED, EDEADLK, EINVAL, ENOENT, ETIMEDOUT, EUCLEAN, PIRN_WAITS, pirn_hub,
    pirn_wait_kind, pirn_waiter, pirn_waiters,
};

use crate::switch::{prepare, switch};

/// What a fiber runs. Its result is what `pirn_fiber_join` reports. Must not unwind or longjmp out.
pub type pirn_fiber_fn =
    Option<unsafe extern "C" fn(hub: *mut pirn_hub, user: *mut c_void) -> c_int>;

/// The smallest stack, in bytes: what the library needs and little for the body. A signal handler that
/// has no stack of its own (`SA_ONSTACK`) runs on the stack of the fiber that it interrupts, and its
/// frame alone takes 1 to 11 KiB on x86-64: take 16 KiB where you can.
pub const PIRN_FIBER_STACK_MIN: usize = 1024;

/// Option of `pirn_fiber_start`: fill the stack with a pattern, so that `pirn_fiber_info` can tell the
/// deepest use. O(size) at the start.
pub const PIRN_FIBER_FILL: u32 = 0x1;

/// A fiber. Zero it before the first start; yours, and stays where it is until it has ended.
#[repr(C)]
pub struct pirn_fiber {
    /// First, so that a fiber's waiter has the fiber's address.
    waiter: pirn_waiter,
    /// For people who look at it; kept, not copied. May be NULL. Set it after the start.
    pub name: Cell<*const c_char>,
    hub: Cell<*mut pirn_hub>,
    body: Cell<pirn_fiber_fn>,
    user: Cell<*mut c_void>,
    /// Where it left off.
    pointer: Cell<usize>,
    /// The lowest word of its stack: overwritten, the stack was too small.
    canary: Cell<*mut u64>,
    size: Cell<usize>,
    joiners: pirn_waiters,
    next: Cell<Option<NonNull<pirn_fiber>>>,
    previous: Cell<Option<NonNull<pirn_fiber>>>,
    scope: Cell<Option<NonNull<pirn_scope>>>,
    /// What the body has returned.
    pub result: Cell<c_int>,
    state: Cell<u32>,
    is_cancelled: Cell<bool>,
}

/// Never started, or all zero.
const FRESH: u32 = 0;
const LIVE: u32 = 1;
const ENDED: u32 = 2;
/// Its stack has overflowed: it never runs again.
const BROKEN: u32 = 3;

const CANARY: u64 = 0x6b63_6174_735f_6966;
const FILL: u64 = 0x6e72_6970_6e72_6970;

static JOINING: pirn_wait_kind = pirn_wait_kind {
    number: 3,
    flags: 0,
    quit: None,
    leave: None,
    undo: None,
};

/// Start a fiber. Its body first runs in the coming turn.
///
/// @param hub      of the loop in whose callbacks it runs
/// @param stack    memory of yours, which the fiber has until it has ended
/// @param size     bytes of it, at least `PIRN_FIBER_STACK_MIN`
/// @param options  `PIRN_FIBER_FILL`, or 0
/// @param body     what it runs
/// @param user     passed to the body, never looked at
///
/// Returns 0, or -EINVAL: a NULL, a stack below the minimum, other bits; -EBUSY: the fiber is live. On an
/// error nothing has changed. Cost: O(1). Loop thread. Since 0.1.
///
/// # Safety
///
/// `hub` is NULL or was initialised; `fiber` is NULL, zeroed or was started; `stack` is NULL or `size` bytes.
#[cfg_attr(feature = "export", unsafe(no_mangle))]
pub unsafe extern "C" fn pirn_fiber_start(
    hub: *mut pirn_hub,
    fiber: *mut pirn_fiber,
    stack: *mut c_void,
    size: usize,
    options: u32,
    body: pirn_fiber_fn,
    user: *mut c_void,
) -> c_int {
    if hub.is_null() || stack.is_null() || size < PIRN_FIBER_STACK_MIN || body.is_none() {
        return -EINVAL;
    }
    if options & !PIRN_FIBER_FILL != 0 {
        return -EINVAL;
    }
    let waiter = fiber.cast::<pirn_waiter>();
    // SAFETY: NULL, zeroed, or started before, as documented; all zero is a valid fiber.
    let Some(fiber) = (unsafe { fiber.as_ref() }) else {
        return -EINVAL;
    };
    if matches!(fiber.state.get(), LIVE | BROKEN) {
        return -EBUSY;
    }
    // SAFETY: the waiter is inside the fiber, and not in use.
    let rc = unsafe { pirn_waiter_init(hub, waiter, Some(on_wake), waiter.cast()) };
    if rc < 0 {
        return rc;
    }
    let top = stack.addr() + size;
    let lowest = stack.addr().next_multiple_of(align_of::<u64>());
    let words = (top - lowest) / size_of::<u64>();
    let canary = stack
        .cast::<u8>()
        .wrapping_add(lowest - stack.addr())
        .cast::<u64>();
    if options & PIRN_FIBER_FILL != 0 {
        for at in 1..words {
            // SAFETY: inside the stack, which is the caller's to give.
            unsafe { canary.wrapping_add(at).write(FILL) };
        }
    }
    // SAFETY: the lowest words of the stack.
    unsafe { canary.write(CANARY) };
    // SAFETY: at least `PIRN_FIBER_STACK_MIN` bytes below the top belong to the stack.
    fiber
        .pointer
        .set(unsafe { prepare(top, main, fiber as *const pirn_fiber as usize) });
    fiber.hub.set(hub);
    fiber.body.set(body);
    fiber.user.set(user);
    fiber.canary.set(canary);
    fiber.size.set(size);
    fiber.scope.set(None);
    fiber.result.set(0);
    fiber.is_cancelled.set(false);
    fiber.state.set(LIVE);
    fiber.waiter.set_lazy();
    fiber.enlist();
    // SAFETY: just initialised.
    unsafe { pirn_park_start(waiter, PIRN_FOREVER) };
    // SAFETY: as above.
    unsafe { pirn_waiter_wake(waiter, 0) }
}

/// The first function on a fiber's stack.
unsafe extern "C" fn main(argument: usize) -> ! {
    // SAFETY: `pirn_fiber_start` passed the address of a fiber that stays until it has ended.
    let fiber = unsafe { &*(argument as *const pirn_fiber) };
    if let Some(body) = fiber.body.get() {
        // SAFETY: called as documented there.
        let result = unsafe { body(fiber.hub.get(), fiber.user.get()) };
        fiber.result.set(result);
    }
    fiber.state.set(ENDED);
    loop {
        fiber.leave();
    }
}

unsafe extern "C" fn on_wake(_hub: *mut pirn_hub, waiter: *mut pirn_waiter, _result: c_int) {
    // SAFETY: a live fiber's waiter.
    let fiber = unsafe { &*waiter }.user.get().cast::<pirn_fiber>();
    // SAFETY: set by `pirn_fiber_start`, and the fiber is live.
    unsafe { &*fiber }.resume();
}

impl pirn_fiber {
    fn hub(&self) -> &pirn_hub {
        // SAFETY: a live fiber's hub outlives it, as documented.
        unsafe { &*self.hub.get() }
    }

    /// The fiber that runs, if one does.
    fn running(hub: &pirn_hub) -> Option<&pirn_fiber> {
        // SAFETY: set by `resume` to a live fiber, and taken back when that is left.
        unsafe { hub.running().get().cast::<pirn_fiber>().as_ref() }
    }

    /// Goes on with the fiber, on the loop's stack. Returns when it waits or has ended.
    fn resume(&self) {
        if self.state.get() != LIVE {
            return;
        }
        let hub = self.hub();
        hub.running().set((&raw const *self).cast_mut().cast());
        // SAFETY: the fiber's stack was prepared, or it left off there; nobody runs on it.
        unsafe { switch(hub.stack().as_ptr(), self.pointer.get()) };
        hub.running().set(null_mut());
        // SAFETY: the lowest word of the stack, which the fiber still has.
        if unsafe { self.canary.get().read() } != CANARY {
            self.state.set(BROKEN);
            self.result.set(-EUCLEAN);
            self.end();
        } else if self.state.get() == ENDED {
            self.end();
        }
    }

    /// Leaves the fiber's stack for the loop's.
    fn leave(&self) {
        // SAFETY: called on the fiber's stack; the loop's was left by `resume`.
        unsafe { switch(self.pointer.as_ptr(), self.hub().stack().get()) };
    }

    /// It will not run again: those who join it are told, and its memory is free.
    fn end(&self) {
        // SAFETY: initialised by `pirn_fiber_start`.
        unsafe { pirn_waiter_end(&raw const self.waiter) };
        self.delist();
        while let Some(joiner) = self.joiners.first() {
            // SAFETY: it is in the list, so it waits.
            unsafe { pirn_waiter_grant(joiner, 0) };
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

    /// True if it was cancelled, and no shield stands between.
    fn apply_cancellation(&self) {
        let is_shielded = self.scope().is_some_and(|scope| scope.is_shield.get());
        self.waiter
            .set_cancelled(self.is_cancelled.get() && !is_shielded);
    }

    fn scope(&self) -> Option<&pirn_scope> {
        // SAFETY: a scope is on the fiber's own stack, and leaves in the order of entry, as documented.
        self.scope.get().map(|scope| unsafe { scope.as_ref() })
    }
}

// ---- who waits ----

/// Return the waiter to give to a function that ends in `_start` for the one who calls: the fiber that
/// runs, or, where none does, the program itself, for which `pirn_fiber_await` runs the loop.
///
/// NULL for NULL. O(1). Loop thread. Since 0.1.
///
/// # Safety
///
/// `hub` is NULL or was initialised.
#[cfg_attr(feature = "export", unsafe(no_mangle))]
pub unsafe extern "C" fn pirn_fiber_self(hub: *mut pirn_hub) -> *mut pirn_waiter {
    // SAFETY: NULL, or initialised, as documented.
    let Some(hub) = (unsafe { hub.as_ref() }) else {
        return null_mut();
    };
    let running = hub.running().get();
    if running.is_null() {
        (&raw const *hub.main()).cast_mut()
    } else {
        running.cast()
    }
}

/// Wait for what a function that ends in `_start` has begun, and return the result of the wait.
///
/// @param begun  what that function has returned: anything but `PIRN_WAITS` is returned as it is
///
/// Switches to the loop's stack until the wait is over. Where no fiber runs, runs the loop until then:
/// -EDEADLK if nothing can end the wait, or inside a callback, where the loop cannot be run;
/// -ECANCELED if the loop is stopped. Loop thread. Since 0.1.
///
/// # Safety
///
/// `hub` is NULL or was initialised; the wait was begun with the waiter that `pirn_fiber_self` returned.
#[cfg_attr(feature = "export", unsafe(no_mangle))]
pub unsafe extern "C" fn pirn_fiber_await(hub: *mut pirn_hub, begun: c_int) -> c_int {
    if begun != PIRN_WAITS {
        return begun;
    }
    // SAFETY: NULL, or initialised, as documented.
    let Some(hub) = (unsafe { hub.as_ref() }) else {
        return -EINVAL;
    };
    if let Some(fiber) = pirn_fiber::running(hub) {
        fiber.leave();
        return fiber.waiter.result();
    }
    let main = hub.main();
    // SAFETY: the loop is live as long as its hub.
    let ended = unsafe { pirn_run(hub.event_loop()) };
    if !main.is_live() {
        return main.result();
    }
    // SAFETY: initialised with the hub.
    unsafe { pirn_waiter_drop((&raw const *main).cast_mut()) };
    match ended {
        PIRN_STOPPED => -ECANCELED,
        PIRN_DONE => -EDEADLK,
        error if error == -EBUSY => -EDEADLK,
        error => error,
    }
}

/// Let all others run that are ready, and then go on. No cancellation point.
///
/// Returns 0, or -EDEADLK: no fiber runs here. Loop thread. Since 0.1.
///
/// # Safety
///
/// `hub` is NULL or was initialised.
#[cfg_attr(feature = "export", unsafe(no_mangle))]
pub unsafe extern "C" fn pirn_fiber_yield(hub: *mut pirn_hub) -> c_int {
    // SAFETY: NULL, or initialised, as documented.
    let Some(fiber) = (unsafe { hub.as_ref() }).and_then(pirn_fiber::running) else {
        return -EDEADLK;
    };
    let waiter = (&raw const fiber.waiter).cast_mut();
    // SAFETY: a live fiber's waiter.
    let begun = unsafe { pirn_park_start(waiter, PIRN_FOREVER) };
    // SAFETY: as above. Where the fiber was cancelled it is ready already.
    unsafe { pirn_waiter_wake(waiter, 0) };
    // SAFETY: begun with the fiber's waiter.
    unsafe { pirn_fiber_await(hub, begun) };
    0
}

/// Wait until some time has passed, never less.
///
/// @param delay_ns  from a fresh reading of the clock; 0 lets the loop have a whole turn
///
/// Returns 0, or -ECANCELED; -EDEADLK: inside a callback. Loop thread. Since 0.1.
///
/// # Safety
///
/// `hub` is NULL or was initialised.
#[cfg_attr(feature = "export", unsafe(no_mangle))]
pub unsafe extern "C" fn pirn_fiber_sleep(hub: *mut pirn_hub, delay_ns: u64) -> c_int {
    // SAFETY: passed on.
    let event_loop = unsafe { pirn_hub_loop(hub) };
    // SAFETY: NULL, or live as long as its hub.
    unsafe { pirn_update(event_loop) };
    // SAFETY: passed on.
    let waiter = unsafe { pirn_fiber_self(hub) };
    // SAFETY: NULL, or initialised.
    let begun = unsafe { pirn_park_start(waiter, delay_ns.max(1)) };
    // SAFETY: begun with the waiter of the one who calls.
    match unsafe { pirn_fiber_await(hub, begun) } {
        result if result == -ETIMEDOUT => 0,
        result => result,
    }
}

/// Begin to wait until a fiber has ended.
///
/// @param timeout_ns  from the turn's time; `PIRN_FOREVER`: no limit; 0: -EAGAIN
///
/// Returns `PIRN_WAITS`, or 0: it has ended; -ENOENT: it was never started; -EDEADLK: the waiter is NULL or
/// the fiber's own. Any number may wait. Cost: O(1). Loop thread. Since 0.1.
///
/// # Safety
///
/// `fiber` is NULL, zeroed or was started; `waiter` is NULL or was initialised.
#[cfg_attr(feature = "export", unsafe(no_mangle))]
pub unsafe extern "C" fn pirn_fiber_join_start(
    fiber: *mut pirn_fiber,
    waiter: *mut pirn_waiter,
    timeout_ns: u64,
) -> c_int {
    let object = fiber.cast::<c_void>();
    if !fiber.is_null() && waiter == fiber.cast() {
        return -EDEADLK;
    }
    // SAFETY: NULL, zeroed or started, as documented.
    let Some(fiber) = (unsafe { fiber.as_ref() }) else {
        return -EINVAL;
    };
    match fiber.state.get() {
        FRESH => -ENOENT,
        ENDED | BROKEN => 0,
        // SAFETY: passed on; list and kind are as asked.
        _ => unsafe {
            pirn_waiter_begin(
                waiter,
                &raw const fiber.joiners,
                &raw const JOINING,
                object,
                0,
                timeout_ns,
            )
        },
    }
}

/// Cancel a fiber: the wait in progress, and every later one, ends with -ECANCELED without waiting, until
/// the fiber ends. Calls with a time limit of 0 still work, so that it can clean up; what must wait to
/// clean up does so in a scope with `PIRN_SCOPE_SHIELD`. What it was granted already it keeps. A fiber that
/// has not begun still begins.
///
/// Returns 0, also the second time; -EINVAL: NULL; -ENOENT: it is not live. Cost: O(1). Loop thread. Since
/// 0.1.
///
/// # Safety
///
/// `fiber` is NULL, zeroed or was started.
#[cfg_attr(feature = "export", unsafe(no_mangle))]
pub unsafe extern "C" fn pirn_fiber_cancel(fiber: *mut pirn_fiber) -> c_int {
    let waiter = fiber.cast::<pirn_waiter>();
    // SAFETY: NULL, zeroed or started, as documented.
    let Some(fiber) = (unsafe { fiber.as_ref() }) else {
        return -EINVAL;
    };
    if fiber.state.get() != LIVE {
        return -ENOENT;
    }
    fiber.is_cancelled.set(true);
    let is_shielded = fiber.scope().is_some_and(|scope| scope.is_shield.get());
    fiber.apply_cancellation();
    if !is_shielded {
        // SAFETY: a live fiber's waiter. It may be running or woken: then its next wait ends.
        unsafe { pirn_waiter_cancel(waiter, -ECANCELED) };
    }
    0
}

/// Return the fiber that runs, or NULL. Loop thread. Since 0.1.
///
/// # Safety
///
/// `hub` is NULL or was initialised.
#[cfg_attr(feature = "export", unsafe(no_mangle))]
pub unsafe extern "C" fn pirn_fiber_current(hub: *mut pirn_hub) -> *mut pirn_fiber {
    // SAFETY: NULL, or initialised, as documented.
    unsafe { hub.as_ref() }.map_or(null_mut(), |hub| hub.running().get().cast())
}

// ---- scopes ----

/// Option of `pirn_scope_enter`: cancellation and the limits of outer scopes stay outside.
pub const PIRN_SCOPE_SHIELD: u32 = 0x1;

/// A time limit for all waits in a part of a fiber. On the fiber's own stack.
#[repr(C)]
pub struct pirn_scope {
    outer: Cell<Option<NonNull<pirn_scope>>>,
    outer_bound_ns: Cell<u64>,
    deadline_ns: Cell<u64>,
    is_shield: Cell<bool>,
}

/// Limit all waits until `pirn_scope_leave`, whatever functions they are in: each ends with -ECANCELED when
/// the limit is reached.
///
/// @param limit_ns  from the turn's time; `PIRN_FOREVER`: no limit, not with `PIRN_SCOPE_SHIELD`
/// @param options   `PIRN_SCOPE_SHIELD`, or 0
///
/// Returns 0, or -EINVAL: a NULL, other bits, a shield without a limit; -EDEADLK: no fiber runs here. Cost:
/// O(1). Loop thread. Since 0.1.
///
/// # Safety
///
/// `hub` is NULL or was initialised; `scope` is NULL or writable, and stays until it is left.
#[cfg_attr(feature = "export", unsafe(no_mangle))]
pub unsafe extern "C" fn pirn_scope_enter(
    hub: *mut pirn_hub,
    scope: *mut pirn_scope,
    limit_ns: u64,
    options: u32,
) -> c_int {
    let is_shield = options & PIRN_SCOPE_SHIELD != 0;
    if scope.is_null()
        || options & !PIRN_SCOPE_SHIELD != 0
        || (is_shield && limit_ns == PIRN_FOREVER)
    {
        return -EINVAL;
    }
    // SAFETY: NULL, or initialised, as documented.
    let Some(hub) = (unsafe { hub.as_ref() }) else {
        return -EINVAL;
    };
    let Some(fiber) = pirn_fiber::running(hub) else {
        return -EDEADLK;
    };
    let bound = fiber.waiter.bound_ns();
    let deadline = if limit_ns == PIRN_FOREVER {
        0
    } else {
        hub.now().saturating_add(limit_ns)
    };
    let fresh = pirn_scope {
        outer: Cell::new(fiber.scope.get()),
        outer_bound_ns: Cell::new(bound.get()),
        deadline_ns: Cell::new(deadline),
        is_shield: Cell::new(is_shield),
    };
    // SAFETY: not NULL, hence writable as documented.
    unsafe { scope.write(fresh) };
    let outer = if is_shield { 0 } else { bound.get() };
    bound.set(if outer == 0 || (deadline != 0 && deadline < outer) {
        deadline
    } else {
        outer
    });
    fiber.scope.set(NonNull::new(scope));
    fiber.apply_cancellation();
    0
}

/// End a scope, the innermost first.
///
/// Returns 0, or -ETIMEDOUT: its limit was reached; -EINVAL: a NULL, or not the innermost; -EDEADLK: no fiber
/// runs here. Cost: O(1). Loop thread. Since 0.1.
///
/// # Safety
///
/// `hub` is NULL or was initialised; `scope` is NULL or was entered.
#[cfg_attr(feature = "export", unsafe(no_mangle))]
pub unsafe extern "C" fn pirn_scope_leave(hub: *mut pirn_hub, scope: *mut pirn_scope) -> c_int {
    // SAFETY: NULL, or initialised, as documented.
    let Some(hub) = (unsafe { hub.as_ref() }) else {
        return -EINVAL;
    };
    let Some(fiber) = pirn_fiber::running(hub) else {
        return -EDEADLK;
    };
    if fiber.scope.get() != NonNull::new(scope) {
        return -EINVAL;
    }
    let Some(scope) = fiber.scope() else {
        return -EINVAL;
    };
    fiber.waiter.bound_ns().set(scope.outer_bound_ns.get());
    fiber.scope.set(scope.outer.get());
    fiber.apply_cancellation();
    let deadline = scope.deadline_ns.get();
    if deadline != 0 && hub.now() >= deadline {
        -ETIMEDOUT
    } else {
        0
    }
}

// ---- looking at fibers ----

/// What is known of a fiber.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pirn_fiber_info {
    /// `sizeof(struct pirn_fiber_info)`, set by the caller: no more than that is written.
    pub size: u32,
    /// `PIRN_FIBER_WAITING` or one of the others.
    pub state: u32,
    /// As it was set.
    pub name: *const c_char,
    /// What it waits for: the number of the object's kind; 0 if it does not wait.
    pub waits_for: u32,
    /// Its result, once it has ended.
    pub result: c_int,
    /// The object that it waits for.
    pub object: *const c_void,
    /// Bytes of its stack.
    pub stack: usize,
    /// Bytes of it in use.
    pub used: usize,
    /// The most that was ever in use; 0 without `PIRN_FIBER_FILL`.
    pub deepest: usize,
}

/// State of a fiber: never started.
pub const PIRN_FIBER_FRESH: u32 = 0;
/// State of a fiber: its wait is over, and it will run.
pub const PIRN_FIBER_READY: u32 = 1;
/// State of a fiber: it runs.
pub const PIRN_FIBER_RUNNING: u32 = 2;
/// State of a fiber: it waits.
pub const PIRN_FIBER_WAITING: u32 = 3;
/// State of a fiber: its body has returned.
pub const PIRN_FIBER_ENDED: u32 = 4;
/// State of a fiber: its stack has overflowed, and it never runs again.
pub const PIRN_FIBER_BROKEN: u32 = 5;

/// Find the next live fiber, in no particular order.
///
/// @param after  the fiber found last, or NULL to begin
///
/// Returns NULL at the end. Nothing is called back; fibers must not end between two calls. Loop thread.
/// Since 0.1.
///
/// # Safety
///
/// `hub` is NULL or was initialised; `after` is NULL or live.
#[cfg_attr(feature = "export", unsafe(no_mangle))]
pub unsafe extern "C" fn pirn_fiber_next(
    hub: *mut pirn_hub,
    after: *const pirn_fiber,
) -> *mut pirn_fiber {
    // SAFETY: NULL, or live, as documented.
    if let Some(after) = unsafe { after.as_ref() } {
        return after.next.get().map_or(null_mut(), NonNull::as_ptr);
    }
    // SAFETY: NULL, or initialised, as documented.
    unsafe { hub.as_ref() }.map_or(null_mut(), |hub| hub.fibers().get().cast())
}
