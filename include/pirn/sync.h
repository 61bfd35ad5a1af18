/*
 * pirn/sync.h: events, mutexes, semaphores, conditions, barriers and queues, as a layer above
 * pirn/wait.h.
 *
 * Generated from crates/sync by `cargo build --features header`. Do not edit.
 *
 * The layer is in the same library. A program that does not call it does not contain it. Version 0
 * of this header: nothing in it is frozen yet.
 *
 *
 * IN ONE PAGE
 *
 * An object is a struct of yours that programs wait for. Fibers, coroutines, callbacks and the main
 * program can wait for the same object. In this example fibers buy ten tickets from two clerks:
 *
 *     static struct pirn_semaphore clerks;                   all zero: no clerk is free
 *     static int tickets = 10;
 *
 *     static int customer(struct pirn_hub *hub, void *user)
 *     {
 *         pirn_semaphore_acquire(hub, &clerks, 1, PIRN_FOREVER);
 *         pirn_fiber_sleep(hub, 1000000);                    others run meanwhile
 *         if (tickets > 0)
 *             tickets--;                                     no lock: no other fiber runs here
 *         return pirn_semaphore_release(&clerks, 1);
 *     }
 *
 *     ...
 *     pirn_semaphore_release(&clerks, 2);                    two clerks begin to work
 *
 * Only one fiber runs at a time, until it waits. So a mutex is needed only if a fiber waits between
 * its first and its last access to the data that the mutex protects.
 *
 *
 * CONVENTIONS
 *
 * Those of pirn.h and the rules of every wait in pirn/wait.h, and:
 *
 * Two forms   A function whose name ends in _start begins a wait for a waiter of yours, and does
 *             not wait itself. The function without _start waits. It takes the hub first, and is
 *             for fibers and for the main program. It is inline, and calls pirn/fiber.h: a program
 *             that does not use it does not contain fibers.
 * Zero        All zero is an event that is not set, a mutex that is not locked, a semaphore without
 *             units, a condition. Barriers and queues have functions that prepare them. Nothing
 *             has to be ended: when no waiter waits for an object, its memory may be reused.
 * Hand-over   What is released belongs at once to the waiter that has waited longest, before it
 *             runs. So no waiter overtakes another, and a call with a time limit of 0 fails while
 *             there are waiters.
 * Loop        An object serves the waiters of one loop at a time. A waiter of another loop gets
 *             -EINVAL.
 * Threads     All functions are for the loop's thread, except for pirn_event_set_from and
 *             pirn_queue_put_from, which other threads, signal handlers and interrupts may call.
 * Keeping on  A wait for an object keeps pirn_run going only if it has a time limit, because
 *             without one only other callbacks could end it. If another thread will end the wait,
 *             call pirn_hold first, and pirn_release afterwards.
 * Fields      Those whose names do not end in _ may be read. Only functions may write them.
 * Cost        No function makes a system call, except those for other threads; but the loop asks
 *             the kernel between its calls of waiters. Nothing allocates.
 * Size        All objects are one member of libpirn.a: link with -Wl,--gc-sections to leave out
 *             those that you do not use.
 */
#ifndef PIRN_SYNC_H
#define PIRN_SYNC_H

#include <stddef.h>
#include <stdint.h>

#include <pirn/fiber.h>
#include <pirn/wait.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ============================ Events ============================ */

/**
 * What a waiter waits for: an event.
 */
#define PIRN_FOR_EVENT 16u

/**
 * A flag that programs wait for. All zero is an event that is not set. It is yours, and must stay
 * where it is while a waiter waits for it, and until the loop has seen every
 * `pirn_event_set_from`.
 */
struct pirn_event {
  struct pirn_waiters waiters_;
  struct pirn_remote remote_;
  uint32_t is_set_;
  uint32_t reserved_;
};

