/*
 * Deadlines on clocks that can be set, or do not stand still.
 *
 * Steps of the clock are tested in crates/os/src/schedule.rs, against a model of the kernel. With
 * PIRN_TEST_SET_CLOCK in the environment this program sets the clock of the machine too, by up to
 * an hour forth and back: for a virtual machine of its own.
 */
#include "sources.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

DECLARE_BLOCK(block);

/* The reports, in order. */
struct told {
    int calls;
    uint32_t what[16];
    uint64_t missed[16];
    struct pirn_clock *remove;
    uint32_t which;
};

static uint64_t clock_ns(uint32_t which)
{
    struct timespec now;
    clock_gettime(which == PIRN_CLOCK_BOOTTIME ? CLOCK_BOOTTIME : CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

static void on_clock(struct pirn_loop *loop, struct pirn_clock *clock, uint32_t what,
                     uint64_t missed, void *user)
{
    struct told *told = user;
    CHECK(clock->loop == loop);
    if (told->calls < 16) {
        told->what[told->calls] = what;
        told->missed[told->calls] = missed;
    }
    told->calls++;
    told->which = clock->clock;
    if (told->remove)
        OK(pirn_clock_remove(told->remove));
}

/* Turns for so long. */
static void turn_for(struct pirn_loop *loop, uint64_t time_ns)
{
    uint64_t end = monotonic_ns() + time_ns, now;
    while ((now = monotonic_ns()) < end)
        CHECK(pirn_turn(loop, end - now) >= 0);
}

/* Turns until so many calls were made, and no more come. The kernel's timer may take a moment. */
static void await(struct pirn_loop *loop, const struct told *told, int calls)
{
    uint64_t begun = monotonic_ns();
    while (told->calls < calls && monotonic_ns() - begun < 10 * SECOND)
        CHECK(pirn_turn(loop, 100 * MILLISECOND) >= 0);
    turn_for(loop, 2 * MILLISECOND);
    EQUAL(told->calls, calls);
}

static void await_readable(int fd)
{
    struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
    MUST(poll(&poll_fd, 1, 10000) == 1);
}

static void bad_arguments_are_refused(void)
{
    struct pirn_loop *loop, *host;
    struct pirn_clock clock = { 0 };
    uint64_t ns = 4711;
    uint32_t real = PIRN_CLOCK_REALTIME, boot = PIRN_CLOCK_BOOTTIME, tell = PIRN_CLOCK_TELL_SET;
    host = open_host();
    OPEN(loop, block, the_backend);
    int fds = open_fd_count();
    GIVES(pirn_clock_add(NULL, &clock, real, 0, 0, 0, on_clock, NULL), -EINVAL);
    GIVES(pirn_clock_add(loop, NULL, real, 0, 0, 0, on_clock, NULL), -EINVAL);
    GIVES(pirn_clock_add(loop, &clock, real, 0, 0, 0, NULL, NULL), -EINVAL);
    GIVES(pirn_clock_add(loop, &clock, CLOCK_MONOTONIC, 0, 0, 0, on_clock, NULL), -EINVAL);
    GIVES(pirn_clock_add(loop, &clock, 10, 0, 0, 0, on_clock, NULL), -EINVAL);
    GIVES(pirn_clock_add(loop, &clock, UINT32_MAX, 0, 0, 0, on_clock, NULL), -EINVAL);
    GIVES(pirn_clock_add(loop, &clock, real, 0, 0, 2, on_clock, NULL), -EINVAL);
    GIVES(pirn_clock_add(loop, &clock, real, 0, 0, PIRN_EDGE, on_clock, NULL), -EINVAL);
    GIVES(pirn_clock_add(loop, &clock, real, 0, 0, UINT32_C(1) << 31, on_clock, NULL), -EINVAL);
    GIVES(pirn_clock_add(loop, &clock, boot, 0, 0, tell, on_clock, NULL), -EINVAL);
    GIVES(pirn_clock_add(host, &clock, real, 0, 0, 0, on_clock, NULL), -EOPNOTSUPP);
    GIVES(pirn_clock_remove(NULL), -EINVAL);
    GIVES(pirn_clock_remove(&clock), -ENOENT);
    GIVES(pirn_clock_again(NULL, 0), -EINVAL);
    GIVES(pirn_clock_again(&clock, 0), -ENOENT);
    GIVES(pirn_clock_now(CLOCK_MONOTONIC, &ns), -EINVAL);
    EQUAL(ns, 4711);
    GIVES(pirn_clock_now(real, NULL), -EINVAL);
    OK(pirn_clock_add(loop, &clock, real, PIRN_FOREVER, 0, tell, on_clock, NULL));
    GIVES(pirn_clock_add(loop, &clock, real, 0, 0, 0, on_clock, NULL), -EEXIST);
    EQUAL(fcntl(clock.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    OK(pirn_clock_remove(&clock));
    EQUAL(open_fd_count(), fds);
    CLOSE(host);
    CLOSE(loop);
}

static void a_clock_can_be_read(void)
{
    static const uint32_t clocks[][2] = { { PIRN_CLOCK_REALTIME, PIRN_CLOCK_REALTIME_ALARM },
                                          { PIRN_CLOCK_BOOTTIME, PIRN_CLOCK_BOOTTIME_ALARM } };
    for (int at = 0; at < 2; at++)
        for (int form = 0; form < 2; form++) {
            uint64_t before = clock_ns(clocks[at][0]), shown = 0;
            OK(pirn_clock_now(clocks[at][form], &shown));
            CHECK(before <= shown && shown <= clock_ns(clocks[at][0]));
        }
}

static void a_deadline_is_reported_when_it_is_reached(void)
{
    static const uint32_t clocks[] = { PIRN_CLOCK_REALTIME, PIRN_CLOCK_BOOTTIME };
    struct pirn_loop *loop;
    OPEN(loop, block, the_backend);
    for (int at = 0; at < 2; at++)
        for (uint32_t options = 0; options <= PIRN_CLOCK_TELL_SET - (uint32_t)at; options++) {
            struct pirn_clock clock = { 0 };
            struct told told = { 0 };
            uint32_t which = clocks[at];
            uint64_t deadline = clock_ns(which) + 20 * MILLISECOND;
            OK(pirn_clock_add(loop, &clock, which, deadline, 0, options, on_clock, &told));
            EQUAL(clock.at_ns, deadline);
            await(loop, &told, 1);
            CHECK(clock_ns(which) >= deadline);
            EQUAL(told.what[0], PIRN_CLOCK_DUE);
            EQUAL(told.missed[0], 0);
            EQUAL(told.which, which);
            EQUAL(clock.at_ns, PIRN_FOREVER);
            /* Again, and then over, for it removes itself. */
            deadline = clock_ns(which) + 5 * MILLISECOND;
            OK(pirn_clock_again(&clock, deadline));
            told.remove = &clock;
            GIVES(pirn_run(loop), PIRN_DONE);
            CHECK(clock_ns(which) >= deadline);
            EQUAL(told.calls, 2);
            CHECK(clock.loop == NULL && clock.fd == 0);
        }
    CLOSE(loop);
}

static void a_deadline_in_the_past_is_reported_in_the_next_turn(void)
{
    struct pirn_loop *loop;
    struct pirn_clock clock = { 0 };
    struct told told = { 0 };
    uint64_t now = clock_ns(PIRN_CLOCK_REALTIME);
    uint64_t past[] = { 0, 1, SECOND, now - 1, now };
    OPEN(loop, block, the_backend);
    OK(pirn_clock_add(loop, &clock, PIRN_CLOCK_REALTIME, PIRN_FOREVER, 0, 0, on_clock, &told));
    turn_for(loop, 2 * MILLISECOND);
    EQUAL(told.calls, 0);
    for (int at = 0; at < 5; at++) {
        OK(pirn_clock_again(&clock, past[at]));
        await(loop, &told, at + 1);
    }
    /* Pushed away before the loop looks. */
    OK(pirn_clock_again(&clock, 1));
    OK(pirn_clock_again(&clock, now + 3600 * SECOND));
    turn_for(loop, 2 * MILLISECOND);
    EQUAL(told.calls, 5);
    OK(pirn_clock_remove(&clock));
    CLOSE(loop);
}

static void a_period_keeps_its_grid(void)
{
    struct pirn_loop *loop;
    struct pirn_clock clock = { 0 };
    struct told told = { 0 };
    uint64_t period = 4 * MILLISECOND, begun = clock_ns(PIRN_CLOCK_REALTIME), total = 0;
    struct timespec nap = { 0, 18000000 };
    OPEN(loop, block, the_backend);
    OK(pirn_clock_add(loop, &clock, PIRN_CLOCK_REALTIME, begun + period, period,
                      PIRN_CLOCK_TELL_SET, on_clock, &told));
    nanosleep(&nap, NULL);
    GIVES(pirn_turn(loop, SECOND), 1);
    CHECK(told.missed[0] >= 3);
    while (told.calls < 8)
        CHECK(pirn_turn(loop, SECOND) >= 0);
    for (int at = 0; at < told.calls; at++)
        total += told.missed[at] + 1;
    EQUAL(clock.at_ns, begun + (total + 1) * period);
    CHECK(clock_ns(PIRN_CLOCK_REALTIME) >= begun + total * period);
    OK(pirn_clock_remove(&clock));
    CLOSE(loop);
}

static void its_handle_is_that_of_a_watcher(void)
{
    struct pirn_loop *loop;
    struct pirn_clock low = { 0 }, high = { 0 };
    struct told low_told = { 0 }, high_told = { 0 };
    uint32_t real = PIRN_CLOCK_REALTIME;
    OPEN(loop, block, the_backend);
    OK(pirn_clock_add(loop, &low, real, 0, 0, PIRN_LOW | PIRN_UNREF, on_clock, &low_told));
    OK(pirn_clock_add(loop, &high, real, 0, 0, PIRN_HIGH | PIRN_UNREF, on_clock, &high_told));
    GIVES(pirn_run(loop), PIRN_DONE);
    OK(pirn_io_modify(loop, low.io, 0));
    await_readable(low.fd);
    await(loop, &high_told, 1);
    EQUAL(low_told.calls, 0);
    OK(pirn_io_modify(loop, low.io, PIRN_READ));
    /* The high one comes first, and takes the other away. */
    high_told.remove = &low;
    OK(pirn_clock_again(&high, 0));
    await_readable(high.fd);
    GIVES(pirn_turn(loop, SECOND), 1);
    EQUAL(low_told.calls, 0);
    EQUAL(high_told.calls, 2);
    OK(pirn_clock_remove(&high));
    CLOSE(loop);
}

/* The timerfd is shared with the copy, and stays the parent's. */
static void a_copy_of_the_loop_takes_nothing_away(void)
{
    struct pirn_loop *loop;
    struct pirn_clock clock = { 0 };
    struct told told = { 0 };
    OPEN(loop, block, the_backend);
    OK(pirn_clock_add(loop, &clock, PIRN_CLOCK_REALTIME, 0, 0, 0, on_clock, &told));
    pid_t copy = begin_copy();
    if (copy == 0) {
        GIVES(pirn_clock_again(&clock, 0), -ECHILD);
        GIVES(pirn_clock_remove(&clock), -ECHILD);
        OK(pirn_after_fork(loop));
        turn_for(loop, 3 * MILLISECOND);
        EQUAL(told.calls, 0);
        GIVES(pirn_clock_again(&clock, 0), -ECHILD);
        /* It rests, and does not keep the copy awake. */
        uint64_t begun = process_cpu_ns();
        turn_for(loop, 50 * MILLISECOND);
        CHECK(process_cpu_ns() - begun < 25 * MILLISECOND);
        OK(pirn_clock_remove(&clock));
        OK(pirn_clock_add(loop, &clock, PIRN_CLOCK_REALTIME, 0, 0, 0, on_clock, &told));
        await(loop, &told, 1);
        OK(pirn_clock_remove(&clock));
        CLOSE(loop);
    }
    end_copy(copy);
    EQUAL(told.calls, 0);
    await(loop, &told, 1);
    OK(pirn_clock_remove(&clock));
    CLOSE(loop);
}

static void a_lost_fd_is_reported(void)
{
    struct pirn_loop *loop;
    struct pirn_clock clock = { 0 };
    struct told told = { 0 };
    OPEN(loop, block, the_backend);
    OK(pirn_clock_add(loop, &clock, PIRN_CLOCK_REALTIME, PIRN_FOREVER, 0, 0, on_clock, &told));
    close(clock.fd);
    settle(loop, 4);
    if (told.calls > 0) {
        EQUAL(told.calls, 1);
        EQUAL(told.what[0], PIRN_INVALID);
        EQUAL(clock.fd, -1);
        OK(pirn_clock_again(&clock, 0));
        settle(loop, 4);
        EQUAL(told.calls, 1);
    } else {
        CHECK(the_backend == PIRN_BACKEND_EPOLL);
    }
    OK(pirn_clock_remove(&clock));
    CLOSE(loop);
}

static int drop_wake_alarm(void)
{
    struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct data[2];
    if (syscall(SYS_capget, &header, data) != 0)
        return 0;
    data[CAP_TO_INDEX(CAP_WAKE_ALARM)].effective &= ~(uint32_t)CAP_TO_MASK(CAP_WAKE_ALARM);
    return syscall(SYS_capset, &header, data) == 0;
}

static void an_alarm_needs_the_privilege(void)
{
    struct pirn_loop *loop;
    struct pirn_clock clock = { 0 };
    struct told told = { 0 };
    int alarm_count = 0;
    uint32_t alarms[] = { PIRN_CLOCK_REALTIME_ALARM, PIRN_CLOCK_BOOTTIME_ALARM };
    OPEN(loop, block, the_backend);
    int fds = open_fd_count();
    for (int at = 0; at < 2; at++) {
        int result = pirn_clock_add(loop, &clock, alarms[at], 0, 0, 0, on_clock, &told);
        if (result == 0) {
            await(loop, &told, ++alarm_count);
            OK(pirn_clock_remove(&clock));
        } else {
            EQUAL(result, -EPERM);
        }
    }
    MUST(drop_wake_alarm());
    for (int at = 0; at < 2; at++)
        GIVES(pirn_clock_add(loop, &clock, alarms[at], 0, 0, 0, on_clock, &told), -EPERM);
    EQUAL(open_fd_count(), fds);
    CLOSE(loop);
}

/* ---- the real clock, set ---- */

static void step_onto(uint64_t now)
{
    struct timespec to = { (time_t)(now / SECOND), (long)(now % SECOND) };
    MUST(clock_settime(CLOCK_REALTIME, &to) == 0);
}

/* Sets the clock by so much. */
static void step(int seconds, int milliseconds)
{
    uint64_t now = clock_ns(PIRN_CLOCK_REALTIME);
    step_onto(now + (uint64_t)(seconds * INT64_C(1000) + milliseconds) * MILLISECOND);
}

static void steps_of_the_clock_lose_nothing(void)
{
    struct pirn_loop *loop;
    struct pirn_clock clock = { 0 }, silent = { 0 };
    struct told told = { 0 }, silent_told = { 0 };
    uint32_t real = PIRN_CLOCK_REALTIME, tell = PIRN_CLOCK_TELL_SET;
    OPEN(loop, block, the_backend);
    OK(pirn_clock_add(loop, &clock, real, PIRN_FOREVER, 0, tell, on_clock, &told));
    OK(pirn_clock_add(loop, &silent, real, PIRN_FOREVER, 0, 0, on_clock, &silent_told));
    /* Set to the present time: reported all the same. */
    step(0, 0);
    await(loop, &told, 1);
    EQUAL(told.what[0], PIRN_CLOCK_SET);
    /* Over the deadline. */
    uint64_t deadline = clock_ns(real) + 10 * SECOND;
    OK(pirn_clock_again(&clock, deadline));
    OK(pirn_clock_again(&silent, deadline));
    step(11, 0);
    await(loop, &told, 3);
    CHECK(told.what[1] == PIRN_CLOCK_SET && told.what[2] == PIRN_CLOCK_DUE);
    await(loop, &silent_told, 1);
    CHECK(clock_ns(real) >= deadline);
    /* Set back after both have expired, but before the loop has read them. */
    deadline = clock_ns(real);
    OK(pirn_clock_again(&clock, deadline));
    OK(pirn_clock_again(&silent, deadline));
    await_readable(clock.fd);
    await_readable(silent.fd);
    step(0, -500);
    await(loop, &told, 4);
    EQUAL(told.what[3], PIRN_CLOCK_SET);
    EQUAL(silent_told.calls, 1);
    CHECK(clock_ns(real) < deadline);
    await(loop, &told, 5);
    await(loop, &silent_told, 2);
    CHECK(clock_ns(real) >= deadline);
    EQUAL(told.what[4], PIRN_CLOCK_DUE);
    /* Armed again before it was read that the clock was set. */
    step(0, 0);
    OK(pirn_clock_again(&clock, PIRN_FOREVER));
    await(loop, &told, 6);
    EQUAL(told.what[5], PIRN_CLOCK_SET);
    /* A period over which the clock jumps, an hour forth and back. */
    OK(pirn_clock_remove(&clock));
    OK(pirn_clock_add(loop, &clock, real, clock_ns(real), 60 * SECOND, tell, on_clock, &told));
    await(loop, &told, 7);
    step(3600, 0);
    await(loop, &told, 9);
    CHECK(told.what[7] == PIRN_CLOCK_SET && told.what[8] == PIRN_CLOCK_DUE);
    EQUAL(told.missed[8], 59);
    step(-3600, 0);
    await(loop, &told, 10);
    EQUAL(told.what[9], PIRN_CLOCK_SET);
    step(-11, 0);
    await(loop, &told, 11);
    /* Exactly onto the deadline. */
    OK(pirn_clock_remove(&clock));
    OK(pirn_clock_add(loop, &clock, real, PIRN_FOREVER, 0, tell, on_clock, &told));
    told.calls = silent_told.calls = 0;
    deadline = clock_ns(real) + 10 * SECOND;
    OK(pirn_clock_again(&clock, deadline));
    OK(pirn_clock_again(&silent, deadline));
    step_onto(deadline);
    await(loop, &told, 2);
    await(loop, &silent_told, 1);
    CHECK(told.what[0] == PIRN_CLOCK_SET && told.what[1] == PIRN_CLOCK_DUE);
    /* And set back to it: the deadline is not reported again. */
    step_onto(deadline);
    await(loop, &told, 3);
    EQUAL(told.what[2], PIRN_CLOCK_SET);
    turn_for(loop, 20 * MILLISECOND);
    EQUAL(told.calls, 3);
    EQUAL(silent_told.calls, 1);
    OK(pirn_clock_remove(&clock));
    OK(pirn_clock_remove(&silent));
    CLOSE(loop);
}

static void test(uint32_t backend)
{
    the_backend = backend;
    /* In a virtual machine: tests/os.rs boots one with this program as its first process. */
    if (getenv("PIRN_TEST_SET_CLOCK")) {
        steps_of_the_clock_lose_nothing();
        return;
    }
    bad_arguments_are_refused();
    a_clock_can_be_read();
    a_deadline_is_reported_when_it_is_reached();
    a_deadline_in_the_past_is_reported_in_the_next_turn();
    a_period_keeps_its_grid();
    its_handle_is_that_of_a_watcher();
    a_copy_of_the_loop_takes_nothing_away();
    a_lost_fd_is_reported();
    an_alarm_needs_the_privilege();
}

int main(int argc, char **argv)
{
    return run_on_backends(argc, argv, test);
}
