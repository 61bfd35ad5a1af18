#![expect(unsafe_code, reason = "the C face")]
//! Asking: the time, the fd, the backend, statistics, soundness, versions and error texts.

use core::ffi::{CStr, c_char, c_int};

use crate::backend::{Backend, Capabilities};
use crate::error::Error;
use crate::stats::Stats;
use crate::time::FOREVER;

use super::init::is_in_place;
use super::{check, count, enter, failure, pirn_loop, reactor, status};

/// Capability: `PIRN_EDGE`.
pub const PIRN_CAN_EDGE: u32 = 0x1;
/// Capability: `PIRN_EXCLUSIVE`.
pub const PIRN_CAN_EXCLUSIVE: u32 = 0x2;
/// Capability: `pirn_fd`.
pub const PIRN_CAN_FD: u32 = 0x4;
/// Capability: waits are as exact as the kernel's timers, not rounded to milliseconds.
pub const PIRN_CAN_NANOSECONDS: u32 = 0x8;

const _: () = {
    assert!(
        PIRN_CAN_EDGE == Capabilities::EDGE.bits()
            && PIRN_CAN_EXCLUSIVE == Capabilities::EXCLUSIVE.bits()
    );
    assert!(
        PIRN_CAN_FD == Capabilities::FD.bits()
            && PIRN_CAN_NANOSECONDS == Capabilities::NANOSECONDS.bits()
    );
};

/// What a loop counts about itself.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pirn_stats {
    /// `sizeof(struct pirn_stats)`, set by the caller: no more than that is written.
    pub size: u32,
    /// Which backend runs: `PIRN_BACKEND_*`.
    pub backend: u32,
    /// Dispatches begun.
    pub turns: u64,
    /// Waits made.
    pub waits: u64,
    /// Sources found ready.
    pub events: u64,
    /// Events whose watcher was gone: dropped.
    pub stale_events: u64,
    /// Waits that found something after which no callback had to run.
    pub spurious_wakeups: u64,
    /// Callbacks run.
    pub callbacks: u64,
    /// The longest callback in nanoseconds; 0 without `PIRN_MEASURE`.
    pub longest_callback_ns: u64,
    /// The latest that a timer was handed over, in nanoseconds after its deadline.
    pub longest_lag_ns: u64,
    /// Calls of `pirn_io_modify`.
    pub interest_changes: u64,
    /// How often the kernel was told of a changed interest; adding does not count. The difference is what coalescing saved.
    pub interest_syscalls: u64,
    /// How often the kernel's set was made anew, because a closed fd went on reporting or after a fork.
    pub rebuilds: u64,
    /// Posts accepted from elsewhere.
    pub remote_posts: u64,
    /// How often one of them had to wake the loop.
    pub wake_writes: u64,
    /// I/O watchers there is room for.
    pub io_capacity: u32,
    /// I/O watchers in use.
    pub io_used: u32,
    /// The most that were in use at once.
    pub io_peak: u32,
    /// Timers there is room for.
    pub timer_capacity: u32,
    /// Timers in use.
    pub timer_used: u32,
    /// The most that were in use at once.
    pub timer_peak: u32,
    /// Tasks there is room for.
    pub task_capacity: u32,
    /// Tasks waiting.
    pub task_used: u32,
    /// The most that waited at once.
    pub task_peak: u32,
    /// Posts from elsewhere there is room for.
    pub remote_capacity: u32,
    /// The most that waited at once, as far as the loop has seen.
    pub remote_peak: u32,
    /// How often `pirn_task_post` was answered with -EAGAIN.
    pub task_refused: u32,
    /// How often `pirn_remote_post` was answered with -EAGAIN.
    pub remote_refused: u32,
    /// The block in bytes.
    pub block_size: u32,
    /// I/O watchers that keep `pirn_run` going.
    pub io_referenced: u32,
    /// Timers that keep `pirn_run` going.
    pub timer_referenced: u32,
    /// How often the loop is held by `pirn_hold`.
    pub holds: u32,
    /// Posts from elsewhere waiting.
    pub remote_used: u32,
}

