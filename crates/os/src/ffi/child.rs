#![expect(
    unsafe_code,
    reason = "C functions: raw pointers come in, and a C function is called"
)]
//! The end of child processes, and of other processes.

use core::ffi::{c_int, c_void};
use core::ptr::null_mut;

use pirn_abi::{pirn_io, pirn_loop};
use static_assertions::const_assert;

use super::{NO_IO, check, is_lost, status, unwatch, watch};
use crate::process;
use crate::sys::{self, AsRawFd, Errno, Exit, IntoRawFd, Result, WaitFor};

/// Option of `pirn_child_add`: report how the child ended, but do not reap it: you must do that
/// yourself.
pub const PIRN_CHILD_KEEP: u32 = 1u32 << 0;
/// Option of `pirn_child_add`: if the kernel refuses a pidfd, add the child without one. Only
/// `pirn_child_scan` then notices its end.
pub const PIRN_CHILD_SCAN: u32 = 1u32 << 1;

/// A bit in `options`: the fd is not a pidfd but an eventfd, which `pirn_child_scan` makes
/// readable.
const IS_SCANNED: u32 = 0x8000_0000;

/// How a process ended.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pirn_child_status {
    /// `sizeof(struct pirn_child_status)` in this library. New fields are only ever appended.
    pub size: u32,
    /// The process; 0 if it was added by its pidfd and the way it ended is not known.
    pub pid: i32,
    /// `CLD_EXITED`, `CLD_KILLED` or `CLD_DUMPED` of waitid(2). 0: not known, because the process
    /// is not a child of this one, or another part of the program reaped it.
    pub code: i32,
    /// The exit status if the code is `CLD_EXITED`; the signal if it is `CLD_KILLED` or
    /// `CLD_DUMPED`. If the code is 0: 0, or a negative errno if the source lost its fd or
    /// waitid(2) failed. In the case of an errno the process may still be running.
    pub status: i32,
}

/// The callback of a process, called once when the process has ended. The source is already
/// removed, so `child` is zero and may be added again. Called on the loop's thread. It must not be
/// left by an exception or longjmp.
pub type pirn_child_fn = Option<
    unsafe extern "C" fn(
        r#loop: *mut pirn_loop,
        child: *mut pirn_child,
        status: *const pirn_child_status,
        user: *mut c_void,
    ),
>;

/// A source for the end of a process. Zero it before you add it for the first time, and do not move
/// it until it is removed or its callback is called. You may read the fields; only pirn may write
/// them.
#[repr(C)]
pub struct pirn_child {
    /// The watcher: for `pirn_io_modify` (0 pauses, `PIRN_READ` resumes), `pirn_io_ref`,
    /// `pirn_io_unref`.
    pub io: pirn_io,
    /// The loop; NULL if it is not added.
    pub r#loop: *mut pirn_loop,
    /// The callback.
    pub callback: pirn_child_fn,
    /// The user data, passed to the callback.
    pub user: *mut c_void,
    /// The source's fd, which belongs to pirn; -1 if it is lost.
    pub fd: c_int,
    /// The process; 0 if it was added by its pidfd.
    pub pid: c_int,
    /// The options, and internal flags.
    pub options: u32,
    /// 0.
    pub reserved: u32,
}

const UNUSED: pirn_child = pirn_child {
    io: NO_IO,
    r#loop: null_mut(),
    callback: None,
    user: null_mut(),
    fd: 0,
    pid: 0,
    options: 0,
    reserved: 0,
};

const_assert!(size_of::<pirn_child_status>() == 16);

