#![expect(
    unsafe_code,
    reason = "C functions: raw pointers come in, and C functions are called"
)]
//! The C functions. Their contracts are written in this file only.

use core::ffi::{c_int, c_void};
use core::ptr::NonNull;
use core::sync::atomic::Ordering;

use pirn_wait::functions::{
    pirn_remote_push, pirn_waiter_begin, pirn_waiter_check, pirn_waiter_grant, pirn_waiter_move,
};
use pirn_wait::{
    EAGAIN, EBUSY, EINVAL, ENOENT, PIRN_WAIT_FIRM, pirn_hub, pirn_remote, pirn_wait_kind,
    pirn_waiter,
};

use crate::queue::{pirn_work, pirn_workers};

/// The kind of a wait: for work that is done.
pub const PIRN_FOR_WORK: u32 = 24;

/// How to close workers: work that was submitted is still done.
pub const PIRN_WORKERS_DRAIN: u32 = 0;
/// How to close workers: work that has not begun is cancelled, and `done` is called with
/// -ECANCELED.
pub const PIRN_WORKERS_NOW: u32 = 1;

/// The function of the work, called on a worker thread. It may block. Of this library it may call
/// only the functions for any thread. Its result is passed to `done`. It must not be left by an
/// exception or longjmp.
pub type pirn_work_fn =
    Option<unsafe extern "C" fn(work: *mut pirn_work, user: *mut c_void) -> c_int>;

/// Called once for submitted work, on the loop's thread. `work` belongs to you again: you may
/// submit it again or free it. It must not be left by an exception or longjmp.
pub type pirn_done_fn = Option<
    unsafe extern "C" fn(
        hub: *mut pirn_hub,
        work: *mut pirn_work,
        result: c_int,
        user: *mut c_void,
    ),
>;

static WAITING: pirn_wait_kind = pirn_wait_kind {
    number: PIRN_FOR_WORK,
    flags: 0,
    quit: None,
    leave: None,
    take: None,
    undo: None,
};

/// The kind of wait of `pirn_work_call_start` while the work has not begun: the end of the wait
/// withdraws the work.
static CALLING: pirn_wait_kind = pirn_wait_kind {
    quit: Some(on_quit),
    ..WAITING
};

/// The same when the work has begun: the wait cannot end before the work is done.
static STAYING: pirn_wait_kind = pirn_wait_kind {
    flags: PIRN_WAIT_FIRM,
    ..WAITING
};

/// Initialise workers. They have no thread until one calls `pirn_workers_run`.
///
/// @param most_waiting  the largest amount of work that can wait for a thread; 0: no limit
///
/// Returns 0, or -EINVAL: `workers` is NULL. Cost: O(1). Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_workers_init(workers: *mut pirn_workers, most_waiting: u32) -> c_int {
    if workers.is_null() {
        return -EINVAL;
    }
    // SAFETY: not NULL, hence writable as documented.
    unsafe { workers.write(pirn_workers::new(most_waiting)) };
    0
}

/// Do work on the calling thread, until the workers are closed and no work is left.
///
/// Any number of threads may call this. They sleep while there is no work.
///
/// Returns 0 when the workers are closed, or -EINVAL: `workers` is NULL. Any thread except the
/// loop's. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_workers_run(workers: *mut pirn_workers) -> c_int {
    // SAFETY: NULL, or initialised, as documented.
    let Some(workers) = (unsafe { workers.as_ref() }) else {
        return -EINVAL;
    };
    workers.run(deliver);
    0
}

/// Close workers: no more work can be submitted, and the threads return from `pirn_workers_run`.
///
/// Join the threads before you end the hub or reuse the memory of the workers.
///
/// @param how  `PIRN_WORKERS_DRAIN` or `PIRN_WORKERS_NOW`; you may call this again with the other
///             one
///
/// Returns 0, or -EINVAL: `workers` is NULL, or another `how`. Cost: O(work that has not begun).
/// Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_workers_close(workers: *mut pirn_workers, how: u32) -> c_int {
    // SAFETY: NULL, or initialised, as documented.
    let Some(workers) = (unsafe { workers.as_ref() }) else {
        return -EINVAL;
    };
    if how > PIRN_WORKERS_NOW {
        return -EINVAL;
    }
    workers.close(how == PIRN_WORKERS_NOW, deliver);
    0
}

