#![expect(
    unsafe_code,
    reason = "the C face: callbacks are called here, and nowhere else"
)]
//! Running the loop. Callbacks are called in this file only.

use core::ffi::c_int;
use core::mem::transmute;

use crate::atomic::Ordering;
use crate::callback::Callback;
use crate::error::{Error, Result};
use crate::reactor::turn::{self, Caller};
use crate::reactor::{Ended, FiredIo, Limit};
use crate::time::{Duration, Instant};
use crate::timers::Fired;

#[cfg(all(debug_assertions, linux_backend))]
use core::sync::atomic::AtomicI32;

use super::head::{CBackend, CReactor};
use super::{
    count, enter, failure, pirn_io_fn, pirn_loop, pirn_task_fn, pirn_timer_fn, status, user_of,
};

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

/// Marks the loop as running until it is dropped, so that no second run or dispatch can begin.
struct Running(*mut pirn_loop);

impl Running {
    /// Returns `EINVAL` if there is no live loop, and `EBUSY` if it is running already. `frame` is
    /// an address in a stack frame that exists as long as the returned value.
    ///
    /// # Safety
    ///
    /// NULL, or from `pirn_init`.
    unsafe fn enter(r#loop: *mut pirn_loop, frame: usize) -> Result<Running> {
        // SAFETY: passed on.
        unsafe { super::check(r#loop)? };
        // SAFETY: a live loop. The word is atomic and only ever borrowed shared.
        let inside = unsafe { &(*r#loop).0.inside };
        // A compare-and-swap: if two threads enter at the same time, which is a mistake, one of
        // them gets the error for certain.
        match inside.compare_exchange(0, frame, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => {
                #[cfg(all(debug_assertions, linux_backend))]
                // SAFETY: a live loop. The words are atomic and only ever borrowed shared.
                unsafe { &(*r#loop).0.runner }.begin();
                Ok(Running(r#loop))
            }
            Err(_) => Err(Error::EBUSY),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // SAFETY: the loop was live when it was entered, and cannot be ended while it is running.
        let inside = unsafe { &(*self.0).0.inside };
        inside.store(0, Ordering::Release);
    }
}

/// The process and the thread that run the loop, for builds that report calls from other threads.
#[cfg(all(debug_assertions, linux_backend))]
#[derive(Default)]
pub(super) struct Runner {
    process: AtomicI32,
    thread: AtomicI32,
}

#[cfg(all(debug_assertions, linux_backend))]
impl Runner {
    fn begin(&self) {
        let (process, thread) = crate::sys::process_and_thread();
        // Relaxed is enough: the running thread always sees its own number, and a thread that sees
        // another number is at fault.
        self.process.store(process, Ordering::Relaxed);
        self.thread.store(thread, Ordering::Relaxed);
    }

    /// Returns `EPERM` if another thread of this process runs the loop. In a forked child no thread
    /// of the parent exists, so the result is then `Ok`.
    fn check(&self) -> Result<()> {
        let (process, thread) = crate::sys::process_and_thread();
        let is_other = self.process.load(Ordering::Relaxed) == process
            && self.thread.load(Ordering::Relaxed) != thread;
        if is_other { Err(Error::EPERM) } else { Ok(()) }
    }
}

/// Returns `EPERM` if another thread runs the loop.
///
/// # Safety
///
/// A live loop.
#[cfg(all(debug_assertions, linux_backend))]
pub(super) unsafe fn check_thread(r#loop: *mut pirn_loop) -> Result<()> {
    // SAFETY: a live loop. The word is atomic and only ever borrowed shared.
    let inside = unsafe { &(*r#loop).0.inside };
    // SAFETY: as above, of two words.
    let runner = unsafe { &(*r#loop).0.runner };
    if inside.load(Ordering::Acquire) == 0 {
        return Ok(());
    }
    runner.check()
}

/// Returns `EBUSY` if the loop is running. In a forked child, ends a run of the parent that was
/// copied with the memory.
///
/// # Safety
///
/// A live loop, on its thread.
pub(super) unsafe fn idle(r#loop: *mut pirn_loop) -> Result<()> {
    // SAFETY: passed on.
    unsafe { check_idle(r#loop)? };
    // SAFETY: a live loop. The word is atomic and only ever borrowed shared.
    let inside = unsafe { &(*r#loop).0.inside };
    if inside.load(Ordering::Relaxed) != 0 {
        // SAFETY: a live loop, and this is the only thread of the copy: nothing of the reactor is
        // borrowed, in a callback neither.
        unsafe { &mut (*r#loop).0.reactor }.abandon();
        inside.store(0, Ordering::Release);
    }
    Ok(())
}

/// Returns `EBUSY` if the loop is running.
///
/// In a forked child the thread that was running the loop may not exist. There are two cases in
/// which it certainly does not. Either no callback was being called: then this call cannot come
/// from inside the run. Or the run's stack frame has a lower address than the frame of this call: a
/// callback of that run would be below it. (A callback that has switched to another stack at a
/// higher address is not recognised; the documentation asks it to return first.)
///
/// # Safety
///
/// A live loop, on its thread.
pub(super) unsafe fn check_idle(r#loop: *mut pirn_loop) -> Result<()> {
    let here = 0u8;
    // SAFETY: a live loop. The word is atomic and only ever borrowed shared.
    let inside = unsafe { &(*r#loop).0.inside };
    let frame = inside.load(Ordering::Acquire);
    if frame == 0 {
        return Ok(());
    }
    // SAFETY: a live loop, whose pointer does not change.
    let shared = unsafe { (*r#loop).0.shared };
    // SAFETY: it points into the block and is only ever borrowed shared.
    if unsafe { &*shared }.is_copy() != Some(true) {
        return Err(Error::EBUSY);
    }
    // SAFETY: a live loop, and this is the only thread of the copy: nothing of the reactor is
    // borrowed, in a callback neither.
    let reactor = unsafe { &(*r#loop).0.reactor };
    if reactor.is_dispatching() && frame >= (&raw const here).addr() {
        return Err(Error::EBUSY);
    }
    Ok(())
}

/// Calls the C callbacks of a loop. It holds the loop's address and no reference, so nothing is
/// borrowed while a callback runs: the callback may call any function of the loop.
pub(super) struct CCaller(*mut pirn_loop);

impl Caller<'static> for CCaller {
    type Backend = CBackend;

    #[inline]
    fn reactor(&mut self) -> &mut CReactor {
        // SAFETY: a `CCaller` is made of a live loop, on its thread, inside a `Running`, so that it
        // stays live; the borrow is the only one, for it ends before a call is made.
        unsafe { &mut (*self.0).0.reactor }
    }

    #[inline]
    fn dispatch_with_hooks(&mut self) -> Option<u32> {
        // SAFETY: a live loop, as above. The word is written by `pirn_hook_add` alone, on this
        // thread.
        let dispatch = unsafe { (*self.0).0.dispatch_with_hooks? };
        // SAFETY: it is the function below, and its requirements were met when this value was made.
        // The argument is passed by value, so that the caller need not be in memory.
        Some(unsafe { dispatch(self.0) })
    }

    #[inline]
    fn call_timers(&mut self) {
        // SAFETY: a live loop, as above. The word is written on this thread alone.
        if let Some(call) = unsafe { (*self.0).0.call_timers } {
            // SAFETY: it is the function below, and its requirements were met when this value was
            // made.
            unsafe { call(self.0) };
        }
    }

    #[inline]
    fn call_tasks(&mut self) {
        // SAFETY: as above.
        if let Some(call) = unsafe { (*self.0).0.call_tasks } {
            // SAFETY: as above.
            unsafe { call(self.0) };
        }
    }

    #[inline]
    fn call_posts(&mut self) {
        let caller = self.reactor().posts_caller();
        // SAFETY: null, or `call_posts` below, which `pirn_remote_post` has left.
        let caller = unsafe { transmute::<*mut (), Option<unsafe fn(*mut pirn_loop)>>(caller) };
        if let Some(call) = caller {
            // SAFETY: as above.
            unsafe { call(self.0) };
        }
    }

    #[inline]
    fn call_timer(&mut self, fired: Fired) {
        // SAFETY: every callback of a timer was made from a `pirn_timer_fn` that was not NULL.
        let function =
            unsafe { transmute::<*mut (), pirn_timer_fn>(fired.callback.function.as_ptr()) };
        if let Some(function) = function {
            // SAFETY: called as documented there.
            unsafe {
                function(
                    self.0,
                    fired.token.into(),
                    fired.missed,
                    user_of(&fired.callback),
                )
            };
        }
    }

    #[inline]
    fn call_io(&mut self, fired: FiredIo) {
        // SAFETY: every callback of a watcher was made from a `pirn_io_fn` that was not NULL.
        let function =
            unsafe { transmute::<*mut (), pirn_io_fn>(fired.callback.function.as_ptr()) };
        if let Some(function) = function {
            // SAFETY: called as documented there.
            unsafe {
                function(
                    self.0,
                    fired.io.into(),
                    fired.fd,
                    fired.ready,
                    user_of(&fired.callback),
                )
            };
        }
    }

    #[inline]
    fn call_task(&mut self, callback: Callback) {
        // SAFETY: every callback of a task was made from a `pirn_task_fn` that was not NULL.
        let function = unsafe { transmute::<*mut (), pirn_task_fn>(callback.function.as_ptr()) };
        if let Some(function) = function {
            // SAFETY: called as documented there.
            unsafe { function(self.0, user_of(&callback)) };
        }
    }
}

/// Dispatches a loop that has hooks.
///
/// # Safety
///
/// A live loop, on its thread, inside a `Running`, with nothing of it borrowed.
pub(super) unsafe fn dispatch_with_hooks(r#loop: *mut pirn_loop) -> u32 {
    turn::dispatch_with_hooks(&mut CCaller(r#loop))
}

/// Calls the due timers of the current dispatch.
///
/// # Safety
///
/// As [`dispatch_with_hooks`].
pub(super) unsafe fn call_timers(r#loop: *mut pirn_loop) {
    turn::call_timers(&mut CCaller(r#loop));
}

/// Calls the tasks of the current dispatch.
///
/// # Safety
///
/// As [`dispatch_with_hooks`].
pub(super) unsafe fn call_tasks(r#loop: *mut pirn_loop) {
    turn::call_tasks(&mut CCaller(r#loop));
}

/// Calls the posts of the turn.
///
/// # Safety
///
/// As [`dispatch_with_hooks`].
pub(super) unsafe fn call_posts(r#loop: *mut pirn_loop) {
    turn::call_posts(&mut CCaller(r#loop));
}

/// Marks the loop as running and calls `act` for a run, a turn or a part of a turn.
///
/// # Safety
///
/// NULL, or from `pirn_init`, on the loop's thread.
pub(super) unsafe fn inside<T>(
    r#loop: *mut pirn_loop,
    act: impl FnOnce(&mut CCaller) -> Result<T>,
) -> Result<T> {
    let here = 0u8;
    // SAFETY: passed on.
    let _running = unsafe { Running::enter(r#loop, (&raw const here).addr())? };
    act(&mut CCaller(r#loop))
}

/// As [`inside`], for functions that call callbacks: `EOPNOTSUPP` for a loop made with `PIRN_TAKE`.
///
/// # Safety
///
/// As [`inside`].
pub(super) unsafe fn calling<T>(
    r#loop: *mut pirn_loop,
    act: impl FnOnce(&mut CCaller) -> Result<T>,
) -> Result<T> {
    let here = 0u8;
    // SAFETY: passed on.
    let _running = unsafe { Running::enter(r#loop, (&raw const here).addr())? };
    // SAFETY: a live loop, as it was entered.
    if unsafe { super::takes(r#loop) } {
        return Err(Error::EOPNOTSUPP);
    }
    act(&mut CCaller(r#loop))
}

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
    ended(unsafe { calling(r#loop, |face| turn::run(face, Instant(deadline_ns))) })
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
    enter!(r#loop).abandon();
    // SAFETY: a live loop, as `enter!` has found. The word is atomic and only ever borrowed
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
    enter!(r#loop).set_limit(Limit {
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
    status(enter!(r#loop).hold())
}

/// Undo one `pirn_hold`.
///
/// Returns 0, or -EINVAL: no live loop, or it is not held. Cost: O(1). Loop thread, any callback.
/// Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_release(r#loop: *mut pirn_loop) -> c_int {
    status(enter!(r#loop).release())
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
