/*
 * pirn/os.h: signals, the end of processes, clocks and files, as a layer above pirn.h.
 *
 * Generated from crates/os by `cargo build --features header`. Do not edit.
 *
 * The layer is part of the same library. A program that does not call it does not link it. Linux
 * only. This is version 0 of the header: anything in it may still change.
 *
 *
 * IN ONE PAGE
 *
 * A source is one of four things that a loop can wait for: a signal, the end of a process, a
 * deadline on a clock, or changes of files. You provide a struct for each source, and pirn keeps
 * the state of the source in it. Zero the struct before you add the source for the first time, and
 * do not move it until the source is removed. A daemon that ends in an orderly way:
 *
 *     static struct pirn_signal terminate;                  static: zero
 *
 *     static void on_terminate(struct pirn_loop *loop, struct pirn_signal *signal,
 *                              const struct pirn_signal_info *info, void *user)
 *     {
 *         pirn_stop(loop);                                  pirn_run returns after this turn
 *     }
 *
 *     int main(void)
 *     {
 *         struct pirn_loop *loop;
 *         if (pirn_init(&loop, block, sizeof block, NULL) < 0 ||
 *             pirn_signal_add(loop, &terminate, SIGTERM, PIRN_SIGNAL_BLOCK, on_terminate,
 *                             NULL) < 0)
 *             return 1;
 *         pirn_run(loop);
 *         pirn_signal_remove(&terminate);
 *         return pirn_deinit(loop);
 *     }
 *
 *
 * CONVENTIONS
 *
 * The conventions of pirn.h apply. In addition:
 *
 * Watchers    A source is also an I/O watcher, with the handle `io` of its struct. pirn_io_modify
 *             with 0 pauses it and with PIRN_READ resumes it; pirn_io_ref and pirn_io_unref work;
 *             PIRN_HIGH, PIRN_LOW and PIRN_UNREF are options of every source. A source uses one I/O
 *             slot of the loop and one fd, which is closed on exec. Do not use that fd yourself.
 * Removal Call the remove function of the source, and not pirn_io_remove, which would leave the fd
 * open. Afterwards the struct is zero and can be added again, also in a callback. Remove the
 * sources of a loop before you end the loop. Lost fds If another part of the program closes the fd
 * of a source (for example with closefrom), the select and poll backends notice it: they call the
 * callback of the source once without an event, as its documentation describes, and you must still
 * remove the source. The epoll backend does not notice it. Host A loop with PIRN_BACKEND_HOST has
 * no fds: the functions return -EOPNOTSUPP.
 *
 *
 * FORK
 *
 * In a child process, after pirn_after_fork: signal sources report the child's own signals. Child
 * sources report the end of the parent's children with code 0. Clock and file sources share their
 * fd with the parent's sources, so in the child they are paused, to take no event away from the
 * parent. Remove them, and add them again if the child needs them.
 */
#ifndef PIRN_OS_H
#define PIRN_OS_H

#include <stddef.h>
#include <stdint.h>

#include <pirn.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pirn_signal;
struct pirn_child;
struct pirn_clock;
struct pirn_files;

/* ============================ Signals ============================
 *
 * The kernel delivers a signal to any thread that does not block it. Only if all threads block the
 * signal does it stay pending until the loop reads it. A thread inherits the signal mask of the
 * thread that creates it. So block the signals before you create the first thread:
 *
 *     sigset_t set;
 *     sigemptyset(&set);
 *     sigaddset(&set, SIGTERM);
 *     sigaddset(&set, SIGHUP);
 *     pthread_sigmask(SIG_BLOCK, &set, NULL);
 *     pthread_create(...);
 *
 * A program without threads can use PIRN_SIGNAL_BLOCK instead. Without that option pirn never
 * changes a mask, and refuses a signal that is not blocked with -EBUSY.
 *
 * Child processes inherit the mask too, even after exec: a child that starts with SIGTERM blocked
 * cannot be ended by it. Give children an empty mask:
 *
 *     posix_spawnattr_t attributes;
 *     posix_spawnattr_init(&attributes);
 *     sigemptyset(&set);
 *     posix_spawnattr_setsigmask(&attributes, &set);
 *     posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
 *     posix_spawn(&child, path, NULL, &attributes, argv, environ);
 *
 * or between fork and exec: sigprocmask(SIG_SETMASK, &set, NULL).
 *
 * If you prefer a signal handler, call pirn_raise in it, and add a callback for the bit with
 * pirn_raise_add.
 */

