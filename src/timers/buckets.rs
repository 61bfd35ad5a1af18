//! The buckets: which stretch of time each stands for, which of them hold timers, and where their
//! lists begin.
//!
//! A point in time is written as a number of base `RADIX`. A bucket is a level, the place of the
//! leading digit in which a deadline differs from `base`, and the value of that digit there: all
//! deadlines in it agree in every digit before. So the buckets, numbered level by level and digit
//! by digit, follow each other in time, and those of level 0 are one nanosecond long. Two bitmaps
//! find the first one that is not empty in a few instructions.
//!
//! No deadline but `base` itself would belong to digit 0 of level 0. That bucket, `PAST`, has what
//! was armed for `base` or a time before it.
//!
//! `base` can be moved forward to any point before the beginning of all buckets in use: the digits
//! that decided about the buckets are then still the leading ones.

use crate::slab::NONE;
use crate::time::Instant;

/// The bits of a digit. More bits mean fewer moves in a timer's life and more memory for heads,
/// which are in the loop's own block: 1.7 KiB with 5 bits, 2.8 KiB with 6 for one move less in a
/// timeout of a minute. A build with the host backend alone is for small machines: 2 bits, 0.5 KiB.
pub(super) const DIGIT_BITS: u32 = if cfg!(not(host_only)) { 5 } else { 2 };

/// The values of a digit.
pub(super) const RADIX: usize = 1 << DIGIT_BITS;

/// The digits of a point in time.
pub(super) const LEVELS: usize = u64::BITS.div_ceil(DIGIT_BITS) as usize;

/// The bucket of what was armed for `base` or a time before it.
pub(super) const PAST: usize = 0;

/// The due list: one more head after the buckets'. It is of no level, and so in no bitmap.
pub(super) const DUE: usize = LEVELS * RADIX;

/// A bit for each value of a digit.
#[cfg(not(host_only))]
pub(super) type Digits = u32;
#[cfg(host_only)]
pub(super) type Digits = u8;

/// A slot's index as a head keeps it. On small machines it has two bytes, because heads are most of
/// a loop's memory there.
#[cfg(any(not(host_only), target_pointer_width = "64"))]
pub(super) type Head = u32;
#[cfg(all(host_only, not(target_pointer_width = "64")))]
pub(super) type Head = u16;

/// How many timers the heads can tell apart; the last index stands for none.
#[allow(
    clippy::unnecessary_cast,
    reason = "a head is narrower on small machines"
)]
pub(crate) const MAX_TIMERS: u32 = Head::MAX as u32 - 1;

/// `NONE`, or an index below `MAX_TIMERS`, as a head.
#[inline]
pub(super) const fn pack(index: u32) -> Head {
    index as Head
}

/// The opposite of [`pack`].
#[inline]
#[allow(
    clippy::unnecessary_cast,
    reason = "a head is narrower on small machines"
)]
pub(super) const fn unpack(head: Head) -> u32 {
    if head == Head::MAX { NONE } else { head as u32 }
}

static_assertions::const_assert!(RADIX <= Digits::BITS as usize);
static_assertions::const_assert!(LEVELS <= u32::BITS as usize);
static_assertions::const_assert!(DUE <= u16::MAX as usize);

pub(super) struct Buckets {
    base: Instant,
    /// The levels that have a bucket in use.
    levels: u32,
    /// For each level, the digits whose bucket is in use.
    digits: [Digits; LEVELS],
    /// The first slot of each list, or `NONE`.
    heads: [Head; DUE + 1],
}

impl Buckets {
    pub(super) fn new(base: Instant) -> Buckets {
        Buckets {
            base,
            levels: 0,
            digits: [0; LEVELS],
            heads: [pack(NONE); DUE + 1],
        }
    }

    #[inline]
    pub(super) fn base(&self) -> Instant {
        self.base
    }

    /// Move `base` forward. No bucket in use but `PAST` may begin before or at the new one.
    #[inline]
    pub(super) fn set_base(&mut self, base: Instant) {
        debug_assert!(base >= self.base);
        debug_assert!(
            self.after(PAST)
                .is_none_or(|bucket| self.start(bucket) > base)
        );
        self.base = base;
    }

