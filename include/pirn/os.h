/*
 * pirn/os.h: signals, the end of processes, clocks and files, as a layer above pirn.h.
 *
 * Generated from crates/os by `cargo build --features header`. Do not edit.
 *
 * The layer is in the same library. A program that does not call it does not contain it. Linux
 * only. Version 0 of this header: nothing in it is frozen yet.
 *
 *
 * IN ONE PAGE
 *
 * A source is something of the operating system that a loop waits for through an fd of pirn's
 * own: a signal, the end of a process, a deadline on a clock, the changes of files. You provide a
 * struct for each source. pirn writes into it what it knows of the source, so it must be zero
 * before it is added for the first time, and must stay where it is until it is removed. A daemon
 * that ends in an orderly way:
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
 * Those of pirn.h, and:
 *
 * Watchers    A source is also an I/O watcher, with the handle `io` of its struct. pirn_io_modify
 *             with 0 pauses it and with PIRN_READ resumes it; pirn_io_ref and pirn_io_unref work;
 *             PIRN_HIGH, PIRN_LOW and PIRN_UNREF are options of every source. It takes an I/O
 *             slot of the loop, and one fd, which is closed on exec. Do not use that fd yourself.
 * Removal     Call the remove function of the source, not pirn_io_remove, which would leave the fd
 *             open. The struct is zero afterwards, and can be added again, in a callback too.
 *             Remove the sources of a loop before you end it.
 * Lost fds    If somebody else closes the fd of a source (closefrom), select and poll notice it.
 *             Then the callback of the source runs once without an event, in the way that its
 *             documentation describes, and you must still remove the source. epoll does not
 *             notice it.
 * Host        A loop on PIRN_BACKEND_HOST has no fds: -EOPNOTSUPP.
 *
 *
 * FORK
 *
 * In a child process, after pirn_after_fork: signals are the child's own; the parent's children
 * are reported with code 0 when they end. Clocks and files share their fd with the parent's: the
 * child's rest, so that they take nothing away from the parent. Remove them, and add them again
 * if the child needs them.
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
 * The kernel hands a signal to any thread that does not block it. Only if all threads block it
 * does it wait for the loop. A thread inherits the mask of the thread that makes it. So block the
 * signals before you make the first thread:
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
 * Processes inherit the mask too, even those that exec: a child that starts with SIGTERM blocked
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
 * If you would rather have a handler, call pirn_raise in it, and give the bit a callback with
 * pirn_raise_add.
 */

/**
 * Option of `pirn_signal_add`: block the signal in the calling thread if it is not blocked
 * there, and let it through again when the source is removed.
 */
#define PIRN_SIGNAL_BLOCK (1u << 0)

/**
 * What is told of a signal. The fields that its sender does not set are 0.
 */
struct pirn_signal_info {
  /**
   * `sizeof(struct pirn_signal_info)` as this library knows it: fields are only ever appended.
   */
  uint32_t size;
  /**
   * The signal. 0: none, the source has lost its fd, as the first page tells.
   */
  int32_t signo;
  /**
   * Why it was sent: `SI_USER`, `SI_QUEUE`, `SI_TIMER`, `CLD_EXITED` and so on, as
   * sigaction(2) lists.
   */
  int32_t code;
  /**
   * The process that sent it; of SIGCHLD the child.
   */
  int32_t pid;
  /**
   * The user that sent it; of SIGCHLD the child's.
   */
  uint32_t uid;
  /**
   * Of SIGCHLD: the exit status or the signal. It may be that of one child out of several.
   */
  int32_t status;
  /**
   * Of sigqueue(3) and timers: the value as a number.
   */
  int32_t value;
  /**
   * 0.
   */
  uint32_t reserved;
  /**
   * Of sigqueue(3) and timers: the value as a pointer.
   */
  uint64_t pointer;
};

/**
 * Called with one signal. `signal` may be removed, and its memory used for something else. Runs on
 * the loop's thread. Must not unwind or longjmp out.
 */
typedef void (*pirn_signal_fn)(struct pirn_loop *loop,
                               struct pirn_signal *signal,
                               const struct pirn_signal_info *info,
                               void *user);

