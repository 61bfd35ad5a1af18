//! Linux: the three backends that ask the kernel, its clock and its wake-up fd. The only room that
//! knows rustix.
//!
//! The backends are siblings: the same functions in the same order, so that a diff of two shows how
//! the kernel calls differ. Each ends with its quirks.

#[cfg(linux_epoll)]
pub(crate) mod epoll;
#[cfg(linux_poll)]
pub(crate) mod poll;
#[cfg(linux_select)]
pub(crate) mod select;

pub(crate) mod clock;
pub(crate) mod fd;
pub(crate) mod wake;

use rustix::event::Timespec;
use rustix::io::Errno;

use crate::error::Error;
use crate::time::Duration;

/// The kernel's error as ours: the same number, but for the one that the loop's own capacities
/// have.
#[cold]
#[inline(never)]
pub(crate) fn error(errno: Errno) -> Error {
    match errno {
        // Only epoll_ctl says so, of the user's limit.
        Errno::NOSPC => Error::EDQUOT,
        _ => Error::from_errno(errno.raw_os_error()),
    }
}

/// The longest wait in one call, a year: well inside a signed 64-bit time even after the kernel has
/// added its clock.
#[cfg(any(linux_poll, linux_select))]
const LONGEST_WAIT: Duration = Duration::from_secs(365 * 86_400);

/// The bits of poll's flags. rustix has them as signed numbers where it goes through the C library.
#[cfg(any(linux_poll, linux_select))]
fn poll_bits(flags: rustix::event::PollFlags) -> u16 {
    flags.bits() as _
}

/// This process and this thread, by number.
#[cfg(all(debug_assertions, feature = "ffi"))]
pub(crate) fn process_and_thread() -> (i32, i32) {
    let process = rustix::process::getpid();
    let thread = rustix::thread::gettid();
    (process.as_raw_pid(), thread.as_raw_pid())
}

/// Sleeps that long, or less.
fn nap(time: Duration) {
    let _ = rustix::event::poll(&mut [], timespec(time).as_ref());
}

/// Nanoseconds in a second.
const SECOND: u64 = 1_000_000_000;

/// A timeout as the kernel wants it; `None` is for ever.
pub(crate) fn timespec(timeout: Duration) -> Option<Timespec> {
    (timeout != Duration::FOREVER).then_some(Timespec {
        tv_sec: (timeout.0 / SECOND) as i64,
        tv_nsec: (timeout.0 % SECOND) as _,
    })
}
