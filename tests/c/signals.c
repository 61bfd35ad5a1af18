/*
 * Signals: raise, stop and post from handlers, in storms, and waits that are interrupted. T59, T75,
 * T79, T80, T83.
 */
#include "test.h"

#include <sys/time.h>

DECLARE_BLOCK(block);
static uint32_t the_backend;
static struct pirn_loop *volatile target;

enum { NOTHING, RAISE, POST, STOP, WAKE };
static volatile sig_atomic_t action, handled_count, accepted_count, refused_count, wrong_count,
    errno_count;

static void on_post(struct pirn_loop *loop, void *user)
{
    (void)loop;
    ++*(volatile sig_atomic_t *)user;
}

static volatile sig_atomic_t posts_run;

/* What a handler may do. It leaves errno as it was, for pirn does. */
static void on_signal(int number)
{
    struct pirn_loop *loop = target;
    int saved = errno, result = 0;
    (void)number;
    handled_count++;
    errno = UNTOUCHED;
    switch (action) {
    case RAISE:
        result = pirn_raise(loop, 7);
        break;
    case POST:
        result = pirn_remote_post(loop, on_post, (void *)&posts_run);
        break;
    case STOP:
        result = pirn_stop(loop);
        break;
    case WAKE:
        result = pirn_wake(loop);
        break;
    default:
        break;
    }
    errno_count += errno != UNTOUCHED;
    if (result == 0)
        accepted_count++;
    else if (result == -EAGAIN && action == POST)
        refused_count++;
    else
        wrong_count++;
    errno = saved;
}

static void storm(long microseconds, int what)
{
    struct itimerval every = { { 0, microseconds }, { 0, microseconds } };
    action = what;
    handled_count = accepted_count = refused_count = 0;
    MUST(setitimer(ITIMER_REAL, &every, NULL) == 0);
}

static void calm(void)
{
    struct itimerval never = { { 0, 0 }, { 0, 0 } };
    MUST(setitimer(ITIMER_REAL, &never, NULL) == 0);
    EQUAL(wrong_count, 0);
    EQUAL(errno_count, 0);
}

static void install(int flags)
{
    struct sigaction how;
    memset(&how, 0, sizeof how);
    how.sa_handler = on_signal;
    how.sa_flags = flags;
    MUST(sigaction(SIGALRM, &how, NULL) == 0);
}

/*
 * T59, T83: a signal every millisecond neither shortens nor prolongs: timers fire after their time,
 * and soon after.
 */
static void waits_are_resumed(void)
{
    struct pirn_loop *loop;
    struct seen seen = { 0 };
    OPEN(loop, block, the_backend);
    target = loop;
    for (int restart = 0; restart < 2; restart++) {
        install(restart ? SA_RESTART : 0);
        for (int round = 0; round < 3; round++) {
            uint64_t begun = monotonic_ns();
            OK(pirn_timer_start(loop, 60 * MILLISECOND, 0, 0, see_timer, &seen, NULL));
            storm(1000, NOTHING);
            GIVES(pirn_run(loop), PIRN_DONE);
            calm();
            uint64_t took = monotonic_ns() - begun;
            CHECK(took >= 60 * MILLISECOND);
            CHECK(took < 560 * MILLISECOND);
            CHECK(handled_count >= 3);
        }
        EQUAL(seen.calls, 3 * (restart + 1));
        /* A run until a point in time does not end before it. */
        uint64_t deadline = pirn_update(loop) + 40 * MILLISECOND;
        OK(pirn_hold(loop));
        storm(1000, NOTHING);
        GIVES(pirn_run_until(loop, deadline), PIRN_EXPIRED);
        calm();
        CHECK(pirn_update(loop) >= deadline);
        OK(pirn_release(loop));
    }
    CLOSE(loop);
}

/* An interrupted wait is an empty wait, not an error; and no more is made of it. */
static void an_interrupted_wait_is_empty(void)
{
    struct pirn_loop *loop;
    OPEN(loop, block, the_backend);
    target = loop;
    install(0);
    storm(2000, NOTHING);
    for (int round = 0; round < 20; round++) {
        GIVES(pirn_wait(loop, 5 * SECOND), 0);
        GIVES(pirn_dispatch(loop), 0);
    }
    calm();
    CLOSE(loop);
}

/*
 * T79: raised while it waits, while it dispatches, and in between: nothing is lost, whatever the
 * moment.
 */
static volatile sig_atomic_t raised_seen;

static void on_raised(struct pirn_loop *loop, struct pirn_io io, int bit, uint32_t ready,
                      void *user)
{
    (void)loop, (void)io, (void)user;
    EQUAL(bit, 7);
    EQUAL(ready, PIRN_READ);
    raised_seen++;
}

static void busy(struct pirn_loop *loop, void *user)
{
    (void)user;
    /* So that signals come while a callback runs, too. */
    for (volatile int at = 0; at < 20000; at++)
        ;
    OK(pirn_task_post(loop, busy, NULL, NULL));
}