/**
 * A signal that is watched. Zero it before it is added for the first time, and leave it where it
 * is until it is removed. The fields may be read; pirn alone writes them.
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
   * What is called.
   */
  pirn_signal_fn callback;
  /**
   * What the callback is called with.
   */
  void *user;
  /**
   * The signalfd, which is pirn's; -1 if it is lost.
   */
  int fd;
  /**
   * The signal.
   */
  int signo;
  /**
   * The options, and what pirn notes beside them.
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
 * The signal must be blocked in every thread of the process: a thread that does not block it
 * takes it away from the loop. So block it before the first thread is made (the first page has a
 * program), or let pirn do it by `PIRN_SIGNAL_BLOCK` if there is but one thread. A signal that
 * is ignored is delivered all the same while it is blocked.
 *
 * A standard signal that is raised several times before the loop gets to it comes once.
 * Real-time signals queue, with their values, and come one in a turn. A signal that was directed
 * at another thread, as pthread_kill(3) does, stays with that thread. If two sources in the
 * process wait for one signal, in one loop or in several, each signal comes to one of them.
 *
 * @param signal    where what pirn knows of it is kept: zero, or removed before
 * @param signo     1 to 64, but none that cannot be watched: SIGKILL, SIGSTOP, and what the
 *                  processor or the kernel raises for a fault (SIGSEGV, SIGBUS, SIGFPE, SIGILL,
 *                  SIGTRAP, SIGSYS)
 * @param options   `PIRN_SIGNAL_BLOCK`, `PIRN_HIGH`, `PIRN_LOW`, `PIRN_UNREF`, or 0
 * @param callback  called with each signal
 * @param user      passed to the callback, never looked at
 *
 * Returns 0, or
 * - -EINVAL: no live loop; `signal` or callback NULL; not such a signal; other options
 * - -EEXIST: `signal` is added already, or was never zeroed
 * - -EBUSY: the calling thread does not block the signal, and `PIRN_SIGNAL_BLOCK` was not given
 * - -EOPNOTSUPP: backend host
 * - -ENOSPC, -ERANGE, -ECHILD: as `pirn_io_add`
 * - -EMFILE, -ENFILE, -ENOMEM: what the kernel said
 *
 * Takes an I/O slot and an fd. Cost: as `pirn_io_add`, and two system calls. Loop thread, any
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
 * When this returns the callback will not run again; the struct is zero and can be added again. If
 * `PIRN_SIGNAL_BLOCK` has blocked the signal it is let through to the calling thread: one that is
 * pending then does what it would have done without pirn, which may end the process.
 *
 * Works after `pirn_deinit` too, as long as the block is readable: the fd is then closed.
 *
 * Returns 0, or
 * - -EINVAL: `signal` is NULL
 * - -ENOENT: it is not added
 * - -ECHILD: a copy made by fork
 *
 * Cost: as `pirn_io_remove`, and one or two system calls. Loop thread, any callback, its own too.
 * Since 0.1.
 */
int pirn_signal_remove(struct pirn_signal *signal);

/* ============================ Processes ============================
 *
 * Start a child as you like (posix_spawn, with an empty mask as above), and add it:
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
 * When the callback runs the child is reaped and the source removed: there is no zombie, and the
 * struct can serve the next child at once. pirn does not use SIGCHLD and waits for your children
 * only. Do not wait for them yourself, and do not ignore SIGCHLD.
 *
 * Kernels before 5.3 have no pidfds, and some sandboxes refuse them. A program that must run there
 * uses PIRN_CHILD_SCAN, watches SIGCHLD, and calls pirn_child_scan for each of its children:
 *
 *     static void on_sigchld(struct pirn_loop *loop, struct pirn_signal *signal,
 *                            const struct pirn_signal_info *info, void *user)
 *     {
 *         for (int at = 0; at < CHILDREN; at++)
 *             pirn_child_scan(&children[at]);
 *     }
 *
 * With a kernel that has pidfds the same program makes no system call there.
 */

/**
 * Option of `pirn_child_add`: report how the child ended, but leave it for you to reap.
 */
#define PIRN_CHILD_KEEP (1u << 0)

/**
 * Option of `pirn_child_add`: if the kernel refuses a pidfd, do without. The end of the child is
 * then noticed by `pirn_child_scan` only.
 */
#define PIRN_CHILD_SCAN (1u << 1)

/**
 * How a process ended.
 */
