//! The events that callbacks get, and when timers are due.

use core::convert::Infallible;

use crate::error::Result;
use crate::host::{Host, Readiness};
use crate::ready::Ready;
use crate::time::{Duration, Instant};
use crate::token::{Io, Timer};
use crate::wake::Wake;

/// The host type of a [`Loop`](crate::Loop) that uses a backend of the operating system.
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

/// The event that an I/O callback gets. `U` is the type of the word that was passed with the
/// callback.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IoEvent<U = usize> {
    /// The watcher.
    pub io: Io,
    /// The fd; for the handler of a raised bit, the bit.
    pub fd: i32,
    /// The readiness; never empty.
    pub ready: Ready,
    /// The word that was passed with the callback.
    pub user: U,
}

/// The event that a timer callback gets. `U` is the type of the word that was passed with the
/// callback.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimerEvent<U = usize> {
    /// The timer. The handle of a one-shot timer is already stale, and its slot is free.
    pub timer: Timer,
    /// The number of ticks of a periodic timer that are overdue besides this one.
    pub missed: u64,
    /// The word that was passed with the callback.
    pub user: U,
}

/// When a timer is due for the first time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    /// This long after a fresh reading of the clock.
    After(Duration),
    /// This long after the turn's time, [`RawCore::now`](crate::RawCore::now). This is cheaper, but
    /// the timer is due earlier: by the time that the callbacks of this turn have taken so far.
    AfterCached(Duration),
    /// At this time on the loop's clock.
    At(Instant),
}

/// Whether and how a timer repeats. A period of 0 is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Repeat {
    /// One-shot.
    #[default]
    Never,
    /// The callback is called once for every tick, at most once in a turn.
    FixedRate(Duration),
    /// The next tick is due one period after this one is called.
    FixedDelay(Duration),
    /// One call for all ticks that are due. The next tick stays on the grid of the period.
    SkipMissed(Duration),
}
