//! Time: nanoseconds on a monotonic clock, in 64 bits.

/// A point on the loop's clock in nanoseconds, or a length of time; the name of the variable says
/// which.
///
/// Zero is the clock's own beginning (boot, on Linux). The range is 584 years.
pub type Nanos = u64;

/// A timeout that never comes, a deadline that is never reached.
pub const FOREVER: Nanos = u64::MAX;

/// Nanoseconds in a millisecond.
#[cfg(any(linux_epoll, test))]
pub(crate) const MILLISECOND: Nanos = 1_000_000;

/// Nanoseconds in a second.
#[cfg(any(linux_backend, test))]
pub(crate) const SECOND: Nanos = 1_000_000_000;
