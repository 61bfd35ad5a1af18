#![expect(
    unsafe_code,
    reason = "an fd number given by the caller must be lent to rustix as a BorrowedFd"
)]
//! File descriptors as rustix wants them.

use rustix::fd::BorrowedFd;
#[cfg(any(linux_poll, linux_select))]
use rustix::fs::{OFlags, fcntl_getfl};

#[cfg(any(linux_poll, linux_select))]
use super::error;
#[cfg(any(linux_poll, linux_select))]
use crate::error::{Error, Result};

/// Lends an fd number, which is not negative, to one system call.
///
/// Only for calls that treat a closed or foreign fd as an error of that call: the number is the
/// application's.
#[inline]
pub(crate) fn borrow<'fd>(fd: i32) -> BorrowedFd<'fd> {
    debug_assert!(fd >= 0);
    // Says so to the compiler too, which then leaves out rustix's assertion.
    let fd = fd & i32::MAX;
    // SAFETY: `borrow_raw` asks that the fd stays open for the life of the value. It is used for
    // the one system call that follows, which the kernel answers with EBADF if the fd is closed;
    // memory safety depends on no fd being open, and the calls made with it (epoll_ctl, poll,
    // select, fcntl, eventfd reads and writes) neither close nor own it. It is not -1.
    unsafe { BorrowedFd::borrow_raw(fd) }
}

/// Checks that an fd number is open and can be watched: not with `O_PATH`, which every wait treats
/// as closed.
#[cfg(any(linux_poll, linux_select))]
pub(crate) fn probe(fd: i32) -> Result<()> {
    let flags = fcntl_getfl(borrow(fd)).map_err(error)?;
    if flags.contains(OFlags::PATH) {
        Err(Error::EBADF)
    } else {
        Ok(())
    }
}
