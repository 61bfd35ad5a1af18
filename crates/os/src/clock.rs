//! Deadlines on clocks other than the monotonic one.

use crate::error::Result;
use crate::schedule::{Reading, Schedule, Timer};
use crate::sys::{self, AsRawFd, Errno, OwnedFd};

pub use crate::schedule::{Event as ClockEvent, NEVER};
pub use crate::sys::Clock as ClockKind;

impl ClockKind {
    /// Return the time of the clock in nanoseconds.
    #[must_use]
    pub fn now(self) -> u64 {
        sys::clock_now(self)
    }

    /// True if the clock can be set.
    #[must_use]
    pub fn can_be_set(self) -> bool {
        matches!(self, ClockKind::Realtime | ClockKind::RealtimeAlarm)
    }
}

/// A deadline on a clock. Its fd is readable when there is something to report.
///
/// The description of the C function `pirn_clock_add` applies here too.
#[derive(Debug)]
pub struct Clock {
    fd: OwnedFd,
    kind: ClockKind,
    schedule: Schedule,
}

impl Clock {
    /// Make a deadline, in nanoseconds on the clock; [`NEVER`] for none. `period` is the time from
    /// one deadline to the next, 0 for only one. If `tells_set` is true, also report when the clock
    /// is set.
    ///
    /// Fails with EINVAL if `tells_set` is true for a clock that cannot be set, and with EPERM for
    /// an alarm clock without the capability CAP_WAKE_ALARM.
    pub fn new(kind: ClockKind, at: u64, period: u64, tells_set: bool) -> Result<Clock> {
        if tells_set && !kind.can_be_set() {
            return Err(Errno::INVAL.into());
        }
        let fd = sys::open_clock(kind)?;
        let schedule = Schedule {
            at,
            period,
            tells_set,
            is_set_noted: false,
        };
        let mut clock = Clock { fd, kind, schedule };
        clock.again(at);
        Ok(clock)
    }

    /// Return the fd to watch. It belongs to this value.
    #[must_use]
    pub fn fd(&self) -> i32 {
        self.fd.as_raw_fd()
    }

    /// Replace the deadline.
    pub fn again(&mut self, at: u64) {
        self.schedule.at = at;
        let mut timer = self.timer();
        self.schedule.arm(&mut timer);
    }

    /// Return one report, or `None` if there is nothing to report although the fd was readable.
    pub fn take(&mut self) -> Option<ClockEvent> {
        let mut timer = self.timer();
        self.schedule.next(&mut timer)
    }

    fn timer(&self) -> TimerFd {
        TimerFd {
            fd: self.fd(),
            kind: self.kind,
        }
    }
}

/// The timerfd of a schedule.
pub(crate) struct TimerFd {
    pub(crate) fd: i32,
    pub(crate) kind: ClockKind,
}

impl Timer for TimerFd {
    fn now(&self) -> u64 {
        self.kind.now()
    }

    fn arm(&mut self, at: u64, tells_set: bool) -> bool {
        sys::arm_clock(self.fd, at, tells_set) == Err(Errno::CANCELED)
    }

    fn read(&mut self) -> Reading {
        match sys::read(self.fd, &mut [0; 8]) {
            Ok(_) => Reading::Expired,
            Err(Errno::CANCELED) => Reading::WasSet,
            Err(_) => Reading::Nothing,
        }
    }
}