    /// The bucket for a deadline.
    #[inline]
    pub(super) fn bucket_of(&self, deadline: Instant) -> usize {
        if deadline <= self.base {
            cold_path();
            return PAST;
        }
        // In 64 bits, because that saves instructions.
        let bits = u64::from(DIGIT_BITS);
        let level = u64::from((deadline.0 ^ self.base.0).ilog2()) / bits;
        let digit = (deadline.0 >> (level * bits)) % RADIX as u64;
        (level * RADIX as u64 + digit) as usize
    }

    /// The first point in time of a bucket. Not after `base` for `PAST`, in which there may be
    /// earlier deadlines.
    #[inline]
    pub(super) fn start(&self, bucket: usize) -> Instant {
        let shift = level(bucket) * DIGIT_BITS;
        let before = u64::MAX.checked_shl(shift + DIGIT_BITS).unwrap_or(0);
        Instant(self.base.0 & before | ((bucket % RADIX) as u64) << shift)
    }

    /// The earliest bucket in use.
    #[inline]
    pub(super) fn first(&self) -> Option<usize> {
        let level = self.levels.trailing_zeros() as usize;
        let digits = self.digits.get(level)?;
        Some(level * RADIX + digits.trailing_zeros() as usize)
    }

    /// The earliest bucket in use after the given one.
    pub(super) fn after(&self, bucket: usize) -> Option<usize> {
        let (mut level, digit) = (bucket / RADIX, (bucket % RADIX) as u32);
        let mut digits = self.digits.get(level)? & Digits::MAX.checked_shl(digit + 1).unwrap_or(0);
        if digits == 0 {
            level = (self.levels & u32::MAX.checked_shl(level as u32 + 1).unwrap_or(0))
                .trailing_zeros() as usize;
            digits = *self.digits.get(level)?;
        }
        Some(level * RADIX + digits.trailing_zeros() as usize)
    }

    #[cfg(test)]
    fn is_empty(&self) -> bool {
        self.levels == 0
    }

    /// The first slot of a list, or `NONE`.
    #[inline]
    pub(super) fn head(&self, bucket: usize) -> u32 {
        self.heads.get(bucket).map_or(NONE, |head| unpack(*head))
    }

    /// Give a list another first slot.
    #[inline]
    pub(super) fn set_head(&mut self, bucket: usize, index: u32) {
        if let Some(head) = self.heads.get_mut(bucket) {
            *head = pack(index);
        }
    }

    /// Mark a bucket as used.
    #[inline]
    pub(super) fn mark_used(&mut self, bucket: usize) {
        if let Some(digits) = self.digits.get_mut(bucket / RADIX) {
            *digits |= 1 << (bucket % RADIX);
            self.levels |= 1 << level(bucket);
        }
    }

    /// Mark a bucket as empty.
    #[inline]
    pub(super) fn mark_empty(&mut self, bucket: usize) {
        if let Some(digits) = self.digits.get_mut(bucket / RADIX) {
            *digits &= !(1 << (bucket % RADIX));
            if *digits == 0 {
                self.levels &= !(1 << level(bucket));
            }
        }
    }

    /// Empty a bucket and return its first slot.
    #[inline]
    pub(super) fn take_all(&mut self, bucket: usize) -> u32 {
        let head = self.head(bucket);
        self.set_head(bucket, NONE);
        self.mark_empty(bucket);
        head
    }

    /// The heads and the bitmap of an empty level, to be filled; then call
    /// [`mark_level`](Self::mark_level).
    #[inline]
    pub(super) fn row(&mut self, level: u32) -> Option<(&mut [Head; RADIX], &mut Digits)> {
        let heads = self
            .heads
            .get_mut(level as usize * RADIX..)?
            .first_chunk_mut()?;
        Some((heads, self.digits.get_mut(level as usize)?))
    }

    /// Mark a level as used if its bitmap has a bucket.
    #[inline]
    pub(super) fn mark_level(&mut self, level: u32) {
        let is_used = self
            .digits
            .get(level as usize)
            .is_some_and(|digits| *digits != 0);
        self.levels |= u32::from(is_used) << level;
    }

