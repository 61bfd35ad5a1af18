/*
 * pirn/work.h: work that threads of the application do for a loop. A layer above pirn/wait.h.
 *
 * The layer is part of the same library. A program that does not call it does not link it. Linux
 * only. This is version 0 of the header: anything in it may still change.
 *
 *
 * IN ONE PAGE
 *
 * pirn starts no thread. Your threads call pirn_workers_run, which returns only when the workers
 * are closed, and the loop passes work to them: long computations, and calls of functions that
 * block.
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
 * A fiber that wants the result calls pirn_work_call, which looks like a call of the function
 * itself.
 *
 *
 * CONVENTIONS
 *
 * The conventions of pirn.h and the rules for waits in pirn/wait.h apply. In addition:
 *
 * Once        Submitted work ends in one of two ways: its function has run and `done` is called
 *             with the result, or the function never runs and `done` is called with -ECANCELED.
 *             `done` is called once, on the loop's thread.
 * Order       Work begins in the order in which it was submitted. For urgent work use a second
 *             struct pirn_workers with its own threads.
 * Room        The list of waiting work is linked through the structs, so any amount of work can
 *             wait, unless you set a limit. Finished work returns to the loop in such a list too,
 *             which cannot be full; a burst of it costs one wake-up.
 * Results     You can wait for results in any order. To process an array in parallel, submit all
 *             of the work and then wait for one item after the other.
 * Threads     A function that runs on a worker thread may block, take locks and make system calls.
 *             Of pirn it may call only the functions for any thread.
 * The end     First close the workers, then join the threads, then end the hub.
 * Fork        A child process has no worker threads. Close the workers there with PIRN_WORKERS_NOW:
 *             work that has not begun ends with -ECANCELED. Work that a thread of the parent was
 *             doing never ends in the child: do not wait for it there, and do not end the hub.
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
 * The kind of a wait: for work that is done.
 */
#define PIRN_FOR_WORK 24

/**
 * How to close workers: work that was submitted is still done.
 */
#define PIRN_WORKERS_DRAIN 0

/**
 * How to close workers: work that has not begun is cancelled, and `done` is called with
 * -ECANCELED.
 */
#define PIRN_WORKERS_NOW 1

/**
 * A word that threads wait for. All zero is the value 0.
 */
struct pirn_word {
  uint32_t value_;
};

/**
 * A lock. All zero is a free lock.
 */
struct pirn_lock {
  struct pirn_word word_;
};

/**
 * The function of the work, called on a worker thread. It may block. Of this library it may call
 * only the functions for any thread. Its result is passed to `done`. It must not be left by an
 * exception or longjmp.
 */
typedef int (*pirn_work_fn)(struct pirn_work *work, void *user);

/**
 * Called once for submitted work, on the loop's thread. `work` belongs to you again: you may
 * submit it again or free it. It must not be left by an exception or longjmp.
 */
typedef void (*pirn_done_fn)(struct pirn_hub *hub, struct pirn_work *work, int result, void *user);

/**
 * A piece of work. Zero it before you submit it for the first time. From submitting it until
 * `done` is called, it belongs to the library, and you must not move it.
 */
struct pirn_work {
  struct pirn_remote remote_;
  struct pirn_waiters waiters_;
  struct pirn_hub *hub_;
  pirn_work_fn function_;
  pirn_done_fn done_;
  /**
   * Passed to the functions, never dereferenced. Read only.
   */
  void *user;
  struct pirn_work *next_;
  struct pirn_work *previous_;
  struct pirn_workers *workers_;
  /**
   * The result of the function; -ECANCELED if the function never ran. Read it when the work is
   * done.
   */
  int result;
  uint32_t state_;
  uint32_t is_cancelled_;
  uint32_t reserved_;
};

/**
 * The queue of work for threads of the application. Initialise it with `pirn_workers_init`. It
 * belongs to you; do not move it until all threads have returned.
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
 * Initialise workers. They have no thread until one calls `pirn_workers_run`.
 *
 * @param most_waiting  the largest amount of work that can wait for a thread; 0: no limit
 *
 * Returns 0, or -EINVAL: `workers` is NULL. Cost: O(1). Any thread. Since 0.1.
 */
int pirn_workers_init(struct pirn_workers *workers, uint32_t most_waiting);

/**
 * Do work on the calling thread, until the workers are closed and no work is left.
 *
 * Any number of threads may call this. They sleep while there is no work.
 *
 * Returns 0 when the workers are closed, or -EINVAL: `workers` is NULL. Any thread except the
 * loop's. Since 0.1.
 */
int pirn_workers_run(struct pirn_workers *workers);

