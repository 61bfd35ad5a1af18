//! What the layer asks of the system itself: that an fd does not block.

#![cfg_attr(
    target_os = "linux",
    expect(unsafe_code, reason = "fds come from the caller as numbers")
)]

use core::ffi::c_int;

#[cfg(target_os = "linux")]
use rustix::fd::BorrowedFd;
#[cfg(target_os = "linux")]
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
#[cfg(target_os = "linux")]
use rustix::io::Errno;

/// Sets `O_NONBLOCK`, unless it is set.
#[cfg(target_os = "linux")]
pub(crate) fn set_nonblocking(fd: c_int) -> c_int {
    // SAFETY: not -1, for the core watches it; used for two system calls, to which a closed fd is
    // an error.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    let set = || {
        let flags = fcntl_getfl(fd)?;
        if flags.contains(OFlags::NONBLOCK) {
            return Ok(());
        }
        fcntl_setfl(fd, flags | OFlags::NONBLOCK)
    };
    set().map_or_else(|errno: Errno| -errno.raw_os_error(), |()| 0)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn set_nonblocking(_fd: c_int) -> c_int {
    0
}
