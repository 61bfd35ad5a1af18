/*
 * gevent: spawn, joinall, sleep and time limits.
 *
 * Shows: a fiber runs until it waits. Three fibers that never wait run one after the other; with
 * one sleep in their loop they take turns. A sleep of 0 is enough: it waits for nothing, but it is
 * a wait.
 * Watch for: three sleeps of 3, 2 and 1 seconds take 3 seconds together, not 6. A time limit ends
 * only the wait for the others. The others still run, and must be cancelled. Next: tickets.c, for
 * what goes wrong when a fiber waits at the wrong place.
 *
 *     ./build/gallery/gevent                       takes 7 seconds; with --self-test no time
 */
#include "virtual.h"

static PIRN_STORAGE(block, 2, 2, 4);
static struct pirn_hub hub;
PIRN_POOL(pool, 3, 16384);

static int count_without_a_wait(struct pirn_hub *its_hub, void *name)
{
    for (int at = 0; at < 3; at++)
        tell(its_hub, "%c%d", *(char *)name, at);
    return 0;
}

static int count_and_sleep(struct pirn_hub *its_hub, void *name)
{
    for (int at = 0; at < 3; at++) {
        tell(its_hub, "%c%d", *(char *)name, at);
        pirn_fiber_sleep(its_hub, SECOND);
    }
    return 0;
}

static int count_and_sleep_0(struct pirn_hub *its_hub, void *name)
{
    for (int at = 0; at < 3; at++) {
        tell(its_hub, "%c%d", *(char *)name, at);
        pirn_fiber_sleep(its_hub, 0);
    }
    return 0;
}

/* a sleeps 3 seconds, b 2, c 1. */
static int sleep_long(struct pirn_hub *its_hub, void *argument)
{
    char name = *(char *)argument;

    if (pirn_fiber_sleep(its_hub, (uint64_t)('d' - name) * SECOND) < 0) {
        tell(its_hub, "%c is cancelled", name);
        return -ECANCELED;
    }
    tell(its_hub, "%c is done", name);
    return 0;
}

static void spawn(pirn_fiber_fn body, const char *title)
{
    new_story(&hub, title);
    for (char name = 'a'; name <= 'c'; name++)
        CHECK(pirn_pool_spawn(&hub, &pool, body, &name, sizeof name, PIRN_FOREVER) == 0);
}

static int joinall(uint64_t limit_ns)
{
    return pirn_group_join(&hub, &pool.group, limit_ns);
}

int main(int argc, char **argv)
{
    struct pirn_loop *loop = virtual_begin(argc, argv, block, sizeof block, &hub);

    spawn(count_without_a_wait, "without a wait: one after the other");
    CHECK(joinall(PIRN_FOREVER) == 0);
    story_is("0.0 a0\n0.0 a1\n0.0 a2\n0.0 b0\n0.0 b1\n0.0 b2\n0.0 c0\n0.0 c1\n0.0 c2\n");

    spawn(count_and_sleep, "with a sleep: in turn");
    CHECK(joinall(PIRN_FOREVER) == 0);
    story_is("0.0 a0\n0.0 b0\n0.0 c0\n1.0 a1\n1.0 b1\n1.0 c1\n2.0 a2\n2.0 b2\n2.0 c2\n");

    spawn(count_and_sleep_0, "with a sleep of 0: in turn, and no time passes");
    CHECK(joinall(PIRN_FOREVER) == 0);
    story_is("0.0 a0\n0.0 b0\n0.0 c0\n0.0 a1\n0.0 b1\n0.0 c1\n0.0 a2\n0.0 b2\n0.0 c2\n");

    spawn(sleep_long, "all in the time of the longest");
    CHECK(joinall(PIRN_FOREVER) == 0 && (!is_self_test || elapsed_ms(&hub) == 3000));
    story_is("1.0 c is done\n2.0 b is done\n3.0 a is done\n");

    spawn(sleep_long, "joinall with a limit of 1.5 seconds");
    CHECK(joinall(1500 * MS) == -ETIMEDOUT && pool.group.live == 2);
    tell(&hub, "%u are not done", (unsigned)pool.group.live);
    CHECK(pirn_group_cancel(&pool.group) == 0 && joinall(PIRN_FOREVER) == 0);
    story_is("1.0 c is done\n1.5 2 are not done\n1.5 b is cancelled\n1.5 a is cancelled\n");

    puts("gevent: in turn with a wait, one after the other without");
    return loop_end(loop, &hub);
}
