//! Sorting what is due.
//!
//! While a bucket is being emptied its timers are a chain: linked by `next` alone, in any order,
//! until each is in a list again. How a chain is sorted depends on its length:
//!
//! - A short one is sorted by insertion.
//! - A medium one is first spread over bins on the stack by one more digit of the deadline. Each
//!   bin then has a few timers and is sorted by insertion.
//! - A longer one is spread over the buckets of the level below, and these are emptied in turn: a
//!   radix sort that needs no memory but the heads, as all levels below the first bucket are empty.
//! - A longer one whose timers all have the same deadline is mostly in the order of arming, or in
//!   the reverse order. What is not is sorted by merging.
//!
//! The due list is empty before each of these, and what they put there is sorted. The details of
//! each timer are fetched into the cache while the others are being sorted.

use super::buckets::{DIGIT_BITS, DUE, RADIX, cold_path, digit, pack, unpack};
use super::prefetch::prefetch;
use super::{TimerSlot, Timers};
use crate::slab::NONE;
use crate::time::Instant;

/// True if medium and long chains are spread before they are sorted, which is faster and takes more
/// code. A build for small machines, which have few timers, sorts all but short chains by merging.
pub(super) const SPREADS: bool = cfg!(not(host_only));

/// The most timers of a short chain.
pub(super) const SHORT: u32 = 8;

/// The most timers of a medium chain: a few for each bin.
pub(super) const MEDIUM: u32 = 8 * RADIX as u32;

