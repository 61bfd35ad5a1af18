#![expect(
    unsafe_code,
    reason = "callbacks are kept as addresses and told as the functions they were"
)]
//! The state of the watchers, timers and tasks of a loop: to find out why a run does not end, to
//! print a table of timers, for tests.

use core::mem::transmute;

use super::callback::{NoHost, Repeat};
use super::raw::{OnIo, OnTask, OnTimer, RawCore};
use crate::error::Result;
use crate::host::Host;
use crate::reactor::Live;
use crate::ready::Interest;
use crate::time::{Duration, Instant};
use crate::timers::{FIXED_DELAY, SKIP_MISSED, UNREFERENCED};
use crate::token::{Io, Task, Timer};
use crate::watchers::Hook;

/// The state of a watcher, the handler of a raised bit, or a hook, as returned by
/// [`RawCore::io_info`].
#[non_exhaustive]
pub struct IoInfo<H: Host = NoHost> {
    /// The handle.
    pub io: Io,
    /// The fd; for the handler of a raised bit, the bit; for a hook, when it is called.
    pub fd: i32,
    /// True for the handler of a raised bit.
    pub is_raise_handler: bool,
    /// When the hook is called; `None` if it is no hook.
    pub hook: Option<Hook>,
    /// The present interest and the options. Has [`Interest::UNREF`] if it does not keep a run
    /// going.
    pub interest: Interest,
    /// The callback. If it was added to a [`Core`](crate::Core), this is not the function that was
    /// passed, but the one that calls it with the context.
    pub callback: OnIo<H>,
    /// The word given with the callback.
    pub user: *mut (),
}

/// The state of a timer, as returned by [`RawCore::timer_info`].
#[non_exhaustive]
pub struct TimerInfo<H: Host = NoHost> {
    /// The handle.
    pub timer: Timer,
    /// When the timer is due next, on the loop's clock, slack included.
    pub deadline: Instant,
    /// Whether and how the timer repeats.
    pub repeat: Repeat,
    /// How late the timer may be: the largest power of two that is not above the slack set by the
    /// program.
    pub slack: Duration,
    /// True if the timer keeps a run going.
    pub is_referenced: bool,
    /// The callback, as [`IoInfo::callback`].
    pub callback: OnTimer<H>,
    /// The word given with the callback.
    pub user: *mut (),
}

/// The state of a queued task, as returned by [`RawCore::task_info`].
#[non_exhaustive]
pub struct TaskInfo<H: Host = NoHost> {
    /// The handle.
    pub task: Task,
    /// The callback, as [`IoInfo::callback`].
    pub callback: OnTask<H>,
    /// The word given with the callback.
    pub user: *mut (),
}

/// A live item of a loop, as returned by [`RawCore::next_info`].
#[non_exhaustive]
pub enum Info<H: Host = NoHost> {
    /// A timer.
    Timer(TimerInfo<H>),
    /// A watcher, the handler of a raised bit, or a hook.
    Io(IoInfo<H>),
    /// A queued task.
    Task(TaskInfo<H>),
}

