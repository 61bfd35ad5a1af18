#![expect(unsafe_code, reason = "the C face")]
//! I/O watchers.
use super::{callback, count, live_reactor, pirn_loop, status, write_handle};
use crate::ready::{Interest, Ready};
use core::ffi::{c_int, c_void};

/// A handle: names an I/O watcher, the handler of a raised bit, or a hook. All zero is never live.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pirn_io {
    /// The index of the slot in the loop's memory.
    pub slot: u32,
    /// Counts the uses of that slot: a handle of an earlier use is stale.
    pub generation: u32,
}

/// The callback of an I/O watcher, of a raised bit or of a hook.
///
/// It is called when the fd is ready, or with `PIRN_INVALID` when the fd can no longer be watched.
/// For a raised bit `fd` is the bit, for a hook its `PIRN_HOOK_*`. `ready` is never 0. Called on
/// the loop's thread. If it leaves by an exception or longjmp: see `pirn_abandon`.
pub type pirn_io_fn = Option<
    unsafe extern "C" fn(
        r#loop: *mut pirn_loop,
        io: pirn_io,
        fd: c_int,
        ready: u32,
        user: *mut c_void,
    ),
>;

/// Interest and readiness: a read will not block. It returns data, the end of the stream or an
/// error, or accept returns a connection.
pub const PIRN_READ: u32 = 1u32 << 0;

/// Interest and readiness: urgent data (`POLLPRI`), such as TCP's out-of-band byte.
pub const PIRN_URGENT: u32 = 1u32 << 1;

/// Interest and readiness: a write will not block, or a connect has finished.
pub const PIRN_WRITE: u32 = 1u32 << 2;

/// Readiness, reported for every interest: an error is pending. Those of `PIRN_READ` and
/// `PIRN_WRITE` that are in the interest are set too: the next read or write returns the error.
pub const PIRN_ERROR: u32 = 1u32 << 3;

/// Readiness, reported for every interest: both directions are closed. Those of `PIRN_READ` and
/// `PIRN_WRITE` that are in the interest are set too. The select backend may report it one wait
/// late to watchers without `PIRN_READ`: see rule 23 of docs/TURN.md.
pub const PIRN_HANGUP: u32 = 1u32 << 4;

/// Always reported, never combined with other bits: the fd was closed while it was still watched,
/// or the kernel refuses to watch it any longer. Reported once; the watcher is then paused, and you
/// must still remove it. When each backend notices it: see rule 28 of docs/TURN.md.
pub const PIRN_INVALID: u32 = 1u32 << 5;

/// Readiness, reported together with `PIRN_READ`: the peer has shut down its writing side.
pub const PIRN_PEER_CLOSED: u32 = 1u32 << 13;

/// Option of `pirn_io_add`: edge triggered. The callback must read or write until EAGAIN, because
/// only a new event is reported; `pirn_io_modify` makes a present state be reported again. Needs a
/// backend with `PIRN_CAN_EDGE`.
pub const PIRN_EDGE: u32 = 1u32 << 16;

/// Option of `pirn_io_add`: report once. The interest is set to 0 before the callback is called,
/// and `pirn_io_modify` sets it again. That costs no system call before the next wait, and one
/// after it.
pub const PIRN_ONESHOT: u32 = 1u32 << 17;

/// Option of `pirn_io_add`: if several loops wait for this fd, wake one of them and not all
/// (`EPOLLEXCLUSIVE`). The fd can have no other watcher in this loop. Not with `PIRN_ONESHOT` or
/// `PIRN_URGENT`. `PIRN_PEER_CLOSED` is not reported. Needs a backend with `PIRN_CAN_EXCLUSIVE`.
pub const PIRN_EXCLUSIVE: u32 = 1u32 << 18;

/// Option of `pirn_io_add` and `pirn_raise_add`: called before watchers without this option in each
/// turn.
pub const PIRN_HIGH: u32 = 1u32 << 19;

/// Option of `pirn_io_add` and `pirn_raise_add`: called after watchers without this option in each
/// turn.
pub const PIRN_LOW: u32 = 1u32 << 20;

/// Option of `pirn_io_add`, `pirn_raise_add`, `pirn_hook_add` and `pirn_timer_start`: the watcher
/// or timer does not keep `pirn_run` going.
pub const PIRN_UNREF: u32 = 1u32 << 21;

