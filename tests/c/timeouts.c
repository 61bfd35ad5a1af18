/* Huge timeouts reach the kernel, where a signal finds the wait. T45. */
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
    UINT64_C(1) << 63,                  /* 2^63 ns: negative as a signed number of 64 bits */
    (UINT64_C(1) << 63) + 1,
    UINT64_MAX - 1000000,
    UINT64_MAX - 999999999,
    UINT64_MAX - 1,
    UINT64_MAX,
};

/*
 * T45: neither taken for "none" nor for 0 nor refused by the kernel: the wait lasts until something
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
    MUST(sigaction(SIGUSR1, &action, &before) == 0);
    MUST(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    OPEN(loop, block, the_backend);
    for (size_t at = 0; at < sizeof huge / sizeof *huge; at++) {
        struct itimerspec soon = { .it_value = { 0, 5000000 }, .it_interval = { 0, 5000000 } };
        struct itimerspec never = { 0 };
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

static void test(uint32_t backend)
{
    the_backend = backend;
    a_huge_timeout_waits();
    a_huge_wait_reaches_the_kernel();
}

int main(int argc, char **argv)
{
    return run_on_backends(argc, argv, test);
}
