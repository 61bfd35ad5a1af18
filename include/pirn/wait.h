/*
 * pirn/wait.h: waiting, as a layer above pirn.h.
 *
 * Generated from crates/wait by `cargo build --features header`. Do not edit.
 *
 * The layer is in the same library. A program that does not call it does not contain it. Version 0
 * of this header: nothing in it is frozen yet.
 *
 *
 * IN ONE PAGE
 *
 * A wait is begun by a function whose name ends in _start, on behalf of a waiter, and is over when
 * the waiter's `wake` is called. What is waited for can be an fd (struct pirn_port, here), an
 * object of pirn/sync.h, or the end of a fiber (pirn/fiber.h). Fibers have a waiter of their own,
 * and functions that look as if they blocked: most programs need pirn/fiber.h only. A callback
 * program waits like this, for input on fd 0 and for five seconds at most:
 *
 *     static PIRN_STORAGE(block, 8, 8, 8);
 *     static struct pirn_hub hub;                           what a loop needs for waits
 *     static struct pirn_port input;                        an fd that somebody waits for
 *     static struct pirn_waiter reader;                     the one who waits
 *
 *     static void on_input(struct pirn_hub *hub_, struct pirn_waiter *waiter, int result)
 *     {
 *         char line[256];
 *         if (result < 0 || read(input.fd, line, sizeof line) <= 0) {
 *             pirn_port_close(&input);                      too late, or the end of the input
 *             return;
 *         }
 *         pirn_port_wait_start(&input, waiter, PIRN_READ, 5000000000u);
 *     }
 *
 *     int main(void)
 *     {
 *         struct pirn_loop *loop;
 *         if (pirn_init(&loop, block, sizeof block, NULL) < 0 ||
 *             pirn_hub_init(loop, &hub, 63) < 0 ||
 *             pirn_port_open(&hub, &input, 0, PIRN_PORT_BLOCKING) < 0)
 *             return 1;
 *         pirn_waiter_init(&hub, &reader, on_input, NULL);
 *         pirn_port_wait_start(&input, &reader, PIRN_READ, 5000000000u);
 *         pirn_run(loop);
 *         pirn_hub_deinit(&hub);
 *         return pirn_deinit(loop);
 *     }
 *
 *
 * THE RULES OF EVERY WAIT
 *
 * They hold for every object of this layer and of those above it. No object has rules of its own.
 *
 *  1. A wait ends exactly once, with exactly one result.
 *  2. Handed over, not woken to try again. The unit, the lock or the item that is released belongs
 *     to the first waiter from that moment on, before the waiter runs. So nobody overtakes, and an
 *     attempt without waiting fails while somebody waits.
 *  3. First come, first served. A first waiter that wants more than there is holds back those
 *     behind it.
 *  4. What was granted stays granted. A waiter that is cancelled, or whose time is over, after the
 *     grant and before it runs, gets its grant. The cancellation stands for its next wait.
 *  5. When a waiter leaves by time, cancellation or drop, the object serves those behind it.
 *  6. pirn_waiter_drop undoes a grant: units go back and are served on, a lock passes on, an item
 *     goes back to the front of its queue.
 *  7. A time limit of 0 never waits: -EAGAIN if it would have to. PIRN_FOREVER has no limit. Limits
 *     count from the turn's time (pirn_now). Only sleeping counts from a fresh reading.
 *  8. A wait needs no memory but the waiter's, and no slot of the loop, so none is refused for want
 *     of room.
 *  9. What has arrived wins over the clock: a limit ends the wait for an fd only after the kernel
 *     was asked once more.
 * 10. `wake` is called by the loop, never inside the call that ended the wait. Waiters are called
 *     in the order in which their waits ended, except that the first waiter for an fd is called
 *     directly when the fd becomes ready. The loop calls the hub as a task. That call calls all
 *     waiters that are ready when it begins and at most 64 that become ready meanwhile; then the
 *     loop asks the kernel again. A waiter that is woken outside of such a call, by a callback of
 *     the program or by its time limit, is called in the next turn, which does not sleep.
 * 11. A wait with a time limit keeps pirn_run going. One without does not: what could end it does,
 *     such as an open port.
 * 12. All of this belongs to the loop's thread, except for pirn_remote_push.
 *
 * Results of a wait:
 *
 * 0 or more    it is done: the bits that are ready, an index, a count
 * -EAGAIN      the time limit is 0, and it would have to wait
 * -ETIMEDOUT   its own time limit is over
 * -ECANCELED   the waiter was cancelled, the limit of a scope around it is over, or what it waited
 *              for was closed
 * -ESHUTDOWN   what it waits for is closed for good
 * -EDEADLK     nobody can wait here (a callback), or the waiter would wait for itself
 * -EBUSY       the waiter waits already
 * -EINVAL      a NULL, an object of another loop, or a bad argument
 * -EUCLEAN     the stack of a fiber has overflowed: no wait can begin any more
 *
 *
 * CONVENTIONS
 *
 * Those of pirn.h, and:
 *
 * Memory      Hub, waiters, ports and objects are structs of yours, which stay where they are while
 *             they are in use. Fields whose names end in _ are the library's.
 * Hub         One for each loop. It takes an I/O slot, a timer slot and a bit of pirn_raise.
 *             Functions find the hub by the port, the waiter or the fiber.
 * Taking      A program that takes events with pirn_take calls pirn_hub_handle for each of them
 *             first. The events of ports, time limits and ready waiters are handled there.
 * Growing     pirn_grow changes nothing here: the loop keeps its address, and the hub its handles.
 * Ending      pirn_hub_deinit before pirn_deinit. It refuses with -EBUSY while somebody waits, a
 *             port is open or a fiber lives. pirn_deinit alone would leave them in memory, and they
 *             would never be called.
 * Fork        Hubs, waiters and ports are plain memory. In the child pirn_after_fork makes them
 *             work again, on the child's own loop. A fiber that forks cannot call it, because it
 *             runs inside the loop: call _exit or exec in its child.
 * Checking    pirn_hub_verify walks the lists, as pirn_verify does with those of the loop.
 *
 *
 * BUILDING OBJECTS
 *
 * An object that can be waited for is a struct with a list of waiters (struct pirn_waiters) and a
 * kind (struct pirn_wait_kind). Its _start function either succeeds at once, or calls
 * pirn_waiter_begin. A function `serve` of its own calls pirn_waiter_grant for as many waiters from
 * the front of the list as can be served. It is called after every change: by release, put and
 * close, and by the kind's `leave`. There is no other place that grants. A counter of units:
 *
 *     struct units { struct pirn_waiters waiters; int count; };
 *
 *     static void serve(struct units *units)
 *     {
 *         while (units->count > 0 && pirn_waiters_first(&units->waiters)) {
 *             units->count--;
 *             pirn_waiter_grant(pirn_waiters_first(&units->waiters), 0);
 *         }
 *     }
 *
 *     static void leave(struct pirn_waiter *waiter)
 *     {
 *         serve(pirn_waiter_object(waiter));
 *     }
 *
 *     static void undo(struct pirn_waiter *waiter, int result)
 *     {
 *         struct units *units = pirn_waiter_object(waiter);
 *         units->count++;
 *         serve(units);
 *     }
 *
 *     static const struct pirn_wait_kind kind = { 100, 0, NULL, leave, NULL, undo };
 *
 *     int acquire_start(struct units *units, struct pirn_waiter *waiter, uint64_t timeout_ns)
 *     {
 *         int rc = pirn_waiter_check(waiter, timeout_ns);
 *         if (rc != 0)
 *             return rc;
 *         if (units->count > 0 && !pirn_waiters_first(&units->waiters)) {
 *             units->count--;
 *             return 0;
 *         }
 *         return pirn_waiter_begin(waiter, &units->waiters, &kind, units, 1, timeout_ns);
 *     }
 */
