/*
 * A million waits: 300 fibers choose at random among all objects, with and without time limits and
 * scopes. What is granted is held by exactly one, and at the end everything has been given back.
 */
#include "test.h"

#include <pirn/fiber.h>
#include <pirn/sync.h>

#include "hub.h"

#define MILLION 1000000
#define WORKERS 300
#define STACK 16384
#define LIMIT (50 * SECOND)

DECLARE_BLOCK(block);

PIRN_POOL(workers, WORKERS, STACK);
static struct pirn_fiber heart;
static uint64_t heart_stack[STACK / 8];

/* ---- what was waited ---- */

/* How often a fiber went on, and how many calls have waited until another one had run. */
static long runs, waits;
static long in_time, too_late, cancelled;

static int counted(int rc, long runs_before)
{
    waits += runs != runs_before;
    runs++;
    in_time += rc >= 0;
    too_late += rc == -ETIMEDOUT;
    cancelled += rc == -ECANCELED;
    return rc;
}

#define WAIT(call) (before = runs, counted(call, before))

/* A wait that a time limit or a scope may have ended; else its result is `good`. */
static int is_granted(int rc, int good)
{
    return rc == good || !CHECK(rc == -ETIMEDOUT || rc == -ECANCELED);
}

/* Lets others run now and then, while something is held. */
static void stay(struct pirn_hub *hub_, uint64_t word)
{
    long before;
    if (word % 2)
        CHECK(WAIT(pirn_fiber_yield(hub_)) == 0);
}

/* ---- the objects, and what is true of each ---- */

#define MUTEXES 4
static struct { struct pirn_mutex mutex; int owner; } locks[MUTEXES];

/* A mutex has one owner. */
static void locks_and_unlocks(struct pirn_hub *hub_, int self, uint64_t limit, uint64_t word)
{
    long before;
    size_t which = word % MUTEXES;
    if (!is_granted(WAIT(pirn_mutex_lock(hub_, &locks[which].mutex, limit)), 0))
        return;
    CHECK(locks[which].owner == 0);
    locks[which].owner = self;
    stay(hub_, word >> 8);
    CHECK(locks[which].owner == self);
    locks[which].owner = 0;
    CHECK(pirn_mutex_unlock(hub_, &locks[which].mutex) == 0);
}

#define UNITS 7
static struct pirn_semaphore semaphore;
static uint32_t units_held;

/* No more units are held than there are. */
static void acquires_and_releases(struct pirn_hub *hub_, int self, uint64_t limit, uint64_t word)
{
    long before;
    uint32_t units = 1 + (uint32_t)(word % 3);
    (void)self;
    if (!is_granted(WAIT(pirn_semaphore_acquire(hub_, &semaphore, units, limit)), 0))
        return;
    units_held += units;
    CHECK(units_held + semaphore.value <= UNITS);
    stay(hub_, word >> 8);
    units_held -= units;
    CHECK(pirn_semaphore_release(&semaphore, units) == 0);
}

static struct pirn_event event;
static long times_set;

/* An event that ends a wait was set during that wait. */
static void waits_for_the_event(struct pirn_hub *hub_, int self, uint64_t limit, uint64_t word)
{
    long before, set_before = times_set;
    (void)self;
    (void)word;
    if (is_granted(WAIT(pirn_event_wait(hub_, &event, limit)), 0))
        CHECK(times_set > set_before);
}

static struct { struct pirn_condition condition; struct pirn_mutex mutex; int owner; } monitor;
static long notified, notifications_heard;

/* Whatever ends the wait, the mutex is locked again; and each notification is for one. */
static void waits_for_a_notification(struct pirn_hub *hub_, int self, uint64_t limit,
                                     uint64_t word)
{
    long before;
    if (!is_granted(WAIT(pirn_mutex_lock(hub_, &monitor.mutex, limit)), 0))
        return;
    CHECK(monitor.owner == 0);
    int rc = WAIT(pirn_condition_wait(hub_, &monitor.condition, &monitor.mutex, limit));
    notifications_heard += is_granted(rc, 0);
    CHECK(monitor.owner == 0);
    monitor.owner = self;
    stay(hub_, word);
    CHECK(monitor.owner == self);
    monitor.owner = 0;
    CHECK(pirn_mutex_unlock(hub_, &monitor.mutex) == 0);
}

#define PARTIES 10
static struct pirn_barrier barrier;
static long arrivals[PARTIES];

/* In each round each place is given once. A party that leaves breaks the round. */
static void meets(struct pirn_hub *hub_, int self, uint64_t limit, uint64_t word)
{
    long before;
    (void)self;
    (void)word;
    int rc = WAIT(pirn_barrier_wait(hub_, &barrier, limit));
    if (rc >= 0 && CHECK(rc < PARTIES))
        arrivals[rc]++;
    else
        CHECK(rc == -EPIPE || rc == -ETIMEDOUT || rc == -ECANCELED);
}

/* Some tickets are always on their way, because the queue has no room for all of them. */
#define TICKETS 12
static struct pirn_queue queue;
static int room[TICKETS / 2];
static int holder_of[TICKETS];

/* Puts a ticket back, even if the time is over. */
static void put_back(struct pirn_hub *hub_, int ticket)
{
    struct pirn_scope shield;
    long before;
    CHECK(pirn_scope_enter(hub_, &shield, LIMIT, PIRN_SCOPE_SHIELD) == 0);
    CHECK(WAIT(pirn_queue_put(hub_, &queue, &ticket, PIRN_FOREVER)) == 0);
    CHECK(pirn_scope_leave(hub_, &shield) == 0);
}

