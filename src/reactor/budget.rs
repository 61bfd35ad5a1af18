//! The budget of a dispatch: how many callbacks it may start, and for how long it may start them.
//!
//! An item, or a whole batch, is charged when it is taken. If an item then needs no call, the call
//! is given back. A dispatch is *timed* if the clock is read before and after every callback, to
//! find the longest one or to enforce a time limit. Then `allowed` is 0, and the calls are counted
//! in `timed_count` instead: so an ordinary dispatch needs only one comparison.

use super::Limit;
use crate::time::{Duration, Instant};

pub(crate) struct Budget {
    /// The number of calls that this dispatch may still start.
    left: u32,
    /// The number of calls that it began with. 0 in a timed dispatch.
    allowed: u32,
    /// The number of calls that the next dispatch will begin with.
    allowed_next: u32,
    limit: Limit,
    /// True if the program asked for the longest callback.
    measures: bool,
    /// The number of calls started in a timed dispatch, and the largest number that it may start.
    timed_count: u32,
    timed_most: u32,
    /// When the current callback of a timed dispatch was called. `NEVER` if there is none.
    called_at: Instant,
    /// When a timed dispatch stops starting callbacks.
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

    /// Sets the limit of every dispatch, from the next one on.
    pub(super) fn set_limit(&mut self, limit: Limit) {
        self.limit = limit;
        self.allowed_next = limit.most_callbacks();
        if self.measures || limit.time > Duration::ZERO {
            self.allowed_next = 0;
        }
    }

    /// Begins a dispatch. Returns true if it is timed: the caller must then call
    /// [`begin_timing`](Self::begin_timing).
    #[inline]
    pub(super) fn begin(&mut self) -> bool {
        self.allowed = self.allowed_next;
        self.left = self.allowed;
        self.is_timed()
    }

    /// Begins an untimed dispatch of at most `most` items.
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

    /// True if the clock is read before and after each callback of this dispatch. Its calls are
    /// then charged one by one.
    #[inline]
    pub(super) fn is_timed(&self) -> bool {
        self.allowed == 0
    }

    /// Returns how many calls may be charged in one batch. 0 in a timed dispatch.
    #[inline]
    pub(super) fn left(&self) -> u32 {
        self.left
    }

    /// Charges a batch.
    #[inline]
    pub(super) fn take(&mut self, count: u32) {
        self.left -= count;
    }

    /// Charges one call of an untimed dispatch. Returns false if the budget is used up, or if the
    /// dispatch is timed.
    #[inline]
    pub(super) fn take_one(&mut self) -> bool {
        let (left, is_used_up) = self.left.overflowing_sub(1);
        if !is_used_up {
            self.left = left;
        }
        !is_used_up
    }

    /// Charges one call of a timed dispatch. Returns false if it may not be started at `now`.
    pub(super) fn take_timed(&mut self, now: Instant) -> bool {
        // At least one callback is always allowed, or a turn would never end.
        let may_call = self.timed_count < self.timed_most
            && (self.timed_count == 0 || now < self.time_limit_at);
        if may_call {
            self.called_at = now;
            self.timed_count += 1;
        }
        may_call
    }

    /// Gives back calls that were charged and not made.
    #[inline]
    pub(super) fn give_back(&mut self, count: u32) {
        if self.is_timed() {
            self.timed_count = self.timed_count.saturating_sub(count);
        } else {
            self.left += count;
        }
    }

    /// Returns how long the timed callback that ended at `now` took; 0 if there was none.
    pub(super) fn time_of_call(&mut self, now: Instant) -> Duration {
        now - core::mem::replace(&mut self.called_at, Instant::NEVER)
    }

    /// Returns the number of calls that were made.
    #[inline]
    pub(super) fn called(&self) -> u32 {
        if self.is_timed() {
            self.timed_count
        } else {
            self.allowed - self.left
        }
    }
}
