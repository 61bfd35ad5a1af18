#![expect(
    unsafe_code,
    reason = "the C face: callbacks are called here, and nowhere else"
)]
//! The caller for C. Callbacks are called in this file only.

use core::mem::transmute;

use crate::callback::Callback;
use crate::reactor::FiredIo;
use crate::reactor::turn::{self, Caller};
use crate::timers::Fired;

use super::head::{CBackend, CReactor};
use super::{pirn_io_fn, pirn_loop, pirn_task_fn, pirn_timer_fn, user_of};

/// Calls the C callbacks of a loop. It holds the loop's address and no reference, so nothing is
/// borrowed while a callback runs: the callback may call any function of the loop.
pub(super) struct CCaller(pub(super) *mut pirn_loop);

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

    #[inline(always)]
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