/**
 * Option of `pirn_signal_add`: block the signal in the calling thread if it is not blocked there,
 * and unblock it when the source is removed.
 */
#define PIRN_SIGNAL_BLOCK (1u << 0)

/**
 * A signal that has arrived. The fields that its sender does not set are 0.
 */
struct pirn_signal_info {
  /**
   * `sizeof(struct pirn_signal_info)` in this library. New fields are only ever appended.
   */
  uint32_t size;
  /**
   * The signal. 0: there is no signal, the source has lost its fd (see "Lost fds" on the first
   * page).
   */
  int32_t signo;
  /**
   * Why the signal was sent: `SI_USER`, `SI_QUEUE`, `SI_TIMER`, `CLD_EXITED` and so on, see
   * sigaction(2).
   */
  int32_t code;
  /**
   * The process that sent the signal; for SIGCHLD the child.
   */
  int32_t pid;
  /**
   * The user that sent the signal; for SIGCHLD the child's user.
   */
  uint32_t uid;
  /**
   * For SIGCHLD: the exit status or the signal that ended the child. One SIGCHLD may stand for
   * several children.
   */
  int32_t status;
  /**
   * For sigqueue(3) and POSIX timers: the value as a number.
   */
  int32_t value;
  /**
   * 0.
   */
  uint32_t reserved;
  /**
   * For sigqueue(3) and POSIX timers: the value as a pointer.
   */
  uint64_t pointer;
};

/**
 * The callback of a signal source, called with one signal. You may remove `signal` in the
 * callback, and reuse its memory. Called on the loop's thread. It must not be left by an exception
 * or longjmp.
 */
typedef void (*pirn_signal_fn)(struct pirn_loop *loop,
                               struct pirn_signal *signal,
                               const struct pirn_signal_info *info,
                               void *user);

/**
 * A source for a signal. Zero it before you add it for the first time, and do not move it until it
 * is removed. You may read the fields; only pirn may write them.
 */
struct pirn_signal {
  /**
   * The watcher: for `pirn_io_modify` (0 pauses, `PIRN_READ` resumes), `pirn_io_ref`,
   * `pirn_io_unref`.
   */
  struct pirn_io io;
  /**
   * The loop; NULL if it is not added.
   */
  struct pirn_loop *loop;
  /**
   * The callback.
   */
  pirn_signal_fn callback;
  /**
   * The user data, passed to the callback.
   */
  void *user;
  /**
   * The source's signalfd, which belongs to pirn; -1 if it is lost.
   */
  int fd;
  /**
   * The signal.
   */
  int signo;
  /**
   * The options, and internal flags.
   */
  uint32_t options;
  /**
   * 0.
   */
  uint32_t reserved;
};

/**
 * Watch a signal.
 *
 * Every thread of the process must block the signal: a thread that does not block it takes it away
 * from the loop. So block it before you create the first thread (section "Signals" has the code),
 * or give `PIRN_SIGNAL_BLOCK` if the process has only one thread. A blocked signal is reported
 * even if its action is to be ignored.
 *
 * If a standard signal is sent several times before the loop reads it, it is reported once.
 * Real-time signals are queued with their values, and one of them is reported in each turn. A
 * signal that was sent to another thread (as by pthread_kill(3)) is not reported. If two sources
 * of the process wait for the same signal, each signal is reported to only one of them.
 *
 * @param signal    the struct of the source: zero, or its source was removed before
 * @param signo     1 to 64, except the signals that cannot be watched: SIGKILL, SIGSTOP, and those
 *                  for faults (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS)
 * @param options   `PIRN_SIGNAL_BLOCK`, `PIRN_HIGH`, `PIRN_LOW`, `PIRN_UNREF`, or 0
 * @param callback  called with each signal
 * @param user      passed to the callback, never dereferenced
 *
 * Returns 0, or
 * - -EINVAL: no live loop; `signal` or callback NULL; a `signo` that cannot be watched; other
 *   options
 * - -EEXIST: `signal` is already added, or was never zeroed
 * - -EBUSY: the calling thread does not block the signal, and `PIRN_SIGNAL_BLOCK` was not given
 * - -EOPNOTSUPP: backend host
 * - -ENOSPC, -ERANGE, -ECHILD: as `pirn_io_add`
 * - -EMFILE, -ENFILE, -ENOMEM: the kernel's error
 *
 * Uses an I/O slot and an fd. Cost: as `pirn_io_add`, and two system calls. Loop thread, any
 * callback. Since 0.1.
 */
