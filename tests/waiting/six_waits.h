/*
 * A hub with six fibers, each of which waits for something else, for tests of what a loop can go
 * through meanwhile.
 */
#ifndef SIX_WAITS_H
#define SIX_WAITS_H

#include <pirn/sync.h>

#include "fibers.h"

/* ---- a wait of each kind ---- */

enum { READER, WRITER, SLEEPER, GETTER, BUYER, JOINER, WAITERS };

static int fds[2], full[2];
static struct pirn_port port, full_port;
static struct pirn_queue queue;
static struct pirn_semaphore tickets;
static int items[2];

static int reads(struct pirn_hub *hub_, void *user)
{
    char byte = 0;
    (void)hub_;
    (void)user;
    intptr_t count = pirn_port_read(&port, &byte, 1, 20 * SECOND);
    return count == 1 ? byte : (int)count;
}

static int writes(struct pirn_hub *hub_, void *user)
{
    (void)hub_;
    (void)user;
    return (int)pirn_port_write(&full_port, "!", 1, 20 * SECOND);
}

static int parks(struct pirn_hub *hub_, void *user)
{
    (void)user;
    return pirn_fiber_park(hub_, 10 * MILLISECOND);
}

static int gets(struct pirn_hub *hub_, void *user)
{
    int item = 0;
    (void)user;
    int rc = pirn_queue_get(hub_, &queue, &item, PIRN_FOREVER);
    return rc == 0 ? item : rc;
}

static int buys(struct pirn_hub *hub_, void *user)
{
    (void)user;
    return pirn_semaphore_acquire(hub_, &tickets, 2, 20 * SECOND);
}

static int joins(struct pirn_hub *hub_, void *user)
{
    int result = 0;
    (void)hub_;
    (void)user;
    int rc = pirn_fiber_join(&fibers[READER], PIRN_FOREVER, &result);
    return rc == 0 ? result + 1 : rc;
}

/* Six fibers, each of which waits for something else. */
static inline void begin_waits(void)
{
    static const pirn_fiber_fn bodies[WAITERS] = { reads, writes, parks, gets, buys, joins };
    char bytes[4096] = { 0 };
    MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, full) == 0);
    while (write(full[0], bytes, sizeof bytes) > 0)
        ;
    open_port(&port, fds[0]);
    open_port(&full_port, full[0]);
    OK(pirn_queue_init(&queue, items, sizeof items, sizeof items[0], PIRN_QUEUE_FIFO));
    OK(pirn_semaphore_init(&tickets, 0, 0));
    for (int at = 0; at < WAITERS; at++)
        start(at, bodies[at], NULL);
    settle(loop, 8);
}

/* Ends the waits, each by its own means. Their results are what they would be without all that. */
static inline void end_waits(void)
{
    static const int results[WAITERS] = { 'x', 1, -ETIMEDOUT, 7, 0, 'x' + 1 };
    char bytes[4096];
    int item = 7;
    MUST(write(fds[1], "x", 1) == 1);
    while (recv(full[1], bytes, sizeof bytes, MSG_DONTWAIT) > 0)
        ;
    OK(pirn_queue_put(&hub, &queue, &item, 0));
    OK(pirn_semaphore_release(&tickets, 2));
    for (int at = 0; at < WAITERS; at++) {
        OK(pirn_fiber_join(&fibers[at], 20 * SECOND, NULL));
        EQUAL(fibers[at].result, results[at]);
    }
    EQUAL(pirn_fiber_next(&hub, NULL) == NULL, 1);
    OK(pirn_port_close(&port));
    OK(pirn_port_close(&full_port));
    close_all(fds, 2);
    close_all(full, 2);
}

/* ---- waiters that wake one another ---- */

/* More than one call of the hub calls. */
#define CHAIN 300
static struct pirn_waiter chain[CHAIN];
static int chain_calls;

static void wakes_the_next(struct pirn_hub *hub_, struct pirn_waiter *waiter, int result)
{
    (void)hub_;
    EQUAL(result, 0);
    chain_calls++;
    if (waiter + 1 < chain + CHAIN)
        OK(pirn_waiter_wake(waiter + 1, 0));
}

/* Each waits to be woken, and then wakes the next one. */
static inline void begin_chain(void)
{
    chain_calls = 0;
    for (int at = 0; at < CHAIN; at++) {
        OK(pirn_waiter_init(&hub, &chain[at], wakes_the_next, NULL));
        GIVES(pirn_park_start(&chain[at], PIRN_FOREVER), PIRN_WAITS);
    }
}

#endif
