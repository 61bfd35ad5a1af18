#![expect(unsafe_code, reason = "the C face")]
//! Hooks.

use core::ffi::{c_int, c_void};

use crate::error::Error;
use crate::ready::Interest;
use crate::watchers::Hook;

use super::caller::dispatch_with_hooks;
use super::{callback, failure, live_reactor, pirn_io, pirn_io_fn, pirn_loop, takes, write_handle};

/// When a hook is called: at the beginning of every dispatch.
pub const PIRN_HOOK_FIRST: u32 = 1u32;
/// When a hook is called: at the end of every dispatch, also if a limit has interrupted the turn.
/// Use it to flush the data that callbacks have buffered, before the loop sleeps.
pub const PIRN_HOOK_LAST: u32 = 2u32;
/// When a hook is called: at the end of a dispatch in which only hooks were called, before the
/// hooks of `PIRN_HOOK_LAST`. The loop does not sleep while it has such a hook.
pub const PIRN_HOOK_IDLE: u32 = 3u32;

const _: () = assert!(
    PIRN_HOOK_FIRST == Hook::First as u32
        && PIRN_HOOK_LAST == Hook::Last as u32
        && PIRN_HOOK_IDLE == Hook::Idle as u32
);

/// Add a hook: a callback that is called in every turn.
///
/// For libraries that keep a queue of their own (X11, Wayland, ZeroMQ, D-Bus, GLib), and for work
/// that is postponed to the end of a turn or to idle times. A hook is called in every dispatch (of
/// `pirn_dispatch`, `pirn_turn` and `pirn_run`), whether or not anything is due. Tasks that a
/// `PIRN_HOOK_FIRST` hook posts, and events that it causes, are called in the same dispatch, unless
/// this dispatch continues a turn that a limit has interrupted.
///
/// The hooks of one kind are called in the order in which they were added. A hook that is added
/// during a dispatch is called from the next dispatch on. Hooks are not counted: not by
/// `pirn_limit`, not in `pirn_stats`, and not in the results of `pirn_turn` and `pirn_dispatch`.
/// `pirn_take` neither calls nor returns hooks: a program that takes events can do such work itself
/// before the first take of a turn and after the last.
///
/// A hook is an I/O watcher without an fd. It uses an I/O slot. Its callback gets `when` as `fd`
/// and `PIRN_READ` as `ready`. It keeps `pirn_run` going. `pirn_io_remove`, `pirn_io_ref`,
/// `pirn_io_unref`, `pirn_io_set_callback` and `pirn_io_info` work on it. A hook cannot be paused.
///
/// @param when     `PIRN_HOOK_FIRST`, `PIRN_HOOK_LAST` or `PIRN_HOOK_IDLE`
/// @param options  `PIRN_UNREF`, or 0
/// @param callback called once in every dispatch; for `PIRN_HOOK_IDLE` only if nothing else was
///                 called
/// @param user     passed to the callback, never dereferenced
/// @param io       receives the handle; may be NULL; unchanged on error
///
/// Returns 0, or
/// - -EINVAL: no live loop; callback NULL; another `when`; other options
/// - -EOPNOTSUPP: the loop was made with `PIRN_TAKE`
/// - -ENOSPC: all I/O slots are in use
///
/// Cost: O(1), no system call. A loop that never had a hook spends two comparisons a turn. Loop
/// thread, any callback. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_hook_add(
    r#loop: *mut pirn_loop,
    when: u32,
    options: u32,
    callback: pirn_io_fn,
    user: *mut c_void,
    io: *mut pirn_io,
) -> c_int {
    let reactor = live_reactor!(r#loop);
    // SAFETY: a live loop, as `live_reactor!` has found.
    if unsafe { takes(r#loop) } {
        return failure(Error::EOPNOTSUPP);
    }
    let callback = callback!(r#loop, callback, user);
    let when = match when {
        PIRN_HOOK_FIRST => Hook::First,
        PIRN_HOOK_LAST => Hook::Last,
        PIRN_HOOK_IDLE => Hook::Idle,
        _ => return failure(Error::EINVAL),
    };
    let result = match Interest::from_bits(options) {
        Some(options) => reactor.hook_add(when, options, callback),
        None => Err(Error::EINVAL),
    };
    if result.is_ok() {
        // SAFETY: a live loop, of which nothing is borrowed any more. Read by dispatches alone, on
        // this thread.
        unsafe { (*r#loop).0.dispatch_with_hooks = Some(dispatch_with_hooks) };
    }
    // SAFETY: passed on.
    unsafe { write_handle(result, io) }
}