struct pirn_child_status {
  /**
   * `sizeof(struct pirn_child_status)` as this library knows it: fields are only ever appended.
   */
  uint32_t size;
  /**
   * The process; 0 if it was added by its pidfd and its end is not known.
   */
  int32_t pid;
  /**
   * `CLD_EXITED`, `CLD_KILLED` or `CLD_DUMPED` of waitid(2). 0: not known, because the process
   * is not a child of this one, or was reaped by somebody else.
   */
  int32_t code;
  /**
   * The exit status if the code is `CLD_EXITED`, and the signal if it is another. With code 0:
   * 0, or a negative errno if the source lost its fd or waitid(2) failed. Then it may be
   * running.
   */
  int32_t status;
};

/**
 * Called once, when the process has ended. The source is removed by then, so `child` is zero and
 * may be added again. Runs on the loop's thread. Must not unwind or longjmp out.
 */
typedef void (*pirn_child_fn)(struct pirn_loop *loop,
                              struct pirn_child *child,
                              const struct pirn_child_status *status,
                              void *user);

/**
 * A process whose end is awaited. Zero it before it is added for the first time, and leave it
 * where it is until it is removed or has been reported. The fields may be read; pirn alone
 * writes them.
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
   * What is called.
   */
  pirn_child_fn callback;
  /**
   * What the callback is called with.
   */
  void *user;
  /**
   * The fd, which is pirn's; -1 if it is lost.
   */
  int fd;
  /**
   * The process; 0 if it was added by its pidfd.
   */
  int pid;
  /**
   * The options, and what pirn notes beside them.
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
 * A child is reaped when its end is reported: do not wait for it yourself. pirn waits for this
 * process alone, by its pidfd. It neither needs SIGCHLD nor takes children from other parts of the
 * program, but a waitpid(-1) of theirs may take yours: the code is then 0. It is 0 too if SIGCHLD
 * is ignored, because the kernel then reaps all children, and for a process that is not a child.
 * A child that has ended before it is added is reported in the next turn.
 *
 * Where the kernel has no pidfd (before 5.3) or a sandbox refuses it, this function fails, unless
 * the option `PIRN_CHILD_SCAN` is given: see `pirn_child_scan`.
 *
 * @param child     where what pirn knows of it is kept: zero, or removed or reported before
 * @param pid       the process, which must not have been reaped
 * @param options   `PIRN_CHILD_KEEP`, `PIRN_CHILD_SCAN`, `PIRN_HIGH`, `PIRN_LOW`, `PIRN_UNREF`,
 *                  or 0
 * @param callback  called once, when it has ended
 * @param user      passed to the callback, never looked at
 *
 * Returns 0, or
 * - -EINVAL: no live loop; `child` or callback NULL; `pid` is not above 0, or is a thread; other
 *   options
 * - -EEXIST: `child` is added already, or was never zeroed
 * - -ESRCH: there is no such process
 * - -ENOSYS, -EPERM: the kernel refuses a pidfd; with `PIRN_CHILD_SCAN` only if the process is not
 *   a child of this one
 * - -EOPNOTSUPP: backend host
 * - -ENOSPC, -ERANGE, -ECHILD: as `pirn_io_add`
 * - -EMFILE, -ENFILE, -ENOMEM: what the kernel said
 *
 * Takes an I/O slot and an fd until it is reported. Cost: as `pirn_io_add`, and a system call;
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
 * As `pirn_child_add`. There is no moment in which the process could be reaped and its number used
 * again. The pidfd is pirn's from then on, unless this function fails: pirn closes it when the end
 * is reported, or the source removed.
 *
 * @param child     as `pirn_child_add`
 * @param pidfd     an fd of a process
 * @param options   `PIRN_CHILD_KEEP`, `PIRN_HIGH`, `PIRN_LOW`, `PIRN_UNREF`, or 0
 * @param callback  called once, when it has ended
 * @param user      passed to the callback, never looked at
 *
 * Returns 0, or
 * - -EINVAL: no live loop; `child` or callback NULL; other options; a kernel before 5.4, which
 *   cannot reap by a pidfd
 * - -EBADF: `pidfd` is not open, or not an fd of a process
 * - -EEXIST, -EOPNOTSUPP, -ENOSPC, -ERANGE, -ECHILD, -ENOMEM: as `pirn_child_add`
 *
 * Takes an I/O slot until it is reported. Cost: as `pirn_io_add`, and a system call. Loop
 * thread, any callback. Since 0.1.
 */
int pirn_child_add_fd(struct pirn_loop *loop,
                      struct pirn_child *child,
                      int pidfd,
                      uint32_t options,
                      pirn_child_fn callback,
                      void *user);

