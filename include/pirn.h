/*
 * pirn: an event loop in memory that you provide.
 *
 * Generated from src/ffi by `cargo build --features header`. Do not edit.
 *
 *
 * IN ONE PAGE
 *
 * A loop waits for file descriptors, timers, tasks and other threads, and calls your functions. It
 * lives in one block of memory that you own. pirn never allocates memory, never aborts, and makes
 * its own system calls. A first program, which reads its standard input until the end:
 *
 *     PIRN_STORAGE(block, 64, 16, 32);                      64 I/O watchers, 16 timers, 32 tasks
 *
 *     static void on_input(struct pirn_loop *loop, struct pirn_io io, int fd, uint32_t ready,
 *                          void *user)
 *     {
 *         char line[256];
 *         if (read(fd, line, sizeof line) <= 0)
 *             pirn_io_remove(loop, io);                     nothing is left: pirn_run returns
 *     }
 *
 *     int main(void)
 *     {
 *         struct pirn_loop *loop;
 *         if (pirn_init(&loop, block, sizeof block, NULL) < 0 ||
 *             pirn_io_add(loop, 0, PIRN_READ, on_input, NULL, NULL) < 0)
 *             return 1;
 *         pirn_run(loop);
 *         return pirn_deinit(loop);
 *     }
 *
 *
 * CONTENTS
 *
 * Errors and versions                      pirn_strerror
 * Memory                                   how large a block must be, how to declare one
 * Backends                                 epoll, poll, select, or functions of your own
 * Making and ending a loop                 the configuration, growing, fork
 * Running                                  pirn_run, one turn, stopping; draining at shutdown
 * I/O watchers                             readiness; write queue with back-pressure, half-close
 * Timers and the time                      one-shot and periodic; idle timeouts
 * Tasks                                    callbacks for the next turn
 * From other threads and signal handlers   posts and raised bits
 * Hooks                                    callbacks in every turn
 * Events as data                           an array of events instead of callbacks
 * Embedding in another loop                pirn as one fd of a GUI's or a server's loop
 * Hosts                                    microcontrollers, simulation: your own clock and wait
 * Looking into a loop                      what keeps it going, statistics, self-check
 * Handles as integers                      for maps and other languages
 *
 *
 * CONVENTIONS
 *
 * Results     An int is 0 or a count on success, and a negative errno on failure. After a failure
 *             nothing has changed, and no output was written. pirn_strerror explains an error. The
 *             variable errno is not changed where pirn makes its own system calls: on x86_64,
 *             i686, aarch64, arm and riscv64. On other machines pirn calls the C library, which
 *             changes errno.
 * Handles     struct pirn_io, pirn_timer and pirn_task are small values; copy and keep them. A
 *             handle becomes stale when its watcher, timer or task is removed. A call with a stale
 *             handle returns -ENOENT, until its slot has been reused 2^31 times. A handle that is
 *             all zero is never live.
 * Arguments   The order is: loop, handles, inputs, callback, user data, outputs. An output may be
 *             NULL only where its description says so.
 * Time        Unsigned 64-bit nanoseconds on the monotonic clock. A timeout of 0 does not wait;
 *             PIRN_FOREVER waits without limit.
 * Callbacks   Are called on the loop's thread, inside pirn_run, pirn_run_until, pirn_turn or
 *             pirn_dispatch, and inside no other function. A callback may call every function
 *             except these: pirn_run, pirn_run_until, pirn_turn, pirn_prepare, pirn_wait,
 *             pirn_dispatch, pirn_take, pirn_ended, pirn_grow, pirn_deinit and pirn_after_fork
 *             return -EBUSY inside a callback of the same loop. pirn_abandon must not be called
 *             there: it ends a run that a callback has left by an exception or longjmp.
 * Threads     A loop belongs to one thread. Other threads, signal handlers and interrupts may call
 *             only pirn_remote_post, pirn_raise, pirn_wake and pirn_stop. Functions without a loop
 *             argument may be called from any thread. A loop may move to another thread while no
 *             thread is inside it. A library built with the profile `checked`, for development,
 *             returns -EPERM to a thread that uses a loop while another thread is inside it.
 * Capacity    A full loop is not an error of the program. A call returns -ENOSPC if all slots are
 *             in use, -EAGAIN if a queue is full, and -EDQUOT at the kernel's limit of fds that
 *             one user may watch. Everything accepted before is kept.
 * Removal     Takes effect immediately: once pirn_io_remove, pirn_timer_stop or pirn_task_cancel
 *             has returned, the callback is never called again, even for an event already fetched.
 * Live loop   "No live loop" among the errors means that `loop` is NULL, or that its block was
 *             moved or its loop ended. The block must still be readable.
 * NULL        A NULL callback or a NULL output that is required gives -EINVAL. In a loop made with
 *             PIRN_TAKE a callback may be NULL.
 * Fork        In the child, functions that would reach the kernel return -ECHILD until the child
 *             has called pirn_after_fork, or pirn_deinit to discard its copy.
 * Structs     Some begin with their own size: set it to sizeof. New fields are only ever appended.
 * Constants   A bit that this library does not know gives -EINVAL.
 *
 * docs/TURN.md defines what happens in a turn, in which order, and how often.
 *
 *
 * WHAT MAY BE FREED, AND WHEN
 *
 * pirn stores each `user` pointer and passes it to the callback. It never dereferences the pointer.
 *
 * Watcher     Free its user data once pirn_io_remove has returned: in any callback, even in the
 *             watcher's own. Other watchers of the same fd keep theirs.
 * Timer       Free its user data once pirn_timer_stop has returned: in any callback, even in the
 *             timer's own. A one-shot timer no longer exists when its callback is called: free its
 *             user data in that callback.
 * Task, post  Free its user data in its callback, or, for a task, once pirn_task_cancel has
 *             returned 0.
 * Loop        pirn_deinit calls no callback. If queued tasks or posts own memory, take them back
 *             with pirn_task_reclaim first. After pirn_deinit free all user data and the block.
 *
 * Before you close an fd, remove its watchers, or call pirn_fd_closing(loop, fd), which removes all
 * of them. If the fd was closed first, its watchers are called with PIRN_INVALID or, on epoll,
 * possibly not called at all. You must still remove them; pirn_io_remove then works as usual.
 *
 *
 * A DAEMON
 *
 * The first SIGINT or SIGTERM ends this program after the work in progress, the second one ends it
 * at once, and SIGHUP makes it read its settings again. The signal watchers have the option
 * PIRN_UNREF: they do not keep the loop going. So once the program has stopped accepting work,
 * pirn_run returns when the work in progress is done. Signals come from pirn/os.h, a layer in the
 * same library, which also has child processes, the time of day and changed files.
 *
 *     static const int numbers[] = { SIGHUP, SIGINT, SIGTERM };
 *     static struct pirn_signal signals[3];
 *     static struct pirn_io work;
 *     static int is_ending;
 *
 *     static void on_signal(struct pirn_loop *loop, struct pirn_signal *signal,
 *                           const struct pirn_signal_info *info, void *user)
 *     {
 *         if (info->signo == SIGHUP)
 *             read_settings();
 *         else if (is_ending++)
 *             pirn_stop(loop);                              the second signal: end at once
 *         else
 *             pirn_io_remove(loop, work);                   the first: accept no new work
 *     }
 *
 *     int main(void)
 *     {
 *         struct pirn_loop *loop;
 *         if (pirn_init(&loop, block, sizeof block, NULL) < 0 ||
 *             pirn_io_add(loop, listener, PIRN_READ, on_work, NULL, &work) < 0)
 *             return 1;
 *         for (int at = 0; at < 3; at++)
 *             if (pirn_signal_add(loop, &signals[at], numbers[at],
 *                                 PIRN_SIGNAL_BLOCK | PIRN_UNREF, on_signal, NULL) < 0)
 *                 return 1;
 *         pirn_run(loop);
 *         for (int at = 0; at < 3; at++)
 *             pirn_signal_remove(&signals[at]);
 *         return pirn_deinit(loop);
 *     }
 *
 * A program with threads must block these signals before it creates the first thread: see
 * pirn/os.h.
 */
#ifndef PIRN_H
#define PIRN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pirn_loop;
struct pirn_io;
struct pirn_timer;
struct pirn_task;
struct pirn_host;

/* ============================ Errors and versions ============================ */

/**
 * The version of this header, one byte each: `major << 16 | minor << 8 | patch`. Within one major
 * version, released functions, types and constants do not change.
 */
#define PIRN_VERSION (1u << 8)

/**
 * Return a text that explains an error returned by a function of this library.
 *
 * @param error  the errno, negative or positive
 *
 * Returns a static text, never NULL. Each error named in a header of pirn has a text of its own;
 * any other errno gives "error of the kernel". Any thread, async-signal-safe. Since 0.1.
 */
const char *pirn_strerror(int error);

/**
 * Return the version of the linked library: `PIRN_VERSION` of the header it was built with. Any
 * thread. Since 0.1.
 */
uint32_t pirn_version(void);

/* ============================ Memory ============================
 *
 * A loop lives in one block. Its capacities (how many I/O watchers, timers and tasks it can hold)
 * stand where you declare the block:
 *
 *     PIRN_STORAGE(block, 64, 16, 32);          file scope, static or on the stack
 *     pirn_init(&loop, block, sizeof block, NULL);
 *
 * If you know the capacities only at run time, use any memory that is aligned as a uint64_t:
 *
 *     struct pirn_config config = { .size = sizeof config, .io = n, .timers = n, .tasks = 64 };
 *     size_t size = pirn_storage_size(config.io, config.timers, config.tasks);
 *     pirn_init(&loop, malloc(size), size, &config);
 *
 * A block has 3584 bytes, plus 64 for each I/O watcher, 56 for each timer and 24 for each task (on
 * 32-bit machines 56, 48 and 12).
 */

/*
 * The fixed part of a block in bytes, without watchers, timers and tasks. Define PIRN_HOST_ONLY if
 * the library was built with the host backend only: the fixed part is then smaller, below 1 KiB on
 * a 32-bit machine.
 */
#ifdef PIRN_HOST_ONLY
#define PIRN_STORAGE_BASE (size_t)(sizeof(void *) == 8 ? 1584 : 1080)
#else
#define PIRN_STORAGE_BASE (size_t)3584
#endif

/*
 * The size in bytes of a block for `io` I/O watchers, `timers` timers and `tasks` tasks, as a
 * constant expression. If you declare such a block without PIRN_STORAGE, align it as a uint64_t and
 * pass the capacities to pirn_init in struct pirn_config.
 */
#define PIRN_STORAGE_SIZE(io, timers, tasks) \
    ((PIRN_STORAGE_BASE + \
      (size_t)(io) * (48 + 2 * sizeof(void *)) + \
      (size_t)(timers) * (40 + 2 * sizeof(void *)) + \
      (size_t)(tasks) * (3 * sizeof(void *)) + 7) / 8 * 8)

/* The first word of a block declared with PIRN_STORAGE. */
#define PIRN_STORAGE_MAGIC UINT64_C(0x6b636f6c6e726970)

/*
 * Declare `name`, a block that contains its capacities: at file scope, after `static`, or on the
 * stack. The capacities are stored in its first words, so a block at file scope is initialised
 * data: the executable, or the flash of a microcontroller, grows by the size of the block. To avoid
 * that use PIRN_ZERO_STORAGE.
 */
#define PIRN_STORAGE(name, io, timers, tasks) \
    uint64_t name[PIRN_STORAGE_SIZE(io, timers, tasks) / 8] = { \
        PIRN_STORAGE_MAGIC, (uint64_t)(io) | (uint64_t)(timers) << 32, (uint64_t)(tasks) }

