//! The timers: a priority queue in which most entries never reach the front.
//!
//! A loop's timers are mostly timeouts: armed, pushed forward with every byte that arrives, stopped
//! in the end. Few fire. A heap keeps all of them in order all the time, and pays for that order
//! with every push: most dearly when each timer in turn is pushed to the very back, as idle
//! timeouts are. A plain timing wheel keeps no order, but its spokes are one tick apart: it fires
//! too early or too late by up to a tick, forgets the order within one, and must look at spoke
//! after spoke to learn how long the loop may sleep.
//!
//! Here order is made late and only where it is needed. Deadlines are exact; they are sorted into
//! buckets by the leading digit in which they differ from a `base` that follows the clock (see
//! [`buckets`]): coarse buckets for the far future, ever finer ones nearby. When a bucket's time
//! comes, a timer in it either fires or moves to a finer bucket, and for each move there is one
//! digit less to come. Arming is a few instructions and stopping too, because each bucket's list is
//! doubly linked. No bucket between is ever looked at, for bitmaps tell which ones are in use.
//!
//! Three rules make it lazy:
//!
//! - A timer's place is never after its deadline, but it may be before. Pushing a deadline
//!   forward writes the new one down and leaves the timer where it stands; it moves when its old
//!   place comes up.
//! - The bound for the next wait is kept until something may have made it wrong. It may be early,
//!   never late; and each wake-up for nothing leaves the timers in finer buckets, so that it cannot
//!   be repeated.
//! - A bucket is put in order when it has become due and holds few timers. If it is crowded it is
//!   first spread over the finer buckets of the next level: a radix sort that only ever sees the
//!   part that is due.
//!
//! What is due is on one more list, in the order in which it is to fire. Only
//! [`collect`](Timers::collect) puts timers there, so that one armed during a dispatch waits for
//! the next, whatever its deadline.

mod buckets;
mod due;
mod slot;
#[cfg(test)]
mod tests;

pub(crate) use self::buckets::MAX_TIMERS;
use self::buckets::{Buckets, DUE, last};
pub(crate) use self::slot::TimerSlot;
use crate::callback::Callback;
use crate::error::Result;
use crate::slab::{NONE, Slab};
use crate::time::{Duration, Instant};
use crate::token::Token;

/// Flags of a timer. Of the first two at most one: what a periodic timer does about ticks that were
/// due before it could fire for them. Without either each of them is fired for, one in a turn.
pub(crate) const FIXED_DELAY: u8 = 1;
/// See [`FIXED_DELAY`], which counts the next period from when it fires. This one drops the ticks
/// that were missed.
pub(crate) const SKIP_MISSED: u8 = 2;
/// The timer does not keep the loop running.
pub(crate) const UNREFERENCED: u8 = 4;

/// How many timers are looked at to make the bound for a wait exact. Beyond it the beginning of the
/// bucket will do: the wake-up it may cost is one for more than this many timers.
const LOOKED_AT: u32 = 16;

/// The bound of a wait that is not known. As no deadline is before it, arming a timer need not ask
/// whether it is.
const UNKNOWN: Instant = Instant(0);

/// The latest point that the clock can reach.
const LAST: Instant = Instant(Instant::NEVER.0 - 1);

/// What is to be called, once, and by which timer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Fired {
    pub(crate) callback: Callback,
    /// Stale already if the timer was a one-shot.
    pub(crate) token: Token,
    /// The ticks of a periodic timer that are overdue beside this one.
    pub(crate) missed: u64,
}

pub(crate) struct Timers<'a> {
    slab: Slab<'a, TimerSlot>,
    buckets: Buckets,
    /// The last timer of the due list, if there is one.
    due_end: u32,
    /// Not after the earliest effective deadline in the buckets, unless both have passed; or
    /// `UNKNOWN`.
    wake: Instant,
    /// The timer that `wake` is for, or was; `NONE` if it is for a whole bucket.
    wake_timer: u32,
    /// The bucket in which it stands, or stood.
    wake_bucket: u16,
    /// The time of the last collect, to which a clock that steps back is held.
    now: Instant,
    /// The armings so far.
    sequence: u64,
    /// The timers that do not keep the loop running: few, so that there is hardly ever anything to
    /// count.
    unreferenced: u32,
    /// `None` until there was a timer that can fire. Until then the bound of the wait is `NEVER`
    /// and nothing is due.
    late: Option<&'static Late>,
}