int pirn_signal_add(struct pirn_loop *loop,
                    struct pirn_signal *signal,
                    int signo,
                    uint32_t options,
                    pirn_signal_fn callback,
                    void *user);

/**
 * Stop watching a signal.
 *
 * Once this has returned, the callback is never called again; the struct is zero and can be added
 * again. If `PIRN_SIGNAL_BLOCK` has blocked the signal, it is unblocked in the calling thread. A
 * signal that is pending at that moment takes its normal action, which may end the process.
 *
 * Also works after `pirn_deinit`, as long as the block is readable: the fd is then closed.
 *
 * Returns 0, or
 * - -EINVAL: `signal` is NULL
 * - -ENOENT: `signal` is not added
 * - -ECHILD: in a forked child, before `pirn_after_fork`
 *
 * Cost: as `pirn_io_remove`, and one or two system calls. Loop thread, any callback, its own too.
 * Since 0.1.
 */
int pirn_signal_remove(struct pirn_signal *signal);

/* ============================ Processes ============================
 *
 * Start a child in any way (for example with posix_spawn, and an empty mask as above), and add it:
 *
 *     static void on_end(struct pirn_loop *loop, struct pirn_child *child,
 *                        const struct pirn_child_status *status, void *user)
 *     {
 *         if (status->code == CLD_EXITED)
 *             printf("%d: status %d\n", status->pid, status->status);
 *     }
 *
 *     static struct pirn_child child;
 *     pirn_child_add(loop, &child, pid, 0, on_end, NULL);
 *
 * When the callback is called, the child is already reaped and the source removed: there is no
 * zombie, and the struct can be used for the next child immediately. pirn does not use SIGCHLD, and
 * waits only for the children that you have added. Do not wait for them yourself, and do not ignore
 * SIGCHLD.
 *
 * Linux before 5.3 has no pidfds, and some sandboxes refuse them. If your program must run there,
 * use PIRN_CHILD_SCAN, watch SIGCHLD, and call pirn_child_scan for each of your children:
 *
 *     static void on_sigchld(struct pirn_loop *loop, struct pirn_signal *signal,
 *                            const struct pirn_signal_info *info, void *user)
 *     {
 *         for (int at = 0; at < CHILDREN; at++)
 *             pirn_child_scan(&children[at]);
 *     }
 *
 * On a kernel with pidfds, pirn_child_scan makes no system call.
 */

/**
 * Option of `pirn_child_add`: report how the child ended, but do not reap it: you must do that
 * yourself.
 */
#define PIRN_CHILD_KEEP (1u << 0)

/**
 * Option of `pirn_child_add`: if the kernel refuses a pidfd, add the child without one. Only
 * `pirn_child_scan` then notices its end.
 */
#define PIRN_CHILD_SCAN (1u << 1)

/**
 * How a process ended.
 */
struct pirn_child_status {
  /**
   * `sizeof(struct pirn_child_status)` in this library. New fields are only ever appended.
   */
  uint32_t size;
  /**
   * The process; 0 if it was added by its pidfd and the way it ended is not known.
   */
  int32_t pid;
  /**
   * `CLD_EXITED`, `CLD_KILLED` or `CLD_DUMPED` of waitid(2). 0: not known, because the process
   * is not a child of this one, or another part of the program reaped it.
   */
  int32_t code;
  /**
   * The exit status if the code is `CLD_EXITED`; the signal if it is `CLD_KILLED` or
   * `CLD_DUMPED`. If the code is 0: 0, or a negative errno if the source lost its fd or
   * waitid(2) failed. In the case of an errno the process may still be running.
   */
  int32_t status;
};

/**
 * The callback of a process, called once when the process has ended. The source is already
 * removed, so `child` is zero and may be added again. Called on the loop's thread. It must not be
 * left by an exception or longjmp.
 */
