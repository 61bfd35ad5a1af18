//! What is alive in a loop, for those who ask; and other callbacks for it.

use super::Reactor;
use crate::backend::Backend;
use crate::callback::Callback;
use crate::error::Result;
use crate::ready::Interest;
use crate::time::{Duration, Instant};
use crate::token::Token;
use crate::watchers::Hook;

/// What a walk over all that is alive comes by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Live {
    Timer(Token),
    Io(Token),
    Task(Token),
}

/// What a watcher is.
pub(crate) struct IoInfo {
    /// Of a raise handler, the bit; of a hook, when it is called.
    pub(crate) fd: i32,
    pub(crate) is_raise_handler: bool,
    pub(crate) hook: Option<Hook>,
    /// Its options included.
    pub(crate) interest: Interest,
    pub(crate) callback: Callback,
}

/// What a timer is.
pub(crate) struct TimerInfo {
    /// With its slack.
    pub(crate) deadline: Instant,
    /// 0: a one-shot.
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
        let slot = self.timers.get(timer)?;
        Ok(TimerInfo {
            deadline: slot.effective(),
            period: slot.period,
            slack: slot.slack(),
            flags: slot.flags,
            callback: slot.callback,
        })
    }

    pub(crate) fn task_info(&self, task: Token) -> Result<Callback> {
        self.tasks.get(task)
    }

    /// The first of all that is alive, or the one behind `after`, which need not live any more.
    /// What lives all the while is come by once.
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

    /// Gives a watcher another callback and user data, for what was found for it already too.
    pub(crate) fn io_set_callback(&mut self, io: Token, callback: Callback) -> Result<()> {
        self.watchers.slab.check_mut(io)?.callback = callback;
        Ok(())
    }

    /// The same for a timer, which may be due already.
    pub(crate) fn timer_set_callback(&mut self, timer: Token, callback: Callback) -> Result<()> {
        self.timers.set_callback(timer, callback)
    }
}