/**
 * Wait until an event is set. The event stays set.
 *
 * @param waiter      the waiter; may be NULL if `timeout_ns` is 0
 * @param timeout_ns  from the turn's time; `PIRN_FOREVER`: no limit; 0: only look
 *
 * Returns 0: the event is set; `PIRN_WAITS`: the wait has begun, and ends with 0, -ETIMEDOUT or
 * -ECANCELED. Or, with nothing begun:
 * - -EAGAIN: `timeout_ns` is 0, and the event is not set
 * - -EINVAL: `event` is NULL, or `waiter` is of another loop than the others that wait
 * - -EDEADLK: `waiter` is NULL, which `pirn_fiber_self` returns inside a callback
 * - -EBUSY: `waiter` waits already
 *
 * Cost: O(1). Loop thread. Since 0.1.
 */
int pirn_event_wait_start(struct pirn_event *event,
                          struct pirn_waiter *waiter,
                          uint64_t timeout_ns);

/**
 * Set an event. All waiters that wait now are woken, even if the event is cleared before they run.
 *
 * Returns 0, also if it is set already; -EINVAL: NULL. Cost: O(waiters). Loop thread. Since 0.1.
 */
int pirn_event_set(struct pirn_event *event);

/**
 * Set an event from another thread, a signal handler or an interrupt. It is set in the next turn
 * of the loop.
 *
 * This cannot fail because something is full. Several calls before that turn have the effect of
 * one. The call does not keep `pirn_run` going: if only other threads can end a wait, call
 * `pirn_hold` first.
 *
 * @param hub    the hub of the loop whose waiters wait for the event
 * @param event  must stay where it is until that turn
 *
 * Returns 0, or -EINVAL: a NULL. Async-signal-safe. Cost: O(1), two system calls at most. Any
 * thread. Since 0.1.
 */
int pirn_event_set_from(struct pirn_hub *hub, struct pirn_event *event);

/**
 * Clear an event: from now on programs wait for it again.
 *
 * Returns 0, or -EINVAL: NULL. Cost: O(1). Loop thread. Since 0.1.
 */
int pirn_event_clear(struct pirn_event *event);

/**
 * Return 1 if an event is set, else 0; -EINVAL: NULL. Loop thread. Since 0.1.
 */
int pirn_event_is_set(const struct pirn_event *event);

/* ============================ Mutexes ============================ */

/**
 * What a waiter waits for: a mutex.
 */
#define PIRN_FOR_MUTEX 17u

/**
 * Option of `pirn_mutex_init`: the owner can lock the mutex again, and must unlock it as often.
 */
#define PIRN_MUTEX_RECURSIVE (1u << 0)

/**
 * A lock. All zero is a mutex that is not locked and not recursive. The memory is yours, and must
 * stay where it is while the mutex is locked.
 *
 * A program needs it only if it waits while it uses what the mutex protects: between two waits no
 * other program of the loop runs.
 */
struct pirn_mutex {
  struct pirn_held held_;
  struct pirn_waiters waiters_;
  uint16_t depth_;
  uint16_t options_;
  int next_result_;
};

/**
 * Prepare a mutex. It must not be locked.
 *
 * @param options  `PIRN_MUTEX_RECURSIVE`, or 0
 *
 * Returns 0, or -EINVAL: NULL, or other bits. Cost: O(1). Loop thread. Since 0.1.
 */
int pirn_mutex_init(struct pirn_mutex *mutex, uint32_t options);

