#![expect(unsafe_code, reason = "the C face")]
//! Tasks: callbacks that the loop's own thread queues for the next turn.
use super::caller::call_tasks;
use super::{callback, failure, function, live_reactor, pirn_loop, status, user_of, write_handle};
use crate::error::Error;
use core::ffi::{c_int, c_void};

/// A handle: names a task in the loop's own queue. All zero is never live.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pirn_task {
    /// The index of the place in the queue.
    pub slot: u32,
    /// Counts the uses of that place: a handle of an earlier use is stale.
    pub generation: u32,
}

/// The callback of a task or a post. When it is called, the place of a task in the queue is already
/// free; for the place of a post see `pirn_remote_post`.
/// Called on the loop's thread. If it leaves by an exception or longjmp: see `pirn_abandon`.
pub type pirn_task_fn = Option<unsafe extern "C" fn(r#loop: *mut pirn_loop, user: *mut c_void)>;

/// Queue a callback for the next turn.
///
/// Tasks are called in the order in which they were posted, after timers and I/O. A task that is
/// posted inside a callback is called in the next turn.
///
/// @param callback  called once
/// @param user      passed to the callback, never dereferenced
/// @param task      receives the handle; may be NULL; unchanged on error
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
    let reactor = live_reactor!(r#loop);
    let callback = callback!(r#loop, callback, user);
    let result = reactor.task_post(callback);
    // SAFETY: a live loop, of which only the reactor was borrowed.
    unsafe { (*r#loop).0.call_tasks = Some(call_tasks) };
    // SAFETY: passed on.
    unsafe { write_handle(result, task) }
}

/// Cancel a queued task.
///
/// Its callback is never called. Its place in the queue becomes free when the queue reaches it, in
/// the next turn at the latest.
///
/// Returns 0, or
/// - -EINVAL: no live loop
/// - -ENOENT: the task has run, is running, was cancelled, or never existed
///
/// Cost: O(1). Loop thread, any callback. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_task_cancel(r#loop: *mut pirn_loop, task: pirn_task) -> c_int {
    status(live_reactor!(r#loop).task_cancel(task.into()))
}

/// Take one task or post that was not called yet out of the queues.
///
/// Call this before `pirn_deinit` until it returns 0, so that no memory owned by a task is lost. It
/// returns first the loop's own tasks, then the posts from other threads, each in order. The first
/// call closes the queues: from then on `pirn_remote_post`, `pirn_raise`, `pirn_wake` and
/// `pirn_stop` return -ESHUTDOWN.
///
/// @param callback  receives the callback; unchanged unless 1 is returned
/// @param user      receives its user data; unchanged unless 1 is returned
///
/// Returns 1 if one was taken out, 0 if none is left, or
/// - -EINVAL: no live loop; `callback` or `user` is NULL
///
/// Cost: O(1); inside a callback O(number of those taken out in it before). Loop thread, any
/// callback. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_task_reclaim(
    r#loop: *mut pirn_loop,
    callback: *mut pirn_task_fn,
    user: *mut *mut c_void,
) -> c_int {
    let reactor = live_reactor!(r#loop);
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
