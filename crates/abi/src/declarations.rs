//! Generated from src/ffi by `cargo build --features header`. Do not edit.

#![expect(unsafe_code, reason = "C functions are declared here; to call one is unsafe")]

use core::ffi::{c_char, c_int, c_void};

/// Let the library choose: epoll, then poll, then select, tried in this order.
pub const PIRN_BACKEND_AUTO: u32 = 0u32;
/// `pselect6(2)`; fds up to 1024, and 16 more for each I/O watcher.
pub const PIRN_BACKEND_SELECT: u32 = 1u32;
/// `ppoll(2)`.
pub const PIRN_BACKEND_POLL: u32 = 2u32;
/// `epoll(7)`.
pub const PIRN_BACKEND_EPOLL: u32 = 3u32;
/// Clock, wait and readiness come from the functions in `pirn_config.host`.
pub const PIRN_BACKEND_HOST: u32 = 4u32;
/// Capability: `PIRN_EDGE`.
pub const PIRN_CAN_EDGE: u32 = 1u32 << 0;
/// Capability: `PIRN_EXCLUSIVE`.
pub const PIRN_CAN_EXCLUSIVE: u32 = 1u32 << 1;
/// Capability: `pirn_fd`.
pub const PIRN_CAN_FD: u32 = 1u32 << 2;
/// Capability: waits are as exact as the kernel's timers, not rounded to milliseconds.
pub const PIRN_CAN_NANOSECONDS: u32 = 1u32 << 3;
/// A flag of `pirn_config`: read the clock around every callback, for
/// `pirn_stats.longest_callback_ns`.
pub const PIRN_MEASURE: u32 = 1u32 << 0;
/// A flag of `pirn_config`: all events are taken with `pirn_take`. Callbacks may be NULL, and what
/// would call them, `pirn_run`, `pirn_run_until`, `pirn_turn` and `pirn_dispatch`, returns
/// -EOPNOTSUPP.
pub const PIRN_TAKE: u32 = 1u32 << 1;
/// A flag of `pirn_config`: never ask the kernel whether this process is a copy that fork made, for
/// programs that do not fork, or whose children call `pirn_after_fork` or `pirn_deinit` before
/// anything else with the loop. Saves a system call in `pirn_io_add`, `pirn_io_remove`, each turn,
/// and what wakes the loop. In a child that breaks the rule the loop changes and uses the parent's
/// kernel objects. If other threads of the parent may have been posting when it forked, call
/// `pirn_after_fork` first, also to end the copy then; none of them may be inside `pirn_run` or a
/// turn.
pub const PIRN_NO_FORK_CHECK: u32 = 1u32 << 2;
/// How a loop is to be made. Zero it, set `size`, and set what is to differ from the default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pirn_config {
    /// `sizeof(struct pirn_config)`. Smaller: what is missing is zero. Larger: accepted if the
    /// surplus is zero, else -E2BIG.
    pub size: u32,
    /// `PIRN_BACKEND_AUTO` (0) or one of the others.
    pub backend: u32,
    /// I/O watchers there is to be room for. All three zero: as the block says that `PIRN_STORAGE`
    /// declared.
    pub io: u32,
    /// Timers there is to be room for.
    pub timers: u32,
    /// Tasks there is to be room for; half as many posts from elsewhere, rounded up.
    pub tasks: u32,
    /// `PIRN_MEASURE`, `PIRN_TAKE`, `PIRN_NO_FORK_CHECK`, or 0.
    pub flags: u32,
    /// Where the generations of handles begin: with the same seed a loop gives out the same
    /// handles, so that a run can be repeated. Handles of two loops with the same seed are taken
    /// for each other. 0: chosen by the block's address, how often it was used, and the clock.
    pub seed: u32,
    /// 0.
    pub reserved: u32,
    /// For `PIRN_BACKEND_HOST`, else NULL.
    pub host: *const pirn_host,
}
/// The version of this header: major, minor and patch in a byte each. Within one major version what
/// was released is frozen.
pub const PIRN_VERSION: u32 = 1u32 << 8;
/// A loop. It lives at the front of the block given to `pirn_init` and is only ever handled by its
/// address.
#[repr(C)]
pub struct pirn_loop {
    _inside: [u8; 0],
}
/// When a hook is called: first thing in every dispatch.
pub const PIRN_HOOK_FIRST: u32 = 1u32;
/// When a hook is called: last thing in every dispatch, whatever a limit has left over. The place
/// to flush what callbacks have buffered, before the loop sleeps.
pub const PIRN_HOOK_LAST: u32 = 2u32;
/// When a hook is called: at the end of a dispatch in which nothing but hooks was called, before
/// those that are last. The loop does not sleep while it has such a hook.
pub const PIRN_HOOK_IDLE: u32 = 3u32;
/// A source that a host found ready.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pirn_ready {
    /// The number the source was added with.
    pub fd: i32,
    /// `PIRN_READ` and so on.
    pub ready: u32,
}
/// What the application supplies for `PIRN_BACKEND_HOST`. It is copied by `pirn_init`.
///
/// None of the functions may call pirn, except for `pirn_remote_post`, `pirn_raise`, `pirn_wake`
/// and `pirn_stop`, as an interrupt would: what is posted or raised inside `wait` is called in the
/// turn that waits. `wake` may be called inside `wait` then.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pirn_host {
    /// `sizeof(struct pirn_host)`.
    pub size: u32,
    /// What `watch` can do: `PIRN_CAN_EDGE`, `PIRN_CAN_EXCLUSIVE`, or 0. A watcher with an option
    /// that is not among them is refused.
    pub capabilities: u32,
    /// Passed to each function.
    pub user: *mut c_void,
    /// The monotonic clock in nanoseconds. Required. May stand still; must not go back.
    pub now: Option<unsafe extern "C" fn(user: *mut c_void) -> u64>,
    /// Waits at most `timeout_ns` (0: not at all, `PIRN_FOREVER`: for ever), writes up to
    /// `capacity` ready sources, each once, and returns how many, or a negative errno, which ends
    /// the run. -EINTR is an empty wait. Required.
    pub wait: Option<
        unsafe extern "C" fn(
            timeout_ns: u64,
            ready: *mut pirn_ready,
            capacity: usize,
            user: *mut c_void,
        ) -> c_int,
    >,
    /// Watch `fd` for `interest` from now on: for `PIRN_READ`, `PIRN_WRITE` and `PIRN_URGENT` as
    /// far as any watcher of the fd asks for them. 0: watch it no longer. With these bits come the
    /// options of all watchers of the fd, such as `PIRN_EDGE` and `PIRN_HIGH`, so compare single
    /// bits. A call with the same interest arms an edge again, or tells that a watcher has joined.
    /// A change of options alone makes no call. Returns 0, or a negative errno to refuse. May be
    /// NULL.
    pub watch: Option<
        unsafe extern "C" fn(fd: c_int, interest: u32, user: *mut c_void) -> c_int,
    >,
    /// Ends a wait. Called from any thread, signal handler or interrupt that posts, raises, wakes
    /// or stops. May be NULL.
    pub wake: Option<unsafe extern "C" fn(user: *mut c_void)>,
}
/// What a watcher, a timer or a task is now.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pirn_info {
    /// `sizeof(struct pirn_info)`, set by the caller: no more than that is written.
    pub size: u32,
    /// `PIRN_DUE_TIMER`, `PIRN_DUE_IO`, `PIRN_DUE_RAISED` for the handler of a raised bit,
    /// `PIRN_DUE_HOOK`, or `PIRN_DUE_TASK`.
    pub kind: u32,
    /// Its handle: the member that the kind names.
    pub handle: pirn_handle,
    /// The fd of an I/O watcher; the bit of a handler; when a hook is called; else -1.
    pub fd: i32,
    /// Of a watcher its interest now (0 of the first bits: paused) and its options, as
    /// `pirn_io_add` takes them; of a timer its policy. Each has `PIRN_UNREF` if it does not
    /// keep `pirn_run` going. 0 of a task.
    pub options: u32,
    /// When a timer is due next, on the clock of `pirn_now`, slack included; else 0.
    pub deadline_ns: u64,
    /// The period of a periodic timer; else 0.
    pub period_ns: u64,
    /// By how much a timer may be late: the largest power of two within what was given; else 0.
    pub slack_ns: u64,
    /// Its callback: the member that the kind names.
    pub callback: pirn_callback,
    /// Its user data.
    pub user: *mut c_void,
}
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
/// The first word of a block that `PIRN_STORAGE` declared.
pub const PIRN_STORAGE_MAGIC: u64 = 0x6b63_6f6c_6e72_6970;
/// `pirn_run` returned because nothing is left that keeps the loop going.
pub const PIRN_DONE: c_int = 0;
/// `pirn_run` returned because of `pirn_stop`.
pub const PIRN_STOPPED: c_int = 1;
/// `pirn_run_until` returned because its deadline has passed.
pub const PIRN_EXPIRED: c_int = 2;
/// `pirn_ended`: a run would go on.
pub const PIRN_GOING: c_int = 3;
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
/// Kind of a `pirn_due`: a timer is due.
pub const PIRN_DUE_TIMER: u32 = 1u32;
/// Kind of a `pirn_due`: an fd is ready.
pub const PIRN_DUE_IO: u32 = 2u32;
/// Kind of a `pirn_due`: a bit was raised.
pub const PIRN_DUE_RAISED: u32 = 3u32;
/// Kind of a `pirn_due`: a task of the loop's own queue.
pub const PIRN_DUE_TASK: u32 = 4u32;
/// Kind of a `pirn_due`: a post from elsewhere.
pub const PIRN_DUE_POST: u32 = 5u32;
/// Kind of a `pirn_info`: a hook. `pirn_take` hands over none.
pub const PIRN_DUE_HOOK: u32 = 6u32;
/// Whose event it is: the member that the kind names.
#[repr(C)]
#[derive(Clone, Copy)]
pub union pirn_handle {
    /// Of `PIRN_DUE_IO` and `PIRN_DUE_RAISED`.
    pub io: pirn_io,
    /// Of `PIRN_DUE_TIMER`. Stale already if the timer was a one-shot.
    pub timer: pirn_timer,
    /// Of `PIRN_DUE_TASK`, stale already; of `PIRN_DUE_POST` all zero.
    pub task: pirn_task,
}
/// The callback that was given: the member that the kind names. NULL if NULL was given.
#[repr(C)]
#[derive(Clone, Copy)]
pub union pirn_callback {
    /// Of `PIRN_DUE_IO` and `PIRN_DUE_RAISED`.
    pub io: pirn_io_fn,
    /// Of `PIRN_DUE_TIMER`.
    pub timer: pirn_timer_fn,
    /// Of `PIRN_DUE_TASK` and `PIRN_DUE_POST`.
    pub task: pirn_task_fn,
}
/// One event that `pirn_take` hands over: what a dispatch would have passed to the callback.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pirn_due {
    /// `PIRN_DUE_TIMER` and so on. Later versions may add kinds, each for events of something that
    /// the program itself asks for.
    pub kind: u32,
    /// The fd of an I/O watcher; the bit that was raised; else -1.
    pub fd: i32,
    /// Whose event it is.
    pub handle: pirn_handle,
    /// What was found at an fd: `PIRN_READ` and so on. `PIRN_READ` for a raised bit, else 0.
    pub ready: u32,
    /// 0.
    pub reserved: u32,
    /// How many ticks of a periodic timer are overdue besides this one.
    pub missed: u64,
    /// The callback that was given.
    pub callback: pirn_callback,
    /// The user data that was given.
    pub user: *mut c_void,
    /// 0: room for what later kinds need.
    pub more: [u64; 2],
}
/// Names a task in the loop's own queue. All zero is never a live one.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pirn_task {
    /// Which place of the queue.
    pub slot: u32,
    /// Which use of that place: a handle of an earlier use is stale.
    pub generation: u32,
}
/// Called for a task or a post. Its place in the queue is free again. Runs on the loop's
/// thread. If it leaves by an exception or longjmp: see `pirn_abandon`.
pub type pirn_task_fn = Option<
    unsafe extern "C" fn(r#loop: *mut pirn_loop, user: *mut c_void),
>;
/// Names a timer. All zero is never a live one.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pirn_timer {
    /// Which slot of the loop's memory.
    pub slot: u32,
    /// Which use of that slot: a handle of an earlier use is stale.
    pub generation: u32,
}
/// Called when a timer is due. `missed`: how many ticks of a periodic timer are overdue besides
/// this one; 0 for a one-shot timer, whose handle is already stale and whose slot is free
/// again. Runs on the loop's thread. If it leaves by an exception or longjmp: see
/// `pirn_abandon`.
pub type pirn_timer_fn = Option<
    unsafe extern "C" fn(
        r#loop: *mut pirn_loop,
        timer: pirn_timer,
        missed: u64,
        user: *mut c_void,
    ),