impl Timers<'_> {
    /// How many timers are in a chain, up to one more than a medium one has.
    #[inline]
    pub(super) fn length(&self, chain: u32) -> u32 {
        let mut length = 0;
        let mut index = chain;
        while let Some(slot) = self.slab.get(index) {
            length += 1;
            if length > MEDIUM {
                break;
            }
            index = slot.next;
        }
        length
    }

    /// True if all timers of a chain have the same effective deadline.
    #[inline]
    pub(super) fn has_one_deadline(&self, chain: u32) -> bool {
        let deadline = self.slab.get(chain).map(TimerSlot::effective);
        let mut index = chain;
        while let Some(slot) = self.slab.get(index) {
            if Some(slot.effective()) != deadline {
                return false;
            }
            index = slot.next;
        }
        true
    }

    /// Spread a chain over the buckets of an empty level by the digit there: each timer in front of
    /// those before, as in [`prepend`](Self::prepend). What is after `last`, the end of their
    /// former bucket, was pushed forward and goes to a later bucket.
    #[inline(never)]
    pub(super) fn spread(&mut self, chain: u32, level: u32, last: Instant) {
        let Some((heads, digits)) = self.buckets.row(level) else {
            return;
        };
        let shift = level * DIGIT_BITS;
        let (mut used, mut pushed) = (0, NONE);
        let mut index = chain;
        while let Some(slot) = self.slab.get_mut(index) {
            let (next, effective) = (slot.next, slot.effective());
            if effective > last {
                cold_path();
                slot.next = core::mem::replace(&mut pushed, index);
            } else {
                let digit = digit(effective.0, shift);
                used |= 1 << digit;
                let first = unpack(core::mem::replace(&mut heads[digit], pack(index)));
                slot.next = first;
                slot.bucket = (level as usize * RADIX + digit) as u16;
                if let Some(first) = self.slab.get_mut(first) {
                    first.prev = index;
                }
            }
            index = next;
        }
        *digits = used;
        self.buckets.mark_level(level);
        while let Some(slot) = self.slab.get(pushed) {
            let (next, effective) = (slot.next, slot.effective());
            self.insert(pushed, effective);
            pushed = next;
        }
    }

    /// Put a short chain on the due list, except timers that are not due at `limit`.
    #[inline]
    pub(super) fn fire_short(&mut self, chain: u32, limit: Instant) {
        let mut due = NONE;
        let mut index = chain;
        while let Some(slot) = self.slab.get_mut(index) {
            let (next, effective, sequence) = (slot.next, slot.effective(), slot.sequence);
            if effective <= limit && sequence <= self.due_sequence {
                prefetch(&self.details, index);
                slot.next = core::mem::replace(&mut due, index);
            } else {
                self.insert(index, effective);
            }
            index = next;
        }
        let (first, _) = self.sort_few(due);
        self.set_due(first);
    }

    /// Put a medium chain on the due list, except timers that are not due at `limit`. `level` is
    /// the level below the one of the chain's bucket.
    #[inline(never)]
    pub(super) fn fire_medium(&mut self, chain: u32, level: u32, limit: Instant) {
        let mut bins = [NONE; RADIX];
        let mut used: u32 = 0;
        let mut index = chain;
        while let Some(slot) = self.slab.get_mut(index) {
            let (next, effective, sequence) = (slot.next, slot.effective(), slot.sequence);
            if effective <= limit && sequence <= self.due_sequence {
                prefetch(&self.details, index);
                let digit = digit(effective.0, level * DIGIT_BITS);
                slot.next = core::mem::replace(&mut bins[digit], index);
                used |= 1 << digit;
            } else {
                self.insert(index, effective);
            }
            index = next;
        }
        let (mut first, mut end) = (NONE, NONE);
        while used != 0 {
            let digit = used.trailing_zeros() as usize % RADIX;
            used &= used - 1;
            let (bin, bin_end) = self.sort_few(bins[digit]);
            first = self.join(first, end, bin);
            end = bin_end;
        }
        self.set_due(first);
    }

    /// Put a chain of any length on the due list, except timers that are not due at `limit`. As a
    /// rule they have one deadline and are in the reverse order of the armings, or in that order:
    /// each then comes in front of those before it, or behind them. The others are sorted and
    /// merged.
    #[inline(never)]
    pub(super) fn fire_long(&mut self, chain: u32, limit: Instant) {
        let (mut first, mut first_rank) = (NONE, u128::MAX);
        let (mut end, mut end_rank) = (NONE, 0);
        let mut unsorted = NONE;
        let mut index = chain;
        while let Some(slot) = self.slab.get_mut(index) {
            let (next, rank, sequence) = (slot.next, slot.rank(), slot.sequence);
            let effective = slot.effective();
            if effective > limit || sequence > self.due_sequence {
                self.insert(index, effective);
            } else if rank < first_rank {
                slot.next = first;
                (first, first_rank) = (index, rank);
                if end == NONE {
                    (end, end_rank) = (index, rank);
                }
            } else if rank > end_rank {
                slot.next = NONE;
                self.join(first, end, index);
                (end, end_rank) = (index, rank);
            } else {
                slot.next = core::mem::replace(&mut unsorted, index);
            }
            index = next;
        }
        if unsorted != NONE {
            let sorted = self.sort(unsorted);
            first = self.merge(first, sorted);
        }
        self.set_due(first);
    }

    /// Make a sorted chain the due list.
    #[inline]
    fn set_due(&mut self, first: u32) {
        self.buckets.set_head(DUE, first);
        let (mut prev, mut index) = (NONE, first);
        while let Some(slot) = self.slab.get_mut(index) {
            slot.prev = prev;
            slot.bucket = DUE as u16;
            (prev, index) = (index, slot.next);
        }
    }

    /// Sort a chain by insertion. Return the first timer and the last.
    #[inline(always)]
    fn sort_few(&mut self, chain: u32) -> (u32, u32) {
        match self.slab.get(chain) {
            None => (NONE, NONE),
            Some(slot) if slot.next == NONE => (chain, chain),
            Some(_) => self.sort_several(chain),
        }
    }

    #[inline(never)]
    fn sort_several(&mut self, chain: u32) -> (u32, u32) {
        let Some(slot) = self.slab.get_mut(chain) else {
            return (NONE, NONE);
        };
        let mut index = core::mem::replace(&mut slot.next, NONE);
        let (mut first, mut end, mut end_rank) = (chain, chain, slot.rank());
        while let Some(slot) = self.slab.get_mut(index) {
            let (following, rank) = (slot.next, slot.rank());
            if rank > end_rank {
                slot.next = NONE;
                self.set_next(end, index);
                (end, end_rank) = (index, rank);
            } else {
                let (mut prev, mut next) = (NONE, first);
                while let Some(slot) = self.slab.get(next) {
                    if slot.rank() >= rank {
                        break;
                    }
                    (prev, next) = (next, slot.next);
                }
                self.set_next(index, next);
                if prev == NONE {
                    first = index;
                } else {
                    self.set_next(prev, index);
                }
            }
            index = following;
        }
        (first, end)
    }

    #[inline]
    fn set_next(&mut self, index: u32, next: u32) {
        if let Some(slot) = self.slab.get_mut(index) {
            slot.next = next;
        }
    }

    /// Sort a chain: a merge sort from the bottom up. Each bin holds a sorted chain of twice as
    /// many timers as the one before, or none.
    fn sort(&mut self, chain: u32) -> u32 {
        let mut bins = [NONE; u32::BITS as usize];
        let mut index = chain;
        while let Some(slot) = self.slab.get_mut(index) {
            let mut carry = index;
            index = core::mem::replace(&mut slot.next, NONE);
            for bin in &mut bins {
                let other = core::mem::replace(bin, NONE);
                if other == NONE {
                    *bin = carry;
                    break;
                }
                carry = self.merge(other, carry);
            }
        }
        bins.into_iter()
            .fold(NONE, |sorted, bin| self.merge(bin, sorted))
    }

    /// Merge two sorted chains.
    fn merge(&mut self, mut one: u32, mut other: u32) -> u32 {
        let (mut first, mut end) = (NONE, NONE);
        loop {
            let smaller = match (self.slab.get(one), self.slab.get(other)) {
                (Some(left), Some(right)) if right.rank() < left.rank() => &mut other,
                (Some(_), Some(_)) => &mut one,
                // The rest of the longer one is in order already.
                (Some(_), None) => break self.join(first, end, one),
                _ => break self.join(first, end, other),
            };
            let index = *smaller;
            if let Some(slot) = self.slab.get(index) {
                *smaller = slot.next;
            }
            first = self.join(first, end, index);
            end = index;
        }
    }

    /// Append a chain to the one from `first` to `end`, which may be none. Return the first timer
    /// of the whole.
    #[inline]
    fn join(&mut self, first: u32, end: u32, rest: u32) -> u32 {
        match self.slab.get_mut(end) {
            Some(end) => {
                end.next = rest;
                first
            }
            None => rest,
        }
    }
}