/**
 * Lock a mutex. The waiter owns it from then on.
 *
 * The mutex is handed over: as soon as the owner unlocks it, it belongs to the waiter that has
 * waited longest, before that waiter runs. The owner must unlock the mutex, or end
 * (`pirn_waiter_end`), before the memory of the waiter is used for something else.
 *
 * @param waiter      the new owner
 * @param timeout_ns  from the turn's time; `PIRN_FOREVER`: no limit; 0: only try
 *
 * Returns 0: the mutex is locked; -EOWNERDEAD: it is locked too, but the last owner has ended
 * without unlocking it, so check the data that it protects; `PIRN_WAITS`: the wait has begun, and
 * ends with 0, -EOWNERDEAD, -ETIMEDOUT or -ECANCELED. Or, with nothing begun:
 * - -EAGAIN: `timeout_ns` is 0, and it is locked
 * - -EDEADLK: `waiter` is NULL, which `pirn_fiber_self` returns inside a callback; or it owns the
 *   mutex already, and that is not recursive; or `timeout_ns` is `PIRN_FOREVER`, and its owner
 *   waits without a limit for a mutex that `waiter` owns, directly or through other owners
 * - -EOVERFLOW: the owner has locked it 65535 times
 * - -EINVAL: `mutex` is NULL, or `waiter` is of another loop than the others that wait
 * - -EBUSY: `waiter` waits already
 *
 * Cost: O(1); with `PIRN_FOREVER`, where it has to wait, O(owners that wait for one another). Loop
 * thread. Since 0.1.
 */
int pirn_mutex_lock_start(struct pirn_mutex *mutex,
                          struct pirn_waiter *waiter,
                          uint64_t timeout_ns);

/**
 * Unlock a mutex in the name of its owner. For fibers, and where no callback runs, there is
 * `pirn_mutex_unlock`.
 *
 * @param owner  the waiter that has locked it
 *
 * Returns 0, or -EINVAL: `mutex` is NULL; -EPERM: `owner` does not own it, or is NULL. Cost:
 * O(1). Loop thread. Since 0.1.
 */
int pirn_mutex_unlock_by(struct pirn_mutex *mutex, const struct pirn_waiter *owner);

/* ============================ Semaphores ============================ */

/**
 * What a waiter waits for: units of a semaphore.
 */
#define PIRN_FOR_SEMAPHORE 18u

/**
 * A number of units. All zero is a semaphore without units and without a maximum. The memory is
 * yours, and must stay where it is while a waiter waits for it.
 */
struct pirn_semaphore {
  struct pirn_waiters waiters_;
  /**
   * How many units are free. Read only.
   */
  uint32_t value;
  /**
   * The maximum of free units; 0: no maximum. Read only.
   */
  uint32_t most;
};

/**
 * Prepare a semaphore. Nobody must wait for it.
 *
 * @param value  how many units are free
 * @param most   the maximum of free units: releasing more is an error; 0: no maximum
 *
 * Returns 0, or -EINVAL: NULL, or `value` is above `most`. Cost: O(1). Loop thread. Since 0.1.
 */
int pirn_semaphore_init(struct pirn_semaphore *semaphore, uint32_t value, uint32_t most);

/**
 * Acquire units of a semaphore.
 *
 * First come, first served: if the first waiter wants more units than there are, the waiters
 * behind it wait too.
 *
 * @param waiter      the waiter; may be NULL if `timeout_ns` is 0
 * @param units       how many, 1 or more; all at once
 * @param timeout_ns  from the turn's time; `PIRN_FOREVER`: no limit; 0: only try
 *
 * Returns 0: the units are acquired; `PIRN_WAITS`: the wait has begun, and ends with 0,
 * -ETIMEDOUT or -ECANCELED. Or, with nothing begun:
 * - -EAGAIN: `timeout_ns` is 0, and there are not enough units or others wait
 * - -EINVAL: `semaphore` is NULL; `units` is 0, or above `most`; `waiter` is of another loop than
 *   the others that wait
 * - -EDEADLK: `waiter` is NULL, which `pirn_fiber_self` returns inside a callback
 * - -EBUSY: `waiter` waits already
 *
 * Cost: O(1). Loop thread. Since 0.1.
 */
int pirn_semaphore_acquire_start(struct pirn_semaphore *semaphore,
                                 struct pirn_waiter *waiter,
                                 uint32_t units,
                                 uint64_t timeout_ns);

