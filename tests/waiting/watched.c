/*
 * Fibers under tools that watch memory and threads, which are to be silent, or report one mistake.
 */
#include "test.h"

#include <setjmp.h>

#include <pirn/fiber_debug.h>

#define FIBERS 4

static PIRN_STORAGE(block, 8, 8, 8);
static struct pirn_hub hub;
static struct pirn_fiber fibers[FIBERS];
static char stacks[FIBERS][65536];
PIRN_POOL(pool, 8, 65536);
static int sum, breach;

__attribute__((noinline)) static void writes(volatile char *bytes, int at)
{
    bytes[at] = 1;
}

__attribute__((noinline)) static void writes_beyond(int at)
{
    volatile char small[16];
    writes(small, at);
}

__attribute__((noinline)) static void jumps(void)
{
    jmp_buf place;
    if (setjmp(place) == 0)
        longjmp(place, 1);
}

/* Frames that come and go, jumps inside a fiber, and addresses of locals that live across waits. */
static int works(struct pirn_hub *hub_, void *user)
{
    int local = 0, *kept = &local;
    (void)user;
    for (int round = 0; round < 100; round++) {
        volatile char large[2048];
        large[round] = (char)round;
        jumps();
        OK(pirn_fiber_yield(hub_));
        *kept += large[round];
    }
    sum += local;
    if (breach)
        writes_beyond(breach);
    return 0;
}

static int works_in_a_pool(struct pirn_hub *hub_, void *argument)
{
    OK(pirn_fiber_sleep(hub_, *(const uint32_t *)argument * 1000u));
    return works(hub_, NULL);
}

int main(int argc, char **argv)
{
    struct pirn_loop *loop;
    breach = argc > 1 ? atoi(argv[1]) : 0;
    OPEN(loop, block, PIRN_BACKEND_AUTO);
    OK(pirn_hub_init(loop, &hub, 63));
    OK(pirn_fiber_debug(&hub));
    for (int round = 0; round < 3; round++) {
        for (int at = 0; at < FIBERS; at++)
            OK(pirn_fiber_start(&hub, &fibers[at], stacks[at], sizeof stacks[at], 0, works, NULL));
        EQUAL(pirn_run(loop), PIRN_DONE);
    }
    for (uint32_t at = 0; at < 20; at++)
        OK(pirn_pool_spawn(&hub, &pool, works_in_a_pool, &at, sizeof at, PIRN_FOREVER));
    OK(pirn_group_join(&hub, &pool.group, PIRN_FOREVER));
    EQUAL(sum, (3 * FIBERS + 20) * 4950);
    OK(pirn_hub_deinit(&hub));
    CLOSE(loop);
    puts(failure_count ? "failed" : "silent");
    return failure_count != 0;
}