/*
 * Declare `name`, a block that does not enlarge the executable: it has no initialiser, and is zero
 * at file scope. The capacities are part of its type; PIRN_CONFIG passes them to pirn_init:
 *
 *     static PIRN_ZERO_STORAGE(block, 1024, 1024, 64);
 *
 *     struct pirn_config config = PIRN_CONFIG(block);
 *     rc = pirn_init(&loop, block, sizeof block, &config);
 *
 * It can be declared wherever PIRN_STORAGE can, and also as a member of a struct.
 */
#define PIRN_ZERO_STORAGE(name, io, timers, tasks) \
    union name##_storage { \
        uint64_t words[PIRN_STORAGE_SIZE(io, timers, tasks) / 8]; \
        char (*io_)[(size_t)(io) + 1]; \
        char (*timers_)[(size_t)(timers) + 1]; \
        char (*tasks_)[(size_t)(tasks) + 1]; \
    } name[1]

/*
 * Initialise a struct pirn_config with the capacities of a block declared with PIRN_ZERO_STORAGE.
 * All other fields get their defaults.
 */
#define PIRN_CONFIG(name) { \
        (uint32_t)sizeof(struct pirn_config), PIRN_BACKEND_AUTO, \
        (uint32_t)(sizeof *(name)->io_ - 1), (uint32_t)(sizeof *(name)->timers_ - 1), \
        (uint32_t)(sizeof *(name)->tasks_ - 1), 0, 0, 0, NULL }

/**
 * Return how many bytes a block for these capacities must have.
 *
 * For capacities that are known only at run time; otherwise use the constant expression
 * `PIRN_STORAGE_SIZE(io, timers, tasks)`, which gives the same number. Returns 0 if the size does
 * not fit into a `size_t`. Any thread. Cost: O(1). Since 0.1.
 */
size_t pirn_storage_size(uint32_t io, uint32_t timers, uint32_t tasks);

/* ============================ Backends ============================
 *
 * A backend is the system call with which the loop waits. A program behaves the same on all
 * backends; docs/TURN.md lists the few differences.
 */

/**
 * The library chooses: it tries epoll, then poll, then select.
 */
#define PIRN_BACKEND_AUTO 0u

/**
 * `pselect6(2)`. Watches fds below 1024, and 16 more for each I/O watcher of the capacity.
 */
#define PIRN_BACKEND_SELECT 1u

/**
 * `ppoll(2)`.
 */
#define PIRN_BACKEND_POLL 2u

/**
 * `epoll(7)`.
 */
#define PIRN_BACKEND_EPOLL 3u

/**
 * The application's own functions in `pirn_config.host` provide the clock, the wait and the
 * readiness.
 */
#define PIRN_BACKEND_HOST 4u

/**
 * Capability: watchers may have the option `PIRN_EDGE`.
 */
#define PIRN_CAN_EDGE (1u << 0)

/**
 * Capability: watchers may have the option `PIRN_EXCLUSIVE`.
 */
#define PIRN_CAN_EXCLUSIVE (1u << 1)

/**
 * Capability: the loop has an fd for another loop to watch, see `pirn_fd`.
 */
#define PIRN_CAN_FD (1u << 2)

/**
 * Capability: a wait ends as exactly as the kernel's timers allow, and is not rounded to
 * milliseconds.
 */
#define PIRN_CAN_NANOSECONDS (1u << 3)

/**
 * Return which backend the loop uses.
 *
 * Returns `PIRN_BACKEND_SELECT`, `_POLL`, `_EPOLL` or `_HOST`, or -EINVAL: no live loop. Cost:
 * O(1). Loop thread. Since 0.1.
 */
int pirn_backend(struct pirn_loop *loop);

/**
 * Return the name of a backend, such as "epoll".
 *
 * Returns a static text; "unknown" for a number that is no backend. Any thread. Since 0.1.
 */
const char *pirn_backend_name(int backend);

/**
 * Return which optional features the loop's backend has.
 *
 * Returns `PIRN_CAN_*` or-ed together; 0 if there are none, or no live loop. Cost: O(1). Loop
 * thread. Since 0.1.
 */
uint32_t pirn_capabilities(struct pirn_loop *loop);

/* ============================ Making and ending a loop ============================ */

/**
 * A flag of `pirn_config`: read the clock before and after every callback, for
 * `pirn_stats.longest_callback_ns`.
 */
#define PIRN_MEASURE (1u << 0)

/**
 * A flag of `pirn_config`: the program gets all events from `pirn_take`. Callbacks may be NULL.
 * The functions that would call them (`pirn_run`, `pirn_run_until`, `pirn_turn` and
 * `pirn_dispatch`) return -EOPNOTSUPP.
 */
#define PIRN_TAKE (1u << 1)

/**
 * A flag of `pirn_config`: do not check whether this process is a forked child. For programs that
 * do not fork, or whose children call `pirn_after_fork` or `pirn_deinit` before any other function
 * of the loop. Saves a system call in `pirn_io_add`, in `pirn_io_remove`, in each turn, and
 * whenever another thread wakes the loop.
 *
 * If a child breaks that rule, it uses and changes the kernel objects of its parent. No other
 * thread of the parent may be inside `pirn_run` or a turn at the moment of the fork. If other
 * threads may have been posting at that moment, the child must call `pirn_after_fork` first, even
 * if it then calls `pirn_deinit`.
 */
#define PIRN_NO_FORK_CHECK (1u << 2)

/**
 * The configuration of a new loop. Zero the struct, set `size`, and set the fields that are to
 * differ from their defaults.
 */
struct pirn_config {
  /**
   * `sizeof(struct pirn_config)`. If it is smaller than the library's own struct, the missing
   * fields are zero. If it is larger, the surplus bytes must be zero, else -E2BIG.
   */
  uint32_t size;
  /**
   * `PIRN_BACKEND_AUTO` (0, the default) or another `PIRN_BACKEND_*`.
   */
  uint32_t backend;
  /**
   * The capacity for I/O watchers. If all three capacities are 0, those of the block are used;
   * it must then have been declared with `PIRN_STORAGE`.
   */
  uint32_t io;
  /**
   * The capacity for timers.
   */
  uint32_t timers;
  /**
   * The capacity for tasks. That for posts from other threads is half of it, rounded up.
   */
  uint32_t tasks;
  /**
   * `PIRN_MEASURE`, `PIRN_TAKE`, `PIRN_NO_FORK_CHECK`, or 0.
   */
  uint32_t flags;
  /**
   * The first generation of the handles. With the same seed a loop returns the same handles, so
   * that a run can be repeated. But two loops with the same seed cannot tell their handles
   * apart. 0, the default: the library derives a seed from the block's address, how often the
   * block was used, and the clock.
   */
  uint32_t seed;
  /**
   * Must be 0.
   */
  uint32_t reserved;
  /**
   * The application's functions for `PIRN_BACKEND_HOST`; NULL for all other backends.
   */
  const struct pirn_host *host;
};

/**
 * Make a loop in a block of memory.
 *
 * The block must stay at its address until `pirn_deinit`, and the program must not write to it.
 * The loop uses no other memory. The block need not be zeroed: pass recycled memory as it is, with
 * the capacities in `config`. A block that still holds a live loop is refused with -EBUSY. A block
 * may be larger than required: the select backend then watches higher fds, up to 2^20, and the
 * epoll backend fetches more events at once, up to 1024.
 *
 * @param loop   receives the loop's address; unchanged on error
 * @param block  memory aligned as a `uint64_t`: declared with `PIRN_STORAGE`, or any other memory
 *               with the capacities in `config`
 * @param size   size of the block in bytes, at least `PIRN_STORAGE_SIZE` of its capacities
 * @param config the configuration, or NULL for the defaults: backend auto, capacities as declared
 *               with `PIRN_STORAGE`
 *
 * Returns 0, or
 * - -EINVAL: `loop` or `block` is NULL; unknown backend or flag; host functions missing, or given
 *   without `PIRN_BACKEND_HOST`; a size that ends inside a field
 * - -EFAULT: the block is not aligned as a `uint64_t`
 * - -ENODATA: there are no capacities: those in `config` are 0, and the block was not declared
 *   with `PIRN_STORAGE`
 * - -ENOBUFS: the block is too small for its capacities: see `pirn_storage_size`
 * - -ELIBBAD: the block was declared with `PIRN_HOST_ONLY`, but this library has other backends
 *   than the host's
 * - -EBADMSG: the `size` field of config or host is not set
 * - -E2BIG: config or host has fields that this library does not know and that are not zero, or
 *   its `size` is above 256
 * - -EBUSY: the block holds a live loop
 * - -EOPNOTSUPP: this library was built without that backend, or none of its backends works on
 *   this machine
 * - -EMFILE, -ENFILE, -ENOMEM, -ENOSYS, -EPERM: the kernel's error; no fd stays open
 * - -ERANGE: backend select, and all fds that it can watch are in use
 *
 * Opens one fd (select, poll) or two (epoll), which are closed on exec. Writes the places for
 * posts, which are half as many as `tasks`, and little else: the rest of the block is written as
 * it is used. Cost: O(tasks), three system calls. Any thread; the loop then belongs to the thread
 * that runs it. Since 0.1.
 */
int pirn_init(struct pirn_loop **loop, void *block, size_t size, const struct pirn_config *config);

/**
 * End a loop.
 *
 * Closes the loop's own fds and leaves those of the application open. All watchers, timers and
 * tasks are removed, and no callback is called. If queued tasks or posts own memory, take them
 * back with `pirn_task_reclaim` first. Afterwards the block belongs to the caller, who may pass it
 * to `pirn_init` again.
 *
 * In a forked child this discards the child's copy: the parent's loop is not affected, and it does
 * not matter what other threads of the parent were doing at the fork. For a fork inside a callback
 * see `pirn_after_fork`.
 *
 * Before you call this, make sure that no thread or signal handler can still post to this loop, or
 * raise, wake or stop it.
 *
 * Returns 0, or
 * - -EINVAL: no live loop
 * - -EBUSY: inside a callback or a run; or another thread is posting to the loop at this moment:
 *   call again
 *
 * Nothing has changed on an error.
 *
 * Cost: O(1), up to three system calls. Loop thread. Since 0.1.
 */
int pirn_deinit(struct pirn_loop *loop);

/**
 * Make a loop usable in a forked child.
 *
 * A fork copies the loop's memory, but the kernel objects are shared with the parent. So in the
 * child the functions that would use them return -ECHILD: `pirn_io_add`, `pirn_io_remove`,
 * `pirn_fd_closing`, `pirn_fd`, `pirn_prepare`, `pirn_wait`, `pirn_turn`, `pirn_run` and
 * `pirn_run_until`. If a callback forks, the run in the child returns -ECHILD after that turn. All
 * other functions change only the child's copy. The child then has two choices. This function
 * gives the copy kernel objects of its own, and keeps its watchers, timers, tasks and posts.
 * `pirn_deinit` ends the copy. Neither affects the parent's loop.
 *
 * Call this in the child only, and before another thread of the child uses the copy. The library
 * recognises a child by its process number. A child with the same number as its parent must
 * therefore call this function or `pirn_deinit` before any other: this happens if a process with
 * the number 1 creates a child in a new pid namespace.
 *
 * Returns 0, or
 * - -EINVAL: no live loop
 * - -EBUSY: inside a callback; or another thread was in a callback when the process forked, and
 *   its stack has higher addresses than this one: call `pirn_abandon` first. On a stack of your
 *   own, such as a coroutine's, the callback is not recognised: return from it before you call
 *   this
 * - -EUCLEAN: another thread was changing the loop when the process forked; `pirn_deinit` is the
 *   only choice left
 * - -EMFILE, -ENFILE, -ENOMEM: the kernel's error; you may call again
 *
 * A watcher whose fd the child has closed is called with `PIRN_INVALID`. If you use `pirn_fd`,
 * call it again: the fd has changed. Cost: O(everything), and O(watchers) system calls. Loop
 * thread. Since 0.1.
 */
