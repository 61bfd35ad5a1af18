/*
 * counter: two threads or fibers that repeatedly add one to the same number.
 *
 * Shows: `count = count + 1` is a load, an addition and a store. A thread that is interrupted
 * between them writes an old number back, and the addition of the other one is lost. Watch for:
 * each load and store is atomic here, so C calls it no data race. It is wrong all the same. Two
 * fibers lose nothing and need no lock, as long as they do not wait in the middle. Next:
 * deadlock.c, for what locks cost.
 *
 *     ./build/gallery/counter                      --self-test checks what is lost, and what not
 */
#include <pthread.h>
#include <sched.h>

#include "virtual.h"

#define TIMES 20000

static PIRN_STORAGE(block, 2, 2, 4);
static struct pirn_hub hub;
PIRN_POOL(pool, 2, 16384);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int count;

static void add_one(void)
{
    int old = __atomic_load_n(&count, __ATOMIC_RELAXED);

    sched_yield();                                   /* the unlucky moment, each time */
    __atomic_store_n(&count, old + 1, __ATOMIC_RELAXED);
}

static void *count_in_a_thread(void *user)
{
    (void)user;
    for (int at = 0; at < TIMES; at++)
        add_one();
    return NULL;
}

static void *count_with_a_lock(void *user)
{
    (void)user;
    for (int at = 0; at < TIMES; at++) {
        pthread_mutex_lock(&lock);
        add_one();
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

static int with_threads(void *(*body)(void *))
{
    pthread_t threads[2];

    count = 0;
    for (int at = 0; at < 2; at++)
        CHECK(pthread_create(&threads[at], NULL, body, NULL) == 0);
    for (int at = 0; at < 2; at++)
        CHECK(pthread_join(threads[at], NULL) == 0);
    return count;
}

static int count_in_a_fiber(struct pirn_hub *its_hub, void *user)
{
    (void)user;
    for (int at = 0; at < TIMES; at++) {
        count = count + 1;
        pirn_fiber_yield(its_hub);
    }
    return 0;
}

static int count_and_yield_in_the_middle(struct pirn_hub *its_hub, void *user)
{
    (void)user;
    for (int at = 0; at < TIMES; at++) {
        int old = count;
        pirn_fiber_yield(its_hub);
        count = old + 1;
    }
    return 0;
}

static int with_fibers(pirn_fiber_fn body)
{
    count = 0;
    for (int at = 0; at < 2; at++)
        CHECK(pirn_pool_spawn(&hub, &pool, body, NULL, 0, PIRN_FOREVER) == 0);
    CHECK(pirn_group_join(&hub, &pool.group, PIRN_FOREVER) == 0);
    return count;
}

static int report(const char *how, int got)
{
    printf("counter: %-36s %5d of %d\n", how, got, 2 * TIMES);
    return got;
}

int main(int argc, char **argv)
{
    struct pirn_loop *loop = virtual_begin(argc, argv, block, sizeof block, &hub);

    CHECK(report("threads without a lock:", with_threads(count_in_a_thread)) < 2 * TIMES);
    CHECK(report("threads with a lock:", with_threads(count_with_a_lock)) == 2 * TIMES);
    CHECK(report("fibers that wait between additions:", with_fibers(count_in_a_fiber))
          == 2 * TIMES);
    CHECK(report("fibers that wait inside of one:", with_fibers(count_and_yield_in_the_middle))
          < 2 * TIMES);
    return loop_end(loop, &hub);
}
