//! The statistics of a loop.

/// Counters since the loop was made, and the use of each capacity.
///
/// The memory layout is that of `struct pirn_stats` without its leading size and backend.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
#[repr(C)]
pub struct Stats {
    /// Dispatches that have begun.
    pub turns: u64,
    /// Waits that were made. Each is one system call, or two for a wait below a millisecond on
    /// epoll.
    pub waits: u64,
    /// Sources that waits have found ready.
    pub events: u64,
    /// Events that were dropped because their watcher had been removed.
    pub stale_events: u64,
    /// Waits that found something, but no callback was called for it.
    pub spurious_wakeups: u64,
    /// Callbacks that were called.
    pub callbacks: u64,
    /// The longest callback in nanoseconds; 0 unless the loop was made with that option.
    pub longest_callback_ns: u64,
    /// The longest time in nanoseconds from a timer's deadline to its call.
    pub longest_lag_ns: u64,
    /// Calls of `io_modify`.
    pub interest_changes: u64,
    /// Updates of an interest in the backend, without those of `io_add`. The difference to
    /// `interest_changes` is the number of system calls that were saved.
    pub interest_syscalls: u64,
    /// How often the kernel's set was rebuilt.
    pub rebuilds: u64,
    /// Posts accepted from other threads.
    pub remote_posts: u64,
    /// How often such a post had to wake the loop.
    pub wake_writes: u64,
    /// The capacity for I/O watchers.
    pub io_capacity: u32,
    /// I/O watchers in use.
    pub io_used: u32,
    /// The largest number of I/O watchers in use at the same time.
    pub io_peak: u32,
    /// The capacity for timers.
    pub timer_capacity: u32,
    /// Timers in use.
    pub timer_used: u32,
    /// The largest number of timers in use at the same time.
    pub timer_peak: u32,
    /// The capacity for tasks.
    pub task_capacity: u32,
    /// Tasks in the queue.
    pub task_used: u32,
    /// The largest number of tasks in the queue at the same time.
    pub task_peak: u32,
    /// The capacity for posts from other threads.
    pub remote_capacity: u32,
    /// The largest number of such posts in the queue at the same time.
    pub remote_peak: u32,
    /// How often a task was refused because the queue was full.
    pub task_refused: u32,
    /// How often a post from another thread was refused because the queue was full.
    pub remote_refused: u32,
    /// The size of the block in bytes.
    pub block_size: u32,
    /// I/O watchers that keep a run going.
    pub io_referenced: u32,
    /// Timers that keep a run going.
    pub timer_referenced: u32,
    /// The number of holds without a release.
    pub holds: u32,
    /// Posts from other threads in the queue.
    pub remote_used: u32,
}
