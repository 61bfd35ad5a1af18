#![expect(unsafe_code, reason = "the C face")]
//! The parts of a turn and the loop's fd, for programs that do the wait themselves.

use core::ffi::c_int;

use crate::error::Error;
use crate::reactor::turn::{self, Caller};
use crate::time::Duration;

use super::running::{calling, inside};
use super::{count, failure, live_reactor, pirn_loop, status};

/// Return an fd that is readable whenever the loop has something to do.
///
/// For embedding in another loop: watch the fd there for readability, and call `pirn_turn(loop, 0)`
/// when it is readable. (Or call `pirn_prepare`, `pirn_wait` with 0 and `pirn_dispatch`.) The fd is
/// readable for a ready fd, a due timer, a task and a post alike. Do not read, write or close it.
/// It stays the same until `pirn_after_fork` or `pirn_deinit`.
///
/// From the first call on, every change made outside a dispatch is passed to the kernel
/// immediately, so that the other loop notices it. The fd is an epoll instance inside another one.
/// The kernel allows five levels, and beyond that refuses to watch the fd with ELOOP.
///
/// Returns the fd, or
/// - -EINVAL: no live loop
/// - -EOPNOTSUPP: only the epoll backend has such an fd (`PIRN_CAN_FD`); with other backends see
///   `pirn_prepare`
/// - -ECHILD: in a forked child, before `pirn_after_fork`
/// - -EMFILE, -ENFILE, -ENOMEM: the kernel's error
///
/// Cost: one system call (getpid, to detect a fork). The first call opens two fds, which are closed
/// on exec, and makes five system calls more. Loop thread, any callback. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_fd(r#loop: *mut pirn_loop) -> c_int {
    count(live_reactor!(r#loop).pollable_fd().map(|fd| fd as u32))
}

/// Do the first part of a turn: pass changed interests to the kernel, and return how long the loop
/// may wait.
///
/// Then either call `pirn_wait` with that timeout, or wait for the fd of `pirn_fd` yourself, at
/// most that long, and call `pirn_wait` with 0. Then call `pirn_dispatch`. A turn of `pirn_run`
/// consists of the same three calls.
///
/// @param limit_ns    the longest wait that you want; `PIRN_FOREVER`: no limit
/// @param timeout_ns  receives nanoseconds: 0 if there is work, `PIRN_FOREVER` if nothing will ever
///                    be due; unchanged on error
///
/// Returns 0, or
/// - -EINVAL: no live loop; `timeout_ns` is NULL
/// - -EBUSY: inside a callback or a run
/// - -ECHILD: in a forked child, before `pirn_after_fork`
///
/// Cost: O(changed watchers), and one system call (getpid, to detect a fork). Loop thread. Since
/// 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_prepare(
    r#loop: *mut pirn_loop,
    limit_ns: u64,
    timeout_ns: *mut u64,
) -> c_int {
    if timeout_ns.is_null() {
        return failure(Error::EINVAL);
    }
    // SAFETY: passed on.
    let result = unsafe {
        inside(r#loop, |face| {
            face.reactor().prepare_foreign(Duration(limit_ns))
        })
    };
    status(result.map(|timeout| {
        // SAFETY: not NULL, hence writable as documented.
        unsafe { timeout_ns.write(timeout.0) };
    }))
}

/// Do the second part of a turn: wait until something is ready, at most `timeout_ns`, and fetch the
/// events.
///
/// May return early with 0. Does nothing while events of an earlier wait, or of a turn that a limit
/// has interrupted, are left to dispatch.
///
/// @param timeout_ns  the timeout from `pirn_prepare`, or less; 0: fetch without waiting
///
/// Returns how many fds are ready, or
/// - -EINVAL: no live loop
/// - -EBUSY: inside a callback or a run
/// - -ECHILD: in a forked child, before `pirn_after_fork`
/// - another error of the kernel, as `pirn_run`
///
/// Blocks unless `timeout_ns` is 0. Cost: two system calls, one of which is getpid, to detect a
/// fork. One more on epoll for a timeout below a millisecond if the kernel cannot wait for
/// nanoseconds, and one more if `pirn_fd` is in use and something was found. Loop thread. Since
/// 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_wait(r#loop: *mut pirn_loop, timeout_ns: u64) -> c_int {
    // SAFETY: passed on.
    let result = unsafe {
        inside(r#loop, |face| {
            face.reactor().wait_foreign(Duration(timeout_ns))
        })
    };
    count(result)
}

/// Do the third part of a turn: call everything that is due.
///
/// The order: due timers by their deadlines, then raised bits and I/O by priority, then the tasks
/// that were queued when the dispatch began, then the posts from other threads. docs/TURN.md has
/// the complete rules. `pirn_take` returns the same events in an array instead.
///
/// Returns how many callbacks were called, or
/// - -EINVAL: no live loop
/// - -EBUSY: inside a callback or a run
/// - -EOPNOTSUPP: the loop was made with `PIRN_TAKE`
///
/// Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_dispatch(r#loop: *mut pirn_loop) -> c_int {
    // SAFETY: passed on.
    count(unsafe { calling(r#loop, |face| Ok(turn::dispatch(face))) })
}
