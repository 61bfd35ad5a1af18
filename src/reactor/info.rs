//! The state of watchers, timers and tasks, and the replacement of their callbacks.

use super::Reactor;
use crate::backend::Backend;
use crate::callback::Callback;
use crate::error::Result;
use crate::ready::Interest;
use crate::time::{Duration, Instant};
use crate::token::Token;
use crate::watchers::Hook;

/// An item that a walk over all live items returns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Live {
    Timer(Token),
    Io(Token),
    Task(Token),
}

/// The state of a watcher.
pub(crate) struct IoInfo {
    /// The fd; for the handler of a raised bit, the bit; for a hook, when it is called.
    pub(crate) fd: i32,
    pub(crate) is_raise_handler: bool,
    pub(crate) hook: Option<Hook>,
    /// The interest and the options.
    pub(crate) interest: Interest,
    pub(crate) callback: Callback,
}

/// The state of a timer.
pub(crate) struct TimerInfo {
    /// The next deadline, slack included.
    pub(crate) deadline: Instant,
    /// 0 for a one-shot timer.
    pub(crate) period: Duration,
    pub(crate) slack: Duration,
    /// `FIXED_DELAY` and so on.
    pub(crate) flags: u8,
    pub(crate) callback: Callback,
}

impl<B: Backend> Reactor<'_, B> {
    pub(crate) fn io_info(&self, io: Token) -> Result<IoInfo> {
        let watcher = self.watchers.slab.check(io)?;
        let hook = watcher.hook();
        let is_raise_handler = watcher.fd < 0 && hook.is_none();
        Ok(IoInfo {
            fd: match hook {
                Some(when) => when as i32,
                None if is_raise_handler => -1 - watcher.fd,
                None => watcher.fd,
            },
            is_raise_handler,
            hook,
            interest: watcher.asked(),
            callback: watcher.callback,
        })
    }

    pub(crate) fn timer_info(&self, timer: Token) -> Result<TimerInfo> {
        let (slot, details) = self.timers.get(timer)?;
        Ok(TimerInfo {
            deadline: slot.effective(),
            period: details.period,
            slack: slot.slack(),
            flags: slot.flags,
            callback: details.callback,
        })
    }

    pub(crate) fn task_info(&self, task: Token) -> Result<Callback> {
        self.tasks.get(task)
    }

    /// Returns the first live item, or the one behind `after`, which may have been removed. A walk
    /// returns every item once that is live during the whole walk.
    pub(crate) fn next_live(&self, after: Option<Live>) -> Option<Live> {
        const END: u32 = u32::MAX;
        let (timer, io, task) = match after {
            None => (0, 0, None),
            Some(Live::Timer(timer)) => (timer.slot.saturating_add(1), 0, None),
            Some(Live::Io(io)) => (END, io.slot.saturating_add(1), None),
            Some(Live::Task(task)) => (END, END, Some(task)),
        };
        let timer = self.timers.in_use_from(timer).map(Live::Timer);
        timer
            .or_else(|| self.watchers.slab.in_use_from(io).map(Live::Io))
            .or_else(|| self.tasks.next_live(task).map(Live::Task))
    }

    /// Replaces the callback and the user data of a watcher, also for events that were already
    /// found.
    pub(crate) fn io_set_callback(&mut self, io: Token, callback: Callback) -> Result<()> {
        self.watchers.slab.check_mut(io)?.callback = callback;
        Ok(())
    }

    /// Replaces the callback and the user data of a timer, which may already be due.
    pub(crate) fn timer_set_callback(&mut self, timer: Token, callback: Callback) -> Result<()> {
        self.timers.set_callback(timer, callback)
    }
}
