//! What the tests with one thread and those under loom share.

use std::vec::Vec;

use core::ptr::{NonNull, without_provenance_mut};

use super::*;

/// A callback with `number` as its user word.
pub(super) fn callback(number: usize) -> Callback {
    Callback {
        function: NonNull::dangling(),
        user: without_provenance_mut(number),
    }
}

/// Takes the messages before `end`, as a dispatch does.
pub(super) fn take_all<W: Wake>(shared: &Shared<'_, W>, end: Ticket) -> Vec<usize> {
    let mut taken = Vec::new();
    loop {
        let mut batch = shared.batch(end, u32::MAX);
        while let Some(callback) = shared.take_of(&mut batch) {
            taken.push(callback.user.addr());
        }
        if !batch.is_empty() {
            shared.end_batch();
        }
        if !batch.is_empty() || shared.batch(end, 1).is_empty() {
            return taken;
        }
    }
}

impl<'a, W: Wake> Shared<'a, W> {
    /// Where the mailbox ends now, and how many messages are in it, as a turn finds it.
    pub(super) fn snapshot_end(&self) -> (Ticket, usize) {
        self.end_at(self.mailbox.tail.load(Ordering::Relaxed))
    }
}