/// Submit work to be done on a worker thread.
///
/// Work begins in the order in which it was submitted. It keeps `pirn_run` going until `done` is
/// called.
///
/// @param hub       the hub of the loop on which `done` is called
/// @param work      a zeroed struct, or one whose work is done
/// @param function  called on one of the worker threads
/// @param done      called on the loop's thread with the result of the function, or with -ECANCELED
///                  if the function never ran; may be NULL
/// @param user      passed to both functions, never dereferenced
///
/// Returns 0, or an error, and then nothing was submitted:
/// - -EINVAL: an argument other than `done` is NULL
/// - -EBUSY: the work was submitted before and is not done
/// - -EAGAIN: the largest permitted amount of work is already waiting
/// - -ESHUTDOWN: the workers are closed
///
/// Cost: O(1); a system call if a thread sleeps. Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_work_submit(
    workers: *mut pirn_workers,
    hub: *mut pirn_hub,
    work: *mut pirn_work,
    function: pirn_work_fn,
    done: pirn_done_fn,
    user: *mut c_void,
) -> c_int {
    // SAFETY: NULL, or initialised, as documented.
    let Some(workers) = (unsafe { workers.as_ref() }) else {
        return -EINVAL;
    };
    // SAFETY: NULL, zero or submitted before, as documented; all zero is idle work.
    let Some(work) = (unsafe { work.as_ref() }) else {
        return -EINVAL;
    };
    if hub.is_null() || function.is_none() {
        return -EINVAL;
    }
    if work.is_live() {
        return -EBUSY;
    }
    let rc = workers.push(work, || {
        work.hub.set(hub);
        work.function.set(function);
        work.done.set(done);
        work.user.set(user);
    });
    if rc == 0 {
        // SAFETY: not NULL, hence initialised as documented.
        unsafe { &*hub }.begin_work();
    }
    rc
}

/// Submit work, and begin a wait for its end.
///
/// If the wait ends early, by its timeout or by cancellation, work that has not begun is withdrawn:
/// it never runs. Work that has begun is always waited for; its function can call
/// `pirn_work_is_cancelled` to end early. So the work is no longer in use when the wait is over,
/// and may live on the stack of a fiber. Do not drop the waiter during the wait.
///
/// @param timeout_ns  from the turn's time; `PIRN_FOREVER`: no limit
///
/// Returns `PIRN_WAITS`: the wait has begun. It ends with 0 if the work is done (its result is in
/// `work->result`), and with -ETIMEDOUT or -ECANCELED if the work was withdrawn. Or returns an
/// error as `pirn_work_submit`, and then nothing has begun; or:
/// - -EAGAIN: also if `timeout_ns` is 0
/// - -EDEADLK: `waiter` is NULL, which `pirn_fiber_self` returns inside a callback
/// - -EBUSY: also if `waiter` waits already
///
/// Cost: as `pirn_work_submit`. Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_work_call_start(
    workers: *mut pirn_workers,
    hub: *mut pirn_hub,
    work: *mut pirn_work,
    function: pirn_work_fn,
    user: *mut c_void,
    waiter: *mut pirn_waiter,
    timeout_ns: u64,
) -> c_int {
    // SAFETY: passed on.
    let refused = unsafe { pirn_waiter_check(waiter, timeout_ns) };
    if refused != 0 {
        return refused;
    }
    if timeout_ns == 0 {
        return -EAGAIN;
    }
    // SAFETY: passed on.
    let rc = unsafe { pirn_work_submit(workers, hub, work, function, None, user) };
    if rc != 0 {
        return rc;
    }
    // SAFETY: it was submitted, hence it is not NULL; a waiter that may wait.
    unsafe { begin(work, waiter, &raw const CALLING, timeout_ns) }
}

/// Begin a wait until work is done.
///
/// @param waiter      the waiter; may be NULL if `timeout_ns` is 0
/// @param timeout_ns  from the turn's time; `PIRN_FOREVER`: no limit; 0: do not wait
///
/// Returns 0 if the work is done or was never submitted, or `PIRN_WAITS` if the wait has begun; it
/// then ends with 0, -ETIMEDOUT or -ECANCELED. Or returns an error, and then no wait has begun:
/// - -EAGAIN: `timeout_ns` is 0, and the work is not done
/// - -EINVAL: `work` is NULL
/// - -EDEADLK: `waiter` is NULL, which `pirn_fiber_self` returns inside a callback
/// - -EBUSY: `waiter` is already waiting
///
/// Cost: O(1). Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_work_wait_start(
    work: *mut pirn_work,
    waiter: *mut pirn_waiter,
    timeout_ns: u64,
) -> c_int {
    // SAFETY: NULL, zero or submitted before, as documented.
    let Some(this) = (unsafe { work.as_ref() }) else {
        return -EINVAL;
    };
    // SAFETY: passed on.
    let refused = unsafe { pirn_waiter_check(waiter, timeout_ns) };
    if refused != 0 {
        return refused;
    }
    if !this.is_live() {
        return 0;
    }
    // SAFETY: not NULL.
    unsafe { begin(work, waiter, &raw const WAITING, timeout_ns) }
}