int pirn_after_fork(struct pirn_loop *loop);

/**
 * Change the capacities of a live loop.
 *
 * The loop's tables, with all watchers, timers, tasks and posts, move into `block`. All handles
 * stay valid. The loop itself stays at the front of the block given to `pirn_init`: its address
 * does not change, and you must keep at least that part of the block.
 *
 * A capacity may become smaller if everything in use fits: the `slot` in the handle of every
 * watcher and timer must be below the new capacity, and the queued tasks and posts must fit.
 *
 * During this call no thread or signal handler may post to this loop, or raise, wake or stop it.
 * They may continue when the call has returned.
 *
 * @param block     memory aligned as a `uint64_t`; it belongs to the loop until the next
 *                  `pirn_grow` or `pirn_deinit`
 * @param size      size of the block in bytes, at least `PIRN_STORAGE_SIZE(io, timers, tasks)`
 * @param io        the new capacity for I/O watchers
 * @param timers    the new capacity for timers
 * @param tasks     the new capacity for tasks; that for posts is half of it, rounded up
 * @param free      receives the address of the memory that you may use again: at the first growth
 *                  the end of the block given to `pirn_init`, later the whole block of the
 *                  previous growth; or NULL
 * @param free_size receives the size of that memory in bytes; or NULL. Both are unchanged on error
 *
 * Returns 0, or
 * - -EINVAL: no live loop; `block` is NULL or overlaps the present tables
 * - -EFAULT: the block is not aligned as a `uint64_t`
 * - -ENOBUFS: the block is too small
 * - -EBUSY: inside a callback or a run; a turn is not finished (because a limit interrupted it, or
 *   because `pirn_wait` found events that were not dispatched yet); another thread is posting at
 *   this moment; or something in use does not fit
 * - -ESHUTDOWN: the queues were closed by `pirn_task_reclaim`
 *
 * Nothing has changed on an error. Cost: O(what was ever used of the old block, and the new
 * `tasks`), no system call. Loop thread. Since 0.1.
 */
int pirn_grow(struct pirn_loop *loop,
              void *block,
              size_t size,
              uint32_t io,
              uint32_t timers,
              uint32_t tasks,
              void **free,
              size_t *free_size);

/* ============================ Running ============================
 *
 * pirn_run returns when nothing keeps the loop going any more, so most programs end by removing the
 * watchers and timers they have added. pirn_stop makes pirn_run return in any case, after the
 * current turn.
 *
 * Draining at shutdown. Stop accepting connections, remove each client's watcher once the client is
 * served, and set a time limit for all of them:
 *
 *     static void on_shutdown(struct pirn_loop *loop)
 *     {
 *         pirn_io_remove(loop, listener);                   no new clients
 *         pirn_timer_start(loop, 10 * SECOND, 0, PIRN_UNREF, give_up, NULL, NULL);
 *     }                                                     pirn_run returns after the last client
 *
 *     static void give_up(struct pirn_loop *loop, struct pirn_timer timer, uint64_t missed,
 *                         void *user)
 *     {
 *         pirn_stop(loop);
 *     }
 */

/**
 * `pirn_run` returned because nothing keeps the loop going any more.
 */
#define PIRN_DONE 0

/**
 * `pirn_run` returned because of `pirn_stop`.
 */
#define PIRN_STOPPED 1

/**
 * `pirn_run_until` returned because its deadline has passed.
 */
#define PIRN_EXPIRED 2

/**
 * `pirn_ended`: a run would make another turn.
 */
#define PIRN_GOING 3

/**
 * Run the loop until `pirn_stop` is called or nothing keeps the loop going any more.
 *
 * These keep the loop going: watchers and armed timers, unless they are unref'ed; queued tasks;
 * accepted posts and raised bits that were not called yet; and every `pirn_hold`. If a program
 * waits only for posts from other threads, it must hold the loop, because a post that may come
 * later does not keep it going. To find out why a run does not return, use `pirn_info_next` and
 * `pirn_stats`; docs/MANUAL.md has a function that prints both.
 *
 * Returns `PIRN_DONE` or `PIRN_STOPPED`, or
 * - -EINVAL: no live loop
 * - -EBUSY: inside a callback of this loop, or another thread is running it
 * - -EOPNOTSUPP: the loop was made with `PIRN_TAKE`
 * - -ECHILD: in a forked child, before `pirn_after_fork`
 * - another error that the kernel returned for the wait: -EBADF (the loop's own fd was closed),
 *   -EINVAL, -ENOMEM and others; nothing is lost, and the loop can be run again
 *
 * Blocks. Loop thread. Since 0.1.
 */
int pirn_run(struct pirn_loop *loop);

/**
 * Run the loop as `pirn_run` does, but at most until a deadline.
 *
 * @param deadline_ns  a time on the clock of `pirn_now`; `PIRN_FOREVER`: no deadline. A callback
 *                     that is running at the deadline is not interrupted.
 *
 * Returns `PIRN_EXPIRED` when the deadline has passed, otherwise as `pirn_run`. If the deadline is
 * in the past, returns immediately without a turn. Blocks. Loop thread. Since 0.1.
 */
int pirn_run_until(struct pirn_loop *loop, uint64_t deadline_ns);

/**
 * Make one turn.
 *
 * Wait until something is due, but at most `timeout_ns`, then call everything that is due. The
 * turn waits even if nothing keeps the loop going.
 *
 * A result of 0 does not mean that the timeout has passed. It is also returned after a signal or
 * `pirn_wake`; after events that no watcher waits for any more; and on epoll if the wait was split
 * in two, because the next turn waits for the rest (rule 7 of docs/TURN.md). So call this in a
 * loop, and use `pirn_now` to find out how much time has passed.
 *
 * @param timeout_ns  0: do not wait; `PIRN_FOREVER`: wait without limit
 *
 * Returns how many callbacks were called, or an error as `pirn_run`. Blocks unless `timeout_ns` is
 * 0. Cost besides the wait: one system call (getpid, to detect a fork). Loop thread. Since 0.1.
 */
int pirn_turn(struct pirn_loop *loop, uint64_t timeout_ns);

/**
 * End a run, a turn or a dispatch that a callback has left by an exception or longjmp.
 *
 * pirn cannot notice that a callback has left in this way. The loop still counts as running, so
 * the functions that run it and `pirn_deinit` return -EBUSY. Call this where the exception was
 * caught or where setjmp returned. The callback that has left counts as called. The following
 * turns call everything else that was due, each item once; tasks that this turn had not reached
 * belong to the next turn.
 *
 * In a forked child this also ends a run whose thread exists only in the parent, for the case that
 * `pirn_after_fork` or `pirn_deinit` cannot recognise it and returns -EBUSY.
 *
 * Make sure that the run is really over. Never call this inside a callback: a second run could
 * then begin while the first is in progress.
 *
 * Returns 0, also if the loop was not running, or -EINVAL: no live loop. Cost: O(I/O watchers),
 * because edges are armed again. Loop thread, outside of callbacks. Since 0.1.
 */
int pirn_abandon(struct pirn_loop *loop);

/**
 * Limit how many callbacks one turn calls, or for how long.
 *
 * The turns after it call the items that a limit has left over, before they fetch anything new:
 * nothing is lost, and nothing is called a second time before everything else was called once.
 *
 * @param callbacks  the largest number of callbacks in a turn; 0: no limit
 * @param time_ns    no callback is started later than this in a turn; 0: no limit. With a limit
 *                   the clock is read before and after each callback.
 *
 * Returns 0, or -EINVAL: no live loop. Takes effect with the next turn. Cost: O(1). Loop thread,
 * any callback. Since 0.1.
 */
int pirn_limit(struct pirn_loop *loop, uint32_t callbacks, uint64_t time_ns);

/**
 * Keep `pirn_run` going, even if nothing else does, until `pirn_release`.
 *
 * Holds are counted: the loop needs as many releases as holds.
 *
 * Returns 0, or -EINVAL: no live loop; -ENOSPC: already held 2^32 - 1 times. Cost: O(1). Loop
 * thread, any callback. Since 0.1.
 */
int pirn_hold(struct pirn_loop *loop);

/**
 * Undo one `pirn_hold`.
 *
 * Returns 0, or -EINVAL: no live loop, or it is not held. Cost: O(1). Loop thread, any callback.
 * Since 0.1.
 */
int pirn_release(struct pirn_loop *loop);

/**
 * Return whether `pirn_run` would make another turn: for programs that make their turns
 * themselves.
 *
 * Returns `PIRN_GOING` if a run would make another turn, `PIRN_STOPPED` if `pirn_stop` was called
 * since the last call of this function, `PIRN_DONE` if nothing keeps the loop going, or
 * - -EINVAL: no live loop
 * - -EBUSY: inside a callback or a run
 *
 * Cost: O(1). Loop thread. Since 0.1.
 */
int pirn_ended(struct pirn_loop *loop);

/* ============================ I/O watchers ============================
 *
 * A watcher's callback is called in each turn in which the fd is ready. Make the fd non-blocking:
 * readiness is a hint, and a read may still fail with EAGAIN.
 *
 * A write queue with back-pressure. Write immediately, and watch for PIRN_WRITE only while data is
 * left in the queue. While the queue holds too much, do not read: the peer then has to wait.
 *
 *     static void flush(struct pirn_loop *loop, struct client *client)
 *     {
 *         ssize_t count = send(client->fd, client->data, client->used, MSG_NOSIGNAL);
 *         if (count > 0)
 *             take_from_queue(client, (size_t)count);
 *         else if (count < 0 && errno != EAGAIN && errno != EINTR)
 *             return drop(loop, client);
 *         pirn_io_modify(loop, client->io, (client->used < MOST ? PIRN_READ : 0) |
 *                                          (client->used > 0 ? PIRN_WRITE : 0));
 *     }
 *
 * Call flush after you have added data to the queue, and in the callback when `ready` contains
 * PIRN_WRITE. If the interest does not change, pirn_io_modify makes no system call.
 *
 * Half-close. A read that returns 0 means that the peer will send nothing more; it may still read.
 * Stop reading with pirn_io_modify(loop, io, PIRN_WRITE), because a watcher that still waits for
 * PIRN_READ would be called in every turn. Write what is queued, and close the fd after the last
 * byte. PIRN_PEER_CLOSED reports the same state before you have read the last data. To close your
 * own direction only, call shutdown(fd, SHUT_WR) after your last byte.
 */

/**
 * Interest and readiness: a read will not block. It returns data, the end of the stream or an
 * error, or accept returns a connection.
 */
#define PIRN_READ (1u << 0)

/**
 * Interest and readiness: urgent data (`POLLPRI`), such as TCP's out-of-band byte.
 */
#define PIRN_URGENT (1u << 1)

/**
 * Interest and readiness: a write will not block, or a connect has finished.
 */
#define PIRN_WRITE (1u << 2)

/**
 * Readiness, reported for every interest: an error is pending. Those of `PIRN_READ` and
 * `PIRN_WRITE` that are in the interest are set too: the next read or write returns the error.
 */
#define PIRN_ERROR (1u << 3)

/**
 * Readiness, reported for every interest: both directions are closed. Those of `PIRN_READ` and
 * `PIRN_WRITE` that are in the interest are set too. The select backend may report it one wait
 * late to watchers without `PIRN_READ`: see rule 23 of docs/TURN.md.
 */