typedef void (*pirn_child_fn)(struct pirn_loop *loop,
                              struct pirn_child *child,
                              const struct pirn_child_status *status,
                              void *user);

/**
 * A source for the end of a process. Zero it before you add it for the first time, and do not move
 * it until it is removed or its callback is called. You may read the fields; only pirn may write
 * them.
 */
struct pirn_child {
  /**
   * The watcher: for `pirn_io_modify` (0 pauses, `PIRN_READ` resumes), `pirn_io_ref`,
   * `pirn_io_unref`.
   */
  struct pirn_io io;
  /**
   * The loop; NULL if it is not added.
   */
  struct pirn_loop *loop;
  /**
   * The callback.
   */
  pirn_child_fn callback;
  /**
   * The user data, passed to the callback.
   */
  void *user;
  /**
   * The source's fd, which belongs to pirn; -1 if it is lost.
   */
  int fd;
  /**
   * The process; 0 if it was added by its pidfd.
   */
  int pid;
  /**
   * The options, and internal flags.
   */
  uint32_t options;
  /**
   * 0.
   */
  uint32_t reserved;
};

/**
 * Wait for the end of a process.
 *
 * pirn reaps the child before it reports the end: do not wait for it yourself. pirn waits only for
 * this process, by its pidfd. It does not need SIGCHLD, and takes no children away from other
 * parts of the program. But a waitpid(-1) in another part may reap your child: the reported code
 * is then 0. The code is also 0 if SIGCHLD is ignored, because the kernel then reaps all children,
 * and for a process that is not a child. If a child ended before it was added, its end is reported
 * in the next turn.
 *
 * If the kernel has no pidfds (before 5.3) or a sandbox refuses them, this function fails, unless
 * you give the option `PIRN_CHILD_SCAN`: see `pirn_child_scan`.
 *
 * @param child     the struct of the source: zero, or its source was removed or reported before
 * @param pid       the process, which must not have been reaped
 * @param options   `PIRN_CHILD_KEEP`, `PIRN_CHILD_SCAN`, `PIRN_HIGH`, `PIRN_LOW`, `PIRN_UNREF`,
 *                  or 0
 * @param callback  called once, when the process has ended
 * @param user      passed to the callback, never dereferenced
 *
 * Returns 0, or
 * - -EINVAL: no live loop; `child` or callback NULL; `pid` is not above 0, or is the number of a
 *   thread; other options
 * - -EEXIST: `child` is already added, or was never zeroed
 * - -ESRCH: there is no such process
 * - -ENOSYS, -EPERM: the kernel refuses a pidfd; with `PIRN_CHILD_SCAN` returned only if the
 *   process is not a child of this one
 * - -EOPNOTSUPP: backend host
 * - -ENOSPC, -ERANGE, -ECHILD: as `pirn_io_add`
 * - -EMFILE, -ENFILE, -ENOMEM: the kernel's error
 *
 * Uses an I/O slot and an fd until the end is reported. Cost: as `pirn_io_add`, and a system call;
 * three without a pidfd. Loop thread, any callback. Since 0.1.
 */
int pirn_child_add(struct pirn_loop *loop,
                   struct pirn_child *child,
                   int pid,
                   uint32_t options,
                   pirn_child_fn callback,
                   void *user);

/**
 * Wait for the end of a process by its pidfd, as clone3(2) and pidfd_spawn(3) return it.
 *
 * Works as `pirn_child_add`. A pidfd cannot name another process that reuses the number. On
 * success the pidfd belongs to pirn, which closes it when the end is reported or the source is
 * removed.
 *
 * @param child     as `pirn_child_add`
 * @param pidfd     the pidfd
 * @param options   `PIRN_CHILD_KEEP`, `PIRN_HIGH`, `PIRN_LOW`, `PIRN_UNREF`, or 0
 * @param callback  called once, when the process has ended
 * @param user      passed to the callback, never dereferenced
 *
 * Returns 0, or
 * - -EINVAL: no live loop; `child` or callback NULL; other options; a kernel before 5.4, which
 *   cannot reap by a pidfd
 * - -EBADF: `pidfd` is not open, or not a pidfd
 * - -EEXIST, -EOPNOTSUPP, -ENOSPC, -ERANGE, -ECHILD, -ENOMEM: as `pirn_child_add`
 *
 * Uses an I/O slot until the end is reported. Cost: as `pirn_io_add`, and a system call. Loop
 * thread, any callback. Since 0.1.
 */
