#![expect(unsafe_code, reason = "C functions: raw pointers come in")]
//! Waits for fds, which a host has too.

use core::ffi::c_int;

use pirn_wait::{EINVAL, pirn_port};

use crate::caller::wait_for_port;

/// Wait until an fd is ready. For calls that this header does not have, such as recvmsg.
///
/// @param interest    `PIRN_READ`, `PIRN_WRITE` or both
/// @param timeout_ns  from the turn's time; `PIRN_FOREVER`: no limit; 0: -EAGAIN
///
/// Returns the bits that are ready (more than 0), or an error of `pirn_port_wait_start` or
/// `pirn_fiber_await`. Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_port_wait(
    port: *mut pirn_port,
    interest: u32,
    timeout_ns: u64,
) -> c_int {
    if port.is_null() {
        return -EINVAL;
    }
    // SAFETY: passed on; not NULL.
    unsafe { wait_for_port(port, interest, timeout_ns) }
}