#define PIRN_HANGUP (1u << 4)

/**
 * Always reported, never combined with other bits: the fd was closed while it was still watched,
 * or the kernel refuses to watch it any longer. Reported once; the watcher is then paused, and you
 * must still remove it. When each backend notices it: see rule 28 of docs/TURN.md.
 */
#define PIRN_INVALID (1u << 5)

/**
 * Readiness, reported together with `PIRN_READ`: the peer has shut down its writing side.
 */
#define PIRN_PEER_CLOSED (1u << 13)

/**
 * Option of `pirn_io_add`: edge triggered. The callback must read or write until EAGAIN, because
 * only a new event is reported; `pirn_io_modify` makes a present state be reported again. Needs a
 * backend with `PIRN_CAN_EDGE`.
 */
#define PIRN_EDGE (1u << 16)

/**
 * Option of `pirn_io_add`: report once. The interest is set to 0 before the callback is called,
 * and `pirn_io_modify` sets it again. That costs no system call before the next wait, and one
 * after it.
 */
#define PIRN_ONESHOT (1u << 17)

/**
 * Option of `pirn_io_add`: if several loops wait for this fd, wake one of them and not all
 * (`EPOLLEXCLUSIVE`). The fd can have no other watcher in this loop. Not with `PIRN_ONESHOT` or
 * `PIRN_URGENT`. `PIRN_PEER_CLOSED` is not reported. Needs a backend with `PIRN_CAN_EXCLUSIVE`.
 */
#define PIRN_EXCLUSIVE (1u << 18)

/**
 * Option of `pirn_io_add` and `pirn_raise_add`: called before watchers without this option in each
 * turn.
 */
#define PIRN_HIGH (1u << 19)

/**
 * Option of `pirn_io_add` and `pirn_raise_add`: called after watchers without this option in each
 * turn.
 */
#define PIRN_LOW (1u << 20)

/**
 * Option of `pirn_io_add`, `pirn_raise_add`, `pirn_hook_add` and `pirn_timer_start`: the watcher
 * or timer does not keep `pirn_run` going.
 */
#define PIRN_UNREF (1u << 21)

/**
 * A handle: names an I/O watcher, the handler of a raised bit, or a hook. All zero is never live.
 */
struct pirn_io {
  /**
   * The index of the slot in the loop's memory.
   */
  uint32_t slot;
  /**
   * Counts the uses of that slot: a handle of an earlier use is stale.
   */
  uint32_t generation;
};

/**
 * The callback of an I/O watcher, of a raised bit or of a hook.
 *
 * It is called when the fd is ready, or with `PIRN_INVALID` when the fd can no longer be watched.
 * For a raised bit `fd` is the bit, for a hook its `PIRN_HOOK_*`. `ready` is never 0. Called on
 * the loop's thread. If it leaves by an exception or longjmp: see `pirn_abandon`.
 */
typedef void (*pirn_io_fn)(struct pirn_loop *loop,
                           struct pirn_io io,
                           int fd,
                           uint32_t ready,
                           void *user);

/**
 * Watch an fd.
 *
 * Before you close the fd, remove its watchers or call `pirn_fd_closing`. pirn never closes the fd
 * and never changes its flags. Make it non-blocking, because readiness is a hint. An fd may have
 * several watchers; they are called in the order in which they were added. A file that is always
 * ready (a regular file, a directory, /dev/null) is reported in every turn, on every backend.
 *
 * @param fd        an open file descriptor; with the host backend any number from 0 up
 * @param interest  `PIRN_READ`, `PIRN_WRITE` and `PIRN_URGENT` or-ed together, or none of them
 *                  (the watcher is then paused), and options
 * @param callback  called when the fd is ready
 * @param user      passed to the callback, never dereferenced
 * @param io        receives the handle; may be NULL; unchanged on error
 *
 * Returns 0, or
 * - -EINVAL: no live loop; callback NULL (see `PIRN_TAKE`); unknown bits; `PIRN_HIGH` with
 *   `PIRN_LOW`; `PIRN_EXCLUSIVE` with `PIRN_ONESHOT` or `PIRN_URGENT`; one of the loop's own fds;
 *   the fd has a watcher already, and only one of the two is edge triggered, or one of them is
 *   exclusive
 * - -EBADF: the fd is not open, or was opened with `O_PATH`
 * - -ENOSPC: all I/O slots are in use
 * - -EDQUOT: the kernel's limit of fds that one user may watch by epoll is reached
 *   (`fs.epoll.max_user_watches`; the kernel's own -ENOSPC)
 * - -EPERM: `PIRN_EDGE` or `PIRN_EXCLUSIVE`, and the file is always ready
 * - -EOPNOTSUPP: `PIRN_EDGE` or `PIRN_EXCLUSIVE`, and the backend does not support it
 * - -ERANGE: backend select, and the fd is beyond the range that the size of the block gives
 * - -ECHILD: in a forked child, before `pirn_after_fork`
 * - -ENOMEM, -ELOOP: the kernel's error
 *
 * The same errors are returned for a paused watcher. Nothing has changed on an error, with one
 * exception: if the call finds that the fd was closed, or now names another file, the other
 * watchers of the fd are called with `PIRN_INVALID`. Cost: O(watchers of the same fd), two system
 * calls (one is getpid, to detect a fork). Loop thread, any callback. Since 0.1.
 */
int pirn_io_add(struct pirn_loop *loop,
                int fd,
                uint32_t interest,
                pirn_io_fn callback,
                void *user,
                struct pirn_io *io);

/**
 * Change what a watcher waits for.
 *
 * Takes effect immediately: events outside the new interest are no longer reported, even if they
 * were already fetched. The kernel is updated before the next wait, and only if the combined
 * interest of all watchers of the fd differs from the kernel's: switching an interest off and on
 * again costs no system call. If that update fails, the watchers of the fd are called with
 * `PIRN_INVALID`.
 *
 * @param interest  `PIRN_READ`, `PIRN_WRITE` and `PIRN_URGENT` or-ed together. 0 pauses the
 *                  watcher: the fd is not polled for it, and nothing is reported, not even a
 *                  hang-up. The options given to `pirn_io_add` do not change.
 *
 * Returns 0, or
 * - -EINVAL: no live loop; other bits; `PIRN_URGENT` for an exclusive watcher; `io` is the handler
 *   of a raised bit or a hook
 * - -ENOENT: stale handle
 *
 * Cost: O(1), no system call. Loop thread, any callback. Since 0.1.
 */
int pirn_io_modify(struct pirn_loop *loop, struct pirn_io io, uint32_t interest);

/**
 * Replace the callback and the user data of a watcher, of the handler of a raised bit, or of a
 * hook.
 *
 * The next call already uses them, even for an event that was fetched before. For state machines,
 * and for passing a connection from one module to another without losing an event.
 *
 * @param callback  called from now on
 * @param user      passed to the callback, never dereferenced
 *
 * Returns 0, or
 * - -EINVAL: no live loop; callback NULL (see `PIRN_TAKE`)
 * - -ENOENT: stale handle
 *
 * Cost: O(1), no system call. Loop thread, any callback, the watcher's own too. Since 0.1.
 */
int pirn_io_set_callback(struct pirn_loop *loop,
                         struct pirn_io io,
                         pirn_io_fn callback,
                         void *user);

/**
 * Stop watching.
 *
 * Removal takes effect immediately: once this has returned, the callback is never called again,
 * even for an event already fetched. The handle is stale and the slot is free. Also removes the
 * handler of a raised bit, and a hook. It is no error if the fd was closed before.
 *
 * Returns 0, or
 * - -EINVAL: no live loop
 * - -ENOENT: stale handle
 * - -ECHILD: in a forked child, before `pirn_after_fork`
 *
 * Cost: O(watchers of the same fd), two system calls. Loop thread, any callback, the watcher's own
 * too. Since 0.1.
 */
int pirn_io_remove(struct pirn_loop *loop, struct pirn_io io);

/**
 * Make a watcher keep `pirn_run` going, which is the default.
 *
 * Returns 0, also if it is ref'ed already; -EINVAL: no live loop; -ENOENT: stale handle. Cost:
 * O(1). Loop thread. Since 0.1.
 */
int pirn_io_ref(struct pirn_loop *loop, struct pirn_io io);

/**
 * Let `pirn_run` return although this watcher exists.
 *
 * Returns 0, also if it is unref'ed already; -EINVAL: no live loop; -ENOENT: stale handle. Cost:
 * O(1). Loop thread. Since 0.1.
 */
int pirn_io_unref(struct pirn_loop *loop, struct pirn_io io);

/**
 * Report readiness to a watcher as if the kernel had reported it.
 *
 * Use this when a library has already read data into its own buffer, so the kernel will not report
 * the fd as readable. The watcher is called in the next dispatch with those bits of `ready` that
 * are then in its interest, and is not called if there are none. Several calls before that
 * dispatch are merged into one.
 *
 * @param ready  `PIRN_READ`, `PIRN_WRITE`, `PIRN_URGENT`, `PIRN_ERROR`, `PIRN_HANGUP`,
 *               `PIRN_PEER_CLOSED`, or-ed together; not 0
 *
 * Returns 0, or
 * - -EINVAL: no live loop; `ready` is 0 or has other bits; `io` is the handler of a raised bit or
 *   a hook
 * - -ENOENT: stale handle
 *
 * Cost: O(1), no system call. Loop thread, any callback. Since 0.1.
 */
int pirn_io_feed(struct pirn_loop *loop, struct pirn_io io, uint32_t ready);

/**
 * Remove all watchers of an fd that you are about to close.
 *
 * Works as `pirn_io_remove` for each of them. Use it when other parts of the program may be
 * watching the fd too.
 *
 * Returns how many watchers there were, or
 * - -EINVAL: no live loop
 * - -EBADF: `fd` is negative
 * - -ECHILD: in a forked child, before `pirn_after_fork`
 *
 * Cost: O(watchers of the fd), two system calls. Loop thread, any callback. Since 0.1.
 */
int pirn_fd_closing(struct pirn_loop *loop, int fd);

/* ============================ Timers and the time ============================
 *
 * Idle timeouts. Postpone the timer at each message. That takes a few nanoseconds, because a later
 * deadline is only stored, and the timer is sorted again when the earlier one is reached:
 *
 *     pirn_timer_start(loop, 30 * SECOND, 0, 0, on_idle, client, &client->idle);   on accept
 *     pirn_timer_again(loop, client->idle, 30 * SECOND);                           on each message
 *     pirn_timer_stop(loop, client->idle);                                         on close
 */

/* A timeout without limit, or a deadline that is never reached. */
#define PIRN_FOREVER UINT64_MAX

/**
 * Option of `pirn_timer_start`: `delay_ns` is not a delay but a point in time, on the clock of
 * `pirn_now`.
 */
#define PIRN_TIMER_ABSOLUTE (1u << 0)

/**
 * Option of `pirn_timer_start`: the delay counts from `pirn_now`, the cached time of the turn, and
 * not from a fresh reading of the clock. This is cheaper, but the timer is due earlier: by the
 * time that the callbacks of this turn have taken so far.
 */
#define PIRN_TIMER_CACHED (1u << 1)

/**
 * Policy of a periodic timer: the next tick is due one period after this one is called, by a fresh
 * reading of the clock.
 */
#define PIRN_TIMER_FIXED_DELAY (1u << 2)

/**
 * Policy of a periodic timer: one call for all ticks that are due; `missed` is their number minus
 * one. The next tick stays on the grid of the period. Without a policy the rate is fixed: the
 * callback is called once for every tick, at most once in a turn, and `missed` is the number of
 * further ticks that are already due.
 */