    /// True if the bitmaps tell which lists are in use, and all buckets in use but `PAST` begin
    /// after `base`.
    pub(super) fn is_sound(&self) -> bool {
        self.digits.iter().enumerate().all(|(level, digits)| {
            let is_marked = self.levels >> level & 1 == 1;
            is_marked == (*digits != 0)
                && (0..RADIX).all(|digit| {
                    let bucket = level * RADIX + digit;
                    let is_used = self.head(bucket) != NONE;
                    is_used == (*digits >> digit & 1 == 1)
                        && (!is_used || bucket == PAST || self.start(bucket) > self.base)
                })
        })
    }
}

/// Tell the compiler that a branch is rarely taken.
#[cold]
#[inline(never)]
pub(super) fn cold_path() {}

/// The level of a bucket, counted from the last digit.
#[inline]
pub(super) fn level(bucket: usize) -> u32 {
    (bucket / RADIX) as u32
}

/// The last point in time of a bucket that begins at `start`.
#[inline]
pub(super) fn last(bucket: usize, start: Instant) -> Instant {
    Instant(start.0 | ((1 << (level(bucket) * DIGIT_BITS)) - 1))
}

/// The digit of a point in time that begins at the bit `shift`.
#[inline]
pub(super) fn digit(nanos: u64, shift: u32) -> usize {
    (nanos >> shift) as usize % RADIX
}

#[cfg(test)]
mod tests {
    use super::*;

    const POINTS: [u64; 9] = [0, 1, 31, 32, 1023, 1 << 35, 1 << 63, u64::MAX - 1, u64::MAX];

    #[test]
    fn every_deadline_after_base_is_inside_its_bucket() {
        for base in POINTS {
            let buckets = Buckets::new(Instant(base));
            for deadline in POINTS.into_iter().filter(|deadline| *deadline > base) {
                let deadline = Instant(deadline);
                let bucket = buckets.bucket_of(deadline);
                let start = buckets.start(bucket);
                assert!(
                    bucket < DUE && start <= deadline && deadline <= last(bucket, start),
                    "{base} {deadline:?}"
                );
            }
        }
    }

    #[test]
    fn buckets_are_numbered_in_the_order_of_time() {
        for base in POINTS {
            let buckets = Buckets::new(Instant(base));
            for pair in POINTS.windows(2) {
                assert!(buckets.bucket_of(Instant(pair[0])) <= buckets.bucket_of(Instant(pair[1])));
            }
        }
    }

    #[test]
    fn base_and_what_is_before_it_are_past_and_nothing_else() {
        for base in POINTS {
            let buckets = Buckets::new(Instant(base));
            for deadline in POINTS {
                let is_past = buckets.bucket_of(Instant(deadline)) == PAST;
                assert_eq!(is_past, deadline <= base);
            }
            assert!(buckets.start(PAST) <= Instant(base));
        }
    }

    #[test]
    fn the_first_bucket_is_found_and_forgotten() {
        let mut buckets = Buckets::new(Instant(5));
        assert_eq!(buckets.first(), None);
        let (near, far) = (
            buckets.bucket_of(Instant(6)),
            buckets.bucket_of(Instant(1 << 40)),
        );
        buckets.set_head(far, 0);
        buckets.mark_used(far);
        assert_eq!(buckets.first(), Some(far));
        buckets.set_head(near, 1);
        buckets.mark_used(near);
        assert_eq!(
            (buckets.first(), buckets.after(near)),
            (Some(near), Some(far))
        );
        assert!(buckets.is_sound());
        assert_eq!((buckets.take_all(near), buckets.take_all(far)), (1, 0));
        assert!(buckets.is_empty() && buckets.is_sound());
    }

    #[test]
    fn the_due_list_is_no_bucket() {
        let mut buckets = Buckets::new(Instant(0));
        buckets.set_head(DUE, 7);
        buckets.mark_used(DUE);
        assert_eq!((buckets.first(), buckets.head(DUE)), (None, 7));
        assert_eq!((buckets.take_all(DUE), buckets.head(DUE)), (7, NONE));
    }
}
