#![expect(unsafe_code, reason = "C functions: raw pointers come in")]
//! Scopes.

use core::ffi::c_int;
use core::ptr::NonNull;

use pirn_wait::{EINVAL, pirn_hub};

use crate::scope::pirn_scope;

/// Limit all waits of the running fiber until `pirn_scope_leave`, whatever functions they are in.
///
/// When the limit has passed, each of these waits ends with -ECANCELED.
///
/// @param scope     on the stack of the calling function, which must leave it before it returns
/// @param limit_ns  from the turn's time; `PIRN_FOREVER`: no limit of its own (not for a shield)
/// @param options   `PIRN_SCOPE_SHIELD`, or 0
///
/// Returns 0, or
/// - -EINVAL: a NULL, other options, or a shield without a limit
/// - -EDEADLK: no fiber runs here
///
/// Cost: O(1). Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_scope_enter(
    hub: *mut pirn_hub,
    scope: *mut pirn_scope,
    limit_ns: u64,
    options: u32,
) -> c_int {
    // SAFETY: NULL, or initialised, as documented.
    match unsafe { hub.as_ref() } {
        // SAFETY: not NULL, hence writable as documented.
        Some(hub) if !scope.is_null() => unsafe {
            pirn_scope::enter(hub, scope, limit_ns, options)
        },
        _ => -EINVAL,
    }
}

/// Leave a scope, the innermost first.
///
/// Returns 0, or
/// - -ETIMEDOUT: its limit has passed
/// - -EINVAL: a NULL, or not the innermost scope of the fiber that runs
/// - -EDEADLK: no fiber runs here
///
/// Cost: O(1). Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_scope_leave(hub: *mut pirn_hub, scope: *mut pirn_scope) -> c_int {
    // SAFETY: NULL, or initialised, as documented.
    match (unsafe { hub.as_ref() }, NonNull::new(scope)) {
        // SAFETY: as documented.
        (Some(hub), Some(scope)) => unsafe { pirn_scope::leave(hub, scope) },
        _ => -EINVAL,
    }
}
