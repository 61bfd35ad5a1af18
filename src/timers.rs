//! The timers: a priority queue in which most entries never reach the front.
//!
//! A loop's timers are mostly timeouts: armed, pushed forward with every byte that arrives, stopped
//! in the end. Few fire. A heap keeps all of them in order all the time, and pays for that order
//! with every push: most dearly when each timer in turn is pushed to the very back, as idle
//! timeouts are. A plain timing wheel keeps no order, but its spokes are one tick apart: it fires
//! too early or too late by up to a tick, forgets the order within one, and must look at spoke
//! after spoke to learn how long the loop may sleep.
//!
//! Here the order is made late and only where it is needed. Deadlines are exact; they are sorted
//! into buckets by the leading digit in which they differ from a `base` that follows the clock (see
//! [`buckets`]): coarse buckets for the far future, ever finer ones nearby. When a bucket's time
//! comes, a timer in it either fires or moves to a finer bucket, and each move leaves one digit
//! less to sort by. Starting a timer takes a few instructions and stopping it too, because each
//! bucket's list is doubly linked. Bitmaps tell which buckets are in use, so empty ones are never
//! visited.
//!
//! Four rules keep the work small:
//!
//! - A timer is never in a bucket after its deadline, but it may be in one before it. Pushing a
//!   deadline forward writes the new one into the slot and leaves the timer where it is; it moves
//!   when the time of its old bucket comes.
//! - The bound for the next wait is kept until something may have made it wrong. It may be too
//!   early, never too late. A wake-up that fires nothing leaves the timers in finer buckets, so it
//!   cannot be repeated.
//! - A bucket that has become due is sorted if it holds few timers. If it is crowded it is first
//!   spread over the finer buckets of the next level: a radix sort that sees only what is due.
//! - Buckets are emptied one at a time, and the timers of one have fired before the next is looked
//!   at (see [`due`]): each timer fires while its slot is still in the processor's cache.
//!
//! The next timers that are to fire form one more list, the due list, in firing order. A timer that
//! is armed while a dispatch is under way never gets there in that dispatch, whatever its deadline.

mod buckets;
mod due;
mod expiry;
mod lists;
mod prefetch;
mod slot;
mod sort;
#[cfg(test)]
mod tests;
mod wait;

pub(crate) use self::buckets::MAX_TIMERS;
use self::buckets::{Buckets, DUE};
use self::expiry::Expiry;
pub(crate) use self::slot::{TimerDetails, TimerSlot, TimerTable};
use crate::callback::Callback;
use crate::error::{Error, Result};
use crate::room::Room;
use crate::slab::{NONE, Slab};
use crate::time::{Duration, Instant};
use crate::token::Token;

/// Flag of a periodic timer: the next period begins when the timer fires. A timer has at most one
/// of this flag and [`SKIP_MISSED`]. Without either it fires once for each tick, in one turn after
/// the other, even for ticks that were overdue before it could fire for them.
pub(crate) const FIXED_DELAY: u8 = 1;
/// Flag of a periodic timer: ticks that were missed are dropped. See [`FIXED_DELAY`].
pub(crate) const SKIP_MISSED: u8 = 2;
/// Flag: the timer does not keep the loop running.
pub(crate) const UNREFERENCED: u8 = 4;

/// The bound of a wait that is not known. No deadline is before it, so starting a timer need not
/// check for it.
const UNKNOWN: Instant = Instant(0);

/// The latest point that the clock can reach.
const LAST: Instant = Instant(Instant::NEVER.0 - 1);

/// A timer that fires: what to call, once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Fired {
    pub(crate) callback: Callback,
    /// Stale already if the timer was a one-shot.
    pub(crate) token: Token,
    /// The ticks of a periodic timer that are overdue besides this one.
    pub(crate) missed: u64,
}

