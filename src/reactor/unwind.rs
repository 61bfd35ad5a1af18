//! Cleaning up after a callback that panics, in programs built with unwinding. The batch gives back
//! the items that were not reached, and the dispatch ends as if a limit had interrupted it at this
//! point. The next dispatch continues the turn.

use core::mem;

/// Calls `clean_up` if it is dropped by unwinding. Costs nothing in a program that aborts on panic.
pub(super) struct OnUnwind<S, F: FnMut(&mut S)> {
    pub(super) state: S,
    clean_up: F,
}

impl<S, F: FnMut(&mut S)> OnUnwind<S, F> {
    #[inline(always)]
    pub(super) fn new(state: S, clean_up: F) -> Self {
        OnUnwind { state, clean_up }
    }

    /// Drops the guard without cleaning up: no callback has panicked.
    #[inline(always)]
    pub(super) fn disarm(self) {
        mem::forget(self);
    }
}

impl<S, F: FnMut(&mut S)> Drop for OnUnwind<S, F> {
    fn drop(&mut self) {
        (self.clean_up)(&mut self.state);
    }
}
