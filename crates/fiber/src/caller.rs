#![expect(unsafe_code, reason = "the layer below is called by its C functions")]
//! How a call waits: in a fiber by a switch to another stack, in the main program by running the
//! loop.

use core::ffi::c_int;
use core::ptr::null_mut;

use pirn_abi::{
    PIRN_DONE, PIRN_FOREVER, PIRN_STOPPED, pirn_ended, pirn_run, pirn_stop, pirn_update,
};
use pirn_wait::functions::{
    pirn_park_start, pirn_port_wait_start, pirn_waiter_drop, pirn_waiter_wake,
};
use pirn_wait::{
    EBUSY, ECANCELED, EDEADLK, ENOENT, ETIMEDOUT, EUCLEAN, PIRN_WAITS, pirn_hub, pirn_port,
    pirn_waiter,
};

use crate::fiber::pirn_fiber;

/// The waiter of the caller: see `pirn_fiber_self`.
#[inline]
pub(crate) fn waiter_of_caller(hub: &pirn_hub) -> *mut pirn_waiter {
    match pirn_fiber::running(hub) {
        Some(fiber) => fiber.waiter(),
        None => waiter_outside(hub),
    }
}

/// The waiter of the main program; NULL inside a callback.
#[cold]
#[inline(never)]
fn waiter_outside(hub: &pirn_hub) -> *mut pirn_waiter {
    // Live: the main program waits already, and this is a callback of the loop that it runs.
    // Otherwise it may be a callback of a loop that runs for another reason.
    if hub.main().is_live() || is_in_callback(hub) {
        null_mut()
    } else {
        (&raw const *hub.main()).cast_mut()
    }
}

/// True if the loop is running, so that the program cannot run it to wait.
fn is_in_callback(hub: &pirn_hub) -> bool {
    // SAFETY: the loop is live as long as its hub.
    match unsafe { pirn_ended(hub.event_loop()) } {
        PIRN_STOPPED => {
            // `pirn_ended` has consumed the stop, which is meant for the next run.
            // SAFETY: as above.
            unsafe { pirn_stop(hub.event_loop()) };
            false
        }
        answer => answer == -EBUSY,
    }
}

/// Waits until a wait that has begun is over: see `pirn_fiber_await`.
///
/// # Safety
///
/// The wait was begun with the waiter of the caller.
#[inline]
pub(crate) unsafe fn wait_for(hub: &pirn_hub, begun: c_int) -> c_int {
    if begun != PIRN_WAITS {
        return begun;
    }
    wait_until_over(hub)
}

/// The rest of `wait_for`: the wait has begun.
#[inline(never)]
fn wait_until_over(hub: &pirn_hub) -> c_int {
    match pirn_fiber::running(hub) {
        Some(fiber) => fiber.wait_until_over(hub),
        None => run_until_over(hub),
    }
}

/// Runs the loop until the wait of the main program is over.
#[cold]
#[inline(never)]
fn run_until_over(hub: &pirn_hub) -> c_int {
    let main = hub.main();
    // SAFETY: the loop is live as long as its hub.
    let ended = unsafe { pirn_run(hub.event_loop()) };
    if !main.is_live() {
        return main.result();
    }
    if let Some(result) = main.take() {
        // Granted in the turn in which somebody has stopped the loop.
        return result;
    }
    // SAFETY: initialised with the hub.
    unsafe { pirn_waiter_drop((&raw const *main).cast_mut()) };
    match ended {
        _ if hub.is_broken() => -EUCLEAN,
        PIRN_STOPPED => -ECANCELED,
        PIRN_DONE => -EDEADLK,
        error if error == -EBUSY => -EDEADLK,
        error => error,
    }
}

/// Waits until a port is ready: see `pirn_port_wait`.
///
/// # Safety
///
/// The port is open.
pub(crate) unsafe fn wait_for_port(port: *mut pirn_port, interest: u32, timeout_ns: u64) -> c_int {
    // SAFETY: passed on.
    let Some(hub) = (unsafe { &*port }).hub() else {
        return -ENOENT;
    };
    let waiter = waiter_of_caller(hub);
    // SAFETY: an open port; the waiter is the caller's own, or NULL.
    let begun = unsafe { pirn_port_wait_start(port, waiter, interest, timeout_ns) };
    // SAFETY: begun with that waiter.
    unsafe { wait_for(hub, begun) }
}

/// Parks the caller: see `pirn_fiber_park`.
pub(crate) fn park(hub: &pirn_hub, timeout_ns: u64) -> c_int {
    // SAFETY: NULL, or the waiter of the caller.
    let begun = unsafe { pirn_park_start(waiter_of_caller(hub), timeout_ns) };
    // SAFETY: begun with that waiter.
    unsafe { wait_for(hub, begun) }
}

/// Lets the other fibers run: see `pirn_fiber_yield`.
pub(crate) fn let_others_run(hub: &pirn_hub) -> c_int {
    match pirn_fiber::running(hub) {
        None => -EDEADLK,
        Some(fiber) if fiber.waiter.step_back(hub) => {
            fiber.leave(hub);
            0
        }
        Some(fiber) => wake_itself(fiber, hub),
    }
}

/// The rest of `let_others_run`: a wait that ends as soon as it has begun.
#[cold]
#[inline(never)]
fn wake_itself(fiber: &pirn_fiber, hub: &pirn_hub) -> c_int {
    // SAFETY: a live fiber's waiter.
    let begun = unsafe { pirn_park_start(fiber.waiter(), PIRN_FOREVER) };
    // SAFETY: as above. This fails if the fiber is cancelled, which is ready already.
    unsafe { pirn_waiter_wake(fiber.waiter(), 0) };
    // SAFETY: begun with the fiber's waiter.
    let result = unsafe { wait_for(hub, begun) };
    if result == -EUCLEAN { result } else { 0 }
}

/// Waits until some time has passed: see `pirn_fiber_sleep`.
pub(crate) fn sleep(hub: &pirn_hub, delay_ns: u64) -> c_int {
    // SAFETY: the loop is live as long as its hub.
    unsafe { pirn_update(hub.event_loop()) };
    match park(hub, delay_ns.max(1)) {
        result if result == -ETIMEDOUT => 0,
        result => result,
    }
}
