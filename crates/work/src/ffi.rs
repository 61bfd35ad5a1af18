#![expect(
    unsafe_code,
    reason = "C functions: raw pointers come in, and C functions are called"
)]
//! The C functions. What they promise is written here, once.

use core::ffi::{c_int, c_void};
use core::ptr::NonNull;
use core::sync::atomic::Ordering;

use pirn_abi::{pirn_hold, pirn_release};
use pirn_wait::functions::{
    pirn_hub_loop, pirn_remote_push, pirn_waiter_begin, pirn_waiter_check, pirn_waiter_grant,
    pirn_waiter_move,
};
use pirn_wait::{
    EAGAIN, EBUSY, EINVAL, ENOENT, PIRN_WAIT_FIRM, pirn_hub, pirn_remote, pirn_wait_kind,
    pirn_waiter,
};

use crate::queue::{pirn_work, pirn_workers};

/// What is waited for: work that is done.
pub const PIRN_FOR_WORK: u32 = 24;

/// How workers are closed: what was submitted is still done.
pub const PIRN_WORKERS_DRAIN: u32 = 0;
/// How workers are closed: what has not begun is not done, and gets -ECANCELED.
pub const PIRN_WORKERS_NOW: u32 = 1;

/// The work. Runs on a thread of the application, and may do what such a thread may: wait, call
/// functions that block, and of this library the functions for any thread. Its result is what
/// `done` gets. Must not unwind or longjmp out.
pub type pirn_work_fn =
    Option<unsafe extern "C" fn(work: *mut pirn_work, user: *mut c_void) -> c_int>;

/// Called once for work that was submitted, on the loop's thread, in a callback. `work` is yours
/// again: it can be submitted again or be gone when this returns. Must not unwind or longjmp out.
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

/// Of a caller who has given the work away himself, and takes it with him.
static CALLING: pirn_wait_kind = pirn_wait_kind {
    quit: Some(on_quit),
    ..WAITING
};

/// The same, when the work has begun: he cannot leave before it is done.
static STAYING: pirn_wait_kind = pirn_wait_kind {
    flags: PIRN_WAIT_FIRM,
    ..WAITING
};

/// Prepare workers. No thread runs for them yet.
///
/// @param most_waiting  how much work can wait for a thread at most; 0: any amount, for it links
///                      itself
///
/// Returns 0, or -EINVAL: NULL. Cost: O(1). Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_workers_init(workers: *mut pirn_workers, most_waiting: u32) -> c_int {
    if workers.is_null() {
        return -EINVAL;
    }
    // SAFETY: not NULL, hence writable as documented.
    unsafe { workers.write(pirn_workers::new(most_waiting)) };
    0
}

/// Do work until the workers are closed and nothing is left: the life of a thread.
///
/// Any number of threads can call this. They sleep while there is nothing to do.
///
/// Returns 0 when the workers are closed; -EINVAL: NULL. Any thread but the loop's. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_workers_run(workers: *mut pirn_workers) -> c_int {
    // SAFETY: NULL, or initialised, as documented.
    let Some(workers) = (unsafe { workers.as_ref() }) else {
        return -EINVAL;
    };
    workers.run(deliver);
    0
}

/// Close workers: nothing can be submitted any more, and the threads return.
///
/// Join the threads before you end the hub, or reuse the memory of the workers.
///
/// @param how  `PIRN_WORKERS_DRAIN` or `PIRN_WORKERS_NOW`, also after the other one
///
/// Returns 0, or -EINVAL: NULL, or another number. Cost: O(work that has not begun). Any thread.
/// Since 0.1.
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

/// Have work done by a thread.
///
/// Work begins in the order in which it was submitted. It keeps `pirn_run` going until `done` is
/// called.
///
/// @param hub       of the loop that is told when it is done
/// @param work      zero, or done before
/// @param function  runs on one of the threads
/// @param done      called on the loop's thread with the result of the function, or with -ECANCELED
///                  if that never ran; or NULL
/// @param user      passed to both, never looked at
///
/// Returns 0, or, with nothing submitted:
/// - -EINVAL: a NULL other than `done`
/// - -EBUSY: the work is live
/// - -EAGAIN: as much work waits as may
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
        let event_loop = unsafe { pirn_hub_loop(hub) };
        // SAFETY: the loop is live as long as its hub.
        unsafe { pirn_hold(event_loop) };
    }
    rc
}

