#![cfg_attr(
    linux_pwait2,
    expect(unsafe_code, reason = "a system call takes addresses as numbers")
)]
//! `epoll_pwait2`, which waits for nanoseconds. rustix has no function that calls it for every
//! timeout and still works on kernels without it.

use rustix::fd::OwnedFd;
use rustix::io::{Errno, Result};

use super::Record;
#[cfg(linux_pwait2)]
use crate::sys::SECOND;
use crate::time::Duration;

/// Waits at most that long, which is not for ever, and returns how many records were written.
/// `NOSYS` before Linux 5.11; some containers refuse the call with `PERM`.
#[cfg(linux_pwait2)]
pub(super) fn pwait2(set: &OwnedFd, records: &mut [Record], timeout: Duration) -> Result<u32> {
    use rustix::fd::AsRawFd;

    /// The kernel's `struct __kernel_timespec`, the same on every machine.
    #[repr(C)]
    struct KernelTimespec {
        seconds: i64,
        nanoseconds: i64,
    }

    let time = KernelTimespec {
        seconds: (timeout.0 / SECOND) as i64,
        nanoseconds: (timeout.0 % SECOND) as i64,
    };
    // SAFETY: the kernel reads `time`, which lives until the call has returned, and writes at most
    // as many records as the slice has, which are the kernel's `struct epoll_event`. There is no
    // signal mask, so its size is not looked at. A bad fd or time is an error.
    let result = unsafe {
        syscalls::syscall6(
            syscalls::Sysno::epoll_pwait2,
            set.as_raw_fd() as usize,
            records.as_mut_ptr() as usize,
            records.len(),
            &raw const time as usize,
            0,
            0,
        )
    };
    let result = result.map(|found| found as u32);
    // The kernel's errors are 1 to 4095, as rustix asserts.
    result.map_err(|errno| Errno::from_raw_os_error(errno.into_raw().clamp(1, 4095)))
}

/// On these machines there is no way to make the call without a C library.
#[cfg(not(linux_pwait2))]
pub(super) fn pwait2(_: &OwnedFd, _: &mut [Record], _: Duration) -> Result<u32> {
    Err(Errno::NOSYS)
}
