//! The waits of the epoll backend.

use rustix::event::epoll;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::AsRawFd;
use rustix::io::{self, Errno};

use super::Epoll;
use super::pwait2::pwait2;
use super::record::events_of;
use crate::error::Result;
use crate::sys::error;
use crate::sys::fd::borrow;
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

impl Epoll<'_> {
    /// One wait in the kernel.
    #[inline(always)]
    pub(super) fn fetch(&mut self, timeout: Duration) -> Result<u32> {
        // The two that need no arithmetic, and are the most frequent.
        match timeout {
            Duration::ZERO => self.fetch_in_milliseconds(Some(0)),
            Duration::FOREVER => self.fetch_in_milliseconds(None),
            _ => self.fetch_within(timeout),
        }
    }

    #[inline(never)]
    fn fetch_within(&mut self, timeout: Duration) -> Result<u32> {
        if self.has_pwait2 {
            match pwait2(&self.set, self.records, on_time(timeout)) {
                Ok(count) => return Ok(count),
                Err(Errno::INTR) => return Ok(0),
                // Whatever it is refused for: the calls below report what is wrong.
                Err(_) => self.has_pwait2 = false,
            }
        }
        // Rounded down: what is left is waited for in the next turn, exactly.
        let milliseconds = timeout.0 / MILLISECOND;
        if milliseconds == 0 {
            // epoll_pwait knows no less than a millisecond; but an epoll fd can be polled, and
            // ppoll counts nanoseconds.
            let mut fds = [PollFd::from_borrowed_fd(
                borrow(self.set.as_raw_fd()),
                PollFlags::IN,
            )];
            if found(poll(&mut fds, timespec(timeout).as_ref()))? == 0 {
                return Ok(0);
            }
        }
        self.fetch_in_milliseconds(Some(milliseconds))
    }

    /// Waits for so many milliseconds, or for ever.
    #[inline]
    fn fetch_in_milliseconds(&mut self, timeout: Option<u64>) -> Result<u32> {
        // rustix makes milliseconds of it again.
        let timeout = timeout.map(|milliseconds| {
            let milliseconds = milliseconds.min(LONGEST_WAIT);
            Timespec {
                tv_sec: (milliseconds / 1000) as _,
                tv_nsec: (milliseconds % 1000 * MILLISECOND) as _,
            }
        });
        found(epoll::wait(
            borrow(self.set.as_raw_fd()),
            events_of(self.records),
            timeout.as_ref(),
        ))
    }
}

/// How many fds a wait has found. `EINTR` is an empty wait.
#[inline]
fn found(result: io::Result<usize>) -> Result<u32> {
    match result {
        Ok(count) => Ok(count as u32),
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
