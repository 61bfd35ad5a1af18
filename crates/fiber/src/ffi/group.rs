#![expect(unsafe_code, reason = "C functions: raw pointers come in")]
//! Groups.

use core::ffi::c_int;

use pirn_wait::{EDEADLK, EINVAL, pirn_waiter};

use crate::fiber::pirn_fiber;
use crate::group::pirn_group;

/// Add a fiber to a group, until the fiber ends. Call it right after the start.
///
/// A fiber that is added to a cancelled group is cancelled.
///
/// Returns 0, or
/// - -EINVAL: a NULL, or the group has members of another hub
/// - -ENOENT: the fiber is not live
/// - -EBUSY: it is in a group
///
/// Cost: O(1). Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_group_add(group: *mut pirn_group, fiber: *mut pirn_fiber) -> c_int {
    // SAFETY: NULL, or as documented.
    match (unsafe { group.as_ref() }, unsafe { fiber.as_ref() }) {
        (Some(group), Some(fiber)) => group.add(fiber),
        _ => -EINVAL,
    }
}

/// Cancel all members of a group, and all fibers that are added later.
///
/// If the group is a pool's, the waits for a free slot end with -ECANCELED, and later attempts to
/// spawn return -ESHUTDOWN. To use a cancelled group again, zero it when it has no members.
///
/// Returns 0, also if it was cancelled before, or -EINVAL: NULL. Cost: O(members). Loop thread.
/// Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_group_cancel(group: *mut pirn_group) -> c_int {
    // SAFETY: NULL, or as documented.
    let Some(group) = (unsafe { group.as_ref() }) else {
        return -EINVAL;
    };
    group.cancel();
    0
}

/// Begin to wait until a group has no members. Then `group->result` is negative if one has failed.
///
/// If the waiter is a fiber's, and the fiber is cancelled or the limit of a scope around it has
/// passed, the members are cancelled. The wait goes on until they have ended, and ends with
/// -ECANCELED. So a function that starts fibers and joins their group does not return before they
/// have ended. The time limit of this call does not cancel the members.
///
/// @param timeout_ns  from the turn's time; `PIRN_FOREVER`: no limit; 0: -EAGAIN
///
/// Returns `PIRN_WAITS`, or 0: it has no members, or
/// - -EINVAL: `group` is NULL, or the waiter belongs to another hub
/// - -EDEADLK: `waiter` is NULL, or the waiter of a member
/// - -EBUSY: the waiter waits already
/// - -EUCLEAN: the stack of a fiber has overflowed
///
/// Cost: O(1). Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_group_join_start(
    group: *mut pirn_group,
    waiter: *mut pirn_waiter,
    timeout_ns: u64,
) -> c_int {
    // SAFETY: NULL, or as documented.
    match (unsafe { group.as_ref() }, unsafe { waiter.as_ref() }) {
        (None, _) => -EINVAL,
        (_, None) => -EDEADLK,
        (Some(group), Some(waiter)) => group.join(waiter, timeout_ns),
    }
}