/// The head of `pirn_stats` before what it has in common with [`Stats`].
const HEAD: usize = 8;
const _: () = {
    assert!(
        size_of::<pirn_stats>() == HEAD + size_of::<Stats>()
            && core::mem::offset_of!(pirn_stats, turns) == HEAD
    );
    // No padding: what is copied to the caller is all written.
    assert!(
        size_of::<pirn_stats>()
            == core::mem::offset_of!(pirn_stats, remote_used) + size_of::<u32>()
    );
};

/// Tell the fd that is readable whenever the loop has something to do.
///
/// A ready fd, a due timer, a task, a post: for embedding in another loop. When it is readable call `pirn_prepare`, `pirn_wait` with 0,
/// `pirn_dispatch`, or simply `pirn_turn` with 0. From the first call on, every change outside a dispatch is made known to the kernel at once,
/// so that the other loop sees it. Poll it, do nothing else with it. It changes only by `pirn_after_fork`. It is an epoll that holds
/// another one; the kernel allows five within each other, and refuses to watch it with -ELOOP beyond that.
///
/// Returns the fd, or
/// - -EINVAL: no live loop
/// - -EOPNOTSUPP: only the epoll backend has one (`PIRN_CAN_FD`); with the others wait in `pirn_wait`
/// - -ECHILD: a copy made by fork
/// - -EMFILE, -ENFILE, -ENOMEM: what the kernel said
///
/// Cost: a system call, which asks for the process. The first call opens two fds, closed on exec, and makes
/// five more. Loop thread, any callback. Since 0.1.
///
/// # Safety
///
/// `loop` is NULL or came from `pirn_init`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_fd(loop_: *mut pirn_loop) -> c_int {
    count(enter!(loop_).pollable_fd().map(|fd| fd as u32))
}

/// Tell the deadline of the timer that is due next.
///
/// Returns nanoseconds on the clock of `pirn_now`, or `PIRN_FOREVER` if no timer will fire, or there is no live loop. Exact. Cost: O(timers
/// that are due about the same time). Loop thread, any callback. Since 0.1.
///
/// # Safety
///
/// `loop` is NULL or came from `pirn_init`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_deadline(loop_: *mut pirn_loop) -> u64 {
    // SAFETY: passed on.
    unsafe { reactor(loop_) }.map_or(FOREVER, |reactor| reactor.next_deadline())
}

/// Tell the turn's time.
///
/// Read once in a turn, after the wait, and the same for all callbacks of the turn. Outside of turns it is as old as the last one.
///
/// Returns nanoseconds on the monotonic clock, or 0 if there is no live loop. Cost: O(1). Loop thread, any callback. Since 0.1.
///
/// # Safety
///
/// `loop` is NULL or came from `pirn_init`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_now(loop_: *mut pirn_loop) -> u64 {
    // SAFETY: passed on.
    unsafe { reactor(loop_) }.map_or(0, |reactor| reactor.now())
}

/// Read the clock into the turn's time: after long work, or before `pirn_timer_again` outside of turns.
///
/// Returns it, or 0 if there is no live loop. Cost: O(1), no system call where the kernel has a vDSO. Loop thread, any callback. Since 0.1.
///
/// # Safety
///
/// `loop` is NULL or came from `pirn_init`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_update(loop_: *mut pirn_loop) -> u64 {
    // SAFETY: passed on.
    unsafe { reactor(loop_) }.map_or(0, |reactor| reactor.update())
}

/// Tell which backend runs.
///
/// Returns `PIRN_BACKEND_SELECT` and so on, never `PIRN_BACKEND_AUTO`; or -EINVAL: no live loop. Cost: O(1). Loop thread. Since 0.1.
///
/// # Safety
///
/// `loop` is NULL or came from `pirn_init`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_backend(loop_: *mut pirn_loop) -> c_int {
    enter!(loop_).backend.kind() as c_int
}

