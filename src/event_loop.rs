#![expect(
    unsafe_code,
    reason = "callbacks are kept as addresses and called as the functions they were"
)]
//! The loop as Rust programs see it: the reactor, and the calls that it asks for.
//!
//! Callbacks are plain functions over a context of the user's. They get the loop, the context and what happened; nothing of the loop is
//! borrowed while they run, so that they may do with it what they like.

mod callback;
mod due;
mod remote;

pub use callback::{IoEvent, NoHost, OnIo, OnTask, OnTimer, Repeat, TimerEvent, When};
pub use due::Due;
pub use remote::Remote;

use core::marker::PhantomData;
use core::mem::transmute;

use callback::target;

use crate::backend::{Backend, Capabilities, Kind};
use crate::drive::{self, Calls};
use crate::error::{Error, Result};
use crate::host::Host;
use crate::platform::{Platform, PlatformWaker};
use crate::reactor::{Ended, FiredIo, Limit, Reactor};
use crate::ready::{Interest, Ready};
use crate::remote::Shared;
use crate::stats::Stats;
use crate::storage::Memory;
use crate::target::Target;
use crate::time::{FOREVER, Nanos};
use crate::timers::{FIXED_DELAY, Fired, SKIP_MISSED};
use crate::token::{Io, Task, Timer};

/// How a loop is to be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Config {
    /// Which backend; the default is the best that works here.
    pub backend: Kind,
    /// Read the clock around every callback, for [`Stats::longest_callback_ns`].
    pub measure: bool,
    /// Where the generations of handles begin: with the same seed a loop gives out the same
    /// handles, so that a run can be repeated. Handles of two loops with the same seed are taken
    /// for each other. 0, the default: chosen by the address of the storage, how often it was used,
    /// and the clock. For a host whose clock stands still give each loop a seed of its own.
    pub seed: u32,
}

/// An event loop over a context `C` of the user's.
///
/// It lives on the stack or wherever it is put, and works on the memory of a [`Storage`](crate::Storage). Dropping it closes its own fds and
/// forgets watchers, timers and tasks; what [`task_reclaim`](Loop::task_reclaim) did not take back is lost then.
///
/// ```
/// use pirn::{Config, Ended, Loop, Repeat, Storage, TimerEvent, When};
///
/// fn on_tick(event_loop: &mut Loop<'_, u32>, ticks: &mut u32, event: TimerEvent) {
///     *ticks += 1;
///     if *ticks == 3 {
///         event_loop.timer_stop(event.timer).unwrap();
///     }
/// }
///
/// let mut storage = Storage::<8, 4, 4>::new();
/// let mut event_loop = Loop::new(&mut storage, Config::default())?;
/// event_loop.timer_start(When::After(1_000_000), Repeat::FixedRate(1_000_000), on_tick, 0)?;
///
/// let mut ticks = 0;
/// assert_eq!(event_loop.run(&mut ticks)?, Ended::Done);
/// assert_eq!(ticks, 3);
/// # Ok::<(), pirn::Error>(())
/// ```
pub struct Loop<'s, C, H: Host = NoHost> {
    reactor: Reactor<'s, Platform<'s, H>>,
    shared: &'s Shared<'s, PlatformWaker<H::Waker>>,
    is_running: bool,
    context: PhantomData<fn(&mut C)>,
}

impl<'s, C> Loop<'s, C> {
    /// Makes a loop on a backend of the operating system.
    ///
    /// # Errors
    ///
    /// [`Error::EOPNOTSUPP`] if this build has no such backend, [`Error::EINVAL`] for [`Kind::Host`] (see [`with_host`](Self::with_host)),
    /// [`Error::ERANGE`] for select if the low fds are in use, or what the kernel says.
    pub fn new(memory: impl Into<Memory<'s>>, config: Config) -> Result<Self> {
        if config.backend == Kind::Host {
            return Err(Error::EINVAL);
        }
        Self::make(memory.into(), config, |area| {
            Platform::open(config.backend, area)
        })
    }
}

