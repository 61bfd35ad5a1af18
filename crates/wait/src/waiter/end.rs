#![expect(unsafe_code, reason = "the functions of a kind are called")]
//! The ways in which a wait ends.

use core::ffi::{c_int, c_void};
use core::ptr::NonNull;

use super::pirn_waiter;
use crate::errno::{EALREADY, ENOENT};
use crate::hub::pirn_hub;
use crate::kind::pirn_wait_kind;
use crate::list::pirn_waiters;
use crate::state::{DEFERRED, GRANTED, IDLE, KEPT, LIMITED, STATE, TOLD, WAITING, WOKEN};

impl pirn_waiter {
    /// Grants what the waiter waits for: see `pirn_waiter_grant`.
    #[inline]
    pub(crate) fn grant(&self, hub: &pirn_hub, result: c_int) {
        debug_assert!(self.is(WAITING));
        self.wake_with(hub, result, WOKEN | GRANTED);
    }

    /// Moves the waiter to another list, without a time limit: see `pirn_waiter_move`.
    pub(crate) fn move_to(
        &self,
        hub: &pirn_hub,
        list: &pirn_waiters,
        kind: NonNull<pirn_wait_kind>,
        object: *mut c_void,
    ) {
        debug_assert!(self.is(WAITING));
        self.leave_ring();
        self.end_limit(hub);
        self.unlimit(hub);
        self.kind.set(Some(kind));
        self.object.set(object);
        list.push(self);
    }

    /// Ends the wait without a grant.
    #[inline]
    pub(crate) fn end(&self, hub: &pirn_hub, result: c_int) {
        self.wake_with(hub, result, WOKEN);
    }

    /// Ends the wait: the waiter goes to the end of the ready list, in this state.
    #[inline(never)]
    fn wake_with(&self, hub: &pirn_hub, result: c_int, state: u32) {
        self.leave_ring();
        self.result.set(result);
        hub.add_ready(self, state);
        if self.has(LIMITED) {
            self.end_limited(hub);
        } else {
            hub.ask_to_be_called();
        }
    }

    /// The rest of `wake_with` for a wait with a time limit.
    #[inline(never)]
    fn end_limited(&self, hub: &pirn_hub) {
        self.clear_limit(hub);
        hub.ask_to_be_called();
    }

    /// Ends the wait without a grant, and lets the object serve the waiters behind.
    pub(crate) fn quit(&self, hub: &pirn_hub, result: c_int) {
        let (quit, leave) = self.kind().map_or((None, None), |k| (k.quit, k.leave));
        if let Some(quit) = quit {
            let waiter = NonNull::from(self).as_ptr();
            // SAFETY: called as documented there, with a waiter that waits.
            if unsafe { quit(waiter, result) } != 0 {
                return;
            }
        }
        self.end(hub, result);
        if let Some(leave) = leave {
            // SAFETY: called as documented there; the waiter has left the object's list.
            unsafe { leave(NonNull::from(self).as_ptr()) };
        }
    }

    /// Ends the wait early: see `pirn_waiter_cancel`.
    pub(crate) fn cancel(&self, hub: &pirn_hub, result: c_int) -> c_int {
        match self.state.get() & STATE {
            WAITING if self.is_firm() => -EALREADY,
            WAITING => {
                self.quit(hub, result);
                0
            }
            WOKEN | TOLD => -EALREADY,
            _ => -ENOENT,
        }
    }

    /// Drops the wait: see `pirn_waiter_drop`.
    pub(crate) fn forget(&self, hub: &pirn_hub) {
        let (leave, undo) = self.kind().map_or((None, None), |k| (k.leave, k.undo));
        if self.is(WAITING) {
            self.unlink();
            hub.uncount_wait();
            self.set(IDLE);
            if let Some(leave) = leave {
                // SAFETY: called as documented there; the waiter has left the object's list.
                unsafe { leave(NonNull::from(self).as_ptr()) };
            }
        } else if self.is_over() {
            let was_granted = self.has(GRANTED);
            self.unlink();
            hub.uncount_wait();
            self.set(IDLE);
            if let Some(undo) = undo.filter(|_| was_granted) {
                let waiter = NonNull::from(self).as_ptr();
                // SAFETY: called as documented there.
                unsafe { undo(waiter, self.result.get()) };
            }
        }
        if self.heap.at_ns.get() != 0 || self.has(LIMITED | KEPT) {
            self.clear_limit(hub);
        }
    }

    /// Called when the waiter was taken off the ready list. It is idle then, unless its result is
    /// to be taken later.
    #[inline]
    pub(crate) fn settle(&self, hub: &pirn_hub) {
        if self.has(DEFERRED) {
            self.set(TOLD | self.state.get() & GRANTED);
        } else {
            self.finish(hub);
        }
    }

    /// Idle again. What was granted is still to be handed over.
    #[inline]
    pub(super) fn finish(&self, hub: &pirn_hub) {
        self.set(IDLE | self.state.get() & GRANTED);
        hub.uncount_wait();
    }

    /// Has the object hand over what it has granted. Called when the wait is over and the waiter
    /// idle, before its owner continues.
    #[inline]
    pub fn take_grant(&self) {
        if !self.has(GRANTED) {
            return;
        }
        if let Some(take) = self.kind().and_then(|kind| kind.take) {
            self.flag(GRANTED, false);
            let waiter = NonNull::from(self).as_ptr();
            // SAFETY: called as documented there.
            let result = unsafe { take(waiter, self.result.get()) };
            self.result.set(result);
        }
    }

    /// Ends the wait of a waiter that has left its list and has no limit to end. `wake` is to be
    /// called at once. Only inside a callback of the loop.
    #[inline]
    pub(crate) fn finish_now(&self, hub: &pirn_hub, result: c_int) {
        self.result.set(result);
        self.settle(hub);
    }

    /// True if the waiter waits for this object, or was woken by it.
    pub(crate) fn concerns(&self, object: *const c_void) -> bool {
        core::ptr::eq(self.object.get(), object)
    }

    pub(crate) fn replace_result(&self, result: c_int) {
        self.result.set(result);
    }
}