/* A ticket has one holder. */
static void gets_and_puts(struct pirn_hub *hub_, int self, uint64_t limit, uint64_t word)
{
    long before;
    int ticket = -1;
    if (!is_granted(WAIT(pirn_queue_get(hub_, &queue, &ticket, limit)), 0))
        return;
    if (!CHECK(ticket >= 0 && ticket < TICKETS) || !CHECK(holder_of[ticket] == 0))
        return;
    holder_of[ticket] = self;
    stay(hub_, word);
    CHECK(holder_of[ticket] == self);
    holder_of[ticket] = 0;
    put_back(hub_, ticket);
}

/* ---- the fibers ---- */

typedef void action(struct pirn_hub *hub_, int self, uint64_t limit, uint64_t word);

static action *const actions[] = { locks_and_unlocks, acquires_and_releases, waits_for_the_event,
                                   waits_for_a_notification, meets, gets_and_puts };
#define ACTIONS (sizeof actions / sizeof *actions)
static long chosen[ACTIONS];

static int works(struct pirn_hub *hub_, void *argument)
{
    int self = *(int *)argument;
    while (waits < MILLION) {
        uint64_t word = random_word(), limit = PIRN_FOREVER;
        size_t which = (size_t)(word >> 48) % ACTIONS;
        struct pirn_scope scope;
        int has_scope = word % 16 == 0;
        if ((word >> 4) % 16 == 0)
            limit = 1 + (word >> 8) % (MILLISECOND / 10);
        if (has_scope)
            CHECK(pirn_scope_enter(hub_, &scope, 1 + (word >> 28) % (MILLISECOND / 10), 0) == 0);
        chosen[which]++;
        actions[which](hub_, self, limit, random_word());
        if (has_scope) {
            int rc = pirn_scope_leave(hub_, &scope);
            CHECK(rc == 0 || rc == -ETIMEDOUT);
        }
    }
    return 0;
}

/* Provides what only another fiber can provide, until the last one has ended. */
static int beats(struct pirn_hub *hub_, void *user)
{
    long round = 0;
    int ticket, put = 0;
    (void)user;
    while (workers.group.live > 0) {
        times_set++;
        CHECK(pirn_event_set(&event) == 0);
        CHECK(pirn_event_clear(&event) == 0);
        int count = pirn_condition_notify(&monitor.condition, 1 + (uint32_t)(round % 5));
        if (CHECK(count >= 0))
            notified += count;
        if (put < TICKETS && pirn_queue_put(hub_, &queue, &put, 0) == 0)
            put++;
        if (barrier.is_broken || waits >= MILLION)
            CHECK(pirn_barrier_reset(&barrier) == 0);
        /* At the end nobody makes room for those who hold a ticket. */
        if (waits >= MILLION)
            while (pirn_queue_get(hub_, &queue, &ticket, 0) == 0)
                ;
        if (round++ % 1000 == 0)
            CHECK(pirn_hub_verify(hub_) == 0);
        CHECK(pirn_fiber_yield(hub_) == 0);
        runs++;
    }
    return put;
}

static void a_million_waits_end_with_one_holder_each(void)
{
    uint64_t begun = monotonic_ns();
    OPEN_HUB(block);
    OK(pirn_semaphore_init(&semaphore, UNITS, UNITS));
    OK(pirn_barrier_init(&barrier, PARTIES));
    OK(pirn_queue_init(&queue, room, sizeof room, sizeof room[0], PIRN_QUEUE_FIFO));
    for (int self = 1; self <= WORKERS; self++)
        OK(pirn_pool_spawn(&hub, &workers, works, &self, sizeof self, 0));
    OK(pirn_fiber_start(&hub, &heart, heart_stack, STACK, 0, beats, NULL));
    OK(pirn_group_join(&hub, &workers.group, LIMIT));
    OK(pirn_fiber_join(&heart, LIMIT, NULL));
    EQUAL(heart.result, TICKETS);
    OK(workers.group.result);

    for (size_t at = 0; at < MUTEXES; at++)
        CHECK(locks[at].owner == 0 && pirn_mutex_lock(&hub, &locks[at].mutex, 0) == 0);
    EQUAL(units_held, 0);
    EQUAL(semaphore.value, UNITS);
    EQUAL(notifications_heard, notified);
    for (int at = 1; at < PARTIES; at++)
        EQUAL(arrivals[at], arrivals[0]);
    for (int at = 0; at < TICKETS; at++)
        EQUAL(holder_of[at], 0);
    /* Each object had its share, and each way to end a wait. */
    for (size_t at = 0; at < ACTIONS; at++)
        CHECK(chosen[at] > MILLION / 50);
    CHECK(in_time > MILLION / 2 && too_late > 100 && cancelled > 100);
    printf("%s: %ld waits in %ld ms: %ld in time, %ld too late, %ld cancelled\n", context, waits,
           (long)((monotonic_ns() - begun) / MILLISECOND), in_time, too_late, cancelled);
    for (size_t at = 0; at < MUTEXES; at++)
        OK(pirn_mutex_unlock(&hub, &locks[at].mutex));
    close_hub();
}

static void test(uint32_t backend)
{
    the_backend = backend;
    a_million_waits_end_with_one_holder_each();
}

int main(int argc, char **argv)
{
    return run_on_backends(argc, argv, test);
}