impl<'s, C, H: Host> Loop<'s, C, H> {
    /// Make a loop whose clock, wait and readiness come from `host`. The backend of `config` is
    /// [`Kind::Host`] or left at its default.
    ///
    /// # Errors
    ///
    /// [`Error::EOPNOTSUPP`] if this build was made without the host backend. [`Error::EINVAL`] if
    /// `config` names another backend, or the memory is too small.
    pub fn with_host(memory: impl Into<Memory<'s>>, host: H, config: Config) -> Result<Self> {
        if !matches!(config.backend, Kind::Auto | Kind::Host) {
            return Err(Error::EINVAL);
        }
        Self::make(memory.into(), config, |area| Platform::host(host, area))
    }

    fn make(
        memory: Memory<'s>,
        config: Config,
        open: impl FnOnce(&'s mut [u64]) -> Result<Platform<'s, H>>,
    ) -> Result<Self> {
        let mut cut = memory.cut().ok_or(Error::EINVAL)?;
        let backend = open(cut.take_area())?;
        let parts = cut.finish(backend.waker());
        let shared = parts.shared;
        Ok(Loop {
            reactor: Reactor::new(backend, parts, config.measure, config.seed),
            shared,
            is_running: false,
            context: PhantomData,
        })
    }

    // ---- I/O ----

    /// Watches an fd. It stays the caller's; remove its watchers before it is closed, or say [`fd_closing`](Self::fd_closing).
    ///
    /// # Errors
    ///
    /// [`Error::EBADF`]: not open, or opened with `O_PATH`. [`Error::ENOSPC`]: all I/O slots are in use. [`Error::EINVAL`]: bits that exclude each other, the loop's own
    /// fd, or options that differ from those of another watcher of the fd. [`Error::EOPNOTSUPP`]: the backend lacks the option.
    /// [`Error::EPERM`]: edge triggered or exclusive on a file that is always ready. [`Error::ERANGE`]: beyond select's range.
    /// [`Error::ECHILD`]: a copy made by fork.
    pub fn io_add(
        &mut self,
        fd: i32,
        interest: Interest,
        callback: OnIo<C, H>,
        user: usize,
    ) -> Result<Io> {
        self.reactor
            .io_add(fd, interest, target(callback as *mut (), user))
            .map(Io)
    }

    /// Changes what a watcher waits for; an empty interest pauses it. Reaches the kernel before the next wait, if it makes a
    /// difference then.
    ///
    /// # Errors
    ///
    /// [`Error::ENOENT`]: stale handle. [`Error::EINVAL`]: options among the interest, or a raise handler.
    pub fn io_modify(&mut self, io: Io, interest: Interest) -> Result<()> {
        self.reactor.io_modify(io.0, interest.bits())
    }

    /// Removes a watcher or a raise handler: its callback will not run again.
    ///
    /// # Errors
    ///
    /// [`Error::ENOENT`]: stale handle. [`Error::ECHILD`]: a copy made by fork.
    pub fn io_remove(&mut self, io: Io) -> Result<()> {
        self.reactor.io_remove(io.0)
    }

    /// Says whether a watcher keeps [`run`](Self::run) going; it does by default.
    ///
    /// # Errors
    ///
    /// [`Error::ENOENT`]: stale handle.
    pub fn io_set_reference(&mut self, io: Io, holds: bool) -> Result<()> {
        self.reactor.io_reference(io.0, holds)
    }

    /// Reports readiness to a watcher in the next dispatch, as if the kernel had.
    ///
    /// # Errors
    ///
    /// [`Error::ENOENT`]: stale handle. [`Error::EINVAL`]: nothing to report, [`Ready::INVALID`], or a raise handler.
    pub fn io_feed(&mut self, io: Io, ready: Ready) -> Result<()> {
        self.reactor.io_feed(io.0, ready.bits())
    }

    /// Removes all watchers of an fd that is about to be closed, and returns how many there were.
    ///
    /// # Errors
    ///
    /// [`Error::EBADF`]: negative. [`Error::ECHILD`]: a copy made by fork.
    pub fn fd_closing(&mut self, fd: i32) -> Result<u32> {
        self.reactor.fd_closing(fd)
    }

    /// Has a callback run when a bit from 0 to 63 is raised. `options`: `HIGH`, `LOW`, `UNREF`. Takes an I/O slot.
    ///
    /// # Errors
    ///
    /// [`Error::EINVAL`]: no such bit, other options. [`Error::EEXIST`]: it has a handler. [`Error::ENOSPC`]: all I/O slots are in use.
    pub fn raise_add(
        &mut self,
        bit: u32,
        options: Interest,
        callback: OnIo<C, H>,
        user: usize,
    ) -> Result<Io> {
        self.reactor
            .raise_add(bit, options, target(callback as *mut (), user))
            .map(Io)
    }

    // ---- timers ----

    /// Starts a timer. It never fires early, nor in the turn in which it was started.
    ///
    /// # Errors
    ///
    /// [`Error::ENOSPC`]: all timer slots are in use. [`Error::EINVAL`]: a period of 0.
    pub fn timer_start(
        &mut self,
        when: When,
        repeat: Repeat,
        callback: OnTimer<C, H>,
        user: usize,
    ) -> Result<Timer> {
        let deadline = match when {
            When::After(delay) => self.reactor.clock().saturating_add(delay),
            When::AfterNow(delay) => self.reactor.now().saturating_add(delay),
            When::At(deadline) => deadline,
        };
        let (period, flags) = match repeat {
            Repeat::Never => (0, 0),
            Repeat::FixedRate(0) | Repeat::FixedDelay(0) | Repeat::Skip(0) => {
                return Err(Error::EINVAL);
            }
            Repeat::FixedRate(period) => (period, 0),
            Repeat::FixedDelay(period) => (period, FIXED_DELAY),
            Repeat::Skip(period) => (period, SKIP_MISSED),
        };
        self.reactor
            .timer_start(deadline, period, flags, target(callback as *mut (), user))
            .map(Timer)
    }

    /// As [`timer_start`](Self::timer_start), for a timer that does not keep [`run`](Self::run) going.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn timer_start_unreferenced(
        &mut self,
        when: When,
        repeat: Repeat,
        callback: OnTimer<C, H>,
        user: usize,
    ) -> Result<Timer> {
        let timer = self.timer_start(when, repeat, callback, user)?;
        self.timer_set_reference(timer, false)?;
        Ok(timer)
    }

