//! What ends a wait from elsewhere: an eventfd in the backend's set.

use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::io;

use super::error;
use super::fd::borrow;
use crate::error::Result;
use crate::remote::Wake;

/// A fresh eventfd: non-blocking, closed on exec.
pub(crate) fn open() -> Result<OwnedFd> {
    eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC).map_err(error)
}

/// Takes the count out, so that the fd is not readable any more. It may have been empty.
#[cfg(any(linux_poll, linux_select))]
pub(crate) fn drain(fd: &OwnedFd) {
    let mut count = [0; 8];
    let _ = io::read(fd, &mut count);
}

/// In a copy of the loop that fork made: replaces `fd` by a fresh one under the same number, which posters know; the old one is
/// the parent's too.
pub(crate) fn renew(fd: &mut OwnedFd) -> Result<()> {
    io::dup3(open()?, fd, io::DupFlags::CLOEXEC).map_err(error)
}

/// Writes to the eventfd. One system call, async-signal-safe; the loop takes care that it is open while anyone may do it.
pub(crate) struct FdWaker(i32);

impl FdWaker {
    pub(crate) fn new(fd: &OwnedFd) -> FdWaker {
        FdWaker(fd.as_raw_fd())
    }
}

impl Wake for FdWaker {
    fn wake(&self) -> Result<()> {
        match io::write(borrow(self.0), &1u64.to_ne_bytes()) {
            // EAGAIN: the count is at its maximum, so that the fd is readable, which is all we want.
            Ok(_) | Err(io::Errno::AGAIN) => Ok(()),
            Err(errno) => Err(error(errno)),
        }
    }
}
