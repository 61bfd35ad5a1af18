//! The loop for Rust programs: it owns the reactor and calls the callbacks.
//!
//! The application owns a [`Loop`], which has the methods that run it. Callbacks get a [`Core`],
//! which has all other methods; it has no size, so two of them cannot be swapped. Below it is
//! [`RawCore`], whose callbacks are function pointers with a word.

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

use core::mem::MaybeUninit;
use core::ops::{Deref, DerefMut};

use crate::any::AnyBackend;
use crate::backend::{BackendKind, Clock};
use crate::error::{Error, Result};
use crate::host::Host;
use crate::reactor::Ended;
use crate::reactor::turn;
use crate::storage::Memory;
use crate::time::{Duration, Instant};

/// The configuration of a new loop.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Config {
    /// The backend; by default the best that works on this machine.
    pub backend: BackendKind,
    /// True if the clock is read before and after every callback, for
    /// [`Stats::longest_callback_ns`](crate::Stats::longest_callback_ns).
    pub measure: bool,
    /// True if the loop does not check whether this process is a forked child. For programs that do
    /// not fork, or whose children call [`after_fork`](Loop::after_fork) before any other use of
    /// the loop, including dropping it, or do not use the loop at all. Saves a system call when a
    /// watcher is added or removed, in each turn, and when the loop is woken. If a child breaks
    /// that rule, it uses and changes the kernel objects of its parent.
    pub no_fork_check: bool,
    /// The first generation of the handles. With the same seed a loop returns the same handles, so
    /// that a run can be repeated. But two loops with the same seed cannot tell their handles
    /// apart. 0, the default: the loop derives a seed from the address of the storage, how often
    /// the storage was used, and the clock. For a host whose clock stands still, give each loop a
    /// different seed.
    pub seed: u32,
}

/// An event loop. Its callbacks get a context of type `C`, which the application passes to
/// [`run`](Self::run).
///
/// It uses the memory of a [`Storage`](crate::Storage). It dereferences to [`Core`] and
/// [`RawCore`], which have the methods that callbacks may call too. Dropping the loop closes its
/// own fds and removes all watchers, timers and tasks without calling them; take back tasks that
/// own memory with [`task_reclaim`](Core::task_reclaim) first.
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
    /// all fds that it can watch are in use, or the kernel's error.
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
        open: impl FnOnce(&'s mut [MaybeUninit<u64>]) -> Result<AnyBackend<'s, H>>,
    ) -> Result<Self> {
        let mut divided = memory.divide().ok_or(Error::EINVAL)?;
        let backend = open(divided.take_area())?;
        let parts = divided.into_parts(backend.waker(!config.no_fork_check));
        let raw = RawCore::new(backend, parts, config.measure, config.seed);
        Ok(Loop {
            core: Core::new(raw),
        })
    }

    /// Run until [`stop`](RawRemote::stop) is called or nothing keeps the loop going.
    ///
    /// # Errors
    ///
    /// [`Error::ECHILD`] in a forked child, or the kernel's error for the wait.
    pub fn run(&mut self, context: &mut C) -> Result<Ended> {
        self.run_until(Instant::NEVER, context)
    }

    /// Run as [`run`](Self::run), but at most until `deadline`, a time on the loop's clock.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn run_until(&mut self, deadline: Instant, context: &mut C) -> Result<Ended> {
        self.with_context(context, |raw| turn::run_until(raw, deadline))
    }

    /// Make one turn: wait at most `timeout`, call what is due, and return how many callbacks were
    /// called.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn turn(&mut self, timeout: Duration, context: &mut C) -> Result<u32> {
        self.with_context(context, |raw| turn::turn(raw, timeout))
    }

    /// Do the first part of a turn: pass changed interests to the kernel, and return how long the
    /// loop may wait, at most `limit`.
    ///
    /// # Errors
    ///
    /// [`Error::ECHILD`] in a forked child.
    pub fn prepare(&mut self, limit: Duration) -> Result<Duration> {
        self.core.raw.reactor.prepare_foreign(limit)
    }

    /// Do the second part of a turn: wait, fetch the events, and return how many sources are ready.
    ///
    /// # Errors
    ///
    /// [`Error::ECHILD`] in a forked child, or the kernel's error.
    pub fn wait(&mut self, timeout: Duration) -> Result<usize> {
        let found = self.core.raw.reactor.wait_foreign(timeout)?;
        Ok(found as usize)
    }

    /// Do the third part of a turn: call everything that is due, and return how many callbacks were
    /// called.
    pub fn dispatch(&mut self, context: &mut C) -> u32 {
        self.with_context(context, turn::dispatch)
    }

    /// Return how [`run`](Self::run) would end now, or `None` if it would make another turn. For
    /// programs that make their turns themselves. If the result is [`Ended::Stopped`], the stop is
    /// used up.
    pub fn ended(&mut self) -> Option<Ended> {
        self.core.raw.reactor.ended(Instant::NEVER)
    }

    /// Move the tables of the loop to other memory, with all watchers, timers and tasks. The loop
    /// then has the capacities of that memory. All handles stay valid. The queue for posts does not
    /// move, and its capacity does not change, because other threads may be posting.
    ///
    /// A capacity may become smaller if everything in use fits: the slot of every watcher and timer
    /// must be below the new capacity, and the queued tasks must fit.
    ///
    /// # Errors
    ///
    /// [`Error::EBUSY`] if something in use does not fit, or a turn is not finished: because a
    /// limit interrupted it, or because [`wait`](Self::wait) found events that were not dispatched
    /// yet. Then nothing has changed.
    pub fn grow(&mut self, memory: impl Into<Memory<'s>>) -> Result<()> {
        let (tables, size) = memory.into().tables().ok_or(Error::ENOBUFS)?;
        let reactor = &mut self.core.raw.reactor;
        reactor.move_to(tables, |_, _| Ok(()))?;
        reactor.set_block_size(size);
        Ok(())
    }

    /// Make the loop usable in a forked child, with kernel objects of its own.
    ///
    /// # Errors
    ///
    /// [`Error::EUCLEAN`] if another thread was changing the loop when the process forked, or the
    /// kernel's error; you may then call again.
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
    /// Closes the queues. If another thread is writing to the wake-up fd at this moment, waits for
    /// the end of that system call.
    fn drop(&mut self) {
        let raw = &self.core.raw;
        raw.shared.close();
        while raw.shared.close_and_check_idle_here().is_err() {
            // Yielding is not enough, because that thread may have a lower priority.
            raw.reactor.backend.nap(Duration::from_micros(50));
        }
    }
}
