/*
 * switches: the cost of a switch between fibers, and between threads.
 *
 * Shows: two fibers that yield to one another, and two threads that wake one another by a futex,
 * the cheapest means that the kernel has. The same number of switches each.
 * Watch for: the kernel counts how often it had to switch (getrusage). For the threads that is most
 * of the time; for the fibers never, because a switch of stacks is a few instructions of the
 * program itself.
 * Next: hog.c, for the price: fibers that nobody interrupts.
 *
 *     ./build/gallery/switches                     --self-test checks the kernel's count
 */
#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "virtual.h"

#define ROUNDS 20000
#define WAIT 128                                     /* FUTEX_WAIT_PRIVATE of <linux/futex.h>, */
#define WAKE 129                                     /* which not every C library comes with */

static PIRN_STORAGE(block, 2, 2, 4);
static struct pirn_hub hub;
PIRN_POOL(pool, 2, 16384);

static uint64_t nanoseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

static long switches_by_the_kernel(void)
{
    struct rusage usage;

    CHECK(getrusage(RUSAGE_SELF, &usage) == 0);
    return usage.ru_nvcsw;                           /* the voluntary ones */
}

/* ---- fibers ---- */

static int turns[2];

static int yield_often(struct pirn_hub *its_hub, void *argument)
{
    int who = *(int *)argument;

    for (int at = 0; at < ROUNDS; at++) {
        turns[who]++;
        CHECK(pirn_fiber_yield(its_hub) == 0);
        CHECK(turns[0] - turns[1] <= 1 && turns[1] - turns[0] <= 1);   /* strictly in turn */
    }
    return 0;
}

static void with_fibers(void)
{
    for (int who = 0; who < 2; who++)
        CHECK(pirn_pool_spawn(&hub, &pool, yield_often, &who, sizeof who, PIRN_FOREVER) == 0);
    CHECK(pirn_group_join(&hub, &pool.group, PIRN_FOREVER) == 0);
}

/* ---- threads ---- */

static int whose_turn;

static void *pass_on(void *user)
{
    int who = user != NULL;

    for (int at = 0; at < ROUNDS; at++) {
        while (__atomic_load_n(&whose_turn, __ATOMIC_ACQUIRE) != who)
            syscall(SYS_futex, &whose_turn, WAIT, !who, NULL, NULL, 0);
        __atomic_store_n(&whose_turn, !who, __ATOMIC_RELEASE);
        syscall(SYS_futex, &whose_turn, WAKE, 1, NULL, NULL, 0);
    }
    return NULL;
}

static void with_threads(void)
{
    pthread_t threads[2];

    for (int who = 0; who < 2; who++)
        CHECK(pthread_create(&threads[who], NULL, pass_on, who ? &whose_turn : NULL) == 0);
    for (int who = 0; who < 2; who++)
        CHECK(pthread_join(threads[who], NULL) == 0);
}

/* Returns how often the kernel has switched. */
static long measure(const char *name, void (*play)(void))
{
    uint64_t begun = nanoseconds(), took;
    long switches = switches_by_the_kernel();

    play();
    took = nanoseconds() - begun;
    switches = switches_by_the_kernel() - switches;
    printf("switches: %-8s %6u ns each, of %d; the kernel has switched %ld times\n", name,
           (unsigned)(took / (2 * ROUNDS)), 2 * ROUNDS, switches);
    return switches;
}

int main(int argc, char **argv)
{
    struct pirn_loop *loop = virtual_begin(argc, argv, block, sizeof block, &hub);

    CHECK(measure("fibers:", with_fibers) < ROUNDS / 100);
    CHECK(measure("threads:", with_threads) > ROUNDS / 10);
    return loop_end(loop, &hub);
}
