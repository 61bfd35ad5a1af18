#![expect(unsafe_code, reason = "C functions: raw pointers come in")]
//! Ports: fds that somebody waits for.

use core::ffi::c_int;

use crate::errno::{EDEADLK, EINVAL};
use crate::hub::pirn_hub;
use crate::port::pirn_port;
use crate::waiter::pirn_waiter;

/// Open a port for an fd.
///
/// Takes one I/O slot of the loop, and sets `O_NONBLOCK` on the fd unless `options` has
/// `PIRN_PORT_BLOCKING`. The fd stays yours: close it after `pirn_port_close`. An open port keeps
/// `pirn_run` going.
///
/// The kernel is asked to watch the fd when somebody waits for it, and asked to stop only when the
/// fd becomes ready and nobody waits. A program that reads, works and reads again makes no system
/// call for its waits.
///
/// @param options  `PIRN_HIGH` or `PIRN_LOW`, `PIRN_UNREF`, `PIRN_PORT_BLOCKING`, or 0
///
/// Returns 0, or
/// - -EINVAL: a NULL, or other options
/// - what `pirn_io_add` returns: -EBADF, -EEXIST, -ENOSPC and so on
/// - what the kernel says about `O_NONBLOCK`
///
/// Cost: as `pirn_io_add`, and one or two system calls. Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_port_open(
    hub: *mut pirn_hub,
    port: *mut pirn_port,
    fd: c_int,
    options: u32,
) -> c_int {
    // SAFETY: NULL, or initialised, as documented.
    match unsafe { hub.as_ref() } {
        // SAFETY: not NULL, hence writable as documented.
        Some(hub) if !port.is_null() => unsafe { pirn_port::open(hub, port, fd, options) },
        _ => -EINVAL,
    }
}

/// Close a port.
///
/// Everybody who waits for it gets -ECANCELED. So does a waiter that was told that the fd is ready
/// and has not been called yet. The fd stays open: close it now.
///
/// Returns 0, or
/// - -EINVAL: NULL
/// - -ENOENT: it is closed
/// - -ECHILD: as `pirn_io_remove`
///
/// Cost: O(waiters of the port and ready ones), and as `pirn_io_remove`. Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_port_close(port: *mut pirn_port) -> c_int {
    // SAFETY: NULL, or valid, as documented.
    unsafe { port.as_ref() }.map_or(-EINVAL, pirn_port::close)
}

/// Begin to wait until an fd is ready.
///
/// Any number may wait for one port, for reading and for writing at once. One event wakes the first
/// that waits for reading and the first that waits for writing; errors and hang-ups wake all.
/// Readiness is a hint: read or write, and wait again if that returns -EAGAIN.
///
/// @param interest    `PIRN_READ`, `PIRN_WRITE` or both
/// @param timeout_ns  from the turn's time; `PIRN_FOREVER`: no limit; 0: -EAGAIN
///
/// Returns `PIRN_WAITS`, or
/// - -EDEADLK: `waiter` is NULL
/// - -EINVAL: `port` is NULL, other bits, or the waiter belongs to another hub
/// - -EBUSY: the waiter waits already
/// - -ENOENT: the port is closed
/// - -EUCLEAN: the stack of a fiber has overflowed
///
/// The wait ends with the bits that are ready (more than 0), or
/// - -EBADF: the fd was closed while it was watched
/// - -ETIMEDOUT: only after the kernel was asked once more, so an fd that is ready wins
/// - -ECANCELED: the waiter was cancelled, or the port was closed
///
/// Cost: O(1). Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_port_wait_start(
    port: *mut pirn_port,
    waiter: *mut pirn_waiter,
    interest: u32,
    timeout_ns: u64,
) -> c_int {
    // SAFETY: NULL, or valid, as documented.
    match (unsafe { port.as_ref() }, unsafe { waiter.as_ref() }) {
        (None, _) => -EINVAL,
        (_, None) => -EDEADLK,
        (Some(port), Some(waiter)) => port.wait(waiter, interest, timeout_ns),
    }
}