#define PIRN_TIMER_SKIP (1u << 3)

/**
 * A handle: names a timer. All zero is never live.
 */
struct pirn_timer {
  /**
   * The index of the slot in the loop's memory.
   */
  uint32_t slot;
  /**
   * Counts the uses of that slot: a handle of an earlier use is stale.
   */
  uint32_t generation;
};

/**
 * The callback of a timer, called when the timer is due.
 *
 * The handle of a one-shot timer is already stale in its callback, and its slot is free. `missed`
 * is the number of ticks of a periodic timer that are overdue besides this one; 0 for a one-shot
 * timer. Called on the loop's thread. If it leaves by an exception or longjmp: see `pirn_abandon`.
 */
typedef void (*pirn_timer_fn)(struct pirn_loop *loop,
                              struct pirn_timer timer,
                              uint64_t missed,
                              void *user);

/**
 * Start a timer.
 *
 * A timer fires in the first dispatch after its deadline, never earlier. Timers fire in the order
 * of their deadlines, and those with equal deadlines in the order in which they were armed. A
 * timer started inside a callback does not fire in the same turn, even with a delay of 0.
 *
 * @param delay_ns   nanoseconds from now; 0: the next turn; a deadline beyond 2^64 is never
 *                   reached
 * @param period_ns  nanoseconds between the ticks of a periodic timer; 0: one-shot
 * @param options    `PIRN_TIMER_ABSOLUTE`, `PIRN_TIMER_CACHED`, a policy, `PIRN_UNREF`, or 0
 * @param callback   called when the timer is due
 * @param user       passed to the callback, never dereferenced
 * @param timer      receives the handle; may be NULL; unchanged on error
 *
 * The handle of a periodic timer is live until the timer is stopped. That of a one-shot timer is
 * stale, and its slot free, when its callback is called.
 *
 * Returns 0, or
 * - -EINVAL: no live loop; callback NULL (see `PIRN_TAKE`); unknown options; both policies; a
 *   policy without a period
 * - -ENOSPC: all timer slots are in use
 *
 * Cost: O(1). Reads the clock, unless the time is absolute or cached; that takes no system call
 * where the kernel has a vDSO. Loop thread, any callback. Since 0.1.
 */
int pirn_timer_start(struct pirn_loop *loop,
                     uint64_t delay_ns,
                     uint64_t period_ns,
                     uint32_t options,
                     pirn_timer_fn callback,
                     void *user,
                     struct pirn_timer *timer);

/**
 * Start a timer, or change it if it is running.
 *
 * If the handle `*timer` is live, that timer is armed again: its handle does not change, and no
 * free slot is needed. Otherwise (`*timer` is all zero, or the timer has fired or was stopped) a
 * new timer is started, and its handle is written to `*timer`. In both cases the timer is then as
 * `pirn_timer_start` would have made it: deadline, period, policy, callback and user data are
 * those given here, it is ref'ed unless `PIRN_UNREF` is among the options, and it has no slack. If
 * the timer was due in this turn but was not called yet, it is not called in this turn.
 *
 * A periodic timer is still live in its own callback. A one-shot timer is not; its free slot is
 * used again, unless the callback has started another timer before.
 *
 * @param timer      the handle, all zero if there was no timer yet; written if a timer is started;
 *                   unchanged on error
 * @param delay_ns   nanoseconds from now; with `PIRN_TIMER_CACHED` from `pirn_now`; with
 *                   `PIRN_TIMER_ABSOLUTE` a point in time. 0: the next turn
 * @param period_ns  nanoseconds between the ticks of a periodic timer; 0: one-shot
 * @param options    `PIRN_TIMER_ABSOLUTE`, `PIRN_TIMER_CACHED`, a policy, `PIRN_UNREF`, or 0
 * @param callback   called when the timer is due
 * @param user       passed to the callback, never dereferenced
 *
 * Returns 0, or
 * - -EINVAL: no live loop; `timer` NULL; callback NULL (see `PIRN_TAKE`); unknown options; both
 *   policies; a policy without a period
 * - -ENOSPC: `*timer` is not live, and all timer slots are in use
 *
 * To change only the deadline of a live timer, `pirn_timer_again` is cheaper. Cost: O(1). Reads
 * the clock, unless the time is absolute or cached; that takes no system call where the kernel has
 * a vDSO. Loop thread, any callback. Since 0.1.
 */
int pirn_timer_set(struct pirn_loop *loop,
                   struct pirn_timer *timer,
                   uint64_t delay_ns,
                   uint64_t period_ns,
                   uint32_t options,
                   pirn_timer_fn callback,
                   void *user);

/**
 * Move a timer's deadline to `delay_ns` after the turn's time.
 *
 * The delay counts from `pirn_now`, the cached time of the turn: call `pirn_update` first if the
 * loop has made no turn for a while. Made for idle timeouts, which are postponed at every message
 * and rarely fire: a later deadline costs a few nanoseconds. An earlier deadline is allowed too. A
 * periodic timer continues with its period from the new deadline. Among timers with equal
 * deadlines the timer fires as one armed now.
 *
 * Returns 0, or
 * - -EINVAL: no live loop
 * - -ENOENT: stale handle; the timer may just have fired (`pirn_timer_set` would start it again)
 *
 * Cost: O(1), reads no clock, no system call. Loop thread, any callback. Since 0.1.
 */
int pirn_timer_again(struct pirn_loop *loop, struct pirn_timer timer, uint64_t delay_ns);

/**
 * Replace the callback and the user data of a timer.
 *
 * The next call already uses them, even if the timer is due. Deadline and period do not change.
 *
 * @param callback  called from now on
 * @param user      passed to the callback, never dereferenced
 *
 * Returns 0, or
 * - -EINVAL: no live loop; callback NULL (see `PIRN_TAKE`)
 * - -ENOENT: stale handle; the timer may just have fired
 *
 * Cost: O(1), no system call. Loop thread, any callback, the timer's own too. Since 0.1.
 */
int pirn_timer_set_callback(struct pirn_loop *loop,
                            struct pirn_timer timer,
                            pirn_timer_fn callback,
                            void *user);

/**
 * Stop a timer.
 *
 * Takes effect immediately: once this has returned, the callback is never called again, even if
 * the timer is due. The handle is stale and the slot is free.
 *
 * Returns 0, or
 * - -EINVAL: no live loop
 * - -ENOENT: stale handle; the timer may just have fired
 *
 * Cost: O(1), no system call. Loop thread, any callback, the timer's own too. Since 0.1.
 */
int pirn_timer_stop(struct pirn_loop *loop, struct pirn_timer timer);

/**
 * Return how much time is left until a timer is due.
 *
 * @param remaining_ns  receives the nanoseconds from a fresh reading of the clock to the deadline,
 *                      slack included; 0 if the timer is due, `PIRN_FOREVER` if it never will be;
 *                      unchanged on error
 *
 * Returns 0, or -EINVAL: no live loop or `remaining_ns` NULL; -ENOENT: stale handle. Cost: O(1),
 * reads the clock. Loop thread, any callback. Since 0.1.
 */
int pirn_timer_remaining(struct pirn_loop *loop, struct pirn_timer timer, uint64_t *remaining_ns);

/**
 * Allow a timer to be late, so that it can fire together with other timers.
 *
 * The deadline is rounded up to a multiple of the largest power of two (in nanoseconds) that is
 * not above the slack. Timers with similar slacks are then due at the same moments, and the loop
 * wakes up once for all of them. A periodic timer keeps its grid; only the calls are late.
 *
 * @param slack_ns  the longest permitted delay; 0, the default: none
 *
 * Returns 0, or -EINVAL: no live loop; -ENOENT: stale handle. Cost: O(1). Loop thread, any
 * callback. Since 0.1.
 */
int pirn_timer_slack(struct pirn_loop *loop, struct pirn_timer timer, uint64_t slack_ns);

/**
 * Make a timer keep `pirn_run` going, which is the default.
 *
 * Returns 0, also if it is ref'ed already; -EINVAL: no live loop; -ENOENT: stale handle. Cost:
 * O(1). Loop thread. Since 0.1.
 */
int pirn_timer_ref(struct pirn_loop *loop, struct pirn_timer timer);

/**
 * Let `pirn_run` return although this timer is armed: for housekeeping.
 *
 * Returns 0, also if it is unref'ed already; -EINVAL: no live loop; -ENOENT: stale handle. Cost:
 * O(1). Loop thread. Since 0.1.
 */
int pirn_timer_unref(struct pirn_loop *loop, struct pirn_timer timer);

/**
 * Return the turn's time.
 *
 * The clock is read once in a turn, after the wait, so all callbacks of a turn get the same time.
 * Outside of turns the time is as old as the last turn.
 *
 * Returns nanoseconds on the monotonic clock, or 0 if there is no live loop. Cost: O(1). Loop
 * thread, any callback. Since 0.1.
 */
uint64_t pirn_now(struct pirn_loop *loop);

/**
 * Return the address of the turn's time: for code that reads it so often that a call is too
 * much.
 *
 * While the loop has a timer, what stands there is what `pirn_now` returns: nanoseconds, a
 * `uint64_t`. Without one it may be as old as an earlier turn. It stays there until
 * `pirn_deinit`.
 *
 * Returns NULL if there is no live loop. Cost: O(1). Loop thread, also to read it. Since 0.1.
 */
const uint64_t *pirn_now_address(struct pirn_loop *loop);

/**
 * Read the clock, and make the result the turn's time.
 *
 * Call it after long work, or before `pirn_timer_again` outside of turns.
 *
 * Returns the new time, or 0 if there is no live loop. Cost: O(1), no system call where the kernel
 * has a vDSO. Loop thread, any callback. Since 0.1.
 */
uint64_t pirn_update(struct pirn_loop *loop);

/**
 * Return the deadline of the timer that is due next.
 *
 * Returns nanoseconds on the clock of `pirn_now`, or `PIRN_FOREVER` if no timer will fire or there
 * is no live loop. The result is exact. Cost: O(timers that are due at about the same time). Loop
 * thread, any callback. Since 0.1.
 */
uint64_t pirn_deadline(struct pirn_loop *loop);

/* ============================ Tasks ============================ */

/**
 * The callback of a task or a post. When it is called, the place of a task in the queue is already
 * free; for the place of a post see `pirn_remote_post`.
 * Called on the loop's thread. If it leaves by an exception or longjmp: see `pirn_abandon`.
 */
typedef void (*pirn_task_fn)(struct pirn_loop *loop, void *user);

/**
 * A handle: names a task in the loop's own queue. All zero is never live.
 */
struct pirn_task {
  /**
   * The index of the place in the queue.
   */
  uint32_t slot;
  /**
   * Counts the uses of that place: a handle of an earlier use is stale.
   */
  uint32_t generation;
};

/**
 * Queue a callback for the next turn.
 *
 * Tasks are called in the order in which they were posted, after timers and I/O. A task that is
 * posted inside a callback is called in the next turn.
 *
 * @param callback  called once
 * @param user      passed to the callback, never dereferenced
 * @param task      receives the handle; may be NULL; unchanged on error
 *
 * Returns 0, or
 * - -EINVAL: no live loop; callback NULL (see `PIRN_TAKE`)
 * - -EAGAIN: the queue is full
 *
 * Cost: O(1), no system call. Loop thread, any callback; for other threads see `pirn_remote_post`.
 * Since 0.1.
 */
int pirn_task_post(struct pirn_loop *loop,
                   pirn_task_fn callback,
                   void *user,
                   struct pirn_task *task);