pub(crate) struct Timers<'a> {
    slab: Slab<'a, TimerSlot>,
    /// For each slot of `slab`, what is needed only when the timer fires.
    details: Room<'a, TimerDetails>,
    buckets: Buckets,
    /// Not after the earliest effective deadline in the buckets, unless both have passed; or
    /// `UNKNOWN`.
    wake: Instant,
    /// The timer that `wake` is for, or was; `NONE` if it is for a whole bucket.
    wake_timer: u32,
    /// The bucket in which that timer is, or was.
    wake_bucket: u16,
    /// The time of the last dispatch that had to look at a bucket; a clock that steps back is taken
    /// to stand still there. The buckets' `base` is the same, or before it as long as buckets may
    /// be left that the dispatch has to empty.
    now: Instant,
    /// How often a timer was armed so far.
    sequence: u64,
    /// `sequence` when the last dispatch began: a timer armed since then is not due in it.
    due_sequence: u64,
    /// How many timers do not keep the loop running. They are counted, and not the others, because
    /// they are rare.
    unreferenced: u32,
    /// `None` until there was a timer that can fire. Until then the bound of the wait is `NEVER`
    /// and nothing is due.
    expiry: Option<&'static Expiry>,
}

impl<'a> Timers<'a> {
    /// Make an empty queue in a table of its own.
    pub(crate) fn new(table: TimerTable<'a>, seed: u32, now: Instant) -> Self {
        // `NEVER` is never reached.
        let now = now.min(LAST);
        Timers {
            slab: Slab::new(table.slots, seed),
            details: table.details,
            buckets: Buckets::new(now),
            wake: Instant::NEVER,
            wake_timer: NONE,
            wake_bucket: DUE as u16,
            now,
            sequence: 0,
            due_sequence: 0,
            unreferenced: 0,
            expiry: None,
        }
    }

    /// True if every timer has a slot in a table of `count`.
    pub(crate) fn fits(&self, count: usize) -> bool {
        self.slab.fits(count)
    }

    /// Move all timers into a table in which they [fit](Self::fits).
    pub(crate) fn move_to(&mut self, mut table: TimerTable<'a>) {
        table.details.grow_to(self.details.len());
        for (new, old) in table.details.iter_mut().zip(self.details.iter_mut()) {
            core::mem::swap(new, old);
        }
        self.details = table.details;
        self.slab.move_to(table.slots);
    }

    // ---- arming, changing, stopping ----

    /// Arm a new timer without flags, or return `ENOSPC`. `period` 0: it fires once. A deadline of
    /// `NEVER` is accepted and never reached.
    #[inline]
    pub(crate) fn start(
        &mut self,
        deadline: Instant,
        period: Duration,
        callback: Callback,
    ) -> Result<Token> {
        if !self.slab.has_room() {
            self.add_room();
        }
        let mut token = Token::default();
        self.start_and_tell(deadline, period, callback, |started| token = started)?;
        Ok(token)
    }

    /// Make both parts of one more timer valid, if there is memory for it.
    #[cold]
    #[inline(never)]
    fn add_room(&mut self) {
        self.slab.make_room();
        self.details.grow_to(self.slab.slot_count());
    }

    /// True if a slot is free that was in use before: then
    /// [`start_and_tell`](Self::start_and_tell) succeeds.
    #[cfg(feature = "ffi")]
    #[inline]
    pub(crate) fn has_room(&self) -> bool {
        self.slab.has_room()
    }

