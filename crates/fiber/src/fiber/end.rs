#![expect(unsafe_code, reason = "the layer below is called by its C functions")]
//! How others end a fiber and wait for its end: cancellation and joining.

use core::ffi::c_int;

use pirn_wait::functions::{pirn_waiter_begin, pirn_waiter_cancel};
use pirn_wait::{ECANCELED, EDEADLK, EINVAL, ENOENT, EUCLEAN, pirn_wait_kind, pirn_waiter};

use super::{BROKEN, ENDED, FRESH, PIRN_FOR_FIBER, pirn_fiber};

static JOINING: pirn_wait_kind = pirn_wait_kind::plain(PIRN_FOR_FIBER);

impl pirn_fiber {
    // ---- cancellation ----

    /// Cancels the fiber: see `pirn_fiber_cancel`.
    pub(crate) fn cancel(&self) -> c_int {
        if !self.is_live() {
            return -ENOENT;
        }
        self.is_cancelled.set(1);
        if !self.is_shielded() {
            self.waiter.set_cancelled(true);
            // SAFETY: a live fiber's waiter. If it does not wait, its next wait ends.
            unsafe { pirn_waiter_cancel(self.waiter(), -ECANCELED) };
        }
        0
    }

    /// Cancels the waits of a cancelled fiber, or lets them wait if it is in a shield.
    pub(crate) fn apply_cancellation(&self) {
        let is_cancelled = self.is_cancelled.get() != 0;
        self.waiter
            .set_cancelled(is_cancelled && !self.is_shielded());
    }

    fn is_shielded(&self) -> bool {
        let mut scope = self.scope.get();
        while let Some(inner) = scope {
            // SAFETY: a scope is on the fiber's own stack, and is left in the order of entry, as
            // documented.
            let inner = unsafe { inner.as_ref() };
            if inner.is_shield() {
                return true;
            }
            scope = inner.outer();
        }
        false
    }

    // ---- joining ----

    /// Begins to wait for the end of the fiber: see `pirn_fiber_join_start`.
    pub(crate) fn join(&self, waiter: &pirn_waiter, timeout_ns: u64) -> c_int {
        match self.state.get() {
            FRESH => return -ENOENT,
            ENDED => return 0,
            BROKEN => return -EUCLEAN,
            _ => {}
        }
        if !waiter.is_of(self.hub()) {
            return -EINVAL;
        }
        // Fibers that join one another in a ring would never end.
        let mut next = Some(self);
        while let Some(fiber) = next {
            if core::ptr::eq(&fiber.waiter, waiter) {
                return -EDEADLK;
            }
            next = fiber.joins();
        }
        let (list, kind) = (&raw const self.joiners, &raw const JOINING);
        let own = (&raw const *self).cast_mut().cast();
        // SAFETY: the list is the fiber's, the kind a static.
        unsafe { pirn_waiter_begin(waiter, list, kind, own, 0, timeout_ns) }
    }

    /// The fiber that it joins, if it waits for one.
    fn joins(&self) -> Option<&pirn_fiber> {
        let kind = self.waiter.kind()?;
        let is_joining = self.waiter.is_waiting() && core::ptr::eq(kind, &JOINING);
        let object = self.waiter.object().cast::<pirn_fiber>();
        // SAFETY: a fiber that somebody joins is live.
        is_joining.then(|| unsafe { &*object })
    }
}
