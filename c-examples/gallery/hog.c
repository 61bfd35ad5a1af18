/*
 * hog: one fiber computes, and all others must wait.
 *
 * Shows: a fiber is never interrupted. One that computes for 300 ms delays everything that is due
 * during that time by up to 300 ms. The loop notices it (pirn_stats: the longest callback, and the
 * longest lag of a timer), and two hooks around each switch find out which fiber it is. Watch for:
 * the solutions differ. pirn_fiber_yield runs the fibers that are ready now. pirn_fiber_sleep of 0
 * lets the loop make a whole turn, which also reads the clock and asks the kernel, so timers and
 * sockets are served too. Run work that has no place for a yield in a thread, as ui_events.c does.
 * Next: idle.c, for fibers that do nothing at all.
 *
 *     ./build/gallery/hog                          takes 2 seconds; with --self-test no time
 */
#include "virtual.h"

static PIRN_STORAGE(block, 2, 2, 4);
static struct pirn_loop *loop;
static struct pirn_hub hub;
static struct pirn_fiber hog, clock_;
static char stacks[2][16384];

/* ---- finding it: the longest time that each fiber has run without a wait ---- */

static struct pirn_fiber *runs;
static uint64_t runs_since_ns;
static struct pirn_fiber *longest;
static uint64_t longest_ns;

static void on_enter(struct pirn_fiber *now)
{
    runs = now;
    runs_since_ns = pirn_update(loop);
}

static void on_leave(struct pirn_fiber *from, struct pirn_fiber *to, int ends)
{
    uint64_t ran_ns = pirn_update(loop) - runs_since_ns;

    (void)to, (void)ends;
    if (from != NULL && from == runs && ran_ns > longest_ns) {
        longest = from;
        longest_ns = ran_ns;
    }
}

static const struct pirn_fiber_hooks hooks = { NULL, on_leave, on_enter };

/* ---- the victim: wants to tick each 10 ms, and notes how late it is at worst ---- */

static uint64_t worst_ns;
static int is_over;

static int tick(struct pirn_hub *its_hub, void *user)
{
    (void)user;
    while (!is_over) {
        uint64_t due = pirn_update(loop) + 10 * MS, now;

        pirn_fiber_sleep(its_hub, 10 * MS);
        now = pirn_update(loop);
        if (now - due > worst_ns)
            worst_ns = now - due;
    }
    return 0;
}

/* ---- the hog: 300 pieces of a millisecond ---- */

enum cure { NONE, YIELD, SLEEP_0 };

static int compute_a_lot(struct pirn_hub *its_hub, void *user)
{
    pirn_fiber_sleep(its_hub, 50 * MS);
    for (int at = 0; at < 300; at++) {
        compute(its_hub, MS);
        if (*(enum cure *)user == YIELD)
            pirn_fiber_yield(its_hub);
        else if (*(enum cure *)user == SLEEP_0)
            pirn_fiber_sleep(its_hub, 0);
    }
    pirn_fiber_sleep(its_hub, 20 * MS);
    is_over = 1;
    return 0;
}

/* Returns by how many milliseconds the clock was late at worst. */
static unsigned run(enum cure cure, const char *title)
{
    longest = NULL;
    longest_ns = worst_ns = 0;
    is_over = 0;
    CHECK(pirn_fiber_start(&hub, &clock_, stacks[0], sizeof stacks[0], 0, tick, NULL) == 0);
    CHECK(pirn_fiber_start(&hub, &hog, stacks[1], sizeof stacks[1], 0, compute_a_lot, &cure) == 0);
    clock_.name = "clock";
    hog.name = "hog";
    CHECK(pirn_fiber_join(&hog, PIRN_FOREVER, NULL) == 0);
    CHECK(pirn_fiber_join(&clock_, PIRN_FOREVER, NULL) == 0);
    printf("hog: %-14s the clock is up to %3u ms late; %s ran longest, %u ms\n", title,
           (unsigned)(worst_ns / MS), longest->name, (unsigned)(longest_ns / MS));
    CHECK(!is_self_test || longest == &hog);
    return (unsigned)(worst_ns / MS);
}

int main(int argc, char **argv)
{
    struct pirn_stats stats;
    unsigned without, with_yield, with_sleep;

    flags_of_loop = PIRN_MEASURE;
    loop = virtual_begin(argc, argv, block, sizeof block, &hub);
    CHECK(pirn_fiber_set_hooks(&hub, &hooks) == 0);

    without = run(NONE, "without a cure:");
    stats.size = sizeof stats;
    CHECK(pirn_stats(loop, &stats) == 0);
    printf("hog: the loop's longest callback took %u ms\n",
           (unsigned)(stats.longest_callback_ns / MS));
    CHECK(stats.longest_callback_ns >= 300 * MS);
    with_yield = run(YIELD, "with yield:");
    with_sleep = run(SLEEP_0, "with sleep 0:");
    CHECK(without >= 280);
    if (is_self_test)
        CHECK(with_sleep <= 1 && with_yield <= 100);
    return loop_end(loop, &hub);
}
