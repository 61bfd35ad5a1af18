#![expect(unsafe_code, reason = "C functions: raw pointers come in")]
//! Input and output that seems to block. These make system calls, so they are for Linux alone.

use core::ffi::{c_int, c_void};

use pirn_wait::pirn_port;

use crate::io;

/// Read, and wait if there is nothing to read yet.
///
/// @param buffer      may be NULL if `size` is 0: then nothing is done, while a call with an
///                    address and a size of 0 waits like any other
/// @param timeout_ns  for the whole call; `PIRN_FOREVER`: no limit; 0: only try
///
/// Returns how many bytes were read; 0: the end of the stream; or
/// - -EAGAIN: there is nothing to read, and `timeout_ns` is 0
/// - -ETIMEDOUT, -ECANCELED, -EDEADLK: as any wait; -ECANCELED also if the port was closed
/// - -EINVAL: a NULL
/// - -ENOENT: the port is closed
/// - the error of read(2)
///
/// After a read that has returned fewer bytes than `size`, the next one waits before it tries.
/// Cost: a system call; a second one if the first has found nothing to read. Loop thread. Since
/// 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_port_read(
    port: *mut pirn_port,
    buffer: *mut c_void,
    size: usize,
    timeout_ns: u64,
) -> isize {
    // SAFETY: passed on.
    unsafe { io::read(port, buffer, size, timeout_ns) }
}

/// Write some of a buffer, and wait if there is no room yet.
///
/// If the peer of a socket is gone, this returns -EPIPE and raises no SIGPIPE. A pipe does raise
/// it.
///
/// @param buffer      may be NULL if `size` is 0: then nothing is done, while a call with an
///                    address and a size of 0 waits like any other
/// @param timeout_ns  for the whole call; `PIRN_FOREVER`: no limit; 0: only try
///
/// Returns how many bytes were written, or an error as `pirn_port_read`. Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_port_write(
    port: *mut pirn_port,
    buffer: *const c_void,
    size: usize,
    timeout_ns: u64,
) -> isize {
    // SAFETY: passed on.
    unsafe { io::write(port, buffer, size, timeout_ns) }
}

/// Write all of a buffer, and wait whenever there is no room.
///
/// @param timeout_ns  for the whole call; `PIRN_FOREVER`: no limit; 0: only try
///
/// Returns 0, or an error as `pirn_port_read`. After an error some of the buffer may have been
/// written, and how much is not known: close the connection. Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_port_write_all(
    port: *mut pirn_port,
    buffer: *const c_void,
    size: usize,
    timeout_ns: u64,
) -> c_int {
    // SAFETY: passed on.
    unsafe { io::write_all(port, buffer, size, timeout_ns) }
}

/// Accept a connection, and wait if there is none yet.
///
/// Clients that have closed the connection before it was accepted are skipped.
///
/// @param timeout_ns  for the whole call; `PIRN_FOREVER`: no limit; 0: only try
///
/// Returns an fd, non-blocking and closed on exec, which you must close; or an error as
/// `pirn_port_read`. After -EMFILE or -ENFILE close something, or sleep, before you try again. Loop
/// thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_port_accept(port: *mut pirn_port, timeout_ns: u64) -> c_int {
    // SAFETY: passed on.
    unsafe { io::accept(port, timeout_ns) }
}

/// Connect a socket, and wait until it is connected.
///
/// @param address     a `struct sockaddr` of the socket's family
/// @param length      bytes of the address
/// @param timeout_ns  for the whole call; `PIRN_FOREVER`: no limit; 0: begin, and return -EAGAIN
///
/// Returns 0, or an error as `pirn_port_read`. After an error close the socket.
/// Cost: two or three system calls. Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_port_connect(
    port: *mut pirn_port,
    address: *const c_void,
    length: u32,
    timeout_ns: u64,
) -> c_int {
    // SAFETY: passed on.
    unsafe { io::connect(port, address, length, timeout_ns) }
}
