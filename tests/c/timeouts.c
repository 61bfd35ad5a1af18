/* Zero, huge and past times. T45, T46, T132. */
#include "test.h"

DECLARE_BLOCK(block);
static uint32_t the_backend;

static const uint64_t huge[] = {
    UINT64_C(2147483647) * 1000000,     /* INT_MAX ms */
    UINT64_C(2147483648) * 1000000,     /* one beyond: 24.8 days */
    UINT64_C(2147483647) * 1000000 + 1,
    UINT64_C(4294967296) * 1000000,
    UINT64_C(4294967296) * 1000000000,  /* 2^32 s */
    UINT64_C(1) << 62,
    (UINT64_C(1) << 63) - 1,
    UINT64_C(1) << 63,                  /* 2^63 ns: negative for those who count in signed 64 bits */
    (UINT64_C(1) << 63) + 1,
    UINT64_MAX - 1000000,
    UINT64_MAX - 999999999,
    UINT64_MAX - 1,
    UINT64_MAX,
};

/* 132: 0 does not wait, whatever there is to wait for. */
static void zero_does_not_wait(void)
{
    struct pirn_loop *loop;
    struct seen seen = { 0 };
    int pipe_fds[2];
    MUST(pipe2(pipe_fds, O_NONBLOCK | O_CLOEXEC) == 0);
    OPEN(loop, block, the_backend);
    OK(pirn_io_add(loop, pipe_fds[0], PIRN_READ, see_io, &seen, NULL));
    OK(pirn_timer_start(loop, 10 * SECOND, 0, 0, see_timer, &seen, NULL));
    uint64_t begun = monotonic_ns(), timeout = 1;
    for (int round = 0; round < 1000; round++) {
        GIVES(pirn_turn(loop, 0), 0);
        OK(pirn_prepare(loop, 0, &timeout));
        EQUAL(timeout, 0);
        GIVES(pirn_wait(loop, 0), 0);
        GIVES(pirn_dispatch(loop), 0);
    }
    CHECK(monotonic_ns() - begun < SECOND);
    GIVES(pirn_run_until(loop, 0), PIRN_EXPIRED);
    GIVES(pirn_run_until(loop, 1), PIRN_EXPIRED);
    EQUAL(seen.calls, 0);
    CLOSE(loop);
    close_all(pipe_fds, 2);
}

/*
 * 45: neither taken for "none" nor for 0 nor refused by the kernel: the wait lasts until something
 * comes.
 */
static void a_huge_timeout_waits(void)
{
    struct pirn_loop *loop;
    struct seen timer_seen = { 0 };
    OPEN(loop, block, the_backend);
    for (size_t at = 0; at < sizeof huge / sizeof *huge; at++) {
        uint64_t timeout = 0, begun;
        OK(pirn_prepare(loop, huge[at], &timeout));
        if (!EQUAL(timeout, huge[at]))
            break;
        /* A one-shot timer ends the wait, no earlier than it is due. */
        begun = monotonic_ns();
        OK(pirn_timer_start(loop, 3 * MILLISECOND, 0, 0, see_timer, &timer_seen, NULL));
        long calls = 0, turns = 0;
        while (calls == 0 && turns++ < 100) {
            int called = pirn_turn(loop, huge[at]);
            if (!CHECK(called >= 0))
                break;
            calls += called;
        }
        EQUAL(calls, 1);
        uint64_t took = monotonic_ns() - begun;
        CHECK(took >= 3 * MILLISECOND && took < SECOND);
        CHECK(turns <= 4);
        /* So does a wake, wherever the wait stands. */
        OK(pirn_wake(loop));
        GIVES(pirn_wait(loop, huge[at]), 0);
        GIVES(pirn_dispatch(loop), 0);
        OK(pirn_wake(loop));
        GIVES(pirn_turn(loop, huge[at]), 0);
    }
    EQUAL(timer_seen.calls, sizeof huge / sizeof *huge);
    CLOSE(loop);
}

static void after_alarm(int signal)
{
    (void)signal;
}

/*
 * The wait itself, not only its preparation: with nothing but the timeout to end it, a signal after
 * 5 ms finds it waiting.
 */
