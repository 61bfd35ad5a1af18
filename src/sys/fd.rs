#![expect(
    unsafe_code,
    reason = "an fd number given by the caller must be lent to rustix as a BorrowedFd"
)]
//! File descriptors as rustix wants them.

use rustix::fd::BorrowedFd;
use rustix::io;
use rustix::process::{Pid, getpid};

use super::error;
use crate::error::Result;

/// Lends an fd number, which is not negative, to one system call.
///
/// Only for calls that treat a closed or foreign fd as an error of that call: the number is the application's.
#[inline]
pub(crate) fn borrow<'fd>(fd: i32) -> BorrowedFd<'fd> {
    debug_assert!(fd >= 0);
    // Says so to the compiler too, which then leaves out rustix's assertion.
    let fd = fd & i32::MAX;
    // SAFETY: `borrow_raw` asks that the fd stays open for the life of the value. It is used for the one system call that
    // follows, which the kernel answers with EBADF if the fd is closed; memory safety depends on no fd being open, and the
    // calls made with it (epoll_ctl, poll, select, fcntl, eventfd reads and writes) neither close nor own it. It is not -1.
    unsafe { BorrowedFd::borrow_raw(fd) }
}

/// Whether an fd number is open.
pub(crate) fn probe(fd: i32) -> Result<()> {
    io::fcntl_getfd(borrow(fd)).map(drop).map_err(error)
}

/// The process that made something, to tell a copy made by fork.
#[derive(Clone, Copy)]
pub(crate) struct Owner(Pid);

impl Owner {
    pub(crate) fn this() -> Owner {
        Owner(getpid())
    }

    #[inline]
    pub(crate) fn is_other(self) -> bool {
        getpid() != self.0
    }
}
