//! Signals.

use core::marker::PhantomData;

use crate::error::Result;
use crate::sys::{self, AsRawFd, Errno, OwnedFd};

// Numbers of Linux on the machines that the layer is tested on.
const SIGILL: i32 = 4;
const SIGTRAP: i32 = 5;
const SIGBUS: i32 = 7;
const SIGFPE: i32 = 8;
const SIGKILL: i32 = 9;
const SIGSEGV: i32 = 11;
const SIGSTOP: i32 = 19;
const SIGSYS: i32 = 31;
const LAST_SIGNAL: i32 = 64;

/// What is known of a signal. The fields that its sender does not set are 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SignalInfo {
    /// The signal.
    pub signo: i32,
    /// Why it was sent: `SI_USER` and so on, as sigaction(2) lists.
    pub code: i32,
    /// The process that sent it; of SIGCHLD the child.
    pub pid: i32,
    /// The user that sent it; of SIGCHLD the child's.
    pub uid: u32,
    /// Of SIGCHLD: the exit status or the signal.
    pub status: i32,
    /// Of sigqueue(3) and timers: the value as a number.
    pub value: i32,
    /// Of sigqueue(3) and timers: the value as a pointer.
    pub pointer: u64,
}

/// A signal that is watched: readable while the signal is pending.
///
/// Every thread must block it, for a thread that does not takes it away. So block it before the
/// first thread is made.
#[derive(Debug)]
pub struct Signal {
    fd: OwnedFd,
    /// The signal, if it is to be let through in the end.
    unblock: Option<i32>,
    /// A mask belongs to a thread.
    thread: PhantomData<*const ()>,
}

impl Signal {
    /// Watch a signal that the calling thread blocks.
    ///
    /// Fails with EBUSY if it does not, and with EINVAL for a signal that cannot be watched:
    /// SIGKILL, SIGSTOP, and what is raised for a fault.
    pub fn open(signo: i32) -> Result<Signal> {
        check(signo)?;
        if !sys::is_signal_blocked(signo)? {
            return Err(Errno::BUSY.into());
        }
        Signal::with(signo, None)
    }

    /// Watch a signal, and block it in the calling thread until this is dropped, if it is not
    /// blocked.
    ///
    /// For programs with one thread. Fails with EINVAL as [`Signal::open`].
    pub fn open_and_block(signo: i32) -> Result<Signal> {
        check(signo)?;
        let was_blocked = sys::block_signal(signo)?;
        let signal = Signal::with(signo, (!was_blocked).then_some(signo));
        if signal.is_err() && !was_blocked {
            sys::unblock_signal(signo)?;
        }
        signal
    }

    fn with(signo: i32, unblock: Option<i32>) -> Result<Signal> {
        let fd = sys::open_signal(signo)?;
        Ok(Signal {
            fd,
            unblock,
            thread: PhantomData,
        })
    }

    /// The fd to be watched. It stays this value's.
    #[must_use]
    pub fn fd(&self) -> i32 {
        self.fd.as_raw_fd()
    }

    /// Take the next signal, if there is one.
    #[must_use]
    pub fn take(&self) -> Option<SignalInfo> {
        take(self.fd())
    }
}

impl Drop for Signal {
    fn drop(&mut self) {
        if let Some(signo) = self.unblock {
            // It can only fail for arguments that are wrong.
            let _ = sys::unblock_signal(signo);
        }
    }
}

/// Refuses a signal that does not wait, when it is blocked, until somebody takes it. A fault ends a
/// process that blocks it.
pub(crate) fn check(signo: i32) -> sys::Result<()> {
    let is_fault = matches!(signo, SIGSEGV | SIGBUS | SIGFPE | SIGILL | SIGTRAP | SIGSYS);
    if is_fault || matches!(signo, SIGKILL | SIGSTOP) || !(1..=LAST_SIGNAL).contains(&signo) {
        return Err(Errno::INVAL);
    }
    Ok(())
}

/// The bytes of a field, by where it begins.
fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

/// Takes the next signal out of a signalfd, if there is one.
pub(crate) fn take(fd: i32) -> Option<SignalInfo> {
    // struct signalfd_siginfo of signalfd(2).
    let mut bytes = [0; 128];
    if sys::read(fd, &mut bytes) != Ok(size_of_val(&bytes)) {
        return None;
    }
    Some(SignalInfo {
        signo: i32::from_ne_bytes(field(&bytes, 0)?),
        code: i32::from_ne_bytes(field(&bytes, 8)?),
        pid: i32::from_ne_bytes(field(&bytes, 12)?),
        uid: u32::from_ne_bytes(field(&bytes, 16)?),
        status: i32::from_ne_bytes(field(&bytes, 40)?),
        value: i32::from_ne_bytes(field(&bytes, 44)?),
        pointer: u64::from_ne_bytes(field(&bytes, 48)?),
    })
}
