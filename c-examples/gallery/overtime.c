/*
 * overtime: a boss announces something, five workers react, twice.
 *
 * Shows: one event that is set, cleared and set again serves two announcements.
 * Watch for: each worker must have noticed the first announcement before it waits for the second.
 * Setting the event wakes all waiters of that moment, so clearing it immediately loses none.
 * Next: connect_check.c, where the event may never be set.
 *
 *     ./build/gallery/overtime                     takes 5 seconds; with --self-test no time
 */
#include <pirn/sync.h>

#include "virtual.h"

#define WORKERS 5

static PIRN_STORAGE(block, 2, 2, 4);
static struct pirn_hub hub;
static struct pirn_event announcement;
PIRN_POOL(pool, WORKERS + 1, 16384);

static void announce(struct pirn_hub *its_hub, const char *words)
{
    tell(its_hub, "boss: %s", words);
    CHECK(pirn_event_set(&announcement) == 0 && pirn_event_clear(&announcement) == 0);
}

static int boss(struct pirn_hub *its_hub, void *user)
{
    (void)user;
    pirn_fiber_sleep(its_hub, SECOND);
    announce(its_hub, "tonight all of you stay until ten");
    pirn_fiber_sleep(its_hub, 4 * SECOND);
    announce(its_hub, "it is past ten, go home");
    return 0;
}

static int worker(struct pirn_hub *its_hub, void *user)
{
    (void)user;
    CHECK(pirn_event_wait(its_hub, &announcement, PIRN_FOREVER) == 0);
    tell(its_hub, "worker: oh no");
    CHECK(pirn_event_wait(its_hub, &announcement, PIRN_FOREVER) == 0);
    tell(its_hub, "worker: hooray");
    return 0;
}

int main(int argc, char **argv)
{
    struct pirn_loop *loop = virtual_begin(argc, argv, block, sizeof block, &hub);

    for (int at = 0; at < WORKERS; at++)
        CHECK(pirn_pool_spawn(&hub, &pool, worker, NULL, 0, PIRN_FOREVER) == 0);
    CHECK(pirn_pool_spawn(&hub, &pool, boss, NULL, 0, PIRN_FOREVER) == 0);
    CHECK(pirn_group_join(&hub, &pool.group, PIRN_FOREVER) == 0 && pool.group.result == 0);
#define FIVE(line) line line line line line
    story_is("1.0 boss: tonight all of you stay until ten\n" FIVE("1.0 worker: oh no\n")
             "5.0 boss: it is past ten, go home\n" FIVE("5.0 worker: hooray\n"));
    puts("overtime: two announcements, each heard by all five");
    return loop_end(loop, &hub);
}