static void raised_bits_are_not_lost(void)
{
    struct pirn_loop *loop;
    struct pirn_io io;
    OPEN(loop, block, the_backend);
    target = loop;
    install(0);
    OK(pirn_raise_add(loop, 7, 0, on_raised, NULL, &io));
    for (int is_busy = 0; is_busy < 2; is_busy++) {
        if (is_busy)
            OK(pirn_task_post(loop, busy, NULL, NULL));
        raised_seen = 0;
        storm(1000, RAISE);
        uint64_t begun = monotonic_ns();
        while (handled_count < 60 && monotonic_ns() - begun < 5 * SECOND)
            CHECK(pirn_turn(loop, PIRN_FOREVER) >= 0);
        calm();
        /* The last may still be on its way. */
        CHECK(pirn_turn(loop, 0) >= 0);
        CHECK(handled_count >= 60);
        /*
         * Several may make one call, when the loop was late; but a loop that only waits hears of
         * nearly every one.
         */
        CHECK(raised_seen <= handled_count);
        CHECK(is_busy ? raised_seen > 5 : raised_seen * 4 > handled_count);
        raised_seen = 0;
        CHECK(pirn_turn(loop, 0) >= 0);
        EQUAL(raised_seen, 0);
    }
    OK(pirn_io_remove(loop, io));
    CLOSE(loop);
}

/*
 * One signal, one wait that would last for ever, over and over: the race between looking and
 * sleeping.
 */
static void a_signal_just_before_the_wait_ends_it(void)
{
    struct pirn_loop *loop;
    struct pirn_io io;
    timer_t timer;
    struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };
    OPEN(loop, block, the_backend);
    target = loop;
    install(0);
    MUST(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    OK(pirn_raise_add(loop, 7, 0, on_raised, NULL, &io));
    action = RAISE;
    for (int round = 0; round < 3000; round++) {
        struct itimerspec soon = { .it_value = { 0, 100 + (long)(random_word() % 12000) } };
        raised_seen = 0;
        MUST(timer_settime(timer, 0, &soon, NULL) == 0);
        /*
         * An interrupted wait may be empty; but the bit is found by the turn after, without another
         * signal.
         */
        for (int turn = 0; turn < 3 && raised_seen == 0; turn++)
            CHECK(pirn_turn(loop, 5 * SECOND) >= 0);
        if (!EQUAL(raised_seen, 1))
            break;
    }
    timer_delete(timer);
    EQUAL(wrong_count, 0);
    OK(pirn_io_remove(loop, io));
    CLOSE(loop);
}

/* T75: posts from a handler that interrupts anything, posts from the loop's own thread included. */
static volatile sig_atomic_t own_posts_run;

static void posts_are_not_lost(void)
{
    struct pirn_loop *loop;
    long own_accepted = 0;
    OPEN(loop, block, the_backend);
    target = loop;
    install(0);
    posts_run = own_posts_run = 0;
    storm(300, POST);
    uint64_t begun = monotonic_ns();
    while (handled_count < 300 && monotonic_ns() - begun < 5 * SECOND) {
        for (int at = 0; at < 50; at++) {
            int result = pirn_remote_post(loop, on_post, (void *)&own_posts_run);
            CHECK(result == 0 || result == -EAGAIN);
            own_accepted += result == 0;
        }
        CHECK(pirn_turn(loop, 0) >= 0);
    }
    calm();
    settle(loop, 5);
    CHECK(handled_count >= 100);
    EQUAL(posts_run, accepted_count);
    EQUAL(own_posts_run, own_accepted);
    EQUAL(stats_of(loop).remote_posts, own_accepted + accepted_count);
    EQUAL(accepted_count + refused_count, handled_count);
    CLOSE(loop);
}

/* Stop from a handler ends the run, however deep it sleeps, every time. */
static void stop_from_a_handler_ends_the_run(void)
{
    struct pirn_loop *loop;
    OPEN(loop, block, the_backend);
    target = loop;
    install(0);
    OK(pirn_hold(loop));
    for (int round = 0; round < 50; round++) {
        struct itimerval once = { { 0, 0 }, { 0, 200 + round * 40 } };
        action = STOP;
        uint64_t begun = monotonic_ns();
        MUST(setitimer(ITIMER_REAL, &once, NULL) == 0);
        GIVES(pirn_run(loop), PIRN_STOPPED);
        CHECK(monotonic_ns() - begun < SECOND);
    }
    calm();
    CLOSE(loop);
}

/* A wake from a handler in a tight spot never writes anything that would fill up or block. */
static void wakes_never_block(void)
{
    struct pirn_loop *loop;
    OPEN(loop, block, the_backend);
    target = loop;
    for (long at = 0; at < 1000000; at++)
        if (pirn_wake(loop) != 0) {
            FAIL("a wake was refused");
            break;
        }
    GIVES(pirn_turn(loop, PIRN_FOREVER), 0);
    CHECK(stats_of(loop).wake_writes <= 1);
    install(0);
    storm(200, WAKE);
    for (int turn = 0; turn < 300; turn++)
        GIVES(pirn_turn(loop, PIRN_FOREVER), 0);
    calm();
    CLOSE(loop);
}

static void test(uint32_t backend)
{
    the_backend = backend;
    alarm(0);
    waits_are_resumed();
    an_interrupted_wait_is_empty();
    raised_bits_are_not_lost();
    a_signal_just_before_the_wait_ends_it();
    posts_are_not_lost();
    stop_from_a_handler_ends_the_run();
    wakes_never_block();
}

int main(int argc, char **argv)
{
    return run_on_backends(argc, argv, test);
}
