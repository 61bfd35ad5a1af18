#![expect(unsafe_code, reason = "the C face")]
//! A turn in parts, and its fd, for those who own the wait.

use core::ffi::c_int;

use crate::error::Error;
use crate::reactor::turn::{self, Caller};
use crate::time::Duration;

use super::run::{calling, inside};
use super::{count, enter, failure, pirn_loop, status};

/// Tell the fd that is readable whenever the loop has something to do.
///
/// A ready fd, a due timer, a task, a post: for embedding in another loop. When it is readable call
/// `pirn_prepare`, `pirn_wait` with 0, `pirn_dispatch`, or simply `pirn_turn` with 0. From the
/// first call on, every change outside a dispatch is made known to the kernel at once, so that the
/// other loop sees it. Poll it, do nothing else with it. It changes only by `pirn_after_fork`. It
/// is an epoll that holds another one; the kernel allows five within each other, and refuses to
/// watch it with -ELOOP beyond that.
///
/// Returns the fd, or
/// - -EINVAL: no live loop
/// - -EOPNOTSUPP: only the epoll backend has one (`PIRN_CAN_FD`); with the others wait in
///   `pirn_wait`
/// - -ECHILD: a copy made by fork
/// - -EMFILE, -ENFILE, -ENOMEM: what the kernel said
///
/// Cost: a system call, which asks for the process. The first call opens two fds, closed on exec,
/// and makes five more. Loop thread, any callback. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_fd(r#loop: *mut pirn_loop) -> c_int {
    count(enter!(r#loop).pollable_fd().map(|fd| fd as u32))
}

/// First part of a turn, for those who own the wait: bring the kernel up to date and ask how long
/// may be waited.
///
/// Then wait for the fd of `pirn_fd`, or in `pirn_wait`, at most that long; then call `pirn_wait`
/// with 0 if the wait was your own; then `pirn_dispatch`. `pirn_run` does nothing else.
///
/// @param limit_ns    the longest wait that suits you; `PIRN_FOREVER`: any
/// @param timeout_ns  where nanoseconds are written: 0 if there is work, `PIRN_FOREVER` if nothing
///                    is due ever; unchanged on error
///
/// Returns 0, or
/// - -EINVAL: no live loop; `timeout_ns` is NULL
/// - -EBUSY: inside a callback or a run
/// - -ECHILD: a copy made by fork
///
/// Cost: O(changed watchers), and a system call, which asks for the process. Loop thread. Since
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

/// Second part of a turn: wait until something is ready, at most `timeout_ns`, and fetch it.
///
/// May return early with 0. Does nothing while an earlier wait or a limited turn has left something
/// to dispatch.
///
/// @param timeout_ns  as `pirn_prepare` said, or less; 0 fetches without waiting
///
/// Returns how many fds are ready, or
/// - -EINVAL: no live loop
/// - -EBUSY: inside a callback or a run
/// - -ECHILD: a copy made by fork
/// - what the kernel said, as `pirn_run`
///
/// Blocks unless 0; the only place that does. Cost: two system calls, one of which asks for the
/// process; one more for less than a millisecond on epoll, and if `pirn_fd` is in use and something
/// was found. Loop thread. Since 0.1.
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

/// Third part of a turn: call what is due.
///
/// Due timers in the order of their deadlines, then raised bits and I/O by priority, then the tasks
/// that were queued when it began, then the posts from elsewhere. docs/TURN.md tells the whole.
/// `pirn_take` writes the same events down instead of calling.
///
/// Returns how many callbacks ran, or
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