    /// Pushes a timer's deadline to `delay` after the turn's time. A few nanoseconds if that is later than before.
    ///
    /// # Errors
    ///
    /// [`Error::ENOENT`]: stale handle.
    pub fn timer_again(&mut self, timer: Timer, delay: Nanos) -> Result<()> {
        self.reactor.timer_again(timer.0, delay)
    }

    /// Stops a timer: its callback will not run again.
    ///
    /// # Errors
    ///
    /// [`Error::ENOENT`]: stale handle.
    pub fn timer_stop(&mut self, timer: Timer) -> Result<()> {
        self.reactor.timer_stop(timer.0)
    }

    /// How long a timer still has, from a fresh reading of the clock; 0 if it is due.
    ///
    /// # Errors
    ///
    /// [`Error::ENOENT`]: stale handle.
    pub fn timer_remaining(&mut self, timer: Timer) -> Result<Nanos> {
        self.reactor.timer_remaining(timer.0)
    }

    /// Lets a timer be late by at most `slack`, so that it can fire together with others.
    ///
    /// # Errors
    ///
    /// [`Error::ENOENT`]: stale handle.
    pub fn timer_slack(&mut self, timer: Timer, slack: Nanos) -> Result<()> {
        self.reactor.timer_slack(timer.0, slack)
    }

    /// Says whether a timer keeps [`run`](Self::run) going; it does by default.
    ///
    /// # Errors
    ///
    /// [`Error::ENOENT`]: stale handle.
    pub fn timer_set_reference(&mut self, timer: Timer, holds: bool) -> Result<()> {
        self.reactor.timer_reference(timer.0, holds)
    }

    // ---- tasks ----

    /// Queues a callback for the next turn.
    ///
    /// # Errors
    ///
    /// [`Error::EAGAIN`]: the queue is full.
    pub fn task_post(&mut self, callback: OnTask<C, H>, user: usize) -> Result<Task> {
        self.reactor
            .task_post(target(callback as *mut (), user))
            .map(Task)
    }

    /// Takes a queued task back.
    ///
    /// # Errors
    ///
    /// [`Error::ENOENT`]: it has run, is running, or was cancelled.
    pub fn task_cancel(&mut self, task: Task) -> Result<()> {
        self.reactor.task_cancel(task.0)
    }

