#![expect(unsafe_code, reason = "a system call takes addresses as numbers")]
//! A system call by its number.
//!
//! The call is made here on the machines for which `syscalls` has assembly that stable compilers
//! accept, and on arm. On the same machines rustix makes its own system calls. On other machines
//! both go through the C library.

use super::{Result, error};

/// The system calls that are made in this way.
#[derive(Clone, Copy)]
pub(super) enum Call {
    /// rt_sigprocmask(2)
    SignalMask,
    /// signalfd4(2)
    OpenSignal,
    /// waitid(2)
    Wait,
}

/// Makes a system call. Unused arguments are 0.
///
/// # Safety
///
/// The arguments are valid for the system call.
#[cfg(any(
    target_arch = "x86_64",
    target_arch = "x86",
    target_arch = "aarch64",
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

/// Makes a system call. Unused arguments are 0.
///
/// Thumb instructions need r7, where the kernel wants the number: it is saved and restored, which
/// `syscalls` leaves to nightly compilers. With ARM's instructions that does no harm.
///
/// # Safety
///
/// The arguments are what the system call asks for.
#[cfg(target_arch = "arm")]
pub(super) unsafe fn call(call: Call, [a, b, c, d, e]: [usize; 5]) -> Result<usize> {
    // arch/arm/tools/syscall.tbl
    let number = match call {
        Call::SignalMask => 175,
        Call::OpenSignal => 355,
        Call::Wait => 280,
    };
    let result: isize;
    // SAFETY: the kernel changes r0 and the memory that the arguments name, which is passed on. r7
    // has its value again at the end, or belongs to `saved`.
    unsafe {
        core::arch::asm!(
            "mov {saved}, r7",
            "mov r7, {number}",
            "svc 0",
            "mov r7, {saved}",
            number = in(reg) number,
            saved = out(reg) _,
            inlateout("r0") a => result,
            in("r1") b,
            in("r2") c,
            in("r3") d,
            in("r4") e,
            options(nostack, preserves_flags)
        );
    }
    if (-4095..0).contains(&result) {
        return Err(error(-result as i32));
    }
    Ok(result as usize)
}

/// Makes a system call. Arguments beyond those that it has are 0.
///
/// # Safety
///
/// The arguments are valid for the system call.
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
