//! Waiters in a row, first come, first served.

use core::cell::Cell;
use core::ptr::NonNull;

use crate::waiter::pirn_waiter;

/// A list of waiters. All zero is an empty one.
#[repr(C)]
#[derive(Default)]
pub struct pirn_waiters {
    first: Cell<Option<NonNull<pirn_waiter>>>,
    last: Cell<Option<NonNull<pirn_waiter>>>,
}

impl pirn_waiters {
    /// True if nobody waits.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.first.get().is_none()
    }

    /// The one who has waited longest.
    #[inline]
    pub fn first(&self) -> Option<&pirn_waiter> {
        self.first.get().map(pirn_waiter::listed)
    }

    /// Those in the list, from the first on. The list must not change meanwhile.
    pub fn iter(&self) -> impl Iterator<Item = &pirn_waiter> {
        core::iter::successors(self.first(), |waiter| {
            waiter.next.get().map(pirn_waiter::listed)
        })
    }

    /// Adds a waiter that is in no list, behind all others.
    pub(crate) fn push(&self, waiter: &pirn_waiter) {
        let last = self.last.replace(Some(NonNull::from(waiter)));
        waiter.previous.set(last);
        waiter.next.set(None);
        waiter.list.set(Some(NonNull::from(self)));
        match last {
            Some(last) => pirn_waiter::listed(last)
                .next
                .set(Some(NonNull::from(waiter))),
            None => self.first.set(Some(NonNull::from(waiter))),
        }
    }

    /// True if the links agree and every member knows that it is here. O(n).
    pub(crate) fn is_sound(&self) -> bool {
        let mut previous = None;
        for waiter in self.iter() {
            if waiter.previous.get() != previous || !waiter.is_sound_in(self) {
                return false;
            }
            previous = Some(NonNull::from(waiter));
        }
        self.last.get() == previous
    }

    /// Takes a waiter out of this list, in which it is.
    pub(crate) fn remove(&self, waiter: &pirn_waiter) {
        let (next, previous) = (waiter.next.take(), waiter.previous.take());
        waiter.list.set(None);
        match previous {
            Some(previous) => pirn_waiter::listed(previous).next.set(next),
            None => self.first.set(next),
        }
        match next {
            Some(next) => pirn_waiter::listed(next).previous.set(previous),
            None => self.last.set(previous),
        }
    }
}
