#![expect(unsafe_code, reason = "C functions: raw pointers come in")]
//! Waiters.

use core::ffi::{c_int, c_void};

use crate::errno::{EDEADLK, EINVAL};
use crate::hub::pirn_hub;
use crate::waiter::{pirn_waiter, pirn_wake_fn};

/// Prepare a waiter.
///
/// @param hub   where it waits
/// @param wake  called when a wait is over
/// @param user  for you: `waiter->user`
///
/// Returns 0, or -EINVAL: a NULL. A waiter that waits must not be prepared again. Cost: O(1). Loop
/// thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_waiter_init(
    hub: *mut pirn_hub,
    waiter: *mut pirn_waiter,
    wake: pirn_wake_fn,
    user: *mut c_void,
) -> c_int {
    if hub.is_null() || waiter.is_null() || wake.is_none() {
        return -EINVAL;
    }
    // SAFETY: not NULL, hence writable as documented.
    unsafe { waiter.write(pirn_waiter::new(hub, wake, user)) };
    0
}

/// End a wait early, with `result`, whatever the waiter waits for.
///
/// A wait that is over keeps its result, even if `wake` was not called yet.
///
/// @param result  a negative errno, usually -ECANCELED
///
/// Returns 0, or
/// - -EINVAL: NULL, or `result` is not negative
/// - -ENOENT: the waiter does not wait
/// - -EALREADY: the wait is over, or it is the part of the wait for a condition that locks the
///   mutex again
///
/// Cost: O(1), and what the object does for the waiters behind. Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_waiter_cancel(waiter: *mut pirn_waiter, result: c_int) -> c_int {
    // SAFETY: NULL, or initialised, as documented.
    let Some(waiter) = (unsafe { waiter.as_ref() }) else {
        return -EINVAL;
    };
    match waiter.hub() {
        Some(hub) if result < 0 => waiter.cancel(hub, result),
        _ => -EINVAL,
    }
}

/// Drop a wait.
///
/// `wake` is not called, and what was granted already is given back. Afterwards the memory of the
/// waiter may be reused.
///
/// Returns 0, also if the waiter does not wait, or -EINVAL: NULL, or never initialised. Cost: O(1),
/// and what the object does for the waiters behind. Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_waiter_drop(waiter: *mut pirn_waiter) -> c_int {
    // SAFETY: NULL, or initialised, as documented.
    let Some(waiter) = (unsafe { waiter.as_ref() }) else {
        return -EINVAL;
    };
    let Some(hub) = waiter.hub() else {
        return -EINVAL;
    };
    waiter.forget(hub);
    0
}

/// Return 1 from the beginning of a wait until `wake` is called, and 0 otherwise; -EINVAL for NULL.
/// Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_waiter_is_waiting(waiter: *const pirn_waiter) -> c_int {
    // SAFETY: NULL, or initialised, as documented.
    unsafe { waiter.as_ref() }.map_or(-EINVAL, |waiter| c_int::from(waiter.is_live()))
}

/// Begin a wait that only `pirn_waiter_wake`, time and cancellation end: use it to wait for any
/// callback.
///
/// @param timeout_ns  from the turn's time; `PIRN_FOREVER`: no limit; 0: -EAGAIN
///
/// Returns `PIRN_WAITS`, or
/// - -EDEADLK: `waiter` is NULL
/// - -EINVAL: it was never initialised
/// - -EBUSY: it waits already
/// - -EUCLEAN: the stack of a fiber has overflowed
///
/// Cost: O(1). Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_park_start(waiter: *mut pirn_waiter, timeout_ns: u64) -> c_int {
    // SAFETY: NULL, or initialised, as documented.
    unsafe { waiter.as_ref() }.map_or(-EDEADLK, |waiter| waiter.park(timeout_ns))
}

/// End the wait of a parked waiter (`pirn_park_start`).
///
/// @param result  of the wait
///
/// Returns 0, or
/// - -EINVAL: NULL, or never initialised
/// - -ENOENT: the waiter is not parked
///
/// Cost: O(1). Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_waiter_wake(waiter: *mut pirn_waiter, result: c_int) -> c_int {
    // SAFETY: NULL, or initialised, as documented.
    let Some(waiter) = (unsafe { waiter.as_ref() }) else {
        return -EINVAL;
    };
    waiter
        .hub()
        .map_or(-EINVAL, |hub| waiter.wake_parked(hub, result))
}
