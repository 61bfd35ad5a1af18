/*
 * tickets: ten people buy the last three tickets.
 *
 * Shows: how an update is lost. Each buyer checks whether a ticket is left, pays, and takes one. If
 * a buyer waits between the check and the taking, the check may no longer be true. A lock around
 * the three steps prevents that, for threads and for fibers.
 * Watch for: fibers that do not wait between the check and the taking need no lock, because no
 * other fiber runs between two waits. Threads always need one.
 * Next: counter.c, where a single addition is lost.
 *
 *     ./build/gallery/tickets                      --self-test checks how many are sold
 */
#include <pthread.h>
#include <unistd.h>

#include <pirn/sync.h>

#include "virtual.h"

#define BUYERS 10
#define TICKETS 3

static PIRN_STORAGE(block, 2, 2, 4);
static struct pirn_hub hub;
PIRN_POOL(buyers, BUYERS, 16384);

static int left, sold;

/* ---- threads ---- */

static pthread_mutex_t thread_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t all_have_looked;

/* Atomic, so that the only thing that goes wrong is the order. */
static int look(void)
{
    return __atomic_load_n(&left, __ATOMIC_SEQ_CST) > 0;
}

static void take(void)
{
    __atomic_sub_fetch(&left, 1, __ATOMIC_SEQ_CST);
    __atomic_add_fetch(&sold, 1, __ATOMIC_SEQ_CST);
}

/* The barrier makes sure that it happens. Without it, it would happen only now and then. */
static void *buy_in_a_thread(void *user)
{
    int is_left = look();

    (void)user;
    pthread_barrier_wait(&all_have_looked);
    if (is_left)
        take();
    return NULL;
}

static void *buy_in_a_thread_with_a_lock(void *user)
{
    (void)user;
    pthread_mutex_lock(&thread_lock);
    if (look()) {
        usleep(1000);                                /* others could run now, but cannot look */
        take();
    }
    pthread_mutex_unlock(&thread_lock);
    return NULL;
}

static int sell_to_threads(void *(*buy)(void *))
{
    pthread_t threads[BUYERS];

    left = TICKETS, sold = 0;
    CHECK(pthread_barrier_init(&all_have_looked, NULL, BUYERS) == 0);
    for (int at = 0; at < BUYERS; at++)
        CHECK(pthread_create(&threads[at], NULL, buy, NULL) == 0);
    for (int at = 0; at < BUYERS; at++)
        CHECK(pthread_join(threads[at], NULL) == 0);
    pthread_barrier_destroy(&all_have_looked);
    return sold;
}

/* ---- fibers ---- */

static struct pirn_mutex fiber_lock;

static int buy_in_a_fiber(struct pirn_hub *its_hub, void *user)
{
    (void)user;
    if (left > 0) {
        pirn_fiber_sleep(its_hub, SECOND);           /* pay: all the others look meanwhile */
        left--, sold++;
    }
    return 0;
}

static int buy_in_a_fiber_with_a_lock(struct pirn_hub *its_hub, void *user)
{
    CHECK(pirn_mutex_lock(its_hub, &fiber_lock, PIRN_FOREVER) == 0);
    buy_in_a_fiber(its_hub, user);
    return pirn_mutex_unlock(its_hub, &fiber_lock);
}

static int pay_first(struct pirn_hub *its_hub, void *user)
{
    (void)user;
    pirn_fiber_sleep(its_hub, SECOND);
    if (left > 0)
        left--, sold++;                              /* no wait in between, so no lock */
    return 0;
}

static int sell_to_fibers(pirn_fiber_fn buy)
{
    left = TICKETS, sold = 0;
    for (int at = 0; at < BUYERS; at++)
        CHECK(pirn_pool_spawn(&hub, &buyers, buy, NULL, 0, PIRN_FOREVER) == 0);
    CHECK(pirn_group_join(&hub, &buyers.group, PIRN_FOREVER) == 0 && buyers.group.result == 0);
    return sold;
}

static void report(const char *how, int count, int expected)
{
    printf("tickets: %-28s %2d of %d tickets sold\n", how, count, TICKETS);
    CHECK(count == expected);
    CHECK(left == TICKETS - expected);
}

int main(int argc, char **argv)
{
    struct pirn_loop *loop = virtual_begin(argc, argv, block, sizeof block, &hub);

    report("threads without a lock:", sell_to_threads(buy_in_a_thread), BUYERS);
    report("threads with a lock:", sell_to_threads(buy_in_a_thread_with_a_lock), TICKETS);
    report("fibers without a lock:", sell_to_fibers(buy_in_a_fiber), BUYERS);
    report("fibers with a lock:", sell_to_fibers(buy_in_a_fiber_with_a_lock), TICKETS);
    report("fibers that pay first:", sell_to_fibers(pay_first), TICKETS);
    return loop_end(loop, &hub);
}