    /// As [`start`](Self::start), but only if there [is room](Self::has_room). Pass the handle to
    /// `tell` as soon as it is known: then it need not be kept while the timer is put into its
    /// bucket.
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
        if let Some(details) = self.details.get_mut(index as usize) {
            *details = TimerDetails { callback, period };
        }
        let bucket = self.buckets.bucket_of(deadline);
        self.lower_wake(deadline, index, bucket);
        let next = self.prepend(index, bucket);
        // All writes to the slot together: that saves instructions.
        if let Some(slot) = self.slab.get_mut(index) {
            slot.deadline = deadline;
            slot.sequence = self.sequence;
            slot.next = next;
            slot.bucket = bucket as u16;
            slot.slack = 0;
            slot.flags = 0;
        }
        Ok(())
    }

    /// Set the flags of a timer that was just armed.
    pub(crate) fn set_flags(&mut self, token: Token, flags: u8) -> Result<()> {
        self.slab.check_mut(token)?.flags = flags;
        self.unreferenced += u32::from(flags & UNREFERENCED != 0);
        Ok(())
    }

    /// Give a timer a deadline that is not before its old one, unless it is on the due list. Return
    /// false if nothing was changed. The timer counts as armed now: among equal deadlines it is the
    /// last.
    ///
    /// Costs next to nothing: the timer stays in its list, and no bound changes.
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

    /// Give a timer another deadline. As [`push`](Self::push), but for every deadline.
    pub(crate) fn again(&mut self, token: Token, deadline: Instant) -> Result<()> {
        let slot = self.slab.check_mut(token)?;
        self.sequence += 1;
        slot.sequence = self.sequence;
        slot.deadline = deadline;
        self.refile_if_earlier(token.slot);
        Ok(())
    }

    /// Give a live timer everything that [`start`](Self::start) and [`set_flags`](Self::set_flags)
    /// give a new one.
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
        slot.slack = 0;
        if let Some(details) = self.details.get_mut(token.slot as usize) {
            *details = TimerDetails { callback, period };
        }
        self.count_out(before);
        self.unreferenced += u32::from(flags & UNREFERENCED != 0);
        self.again(token, deadline)
    }

    /// Stop a timer: its handle is then stale and its slot free. `ENOENT` if it has fired or was
    /// stopped before.
    #[inline]
    pub(crate) fn stop(&mut self, token: Token) -> Result<()> {
        let flags = self.slab.check(token)?.flags;
        // The timers are compared and not their buckets: many timers share the first bucket, so
        // that branch would be hard to predict.
        if token.slot == self.wake_timer {
            self.wake = UNKNOWN;
        }
        self.count_out(flags);
        self.unlink(token.slot);
        self.slab.remove(token.slot);
        Ok(())
    }

    /// Give a timer another callback and user data.
    pub(crate) fn set_callback(&mut self, token: Token, callback: Callback) -> Result<()> {
        self.slab.check(token)?;
        if let Some(details) = self.details.get_mut(token.slot as usize) {
            details.callback = callback;
        }
        Ok(())
    }

    /// Let a timer be late by less than `slack`, so that it can fire together with others: its
    /// effective deadline is the next multiple of the greatest power of two within the slack. 0 is
    /// exact. Its position in the order of arming stays.
    pub(crate) fn set_slack(&mut self, token: Token, slack: Duration) -> Result<()> {
        let slot = self.slab.check_mut(token)?;
        let before = slot.effective();
        slot.slack = slack.0.checked_ilog2().unwrap_or(0) as u8;
        if slot.effective() != before {
            if slot.bucket == self.wake_bucket {
                self.wake = UNKNOWN;
            }
            self.refile_if_earlier(token.slot);
        }
        Ok(())
    }

    /// Choose whether a timer keeps the loop running. Return true if that is a change.
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

    /// A timer with these flags is about to go.
    #[inline]
    fn count_out(&mut self, flags: u8) {
        if flags & UNREFERENCED != 0 {
            self.unreferenced -= 1;
        }
    }

    // ---- asking ----

    /// The point in time from which a timer may fire.
    pub(crate) fn deadline(&self, token: Token) -> Result<Instant> {
        Ok(self.slab.check(token)?.effective())
    }

    /// Both parts of a timer.
    pub(crate) fn get(&self, token: Token) -> Result<(&TimerSlot, &TimerDetails)> {
        let slot = self.slab.check(token)?;
        let details = self.details.get(token.slot as usize);
        Ok((slot, details.ok_or(Error::ENOENT)?))
    }

    /// The first timer in use whose slot is `index` or behind it.
    pub(crate) fn in_use_from(&self, index: u32) -> Option<Token> {
        self.slab.in_use_from(index)
    }

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

    /// Where the slots and the details are.
    #[cfg(feature = "ffi")]
    pub(crate) fn place(&self) -> (*const [TimerSlot], *const [TimerDetails]) {
        (self.slab.place(), self.details.place())
    }
}
