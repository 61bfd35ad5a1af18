#![expect(
    unsafe_code,
    reason = "fds, addresses and pages come from the caller as numbers"
)]
//! The system calls of Linux that the layer makes, by rustix.

use core::ffi::{c_int, c_void};

pub(crate) use rustix::io::Errno;

use rustix::fd::{BorrowedFd, IntoRawFd};
use rustix::io;
use rustix::mm::{MprotectFlags, mprotect};
use rustix::net::addr::{SocketAddrArg, SocketAddrLen, SocketAddrOpaque};
use rustix::net::{self, SendFlags, SocketFlags};

/// What the fallible functions return.
pub(crate) type Result<T> = core::result::Result<T, Errno>;

/// Lends the number of an fd, which is not negative, to one system call.
fn borrow<'fd>(fd: c_int) -> BorrowedFd<'fd> {
    debug_assert!(fd >= 0);
    // Says so to the compiler too, which then leaves out rustix's assertion.
    let fd = fd & c_int::MAX;
    // SAFETY: not -1. It is used for the one system call that follows. If the fd was closed, the
    // kernel returns EBADF, and no memory depends on it.
    unsafe { BorrowedFd::borrow_raw(fd) }
}

/// Reads once.
pub(crate) fn read(fd: c_int, buffer: &mut [u8]) -> Result<usize> {
    io::read(borrow(fd), buffer)
}

/// Writes once, to any fd.
pub(crate) fn write(fd: c_int, bytes: &[u8]) -> Result<usize> {
    io::write(borrow(fd), bytes)
}

/// Writes once, to a socket. If the peer has closed its end, returns EPIPE without a SIGPIPE.
/// ENOTSOCK: the fd is no socket.
pub(crate) fn send(fd: c_int, bytes: &[u8]) -> Result<usize> {
    net::send(borrow(fd), bytes, SendFlags::NOSIGNAL)
}

/// Accepts a connection, and returns its fd: non-blocking, closed on exec, the caller's.
pub(crate) fn accept(fd: c_int) -> Result<c_int> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    net::accept_with(borrow(fd), flags).map(IntoRawFd::into_raw_fd)
}

/// The address of a socket, as the caller has it.
struct Address {
    address: *const c_void,
    length: u32,
}

// SAFETY: the pointer and the length are those given to `connect`, whose caller promises that they
// describe an address.
unsafe impl SocketAddrArg for Address {
    unsafe fn with_sockaddr<R>(
        &self,
        with: impl FnOnce(*const SocketAddrOpaque, SocketAddrLen) -> R,
    ) -> R {
        with(self.address.cast(), self.length as SocketAddrLen)
    }
}

/// Begins to connect a socket.
///
/// # Safety
///
/// `address` has `length` bytes.
pub(crate) unsafe fn connect(fd: c_int, address: *const c_void, length: u32) -> Result<()> {
    net::connect(borrow(fd), &Address { address, length })
}

/// Returns what became of an attempt to connect: its error, and NOTCONN while it goes on.
pub(crate) fn connected(fd: c_int) -> Result<()> {
    net::sockopt::socket_error(borrow(fd))??;
    net::getpeername(borrow(fd)).map(|_| ())
}

/// The sizes that a page has on one machine or another. Which one is not known without the C
/// library; the kernel refuses an address that is not a multiple of it.
pub(crate) const PAGE_SIZES: &[usize] = &[4096, 16384, 65536];

/// Makes pages inaccessible; else a positive errno. -EINVAL also if the size of a page is another.
///
/// # Safety
///
/// `page` is `size` bytes of the caller's, and nobody uses them.
pub(crate) unsafe fn protect(page: *mut c_void, size: usize) -> core::result::Result<(), c_int> {
    // SAFETY: passed on.
    let result = unsafe { mprotect(page, size, MprotectFlags::empty()) };
    result.map_err(Errno::raw_os_error)
}

/// Makes pages accessible again.
///
/// # Safety
///
/// The arguments are those of a `protect` that has succeeded.
pub(crate) unsafe fn unprotect(page: *mut c_void, size: usize) {
    let flags = MprotectFlags::READ | MprotectFlags::WRITE;
    // It fails only if the caller has unmapped the pages, and then nothing is to be given back.
    // SAFETY: passed on.
    let _ = unsafe { mprotect(page, size, flags) };
}
