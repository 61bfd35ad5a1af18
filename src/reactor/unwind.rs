//! Cleaning up after a callback that unwinds, where the program is built for that: a batch gives
//! back what was not reached and the dispatch ends, as if a limit had cut it short there. The next
//! one continues the turn.

use core::mem;

/// Cleans up after a callback that unwinds. Costs nothing in a program that aborts instead.
pub(super) struct OnUnwind<S, F: FnMut(&mut S)> {
    pub(super) state: S,
    clean_up: F,
}

impl<S, F: FnMut(&mut S)> OnUnwind<S, F> {
    #[inline(always)]
    pub(super) fn new(state: S, clean_up: F) -> Self {
        OnUnwind { state, clean_up }
    }

    /// Nothing has unwound.
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
