#![expect(unsafe_code, reason = "a scope is memory of the caller's")]
//! Scopes: time limits for a part of a fiber, and shields against cancellation.

use core::cell::Cell;
use core::ffi::c_int;
use core::ptr::NonNull;

use pirn_abi::PIRN_FOREVER;
use pirn_wait::{EDEADLK, EINVAL, ETIMEDOUT, pirn_hub};

use crate::fiber::pirn_fiber;

/// Option of `pirn_scope_enter`: cancellation and the limits of outer scopes do not end the waits
/// in the scope.
pub const PIRN_SCOPE_SHIELD: u32 = 1u32 << 0;

/// A time limit for all waits in a part of a fiber. It must be on the fiber's own stack.
#[repr(C)]
pub struct pirn_scope {
    outer: Cell<Option<NonNull<pirn_scope>>>,
    outer_bound_ns: Cell<u64>,
    deadline_ns: Cell<u64>,
    options: Cell<u32>,
}

impl pirn_scope {
    pub(crate) fn is_shield(&self) -> bool {
        self.options.get() & PIRN_SCOPE_SHIELD != 0
    }

    pub(crate) fn outer(&self) -> Option<NonNull<pirn_scope>> {
        self.outer.get()
    }

    /// Enters a scope: see `pirn_scope_enter`.
    ///
    /// # Safety
    ///
    /// `scope` is writable, and stays until it is left.
    pub(crate) unsafe fn enter(
        hub: &pirn_hub,
        scope: *mut pirn_scope,
        limit_ns: u64,
        options: u32,
    ) -> c_int {
        let is_shield = options & PIRN_SCOPE_SHIELD != 0;
        if options & !PIRN_SCOPE_SHIELD != 0 || (is_shield && limit_ns == PIRN_FOREVER) {
            return -EINVAL;
        }
        let Some(fiber) = pirn_fiber::running(hub) else {
            return -EDEADLK;
        };
        let bound = fiber.waiter.bound_ns();
        // A waiter with the deadline 0 has none.
        let deadline = hub.now().saturating_add(limit_ns).max(1);
        let fresh = pirn_scope {
            outer: Cell::new(fiber.scope.get()),
            outer_bound_ns: Cell::new(bound.get()),
            deadline_ns: Cell::new(deadline),
            options: Cell::new(options),
        };
        // SAFETY: writable, as the caller promises.
        unsafe { scope.write(fresh) };
        let outer = if is_shield { PIRN_FOREVER } else { bound.get() };
        bound.set(outer.min(deadline));
        fiber.scope.set(NonNull::new(scope));
        fiber.apply_cancellation();
        0
    }

    /// Leaves a scope: see `pirn_scope_leave`.
    ///
    /// # Safety
    ///
    /// `scope` was entered.
    pub(crate) unsafe fn leave(hub: &pirn_hub, scope: NonNull<pirn_scope>) -> c_int {
        let Some(fiber) = pirn_fiber::running(hub) else {
            return -EDEADLK;
        };
        if fiber.scope.get() != Some(scope) {
            return -EINVAL;
        }
        // SAFETY: the innermost scope of the fiber that runs is on its stack.
        let scope = unsafe { scope.as_ref() };
        fiber.waiter.bound_ns().set(scope.outer_bound_ns.get());
        fiber.scope.set(scope.outer.get());
        fiber.apply_cancellation();
        if hub.now() >= scope.deadline_ns.get() {
            -ETIMEDOUT
        } else {
            0
        }
    }
}
