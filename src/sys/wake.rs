//! What ends a wait from elsewhere: an eventfd in the backend's set.

use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::io;

use rustix::process::getpid;

use super::error;
use super::fd::borrow;
use crate::backend::Owned;
use crate::error::{Error, Result};
use crate::remote::Wake;
use crate::sync::{AtomicI32, Ordering};

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

/// Replaces an eventfd by a fresh one under the same number, which posters know: in a copy that fork made
/// it is the parent's too.
pub(crate) fn renew(fd: &mut OwnedFd) -> Result<()> {
    io::dup3(open()?, fd, io::DupFlags::CLOEXEC).map_err(error)
}

/// Writes to the eventfd, unless that belongs to the parent process. Two system calls at most,
/// async-signal-safe; the loop takes care that the fd is open while anyone may call it.
pub(crate) struct FdWaker {
    fd: i32,
    /// The process that the fd is for. 0: nobody asks.
    owner: AtomicI32,
}

impl FdWaker {
    pub(crate) fn new(fd: &OwnedFd, asks: bool) -> FdWaker {
        FdWaker {
            fd: fd.as_raw_fd(),
            owner: AtomicI32::new(if asks { this_process() } else { 0 }),
        }
    }
}

#[inline]
fn this_process() -> i32 {
    getpid().as_raw_nonzero().get()
}

impl Owned for FdWaker {
    #[inline]
    fn is_copy(&self) -> Option<bool> {
        // Relaxed: it changes only in a process that has no other thread yet.
        match self.owner.load(Ordering::Relaxed) {
            0 => None,
            owner => Some(owner != this_process()),
        }
    }

    fn adopt(&self) {
        // Relaxed: as above.
        if self.owner.load(Ordering::Relaxed) != 0 {
            self.owner.store(this_process(), Ordering::Relaxed);
        }
    }
}

impl Wake for FdWaker {
    fn wake(&self) -> Result<()> {
        if self.is_copy() == Some(true) {
            return Err(Error::ECHILD);
        }
        match io::write(borrow(self.fd), &1u64.to_ne_bytes()) {
            // EAGAIN: the count is at its maximum, so that the fd is readable, which is all we want.
            Ok(_) | Err(io::Errno::AGAIN) => Ok(()),
            Err(errno) => Err(error(errno)),
        }
    }
}