/// Wait for the end of a process.
///
/// pirn reaps the child before it reports the end: do not wait for it yourself. pirn waits only for
/// this process, by its pidfd. It does not need SIGCHLD, and takes no children away from other
/// parts of the program. But a waitpid(-1) in another part may reap your child: the reported code
/// is then 0. The code is also 0 if SIGCHLD is ignored, because the kernel then reaps all children,
/// and for a process that is not a child. If a child ended before it was added, its end is reported
/// in the next turn.
///
/// If the kernel has no pidfds (before 5.3) or a sandbox refuses them, this function fails, unless
/// you give the option `PIRN_CHILD_SCAN`: see `pirn_child_scan`.
///
/// @param child     the struct of the source: zero, or its source was removed or reported before
/// @param pid       the process, which must not have been reaped
/// @param options   `PIRN_CHILD_KEEP`, `PIRN_CHILD_SCAN`, `PIRN_HIGH`, `PIRN_LOW`, `PIRN_UNREF`,
///                  or 0
/// @param callback  called once, when the process has ended
/// @param user      passed to the callback, never dereferenced
///
/// Returns 0, or
/// - -EINVAL: no live loop; `child` or callback NULL; `pid` is not above 0, or is the number of a
///   thread; other options
/// - -EEXIST: `child` is already added, or was never zeroed
/// - -ESRCH: there is no such process
/// - -ENOSYS, -EPERM: the kernel refuses a pidfd; with `PIRN_CHILD_SCAN` returned only if the
///   process is not a child of this one
/// - -EOPNOTSUPP: backend host
/// - -ENOSPC, -ERANGE, -ECHILD: as `pirn_io_add`
/// - -EMFILE, -ENFILE, -ENOMEM: the kernel's error
///
/// Uses an I/O slot and an fd until the end is reported. Cost: as `pirn_io_add`, and a system call;
/// three without a pidfd. Loop thread, any callback. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_child_add(
    r#loop: *mut pirn_loop,
    child: *mut pirn_child,
    pid: c_int,
    options: u32,
    callback: pirn_child_fn,
    user: *mut c_void,
) -> c_int {
    let add = || {
        // SAFETY: passed on.
        let place = unsafe { vacant(r#loop, child, options, callback) }?;
        let (fd, scanned) = match sys::open_process(pid) {
            Err(Errno::NOSYS | Errno::PERM) if options & PIRN_CHILD_SCAN != 0 => {
                (scannable(pid)?, IS_SCANNED)
            }
            result => (result?, 0),
        };
        // SAFETY: the loop is passed on; `on_ready` takes what it is given for a child that was
        // added, which is what follows.
        let io = unsafe {
            watch(
                r#loop,
                fd.as_raw_fd(),
                options,
                Some(on_ready),
                child.cast(),
            )
        }?;
        *place = pirn_child {
            io,
            r#loop,
            callback,
            user,
            fd: fd.into_raw_fd(),
            pid,
            options: options | scanned,
            reserved: 0,
        };
        // It may have ended before, and its SIGCHLD may have come before.
        scan(place);
        Ok(())
    };
    status(add())
}

/// Wait for the end of a process by its pidfd, as clone3(2) and pidfd_spawn(3) return it.
///
/// Works as `pirn_child_add`. A pidfd cannot name another process that reuses the number. On
/// success the pidfd belongs to pirn, which closes it when the end is reported or the source is
/// removed.
///
/// @param child     as `pirn_child_add`
/// @param pidfd     the pidfd
/// @param options   `PIRN_CHILD_KEEP`, `PIRN_HIGH`, `PIRN_LOW`, `PIRN_UNREF`, or 0
/// @param callback  called once, when the process has ended
/// @param user      passed to the callback, never dereferenced
///
/// Returns 0, or
/// - -EINVAL: no live loop; `child` or callback NULL; other options; a kernel before 5.4, which
///   cannot reap by a pidfd
/// - -EBADF: `pidfd` is not open, or not a pidfd
/// - -EEXIST, -EOPNOTSUPP, -ENOSPC, -ERANGE, -ECHILD, -ENOMEM: as `pirn_child_add`
///
/// Uses an I/O slot until the end is reported. Cost: as `pirn_io_add`, and a system call. Loop
/// thread, any callback. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_child_add_fd(
    r#loop: *mut pirn_loop,
    child: *mut pirn_child,
    pidfd: c_int,
    options: u32,
    callback: pirn_child_fn,
    user: *mut c_void,
) -> c_int {
    let add = || {
        // SAFETY: passed on.
        let place = unsafe { vacant(r#loop, child, options, callback) }?;
        if options & PIRN_CHILD_SCAN != 0 {
            return Err(Errno::INVAL);
        }
        if pidfd < 0 {
            return Err(Errno::BADF);
        }
        match sys::wait(WaitFor::PidFd(pidfd), true) {
            // Not a child: its end is noticed all the same.
            Ok(_) | Err(Errno::CHILD) => {}
            Err(error) => return Err(error),
        }
        // SAFETY: as in `pirn_child_add`.
        let io = unsafe { watch(r#loop, pidfd, options, Some(on_ready), child.cast()) }?;
        *place = pirn_child {
            io,
            r#loop,
            callback,
            user,
            fd: pidfd,
            pid: 0,
            options,
            reserved: 0,
        };
        Ok(())
    };
    status(add())
}

/// Returns the struct for a new source, or the error if an argument is wrong.
///
/// # Safety
///
/// As `pirn_child_add`; no callback runs while the reference lives.
unsafe fn vacant<'child>(
    r#loop: *mut pirn_loop,
    child: *mut pirn_child,
    options: u32,
    callback: pirn_child_fn,
) -> Result<&'child mut pirn_child> {
    // SAFETY: passed on.
    unsafe { check(r#loop, options, PIRN_CHILD_KEEP | PIRN_CHILD_SCAN) }?;
    if callback.is_none() {
        return Err(Errno::INVAL);
    }
    // SAFETY: NULL or writable, as asked of the caller.
    let place = unsafe { child.as_mut() }.ok_or(Errno::INVAL)?;
    if !place.r#loop.is_null() {
        return Err(Errno::EXIST);
    }
    Ok(place)
}

/// Returns an eventfd in place of a pidfd, if the process is a child of this one.
fn scannable(pid: c_int) -> Result<sys::OwnedFd> {
    match sys::wait(WaitFor::Pid(pid), true) {
        Ok(_) => sys::open_flag(),
        // Not a child: its end would never be noticed, so the caller returns the kernel's error.
        Err(Errno::CHILD) if sys::is_process(pid) => sys::open_process(pid),
        Err(Errno::CHILD) => Err(Errno::SRCH),
        Err(error) => Err(error),
    }
}

/// Check whether a child without a pidfd has ended.
///
/// If it has ended, its callback is called in the next dispatch. Watch SIGCHLD and call this for
/// each of your children in the callback (section "Processes" has the program). Also call it after
/// you have resumed a paused source. For a child with a pidfd it does nothing.
///
/// Returns 0, or
/// - -EINVAL: `child` is NULL
/// - -ENOENT: `child` is not added
///
/// Cost: O(1); two system calls at most, none with a pidfd. Loop thread, any callback. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_child_scan(child: *mut pirn_child) -> c_int {
    // SAFETY: NULL or readable; no callback runs before this function returns.
    status(match unsafe { child.as_ref() } {
        None => Err(Errno::INVAL),
        Some(place) if place.r#loop.is_null() => Err(Errno::NOENT),
        Some(place) => {
            scan(place);
            Ok(())
        }
    })
}

/// Makes the fd of a child without a pidfd readable, if the child has ended or another part of the
/// program has reaped it.
fn scan(place: &pirn_child) {
    let is_scanned = place.options & IS_SCANNED != 0 && place.fd >= 0;
    if is_scanned && !matches!(sys::wait(WaitFor::Pid(place.pid), true), Ok(None)) {
        sys::raise_flag(place.fd);
    }
}

/// Stop waiting for the end of a process.
///
/// Once this has returned, the callback is never called again; the struct is zero and can be added
/// again. The process continues to run. If it is a child, you must reap it.
///
/// Also works after `pirn_deinit`, as long as the block is readable: the fd is then closed.
///
/// Returns 0, or
/// - -EINVAL: `child` is NULL
/// - -ENOENT: `child` is not added, or its end was reported
/// - -ECHILD: in a forked child, before `pirn_after_fork`
///
/// Cost: as `pirn_io_remove`, and a system call. Loop thread, any callback. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_child_remove(child: *mut pirn_child) -> c_int {
    let remove = || {
        // SAFETY: NULL or writable; no callback runs before this function returns.
        let place = unsafe { child.as_mut() }.ok_or(Errno::INVAL)?;
        if place.r#loop.is_null() {
            return Err(Errno::NOENT);
        }
        // SAFETY: it was added, hence the loop came from `pirn_init` and the fd is the source's
        // own.
        unsafe { unwatch(place.r#loop, place.io, place.fd) }?;
        *place = UNUSED;
        Ok(())
    };
    status(remove())
}

/// The watcher's callback: reaps the child, removes the source, and calls the source's callback.
unsafe extern "C" fn on_ready(
    r#loop: *mut pirn_loop,
    _io: pirn_io,
    _fd: c_int,
    ready: u32,
    user: *mut c_void,
) {
    let child = user.cast::<pirn_child>();
    // SAFETY: the watcher lives as long as the child is added, and the struct stays where it is
    // for as long, as the documentation of `pirn_child` asks. The reference ends before the
    // callback runs.
    let place = unsafe { &mut *child };
    let (callback, user) = (place.callback, place.user);
    let mut report = pirn_child_status {
        size: size_of::<pirn_child_status>() as u32,
        pid: place.pid,
        code: 0,
        status: 0,
    };
    if is_lost(ready, &mut place.fd) {
        report.status = -Errno::BADF.raw_os_error();
    } else {
        match wait(place) {
            Ok(Some(Exit { pid, code, status })) => {
                (report.pid, report.code, report.status) = (pid, code, status);
            }
            // Not a child, or no longer one.
            Err(Errno::CHILD) => {}
            Err(error) => report.status = -error.raw_os_error(),
            // It has not ended yet: a tracer must notice the end first, or another part of the
            // program has made the eventfd readable.
            Ok(None) => {
                if place.options & IS_SCANNED != 0 {
                    sys::lower_flag(place.fd);
                }
                return;
            }
        }
        // SAFETY: it was added, hence the loop came from `pirn_init` and the fd is the source's
        // own.
        if unsafe { unwatch(place.r#loop, place.io, place.fd) }.is_err() {
            // In a forked child the process is not a child of ours, so nothing was reaped.
            return;
        }
        *place = UNUSED;
    }
    if let Some(callback) = callback {
        // SAFETY: a function of the application's, to be called with these arguments.
        unsafe { callback(r#loop, child, &report, user) };
    }
}

/// Returns how the process has ended, and reaps it unless `PIRN_CHILD_KEEP` is set.
fn wait(place: &pirn_child) -> Result<Option<Exit>> {
    let keep = place.options & PIRN_CHILD_KEEP != 0;
    if place.options & IS_SCANNED != 0 {
        sys::wait(WaitFor::Pid(place.pid), keep)
    } else {
        process::wait(place.fd, place.pid, keep)
    }
}
