#![expect(unsafe_code, reason = "the C face")]
//! What a loop counts about itself, and whether it is sound.

use core::ffi::c_int;

use crate::error::Error;
use crate::stats::Stats;

use super::head::is_in_place;
use super::{check, enter, failure, pirn_loop, status};

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
    /// How often the kernel was told of a changed interest; adding does not count. The difference
    /// is what coalescing saved.
    pub interest_syscalls: u64,
    /// How often the kernel's set was made anew, because a closed fd went on reporting or after a
    /// fork.
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

/// Tell what the loop has counted.
///
/// @param stats  its `size` set by the caller; as much is written as that says and this library
///               has. Fields are only ever appended.
///
/// Returns 0, or -EINVAL: no live loop, `stats` NULL, or its size below 8. Cost: O(1). Loop thread,
/// any callback. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_stats(r#loop: *mut pirn_loop, stats: *mut pirn_stats) -> c_int {
    let reactor = enter!(r#loop);
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

/// Check every internal structure against itself: for tests, and for finding out who overwrote the
/// block.
///
/// It neither crashes nor hangs, whatever was written into the block: no pointer and no index in it
/// is followed before it was checked.
///
/// Returns 0, or
/// - -EUCLEAN: something contradicts itself
/// - -EINVAL: no live loop, which includes a block whose first word was overwritten
///
/// Cost: O(everything). Loop thread, any callback. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_verify(r#loop: *mut pirn_loop) -> c_int {
    // SAFETY: passed on.
    if let Err(error) = unsafe { check(r#loop) } {
        return failure(error);
    }
    // SAFETY: a live loop, as was checked; its reactor is not borrowed yet.
    if !unsafe { is_in_place(r#loop) } {
        return failure(Error::EUCLEAN);
    }
    status(enter!(r#loop).verify())
}