/**
 * Release units of a semaphore. They need not have been acquired before.
 *
 * The waiters that have waited longest get the units at once, before they run.
 *
 * @param units  how many, 1 or more
 *
 * Returns 0, or -EINVAL: NULL, or `units` is 0; -EOVERFLOW: more would be free than `most`, or
 * than a uint32_t can hold; nothing has changed. Cost: O(waiters that are served). Loop thread.
 * Since 0.1.
 */
int pirn_semaphore_release(struct pirn_semaphore *semaphore, uint32_t units);

/* ============================ Conditions ============================ */

/**
 * What a waiter waits for: a notification.
 */
#define PIRN_FOR_CONDITION 19u

/**
 * Waiters for a notification. All zero is a condition for which nobody waits. It is yours, and
 * must stay where it is until every wait for it is over.
 */
struct pirn_condition {
  struct pirn_waiters waiters_;
  struct pirn_mutex *mutex_;
};

/**
 * Wait for a notification, with a mutex unlocked meanwhile.
 *
 * The mutex is unlocked, however often it was locked. Whatever the result of the wait is, it is
 * locked again as often before `wake` is called. Neither time limits nor cancellation end that
 * part of the wait. A waiter that is notified joins the waiters of the mutex at once, and runs
 * when it owns the mutex. There are no spurious wake-ups.
 *
 * @param mutex       owned by `waiter`, and the same for all that wait at a time; NULL: no mutex
 * @param waiter      the waiter
 * @param timeout_ns  from the turn's time; `PIRN_FOREVER`: no limit
 *
 * Returns `PIRN_WAITS`: the wait has begun, and ends with 0, -ETIMEDOUT or -ECANCELED, or with
 * -EOWNERDEAD as `pirn_mutex_lock_start`. Or, with nothing begun and the mutex still locked:
 * - -EAGAIN: `timeout_ns` is 0
 * - -EPERM: `waiter` does not own `mutex`
 * - -EINVAL: `condition` is NULL; other waiters have another mutex, or none, or another loop
 * - -EDEADLK: `waiter` is NULL, which `pirn_fiber_self` returns inside a callback
 * - -EBUSY: `waiter` waits already
 *
 * Cost: O(1). Loop thread. Since 0.1.
 */
int pirn_condition_wait_start(struct pirn_condition *condition,
                              struct pirn_mutex *mutex,
                              struct pirn_waiter *waiter,
                              uint64_t timeout_ns);

/**
 * Notify the waiters that have waited longest. Waits that begin later are not affected.
 *
 * The caller need not own the mutex.
 *
 * @param count  how many waiters at most; UINT32_MAX: all
 *
 * Returns how many were notified, at most 2^31 - 1; -EINVAL: NULL. Cost: O(notified). Loop
 * thread. Since 0.1.
 */
int pirn_condition_notify(struct pirn_condition *condition, uint32_t count);

/* ============================ Barriers ============================ */

/**
 * What a waiter waits for: the other parties.
 */
#define PIRN_FOR_BARRIER 20u

/**
 * A number of parties that wait for each other. Prepare it with `pirn_barrier_init`. It is yours,
 * and must stay where it is while a waiter waits for it.
 */
struct pirn_barrier {
  struct pirn_waiters waiters_;
  /**
   * How many parties it takes. Read only.
   */
  uint32_t parties;
  /**
   * How many parties wait now. Read only.
   */
  uint32_t arrived;
  /**
   * 1 if a party has left, until `pirn_barrier_reset`. Read only.
   */
  uint32_t is_broken;
  uint32_t reserved_;
};

/**
 * Prepare a barrier. Nobody must wait for it.
 *
 * @param parties  how many have to arrive, 1 to 2^30 - 1
 *
 * Returns 0, or -EINVAL: NULL, or another number. Cost: O(1). Loop thread. Since 0.1.
 */
int pirn_barrier_init(struct pirn_barrier *barrier, uint32_t parties);