const _: () = {
    assert!(
        PIRN_READ == Interest::READ.bits()
            && PIRN_URGENT == Interest::URGENT.bits()
            && PIRN_WRITE == Interest::WRITE.bits()
    );
    assert!(PIRN_EDGE == Interest::EDGE.bits() && PIRN_ONESHOT == Interest::ONESHOT.bits());
    assert!(PIRN_EXCLUSIVE == Interest::EXCLUSIVE.bits() && PIRN_UNREF == Interest::UNREF.bits());
    assert!(PIRN_HIGH == Interest::HIGH.bits() && PIRN_LOW == Interest::LOW.bits());
    assert!(
        PIRN_READ == Ready::READ.bits()
            && PIRN_URGENT == Ready::URGENT.bits()
            && PIRN_WRITE == Ready::WRITE.bits()
    );
    assert!(PIRN_ERROR == Ready::ERROR.bits() && PIRN_HANGUP == Ready::HANGUP.bits());
    assert!(PIRN_INVALID == Ready::INVALID.bits() && PIRN_PEER_CLOSED == Ready::PEER_CLOSED.bits());
};

/// Watch an fd.
///
/// Before you close the fd, remove its watchers or call `pirn_fd_closing`. pirn never closes the fd
/// and never changes its flags. Make it non-blocking, because readiness is a hint. An fd may have
/// several watchers; they are called in the order in which they were added. A file that is always
/// ready (a regular file, a directory, /dev/null) is reported in every turn, on every backend.
///
/// @param fd        an open file descriptor; with the host backend any number from 0 up
/// @param interest  `PIRN_READ`, `PIRN_WRITE` and `PIRN_URGENT` or-ed together, or none of them
///                  (the watcher is then paused), and options
/// @param callback  called when the fd is ready
/// @param user      passed to the callback, never dereferenced
/// @param io        receives the handle; may be NULL; unchanged on error
///
/// Returns 0, or
/// - -EINVAL: no live loop; callback NULL (see `PIRN_TAKE`); unknown bits; `PIRN_HIGH` with
///   `PIRN_LOW`; `PIRN_EXCLUSIVE` with `PIRN_ONESHOT` or `PIRN_URGENT`; one of the loop's own fds;
///   the fd has a watcher already, and only one of the two is edge triggered, or one of them is
///   exclusive
/// - -EBADF: the fd is not open, or was opened with `O_PATH`
/// - -ENOSPC: all I/O slots are in use
/// - -EDQUOT: the kernel's limit of fds that one user may watch by epoll is reached
///   (`fs.epoll.max_user_watches`; the kernel's own -ENOSPC)
/// - -EPERM: `PIRN_EDGE` or `PIRN_EXCLUSIVE`, and the file is always ready
/// - -EOPNOTSUPP: `PIRN_EDGE` or `PIRN_EXCLUSIVE`, and the backend does not support it
/// - -ERANGE: backend select, and the fd is beyond the range that the size of the block gives
/// - -ECHILD: in a forked child, before `pirn_after_fork`
/// - -ENOMEM, -ELOOP: the kernel's error
///
/// The same errors are returned for a paused watcher. Nothing has changed on an error, with one
/// exception: if the call finds that the fd was closed, or now names another file, the other
/// watchers of the fd are called with `PIRN_INVALID`. Cost: O(watchers of the same fd), two system
/// calls (one is getpid, to detect a fork). Loop thread, any callback. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_io_add(
    r#loop: *mut pirn_loop,
    fd: c_int,
    interest: u32,
    callback: pirn_io_fn,
    user: *mut c_void,
    io: *mut pirn_io,
) -> c_int {
    let reactor = live_reactor!(r#loop);
    let callback = callback!(r#loop, callback, user);
    let result = reactor.io_add(fd, Interest::from_bits_retain(interest), callback);
    // SAFETY: passed on.
    unsafe { write_handle(result, io) }
}

/// Change what a watcher waits for.
///
/// Takes effect immediately: events outside the new interest are no longer reported, even if they
/// were already fetched. The kernel is updated before the next wait, and only if the combined
/// interest of all watchers of the fd differs from the kernel's: switching an interest off and on
/// again costs no system call. If that update fails, the watchers of the fd are called with
/// `PIRN_INVALID`.
///
/// @param interest  `PIRN_READ`, `PIRN_WRITE` and `PIRN_URGENT` or-ed together. 0 pauses the
///                  watcher: the fd is not polled for it, and nothing is reported, not even a
///                  hang-up. The options given to `pirn_io_add` do not change.
///
/// Returns 0, or
/// - -EINVAL: no live loop; other bits; `PIRN_URGENT` for an exclusive watcher; `io` is the handler
///   of a raised bit or a hook
/// - -ENOENT: stale handle
///
/// Cost: O(1), no system call. Loop thread, any callback. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_io_modify(
    r#loop: *mut pirn_loop,
    io: pirn_io,
    interest: u32,
) -> c_int {
    status(live_reactor!(r#loop).io_modify(io.into(), interest))
}

/// Replace the callback and the user data of a watcher, of the handler of a raised bit, or of a
/// hook.
///
/// The next call already uses them, even for an event that was fetched before. For state machines,
/// and for passing a connection from one module to another without losing an event.
///
/// @param callback  called from now on
/// @param user      passed to the callback, never dereferenced
///
/// Returns 0, or
/// - -EINVAL: no live loop; callback NULL (see `PIRN_TAKE`)
/// - -ENOENT: stale handle
///
/// Cost: O(1), no system call. Loop thread, any callback, the watcher's own too. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_io_set_callback(
    r#loop: *mut pirn_loop,
    io: pirn_io,
    callback: pirn_io_fn,
    user: *mut c_void,
) -> c_int {
    let reactor = live_reactor!(r#loop);
    status(reactor.io_set_callback(io.into(), callback!(r#loop, callback, user)))
}

/// Stop watching.
///
/// Removal takes effect immediately: once this has returned, the callback is never called again,
/// even for an event already fetched. The handle is stale and the slot is free. Also removes the
/// handler of a raised bit, and a hook. It is no error if the fd was closed before.
///
/// Returns 0, or
/// - -EINVAL: no live loop
/// - -ENOENT: stale handle
/// - -ECHILD: in a forked child, before `pirn_after_fork`
///
/// Cost: O(watchers of the same fd), two system calls. Loop thread, any callback, the watcher's own
/// too. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_io_remove(r#loop: *mut pirn_loop, io: pirn_io) -> c_int {
    status(live_reactor!(r#loop).io_remove(io.into()))
}

/// Make a watcher keep `pirn_run` going, which is the default.
///
/// Returns 0, also if it is ref'ed already; -EINVAL: no live loop; -ENOENT: stale handle. Cost:
/// O(1). Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_io_ref(r#loop: *mut pirn_loop, io: pirn_io) -> c_int {
    status(live_reactor!(r#loop).io_reference(io.into(), true))
}

/// Let `pirn_run` return although this watcher exists.
///
/// Returns 0, also if it is unref'ed already; -EINVAL: no live loop; -ENOENT: stale handle. Cost:
/// O(1). Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_io_unref(r#loop: *mut pirn_loop, io: pirn_io) -> c_int {
    status(live_reactor!(r#loop).io_reference(io.into(), false))
}

/// Report readiness to a watcher as if the kernel had reported it.
///
/// Use this when a library has already read data into its own buffer, so the kernel will not report
/// the fd as readable. The watcher is called in the next dispatch with those bits of `ready` that
/// are then in its interest, and is not called if there are none. Several calls before that
/// dispatch are merged into one.
///
/// @param ready  `PIRN_READ`, `PIRN_WRITE`, `PIRN_URGENT`, `PIRN_ERROR`, `PIRN_HANGUP`,
///               `PIRN_PEER_CLOSED`, or-ed together; not 0
///
/// Returns 0, or
/// - -EINVAL: no live loop; `ready` is 0 or has other bits; `io` is the handler of a raised bit or
///   a hook
/// - -ENOENT: stale handle
///
/// Cost: O(1), no system call. Loop thread, any callback. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_io_feed(r#loop: *mut pirn_loop, io: pirn_io, ready: u32) -> c_int {
    status(live_reactor!(r#loop).io_feed(io.into(), ready))
}

/// Remove all watchers of an fd that you are about to close.
///
/// Works as `pirn_io_remove` for each of them. Use it when other parts of the program may be
/// watching the fd too.
///
/// Returns how many watchers there were, or
/// - -EINVAL: no live loop
/// - -EBADF: `fd` is negative
/// - -ECHILD: in a forked child, before `pirn_after_fork`
///
/// Cost: O(watchers of the fd), two system calls. Loop thread, any callback. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_fd_closing(r#loop: *mut pirn_loop, fd: c_int) -> c_int {
    count(live_reactor!(r#loop).fd_closing(fd))
}
