/*
 * timers: all features of timers, with checks.
 *
 * Shows: one-shot and absolute timers, the three periodic policies under a slow callback, pushing
 * an idle timeout forward, slack, and a housekeeping timer that does not keep the loop going.
 *
 *     make && ./build/timers                       takes about half a second; exit status 0 if all
 *                                                  claims hold
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include <pirn.h>

#include "check.h"

#define MS UINT64_C(1000000)

static PIRN_STORAGE(block, 0, 4, 0);

static void spend(uint64_t ns)
{
    struct timespec left;

    left.tv_sec = 0;
    left.tv_nsec = (long)ns;
    while (nanosleep(&left, &left) != 0)
        ;
}

static double ms(uint64_t ns)
{
    return (double)ns / (double)MS;
}

/* ---- once ---- */

/* Notes the turn's time. Where a timer needs no more than that, this is its callback. */
static void note_time(struct pirn_loop *loop, struct pirn_timer timer, uint64_t missed, void *user)
{
    uint64_t *at = user;

    (void)timer, (void)missed;
    *at = pirn_now(loop);
}

static void one_shot(struct pirn_loop *loop)
{
    struct pirn_timer timer;
    uint64_t start = pirn_update(loop), at = 0;

    CHECK(pirn_timer_start(loop, 20 * MS, 0, 0, note_time, &at, &timer) == 0);
    CHECK(pirn_run(loop) == PIRN_DONE);  /* returns by itself: nothing is left to wait for */
    CHECK(at >= start + 20 * MS);                   /* never early */
    /* fired, so its handle is dead, and stopping it harmless */
    CHECK(pirn_timer_stop(loop, timer) == -ENOENT);
    printf("one-shot: asked for 20 ms, called after %.3f ms\n", ms(at - start));
}

static void absolute(struct pirn_loop *loop)
{
    uint64_t deadline = pirn_update(loop) + 15 * MS, at = 0;

    CHECK(pirn_timer_start(loop, deadline, 0, PIRN_TIMER_ABSOLUTE, note_time, &at, NULL) == 0);
    CHECK(pirn_deadline(loop) == deadline);
    CHECK(pirn_run(loop) == PIRN_DONE);
    CHECK(at >= deadline);
    printf("absolute: %.3f ms late\n", ms(at - deadline));
}

/* ---- again and again ---- */

struct periodic {
    uint32_t policy;
    uint64_t start, missed;                         /* missed: sum, or for fixed rate the largest */
    unsigned calls;
};

#define PERIOD (10 * MS)
#define CALLS 8

static void on_period(struct pirn_loop *loop, struct pirn_timer timer, uint64_t missed, void *user)
{
    struct periodic *periodic = user;
    uint64_t elapsed = pirn_now(loop) - periodic->start;

    periodic->calls++;
    if (periodic->policy == PIRN_TIMER_SKIP) {
        /*
         * One call stands for `missed` ticks besides its own, and the ticks stay multiples of the
         * period.
         */
        periodic->missed += missed;
        CHECK(elapsed / PERIOD == periodic->calls + periodic->missed);
    } else if (periodic->policy == 0) {
        /*
         * Every tick gets a call, which may be late; `missed` is the number of further ticks that
         * are due.
         */
        periodic->missed = missed > periodic->missed ? missed : periodic->missed;
        CHECK(elapsed / PERIOD == periodic->calls + missed);
    } else {
        /* The pause between two calls is at least the period; there is nothing to miss. */
        CHECK(missed == 0 && elapsed >= periodic->calls * PERIOD);
    }
    if (periodic->calls == 3)
        spend(35 * MS);                             /* slow, once: three and a half periods */
    if (periodic->calls == CALLS)
        CHECK(pirn_timer_stop(loop, timer) == 0);   /* from inside its own callback */
}

static void periodic_with_slow_callback(struct pirn_loop *loop, uint32_t policy, const char *name)
{
    struct periodic periodic;
    uint64_t elapsed;

    memset(&periodic, 0, sizeof periodic);
    periodic.policy = policy;
    periodic.start = pirn_update(loop);
    CHECK(pirn_timer_start(loop, periodic.start + PERIOD, PERIOD, PIRN_TIMER_ABSOLUTE | policy,
                           on_period, &periodic, NULL) == 0);
    CHECK(pirn_run(loop) == PIRN_DONE);
    elapsed = pirn_now(loop) - periodic.start;
    CHECK(periodic.calls == CALLS);
    if (policy == PIRN_TIMER_FIXED_DELAY)
        /* the lost time is not made up for */
        CHECK(elapsed >= (3 + CALLS - 4) * PERIOD + 35 * MS);
    else
        CHECK(periodic.missed >= 2);
    printf("%s: %d calls of %d ms in %.1f ms, missed %" PRIu64 "\n", name, CALLS,
           (int)(PERIOD / MS), ms(elapsed), periodic.missed);
}

