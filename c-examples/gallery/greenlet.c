/*
 * greenlet: two fibers that switch to one another by hand.
 *
 * Shows: a switch means "wake that one, and park myself". There is no scheduler here: each fiber
 * decides which one runs next.
 * Watch for: 12 and 34 are two lines of one function, and 56 and 78 of another. They come out as 12
 * 56 34 78, because each function is left in its middle and continued there.
 * Next: gevent.c, where a wait does the switching.
 *
 *     ./build/gallery/greenlet                     --self-test checks the order
 */
#include "virtual.h"

static PIRN_STORAGE(block, 2, 2, 4);
static struct pirn_hub hub;
static struct pirn_fiber first, second;

/* The other one may not have begun yet: then it needs no wake. */
static void switch_to(struct pirn_hub *its_hub, struct pirn_fiber *other)
{
    (void)pirn_fiber_wake(other, 0);
    CHECK(pirn_fiber_park(its_hub, PIRN_FOREVER) == 0);
}

static int test1(struct pirn_hub *its_hub, void *user)
{
    (void)user;
    tell(its_hub, "12");
    switch_to(its_hub, &second);
    tell(its_hub, "34");
    return pirn_fiber_wake(&second, 0);              /* the last switch: it does not come back */
}

static int test2(struct pirn_hub *its_hub, void *user)
{
    (void)user;
    tell(its_hub, "56");
    switch_to(its_hub, &first);
    tell(its_hub, "78");
    return 0;
}

int main(int argc, char **argv)
{
    static char stacks[2][16384];
    struct pirn_loop *loop = virtual_begin(argc, argv, block, sizeof block, &hub);
    int result = -1;

    CHECK(pirn_fiber_start(&hub, &first, stacks[0], sizeof stacks[0], 0, test1, NULL) == 0);
    CHECK(pirn_fiber_start(&hub, &second, stacks[1], sizeof stacks[1], 0, test2, NULL) == 0);
    CHECK(pirn_fiber_join(&second, PIRN_FOREVER, NULL) == 0);
    CHECK(pirn_fiber_join(&first, PIRN_FOREVER, &result) == 0 && result == 0);
    story_is("0.0 12\n0.0 56\n0.0 34\n0.0 78\n");
    puts("greenlet: 12 56 34 78");
    return loop_end(loop, &hub);
}
