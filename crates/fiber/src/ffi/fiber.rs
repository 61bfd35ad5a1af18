#![expect(unsafe_code, reason = "C functions: raw pointers come in")]
//! Fibers.

use core::ffi::{c_int, c_void};
use core::ptr::null_mut;

use pirn_wait::functions::pirn_waiter_wake;
use pirn_wait::{EBUSY, EDEADLK, EINVAL, ENOENT, pirn_hub, pirn_waiter};

use crate::caller::{let_others_run, park, sleep, wait_for, waiter_of_caller};
use crate::fiber::{Start, pirn_fiber, pirn_fiber_fn};
use crate::hooks::pirn_fiber_hooks;
use crate::info::pirn_fiber_info;

/// Start a fiber. Its body first runs in the coming turn, never inside this call.
///
/// @param hub      the fiber runs in callbacks of its loop
/// @param fiber    all zero; or a fiber that has ended, and whose joiners have run
/// @param stack    memory of yours, of any alignment; the fiber uses it until it has ended
/// @param size     bytes of the stack, at least `PIRN_FIBER_STACK_MIN`; 16384 is a good size
/// @param options  `PIRN_FIBER_FILL`, `PIRN_FIBER_GUARD`, `PIRN_FIBER_DAEMON`, or 0
/// @param body     the function that it runs
/// @param user     passed to the body, never looked at
///
/// Returns 0, or
/// - -EINVAL: a NULL, a stack that is too small, or other options
/// - -EBUSY: the fiber is live
/// - -EOPNOTSUPP: `PIRN_HAS_FIBERS` is 0, the process runs with a shadow stack, or there are no
///   guard pages here
/// - -EUCLEAN: the stack of a fiber has overflowed
///
/// On an error nothing has changed. Cost: O(1), no system call; O(size) with `PIRN_FIBER_FILL`.
/// Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_fiber_start(
    hub: *mut pirn_hub,
    fiber: *mut pirn_fiber,
    stack: *mut c_void,
    size: usize,
    options: u32,
    body: pirn_fiber_fn,
    user: *mut c_void,
) -> c_int {
    let start = Start {
        stack,
        size,
        options,
        body,
        user,
    };
    // SAFETY: NULL, or as documented; all zero is a valid fiber.
    match (unsafe { hub.as_ref() }, unsafe { fiber.as_ref() }) {
        // SAFETY: as documented.
        (Some(hub), Some(fiber)) => unsafe { fiber.start(hub, &start) },
        _ => -EINVAL,
    }
}

/// Return the waiter of the caller, for functions whose names end in `_start`.
///
/// In a fiber, that is the fiber's waiter. In the main program it is a waiter for which
/// `pirn_fiber_await` runs the loop. In a callback it is NULL, because a callback cannot wait.
///
/// NULL for NULL. Cost: O(1). Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_fiber_self(hub: *mut pirn_hub) -> *mut pirn_waiter {
    // SAFETY: NULL, or initialised, as documented.
    unsafe { hub.as_ref() }.map_or(null_mut(), waiter_of_caller)
}

/// Wait until a wait is over that a function whose name ends in `_start` has begun, and return its
/// result.
///
/// In a fiber, other fibers run meanwhile. In the main program, this runs the loop until the wait
/// is over.
///
/// @param begun  the result of that function; if it is not `PIRN_WAITS`, it is returned unchanged
///
/// Returns the result of the wait, or in the main program
/// - -EDEADLK: nothing is left that could end the wait; or in a callback, where the loop cannot be
///   run
/// - -ECANCELED: `pirn_stop` was called
/// - -EUCLEAN: the stack of a fiber has overflowed
/// - what `pirn_run` returns
///
/// After one of these errors the wait is dropped. Cost: two switches of stacks. Loop thread. Since
/// 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_fiber_await(hub: *mut pirn_hub, begun: c_int) -> c_int {
    // SAFETY: NULL, or initialised, as documented.
    match unsafe { hub.as_ref() } {
        // SAFETY: passed on.
        Some(hub) => unsafe { wait_for(hub, begun) },
        None => -EINVAL,
    }
}