/**
 * Look whether a child has ended that has no pidfd.
 *
 * If it has, the callback runs in the next dispatch. Call this for each of your children in the
 * callback of SIGCHLD, which has to be watched then (the first page has the program), and after
 * you have resumed a source that was paused. For a child with a pidfd it does nothing.
 *
 * Returns 0, or
 * - -EINVAL: `child` is NULL
 * - -ENOENT: it is not added
 *
 * Cost: O(1); two system calls at most, none with a pidfd. Loop thread, any callback. Since 0.1.
 */
int pirn_child_scan(struct pirn_child *child);

/**
 * Stop waiting for the end of a process.
 *
 * When this returns the callback will not run again; the struct is zero and can be added again.
 * The process goes on. If it is a child, you have to reap it.
 *
 * Works after `pirn_deinit` too, as long as the block is readable: the fd is then closed.
 *
 * Returns 0, or
 * - -EINVAL: `child` is NULL
 * - -ENOENT: it is not added, or has been reported
 * - -ECHILD: a copy made by fork
 *
 * Cost: as `pirn_io_remove`, and a system call. Loop thread, any callback. Since 0.1.
 */
int pirn_child_remove(struct pirn_child *child);

/* ============================ Clocks ============================
 *
 * The timers of the loop run on the monotonic clock, which nobody can set, and which stands still
 * while the machine is suspended. For three in the morning, or for ten hours that include a nap of
 * the machine, there are deadlines on other clocks:
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
 * You work out local time yourself, because the rules of a time zone say when the next night is.
 * An hour that a time zone skips or repeats is no step of the clock.
 */

/**
 * A clock: the time of day, in nanoseconds since 1970 (UTC). It can be set.
 */
#define PIRN_CLOCK_REALTIME 0u

/**
 * A clock: the time since the machine was started, in nanoseconds. It goes on while the machine is
 * suspended, and cannot be set.
 */
#define PIRN_CLOCK_BOOTTIME 7u

/**
 * A clock: as `PIRN_CLOCK_REALTIME`, and wakes the machine if it is suspended.
 */
#define PIRN_CLOCK_REALTIME_ALARM 8u

/**
 * A clock: as `PIRN_CLOCK_BOOTTIME`, and wakes the machine if it is suspended.
 */
#define PIRN_CLOCK_BOOTTIME_ALARM 9u

/**
 * Option of `pirn_clock_add`: report also that somebody has set the clock.
 */
#define PIRN_CLOCK_TELL_SET (1u << 0)

/**
 * What is reported: the deadline has been reached.
 */
#define PIRN_CLOCK_DUE 1u

/**
 * What is reported: the clock was set, forwards or backwards, once or several times.
 */
#define PIRN_CLOCK_SET 2u

/**
 * Called when the deadline is reached (`PIRN_CLOCK_DUE`), when the clock was set
 * (`PIRN_CLOCK_SET`), or when the source has lost its fd (`PIRN_INVALID`). `missed`: how many
 * deadlines of a periodic source are over besides this one. `clock` may be removed. Runs on the
 * loop's thread. Must not unwind or longjmp out.
 */
typedef void (*pirn_clock_fn)(struct pirn_loop *loop,
                              struct pirn_clock *clock,
                              uint32_t what,
                              uint64_t missed,
                              void *user);

/**
 * A deadline on a clock. Zero it before it is added for the first time, and leave it where it is
 * until it is removed. The fields may be read; pirn alone writes them.
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
   * From one deadline to the next; 0 if there is but one.
   */
  uint64_t period_ns;
  /**
   * The loop; NULL if it is not added.
   */
  struct pirn_loop *loop;
  /**
   * What is called.
   */
  pirn_clock_fn callback;
  /**
   * What the callback is called with.
   */
  void *user;
  /**
   * The timerfd, which is pirn's; -1 if it is lost.
   */
  int fd;
  /**
   * `PIRN_CLOCK_REALTIME` and so on.
   */
  uint32_t clock;
  /**
   * The options, and what pirn notes beside them.
   */
  uint32_t options;
  /**
   * The process that has added it.
   */
  int process;
};

