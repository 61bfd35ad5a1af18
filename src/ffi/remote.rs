#![expect(unsafe_code, reason = "the C face")]
//! The functions that other threads, signal handlers and interrupts may call.

use core::ffi::{c_int, c_void};

use crate::error::Error;
use crate::ready::Interest;

use super::caller::call_posts;
use super::{
    callback, failure, live_reactor, pirn_io, pirn_io_fn, pirn_loop, pirn_task_fn, shared, status,
    write_handle,
};

/// Queue a callback from any thread, signal handler or interrupt.
///
/// The callback is called on the loop's thread, after those accepted before it. Each accepted post
/// is called exactly once, or returned by `pirn_task_reclaim`. If the loop sleeps, the post wakes
/// it: a burst of posts costs two system calls, one of which is getpid, to detect a fork; posts
/// while the loop is awake cost none. A thread that posts while another one is just waking the loop
/// wakes it too, because the other thread may have been preempted.
///
/// @param callback  called once, on the loop's thread
/// @param user      passed to the callback, never dereferenced
///
/// Returns 0, or
/// - -EINVAL: no live loop; callback NULL (see `PIRN_TAKE`)
/// - -EAGAIN: the queue is full; its capacity is half that for tasks, rounded up. The loop frees
///   the places of posts in batches of at most an eighth of the queue, so a full queue may still
///   be full in the callback of a post, but not after the turn
/// - -ESHUTDOWN: the queues were closed by `pirn_task_reclaim`
///
/// Async-signal-safe: it takes no lock, allocates nothing, and does not change errno. A signal
/// handler that interrupts a call may itself call it. Lock-free. Cost: O(1), two system calls at
/// most. Any thread. Since 0.1.
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
    let callback = callback!(r#loop, callback, user);
    shared.set_caller(call_posts as *mut ());
    status(shared.post(callback))
}

/// Add a handler for a bit: its callback is called when the bit is raised.
///
/// The handler is an I/O watcher for the bit instead of an fd. It uses an I/O slot. Its callback
/// gets the bit as `fd` and `PIRN_READ` as `ready`. `pirn_io_remove`, `pirn_io_ref` and
/// `pirn_io_unref` work on it. If the bit was raised before the handler was added, the handler is
/// called in the next turn.
///
/// @param bit      0 to 63
/// @param options  `PIRN_HIGH`, `PIRN_LOW`, `PIRN_UNREF`, or 0
/// @param callback called once for any number of raises since its last call
/// @param user     passed to the callback, never dereferenced
/// @param io       receives the handle; may be NULL; unchanged on error
///
/// Returns 0, or
/// - -EINVAL: no live loop; callback NULL (see `PIRN_TAKE`); bit above 63; other options
/// - -EEXIST: the bit already has a handler
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
    let reactor = live_reactor!(r#loop);
    let callback = callback!(r#loop, callback, user);
    let result = match Interest::from_bits(options) {
        Some(options) => reactor.raise_add(bit, options, callback),
        None => Err(Error::EINVAL),
    };
    // SAFETY: passed on.
    unsafe { write_handle(result, io) }
}

/// Raise a bit from any thread, signal handler or interrupt.
///
/// The handler added by `pirn_raise_add` is called on the loop's thread, once for any number of
/// raises since its last call. There is no queue that could be full, so a raise is never refused:
/// use it in signal handlers and interrupts.
///
/// @param bit  0 to 63
///
/// Returns 0, or
/// - -EINVAL: no live loop; bit above 63
/// - -ESHUTDOWN: the queues were closed by `pirn_task_reclaim`
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
/// Ends the current wait, or the next one if the loop is not waiting now, so that at least one turn
/// follows the call. Several calls may cause only one turn.
///
/// Returns 0, or -EINVAL: no live loop; -ESHUTDOWN: the queues were closed by `pirn_task_reclaim`.
/// Async-signal-safe, as `pirn_remote_post`. Cost: O(1), two system calls at most. Any thread.
/// Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_wake(r#loop: *mut pirn_loop) -> c_int {
    // SAFETY: passed on.
    status(unsafe { shared(r#loop) }.and_then(|shared| shared.wake()))
}

/// Make `pirn_run` return `PIRN_STOPPED`.
///
/// The current turn is completed first. If the loop is not running, the next run returns before its
/// first turn. Events that a limit has left over are handled by the run after it.
///
/// Returns 0, or -EINVAL: no live loop; -ESHUTDOWN: the queues were closed by `pirn_task_reclaim`.
/// Async-signal-safe, as `pirn_remote_post`. Cost: O(1), two system calls at most. Any thread.
/// Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_stop(r#loop: *mut pirn_loop) -> c_int {
    // SAFETY: passed on.
    status(unsafe { shared(r#loop) }.and_then(|shared| shared.stop()))
}