int pirn_child_add_fd(struct pirn_loop *loop,
                      struct pirn_child *child,
                      int pidfd,
                      uint32_t options,
                      pirn_child_fn callback,
                      void *user);

/**
 * Check whether a child without a pidfd has ended.
 *
 * If it has ended, its callback is called in the next dispatch. Watch SIGCHLD and call this for
 * each of your children in the callback (section "Processes" has the program). Also call it after
 * you have resumed a paused source. For a child with a pidfd it does nothing.
 *
 * Returns 0, or
 * - -EINVAL: `child` is NULL
 * - -ENOENT: `child` is not added
 *
 * Cost: O(1); two system calls at most, none with a pidfd. Loop thread, any callback. Since 0.1.
 */
int pirn_child_scan(struct pirn_child *child);

/**
 * Stop waiting for the end of a process.
 *
 * Once this has returned, the callback is never called again; the struct is zero and can be added
 * again. The process continues to run. If it is a child, you must reap it.
 *
 * Also works after `pirn_deinit`, as long as the block is readable: the fd is then closed.
 *
 * Returns 0, or
 * - -EINVAL: `child` is NULL
 * - -ENOENT: `child` is not added, or its end was reported
 * - -ECHILD: in a forked child, before `pirn_after_fork`
 *
 * Cost: as `pirn_io_remove`, and a system call. Loop thread, any callback. Since 0.1.
 */
int pirn_child_remove(struct pirn_child *child);

/* ============================ Clocks ============================
 *
 * The loop's timers use the monotonic clock, which cannot be set, and which stands still while the
 * machine is suspended. Use the clocks here for a time of day, such as three in the morning, or for
 * a duration that includes the time in suspend:
 *
 *     static struct pirn_clock nightly;
 *     pirn_clock_add(loop, &nightly, PIRN_CLOCK_REALTIME, next_night(), 0, PIRN_CLOCK_TELL_SET,
 *                    on_clock, NULL);
 *
 *     static void on_clock(struct pirn_loop *loop, struct pirn_clock *clock, uint32_t what,
 *                          uint64_t missed, void *user)
 *     {
 *         if (what == PIRN_CLOCK_DUE)
 *             tidy_up();
 *         pirn_clock_again(clock, next_night());            also if the clock was set
 *     }
 *
 * Compute local time yourself, because it depends on the rules of a time zone. When daylight saving
 * time begins or ends, the clock is not set, so PIRN_CLOCK_TELL_SET does not report it.
 */

/**
 * A clock: the time of day, in nanoseconds since 1970 (UTC). It can be set.
 */
#define PIRN_CLOCK_REALTIME 0u

/**
 * A clock: the time since the machine was started, in nanoseconds, including the time in suspend.
 * It cannot be set.
 */
#define PIRN_CLOCK_BOOTTIME 7u

/**
 * A clock: as `PIRN_CLOCK_REALTIME`; a deadline also wakes a suspended machine.
 */
#define PIRN_CLOCK_REALTIME_ALARM 8u

/**
 * A clock: as `PIRN_CLOCK_BOOTTIME`; a deadline also wakes a suspended machine.
 */
#define PIRN_CLOCK_BOOTTIME_ALARM 9u

/**
 * Option of `pirn_clock_add`: also report when the clock is set.
 */
#define PIRN_CLOCK_TELL_SET (1u << 0)

/**
 * The `what` of a call: the deadline has been reached.
 */
#define PIRN_CLOCK_DUE 1u

/**
 * The `what` of a call: the clock was set, forwards or backwards, once or several times.
 */
#define PIRN_CLOCK_SET 2u

/**
 * The callback of a clock source. `what` is `PIRN_CLOCK_DUE` when the deadline is reached,
 * `PIRN_CLOCK_SET` when the clock was set, or `PIRN_INVALID` when the source has lost its fd.
 * `missed` is the number of deadlines of a periodic source that have passed besides this one. You
 * may remove `clock` in the callback. Called on the loop's thread. It must not be left by an
 * exception or longjmp.
 */
