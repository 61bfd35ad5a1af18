#![expect(unsafe_code, reason = "C functions: raw pointers come in")]
//! Ports: fds that programs wait for.

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
/// The kernel watches the fd from the first wait on, until the fd becomes ready while there is no
/// waiter. So a program that reads, works and reads again makes no system call for its waits.
///
/// @param options  `PIRN_HIGH` or `PIRN_LOW`, `PIRN_UNREF`, `PIRN_PORT_BLOCKING`, or 0
///
/// Returns 0, or
/// - -EINVAL: a NULL, or other options
/// - what `pirn_io_add` returns: -EBADF, -EEXIST, -ENOSPC and so on
/// - the error of fcntl(2), which sets `O_NONBLOCK`
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
/// All waits for it end with -ECANCELED, also that of a waiter that was woken because the fd is
/// ready, and was not called yet. The fd stays open: close it now.
///
/// Returns 0, or
/// - -EINVAL: NULL
/// - -ENOENT: the port is closed
/// - -ECHILD: as `pirn_io_remove`
///
/// Cost: O(waiters of the port, and ready waiters), and as `pirn_io_remove`. Loop thread. Since
/// 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_port_close(port: *mut pirn_port) -> c_int {
    // SAFETY: NULL, or valid, as documented.
    unsafe { port.as_ref() }.map_or(-EINVAL, pirn_port::close)
}

/// Begin to wait until an fd is ready.
///
/// Any number of waiters may wait for one port, for reading and for writing at once. One event
/// wakes the first waiter for reading and the first for writing; errors and hang-ups wake all.
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
/// - -ETIMEDOUT: the fd was not ready when the kernel was asked after the limit
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
        (Some(port), Some(waiter)) => port.wait(waiter, interest, timeout_ns),
        (port, _) => refuse(port.is_some()),
    }
}

/// Why a wait with a NULL does not begin.
#[cold]
#[inline(never)]
fn refuse(has_port: bool) -> c_int {
    if has_port { -EDEADLK } else { -EINVAL }
}
