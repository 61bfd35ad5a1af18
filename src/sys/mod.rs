//! Linux: the three backends that ask the kernel, its clock and its wake-up fd. The only room that knows rustix.
//!
//! The backends are siblings: the same functions in the same order, so that a diff of two shows how the kernel calls differ. Each
//! ends with its quirks.

#[cfg(linux_epoll)]
pub(crate) mod epoll;
#[cfg(linux_poll)]
pub(crate) mod poll;
#[cfg(linux_select)]
pub(crate) mod select;

pub(crate) mod fd;
pub(crate) mod wake;

use rustix::event::Timespec;
use rustix::time::{ClockId, clock_gettime};

use crate::error::Error;
use crate::time::{FOREVER, Nanos, SECOND};

/// `CLOCK_MONOTONIC`. Through the vDSO, if there is one: no system call.
pub(crate) fn monotonic() -> Nanos {
    let time = clock_gettime(ClockId::Monotonic);
    (time.tv_sec as u64).wrapping_mul(SECOND).wrapping_add(time.tv_nsec as u64)
}

pub(crate) fn error(errno: rustix::io::Errno) -> Error {
    Error::from_errno(errno.raw_os_error())
}

/// A timeout as the kernel wants it; `None` is for ever.
pub(crate) fn timespec(timeout: Nanos) -> Option<Timespec> {
    (timeout != FOREVER).then_some(Timespec { tv_sec: (timeout / SECOND) as i64, tv_nsec: (timeout % SECOND) as _ })
}