/**
 * Cancel a queued task.
 *
 * Its callback is never called. Its place in the queue becomes free when the queue reaches it, in
 * the next turn at the latest.
 *
 * Returns 0, or
 * - -EINVAL: no live loop
 * - -ENOENT: the task has run, is running, was cancelled, or never existed
 *
 * Cost: O(1). Loop thread, any callback. Since 0.1.
 */
int pirn_task_cancel(struct pirn_loop *loop, struct pirn_task task);

/**
 * Take one task or post that was not called yet out of the queues.
 *
 * Call this before `pirn_deinit` until it returns 0, so that no memory owned by a task is lost. It
 * returns first the loop's own tasks, then the posts from other threads, each in order. The first
 * call closes the queues: from then on `pirn_remote_post`, `pirn_raise`, `pirn_wake` and
 * `pirn_stop` return -ESHUTDOWN.
 *
 * @param callback  receives the callback; unchanged unless 1 is returned
 * @param user      receives its user data; unchanged unless 1 is returned
 *
 * Returns 1 if one was taken out, 0 if none is left, or
 * - -EINVAL: no live loop; `callback` or `user` is NULL
 *
 * Cost: O(1); inside a callback O(number of those taken out in it before). Loop thread, any
 * callback. Since 0.1.
 */
int pirn_task_reclaim(struct pirn_loop *loop, pirn_task_fn *callback, void **user);

/* ============================ From other threads and signal handlers ============================
 *
 * There are two ways to make the loop's thread call a function. A post consists of a function and a
 * pointer; each accepted post is called once, but the queue can be full. A raised bit carries no
 * data and is never refused: the bit's handler is called once for any number of raises since its
 * last call.
 */

/**
 * Queue a callback from any thread, signal handler or interrupt.
 *
 * The callback is called on the loop's thread, after those accepted before it. Each accepted post
 * is called exactly once, or returned by `pirn_task_reclaim`. If the loop sleeps, the post wakes
 * it: a burst of posts costs two system calls, one of which is getpid, to detect a fork; posts
 * while the loop is awake cost none. A thread that posts while another one is just waking the loop
 * wakes it too, because the other thread may have been preempted.
 *
 * @param callback  called once, on the loop's thread
 * @param user      passed to the callback, never dereferenced
 *
 * Returns 0, or
 * - -EINVAL: no live loop; callback NULL (see `PIRN_TAKE`)
 * - -EAGAIN: the queue is full; its capacity is half that for tasks, rounded up. The loop frees
 *   the places of posts in batches of at most an eighth of the queue, so a full queue may still
 *   be full in the callback of a post, but not after the turn
 * - -ESHUTDOWN: the queues were closed by `pirn_task_reclaim`
 *
 * Async-signal-safe: it takes no lock, allocates nothing, and does not change errno. A signal
 * handler that interrupts a call may itself call it. Lock-free. Cost: O(1), two system calls at
 * most. Any thread. Since 0.1.
 */
int pirn_remote_post(struct pirn_loop *loop, pirn_task_fn callback, void *user);

/**
 * Add a handler for a bit: its callback is called when the bit is raised.
 *
 * The handler is an I/O watcher for the bit instead of an fd. It uses an I/O slot. Its callback
 * gets the bit as `fd` and `PIRN_READ` as `ready`. `pirn_io_remove`, `pirn_io_ref` and
 * `pirn_io_unref` work on it. If the bit was raised before the handler was added, the handler is
 * called in the next turn.
 *
 * @param bit      0 to 63
 * @param options  `PIRN_HIGH`, `PIRN_LOW`, `PIRN_UNREF`, or 0
 * @param callback called once for any number of raises since its last call
 * @param user     passed to the callback, never dereferenced
 * @param io       receives the handle; may be NULL; unchanged on error
 *
 * Returns 0, or
 * - -EINVAL: no live loop; callback NULL (see `PIRN_TAKE`); bit above 63; other options
 * - -EEXIST: the bit already has a handler
 * - -ENOSPC: all I/O slots are in use
 *
 * Cost: O(1), no system call. Loop thread, any callback. Since 0.1.
 */
int pirn_raise_add(struct pirn_loop *loop,
                   uint32_t bit,
                   uint32_t options,
                   pirn_io_fn callback,
                   void *user,
                   struct pirn_io *io);

/**
 * Raise a bit from any thread, signal handler or interrupt.
 *
 * The handler added by `pirn_raise_add` is called on the loop's thread, once for any number of
 * raises since its last call. There is no queue that could be full, so a raise is never refused:
 * use it in signal handlers and interrupts.
 *
 * @param bit  0 to 63
 *
 * Returns 0, or
 * - -EINVAL: no live loop; bit above 63
 * - -ESHUTDOWN: the queues were closed by `pirn_task_reclaim`
 *
 * Async-signal-safe, as `pirn_remote_post`. Cost: O(1), two system calls at most. Any thread.
 * Since 0.1.
 */
int pirn_raise(struct pirn_loop *loop, uint32_t bit);

/**
 * Make the loop's wait return.
 *
 * Ends the current wait, or the next one if the loop is not waiting now, so that at least one turn
 * follows the call. Several calls may cause only one turn.
 *
 * Returns 0, or -EINVAL: no live loop; -ESHUTDOWN: the queues were closed by `pirn_task_reclaim`.
 * Async-signal-safe, as `pirn_remote_post`. Cost: O(1), two system calls at most. Any thread.
 * Since 0.1.
 */
int pirn_wake(struct pirn_loop *loop);

/**
 * Make `pirn_run` return `PIRN_STOPPED`.
 *
 * The current turn is completed first. If the loop is not running, the next run returns before its
 * first turn. Events that a limit has left over are handled by the run after it.
 *
 * Returns 0, or -EINVAL: no live loop; -ESHUTDOWN: the queues were closed by `pirn_task_reclaim`.
 * Async-signal-safe, as `pirn_remote_post`. Cost: O(1), two system calls at most. Any thread.
 * Since 0.1.
 */
int pirn_stop(struct pirn_loop *loop);

/* ============================ Hooks ============================ */

/**
 * When a hook is called: at the beginning of every dispatch.
 */
#define PIRN_HOOK_FIRST 1u

/**
 * When a hook is called: at the end of every dispatch, also if a limit has interrupted the turn.
 * Use it to flush the data that callbacks have buffered, before the loop sleeps.
 */
#define PIRN_HOOK_LAST 2u

/**
 * When a hook is called: at the end of a dispatch in which only hooks were called, before the
 * hooks of `PIRN_HOOK_LAST`. The loop does not sleep while it has such a hook.
 */
#define PIRN_HOOK_IDLE 3u

/**
 * Add a hook: a callback that is called in every turn.
 *
 * For libraries that keep a queue of their own (X11, Wayland, ZeroMQ, D-Bus, GLib), and for work
 * that is postponed to the end of a turn or to idle times. A hook is called in every dispatch (of
 * `pirn_dispatch`, `pirn_turn` and `pirn_run`), whether or not anything is due. Tasks that a
 * `PIRN_HOOK_FIRST` hook posts, and events that it causes, are called in the same dispatch, unless
 * this dispatch continues a turn that a limit has interrupted.
 *
 * The hooks of one kind are called in the order in which they were added. A hook that is added
 * during a dispatch is called from the next dispatch on. Hooks are not counted: not by
 * `pirn_limit`, not in `pirn_stats`, and not in the results of `pirn_turn` and `pirn_dispatch`.
 * `pirn_take` neither calls nor returns hooks: a program that takes events can do such work itself
 * before the first take of a turn and after the last.
 *
 * A hook is an I/O watcher without an fd. It uses an I/O slot. Its callback gets `when` as `fd`
 * and `PIRN_READ` as `ready`. It keeps `pirn_run` going. `pirn_io_remove`, `pirn_io_ref`,
 * `pirn_io_unref`, `pirn_io_set_callback` and `pirn_io_info` work on it. A hook cannot be paused.
 *
 * @param when     `PIRN_HOOK_FIRST`, `PIRN_HOOK_LAST` or `PIRN_HOOK_IDLE`
 * @param options  `PIRN_UNREF`, or 0
 * @param callback called once in every dispatch; for `PIRN_HOOK_IDLE` only if nothing else was
 *                 called
 * @param user     passed to the callback, never dereferenced
 * @param io       receives the handle; may be NULL; unchanged on error
 *
 * Returns 0, or
 * - -EINVAL: no live loop; callback NULL; another `when`; other options
 * - -EOPNOTSUPP: the loop was made with `PIRN_TAKE`
 * - -ENOSPC: all I/O slots are in use
 *
 * Cost: O(1), no system call. A loop that never had a hook spends two comparisons a turn. Loop
 * thread, any callback. Since 0.1.
 */
int pirn_hook_add(struct pirn_loop *loop,
                  uint32_t when,
                  uint32_t options,
                  pirn_io_fn callback,
                  void *user,
                  struct pirn_io *io);

/* ============================ Events as data ============================
 *
 * With pirn_take in the place of pirn_dispatch, a program gets an array of events instead of calls
 * of its callbacks. No call of the loop is in progress while the program handles the events: it may
 * call every function, throw exceptions and longjmp.
 *
 *     while (pirn_ended(loop) == PIRN_GOING) {
 *         uint64_t timeout_ns;
 *         struct pirn_due due[64];
 *         int count;
 *         if (pirn_prepare(loop, PIRN_FOREVER, &timeout_ns) < 0 || pirn_wait(loop, timeout_ns) < 0)
 *             break;
 *         while ((count = pirn_take(loop, due, 64)) > 0)
 *             for (int at = 0; at < count; at++)
 *                 handle(&due[at]);
 *     }
 */

/**
 * Kind of a `pirn_due`: a timer is due.
 */
#define PIRN_DUE_TIMER 1u

/**
 * Kind of a `pirn_due`: an fd is ready.
 */
#define PIRN_DUE_IO 2u

/**
 * Kind of a `pirn_due`: a bit was raised.
 */
#define PIRN_DUE_RAISED 3u

/**
 * Kind of a `pirn_due`: a task of the loop's own queue.
 */
#define PIRN_DUE_TASK 4u

/**
 * Kind of a `pirn_due`: a post from another thread, see `pirn_remote_post`.
 */
#define PIRN_DUE_POST 5u

/**
 * Kind of a `pirn_info`: a hook. `pirn_take` never returns this kind.
 */
#define PIRN_DUE_HOOK 6u

/**
 * A handle of any kind: read the member that belongs to the `kind`.
 */
union pirn_handle {
  /**
   * For `PIRN_DUE_IO`, `PIRN_DUE_RAISED` and `PIRN_DUE_HOOK`.
   */
  struct pirn_io io;
  /**
   * For `PIRN_DUE_TIMER`. Already stale in a `pirn_due` of a one-shot timer.
   */
  struct pirn_timer timer;
  /**
   * For `PIRN_DUE_TASK`: already stale in a `pirn_due`. For `PIRN_DUE_POST`: all zero.
   */
  struct pirn_task task;
};

/**
 * A callback of any kind: read the member that belongs to the `kind`. NULL if the program passed
 * NULL.
 */
union pirn_callback {
  /**
   * For `PIRN_DUE_IO`, `PIRN_DUE_RAISED` and `PIRN_DUE_HOOK`.
   */
  pirn_io_fn io;
  /**
   * For `PIRN_DUE_TIMER`.
   */
  pirn_timer_fn timer;
  /**
   * For `PIRN_DUE_TASK` and `PIRN_DUE_POST`.
   */
  pirn_task_fn task;
};

/**
 * One event returned by `pirn_take`: the arguments with which a dispatch would call the callback.
 */