/// Let the fibers and waiters that are ready run first. Never returns -ECANCELED.
///
/// Returns 0, or
/// - -EINVAL: NULL
/// - -EDEADLK: no fiber runs here
///
/// Cost: two switches of stacks. Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_fiber_yield(hub: *mut pirn_hub) -> c_int {
    // SAFETY: NULL, or initialised, as documented.
    unsafe { hub.as_ref() }.map_or(-EINVAL, let_others_run)
}

/// Wait until some time has passed, never less.
///
/// @param delay_ns  from a fresh reading of the clock; 0: until the loop has made a whole turn,
///                  which includes the kernel's events
///
/// Returns 0, or
/// - -EINVAL: NULL
/// - -ECANCELED: the fiber was cancelled, or the limit of a scope is over
/// - -EDEADLK: inside a callback
///
/// Cost: as a wait with a time limit, and a reading of the clock. Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_fiber_sleep(hub: *mut pirn_hub, delay_ns: u64) -> c_int {
    // SAFETY: NULL, or initialised, as documented.
    unsafe { hub.as_ref() }.map_or(-EINVAL, |hub| sleep(hub, delay_ns))
}

/// Wait for `pirn_fiber_wake`. Use it to wait for any callback, and to switch by hand.
///
/// @param timeout_ns  from the turn's time; `PIRN_FOREVER`: no limit; 0: -EAGAIN
///
/// Returns the `result` of `pirn_fiber_wake`, or
/// - -EINVAL: NULL
/// - -ETIMEDOUT, -ECANCELED, -EAGAIN: as any wait
/// - -EDEADLK: inside a callback
///
/// Cost: as any wait. Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_fiber_park(hub: *mut pirn_hub, timeout_ns: u64) -> c_int {
    // SAFETY: NULL, or initialised, as documented.
    unsafe { hub.as_ref() }.map_or(-EINVAL, |hub| park(hub, timeout_ns))
}

/// End the wait of a fiber that is parked: its `pirn_fiber_park` returns `result`.
///
/// Returns 0, or
/// - -EINVAL: NULL
/// - -ENOENT: it is not parked
///
/// Cost: O(1). Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_fiber_wake(fiber: *mut pirn_fiber, result: c_int) -> c_int {
    // SAFETY: NULL, zero or started, as documented.
    match unsafe { fiber.as_ref() } {
        None => -EINVAL,
        Some(fiber) if !fiber.is_live() => -ENOENT,
        // SAFETY: the waiter of a fiber that was started.
        Some(fiber) => unsafe { pirn_waiter_wake(fiber.waiter(), result) },
    }
}

/// Begin to wait until a fiber has ended. Any number of waiters may wait for it. The result of its
/// body is then in `fiber->result`.
///
/// @param timeout_ns  from the turn's time; `PIRN_FOREVER`: no limit; 0: -EAGAIN
///
/// Returns `PIRN_WAITS`, or 0: it has ended, or
/// - -EINVAL: `fiber` is NULL, or the waiter belongs to another hub
/// - -ENOENT: it was never started
/// - -EDEADLK: `waiter` is NULL or the fiber's own, or the fiber waits for the waiter's fiber to
///   end, directly or through others
/// - -EBUSY: the waiter waits already
/// - -EUCLEAN: its stack has overflowed
///
/// Cost: O(fibers that wait for one another in a row). Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_fiber_join_start(
    fiber: *mut pirn_fiber,
    waiter: *mut pirn_waiter,
    timeout_ns: u64,
) -> c_int {
    // SAFETY: NULL, or as documented.
    match (unsafe { fiber.as_ref() }, unsafe { waiter.as_ref() }) {
        (None, _) => -EINVAL,
        (_, None) => -EDEADLK,
        (Some(fiber), Some(waiter)) => fiber.join(waiter, timeout_ns),
    }
}

