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
 * A function whose name ends in _start begins a wait for a waiter. When the wait is over, the
 * waiter's `wake` is called. A waiter waits for an fd (struct pirn_port, in this header), for an
 * object of pirn/sync.h, or for the end of a fiber (pirn/fiber.h). Fibers have a waiter of their
 * own, and functions that seem to block: most programs need pirn/fiber.h only. A program of
 * callbacks waits for input on fd 0, and for five seconds at most, like this:
 *
 *     static PIRN_STORAGE(block, 8, 8, 8);
 *     static struct pirn_hub hub;                           needed once for each loop
 *     static struct pirn_port input;                        an fd to wait for
 *     static struct pirn_waiter reader;                     has the callback
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
 *  2. A unit, a lock or an item that is released is handed over: it belongs to the first waiter at
 *     once, before that waiter runs. So no waiter overtakes another, and a call with a time limit
 *     of 0 fails while there are waiters.
 *  3. First come, first served. If the first waiter wants more than there is, the waiters behind it
 *     wait too.
 *  4. What was granted stays granted. If a waiter is cancelled, or its time limit passes, between
 *     the grant and the call of `wake`, the wait still ends with the grant. The cancellation ends
 *     the next wait.
 *  5. When a waiter leaves by time, cancellation or drop, the object serves the waiters behind it.
 *  6. pirn_waiter_drop undoes a grant: units or a lock go to the next waiter, and an item goes back
 *     to the front of its queue.
 *  7. A call with a time limit of 0 never waits: it returns -EAGAIN instead. PIRN_FOREVER is no
 *     limit. Limits count from the turn's time (pirn_now); only sleeping counts from a fresh
 *     reading of the clock.
 *  8. A wait needs no memory but the waiter's, and no slot of the loop, so no wait is refused
 *     because something is full.
 *  9. A time limit ends the wait for an fd only after the kernel was asked once more. If the fd is
 *     ready then, the wait ends with that.
 * 10. `wake` is called by the loop, never inside the call that ended the wait. Waiters are called
 *     in the order in which their waits ended, except that the first waiter for an fd is called
 *     directly when the fd becomes ready. The loop calls the hub as a task. That call calls all
 *     waiters that are ready when it begins and at most 64 that become ready meanwhile; then the
 *     loop asks the kernel again. A waiter that is woken outside of such a call, by a callback of
 *     the program or by its time limit, is called in the next turn, which does not sleep.
 * 11. A wait with a time limit keeps pirn_run going. A wait without a limit does not; an open port
 *     does.
 * 12. All of this belongs to the loop's thread, except for pirn_remote_push.
 *
 * Results of a wait:
 *
 * 0 or more    success: the bits that are ready, an index, or a count
 * -EAGAIN      the time limit is 0, and the call would have to wait
 * -ETIMEDOUT   the time limit of the call has passed
 * -ECANCELED   the waiter was cancelled, the limit of a scope around the call has passed, or the
 *              port was closed
 * -ESHUTDOWN   the object is closed for good
 * -EDEADLK     a callback cannot wait, or the waiter would wait for itself
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
 * Hub         Each loop has one. It takes an I/O slot, a timer slot and a bit of pirn_raise. Ports,
 *             waiters and fibers know their hub.
 * Taking      A program that takes events with pirn_take calls pirn_hub_handle for each of them
 *             first. The events of ports, time limits and ready waiters are handled there.
 * Growing     pirn_grow changes nothing here: the loop keeps its address, and the hub its handles.
 * Ending      Call pirn_hub_deinit before pirn_deinit, and before pirn_task_reclaim, which would
 *             return the hub's task. It returns -EBUSY while a waiter waits, a port is open or a
 *             fiber lives: pirn_deinit would end the loop, and they would never be called.
 * Fork        Hubs, waiters and ports are plain memory. In the child pirn_after_fork makes them
 *             work with the child's copy of the loop. A fiber that forks must not call it, because
 *             it runs inside the loop: call _exit or exec in its child.
 * Checking    pirn_hub_verify walks the lists, as pirn_verify does with those of the loop.
 *
 *
 * BUILDING OBJECTS
 *
 * An object that can be waited for is a struct with a list of waiters (struct pirn_waiters) and a
 * kind (struct pirn_wait_kind). Its _start function either succeeds at once, or calls
 * pirn_waiter_begin. A function `serve` of the object calls pirn_waiter_grant for as many waiters
 * from the front of the list as can be served. Every function that changes the object calls
 * `serve`: release, put, close, and the kind's `leave`. No other function grants. A counter of
 * units:
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
 * What a waiter waits for: `pirn_waiter_wake`.
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
 * object. The waiter is idle again: this function may begin its next wait, or reuse its memory.
 * Runs on the loop's thread, never inside another call of the library. Must not unwind or longjmp
 * out.
 */