static void a_huge_wait_reaches_the_kernel(void)
{
    struct pirn_loop *loop;
    struct sigaction action = { .sa_handler = after_alarm }, before;
    timer_t timer;
    struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
    MUST(sigaction(SIGUSR1, &action, &before) == 0 && timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    OPEN(loop, block, the_backend);
    for (size_t at = 0; at < sizeof huge / sizeof *huge; at++) {
        struct itimerspec soon = { .it_value = { 0, 5000000 }, .it_interval = { 0, 5000000 } }, never = { 0 };
        uint64_t begun = monotonic_ns();
        MUST(timer_settime(timer, 0, &soon, NULL) == 0);
        GIVES(pirn_wait(loop, huge[at]), 0);
        MUST(timer_settime(timer, 0, &never, NULL) == 0);
        CHECK(monotonic_ns() - begun >= 4 * MILLISECOND);
        GIVES(pirn_dispatch(loop), 0);
    }
    CLOSE(loop);
    timer_delete(timer);
    sigaction(SIGUSR1, &before, NULL);
}

/*
 * Timers as far in the future as can be said: never due, never in the way, and what is beyond 2^64
 * is for ever.
 */
static void huge_delays_never_fire(void)
{
    struct pirn_loop *loop;
    struct pirn_timer timer, near;
    struct seen seen = { 0 };
    OPEN(loop, block, the_backend);
    for (size_t at = 0; at < sizeof huge / sizeof *huge; at++) {
        uint64_t remaining = 1;
        OK(pirn_timer_start(loop, huge[at], 0, 0, see_timer, &seen, &timer));
        OK(pirn_timer_remaining(loop, timer, &remaining));
        if (huge[at] > UINT64_MAX - SECOND) {
            EQUAL(remaining, PIRN_FOREVER);
            EQUAL(pirn_deadline(loop), PIRN_FOREVER);
        } else {
            CHECK(remaining <= huge[at] && remaining > huge[at] - SECOND);
        }
        OK(pirn_timer_start(loop, 0, 0, 0, see_timer, &seen, &near));
        GIVES(pirn_turn(loop, 0), 1);
        GIVES(pirn_turn(loop, MILLISECOND), 0);
        OK(pirn_timer_again(loop, timer, huge[at]));
        OK(pirn_timer_slack(loop, timer, huge[at]));
        GIVES(pirn_turn(loop, 0), 0);
        OK(pirn_verify(loop));
        OK(pirn_timer_again(loop, timer, 0));
        OK(pirn_timer_slack(loop, timer, 0));
        GIVES(pirn_turn(loop, 0), 1);
        GIVES(pirn_timer_stop(loop, timer), -ENOENT);
        /* A period of centuries. */
        OK(pirn_timer_start(loop, 0, huge[at], PIRN_TIMER_SKIP, see_timer, &seen, &timer));
        GIVES(pirn_turn(loop, 0), 1);
        EQUAL(seen.missed, 0);
        GIVES(pirn_turn(loop, MILLISECOND), 0);
        OK(pirn_timer_stop(loop, timer));
        OK(pirn_verify(loop));
    }
    EQUAL(seen.calls, 3 * (long)(sizeof huge / sizeof *huge));
    CLOSE(loop);
}

static void restart(struct pirn_loop *loop, struct pirn_timer timer, uint64_t missed, void *user)
{
    struct seen *seen = user;
    (void)timer;
    (void)missed;
    seen->calls++;
    OK(pirn_timer_start(loop, 0, 0, 0, restart, user, NULL));
    OK(pirn_timer_start(loop, 0, 0, PIRN_TIMER_ABSOLUTE, see_timer, user, NULL));
}

/* 46, 47: 0 and the past are the next turn, not this one. */
static void no_delay_is_the_next_turn(void)
{
    struct pirn_loop *loop;
    struct seen seen = { 0 };
    struct pirn_timer timer;
    OPEN(loop, block, the_backend);
    OK(pirn_timer_start(loop, 0, 0, PIRN_TIMER_ABSOLUTE, see_timer, &seen, NULL));
    OK(pirn_timer_start(loop, 1, 0, PIRN_TIMER_ABSOLUTE, see_timer, &seen, NULL));
    OK(pirn_timer_start(loop, 0, 0, PIRN_TIMER_CACHED, see_timer, &seen, NULL));
    GIVES(pirn_turn(loop, PIRN_FOREVER), 3);
    seen.calls = 0;
    OK(pirn_timer_start(loop, 0, 0, 0, restart, &seen, NULL));
    GIVES(pirn_turn(loop, PIRN_FOREVER), 1);
    GIVES(pirn_turn(loop, PIRN_FOREVER), 2);
    GIVES(pirn_turn(loop, PIRN_FOREVER), 2);
    EQUAL(seen.calls, 5);
    /* A period of a nanosecond: one call in a turn, however many ticks are due. */
    OK(pirn_deinit(loop));
    OPEN(loop, block, the_backend);
    seen.calls = 0;
    OK(pirn_timer_start(loop, 0, 1, 0, see_timer, &seen, &timer));
    for (int turn = 1; turn <= 100; turn++) {
        GIVES(pirn_turn(loop, PIRN_FOREVER), 1);
        EQUAL(seen.calls, turn);
    }
    CHECK(seen.missed > 0);
    OK(pirn_timer_stop(loop, timer));
    CLOSE(loop);
}

static void test(uint32_t backend)
{
    the_backend = backend;
    zero_does_not_wait();
    a_huge_timeout_waits();
    a_huge_wait_reaches_the_kernel();
    huge_delays_never_fire();
    no_delay_is_the_next_turn();
}

int main(int argc, char **argv)
{
    return run_on_backends(argc, argv, test);
}