struct pirn_due {
  /**
   * `PIRN_DUE_TIMER`, `_IO`, `_RAISED`, `_TASK` or `_POST`. Later versions may add kinds, but
   * only for features that a program has to request.
   */
  uint32_t kind;
  /**
   * The fd of an I/O watcher, or the bit that was raised; otherwise -1.
   */
  int32_t fd;
  /**
   * The handle of the watcher, timer or task.
   */
  union pirn_handle handle;
  /**
   * The readiness of an fd: `PIRN_READ` and so on. `PIRN_READ` for a raised bit; otherwise 0.
   */
  uint32_t ready;
  /**
   * 0.
   */
  uint32_t reserved;
  /**
   * The number of ticks of a periodic timer that are overdue besides this one; otherwise 0.
   */
  uint64_t missed;
  /**
   * The callback that the program passed.
   */
  union pirn_callback callback;
  /**
   * The user data that the program passed.
   */
  void *user;
  /**
   * 0. Reserved for later kinds.
   */
  uint64_t more[2];
};

/**
 * Do the third part of a turn, but write the due events into an array instead of calling
 * callbacks.
 *
 * For language bindings whose callbacks cannot raise exceptions, for programs that make turns
 * inside the handling of an event, and for programs that need an order of their own. A turn is
 * then
 *
 *   pirn_prepare(loop, PIRN_FOREVER, &timeout);
 *   pirn_wait(loop, timeout);
 *   while ((count = pirn_take(loop, due, capacity)) > 0)
 *       for (i = 0; i < count; i++)
 *           ... handle `due[i]` ...
 *
 * The events are written in the order and by the rules of `pirn_dispatch`. Events that do not fit
 * are left for the next call; until they are taken, a wait neither sleeps nor fetches new events.
 * The turn is over when 0 is returned. Tasks and timers that a handler starts belong to the next
 * turn, so they cannot keep the inner loop above going.
 *
 * If `capacity` is above 1, check for stale events: the handler of one event may remove the
 * watcher or stop the timer of another event in the same array. The handle of that event is then
 * stale (pirn functions return -ENOENT for it), and the memory behind `user` may already be freed.
 * With a `capacity` of 1 the rules of a dispatch hold exactly, because an event is checked when it
 * is written: those of watchers, timers and tasks removed before are left out. No dispatch is in
 * progress between two calls, so a handler may make turns, end the loop, raise an exception or
 * longjmp.
 *
 * @param due       receives the events
 * @param capacity  how many events fit into `due`, at least 1
 *
 * Returns how many events were written, 0 when the turn is over, or
 * - -EINVAL: no live loop; `due` is NULL; `capacity` is 0
 * - -EBUSY: inside a callback or a run
 *
 * The `callbacks` of `pirn_limit` are also a limit for one call; its `time_ns` and `PIRN_MEASURE`
 * have no effect. To notice `pirn_stop`, call `pirn_ended`. Each event counts as a callback in
 * `pirn_stats`. Cost: as `pirn_dispatch`; if `pirn_fd` was ever called, also two system calls.
 * Loop thread. Since 0.1.
 */
int pirn_take(struct pirn_loop *loop, struct pirn_due *due, uint32_t capacity);

/* ============================ Embedding in another loop ============================
 *
 * The other loop waits, and pirn is one of its event sources. With the epoll backend the other loop
 * watches one fd for readability:
 *
 *     other_loop_watch(pirn_fd(loop), on_pirn);
 *
 *     static void on_pirn(void)
 *     {
 *         pirn_turn(loop, 0);
 *     }
 *
 * From the first call of pirn_fd on, the fd is readable whenever a turn would call something: for
 * fds, timers, tasks, posts and raised bits alike. To keep it so, pirn passes every change to the
 * kernel immediately.
 *
 * The other backends have no such fd. Call pirn_prepare to get the time that the other loop may
 * sleep, and call pirn_turn(loop, 0) after that time.
 */

/**
 * Return an fd that is readable whenever the loop has something to do.
 *
 * For embedding in another loop: watch the fd there for readability, and call `pirn_turn(loop, 0)`
 * when it is readable. (Or call `pirn_prepare`, `pirn_wait` with 0 and `pirn_dispatch`.) The fd is
 * readable for a ready fd, a due timer, a task and a post alike. Do not read, write or close it.
 * It stays the same until `pirn_after_fork` or `pirn_deinit`.
 *
 * From the first call on, every change made outside a dispatch is passed to the kernel
 * immediately, so that the other loop notices it. The fd is an epoll instance inside another one.
 * The kernel allows five levels, and beyond that refuses to watch the fd with ELOOP.
 *
 * Returns the fd, or
 * - -EINVAL: no live loop
 * - -EOPNOTSUPP: only the epoll backend has such an fd (`PIRN_CAN_FD`); with other backends see
 *   `pirn_prepare`
 * - -ECHILD: in a forked child, before `pirn_after_fork`
 * - -EMFILE, -ENFILE, -ENOMEM: the kernel's error
 *
 * Cost: one system call (getpid, to detect a fork). The first call opens two fds, which are closed
 * on exec, and makes five system calls more. Loop thread, any callback. Since 0.1.
 */
int pirn_fd(struct pirn_loop *loop);

/**
 * Do the first part of a turn: pass changed interests to the kernel, and return how long the loop
 * may wait.
 *
 * Then either call `pirn_wait` with that timeout, or wait for the fd of `pirn_fd` yourself, at
 * most that long, and call `pirn_wait` with 0. Then call `pirn_dispatch`. A turn of `pirn_run`
 * consists of the same three calls.
 *
 * @param limit_ns    the longest wait that you want; `PIRN_FOREVER`: no limit
 * @param timeout_ns  receives nanoseconds: 0 if there is work, `PIRN_FOREVER` if nothing will ever
 *                    be due; unchanged on error
 *
 * Returns 0, or
 * - -EINVAL: no live loop; `timeout_ns` is NULL
 * - -EBUSY: inside a callback or a run
 * - -ECHILD: in a forked child, before `pirn_after_fork`
 *
 * Cost: O(changed watchers), and one system call (getpid, to detect a fork). Loop thread. Since
 * 0.1.
 */
int pirn_prepare(struct pirn_loop *loop, uint64_t limit_ns, uint64_t *timeout_ns);

/**
 * Do the second part of a turn: wait until something is ready, at most `timeout_ns`, and fetch the
 * events.
 *
 * May return early with 0. Does nothing while events of an earlier wait, or of a turn that a limit
 * has interrupted, are left to dispatch.
 *
 * @param timeout_ns  the timeout from `pirn_prepare`, or less; 0: fetch without waiting
 *
 * Returns how many fds are ready, or
 * - -EINVAL: no live loop
 * - -EBUSY: inside a callback or a run
 * - -ECHILD: in a forked child, before `pirn_after_fork`
 * - another error of the kernel, as `pirn_run`
 *
 * Blocks unless `timeout_ns` is 0. Cost: two system calls, one of which is getpid, to detect a
 * fork. One more on epoll for a timeout below a millisecond if the kernel cannot wait for
 * nanoseconds, and one more if `pirn_fd` is in use and something was found. Loop thread. Since
 * 0.1.
 */
int pirn_wait(struct pirn_loop *loop, uint64_t timeout_ns);

/**
 * Do the third part of a turn: call everything that is due.
 *
 * The order: due timers by their deadlines, then raised bits and I/O by priority, then the tasks
 * that were queued when the dispatch began, then the posts from other threads. docs/TURN.md has
 * the complete rules. `pirn_take` returns the same events in an array instead.
 *
 * Returns how many callbacks were called, or
 * - -EINVAL: no live loop
 * - -EBUSY: inside a callback or a run
 * - -EOPNOTSUPP: the loop was made with `PIRN_TAKE`
 *
 * Loop thread. Since 0.1.
 */
int pirn_dispatch(struct pirn_loop *loop);

/* ============================ Hosts ============================
 *
 * On a microcontroller, in a simulation or on top of another loop, the application provides the
 * clock and the wait itself: it passes PIRN_BACKEND_HOST and a struct pirn_host to pirn_init. An
 * "fd" is then any number from 0 up that identifies one of the host's event sources. The contract:
 *
 * now         Returns a time that never goes back. It may stand still, and it may be coarse.
 * wait        Returns as soon as a watched source is ready, the timeout has passed, or `wake` was
 *             called since the previous wait began. It may always return early, with 0.
 * Level       Every wait reports a source that is ready, until the source is no longer ready or no
 *             longer watched. Most hosts need nothing more.
 * Edge        A host that reports a source only at the moment when it becomes ready sets
 *             PIRN_CAN_EDGE. Watchers then use PIRN_EDGE, and must read until nothing is left. A
 *             call of `watch` with an unchanged interest arms the edge again.
 * Capacity    `wait` writes at most `capacity` sources, each of them once. There is room for one
 *             source for each watcher. If more sources are ready, the next wait reports them: it
 *             should begin with those left out, so that every source is reported in the end.
 * watch       Is called for each change of the interest in a source. Interest 0 ends the watch: the
 *             host must not report the source any more, and may delete it. pirn drops reports of
 *             sources without a watcher, and bits that no watcher waits for.
 *             For a source in error the host reports PIRN_ERROR or PIRN_HANGUP, whatever the
 *             interest. PIRN_INVALID reports that the source no longer exists: its watchers are
 *             called with it once, and are then paused.
 * wake        May be called by any thread, signal handler or interrupt. A call that comes after
 *             `wait` has last looked for events but before it sleeps must still end the sleep: on
 *             Cortex-M use WFI with interrupts masked, elsewhere a semaphore or a pipe.
 */

/**
 * A source that a host reports as ready.
 */
struct pirn_ready {
  /**
   * The number with which the source was added to the loop.
   */
  int32_t fd;
  /**
   * `PIRN_READ` and so on.
   */
  uint32_t ready;
};

/**
 * The functions of the application for `PIRN_BACKEND_HOST`. `pirn_init` copies the struct.
 *
 * The functions may not call pirn, with four exceptions: `pirn_remote_post`, `pirn_raise`,
 * `pirn_wake` and `pirn_stop`, which an interrupt may call too. If `wait` calls one of them, pirn
 * may call `wake` inside `wait`, and the post or bit is handled in the same turn.
 */
struct pirn_host {
  /**
   * `sizeof(struct pirn_host)`.
   */
  uint32_t size;
  /**
   * The optional features of `watch`: `PIRN_CAN_EDGE`, `PIRN_CAN_EXCLUSIVE`, or 0. `pirn_io_add`
   * refuses a watcher whose option is not among them.
   */
  uint32_t capabilities;
  /**
   * Passed to each of the functions.
   */
  void *user;
  /**
   * Return the monotonic time in nanoseconds. Required. The time must never go back; it may
   * stand still.
   */
  uint64_t (*now)(void *user);
  /**
   * Wait until a source is ready, at most `timeout_ns` (0: do not wait; `PIRN_FOREVER`: without
   * limit). Write at most `capacity` ready sources to `ready`, each once. Return how many, or a
   * negative errno: -EINTR counts as a wait that found nothing, any other errno ends the run.
   * Required.
   */
  int (*wait)(uint64_t timeout_ns, struct pirn_ready *ready, size_t capacity, void *user);
  /**
   * Watch `fd` for `interest` from now on; 0: stop watching it. `interest` has the bits
   * `PIRN_READ`, `PIRN_WRITE` and `PIRN_URGENT` that any watcher of the fd waits for. It also
   * has the options of all these watchers, such as `PIRN_EDGE` and `PIRN_HIGH`, so test single
   * bits. A call with an unchanged interest means that an edge is to be armed again, or that the
   * fd got another watcher. If only options change, there is no call. Return 0, or a negative
   * errno to refuse. May be NULL.
   */
  int (*watch)(int fd, uint32_t interest, void *user);
  /**
   * End the current wait, or the next one. Called by each thread, signal handler or interrupt
   * that posts, raises, wakes or stops. May be NULL if nothing does.
   */
  void (*wake)(void *user);
};

