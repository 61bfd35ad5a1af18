//! What callbacks are told, what they look like, and when timers call them.

use core::convert::Infallible;
use core::ptr::{NonNull, without_provenance_mut};

use super::Loop;
use crate::error::Result;
use crate::host::{Host, Readiness};
use crate::ready::Ready;
use crate::remote::Wake;
use crate::target::Target;
use crate::time::Nanos;
use crate::token::{Io, Timer};

/// Which host a [`Loop`] has that runs on an operating system: none.
pub enum NoHost {}

impl Wake for Infallible {
    fn wake(&self) -> Result<()> {
        match *self {}
    }
}

impl Host for NoHost {
    type Waker = Infallible;

    fn now(&mut self) -> Nanos {
        match *self {}
    }

    fn wait(&mut self, _timeout: Nanos, _ready: &mut [Readiness]) -> Result<usize> {
        match *self {}
    }

    fn waker(&self) -> Infallible {
        match *self {}
    }
}

/// What an I/O callback is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IoEvent {
    /// The watcher.
    pub io: Io,
    /// Its fd; of a raise handler, the bit.
    pub fd: i32,
    /// What was found; never empty.
    pub ready: Ready,
    /// The word given with the callback.
    pub user: usize,
}

/// What a timer callback is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimerEvent {
    /// The timer. Stale already if it was a one-shot: its slot is free again.
    pub timer: Timer,
    /// How many ticks of a periodic timer are overdue besides this one.
    pub missed: u64,
    /// The word given with the callback.
    pub user: usize,
}

/// Called when an fd is ready.
pub type OnIo<C, H = NoHost> = for<'l> fn(&mut Loop<'l, C, H>, &mut C, IoEvent);
/// Called when a timer is due.
pub type OnTimer<C, H = NoHost> = for<'l> fn(&mut Loop<'l, C, H>, &mut C, TimerEvent);
/// Called for a task or a post, with the word given with it.
pub type OnTask<C, H = NoHost> = for<'l> fn(&mut Loop<'l, C, H>, &mut C, usize);

/// When a timer is due first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    /// Nanoseconds after a fresh reading of the clock.
    After(Nanos),
    /// Nanoseconds after the turn's time, [`Loop::now`]. Cheaper, and shorter by what this turn's callbacks have taken.
    AfterNow(Nanos),
    /// A point on the loop's clock.
    At(Nanos),
}

/// Whether a timer is due again, in nanoseconds. A period of 0 is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Repeat {
    /// One-shot.
    #[default]
    Never,
    /// Every tick is called, at most one in a turn.
    FixedRate(Nanos),
    /// The next tick is one period after this one is handed over.
    FixedDelay(Nanos),
    /// One call stands for all ticks due; the grid is kept.
    Skip(Nanos),
}

/// A callback and its word, as the core keeps them.
pub(super) fn target(callback: *mut (), user: usize) -> Target {
    // The address of a function is not null.
    let callback = NonNull::new(callback).unwrap_or(NonNull::dangling());
    Target {
        callback,
        user: without_provenance_mut(user),
    }
}