/**
 * Wait until all parties have arrived.
 *
 * The party that arrives last does not wait, and wakes the others. Then the next round begins,
 * also for parties that arrive before the others have run. A party that leaves because of its time
 * limit, cancellation or `pirn_waiter_drop` breaks the barrier: all others get -EPIPE, and so does
 * every later wait until `pirn_barrier_reset`.
 *
 * @param waiter      the waiter; may be NULL if `timeout_ns` is 0
 * @param timeout_ns  from the turn's time; `PIRN_FOREVER`: no limit; 0: pass only as the last
 *                    party
 *
 * Returns how many had arrived before, if this was the last party: parties - 1; `PIRN_WAITS`: the
 * wait has begun, and ends with how many had arrived before, -EPIPE, -ETIMEDOUT or -ECANCELED.
 * Or, with nothing begun:
 * - -EAGAIN: `timeout_ns` is 0, and this is not the last party; this does not break the barrier
 * - -EPIPE: the barrier is broken
 * - -EINVAL: `barrier` is NULL, or was never initialised; `waiter` is of another loop than the
 *   others that wait
 * - -EDEADLK: `waiter` is NULL, which `pirn_fiber_self` returns inside a callback
 * - -EBUSY: `waiter` waits already
 *
 * Cost: O(1), for the last party O(parties). Loop thread. Since 0.1.
 */
int pirn_barrier_wait_start(struct pirn_barrier *barrier,
                            struct pirn_waiter *waiter,
                            uint64_t timeout_ns);

/**
 * Reset a barrier to its first state. Waits in progress end with -EPIPE.
 *
 * Returns 0, or -EINVAL: NULL, or it was never initialised. Cost: O(waiters). Loop thread. Since
 * 0.1.
 */
int pirn_barrier_reset(struct pirn_barrier *barrier);

/* ============================ Queues ============================ */

/**
 * The order of a queue: the item that was put first is got first.
 */
#define PIRN_QUEUE_FIFO 0u

/**
 * The order of a queue: the item that was put last is got first.
 */
#define PIRN_QUEUE_LIFO 1u

/**
 * What a waiter waits for: an item, room for one, or the end of all.
 */
#define PIRN_FOR_QUEUE 21u

/**
 * For `pirn_queue_close`: items that are in the queue can still be got.
 */
#define PIRN_QUEUE_DRAIN 0u

/**
 * For `pirn_queue_close`: the queue is emptied, and its items count as done.
 */
#define PIRN_QUEUE_NOW 1u

/**
 * The items of a queue. Opaque.
 */
struct pirn_items {
  void *first_;
  void *other_;
  const void *functions_;
  uint32_t item_size_;
  uint32_t capacity_;
  uint32_t head_;
  uint32_t count_;
  uint32_t limit_;
  uint32_t is_plain_;
};

/**
 * The items of a queue that other threads have put. All zero: none. Opaque.
 */
struct pirn_arrivals {
  struct pirn_link * last_;
  struct pirn_remote remote_;
};

/**
 * A queue. Prepare it with `pirn_queue_init`, `pirn_queue_init_priority` or
 * `pirn_queue_init_linked`. It is yours, and must stay where it is while a waiter waits for it,
 * and until the loop has seen every `pirn_queue_put_from`.
 */
struct pirn_queue {
  struct pirn_waiters getters_;
  struct pirn_waiters putters_;
  struct pirn_waiters joiners_;
  struct pirn_items items_;
  uint64_t unfinished_;
  uint32_t claims_;
  uint32_t closed_;
  struct pirn_arrivals arrivals_;
};

/**
 * True (not 0) if the item at `a` is to be got before the item at `b`. Must not call the library.
 */
typedef int (*pirn_queue_before_fn)(const void *a, const void *b);

/**
 * The beginning of an item of a linked queue. The queue uses it while the item is in the queue.
 */
struct pirn_link {
  struct pirn_link *next_;
};

