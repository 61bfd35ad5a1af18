/* Which system calls pirn makes, and how many. */
#include "test.h"
#include "traced.h"

DECLARE_BLOCK(block);
static uint32_t the_backend;

/* ---- the pollable fd ---- */

/* A turn that changes no deadline leaves the timerfd alone, whatever ended the wait. */
static void turns_leave_the_alarm_alone(void)
{
    struct pirn_loop *loop;
    struct pirn_timer timer;
    struct seen seen = { 0 };
    int fds[2];
    char byte;
    if (the_backend != PIRN_BACKEND_EPOLL)
        return;
    MUST(pipe2(fds, O_NONBLOCK | O_CLOEXEC) == 0);
    OPEN(loop, block, the_backend);
    OK(pirn_timer_start(loop, 1000 * SECOND, 0, 0, see_timer, &seen, &timer));
    OK(pirn_io_add(loop, fds[0], PIRN_READ, see_io, &seen, NULL));
    struct pollfd poll_fd = { .fd = pirn_fd(loop), .events = POLLIN };
    settle(loop, 3);
    for (int turn = 0; turn < 5; turn++) {
        COUNT(pirn_remote_post(loop, see_task, &seen), poll(&poll_fd, 1, 1000), pirn_turn(loop, 0));
        EQUAL(counted->calls[SET_ALARM], 0);
        EQUAL(seen.calls, 2 * turn + 1);
        MUST(write(fds[1], "x", 1) == 1);
        COUNT(poll(&poll_fd, 1, 1000), pirn_turn(loop, 0));
        EQUAL(counted->calls[SET_ALARM], 0);
        EQUAL(seen.calls, 2 * turn + 2);
        MUST(read(fds[0], &byte, 1) == 1);
    }
    /* A deadline pushed back leaves it too: the loop wakes once too early. */
    COUNT(pirn_timer_again(loop, timer, 2000 * SECOND), pirn_turn(loop, 0));
    EQUAL(counted->calls[SET_ALARM], 0);
    /* An earlier one does not, once. */
    COUNT(pirn_timer_again(loop, timer, 500 * SECOND), pirn_turn(loop, 0));
    EQUAL(counted->calls[SET_ALARM], 1);
    COUNT(pirn_turn(loop, 0));
    EQUAL(counted->calls[SET_ALARM], 0);
    CLOSE(loop);
    close_all(fds, 2);
}

/* ---- a periodic timer ---- */

#define TICKS 20

static void stop_after_ticks(struct pirn_loop *loop, struct pirn_timer timer, uint64_t missed,
                             void *user)
{
    see_timer(loop, timer, missed, user);
    if (((struct seen *)user)->calls == TICKS)
        pirn_stop(loop);
}

/* Nothing but the timer: one wake-up for each tick, if the kernel can wait for nanoseconds. */
static void tick_of_a_lone_timer_takes_one_wait(uint64_t period_ns)
{
    struct pirn_loop *loop;
    struct seen seen = { 0 };
#ifdef SYS_epoll_pwait2
    int has_nanoseconds = syscall(SYS_epoll_pwait2, -1, NULL, 1, NULL, NULL, 0) < 0 &&
        errno == EBADF;
    long call = SYS_epoll_pwait2;
#else
    int has_nanoseconds = 0;
    long call = SYS_ppoll;
#endif
    OPEN(loop, block, the_backend);
    OK(pirn_timer_start(loop, period_ns, period_ns, 0, stop_after_ticks, &seen, NULL));
    COUNT(pirn_run(loop));
    EQUAL(seen.calls, TICKS);
    long waits = counted->total - counted->calls[SYS_getpid];
    /* On a busy machine a tick may be overdue: its wait is one that does not sleep. */
    if (the_backend != PIRN_BACKEND_EPOLL || has_nanoseconds)
        EQUAL(waits, TICKS);
    else
        CHECK(waits > TICKS && waits <= 4 * TICKS);
    if (the_backend == PIRN_BACKEND_EPOLL && has_nanoseconds)
        CHECK(counted->calls[call] > 0);
    CLOSE(loop);
}

/* ---- pausing, and arming a oneshot watcher again ---- */