impl<H: Host> RawCore<'_, H> {
    /// Return the state of a watcher, the handler of a raised bit, or a hook. Also use this to find
    /// out whether a handle is live.
    ///
    /// # Errors
    ///
    /// [`Error::ENOENT`](crate::Error::ENOENT): stale handle.
    pub fn io_info(&self, io: Io) -> Result<IoInfo<H>> {
        let info = self.reactor.io_info(io.0)?;
        Ok(IoInfo {
            io,
            fd: info.fd,
            is_raise_handler: info.is_raise_handler,
            hook: info.hook,
            interest: info.interest,
            // SAFETY: every callback of a watcher was made from an `OnIo<H>`.
            callback: unsafe { transmute::<*mut (), OnIo<H>>(info.callback.function.as_ptr()) },
            user: info.callback.user,
        })
    }

    /// Return the state of a timer. Also use this to find out whether a handle is live.
    ///
    /// # Errors
    ///
    /// [`Error::ENOENT`](crate::Error::ENOENT): stale handle.
    pub fn timer_info(&self, timer: Timer) -> Result<TimerInfo<H>> {
        let info = self.reactor.timer_info(timer.0)?;
        Ok(TimerInfo {
            timer,
            deadline: info.deadline,
            repeat: match info.period {
                Duration::ZERO => Repeat::Never,
                period if info.flags & FIXED_DELAY != 0 => Repeat::FixedDelay(period),
                period if info.flags & SKIP_MISSED != 0 => Repeat::SkipMissed(period),
                period => Repeat::FixedRate(period),
            },
            slack: info.slack,
            is_referenced: info.flags & UNREFERENCED == 0,
            // SAFETY: every callback of a timer was made from an `OnTimer<H>`.
            callback: unsafe { transmute::<*mut (), OnTimer<H>>(info.callback.function.as_ptr()) },
            user: info.callback.user,
        })
    }

    /// Return the state of a queued task. Also use this to find out whether a handle is live.
    ///
    /// # Errors
    ///
    /// [`Error::ENOENT`](crate::Error::ENOENT): the task has run, is running, or was cancelled.
    pub fn task_info(&self, task: Task) -> Result<TaskInfo<H>> {
        let callback = self.reactor.task_info(task.0)?;
        Ok(TaskInfo {
            task,
            // SAFETY: every callback of a task was made from an `OnTask<H>`.
            callback: unsafe { transmute::<*mut (), OnTask<H>>(callback.function.as_ptr()) },
            user: callback.user,
        })
    }

    /// Return the first live item of the loop, or the one behind `after`: timers, then watchers,
    /// handlers of raised bits and hooks, then tasks in their order. `None` at the end. Posts from
    /// other threads have no handle and are not returned; [`Stats`](crate::Stats) counts them.
    ///
    /// The loop may change between two calls: an item that is live during the whole walk is
    /// returned exactly once, and `after` may have been removed.
    ///
    /// ```
    /// use pirn::{Config, Info, Interest, Loop, Storage};
    ///
    /// /// Why does run not return?
    /// fn print<C>(event_loop: &Loop<'_, C>) {
    ///     let mut next = event_loop.next_info(None);
    ///     while let Some(info) = next {
    ///         match &info {
    ///             Info::Timer(info) if info.is_referenced => {
    ///                 println!("timer at {:?}", info.deadline);
    ///             }
    ///             Info::Io(info) if !info.interest.contains(Interest::UNREF) => {
    ///                 println!("fd or bit {}, {:?}", info.fd, info.interest);
    ///             }
    ///             Info::Task(info) => println!("task of {:?}", info.user),
    ///             _ => {}
    ///         }
    ///         next = event_loop.next_info(Some(&info));
    ///     }
    ///     let stats = event_loop.stats();
    ///     println!("{} holds, {} posts", stats.holds, stats.remote_used);
    /// }
    ///
    /// let mut storage = Storage::<1, 1, 1>::new();
    /// let mut event_loop = Loop::new(&mut storage, Config::default())?;
    /// event_loop.task_post(|_, (), _: usize| {}, 0)?;
    /// print(&event_loop);
    /// # Ok::<(), pirn::Error>(())
    /// ```
    #[must_use]
    pub fn next_info(&self, after: Option<&Info<H>>) -> Option<Info<H>> {
        let after = after.map(|info| match info {
            Info::Timer(info) => Live::Timer(info.timer.0),
            Info::Io(info) => Live::Io(info.io.0),
            Info::Task(info) => Live::Task(info.task.0),
        });
        match self.reactor.next_live(after)? {
            Live::Timer(timer) => self.timer_info(Timer(timer)).map(Info::Timer).ok(),
            Live::Io(io) => self.io_info(Io(io)).map(Info::Io).ok(),
            Live::Task(task) => self.task_info(Task(task)).map(Info::Task).ok(),
        }
    }
}