    /// Hands back one accepted post that has not run, until there are none left. Closes the queues to [`Remote`]s.
    pub fn task_reclaim(&mut self) -> Option<(OnTask<C, H>, usize)> {
        let target = self.reactor.task_reclaim()?;
        // SAFETY: every target of a task was made from an `OnTask<C, H>`, here or in `Remote<C, H>::post`.
        let callback = unsafe { transmute::<*mut (), OnTask<C, H>>(target.callback.as_ptr()) };
        Some((callback, target.user.addr()))
    }

    /// A handle for other threads and signal handlers. It may outlive the loop; its calls are then refused.
    #[must_use]
    pub fn remote(&self) -> Remote<'s, C, H> {
        Remote {
            shared: self.shared,
            context: PhantomData,
        }
    }

    // ---- running ----

    /// Runs until stopped, or until nothing keeps the loop going.
    ///
    /// # Errors
    ///
    /// [`Error::EBUSY`]: inside a callback. [`Error::ECHILD`]: a copy made by fork. Else what the kernel said to the wait.
    pub fn run(&mut self, context: &mut C) -> Result<Ended> {
        self.run_until(FOREVER, context)
    }

    /// Runs, but not beyond `deadline` on the loop's clock.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn run_until(&mut self, deadline: Nanos, context: &mut C) -> Result<Ended> {
        self.enter(|this| drive::run(&mut Face { this, context }, deadline))
    }

    /// Makes one turn: waits at most `timeout`, and returns how many callbacks ran.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn turn(&mut self, timeout: Nanos, context: &mut C) -> Result<u32> {
        self.enter(|this| {
            this.reactor.check_fork()?;
            drive::turn(&mut Face { this, context }, timeout)
        })
    }

    /// First part of a turn: brings the kernel up to date and says how long may be waited, at most `limit`.
    ///
    /// # Errors
    ///
    /// [`Error::EBUSY`]: inside a callback. [`Error::ECHILD`]: a copy made by fork.
    pub fn prepare(&mut self, limit: Nanos) -> Result<Nanos> {
        self.enter(|this| {
            this.reactor.check_fork()?;
            this.reactor.prepare_foreign(limit)
        })
    }

    /// Second part of a turn: waits and fetches, and returns how many sources are ready.
    ///
    /// # Errors
    ///
    /// [`Error::EBUSY`]: inside a callback. Else what the kernel said.
    pub fn wait(&mut self, timeout: Nanos) -> Result<usize> {
        self.enter(|this| {
            this.reactor
                .wait_foreign(timeout)
                .map(|found| found as usize)
        })
    }

    /// Third part of a turn: calls what is due, and returns how many callbacks ran.
    ///
    /// # Errors
    ///
    /// [`Error::EBUSY`]: inside a callback.
    pub fn dispatch(&mut self, context: &mut C) -> Result<u32> {
        self.enter(|this| Ok(drive::dispatch(&mut Face { this, context })))
    }

    /// What [`run`](Self::run) would ask before each turn: how it would end now, or `None` if it
    /// would go on. For programs that make their turns themselves. Consumes a stop that was asked
    /// for.
    ///
    /// # Errors
    ///
    /// [`Error::EBUSY`]: inside a callback.
    pub fn ended(&mut self) -> Result<Option<Ended>> {
        self.enter(|this| Ok(this.reactor.ended(FOREVER)))
    }

    fn enter<T>(&mut self, inside: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.is_running {
            return Err(Error::EBUSY);
        }
        self.is_running = true;
        let running = Running(self);
        inside(running.0)
    }

    /// Limits what one turn may do. What is left over is served by the next turns before anything new is fetched.
    pub fn set_limit(&mut self, limit: Limit) {
        self.reactor.set_limit(limit);
    }

    /// Keeps [`run`](Self::run) going although nothing else may do so.
    ///
    /// # Errors
    ///
    /// [`Error::ENOSPC`]: held 2^32 - 1 times.
    pub fn hold(&mut self) -> Result<()> {
        self.reactor.hold()
    }

    /// Undoes one [`hold`](Self::hold).
    ///
    /// # Errors
    ///
    /// [`Error::EINVAL`]: it is not held.
    pub fn release(&mut self) -> Result<()> {
        self.reactor.release()
    }

    /// In a child process: makes the copy that fork made a loop of its own.
    ///
    /// # Errors
    ///
    /// [`Error::EBUSY`]: inside a callback. Else what the kernel said.
    pub fn after_fork(&mut self) -> Result<()> {
        self.enter(|this| this.reactor.after_fork())
    }

    // ---- asking ----

    /// The turn's time.
    pub fn now(&mut self) -> Nanos {
        self.reactor.now()
    }

    /// Reads the clock into the turn's time.
    pub fn update(&mut self) -> Nanos {
        self.reactor.update()
    }

    /// The deadline of the timer that is due next, or [`FOREVER`].
    #[must_use]
    pub fn next_deadline(&self) -> Nanos {
        self.reactor.next_deadline()
    }

    /// The fd that is readable whenever the loop has something to do, due timers included.
    ///
    /// # Errors
    ///
    /// [`Error::EOPNOTSUPP`]: only the epoll backend has one. Else what the kernel said.
    pub fn pollable_fd(&mut self) -> Result<i32> {
        self.reactor.pollable_fd()
    }

    /// Which backend runs.
    #[must_use]
    pub fn backend(&self) -> Kind {
        self.reactor.backend.kind()
    }

    /// What it can do beyond the common ground.
    #[must_use]
    pub fn capabilities(&self) -> Capabilities {
        self.reactor.backend.capabilities()
    }

    /// What the loop has counted.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.reactor.stats()
    }

    /// Checks every internal structure against itself.
    ///
    /// # Errors
    ///
    /// [`Error::EUCLEAN`]: something contradicts itself.
    pub fn verify(&self) -> Result<()> {
        self.reactor.verify()
    }
}

