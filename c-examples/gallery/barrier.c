/*
 * barrier: three runners who begin each lap together.
 *
 * Shows: each runner waits until all have arrived, then all continue; the last one learns that it
 * was the last. The barrier can be used for the next lap immediately.
 * Watch for: a runner that leaves breaks the barrier, because the others would wait for ever: they
 * get -EPIPE, and so does every later wait until pirn_barrier_reset.
 * Next: renewed_code.c, where no fiber waits: a timer calls a function.
 *
 *     ./build/gallery/barrier                      takes 12 seconds; with --self-test no time
 */
#include <pirn/sync.h>

#include "virtual.h"

static PIRN_STORAGE(block, 2, 2, 4);
static struct pirn_hub hub;
static struct pirn_barrier line;
PIRN_POOL(pool, 3, 16384);

struct runner { char name; uint64_t lap_ns, patience_ns; };

static int run(struct pirn_hub *its_hub, void *argument)
{
    const struct runner *runner = argument;

    for (int lap = 1; lap <= 2; lap++) {
        int arrived;

        pirn_fiber_sleep(its_hub, runner->lap_ns);
        arrived = pirn_barrier_wait(its_hub, &line, runner->patience_ns);
        if (arrived < 0) {
            tell(its_hub, "%c %s", runner->name, arrived == -EPIPE ? "is let down" : "leaves");
            return arrived;
        }
        tell(its_hub, "%c came as number %d of lap %d", runner->name, arrived + 1, lap);
    }
    return 0;
}

static void race(const char *title, uint64_t patience_of_a_ns)
{
    const struct runner runners[] = { { 'a', SECOND, patience_of_a_ns },
                                      { 'b', 2 * SECOND, PIRN_FOREVER },
                                      { 'c', 4 * SECOND, PIRN_FOREVER } };

    new_story(&hub, title);
    for (int at = 0; at < 3; at++)
        CHECK(pirn_pool_spawn(&hub, &pool, run, &runners[at], sizeof runners[at], PIRN_FOREVER)
              == 0);
    CHECK(pirn_group_join(&hub, &pool.group, PIRN_FOREVER) == 0);
}

int main(int argc, char **argv)
{
    struct pirn_loop *loop = virtual_begin(argc, argv, block, sizeof block, &hub);

    CHECK(pirn_barrier_init(&line, 3) == 0);
    race("all are patient", PIRN_FOREVER);
    story_is("4.0 c came as number 3 of lap 1\n4.0 a came as number 1 of lap 1\n"
             "4.0 b came as number 2 of lap 1\n8.0 c came as number 3 of lap 2\n"
             "8.0 a came as number 1 of lap 2\n8.0 b came as number 2 of lap 2\n");
    race("a waits two seconds, and no more", 2 * SECOND);
    story_is("3.0 a leaves\n3.0 b is let down\n4.0 c is let down\n");
    CHECK(line.is_broken == 1);
    CHECK(pirn_barrier_reset(&line) == 0 && line.is_broken == 0);
    puts("barrier: each lap begins for all three at once; one who leaves lets the others down");
    return loop_end(loop, &hub);
}
