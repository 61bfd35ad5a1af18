//! The budget of a dispatch: how many callbacks it may start, and for how long.
//!
//! An item is charged when it is taken, a batch as a whole; what turns out to concern nobody gives
//! its call back. Where the clock is read around every callback, to find the longest or for a limit
//! of time, the calls allowed are 0, and a second account counts: so the commonest dispatch pays
//! for one comparison.

use super::Limit;
use crate::time::{Duration, Instant};

pub(crate) struct Budget {
    /// The calls that this dispatch may still start.
    left: u32,
    /// The calls that it began with. 0: each call is timed.
    allowed: u32,
    /// The calls that the next dispatch will begin with.
    allowed_next: u32,
    limit: Limit,
    /// True if the program asked for the longest callback.
    measures: bool,
    /// Calls started in a timed dispatch, and the most that it may start.
    timed_count: u32,
    timed_most: u32,
    /// When the callback under way was called, in a timed dispatch. `NEVER`: there is none.
    called_at: Instant,
    /// When a timed dispatch stops.
    time_limit_at: Instant,
}

impl Budget {
    pub(super) fn new(measures: bool) -> Budget {
        Budget {
            left: 0,
            allowed: 0,
            allowed_next: if measures { 0 } else { u32::MAX },
            limit: Limit::default(),
            measures,
            timed_count: 0,
            timed_most: 0,
            called_at: Instant::NEVER,
            time_limit_at: Instant::NEVER,
        }
    }

    /// Sets what every dispatch may use up, from the next one on.
    pub(super) fn set_limit(&mut self, limit: Limit) {
        self.limit = limit;
        self.allowed_next = limit.most_callbacks();
        if self.measures || limit.time > Duration::ZERO {
            self.allowed_next = 0;
        }
    }

    /// Begins a dispatch. True if it is timed: [`begin_timing`](Self::begin_timing) follows.
    #[inline]
    pub(super) fn begin(&mut self) -> bool {
        self.allowed = self.allowed_next;
        self.left = self.allowed;
        self.is_timed()
    }

    /// Begins a dispatch of at most `most` items, which is not timed.
    pub(super) fn begin_untimed(&mut self, most: u32) {
        self.allowed = most.min(self.limit.most_callbacks());
        self.left = self.allowed;
    }

    #[cold]
    pub(super) fn begin_timing(&mut self, now: Instant) {
        self.timed_count = 0;
        self.timed_most = self.limit.most_callbacks();
        self.called_at = Instant::NEVER;
        self.time_limit_at = match self.limit.time {
            Duration::ZERO => Instant::NEVER,
            time => now + time,
        };
    }

    /// True if the clock is read around each callback of this dispatch, which then starts them one
    /// by one.
    #[inline]
    pub(super) fn is_timed(&self) -> bool {
        self.allowed == 0
    }

    /// How many calls may be started in one batch. 0 also where each is timed.
    #[inline]
    pub(super) fn left(&self) -> u32 {
        self.left
    }

    /// Charges a batch.
    #[inline]
    pub(super) fn take(&mut self, count: u32) {
        self.left -= count;
    }

    /// Charges one call, if it may be started without a look at the clock.
    #[inline]
    pub(super) fn take_one(&mut self) -> bool {
        let (left, is_used_up) = self.left.overflowing_sub(1);
        if !is_used_up {
            self.left = left;
        }
        !is_used_up
    }

    /// Charges one call of a timed dispatch, if it may be started at `now`.
    pub(super) fn take_timed(&mut self, now: Instant) -> bool {
        // One callback at least, or a turn would never end.
        let may_call = self.timed_count < self.timed_most
            && (self.timed_count == 0 || now < self.time_limit_at);
        if may_call {
            self.called_at = now;
            self.timed_count += 1;
        }
        may_call
    }

    /// Gives calls back that were charged and not made.
    #[inline]
    pub(super) fn give_back(&mut self, count: u32) {
        if self.is_timed() {
            self.timed_count = self.timed_count.saturating_sub(count);
        } else {
            self.left += count;
        }
    }

    /// How long the callback took that ended at `now`, if there was one and it was timed.
    pub(super) fn time_of_call(&mut self, now: Instant) -> Duration {
        now - core::mem::replace(&mut self.called_at, Instant::NEVER)
    }

    /// The calls that were made.
    #[inline]
    pub(super) fn called(&self) -> u32 {
        if self.is_timed() {
            self.timed_count
        } else {
            self.allowed - self.left
        }
    }
}
