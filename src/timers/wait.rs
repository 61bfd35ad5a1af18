//! How long the loop may sleep.

use super::buckets::{DUE, PAST, last};
use super::{TimerSlot, Timers, UNKNOWN};
use crate::slab::NONE;
use crate::time::Instant;

/// How many timers of a bucket are looked at to make the bound of a wait exact. In a fuller bucket
/// the bound is the bucket's beginning: that may cost one wake-up for all of its timers.
pub(super) const LOOKED_AT: u32 = 16;

impl Timers<'_> {
    /// The point until which the loop may sleep: never after the earliest effective deadline,
    /// `NEVER` without timers. It is in the past only if something is due: after `collect(now)` it
    /// is later than `now`, as long as nothing is armed for the past.
    #[inline]
    pub(crate) fn next_wake(&mut self) -> Instant {
        match self.slab.get(self.buckets.head(DUE)) {
            Some(first) => first.effective(),
            None if self.wake != UNKNOWN => self.wake,
            None => self
                .expiry
                .map_or(Instant::NEVER, |expiry| (expiry.find_wake)(self)),
        }
    }

    /// Find the bound of the wait in the first bucket. Timers of it that were pushed forward move
    /// to a later bucket; of the others [`LOOKED_AT`] are looked at.
    pub(super) fn find_wake(&mut self) -> Instant {
        while let Some(bucket) = self.buckets.first() {
            let start = self.buckets.start(bucket);
            let last = if bucket == PAST {
                self.now
            } else {
                last(bucket, start)
            };
            let (mut earliest, mut earliest_timer) = (Instant::NEVER, NONE);
            let mut stayed = 0;
            let mut index = self.buckets.head(bucket);
            while let Some(slot) = self.slab.get(index) {
                let (next, effective) = (slot.next, slot.effective());
                if effective > last {
                    self.unlink(index);
                    self.insert(index, effective);
                } else {
                    if effective <= earliest {
                        (earliest, earliest_timer) = (effective, index);
                    }
                    stayed += 1;
                }
                index = next;
                if stayed == LOOKED_AT && index != NONE {
                    (earliest, earliest_timer) = (start, NONE);
                    break;
                }
            }
            if stayed > 0 {
                self.set_wake(earliest, earliest_timer, bucket);
                return earliest;
            }
        }
        self.wake = Instant::NEVER;
        Instant::NEVER
    }

    /// The earliest effective deadline, exactly; `NEVER` without timers. Looks at every timer of
    /// the first bucket, and at further buckets only if all of these were pushed forward.
    pub(crate) fn next_deadline(&self) -> Instant {
        let first_due = self.slab.get(self.buckets.head(DUE));
        let mut earliest = first_due.map_or(Instant::NEVER, TimerSlot::effective);
        let mut bucket = self.buckets.first();
        while let Some(current) = bucket {
            if current != PAST && self.buckets.start(current) > earliest {
                break;
            }
            let mut index = self.buckets.head(current);
            while let Some(slot) = self.slab.get(index) {
                earliest = earliest.min(slot.effective());
                index = slot.next;
            }
            bucket = self.buckets.after(current);
        }
        earliest
    }
}
