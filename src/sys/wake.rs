//! How another thread ends a wait: by an eventfd in the backend's set.

use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::io;

use rustix::process::getpid;

use super::error;
use super::fd::borrow;
use crate::atomic::{AtomicU32, Ordering};
use crate::error::{Error, Result};
use crate::wake::{Owned, Wake};

/// Opens an eventfd: non-blocking, closed on exec.
pub(crate) fn open() -> Result<OwnedFd> {
    eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC).map_err(error)
}

/// Reads the count, so that the fd is not readable any more. The count may be 0 already.
#[cfg(any(linux_poll, linux_select))]
pub(crate) fn drain(fd: &OwnedFd) {
    let mut count = [0; 8];
    let _ = io::read(fd, &mut count);
}

/// Replaces an eventfd by a new one with the same number, because posters know the number. A copy
/// that fork made needs this: its eventfd is the parent's.
pub(crate) fn renew(fd: &mut OwnedFd) -> Result<()> {
    io::dup3(open()?, fd, io::DupFlags::CLOEXEC).map_err(error)
}

/// Writes to the eventfd, unless the eventfd belongs to the parent process. At most two system
/// calls, async-signal-safe. The loop keeps the fd open while a thread may be in a call.
pub(crate) struct FdWaker {
    fd: i32,
    /// The process that the fd belongs to. 0 if that is not checked.
    owner: AtomicU32,
}

impl FdWaker {
    pub(crate) fn new(fd: &OwnedFd, asks: bool) -> FdWaker {
        FdWaker {
            fd: fd.as_raw_fd(),
            owner: AtomicU32::new(if asks { Self::process() } else { 0 }),
        }
    }
}

impl Owned for FdWaker {
    #[inline]
    fn owner(&self) -> u32 {
        // Relaxed: it changes only while the process has no other thread.
        self.owner.load(Ordering::Relaxed)
    }

    fn adopt(&self) {
        if self.owner() != 0 {
            // Relaxed: as above.
            self.owner.store(Self::process(), Ordering::Relaxed);
        }
    }

    #[inline]
    fn process() -> u32 {
        getpid().as_raw_nonzero().get() as u32
    }
}

impl Wake for FdWaker {
    fn wake(&self) -> Result<()> {
        if self.is_copy() == Some(true) {
            return Err(Error::ECHILD);
        }
        match io::write(borrow(self.fd), &1u64.to_ne_bytes()) {
            // EAGAIN: the count is at its maximum, so the fd is readable already.
            Ok(_) | Err(io::Errno::AGAIN) => Ok(()),
            Err(errno) => Err(error(errno)),
        }
    }
}
