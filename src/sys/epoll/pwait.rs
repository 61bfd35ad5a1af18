#![cfg_attr(
    linux_pwait2,
    expect(unsafe_code, reason = "a system call takes addresses as numbers")
)]
//! `epoll_pwait2`, which waits for nanoseconds, and `epoll_pwait`, which counts milliseconds.
//!
//! rustix has no function that calls the first for every timeout and still works on kernels without
//! it. It calls the second with milliseconds that it computes from another unit.

use rustix::fd::OwnedFd;
use rustix::io::{Errno, Result};

use super::record::Record;
#[cfg(linux_pwait2)]
use crate::sys::SECOND;
use crate::time::Duration;

/// Waits at most that long, which is not for ever, and returns how many records were written.
/// `NOSYS` before Linux 5.11; some containers refuse the call with `PERM`.
#[cfg(linux_pwait2)]
pub(super) fn pwait2(set: &OwnedFd, records: &mut [Record], timeout: Duration) -> Result<u32> {
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
    // SAFETY: the kernel reads `time`, which lives until the call has returned. A bad time is an
    // error.
    unsafe {
        call(
            syscalls::Sysno::epoll_pwait2,
            set,
            records,
            &raw const time as usize,
        )
    }
}

/// Waits so many milliseconds, or for ever if they are negative, and returns how many records were
/// written.
#[cfg(linux_pwait2)]
#[inline]
pub(super) fn pwait(set: &OwnedFd, records: &mut [Record], milliseconds: i32) -> Result<u32> {
    // SAFETY: a number.
    unsafe {
        call(
            syscalls::Sysno::epoll_pwait,
            set,
            records,
            milliseconds as usize,
        )
    }
}

/// Makes one of the two calls.
///
/// # Safety
///
/// `timeout` is what the call takes: a number, or the address of a time.
#[cfg(linux_pwait2)]
#[inline]
unsafe fn call(
    number: syscalls::Sysno,
    set: &OwnedFd,
    records: &mut [Record],
    timeout: usize,
) -> Result<u32> {
    use rustix::fd::AsRawFd;

    // SAFETY: the kernel writes at most as many records as the slice has, which are its own
    // `struct epoll_event`. There is no signal mask, so its size is not looked at. A bad fd is an
    // error. The rest is passed on.
    let result = unsafe {
        syscalls::syscall6(
            number,
            set.as_raw_fd() as usize,
            records.as_mut_ptr() as usize,
            records.len(),
            timeout,
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

/// As above, by rustix.
#[cfg(not(linux_pwait2))]
pub(super) fn pwait(set: &OwnedFd, records: &mut [Record], milliseconds: i32) -> Result<u32> {
    use super::record::events_of;
    use crate::sys::timespec;

    let timeout = match u64::try_from(milliseconds) {
        Ok(milliseconds) => timespec(Duration::from_millis(milliseconds)),
        Err(_) => None,
    };
    let found = rustix::event::epoll::wait(set, events_of(records), timeout.as_ref())?;
    Ok(found as u32)
}