/**
 * Prepare a queue, which copies its items into an array of yours: empty and open.
 *
 * Nobody may wait for it, and the loop must have seen every `pirn_queue_put_from`.
 *
 * @param storage    the array, which must stay while the queue is in use
 * @param size       bytes of the array: room for `size / item_size` items, at most 2^30
 * @param item_size  bytes of an item, 1 or more
 * @param order      `PIRN_QUEUE_FIFO` or `PIRN_QUEUE_LIFO`
 *
 * Returns 0, or -EINVAL: a NULL; there is no room for one item; or no such order. Cost: O(1). Loop
 * thread. Since 0.1.
 */
int pirn_queue_init(struct pirn_queue *queue,
                    void *storage,
                    size_t size,
                    uint32_t item_size,
                    uint32_t order);

/**
 * Prepare a queue as `pirn_queue_init` does, in an order of yours: the item that is got is one
 * before which `before` puts no other. Equal items are got in any order.
 *
 * To put or get an item costs O(log n) calls of `before`, and swaps of items.
 *
 * @param storage    the array, aligned as `before` needs it
 * @param size       bytes of the array: room for `size / item_size` items, at most 2^30
 * @param item_size  bytes of an item, 1 or more
 * @param before     which of two items is got first
 *
 * Returns 0, or -EINVAL: a NULL, or there is no room for one item. Cost: O(1). Loop thread. Since
 * 0.1.
 */
int pirn_queue_init_priority(struct pirn_queue *queue,
                             void *storage,
                             size_t size,
                             uint32_t item_size,
                             pirn_queue_before_fn before);

/**
 * Prepare a queue whose items are linked, and not copied: empty and open.
 *
 * An item is a struct of yours that begins with a `struct pirn_link`. The queue has no bound, and
 * other threads can put items into it (`pirn_queue_put_from`). Nobody may wait for it, and the
 * loop must have seen all that they have put.
 *
 * @param order  `PIRN_QUEUE_FIFO` or `PIRN_QUEUE_LIFO`
 *
 * Returns 0, or -EINVAL: NULL, or no such order. Cost: O(1). Loop thread. Since 0.1.
 */
int pirn_queue_init_linked(struct pirn_queue *queue, uint32_t order);

/**
 * Put an item into a queue.
 *
 * The item is copied when there is room. If this returns `PIRN_WAITS`, the item must stay where it
 * is until the wait is over. If the waiter is dropped after the grant, the item stays in the
 * queue.
 *
 * @param waiter      the waiter; may be NULL if `timeout_ns` is 0
 * @param item        the address of the item, outside of the queue's array. Linked: the struct
 *                    itself, which belongs to the queue until it is got
 * @param timeout_ns  from the turn's time; `PIRN_FOREVER`: no limit; 0: only try
 *
 * Returns 0: the item is in the queue; `PIRN_WAITS`: the wait has begun, and ends with 0,
 * -ETIMEDOUT, -ECANCELED or -ESHUTDOWN. Or, with nothing begun:
 * - -EAGAIN: `timeout_ns` is 0, and the queue is full
 * - -ESHUTDOWN: the queue is closed
 * - -EINVAL: a NULL; or `waiter` is of another loop than the others that wait
 * - -EDEADLK: `waiter` is NULL, which `pirn_fiber_self` returns inside a callback
 * - -EBUSY: `waiter` waits already
 *
 * Cost: O(item_size), with `pirn_queue_init_priority` times the logarithm of the items. Loop
 * thread. Since 0.1.
 */
int pirn_queue_put_start(struct pirn_queue *queue,
                         struct pirn_waiter *waiter,
                         const void *item,
                         uint64_t timeout_ns);

