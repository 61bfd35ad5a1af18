/*
 * traffic_light: cars wait for an event, which is set while the light is green.
 *
 * Shows: setting an event wakes all waiters, and a car that arrives while it is set does not wait.
 * Watch for: an event is no counter. Clearing it takes nothing back: cars that were woken drive,
 * even if the light is red again before they run.
 * Next: overtime.c, where two sides wait for one another.
 *
 *     ./build/gallery/traffic_light                takes 9 seconds; with --self-test no time
 */
#include <pirn/sync.h>

#include "virtual.h"

static PIRN_STORAGE(block, 2, 2, 4);
static struct pirn_hub hub;
static struct pirn_event green;
PIRN_POOL(pool, 8, 16384);

/* Three seconds each, and it begins with red. */
static int light(struct pirn_hub *its_hub, void *user)
{
    (void)user;
    for (int at = 0; at < 3; at++) {
        int is_green = at % 2;

        CHECK((is_green ? pirn_event_set(&green) : pirn_event_clear(&green)) == 0);
        tell(its_hub, is_green ? "green" : "red");
        pirn_fiber_sleep(its_hub, 3 * SECOND);
    }
    CHECK(pirn_event_set(&green) == 0);
    return pirn_event_clear(&green);                 /* as short as a green phase can be */
}

static int car(struct pirn_hub *its_hub, void *argument)
{
    int number = *(int *)argument;

    pirn_fiber_sleep(its_hub, (uint64_t)number * 1400 * MS);
    if (pirn_event_wait(its_hub, &green, 0) == -EAGAIN) {
        tell(its_hub, "car %d stops", number);
        CHECK(pirn_event_wait(its_hub, &green, PIRN_FOREVER) == 0);
    }
    tell(its_hub, "car %d passes", number);
    return 0;
}

int main(int argc, char **argv)
{
    struct pirn_loop *loop = virtual_begin(argc, argv, block, sizeof block, &hub);

    CHECK(pirn_pool_spawn(&hub, &pool, light, NULL, 0, PIRN_FOREVER) == 0);
    for (int number = 1; number <= 5; number++)
        CHECK(pirn_pool_spawn(&hub, &pool, car, &number, sizeof number, PIRN_FOREVER) == 0);
    CHECK(pirn_group_join(&hub, &pool.group, PIRN_FOREVER) == 0 && pool.group.result == 0);
    story_is("0.0 red\n1.4 car 1 stops\n2.8 car 2 stops\n"
             "3.0 green\n3.0 car 1 passes\n3.0 car 2 passes\n4.2 car 3 passes\n5.6 car 4 passes\n"
             "6.0 red\n7.0 car 5 stops\n9.0 car 5 passes\n");
    puts("traffic_light: those that come at red wait, those that come at green do not");
    return loop_end(loop, &hub);
}
