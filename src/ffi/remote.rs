#![expect(unsafe_code, reason = "the C face")]
//! What other threads, signal handlers and interrupts may call.

use core::ffi::{c_int, c_void};

use crate::error::Error;
use crate::ready::Interest;

use super::{
    callback, enter, failure, give, pirn_io, pirn_io_fn, pirn_loop, pirn_task_fn, shared, status,
};

/// Queue a callback from anywhere: any thread, any signal handler.
///
/// It runs on the loop's thread, after those accepted before it. The loop is woken if it sleeps: a
/// burst of posts costs two system calls, one of which asks for the process, and posts while the
/// loop is awake cost none. A thread that posts while another is in the middle of waking the loop
/// makes the call too, as the other may have been preempted. What was accepted runs exactly once,
/// or is handed back by `pirn_task_reclaim`.
///
/// @param callback  called once, on the loop's thread
/// @param user      passed to the callback, never looked at
///
/// Returns 0, or
/// - -EINVAL: no live loop; callback NULL (see `PIRN_TAKE`)
/// - -EAGAIN: there is no room; the room is half the tasks, rounded up
/// - -ESHUTDOWN: the queues are closed
///
/// Async-signal-safe: it takes no lock, allocates nothing, and does not touch errno; a handler that
/// interrupts it may call it again. Lock-free. Cost: O(1), two system calls at most. Any thread.
/// Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_remote_post(
    r#loop: *mut pirn_loop,
    callback: pirn_task_fn,
    user: *mut c_void,
) -> c_int {
    // SAFETY: passed on.
    let shared = match unsafe { shared(r#loop) } {
        Ok(shared) => shared,
        Err(error) => return failure(error),
    };
    status(shared.post(callback!(r#loop, callback, user)))
}

/// Have a callback run when a bit is raised.
///
/// The handler is an I/O watcher whose source is the bit: it takes an I/O slot, its callback gets
/// the bit as `fd` and `PIRN_READ` as `ready`, and `pirn_io_remove`, `pirn_io_ref` and
/// `pirn_io_unref` work on it. A bit raised before it had a handler is delivered when it gets one.
///
/// @param bit      0 to 63
/// @param options  `PIRN_HIGH`, `PIRN_LOW`, `PIRN_UNREF`, or 0
/// @param callback called once for any number of raises since it was last called
/// @param user     passed to the callback, never looked at
/// @param io       where the handle is written, or NULL; unchanged on error
///
/// Returns 0, or
/// - -EINVAL: no live loop; callback NULL (see `PIRN_TAKE`); bit above 63; other options
/// - -EEXIST: the bit has a handler
/// - -ENOSPC: all I/O slots are in use
///
/// Cost: O(1), no system call. Loop thread, any callback. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_raise_add(
    r#loop: *mut pirn_loop,
    bit: u32,
    options: u32,
    callback: pirn_io_fn,
    user: *mut c_void,
    io: *mut pirn_io,
) -> c_int {
    let reactor = enter!(r#loop);
    let callback = callback!(r#loop, callback, user);
    let result = match Interest::from_bits(options) {
        Some(options) => reactor.raise_add(bit, options, callback),
        None => Err(Error::EINVAL),
    };
    // SAFETY: passed on.
    unsafe { give(result, io) }
}

/// Raise a bit from anywhere: any thread, any signal handler.
///
/// What a signal handler or an interrupt wants: it cannot be full, and raising a raised bit is one
/// call. The callback that `pirn_raise_add` gave it runs once on the loop's thread.
///
/// @param bit  0 to 63
///
/// Returns 0, or
/// - -EINVAL: no live loop; bit above 63
/// - -ESHUTDOWN: the queues are closed
///
/// Async-signal-safe, as `pirn_remote_post`. Cost: O(1), two system calls at most. Any thread.
/// Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_raise(r#loop: *mut pirn_loop, bit: u32) -> c_int {
    // SAFETY: passed on.
    status(unsafe { shared(r#loop) }.and_then(|shared| shared.raise(bit)))
}

/// Make the loop's wait return.
///
/// The current wait, or the next one if the loop is not waiting now: at least one turn follows the
/// call. Several calls may make one turn.
///
/// Returns 0, or -EINVAL: no live loop; -ESHUTDOWN: the queues are closed. Async-signal-safe, as
/// `pirn_remote_post`. Cost: O(1), two system calls at most. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_wake(r#loop: *mut pirn_loop) -> c_int {
    // SAFETY: passed on.
    status(unsafe { shared(r#loop) }.and_then(|shared| shared.wake()))
}

/// End the run.
///
/// The turn under way is finished, then `pirn_run` returns `PIRN_STOPPED`. Said while no run is
/// under way, it ends the next one before its first turn. What a limited turn left over is served
/// by the next run.
///
/// Returns 0, or -EINVAL: no live loop; -ESHUTDOWN: the queues are closed. Async-signal-safe, as
/// `pirn_remote_post`. Cost: O(1), two system calls at most. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_stop(r#loop: *mut pirn_loop) -> c_int {
    // SAFETY: passed on.
    status(unsafe { shared(r#loop) }.and_then(|shared| shared.stop()))
}
