//! Generated from src/ffi by `cargo build --features header`. Do not edit.

#![expect(unsafe_code, reason = "C functions are declared here; to call one is unsafe")]

use core::ffi::{c_char, c_int, c_void};

/// The library chooses: it tries epoll, then poll, then select.
pub const PIRN_BACKEND_AUTO: u32 = 0u32;
/// `pselect6(2)`. Watches fds below 1024, and 16 more for each I/O watcher of the capacity.
pub const PIRN_BACKEND_SELECT: u32 = 1u32;
/// `ppoll(2)`.
pub const PIRN_BACKEND_POLL: u32 = 2u32;
/// `epoll(7)`.
pub const PIRN_BACKEND_EPOLL: u32 = 3u32;
/// The application's own functions in `pirn_config.host` provide the clock, the wait and the
/// readiness.
pub const PIRN_BACKEND_HOST: u32 = 4u32;
/// Capability: watchers may have the option `PIRN_EDGE`.
pub const PIRN_CAN_EDGE: u32 = 1u32 << 0;
/// Capability: watchers may have the option `PIRN_EXCLUSIVE`.
pub const PIRN_CAN_EXCLUSIVE: u32 = 1u32 << 1;
/// Capability: the loop has an fd for another loop to watch, see `pirn_fd`.
pub const PIRN_CAN_FD: u32 = 1u32 << 2;
/// Capability: a wait ends as exactly as the kernel's timers allow, and is not rounded to
/// milliseconds.
pub const PIRN_CAN_NANOSECONDS: u32 = 1u32 << 3;
/// A flag of `pirn_config`: read the clock before and after every callback, for
/// `pirn_stats.longest_callback_ns`.
pub const PIRN_MEASURE: u32 = 1u32 << 0;
/// A flag of `pirn_config`: the program gets all events from `pirn_take`. Callbacks may be NULL.
/// The functions that would call them (`pirn_run`, `pirn_run_until`, `pirn_turn` and
/// `pirn_dispatch`) return -EOPNOTSUPP.
pub const PIRN_TAKE: u32 = 1u32 << 1;
/// A flag of `pirn_config`: do not check whether this process is a forked child. For programs that
/// do not fork, or whose children call `pirn_after_fork` or `pirn_deinit` before any other function
/// of the loop. Saves a system call in `pirn_io_add`, in `pirn_io_remove`, in each turn, and
/// whenever another thread wakes the loop.
///
/// If a child breaks that rule, it uses and changes the kernel objects of its parent. No other
/// thread of the parent may be inside `pirn_run` or a turn at the moment of the fork. If other
/// threads may have been posting at that moment, the child must call `pirn_after_fork` first, even
/// if it then calls `pirn_deinit`.
pub const PIRN_NO_FORK_CHECK: u32 = 1u32 << 2;
/// The configuration of a new loop. Zero the struct, set `size`, and set the fields that are to
/// differ from their defaults.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pirn_config {
    /// `sizeof(struct pirn_config)`. If it is smaller than the library's own struct, the missing
    /// fields are zero. If it is larger, the surplus bytes must be zero, else -E2BIG.
    pub size: u32,
    /// `PIRN_BACKEND_AUTO` (0, the default) or another `PIRN_BACKEND_*`.
    pub backend: u32,
    /// The capacity for I/O watchers. If all three capacities are 0, those of the block are used;
    /// it must then have been declared with `PIRN_STORAGE`.
    pub io: u32,
    /// The capacity for timers.
    pub timers: u32,
    /// The capacity for tasks. That for posts from other threads is half of it, rounded up.
    pub tasks: u32,
    /// `PIRN_MEASURE`, `PIRN_TAKE`, `PIRN_NO_FORK_CHECK`, or 0.
    pub flags: u32,
    /// The first generation of the handles. With the same seed a loop returns the same handles, so
    /// that a run can be repeated. But two loops with the same seed cannot tell their handles
    /// apart. 0, the default: the library derives a seed from the block's address, how often the
    /// block was used, and the clock.
    pub seed: u32,
    /// Must be 0.
    pub reserved: u32,
    /// The application's functions for `PIRN_BACKEND_HOST`; NULL for all other backends.
    pub host: *const pirn_host,
}
/// The version of this header, one byte each: `major << 16 | minor << 8 | patch`. Within one major
/// version, released functions, types and constants do not change.
pub const PIRN_VERSION: u32 = 1u32 << 8;
/// A loop. It lives at the beginning of the block given to `pirn_init`, and programs use only its
/// address.
#[repr(C)]
pub struct pirn_loop {
    _inside: [u8; 0],
}
/// When a hook is called: at the beginning of every dispatch.
pub const PIRN_HOOK_FIRST: u32 = 1u32;
/// When a hook is called: at the end of every dispatch, also if a limit has interrupted the turn.
/// Use it to flush the data that callbacks have buffered, before the loop sleeps.
pub const PIRN_HOOK_LAST: u32 = 2u32;
/// When a hook is called: at the end of a dispatch in which only hooks were called, before the
/// hooks of `PIRN_HOOK_LAST`. The loop does not sleep while it has such a hook.
pub const PIRN_HOOK_IDLE: u32 = 3u32;
/// A source that a host reports as ready.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pirn_ready {
    /// The number with which the source was added to the loop.
    pub fd: i32,
    /// `PIRN_READ` and so on.
    pub ready: u32,
}
/// The functions of the application for `PIRN_BACKEND_HOST`. `pirn_init` copies the struct.
///
/// The functions may not call pirn, with four exceptions: `pirn_remote_post`, `pirn_raise`,
/// `pirn_wake` and `pirn_stop`, which an interrupt may call too. If `wait` calls one of them, pirn
/// may call `wake` inside `wait`, and the post or bit is handled in the same turn.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pirn_host {
    /// `sizeof(struct pirn_host)`.
    pub size: u32,
    /// The optional features of `watch`: `PIRN_CAN_EDGE`, `PIRN_CAN_EXCLUSIVE`, or 0. `pirn_io_add`
    /// refuses a watcher whose option is not among them.
    pub capabilities: u32,
    /// Passed to each of the functions.
    pub user: *mut c_void,
    /// Return the monotonic time in nanoseconds. Required. The time must never go back; it may
    /// stand still.
    pub now: Option<unsafe extern "C" fn(user: *mut c_void) -> u64>,
    /// Wait until a source is ready, at most `timeout_ns` (0: do not wait; `PIRN_FOREVER`: without
    /// limit). Write at most `capacity` ready sources to `ready`, each once. Return how many, or a
    /// negative errno: -EINTR counts as a wait that found nothing, any other errno ends the run.
    /// Required.
    pub wait: Option<
        unsafe extern "C" fn(
            timeout_ns: u64,
            ready: *mut pirn_ready,
            capacity: usize,
            user: *mut c_void,
        ) -> c_int,
    >,
    /// Watch `fd` for `interest` from now on; 0: stop watching it. `interest` has the bits
    /// `PIRN_READ`, `PIRN_WRITE` and `PIRN_URGENT` that any watcher of the fd waits for. It also
    /// has the options of all these watchers, such as `PIRN_EDGE` and `PIRN_HIGH`, so test single
    /// bits. A call with an unchanged interest means that an edge is to be armed again, or that the
    /// fd got another watcher. If only options change, there is no call. Return 0, or a negative
    /// errno to refuse. May be NULL.
    pub watch: Option<
        unsafe extern "C" fn(fd: c_int, interest: u32, user: *mut c_void) -> c_int,
    >,
    /// End the current wait, or the next one. Called by each thread, signal handler or interrupt
    /// that posts, raises, wakes or stops. May be NULL if nothing does.
    pub wake: Option<unsafe extern "C" fn(user: *mut c_void)>,
}
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
/// The first word of a block that `PIRN_STORAGE` declared.
pub const PIRN_STORAGE_MAGIC: u64 = 0x6b63_6f6c_6e72_6970;
/// `pirn_run` returned because nothing keeps the loop going any more.
pub const PIRN_DONE: c_int = 0;
/// `pirn_run` returned because of `pirn_stop`.
pub const PIRN_STOPPED: c_int = 1;
/// `pirn_run_until` returned because its deadline has passed.
pub const PIRN_EXPIRED: c_int = 2;
/// `pirn_ended`: a run would make another turn.
pub const PIRN_GOING: c_int = 3;
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
/// Kind of a `pirn_due`: a timer is due.
pub const PIRN_DUE_TIMER: u32 = 1u32;
/// Kind of a `pirn_due`: an fd is ready.
pub const PIRN_DUE_IO: u32 = 2u32;
/// Kind of a `pirn_due`: a bit was raised.
pub const PIRN_DUE_RAISED: u32 = 3u32;
/// Kind of a `pirn_due`: a task of the loop's own queue.
pub const PIRN_DUE_TASK: u32 = 4u32;
/// Kind of a `pirn_due`: a post from another thread, see `pirn_remote_post`.
pub const PIRN_DUE_POST: u32 = 5u32;
/// Kind of a `pirn_info`: a hook. `pirn_take` never returns this kind.
pub const PIRN_DUE_HOOK: u32 = 6u32;
/// A handle of any kind: read the member that belongs to the `kind`.
#[repr(C)]
#[derive(Clone, Copy)]
pub union pirn_handle {
    /// For `PIRN_DUE_IO`, `PIRN_DUE_RAISED` and `PIRN_DUE_HOOK`.
    pub io: pirn_io,
    /// For `PIRN_DUE_TIMER`. Already stale in a `pirn_due` of a one-shot timer.
    pub timer: pirn_timer,
    /// For `PIRN_DUE_TASK`: already stale in a `pirn_due`. For `PIRN_DUE_POST`: all zero.
    pub task: pirn_task,
}
/// A callback of any kind: read the member that belongs to the `kind`. NULL if the program passed
/// NULL.
#[repr(C)]
#[derive(Clone, Copy)]
pub union pirn_callback {
    /// For `PIRN_DUE_IO`, `PIRN_DUE_RAISED` and `PIRN_DUE_HOOK`.
    pub io: pirn_io_fn,
    /// For `PIRN_DUE_TIMER`.
    pub timer: pirn_timer_fn,
    /// For `PIRN_DUE_TASK` and `PIRN_DUE_POST`.
    pub task: pirn_task_fn,
}
/// One event returned by `pirn_take`: the arguments with which a dispatch would call the callback.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pirn_due {
    /// `PIRN_DUE_TIMER`, `_IO`, `_RAISED`, `_TASK` or `_POST`. Later versions may add kinds, but
    /// only for features that a program has to request.
    pub kind: u32,
    /// The fd of an I/O watcher, or the bit that was raised; otherwise -1.
    pub fd: i32,
    /// The handle of the watcher, timer or task.
    pub handle: pirn_handle,
    /// The readiness of an fd: `PIRN_READ` and so on. `PIRN_READ` for a raised bit; otherwise 0.
    pub ready: u32,
    /// 0.
    pub reserved: u32,
    /// The number of ticks of a periodic timer that are overdue besides this one; otherwise 0.
    pub missed: u64,
    /// The callback that the program passed.
    pub callback: pirn_callback,
    /// The user data that the program passed.
    pub user: *mut c_void,
    /// 0. Reserved for later kinds.
    pub more: [u64; 2],
}
/// A handle: names a task in the loop's own queue. All zero is never live.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pirn_task {
    /// The index of the place in the queue.
    pub slot: u32,
    /// Counts the uses of that place: a handle of an earlier use is stale.
    pub generation: u32,
}
/// The callback of a task or a post. When it is called, the place of a task in the queue is already
/// free; for the place of a post see `pirn_remote_post`.
/// Called on the loop's thread. If it leaves by an exception or longjmp: see `pirn_abandon`.
pub type pirn_task_fn = Option<
    unsafe extern "C" fn(r#loop: *mut pirn_loop, user: *mut c_void),
>;
/// A handle: names a timer. All zero is never live.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pirn_timer {
    /// The index of the slot in the loop's memory.
    pub slot: u32,
    /// Counts the uses of that slot: a handle of an earlier use is stale.
    pub generation: u32,
}
/// The callback of a timer, called when the timer is due.
///
/// The handle of a one-shot timer is already stale in its callback, and its slot is free. `missed`
/// is the number of ticks of a periodic timer that are overdue besides this one; 0 for a one-shot
/// timer. Called on the loop's thread. If it leaves by an exception or longjmp: see `pirn_abandon`.
pub type pirn_timer_fn = Option<
    unsafe extern "C" fn(
        r#loop: *mut pirn_loop,
        timer: pirn_timer,
        missed: u64,
        user: *mut c_void,
    ),
