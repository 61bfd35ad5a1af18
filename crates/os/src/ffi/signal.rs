#![expect(
    unsafe_code,
    reason = "C functions: raw pointers come in, and a C function is called"
)]
//! Signals.

use core::ffi::{c_int, c_void};
use core::ptr::null_mut;

use pirn_abi::{pirn_io, pirn_loop};
use static_assertions::const_assert;

use super::{NO_IO, check, is_lost, status, unwatch, watch};
use crate::signal::{check as check_signal, take};
use crate::sys::{self, AsRawFd, Errno, IntoRawFd, Result};

/// Option of `pirn_signal_add`: block the signal in the calling thread if it is not blocked there,
/// and unblock it when the source is removed.
pub const PIRN_SIGNAL_BLOCK: u32 = 1u32 << 0;

/// A bit in `options`: pirn has blocked the signal, and must unblock it when the source is removed.
const IS_BLOCKED_BY_US: u32 = 0x8000_0000;

/// A signal that has arrived. The fields that its sender does not set are 0.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pirn_signal_info {
    /// `sizeof(struct pirn_signal_info)` in this library. New fields are only ever appended.
    pub size: u32,
    /// The signal. 0: there is no signal, the source has lost its fd (see "Lost fds" on the first
    /// page).
    pub signo: i32,
    /// Why the signal was sent: `SI_USER`, `SI_QUEUE`, `SI_TIMER`, `CLD_EXITED` and so on, see
    /// sigaction(2).
    pub code: i32,
    /// The process that sent the signal; for SIGCHLD the child.
    pub pid: i32,
    /// The user that sent the signal; for SIGCHLD the child's user.
    pub uid: u32,
    /// For SIGCHLD: the exit status or the signal that ended the child. One SIGCHLD may stand for
    /// several children.
    pub status: i32,
    /// For sigqueue(3) and POSIX timers: the value as a number.
    pub value: i32,
    /// 0.
    pub reserved: u32,
    /// For sigqueue(3) and POSIX timers: the value as a pointer.
    pub pointer: u64,
}

/// The callback of a signal source, called with one signal. You may remove `signal` in the
/// callback, and reuse its memory. Called on the loop's thread. It must not be left by an exception
/// or longjmp.
pub type pirn_signal_fn = Option<
    unsafe extern "C" fn(
        r#loop: *mut pirn_loop,
        signal: *mut pirn_signal,
        info: *const pirn_signal_info,
        user: *mut c_void,
    ),
>;

/// A source for a signal. Zero it before you add it for the first time, and do not move it until it
/// is removed. You may read the fields; only pirn may write them.
#[repr(C)]
pub struct pirn_signal {
    /// The watcher: for `pirn_io_modify` (0 pauses, `PIRN_READ` resumes), `pirn_io_ref`,
    /// `pirn_io_unref`.
    pub io: pirn_io,
    /// The loop; NULL if it is not added.
    pub r#loop: *mut pirn_loop,
    /// The callback.
    pub callback: pirn_signal_fn,
    /// The user data, passed to the callback.
    pub user: *mut c_void,
    /// The source's signalfd, which belongs to pirn; -1 if it is lost.
    pub fd: c_int,
    /// The signal.
    pub signo: c_int,
    /// The options, and internal flags.
    pub options: u32,
    /// 0.
    pub reserved: u32,
}

const UNUSED: pirn_signal = pirn_signal {
    io: NO_IO,
    r#loop: null_mut(),
    callback: None,
    user: null_mut(),
    fd: 0,
    signo: 0,
    options: 0,
    reserved: 0,
};