/// Wait until a fiber has ended.
///
/// @param timeout_ns  from the turn's time; `PIRN_FOREVER`: no limit; 0: -EAGAIN
/// @param result      where the result of the body is written; unchanged on error; or NULL
///
/// Returns 0, or an error of `pirn_fiber_join_start` or `pirn_fiber_await`. Loop thread. Since
/// 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_fiber_join(
    fiber: *mut pirn_fiber,
    timeout_ns: u64,
    result: *mut c_int,
) -> c_int {
    // SAFETY: NULL, zero or started, as documented.
    let Some(fiber) = (unsafe { fiber.as_ref() }) else {
        return -EINVAL;
    };
    // SAFETY: NULL, or the hub with which it was started, which outlives it.
    let Some(hub) = (unsafe { fiber.hub_address().as_ref() }) else {
        return -ENOENT;
    };
    // SAFETY: NULL, or the waiter of the caller.
    let begun = match unsafe { waiter_of_caller(hub).as_ref() } {
        None => -EDEADLK,
        Some(waiter) => fiber.join(waiter, timeout_ns),
    };
    // SAFETY: begun with that waiter.
    let rc = unsafe { wait_for(hub, begun) };
    if rc == 0 && !result.is_null() {
        // SAFETY: not NULL, hence writable as documented.
        unsafe { result.write(fiber.result.get()) };
    }
    rc
}

/// Cancel a fiber.
///
/// Its wait in progress and all later waits end with -ECANCELED at once. Calls with a time limit of
/// 0 still work, so that the fiber can clean up. If it has to wait in order to clean up, it enters
/// a scope with `PIRN_SCOPE_SHIELD`. It keeps what it was granted already. A fiber that has not
/// begun still begins, and its first wait returns -ECANCELED.
///
/// Returns 0, also if it was cancelled before, or
/// - -EINVAL: NULL
/// - -ENOENT: the fiber is not live
///
/// Cost: O(1), and what the object does for the waiters behind. Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_fiber_cancel(fiber: *mut pirn_fiber) -> c_int {
    // SAFETY: NULL, zero or started, as documented.
    unsafe { fiber.as_ref() }.map_or(-EINVAL, pirn_fiber::cancel)
}

/// Return the fiber that runs, or NULL. Cost: O(1). Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_fiber_current(hub: *const pirn_hub) -> *mut pirn_fiber {
    // SAFETY: NULL, or initialised, as documented.
    unsafe { hub.as_ref() }.map_or(null_mut(), |hub| hub.running().get().cast())
}

/// Return the next live fiber, in no particular order.
///
/// @param after  the fiber that was returned last, or NULL to begin
///
/// Returns NULL at the end. No fiber may end between two calls. A program whose `pirn_run` returns
/// `PIRN_DONE` while this finds a fiber is in a deadlock. Cost: O(1). Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_fiber_next(
    hub: *const pirn_hub,
    after: *const pirn_fiber,
) -> *mut pirn_fiber {
    // SAFETY: NULL, or live, as documented.
    if let Some(after) = unsafe { after.as_ref() } {
        return after.next();
    }
    // SAFETY: NULL, or initialised, as documented.
    unsafe { hub.as_ref() }.map_or(null_mut(), |hub| hub.fibers().get().cast())
}

/// Describe a fiber.
///
/// @param info  written on success; set its `size` before
///
/// Returns 0, or -EINVAL: a NULL, or `size` is not that of this library. Cost: O(1); O(stack) with
/// `PIRN_FIBER_FILL`. Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_fiber_info(
    fiber: *const pirn_fiber,
    info: *mut pirn_fiber_info,
) -> c_int {
    // SAFETY: NULL, or as documented.
    let (Some(fiber), Some(info)) = (unsafe { fiber.as_ref() }, unsafe { info.as_mut() }) else {
        return -EINVAL;
    };
    if info.size as usize != size_of::<pirn_fiber_info>() {
        return -EINVAL;
    }
    *info = fiber.describe(info.size);
    0
}

/// Set functions that are called around each switch of stacks: see `pirn/fiber_debug.h`.
///
/// @param hooks  stay where they are until the hub is ended; NULL: none
///
/// Returns 0, or
/// - -EINVAL: `hub` is NULL
/// - -EBUSY: a fiber is live
///
/// Cost: O(1). Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_fiber_set_hooks(
    hub: *mut pirn_hub,
    hooks: *const pirn_fiber_hooks,
) -> c_int {
    // SAFETY: NULL, or initialised, as documented.
    match unsafe { hub.as_ref() } {
        None => -EINVAL,
        Some(hub) if !hub.fibers().get().is_null() => -EBUSY,
        Some(hub) => {
            hub.hooks().set(hooks.cast());
            0
        }
    }
}
