//! From the buckets to the due list.
//!
//! While a bucket is being emptied its timers are a chain: linked by `next` alone, in any order, until each is on a list
//! again. A short chain is sorted by insertion, a long one is spread over the buckets of the level below, and these are
//! emptied in turn: a radix sort that needs no memory but the heads, as all levels below the first bucket are empty.

use super::buckets::{DIGIT_BITS, DUE, RADIX, digit, last, level, pack, unpack};
use super::{TimerSlot, Timers, UNKNOWN};
use crate::slab::NONE;
use crate::time::Nanos;

/// A chain of up to this many timers is sorted by insertion. A longer one is spread over the level below first: that costs
/// each of them about as much as one insertion among this many.
const FEW: u32 = 8;

/// The end of the due list while timers are put behind it, one after the other: neither its own link nor what the head knows
/// about it is right until [`close_due`](Timers::close_due).
#[derive(Clone, Copy)]
struct End {
    index: u32,
    rank: u128,
}

/// Keeps the compiler from computing both sides of a branch that is hardly ever taken.
#[cold]
#[inline(never)]
fn cold_path() {}

impl Timers<'_> {
    /// [`collect`](Timers::collect), when the bound of the wait is reached or not known. Each round empties the first bucket:
    /// its timers go to the due list or to later buckets, until the first one begins after `now`.
    #[inline(never)]
    pub(super) fn collect_buckets(&mut self, now: Nanos) {
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

    /// Puts what is due at `limit` of a bucket's former content on the due list; the chain of what is later.
    fn drain(&mut self, mut bucket: usize, mut chain: u32, limit: Nanos) -> u32 {
        let below = level(bucket) as usize * RADIX;
        let mut later = NONE;
        let mut end = self.end_of_due();
        loop {
            let level = level(bucket);
            // All of level 0 is one instant, and the past: there is nothing to spread, and the past needs care.
            if level > 0 && self.is_few(chain) {
                end = self.append_few(chain, limit, end, &mut later);
            } else if level == 0 || self.is_alike(chain) {
                self.append_many(chain, limit, &mut end, &mut later);
            } else {
                self.spread(chain, level - 1, limit, &mut later);
            }
            match self.buckets.first() {
                Some(first) if first < below => bucket = first,
                _ => break,
            }
            chain = self.buckets.take(bucket);
        }
        self.close_due(end);
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

    /// Spreads a chain over the buckets of an empty level by the digit there: each in front of those before, as that touches
    /// no other slot.
    #[inline(never)]
    fn spread(&mut self, chain: u32, level: u32, limit: Nanos, later: &mut u32) {
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
                let digit = digit(effective, shift);
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
            self.link(index, self.buckets.place(effective));
            index = next;
        }
    }

    /// Puts a chain of few on the due list, except what is after `limit`. Each is later than what was on the list before, so
    /// that the search for its place, from the end, stops among themselves.
    #[inline]
    fn append_few(&mut self, chain: u32, limit: Nanos, mut end: End, later: &mut u32) -> End {
        let mut index = chain;
        while let Some(slot) = self.slab.get_mut(index) {
            let (next, rank) = (slot.next, slot.rank());
            if slot.effective() > limit {
                slot.next = core::mem::replace(later, index);
            } else if rank > end.rank {
                slot.prev = end.index;
                slot.bucket = DUE as u16;
                self.push_due(index, rank, &mut end);
            } else {
                self.insert_due(index, rank, end.index);
            }
            index = next;
        }
        end
    }

    /// Puts a chain of any length and age on the due list, except what is after `limit`. As a rule they have one deadline and
    /// stand in the order of the armings or the reverse of it: that takes linear time. Otherwise those out of order are sorted.
    #[inline(never)]
    fn append_many(&mut self, chain: u32, limit: Nanos, end: &mut End, later: &mut u32) {
        let end_before = end.index;
        let (mut unsorted, mut unsorted_rank, mut is_sorted) = (NONE, u128::MAX, true);
        let mut index = chain;
        while let Some(slot) = self.slab.get_mut(index) {
            let (next, rank) = (slot.next, slot.rank());
            if slot.effective() > limit {
                slot.next = core::mem::replace(later, index);
            } else if rank > end.rank {
                slot.prev = end.index;
                slot.bucket = DUE as u16;
                self.push_due(index, rank, end);
            } else {
                slot.next = unsorted;
                is_sorted &= rank < unsorted_rank;
                (unsorted, unsorted_rank) = (index, rank);
            }
            index = next;
        }
        self.close_due(*end);
        if !is_sorted {
            unsorted = self.sort(unsorted);
        }
        self.merge_due(unsorted, end_before);
    }

    /// The end of the due list.
    #[inline]
    fn end_of_due(&self) -> End {
        let index = self.end(DUE);
        End { index, rank: self.slab.get(index).map_or(0, TimerSlot::rank) }
    }

    /// Puts a timer behind the end of the due list, whose predecessor it calls it already.
    #[inline]
    fn push_due(&mut self, index: u32, rank: u128, end: &mut End) {
        match self.slab.get_mut(end.index) {
            Some(end) => end.next = index,
            None => self.buckets.set_head(DUE, index),
        }
        *end = End { index, rank };
    }

    /// Makes the list end at its end again.
    #[inline]
    fn close_due(&mut self, end: End) {
        if let Some(slot) = self.slab.get_mut(end.index) {
            slot.next = NONE;
        }
        if let Some(head) = self.slab.get_mut(self.buckets.head(DUE)) {
            head.prev = end.index;
        }
    }

    /// Inserts a timer into the due list, somewhere in front of `end`, which is of a higher rank.
    #[inline]
    fn insert_due(&mut self, index: u32, rank: u128, end: u32) {
        let head = self.buckets.head(DUE);
        let mut next = end;
        let prev = loop {
            let prev = self.slab.get(next).map_or(NONE, |next| next.prev);
            if next == head || prev == NONE {
                self.buckets.set_head(DUE, index);
                break NONE;
            }
            if self.slab.get(prev).is_none_or(|prev| prev.rank() < rank) {
                break prev;
            }
            next = prev;
        };
        if let Some(slot) = self.slab.get_mut(prev) {
            slot.next = index;
        }
        if let Some(slot) = self.slab.get_mut(next) {
            slot.prev = index;
        }
        if let Some(slot) = self.slab.get_mut(index) {
            slot.next = next;
            slot.prev = prev;
            slot.bucket = DUE as u16;
        }
    }

    /// Merges a sorted chain into the due list. `end` was the end of that list before this bucket's timers were added.
    fn merge_due(&mut self, chain: u32, end: u32) {
        let Some(first) = self.slab.get(chain) else {
            return;
        };
        // What is on the due list from earlier turns can only be later than a deadline that had passed when it was set.
        let mut after = if self.slab.get(end).is_some_and(|end| end.rank() < first.rank()) { end } else { NONE };
        let mut index = chain;
        while let Some(slot) = self.slab.get(index) {
            let (following, rank) = (slot.next, slot.rank());
            loop {
                let next = self.slab.get(after).map_or(self.buckets.head(DUE), |after| after.next);
                if self.slab.get(next).is_none_or(|next| rank < next.rank()) {
                    break;
                }
                after = next;
            }
            self.insert_behind(index, after);
            after = index;
            index = following;
        }
    }

    /// Inserts a timer into the due list: not at its end; behind another one, or in front if that is `NONE`.
    fn insert_behind(&mut self, index: u32, after: u32) {
        let head = self.buckets.head(DUE);
        let next = match self.slab.get_mut(after) {
            Some(slot) => core::mem::replace(&mut slot.next, index),
            None => {
                self.buckets.set_head(DUE, index);
                head
            }
        };
        // In front of the head stands the end, as the head's predecessor.
        let prev = self.slab.get_mut(next).map_or(index, |slot| core::mem::replace(&mut slot.prev, index));
        if let Some(slot) = self.slab.get_mut(index) {
            slot.next = next;
            slot.prev = prev;
            slot.bucket = DUE as u16;
        }
    }

    /// Sorts a chain, linked by `next` up to a `NONE`: a merge sort from the bottom up. Each bin holds a sorted chain of twice
    /// as many timers as the one before, or none.
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
        bins.into_iter().fold(NONE, |sorted, bin| self.merge(bin, sorted))
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