typedef void (*pirn_wake_fn)(struct pirn_hub *hub, struct pirn_waiter *waiter, int result);

/**
 * Called when the owner of an object has ended. The object has no owner any more.
 */
typedef void (*pirn_abandon_fn)(struct pirn_held *held);

/**
 * The part of an object by which a waiter owns it. All zero: it has no owner. For objects of your
 * own: see "Building objects".
 *
 * When a fiber ends, `abandon` is called for each object that its waiter still owns. The function
 * passes the object on.
 */
struct pirn_held {
  struct pirn_waiter *owner_;
  struct pirn_held *next_;
  struct pirn_held *previous_;
  pirn_abandon_fn abandon_;
};

/**
 * The place of a waiter in the heap.
 */
struct pirn_heap_links {
  struct pirn_waiter *child_;
  struct pirn_waiter *next_;
  struct pirn_waiter *previous_;
  uint64_t at_ns_;
};

/**
 * A waiter: what a callback, a coroutine, a fiber or the main program waits with. Prepare it with
 * `pirn_waiter_init`. The memory is yours, and must stay where it is while the waiter waits. Use
 * the fields whose names end in `_` only through functions.
 */
struct pirn_waiter {
  struct pirn_links links_;
  /**
   * Called when a wait is over.
   */
  pirn_wake_fn wake;
  /**
   * For you. The library does not use it.
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
 * The waiters that have a time limit. All zero is an empty heap.
 */
struct pirn_deadlines {
  struct pirn_waiter *root_;
};

/**
 * A list of waiters. All zero is an empty one. It must stay where it is while a waiter is in it.
 */
struct pirn_waiters {
  struct pirn_links ends_;
};

/**
 * Prepare a waiter.
 *
 * @param hub   where it waits
 * @param wake  called when a wait is over
 * @param user  for you: `waiter->user`
 *
 * Returns 0, or -EINVAL: a NULL. A waiter that waits must not be prepared again. Cost: O(1). Loop
 * thread. Since 0.1.
 */
int pirn_waiter_init(struct pirn_hub *hub,
                     struct pirn_waiter *waiter,
                     pirn_wake_fn wake,
                     void *user);

/**
 * End a wait early, with `result`, whatever the waiter waits for.
 *
 * A wait that is over keeps its result, even if `wake` was not called yet.
 *
 * @param result  a negative errno, usually -ECANCELED
 *
 * Returns 0, or
 * - -EINVAL: NULL, or `result` is not negative
 * - -ENOENT: the waiter does not wait
 * - -EALREADY: the wait is over, or it is the part of the wait for a condition that locks the
 *   mutex again
 *
 * Cost: O(1), and what the object does for the waiters behind. Loop thread. Since 0.1.
 */
int pirn_waiter_cancel(struct pirn_waiter *waiter, int result);

/**
 * Drop a wait.
 *
 * `wake` is not called, and what was granted already is given back. Afterwards the memory of the
 * waiter may be reused.
 *
 * Returns 0, also if the waiter does not wait, or -EINVAL: NULL, or never initialised. Cost: O(1),
 * and what the object does for the waiters behind. Loop thread. Since 0.1.
 */
int pirn_waiter_drop(struct pirn_waiter *waiter);

/**
 * Return 1 from the beginning of a wait until `wake` is called, and 0 otherwise; -EINVAL for NULL.
 * Loop thread. Since 0.1.
 */
int pirn_waiter_is_waiting(const struct pirn_waiter *waiter);

/**
 * Begin a wait that only `pirn_waiter_wake`, time and cancellation end: use it to wait for any
 * callback.
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
 * End the wait of a parked waiter (`pirn_park_start`).
 *
 * @param result  of the wait
 *
 * Returns 0, or
 * - -EINVAL: NULL, or never initialised
 * - -ENOENT: the waiter is not parked
 *
 * Cost: O(1). Loop thread. Since 0.1.
 */
int pirn_waiter_wake(struct pirn_waiter *waiter, int result);

/* ============================ Hubs ============================ */

/**
 * The notifications that the loop has not handled yet. All zero: none.
 */
struct pirn_remotes {
  struct pirn_remote * top_;
};

/**
 * The hub of a loop: what the loop needs so that programs can wait. Prepare one for each loop with
 * `pirn_hub_init`. The memory is yours, and must stay where it is until `pirn_hub_deinit`.
 */
struct pirn_hub {
  struct pirn_loop *event_loop_;
  const uint64_t *now_;
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
  uint32_t more_;
  uint16_t is_due_;
  uint16_t is_broken_;
};

/**
 * Called on the loop's thread after `pirn_remote_push`. `remote` may be pushed again from the
 * beginning of this call on; that makes another call.
 */
typedef void (*pirn_remote_fn)(struct pirn_hub *hub, struct pirn_remote *remote);

/**
 * The part of an object by which other threads notify its loop. All zero: not pushed. For objects
 * of your own: see "Building objects".
 */
struct pirn_remote {
  struct pirn_remote * next_;
  pirn_remote_fn run_;
  uint32_t is_pushed_;
};

/**
 * Prepare a hub for a loop.
 *
 * Takes one I/O slot and one timer slot of the loop until `pirn_hub_deinit`. Waits need no slots,
 * so no wait is refused because the loop is full.
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
 * - -EBUSY: a waiter waits or was woken and not called yet, a port is open, a fiber lives, work
 *   was submitted and is not done, a notification from another thread was not handled yet, or the
 *   hub is calling a waiter. Nothing has changed. After the stack of a fiber has overflowed, this
 *   error does not occur.
 *
 * Cost: O(1), no system call. Loop thread. Since 0.1.
 */
int pirn_hub_deinit(struct pirn_hub *hub);

/**
 * Return the loop of a hub; NULL for NULL. Any thread. Since 0.1.
 */
struct pirn_loop *pirn_hub_loop(const struct pirn_hub *hub);

/**
 * Handle an event that `pirn_take` has returned, if it belongs to this layer.
 *
 * A program that takes events as data calls this first for each of them. The hub's own event calls
 * all waiters that are ready, as in a dispatch.
 *
 * Returns 1: the event was the layer's, and is handled; 0: it is the program's; or
 * - -EINVAL: a NULL
 * - -EBUSY: called in a fiber
 *
 * If the handler of an earlier event has closed the port of an event, this returns 1 and does
 * nothing. Cost: that of the waiters that are called. Loop thread. Since 0.1.
 */
int pirn_hub_handle(struct pirn_hub *hub, const struct pirn_due *due);

/**
 * Check the lists of a hub, as `pirn_verify` checks a loop.
 *
 * Returns 0, or
 * - -EINVAL: NULL
 * - -EUCLEAN: a list or the heap of deadlines is damaged, the hub does not see the loop's time,
 *   or the stack of a fiber has overflowed
 *
 * Cost: O(waiters that are ready or have a time limit). Loop thread. Since 0.1.
 */
int pirn_hub_verify(const struct pirn_hub *hub);

/* ============================ Ports ============================ */

/**
 * Option of `pirn_port_open`: the fd stays in blocking mode. Each read and write then waits until
 * the fd is ready before it tries, because an attempt could block the loop. For fds that other
 * processes use too, such as a terminal.
 */
#define PIRN_PORT_BLOCKING (1u << 24)

/**
 * What a waiter waits for: an fd.
 */
#define PIRN_FOR_PORT 2u

/**
 * An fd, and the waiters for it. Open it with `pirn_port_open`. The memory is yours, and must stay
 * where it is while the port is open. Only `fd` may be read.
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
 * The kernel watches the fd from the first wait on, until the fd becomes ready while there is no
 * waiter. So a program that reads, works and reads again makes no system call for its waits.
 *
 * @param options  `PIRN_HIGH` or `PIRN_LOW`, `PIRN_UNREF`, `PIRN_PORT_BLOCKING`, or 0
 *
 * Returns 0, or
 * - -EINVAL: a NULL, or other options
 * - what `pirn_io_add` returns: -EBADF, -EEXIST, -ENOSPC and so on
 * - the error of fcntl(2), which sets `O_NONBLOCK`
 *
 * Cost: as `pirn_io_add`, and one or two system calls. Loop thread. Since 0.1.
 */
int pirn_port_open(struct pirn_hub *hub, struct pirn_port *port, int fd, uint32_t options);

/**
 * Close a port.
 *
 * All waits for it end with -ECANCELED, also that of a waiter that was woken because the fd is
 * ready, and was not called yet. The fd stays open: close it now.
 *
 * Returns 0, or
 * - -EINVAL: NULL
 * - -ENOENT: the port is closed
 * - -ECHILD: as `pirn_io_remove`
 *
 * Cost: O(waiters of the port, and ready waiters), and as `pirn_io_remove`. Loop thread. Since
 * 0.1.
 */
int pirn_port_close(struct pirn_port *port);

/**
 * Begin to wait until an fd is ready.
 *
 * Any number of waiters may wait for one port, for reading and for writing at once. One event
 * wakes the first waiter for reading and the first for writing; errors and hang-ups wake all.
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
 * - -ETIMEDOUT: the fd was not ready when the kernel was asked after the limit
 * - -ECANCELED: the waiter was cancelled, or the port was closed
 *
 * Cost: O(1). Loop thread. Since 0.1.
 */
int pirn_port_wait_start(struct pirn_port *port,
                         struct pirn_waiter *waiter,
                         uint32_t interest,
                         uint64_t timeout_ns);

/* ============================ Objects of your own ============================ */

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
 * The functions that an object has for its waiters. For objects of your own: see "Building
 * objects".
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
   * Called when a waiter has left the object's list without a grant. Serve the waiters behind
   * it. May be NULL.
   */
  void (*leave)(struct pirn_waiter *waiter);
  /**
   * Called directly before `wake` of a waiter to which `pirn_waiter_grant` has given `result`.
   * Hand over now what was only reserved until then. Returns the result that `wake` is called
   * with. May be NULL.
   */
  int (*take)(struct pirn_waiter *waiter, int result);
  /**
   * Called when a waiter to which `pirn_waiter_grant` has given `result` is dropped before its
   * `wake` was called. Take back what was granted. May be NULL.
   */
  void (*undo)(struct pirn_waiter *waiter, int result);
};

