#![expect(unsafe_code, reason = "C functions: raw pointers come in")]
//! Functions for objects of the program's own that can be waited for.

use core::ffi::{c_int, c_void};
use core::ptr::NonNull;

use crate::errno::{EAGAIN, EDEADLK, EINVAL};
use crate::hub::pirn_hub;
use crate::kind::pirn_wait_kind;
use crate::list::pirn_waiters;
use crate::remote::{pirn_remote, pirn_remote_fn};
use crate::waiter::pirn_waiter;

/// Check a waiter before the object changes anything.
///
/// A `_start` function that does more than to call `pirn_waiter_begin` calls this first. If this
/// does not return 0, the function returns the same value.
///
/// Returns 0: the object may go on, and call `pirn_waiter_begin` or return a result; `PIRN_WAITS`:
/// the waiter is cancelled, so its wait is over already; or
/// - -EDEADLK: `waiter` is NULL, and `timeout_ns` is not 0
/// - -EINVAL: the waiter was never initialised
/// - -EBUSY: it waits already
/// - -EUCLEAN: the stack of a fiber has overflowed
///
/// Cost: O(1). Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_waiter_check(waiter: *const pirn_waiter, timeout_ns: u64) -> c_int {
    // SAFETY: NULL, or initialised, as documented.
    let Some(waiter) = (unsafe { waiter.as_ref() }) else {
        return if timeout_ns == 0 { 0 } else { -EDEADLK };
    };
    waiter
        .hub()
        .map_or(-EINVAL, |hub| waiter.check(hub, timeout_ns))
}

/// Begin a wait.
///
/// @param list        the object's list of waiters, or NULL: the waiter is in none
/// @param kind        the functions of the object, which stay where they are for ever
/// @param object      for the functions of the kind: `pirn_waiter_object`
/// @param word        for the object, such as a number of units: `pirn_waiter_word`
/// @param timeout_ns  from the turn's time; `PIRN_FOREVER`: no limit; 0: -EAGAIN
///
/// Returns `PIRN_WAITS`, or
/// - -EAGAIN: `timeout_ns` is 0
/// - -EINVAL: `kind` is NULL, or waiters of another hub are in the list
/// - what `pirn_waiter_check` returns
///
/// Cost: O(1); with a time limit O(log waiters) amortised. Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_waiter_begin(
    waiter: *const pirn_waiter,
    list: *const pirn_waiters,
    kind: *const pirn_wait_kind,
    object: *mut c_void,
    word: usize,
    timeout_ns: u64,
) -> c_int {
    // SAFETY: NULL, or initialised, as documented.
    let Some(waiter) = (unsafe { waiter.as_ref() }) else {
        return if timeout_ns == 0 { -EAGAIN } else { -EDEADLK };
    };
    let Some(kind) = NonNull::new(kind.cast_mut()) else {
        return -EINVAL;
    };
    // SAFETY: NULL, or the list of an object that outlives its waiters.
    let list = unsafe { list.as_ref() };
    waiter.begin(list, kind, object, word, timeout_ns)
}

/// Grant what a waiter waits for: its wait ends with `result`.
///
/// From now on the waiter owns what was granted. Only `pirn_waiter_drop` takes it back, by the
/// kind's `undo`. An object also calls this to end a wait with an error, such as -ESHUTDOWN.
///
/// Cost: O(1). Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_waiter_grant(waiter: *const pirn_waiter, result: c_int) {
    // SAFETY: NULL, or initialised, as documented.
    let Some(waiter) = (unsafe { waiter.as_ref() }) else {
        return;
    };
    if let Some(hub) = waiter.hub() {
        waiter.grant(hub, result);
    }
}

/// Move a waiter that waits to another list, behind all others there, without a time limit.
///
/// A condition moves a waiter to the list of its mutex when it has to lock the mutex again.
///
/// Cost: O(1). Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_waiter_move(
    waiter: *const pirn_waiter,
    list: *const pirn_waiters,
    kind: *const pirn_wait_kind,
    object: *mut c_void,
) {
    // SAFETY: as documented.
    let (Some(waiter), Some(list)) = (unsafe { waiter.as_ref() }, unsafe { list.as_ref() }) else {
        return;
    };
    if let (Some(hub), Some(kind)) = (waiter.hub(), NonNull::new(kind.cast_mut())) {
        waiter.move_to(hub, list, kind, object);
    }
}

/// End a waiter: drop its wait as `pirn_waiter_drop` does, and pass on the objects that it owns
/// (`struct pirn_held`), such as mutexes. Call it before the memory of a waiter that owns something
/// is reused. A fiber that ends does so by itself.
///
/// Cost: O(objects that it owns). Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_waiter_end(waiter: *const pirn_waiter) {
    // SAFETY: NULL, or initialised, as documented.
    let Some(waiter) = (unsafe { waiter.as_ref() }) else {
        return;
    };
    if let Some(hub) = waiter.hub() {
        waiter.forget(hub);
        waiter.abandon_all();
    }
}

/// Ask the loop to call `run` with `remote`. For other threads, signal handlers and interrupts.
///
/// This cannot fail. Several calls before the loop runs cause one call of `run`. `remote` must stay
/// where it is until then.
///
/// Cost: O(1); a system call if the loop waits for the kernel. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_remote_push(
    hub: *const pirn_hub,
    remote: *const pirn_remote,
    run: pirn_remote_fn,
) {
    // SAFETY: as documented.
    let (Some(hub), Some(remote)) = (unsafe { hub.as_ref() }, unsafe { remote.as_ref() }) else {
        return;
    };
    hub.push_remote(remote, run);
}
