#![expect(
    unsafe_code,
    reason = "the number of an fd that a source owns becomes an fd again"
)]
//! Every system call of the layer. Those that rustix has go through rustix, the others through
//! `raw`.

mod raw;

pub(crate) use raw::{
    Exit, Process, block_signal, is_signal_blocked, open_signal, unblock_signal, wait,
};
pub(crate) use rustix::fd::{AsRawFd, IntoRawFd, OwnedFd};
pub(crate) use rustix::io::Errno;

use core::ffi::c_int;

use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::{BorrowedFd, FromRawFd};
use rustix::io;
use rustix::process::{Pid, PidfdFlags, pidfd_open, test_kill_process};

/// What the fallible functions of this crate return.
pub(crate) type Result<T> = core::result::Result<T, Errno>;

/// Lends the number of an fd, which is not negative, to one system call.
fn borrow<'fd>(fd: c_int) -> BorrowedFd<'fd> {
    debug_assert!(fd >= 0);
    // Says so to the compiler too, which then leaves out rustix's assertion.
    let fd = fd & c_int::MAX;
    // SAFETY: `borrow_raw` asks that the fd stays open for the life of the value. It is used for
    // the one system call that follows. If somebody else has closed the fd, the kernel answers
    // that call with EBADF, and no memory depends on it. The number is not -1.
    unsafe { BorrowedFd::borrow_raw(fd) }
}

/// Reads from an fd of a source, and returns how many bytes.
pub(crate) fn read(fd: c_int, buffer: &mut [u8]) -> Result<usize> {
    io::read(borrow(fd), buffer)
}

/// True if the fd is open.
pub(crate) fn is_open(fd: c_int) -> bool {
    io::fcntl_getfd(borrow(fd)).is_ok()
}

/// Closes an fd of a source.
///
/// # Safety
///
/// `fd` is not negative, and the source's own: it came from `OwnedFd::into_raw_fd` and nothing
/// uses it afterwards.
pub(crate) unsafe fn close(fd: c_int) {
    // SAFETY: the caller owns the fd. It may have been closed by somebody who does not own it: then
    // the kernel answers close(2) with EBADF.
    drop(unsafe { OwnedFd::from_raw_fd(fd & c_int::MAX) });
}

/// A pidfd for a process: closed on exec.
pub(crate) fn open_process(pid: c_int) -> Result<OwnedFd> {
    pidfd_open(process(pid)?, PidfdFlags::empty())
}

/// True if there is such a process, a zombie included.
pub(crate) fn is_process(pid: c_int) -> bool {
    process(pid).is_ok_and(|pid| test_kill_process(pid) != Err(Errno::SRCH))
}

fn process(pid: c_int) -> Result<Pid> {
    match pid {
        1.. => Pid::from_raw(pid).ok_or(Errno::INVAL),
        _ => Err(Errno::INVAL),
    }
}

/// An eventfd that is not readable: non-blocking, closed on exec.
pub(crate) fn open_flag() -> Result<OwnedFd> {
    eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)
}

/// Makes an eventfd readable.
pub(crate) fn raise_flag(fd: c_int) {
    // EAGAIN: its count is at the maximum, so it is readable.
    let _ = io::write(borrow(fd), &1u64.to_ne_bytes());
}

/// Makes an eventfd not readable.
pub(crate) fn lower_flag(fd: c_int) {
    // Nothing to read: it was not readable.
    let _ = read(fd, &mut [0; 8]);
}
