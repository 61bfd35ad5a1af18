/*
 * pirn/work.h: work that threads of the application do for a loop, as a layer above pirn/wait.h.
 *
 * The layer is in the same library. A program that does not call it does not contain it. Linux
 * only. Version 0 of this header: nothing in it is frozen yet.
 *
 *
 * IN ONE PAGE
 *
 * pirn starts no thread. Your threads call pirn_workers_run, which is their life, and the loop
 * hands work to them: what computes for long, or calls functions that block.
 *
 *     static struct pirn_workers workers;
 *     static struct pirn_work lookup;                        zero before it is submitted
 *
 *     static void *thread(void *unused)
 *     {
 *         pirn_workers_run(&workers);
 *         return unused;
 *     }
 *
 *     static int look_up(struct pirn_work *work, void *user)     on one of the threads
 *     {
 *         return getaddrinfo("example.org", "http", NULL, user);
 *     }
 *
 *     static void on_done(struct pirn_hub *hub, struct pirn_work *work, int result, void *user)
 *     {
 *         ...                                                    on the loop's thread
 *     }
 *
 *     pirn_workers_init(&workers, 0);
 *     pthread_create(&id, NULL, thread, NULL);                   as many as you like
 *     pirn_work_submit(&workers, &hub, &lookup, look_up, on_done, &answer);
 *     pirn_run(loop);
 *     pirn_workers_close(&workers, PIRN_WORKERS_DRAIN);
 *     pthread_join(id, NULL);
 *
 * A fiber that wants the result calls pirn_work_call, and looks as if it called the function
 * itself.
 *
 *
 * CONVENTIONS
 *
 * Those of pirn.h and the rules of every wait in pirn/wait.h, and:
 *
 * Once        Work that was submitted ends in one of two ways: its function has run and `done`
 *             gets the result, or it never runs and `done` gets -ECANCELED. `done` is called once,
 *             on the loop's thread.
 * Order       Work begins in the order in which it was submitted. For work that is urgent have a
 *             second struct pirn_workers with threads of its own.
 * Room        Work links itself, so any amount can wait, unless you set a limit. Work that is done
 *             comes back without a queue that could be full, and much of it costs one wake-up.
 * Results     Take results in the order in which you want them: submit an array of work, then wait
 *             for one after the other. That is a map.
 * Threads     What runs on a thread may wait for locks of the C library and make system calls. Of
 *             pirn it may call what any thread may.
 * The end     Close the workers, join the threads, and then end the hub.
 * Fork        In a child process there are no threads: close the workers there with
 *             PIRN_WORKERS_NOW before you wait for work.
 */
#ifndef PIRN_WORK_H
#define PIRN_WORK_H

#include <stddef.h>
#include <stdint.h>

#include <pirn/fiber.h>
#include <pirn/wait.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pirn_work;
struct pirn_workers;

/* ============================ Workers and work ============================ */

/**
 * What is waited for: work that is done.
 */
#define PIRN_FOR_WORK 24

/**
 * How workers are closed: what was submitted is still done.
 */
#define PIRN_WORKERS_DRAIN 0

/**
 * How workers are closed: what has not begun is not done, and gets -ECANCELED.
 */
#define PIRN_WORKERS_NOW 1

/**
 * A word that threads wait for. All zero is 0.
 */
struct pirn_word {
  uint32_t value_;
};

/**
 * A lock. All zero is one that is free.
 */
struct pirn_lock {
  struct pirn_word word_;
};

/**
 * The work. Runs on a thread of the application, and may do what such a thread may: wait, call
 * functions that block, and of this library the functions for any thread. Its result is what
 * `done` gets. Must not unwind or longjmp out.
 */
typedef int (*pirn_work_fn)(struct pirn_work *work, void *user);

/**
 * Called once for work that was submitted, on the loop's thread, in a callback. `work` is yours
 * again: it can be submitted again or be gone when this returns. Must not unwind or longjmp out.
 */
typedef void (*pirn_done_fn)(struct pirn_hub *hub, struct pirn_work *work, int result, void *user);

/**
 * A piece of work. Zero it before it is submitted for the first time. It is the library's, and
 * must stay where it is, from then until `done` is called.
 */
struct pirn_work {
  struct pirn_remote remote_;
  struct pirn_waiters waiters_;
  struct pirn_hub *hub_;
  pirn_work_fn function_;
  pirn_done_fn done_;
  /**
   * Passed to the functions, never looked at. To be read only.
   */
  void *user;
  struct pirn_work *next_;
  struct pirn_work *previous_;
  struct pirn_workers *workers_;
  /**
   * What the function has returned; -ECANCELED if it never ran. To be read when it is done.
   */
  int result;
  uint32_t state_;
  uint32_t is_cancelled_;
  uint32_t reserved_;
};

/**
 * Threads of the application, and the work that waits for them. Prepare it with
 * `pirn_workers_init`. It is yours, and must stay where it is until all threads have returned.
 */
struct pirn_workers {
  struct pirn_lock lock_;
  struct pirn_word calls_;
  struct pirn_work *first_;
  struct pirn_work *last_;
  uint32_t waiting_;
  uint32_t most_waiting_;
  uint32_t idle_;
  uint32_t is_closed_;
};

/**
 * Prepare workers. No thread runs for them yet.
 *
 * @param most_waiting  how much work can wait for a thread at most; 0: any amount, for it links
 *                      itself
 *
 * Returns 0, or -EINVAL: NULL. Cost: O(1). Any thread. Since 0.1.
 */
int pirn_workers_init(struct pirn_workers *workers, uint32_t most_waiting);