>;
/// A timeout without limit, or a deadline that is never reached.
pub const PIRN_FOREVER: u64 = u64::MAX;
/// Option of `pirn_timer_start`: `delay_ns` is not a delay but a point in time, on the clock of
/// `pirn_now`.
pub const PIRN_TIMER_ABSOLUTE: u32 = 1u32 << 0;
/// Option of `pirn_timer_start`: the delay counts from `pirn_now`, the cached time of the turn, and
/// not from a fresh reading of the clock. This is cheaper, but the timer is due earlier: by the
/// time that the callbacks of this turn have taken so far.
pub const PIRN_TIMER_CACHED: u32 = 1u32 << 1;
/// Policy of a periodic timer: the next tick is due one period after this one is called, by a fresh
/// reading of the clock.
pub const PIRN_TIMER_FIXED_DELAY: u32 = 1u32 << 2;
/// Policy of a periodic timer: one call for all ticks that are due; `missed` is their number minus
/// one. The next tick stays on the grid of the period. Without a policy the rate is fixed: the
/// callback is called once for every tick, at most once in a turn, and `missed` is the number of
/// further ticks that are already due.
pub const PIRN_TIMER_SKIP: u32 = 1u32 << 3;
unsafe extern "C" {
    /// Return which backend the loop uses.
    ///
    /// Returns `PIRN_BACKEND_SELECT`, `_POLL`, `_EPOLL` or `_HOST`, or -EINVAL: no live loop. Cost:
    /// O(1). Loop thread. Since 0.1.
    pub unsafe fn pirn_backend(r#loop: *mut pirn_loop) -> c_int;
    /// Return the name of a backend, such as "epoll".
    ///
    /// Returns a static text; "unknown" for a number that is no backend. Any thread. Since 0.1.
    pub safe fn pirn_backend_name(backend: c_int) -> *const c_char;
    /// Return which optional features the loop's backend has.
    ///
    /// Returns `PIRN_CAN_*` or-ed together; 0 if there are none, or no live loop. Cost: O(1). Loop
    /// thread. Since 0.1.
    pub unsafe fn pirn_capabilities(r#loop: *mut pirn_loop) -> u32;
    /// Return an fd that is readable whenever the loop has something to do.
    ///
    /// For embedding in another loop: watch the fd there for readability, and call `pirn_turn(loop, 0)`
    /// when it is readable. (Or call `pirn_prepare`, `pirn_wait` with 0 and `pirn_dispatch`.) The fd is
    /// readable for a ready fd, a due timer, a task and a post alike. Do not read, write or close it.
    /// It stays the same until `pirn_after_fork` or `pirn_deinit`.
    ///
    /// From the first call on, every change made outside a dispatch is passed to the kernel
    /// immediately, so that the other loop notices it. The fd is an epoll instance inside another one.
    /// The kernel allows five levels, and beyond that refuses to watch the fd with ELOOP.
    ///
    /// Returns the fd, or
    /// - -EINVAL: no live loop
    /// - -EOPNOTSUPP: only the epoll backend has such an fd (`PIRN_CAN_FD`); with other backends see
    ///   `pirn_prepare`
    /// - -ECHILD: in a forked child, before `pirn_after_fork`
    /// - -EMFILE, -ENFILE, -ENOMEM: the kernel's error
    ///
    /// Cost: one system call (getpid, to detect a fork). The first call opens two fds, which are closed
    /// on exec, and makes five system calls more. Loop thread, any callback. Since 0.1.
    pub unsafe fn pirn_fd(r#loop: *mut pirn_loop) -> c_int;
    /// Do the first part of a turn: pass changed interests to the kernel, and return how long the loop
    /// may wait.
    ///
    /// Then either call `pirn_wait` with that timeout, or wait for the fd of `pirn_fd` yourself, at
    /// most that long, and call `pirn_wait` with 0. Then call `pirn_dispatch`. A turn of `pirn_run`
    /// consists of the same three calls.
    ///
    /// @param limit_ns    the longest wait that you want; `PIRN_FOREVER`: no limit
    /// @param timeout_ns  receives nanoseconds: 0 if there is work, `PIRN_FOREVER` if nothing will ever
    ///                    be due; unchanged on error
    ///
    /// Returns 0, or
    /// - -EINVAL: no live loop; `timeout_ns` is NULL
    /// - -EBUSY: inside a callback or a run
    /// - -ECHILD: in a forked child, before `pirn_after_fork`
    ///
    /// Cost: O(changed watchers), and one system call (getpid, to detect a fork). Loop thread. Since
    /// 0.1.
    pub unsafe fn pirn_prepare(
        r#loop: *mut pirn_loop,
        limit_ns: u64,
        timeout_ns: *mut u64,
    ) -> c_int;
    /// Do the second part of a turn: wait until something is ready, at most `timeout_ns`, and fetch the
    /// events.
    ///
    /// May return early with 0. Does nothing while events of an earlier wait, or of a turn that a limit
    /// has interrupted, are left to dispatch.
    ///
    /// @param timeout_ns  the timeout from `pirn_prepare`, or less; 0: fetch without waiting
    ///
    /// Returns how many fds are ready, or
    /// - -EINVAL: no live loop
    /// - -EBUSY: inside a callback or a run
    /// - -ECHILD: in a forked child, before `pirn_after_fork`
    /// - another error of the kernel, as `pirn_run`
    ///
    /// Blocks unless `timeout_ns` is 0. Cost: two system calls, one of which is getpid, to detect a
    /// fork. One more on epoll for a timeout below a millisecond if the kernel cannot wait for
    /// nanoseconds, and one more if `pirn_fd` is in use and something was found. Loop thread. Since
    /// 0.1.
    pub unsafe fn pirn_wait(r#loop: *mut pirn_loop, timeout_ns: u64) -> c_int;
    /// Do the third part of a turn: call everything that is due.
    ///
    /// The order: due timers by their deadlines, then raised bits and I/O by priority, then the tasks
    /// that were queued when the dispatch began, then the posts from other threads. docs/TURN.md has
    /// the complete rules. `pirn_take` returns the same events in an array instead.
    ///
    /// Returns how many callbacks were called, or
    /// - -EINVAL: no live loop
    /// - -EBUSY: inside a callback or a run
    /// - -EOPNOTSUPP: the loop was made with `PIRN_TAKE`
    ///
    /// Loop thread. Since 0.1.
    pub unsafe fn pirn_dispatch(r#loop: *mut pirn_loop) -> c_int;
    /// Return a text that explains an error returned by a function of this library.
    ///
    /// @param error  the errno, negative or positive
    ///
    /// Returns a static text, never NULL. Each error named in a header of pirn has a text of its own;
    /// any other errno gives "error of the kernel". Any thread, async-signal-safe. Since 0.1.
    pub safe fn pirn_strerror(error: c_int) -> *const c_char;
    /// Return the version of the linked library: `PIRN_VERSION` of the header it was built with. Any
    /// thread. Since 0.1.
    pub safe fn pirn_version() -> u32;
    /// Change the capacities of a live loop.
    ///
    /// The loop's tables, with all watchers, timers, tasks and posts, move into `block`. All handles
    /// stay valid. The loop itself stays at the front of the block given to `pirn_init`: its address
    /// does not change, and you must keep at least that part of the block.
    ///
    /// A capacity may become smaller if everything in use fits: the `slot` in the handle of every
    /// watcher and timer must be below the new capacity, and the queued tasks and posts must fit.
    ///
    /// During this call no thread or signal handler may post to this loop, or raise, wake or stop it.
    /// They may continue when the call has returned.
    ///
    /// @param block     memory aligned as a `uint64_t`; it belongs to the loop until the next
    ///                  `pirn_grow` or `pirn_deinit`
    /// @param size      size of the block in bytes, at least `PIRN_STORAGE_SIZE(io, timers, tasks)`
    /// @param io        the new capacity for I/O watchers
    /// @param timers    the new capacity for timers
    /// @param tasks     the new capacity for tasks; that for posts is half of it, rounded up
    /// @param free      receives the address of the memory that you may use again: at the first growth
    ///                  the end of the block given to `pirn_init`, later the whole block of the
    ///                  previous growth; or NULL
    /// @param free_size receives the size of that memory in bytes; or NULL. Both are unchanged on error
    ///
    /// Returns 0, or
    /// - -EINVAL: no live loop; `block` is NULL or overlaps the present tables
    /// - -EFAULT: the block is not aligned as a `uint64_t`
    /// - -ENOBUFS: the block is too small
    /// - -EBUSY: inside a callback or a run; a turn is not finished (because a limit interrupted it, or
    ///   because `pirn_wait` found events that were not dispatched yet); another thread is posting at
    ///   this moment; or something in use does not fit
    /// - -ESHUTDOWN: the queues were closed by `pirn_task_reclaim`
    ///
    /// Nothing has changed on an error. Cost: O(what was ever used of the old block, and the new
    /// `tasks`), no system call. Loop thread. Since 0.1.
    pub unsafe fn pirn_grow(
        r#loop: *mut pirn_loop,
        block: *mut c_void,
        size: usize,
        io: u32,
        timers: u32,
        tasks: u32,
        free: *mut *mut c_void,
        free_size: *mut usize,
    ) -> c_int;
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
    pub unsafe fn pirn_hook_add(
        r#loop: *mut pirn_loop,
        when: u32,
        options: u32,
        callback: pirn_io_fn,
        user: *mut c_void,
        io: *mut pirn_io,
    ) -> c_int;
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
    pub unsafe fn pirn_io_info(
        r#loop: *mut pirn_loop,
        io: pirn_io,
        info: *mut pirn_info,
    ) -> c_int;
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
    pub unsafe fn pirn_timer_info(
        r#loop: *mut pirn_loop,
        timer: pirn_timer,
        info: *mut pirn_info,
    ) -> c_int;
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
    pub unsafe fn pirn_task_info(
        r#loop: *mut pirn_loop,
        task: pirn_task,
        info: *mut pirn_info,
    ) -> c_int;
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
    pub unsafe fn pirn_info_next(r#loop: *mut pirn_loop, info: *mut pirn_info) -> c_int;
    /// Make a loop in a block of memory.
    ///
    /// The block must stay at its address until `pirn_deinit`, and the program must not write to it.
    /// The loop uses no other memory. The block need not be zeroed: pass recycled memory as it is, with
    /// the capacities in `config`. A block that still holds a live loop is refused with -EBUSY. A block
    /// may be larger than required: the select backend then watches higher fds, up to 2^20, and the
    /// epoll backend fetches more events at once, up to 1024.
    ///
    /// @param loop   receives the loop's address; unchanged on error
    /// @param block  memory aligned as a `uint64_t`: declared with `PIRN_STORAGE`, or any other memory
    ///               with the capacities in `config`
    /// @param size   size of the block in bytes, at least `PIRN_STORAGE_SIZE` of its capacities
    /// @param config the configuration, or NULL for the defaults: backend auto, capacities as declared
    ///               with `PIRN_STORAGE`
    ///
    /// Returns 0, or
    /// - -EINVAL: `loop` or `block` is NULL; unknown backend or flag; host functions missing, or given
    ///   without `PIRN_BACKEND_HOST`; a size that ends inside a field
    /// - -EFAULT: the block is not aligned as a `uint64_t`
    /// - -ENODATA: there are no capacities: those in `config` are 0, and the block was not declared
    ///   with `PIRN_STORAGE`
    /// - -ENOBUFS: the block is too small for its capacities: see `pirn_storage_size`
    /// - -ELIBBAD: the block was declared with `PIRN_HOST_ONLY`, but this library has other backends
    ///   than the host's
    /// - -EBADMSG: the `size` field of config or host is not set
    /// - -E2BIG: config or host has fields that this library does not know and that are not zero, or
    ///   its `size` is above 256
    /// - -EBUSY: the block holds a live loop
    /// - -EOPNOTSUPP: this library was built without that backend, or none of its backends works on
    ///   this machine
    /// - -EMFILE, -ENFILE, -ENOMEM, -ENOSYS, -EPERM: the kernel's error; no fd stays open
    /// - -ERANGE: backend select, and all fds that it can watch are in use
    ///
    /// Opens one fd (select, poll) or two (epoll), which are closed on exec. Writes the places for
    /// posts, which are half as many as `tasks`, and little else: the rest of the block is written as
    /// it is used. Cost: O(tasks), three system calls. Any thread; the loop then belongs to the thread
    /// that runs it. Since 0.1.
    pub unsafe fn pirn_init(
        r#loop: *mut *mut pirn_loop,
        block: *mut c_void,
        size: usize,
        config: *const pirn_config,
    ) -> c_int;
    /// End a loop.
    ///
    /// Closes the loop's own fds and leaves those of the application open. All watchers, timers and
    /// tasks are removed, and no callback is called. If queued tasks or posts own memory, take them
    /// back with `pirn_task_reclaim` first. Afterwards the block belongs to the caller, who may pass it
    /// to `pirn_init` again.
    ///
    /// In a forked child this discards the child's copy: the parent's loop is not affected, and it does
    /// not matter what other threads of the parent were doing at the fork. For a fork inside a callback
    /// see `pirn_after_fork`.
    ///
    /// Before you call this, make sure that no thread or signal handler can still post to this loop, or
    /// raise, wake or stop it.
    ///
    /// Returns 0, or
    /// - -EINVAL: no live loop
    /// - -EBUSY: inside a callback or a run; or another thread is posting to the loop at this moment:
    ///   call again
    ///
    /// Nothing has changed on an error.
    ///
    /// Cost: O(1), up to three system calls. Loop thread. Since 0.1.
    pub unsafe fn pirn_deinit(r#loop: *mut pirn_loop) -> c_int;
    /// Make a loop usable in a forked child.
    ///
    /// A fork copies the loop's memory, but the kernel objects are shared with the parent. So in the
    /// child the functions that would use them return -ECHILD: `pirn_io_add`, `pirn_io_remove`,
    /// `pirn_fd_closing`, `pirn_fd`, `pirn_prepare`, `pirn_wait`, `pirn_turn`, `pirn_run` and
    /// `pirn_run_until`. If a callback forks, the run in the child returns -ECHILD after that turn. All
    /// other functions change only the child's copy. The child then has two choices. This function
    /// gives the copy kernel objects of its own, and keeps its watchers, timers, tasks and posts.
    /// `pirn_deinit` ends the copy. Neither affects the parent's loop.
    ///
    /// Call this in the child only, and before another thread of the child uses the copy. The library
    /// recognises a child by its process number. A child with the same number as its parent must
    /// therefore call this function or `pirn_deinit` before any other: this happens if a process with
    /// the number 1 creates a child in a new pid namespace.
    ///
    /// Returns 0, or
    /// - -EINVAL: no live loop
    /// - -EBUSY: inside a callback; or another thread was in a callback when the process forked, and
    ///   its stack has higher addresses than this one: call `pirn_abandon` first. On a stack of your
    ///   own, such as a coroutine's, the callback is not recognised: return from it before you call
    ///   this
    /// - -EUCLEAN: another thread was changing the loop when the process forked; `pirn_deinit` is the
    ///   only choice left
    /// - -EMFILE, -ENFILE, -ENOMEM: the kernel's error; you may call again
    ///
    /// A watcher whose fd the child has closed is called with `PIRN_INVALID`. If you use `pirn_fd`,
    /// call it again: the fd has changed. Cost: O(everything), and O(watchers) system calls. Loop
    /// thread. Since 0.1.
    pub unsafe fn pirn_after_fork(r#loop: *mut pirn_loop) -> c_int;
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
    pub unsafe fn pirn_io_add(
        r#loop: *mut pirn_loop,
        fd: c_int,
        interest: u32,
        callback: pirn_io_fn,
        user: *mut c_void,
        io: *mut pirn_io,
    ) -> c_int;
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
    pub unsafe fn pirn_io_modify(
        r#loop: *mut pirn_loop,
        io: pirn_io,
        interest: u32,
    ) -> c_int;
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
    pub unsafe fn pirn_io_set_callback(
        r#loop: *mut pirn_loop,
        io: pirn_io,
        callback: pirn_io_fn,
        user: *mut c_void,
    ) -> c_int;
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
    pub unsafe fn pirn_io_remove(r#loop: *mut pirn_loop, io: pirn_io) -> c_int;
    /// Make a watcher keep `pirn_run` going, which is the default.
    ///
    /// Returns 0, also if it is ref'ed already; -EINVAL: no live loop; -ENOENT: stale handle. Cost:
    /// O(1). Loop thread. Since 0.1.
    pub unsafe fn pirn_io_ref(r#loop: *mut pirn_loop, io: pirn_io) -> c_int;
    /// Let `pirn_run` return although this watcher exists.
    ///
    /// Returns 0, also if it is unref'ed already; -EINVAL: no live loop; -ENOENT: stale handle. Cost:
    /// O(1). Loop thread. Since 0.1.
    pub unsafe fn pirn_io_unref(r#loop: *mut pirn_loop, io: pirn_io) -> c_int;
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
    pub unsafe fn pirn_io_feed(r#loop: *mut pirn_loop, io: pirn_io, ready: u32) -> c_int;
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
    pub unsafe fn pirn_fd_closing(r#loop: *mut pirn_loop, fd: c_int) -> c_int;
    /// Return how many bytes a block for these capacities must have.
    ///
    /// For capacities that are known only at run time; otherwise use the constant expression
    /// `PIRN_STORAGE_SIZE(io, timers, tasks)`, which gives the same number. Returns 0 if the size does
    /// not fit into a `size_t`. Any thread. Cost: O(1). Since 0.1.
    pub safe fn pirn_storage_size(io: u32, timers: u32, tasks: u32) -> usize;
    /// Queue a callback from any thread, signal handler or interrupt.
    ///
    /// The callback is called on the loop's thread, after those accepted before it. Each accepted post
    /// is called exactly once, or returned by `pirn_task_reclaim`. If the loop sleeps, the post wakes
    /// it: a burst of posts costs two system calls, one of which is getpid, to detect a fork; posts
    /// while the loop is awake cost none. A thread that posts while another one is just waking the loop
    /// wakes it too, because the other thread may have been preempted.
    ///
    /// @param callback  called once, on the loop's thread
    /// @param user      passed to the callback, never dereferenced
    ///
    /// Returns 0, or
    /// - -EINVAL: no live loop; callback NULL (see `PIRN_TAKE`)
    /// - -EAGAIN: the queue is full; its capacity is half that for tasks, rounded up. The loop frees
    ///   the places of posts in batches of at most an eighth of the queue, so a full queue may still
    ///   be full in the callback of a post, but not after the turn
    /// - -ESHUTDOWN: the queues were closed by `pirn_task_reclaim`
    ///
    /// Async-signal-safe: it takes no lock, allocates nothing, and does not change errno. A signal
    /// handler that interrupts a call may itself call it. Lock-free. Cost: O(1), two system calls at
    /// most. Any thread. Since 0.1.
    pub unsafe fn pirn_remote_post(
        r#loop: *mut pirn_loop,
        callback: pirn_task_fn,
        user: *mut c_void,
    ) -> c_int;
    /// Add a handler for a bit: its callback is called when the bit is raised.
    ///
    /// The handler is an I/O watcher for the bit instead of an fd. It uses an I/O slot. Its callback
    /// gets the bit as `fd` and `PIRN_READ` as `ready`. `pirn_io_remove`, `pirn_io_ref` and
    /// `pirn_io_unref` work on it. If the bit was raised before the handler was added, the handler is
    /// called in the next turn.
    ///
    /// @param bit      0 to 63
    /// @param options  `PIRN_HIGH`, `PIRN_LOW`, `PIRN_UNREF`, or 0
    /// @param callback called once for any number of raises since its last call
    /// @param user     passed to the callback, never dereferenced
    /// @param io       receives the handle; may be NULL; unchanged on error
    ///
    /// Returns 0, or
    /// - -EINVAL: no live loop; callback NULL (see `PIRN_TAKE`); bit above 63; other options
    /// - -EEXIST: the bit already has a handler
    /// - -ENOSPC: all I/O slots are in use
    ///
    /// Cost: O(1), no system call. Loop thread, any callback. Since 0.1.
    pub unsafe fn pirn_raise_add(
        r#loop: *mut pirn_loop,
        bit: u32,
        options: u32,
        callback: pirn_io_fn,
        user: *mut c_void,
        io: *mut pirn_io,
    ) -> c_int;
    /// Raise a bit from any thread, signal handler or interrupt.
    ///
    /// The handler added by `pirn_raise_add` is called on the loop's thread, once for any number of
    /// raises since its last call. There is no queue that could be full, so a raise is never refused:
    /// use it in signal handlers and interrupts.
    ///
    /// @param bit  0 to 63
    ///
    /// Returns 0, or
    /// - -EINVAL: no live loop; bit above 63
    /// - -ESHUTDOWN: the queues were closed by `pirn_task_reclaim`
    ///
    /// Async-signal-safe, as `pirn_remote_post`. Cost: O(1), two system calls at most. Any thread.
    /// Since 0.1.
    pub unsafe fn pirn_raise(r#loop: *mut pirn_loop, bit: u32) -> c_int;
    /// Make the loop's wait return.
    ///
    /// Ends the current wait, or the next one if the loop is not waiting now, so that at least one turn
    /// follows the call. Several calls may cause only one turn.
    ///
    /// Returns 0, or -EINVAL: no live loop; -ESHUTDOWN: the queues were closed by `pirn_task_reclaim`.
    /// Async-signal-safe, as `pirn_remote_post`. Cost: O(1), two system calls at most. Any thread.
    /// Since 0.1.
    pub unsafe fn pirn_wake(r#loop: *mut pirn_loop) -> c_int;
    /// Make `pirn_run` return `PIRN_STOPPED`.
    ///
    /// The current turn is completed first. If the loop is not running, the next run returns before its
    /// first turn. Events that a limit has left over are handled by the run after it.
    ///
    /// Returns 0, or -EINVAL: no live loop; -ESHUTDOWN: the queues were closed by `pirn_task_reclaim`.
    /// Async-signal-safe, as `pirn_remote_post`. Cost: O(1), two system calls at most. Any thread.
    /// Since 0.1.
    pub unsafe fn pirn_stop(r#loop: *mut pirn_loop) -> c_int;
    /// Run the loop until `pirn_stop` is called or nothing keeps the loop going any more.
    ///
    /// These keep the loop going: watchers and armed timers, unless they are unref'ed; queued tasks;
    /// accepted posts and raised bits that were not called yet; and every `pirn_hold`. If a program
    /// waits only for posts from other threads, it must hold the loop, because a post that may come
    /// later does not keep it going. To find out why a run does not return, use `pirn_info_next` and
    /// `pirn_stats`; docs/MANUAL.md has a function that prints both.
    ///
    /// Returns `PIRN_DONE` or `PIRN_STOPPED`, or
    /// - -EINVAL: no live loop
    /// - -EBUSY: inside a callback of this loop, or another thread is running it
    /// - -EOPNOTSUPP: the loop was made with `PIRN_TAKE`
    /// - -ECHILD: in a forked child, before `pirn_after_fork`
    /// - another error that the kernel returned for the wait: -EBADF (the loop's own fd was closed),
    ///   -EINVAL, -ENOMEM and others; nothing is lost, and the loop can be run again
    ///
    /// Blocks. Loop thread. Since 0.1.
    pub unsafe fn pirn_run(r#loop: *mut pirn_loop) -> c_int;
    /// Run the loop as `pirn_run` does, but at most until a deadline.
    ///
    /// @param deadline_ns  a time on the clock of `pirn_now`; `PIRN_FOREVER`: no deadline. A callback
    ///                     that is running at the deadline is not interrupted.
    ///
    /// Returns `PIRN_EXPIRED` when the deadline has passed, otherwise as `pirn_run`. If the deadline is
    /// in the past, returns immediately without a turn. Blocks. Loop thread. Since 0.1.
    pub unsafe fn pirn_run_until(r#loop: *mut pirn_loop, deadline_ns: u64) -> c_int;
    /// Make one turn.
    ///
    /// Wait until something is due, but at most `timeout_ns`, then call everything that is due. The
    /// turn waits even if nothing keeps the loop going.
    ///
    /// A result of 0 does not mean that the timeout has passed. It is also returned after a signal or
    /// `pirn_wake`; after events that no watcher waits for any more; and on epoll if the wait was split
    /// in two, because the next turn waits for the rest (rule 7 of docs/TURN.md). So call this in a
    /// loop, and use `pirn_now` to find out how much time has passed.
    ///
    /// @param timeout_ns  0: do not wait; `PIRN_FOREVER`: wait without limit
    ///
    /// Returns how many callbacks were called, or an error as `pirn_run`. Blocks unless `timeout_ns` is
    /// 0. Cost besides the wait: one system call (getpid, to detect a fork). Loop thread. Since 0.1.
    pub unsafe fn pirn_turn(r#loop: *mut pirn_loop, timeout_ns: u64) -> c_int;
    /// End a run, a turn or a dispatch that a callback has left by an exception or longjmp.
    ///
    /// pirn cannot notice that a callback has left in this way. The loop still counts as running, so
    /// the functions that run it and `pirn_deinit` return -EBUSY. Call this where the exception was
    /// caught or where setjmp returned. The callback that has left counts as called. The following
    /// turns call everything else that was due, each item once; tasks that this turn had not reached
    /// belong to the next turn.
    ///
    /// In a forked child this also ends a run whose thread exists only in the parent, for the case that
    /// `pirn_after_fork` or `pirn_deinit` cannot recognise it and returns -EBUSY.
    ///
    /// Make sure that the run is really over. Never call this inside a callback: a second run could
    /// then begin while the first is in progress.
    ///
    /// Returns 0, also if the loop was not running, or -EINVAL: no live loop. Cost: O(I/O watchers),
    /// because edges are armed again. Loop thread, outside of callbacks. Since 0.1.
    pub unsafe fn pirn_abandon(r#loop: *mut pirn_loop) -> c_int;
    /// Limit how many callbacks one turn calls, or for how long.
    ///
    /// The turns after it call the items that a limit has left over, before they fetch anything new:
    /// nothing is lost, and nothing is called a second time before everything else was called once.
    ///
    /// @param callbacks  the largest number of callbacks in a turn; 0: no limit
    /// @param time_ns    no callback is started later than this in a turn; 0: no limit. With a limit
    ///                   the clock is read before and after each callback.
    ///
    /// Returns 0, or -EINVAL: no live loop. Takes effect with the next turn. Cost: O(1). Loop thread,
    /// any callback. Since 0.1.
    pub unsafe fn pirn_limit(
        r#loop: *mut pirn_loop,
        callbacks: u32,
        time_ns: u64,
    ) -> c_int;
    /// Keep `pirn_run` going, even if nothing else does, until `pirn_release`.
    ///
    /// Holds are counted: the loop needs as many releases as holds.
    ///
    /// Returns 0, or -EINVAL: no live loop; -ENOSPC: already held 2^32 - 1 times. Cost: O(1). Loop
    /// thread, any callback. Since 0.1.
    pub unsafe fn pirn_hold(r#loop: *mut pirn_loop) -> c_int;
    /// Undo one `pirn_hold`.
    ///
    /// Returns 0, or -EINVAL: no live loop, or it is not held. Cost: O(1). Loop thread, any callback.
    /// Since 0.1.
    pub unsafe fn pirn_release(r#loop: *mut pirn_loop) -> c_int;
    /// Return whether `pirn_run` would make another turn: for programs that make their turns
    /// themselves.
    ///
    /// Returns `PIRN_GOING` if a run would make another turn, `PIRN_STOPPED` if `pirn_stop` was called
    /// since the last call of this function, `PIRN_DONE` if nothing keeps the loop going, or
    /// - -EINVAL: no live loop
    /// - -EBUSY: inside a callback or a run
    ///
    /// Cost: O(1). Loop thread. Since 0.1.
    pub unsafe fn pirn_ended(r#loop: *mut pirn_loop) -> c_int;
    /// Return the statistics of a loop.
    ///
    /// @param stats  receives the statistics; the caller sets its `size`, and no more bytes are
    ///               written. New fields are only ever appended
    ///
    /// Returns 0, or -EINVAL: no live loop, `stats` NULL, or its size below 8. Cost: O(1). Loop thread,
    /// any callback. Since 0.1.
    pub unsafe fn pirn_stats(r#loop: *mut pirn_loop, stats: *mut pirn_stats) -> c_int;
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
    pub unsafe fn pirn_verify(r#loop: *mut pirn_loop) -> c_int;
    /// Do the third part of a turn, but write the due events into an array instead of calling
    /// callbacks.
    ///
    /// For language bindings whose callbacks cannot raise exceptions, for programs that make turns
    /// inside the handling of an event, and for programs that need an order of their own. A turn is
    /// then
    ///
    ///   pirn_prepare(loop, PIRN_FOREVER, &timeout);
    ///   pirn_wait(loop, timeout);
    ///   while ((count = pirn_take(loop, due, capacity)) > 0)
    ///       for (i = 0; i < count; i++)
    ///           ... handle `due[i]` ...
    ///
    /// The events are written in the order and by the rules of `pirn_dispatch`. Events that do not fit
    /// are left for the next call; until they are taken, a wait neither sleeps nor fetches new events.
    /// The turn is over when 0 is returned. Tasks and timers that a handler starts belong to the next
    /// turn, so they cannot keep the inner loop above going.
    ///
    /// If `capacity` is above 1, check for stale events: the handler of one event may remove the
    /// watcher or stop the timer of another event in the same array. The handle of that event is then
    /// stale (pirn functions return -ENOENT for it), and the memory behind `user` may already be freed.
    /// With a `capacity` of 1 the rules of a dispatch hold exactly, because an event is checked when it
    /// is written: those of watchers, timers and tasks removed before are left out. No dispatch is in
    /// progress between two calls, so a handler may make turns, end the loop, raise an exception or
    /// longjmp.
    ///
    /// @param due       receives the events
    /// @param capacity  how many events fit into `due`, at least 1
    ///
    /// Returns how many events were written, 0 when the turn is over, or
    /// - -EINVAL: no live loop; `due` is NULL; `capacity` is 0
    /// - -EBUSY: inside a callback or a run
    ///
    /// The `callbacks` of `pirn_limit` are also a limit for one call; its `time_ns` and `PIRN_MEASURE`
    /// have no effect. To notice `pirn_stop`, call `pirn_ended`. Each event counts as a callback in
    /// `pirn_stats`. Cost: as `pirn_dispatch`; if `pirn_fd` was ever called, also two system calls.
    /// Loop thread. Since 0.1.
    pub unsafe fn pirn_take(
        r#loop: *mut pirn_loop,
        due: *mut pirn_due,
        capacity: u32,
    ) -> c_int;
    /// Queue a callback for the next turn.
    ///
    /// Tasks are called in the order in which they were posted, after timers and I/O. A task that is
    /// posted inside a callback is called in the next turn.
    ///
    /// @param callback  called once
    /// @param user      passed to the callback, never dereferenced
    /// @param task      receives the handle; may be NULL; unchanged on error
    ///
    /// Returns 0, or
    /// - -EINVAL: no live loop; callback NULL (see `PIRN_TAKE`)
    /// - -EAGAIN: the queue is full
    ///
    /// Cost: O(1), no system call. Loop thread, any callback; for other threads see `pirn_remote_post`.
    /// Since 0.1.
    pub unsafe fn pirn_task_post(
        r#loop: *mut pirn_loop,
        callback: pirn_task_fn,
        user: *mut c_void,
        task: *mut pirn_task,
    ) -> c_int;
    /// Cancel a queued task.
    ///
    /// Its callback is never called. Its place in the queue becomes free when the queue reaches it, in
    /// the next turn at the latest.
    ///
    /// Returns 0, or
    /// - -EINVAL: no live loop
    /// - -ENOENT: the task has run, is running, was cancelled, or never existed
    ///
    /// Cost: O(1). Loop thread, any callback. Since 0.1.
    pub unsafe fn pirn_task_cancel(r#loop: *mut pirn_loop, task: pirn_task) -> c_int;
    /// Take one task or post that was not called yet out of the queues.
    ///
    /// Call this before `pirn_deinit` until it returns 0, so that no memory owned by a task is lost. It
    /// returns first the loop's own tasks, then the posts from other threads, each in order. The first
    /// call closes the queues: from then on `pirn_remote_post`, `pirn_raise`, `pirn_wake` and
    /// `pirn_stop` return -ESHUTDOWN.
    ///
    /// @param callback  receives the callback; unchanged unless 1 is returned
    /// @param user      receives its user data; unchanged unless 1 is returned
    ///
    /// Returns 1 if one was taken out, 0 if none is left, or
    /// - -EINVAL: no live loop; `callback` or `user` is NULL
    ///
    /// Cost: O(1); inside a callback O(number of those taken out in it before). Loop thread, any
    /// callback. Since 0.1.
    pub unsafe fn pirn_task_reclaim(
        r#loop: *mut pirn_loop,
        callback: *mut pirn_task_fn,
        user: *mut *mut c_void,
    ) -> c_int;
    /// Start a timer.
    ///
    /// A timer fires in the first dispatch after its deadline, never earlier. Timers fire in the order
    /// of their deadlines, and those with equal deadlines in the order in which they were armed. A
    /// timer started inside a callback does not fire in the same turn, even with a delay of 0.
    ///
    /// @param delay_ns   nanoseconds from now; 0: the next turn; a deadline beyond 2^64 is never
    ///                   reached
    /// @param period_ns  nanoseconds between the ticks of a periodic timer; 0: one-shot
    /// @param options    `PIRN_TIMER_ABSOLUTE`, `PIRN_TIMER_CACHED`, a policy, `PIRN_UNREF`, or 0
    /// @param callback   called when the timer is due
    /// @param user       passed to the callback, never dereferenced
    /// @param timer      receives the handle; may be NULL; unchanged on error
    ///
    /// The handle of a periodic timer is live until the timer is stopped. That of a one-shot timer is
    /// stale, and its slot free, when its callback is called.
    ///
    /// Returns 0, or
    /// - -EINVAL: no live loop; callback NULL (see `PIRN_TAKE`); unknown options; both policies; a
    ///   policy without a period
    /// - -ENOSPC: all timer slots are in use
    ///
    /// Cost: O(1). Reads the clock, unless the time is absolute or cached; that takes no system call
    /// where the kernel has a vDSO. Loop thread, any callback. Since 0.1.
    pub unsafe fn pirn_timer_start(
        r#loop: *mut pirn_loop,
        delay_ns: u64,
        period_ns: u64,
        options: u32,
        callback: pirn_timer_fn,
        user: *mut c_void,
        timer: *mut pirn_timer,
    ) -> c_int;
    /// Start a timer, or change it if it is running.
    ///
    /// If the handle `*timer` is live, that timer is armed again: its handle does not change, and no
    /// free slot is needed. Otherwise (`*timer` is all zero, or the timer has fired or was stopped) a
    /// new timer is started, and its handle is written to `*timer`. In both cases the timer is then as
    /// `pirn_timer_start` would have made it: deadline, period, policy, callback and user data are
    /// those given here, it is ref'ed unless `PIRN_UNREF` is among the options, and it has no slack. If
    /// the timer was due in this turn but was not called yet, it is not called in this turn.
    ///
    /// A periodic timer is still live in its own callback. A one-shot timer is not; its free slot is
    /// used again, unless the callback has started another timer before.
    ///
    /// @param timer      the handle, all zero if there was no timer yet; written if a timer is started;
    ///                   unchanged on error
    /// @param delay_ns   nanoseconds from now; with `PIRN_TIMER_CACHED` from `pirn_now`; with
    ///                   `PIRN_TIMER_ABSOLUTE` a point in time. 0: the next turn
    /// @param period_ns  nanoseconds between the ticks of a periodic timer; 0: one-shot
    /// @param options    `PIRN_TIMER_ABSOLUTE`, `PIRN_TIMER_CACHED`, a policy, `PIRN_UNREF`, or 0
    /// @param callback   called when the timer is due
    /// @param user       passed to the callback, never dereferenced
    ///
    /// Returns 0, or
    /// - -EINVAL: no live loop; `timer` NULL; callback NULL (see `PIRN_TAKE`); unknown options; both
    ///   policies; a policy without a period
    /// - -ENOSPC: `*timer` is not live, and all timer slots are in use
    ///
    /// To change only the deadline of a live timer, `pirn_timer_again` is cheaper. Cost: O(1). Reads
    /// the clock, unless the time is absolute or cached; that takes no system call where the kernel has
    /// a vDSO. Loop thread, any callback. Since 0.1.
    pub unsafe fn pirn_timer_set(
        r#loop: *mut pirn_loop,
        timer: *mut pirn_timer,
        delay_ns: u64,
        period_ns: u64,
        options: u32,
        callback: pirn_timer_fn,
        user: *mut c_void,
    ) -> c_int;
    /// Move a timer's deadline to `delay_ns` after the turn's time.
    ///
    /// The delay counts from `pirn_now`, the cached time of the turn: call `pirn_update` first if the
    /// loop has made no turn for a while. Made for idle timeouts, which are postponed at every message
    /// and rarely fire: a later deadline costs a few nanoseconds. An earlier deadline is allowed too. A
    /// periodic timer continues with its period from the new deadline. Among timers with equal
    /// deadlines the timer fires as one armed now.
    ///
    /// Returns 0, or
    /// - -EINVAL: no live loop
    /// - -ENOENT: stale handle; the timer may just have fired (`pirn_timer_set` would start it again)
    ///
    /// Cost: O(1), reads no clock, no system call. Loop thread, any callback. Since 0.1.
    pub unsafe fn pirn_timer_again(
        r#loop: *mut pirn_loop,
        timer: pirn_timer,
        delay_ns: u64,
    ) -> c_int;
    /// Replace the callback and the user data of a timer.
    ///
    /// The next call already uses them, even if the timer is due. Deadline and period do not change.
    ///
    /// @param callback  called from now on
    /// @param user      passed to the callback, never dereferenced
    ///
    /// Returns 0, or
    /// - -EINVAL: no live loop; callback NULL (see `PIRN_TAKE`)
    /// - -ENOENT: stale handle; the timer may just have fired
    ///
    /// Cost: O(1), no system call. Loop thread, any callback, the timer's own too. Since 0.1.
    pub unsafe fn pirn_timer_set_callback(
        r#loop: *mut pirn_loop,
        timer: pirn_timer,
        callback: pirn_timer_fn,
        user: *mut c_void,
    ) -> c_int;
    /// Stop a timer.
    ///
    /// Takes effect immediately: once this has returned, the callback is never called again, even if
    /// the timer is due. The handle is stale and the slot is free.
    ///
    /// Returns 0, or
    /// - -EINVAL: no live loop
    /// - -ENOENT: stale handle; the timer may just have fired
    ///
    /// Cost: O(1), no system call. Loop thread, any callback, the timer's own too. Since 0.1.
    pub unsafe fn pirn_timer_stop(r#loop: *mut pirn_loop, timer: pirn_timer) -> c_int;
    /// Return how much time is left until a timer is due.
    ///
    /// @param remaining_ns  receives the nanoseconds from a fresh reading of the clock to the deadline,
    ///                      slack included; 0 if the timer is due, `PIRN_FOREVER` if it never will be;
    ///                      unchanged on error
    ///
    /// Returns 0, or -EINVAL: no live loop or `remaining_ns` NULL; -ENOENT: stale handle. Cost: O(1),
    /// reads the clock. Loop thread, any callback. Since 0.1.
    pub unsafe fn pirn_timer_remaining(
        r#loop: *mut pirn_loop,
        timer: pirn_timer,
        remaining_ns: *mut u64,
    ) -> c_int;
    /// Allow a timer to be late, so that it can fire together with other timers.
    ///
    /// The deadline is rounded up to a multiple of the largest power of two (in nanoseconds) that is
    /// not above the slack. Timers with similar slacks are then due at the same moments, and the loop
    /// wakes up once for all of them. A periodic timer keeps its grid; only the calls are late.
    ///
    /// @param slack_ns  the longest permitted delay; 0, the default: none
    ///
    /// Returns 0, or -EINVAL: no live loop; -ENOENT: stale handle. Cost: O(1). Loop thread, any
    /// callback. Since 0.1.
    pub unsafe fn pirn_timer_slack(
        r#loop: *mut pirn_loop,
        timer: pirn_timer,
        slack_ns: u64,
    ) -> c_int;
    /// Make a timer keep `pirn_run` going, which is the default.
    ///
    /// Returns 0, also if it is ref'ed already; -EINVAL: no live loop; -ENOENT: stale handle. Cost:
    /// O(1). Loop thread. Since 0.1.
    pub unsafe fn pirn_timer_ref(r#loop: *mut pirn_loop, timer: pirn_timer) -> c_int;
    /// Let `pirn_run` return although this timer is armed: for housekeeping.
    ///
    /// Returns 0, also if it is unref'ed already; -EINVAL: no live loop; -ENOENT: stale handle. Cost:
    /// O(1). Loop thread. Since 0.1.
    pub unsafe fn pirn_timer_unref(r#loop: *mut pirn_loop, timer: pirn_timer) -> c_int;
    /// Return the turn's time.
    ///
    /// The clock is read once in a turn, after the wait, so all callbacks of a turn get the same time.
    /// Outside of turns the time is as old as the last turn.
    ///
    /// Returns nanoseconds on the monotonic clock, or 0 if there is no live loop. Cost: O(1). Loop
    /// thread, any callback. Since 0.1.
    pub unsafe fn pirn_now(r#loop: *mut pirn_loop) -> u64;
    /// Return the address of the turn's time: for code that reads it so often that a call is too
    /// much.
    ///
    /// While the loop has a timer, what stands there is what `pirn_now` returns: nanoseconds, a
    /// `uint64_t`. Without one it may be as old as an earlier turn. It stays there until
    /// `pirn_deinit`.
    ///
    /// Returns NULL if there is no live loop. Cost: O(1). Loop thread, also to read it. Since 0.1.
    pub unsafe fn pirn_now_address(r#loop: *mut pirn_loop) -> *const u64;
    /// Read the clock, and make the result the turn's time.
    ///
    /// Call it after long work, or before `pirn_timer_again` outside of turns.
    ///
    /// Returns the new time, or 0 if there is no live loop. Cost: O(1), no system call where the kernel
    /// has a vDSO. Loop thread, any callback. Since 0.1.
    pub unsafe fn pirn_update(r#loop: *mut pirn_loop) -> u64;
    /// Return the deadline of the timer that is due next.
    ///
    /// Returns nanoseconds on the clock of `pirn_now`, or `PIRN_FOREVER` if no timer will fire or there
    /// is no live loop. The result is exact. Cost: O(timers that are due at about the same time). Loop
    /// thread, any callback. Since 0.1.
    pub unsafe fn pirn_deadline(r#loop: *mut pirn_loop) -> u64;
}
