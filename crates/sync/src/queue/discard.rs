#![expect(unsafe_code, reason = "items are moved out by their addresses")]
//! The end of a queue of the safe face, which drops its items.

use core::ffi::c_void;

use pirn_wait::ECANCELED;

use super::{CLOSED_NOW, pirn_queue};
use crate::end_all;

impl pirn_queue {
    /// What was promised to getters is not any more: the queue is closed for them too.
    pub(crate) fn break_promises(&self) {
        self.closed.set(CLOSED_NOW);
        self.claims.set(0);
    }

    /// Moves an item of a queue that is closed out, and counts it as done. False: there was none.
    ///
    /// # Safety
    ///
    /// `item` has room for an item.
    pub(crate) unsafe fn discard(&self, item: *mut c_void) -> bool {
        if self.items.count() == 0 {
            return false;
        }
        // SAFETY: there is one; the caller promises the room.
        unsafe { self.items.take(item) };
        self.finish(1);
        true
    }

    /// The queue ends: nobody will say that its items are done.
    pub(crate) fn end_joiners(&self) {
        end_all(&self.joiners, -ECANCELED);
    }
}
