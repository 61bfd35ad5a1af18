#![expect(unsafe_code, reason = "the C face")]
//! I/O watchers.
use super::{callback, count, enter, give, pirn_loop, status};
use crate::ready::{Interest, Ready};
use core::ffi::{c_int, c_void};

/// Names an I/O watcher, or the handler of a raised bit. All zero is never a live one.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pirn_io {
    /// Which slot of the loop's memory.
    pub slot: u32,
    /// Which use of that slot: a handle of an earlier use is stale.
    pub generation: u32,
}

/// Called when an fd is ready, a raised bit arrives (`fd` is then the bit), it is the turn of a
/// hook (`fd` is then when it is called), or an fd turns out to be lost (`PIRN_INVALID`). `ready`
/// is never 0. Runs on the loop's thread. If it leaves by an exception or longjmp: see
/// `pirn_abandon`.
pub type pirn_io_fn = Option<
    unsafe extern "C" fn(
        r#loop: *mut pirn_loop,
        io: pirn_io,
        fd: c_int,
        ready: u32,
        user: *mut c_void,
    ),
>;

/// Interest and readiness: a read will not block. It returns data, the end, an error, or there is a
/// connection to accept.
pub const PIRN_READ: u32 = 1u32 << 0;

/// Interest and readiness: urgent data (`POLLPRI`), as TCP's out-of-band byte.
pub const PIRN_URGENT: u32 = 1u32 << 1;

/// Interest and readiness: a write will not block, or a connect has finished.
pub const PIRN_WRITE: u32 = 1u32 << 2;

/// Readiness, unasked: an error is pending. `PIRN_READ` and `PIRN_WRITE` are set too, as far as
/// watched: the next call tells it.
pub const PIRN_ERROR: u32 = 1u32 << 3;

/// Readiness, unasked: both directions are finished. `PIRN_READ` and `PIRN_WRITE` are set too, as
/// far as watched. With the select backend it may be reported one wait late to watchers that do not
/// read: see rule 23 of docs/TURN.md.
pub const PIRN_HANGUP: u32 = 1u32 << 4;

/// Always reported, never combined with other bits: the fd was closed while it was still watched,
/// or the kernel refuses to watch it any longer. Reported once; the watcher is then paused, and you
/// must still remove it. docs/TURN.md says which backend finds out when.
pub const PIRN_INVALID: u32 = 1u32 << 5;

/// Readiness, unasked, with `PIRN_READ`: the peer has shut down its writing side.
pub const PIRN_PEER_CLOSED: u32 = 1u32 << 13;

/// Option of `pirn_io_add`: edge triggered. Read or write until -EAGAIN; `pirn_io_modify` arms the
/// edge again. `PIRN_CAN_EDGE`.
pub const PIRN_EDGE: u32 = 1u32 << 16;

/// Option of `pirn_io_add`: the interest is empty when the callback runs; `pirn_io_modify` arms the
/// watcher again. Doing so inside the callback costs no system call.
pub const PIRN_ONESHOT: u32 = 1u32 << 17;

/// Option of `pirn_io_add`: of several loops that wait for this fd, wake one (`EPOLLEXCLUSIVE`). No
/// second watcher of the fd in this loop, not with `PIRN_ONESHOT` or `PIRN_URGENT`;
/// `PIRN_PEER_CLOSED` is not told. `PIRN_CAN_EXCLUSIVE`.
pub const PIRN_EXCLUSIVE: u32 = 1u32 << 18;

/// Option of `pirn_io_add` and `pirn_raise_add`: served before the others in each turn.
pub const PIRN_HIGH: u32 = 1u32 << 19;

/// Option of `pirn_io_add` and `pirn_raise_add`: served after the others in each turn.
pub const PIRN_LOW: u32 = 1u32 << 20;