/**
 * Get the first item of a queue.
 *
 * An item is reserved for the waiter that has waited longest, and copied when the waiter runs.
 * Which item that is, is decided then, by the order of the queue. If this returns `PIRN_WAITS`,
 * the memory at `item` must stay until the wait is over.
 *
 * @param waiter      the waiter; may be NULL if `timeout_ns` is 0
 * @param item        where the item is written, outside of the queue's array; linked: where its
 *                    address is written
 * @param timeout_ns  from the turn's time; `PIRN_FOREVER`: no limit; 0: only try
 *
 * Returns 0: the item is there; `PIRN_WAITS`: the wait has begun, and ends with 0, -ETIMEDOUT,
 * -ECANCELED or -ESHUTDOWN. Or, with nothing begun:
 * - -EAGAIN: `timeout_ns` is 0, and the queue is empty or all items are reserved
 * - -ESHUTDOWN: the queue is closed, and it is empty or all items are reserved
 * - -EINVAL: a NULL; or `waiter` is of another loop than the others that wait
 * - -EDEADLK: `waiter` is NULL, which `pirn_fiber_self` returns inside a callback
 * - -EBUSY: `waiter` waits already
 *
 * Cost: as `pirn_queue_put_start`. Loop thread. Since 0.1.
 */
int pirn_queue_get_start(struct pirn_queue *queue,
                         struct pirn_waiter *waiter,
                         void *item,
                         uint64_t timeout_ns);

/**
 * Close a queue: nothing can be put any more.
 *
 * Waits in progress end with -ESHUTDOWN. With `PIRN_QUEUE_DRAIN` items that are in the queue can
 * still be got. With `PIRN_QUEUE_NOW` the queue is emptied: getters for which an item is reserved,
 * and that have not run, get -ESHUTDOWN too, and `pirn_queue_join` waits only for the items that
 * were got before.
 *
 * @param how  `PIRN_QUEUE_DRAIN` or `PIRN_QUEUE_NOW`, which also empties a queue that was closed
 *             before; a linked queue can only be drained
 *
 * Returns 0, also if it is closed already; -EINVAL: NULL, or `how` is another number. Cost:
 * O(waiters). Loop thread. Since 0.1.
 */
int pirn_queue_close(struct pirn_queue *queue, uint32_t how);

/**
 * Count an item that was got as done: see `pirn_queue_join`.
 *
 * Returns 0, or -EINVAL: NULL, or it was called more often than items were put. Cost: O(1), for
 * the last item O(joiners). Loop thread. Since 0.1.
 */
int pirn_queue_done(struct pirn_queue *queue);

/**
 * Wait until `pirn_queue_done` was called for every item that was put.
 *
 * @param waiter      the waiter; may be NULL if `timeout_ns` is 0
 * @param timeout_ns  from the turn's time; `PIRN_FOREVER`: no limit; 0: only look
 *
 * Returns 0: all are done; `PIRN_WAITS`: the wait has begun, and ends with 0, -ETIMEDOUT or
 * -ECANCELED. Or, with nothing begun:
 * - -EAGAIN: `timeout_ns` is 0, and some are not done
 * - -EINVAL: `queue` is NULL, or `waiter` is of another loop than the others that wait
 * - -EDEADLK: `waiter` is NULL, which `pirn_fiber_self` returns inside a callback
 * - -EBUSY: `waiter` waits already
 *
 * Cost: O(1). Loop thread. Since 0.1.
 */
int pirn_queue_join_start(struct pirn_queue *queue,
                          struct pirn_waiter *waiter,
                          uint64_t timeout_ns);

/**
 * Return how many items can be got without a wait, at most 2^31 - 1: those in the queue that are
 * not reserved. -EINVAL: NULL. Cost: O(1). Loop thread. Since 0.1.
 */
int pirn_queue_size(const struct pirn_queue *queue);