/* A change of the interest, and a turn that calls nobody: so many EPOLL_CTL_MOD, and no other. */
static void changes_by(struct pirn_loop *loop, struct pirn_io io, uint32_t interest, long count)
{
    COUNT(pirn_io_modify(loop, io, interest), pirn_turn(loop, 0));
    EQUAL(counted->epoll_ops[EPOLL_CTL_ADD], 0);
    EQUAL(counted->epoll_ops[EPOLL_CTL_DEL], 0);
    EQUAL(counted->epoll_ops[EPOLL_CTL_MOD], count);
}

static void pausing_keeps_the_fd_in_the_set(void)
{
    int fds[2];
    struct pirn_io io;
    struct pirn_loop *loop;
    struct seen seen = { 0 };
    if (the_backend != PIRN_BACKEND_EPOLL)
        return;
    MUST(pipe2(fds, O_NONBLOCK | O_CLOEXEC) == 0);
    OPEN(loop, block, the_backend);
    OK(pirn_io_add(loop, fds[0], PIRN_READ, see_io, &seen, &io));
    GIVES(pirn_turn(loop, 0), 0);
    /* The first time with a call, from then on the next event would disarm it. */
    changes_by(loop, io, 0, 1);
    changes_by(loop, io, PIRN_READ, 1);
    for (int round = 0; round < 3; round++) {
        changes_by(loop, io, 0, 0);
        changes_by(loop, io, PIRN_READ, 1);
    }
    EQUAL(seen.calls, 0);
    CLOSE(loop);
    close_all(fds, 2);
}

/* The event, its call, and waits before and after the watcher is armed again. */
static void oneshot_that_rests_takes_one_call(void)
{
    int fds[2];
    char byte;
    struct pirn_io io;
    struct pirn_loop *loop;
    struct seen seen = { 0 };
    if (the_backend != PIRN_BACKEND_EPOLL)
        return;
    MUST(pipe2(fds, O_NONBLOCK | O_CLOEXEC) == 0);
    OPEN(loop, block, the_backend);
    OK(pirn_io_add(loop, fds[0], PIRN_READ | PIRN_ONESHOT, see_io, &seen, &io));
    for (int round = 0; round < 4; round++) {
        MUST(write(fds[1], "x", 1) == 1);
        COUNT(pirn_turn(loop, 0), read(fds[0], &byte, 1), pirn_turn(loop, 0),
              pirn_io_modify(loop, io, PIRN_READ), pirn_turn(loop, 0));
        EQUAL(seen.calls, round + 1);
        EQUAL(counted->calls[SYS_epoll_ctl], round == 0 ? 2 : 1);
    }
    /* Armed again before the wait: once the loop has seen that twice, without a call. */
    for (int round = 0; round < 3; round++) {
        MUST(write(fds[1], "x", 1) == 1);
        COUNT(pirn_turn(loop, 0), read(fds[0], &byte, 1), pirn_io_modify(loop, io, PIRN_READ),
              pirn_turn(loop, 0));
        EQUAL(seen.calls, round + 5);
        EQUAL(counted->calls[SYS_epoll_ctl], round < 2 ? 1 : 0);
    }
    CLOSE(loop);
    close_all(fds, 2);
}

/* ---- the process that is asked for ---- */

static struct pirn_loop *open_with(uint32_t flags)
{
    struct pirn_loop *loop = NULL;
    struct pirn_config config = config_with(the_backend, flags);
    MUST(pirn_init(&loop, block, sizeof block, &config) == 0);
    return loop;
}

/*
 * What each call takes. epoll is told of each change, poll and select ask whether the fd is open.
 */
