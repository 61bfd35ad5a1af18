#![expect(unsafe_code, reason = "the C face")]
//! Tasks of the loop's own, and what other threads, signal handlers and interrupts may call.
use super::run::call_tasks;
use super::{callback, enter, failure, function, give, pirn_loop, status, user_of};
use crate::error::Error;
use core::ffi::{c_int, c_void};

/// Names a task in the loop's own queue. All zero is never a live one.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pirn_task {
    /// Which place of the queue.
    pub slot: u32,
    /// Which use of that place: a handle of an earlier use is stale.
    pub generation: u32,
}

/// Called for a task or a post. Its place in the queue is free again. Runs on the loop's
/// thread. If it leaves by an exception or longjmp: see `pirn_abandon`.
pub type pirn_task_fn = Option<unsafe extern "C" fn(r#loop: *mut pirn_loop, user: *mut c_void)>;

/// Queue a callback for the next turn.
///
/// Tasks run in the order they were posted, after timers and I/O. What a task posts runs in the
/// turn after.
///
/// @param callback  called once
/// @param user      passed to the callback, never looked at
/// @param task      where the handle is written, or NULL; unchanged on error
///
/// Returns 0, or
/// - -EINVAL: no live loop; callback NULL (see `PIRN_TAKE`)
/// - -EAGAIN: the queue is full
///
/// Cost: O(1), no system call. Loop thread, any callback; for other threads see `pirn_remote_post`.
/// Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_task_post(
    r#loop: *mut pirn_loop,
    callback: pirn_task_fn,
    user: *mut c_void,
    task: *mut pirn_task,
) -> c_int {
    let reactor = enter!(r#loop);
    let callback = callback!(r#loop, callback, user);
    let result = reactor.task_post(callback);
    // SAFETY: a live loop, of which only the reactor was borrowed.
    unsafe { (*r#loop).0.call_tasks = Some(call_tasks) };
    // SAFETY: passed on.
    unsafe { give(result, task) }
}

/// Take a queued task back.
///
/// It will not run. Its place in the queue is free when the queue reaches it, in the next turn at
/// the latest.
///
/// Returns 0, or
/// - -EINVAL: no live loop
/// - -ENOENT: it has run, is running, was cancelled, or never was
///
/// Cost: O(1). Loop thread, any callback. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_task_cancel(r#loop: *mut pirn_loop, task: pirn_task) -> c_int {
    status(enter!(r#loop).task_cancel(task.into()))
}

/// Hand back one accepted post that has not run.
///
/// Before `pirn_deinit`, so that nothing accepted is lost: call it until it returns 0. First come
/// the loop's own tasks, then those posted from elsewhere, each in order. The first call closes the
/// queues: `pirn_remote_post`, `pirn_raise`, `pirn_wake` and `pirn_stop` are answered with
/// -ESHUTDOWN from then on.
///
/// @param callback  where the callback is written; unchanged unless 1 is returned
/// @param user      where its user data is written; unchanged unless 1 is returned
///
/// Returns 1 if one was handed back, 0 if there are none left, or
/// - -EINVAL: no live loop; `callback` or `user` is NULL
///
/// Cost: O(1); inside a callback O(n) in those handed back there before. Loop thread, any callback.
/// Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_task_reclaim(
    r#loop: *mut pirn_loop,
    callback: *mut pirn_task_fn,
    user: *mut *mut c_void,
) -> c_int {
    let reactor = enter!(r#loop);
    if callback.is_null() || user.is_null() {
        return failure(Error::EINVAL);
    }
    let Some(oldest) = reactor.task_reclaim() else {
        return 0;
    };
    // SAFETY: every callback of a task was made from a `pirn_task_fn`.
    let function = unsafe { core::mem::transmute::<*mut (), pirn_task_fn>(function(&oldest)) };
    // SAFETY: not NULL, hence writable as documented.
    unsafe { callback.write(function) };
    // SAFETY: as above.
    unsafe { user.write(user_of(&oldest)) };
    1
}