typedef void (*pirn_clock_fn)(struct pirn_loop *loop,
                              struct pirn_clock *clock,
                              uint32_t what,
                              uint64_t missed,
                              void *user);

/**
 * A source for a deadline on a clock. Zero it before you add it for the first time, and do not
 * move it until it is removed. You may read the fields; only pirn may write them.
 */
struct pirn_clock {
  /**
   * The watcher: for `pirn_io_modify` (0 pauses, `PIRN_READ` resumes), `pirn_io_ref`,
   * `pirn_io_unref`.
   */
  struct pirn_io io;
  /**
   * The next deadline; `PIRN_FOREVER` if there is none.
   */
  uint64_t at_ns;
  /**
   * The time from one deadline to the next; 0 if there is only one.
   */
  uint64_t period_ns;
  /**
   * The loop; NULL if it is not added.
   */
  struct pirn_loop *loop;
  /**
   * The callback.
   */
  pirn_clock_fn callback;
  /**
   * The user data, passed to the callback.
   */
  void *user;
  /**
   * The source's timerfd, which belongs to pirn; -1 if it is lost.
   */
  int fd;
  /**
   * `PIRN_CLOCK_REALTIME` and so on.
   */
  uint32_t clock;
  /**
   * The options, and internal flags.
   */
  uint32_t options;
  /**
   * The process that has added the source.
   */
  int process;
};

/**
 * Add a deadline on a clock.
 *
 * Use it for the time of day, such as three in the morning: if the clock is set, the deadline
 * follows it. For delays use the loop's timers instead: they need no fd, and their clock cannot be
 * set.
 *
 * The callback is never called while the clock shows a time before the deadline. If the clock is
 * set to the deadline or beyond, the callback is called immediately. If the clock is set back, the
 * callback is called later. A periodic source keeps its grid: each deadline is one period after
 * the previous one, and if the clock was set forward over several deadlines, they are reported in
 * one call. With `PIRN_CLOCK_TELL_SET` the change of the clock is reported first, and a deadline
 * that it has reached is reported in the next turn.
 *
 * A source exists until you remove it, even after its only deadline: it still keeps `pirn_run`
 * going, and `pirn_clock_again` sets another deadline.
 *
 * @param clock      the struct of the source: zero, or its source was removed before
 * @param which      `PIRN_CLOCK_REALTIME`, `PIRN_CLOCK_BOOTTIME`, or their `_ALARM` forms
 * @param at_ns      a time on that clock; in the past: the next turn. `PIRN_FOREVER`: no deadline,
 *                   for programs that only want to know when the clock is set
 * @param period_ns  nanoseconds between deadlines; 0: only one deadline
 * @param options    `PIRN_CLOCK_TELL_SET`, only for the clocks that can be set; `PIRN_HIGH`,
 *                   `PIRN_LOW`, `PIRN_UNREF`; or 0
 * @param callback   called when the deadline is reached, or the clock was set
 * @param user       passed to the callback, never dereferenced
 *
 * Returns 0, or
 * - -EINVAL: no live loop; `clock` or callback NULL; unknown clock; other options;
 *   `PIRN_CLOCK_TELL_SET` for a clock that cannot be set
 * - -EEXIST: `clock` is already added, or was never zeroed
 * - -EPERM: an `_ALARM` clock without the capability CAP_WAKE_ALARM
 * - -EOPNOTSUPP: backend host
 * - -ENOSPC, -ERANGE, -ECHILD: as `pirn_io_add`
 * - -EMFILE, -ENFILE, -ENOMEM: the kernel's error
 *
 * Uses an I/O slot and an fd. Cost: as `pirn_io_add`, and three system calls; three for each
 * report. Loop thread, any callback. Since 0.1.
 */
int pirn_clock_add(struct pirn_loop *loop,
                   struct pirn_clock *clock,
                   uint32_t which,
                   uint64_t at_ns,
                   uint64_t period_ns,
                   uint32_t options,
                   pirn_clock_fn callback,
                   void *user);

