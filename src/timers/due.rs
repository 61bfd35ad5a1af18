//! From the buckets to the due list.
//!
//! While a bucket is being emptied its timers are a chain: linked by `next` alone, in any order,
//! until each is on a list again. A short chain is sorted by insertion, a long one is spread over
//! the buckets of the level below, and these are emptied in turn: a radix sort that needs no memory
//! but the heads, as all levels below the first bucket are empty.

use super::buckets::{DIGIT_BITS, DUE, RADIX, digit, last, level, pack, unpack};
use super::{TimerSlot, Timers, UNKNOWN};
use crate::slab::NONE;
use crate::time::Instant;

/// A chain of up to this many timers is sorted by insertion. A longer one is spread over the level
/// below first: that costs each of them about as much as one insertion among this many.
const FEW: u32 = 8;

/// Keeps the compiler from computing both sides of a branch that is hardly ever taken.
#[cold]
#[inline(never)]
fn cold_path() {}

impl Timers<'_> {
    /// [`collect`](Timers::collect), when the bound of the wait is reached or not known. Each round
    /// empties the first bucket: its timers go to the due list or to later buckets, until the first
    /// one begins after `now`.
    pub(super) fn collect_buckets(&mut self, now: Instant) {
        self.wake = UNKNOWN;
        while let Some(bucket) = self.buckets.first() {
            let start = self.buckets.start(bucket);
            if start > now {
                break;
            }
            let limit = now.min(last(bucket, start));
            let chain = self.buckets.take(bucket);
            self.buckets.set_base(limit);
            let later = self.drain(bucket, chain, limit);
            self.refile(later);
        }
        self.buckets.set_base(now);
    }

    /// Puts what is due at `limit` of a bucket's former content on the due list; the chain of what
    /// is later.
    fn drain(&mut self, mut bucket: usize, mut chain: u32, limit: Instant) -> u32 {
        let below = level(bucket) as usize * RADIX;
        let mut later = NONE;
        loop {
            let level = level(bucket);
            // All of level 0 is one instant, and the past: there is nothing to spread, and the past
            // needs care.
            if level > 0 && self.is_few(chain) {
                self.append_few(chain, limit, &mut later);
            } else if level == 0 || self.is_alike(chain) {
                self.append_many(chain, limit, &mut later);
            } else {
                self.spread(chain, level - 1, limit, &mut later);
            }
            match self.buckets.first() {
                Some(first) if first < below => bucket = first,
                _ => break,
            }
            chain = self.buckets.take(bucket);
        }
        later
    }

    /// Whether a chain is short.
    #[inline]
    fn is_few(&self, chain: u32) -> bool {
        let mut index = chain;
        for _ in 0..FEW {
            let Some(slot) = self.slab.get(index) else {
                return true;
            };
            index = slot.next;
        }
        index == NONE
    }

    /// Whether all timers of a chain have the same effective deadline.
    #[inline]
    fn is_alike(&self, chain: u32) -> bool {
        let mut index = chain;
        let mut alike = None;
        while let Some(slot) = self.slab.get(index) {
            if *alike.get_or_insert(slot.effective()) != slot.effective() {
                return false;
            }
            index = slot.next;
        }
        true
    }

    /// Spreads a chain over the buckets of an empty level by the digit there: each in front of
    /// those before, as that touches no other slot.
    #[inline(never)]
    fn spread(&mut self, chain: u32, level: u32, limit: Instant, later: &mut u32) {
        let Some((heads, digits)) = self.buckets.row(level) else {
            return;
        };
        let shift = level * DIGIT_BITS;
        let mut used = 0;
        let mut index = chain;
        while let Some(slot) = self.slab.get_mut(index) {
            let (next, effective) = (slot.next, slot.effective());
            if effective > limit {
                cold_path();
                slot.next = core::mem::replace(later, index);
            } else {
                let digit = digit(effective.0, shift);
                used |= 1 << digit;
                slot.next = unpack(core::mem::replace(&mut heads[digit], pack(index)));
            }
            index = next;
        }
        *digits = used;
        self.buckets.mark(level);
    }

    /// Files every timer of a chain in the bucket it now belongs to.
    #[inline]
    fn refile(&mut self, chain: u32) {
        let mut index = chain;
        while let Some(slot) = self.slab.get(index) {
            let (next, effective) = (slot.next, slot.effective());
            self.file_anew(index, effective);
            index = next;
        }
    }

    /// Puts a chain of few on the due list, except what is after `limit`. Each is later than what
    /// was on the list before, so that the search for its place begins behind that. It is a short
    /// one: as a rule what was armed last fires last, and stands first in its bucket.
    #[inline]
    fn append_few(&mut self, chain: u32, limit: Instant, later: &mut u32) {
        let before = self.end_of_due();
        let mut first = NONE;
        let mut index = chain;
        while let Some(slot) = self.slab.get_mut(index) {
            let (following, rank) = (slot.next, slot.rank());
            if slot.effective() > limit {
                slot.next = core::mem::replace(later, index);
            } else {
                let (mut prev, mut next) = (before, first);
                while let Some(slot) = self.slab.get(next) {
                    if slot.rank() >= rank {
                        break;
                    }
                    (prev, next) = (next, slot.next);
                }
                if next == first {
                    first = index;
                }
                self.insert_due(index, prev, next);
            }
            index = following;
        }
    }

    /// Puts a chain of any length and age on the due list, except what is after `limit`. As a rule
    /// they have one deadline and stand in the reverse order of the armings, or in that order: each
    /// then comes in front of those before it, or behind them. The others are sorted and merged.
    #[inline(never)]
    fn append_many(&mut self, chain: u32, limit: Instant, later: &mut u32) {
        let before = self.end_of_due();
        let before_rank = self.slab.get(before).map_or(0, TimerSlot::rank);
        let (mut first, mut first_rank) = (NONE, 0);
        let (mut end, mut end_rank) = (before, before_rank);
        let mut unsorted = NONE;
        let mut index = chain;
        while let Some(slot) = self.slab.get_mut(index) {
            let (next, rank) = (slot.next, slot.rank());
            if slot.effective() > limit {
                slot.next = core::mem::replace(later, index);
            } else if rank > end_rank {
                self.insert_due(index, end, NONE);
                if first == NONE {
                    (first, first_rank) = (index, rank);
                }
                (end, end_rank) = (index, rank);
            } else if before_rank < rank && rank < first_rank {
                self.insert_due(index, before, first);
                (first, first_rank) = (index, rank);
            } else {
                slot.next = core::mem::replace(&mut unsorted, index);
            }
            index = next;
        }
        if unsorted != NONE {
            self.merge_due(unsorted, before);
        }
    }

    /// The last timer of the due list, or `NONE`.
    #[inline]
    fn end_of_due(&self) -> u32 {
        if self.has_due() { self.due_end } else { NONE }
    }

    /// Inserts a timer into the due list between two that follow each other there; in front if
    /// `prev` is none, at the end if `next` is.
    #[inline]
    fn insert_due(&mut self, index: u32, prev: u32, next: u32) {
        match self.slab.get_mut(prev) {
            Some(prev) => prev.next = index,
            None => self.buckets.set_head(DUE, index),
        }
        match self.slab.get_mut(next) {
            Some(next) => next.prev = index,
            None => self.due_end = index,
        }
        if let Some(slot) = self.slab.get_mut(index) {
            slot.next = next;
            slot.prev = prev;
            slot.bucket = DUE as u16;
        }
    }

    /// Sorts a chain and merges it into the due list. `before` was the end of that list before this
    /// bucket's timers were added.
    #[cold]
    fn merge_due(&mut self, chain: u32, before: u32) {
        let sorted = self.sort(chain);
        let rank = |index| self.slab.get(index).map_or(0, TimerSlot::rank);
        // What is on the due list from earlier turns can only be later than a deadline that had
        // passed when it was set.
        let mut prev = if rank(before) < rank(sorted) {
            before
        } else {
            NONE
        };
        let rest = self
            .slab
            .get(prev)
            .map_or(self.buckets.head(DUE), |prev| prev.next);
        let mut index = self.merge(rest, sorted);
        match self.slab.get_mut(prev) {
            Some(prev) => prev.next = index,
            None => self.buckets.set_head(DUE, index),
        }
        while let Some(slot) = self.slab.get_mut(index) {
            slot.prev = prev;
            slot.bucket = DUE as u16;
            (prev, index) = (index, slot.next);
        }
        self.due_end = prev;
    }

    /// Sorts a chain, linked by `next` up to a `NONE`: a merge sort from the bottom up. Each bin
    /// holds a sorted chain of twice as many timers as the one before, or none.
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

    /// Merges two sorted chains.
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

    /// Appends a chain to one from `first` to `end`, which may be none; where the whole begins.
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
