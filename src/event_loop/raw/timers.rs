//! Timers and tasks, with function pointers and words.

use super::{OnTask, OnTimer, RawCore, erase};
use crate::error::{Error, Result};
use crate::event_loop::callback::{Repeat, When};
use crate::host::Host;
use crate::time::{Duration, Instant};
use crate::timers::{FIXED_DELAY, SKIP_MISSED};
use crate::token::{Task, Timer};

impl<'l, H: Host> RawCore<'l, H> {
    /// Start a timer. It never fires early, and never in the turn in which it was started.
    ///
    /// # Errors
    ///
    /// [`Error::ENOSPC`]: all timer slots are in use. [`Error::EINVAL`]: a period of 0.
    pub fn timer_start(
        &mut self,
        when: When,
        repeat: Repeat,
        callback: OnTimer<H>,
        user: *mut (),
    ) -> Result<Timer> {
        let (deadline, period, flags) = self.when(when, repeat)?;
        self.reactor
            .timer_start(deadline, period, flags, erase(callback as *mut (), user))
            .map(Timer)
    }

    /// Start a timer, or change it if it is running. If the handle `timer` is live, that timer is
    /// armed again: its handle does not change, and no free slot is needed. Otherwise a new timer
    /// is started, and its handle is written to `timer`; `Timer::default()` is a handle that is
    /// never live. In both cases the timer is then as [`timer_start`](Self::timer_start) would have
    /// made it, without slack.
    ///
    /// A periodic timer is still live in its own callback. A one-shot timer is not, but its slot is
    /// free, unless the callback has started another timer before.
    ///
    /// # Errors
    ///
    /// [`Error::ENOSPC`]: the timer is not live, and all timer slots are in use.
    /// [`Error::EINVAL`]: a period of 0. `timer` is unchanged then.
    pub fn timer_set(
        &mut self,
        timer: &mut Timer,
        when: When,
        repeat: Repeat,
        callback: OnTimer<H>,
        user: *mut (),
    ) -> Result<()> {
        let (deadline, period, flags) = self.when(when, repeat)?;
        let callback = erase(callback as *mut (), user);
        if self.reactor.is_timer(timer.0) {
            self.reactor
                .timer_reset(timer.0, deadline, period, flags, callback)
        } else {
            timer.0 = self
                .reactor
                .timer_start(deadline, period, flags, callback)?;
            Ok(())
        }
    }

    /// Returns the deadline, the period and the flags of a timer.
    fn when(&mut self, when: When, repeat: Repeat) -> Result<(Instant, Duration, u8)> {
        let deadline = match when {
            When::After(delay) => self.reactor.clock() + delay,
            When::AfterCached(delay) => self.reactor.now() + delay,
            When::At(deadline) => deadline,
        };
        let (period, flags) = match repeat {
            Repeat::Never => (Duration::ZERO, 0),
            Repeat::FixedRate(period) => (period, 0),
            Repeat::FixedDelay(period) => (period, FIXED_DELAY),
            Repeat::SkipMissed(period) => (period, SKIP_MISSED),
        };
        if period == Duration::ZERO && repeat != Repeat::Never {
            return Err(Error::EINVAL);
        }
        Ok((deadline, period, flags))
    }

    /// Move a timer's deadline to `delay` after the turn's time. Takes a few nanoseconds if the new
    /// deadline is later than the old one.
    ///
    /// # Errors
    ///
    /// [`Error::ENOENT`]: stale handle.
    pub fn timer_again(&mut self, timer: Timer, delay: Duration) -> Result<()> {
        self.reactor.timer_again(timer.0, delay)
    }

    /// Replace the callback and the word of a timer. The next call already uses them, even if the
    /// timer is due.
    ///
    /// # Errors
    ///
    /// [`Error::ENOENT`]: stale handle.
    pub fn timer_set_callback(
        &mut self,
        timer: Timer,
        callback: OnTimer<H>,
        user: *mut (),
    ) -> Result<()> {
        self.reactor
            .timer_set_callback(timer.0, erase(callback as *mut (), user))
    }

    /// Stop a timer. Takes effect immediately: the callback is never called again.
    ///
    /// # Errors
    ///
    /// [`Error::ENOENT`]: stale handle.
    pub fn timer_stop(&mut self, timer: Timer) -> Result<()> {
        self.reactor.timer_stop(timer.0)
    }

    /// Return how much time is left until a timer is due, by a fresh reading of the clock; 0 if it
    /// is due.
    ///
    /// # Errors
    ///
    /// [`Error::ENOENT`]: stale handle.
    pub fn timer_remaining(&mut self, timer: Timer) -> Result<Duration> {
        self.reactor.timer_remaining(timer.0)
    }

    /// Allow a timer to be late by at most `slack`, so that it can fire together with other timers.
    ///
    /// # Errors
    ///
    /// [`Error::ENOENT`]: stale handle.
    pub fn timer_slack(&mut self, timer: Timer, slack: Duration) -> Result<()> {
        self.reactor.timer_slack(timer.0, slack)
    }

    /// Set whether a timer keeps [`run`](crate::Loop::run) going, which is the default.
    ///
    /// # Errors
    ///
    /// [`Error::ENOENT`]: stale handle.
    pub fn timer_set_reference(&mut self, timer: Timer, holds: bool) -> Result<()> {
        self.reactor.timer_reference(timer.0, holds)
    }

    // ---- tasks ----

    /// Queue a callback for the next turn.
    ///
    /// # Errors
    ///
    /// [`Error::EAGAIN`]: the queue is full.
    pub fn task_post(&mut self, callback: OnTask<H>, user: *mut ()) -> Result<Task> {
        self.reactor
            .task_post(erase(callback as *mut (), user))
            .map(Task)
    }

    /// Cancel a queued task: its callback is never called.
    ///
    /// # Errors
    ///
    /// [`Error::ENOENT`]: the task has run, is running, or was cancelled.
    pub fn task_cancel(&mut self, task: Task) -> Result<()> {
        self.reactor.task_cancel(task.0)
    }
}
