/*
 * renewed_code: a login code that changes every minute.
 *
 * Shows: a periodic timer and one without a period each call a function, beside a fiber that waits
 * for its user. The periodic one is stopped when it is no longer needed.
 * Watch for: no fiber waits for the timer, so it needs no fiber and no stack: it is a callback of
 * the loop. It runs between two waits of the fibers, so the code cannot change inside of `log_in`.
 * Next: queues.c, for fibers that hand things to one another.
 *
 *     ./build/gallery/renewed_code                 takes 3 minutes; with --self-test no time
 */
#include "virtual.h"

#define MINUTE (60 * SECOND)

static PIRN_STORAGE(block, 2, 4, 4);
static struct pirn_hub hub;
static struct pirn_timer renewal;
static unsigned code = 4711;

static void renew(struct pirn_loop *loop, struct pirn_timer timer, uint64_t missed, void *user)
{
    (void)loop, (void)timer, (void)missed, (void)user;
    code = (code * 31 + 7) % 10000;                  /* a real one is drawn by getrandom */
    tell(&hub, "the code is %04u now", code);
}

static void remind(struct pirn_loop *loop, struct pirn_timer timer, uint64_t missed, void *user)
{
    (void)loop, (void)timer, (void)missed, (void)user;
    tell(&hub, "are you still there?");              /* once: it has no period */
}

static int log_in(struct pirn_hub *its_hub, unsigned typed)
{
    int is_right = typed == code;

    tell(its_hub, "%04u is %s", typed, is_right ? "right" : "wrong");
    return is_right;
}

static int forgetful_user(struct pirn_hub *its_hub, void *user)
{
    unsigned seen;

    (void)user;
    CHECK(!log_in(its_hub, 1234));
    seen = code;
    pirn_fiber_sleep(its_hub, 70 * SECOND);          /* where is my telephone? */
    CHECK(!log_in(its_hub, seen));
    seen = code;
    pirn_fiber_sleep(its_hub, 40 * SECOND);          /* quick enough */
    CHECK(log_in(its_hub, seen));
    CHECK(pirn_timer_stop(pirn_hub_loop(its_hub), renewal) == 0);
    pirn_fiber_sleep(its_hub, MINUTE);
    tell(its_hub, "nothing was renewed any more");
    return 0;
}

int main(int argc, char **argv)
{
    static struct pirn_fiber user;
    static char stack[16384];
    struct pirn_loop *loop = virtual_begin(argc, argv, block, sizeof block, &hub);

    CHECK(pirn_timer_start(loop, MINUTE, MINUTE, 0, renew, NULL, &renewal) == 0);
    CHECK(pirn_timer_start(loop, 30 * SECOND, 0, 0, remind, NULL, NULL) == 0);
    CHECK(pirn_fiber_start(&hub, &user, stack, sizeof stack, 0, forgetful_user, NULL) == 0);
    CHECK(pirn_run(loop) == PIRN_DONE && pirn_fiber_join(&user, 0, NULL) == 0);
    story_is("0.0 1234 is wrong\n30.0 are you still there?\n60.0 the code is 6048 now\n"
             "70.0 4711 is wrong\n"
             "110.0 6048 is right\n170.0 nothing was renewed any more\n");
    puts("renewed_code: an old code is refused, a fresh one is not; the timer is stopped");
    return loop_end(loop, &hub);
}
