#![expect(unsafe_code, reason = "the C face")]
//! Running the loop: runs, turns, limits and holds.

use core::ffi::c_int;

use crate::atomic::Ordering;
use crate::error::Result;
use crate::reactor::turn::{self, Caller};
use crate::reactor::{Ended, Limit};
use crate::time::{Duration, Instant};

use super::running::{calling, inside};
use super::{count, failure, live_reactor, pirn_loop, status};

/// `pirn_run` returned because nothing keeps the loop going any more.
pub const PIRN_DONE: c_int = 0;

/// `pirn_run` returned because of `pirn_stop`.
pub const PIRN_STOPPED: c_int = 1;

/// `pirn_run_until` returned because its deadline has passed.
pub const PIRN_EXPIRED: c_int = 2;

/// `pirn_ended`: a run would make another turn.
pub const PIRN_GOING: c_int = 3;

const _: () = assert!(
    PIRN_DONE == Ended::Done as c_int
        && PIRN_STOPPED == Ended::Stopped as c_int
        && PIRN_EXPIRED == Ended::Expired as c_int
);

fn ended(result: Result<Ended>) -> c_int {
    match result {
        Ok(ended) => ended as c_int,
        Err(error) => failure(error),
    }
}

/// Run the loop until `pirn_stop` is called or nothing keeps the loop going any more.
///
/// These keep the loop going: watchers and armed timers, unless they are unref'ed; queued tasks;
/// accepted posts and raised bits that were not called yet; and every `pirn_hold`. If a program
/// waits only for posts from other threads, it must hold the loop, because a post that may come
/// later does not keep it going. To find out why a run does not return, use `pirn_info_next` and
/// `pirn_stats`; docs/MANUAL.md has a function that prints both.
///
/// Returns `PIRN_DONE` or `PIRN_STOPPED`, or
/// - -EINVAL: no live loop
/// - -EBUSY: inside a callback of this loop, or another thread is running it
/// - -EOPNOTSUPP: the loop was made with `PIRN_TAKE`
/// - -ECHILD: in a forked child, before `pirn_after_fork`
/// - another error that the kernel returned for the wait: -EBADF (the loop's own fd was closed),
///   -EINVAL, -ENOMEM and others; nothing is lost, and the loop can be run again
///
/// Blocks. Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_run(r#loop: *mut pirn_loop) -> c_int {
    // SAFETY: passed on.
    ended(unsafe { calling(r#loop, |face| turn::run(face, Instant::NEVER)) })
}

/// Run the loop as `pirn_run` does, but at most until a deadline.
///
/// @param deadline_ns  a time on the clock of `pirn_now`; `PIRN_FOREVER`: no deadline. A callback
///                     that is running at the deadline is not interrupted.
///
/// Returns `PIRN_EXPIRED` when the deadline has passed, otherwise as `pirn_run`. If the deadline is
/// in the past, returns immediately without a turn. Blocks. Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_run_until(r#loop: *mut pirn_loop, deadline_ns: u64) -> c_int {
    // SAFETY: passed on.
    ended(unsafe { calling(r#loop, |face| turn::run_until(face, Instant(deadline_ns))) })
}

/// Make one turn.
///
/// Wait until something is due, but at most `timeout_ns`, then call everything that is due. The
/// turn waits even if nothing keeps the loop going.
///
/// A result of 0 does not mean that the timeout has passed. It is also returned after a signal or
/// `pirn_wake`; after events that no watcher waits for any more; and on epoll if the wait was split
/// in two, because the next turn waits for the rest (rule 7 of docs/TURN.md). So call this in a
/// loop, and use `pirn_now` to find out how much time has passed.
///
/// @param timeout_ns  0: do not wait; `PIRN_FOREVER`: wait without limit
///
/// Returns how many callbacks were called, or an error as `pirn_run`. Blocks unless `timeout_ns` is
/// 0. Cost besides the wait: one system call (getpid, to detect a fork). Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_turn(r#loop: *mut pirn_loop, timeout_ns: u64) -> c_int {
    // SAFETY: passed on.
    count(unsafe { calling(r#loop, |face| turn::turn(face, Duration(timeout_ns))) })
}

/// End a run, a turn or a dispatch that a callback has left by an exception or longjmp.
///
/// pirn cannot notice that a callback has left in this way. The loop still counts as running, so
/// the functions that run it and `pirn_deinit` return -EBUSY. Call this where the exception was
/// caught or where setjmp returned. The callback that has left counts as called. The following
/// turns call everything else that was due, each item once; tasks that this turn had not reached
/// belong to the next turn.
///
/// In a forked child this also ends a run whose thread exists only in the parent, for the case that
/// `pirn_after_fork` or `pirn_deinit` cannot recognise it and returns -EBUSY.
///
/// Make sure that the run is really over. Never call this inside a callback: a second run could
/// then begin while the first is in progress.
///
/// Returns 0, also if the loop was not running, or -EINVAL: no live loop. Cost: O(I/O watchers),
/// because edges are armed again. Loop thread, outside of callbacks. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_abandon(r#loop: *mut pirn_loop) -> c_int {
    live_reactor!(r#loop).abandon();
    // SAFETY: a live loop, as `live_reactor!` has found. The word is atomic and only ever borrowed
    // shared.
    let inside = unsafe { &(*r#loop).0.inside };
    inside.store(0, Ordering::Release);
    0
}

/// Limit how many callbacks one turn calls, or for how long.
///
/// The turns after it call the items that a limit has left over, before they fetch anything new:
/// nothing is lost, and nothing is called a second time before everything else was called once.
///
/// @param callbacks  the largest number of callbacks in a turn; 0: no limit
/// @param time_ns    no callback is started later than this in a turn; 0: no limit. With a limit
///                   the clock is read before and after each callback.
///
/// Returns 0, or -EINVAL: no live loop. Takes effect with the next turn. Cost: O(1). Loop thread,
/// any callback. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_limit(r#loop: *mut pirn_loop, callbacks: u32, time_ns: u64) -> c_int {
    live_reactor!(r#loop).set_limit(Limit {
        callbacks,
        time: Duration(time_ns),
    });
    0
}

/// Keep `pirn_run` going, even if nothing else does, until `pirn_release`.
///
/// Holds are counted: the loop needs as many releases as holds.
///
/// Returns 0, or -EINVAL: no live loop; -ENOSPC: already held 2^32 - 1 times. Cost: O(1). Loop
/// thread, any callback. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_hold(r#loop: *mut pirn_loop) -> c_int {
    status(live_reactor!(r#loop).hold())
}

/// Undo one `pirn_hold`.
///
/// Returns 0, or -EINVAL: no live loop, or it is not held. Cost: O(1). Loop thread, any callback.
/// Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_release(r#loop: *mut pirn_loop) -> c_int {
    status(live_reactor!(r#loop).release())
}

/// Return whether `pirn_run` would make another turn: for programs that make their turns
/// themselves.
///
/// Returns `PIRN_GOING` if a run would make another turn, `PIRN_STOPPED` if `pirn_stop` was called
/// since the last call of this function, `PIRN_DONE` if nothing keeps the loop going, or
/// - -EINVAL: no live loop
/// - -EBUSY: inside a callback or a run
///
/// Cost: O(1). Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_ended(r#loop: *mut pirn_loop) -> c_int {
    // SAFETY: passed on.
    let ended = unsafe { inside(r#loop, |face| Ok(face.reactor().ended(Instant::NEVER))) };
    match ended {
        Ok(None) => PIRN_GOING,
        Ok(Some(ended)) => ended as c_int,
        Err(error) => failure(error),
    }
}
