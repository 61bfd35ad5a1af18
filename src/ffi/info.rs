#![expect(
    unsafe_code,
    reason = "the C face: what is alive is written into the caller's struct"
)]
//! The watchers, timers and tasks of a loop.

use core::ffi::{c_int, c_void};
use core::mem::{offset_of, transmute};

use crate::callback::Callback;
use crate::error::{Error, Result};
use crate::reactor::Live;
use crate::timers::{FIXED_DELAY, SKIP_MISSED, UNREFERENCED};
use crate::token::Token;

use super::head::CReactor;
use super::{
    PIRN_DUE_HOOK, PIRN_DUE_IO, PIRN_DUE_RAISED, PIRN_DUE_TASK, PIRN_DUE_TIMER,
    PIRN_TIMER_FIXED_DELAY, PIRN_TIMER_SKIP, PIRN_UNREF, failure, function, live_reactor,
    pirn_callback, pirn_handle, pirn_io, pirn_loop, pirn_task, pirn_task_fn, pirn_timer, status,
    user_of,
};

/// The present state of a watcher, a timer or a task.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pirn_info {
    /// `sizeof(struct pirn_info)`, set by the caller. The library writes no more bytes than that.
    pub size: u32,
    /// `PIRN_DUE_TIMER`, `PIRN_DUE_IO`, `PIRN_DUE_RAISED` for the handler of a raised bit,
    /// `PIRN_DUE_HOOK`, or `PIRN_DUE_TASK`.
    pub kind: u32,
    /// The handle: read the member that belongs to the `kind`.
    pub handle: pirn_handle,
    /// The fd of an I/O watcher; the bit of a handler; the `PIRN_HOOK_*` of a hook; otherwise -1.
    pub fd: i32,
    /// For a watcher: its interest (paused if `PIRN_READ`, `PIRN_WRITE` and `PIRN_URGENT` are all
    /// clear) and its options, as for `pirn_io_add`. For a timer: its policy. With `PIRN_UNREF` if
    /// it does not keep `pirn_run` going. For a task: 0.
    pub options: u32,
    /// When a timer is due next, on the clock of `pirn_now`, slack included; otherwise 0.
    pub deadline_ns: u64,
    /// The period of a periodic timer; otherwise 0.
    pub period_ns: u64,
    /// How late a timer may be: the largest power of two that is not above the slack set by the
    /// program; otherwise 0.
    pub slack_ns: u64,
    /// The callback: read the member that belongs to the `kind`.
    pub callback: pirn_callback,
    /// The user data.
    pub user: *mut c_void,
}

/// The smallest accepted size of the caller's struct: up to the handle, from which `pirn_info_next`
/// continues.
const HEAD: usize = offset_of!(pirn_info, fd);

impl pirn_info {
    fn new(kind: u32, token: Token, callback: &Callback) -> Self {
        pirn_info {
            size: 0,
            kind,
            // All three members have the same layout.
            handle: pirn_handle { io: token.into() },
            fd: -1,
            options: 0,
            deadline_ns: 0,
            period_ns: 0,
            slack_ns: 0,
            callback: pirn_callback {
                // SAFETY: every callback was made from a function pointer or stands for NULL. A
                // function pointer of another kind has the same representation, and it is not
                // called here.
                task: unsafe { transmute::<*mut (), pirn_task_fn>(function(callback)) },
            },
            user: user_of(callback),
        }
    }

    fn of_io(reactor: &CReactor, io: Token) -> Result<Self> {
        let info = reactor.io_info(io)?;
        let kind = if info.hook.is_some() {
            PIRN_DUE_HOOK
        } else if info.is_raise_handler {
            PIRN_DUE_RAISED
        } else {
            PIRN_DUE_IO
        };
        Ok(pirn_info {
            fd: info.fd,
            options: info.interest.bits(),
            ..Self::new(kind, io, &info.callback)
        })
    }

    fn of_timer(reactor: &CReactor, timer: Token) -> Result<Self> {
        let info = reactor.timer_info(timer)?;
        let option = |flag, option| if info.flags & flag != 0 { option } else { 0 };
        Ok(pirn_info {
            options: option(FIXED_DELAY, PIRN_TIMER_FIXED_DELAY)
                | option(SKIP_MISSED, PIRN_TIMER_SKIP)
                | option(UNREFERENCED, PIRN_UNREF),
            deadline_ns: info.deadline.0,
            period_ns: info.period.0,
            slack_ns: info.slack.0,
            ..Self::new(PIRN_DUE_TIMER, timer, &info.callback)
        })
    }

    fn of_task(reactor: &CReactor, task: Token) -> Result<Self> {
        let callback = reactor.task_info(task)?;
        Ok(Self::new(PIRN_DUE_TASK, task, &callback))
    }

    /// Writes as many fields as fit into the caller's struct. Does not change its size.
    ///
    /// # Safety
    ///
    /// `out` is writable for the size it contains, which is at least `HEAD`.
    unsafe fn write(&self, out: *mut pirn_info) {
        // SAFETY: passed on: it begins with its size.
        let size = unsafe { (*out).size } as usize;
        let skipped = offset_of!(pirn_info, kind);
        let length = size.min(size_of::<pirn_info>()) - skipped;
        let from = (&raw const *self).cast::<u8>().wrapping_add(skipped);
        let to = out.cast::<u8>().wrapping_add(skipped);
        // SAFETY: `length` is within both from there on; the two do not overlap.
        unsafe { core::ptr::copy_nonoverlapping(from, to, length) };
    }
}

