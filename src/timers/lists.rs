//! The lists: one for each bucket, and the due list.
//!
//! A list is doubly linked by the indices of the slots. A timer that is in use is in exactly one.

use super::buckets::{DUE, PAST, cold_path};
use super::expiry::EXPIRY;
use super::{Timers, UNKNOWN, UNREFERENCED};
use crate::slab::NONE;
use crate::time::Instant;

impl Timers<'_> {
    /// Put a timer that is in no list into its bucket, and lower the bound of the wait if needed.
    ///
    /// During a dispatch a timer for a time that has passed may land in a bucket that is still to
    /// be emptied. It does not fire from there in this dispatch: its `sequence` is too high.
    #[inline(never)]
    pub(super) fn insert(&mut self, index: u32, effective: Instant) {
        self.insert_into(index, effective, self.buckets.bucket_of(effective));
    }

    fn insert_into(&mut self, index: u32, effective: Instant, bucket: usize) {
        self.lower_wake(effective, index, bucket);
        let next = self.prepend(index, bucket);
        if let Some(slot) = self.slab.get_mut(index) {
            slot.next = next;
            slot.bucket = bucket as u16;
        }
    }

    /// Move a timer whose effective deadline has changed to its bucket, unless it may stay where it
    /// is.
    #[inline(never)]
    pub(super) fn refile_if_earlier(&mut self, index: u32) {
        let Some(slot) = self.slab.get(index) else {
            return;
        };
        let effective = slot.effective();
        // Not into a bucket that this dispatch will still empty: the arming may be older than it.
        let bucket = if effective <= self.now {
            PAST
        } else {
            self.buckets.bucket_of(effective)
        };
        // The number of the due list is higher than every bucket's.
        if bucket < usize::from(slot.bucket) {
            self.unlink(index);
            self.insert_into(index, effective, bucket);
        } else {
            let bucket = usize::from(slot.bucket);
            self.lower_wake(effective, index, bucket);
        }
    }

    /// Make a timer the first of a list, but for its own slot. Returns what its `next` is to be.
    /// The front is where that touches only one other slot.
    #[inline]
    pub(super) fn prepend(&mut self, index: u32, bucket: usize) -> u32 {
        let first = self.buckets.head(bucket);
        match self.slab.get_mut(first) {
            Some(first) => first.prev = index,
            None => {
                cold_path();
                self.buckets.mark_used(bucket);
            }
        }
        self.buckets.set_head(bucket, index);
        first
    }

    /// Take a timer out of its list.
    #[inline]
    pub(super) fn unlink(&mut self, index: u32) {
        let Some(slot) = self.slab.get(index) else {
            return;
        };
        let (next, prev, bucket) = (slot.next, slot.prev, usize::from(slot.bucket));
        if self.buckets.head(bucket) == index {
            self.buckets.set_head(bucket, next);
            if next == NONE {
                self.buckets.mark_empty(bucket);
                if bucket == usize::from(self.wake_bucket) {
                    self.wake = UNKNOWN;
                }
            }
            return;
        }
        if let Some(slot) = self.slab.get_mut(next) {
            slot.prev = prev;
        }
        if let Some(slot) = self.slab.get_mut(prev) {
            slot.next = next;
        }
    }

    /// Lower the bound of the wait to the effective deadline of a timer, if it is above that.
    #[inline]
    pub(super) fn lower_wake(&mut self, effective: Instant, timer: u32, bucket: usize) {
        if effective < self.wake {
            self.set_wake(effective, timer, bucket);
        }
    }

    /// Set the bound of the wait to that of a timer or of a bucket. This is the only way to a bound
    /// that can be reached, hence also the place that links the expiry code.
    #[inline]
    pub(super) fn set_wake(&mut self, wake: Instant, timer: u32, bucket: usize) {
        self.wake = wake;
        self.wake_timer = timer;
        self.wake_bucket = bucket as u16;
        self.expiry = Some(&EXPIRY);
    }

    /// True if every armed timer is in exactly one list and not after its deadline, the lists are
    /// linked correctly, the due list is in order, and the bitmaps, the counts and the bound of the
    /// wait are right. O(n). Any content of the slots is safe.
    pub(crate) fn is_sound(&self) -> bool {
        let mut listed = 0;
        let mut unreferenced = 0;
        for bucket in 0..=DUE {
            let first = self.buckets.head(bucket);
            let (mut index, mut prev, mut rank) = (first, NONE, 0);
            while let Some(slot) = self.slab.get(index) {
                let is_in_order = if bucket == DUE {
                    rank < slot.rank()
                } else {
                    bucket <= self.buckets.bucket_of(slot.effective())
                };
                let is_linked = index == first || slot.prev == prev;
                let is_live = self.slab.check(self.slab.token(index)).is_ok();
                listed += 1;
                if usize::from(slot.bucket) != bucket
                    || !(is_in_order && is_linked && is_live)
                    || listed > self.slab.capacity()
                {
                    return false;
                }
                unreferenced += u32::from(slot.flags & UNREFERENCED != 0);
                rank = slot.rank();
                prev = index;
                index = slot.next;
            }
            if index != NONE {
                return false;
            }
        }
        listed == self.slab.used()
            && unreferenced == self.unreferenced
            && self.slab.is_sound()
            && self.buckets.is_sound()
            && self.buckets.base() <= self.now
            && (self.has_due() || self.wake <= self.next_deadline().max(self.now))
    }
}