/// What is done when the time of a timer comes, reached by address: the first timer that can fire
/// leaves it in the queue. So the linker leaves all of it out of a program that starts no timer: a
/// seventh of a small one.
struct Late {
    collect: fn(&mut Timers<'_>, Instant) -> Option<Instant>,
    find_wake: fn(&mut Timers<'_>) -> Instant,
    rearm: fn(&mut Timers<'_>, u32, Instant) -> u64,
}

static LATE: Late = Late {
    collect: |timers, now| timers.collect_due(now),
    find_wake: |timers| timers.find_wake(),
    rearm: |timers, index, now| timers.rearm(index, now),
};

impl<'a> Timers<'a> {
    /// An empty queue with room for `slots.len()` timers.
    pub(crate) fn new(slots: &'a mut [TimerSlot], seed: u32, now: Instant) -> Self {
        // `NEVER` is never reached.
        let now = now.min(LAST);
        Timers {
            slab: Slab::new(slots, seed),
            buckets: Buckets::new(now),
            due_end: NONE,
            wake: Instant::NEVER,
            wake_timer: NONE,
            wake_bucket: DUE as u16,
            now,
            sequence: 0,
            unreferenced: 0,
            late: None,
        }
    }

    /// True if every timer has a place in a table of `count`.
    pub(crate) fn fits(&self, count: usize) -> bool {
        self.slab.fits(count)
    }

    /// Moves all timers into `slots`, where they [fit](Self::fits).
    pub(crate) fn move_to(&mut self, slots: &'a mut [TimerSlot]) {
        self.slab.move_to(slots);
    }

    // ---- Arming, changing, stopping ----

    /// Arms a new timer without flags, or `ENOSPC`. `period` 0 is a one-shot; a deadline of
    /// `NEVER` is armed and never reached.
    #[inline]
    pub(crate) fn start(
        &mut self,
        deadline: Instant,
        period: Duration,
        callback: Callback,
    ) -> Result<Token> {
        let mut token = Token::default();
        self.start_and_tell(deadline, period, callback, |started| token = started)?;
        Ok(token)
    }

    /// As [`start`](Self::start), the handle told as soon as it is known: it need not be kept then
    /// while the timer is filed.
    #[inline]
    pub(crate) fn start_and_tell(
        &mut self,
        deadline: Instant,
        period: Duration,
        callback: Callback,
        tell: impl FnOnce(Token),
    ) -> Result<()> {
        let index = self.slab.insert()?;
        tell(self.slab.token(index));
        self.sequence += 1;
        if let Some(slot) = self.slab.get_mut(index) {
            slot.callback = callback;
            slot.deadline = deadline;
            slot.period = period;
            slot.sequence = self.sequence;
            slot.slack = 0;
            slot.flags = 0;
        }
        self.file(index, deadline);
        Ok(())
    }

    /// Gives a timer that was just armed its flags.
    pub(crate) fn set_flags(&mut self, token: Token, flags: u8) -> Result<()> {
        self.slab.check_mut(token)?.flags = flags;
        self.unreferenced += u32::from(flags & UNREFERENCED != 0);
        Ok(())
    }

    /// Gives a timer a deadline that is not before the one it has, if it is not due yet; whether
    /// that was so. It counts as armed now: among equal deadlines it is the last.
    ///
    /// Costs next to nothing, for the timer stays where it stands, and no bound changes.
    #[inline]
    pub(crate) fn push(&mut self, token: Token, deadline: Instant) -> bool {
        let Ok(slot) = self.slab.check_mut(token) else {
            return false;
        };
        if deadline < slot.deadline || slot.bucket == DUE as u16 {
            return false;
        }
        self.sequence += 1;
        slot.sequence = self.sequence;
        slot.deadline = deadline;
        true
    }

    /// Gives a timer any other deadline. As [`push`](Self::push), but whatever the deadline.
    pub(crate) fn again(&mut self, token: Token, deadline: Instant) -> Result<()> {
        let slot = self.slab.check_mut(token)?;
        self.sequence += 1;
        slot.sequence = self.sequence;
        slot.deadline = deadline;
        self.settle(token.slot);
        Ok(())
    }

    /// Gives a live timer all that [`start`](Self::start) and [`set_flags`](Self::set_flags) give a
    /// new one. As [`again`](Self::again), but not only the deadline.
    pub(crate) fn set(
        &mut self,
        token: Token,
        deadline: Instant,
        period: Duration,
        flags: u8,
        callback: Callback,
    ) -> Result<()> {
        let slot = self.slab.check_mut(token)?;
        let before = core::mem::replace(&mut slot.flags, flags);
        (slot.callback, slot.period, slot.slack) = (callback, period, 0);
        self.count_out(before);
        self.unreferenced += u32::from(flags & UNREFERENCED != 0);
        self.again(token, deadline)
    }

    /// Stops a timer: its handle is stale, its slot free. `ENOENT` for one that has fired or was
    /// stopped before.
    #[inline]
    pub(crate) fn stop(&mut self, token: Token) -> Result<()> {
        let flags = self.slab.check(token)?.flags;
        // To ask for the bucket would be to guess each time: many have theirs in common with the
        // first.
        if token.slot == self.wake_timer {
            self.wake = UNKNOWN;
        }
        self.count_out(flags);
        self.unlink(token.slot);
        self.slab.remove(token.slot);
        Ok(())
    }

    /// The point in time from which a timer may fire.
    pub(crate) fn deadline(&self, token: Token) -> Result<Instant> {
        Ok(self.slab.check(token)?.effective())
    }

    /// What a timer is.
    pub(crate) fn get(&self, token: Token) -> Result<&TimerSlot> {
        self.slab.check(token)
    }

    /// The first timer in use whose slot is `index` or behind it.
    pub(crate) fn in_use_from(&self, index: u32) -> Option<Token> {
        self.slab.in_use_from(index)
    }

    /// Gives a timer another callback and user data.
    pub(crate) fn set_callback(&mut self, token: Token, callback: Callback) -> Result<()> {
        self.slab.check_mut(token)?.callback = callback;
        Ok(())
    }

    /// Lets a timer be late by less than `slack_ns`, so that it can fire together with others: its
    /// effective deadline is the next multiple of the greatest power of two within the slack. 0 is
    /// exact. Its place in the order of arming stays.
    pub(crate) fn set_slack(&mut self, token: Token, slack_ns: Duration) -> Result<()> {
        let slot = self.slab.check_mut(token)?;
        let before = slot.effective();
        slot.slack = slack_ns.0.checked_ilog2().unwrap_or(0) as u8;
        if slot.effective() != before {
            if slot.bucket == self.wake_bucket {
                self.wake = UNKNOWN;
            }
            self.settle(token.slot);
        }
        Ok(())
    }

    /// Says whether a timer keeps the loop running; whether that is a change.
    pub(crate) fn set_ref(&mut self, token: Token, is_referenced: bool) -> Result<bool> {
        let slot = self.slab.check_mut(token)?;
        let was_referenced = slot.flags & UNREFERENCED == 0;
        if is_referenced != was_referenced {
            slot.flags ^= UNREFERENCED;
            if is_referenced {
                self.unreferenced -= 1;
            } else {
                self.unreferenced += 1;
            }
        }
        Ok(is_referenced != was_referenced)
    }

    // ---- Waiting ----

    /// Until when the loop may sleep: never after the earliest effective deadline, `NEVER`
    /// without timers. In the past only if something is due; after `collect(now)` and as long as
    /// nothing is armed for the past, later than `now`.
    #[inline]
    pub(crate) fn next_wake(&mut self) -> Instant {
        match self.slab.get(self.buckets.head(DUE)) {
            Some(first) => first.effective(),
            None if self.wake != UNKNOWN => self.wake,
            None => self
                .late
                .map_or(Instant::NEVER, |late| (late.find_wake)(self)),
        }
    }

    /// Looks at the first bucket. What was pushed forward is moved on, once for each push; of the
    /// others only so many are looked at.
    fn find_wake(&mut self) -> Instant {
        while let Some(bucket) = self.buckets.first() {
            let start = self.buckets.start(bucket);
            let last = last(bucket, start);
            let (mut earliest, mut earliest_timer) = (Instant::NEVER, NONE);
            let mut stayed = 0;
            let mut index = self.buckets.head(bucket);
            while let Some(slot) = self.slab.get(index) {
                let (next, effective) = (slot.next, slot.effective());
                if effective > last {
                    self.unlink(index);
                    self.file_anew(index, effective);
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
                self.wake_at(earliest, earliest_timer, bucket as u16);
                return earliest;
            }
        }
        self.wake = Instant::NEVER;
        Instant::NEVER
    }

    /// The earliest effective deadline, exactly; `NEVER` without timers. Looks at every timer of
    /// the first bucket, and at further buckets only if all of these were pushed forward.
    pub(crate) fn next_deadline(&self) -> Instant {
        let mut earliest = self
            .slab
            .get(self.buckets.head(DUE))
            .map_or(Instant::NEVER, TimerSlot::effective);
        let mut bucket = self.buckets.first();
        // The bucket of `base` may hold deadlines before its beginning, but then it is the first.
        let mut is_first = true;
        while let Some(current) = bucket {
            if !is_first && self.buckets.start(current) > earliest {
                break;
            }
            is_first = false;
            let mut index = self.buckets.head(current);
            while let Some(slot) = self.slab.get(index) {
                earliest = earliest.min(slot.effective());
                index = slot.next;
            }
            bucket = self.buckets.after(current);
        }
        earliest
    }

    // ---- Firing ----

    /// Whether a timer is on the due list.
    #[inline]
    pub(crate) fn has_due(&self) -> bool {
        self.slab.get(self.buckets.head(DUE)).is_some()
    }

    /// Puts every timer that is due on the due list, and returns the deadline of the first one
    /// there: how late it is tells how far the loop lags. A clock that has stepped back is taken to
    /// have stood still. Not while the due list still holds some.
    #[inline]
    pub(crate) fn collect(&mut self, now: Instant) -> Option<Instant> {
        if now < self.wake {
            self.now = self.now.max(now);
            return None;
        }
        self.late.and_then(|late| (late.collect)(self, now))
    }

    fn collect_due(&mut self, now: Instant) -> Option<Instant> {
        let now = now.max(self.now).min(LAST);
        self.now = now;
        self.collect_buckets(now);
        let first = self.buckets.head(DUE);
        self.slab.get(first).map(TimerSlot::effective)
    }

    /// Takes the first timer off the due list: a one-shot is gone when this returns, a periodic one
    /// armed for its next tick. `now` is the turn's time. A fixed delay counts from a fresh reading
    /// of `clock`, as the turn's time is older by what the callbacks before this one have taken.
    #[inline(always)]
    pub(crate) fn pop_due(
        &mut self,
        now: Instant,
        clock: impl FnOnce() -> Instant,
    ) -> Option<Fired> {
        let index = self.buckets.head(DUE);
        let slot = self.slab.get(index)?;
        let (callback, period, flags, next) = (slot.callback, slot.period, slot.flags, slot.next);
        let token = self.slab.token(index);
        self.buckets.set_head(DUE, next);
        let missed = if period == Duration::ZERO {
            self.count_out(flags);
            self.slab.remove(index);
            0
        } else {
            match self.late {
                Some(late) => {
                    let is_fixed_delay = flags & FIXED_DELAY != 0;
                    let now = if is_fixed_delay { clock() } else { now };
                    (late.rearm)(self, index, now.max(self.now))
                }
                None => 0,
            }
        };
        Some(Fired {
            callback,
            token,
            missed,
        })
    }

    /// Arms a periodic timer that fires at `now` for its next tick; how many are overdue beside
    /// this one.
    fn rearm(&mut self, index: u32, now: Instant) -> u64 {
        let Some(slot) = self.slab.get_mut(index) else {
            return 0;
        };
        let (deadline, period) = (slot.deadline, slot.period);
        let overdue = now - deadline;
        // A division only for those that are late.
        let late = if overdue < period {
            0
        } else {
            overdue.0.checked_div(period.0).unwrap_or(0)
        };
        let (next, missed) = if slot.flags & FIXED_DELAY != 0 {
            (now + period, 0)
        } else if slot.flags & SKIP_MISSED != 0 {
            // The product is at most `overdue`: it neither overflows nor passes `now`.
            (
                deadline + Duration(late.wrapping_mul(period.0)) + period,
                late,
            )
        } else {
            (deadline + period, late)
        };
        self.sequence += 1;
        slot.deadline = next;
        slot.sequence = self.sequence;
        let effective = slot.effective();
        self.file_anew(index, effective);
        missed
    }

    // ---- Counts ----

    pub(crate) fn used(&self) -> u32 {
        self.slab.used()
    }

    pub(crate) fn peak(&self) -> u32 {
        self.slab.peak()
    }

    pub(crate) fn capacity(&self) -> u32 {
        self.slab.capacity()
    }

    /// The armed timers that keep the loop running.
    #[inline]
    pub(crate) fn referenced(&self) -> u32 {
        self.slab.used() - self.unreferenced
    }

    /// A timer with these flags is about to go.
    #[inline]
    fn count_out(&mut self, flags: u8) {
        if flags & UNREFERENCED != 0 {
            self.unreferenced -= 1;
        }
    }

    // ---- Lists ----

    /// Files a timer that is on no list, and keeps the bound of the wait.
    #[inline]
    fn file(&mut self, index: u32, effective: Instant) {
        let bucket = self.buckets.place(effective);
        if effective < self.wake {
            self.wake_at(effective, index, bucket as u16);
        }
        self.link(index, bucket);
    }

    /// [`file`](Self::file) for all but new timers, for which one copy of it does.
    #[inline(never)]
    fn file_anew(&mut self, index: u32, effective: Instant) {
        self.file(index, effective);
    }

    /// Sets the bound of the wait to that of a timer, or of a bucket. There is no other way to a
    /// bound that can be reached.
    #[inline]
    fn wake_at(&mut self, effective: Instant, timer: u32, bucket: u16) {
        self.wake = effective;
        self.wake_timer = timer;
        self.wake_bucket = bucket;
        self.late = Some(&LATE);
    }

    /// Files a timer anew whose deadline has changed, unless it may stay where it is.
    #[inline(never)]
    fn settle(&mut self, index: u32) {
        let Some(slot) = self.slab.get(index) else {
            return;
        };
        let effective = slot.effective();
        // The due list's number is beyond all of them.
        if self.buckets.place(effective) < usize::from(slot.bucket) {
            self.unlink(index);
            self.file_anew(index, effective);
        } else if effective < self.wake {
            self.wake_at(effective, index, slot.bucket);
        }
    }

    /// Puts a timer that is on no list in front of a bucket's: that touches one other slot, and not
    /// the end.
    #[inline]
    fn link(&mut self, index: u32, bucket: usize) {
        let first = self.buckets.head(bucket);
        match self.slab.get_mut(first) {
            Some(first) => first.prev = index,
            None => self.buckets.open(bucket),
        }
        self.buckets.set_head(bucket, index);
        if let Some(slot) = self.slab.get_mut(index) {
            slot.next = first;
            slot.bucket = bucket as u16;
        }
    }

    /// Takes a timer off its list.
    #[inline]
    fn unlink(&mut self, index: u32) {
        let Some(slot) = self.slab.get(index) else {
            return;
        };
        let (next, prev, bucket) = (slot.next, slot.prev, usize::from(slot.bucket));
        if self.buckets.head(bucket) == index {
            self.buckets.set_head(bucket, next);
            if next == NONE {
                self.buckets.close(bucket);
                if bucket == usize::from(self.wake_bucket) {
                    self.wake = UNKNOWN;
                }
            }
            return;
        }
        match self.slab.get_mut(next) {
            Some(slot) => slot.prev = prev,
            None if bucket == DUE => self.due_end = prev,
            None => {}
        }
        if let Some(slot) = self.slab.get_mut(prev) {
            slot.next = next;
        }
    }

    /// Where the slots are.
    #[cfg(feature = "ffi")]
    pub(crate) fn place(&self) -> *const [TimerSlot] {
        self.slab.place()
    }

    /// Whether every armed timer stands on exactly one list, not after its deadline; the lists are
    /// whole, the due one in order; and the bitmaps, the counts and the bound of the wait are
    /// right. For `verify`: O(n), and whatever stands in the slots.
    pub(crate) fn is_sound(&self) -> bool {
        let mut listed = 0;
        let mut unreferenced = 0;
        for bucket in 0..=DUE {
            let first = self.buckets.head(bucket);
            let (mut index, mut prev, mut rank) = (first, NONE, 0);
            while let Some(slot) = self.slab.get(index) {
                let place = if bucket == DUE {
                    DUE
                } else {
                    self.buckets.place(slot.effective())
                };
                let is_in_order = bucket != DUE || rank < slot.rank();
                let is_linked = index == first || slot.prev == prev;
                let is_live = self.slab.check(self.slab.token(index)).is_ok();
                if usize::from(slot.bucket) != bucket
                    || place < bucket
                    || !is_in_order
                    || !is_linked
                    || !is_live
                {
                    return false;
                }
                listed += 1;
                if listed > self.slab.capacity() {
                    return false;
                }
                unreferenced += u32::from(slot.flags & UNREFERENCED != 0);
                rank = slot.rank();
                prev = index;
                index = slot.next;
            }
            if index != NONE || (bucket == DUE && prev != NONE && prev != self.due_end) {
                return false;
            }
        }
        listed == self.slab.used()
            && unreferenced == self.unreferenced
            && self.slab.is_sound()
            && self.buckets.is_sound()
            && (self.has_due() || self.wake <= self.next_deadline().max(self.now))
    }
}
