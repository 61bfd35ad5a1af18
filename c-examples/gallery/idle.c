/*
 * idle: a fiber that waits uses no processor time.
 *
 * Shows: a hundred fibers wait for input that does not come, for a fifth of a second. The process
 * makes one system call and sleeps. For comparison, a loop that polls makes thousands of calls, and
 * uses the processor all the time.
 * Watch for: a time limit for each fiber costs nothing either: the loop sleeps until the first of
 * them is over.
 * Next: who_waits.c, which prints what they wait for.
 *
 *     ./build/gallery/idle                         --self-test checks how often the kernel is asked
 */
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "virtual.h"

#define FIBERS 100

static PIRN_STORAGE(block, FIBERS + 2, 4, 4);
static struct pirn_loop *loop;
static struct pirn_hub hub;
static int pairs[FIBERS][2];
PIRN_POOL(pool, FIBERS, 16384);

static int wait_in_vain(struct pirn_hub *its_hub, void *argument)
{
    struct pirn_port port;
    char byte;

    CHECK(pirn_port_open(its_hub, &port, *(int *)argument, 0) == 0);
    CHECK(pirn_port_read(&port, &byte, 1, 200 * MS) == -ETIMEDOUT);
    return pirn_port_close(&port);
}

static void wait_in_fibers(void)
{
    for (int at = 0; at < FIBERS; at++)
        CHECK(pirn_pool_spawn(&hub, &pool, wait_in_vain, &pairs[at][0], sizeof pairs[at][0],
                              PIRN_FOREVER) == 0);
    CHECK(pirn_group_join(&hub, &pool.group, PIRN_FOREVER) == 0 && pool.group.result == 0);
}

static unsigned polls;

static void poll_all_the_time(void)
{
    uint64_t until = pirn_update(loop) + 200 * MS;
    char byte;

    while (pirn_update(loop) < until)
        for (int at = 0; at < FIBERS; at++, polls++)
            CHECK(recv(pairs[at][0], &byte, 1, MSG_DONTWAIT) < 0);
}

static uint64_t processor_ns(void)
{
    struct rusage usage;

    CHECK(getrusage(RUSAGE_SELF, &usage) == 0);
    return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * SECOND +
           (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
}

/* Returns the processor time in microseconds. */
static unsigned measure(void (*wait)(void))
{
    uint64_t begun = processor_ns();

    wait();
    return (unsigned)((processor_ns() - begun) / 1000);
}

int main(void)
{
    struct pirn_stats stats;
    unsigned waiting_us, polling_us;

    loop = real_begin(block, sizeof block, &hub);
    for (int at = 0; at < FIBERS; at++)
        CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pairs[at]) == 0);

    waiting_us = measure(wait_in_fibers);
    stats.size = sizeof stats;
    CHECK(pirn_stats(loop, &stats) == 0);
    polling_us = measure(poll_all_the_time);
    printf("idle: 100 fibers: the loop waited %u times, %u us of processor time in 200 ms\n",
           (unsigned)stats.waits, waiting_us);
    printf("idle: polling: %u calls, %u us\n", polls, polling_us);
    CHECK(stats.waits <= 10);
    CHECK(waiting_us < polling_us);
    return loop_end(loop, &hub);
}
