#![expect(unsafe_code, reason = "the C face")]
//! Which thread is inside a loop: runs, turns and parts of a turn enter it, and one at a time.

use crate::atomic::Ordering;
use crate::error::{Error, Result};

#[cfg(all(debug_assertions, linux_backend))]
use core::sync::atomic::AtomicI32;

use super::caller::CCaller;
use super::pirn_loop;

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
#[inline(always)]
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
    let act = |caller: &mut CCaller| {
        // SAFETY: a live loop, as it was entered.
        if unsafe { super::takes(r#loop) } {
            return Err(Error::EOPNOTSUPP);
        }
        act(caller)
    };
    // SAFETY: passed on.
    unsafe { inside(r#loop, act) }
}
