//! The waits of the epoll backend.

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{self, Errno};

use super::Epoll;
use super::pwait::{pwait, pwait2};
use crate::error::Result;
use crate::sys::error;
use crate::sys::fd::lend;
use crate::sys::timespec;
use crate::time::Duration;

/// The longest wait in one call, in milliseconds: 12 days. epoll_pwait counts them in an int. The
/// loop then waits again.
const LONGEST_WAIT: u64 = 1 << 30;
/// The longest wait whose end the kernel delays by a tenth of a millisecond at most. It may delay
/// each wait by a thousandth, up to `MOST_DELAY`.
const LONGEST_EXACT_WAIT: Duration = Duration::from_millis(100);
const MOST_DELAY: u64 = 100 * MILLISECOND;
/// Nanoseconds in a millisecond.
const MILLISECOND: u64 = 1_000_000;

/// Waits at most so long, which is neither zero nor for ever.
pub(super) type FetchWithin = for<'r, 'a> fn(&'r mut Epoll<'a>, Duration) -> Result<u32>;

/// In nanoseconds, until the kernel has refused that.
pub(super) const FIRST_CHOICE: FetchWithin = |epoll, timeout| epoll.fetch_in_nanoseconds(timeout);

impl Epoll<'_> {
    /// One wait in the kernel.
    #[inline(always)]
    pub(super) fn fetch(&mut self, timeout: Duration) -> Result<u32> {
        match (timeout, self.fetch_within) {
            (Duration::FOREVER, _) => self.fetch_for(-1),
            (Duration::ZERO, _) | (_, None) => self.fetch_for(0),
            (_, Some(fetch_within)) => fetch_within(self, timeout),
        }
    }

    fn fetch_in_nanoseconds(&mut self, timeout: Duration) -> Result<u32> {
        match pwait2(&self.set, self.records, on_time(timeout)) {
            Ok(count) => Ok(count),
            Err(Errno::INTR) => Ok(0),
            // Whatever it is refused for: the calls below report what is wrong.
            Err(_) => {
                self.fetch_within = Some(|epoll, timeout| epoll.fetch_in_milliseconds(timeout));
                self.fetch_in_milliseconds(timeout)
            }
        }
    }

    #[inline(never)]
    fn fetch_in_milliseconds(&mut self, timeout: Duration) -> Result<u32> {
        // Rounded down: what is left is waited for in the next turn, exactly.
        let milliseconds = (timeout.0 / MILLISECOND).min(LONGEST_WAIT);
        if milliseconds == 0 {
            // epoll_pwait knows no less than a millisecond; but an epoll fd can be polled, and
            // ppoll counts nanoseconds.
            let mut fds = [PollFd::from_borrowed_fd(lend(&self.set), PollFlags::IN)];
            let ready = poll(&mut fds, timespec(timeout).as_ref());
            if found(ready.map(|count| count as u32))? == 0 {
                return Ok(0);
            }
        }
        self.fetch_for(milliseconds as i32)
    }

    /// Waits for so many milliseconds, or for ever if they are negative.
    #[inline]
    fn fetch_for(&mut self, milliseconds: i32) -> Result<u32> {
        found(pwait(&self.set, self.records, milliseconds))
    }
}

/// How many fds a wait has found. `EINTR` is an empty wait.
#[inline(always)]
fn found(result: io::Result<u32>) -> Result<u32> {
    match result {
        Ok(count) => Ok(count),
        Err(Errno::INTR) => Ok(0),
        Err(errno) => Err(error(errno)),
    }
}

/// The timeout for a wait that is to end in time. A long one is shortened by what the kernel may
/// add; the next turn waits for the rest.
fn on_time(timeout: Duration) -> Duration {
    if timeout <= LONGEST_EXACT_WAIT {
        timeout
    } else {
        timeout - Duration((timeout.0 / 1000).min(MOST_DELAY))
    }
}