/**
 * Put an item into a linked queue from another thread, a signal handler or an interrupt.
 *
 * This cannot fail because something is full. The loop adds the item in its next turn, behind the
 * items that the same thread has put before, also if the queue was closed meanwhile. The call does
 * not keep `pirn_run` going: if only other threads put items, call `pirn_hold` first.
 *
 * @param hub   the hub of the loop whose waiters wait for the queue
 * @param link  the first field of the item, which belongs to the queue until it is got
 *
 * Returns 0, or -EINVAL: a NULL, or a queue that is not linked. Async-signal-safe. Cost: O(1),
 * two system calls at most. Any thread. Since 0.1.
 */
int pirn_queue_put_from(struct pirn_hub *hub, struct pirn_queue *queue, struct pirn_link *link);

/* ---- for fibers, and for main where no callback runs ---- */

/**
 * Wait until an event is set. Returns 0, -ETIMEDOUT, -ECANCELED, or an error of
 * pirn_event_wait_start. The functions below work alike.
 */
static inline int pirn_event_wait(struct pirn_hub *hub, struct pirn_event *event,
                                  uint64_t timeout_ns)
{
    return pirn_fiber_await_(hub, pirn_event_wait_start(event, pirn_fiber_self_(hub), timeout_ns));
}

/** Lock a mutex. Returns 0; -EOWNERDEAD, when it is locked too; or an error. */
static inline int pirn_mutex_lock(struct pirn_hub *hub, struct pirn_mutex *mutex,
                                  uint64_t timeout_ns)
{
    return pirn_fiber_await_(hub, pirn_mutex_lock_start(mutex, pirn_fiber_self_(hub), timeout_ns));
}

/** Unlock a mutex that the calling fiber, or main, has locked. Never waits. */
static inline int pirn_mutex_unlock(struct pirn_hub *hub, struct pirn_mutex *mutex)
{
    return pirn_mutex_unlock_by(mutex, pirn_fiber_self_(hub));
}

/** Acquire units of a semaphore. */
static inline int pirn_semaphore_acquire(struct pirn_hub *hub, struct pirn_semaphore *semaphore,
                                         uint32_t units, uint64_t timeout_ns)
{
    return pirn_fiber_await_(
        hub, pirn_semaphore_acquire_start(semaphore, pirn_fiber_self_(hub), units, timeout_ns));
}

/** Wait for a notification, with the mutex, which may be NULL, unlocked meanwhile. */
static inline int pirn_condition_wait(struct pirn_hub *hub, struct pirn_condition *condition,
                                      struct pirn_mutex *mutex, uint64_t timeout_ns)
{
    return pirn_fiber_await_(
        hub, pirn_condition_wait_start(condition, mutex, pirn_fiber_self_(hub), timeout_ns));
}

/** Wait until all parties have arrived. Returns how many had arrived before, or an error. */
static inline int pirn_barrier_wait(struct pirn_hub *hub, struct pirn_barrier *barrier,
                                    uint64_t timeout_ns)
{
    return pirn_fiber_await_(hub,
                             pirn_barrier_wait_start(barrier, pirn_fiber_self_(hub), timeout_ns));
}

/** Put an item into a queue. */
static inline int pirn_queue_put(struct pirn_hub *hub, struct pirn_queue *queue, const void *item,
                                 uint64_t timeout_ns)
{
    return pirn_fiber_await_(hub,
                             pirn_queue_put_start(queue, pirn_fiber_self_(hub), item, timeout_ns));
}

/** Get the first item of a queue. */
static inline int pirn_queue_get(struct pirn_hub *hub, struct pirn_queue *queue, void *item,
                                 uint64_t timeout_ns)
{
    return pirn_fiber_await_(hub,
                             pirn_queue_get_start(queue, pirn_fiber_self_(hub), item, timeout_ns));
}

/** Wait until every item that was put is done. */
static inline int pirn_queue_join(struct pirn_hub *hub, struct pirn_queue *queue,
                                  uint64_t timeout_ns)
{
    return pirn_fiber_await_(hub, pirn_queue_join_start(queue, pirn_fiber_self_(hub), timeout_ns));
}

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* PIRN_SYNC_H */