/// # Safety
///
/// `work` is not NULL; the others are as `pirn_waiter_begin` asks.
unsafe fn begin(
    work: *mut pirn_work,
    waiter: *mut pirn_waiter,
    kind: *const pirn_wait_kind,
    timeout_ns: u64,
) -> c_int {
    // SAFETY: the caller promises it.
    let list = unsafe { &raw const (*work).waiters };
    // SAFETY: the list is part of the work, which stays until it is done.
    unsafe { pirn_waiter_begin(waiter, list, kind, work.cast(), 0, timeout_ns) }
}

/// Cancel work.
///
/// Returns 0 if the work has not begun: its function is never called, and `done` is called with
/// -ECANCELED in the next turn. Or
/// - -EBUSY: the function is running or has run. From now on `pirn_work_is_cancelled` returns 1 to
///   it, and `done` is called with its result
/// - -ENOENT: the work was not submitted, or is done
/// - -EINVAL: `work` is NULL
///
/// Cost: O(1). Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_work_cancel(work: *mut pirn_work) -> c_int {
    // SAFETY: NULL, zero or submitted before, as documented.
    let Some(this) = (unsafe { work.as_ref() }) else {
        return -EINVAL;
    };
    let rc = take_back(this);
    if rc == 0 {
        deliver(NonNull::from(this));
    }
    rc
}

fn take_back(work: &pirn_work) -> c_int {
    match work.workers.get() {
        // SAFETY: workers outlive the work that was given to them, as documented.
        Some(workers) => unsafe { workers.as_ref() }.take_back(work),
        None => -ENOENT,
    }
}

/// Return 1 if the work was cancelled, otherwise 0. To be called by the function of the work, on
/// the thread that runs it. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_work_is_cancelled(work: *const pirn_work) -> c_int {
    // SAFETY: NULL, or running, as documented.
    unsafe { work.as_ref() }.map_or(-EINVAL, |work| {
        c_int::from(work.is_cancelled.load(Ordering::Acquire) != 0)
    })
}

/// Sends finished work back to its loop. Any thread. The caller must not use the work afterwards.
fn deliver(work: NonNull<pirn_work>) {
    let remote = work.as_ptr().cast::<pirn_remote>();
    // SAFETY: live work; its hub was set when it was submitted.
    let hub = unsafe { work.as_ref() }.hub.get();
    // SAFETY: the hub is live until the threads have been joined, as documented; the first field of
    // work is what is pushed, and it stays until `on_done` is called.
    unsafe { pirn_remote_push(hub, remote, Some(on_done)) };
}

/// Called on the loop's thread when work has come back.
unsafe extern "C" fn on_done(hub: *mut pirn_hub, remote: *mut pirn_remote) {
    let address = remote.cast::<pirn_work>();
    // SAFETY: `deliver` has pushed the first field of work.
    let work = unsafe { &*address };
    finish(hub, work);
    let (done, result, user) = (work.done.get(), work.result.get(), work.user.get());
    if let Some(done) = done {
        // SAFETY: called as documented there; nothing of the work is borrowed afterwards.
        unsafe { done(hub, address, result, user) };
    }
}

/// Gives the work back to its owner, and ends the waits for it.
fn finish(hub: *mut pirn_hub, work: &pirn_work) {
    work.settle();
    while let Some(waiter) = work.waiters.first() {
        // SAFETY: it is in the list, so it waits.
        unsafe { pirn_waiter_grant(waiter, 0) };
    }
    // SAFETY: the hub it was submitted with.
    unsafe { &*hub }.end_work();
}

/// Called when a timeout or a cancellation is about to end the wait of `pirn_work_call_start`.
unsafe extern "C" fn on_quit(waiter: *mut pirn_waiter, _result: c_int) -> c_int {
    // SAFETY: called with a live waiter.
    let waiter = unsafe { &*waiter };
    let address = waiter.object().cast::<pirn_work>();
    // SAFETY: the work that it waits for, which exists until the wait is over.
    let work = unsafe { &*address };
    if take_back(work) == 0 {
        work.settle();
        // The work is withdrawn, so the other waits for it end too.
        while let Some(other) = work
            .waiters
            .iter()
            .find(|other| !core::ptr::eq(*other, waiter))
        {
            // SAFETY: it is in the list, so it waits.
            unsafe { pirn_waiter_grant(other, 0) };
        }
        // SAFETY: the hub it was submitted with.
        unsafe { &*work.hub.get() }.end_work();
        return 0;
    }
    let (list, kind) = (&raw const work.waiters, &raw const STAYING);
    // SAFETY: it waits, in this very list.
    unsafe { pirn_waiter_move(waiter, list, kind, address.cast()) };
    1
}
