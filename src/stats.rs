//! What a loop counts about itself.

/// Counters since the loop was made, and how much of each capacity was ever needed.
///
/// The memory layout is that of `struct pirn_stats` without its leading size and backend.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
#[repr(C)]
pub struct Stats {
    /// Dispatches begun.
    pub turns: u64,
    /// Waits made; each is one system call, two for a wait below a millisecond on epoll.
    pub waits: u64,
    /// Sources found ready.
    pub events: u64,
    /// Events whose watcher was gone: dropped.
    pub stale_events: u64,
    /// Waits that found something, after which no callback had to run.
    pub spurious_wakeups: u64,
    /// Callbacks run.
    pub callbacks: u64,
    /// The longest callback in nanoseconds. Only measured if that was asked for at init, else 0.
    pub longest_callback_ns: u64,
    /// The latest that a timer was handed over, in nanoseconds after its deadline.
    pub longest_lag_ns: u64,
    /// Calls of `io_modify`.
    pub interest_changes: u64,
    /// How often the backend was told of a changed interest; adding does not count. The difference
    /// is what coalescing saved.
    pub interest_syscalls: u64,
    /// How often the kernel's set was made anew.
    pub rebuilds: u64,
    /// Posts accepted from elsewhere.
    pub remote_posts: u64,
    /// How often a post had to wake the loop.
    pub wake_writes: u64,
    /// I/O watchers there is room for.
    pub io_capacity: u32,
    /// I/O watchers in use.
    pub io_used: u32,
    /// The most I/O watchers that were in use at once.
    pub io_peak: u32,
    /// Timers there is room for.
    pub timer_capacity: u32,
    /// Timers in use.
    pub timer_used: u32,
    /// The most timers that were in use at once.
    pub timer_peak: u32,
    /// Tasks there is room for.
    pub task_capacity: u32,
    /// Tasks waiting.
    pub task_used: u32,
    /// The most tasks that waited at once.
    pub task_peak: u32,
    /// Posts from elsewhere there is room for.
    pub remote_capacity: u32,
    /// The most posts from elsewhere that waited at once.
    pub remote_peak: u32,
    /// How often a task was refused because the queue was full.
    pub task_refused: u32,
    /// How often a post from elsewhere was refused because there was no room.
    pub remote_refused: u32,
    /// The block, in bytes.
    pub block_size: u32,
    /// I/O watchers that keep a run going.
    pub io_referenced: u32,
    /// Timers that keep a run going.
    pub timer_referenced: u32,
    /// How often the loop is held.
    pub holds: u32,
    /// Posts from elsewhere waiting.
    pub remote_used: u32,
}
