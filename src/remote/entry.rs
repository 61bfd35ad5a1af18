//! A place of the mailbox, and how one message passes through it.

use core::ptr::{NonNull, null_mut};

use crate::atomic::{AtomicPtr, Ordering};
use crate::callback::Callback;

/// A place for one message. Its function is null while the place is free, and while a poster has
/// reserved it and not yet published the message.
pub(crate) struct Entry {
    pub(super) function: AtomicPtr<()>,
    pub(super) user: AtomicPtr<()>,
}

#[cfg(not(loom))]
static_assertions::const_assert!(size_of::<Entry>() == 2 * size_of::<usize>());

impl Entry {
    /// A free place.
    #[cfg(test)]
    pub(crate) fn new() -> Entry {
        Entry {
            function: AtomicPtr::new(null_mut()),
            user: AtomicPtr::new(null_mut()),
        }
    }

    /// Makes the place free, whatever it held.
    pub(super) fn clear(&self) {
        // Relaxed: posters learn that the place is free from the mailbox's `head`, or do not know
        // of the mailbox yet.
        self.function.store(null_mut(), Ordering::Relaxed);
    }

    /// Publishes a message in a place that the caller has reserved.
    #[inline]
    pub(super) fn publish(&self, callback: Callback) {
        // Relaxed: the next line publishes it.
        self.user.store(callback.user, Ordering::Relaxed);
        // Release: the thread that sees the function sees its user word, and all that this thread
        // did before it posted.
        self.function
            .store(callback.function.as_ptr(), Ordering::Release);
    }

    /// True if there is a message to be taken.
    #[inline]
    pub(super) fn is_published(&self) -> bool {
        // Acquire as in `take`, though nothing is read through it here.
        !self.function.load(Ordering::Acquire).is_null()
    }

    /// Takes the message out, if it is published. Posters may use the place again when `head` has
    /// passed it.
    #[inline]
    pub(super) fn take(&self) -> Option<Callback> {
        // Acquire, with the Release in `publish`.
        let function = NonNull::new(self.function.load(Ordering::Acquire))?;
        // Relaxed: ordered by the line before.
        let user = self.user.load(Ordering::Relaxed);
        self.clear();
        Some(Callback { function, user })
    }
}