/// Tell the name of a backend: "epoll" and so on; "unknown" for any other number. Static. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn pirn_backend_name(backend: c_int) -> *const c_char {
    let name: &CStr = match backend {
        0 => c"auto",
        1 => c"select",
        2 => c"poll",
        3 => c"epoll",
        4 => c"host",
        _ => c"unknown",
    };
    name.as_ptr()
}

/// Tell what the backend can do beyond the common ground.
///
/// Returns `PIRN_CAN_*` or-ed together; 0 also if there is no live loop. Cost: O(1). Loop thread. Since 0.1.
///
/// # Safety
///
/// `loop` is NULL or came from `pirn_init`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_capabilities(loop_: *mut pirn_loop) -> u32 {
    // SAFETY: passed on.
    unsafe { reactor(loop_) }.map_or(0, |reactor| reactor.backend.capabilities().bits())
}

/// Tell what the loop has counted.
///
/// @param stats  its `size` set by the caller; as much is written as that says and this library has. Fields are only ever appended.
///
/// Returns 0, or -EINVAL: no live loop, `stats` NULL, or its size below 8. Cost: O(1). Loop thread, any callback. Since 0.1.
///
/// # Safety
///
/// `loop` is NULL or came from `pirn_init`; `stats` is NULL or writable for the size it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_stats(loop_: *mut pirn_loop, stats: *mut pirn_stats) -> c_int {
    let reactor = enter!(loop_);
    if stats.is_null() {
        return failure(Error::EINVAL);
    }
    // SAFETY: not NULL, hence readable as documented.
    let size = unsafe { (*stats).size } as usize;
    if size < HEAD {
        return failure(Error::EINVAL);
    }
    let counted = reactor.stats();
    let length = size.min(size_of::<pirn_stats>()) - HEAD;
    // SAFETY: at least 8 bytes, as checked.
    unsafe { (*stats).backend = reactor.backend.kind() as u32 };
    // SAFETY: inside the struct, or at its end.
    let rest = unsafe { stats.cast::<u8>().add(HEAD) };
    // SAFETY: `length` is within both; the two do not overlap.
    unsafe { core::ptr::copy_nonoverlapping((&raw const counted).cast::<u8>(), rest, length) };
    0
}

/// Check every internal structure against itself: for tests, and for finding out who overwrote the block.
///
/// It neither crashes nor hangs, whatever was written into the block: no pointer and no index in it
/// is followed before it was checked.
///
/// Returns 0, or
/// - -EUCLEAN: something contradicts itself
/// - -EINVAL: no live loop, which includes a block whose first word was overwritten
///
/// Cost: O(everything). Loop thread, any callback. Since 0.1.
///
/// # Safety
///
/// `loop` is NULL or came from `pirn_init`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_verify(loop_: *mut pirn_loop) -> c_int {
    // SAFETY: passed on.
    if let Err(error) = unsafe { check(loop_) } {
        return failure(error);
    }
    // SAFETY: a live loop, as was checked; its reactor is not borrowed yet.
    if !unsafe { is_in_place(loop_) } {
        return failure(Error::EUCLEAN);
    }
    status(enter!(loop_).verify())
}

/// Explain an error that a function of this library returned.
///
/// @param error  negative or positive
///
/// Returns a static text, never NULL. Every error that a header of pirn names has one of its
/// own; any other errno is "error of the kernel". Any thread, async-signal-safe. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn pirn_strerror(error: c_int) -> *const c_char {
    let text = match error.unsigned_abs() {
        0 => b"success\0",
        1..4096 => Error::from_errno(error.wrapping_abs()).text(),
        _ => b"not an error number\0",
    };
    text.as_ptr().cast()
}

/// Tell the version of the library that is linked: `PIRN_VERSION` of its own header. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn pirn_version() -> u32 {
    PIRN_VERSION
}

/// The version of this header: major, minor and patch in a byte each. Within one major version what was released is frozen.
pub const PIRN_VERSION: u32 = 0x0000_0100;