/// Have work done by a thread, and wait for it.
///
/// If the wait ends early because of its limit or cancellation, work that has not begun is
/// withdrawn: it never runs. Work that has begun is waited for, whatever happens: its function can
/// ask `pirn_work_is_cancelled`. So when the wait is over the work is yours, and may be on the
/// stack of a fiber. Do not drop the waiter meanwhile.
///
/// @param timeout_ns  from the turn's time; `PIRN_FOREVER`: no limit
///
/// Returns `PIRN_WAITS`: the wait has begun, and ends with 0, and `work->result`; or with
/// -ETIMEDOUT or -ECANCELED: it was withdrawn. Or, with nothing begun, as `pirn_work_submit`, or:
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

/// Wait until work is done.
///
/// @param waiter      who waits; may be NULL if `timeout_ns` is 0
/// @param timeout_ns  from the turn's time; `PIRN_FOREVER`: no limit; 0: only look
///
/// Returns 0: it is done, or was never submitted; `PIRN_WAITS`: the wait has begun, and ends with
/// 0, -ETIMEDOUT or -ECANCELED. Or, with nothing begun:
/// - -EAGAIN: `timeout_ns` is 0, and it is not done
/// - -EINVAL: `work` is NULL
/// - -EDEADLK: `waiter` is NULL, which `pirn_fiber_self` returns inside a callback
/// - -EBUSY: `waiter` waits already
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
/// Returns 0: it has not begun and never runs; `done` is called with -ECANCELED in the next turn.
/// Or
/// - -EBUSY: it runs, or has run. `pirn_work_is_cancelled` is true for its function from now on,
///   and `done` gets the result of that
/// - -ENOENT: it is not live
/// - -EINVAL: NULL
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

/// Return 1 if work that runs was cancelled, else 0: for its function. The thread that runs it.
/// Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_work_is_cancelled(work: *const pirn_work) -> c_int {
    // SAFETY: NULL, or running, as documented.
    unsafe { work.as_ref() }.map_or(-EINVAL, |work| {
        c_int::from(work.is_cancelled.load(Ordering::Acquire) != 0)
    })
}

/// Sends work back to its loop. Any thread; nothing of it may be touched afterwards.
fn deliver(work: NonNull<pirn_work>) {
    let remote = work.as_ptr().cast::<pirn_remote>();
    // SAFETY: live work; its hub was set when it was submitted.
    let hub = unsafe { work.as_ref() }.hub.get();
    // SAFETY: the hub is live until the threads have been joined, as documented; the first field of
    // work is what is pushed, and it stays until `on_done` is called.
    unsafe { pirn_remote_push(hub, remote, Some(on_done)) };
}

/// The work is back.
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

/// It is the owner's again, and whoever waits for it is told.
fn finish(hub: *mut pirn_hub, work: &pirn_work) {
    work.settle();
    while let Some(waiter) = work.waiters.first() {
        // SAFETY: it is in the list, so it waits.
        unsafe { pirn_waiter_grant(waiter, 0) };
    }
    // SAFETY: the hub it was submitted with.
    let event_loop = unsafe { pirn_hub_loop(hub) };
    // SAFETY: held when it was submitted.
    unsafe { pirn_release(event_loop) };
}

/// Time or cancellation is about to end the wait of a caller.
unsafe extern "C" fn on_quit(waiter: *mut pirn_waiter, _result: c_int) -> c_int {
    // SAFETY: called with a live waiter.
    let waiter = unsafe { &*waiter };
    let address = waiter.object().cast::<pirn_work>();
    // SAFETY: what it waits for, which stays until the wait is over.
    let work = unsafe { &*address };
    if take_back(work) == 0 {
        work.settle();
        // Others who wait for it have nothing to wait for any more.
        while let Some(other) = work
            .waiters
            .iter()
            .find(|other| !core::ptr::eq(*other, waiter))
        {
            // SAFETY: it is in the list, so it waits.
            unsafe { pirn_waiter_grant(other, 0) };
        }
        // SAFETY: the hub it was submitted with.
        let event_loop = unsafe { pirn_hub_loop(work.hub.get()) };
        // SAFETY: held when it was submitted.
        unsafe { pirn_release(event_loop) };
        return 0;
    }
    let (list, kind) = (&raw const work.waiters, &raw const STAYING);
    // SAFETY: it waits, in this very list.
    unsafe { pirn_waiter_move(waiter, list, kind, address.cast()) };
    1
}