/**
 * Replace the deadline of a clock source.
 *
 * A periodic source continues with its period from the new deadline. If the clock was set before
 * this call, that is still reported.
 *
 * @param at_ns  a time on the source's clock; in the past: the next turn; `PIRN_FOREVER`: no
 *               deadline
 *
 * Returns 0, or
 * - -EINVAL: `clock` is NULL
 * - -ENOENT: `clock` is not added
 * - -ECHILD: a parent process has added it
 *
 * Cost: O(1), two system calls. Loop thread, any callback, its own too. Since 0.1.
 */
int pirn_clock_again(struct pirn_clock *clock, uint64_t at_ns);

/**
 * Remove a clock source.
 *
 * Once this has returned, the callback is never called again; the struct is zero and can be added
 * again. Also works after `pirn_deinit`, as long as the block is readable: the fd is then closed.
 *
 * Returns 0, or
 * - -EINVAL: `clock` is NULL
 * - -ENOENT: `clock` is not added
 * - -ECHILD: in a forked child, before `pirn_after_fork`
 *
 * Cost: as `pirn_io_remove`, and a system call. Loop thread, any callback, its own too. Since 0.1.
 */
int pirn_clock_remove(struct pirn_clock *clock);

/**
 * Read a clock.
 *
 * @param which  `PIRN_CLOCK_REALTIME`, `PIRN_CLOCK_BOOTTIME`; their `_ALARM` forms show the same
 *               time
 * @param ns     receives the nanoseconds; unchanged on error
 *
 * Returns 0, or -EINVAL: unknown clock, or `ns` is NULL. Cost: a system call. Any thread. Since
 * 0.1.
 */
int pirn_clock_now(uint32_t which, uint64_t *ns);

/* ============================ Files ============================
 *
 * One source watches any number of files and directories:
 *
 *     static void on_change(struct pirn_loop *loop, struct pirn_files *files,
 *                           const struct pirn_file_event *event, void *user)
 *     {
 *         if (strcmp(event->name, "settings") == 0)
 *             read_settings();
 *     }
 *
 *     static struct pirn_files files;
 *     pirn_files_add(loop, &files, 0, on_change, NULL);
 *     pirn_files_watch(&files, "/etc/example", IN_CLOSE_WRITE | IN_MOVED_TO);
 *
 * Watch the directory of a file rather than the file itself, because editors write a new file and
 * rename it. A change is a hint: read the file to find out what has changed. Network file systems
 * do not report changes made by other machines.
 */

/**
 * A change of a file.
 */
struct pirn_file_event {
  /**
   * `sizeof(struct pirn_file_event)` in this library. New fields are only ever appended.
   */
  uint32_t size;
  /**
   * The watch that reports the change, as returned by `pirn_files_watch`. -1 for
   * `IN_Q_OVERFLOW`, which belongs to no watch.
   */
  int32_t watch;
  /**
   * The change: `IN_CREATE` and so on, see inotify(7). 0: there is no change, the source has
   * lost its fd.
   */
  uint32_t mask;
  /**
   * A number that is equal for both events of one renaming, `IN_MOVED_FROM` and `IN_MOVED_TO`;
   * otherwise 0.
   */
  uint32_t cookie;
  /**
   * The length of the name in bytes.
   */
  uint32_t name_length;
  /**
   * 0.
   */
  uint32_t reserved;
  /**
   * The name of the file in the watched directory; empty if the change concerns the watched file
   * itself. Ends with a NUL. Valid only until the callback returns.
   */
  const char *name;
};

/**
 * The callback of a file source, called with one change. You may remove `files` in the callback.
 * Called on the loop's thread. It must not be left by an exception or longjmp.
 */
typedef void (*pirn_files_fn)(struct pirn_loop *loop,
                              struct pirn_files *files,
                              const struct pirn_file_event *event,
                              void *user);

/**
 * A source for the changes of any number of files. Zero it before you add it for the first time,
 * and do not move it until it is removed. You may read the fields; only pirn may write them.
 */
struct pirn_files {
  /**
   * The watcher: for `pirn_io_modify` (0 pauses, `PIRN_READ` resumes), `pirn_io_ref`,
   * `pirn_io_unref`.
   */
  struct pirn_io io;
  /**
   * The loop; NULL if it is not added.
   */
  struct pirn_loop *loop;
  /**
   * The callback.
   */
  pirn_files_fn callback;
  /**
   * The user data, passed to the callback.
   */
  void *user;
  /**
   * Internal: set while the callback is called.
   */
  const void *batch;
  /**
   * The source's inotify instance, which belongs to pirn; -1 if it is lost.
   */
  int fd;
  /**
   * The options.
   */
  uint32_t options;
  /**
   * The process that has added the source.
   */
  int process;
  /**
   * 0.
   */
  uint32_t reserved;
};

