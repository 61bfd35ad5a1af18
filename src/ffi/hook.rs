#![expect(unsafe_code, reason = "the C face")]
//! Hooks.

use core::ffi::{c_int, c_void};

use crate::error::Error;
use crate::ready::Interest;
use crate::watchers::Hook;

use super::run::dispatch_with_hooks;
use super::{callback, enter, failure, give, pirn_io, pirn_io_fn, pirn_loop, takes};

/// When a hook is called: first thing in every dispatch.
pub const PIRN_HOOK_FIRST: u32 = 1u32;
/// When a hook is called: last thing in every dispatch, whatever a limit has left over. The place
/// to flush what callbacks have buffered, before the loop sleeps.
pub const PIRN_HOOK_LAST: u32 = 2u32;
/// When a hook is called: at the end of a dispatch in which nothing but hooks was called, before
/// those that are last. The loop does not sleep while it has such a hook.
pub const PIRN_HOOK_IDLE: u32 = 3u32;

const _: () = assert!(
    PIRN_HOOK_FIRST == Hook::First as u32
        && PIRN_HOOK_LAST == Hook::Last as u32
        && PIRN_HOOK_IDLE == Hook::Idle as u32
);

/// Have a callback run in every turn.
///
/// For libraries that keep a queue of their own (X11, Wayland, ZeroMQ, D-Bus, GLib), and for work
/// that is put off to the end of a turn or to idle times. A hook runs in every `pirn_dispatch`,
/// also in that of `pirn_turn` and `pirn_run`, whether or not anything is due. What a hook that is
/// first posts, or makes due, is served in the same dispatch, unless that one continues a turn that
/// a limit has cut short.
///
/// The hooks of one kind run in the order in which they were added. One that is added in a dispatch
/// runs from the next one on. Hooks are not counted: not by `pirn_limit`, not in `pirn_stats`, nor
/// in what `pirn_turn` and `pirn_dispatch` return. `pirn_take` calls no hooks and does not hand
/// them over: who takes is there himself before the first take of a turn and after the last.
///
/// A hook is an I/O watcher without an fd: it takes an I/O slot, its callback gets `when` as `fd`
/// and `PIRN_READ` as `ready`, it keeps `pirn_run` going, and `pirn_io_remove`, `pirn_io_ref`,
/// `pirn_io_unref`, `pirn_io_set_callback` and `pirn_io_info` work on it. It cannot be paused.
///
/// @param when     `PIRN_HOOK_FIRST`, `PIRN_HOOK_LAST` or `PIRN_HOOK_IDLE`
/// @param options  `PIRN_UNREF`, or 0
/// @param callback called once in every dispatch; of `PIRN_HOOK_IDLE`, in every one with nothing
///                 else to call
/// @param user     passed to the callback, never looked at
/// @param io       where the handle is written, or NULL; unchanged on error
///
/// Returns 0, or
/// - -EINVAL: no live loop; callback NULL; another `when`; other options
/// - -EOPNOTSUPP: the loop was made with `PIRN_TAKE`
/// - -ENOSPC: all I/O slots are in use
///
/// Cost: O(1), no system call; a loop that never had a hook pays two comparisons a turn. Loop
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
    let reactor = enter!(r#loop);
    // SAFETY: a live loop, as `enter!` has found.
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
    unsafe { give(result, io) }
}