/* ============================ Looking into a loop ============================
 *
 * If pirn_run does not return, something keeps the loop going. Print the candidates:
 *
 *     struct pirn_info info = { .size = sizeof info };
 *     while (pirn_info_next(loop, &info) > 0)
 *         if (!(info.options & PIRN_UNREF))
 *             printf("kind %u, fd %d\n", (unsigned)info.kind, info.fd);
 *
 * docs/MANUAL.md has the complete function, which also prints holds and posts.
 */

/**
 * The present state of a watcher, a timer or a task.
 */
struct pirn_info {
  /**
   * `sizeof(struct pirn_info)`, set by the caller. The library writes no more bytes than that.
   */
  uint32_t size;
  /**
   * `PIRN_DUE_TIMER`, `PIRN_DUE_IO`, `PIRN_DUE_RAISED` for the handler of a raised bit,
   * `PIRN_DUE_HOOK`, or `PIRN_DUE_TASK`.
   */
  uint32_t kind;
  /**
   * The handle: read the member that belongs to the `kind`.
   */
  union pirn_handle handle;
  /**
   * The fd of an I/O watcher; the bit of a handler; the `PIRN_HOOK_*` of a hook; otherwise -1.
   */
  int32_t fd;
  /**
   * For a watcher: its interest (paused if `PIRN_READ`, `PIRN_WRITE` and `PIRN_URGENT` are all
   * clear) and its options, as for `pirn_io_add`. For a timer: its policy. With `PIRN_UNREF` if
   * it does not keep `pirn_run` going. For a task: 0.
   */
  uint32_t options;
  /**
   * When a timer is due next, on the clock of `pirn_now`, slack included; otherwise 0.
   */
  uint64_t deadline_ns;
  /**
   * The period of a periodic timer; otherwise 0.
   */
  uint64_t period_ns;
  /**
   * How late a timer may be: the largest power of two that is not above the slack set by the
   * program; otherwise 0.
   */
  uint64_t slack_ns;
  /**
   * The callback: read the member that belongs to the `kind`.
   */
  union pirn_callback callback;
  /**
   * The user data.
   */
  void *user;
};

/**
 * The statistics of a loop.
 */
struct pirn_stats {
  /**
   * `sizeof(struct pirn_stats)`, set by the caller. The library writes no more bytes than that.
   */
  uint32_t size;
  /**
   * The loop's backend: `PIRN_BACKEND_*`.
   */
  uint32_t backend;
  /**
   * Dispatches that have begun.
   */
  uint64_t turns;
  /**
   * Waits that were made.
   */
  uint64_t waits;
  /**
   * Sources that waits have found ready.
   */
  uint64_t events;
  /**
   * Events that were dropped because their watcher had been removed.
   */
  uint64_t stale_events;
  /**
   * Waits that found something, but no callback was called for it.
   */
  uint64_t spurious_wakeups;
  /**
   * Callbacks that were called.
   */
  uint64_t callbacks;
  /**
   * The longest callback in nanoseconds; 0 without `PIRN_MEASURE`.
   */
  uint64_t longest_callback_ns;
  /**
   * The longest time in nanoseconds from a timer's deadline to its call.
   */
  uint64_t longest_lag_ns;
  /**
   * Calls of `pirn_io_modify`.
   */
  uint64_t interest_changes;
  /**
   * Updates of an interest in the kernel, without those of `pirn_io_add`. The difference to
   * `interest_changes` is the number of system calls that were saved.
   */
  uint64_t interest_syscalls;
  /**
   * How often the kernel's set was rebuilt: because an fd that was closed while still watched
   * kept reporting, or after a fork.
   */
  uint64_t rebuilds;
  /**
   * Posts accepted from other threads.
   */
  uint64_t remote_posts;
  /**
   * How often such a post had to wake the loop.
   */
  uint64_t wake_writes;
  /**
   * The capacity for I/O watchers.
   */
  uint32_t io_capacity;
  /**
   * I/O watchers in use.
   */
  uint32_t io_used;
  /**
   * The largest number that was in use at the same time.
   */
  uint32_t io_peak;
  /**
   * The capacity for timers.
   */
  uint32_t timer_capacity;
  /**
   * Timers in use.
   */
  uint32_t timer_used;
  /**
   * The largest number that was in use at the same time.
   */
  uint32_t timer_peak;
  /**
   * The capacity for tasks.
   */
  uint32_t task_capacity;
  /**
   * Tasks in the queue.
   */
  uint32_t task_used;
  /**
   * The largest number that was in the queue at the same time.
   */
  uint32_t task_peak;
  /**
   * The capacity for posts from other threads.
   */
  uint32_t remote_capacity;
  /**
   * The largest number that the loop has found in the queue at the same time.
   */
  uint32_t remote_peak;
  /**
   * How often `pirn_task_post` returned -EAGAIN.
   */
  uint32_t task_refused;
  /**
   * How often `pirn_remote_post` returned -EAGAIN.
   */
  uint32_t remote_refused;
  /**
   * The size of the block in bytes.
   */
  uint32_t block_size;
  /**
   * I/O watchers that keep `pirn_run` going.
   */
  uint32_t io_referenced;
  /**
   * Timers that keep `pirn_run` going.
   */
  uint32_t timer_referenced;
  /**
   * The number of `pirn_hold` calls without a `pirn_release`.
   */
  uint32_t holds;
  /**
   * Posts from other threads in the queue.
   */
  uint32_t remote_used;
};

/**
 * Return the state of an I/O watcher, the handler of a raised bit, or a hook.
 *
 * @param info  receives the state; the caller sets its `size`. May be NULL, if you only want to
 *              know whether the handle is live. Unchanged on error
 *
 * Returns 0, or
 * - -EINVAL: no live loop; the `size` of `info` is not set, or below 16
 * - -ENOENT: stale handle
 *
 * Changes nothing. Cost: O(1). Loop thread, any callback. Since 0.1.
 */
int pirn_io_info(struct pirn_loop *loop, struct pirn_io io, struct pirn_info *info);

/**
 * Return the state of a timer.
 *
 * @param info  receives the state; the caller sets its `size`. May be NULL, if you only want to
 *              know whether the handle is live. Unchanged on error
 *
 * Returns 0, or
 * - -EINVAL: no live loop; the `size` of `info` is not set, or below 16
 * - -ENOENT: stale handle
 *
 * Changes nothing and does not read the clock. Cost: O(1). Loop thread, any callback. Since 0.1.
 */
int pirn_timer_info(struct pirn_loop *loop, struct pirn_timer timer, struct pirn_info *info);

/**
 * Return the callback and the user data of a queued task.
 *
 * @param info  receives the state; the caller sets its `size`. May be NULL, if you only want to
 *              know whether the handle is live. Unchanged on error
 *
 * Returns 0, or
 * - -EINVAL: no live loop; the `size` of `info` is not set, or below 16
 * - -ENOENT: the task has run, is running, was cancelled, or never existed
 *
 * Changes nothing. Cost: O(1). Loop thread, any callback. Since 0.1.
 */
int pirn_task_info(struct pirn_loop *loop, struct pirn_task task, struct pirn_info *info);

/**
 * Return the next of all live items: timers, watchers, handlers of raised bits, hooks, and queued
 * tasks in their order.
 *
 *   struct pirn_info info = { sizeof info }; the rest is zero: begin with the first item
 *
 *   while (pirn_info_next(loop, &info) == 1)
 *       ... look at info ...
 *
 * The loop may change between two calls: an item that is live during the whole walk is returned
 * exactly once, and the item in `info` may have been removed. Posts from other threads have no
 * handle and are not returned; `pirn_stats` counts them.
 *
 * @param info  in: `kind` 0 for the first item, or the struct as the previous call wrote it; out:
 *              the next item. The caller sets its `size`. Unchanged unless 1 is returned
 *
 * Returns 1 if there is a next item, 0 at the end, or
 * - -EINVAL: no live loop; `info` is NULL, its `size` not set or below 16, its kind unknown
 *
 * Cost: O(free slots that are skipped). Loop thread, any callback. Since 0.1.
 */
int pirn_info_next(struct pirn_loop *loop, struct pirn_info *info);

/**
 * Return the statistics of a loop.
 *
 * @param stats  receives the statistics; the caller sets its `size`, and no more bytes are
 *               written. New fields are only ever appended
 *
 * Returns 0, or -EINVAL: no live loop, `stats` NULL, or its size below 8. Cost: O(1). Loop thread,
 * any callback. Since 0.1.
 */
int pirn_stats(struct pirn_loop *loop, struct pirn_stats *stats);

/**
 * Check that the loop's internal structures are consistent.
 *
 * For tests, and to find out whether the program has overwritten the block.
 *
 * The check neither crashes nor hangs, whatever was written into the block: it checks each pointer
 * and index before it uses it.
 *
 * Returns 0, or
 * - -EUCLEAN: the structures are inconsistent, the block was overwritten
 * - -EINVAL: no live loop, which includes a block whose first word was overwritten
 *
 * Cost: O(everything). Loop thread, any callback. Since 0.1.
 */
int pirn_verify(struct pirn_loop *loop);

/* ============================ Handles as integers ============================ */

/*
 * Convert handles to integers and back, and to pointers where a pointer has 64 bits: for user data,
 * maps and other languages. 0 and NULL stand for the handle that is all zero, which is never live.
 * Every other number converts to a handle too, possibly a stale one.
 */
static inline uint64_t pirn_io_to_u64(struct pirn_io io)
{
    return (uint64_t)io.generation << 32 | io.slot;
}

static inline struct pirn_io pirn_io_from_u64(uint64_t number)
{
    struct pirn_io io;
    io.slot = (uint32_t)number;
    io.generation = (uint32_t)(number >> 32);
    return io;
}

static inline uint64_t pirn_timer_to_u64(struct pirn_timer timer)
{
    return (uint64_t)timer.generation << 32 | timer.slot;
}

static inline struct pirn_timer pirn_timer_from_u64(uint64_t number)
{
    struct pirn_timer timer;
    timer.slot = (uint32_t)number;
    timer.generation = (uint32_t)(number >> 32);
    return timer;
}

static inline uint64_t pirn_task_to_u64(struct pirn_task task)
{
    return (uint64_t)task.generation << 32 | task.slot;
}

static inline struct pirn_task pirn_task_from_u64(uint64_t number)
{
    struct pirn_task task;
    task.slot = (uint32_t)number;
    task.generation = (uint32_t)(number >> 32);
    return task;
}

#if UINTPTR_MAX >= UINT64_MAX
static inline void *pirn_io_to_pointer(struct pirn_io io)
{
    return (void *)(uintptr_t)pirn_io_to_u64(io);
}

static inline struct pirn_io pirn_io_from_pointer(const void *pointer)
{
    return pirn_io_from_u64((uint64_t)(uintptr_t)pointer);
}

static inline void *pirn_timer_to_pointer(struct pirn_timer timer)
{
    return (void *)(uintptr_t)pirn_timer_to_u64(timer);
}

static inline struct pirn_timer pirn_timer_from_pointer(const void *pointer)
{
    return pirn_timer_from_u64((uint64_t)(uintptr_t)pointer);
}

static inline void *pirn_task_to_pointer(struct pirn_task task)
{
    return (void *)(uintptr_t)pirn_task_to_u64(task);
}

static inline struct pirn_task pirn_task_from_pointer(const void *pointer)
{
    return pirn_task_from_u64((uint64_t)(uintptr_t)pointer);
}
#endif

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* PIRN_H */