/// Option of `pirn_io_add`, `pirn_raise_add` and `pirn_timer_start`: does not keep `pirn_run`
/// going.
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
/// The fd stays the application's: pirn never closes it and never changes its flags. Make it
/// non-blocking, for readiness is a hint. Several watchers may share an fd; they are called in the
/// order they were added. A file that is always ready (a regular file, a directory, /dev/null) is
/// reported in every turn, on every backend. Before the fd is closed, remove its watchers or call
/// `pirn_fd_closing`.
///
/// @param fd        an open file descriptor; with the host backend any number from 0 up
/// @param interest  `PIRN_READ`, `PIRN_WRITE`, `PIRN_URGENT` or none (paused), and options
/// @param callback  called when the fd is ready
/// @param user      passed to the callback, never looked at
/// @param io        where the handle is written, or NULL; unchanged on error
///
/// Returns 0, or
/// - -EINVAL: no live loop; callback NULL (see `PIRN_TAKE`); unknown bits; `PIRN_HIGH` with
///   `PIRN_LOW`; `PIRN_EXCLUSIVE` with `PIRN_ONESHOT` or `PIRN_URGENT`; an fd of the loop's own;
///   the fd is watched already and one of the two is edge triggered or exclusive and the other is
///   not
/// - -EBADF: the fd is not open, or was opened with `O_PATH`
/// - -ENOSPC: all I/O slots are in use
/// - -EDQUOT: the kernel's limit of fds that one user may watch by epoll is reached
///   (`fs.epoll.max_user_watches`; the kernel's own -ENOSPC)
/// - -EPERM: `PIRN_EDGE` or `PIRN_EXCLUSIVE` for a file that is always ready
/// - -EOPNOTSUPP: this backend has no `PIRN_EDGE` or `PIRN_EXCLUSIVE`
/// - -ERANGE: backend select, and the fd is beyond the range that the size of the block gives
/// - -ECHILD: a copy made by fork
/// - -ENOMEM, -ELOOP: what the kernel said
///
/// These hold for a paused watcher too. Nothing has changed on an error, but if the fd turns out to
/// be closed or another file than before, its other watchers are called with `PIRN_INVALID`. Cost:
/// O(watchers of the same fd), two system calls (one asks for the process). Loop thread, any
/// callback. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_io_add(
    r#loop: *mut pirn_loop,
    fd: c_int,
    interest: u32,
    callback: pirn_io_fn,
    user: *mut c_void,
    io: *mut pirn_io,
) -> c_int {
    let reactor = enter!(r#loop);
    let callback = callback!(r#loop, callback, user);
    let result = reactor.io_add(fd, Interest::from_bits_retain(interest), callback);
    // SAFETY: passed on.
    unsafe { give(result, io) }
}

/// Change what a watcher waits for.
///
/// Takes effect at once for what is dispatched, and reaches the kernel before the next wait, but
/// only if what the watchers of the fd then ask for together differs from what the kernel has:
/// switching forth and back costs no system call. A failure of that late call is told to the
/// watchers as `PIRN_INVALID`.
///
/// @param interest  `PIRN_READ`, `PIRN_WRITE`, `PIRN_URGENT`; 0 pauses: nothing is reported,
///                  hang-up neither, and nothing is polled. Options stay as they were given to
///                  `pirn_io_add`.
///
/// Returns 0, or
/// - -EINVAL: no live loop; other bits; `PIRN_URGENT` for an exclusive watcher; the handler of a
///   raised bit
/// - -ENOENT: stale handle
///
/// Cost: O(1), no system call. Loop thread, any callback. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_io_modify(
    r#loop: *mut pirn_loop,
    io: pirn_io,
    interest: u32,
) -> c_int {
    status(enter!(r#loop).io_modify(io.into(), interest))
}

/// Give a watcher, or the handler of a raised bit, another callback and user data.
///
/// The next call is made with them, also if its event was fetched already. For state machines,
/// and for handing a connection from one module to another: nothing that the kernel has found
/// is lost.
///
/// @param callback  called from now on
/// @param user      passed to the callback, never looked at
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
    let reactor = enter!(r#loop);
    status(reactor.io_set_callback(io.into(), callback!(r#loop, callback, user)))
}

/// Stop watching.
///
/// When this returns the callback will not run again, not even for what was already found in this
/// turn; the handle is stale and the slot free. Also removes the handler of a raised bit. An fd
/// that was closed before is no error.
///
/// Returns 0, or
/// - -EINVAL: no live loop
/// - -ENOENT: stale handle
/// - -ECHILD: a copy made by fork
///
/// Cost: O(watchers of the same fd), two system calls. Loop thread, any callback, the watcher's own
/// too. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_io_remove(r#loop: *mut pirn_loop, io: pirn_io) -> c_int {
    status(enter!(r#loop).io_remove(io.into()))
}

/// Let a watcher keep `pirn_run` going, which is the default.
///
/// Returns 0, also if it already does; -EINVAL: no live loop; -ENOENT: stale handle. Cost: O(1).
/// Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_io_ref(r#loop: *mut pirn_loop, io: pirn_io) -> c_int {
    status(enter!(r#loop).io_reference(io.into(), true))
}

/// Let `pirn_run` end although this watcher is there.
///
/// Returns 0, also if it was so; -EINVAL: no live loop; -ENOENT: stale handle. Cost: O(1). Loop
/// thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_io_unref(r#loop: *mut pirn_loop, io: pirn_io) -> c_int {
    status(enter!(r#loop).io_reference(io.into(), false))
}

/// Report readiness to a watcher as if the kernel had.
///
/// For libraries that buffer, or whose fd is edge triggered by nature: what they have read already,
/// the kernel will not report. The watcher is called in the next dispatch, as far as `ready`
/// concerns its interest then. Fed twice, called once with both.
///
/// @param ready  `PIRN_READ`, `PIRN_WRITE`, `PIRN_URGENT`, `PIRN_ERROR`, `PIRN_HANGUP`,
///               `PIRN_PEER_CLOSED`; not 0
///
/// Returns 0, or
/// - -EINVAL: no live loop; no or other bits; the handler of a raised bit
/// - -ENOENT: stale handle
///
/// Cost: O(1), no system call. Loop thread, any callback. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_io_feed(r#loop: *mut pirn_loop, io: pirn_io, ready: u32) -> c_int {
    status(enter!(r#loop).io_feed(io.into(), ready))
}

/// Remove all watchers of an fd that is about to be closed.
///
/// For an fd that others may be watching too. As `pirn_io_remove` for each of them.
///
/// Returns how many there were, or
/// - -EINVAL: no live loop
/// - -EBADF: `fd` is negative
/// - -ECHILD: a copy made by fork
///
/// Cost: O(watchers of the fd), two system calls. Loop thread, any callback. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_fd_closing(r#loop: *mut pirn_loop, fd: c_int) -> c_int {
    count(enter!(r#loop).fd_closing(fd))
}