/**
 * Check a waiter before the object changes anything.
 *
 * A `_start` function that does more than to call `pirn_waiter_begin` calls this first. If this
 * does not return 0, the function returns the same value.
 *
 * Returns 0: the object may go on, and call `pirn_waiter_begin` or return a result; `PIRN_WAITS`:
 * the waiter is cancelled, so its wait is over already; or
 * - -EDEADLK: `waiter` is NULL, and `timeout_ns` is not 0
 * - -EINVAL: the waiter was never initialised
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
 * @param kind        the functions of the object, which stay where they are for ever
 * @param object      for the functions of the kind: `pirn_waiter_object`
 * @param word        for the object, such as a number of units: `pirn_waiter_word`
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
 * From now on the waiter owns what was granted. Only `pirn_waiter_drop` takes it back, by the
 * kind's `undo`. An object also calls this to end a wait with an error, such as -ESHUTDOWN.
 *
 * Cost: O(1). Loop thread. Since 0.1.
 */
void pirn_waiter_grant(const struct pirn_waiter *waiter, int result);

/**
 * Move a waiter that waits to another list, behind all others there, without a time limit.
 *
 * A condition moves a waiter to the list of its mutex when it has to lock the mutex again.
 *
 * Cost: O(1). Loop thread. Since 0.1.
 */
void pirn_waiter_move(const struct pirn_waiter *waiter,
                      const struct pirn_waiters *list,
                      const struct pirn_wait_kind *kind,
                      void *object);

/**
 * End a waiter: drop its wait as `pirn_waiter_drop` does, and pass on the objects that it owns
 * (`struct pirn_held`), such as mutexes. Call it before the memory of a waiter that owns something
 * is reused. A fiber that ends does so by itself.
 *
 * Cost: O(objects that it owns). Loop thread. Since 0.1.
 */
void pirn_waiter_end(const struct pirn_waiter *waiter);

/**
 * Ask the loop to call `run` with `remote`. For other threads, signal handlers and interrupts.
 *
 * This cannot fail. Several calls before the loop runs cause one call of `run`. `remote` must stay
 * where it is until then.
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
