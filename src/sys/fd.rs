#![expect(
    unsafe_code,
    reason = "an fd number given by the caller must be lent to rustix as a BorrowedFd"
)]
//! File descriptors as rustix wants them.

use core::mem::transmute;

use rustix::fd::BorrowedFd;
#[cfg(linux_epoll)]
use rustix::fd::{AsRawFd, OwnedFd};
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
#[inline(always)]
pub(crate) fn borrow<'fd>(fd: i32) -> BorrowedFd<'fd> {
    debug_assert!(fd >= 0);
    // SAFETY: what `borrow_raw` would do, whose assertion is code in each call: the representation
    // of the type is that of a number other than -1, which the mask makes of any number. It asks
    // that the fd stays open for the life of the value. That is used for the one system call that
    // follows, which the kernel answers with EBADF if the fd is closed; memory safety depends on no
    // fd being open, and the calls made with it (epoll_ctl, poll, select, fcntl, eventfd reads and
    // writes) neither close nor own it.
    unsafe { transmute::<i32, BorrowedFd<'fd>>(fd & i32::MAX) }
}

/// Lends an fd of the loop's own.
#[cfg(linux_epoll)]
#[inline(always)]
pub(crate) fn lend(fd: &OwnedFd) -> BorrowedFd<'_> {
    // SAFETY: as in `borrow`; an owned fd is open as long as it is borrowed, and is not -1.
    unsafe { transmute::<i32, BorrowedFd<'_>>(fd.as_raw_fd()) }
}

const _: () = assert!(size_of::<BorrowedFd<'_>>() == size_of::<i32>());

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
