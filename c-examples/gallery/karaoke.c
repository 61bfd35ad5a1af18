/*
 * karaoke: thirteen guests, four rooms, each sings for five seconds.
 *
 * Shows: a semaphore lets a number of fibers in, and the others wait in the order in which they
 * came.
 * Watch for: a room that becomes free belongs to the first in the queue from that moment on. A
 * guest that comes just then cannot slip in.
 * Next: semaphore.c, for a semaphore that notices mistakes.
 *
 *     ./build/gallery/karaoke                      takes 20 seconds; with --self-test no time
 */
#include <pirn/sync.h>

#include "virtual.h"

#define GUESTS 13
#define ROOMS 4

static PIRN_STORAGE(block, 2, 2, 4);
static struct pirn_hub hub;
static struct pirn_semaphore rooms;
static int singing, most, served;
PIRN_POOL(guests, GUESTS, 16384);

static int sing(struct pirn_hub *its_hub, void *argument)
{
    int number = *(int *)argument;

    CHECK(pirn_semaphore_acquire(its_hub, &rooms, 1, PIRN_FOREVER) == 0);
    tell(its_hub, "guest %d enters", number);
    CHECK(number == ++served);                       /* nobody has overtaken */
    if (++singing > most)
        most = singing;
    pirn_fiber_sleep(its_hub, 5 * SECOND);
    singing--;
    return pirn_semaphore_release(&rooms, 1);
}

int main(int argc, char **argv)
{
    struct pirn_loop *loop = virtual_begin(argc, argv, block, sizeof block, &hub);

    CHECK(pirn_semaphore_init(&rooms, ROOMS, ROOMS) == 0);
    for (int number = 1; number <= GUESTS; number++)
        CHECK(pirn_pool_spawn(&hub, &guests, sing, &number, sizeof number, PIRN_FOREVER) == 0);
    CHECK(pirn_group_join(&hub, &guests.group, PIRN_FOREVER) == 0);
    CHECK(served == GUESTS && singing == 0 && most == ROOMS);
    CHECK(rooms.value == ROOMS);
    CHECK(!is_self_test || elapsed_ms(&hub) == 20000);
    story_is("0.0 guest 1 enters\n0.0 guest 2 enters\n0.0 guest 3 enters\n0.0 guest 4 enters\n"
             "5.0 guest 5 enters\n5.0 guest 6 enters\n5.0 guest 7 enters\n5.0 guest 8 enters\n"
             "10.0 guest 9 enters\n10.0 guest 10 enters\n10.0 guest 11 enters\n"
             "10.0 guest 12 enters\n15.0 guest 13 enters\n");
    printf("karaoke: %d guests served in order, never more than %d inside\n", served, most);
    return loop_end(loop, &hub);
}
