#![expect(
    unsafe_code,
    reason = "members of a ring are reached by their addresses"
)]
//! Lists of waiters, in the order in which they were added.
//!
//! A list is a ring of links: those of the waiters, and those of the list itself between the last
//! and the first. So a waiter leaves without knowing the list. A list without waiters is all zero,
//! and may be moved.

use core::cell::Cell;
use core::ptr::NonNull;

use crate::waiter::pirn_waiter;

/// The neighbours in a ring. All zero: in no ring.
#[repr(C)]
#[derive(Default)]
pub struct pirn_links {
    next: Cell<Option<NonNull<pirn_links>>>,
    previous: Cell<Option<NonNull<pirn_links>>>,
}

/// A list of waiters. All zero is an empty one. It must stay where it is while a waiter is in it.
#[repr(C)]
#[derive(Default)]
pub struct pirn_waiters {
    // Next to the list is the first waiter, and before it the last.
    ends: pirn_links,
}

/// A member of a ring.
#[inline]
fn listed<'a>(links: NonNull<pirn_links>) -> &'a pirn_links {
    // SAFETY: a waiter stays where it is while it is in a list, and so does a list that has one, as
    // their documentation asks; they are only ever borrowed shared.
    unsafe { links.as_ref() }
}

impl pirn_links {
    #[inline]
    fn clear(&self) {
        self.next.set(None);
        self.previous.set(None);
    }
}

impl pirn_waiters {
    /// True if no waiter is in the list.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.ends.next.get().is_none()
    }

    /// The waiter that was added first.
    #[inline]
    pub fn first(&self) -> Option<&pirn_waiter> {
        self.ends.next.get().map(pirn_waiter::of_links)
    }

    /// The waiter, if there is exactly one.
    #[inline]
    pub(crate) fn only(&self) -> Option<&pirn_waiter> {
        self.first()
            .filter(|first| first.links.next.get() == Some(NonNull::from(&self.ends)))
    }

    /// The waiters in the list, from the first on. The list must not change meanwhile.
    pub fn iter(&self) -> impl Iterator<Item = &pirn_waiter> {
        let end = NonNull::from(&self.ends);
        core::iter::successors(self.ends.next.get(), move |links| {
            listed(*links).next.get().filter(|next| *next != end)
        })
        .map(pirn_waiter::of_links)
    }

    /// Adds a waiter that is in no ring, behind all others.
    #[inline]
    pub(crate) fn push(&self, waiter: &pirn_waiter) {
        let (end, new) = (NonNull::from(&self.ends), waiter.links_address());
        let last = self.ends.previous.replace(Some(new)).unwrap_or(end);
        listed(last).next.set(Some(new));
        waiter.links.next.set(Some(end));
        waiter.links.previous.set(Some(last));
    }

    /// Removes the waiter that was added first.
    #[inline]
    pub(crate) fn pop(&self) -> Option<&pirn_waiter> {
        let first = self.first()?;
        let end = NonNull::from(&self.ends);
        let next = first.links.next.take();
        first.links.previous.set(None);
        if next == Some(end) {
            self.ends.clear();
        } else {
            self.ends.next.set(next);
            if let Some(next) = next {
                listed(next).previous.set(Some(end));
            }
        }
        Some(first)
    }

    /// Removes the waiter that is the only one.
    #[inline]
    pub(crate) fn remove_only(&self, waiter: &pirn_waiter) {
        self.ends.clear();
        waiter.links.clear();
    }

    /// True if the links agree and every member waits or was woken. O(n).
    pub(crate) fn is_sound(&self) -> bool {
        let mut previous = NonNull::from(&self.ends);
        for waiter in self.iter() {
            if waiter.links.previous.get() != Some(previous) || !waiter.is_live() {
                return false;
            }
            previous = waiter.links_address();
        }
        self.is_empty() || self.ends.previous.get() == Some(previous)
    }
}

impl pirn_waiter {
    /// Leaves the list in which it is, if it is in one.
    #[inline]
    pub(crate) fn unlink(&self) {
        self.leave_ring();
        self.links.clear();
    }

    /// Links its neighbours. Its own links are left as they are, to be set at once.
    #[inline]
    pub(crate) fn leave_ring(&self) {
        let Some(next) = self.links.next.get() else {
            return;
        };
        let previous = self.links.previous.get();
        if previous == Some(next) {
            // Only the list itself is left in the ring.
            listed(next).clear();
        } else if let Some(previous) = previous {
            listed(previous).next.set(Some(next));
            listed(next).previous.set(Some(previous));
        }
    }
}
