//! The loop as Rust programs see it: the reactor, and the calls that it asks for.
//!
//! [`Loop`] is owned by the application and runs. What callbacks receive is a [`Core`], which is
//! all of a loop but running it, and has no size, so that two of them cannot be swapped. Below it
//! stands [`RawCore`], which knows functions and words alone.

mod callback;
mod due;
mod info;
mod raw;
mod remote;
#[cfg(all(test, not(loom), feature = "host"))]
mod tests;
mod typed;
mod word;

pub use callback::{IoEvent, NoHost, Repeat, TimerEvent, When};
pub use due::{Due, Event};
pub use info::{Info, IoInfo, TaskInfo, TimerInfo};
pub use raw::{OnIo, OnTask, OnTimer, RawCore};
pub use remote::{RawRemote, Remote};
pub use typed::Core;
pub use word::Word;

use core::ops::{Deref, DerefMut};

use crate::any::AnyBackend;
use crate::backend::{Backend, BackendKind, Clock};
use crate::error::{Error, Result};
use crate::host::Host;
use crate::reactor::Ended;
use crate::reactor::turn;
use crate::storage::Memory;
use crate::time::{Duration, Instant};

/// How a loop is to be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Config {
    /// Which backend; the default is the best that works here.
    pub backend: BackendKind,
    /// Read the clock around every callback, for
    /// [`Stats::longest_callback_ns`](crate::Stats::longest_callback_ns).
    pub measure: bool,
    /// True if the kernel is never asked whether this process is a copy that fork made: for
    /// programs that do not fork, or whose children call [`after_fork`](Loop::after_fork) before
    /// anything else with the loop, dropping included, or leave it alone. Saves a system call when
    /// a watcher is added or removed, in each turn, and when the loop is woken. In a child that
    /// breaks the rule the loop changes and uses the parent's kernel objects.
    pub no_fork_check: bool,
    /// Where the generations of handles begin: with the same seed a loop gives out the same
    /// handles, so that a run can be repeated. Handles of two loops with the same seed are taken
    /// for each other. 0, the default: chosen by the address of the storage, how often it was used,
    /// and the clock. For a host whose clock stands still give each loop a seed of its own.
    pub seed: u32,
}

/// An event loop over a context `C` of the user's.
///
/// It lives on the stack or wherever it is put, and works on the memory of a
/// [`Storage`](crate::Storage). It dereferences to [`Core`] and [`RawCore`], where the methods are
/// that callbacks may call too. Dropping it closes its own fds and forgets watchers, timers and
/// tasks; what [`task_reclaim`](Core::task_reclaim) did not take back is lost then.
///
/// ```
/// use pirn::{Config, Core, Duration, Ended, Loop, Repeat, Storage, TimerEvent, When};
///
/// const TICK: Duration = Duration::from_millis(1);
///
/// fn on_tick(core: &mut Core<'_, u32>, ticks: &mut u32, event: TimerEvent) {
///     *ticks += 1;
///     if *ticks == 3 {
///         core.timer_stop(event.timer).unwrap();
///     }
/// }
///
/// let mut storage = Storage::<8, 4, 4>::new();
/// let mut event_loop = Loop::new(&mut storage, Config::default())?;
/// event_loop.timer_start(When::After(TICK), Repeat::FixedRate(TICK), on_tick, 0)?;
///
/// let mut ticks = 0;
/// assert_eq!(event_loop.run(&mut ticks)?, Ended::Done);
/// assert_eq!(ticks, 3);
/// # Ok::<(), pirn::Error>(())
/// ```
pub struct Loop<'s, C, H: Host = NoHost> {
    core: Core<'s, C, H, [(); 0]>,
}

impl<'s, C> Loop<'s, C> {
    /// Make a loop on a backend of the operating system.
    ///
    /// # Errors
    ///
    /// [`Error::EOPNOTSUPP`] if this build has no such backend, [`Error::EINVAL`] for
    /// [`BackendKind::Host`] (see [`with_host`](Self::with_host)), [`Error::ERANGE`] for select if
    /// the low fds are in use, or what the kernel said.
    pub fn new(memory: impl Into<Memory<'s>>, config: Config) -> Result<Self> {
        if config.backend == BackendKind::Host {
            return Err(Error::EINVAL);
        }
        Self::make(memory.into(), config, |area| {
            AnyBackend::open(config.backend, area)
        })
    }
}

impl<'s, C, H: Host> Loop<'s, C, H> {
    /// Make a loop whose clock, wait and readiness come from `host`. The backend of `config` is
    /// [`BackendKind::Host`] or left at its default.
    ///
    /// # Errors
    ///
    /// [`Error::EOPNOTSUPP`] if this build was made without the host backend. [`Error::EINVAL`] if
    /// `config` names another backend, or the memory is too small.
    pub fn with_host(memory: impl Into<Memory<'s>>, host: H, config: Config) -> Result<Self> {
        if !matches!(config.backend, BackendKind::Auto | BackendKind::Host) {
            return Err(Error::EINVAL);
        }
        Self::make(memory.into(), config, |area| AnyBackend::host(host, area))
    }