/**
 * Add a source for changes of files. At first it watches no file: see `pirn_files_watch`.
 *
 * Each source is an inotify instance. The kernel gives a user only 128 of them by default, so add
 * one source and watch all files with it.
 *
 * In each turn at most 512 bytes of changes are read, and the callback is called for each of them.
 * If you pause the source, it is still called for changes that were already read. If more changes
 * happen than the kernel can store (16,384 by default), it drops the rest and reports one change
 * with `IN_Q_OVERFLOW`: check all files then.
 *
 * @param files     the struct of the source: zero, or its source was removed before
 * @param options   `PIRN_HIGH`, `PIRN_LOW`, `PIRN_UNREF`, or 0
 * @param callback  called with each change
 * @param user      passed to the callback, never dereferenced
 *
 * Returns 0, or
 * - -EINVAL: no live loop; `files` or callback NULL; other options
 * - -EEXIST: `files` is already added, or was never zeroed
 * - -EOPNOTSUPP: backend host
 * - -EMFILE: too many open files, or too many inotify instances of this user
 * - -ENOSPC, -ERANGE, -ECHILD: as `pirn_io_add`
 * - -ENFILE, -ENOMEM, -ENOSYS: the kernel's error
 *
 * Uses an I/O slot and an fd. Cost: as `pirn_io_add`, and two system calls. Loop thread, any
 * callback. Since 0.1.
 */
int pirn_files_add(struct pirn_loop *loop,
                   struct pirn_files *files,
                   uint32_t options,
                   pirn_files_fn callback,
                   void *user);

/**
 * Watch a file or a directory.
 *
 * For a directory, its own changes and those of the files in it are reported, but not those in
 * subdirectories. If another file is renamed over a watched file, the watch ends with the old
 * file: watch the directory instead. When a watched file is deleted, the last change of the watch
 * is `IN_IGNORED`.
 *
 * @param path  the path of the file; needed only during the call
 * @param mask  the changes to report (`IN_CREATE`, `IN_MODIFY` and so on) and options, see
 *              inotify(7)
 *
 * Returns the number of the watch, above 0. If the file is already watched, returns the number of
 * that watch. Or:
 * - -EINVAL: `files` is NULL or not added; `path` NULL; a mask without a change in it
 * - -ENOENT, -EACCES, -ENOTDIR, -ENAMETOOLONG, -EEXIST: the kernel's error for the path or the
 *   mask
 * - -ENOSPC: too many watches of this user
 * - -ECHILD: a parent process has added `files`
 *
 * Cost: two system calls. Loop thread, any callback. Since 0.1.
 */
int pirn_files_watch(struct pirn_files *files, const char *path, uint32_t mask);

/**
 * Stop watching one of the files.
 *
 * Changes that happened before are still reported. The last change of the watch is `IN_IGNORED`;
 * after that its number may be used for another watch.
 *
 * @param watch  the number returned by `pirn_files_watch`
 *
 * Returns 0, or
 * - -EINVAL: `files` is NULL or not added; no such watch
 * - -ECHILD: a parent process has added `files`
 *
 * Cost: two system calls. Loop thread, any callback. Since 0.1.
 */
int pirn_files_unwatch(struct pirn_files *files, int watch);

/**
 * Stop watching all files of a source.
 *
 * Once this has returned, the callback is never called again, even for changes that were already
 * read; the struct is zero and can be added again. Also works after `pirn_deinit`, as long as the
 * block is readable: the fd is then closed.
 *
 * Returns 0, or
 * - -EINVAL: `files` is NULL
 * - -ENOENT: `files` is not added
 * - -ECHILD: in a forked child, before `pirn_after_fork`
 *
 * Cost: as `pirn_io_remove`, and a system call. Loop thread, any callback, its own too. Since 0.1.
 */
int pirn_files_remove(struct pirn_files *files);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* PIRN_OS_H */