/**
 * Start a deadline on a clock.
 *
 * For points in time as people name them, such as three in the morning: the kernel follows the
 * clock when it is set. For delays, and for anything else, the loop's own timers are better:
 * they cost no fd each, and nobody can set their clock.
 *
 * The callback never runs while the clock shows a time before the deadline. If the clock is set
 * to the deadline or beyond, it runs at once. If it is set back, it runs later. A periodic
 * source keeps its grid: each deadline is one period after the one before, and those that the
 * clock has jumped over are reported together. With `PIRN_CLOCK_TELL_SET` a step of the clock is
 * reported first, and a deadline that it has reached in the turn after.
 *
 * A source stays until it is removed, even when its only deadline is over: it keeps `pirn_run`
 * going, and `pirn_clock_again` gives it another one.
 *
 * @param clock      where what pirn knows of it is kept: zero, or removed before
 * @param which      `PIRN_CLOCK_REALTIME`, `PIRN_CLOCK_BOOTTIME`, or their `_ALARM` forms
 * @param at_ns      a point on that clock; in the past: in the next turn. `PIRN_FOREVER`: no
 *                   deadline, for those who only want to know that the clock is set
 * @param period_ns  nanoseconds between deadlines; 0: there is but one
 * @param options    `PIRN_CLOCK_TELL_SET`, which is for the clocks that can be set; `PIRN_HIGH`,
 *                   `PIRN_LOW`, `PIRN_UNREF`; or 0
 * @param callback   called when the deadline is reached, or the clock was set
 * @param user       passed to the callback, never looked at
 *
 * Returns 0, or
 * - -EINVAL: no live loop; `clock` or callback NULL; not such a clock; other options;
 *   `PIRN_CLOCK_TELL_SET` for a clock that cannot be set
 * - -EEXIST: `clock` is added already, or was never zeroed
 * - -EPERM: an `_ALARM` clock without the capability CAP_WAKE_ALARM
 * - -EOPNOTSUPP: backend host
 * - -ENOSPC, -ERANGE, -ECHILD: as `pirn_io_add`
 * - -EMFILE, -ENFILE, -ENOMEM: what the kernel said
 *
 * Takes an I/O slot and an fd. Cost: as `pirn_io_add`, and three system calls; for each report
 * three. Loop thread, any callback. Since 0.1.
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
 * Give a clock source another deadline, in place of the one it had.
 *
 * A periodic source goes on with its period from there. That the clock was set before is still
 * reported.
 *
 * @param at_ns  a point on its clock; in the past: in the next turn; `PIRN_FOREVER`: none
 *
 * Returns 0, or
 * - -EINVAL: `clock` is NULL
 * - -ENOENT: it is not added
 * - -ECHILD: a parent process has added it
 *
 * Cost: O(1), two system calls. Loop thread, any callback, its own too. Since 0.1.
 */
int pirn_clock_again(struct pirn_clock *clock, uint64_t at_ns);

/**
 * Stop a clock source.
 *
 * When this returns the callback will not run again; the struct is zero and can be added again.
 * Works after `pirn_deinit` too, as long as the block is readable: the fd is then closed.
 *
 * Returns 0, or
 * - -EINVAL: `clock` is NULL
 * - -ENOENT: it is not added
 * - -ECHILD: a copy made by fork
 *
 * Cost: as `pirn_io_remove`, and a system call. Loop thread, any callback, its own too. Since 0.1.
 */
int pirn_clock_remove(struct pirn_clock *clock);

/**
 * Read a clock.
 *
 * @param which  `PIRN_CLOCK_REALTIME`, `PIRN_CLOCK_BOOTTIME`; their `_ALARM` forms show the same
 *               time
 * @param ns     where the nanoseconds are written; unchanged on error
 *
 * Returns 0, or -EINVAL: not such a clock, or `ns` NULL. Cost: a system call. Any thread. Since
 * 0.1.
 */
int pirn_clock_now(uint32_t which, uint64_t *ns);

/* ============================ Files ============================
 *
 * One source watches as many files and directories as you like:
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
 * Watch the directory of a file rather than the file: editors write another file and rename it. A
 * change is a hint, so read the file and see. Network file systems do not report what other
 * machines change.
 */

/**
 * A change of a file.
 */