    fn make(
        memory: Memory<'s>,
        config: Config,
        open: impl FnOnce(&'s mut [u64]) -> Result<AnyBackend<'s, H>>,
    ) -> Result<Self> {
        let mut divided = memory.divide().ok_or(Error::EINVAL)?;
        let backend = open(divided.take_area())?;
        let parts = divided.into_parts(backend.waker(!config.no_fork_check));
        let raw = RawCore::new(backend, parts, config.measure, config.seed);
        Ok(Loop {
            core: Core::new(raw),
        })
    }

    /// Run until stopped, or until nothing keeps the loop going.
    ///
    /// # Errors
    ///
    /// [`Error::ECHILD`]: a copy made by fork. Else what the kernel said to the wait.
    pub fn run(&mut self, context: &mut C) -> Result<Ended> {
        self.run_until(Instant::NEVER, context)
    }

    /// Run, but not beyond `deadline` on the loop's clock.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn run_until(&mut self, deadline: Instant, context: &mut C) -> Result<Ended> {
        self.with_context(context, |raw| turn::run(raw, deadline))
    }

    /// Make one turn: wait at most `timeout`, and return how many callbacks ran.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn turn(&mut self, timeout: Duration, context: &mut C) -> Result<u32> {
        self.with_context(context, |raw| turn::turn(raw, timeout))
    }

    /// First part of a turn: bring the kernel up to date and return how long may be waited, at most
    /// `limit`.
    ///
    /// # Errors
    ///
    /// [`Error::ECHILD`]: a copy made by fork.
    pub fn prepare(&mut self, limit: Duration) -> Result<Duration> {
        self.core.raw.reactor.prepare_foreign(limit)
    }

    /// Second part of a turn: wait and fetch, and return how many sources are ready.
    ///
    /// # Errors
    ///
    /// [`Error::ECHILD`]: a copy made by fork. Else what the kernel said.
    pub fn wait(&mut self, timeout: Duration) -> Result<usize> {
        let found = self.core.raw.reactor.wait_foreign(timeout)?;
        Ok(found as usize)
    }

    /// Third part of a turn: call what is due, and return how many callbacks ran.
    pub fn dispatch(&mut self, context: &mut C) -> u32 {
        self.with_context(context, turn::dispatch)
    }

    /// Return what [`run`](Self::run) would ask before each turn: how it would end now, or `None`
    /// if it would go on. For programs that make their turns themselves. Consumes a stop that was
    /// asked for.
    pub fn ended(&mut self) -> Option<Ended> {
        self.core.raw.reactor.ended(Instant::NEVER)
    }

    /// Move the tables of the loop to other memory, with all watchers, timers and tasks: it then
    /// has the capacities of that memory. Every handle stays what it is. The room for posts stays
    /// where it is, and as it was, because other threads may be posting.
    ///
    /// Fewer are possible if everything in use fits: every watcher and timer has a slot below the
    /// new number, and no more tasks are queued than there is room for.
    ///
    /// # Errors
    ///
    /// [`Error::EBUSY`] if something in use does not fit, or a turn is not finished: a limit has
    /// cut it short, or [`wait`](Self::wait) has found something that was not dispatched yet. Then
    /// nothing has changed.
    pub fn grow(&mut self, memory: impl Into<Memory<'s>>) -> Result<()> {
        let (tables, size) = memory.into().tables().ok_or(Error::ENOBUFS)?;
        let reactor = &mut self.core.raw.reactor;
        reactor.move_to(tables, |_, _| Ok(()))?;
        reactor.set_block_size(size);
        Ok(())
    }

    /// In a child process: make the copy that fork made a loop of its own.
    ///
    /// # Errors
    ///
    /// [`Error::EUCLEAN`]: another thread was changing the loop when the process forked. Else what
    /// the kernel said; call again.
    pub fn after_fork(&mut self) -> Result<()> {
        self.core.raw.reactor.after_fork()
    }

    fn with_context<T>(
        &mut self,
        context: &mut C,
        act: impl FnOnce(&mut RawCore<'s, H>) -> T,
    ) -> T {
        let context = (&raw mut *context).cast();
        let core: &mut Core<'s, C, H> = self;
        core.raw.with_context(context, act)
    }
}

impl<'s, C, H: Host> Deref for Loop<'s, C, H> {
    type Target = Core<'s, C, H>;

    fn deref(&self) -> &Core<'s, C, H> {
        &self.core
    }
}

impl<C, H: Host> DerefMut for Loop<'_, C, H> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.core
    }
}

impl<C, H: Host> Drop for Loop<'_, C, H> {
    /// Closes the queues. Waits for a thread that is just writing to the wake-up fd: one system
    /// call of that thread's.
    fn drop(&mut self) {
        let raw = &self.core.raw;
        raw.shared.close();
        while raw.shared.close_and_check_idle_here().is_err() {
            // To yield is not enough: that thread may have the lower priority.
            raw.reactor.backend.nap(Duration::from_micros(50));
        }
    }
}
