/*
 * semaphore: five at a time; one release too many; several units at once.
 *
 * Shows: a bounded semaphore (`most` is not 0) refuses a release without an acquisition:
 * -EOVERFLOW. An unbounded one accepts it, and admits one more from then on. A fiber can acquire
 * several units, and gets them all at once or waits.
 * Watch for: a fiber that wants many units is not starved by those that want few: they queue behind
 * it.
 * Next: traffic_light.c, which does not count.
 *
 *     ./build/gallery/semaphore                    takes 8 seconds; with --self-test no time
 */
#include <pirn/sync.h>

#include "virtual.h"

static PIRN_STORAGE(block, 2, 2, 4);
static struct pirn_hub hub;
static struct pirn_semaphore seats;
static int inside, most;
PIRN_POOL(visitors, 20, 16384);

static int visit(struct pirn_hub *its_hub, void *user)
{
    (void)user;
    CHECK(pirn_semaphore_acquire(its_hub, &seats, 1, PIRN_FOREVER) == 0);
    if (++inside > most)
        most = inside;
    pirn_fiber_sleep(its_hub, SECOND);
    inside--;
    return pirn_semaphore_release(&seats, 1);
}

static int most_of_twenty(void)
{
    most = 0;
    for (int at = 0; at < 20; at++)
        CHECK(pirn_pool_spawn(&hub, &visitors, visit, NULL, 0, PIRN_FOREVER) == 0);
    CHECK(pirn_group_join(&hub, &visitors.group, PIRN_FOREVER) == 0);
    return most;
}

static int visit_as_a_family(struct pirn_hub *its_hub, void *argument)
{
    uint32_t people = *(uint32_t *)argument;

    CHECK(pirn_semaphore_acquire(its_hub, &seats, people, PIRN_FOREVER) == 0);
    tell(its_hub, "%u sit down", (unsigned)people);
    pirn_fiber_sleep(its_hub, SECOND);
    return pirn_semaphore_release(&seats, people);
}

int main(int argc, char **argv)
{
    static const uint32_t families[] = { 3, 4, 1, 2 };
    struct pirn_loop *loop = virtual_begin(argc, argv, block, sizeof block, &hub);

    CHECK(pirn_semaphore_init(&seats, 5, 5) == 0);
    CHECK(most_of_twenty() == 5);
    CHECK(pirn_semaphore_release(&seats, 1) == -EOVERFLOW && seats.value == 5);
    CHECK(most_of_twenty() == 5);                    /* nothing has changed */

    CHECK(pirn_semaphore_init(&seats, 5, 0) == 0);   /* unbounded: the mistake is believed */
    CHECK(pirn_semaphore_release(&seats, 1) == 0);
    CHECK(most_of_twenty() == 6);

    CHECK(pirn_semaphore_init(&seats, 5, 5) == 0);
    new_story(&hub, "families: the single guest waits behind the four");
    for (size_t at = 0; at < 4; at++)
        CHECK(pirn_pool_spawn(&hub, &visitors, visit_as_a_family, &families[at],
                              sizeof families[at], PIRN_FOREVER) == 0);
    CHECK(pirn_group_join(&hub, &visitors.group, PIRN_FOREVER) == 0);
    story_is("0.0 3 sit down\n1.0 4 sit down\n1.0 1 sit down\n2.0 2 sit down\n");
    puts("semaphore: five at a time; bounded: a release too many is refused; unbounded: six");
    return loop_end(loop, &hub);
}
