#![expect(unsafe_code, reason = "C functions: raw pointers come in")]
//! Pools.

use core::ffi::c_int;

use pirn_wait::{EINVAL, pirn_hub, pirn_waiter};

use crate::pool::{pirn_pool, pirn_spawn};

/// Start a member of a pool in a free slot, or begin to wait for one.
///
/// When a slot becomes free, the member of the first waiter is started at once.
///
/// @param hub         the members run in callbacks of its loop
/// @param waiter      the waiter; NULL: do not wait, return -EDEADLK instead
/// @param what        must stay where it is until the wait is over
/// @param timeout_ns  from the turn's time; `PIRN_FOREVER`: no limit; 0: -EAGAIN
///
/// Returns `PIRN_WAITS`, or 0: the member is started, or
/// - -EINVAL: another NULL, more than `PIRN_POOL_ARGUMENT` bytes, or the stacks are too small
/// - -EAGAIN: all slots are taken, and `timeout_ns` is 0
/// - -ESHUTDOWN: the pool was cancelled
/// - -EDEADLK: the waiter is a member's, and then all members would wait here; or it is NULL
/// - -EBUSY: the waiter waits already
/// - -EOPNOTSUPP, -EUCLEAN: as `pirn_fiber_start`
///
/// Cost: O(1), and as `pirn_fiber_start`; O(waiters) for a member. Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_pool_spawn_start(
    hub: *mut pirn_hub,
    pool: *mut pirn_pool,
    waiter: *mut pirn_waiter,
    what: *const pirn_spawn,
    timeout_ns: u64,
) -> c_int {
    // SAFETY: NULL, or as documented.
    let (Some(hub), Some(pool)) = (unsafe { hub.as_ref() }, unsafe { pool.as_ref() }) else {
        return -EINVAL;
    };
    // SAFETY: NULL, or as documented.
    let (waiter, what) = (unsafe { waiter.as_ref() }, unsafe { what.as_ref() });
    match what {
        // SAFETY: as documented.
        Some(what) => unsafe { pool.spawn(hub, waiter, what, timeout_ns) },
        None => -EINVAL,
    }
}
