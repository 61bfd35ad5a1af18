#![expect(unsafe_code, reason = "a system call takes addresses as numbers")]
//! A system call by its number.
//!
//! On machines for which `syscalls` has assembly for stable compilers the call is made here. They
//! are the machines on which rustix makes its own. On the others both go through the C library.

use super::{Result, error};

/// The system calls that are made this way.
#[derive(Clone, Copy)]
pub(super) enum Call {
    /// rt_sigprocmask(2)
    SignalMask,
    /// signalfd4(2)
    OpenSignal,
    /// waitid(2)
    Wait,
}

/// Makes a system call. Arguments beyond those that it has are 0.
///
/// # Safety
///
/// The arguments are what the system call asks for.
#[cfg(any(
    target_arch = "x86_64",
    target_arch = "x86",
    target_arch = "aarch64",
    target_arch = "arm",
    target_arch = "riscv64"
))]
pub(super) unsafe fn call(call: Call, [a, b, c, d, e]: [usize; 5]) -> Result<usize> {
    let number = match call {
        Call::SignalMask => syscalls::Sysno::rt_sigprocmask,
        Call::OpenSignal => syscalls::Sysno::signalfd4,
        Call::Wait => syscalls::Sysno::waitid,
    };
    // SAFETY: passed on.
    let result = unsafe { syscalls::syscall5(number, a, b, c, d, e) };
    result.map_err(|errno| error(errno.into_raw()))
}

/// Makes a system call. Arguments beyond those that it has are 0.
///
/// # Safety
///
/// The arguments are what the system call asks for.
#[cfg(not(any(
    target_arch = "x86_64",
    target_arch = "x86",
    target_arch = "aarch64",
    target_arch = "arm",
    target_arch = "riscv64"
)))]
pub(super) unsafe fn call(call: Call, [a, b, c, d, e]: [usize; 5]) -> Result<usize> {
    let number = match call {
        Call::SignalMask => libc::SYS_rt_sigprocmask,
        Call::OpenSignal => libc::SYS_signalfd4,
        Call::Wait => libc::SYS_waitid,
    };
    // SAFETY: passed on.
    let result = unsafe { libc::syscall(number, a, b, c, d, e) };
    if result < 0 {
        // SAFETY: asks for nothing.
        let errno = unsafe { libc::__errno_location() };
        // SAFETY: the address of this thread's errno, which lives as long as the thread.
        return Err(error(unsafe { *errno }));
    }
    Ok(result as usize)
}