/// A loop and the context its callbacks get.
struct Face<'f, 's, C, H: Host> {
    this: &'f mut Loop<'s, C, H>,
    context: &'f mut C,
}

impl<'s, C, H: Host> Calls<'s> for Face<'_, 's, C, H> {
    type Backend = Platform<'s, H>;

    fn reactor(&mut self) -> &mut Reactor<'s, Platform<'s, H>> {
        &mut self.this.reactor
    }

    fn call_timer(&mut self, fired: Fired) {
        // SAFETY: every target of a timer was made from an `OnTimer<C, H>`, in `timer_start`.
        let callback =
            unsafe { transmute::<*mut (), OnTimer<C, H>>(fired.target.callback.as_ptr()) };
        let event = TimerEvent {
            timer: Timer(fired.token),
            missed: fired.missed,
            user: fired.target.user.addr(),
        };
        callback(self.this, self.context, event);
    }

    fn call_io(&mut self, fired: FiredIo) {
        // SAFETY: every target of a watcher was made from an `OnIo<C, H>`, in `io_add` or `raise_add`.
        let callback = unsafe { transmute::<*mut (), OnIo<C, H>>(fired.target.callback.as_ptr()) };
        let ready = Ready::from_bits_truncate(fired.ready);
        callback(
            self.this,
            self.context,
            IoEvent {
                io: Io(fired.io),
                fd: fired.fd,
                ready,
                user: fired.target.user.addr(),
            },
        );
    }

    fn call_task(&mut self, target: Target) {
        // SAFETY: every target of a task was made from an `OnTask<C, H>`, in `task_post` or `Remote::post`.
        let callback = unsafe { transmute::<*mut (), OnTask<C, H>>(target.callback.as_ptr()) };
        callback(self.this, self.context, target.user.addr());
    }
}

/// Keeps everyone else out until it is dropped, be it by a callback that panics: what that one left undone is done in the next turn.
struct Running<'l, 's, C, H: Host>(&'l mut Loop<'s, C, H>);

impl<C, H: Host> Drop for Running<'_, '_, C, H> {
    fn drop(&mut self) {
        self.0.is_running = false;
    }
}

impl<C, H: Host> Drop for Loop<'_, C, H> {
    /// Closes the queues. Waits for a thread that is just writing to the wake-up fd: one system call of that thread's.
    fn drop(&mut self) {
        self.shared.close();
        while self.shared.retire().is_err() {
            core::hint::spin_loop();
        }
    }
}