/**
 * Close workers: no more work can be submitted, and the threads return from `pirn_workers_run`.
 *
 * Join the threads before you end the hub or reuse the memory of the workers.
 *
 * @param how  `PIRN_WORKERS_DRAIN` or `PIRN_WORKERS_NOW`; you may call this again with the other
 *             one
 *
 * Returns 0, or -EINVAL: `workers` is NULL, or another `how`. Cost: O(work that has not begun).
 * Any thread. Since 0.1.
 */
int pirn_workers_close(struct pirn_workers *workers, uint32_t how);

/**
 * Submit work to be done on a worker thread.
 *
 * Work begins in the order in which it was submitted. It keeps `pirn_run` going until `done` is
 * called.
 *
 * @param hub       the hub of the loop on which `done` is called
 * @param work      a zeroed struct, or one whose work is done
 * @param function  called on one of the worker threads
 * @param done      called on the loop's thread with the result of the function, or with -ECANCELED
 *                  if the function never ran; may be NULL
 * @param user      passed to both functions, never dereferenced
 *
 * Returns 0, or an error, and then nothing was submitted:
 * - -EINVAL: an argument other than `done` is NULL
 * - -EBUSY: the work was submitted before and is not done
 * - -EAGAIN: the largest permitted amount of work is already waiting
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
 * Submit work, and begin a wait for its end.
 *
 * If the wait ends early, by its timeout or by cancellation, work that has not begun is withdrawn:
 * it never runs. Work that has begun is always waited for; its function can call
 * `pirn_work_is_cancelled` to end early. So the work is no longer in use when the wait is over,
 * and may live on the stack of a fiber. Do not drop the waiter during the wait.
 *
 * @param timeout_ns  from the turn's time; `PIRN_FOREVER`: no limit
 *
 * Returns `PIRN_WAITS`: the wait has begun. It ends with 0 if the work is done (its result is in
 * `work->result`), and with -ETIMEDOUT or -ECANCELED if the work was withdrawn. Or returns an
 * error as `pirn_work_submit`, and then nothing has begun; or:
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
 * Begin a wait until work is done.
 *
 * @param waiter      the waiter; may be NULL if `timeout_ns` is 0
 * @param timeout_ns  from the turn's time; `PIRN_FOREVER`: no limit; 0: do not wait
 *
 * Returns 0 if the work is done or was never submitted, or `PIRN_WAITS` if the wait has begun; it
 * then ends with 0, -ETIMEDOUT or -ECANCELED. Or returns an error, and then no wait has begun:
 * - -EAGAIN: `timeout_ns` is 0, and the work is not done
 * - -EINVAL: `work` is NULL
 * - -EDEADLK: `waiter` is NULL, which `pirn_fiber_self` returns inside a callback
 * - -EBUSY: `waiter` is already waiting
 *
 * Cost: O(1). Loop thread. Since 0.1.
 */
int pirn_work_wait_start(struct pirn_work *work, struct pirn_waiter *waiter, uint64_t timeout_ns);

/**
 * Cancel work.
 *
 * Returns 0 if the work has not begun: its function is never called, and `done` is called with
 * -ECANCELED in the next turn. Or
 * - -EBUSY: the function is running or has run. From now on `pirn_work_is_cancelled` returns 1 to
 *   it, and `done` is called with its result
 * - -ENOENT: the work was not submitted, or is done
 * - -EINVAL: `work` is NULL
 *
 * Cost: O(1). Loop thread. Since 0.1.
 */
int pirn_work_cancel(struct pirn_work *work);

/**
 * Return 1 if the work was cancelled, otherwise 0. To be called by the function of the work, on
 * the thread that runs it. Since 0.1.
 */
int pirn_work_is_cancelled(const struct pirn_work *work);

/* ---- for fibers, and for main where no callback runs ---- */

/**
 * Run a function on a worker thread, and wait for its result. Returns 0 and writes the result of
 * the function to `*result`, unless `result` is NULL. Or returns an error as pirn_work_call_start:
 * the function then never runs.
 */
static inline int pirn_work_call(struct pirn_workers *workers, struct pirn_hub *hub,
                                 struct pirn_work *work, pirn_work_fn function, void *user,
                                 uint64_t timeout_ns, int *result)
{
    int rc = pirn_fiber_await_(hub, pirn_work_call_start(workers, hub, work, function, user,
                                                         pirn_fiber_self_(hub), timeout_ns));
    if (rc == 0 && result != NULL)
        *result = work->result;
    return rc;
}

/**
 * Wait until work is done. Returns 0, with the result in `work->result`, or an error as
 * pirn_work_wait_start.
 */
static inline int pirn_work_wait(struct pirn_hub *hub, struct pirn_work *work, uint64_t timeout_ns)
{
    return pirn_fiber_await_(hub, pirn_work_wait_start(work, pirn_fiber_self_(hub), timeout_ns));
}

#ifdef __cplusplus
}
#endif

#endif /* PIRN_WORK_H */
