//! What callbacks receive, and when timers call them.

use core::convert::Infallible;

use crate::error::Result;
use crate::host::{Host, Readiness};
use crate::ready::Ready;
use crate::time::{Duration, Instant};
use crate::token::{Io, Timer};
use crate::wake::Wake;

/// The host of a [`Loop`](crate::Loop) that runs on an operating system: none.
pub enum NoHost {}

impl Wake for Infallible {
    fn wake(&self) -> Result<()> {
        match *self {}
    }
}

impl Host for NoHost {
    type Waker = Infallible;

    fn now(&mut self) -> Instant {
        match *self {}
    }

    fn wait(&mut self, _timeout: Duration, _ready: &mut [Readiness]) -> Result<usize> {
        match *self {}
    }

    fn waker(&self) -> Infallible {
        match *self {}
    }
}

/// What an I/O callback receives. `U` is the type of the word that was given with the callback.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IoEvent<U = usize> {
    /// The watcher.
    pub io: Io,
    /// Its fd; of a raise handler, the bit.
    pub fd: i32,
    /// What was found; never empty.
    pub ready: Ready,
    /// The word given with the callback.
    pub user: U,
}

/// What a timer callback receives. `U` is the type of the word that was given with the callback.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimerEvent<U = usize> {
    /// The timer. Stale already if it was a one-shot: its slot is free again.
    pub timer: Timer,
    /// How many ticks of a periodic timer are overdue besides this one.
    pub missed: u64,
    /// The word given with the callback.
    pub user: U,
}

/// When a timer is due first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    /// So long after a fresh reading of the clock.
    After(Duration),
    /// So long after the turn's time, [`RawCore::now`](crate::RawCore::now). Cheaper, and
    /// shorter by what this turn's callbacks have taken.
    AfterCached(Duration),
    /// A point on the loop's clock.
    At(Instant),
}

/// Whether a timer is due again, and after which period. A period of 0 is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Repeat {
    /// One-shot.
    #[default]
    Never,
    /// Every tick is called, at most one in a turn.
    FixedRate(Duration),
    /// The next tick is one period after this one is handed over.
    FixedDelay(Duration),
    /// One call stands for all ticks due; the grid is kept.
    SkipMissed(Duration),
}