/* ---- pushed forward ---- */

struct idle {
    struct pirn_timer timeout;
    uint64_t last_traffic, gave_up;
    unsigned packets;
};

static void on_packet(struct pirn_loop *loop, struct pirn_timer timer, uint64_t missed, void *user)
{
    struct idle *idle = user;

    (void)missed;
    idle->last_traffic = pirn_now(loop);
    /* O(1), and cheap enough for every packet */
    CHECK(pirn_timer_again(loop, idle->timeout, 40 * MS) == 0);
    if (++idle->packets == 6)
        CHECK(pirn_timer_stop(loop, timer) == 0);
}

static void on_idle(struct pirn_loop *loop, struct pirn_timer timer, uint64_t missed, void *user)
{
    struct idle *idle = user;

    (void)timer, (void)missed;
    idle->gave_up = pirn_now(loop);
}

static void idle_timeout(struct pirn_loop *loop)
{
    struct idle idle;
    uint64_t start = pirn_update(loop);

    memset(&idle, 0, sizeof idle);
    CHECK(pirn_timer_start(loop, 40 * MS, 0, 0, on_idle, &idle, &idle.timeout) == 0);
    CHECK(pirn_timer_start(loop, 10 * MS, 10 * MS, PIRN_TIMER_SKIP, on_packet, &idle, NULL) == 0);
    CHECK(pirn_run(loop) == PIRN_DONE);
    CHECK(idle.packets == 6 && idle.gave_up >= idle.last_traffic + 40 * MS);
    printf("idle timeout of 40 ms: traffic until %.1f ms, gave up after %.1f ms\n",
           ms(idle.last_traffic - start),
           ms(idle.gave_up - start));
}

/* ---- sharing a wake-up ---- */

/* Slack rounds a deadline up to the next multiple of the largest power of two of nanoseconds within
 * it: timers with similar slack are due together there. 20 ms of slack make multiples of 2^24 ns,
 * about 17 ms. */
#define GRID (UINT64_C(1) << 24)

static void slack(struct pirn_loop *loop)
{
    uint64_t corner = (pirn_update(loop) / GRID + 1) * GRID, at[3] = { 0, 0, 0 };

    for (unsigned i = 0; i < 3; ++i) {
        struct pirn_timer timer;

        CHECK(pirn_timer_start(loop, corner + (i + 1) * MS, 0, PIRN_TIMER_ABSOLUTE, note_time,
                               &at[i], &timer) == 0);
        CHECK(pirn_timer_slack(loop, timer, 20 * MS) == 0);
    }
    CHECK(pirn_run(loop) == PIRN_DONE);
    /* one wake-up served all three */
    CHECK(at[0] >= corner + GRID && at[0] == at[1] && at[0] == at[2]);
    printf("slack: timers for 1, 2 and 3 ms, each with 20 ms of slack, all called after %.3f ms\n",
           ms(at[0] - corner));
}

/* ---- not kept alive by it ---- */

static void count(struct pirn_loop *loop, struct pirn_timer timer, uint64_t missed, void *user)
{
    unsigned *calls = user;

    (void)loop, (void)timer, (void)missed;
    ++*calls;
}

static void housekeeping(struct pirn_loop *loop)
{
    struct pirn_timer timer;
    unsigned calls = 0;
    uint64_t at = 0;

    CHECK(pirn_timer_start(loop, 5 * MS, 5 * MS, PIRN_UNREF, count, &calls, &timer) == 0);
    CHECK(pirn_timer_start(loop, 32 * MS, 0, 0, note_time, &at, NULL) == 0);
    /* the one-shot has fired; the housekeeping alone is no reason to go on */
    CHECK(pirn_run(loop) == PIRN_DONE);
    CHECK(calls >= 1);
    CHECK(pirn_timer_stop(loop, timer) == 0);       /* it is still there */
    printf("housekeeping: called %u times meanwhile, and did not keep the loop going\n", calls);
}

int main(void)
{
    struct pirn_loop *loop;

    CHECK(pirn_init(&loop, block, sizeof block, NULL) == 0);
    one_shot(loop);
    absolute(loop);
    periodic_with_slow_callback(loop, 0, "fixed rate");
    periodic_with_slow_callback(loop, PIRN_TIMER_FIXED_DELAY, "fixed delay");
    periodic_with_slow_callback(loop, PIRN_TIMER_SKIP, "skip missed");
    idle_timeout(loop);
    slack(loop);
    housekeeping(loop);
    CHECK(pirn_verify(loop) == 0 && pirn_deinit(loop) == 0);
    return 0;
}