static void calls_take_one_system_call(uint32_t flags, long checks)
{
    int fds[2];
    struct pirn_io io = { 0, 0 };
    struct seen seen = { 0 };
    uint64_t timeout;
    long removing = the_backend == PIRN_BACKEND_EPOLL;
    MUST(pipe2(fds, O_NONBLOCK | O_CLOEXEC) == 0);
    struct pirn_loop *loop = open_with(flags);
    GIVES(pirn_turn(loop, 0), 0);
    for (int round = 0; round < 3; round++) {
        TAKES(1 + checks, pirn_io_add(loop, fds[0], PIRN_READ, see_io, &seen, &io));
        TAKES(1 + checks, pirn_turn(loop, 0));
        TAKES(checks, pirn_prepare(loop, 0, &timeout));
        TAKES(1 + checks, pirn_wait(loop, 0));
        TAKES(0, pirn_dispatch(loop));
        TAKES(removing + checks, pirn_io_remove(loop, io));
        TAKES(0, pirn_io_remove(loop, io));
        OK(pirn_timer_start(loop, 0, 0, 0, see_timer, &seen, NULL));
        OK(pirn_task_post(loop, see_task, &seen, NULL));
        OK(pirn_remote_post(loop, see_task, &seen));
        TAKES(1 + checks, pirn_turn(loop, PIRN_FOREVER));
        EQUAL(seen.calls, 3 * round + 3);
    }
    /* A run: one wait for each turn, and the process once more at the end. */
    OK(pirn_task_post(loop, see_task, &seen, NULL));
    TAKES(1 + 2 * checks, pirn_run(loop));
    CLOSE(loop);
    close_all(fds, 2);
}

static void nobody_asks_for_the_process(void)
{
    int fds[2];
    struct pirn_io io;
    struct pirn_loop *loop;
    struct seen seen = { 0 };
    MUST(pipe2(fds, O_NONBLOCK | O_CLOEXEC) == 0);
    mark(BEGIN);
    loop = open_with(PIRN_NO_FORK_CHECK);
    (void)pirn_fd(loop);
    (void)pirn_io_add(loop, fds[0], PIRN_READ, see_io, &seen, &io);
    (void)pirn_io_modify(loop, io, 0);
    (void)pirn_timer_start(loop, 0, 0, 0, see_timer, &seen, NULL);
    (void)pirn_task_post(loop, see_task, &seen, NULL);
    (void)pirn_remote_post(loop, see_task, &seen);
    (void)pirn_raise(loop, 1);
    (void)pirn_wake(loop);
    (void)pirn_turn(loop, 0);
    (void)pirn_stop(loop);
    (void)pirn_run(loop);
    (void)pirn_after_fork(loop);
    (void)pirn_fd(loop);
    (void)pirn_remote_post(loop, see_task, &seen);
    (void)pirn_turn(loop, 0);
    (void)pirn_io_remove(loop, io);
    (void)pirn_deinit(loop);
    mark(END);
    EQUAL(counted->calls[SYS_getpid], 0);
    EQUAL(counted->calls[SYS_gettid], 0);
    EQUAL(seen.calls, 4);
    close_all(fds, 2);
}

/* A post that wakes: the write alone, or the process before it; those that follow nothing. */
static void waking_takes_one_system_call(uint32_t flags, long checks)
{
    if (the_backend != PIRN_BACKEND_EPOLL)
        return;
    struct pirn_loop *loop = open_with(flags);
    CHECK(pirn_fd(loop) >= 0);
    GIVES(pirn_turn(loop, 0), 0);
    TAKES(1 + checks, pirn_remote_post(loop, see_task, NULL));
    TAKES(0, pirn_remote_post(loop, see_task, NULL));
    TAKES(0, pirn_raise(loop, 1));
    GIVES(pirn_turn(loop, 0), 2);
    CLOSE(loop);
}

/* ---- in a process that is traced ---- */

static void all(void)
{
    CHECK(counted != NULL);
    turns_leave_the_alarm_alone();
    pausing_keeps_the_fd_in_the_set();
    oneshot_that_rests_takes_one_call();
    if (the_backend == PIRN_BACKEND_HOST)
        return;
    tick_of_a_lone_timer_takes_one_wait(MILLISECOND / 2);
    tick_of_a_lone_timer_takes_one_wait(5 * MILLISECOND);
    calls_take_one_system_call(PIRN_NO_FORK_CHECK, 0);
    calls_take_one_system_call(0, 1);
    nobody_asks_for_the_process();
    waking_takes_one_system_call(PIRN_NO_FORK_CHECK, 0);
    waking_takes_one_system_call(0, 1);
}

static void test(uint32_t backend)
{
    the_backend = backend;
    run_traced(all);
}

int main(int argc, char **argv)
{
    return run_on_backends(argc, argv, test);
}
