#![expect(unsafe_code, reason = "the C face")]
//! A loop's statistics, and the check of its internal structures.

use core::ffi::c_int;

use crate::error::Error;
use crate::stats::Stats;

use super::head::is_in_place;
use super::{check, failure, live_reactor, pirn_loop, status};

/// The statistics of a loop.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pirn_stats {
    /// `sizeof(struct pirn_stats)`, set by the caller. The library writes no more bytes than that.
    pub size: u32,
    /// The loop's backend: `PIRN_BACKEND_*`.
    pub backend: u32,
    /// Dispatches that have begun.
    pub turns: u64,
    /// Waits that were made.
    pub waits: u64,
    /// Sources that waits have found ready.
    pub events: u64,
    /// Events that were dropped because their watcher had been removed.
    pub stale_events: u64,
    /// Waits that found something, but no callback was called for it.
    pub spurious_wakeups: u64,
    /// Callbacks that were called.
    pub callbacks: u64,
    /// The longest callback in nanoseconds; 0 without `PIRN_MEASURE`.
    pub longest_callback_ns: u64,
    /// The longest time in nanoseconds from a timer's deadline to its call.
    pub longest_lag_ns: u64,
    /// Calls of `pirn_io_modify`.
    pub interest_changes: u64,
    /// Updates of an interest in the kernel, without those of `pirn_io_add`. The difference to
    /// `interest_changes` is the number of system calls that were saved.
    pub interest_syscalls: u64,
    /// How often the kernel's set was rebuilt: because an fd that was closed while still watched
    /// kept reporting, or after a fork.
    pub rebuilds: u64,
    /// Posts accepted from other threads.
    pub remote_posts: u64,
    /// How often such a post had to wake the loop.
    pub wake_writes: u64,
    /// The capacity for I/O watchers.
    pub io_capacity: u32,
    /// I/O watchers in use.
    pub io_used: u32,
    /// The largest number that was in use at the same time.
    pub io_peak: u32,
    /// The capacity for timers.
    pub timer_capacity: u32,
    /// Timers in use.
    pub timer_used: u32,
    /// The largest number that was in use at the same time.
    pub timer_peak: u32,
    /// The capacity for tasks.
    pub task_capacity: u32,
    /// Tasks in the queue.
    pub task_used: u32,
    /// The largest number that was in the queue at the same time.
    pub task_peak: u32,
    /// The capacity for posts from other threads.
    pub remote_capacity: u32,
    /// The largest number that the loop has found in the queue at the same time.
    pub remote_peak: u32,
    /// How often `pirn_task_post` returned -EAGAIN.
    pub task_refused: u32,
    /// How often `pirn_remote_post` returned -EAGAIN.
    pub remote_refused: u32,
    /// The size of the block in bytes.
    pub block_size: u32,
    /// I/O watchers that keep `pirn_run` going.
    pub io_referenced: u32,
    /// Timers that keep `pirn_run` going.
    pub timer_referenced: u32,
    /// The number of `pirn_hold` calls without a `pirn_release`.
    pub holds: u32,
    /// Posts from other threads in the queue.
    pub remote_used: u32,
}

/// The size of the fields of `pirn_stats` that come before those of [`Stats`].
const HEAD: usize = 8;

const _: () = {
    assert!(
        size_of::<pirn_stats>() == HEAD + size_of::<Stats>()
            && core::mem::offset_of!(pirn_stats, turns) == HEAD
    );
    // No padding: every byte that is copied to the caller is initialised.
    assert!(
        size_of::<pirn_stats>()
            == core::mem::offset_of!(pirn_stats, remote_used) + size_of::<u32>()
    );
};

/// Return the statistics of a loop.
///
/// @param stats  receives the statistics; the caller sets its `size`, and no more bytes are
///               written. New fields are only ever appended
///
/// Returns 0, or -EINVAL: no live loop, `stats` NULL, or its size below 8. Cost: O(1). Loop thread,
/// any callback. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_stats(r#loop: *mut pirn_loop, stats: *mut pirn_stats) -> c_int {
    let reactor = live_reactor!(r#loop);
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

/// Check that the loop's internal structures are consistent.
///
/// For tests, and to find out whether the program has overwritten the block.
///
/// The check neither crashes nor hangs, whatever was written into the block: it checks each pointer
/// and index before it uses it.
///
/// Returns 0, or
/// - -EUCLEAN: the structures are inconsistent, the block was overwritten
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
    status(live_reactor!(r#loop).verify())
}
