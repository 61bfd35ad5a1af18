//! Clocks other than the monotonic one.

use crate::error::Result;
use crate::schedule::{Reading, Schedule, Timer};
use crate::sys::{self, AsRawFd, Errno, OwnedFd};

pub use crate::schedule::{Event as ClockEvent, NEVER};
pub use crate::sys::Clock as ClockKind;

impl ClockKind {
    /// What the clock shows, in nanoseconds.
    #[must_use]
    pub fn now(self) -> u64 {
        sys::clock_now(self)
    }

    /// True if somebody may set the clock.
    #[must_use]
    pub fn can_be_set(self) -> bool {
        matches!(self, ClockKind::Realtime | ClockKind::RealtimeAlarm)
    }
}

/// A deadline on a clock: readable when there is something to report.
///
/// What is said at the C function `pirn_clock_add` holds here too.
#[derive(Debug)]
pub struct Clock {
    fd: OwnedFd,
    kind: ClockKind,
    schedule: Schedule,
}

impl Clock {
    /// Start a deadline, in nanoseconds on the clock; [`NEVER`]: none. `period`: from one
    /// deadline to the next, 0 if there is but one. `tells_set`: report also that the clock was
    /// set.
    ///
    /// Fails with EINVAL if a clock is to tell that it was set which cannot be set, and with
    /// EPERM for an alarm clock without the capability CAP_WAKE_ALARM.
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

    /// The fd to be watched. It stays this value's.
    #[must_use]
    pub fn fd(&self) -> i32 {
        self.fd.as_raw_fd()
    }

    /// Give it another deadline, in place of the one it had.
    pub fn again(&mut self, at: u64) {
        self.schedule.at = at;
        let mut timer = self.timer();
        self.schedule.arm(&mut timer);
    }

    /// What is to be reported, one thing at a time. None if it was readable for no reason.
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

/// A timerfd as the schedule sees it.
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
