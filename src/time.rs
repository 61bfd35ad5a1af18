//! Time: points on a monotonic clock and lengths between them, in nanoseconds.

use core::ops::{Add, Mul, Sub};

/// A point on the loop's clock: nanoseconds since the clock's own beginning, which is the boot on
/// Linux. The range is 584 years.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Default)]
#[repr(transparent)]
pub struct Instant(pub(crate) u64);

impl Instant {
    /// The deadline of a timer that never fires.
    pub const NEVER: Instant = Instant(u64::MAX);

    /// Make a point of the nanoseconds since the clock's beginning.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Instant(nanos)
    }

    /// Return the nanoseconds since the clock's beginning.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }
}

/// A point `duration` later; [`Instant::NEVER`] if that is beyond the range.
impl Add<Duration> for Instant {
    type Output = Instant;

    #[inline]
    fn add(self, duration: Duration) -> Instant {
        Instant(self.0.saturating_add(duration.0))
    }
}

/// A point `duration` earlier; the clock's beginning if that is before the range.
impl Sub<Duration> for Instant {
    type Output = Instant;

    #[inline]
    fn sub(self, duration: Duration) -> Instant {
        Instant(self.0.saturating_sub(duration.0))
    }
}

/// The time from `earlier` to this point; 0 if `earlier` is the later one.
impl Sub for Instant {
    type Output = Duration;

    #[inline]
    fn sub(self, earlier: Instant) -> Duration {
        Duration(self.0.saturating_sub(earlier.0))
    }
}

/// A length of time in nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Default)]
#[repr(transparent)]
pub struct Duration(pub(crate) u64);

impl Duration {
    /// No time: a wait with this timeout does not block.
    pub const ZERO: Duration = Duration(0);
    /// Without end: a wait with this timeout has no limit.
    pub const FOREVER: Duration = Duration(u64::MAX);

    /// Make a length of nanoseconds.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Duration(nanos)
    }

    /// Make a length of microseconds; [`FOREVER`](Self::FOREVER) if that is beyond the range.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Duration(micros.saturating_mul(1_000))
    }

    /// Make a length of milliseconds; [`FOREVER`](Self::FOREVER) if that is beyond the range.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Duration(millis.saturating_mul(1_000_000))
    }

    /// Make a length of seconds; [`FOREVER`](Self::FOREVER) if that is beyond the range.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Duration(secs.saturating_mul(1_000_000_000))
    }

    /// Return the nanoseconds.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }
}

/// The sum; [`Duration::FOREVER`] if it is beyond the range.
impl Add for Duration {
    type Output = Duration;

    #[inline]
    fn add(self, other: Duration) -> Duration {
        Duration(self.0.saturating_add(other.0))
    }
}

/// The difference; 0 if `other` is longer.
impl Sub for Duration {
    type Output = Duration;

    #[inline]
    fn sub(self, other: Duration) -> Duration {
        Duration(self.0.saturating_sub(other.0))
    }
}

/// The length `factor` times; [`Duration::FOREVER`] if that is beyond the range.
impl Mul<u64> for Duration {
    type Output = Duration;

    #[inline]
    fn mul(self, factor: u64) -> Duration {
        Duration(self.0.saturating_mul(factor))
    }
}

/// As [`Duration * u64`](Duration::mul).
impl Mul<Duration> for u64 {
    type Output = Duration;

    #[inline]
    fn mul(self, duration: Duration) -> Duration {
        duration * self
    }
}

/// The same length; [`Duration::FOREVER`] if it is beyond the range.
impl From<core::time::Duration> for Duration {
    fn from(duration: core::time::Duration) -> Self {
        Duration(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl From<Duration> for core::time::Duration {
    fn from(duration: Duration) -> Self {
        core::time::Duration::from_nanos(duration.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_differences_stay_within_the_range() {
        let (now, second) = (Instant::from_nanos(5), Duration::from_secs(1));
        assert_eq!((now + second) - now, second);
        assert_eq!(now - (now + second), Duration::ZERO);
        assert_eq!(now - second, Instant::from_nanos(0));
        assert_eq!(now + Duration::FOREVER, Instant::NEVER);
        assert_eq!(Instant::NEVER + second, Instant::NEVER);
        assert_eq!(second + Duration::FOREVER, Duration::FOREVER);
        assert_eq!(second - Duration::FOREVER, Duration::ZERO);
    }

    #[test]
    fn lengths_beyond_the_range_are_for_ever() {
        assert_eq!(Duration::from_micros(2_000), Duration::from_millis(2));
        assert_eq!(3 * Duration::from_millis(1_000), Duration::from_secs(3));
        assert_eq!(Duration::from_secs(u64::MAX), Duration::FOREVER);
        assert_eq!(Duration::from_millis(u64::MAX / 2) * 3, Duration::FOREVER);
        assert_eq!(Duration::from(core::time::Duration::MAX), Duration::FOREVER);
        let millisecond = core::time::Duration::from_millis(1);
        assert_eq!(
            core::time::Duration::from(Duration::from(millisecond)),
            millisecond
        );
    }
}
