//! Time, timers, tasks and raised bits.

use super::Reactor;
use crate::backend::Backend;
use crate::callback::Callback;
use crate::error::{Error, Result};
use crate::ready::Interest;
use crate::time::{Duration, Instant};
use crate::token::Token;
use crate::watchers::Position;

impl<B: Backend> Reactor<'_, B> {
    /// Where the turn's time is in a reactor. It is what [`now`](Self::now) returns while there is
    /// a timer, because the clock is then read after each wait.
    #[cfg(feature = "ffi")]
    pub(crate) const NOW_OFFSET: usize = core::mem::offset_of!(Self, turn.now);

    /// Returns the turn's time. The clock is read after the wait, or at the first call that needs
    /// it.
    #[inline]
    pub(crate) fn now(&mut self) -> Instant {
        if self.turn.now_is_stale {
            self.update_apart()
        } else {
            self.turn.now
        }
    }

    /// As [`update`](Self::update), where most calls have no need of it: a call of its own spares
    /// the others its registers.
    #[inline(never)]
    pub(super) fn update_apart(&mut self) -> Instant {
        self.update()
    }

    /// Reads the clock into the turn's time. If the clock goes back, it is treated as standing
    /// still.
    #[inline(always)]
    pub(crate) fn update(&mut self) -> Instant {
        self.turn.now = self.turn.now.max(self.backend.now());
        self.turn.now_is_stale = false;
        self.turn.now
    }

    pub(crate) fn next_deadline(&self) -> Instant {
        self.timers.next_deadline()
    }

    /// Returns a fresh reading of the clock, for delays that count from this moment.
    #[inline]
    pub(crate) fn clock(&mut self) -> Instant {
        self.backend.now()
    }

    /// True if the cached time is fresh, no pollable fd must be updated, and a slot is free that
    /// was in use before: starting a timer then touches nothing but the timers.
    #[cfg(feature = "ffi")]
    #[inline]
    pub(crate) fn is_quiet(&self) -> bool {
        !self.turn.now_is_stale && self.pollable.timers_start_quietly && self.timers.has_room()
    }

    /// Starts a timer without flags, `delay` from the turn's time, if the reactor is quiet.
    #[cfg(feature = "ffi")]
    #[inline]
    pub(crate) fn timer_start_quietly(
        &mut self,
        delay: Duration,
        period: Duration,
        callback: Callback,
        tell: impl FnOnce(Token),
    ) -> Result<()> {
        debug_assert!(self.is_quiet());
        self.timers
            .start_and_tell(self.turn.now + delay, period, callback, tell)
    }

    pub(crate) fn timer_start(
        &mut self,
        deadline: Instant,
        period: Duration,
        flags: u8,
        callback: Callback,
    ) -> Result<Token> {
        if self.turn.now_is_stale {
            self.update();
        }
        if !self.pollable.timers_start_quietly {
            self.use_timers();
        }
        let token = self.timers.start(deadline, period, callback)?;
        if flags != 0 {
            self.timers.set_flags(token, flags)?;
        }
        self.on_change();
        Ok(token)
    }

    /// True if a handle is of a timer that is armed, or due and not called yet.
    pub(crate) fn is_timer(&self, timer: Token) -> bool {
        self.timers.get(timer).is_ok()
    }

    /// Arms a live timer again, with the same arguments as [`timer_start`](Self::timer_start).
    pub(crate) fn timer_reset(
        &mut self,
        timer: Token,
        deadline: Instant,
        period: Duration,
        flags: u8,
        callback: Callback,
    ) -> Result<()> {
        self.timers.set(timer, deadline, period, flags, callback)?;
        self.on_change();
        Ok(())
    }

    /// Moves the deadline. The delay counts from the turn's time, so this takes only a few
    /// nanoseconds.
    #[inline]
    pub(crate) fn timer_again(&mut self, timer: Token, delay: Duration) -> Result<()> {
        // While there is a timer, the turn's time is never stale: the wait has read the clock, or
        // the start of the timer has.
        let deadline = self.turn.now + delay;
        // If only the deadline in the slot was changed, the bound of the wait is the same, so there
        // is nothing to update.
        if self.timers.push(timer, deadline) {
            return Ok(());
        }
        self.timer_move(timer, deadline)
    }

    #[inline(never)]
    fn timer_move(&mut self, timer: Token, deadline: Instant) -> Result<()> {
        self.timers.again(timer, deadline)?;
        self.on_change();
        Ok(())
    }

    #[inline]
    pub(crate) fn timer_stop(&mut self, timer: Token) -> Result<()> {
        self.timers.stop(timer)
    }

    pub(crate) fn timer_remaining(&mut self, timer: Token) -> Result<Duration> {
        let deadline = self.timers.deadline(timer)?;
        if deadline == Instant::NEVER {
            return Ok(Duration::FOREVER);
        }
        Ok(deadline - self.backend.now())
    }

    pub(crate) fn timer_slack(&mut self, timer: Token, slack: Duration) -> Result<()> {
        self.timers.set_slack(timer, slack)?;
        self.on_change();
        Ok(())
    }

    pub(crate) fn timer_reference(&mut self, timer: Token, holds: bool) -> Result<()> {
        self.timers.set_ref(timer, holds).map(drop)
    }

    #[inline]
    pub(crate) fn task_post(&mut self, callback: Callback) -> Result<Token> {
        let token = self.tasks.push(callback)?;
        self.on_change();
        Ok(token)
    }

    #[inline]
    pub(crate) fn task_cancel(&mut self, task: Token) -> Result<()> {
        self.tasks.cancel(task)
    }

    /// Returns the handle of the task that a dispatch has just returned.
    pub(crate) fn last_task(&self) -> Token {
        self.tasks.popped()
    }

    /// Removes and returns one task or post that has not run. Closes the queues, so that no more
    /// are added.
    pub(crate) fn task_reclaim(&mut self) -> Option<Callback> {
        self.shared.close();
        let task = if self.is_dispatching() {
            self.tasks.take_in_place()
        } else {
            self.tasks.take()
        };
        task.or_else(|| self.shared.take_here())
    }

    /// True if the live watcher `io` is the handler of a raised bit.
    pub(crate) fn is_raise_handler(&self, io: Token) -> bool {
        self.watchers
            .slab
            .get(io.slot)
            .is_some_and(|watcher| watcher.fd < 0)
    }

    pub(crate) fn raise_add(
        &mut self,
        bit: u32,
        options: Interest,
        callback: Callback,
    ) -> Result<Token> {
        let allowed = Interest::HIGH | Interest::LOW | Interest::UNREF;
        if bit > 63
            || !allowed.contains(options)
            || options.contains(Interest::HIGH | Interest::LOW)
        {
            return Err(Error::EINVAL);
        }
        if self.raised.handled_bits & (1 << bit) != 0 {
            return Err(Error::EEXIST);
        }
        self.watchers.make_room();
        let fd = -1 - bit as i32;
        let position = Position::Head(self.watchers.bucket(fd));
        let interest = Interest::READ | options;
        let (io, _) = self.watchers.insert(position, fd, interest, callback)?;
        self.raised.handled_bits |= 1 << bit;
        self.raised.next = Some(|reactor| reactor.next_raised());
        // The bit may be raised already.
        self.on_change();
        Ok(io)
    }
}