struct pirn_file_event {
  /**
   * `sizeof(struct pirn_file_event)` as this library knows it: fields are only ever appended.
   */
  uint32_t size;
  /**
   * Which watch reports it: what `pirn_files_watch` returned. -1: none of them, for
   * `IN_Q_OVERFLOW`.
   */
  int32_t watch;
  /**
   * `IN_CREATE` and so on, as inotify(7) lists. 0: nothing, the source has lost its fd.
   */
  uint32_t mask;
  /**
   * The same for the two halves of one renaming, `IN_MOVED_FROM` and `IN_MOVED_TO`; else 0.
   */
  uint32_t cookie;
  /**
   * Bytes of the name.
   */
  uint32_t name_length;
  /**
   * 0.
   */
  uint32_t reserved;
  /**
   * The name in the directory that is watched; empty if the change is one of the watched file
   * itself. Ends with a NUL. It is gone when the callback returns.
   */
  const char *name;
};

/**
 * Called with one change. `files` may be removed, which ends it. Runs on the loop's thread. Must
 * not unwind or longjmp out.
 */
typedef void (*pirn_files_fn)(struct pirn_loop *loop,
                              struct pirn_files *files,
                              const struct pirn_file_event *event,
                              void *user);

/**
 * Files that are watched, as many as you like. Zero it before it is added for the first time, and
 * leave it where it is until it is removed. The fields may be read; pirn alone writes them.
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
   * What is called.
   */
  pirn_files_fn callback;
  /**
   * What the callback is called with.
   */
  void *user;
  /**
   * pirn's, while it calls back.
   */
  const void *batch;
  /**
   * The inotify instance, which is pirn's; -1 if it is lost.
   */
  int fd;
  /**
   * The options.
   */
  uint32_t options;
  /**
   * The process that has added it.
   */
  int process;
  /**
   * 0.
   */
  uint32_t reserved;
};

/**
 * Start watching files, none at first.
 *
 * Each source is an inotify instance, of which the kernel gives a user no more than 128 by
 * default. So make one, and watch all files with it by `pirn_files_watch`.
 *
 * In each turn a few changes are read (512 bytes of them), and the callback is called with one
 * after the other. A pause takes effect after these. If more changes come than the kernel keeps
 * (16,384 by default), it drops the rest, and one change with `IN_Q_OVERFLOW` stands for them:
 * look at all files.
 *
 * @param files     where what pirn knows of it is kept: zero, or removed before
 * @param options   `PIRN_HIGH`, `PIRN_LOW`, `PIRN_UNREF`, or 0
 * @param callback  called with each change
 * @param user      passed to the callback, never looked at
 *
 * Returns 0, or
 * - -EINVAL: no live loop; `files` or callback NULL; other options
 * - -EEXIST: `files` is added already, or was never zeroed
 * - -EOPNOTSUPP: backend host
 * - -EMFILE: too many open files, or too many inotify instances of this user
 * - -ENOSPC, -ERANGE, -ECHILD: as `pirn_io_add`
 * - -ENFILE, -ENOMEM, -ENOSYS: what the kernel said
 *
 * Takes an I/O slot and an fd. Cost: as `pirn_io_add`, and two system calls. Loop thread, any
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
 * A directory reports its own changes and those of the files in it, but not of directories
 * below. A file that is replaced by renaming another over it is not watched any more: watch its
 * directory. When the file is deleted a change with `IN_IGNORED` is the last of this watch.
 *
 * @param path  of the file, which need not stay readable in memory
 * @param mask  which changes: `IN_CREATE`, `IN_MODIFY` and so on, as inotify(7) lists, with its
 *              options
 *
 * Returns the watch's number, which is above 0, and the one that the file has already if it is
 * watched; or
 * - -EINVAL: `files` is NULL or not added; `path` NULL; a mask without a change in it
 * - -ENOENT, -EACCES, -ENOTDIR, -ENAMETOOLONG, -EEXIST: what the kernel said of the path and the
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
 * Changes that happened before are still reported, and one with `IN_IGNORED` is the last of this
 * watch: then its number may be given to another.
 *
 * @param watch  what `pirn_files_watch` returned
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
 * When this returns the callback will not run again, not even for changes that were read
 * already; the struct is zero and can be added again. Works after `pirn_deinit` too, as long as
 * the block is readable: the fd is then closed.
 *
 * Returns 0, or
 * - -EINVAL: `files` is NULL
 * - -ENOENT: it is not added
 * - -ECHILD: a copy made by fork
 *
 * Cost: as `pirn_io_remove`, and a system call. Loop thread, any callback, its own too. Since 0.1.
 */
int pirn_files_remove(struct pirn_files *files);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* PIRN_OS_H */
