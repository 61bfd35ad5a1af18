#![expect(unsafe_code, reason = "system calls that rustix does not have")]
//! System calls that rustix does not have.
//!
//! rustix has no signalfd4, and it has rt_sigprocmask only in a feature whose interface may change.
//! Its waitid does not return the process.

use core::ffi::c_int;

use rustix::fd::{FromRawFd, OwnedFd};

use super::Result;
use super::call::{Call, call};

/// The size in bytes of the kernel's set of signals. Bit 0 is signal 1.
const SET_SIZE: usize = size_of::<u64>();

// These numbers are the same on all machines on which the layer is tested.
const SIG_BLOCK: usize = 0;
const SIG_UNBLOCK: usize = 1;
const SFD_NONBLOCK: usize = 0o4000;
const SFD_CLOEXEC: usize = 0o2_000_000;
const P_PID: usize = 1;
const P_PIDFD: usize = 3;
const WNOHANG: usize = 0x1;
const WEXITED: usize = 0x4;
const WNOWAIT: usize = 0x0100_0000;
const WALL: usize = 0x4000_0000;

/// Returns the set with only this signal, from 1 to 64.
fn set_of(signo: c_int) -> u64 {
    1u64.wrapping_shl((signo as u32).wrapping_sub(1))
}

/// Changes the signal mask of the calling thread, and returns the previous one.
fn change_mask(how: usize, set: u64) -> Result<u64> {
    let mut old = 0u64;
    // SAFETY: rt_sigprocmask(2) reads SET_SIZE bytes at the second argument and writes as many at
    // the third. Both are variables of that size, which live until the call has returned.
    let result = unsafe {
        call(
            Call::SignalMask,
            [
                how,
                &raw const set as usize,
                &raw mut old as usize,
                SET_SIZE,
                0,
            ],
        )
    };
    result.map(|_| old)
}

/// True if the calling thread blocks the signal.
pub(crate) fn is_signal_blocked(signo: c_int) -> Result<bool> {
    Ok(change_mask(SIG_BLOCK, 0)? & set_of(signo) != 0)
}

/// Blocks the signal in the calling thread. Returns true if it was already blocked.
pub(crate) fn block_signal(signo: c_int) -> Result<bool> {
    let set = set_of(signo);
    Ok(change_mask(SIG_BLOCK, set)? & set != 0)
}

/// Unblocks the signal in the calling thread.
pub(crate) fn unblock_signal(signo: c_int) -> Result<()> {
    change_mask(SIG_UNBLOCK, set_of(signo)).map(drop)
}

/// Opens a signalfd for one signal: non-blocking, closed on exec.
pub(crate) fn open_signal(signo: c_int) -> Result<OwnedFd> {
    let set = set_of(signo);
    // SAFETY: signalfd4(2) with -1 makes a new fd, and reads SET_SIZE bytes at the second argument,
    // which is a variable of that size.
    let result = unsafe {
        call(
            Call::OpenSignal,
            [
                -1isize as usize,
                &raw const set as usize,
                SET_SIZE,
                SFD_NONBLOCK | SFD_CLOEXEC,
                0,
            ],
        )
    };
    // Not negative. The compiler knows it from here on, and leaves out rustix's assertion.
    let fd = result? as c_int & c_int::MAX;
    // SAFETY: the kernel has just opened this fd, so it is open and has no other owner.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The child that waitid checks.
#[derive(Clone, Copy)]
pub(crate) enum WaitFor {
    Pid(c_int),
    PidFd(c_int),
}

/// How a child has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Exit {
    /// The process.
    pub pid: c_int,
    /// `CLD_EXITED`, `CLD_KILLED` or `CLD_DUMPED` of waitid(2).
    pub code: c_int,
    /// The exit status if the code is `CLD_EXITED`, otherwise the signal.
    pub status: c_int,
}

/// Checks whether a child has ended, and reaps it unless `keep` is true. Never blocks.
pub(crate) fn wait(target: WaitFor, keep: bool) -> Result<Option<Exit>> {
    let (kind, id) = match target {
        WaitFor::Pid(pid) => (P_PID, pid),
        WaitFor::PidFd(fd) => (P_PIDFD, fd),
    };
    // WALL also finds a child of clone3(2) that sends no signal when it ends.
    let options = WNOHANG | WEXITED | WALL | if keep { WNOWAIT } else { 0 };
    // siginfo_t as words of 32 bits: signal, errno, code, and then fields aligned as a pointer.
    let mut words = [0 as c_int; 32];
    // SAFETY: waitid(2) writes a siginfo_t, which has 128 bytes, at the third argument, a variable
    // of that size. The last argument is NULL: no resource usage is written.
    let result = unsafe {
        call(
            Call::Wait,
            [kind, id as usize, words.as_mut_ptr() as usize, options, 0],
        )
    };
    result?;
    #[cfg(target_pointer_width = "64")]
    let [_, _, code, _, pid, _, status, ..] = words;
    #[cfg(target_pointer_width = "32")]
    let [_, _, code, pid, _, status, ..] = words;
    Ok((pid != 0).then_some(Exit { pid, code, status }))
}
