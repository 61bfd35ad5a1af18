#![expect(unsafe_code, reason = "the C face")]
//! Tasks of the loop's own, and what other threads, signal handlers and interrupts may call.

use core::ffi::{c_int, c_void};

use crate::error::Error;

use super::{
    enter, failure, function, give, pirn_loop, pirn_task, pirn_task_fn, shared, status, target,
    user,
};

/// Queue a callback for the next turn.
///
/// Tasks run in the order they were posted, after timers and I/O. What a task posts runs in the turn after.
///
/// @param callback  called once
/// @param user      passed to the callback, never looked at
/// @param task      where the handle is written, or NULL; unchanged on error
///
/// Returns 0, or
/// - -EINVAL: no live loop; callback NULL (see `PIRN_TAKE`)
/// - -EAGAIN: the queue is full
///
/// Cost: O(1), no system call. Loop thread, any callback; for other threads see `pirn_remote_post`. Since 0.1.
///
/// # Safety
///
/// `loop` is NULL or came from `pirn_init`; `task` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_task_post(
    loop_: *mut pirn_loop,
    callback: pirn_task_fn,
    user: *mut c_void,
    task: *mut pirn_task,
) -> c_int {
    let reactor = enter!(loop_);
    let target = target!(loop_, callback, user);
    let result = reactor.task_post(target);
    // SAFETY: passed on.
    unsafe { give(result, task) }
}

/// Take a queued task back.
///
/// It will not run. Its place in the queue is free when the queue reaches it, in the next turn at the latest.
///
/// Returns 0, or
/// - -EINVAL: no live loop
/// - -ENOENT: it has run, is running, was cancelled, or never was
///
/// Cost: O(1). Loop thread, any callback. Since 0.1.
///
/// # Safety
///
/// `loop` is NULL or came from `pirn_init`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_task_cancel(loop_: *mut pirn_loop, task: pirn_task) -> c_int {
    status(enter!(loop_).task_cancel(task.into()))
}

/// Hand back one accepted post that has not run.
///
/// Before `pirn_deinit`, so that nothing accepted is lost: call it until it returns 0. First come the loop's own tasks, then those posted
/// from elsewhere, each in order. The first call closes the queues: `pirn_remote_post`, `pirn_raise`, `pirn_wake` and `pirn_stop` are
/// answered with -ESHUTDOWN from then on.
///
/// @param callback  where the callback is written; unchanged unless 1 is returned
/// @param user      where its user data is written; unchanged unless 1 is returned
///
/// Returns 1 if one was handed back, 0 if there are none left, or
/// - -EINVAL: no live loop; `callback` or `user` is NULL
///
/// Cost: O(1); inside a callback O(n) in those handed back there before. Loop thread, any callback. Since 0.1.
///
/// # Safety
///
/// `loop` is NULL or came from `pirn_init`; the others are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_task_reclaim(
    loop_: *mut pirn_loop,
    callback: *mut pirn_task_fn,
    user_out: *mut *mut c_void,
) -> c_int {
    let reactor = enter!(loop_);
    if callback.is_null() || user_out.is_null() {
        return failure(Error::EINVAL);
    }
    let Some(target) = reactor.task_reclaim() else {
        return 0;
    };
    // SAFETY: every target of a task was made from a `pirn_task_fn`.
    let function = unsafe { core::mem::transmute::<*mut (), pirn_task_fn>(function(&target)) };
    // SAFETY: not NULL, hence writable as documented.
    unsafe { callback.write(function) };
    // SAFETY: as above.
    unsafe { user_out.write(user(&target)) };
    1
}

/// Queue a callback from anywhere: any thread, any signal handler.
///
/// It runs on the loop's thread, after those accepted before it. The loop is woken if it sleeps: a burst of
/// posts costs two system calls, one of which asks for the process, and posts while the loop is awake cost
/// none. A thread that posts while another
/// is in the middle of waking the loop makes the call too, as the other may have been preempted. What was
/// accepted runs exactly once, or is handed back by `pirn_task_reclaim`.
///
/// @param callback  called once, on the loop's thread
/// @param user      passed to the callback, never looked at
///
/// Returns 0, or
/// - -EINVAL: no live loop; callback NULL (see `PIRN_TAKE`)
/// - -EAGAIN: there is no room; the room is half the tasks, rounded up
/// - -ESHUTDOWN: the queues are closed
///
/// Async-signal-safe: it takes no lock, allocates nothing, and does not touch errno; a handler that interrupts it may call it again.
/// Lock-free. Cost: O(1), two system calls at most. Any thread. Since 0.1.
///
/// # Safety
///
/// `loop` is NULL or came from `pirn_init` and is not being ended meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_remote_post(
    loop_: *mut pirn_loop,
    callback: pirn_task_fn,
    user: *mut c_void,
) -> c_int {
    // SAFETY: passed on.
    let shared = match unsafe { shared(loop_) } {
        Ok(shared) => shared,
        Err(error) => return failure(error),
    };
    status(shared.post(target!(loop_, callback, user)))
}

/// Raise a bit from anywhere: any thread, any signal handler.
///
/// What a signal handler or an interrupt wants: it cannot be full, and raising a raised bit is one call. The callback that
/// `pirn_raise_add` gave it runs once on the loop's thread.
///
/// @param bit  0 to 63
///
/// Returns 0, or
/// - -EINVAL: no live loop; bit above 63
/// - -ESHUTDOWN: the queues are closed
///
/// Async-signal-safe, as `pirn_remote_post`. Cost: O(1), two system calls at most. Any thread. Since 0.1.
///
/// # Safety
///
/// `loop` is NULL or came from `pirn_init` and is not being ended meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_raise(loop_: *mut pirn_loop, bit: u32) -> c_int {
    // SAFETY: passed on.
    status(unsafe { shared(loop_) }.and_then(|shared| shared.raise(bit)))
}

/// Make the loop's wait return.
///
/// The current wait, or the next one if the loop is not waiting now: at least one turn follows the call. Several calls may make one turn.
///
/// Returns 0, or -EINVAL: no live loop; -ESHUTDOWN: the queues are closed. Async-signal-safe, as `pirn_remote_post`. Cost: O(1), two
/// system calls at most. Any thread. Since 0.1.
///
/// # Safety
///
/// `loop` is NULL or came from `pirn_init` and is not being ended meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_wake(loop_: *mut pirn_loop) -> c_int {
    // SAFETY: passed on.
    status(unsafe { shared(loop_) }.and_then(|shared| shared.wake()))
}

/// End the run.
///
/// The turn under way is finished, then `pirn_run` returns `PIRN_STOPPED`. Said while no run is under way, it ends the next one before
/// its first turn. What a limited turn left over is served by the next run.
///
/// Returns 0, or -EINVAL: no live loop; -ESHUTDOWN: the queues are closed. Async-signal-safe, as `pirn_remote_post`. Cost: O(1), two
/// system calls at most. Any thread. Since 0.1.
///
/// # Safety
///
/// `loop` is NULL or came from `pirn_init` and is not being ended meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_stop(loop_: *mut pirn_loop) -> c_int {
    // SAFETY: passed on.
    status(unsafe { shared(loop_) }.and_then(|shared| shared.stop()))
}
