//! From the buckets to the due list, and from there to the callbacks.
//!
//! A dispatch does not gather everything that is due before the first callback. It puts the timers
//! of the first bucket that is due on the due list; when these have fired, those of the next one. A
//! million timers that are due at once are so brought into the cache a few at a time, and each
//! fires while it is there. `base` follows from bucket to bucket and reaches `now` at the end.
//!
//! Callbacks may arm, push and stop timers between two buckets. What is armed or pushed then has a
//! higher `sequence` than the dispatch began with. It is recognised by that, should its bucket come
//! up in the same dispatch, and waits for the next one in the bucket `PAST`.

use super::buckets::{DUE, PAST, last, level};
use super::sort::{MEDIUM, SHORT, SPREADS};
use super::{FIXED_DELAY, Fired, LAST, SKIP_MISSED, TimerSlot, Timers, UNKNOWN};
use crate::slab::NONE;
use crate::time::{Duration, Instant};

impl Timers<'_> {
    /// True if a timer is on the due list.
    #[inline]
    pub(super) fn has_due(&self) -> bool {
        self.slab.get(self.buckets.head(DUE)).is_some()
    }

    /// True if buckets may be left that the dispatch under way has to empty.
    #[inline]
    fn has_more(&self) -> bool {
        self.buckets.base() < self.now
    }

    /// Begin a dispatch: everything that is due at `now` belongs to it. Return the deadline of the
    /// first timer, which tells how far the loop lags, or `None` if nothing is due. If the clock
    /// has stepped back it is taken to stand still. Not before [`pop_due`](Self::pop_due) has
    /// returned `None` for the dispatch before.
    #[inline]
    pub(crate) fn collect(&mut self, now: Instant) -> Option<Instant> {
        if now < self.wake {
            return None;
        }
        self.expiry.and_then(|expiry| (expiry.collect)(self, now))
    }

    /// [`collect`](Self::collect), if the bound of the wait is reached or not known.
    pub(super) fn collect_due(&mut self, now: Instant) -> Option<Instant> {
        debug_assert!(!self.has_more() && !self.has_due());
        let before = self.now;
        self.now = now.max(before).min(LAST);
        self.due_sequence = self.sequence;
        // These are before everything in the other buckets, unless they were pushed forward.
        let past = self.buckets.take_all(PAST);
        if past != NONE {
            self.fire_long(past, before);
        }
        self.fill_due();
        let first = self.buckets.head(DUE);
        self.slab.get(first).map(TimerSlot::effective)
    }

    /// If the due list is empty, put the timers of the next bucket on it that has some due. If
    /// there is none the dispatch has nothing more.
    pub(super) fn fill_due(&mut self) {
        self.wake = UNKNOWN;
        while !self.has_due() {
            let bucket = self.buckets.after(PAST);
            let bucket = bucket.map(|bucket| (bucket, self.buckets.start(bucket)));
            let Some((bucket, start)) = bucket.filter(|(_, start)| *start <= self.now) else {
                self.buckets.set_base(self.now);
                return;
            };
            let chain = self.buckets.take_all(bucket);
            self.sort_bucket(chain, level(bucket), start, last(bucket, start));
        }
    }

    /// Put the timers of a former bucket that are due on the empty due list, and the others into
    /// later buckets; or spread a crowded bucket over finer ones.
    fn sort_bucket(&mut self, chain: u32, level: u32, start: Instant, last: Instant) {
        let length = self.length(chain);
        let has_one_deadline = length > SHORT && self.has_one_deadline(chain);
        if SPREADS && length > MEDIUM && level > 1 && !has_one_deadline {
            self.buckets.set_base(start);
            self.spread(chain, level - 1, last);
            return;
        }
        let limit = last.min(self.now);
        self.buckets.set_base(limit);
        if length <= SHORT {
            self.fire_short(chain, limit);
        } else if SPREADS && length <= MEDIUM && level > 0 && !has_one_deadline {
            self.fire_medium(chain, level - 1, limit);
        } else {
            self.fire_long(chain, limit);
        }
    }

    /// Take the next timer that is due: a one-shot is gone when this returns, a periodic one is
    /// armed for its next tick. `now` is the turn's time. A fixed delay counts from a fresh reading
    /// of `clock`, because the callbacks of this turn have taken time since `now`.
    #[inline(always)]
    pub(crate) fn pop_due(
        &mut self,
        now: Instant,
        clock: impl FnOnce() -> Instant,
    ) -> Option<Fired> {
        let mut index = self.buckets.head(DUE);
        if index == NONE && self.has_more() {
            (self.expiry?.fill_due)(self);
            index = self.buckets.head(DUE);
        }
        let slot = self.slab.get(index)?;
        let (flags, next) = (slot.flags, slot.next);
        let details = self.details.get(index as usize)?;
        let (callback, period) = (details.callback, details.period);
        let token = self.slab.token(index);
        self.buckets.set_head(DUE, next);
        let missed = if period == Duration::ZERO {
            self.count_out(flags);
            self.slab.remove(index);
            0
        } else {
            let is_fixed_delay = flags & FIXED_DELAY != 0;
            let now = if is_fixed_delay { clock() } else { now };
            (self.expiry?.rearm)(self, index, now.max(self.now))
        };
        Some(Fired {
            callback,
            token,
            missed,
        })
    }

    /// Arm a periodic timer that fires at `now` for its next tick. Return how many ticks are
    /// overdue besides this one.
    pub(super) fn rearm(&mut self, index: u32, now: Instant) -> u64 {
        let details = self.details.get(index as usize);
        let period = details.map_or(Duration::ZERO, |details| details.period);
        let Some(slot) = self.slab.get_mut(index) else {
            return 0;
        };
        let deadline = slot.deadline;
        let overdue = now - deadline;
        // No division for a timer that is on time.
        let ticks = if overdue < period {
            0
        } else {
            overdue.0.checked_div(period.0).unwrap_or(0)
        };
        let (next, missed) = if slot.flags & FIXED_DELAY != 0 {
            (now + period, 0)
        } else if slot.flags & SKIP_MISSED != 0 {
            // The product is at most `overdue`: it neither overflows nor passes `now`.
            let skipped = Duration(ticks.wrapping_mul(period.0));
            (deadline + skipped + period, ticks)
        } else {
            (deadline + period, ticks)
        };
        self.sequence += 1;
        slot.deadline = next;
        slot.sequence = self.sequence;
        let effective = slot.effective();
        self.insert(index, effective);
        missed
    }
}