#ifndef PIRN_WAIT_H
#define PIRN_WAIT_H

#include <stddef.h>
#include <stdint.h>

#include <pirn.h>

struct pirn_hub;
struct pirn_waiter;
struct pirn_held;
struct pirn_remote;

#ifdef __cplusplus
extern "C" {
#endif

/* ============================ Waiters ============================ */

/**
 * Returned by a function whose name ends in `_start` when the wait has begun: the waiter's `wake`
 * will be called.
 *
 * Any other value of 0 or more is the result of a wait that was over at once; `wake` is then not
 * called. A negative errno means that nothing has begun.
 */
#define PIRN_WAITS (1 << 30)

/**
 * What is waited for: nothing but `pirn_waiter_wake`.
 */
#define PIRN_FOR_WAKE 1u

/**
 * The neighbours in a ring. All zero: in no ring.
 */
struct pirn_links {
  struct pirn_links *next_;
  struct pirn_links *previous_;
};

/**
 * Called when a wait is over.
 *
 * `result` is the result of the wait: 0 or more, -ETIMEDOUT, -ECANCELED, or an error of the
 * object. The waiter is idle again: it may begin its next wait, or be gone when this returns. Runs
 * on the loop's thread, never inside another call of the library. Must not unwind or longjmp out.
 */
typedef void (*pirn_wake_fn)(struct pirn_hub *hub, struct pirn_waiter *waiter, int result);

/**
 * Called when the owner of a held thing has ended. `held` has no owner any more.
 */
typedef void (*pirn_abandon_fn)(struct pirn_held *held);

/**
 * The part of an object that a waiter can own. All zero is one that nobody owns. For those who
 * build objects.
 *
 * When a fiber ends, `abandon` is called for each thing that its waiter still owns: pass it on.
 */
struct pirn_held {
  struct pirn_waiter *owner_;
  struct pirn_held *next_;
  struct pirn_held *previous_;
  pirn_abandon_fn abandon_;
};

/**
 * What a waiter keeps for the heap of deadlines.
 */
struct pirn_heap_links {
  struct pirn_waiter *child_;
  struct pirn_waiter *next_;
  struct pirn_waiter *previous_;
  uint64_t at_ns_;
};

/**
 * One who waits. Prepare it with `pirn_waiter_init`. It is yours, and must stay where it is while
 * it waits. Use the fields whose names end in `_` only through functions.
 */
struct pirn_waiter {
  struct pirn_links links_;
  /**
   * Called when a wait is over.
   */
  pirn_wake_fn wake;
  /**
   * Yours, never looked at.
   */
  void *user;
  size_t word_;
  size_t extra_;
  struct pirn_hub *hub_;
  void *object_;
  struct pirn_wait_kind *kind_;
  struct pirn_held *held_;
  struct pirn_heap_links heap_;
  uint64_t deadline_ns_;
  uint64_t bound_ns_;
  int result_;
  uint32_t state_;
};

/**
 * A list of waiters. All zero is an empty one. It must stay where it is while a waiter is in it.
 */
struct pirn_waiters {
  struct pirn_links ends_;
};

/**
 * The waiters that have a time limit. All zero is an empty heap.
 */
struct pirn_deadlines {
  struct pirn_waiter *root_;
};

/**
 * Prepare a waiter.
 *
 * @param hub   where it waits
 * @param wake  called when a wait is over
 * @param user  yours: `waiter->user`
 *
 * Returns 0, or -EINVAL: a NULL. A waiter that waits must not be prepared again. Cost: O(1). Loop
 * thread. Since 0.1.
 */
int pirn_waiter_init(struct pirn_hub *hub,
                     struct pirn_waiter *waiter,
                     pirn_wake_fn wake,
                     void *user);

/**
 * End a wait early, whatever it is for: it ends with `result`.
 *
 * What was granted stays granted: a wait that is over keeps its result, even if `wake` has not
 * been called yet.
 *
 * @param result  a negative errno, usually -ECANCELED
 *
 * Returns 0, or
 * - -EINVAL: NULL, or `result` is not negative
 * - -ENOENT: it does not wait
 * - -EALREADY: the wait is over, or a condition's waiter is taking its mutex back
 *
 * Cost: O(1), and what the object does for those behind. Loop thread. Since 0.1.
 */
int pirn_waiter_cancel(struct pirn_waiter *waiter, int result);

/**
 * Forget a wait.
 *
 * `wake` is never called, and what had been granted already is given back. Afterwards the memory
 * of the waiter is yours.
 *
 * Returns 0, also if it does not wait, or -EINVAL: NULL, or never initialised. Cost: O(1), and
 * what the object does for those behind. Loop thread. Since 0.1.
 */
int pirn_waiter_drop(struct pirn_waiter *waiter);

/**
 * Return 1 from the beginning of a wait until `wake` is called, and 0 otherwise; -EINVAL for NULL.
 * Loop thread. Since 0.1.
 */
int pirn_waiter_is_waiting(const struct pirn_waiter *waiter);

/**
 * Begin to wait for nothing but `pirn_waiter_wake`: the way to wait for any callback.
 *
 * @param timeout_ns  from the turn's time; `PIRN_FOREVER`: no limit; 0: -EAGAIN
 *
 * Returns `PIRN_WAITS`, or
 * - -EDEADLK: `waiter` is NULL
 * - -EINVAL: it was never initialised
 * - -EBUSY: it waits already
 * - -EUCLEAN: the stack of a fiber has overflowed
 *
 * Cost: O(1). Loop thread. Since 0.1.
 */
int pirn_park_start(struct pirn_waiter *waiter, uint64_t timeout_ns);

/**
 * End the wait of a waiter that is parked.
 *
 * @param result  of the wait
 *
 * Returns 0, or
 * - -EINVAL: NULL, or never initialised
 * - -ENOENT: it is not parked
 *
 * Cost: O(1). Loop thread. Since 0.1.
 */
int pirn_waiter_wake(struct pirn_waiter *waiter, int result);

/* ============================ Hubs ============================ */

/**
 * The stack. All zero is an empty one.
 */
struct pirn_remotes {
  struct pirn_remote * top_;
};

/**
 * What a loop needs so that programs can wait in it: one for each loop. Prepare it with
 * `pirn_hub_init`. It is yours, and must stay where it is until `pirn_hub_deinit`.
 */
struct pirn_hub {
  struct pirn_loop *event_loop_;
  struct pirn_waiters ready_;
  struct pirn_deadlines deadlines_;
  struct pirn_timer timer_;
  struct pirn_io bit_handler_;
  struct pirn_task task_;
  struct pirn_remotes remotes_;
  uint64_t timer_at_ns_;
  struct pirn_waiter main_;
  void *running_;
  size_t stack_;
  void *fibers_;
  const void *hooks_;
  uint32_t bit_;
  uint32_t waits_;
  uint32_t timed_;
  uint32_t ports_;
  uint32_t is_called_;
  uint32_t half_;
  uint32_t is_due_;
  uint32_t is_broken_;
};

/**
 * Called on the loop's thread for what was pushed. It may be pushed again from the beginning of
 * the call on, which then makes another call.
 */
typedef void (*pirn_remote_fn)(struct pirn_hub *hub, struct pirn_remote *remote);

/**
 * The part of an object by which other threads reach its loop. All zero is one that is not pushed.
 * For those who build objects.
 */
struct pirn_remote {
  struct pirn_remote * next_;
  pirn_remote_fn run_;
  uint32_t is_pushed_;
};

/**
 * Prepare a hub for a loop.
 *
 * Takes one I/O slot and one timer slot of the loop until `pirn_hub_deinit`. No wait needs a slot
 * of its own, so no wait is ever refused for want of room.
 *
 * @param bit  a bit of `pirn_raise` that the program does not use, 0 to 63
 *
 * Returns 0, or
 * - -EINVAL: no live loop, `hub` is NULL, or `bit` is above 63
 * - -EEXIST: the bit has a handler
 * - -ENOSPC: no I/O slot or no timer slot is free
 *
 * Cost: O(1), no system call. Loop thread. Since 0.1.
 */
int pirn_hub_init(struct pirn_loop *loop, struct pirn_hub *hub, uint32_t bit);

/**
 * End a hub, and give its slots back to the loop.
 *
 * Call it before `pirn_deinit`. To end a program early, cancel its fibers and run the loop until
 * they have ended.
 *
 * Returns 0, or
 * - -EINVAL: NULL
 * - -EBUSY: a waiter waits or has been woken and not been called yet, a port is open, a fiber
 *   lives, another thread has just set something, or the hub is calling somebody. Nothing has
 *   changed. Not after the stack of a fiber has overflowed.
 *
 * Cost: O(1), no system call. Loop thread. Since 0.1.
 */
int pirn_hub_deinit(struct pirn_hub *hub);

/**
 * Return the loop of a hub; NULL for NULL. Any thread. Since 0.1.
 */
struct pirn_loop *pirn_hub_loop(const struct pirn_hub *hub);

/**
 * Handle an event that `pirn_take` has handed over, if it belongs to this layer.
 *
 * A program that takes events as data calls this first for each of them. The hub's own event calls
 * all waiters that are ready: each of them is called as in a dispatch.
 *
 * Returns 1: it was the layer's, and has been handled; 0: it is the program's; or
 * - -EINVAL: a NULL
 * - -EBUSY: called in a fiber
 *
 * An event of a port that was closed by the handler of an earlier one counts as handled, and does
 * nothing. Cost: that of the waiters that are called. Loop thread. Since 0.1.
 */
int pirn_hub_handle(struct pirn_hub *hub, const struct pirn_due *due);

/**
 * Check the lists of a hub, as `pirn_verify` checks a loop.
 *
 * Returns 0, or
 * - -EINVAL: NULL
 * - -EUCLEAN: a list or the heap of deadlines is damaged, or the stack of a fiber has overflowed
 *
 * Cost: O(waiters that are ready or have a time limit). Loop thread. Since 0.1.
 */
int pirn_hub_verify(const struct pirn_hub *hub);

/* ============================ Ports ============================ */

/**
 * Option of `pirn_port_open`: the fd blocks, and stays so. Reading and writing then wait before
 * they try, because an attempt that finds nothing would block the loop. For a terminal that the
 * shell uses too.
 */
#define PIRN_PORT_BLOCKING (1u << 24)

/**
 * What is waited for: an fd.
 */
#define PIRN_FOR_PORT 2u

/**
 * An fd, and those who wait for it. Open it with `pirn_port_open`. It is yours, and must stay
 * where it is while it is open. Only `fd` may be read.
 */
struct pirn_port {
  struct pirn_hub *hub_;
  struct pirn_waiters waiters_;
  struct pirn_io io_;
  /**
   * The fd, which stays yours.
   */
  int fd;
  uint32_t watched_;
  uint32_t last_;
  uint32_t flags_;
};

/**
 * Open a port for an fd.
 *
 * Takes one I/O slot of the loop, and sets `O_NONBLOCK` on the fd unless `options` has
 * `PIRN_PORT_BLOCKING`. The fd stays yours: close it after `pirn_port_close`. An open port keeps
 * `pirn_run` going.
 *
 * The kernel is asked to watch the fd when somebody waits for it, and asked to stop only when the
 * fd becomes ready and nobody waits. A program that reads, works and reads again makes no system
 * call for its waits.
 *
 * @param options  `PIRN_HIGH` or `PIRN_LOW`, `PIRN_UNREF`, `PIRN_PORT_BLOCKING`, or 0
 *
 * Returns 0, or
 * - -EINVAL: a NULL, or other options
 * - what `pirn_io_add` returns: -EBADF, -EEXIST, -ENOSPC and so on
 * - what the kernel says about `O_NONBLOCK`
 *
 * Cost: as `pirn_io_add`, and one or two system calls. Loop thread. Since 0.1.
 */
int pirn_port_open(struct pirn_hub *hub, struct pirn_port *port, int fd, uint32_t options);

/**
 * Close a port.
 *
 * Everybody who waits for it gets -ECANCELED. So does a waiter that was told that the fd is ready
 * and has not been called yet. The fd stays open: close it now.
 *
 * Returns 0, or
 * - -EINVAL: NULL
 * - -ENOENT: it is closed
 * - -ECHILD: as `pirn_io_remove`
 *
 * Cost: O(waiters of the port and ready ones), and as `pirn_io_remove`. Loop thread. Since 0.1.
 */
int pirn_port_close(struct pirn_port *port);

/**
 * Begin to wait until an fd is ready.
 *
 * Any number may wait for one port, for reading and for writing at once. One event wakes the first
 * that waits for reading and the first that waits for writing; errors and hang-ups wake all.
 * Readiness is a hint: read or write, and wait again if that returns -EAGAIN.
 *
 * @param interest    `PIRN_READ`, `PIRN_WRITE` or both
 * @param timeout_ns  from the turn's time; `PIRN_FOREVER`: no limit; 0: -EAGAIN
 *
 * Returns `PIRN_WAITS`, or
 * - -EDEADLK: `waiter` is NULL
 * - -EINVAL: `port` is NULL, other bits, or the waiter belongs to another hub
 * - -EBUSY: the waiter waits already
 * - -ENOENT: the port is closed
 * - -EUCLEAN: the stack of a fiber has overflowed
 *
 * The wait ends with the bits that are ready (more than 0), or
 * - -EBADF: the fd was closed while it was watched
 * - -ETIMEDOUT: only after the kernel was asked once more, so an fd that is ready wins
 * - -ECANCELED: the waiter was cancelled, or the port was closed
 *
 * Cost: O(1). Loop thread. Since 0.1.
 */
int pirn_port_wait_start(struct pirn_port *port,
                         struct pirn_waiter *waiter,
                         uint32_t interest,
                         uint64_t timeout_ns);

/* ============================ For those who build objects ============================ */

/**
 * Flag of a kind: a time limit ends the wait only after the loop has asked the kernel once more,
 * so that what has arrived wins over the clock.
 */
#define PIRN_WAIT_LATE (1u << 0)

/**
 * Flag of a kind: neither cancellation nor time ends the wait.
 */
#define PIRN_WAIT_FIRM (1u << 1)

/**
 * What an object does about its waiters. For those who build objects: see "Building objects".
 */
struct pirn_wait_kind {
  /**
   * The number of the kind, as `pirn_fiber_info` reports it: `PIRN_FOR_PORT` and so on.
   */
  uint32_t number;
  /**
   * `PIRN_WAIT_LATE`, `PIRN_WAIT_FIRM`, or 0.
   */
  uint32_t flags;
  /**
   * Called when time or cancellation is about to end a wait. Return 0 to let the wait end with
   * `result`. Return 1 to keep the waiter waiting: the function has then moved it to another
   * list (`pirn_waiter_move`). May be NULL.
   */
  int (*quit)(struct pirn_waiter *waiter, int result);
  /**
   * Called when a waiter has left the object's list without a grant: serve those behind it. May
   * be NULL.
   */
  void (*leave)(struct pirn_waiter *waiter);
  /**
   * Called directly before `wake` of a waiter to which `pirn_waiter_grant` has given `result`:
   * hand over now what was only promised until then. Returns the result that `wake` is called
   * with. May be NULL.
   */
  int (*take)(struct pirn_waiter *waiter, int result);
  /**
   * Called when a waiter to which `pirn_waiter_grant` has given `result` is dropped before its
   * `wake` was called: take back what was granted. May be NULL.
   */
  void (*undo)(struct pirn_waiter *waiter, int result);
};

/**
 * Look at a waiter before the object changes anything.
 *
 * An object that does more than to add a waiter to its list calls this first, and returns what it
 * returns unless that is 0.
 *
 * Returns 0: the object may go on, and call `pirn_waiter_begin` or return a result; `PIRN_WAITS`:
 * the waiter is cancelled, so its wait is over already; or
 * - -EDEADLK: `waiter` is NULL, and `timeout_ns` is not 0: it can only try
 * - -EINVAL: it was never initialised
 * - -EBUSY: it waits already
 * - -EUCLEAN: the stack of a fiber has overflowed
 *
 * Cost: O(1). Loop thread. Since 0.1.
 */
int pirn_waiter_check(const struct pirn_waiter *waiter, uint64_t timeout_ns);

/**
 * Begin a wait.
 *
 * @param list        the object's list of waiters, or NULL: the waiter is in none
 * @param kind        what the object does about its waiters; lives as long as the program
 * @param object      passed to the functions of the kind
 * @param word        what the object keeps for this wait, such as a number of units
 * @param timeout_ns  from the turn's time; `PIRN_FOREVER`: no limit; 0: -EAGAIN
 *
 * Returns `PIRN_WAITS`, or
 * - -EAGAIN: `timeout_ns` is 0
 * - -EINVAL: `kind` is NULL, or waiters of another hub are in the list
 * - what `pirn_waiter_check` returns
 *
 * Cost: O(1); with a time limit O(log waiters) amortised. Loop thread. Since 0.1.
 */
int pirn_waiter_begin(const struct pirn_waiter *waiter,
                      const struct pirn_waiters *list,
                      const struct pirn_wait_kind *kind,
                      void *object,
                      size_t word,
                      uint64_t timeout_ns);

/**
 * Grant what a waiter waits for: its wait ends with `result`.
 *
 * From this moment on it belongs to the waiter. Only `pirn_waiter_drop` takes it back, by the
 * kind's `undo`. An object that ends a wait with an error of its own (-ESHUTDOWN) calls this too.
 *
 * Cost: O(1). Loop thread. Since 0.1.
 */
void pirn_waiter_grant(const struct pirn_waiter *waiter, int result);

/**
 * Have a waiter wait for something else, behind all that wait for it, without a time limit.
 *
 * A condition does this with a waiter that has to take its mutex back.
 *
 * Cost: O(1). Loop thread. Since 0.1.
 */
void pirn_waiter_move(const struct pirn_waiter *waiter,
                      const struct pirn_waiters *list,
                      const struct pirn_wait_kind *kind,
                      void *object);

/**
 * End the life of a waiter: forget its wait as `pirn_waiter_drop` does, and pass on what it still
 * holds (`struct pirn_held`). A fiber that ends does this.
 *
 * Cost: O(what it holds). Loop thread. Since 0.1.
 */
void pirn_waiter_end(const struct pirn_waiter *waiter);

/**
 * Have the loop call `run` with `remote`, from another thread, a signal handler or an interrupt.
 *
 * Cannot be refused. Several calls before the loop runs are one. `remote` must stay where it is
 * until the loop has called `run`.
 *
 * Cost: O(1); a system call if the loop waits for the kernel. Any thread. Since 0.1.
 */
void pirn_remote_push(const struct pirn_hub *hub,
                      const struct pirn_remote *remote,
                      pirn_remote_fn run);

/**
 * Return the waiter that was added to a list first, or NULL. Cost: O(1). Loop thread. Since 0.1.
 */
static inline struct pirn_waiter *pirn_waiters_first(const struct pirn_waiters *list)
{
    return (struct pirn_waiter *)list->ends_.next_;
}

/**
 * Return the `object` that `pirn_waiter_begin` was called with. Cost: O(1). Loop thread. Since 0.1.
 */
static inline void *pirn_waiter_object(const struct pirn_waiter *waiter)
{
    return waiter->object_;
}

/**
 * Return the `word` that `pirn_waiter_begin` was called with. Cost: O(1). Loop thread. Since 0.1.
 */
static inline size_t pirn_waiter_word(const struct pirn_waiter *waiter)
{
    return waiter->word_;
}

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* PIRN_WAIT_H */
