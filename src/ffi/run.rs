#![expect(
    unsafe_code,
    reason = "the C face: callbacks are called here, and nowhere else"
)]
//! Running the loop: the one place from which callbacks are called.

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

/// `pirn_run` returned because nothing is left that keeps the loop going.
pub const PIRN_DONE: c_int = 0;

/// `pirn_run` returned because of `pirn_stop`.
pub const PIRN_STOPPED: c_int = 1;

/// `pirn_run_until` returned because its deadline has passed.
pub const PIRN_EXPIRED: c_int = 2;

/// `pirn_ended`: a run would go on.
pub const PIRN_GOING: c_int = 3;

const _: () = assert!(
    PIRN_DONE == Ended::Done as c_int
        && PIRN_STOPPED == Ended::Stopped as c_int
        && PIRN_EXPIRED == Ended::Expired as c_int
);

/// Keeps everyone else out of a run or a dispatch, until it is dropped.
struct Running(*mut pirn_loop);

impl Running {
    /// `EINVAL` if there is no live loop, `EBUSY` if someone is inside already. `frame` is an
    /// address in the stack frame that stays while the caller is inside.
    ///
    /// # Safety
    ///
    /// NULL, or from `pirn_init`.
    unsafe fn enter(r#loop: *mut pirn_loop, frame: usize) -> Result<Running> {
        // SAFETY: passed on.
        unsafe { super::check(r#loop)? };
        // SAFETY: a live loop. The word is atomic and only ever borrowed shared.
        let inside = unsafe { &(*r#loop).0.inside };
        // In one step: of two threads that try at once, which is a mistake, one is told so for
        // certain.
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

/// The thread that is inside, for builds that look for calls from others.
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
        // Relaxed: the thread that is inside always sees its own number, and whoever sees another
        // one is wrong.
        self.process.store(process, Ordering::Relaxed);
        self.thread.store(thread, Ordering::Relaxed);
    }

    /// `EPERM` if it is another thread of this process. In a copy made by fork no thread of the
    /// parent runs.
    fn check(&self) -> Result<()> {
        let (process, thread) = crate::sys::process_and_thread();
        let is_other = self.process.load(Ordering::Relaxed) == process
            && self.thread.load(Ordering::Relaxed) != thread;
        if is_other { Err(Error::EPERM) } else { Ok(()) }
    }
}

/// `EPERM` if another thread is inside.
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

/// Makes sure that nobody is inside: `EBUSY` otherwise. In a copy that fork made, what was under
/// way there is over.
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

/// Finds out whether anybody is inside: `EBUSY` then.
///
/// In a copy that fork made the thread that was inside may not exist. It does not if no callback
/// was under way, for this is called by a callback or from outside; nor if its frame is deeper in
/// the stack than that of this call, which a callback would have made from below. (A callback that
/// has left its stack for another one of its own, higher up, is not known as one: the documentation
/// asks it to come back first.)
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
    // SAFETY: a live loop.
    if unsafe { super::shared(r#loop)? }.is_copy() != Some(true) {
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

/// The face of a loop for C: everything is reached through its address, and nothing stays borrowed
/// while a callback runs, for the callback may do with the loop what it likes.
pub(super) struct Face(*mut pirn_loop);

impl Caller<'static> for Face {
    type Backend = CBackend;

    #[inline]
    fn reactor(&mut self) -> &mut CReactor {
        // SAFETY: a `Face` is made of a live loop, on its thread, inside a `Running`, so that it
        // stays live; the borrow is the only one, for it ends before a call is made.
        unsafe { &mut (*self.0).0.reactor }
    }

    #[inline]
    fn dispatch_with_hooks(&mut self) -> Option<u32> {
        // SAFETY: a live loop, as above. The word is written by `pirn_hook_add` alone, on this
        // thread.
        let dispatch = unsafe { (*self.0).0.dispatch_with_hooks? };
        // SAFETY: it is the function below, and this face was made as that asks. By value, so that
        // a face need not be in memory.
        Some(unsafe { dispatch(self.0) })
    }

    #[inline]
    fn call_timers(&mut self) {
        // SAFETY: a live loop, as above. The word is written on this thread alone.
        if let Some(call) = unsafe { (*self.0).0.call_timers } {
            // SAFETY: it is the function below, and this face was made as that asks.
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

/// A dispatch of a loop that has hooks.
///
/// # Safety
///
/// A live loop, on its thread, inside a `Running`, with nothing of it borrowed.
pub(super) unsafe fn dispatch_with_hooks(r#loop: *mut pirn_loop) -> u32 {
    turn::dispatch_with_hooks(&mut Face(r#loop))
}

/// Calls the due timers of a dispatch that is under way.
///
/// # Safety
///
/// As [`dispatch_with_hooks`].
pub(super) unsafe fn call_timers(r#loop: *mut pirn_loop) {
    turn::call_timers(&mut Face(r#loop));
}

/// Calls the tasks of a dispatch that is under way.
///
/// # Safety
///
/// As [`dispatch_with_hooks`].
pub(super) unsafe fn call_tasks(r#loop: *mut pirn_loop) {
    turn::call_tasks(&mut Face(r#loop));
}

/// Enters a loop for a run, a turn or a part of one.
///
/// # Safety
///
/// NULL, or from `pirn_init`, on the loop's thread.
pub(super) unsafe fn inside<T>(
    r#loop: *mut pirn_loop,
    act: impl FnOnce(&mut Face) -> Result<T>,
) -> Result<T> {
    let here = 0u8;
    // SAFETY: passed on.
    let _running = unsafe { Running::enter(r#loop, (&raw const here).addr())? };
    act(&mut Face(r#loop))
}

/// Enters a loop to call what is due: `EOPNOTSUPP` if its events are to be taken.
///
/// # Safety
///
/// As [`inside`].
pub(super) unsafe fn calling<T>(
    r#loop: *mut pirn_loop,
    act: impl FnOnce(&mut Face) -> Result<T>,
) -> Result<T> {
    let here = 0u8;
    // SAFETY: passed on.
    let _running = unsafe { Running::enter(r#loop, (&raw const here).addr())? };
    // SAFETY: a live loop, as it was entered.
    if unsafe { super::takes(r#loop) } {
        return Err(Error::EOPNOTSUPP);
    }
    act(&mut Face(r#loop))
}

fn ended(result: Result<Ended>) -> c_int {
    match result {
        Ok(ended) => ended as c_int,
        Err(error) => failure(error),
    }
}

/// Run the loop until it is stopped or nothing keeps it going.
///
/// What keeps it going: watchers and armed timers that are not unref'ed, queued tasks,
/// accepted posts and raised bits, and every `pirn_hold`. A post that may come does not: hold
/// the loop if it is to wait for posts alone. To find out what does, walk with
/// `pirn_info_next` and look at `pirn_stats`: docs/MANUAL.md has a function that prints it.
///
/// Returns `PIRN_DONE` or `PIRN_STOPPED`, or
/// - -EINVAL: no live loop
/// - -EBUSY: inside a callback of this loop, or another thread runs it
/// - -EOPNOTSUPP: the loop was made with `PIRN_TAKE`
/// - -ECHILD: a copy made by fork
/// - what the kernel said to the wait, if it is lasting: -EBADF (the loop's own fd was closed),
///   -EINVAL, -ENOMEM, ...; nothing is lost, and the loop can be run again
///
/// Blocks. Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_run(r#loop: *mut pirn_loop) -> c_int {
    // SAFETY: passed on.
    ended(unsafe { calling(r#loop, |face| turn::run(face, Instant::NEVER)) })
}

/// Run the loop as `pirn_run` does, but not beyond a point in time.
///
/// @param deadline_ns  on the clock of `pirn_now`; `PIRN_FOREVER`: as `pirn_run`. A callback that
/// is under way is not interrupted.
///
/// Returns `PIRN_EXPIRED` when the deadline has passed, else as `pirn_run`. In the past: at once,
/// without a turn. Blocks. Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_run_until(r#loop: *mut pirn_loop, deadline_ns: u64) -> c_int {
    // SAFETY: passed on.
    ended(unsafe { calling(r#loop, |face| turn::run(face, Instant(deadline_ns))) })
}

/// Make one turn.
///
/// Waits until something is due, at most `timeout_ns`, and calls it. Waits even if nothing keeps
/// the loop going.
///
/// May return 0 before the time is over: after a signal or `pirn_wake`; after events that no
/// watcher wants any more; and on epoll after the whole milliseconds of a wait, as the rest is
/// waited for in the next turn. So call it in a loop, and look at `pirn_now` for the time that has
/// passed.
///
/// @param timeout_ns  0 polls; `PIRN_FOREVER` waits for ever
///
/// Returns how many callbacks ran, or an error as `pirn_run`. Blocks unless 0. Cost beside the
/// wait: one system call, which asks for the process. Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_turn(r#loop: *mut pirn_loop, timeout_ns: u64) -> c_int {
    // SAFETY: passed on.
    count(unsafe { calling(r#loop, |face| turn::turn(face, Duration(timeout_ns))) })
}

/// End a run, a turn or a dispatch that a callback has left by an exception or by longjmp.
///
/// pirn cannot see that a callback leaves so: the loop counts as running, and all that enters
/// it, and `pirn_deinit`, returns -EBUSY. Call this where the exception was caught or where
/// setjmp returned. The callback that left counts as called. What else was due is called by the
/// turns that follow, each once; tasks that this turn had not reached belong to the next one.
///
/// In a copy made by fork it ends the run of a thread that is not in this process, where
/// `pirn_after_fork` and `pirn_deinit` cannot tell.
///
/// The caller makes sure that the run is over. Inside a callback this function must not be
/// called: it would let a second run in while the first is under way.
///
/// Returns 0, also if nothing was left so, or -EINVAL: no live loop. Cost: O(I/O watchers), for
/// edges are armed again. Loop thread, outside of callbacks. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_abandon(r#loop: *mut pirn_loop) -> c_int {
    enter!(r#loop).abandon();
    // SAFETY: a live loop, as `enter!` has found. The word is atomic and only ever borrowed
    // shared.
    let inside = unsafe { &(*r#loop).0.inside };
    inside.store(0, Ordering::Release);
    0
}

/// Limit what one turn may do.
///
/// What is left over when a limit is reached is served by the next turns, before anything new is
/// fetched: nothing is lost and nothing is served twice before all else was served once.
///
/// @param callbacks  how many callbacks a turn may run; 0: any number
/// @param time_ns    for how long it may start callbacks; 0: any time. The clock is then read
/// around each.
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

/// Keep `pirn_run` going although nothing else may do so, until `pirn_release`. Counts.
///
/// Returns 0, or -EINVAL: no live loop; -ENOSPC: held 2^32 - 1 times. Cost: O(1). Loop thread, any
/// callback. Since 0.1.
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

/// Ask what `pirn_run` asks before each turn: for programs that make their turns themselves.
///
/// Returns `PIRN_GOING` if a run would make another turn, `PIRN_STOPPED` if `pirn_stop` was called
/// since it was last asked, `PIRN_DONE` if nothing keeps the loop going, or
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