>;
/// A timeout that never comes, a deadline that is never reached.
pub const PIRN_FOREVER: u64 = u64::MAX;
/// Option of `pirn_timer_start`: `delay_ns` is a point on the loop's clock, as `pirn_now` tells it.
pub const PIRN_TIMER_ABSOLUTE: u32 = 1u32 << 0;
/// Option of `pirn_timer_start`: the delay counts from `pirn_now`, the turn's time, and not from a
/// fresh reading of the clock. Cheaper, and shorter by what the callbacks of this turn have taken.
pub const PIRN_TIMER_CACHED: u32 = 1u32 << 1;
/// Policy of a periodic timer: the next tick is one period after this one is handed over, by a
/// fresh reading of the clock.
pub const PIRN_TIMER_FIXED_DELAY: u32 = 1u32 << 2;
/// Policy of a periodic timer: one call stands for all ticks due, `missed` says how many besides
/// one; the grid is kept. Without either policy the rate is fixed: every tick is called, at most
/// one in a turn, and `missed` says how many more are due already.
pub const PIRN_TIMER_SKIP: u32 = 1u32 << 3;
unsafe extern "C" {
    /// Tell which backend runs.
    ///
    /// Returns `PIRN_BACKEND_SELECT` and so on, never `PIRN_BACKEND_AUTO`; or -EINVAL: no live loop.
    /// Cost: O(1). Loop thread. Since 0.1.
    pub unsafe fn pirn_backend(r#loop: *mut pirn_loop) -> c_int;
    /// Tell the name of a backend: "epoll" and so on; "unknown" for any other number. Static. Any
    /// thread. Since 0.1.
    pub safe fn pirn_backend_name(backend: c_int) -> *const c_char;
    /// Tell what the backend can do beyond the common ground.
    ///
    /// Returns `PIRN_CAN_*` or-ed together; 0 also if there is no live loop. Cost: O(1). Loop thread.
    /// Since 0.1.
    pub unsafe fn pirn_capabilities(r#loop: *mut pirn_loop) -> u32;
    /// Tell the fd that is readable whenever the loop has something to do.
    ///
    /// A ready fd, a due timer, a task, a post: for embedding in another loop. When it is readable call
    /// `pirn_prepare`, `pirn_wait` with 0, `pirn_dispatch`, or simply `pirn_turn` with 0. From the
    /// first call on, every change outside a dispatch is made known to the kernel at once, so that the
    /// other loop sees it. Poll it, do nothing else with it. It changes only by `pirn_after_fork`. It
    /// is an epoll that holds another one; the kernel allows five within each other, and refuses to
    /// watch it with -ELOOP beyond that.
    ///
    /// Returns the fd, or
    /// - -EINVAL: no live loop
    /// - -EOPNOTSUPP: only the epoll backend has one (`PIRN_CAN_FD`); with the others wait in
    ///   `pirn_wait`
    /// - -ECHILD: a copy made by fork
    /// - -EMFILE, -ENFILE, -ENOMEM: what the kernel said
    ///
    /// Cost: a system call, which asks for the process. The first call opens two fds, closed on exec,
    /// and makes five more. Loop thread, any callback. Since 0.1.
    pub unsafe fn pirn_fd(r#loop: *mut pirn_loop) -> c_int;
    /// First part of a turn, for those who own the wait: bring the kernel up to date and ask how long
    /// may be waited.
    ///
    /// Then wait for the fd of `pirn_fd`, or in `pirn_wait`, at most that long; then call `pirn_wait`
    /// with 0 if the wait was your own; then `pirn_dispatch`. `pirn_run` does nothing else.
    ///
    /// @param limit_ns    the longest wait that suits you; `PIRN_FOREVER`: any
    /// @param timeout_ns  where nanoseconds are written: 0 if there is work, `PIRN_FOREVER` if nothing
    ///                    is due ever; unchanged on error
    ///
    /// Returns 0, or
    /// - -EINVAL: no live loop; `timeout_ns` is NULL
    /// - -EBUSY: inside a callback or a run
    /// - -ECHILD: a copy made by fork
    ///
    /// Cost: O(changed watchers), and a system call, which asks for the process. Loop thread. Since
    /// 0.1.
    pub unsafe fn pirn_prepare(
        r#loop: *mut pirn_loop,
        limit_ns: u64,
        timeout_ns: *mut u64,
    ) -> c_int;
    /// Second part of a turn: wait until something is ready, at most `timeout_ns`, and fetch it.
    ///
    /// May return early with 0. Does nothing while an earlier wait or a limited turn has left something
    /// to dispatch.
    ///
    /// @param timeout_ns  as `pirn_prepare` said, or less; 0 fetches without waiting
    ///
    /// Returns how many fds are ready, or
    /// - -EINVAL: no live loop
    /// - -EBUSY: inside a callback or a run
    /// - -ECHILD: a copy made by fork
    /// - what the kernel said, as `pirn_run`
    ///
    /// Blocks unless 0; the only place that does. Cost: two system calls, one of which asks for the
    /// process; one more for less than a millisecond on epoll, and if `pirn_fd` is in use and something
    /// was found. Loop thread. Since 0.1.
    pub unsafe fn pirn_wait(r#loop: *mut pirn_loop, timeout_ns: u64) -> c_int;
    /// Third part of a turn: call what is due.
    ///
    /// Due timers in the order of their deadlines, then raised bits and I/O by priority, then the tasks
    /// that were queued when it began, then the posts from elsewhere. docs/TURN.md tells the whole.
    /// `pirn_take` writes the same events down instead of calling.
    ///
    /// Returns how many callbacks ran, or
    /// - -EINVAL: no live loop
    /// - -EBUSY: inside a callback or a run
    /// - -EOPNOTSUPP: the loop was made with `PIRN_TAKE`
    ///
    /// Loop thread. Since 0.1.
    pub unsafe fn pirn_dispatch(r#loop: *mut pirn_loop) -> c_int;
    /// Explain an error that a function of this library returned.
    ///
    /// @param error  negative or positive
    ///
    /// Returns a static text, never NULL. Every error that a header of pirn names has one of its
    /// own; any other errno is "error of the kernel". Any thread, async-signal-safe. Since 0.1.
    pub safe fn pirn_strerror(error: c_int) -> *const c_char;
    /// Tell the version of the library that is linked: `PIRN_VERSION` of its own header. Any thread.
    /// Since 0.1.
    pub safe fn pirn_version() -> u32;
    /// Give a live loop more room, or less.
    ///
    /// The tables of the loop move into `block`, with all watchers, timers, tasks and posts; every
    /// handle stays what it is. The loop itself stays where it is, at the front of the block given to
    /// `pirn_init`, so its address does not change, and that block must stay too.
    ///
    /// Fewer are possible if everything in use fits: every watcher and timer has a slot below the new
    /// number (`slot` of its handle), and there are no more tasks and posts queued than there is room
    /// for.
    ///
    /// Whoever might post, raise, wake or stop from another thread or a signal handler must be known to
    /// have finished, and may go on when this has returned.
    ///
    /// @param block     memory aligned as a `uint64_t`; the loop's until it grows again or ends
    /// @param size      bytes of the block, at least `PIRN_STORAGE_SIZE(io, timers, tasks)`
    /// @param io        I/O watchers there is to be room for
    /// @param timers    timers there is to be room for
    /// @param tasks     tasks there is to be room for; half as many posts, rounded up
    /// @param free      where the address is written of the memory that is yours again: the end of the
    ///                  block given to `pirn_init`, or the whole block of the last growth; or NULL
    /// @param free_size where the bytes of that memory are written, or NULL; both are unchanged on
    ///                  error
    ///
    /// Returns 0, or
    /// - -EINVAL: no live loop; `block` is NULL or is where the tables are
    /// - -EFAULT: the block is not aligned as a `uint64_t`
    /// - -ENOBUFS: the block is too small
    /// - -EBUSY: inside a callback or a run; a turn is not finished (a limit has cut it short, or
    ///   `pirn_wait` has found something that was not dispatched yet); another thread is just posting;
    ///   or something in use does not fit
    /// - -ESHUTDOWN: the queues were closed by `pirn_task_reclaim`
    ///
    /// Nothing has changed on an error. Cost: O(size of both blocks), no system call. Loop thread.
    /// Since 0.1.
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
    pub unsafe fn pirn_hook_add(
        r#loop: *mut pirn_loop,
        when: u32,
        options: u32,
        callback: pirn_io_fn,
        user: *mut c_void,
        io: *mut pirn_io,
    ) -> c_int;
    /// Return what an I/O watcher, the handler of a raised bit or a hook is now.
    ///
    /// @param info  its `size` set by the caller; or NULL, to ask no more than whether the handle
    ///              is live; unchanged on error
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
    /// Return what a timer is now.
    ///
    /// @param info  its `size` set by the caller; or NULL, to ask no more than whether the handle
    ///              is live; unchanged on error
    ///
    /// Returns 0, or
    /// - -EINVAL: no live loop; the `size` of `info` is not set, or below 16
    /// - -ENOENT: stale handle
    ///
    /// Changes nothing, and reads no clock. Cost: O(1). Loop thread, any callback. Since 0.1.
    pub unsafe fn pirn_timer_info(
        r#loop: *mut pirn_loop,
        timer: pirn_timer,
        info: *mut pirn_info,
    ) -> c_int;
    /// Return what a queued task is.
    ///
    /// @param info  its `size` set by the caller; or NULL, to ask no more than whether the handle
    ///              is live; unchanged on error
    ///
    /// Returns 0, or
    /// - -EINVAL: no live loop; the `size` of `info` is not set, or below 16
    /// - -ENOENT: it has run, is running, was cancelled, or never was
    ///
    /// Changes nothing. Cost: O(1). Loop thread, any callback. Since 0.1.
    pub unsafe fn pirn_task_info(
        r#loop: *mut pirn_loop,
        task: pirn_task,
        info: *mut pirn_info,
    ) -> c_int;
    /// Walk over everything that is alive: timers, watchers, handlers of raised bits, hooks, and queued
    /// tasks in their order.
    ///
    ///   struct pirn_info info = { sizeof info };              all else zero: from the beginning
    ///
    ///   while (pirn_info_next(loop, &info) == 1)
    ///       ... look at info ...
    ///
    /// The loop may change between two calls: what lives all the while is come by once, and what
    /// `info` names need not live any more. Posts from elsewhere have no handle and are left out;
    /// `pirn_stats` counts them.
    ///
    /// @param info  in: kind 0 for the first, or what the call before this one wrote; out: the one
    ///              behind it. Its `size` is set by the caller. Unchanged unless 1 is returned.
    ///
    /// Returns 1 if there is one, 0 at the end, or
    /// - -EINVAL: no live loop; `info` is NULL, its `size` not set or below 16, its kind unknown
    ///
    /// Cost: O(free slots that are passed by). Loop thread, any callback. Since 0.1.
    pub unsafe fn pirn_info_next(r#loop: *mut pirn_loop, info: *mut pirn_info) -> c_int;
    /// Make a loop in a block of memory.
    ///
    /// The block must stay where it is, untouched by others, until `pirn_deinit`. Nothing else is ever
    /// allocated. What the memory held before makes no difference: recycled memory may be passed as it
    /// is, with the capacities in `config`. Only a loop that was not ended there is answered with
    /// -EBUSY. A block larger than it must be is welcome: the select backend then watches higher fds,
    /// up to 2^20, the epoll backend fetches more events at once, up to 1024.
    ///
    /// @param loop   where the loop's address is written; unchanged on error
    /// @param block  memory aligned as a `uint64_t`; declared by `PIRN_STORAGE`, or any other with the
    ///               capacities in `config`
    /// @param size   bytes of the block, at least `PIRN_STORAGE_SIZE` of its capacities
    /// @param config how, or NULL for the default: backend auto, capacities as the block says
    ///
    /// Returns 0, or
    /// - -EINVAL: `loop` or `block` is NULL; unknown backend or flag; host functions missing, or given
    ///   without `PIRN_BACKEND_HOST`; a size that ends inside a field
    /// - -EFAULT: the block is not aligned as a `uint64_t`
    /// - -ENODATA: no capacities: the block was not declared by `PIRN_STORAGE`, and those in `config`
    ///   are 0
    /// - -ENOBUFS: the block is too small for its capacities: see `pirn_storage_size`
    /// - -ELIBBAD: the block was declared with `PIRN_HOST_ONLY`, and this library has more than the
    ///   host backend
    /// - -EBADMSG: the `size` of config or host is not set
    /// - -E2BIG: config or host is longer than this library knows, and the surplus is not zero; or its
    ///   `size`
    ///   is above 256
    /// - -EBUSY: the block holds a live loop
    /// - -EOPNOTSUPP: this library was built without that backend, or without any that works here
    /// - -EMFILE, -ENFILE, -ENOMEM, -ENOSYS, -EPERM: what the kernel said; no fd stays open
    /// - -ERANGE: backend select, and the fds below its bound are all in use
    ///
    /// Opens one fd (select, poll) or two (epoll), closed on exec. Cost: O(size of the block), three
    /// system calls. Any thread; the loop then belongs to the one that runs it. Since 0.1.
    pub unsafe fn pirn_init(
        r#loop: *mut *mut pirn_loop,
        block: *mut c_void,
        size: usize,
        config: *const pirn_config,
    ) -> c_int;
    /// End a loop.
    ///
    /// Its own fds are closed; the application's are left as they are. Watchers, timers and tasks are
    /// gone without being called: take accepted posts back with `pirn_task_reclaim` before. The block
    /// is the caller's again and can be given to `pirn_init` anew. In a process made by fork this
    /// discards the copy without touching the parent's loop, and without regard to what threads of the
    /// parent were in the middle of; for callbacks see `pirn_after_fork`.
    ///
    /// Whoever might post, raise, wake or stop from another thread or a signal handler must be known to
    /// have finished.
    ///
    /// Returns 0, or
    /// - -EINVAL: no live loop
    /// - -EBUSY: inside a callback or a run; or another thread is just posting to the loop: call again
    ///
    /// Nothing has changed on an error.
    ///
    /// Cost: O(1), up to three system calls. Loop thread. Since 0.1.
    pub unsafe fn pirn_deinit(r#loop: *mut pirn_loop) -> c_int;
    /// Take over a copy of a loop that fork made.
    ///
    /// In a child process the functions that would reach the kernel return -ECHILD: `pirn_io_add`,
    /// `pirn_io_remove`, `pirn_fd_closing`, `pirn_fd`, `pirn_prepare`, `pirn_wait`, `pirn_turn`,
    /// `pirn_run` and `pirn_run_until`; a run whose callback forked returns it after that turn. The
    /// others change the copy alone. Then either this function makes the copy a loop of its own, with
    /// fresh kernel objects and all watchers, timers, tasks and posts it had, or `pirn_deinit` ends it.
    /// The parent's loop is not touched by either.
    ///
    /// Call it in the child only, before another thread there uses the copy. A child is not recognised
    /// by itself, and must call this function or `pirn_deinit` first, if it has the same process number
    /// as its parent: that is so for a child in a new pid namespace whose parent has the number 1 as
    /// well.
    ///
    /// Returns 0, or
    /// - -EINVAL: no live loop
    /// - -EBUSY: inside a callback; or another thread was in a callback when the process forked, and
    ///   its stack is above this one's: call `pirn_abandon` first. On a stack of your own, as of a
    ///   coroutine, return from the callback first: there it is not recognised
    /// - -EUCLEAN: another thread was changing the loop when the process forked; only `pirn_deinit` is
    ///   left
    /// - -EMFILE, -ENFILE, -ENOMEM: what the kernel said; call again
    ///
    /// A watcher whose fd the child has closed is told `PIRN_INVALID`. `pirn_fd` must be asked for
    /// again. Cost: O(everything), and O(watchers) system calls. Loop thread. Since 0.1.
    pub unsafe fn pirn_after_fork(r#loop: *mut pirn_loop) -> c_int;
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
    pub unsafe fn pirn_io_modify(
        r#loop: *mut pirn_loop,
        io: pirn_io,
        interest: u32,
    ) -> c_int;
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
    pub unsafe fn pirn_io_set_callback(
        r#loop: *mut pirn_loop,
        io: pirn_io,
        callback: pirn_io_fn,
        user: *mut c_void,
    ) -> c_int;
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
    pub unsafe fn pirn_io_remove(r#loop: *mut pirn_loop, io: pirn_io) -> c_int;
    /// Let a watcher keep `pirn_run` going, which is the default.
    ///
    /// Returns 0, also if it already does; -EINVAL: no live loop; -ENOENT: stale handle. Cost: O(1).
    /// Loop thread. Since 0.1.
    pub unsafe fn pirn_io_ref(r#loop: *mut pirn_loop, io: pirn_io) -> c_int;
    /// Let `pirn_run` end although this watcher is there.
    ///
    /// Returns 0, also if it was so; -EINVAL: no live loop; -ENOENT: stale handle. Cost: O(1). Loop
    /// thread. Since 0.1.
    pub unsafe fn pirn_io_unref(r#loop: *mut pirn_loop, io: pirn_io) -> c_int;
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
    pub unsafe fn pirn_io_feed(r#loop: *mut pirn_loop, io: pirn_io, ready: u32) -> c_int;
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
    pub unsafe fn pirn_fd_closing(r#loop: *mut pirn_loop, fd: c_int) -> c_int;
    /// Say how many bytes a block for these capacities must have.
    ///
    /// The same number as the constant expression `PIRN_STORAGE_SIZE(io, timers, tasks)`, for
    /// capacities known at run time only. Returns 0 if it does not fit into a `size_t`. Any thread.
    /// Cost: O(1). Since 0.1.
    pub safe fn pirn_storage_size(io: u32, timers: u32, tasks: u32) -> usize;
    /// Queue a callback from anywhere: any thread, any signal handler.
    ///
    /// It runs on the loop's thread, after those accepted before it. The loop is woken if it sleeps: a
    /// burst of posts costs two system calls, one of which asks for the process, and posts while the
    /// loop is awake cost none. A thread that posts while another is in the middle of waking the loop
    /// makes the call too, as the other may have been preempted. What was accepted runs exactly once,
    /// or is handed back by `pirn_task_reclaim`.
    ///
    /// @param callback  called once, on the loop's thread
    /// @param user      passed to the callback, never looked at
    ///
    /// Returns 0, or
    /// - -EINVAL: no live loop; callback NULL (see `PIRN_TAKE`)
    /// - -EAGAIN: there is no room; the room is half the tasks, rounded up
    /// - -ESHUTDOWN: the queues are closed
    ///
    /// Async-signal-safe: it takes no lock, allocates nothing, and does not touch errno; a handler that
    /// interrupts it may call it again. Lock-free. Cost: O(1), two system calls at most. Any thread.
    /// Since 0.1.
    pub unsafe fn pirn_remote_post(
        r#loop: *mut pirn_loop,
        callback: pirn_task_fn,
        user: *mut c_void,
    ) -> c_int;
    /// Have a callback run when a bit is raised.
    ///
    /// The handler is an I/O watcher whose source is the bit: it takes an I/O slot, its callback gets
    /// the bit as `fd` and `PIRN_READ` as `ready`, and `pirn_io_remove`, `pirn_io_ref` and
    /// `pirn_io_unref` work on it. A bit raised before it had a handler is delivered when it gets one.
    ///
    /// @param bit      0 to 63
    /// @param options  `PIRN_HIGH`, `PIRN_LOW`, `PIRN_UNREF`, or 0
    /// @param callback called once for any number of raises since it was last called
    /// @param user     passed to the callback, never looked at
    /// @param io       where the handle is written, or NULL; unchanged on error
    ///
    /// Returns 0, or
    /// - -EINVAL: no live loop; callback NULL (see `PIRN_TAKE`); bit above 63; other options
    /// - -EEXIST: the bit has a handler
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
    /// Raise a bit from anywhere: any thread, any signal handler.
    ///
    /// What a signal handler or an interrupt wants: it cannot be full, and raising a raised bit is one
    /// call. The callback that `pirn_raise_add` gave it runs once on the loop's thread.
    ///
    /// @param bit  0 to 63
    ///
    /// Returns 0, or
    /// - -EINVAL: no live loop; bit above 63
    /// - -ESHUTDOWN: the queues are closed
    ///
    /// Async-signal-safe, as `pirn_remote_post`. Cost: O(1), two system calls at most. Any thread.
    /// Since 0.1.
    pub unsafe fn pirn_raise(r#loop: *mut pirn_loop, bit: u32) -> c_int;
    /// Make the loop's wait return.
    ///
    /// The current wait, or the next one if the loop is not waiting now: at least one turn follows the
    /// call. Several calls may make one turn.
    ///
    /// Returns 0, or -EINVAL: no live loop; -ESHUTDOWN: the queues are closed. Async-signal-safe, as
    /// `pirn_remote_post`. Cost: O(1), two system calls at most. Any thread. Since 0.1.
    pub unsafe fn pirn_wake(r#loop: *mut pirn_loop) -> c_int;
    /// End the run.
    ///
    /// The turn under way is finished, then `pirn_run` returns `PIRN_STOPPED`. Said while no run is
    /// under way, it ends the next one before its first turn. What a limited turn left over is served
    /// by the next run.
    ///
    /// Returns 0, or -EINVAL: no live loop; -ESHUTDOWN: the queues are closed. Async-signal-safe, as
    /// `pirn_remote_post`. Cost: O(1), two system calls at most. Any thread. Since 0.1.
    pub unsafe fn pirn_stop(r#loop: *mut pirn_loop) -> c_int;
    /// Run the loop until it is stopped or nothing keeps it going.
    ///
    /// What keeps it going: watchers and armed timers that are not unref'ed, queued tasks,
    /// accepted posts and raised bits, and every `pirn_hold`. A post that may come does not: hold
    /// the loop if it is to wait for posts alone. To find out what does, walk with
    /// `pirn_info_next` and look at `pirn_stats`: docs/MANUAL.md has a function that prints it.
    ///
    /// Returns `PIRN_DONE` or `PIRN_STOPPED`, or
    /// - -EINVAL: no live loop
    /// - -EBUSY: inside a callback of this loop, or another thread runs it
    /// - -EOPNOTSUPP: the loop was made with `PIRN_TAKE`
    /// - -ECHILD: a copy made by fork
    /// - what the kernel said to the wait, if it is lasting: -EBADF (the loop's own fd was closed),
    ///   -EINVAL, -ENOMEM, ...; nothing is lost, and the loop can be run again
    ///
    /// Blocks. Loop thread. Since 0.1.
    pub unsafe fn pirn_run(r#loop: *mut pirn_loop) -> c_int;
    /// Run the loop as `pirn_run` does, but not beyond a point in time.
    ///
    /// @param deadline_ns  on the clock of `pirn_now`; `PIRN_FOREVER`: as `pirn_run`. A callback that
    /// is under way is not interrupted.
    ///
    /// Returns `PIRN_EXPIRED` when the deadline has passed, else as `pirn_run`. In the past: at once,
    /// without a turn. Blocks. Loop thread. Since 0.1.
    pub unsafe fn pirn_run_until(r#loop: *mut pirn_loop, deadline_ns: u64) -> c_int;
    /// Make one turn.
    ///
    /// Waits until something is due, at most `timeout_ns`, and calls it. Waits even if nothing keeps
    /// the loop going.
    ///
    /// May return 0 before the time is over: after a signal or `pirn_wake`; after events that no
    /// watcher wants any more; and on epoll after the whole milliseconds of a wait, as the rest is
    /// waited for in the next turn. So call it in a loop, and look at `pirn_now` for the time that has
    /// passed.
    ///
    /// @param timeout_ns  0 polls; `PIRN_FOREVER` waits for ever
    ///
    /// Returns how many callbacks ran, or an error as `pirn_run`. Blocks unless 0. Cost beside the
    /// wait: one system call, which asks for the process. Loop thread. Since 0.1.
    pub unsafe fn pirn_turn(r#loop: *mut pirn_loop, timeout_ns: u64) -> c_int;
    /// End a run, a turn or a dispatch that a callback has left by an exception or by longjmp.
    ///
    /// pirn cannot see that a callback leaves so: the loop counts as running, and all that enters
    /// it, and `pirn_deinit`, returns -EBUSY. Call this where the exception was caught or where
    /// setjmp returned. The callback that left counts as called. What else was due is called by the
    /// turns that follow, each once; tasks that this turn had not reached belong to the next one.
    ///
    /// In a copy made by fork it ends the run of a thread that is not in this process, where
    /// `pirn_after_fork` and `pirn_deinit` cannot tell.
    ///
    /// The caller makes sure that the run is over. Inside a callback this function must not be
    /// called: it would let a second run in while the first is under way.
    ///
    /// Returns 0, also if nothing was left so, or -EINVAL: no live loop. Cost: O(I/O watchers), for
    /// edges are armed again. Loop thread, outside of callbacks. Since 0.1.
    pub unsafe fn pirn_abandon(r#loop: *mut pirn_loop) -> c_int;
    /// Limit what one turn may do.
    ///
    /// What is left over when a limit is reached is served by the next turns, before anything new is
    /// fetched: nothing is lost and nothing is served twice before all else was served once.
    ///
    /// @param callbacks  how many callbacks a turn may run; 0: any number
    /// @param time_ns    for how long it may start callbacks; 0: any time. The clock is then read
    /// around each.
    ///
    /// Returns 0, or -EINVAL: no live loop. Takes effect with the next turn. Cost: O(1). Loop thread,
    /// any callback. Since 0.1.
    pub unsafe fn pirn_limit(
        r#loop: *mut pirn_loop,
        callbacks: u32,
        time_ns: u64,
    ) -> c_int;
    /// Keep `pirn_run` going although nothing else may do so, until `pirn_release`. Counts.
    ///
    /// Returns 0, or -EINVAL: no live loop; -ENOSPC: held 2^32 - 1 times. Cost: O(1). Loop thread, any
    /// callback. Since 0.1.
    pub unsafe fn pirn_hold(r#loop: *mut pirn_loop) -> c_int;
    /// Undo one `pirn_hold`.
    ///
    /// Returns 0, or -EINVAL: no live loop, or it is not held. Cost: O(1). Loop thread, any callback.
    /// Since 0.1.
    pub unsafe fn pirn_release(r#loop: *mut pirn_loop) -> c_int;
    /// Ask what `pirn_run` asks before each turn: for programs that make their turns themselves.
    ///
    /// Returns `PIRN_GOING` if a run would make another turn, `PIRN_STOPPED` if `pirn_stop` was called
    /// since it was last asked, `PIRN_DONE` if nothing keeps the loop going, or
    /// - -EINVAL: no live loop
    /// - -EBUSY: inside a callback or a run
    ///
    /// Cost: O(1). Loop thread. Since 0.1.
    pub unsafe fn pirn_ended(r#loop: *mut pirn_loop) -> c_int;
    /// Tell what the loop has counted.
    ///
    /// @param stats  its `size` set by the caller; as much is written as that says and this library
    ///               has. Fields are only ever appended.
    ///
    /// Returns 0, or -EINVAL: no live loop, `stats` NULL, or its size below 8. Cost: O(1). Loop thread,
    /// any callback. Since 0.1.
    pub unsafe fn pirn_stats(r#loop: *mut pirn_loop, stats: *mut pirn_stats) -> c_int;
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
    pub unsafe fn pirn_verify(r#loop: *mut pirn_loop) -> c_int;
    /// Third part of a turn for programs that handle events themselves: write down what is due instead
    /// of calling it.
    ///
    /// For language bindings whose callbacks cannot raise, for servers that handle events inside a
    /// handler, and for an order of your own. A turn is then
    ///
    ///   pirn_prepare(loop, PIRN_FOREVER, &timeout);
    ///   pirn_wait(loop, timeout);
    ///   while ((count = pirn_take(loop, due, capacity)) > 0)
    ///       for (i = 0; i < count; i++)
    ///           ... handle `due[i]` ...
    ///
    /// What is due is written in the order and by the rules of `pirn_dispatch`. What does not fit is
    /// left for the next call, and until it is taken a wait neither sleeps nor fetches. A turn is over
    /// when 0 is returned: only the call after that begins another one, so what a handler posts or
    /// starts cannot keep the loop above going.
    ///
    /// Each event is checked when it is written: what was removed, stopped or cancelled before is left
    /// out. With room for one event the rules of a dispatch hold exactly. With room for more, the
    /// handler of one event may remove the watcher or stop the timer of another that was written
    /// together with it. That one is stale then: pirn functions return -ENOENT for its handle, and what
    /// `user` points to may be gone. Outside of this call no dispatch is in progress, so a handler may
    /// make turns, end the loop, raise an exception or longjmp.
    ///
    /// @param due       where the events are written
    /// @param capacity  how many there is room for, at least 1
    ///
    /// Returns how many events were written, 0 when the turn is over, or
    /// - -EINVAL: no live loop; `due` is NULL; `capacity` is 0
    /// - -EBUSY: inside a callback or a run
    ///
    /// The callbacks of `pirn_limit` bound what one call returns; its time does not apply, nor does
    /// `PIRN_MEASURE`. `pirn_stop` is seen by `pirn_ended`. Each event counts as a callback in
    /// `pirn_stats`. Cost: as `pirn_dispatch`; once `pirn_fd` was called, two system calls. Loop
    /// thread. Since 0.1.
    pub unsafe fn pirn_take(
        r#loop: *mut pirn_loop,
        due: *mut pirn_due,
        capacity: u32,
    ) -> c_int;
    /// Queue a callback for the next turn.
    ///
    /// Tasks run in the order they were posted, after timers and I/O. What a task posts runs in the
    /// turn after.
    ///
    /// @param callback  called once
    /// @param user      passed to the callback, never looked at
    /// @param task      where the handle is written, or NULL; unchanged on error
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
    /// Take a queued task back.
    ///
    /// It will not run. Its place in the queue is free when the queue reaches it, in the next turn at
    /// the latest.
    ///
    /// Returns 0, or
    /// - -EINVAL: no live loop
    /// - -ENOENT: it has run, is running, was cancelled, or never was
    ///
    /// Cost: O(1). Loop thread, any callback. Since 0.1.
    pub unsafe fn pirn_task_cancel(r#loop: *mut pirn_loop, task: pirn_task) -> c_int;
    /// Hand back one accepted post that has not run.
    ///
    /// Before `pirn_deinit`, so that nothing accepted is lost: call it until it returns 0. First come
    /// the loop's own tasks, then those posted from elsewhere, each in order. The first call closes the
    /// queues: `pirn_remote_post`, `pirn_raise`, `pirn_wake` and `pirn_stop` are answered with
    /// -ESHUTDOWN from then on.
    ///
    /// @param callback  where the callback is written; unchanged unless 1 is returned
    /// @param user      where its user data is written; unchanged unless 1 is returned
    ///
    /// Returns 1 if one was handed back, 0 if there are none left, or
    /// - -EINVAL: no live loop; `callback` or `user` is NULL
    ///
    /// Cost: O(1); inside a callback O(n) in those handed back there before. Loop thread, any callback.
    /// Since 0.1.
    pub unsafe fn pirn_task_reclaim(
        r#loop: *mut pirn_loop,
        callback: *mut pirn_task_fn,
        user: *mut *mut c_void,
    ) -> c_int;
    /// Start a timer.
    ///
    /// It fires at the first dispatch after its deadline, never before; timers fire in the order of
    /// their deadlines, equal ones in the order they were armed. Started inside a callback it does not
    /// fire in the same turn, not even with a delay of 0.
    ///
    /// @param delay_ns   nanoseconds from now; 0 is the next turn; what goes beyond 2^64 is for ever
    /// @param period_ns  nanoseconds between the ticks of a periodic timer; 0: one-shot
    /// @param options    `PIRN_TIMER_ABSOLUTE`, `PIRN_TIMER_CACHED`, a policy, `PIRN_UNREF`, or 0
    /// @param callback   called when it is due
    /// @param user       passed to the callback, never looked at
    /// @param timer      where the handle is written, or NULL; unchanged on error
    ///
    /// The handle of a one-shot timer is stale, and its slot free, when its callback runs; that of a
    /// periodic one lives until it is stopped.
    ///
    /// Returns 0, or
    /// - -EINVAL: no live loop; callback NULL (see `PIRN_TAKE`); unknown options; both policies; a
    ///   policy without a period
    /// - -ENOSPC: all timer slots are in use
    ///
    /// Cost: O(1); reads the clock, unless absolute or cached; no system call where the kernel has a
    /// vDSO. Loop thread, any callback. Since 0.1.
    pub unsafe fn pirn_timer_start(
        r#loop: *mut pirn_loop,
        delay_ns: u64,
        period_ns: u64,
        options: u32,
        callback: pirn_timer_fn,
        user: *mut c_void,
        timer: *mut pirn_timer,
    ) -> c_int;
    /// Set a timer, whatever state it is in.
    ///
    /// If `*timer` is live it is armed again in place: it keeps its handle and needs no free slot.
    /// Otherwise (all zero, fired, stopped) a timer is started, and `*timer` becomes its handle. Either
    /// way it is then as `pirn_timer_start` would have made it: deadline, period, policy, callback and
    /// user data are those given here, it is ref'ed unless `PIRN_UNREF` is among the options, and it
    /// has no slack. A timer that was due in this turn and not called yet is not called in it.
    ///
    /// In its own callback a periodic timer is live. The slot of a one-shot timer is free by then, and
    /// is used again, unless the callback has started other timers before.
    ///
    /// @param timer      the handle, all zero if there was no timer yet; written if one is started, and
    ///                   unchanged on error
    /// @param delay_ns   nanoseconds from a fresh reading of the clock; with `PIRN_TIMER_CACHED` from
    ///                   `pirn_now`, the turn's time, with `PIRN_TIMER_ABSOLUTE` from the clock's zero.
    ///                   0 is the next turn
    /// @param period_ns  nanoseconds between the ticks of a periodic timer; 0: one-shot
    /// @param options    `PIRN_TIMER_ABSOLUTE`, `PIRN_TIMER_CACHED`, a policy, `PIRN_UNREF`, or 0
    /// @param callback   called when it is due
    /// @param user       passed to the callback, never looked at
    ///
    /// Returns 0, or
    /// - -EINVAL: no live loop; `timer` NULL; callback NULL (see `PIRN_TAKE`); unknown options; both
    ///   policies; a policy without a period
    /// - -ENOSPC: `*timer` is not live, and all timer slots are in use
    ///
    /// Cost: O(1); reads the clock, unless absolute or cached; no system call where the kernel has a
    /// vDSO. To push the deadline of a live timer alone, `pirn_timer_again` is cheaper. Loop thread,
    /// any callback. Since 0.1.
    pub unsafe fn pirn_timer_set(
        r#loop: *mut pirn_loop,
        timer: *mut pirn_timer,
        delay_ns: u64,
        period_ns: u64,
        options: u32,
        callback: pirn_timer_fn,
        user: *mut c_void,
    ) -> c_int;
    /// Push a timer's deadline: `delay_ns` after the turn's time.
    ///
    /// Made for idle timeouts, which are pushed at every message and hardly ever fire: a later deadline
    /// costs a few nanoseconds. An earlier one works too. A periodic timer goes on with its period from
    /// there. Counts as armed now among equal deadlines. The delay counts from `pirn_now`: call
    /// `pirn_update` before if the loop has not turned for a while.
    ///
    /// Returns 0, or
    /// - -EINVAL: no live loop
    /// - -ENOENT: stale handle, the timer may just have fired (`pirn_timer_set` starts it again then)
    ///
    /// Cost: O(1), no clock, no system call. Loop thread, any callback. Since 0.1.
    pub unsafe fn pirn_timer_again(
        r#loop: *mut pirn_loop,
        timer: pirn_timer,
        delay_ns: u64,
    ) -> c_int;
    /// Give a timer another callback and user data.
    ///
    /// The next call is made with them, also if the timer is due already. Its deadline and its
    /// period stay.
    ///
    /// @param callback  called from now on
    /// @param user      passed to the callback, never looked at
    ///
    /// Returns 0, or
    /// - -EINVAL: no live loop; callback NULL (see `PIRN_TAKE`)
    /// - -ENOENT: stale handle, the timer may just have fired
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
    /// When this returns its callback will not run again; the handle is stale and the slot free.
    ///
    /// Returns 0, or
    /// - -EINVAL: no live loop
    /// - -ENOENT: stale handle, the timer may just have fired
    ///
    /// Cost: O(1), no system call. Loop thread, any callback, the timer's own too. Since 0.1.
    pub unsafe fn pirn_timer_stop(r#loop: *mut pirn_loop, timer: pirn_timer) -> c_int;
    /// Tell how long a timer still has.
    ///
    /// @param remaining_ns  where nanoseconds from a fresh clock reading to the deadline, slack
    ///                      included, are written: 0 if it is due, `PIRN_FOREVER` if it never is;
    ///                      unchanged on error
    ///
    /// Returns 0, or -EINVAL: no live loop or `remaining_ns` NULL; -ENOENT: stale handle. Cost: O(1),
    /// reads the clock. Loop thread, any callback. Since 0.1.
    pub unsafe fn pirn_timer_remaining(
        r#loop: *mut pirn_loop,
        timer: pirn_timer,
        remaining_ns: *mut u64,
    ) -> c_int;
    /// Allow a timer to be late, so that it can fire together with others.
    ///
    /// The deadline is rounded up to a multiple of the largest power of two of nanoseconds within the
    /// slack. Timers with like slacks so meet at the same points and one wake-up serves them all. A
    /// periodic timer keeps its grid; only the calls are late.
    ///
    /// @param slack_ns  by how much it may be late at most; 0 is exact, the default
    ///
    /// Returns 0, or -EINVAL: no live loop; -ENOENT: stale handle. Cost: O(1). Loop thread, any
    /// callback. Since 0.1.
    pub unsafe fn pirn_timer_slack(
        r#loop: *mut pirn_loop,
        timer: pirn_timer,
        slack_ns: u64,
    ) -> c_int;
    /// Let a timer keep `pirn_run` going, which is the default.
    ///
    /// Returns 0, also if it already does; -EINVAL: no live loop; -ENOENT: stale handle. Cost: O(1).
    /// Loop thread. Since 0.1.
    pub unsafe fn pirn_timer_ref(r#loop: *mut pirn_loop, timer: pirn_timer) -> c_int;
    /// Let `pirn_run` end although this timer is armed: for housekeeping.
    ///
    /// Returns 0, also if it was so; -EINVAL: no live loop; -ENOENT: stale handle. Cost: O(1). Loop
    /// thread. Since 0.1.
    pub unsafe fn pirn_timer_unref(r#loop: *mut pirn_loop, timer: pirn_timer) -> c_int;
    /// Tell the turn's time.
    ///
    /// Read once in a turn, after the wait, and the same for all callbacks of the turn. Outside of
    /// turns it is as old as the last one.
    ///
    /// Returns nanoseconds on the monotonic clock, or 0 if there is no live loop. Cost: O(1). Loop
    /// thread, any callback. Since 0.1.
    pub unsafe fn pirn_now(r#loop: *mut pirn_loop) -> u64;
    /// Read the clock into the turn's time: after long work, or before `pirn_timer_again` outside of
    /// turns.
    ///
    /// Returns it, or 0 if there is no live loop. Cost: O(1), no system call where the kernel has a
    /// vDSO. Loop thread, any callback. Since 0.1.
    pub unsafe fn pirn_update(r#loop: *mut pirn_loop) -> u64;
    /// Tell the deadline of the timer that is due next.
    ///
    /// Returns nanoseconds on the clock of `pirn_now`, or `PIRN_FOREVER` if no timer will fire, or
    /// there is no live loop. Exact. Cost: O(timers that are due about the same time). Loop thread, any
    /// callback. Since 0.1.
    pub unsafe fn pirn_deadline(r#loop: *mut pirn_loop) -> u64;
}