/// True if the caller's struct has room for a handle.
///
/// # Safety
///
/// NULL, or readable for its size field.
unsafe fn has_room(info: *const pirn_info) -> bool {
    // SAFETY: not NULL, hence readable as the caller promises.
    !info.is_null() && unsafe { (*info).size } as usize >= HEAD
}

/// Writes the info to `out`, if that is not NULL, and returns the result for C.
///
/// # Safety
///
/// `out` is NULL or writable for the size it contains.
unsafe fn write_info(info: Result<pirn_info>, out: *mut pirn_info) -> c_int {
    // SAFETY: passed on.
    if !out.is_null() && !unsafe { has_room(out) } {
        return failure(Error::EINVAL);
    }
    status(info.map(|info| {
        if !out.is_null() {
            // SAFETY: writable for its size, as documented, and that is at least `HEAD`.
            unsafe { info.write(out) };
        }
    }))
}

/// Return the state of an I/O watcher, the handler of a raised bit, or a hook.
///
/// @param info  receives the state; the caller sets its `size`. May be NULL, if you only want to
///              know whether the handle is live. Unchanged on error
///
/// Returns 0, or
/// - -EINVAL: no live loop; the `size` of `info` is not set, or below 16
/// - -ENOENT: stale handle
///
/// Changes nothing. Cost: O(1). Loop thread, any callback. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_io_info(
    r#loop: *mut pirn_loop,
    io: pirn_io,
    info: *mut pirn_info,
) -> c_int {
    let reactor = live_reactor!(r#loop);
    // SAFETY: passed on.
    unsafe { write_info(pirn_info::of_io(reactor, io.into()), info) }
}

/// Return the state of a timer.
///
/// @param info  receives the state; the caller sets its `size`. May be NULL, if you only want to
///              know whether the handle is live. Unchanged on error
///
/// Returns 0, or
/// - -EINVAL: no live loop; the `size` of `info` is not set, or below 16
/// - -ENOENT: stale handle
///
/// Changes nothing and does not read the clock. Cost: O(1). Loop thread, any callback. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_timer_info(
    r#loop: *mut pirn_loop,
    timer: pirn_timer,
    info: *mut pirn_info,
) -> c_int {
    let reactor = live_reactor!(r#loop);
    // SAFETY: passed on.
    unsafe { write_info(pirn_info::of_timer(reactor, timer.into()), info) }
}

/// Return the callback and the user data of a queued task.
///
/// @param info  receives the state; the caller sets its `size`. May be NULL, if you only want to
///              know whether the handle is live. Unchanged on error
///
/// Returns 0, or
/// - -EINVAL: no live loop; the `size` of `info` is not set, or below 16
/// - -ENOENT: the task has run, is running, was cancelled, or never existed
///
/// Changes nothing. Cost: O(1). Loop thread, any callback. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_task_info(
    r#loop: *mut pirn_loop,
    task: pirn_task,
    info: *mut pirn_info,
) -> c_int {
    let reactor = live_reactor!(r#loop);
    // SAFETY: passed on.
    unsafe { write_info(pirn_info::of_task(reactor, task.into()), info) }
}

/// Return the next of all live items: timers, watchers, handlers of raised bits, hooks, and queued
/// tasks in their order.
///
///   struct pirn_info info = { sizeof info }; the rest is zero: begin with the first item
///
///   while (pirn_info_next(loop, &info) == 1)
///       ... look at info ...
///
/// The loop may change between two calls: an item that is live during the whole walk is returned
/// exactly once, and the item in `info` may have been removed. Posts from other threads have no
/// handle and are not returned; `pirn_stats` counts them.
///
/// @param info  in: `kind` 0 for the first item, or the struct as the previous call wrote it; out:
///              the next item. The caller sets its `size`. Unchanged unless 1 is returned
///
/// Returns 1 if there is a next item, 0 at the end, or
/// - -EINVAL: no live loop; `info` is NULL, its `size` not set or below 16, its kind unknown
///
/// Cost: O(free slots that are skipped). Loop thread, any callback. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_info_next(r#loop: *mut pirn_loop, info: *mut pirn_info) -> c_int {
    let reactor = live_reactor!(r#loop);
    // SAFETY: passed on.
    if !unsafe { has_room(info) } {
        return failure(Error::EINVAL);
    }
    // SAFETY: inside the struct, by its size.
    let kind = unsafe { (*info).kind };
    // SAFETY: as above.
    let handle = unsafe { (*info).handle };
    // SAFETY: the three members have the same layout, and any bits are valid for it.
    let token = unsafe { handle.io }.into();
    let after = match kind {
        0 => None,
        PIRN_DUE_TIMER => Some(Live::Timer(token)),
        PIRN_DUE_IO | PIRN_DUE_RAISED | PIRN_DUE_HOOK => Some(Live::Io(token)),
        PIRN_DUE_TASK => Some(Live::Task(token)),
        _ => return failure(Error::EINVAL),
    };
    let next = match reactor.next_live(after) {
        None => return 0,
        Some(Live::Timer(timer)) => pirn_info::of_timer(reactor, timer),
        Some(Live::Io(io)) => pirn_info::of_io(reactor, io),
        Some(Live::Task(task)) => pirn_info::of_task(reactor, task),
    };
    match next {
        Ok(next) => {
            // SAFETY: writable for its size, as documented, and that is at least `HEAD`.
            unsafe { next.write(info) };
            1
        }
        Err(error) => failure(error),
    }
}
