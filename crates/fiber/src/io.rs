#![expect(unsafe_code, reason = "buffers and fds are the caller's")]
//! Reading, writing, accepting and connecting that look as if they blocked.
//!
//! Each tries first, and waits only if that would block. The time limit is for the whole call.

use core::ffi::{c_int, c_void};

use pirn_abi::{PIRN_FOREVER, PIRN_READ, PIRN_WRITE};
use pirn_wait::functions::pirn_port_wait_start;
use pirn_wait::{EAGAIN, EINVAL, ETIMEDOUT, pirn_hub, pirn_port};
use rustix::fd::BorrowedFd;
use rustix::io::Errno;
use rustix::net::SendFlags;

use crate::fiber::{pirn_fiber_await, pirn_fiber_self};

/// The fd of a port, for one system call.
fn borrow(port: &pirn_port) -> Option<BorrowedFd<'_>> {
    let fd = port.fd.get();
    // SAFETY: not -1; it is used for one system call, to which a closed fd is an error.
    (fd >= 0).then(|| unsafe { BorrowedFd::borrow_raw(fd) })
}

fn failure(errno: Errno) -> isize {
    -(errno.raw_os_error() as isize)
}

/// Waits until a port is ready, on behalf of the one who calls.
unsafe fn wait(port: *mut pirn_port, hub: *mut pirn_hub, interest: u32, timeout_ns: u64) -> c_int {
    // SAFETY: the port's hub.
    let waiter = unsafe { pirn_fiber_self(hub) };
    // SAFETY: an open port; the waiter is the caller's own.
    let begun = unsafe { pirn_port_wait_start(port, waiter, interest, timeout_ns) };
    // SAFETY: begun with that waiter.
    unsafe { pirn_fiber_await(hub, begun) }
}

/// Tries until it does not say that it would block, or the time is up.
unsafe fn retry(
    port: *mut pirn_port,
    interest: u32,
    timeout_ns: u64,
    mut attempt: impl FnMut(BorrowedFd<'_>) -> rustix::io::Result<usize>,
) -> isize {
    // SAFETY: NULL, or opened, as documented of the functions below.
    let Some(open) = (unsafe { port.as_ref() }) else {
        return -(EINVAL as isize);
    };
    let (Some(fd), Some(hub)) = (borrow(open), open.hub()) else {
        return -(EINVAL as isize);
    };
    let deadline = if timeout_ns == PIRN_FOREVER {
        PIRN_FOREVER
    } else {
        hub.now().saturating_add(timeout_ns)
    };
    let mut is_last = false;
    loop {
        match attempt(fd) {
            Ok(count) => return count as isize,
            Err(Errno::INTR) => continue,
            Err(Errno::AGAIN) if is_last => return -(ETIMEDOUT as isize),
            Err(Errno::AGAIN) if timeout_ns == 0 => return -(EAGAIN as isize),
            Err(Errno::AGAIN) => {}
            Err(errno) => return failure(errno),
        }
        let left = if deadline == PIRN_FOREVER {
            PIRN_FOREVER
        } else {
            deadline.saturating_sub(hub.now()).max(1)
        };
        // SAFETY: an open port and its hub.
        let result = unsafe { wait(port, (&raw const *hub).cast_mut(), interest, left) };
        // Data wins over the clock: one more attempt.
        is_last = result == -ETIMEDOUT;
        if result < 0 && !is_last {
            return result as isize;
        }
    }
}

/// Read, waiting if there is nothing to be read yet.
///
/// @param timeout_ns  for the whole call; `PIRN_FOREVER`: no limit; 0: only try
///
/// Returns how many bytes were read, 0 at the end, or -ETIMEDOUT, -EAGAIN (`timeout_ns` is 0), -ECANCELED,
/// -EINVAL: NULL or closed, or what the kernel said. Loop thread. Since 0.1.
///
/// # Safety
///
/// `port` is NULL or was opened; `buffer` has `size` bytes.
#[cfg_attr(feature = "export", unsafe(no_mangle))]
pub unsafe extern "C" fn pirn_port_read(
    port: *mut pirn_port,
    buffer: *mut c_void,
    size: usize,
    timeout_ns: u64,
) -> isize {
    // SAFETY: as many bytes as said.
    let bytes = unsafe { core::slice::from_raw_parts_mut(buffer.cast::<u8>(), size) };
    // SAFETY: passed on.
    unsafe {
        retry(port, PIRN_READ, timeout_ns, |fd| {
            rustix::io::read(fd, &mut *bytes)
        })
    }
}

/// Write some of a buffer, waiting if there is no room yet. A socket whose peer is gone raises no SIGPIPE.
///
/// Returns how many bytes were written, at least one of `size`, or an error as `pirn_port_read`. Loop thread.
/// Since 0.1.
///
/// # Safety
///
/// `port` is NULL or was opened; `buffer` has `size` bytes.
#[cfg_attr(feature = "export", unsafe(no_mangle))]
pub unsafe extern "C" fn pirn_port_write(
    port: *mut pirn_port,
    buffer: *const c_void,
    size: usize,
    timeout_ns: u64,
) -> isize {
    // SAFETY: as many bytes as said.
    let bytes = unsafe { core::slice::from_raw_parts(buffer.cast::<u8>(), size) };
    let attempt = |fd: BorrowedFd<'_>| match rustix::net::send(fd, bytes, SendFlags::NOSIGNAL) {
        Err(Errno::NOTSOCK) => rustix::io::write(fd, bytes),
        result => result,
    };
    // SAFETY: passed on.
    unsafe { retry(port, PIRN_WRITE, timeout_ns, attempt) }
}
