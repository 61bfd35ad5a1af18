//! Signals.

use core::marker::PhantomData;

use crate::error::Result;
use crate::sys::{self, AsRawFd, Errno, OwnedFd};

// The numbers of Linux on the machines on which the layer is tested.
const SIGILL: i32 = 4;
const SIGTRAP: i32 = 5;
const SIGBUS: i32 = 7;
const SIGFPE: i32 = 8;
const SIGKILL: i32 = 9;
const SIGSEGV: i32 = 11;
const SIGSTOP: i32 = 19;
const SIGSYS: i32 = 31;
const LAST_SIGNAL: i32 = 64;

/// A signal that has arrived. The fields that its sender does not set are 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SignalInfo {
    /// The signal.
    pub signo: i32,
    /// Why the signal was sent: `SI_USER` and so on, see sigaction(2).
    pub code: i32,
    /// The process that sent the signal; for SIGCHLD the child.
    pub pid: i32,
    /// The user that sent the signal; for SIGCHLD the child's user.
    pub uid: u32,
    /// For SIGCHLD: the exit status, or the signal that ended the child.
    pub status: i32,
    /// For sigqueue(3) and POSIX timers: the value as a number.
    pub value: i32,
    /// For sigqueue(3) and POSIX timers: the value as a pointer.
    pub pointer: u64,
}

/// A signal and its signalfd, which is readable while the signal is pending.
///
/// Every thread must block the signal: a thread that does not block it takes it away. So block it
/// before you create the first thread.
#[derive(Debug)]
pub struct Signal {
    fd: OwnedFd,
    /// The signal, if it must be unblocked when this is dropped.
    unblock: Option<i32>,
    /// Not `Send`, because a signal mask belongs to a thread.
    thread: PhantomData<*const ()>,
}

impl Signal {
    /// Watch a signal that the calling thread blocks.
    ///
    /// Fails with EBUSY if the thread does not block it, and with EINVAL for a signal that cannot
    /// be watched: SIGKILL, SIGSTOP, and those for faults.
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

    /// Return the fd to watch. It belongs to this value.
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
            // This fails only for wrong arguments.
            let _ = sys::unblock_signal(signo);
        }
    }
}

/// Refuses signals that do not stay pending when they are blocked. A fault ends a process that
/// blocks its signal.
pub(crate) fn check(signo: i32) -> sys::Result<()> {
    let is_fault = matches!(signo, SIGSEGV | SIGBUS | SIGFPE | SIGILL | SIGTRAP | SIGSYS);
    if is_fault || matches!(signo, SIGKILL | SIGSTOP) || !(1..=LAST_SIGNAL).contains(&signo) {
        return Err(Errno::INVAL);
    }
    Ok(())
}

/// Returns the bytes of a field at an offset.
fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

/// Reads the next signal from a signalfd, if there is one.
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