/// Watch a signal.
///
/// Every thread of the process must block the signal: a thread that does not block it takes it away
/// from the loop. So block it before you create the first thread (section "Signals" has the code),
/// or give `PIRN_SIGNAL_BLOCK` if the process has only one thread. A blocked signal is reported
/// even if its action is to be ignored.
///
/// If a standard signal is sent several times before the loop reads it, it is reported once.
/// Real-time signals are queued with their values, and one of them is reported in each turn. A
/// signal that was sent to another thread (as by pthread_kill(3)) is not reported. If two sources
/// of the process wait for the same signal, each signal is reported to only one of them.
///
/// @param signal    the struct of the source: zero, or its source was removed before
/// @param signo     1 to 64, except the signals that cannot be watched: SIGKILL, SIGSTOP, and those
///                  for faults (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS)
/// @param options   `PIRN_SIGNAL_BLOCK`, `PIRN_HIGH`, `PIRN_LOW`, `PIRN_UNREF`, or 0
/// @param callback  called with each signal
/// @param user      passed to the callback, never dereferenced
///
/// Returns 0, or
/// - -EINVAL: no live loop; `signal` or callback NULL; a `signo` that cannot be watched; other
///   options
/// - -EEXIST: `signal` is already added, or was never zeroed
/// - -EBUSY: the calling thread does not block the signal, and `PIRN_SIGNAL_BLOCK` was not given
/// - -EOPNOTSUPP: backend host
/// - -ENOSPC, -ERANGE, -ECHILD: as `pirn_io_add`
/// - -EMFILE, -ENFILE, -ENOMEM: the kernel's error
///
/// Uses an I/O slot and an fd. Cost: as `pirn_io_add`, and two system calls. Loop thread, any
/// callback. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_signal_add(
    r#loop: *mut pirn_loop,
    signal: *mut pirn_signal,
    signo: c_int,
    options: u32,
    callback: pirn_signal_fn,
    user: *mut c_void,
) -> c_int {
    // SAFETY: passed on.
    status(unsafe { add(r#loop, signal, signo, options, callback, user) })
}

/// # Safety
///
/// As `pirn_signal_add`.
unsafe fn add(
    r#loop: *mut pirn_loop,
    signal: *mut pirn_signal,
    signo: c_int,
    options: u32,
    callback: pirn_signal_fn,
    user: *mut c_void,
) -> Result<()> {
    // SAFETY: passed on.
    unsafe { check(r#loop, options, PIRN_SIGNAL_BLOCK) }?;
    check_signal(signo)?;
    if callback.is_none() {
        return Err(Errno::INVAL);
    }
    // SAFETY: NULL or writable, as asked of the caller; no callback runs before this function
    // returns.
    let place = unsafe { signal.as_mut() }.ok_or(Errno::INVAL)?;
    if !place.r#loop.is_null() {
        return Err(Errno::EXIST);
    }
    let is_blocked_by_us = if options & PIRN_SIGNAL_BLOCK != 0 {
        !sys::block_signal(signo)?
    } else if sys::is_signal_blocked(signo)? {
        false
    } else {
        return Err(Errno::BUSY);
    };
    let watched = sys::open_signal(signo).and_then(|fd| {
        let source = signal.cast();
        // SAFETY: the loop is passed on; `on_ready` takes what it is given for a signal that was
        // added, which is what follows.
        let io = unsafe { watch(r#loop, fd.as_raw_fd(), options, Some(on_ready), source) }?;
        Ok((io, fd))
    });
    match watched {
        Ok((io, fd)) => {
            *place = pirn_signal {
                io,
                r#loop,
                callback,
                user,
                fd: fd.into_raw_fd(),
                signo,
                options: options
                    | if is_blocked_by_us {
                        IS_BLOCKED_BY_US
                    } else {
                        0
                    },
                reserved: 0,
            };
            Ok(())
        }
        Err(error) => {
            if is_blocked_by_us {
                sys::unblock_signal(signo)?;
            }
            Err(error)
        }
    }
}

/// Stop watching a signal.
///
/// Once this has returned, the callback is never called again; the struct is zero and can be added
/// again. If `PIRN_SIGNAL_BLOCK` has blocked the signal, it is unblocked in the calling thread. A
/// signal that is pending at that moment takes its normal action, which may end the process.
///
/// Also works after `pirn_deinit`, as long as the block is readable: the fd is then closed.
///
/// Returns 0, or
/// - -EINVAL: `signal` is NULL
/// - -ENOENT: `signal` is not added
/// - -ECHILD: in a forked child, before `pirn_after_fork`
///
/// Cost: as `pirn_io_remove`, and one or two system calls. Loop thread, any callback, its own too.
/// Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_signal_remove(signal: *mut pirn_signal) -> c_int {
    // SAFETY: passed on.
    status(unsafe { remove(signal) })
}

/// # Safety
///
/// As `pirn_signal_remove`.
unsafe fn remove(signal: *mut pirn_signal) -> Result<()> {
    // SAFETY: NULL or writable; no callback runs before this function returns.
    let place = unsafe { signal.as_mut() }.ok_or(Errno::INVAL)?;
    if place.r#loop.is_null() {
        return Err(Errno::NOENT);
    }
    // SAFETY: it was added, hence the loop came from `pirn_init` and the fd is the source's own.
    unsafe { unwatch(place.r#loop, place.io, place.fd) }?;
    let (signo, options) = (place.signo, place.options);
    *place = UNUSED;
    if options & IS_BLOCKED_BY_US != 0 {
        sys::unblock_signal(signo)?;
    }
    Ok(())
}

/// The watcher's callback: reads one signal from the signalfd and calls the source's callback.
unsafe extern "C" fn on_ready(
    r#loop: *mut pirn_loop,
    _io: pirn_io,
    fd: c_int,
    ready: u32,
    user: *mut c_void,
) {
    let signal = user.cast::<pirn_signal>();
    let (callback, user, is_lost) = {
        // SAFETY: the watcher lives from `add` to `remove`, and the struct stays where it is for
        // as long, as the documentation of `pirn_signal` asks. The reference ends before the
        // callback runs.
        let place = unsafe { &mut *signal };
        (place.callback, place.user, is_lost(ready, &mut place.fd))
    };
    let info = if is_lost {
        LOST
    } else {
        match take(fd) {
            Some(info) => pirn_signal_info {
                signo: info.signo,
                code: info.code,
                pid: info.pid,
                uid: info.uid,
                status: info.status,
                value: info.value,
                pointer: info.pointer,
                ..LOST
            },
            // Another source, or a thread that waits for the signal, has taken it first.
            None => return,
        }
    };
    if let Some(callback) = callback {
        // SAFETY: a function of the application's, to be called with these arguments.
        unsafe { callback(r#loop, signal, &info, user) };
    }
}

const LOST: pirn_signal_info = pirn_signal_info {
    size: size_of::<pirn_signal_info>() as u32,
    signo: 0,
    code: 0,
    pid: 0,
    uid: 0,
    status: 0,
    value: 0,
    reserved: 0,
    pointer: 0,
};

const_assert!(size_of::<pirn_signal_info>() == 40);