/**
 * Do work until the workers are closed and nothing is left: the life of a thread.
 *
 * Any number of threads can call this. They sleep while there is nothing to do.
 *
 * Returns 0 when the workers are closed; -EINVAL: NULL. Any thread but the loop's. Since 0.1.
 */
int pirn_workers_run(struct pirn_workers *workers);

/**
 * Close workers: nothing can be submitted any more, and the threads return.
 *
 * Join the threads before you end the hub, or reuse the memory of the workers.
 *
 * @param how  `PIRN_WORKERS_DRAIN` or `PIRN_WORKERS_NOW`, also after the other one
 *
 * Returns 0, or -EINVAL: NULL, or another number. Cost: O(work that has not begun). Any thread.
 * Since 0.1.
 */
int pirn_workers_close(struct pirn_workers *workers, uint32_t how);

/**
 * Have work done by a thread.
 *
 * Work begins in the order in which it was submitted. It keeps `pirn_run` going until `done` is
 * called.
 *
 * @param hub       of the loop that is told when it is done
 * @param work      zero, or done before
 * @param function  runs on one of the threads
 * @param done      called on the loop's thread with the result of the function, or with -ECANCELED
 *                  if that never ran; or NULL
 * @param user      passed to both, never looked at
 *
 * Returns 0, or, with nothing submitted:
 * - -EINVAL: a NULL other than `done`
 * - -EBUSY: the work is live
 * - -EAGAIN: as much work waits as may
 * - -ESHUTDOWN: the workers are closed
 *
 * Cost: O(1); a system call if a thread sleeps. Loop thread. Since 0.1.
 */
int pirn_work_submit(struct pirn_workers *workers,
                     struct pirn_hub *hub,
                     struct pirn_work *work,
                     pirn_work_fn function,
                     pirn_done_fn done,
                     void *user);

/**
 * Have work done by a thread, and wait for it.
 *
 * If the wait ends early because of its limit or cancellation, work that has not begun is
 * withdrawn: it never runs. Work that has begun is waited for, whatever happens: its function can
 * ask `pirn_work_is_cancelled`. So when the wait is over the work is yours, and may be on the
 * stack of a fiber. Do not drop the waiter meanwhile.
 *
 * @param timeout_ns  from the turn's time; `PIRN_FOREVER`: no limit
 *
 * Returns `PIRN_WAITS`: the wait has begun, and ends with 0, and `work->result`; or with
 * -ETIMEDOUT or -ECANCELED: it was withdrawn. Or, with nothing begun, as `pirn_work_submit`, or:
 * - -EAGAIN: also if `timeout_ns` is 0
 * - -EDEADLK: `waiter` is NULL, which `pirn_fiber_self` returns inside a callback
 * - -EBUSY: also if `waiter` waits already
 *
 * Cost: as `pirn_work_submit`. Loop thread. Since 0.1.
 */
int pirn_work_call_start(struct pirn_workers *workers,
                         struct pirn_hub *hub,
                         struct pirn_work *work,
                         pirn_work_fn function,
                         void *user,
                         struct pirn_waiter *waiter,
                         uint64_t timeout_ns);

/**
 * Wait until work is done.
 *
 * @param waiter      who waits; may be NULL if `timeout_ns` is 0
 * @param timeout_ns  from the turn's time; `PIRN_FOREVER`: no limit; 0: only look
 *
 * Returns 0: it is done, or was never submitted; `PIRN_WAITS`: the wait has begun, and ends with
 * 0, -ETIMEDOUT or -ECANCELED. Or, with nothing begun:
 * - -EAGAIN: `timeout_ns` is 0, and it is not done
 * - -EINVAL: `work` is NULL
 * - -EDEADLK: `waiter` is NULL, which `pirn_fiber_self` returns inside a callback
 * - -EBUSY: `waiter` waits already
 *
 * Cost: O(1). Loop thread. Since 0.1.
 */
int pirn_work_wait_start(struct pirn_work *work, struct pirn_waiter *waiter, uint64_t timeout_ns);

/**
 * Cancel work.
 *
 * Returns 0: it has not begun and never runs; `done` is called with -ECANCELED in the next turn.
 * Or
 * - -EBUSY: it runs, or has run. `pirn_work_is_cancelled` is true for its function from now on,
 *   and `done` gets the result of that
 * - -ENOENT: it is not live
 * - -EINVAL: NULL
 *
 * Cost: O(1). Loop thread. Since 0.1.
 */
int pirn_work_cancel(struct pirn_work *work);

/**
 * Return 1 if work that runs was cancelled, else 0: for its function. The thread that runs it.
 * Since 0.1.
 */
int pirn_work_is_cancelled(const struct pirn_work *work);

/* ---- for fibers, and for main where no callback runs ---- */

/**
 * Have work done by a thread, and wait for it. Returns 0, with the result of the function in
 * `*result`, which may be NULL; or an error as pirn_work_call_start: the function never runs then.
 */
static inline int pirn_work_call(struct pirn_workers *workers, struct pirn_hub *hub,
                                 struct pirn_work *work, pirn_work_fn function, void *user,
                                 uint64_t timeout_ns, int *result)
{
    int rc = pirn_fiber_await(hub, pirn_work_call_start(workers, hub, work, function, user,
                                                        pirn_fiber_self(hub), timeout_ns));
    if (rc == 0 && result != NULL)
        *result = work->result;
    return rc;
}

/** Wait until work is done. Its result is in `work->result`. Returns 0, or an error. */
static inline int pirn_work_wait(struct pirn_hub *hub, struct pirn_work *work, uint64_t timeout_ns)
{
    return pirn_fiber_await(hub, pirn_work_wait_start(work, pirn_fiber_self(hub), timeout_ns));
}

#ifdef __cplusplus
}
#endif

#endif /* PIRN_WORK_H */
