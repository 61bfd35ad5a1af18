/*
 * In a foreign loop: the pollable fd in poll and in a foreign epoll, with timers, tasks, posts and
 * fds; and prepare, wait and dispatch for those who own the wait. T58, T128, T129, T131.
 */
#include "test.h"

#include <pthread.h>
#include <sys/epoll.h>

DECLARE_BLOCK(block);
static uint32_t the_backend;

/* Whether the fd is readable within so many milliseconds. Both ways of asking agree. */
static int foreign_epoll = -1;

static int is_readable(int fd, int milliseconds)
{
    struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
    int polled = poll(&poll_fd, 1, milliseconds);
    struct epoll_event event;
    int found = epoll_wait(foreign_epoll, &event, 1, 0);
    EQUAL(found, polled);
    return polled;
}

static void turn_foreign(struct pirn_loop *loop, int fd, int calls)
{
    CHECK(is_readable(fd, 1000) == 1);
    int called = 0;
    for (int turn = 0; turn < 4 && called < calls; turn++)
        called += pirn_turn(loop, 0);
    EQUAL(called, calls);
}

/* Nothing to do: not readable, after at most a turn or two that find nothing. */
static void goes_quiet(struct pirn_loop *loop, int fd)
{
    for (int turn = 0; turn < 3 && is_readable(fd, 0) == 1; turn++)
        GIVES(pirn_turn(loop, 0), 0);
    EQUAL(is_readable(fd, 2), 0);
}

static void *post_later(void *loop)
{
    struct timespec nap = { 0, 3000000 };
    nanosleep(&nap, NULL);
    return (void *)(intptr_t)pirn_remote_post(loop, see_task, NULL);
}

static void *raise_later(void *loop)
{
    struct timespec nap = { 0, 3000000 };
    nanosleep(&nap, NULL);
    return (void *)(intptr_t)pirn_raise(loop, 5);
}

/* T128: Everything that can happen makes the fd readable, and nothing else does. */
static void the_fd_tells_of_everything(void)
{
    struct pirn_loop *loop;
    struct pirn_io io, raised;
    struct pirn_timer timer;
    struct pirn_task task;
    struct seen seen = { 0 };
    int fds[2];
    char byte;
    pthread_t thread;
    void *result;
    MUST(pipe2(fds, O_NONBLOCK | O_CLOEXEC) == 0);
    OPEN(loop, block, the_backend);
    if (!(pirn_capabilities(loop) & PIRN_CAN_FD)) {
        /* T131. */
        GIVES(pirn_fd(loop), -EOPNOTSUPP);
        CLOSE(loop);
        close_all(fds, 2);
        return;
    }
    int fd = pirn_fd(loop);
    CHECK(fd >= 0);
    GIVES(pirn_fd(loop), fd);
    foreign_epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = { .events = EPOLLIN };
    MUST(foreign_epoll >= 0 && epoll_ctl(foreign_epoll, EPOLL_CTL_ADD, fd, &event) == 0);
    goes_quiet(loop, fd);

    for (int round = 0; round < 3; round++) {
        /* An fd. */
        OK(pirn_io_add(loop, fds[0], PIRN_READ, see_io, &seen, &io));
        goes_quiet(loop, fd);
        EQUAL(write(fds[1], "x", 1), 1);
        turn_foreign(loop, fd, 1);
        CHECK(is_readable(fd, 0) == 1);
        /* A change outside of a dispatch is seen at once. */
        OK(pirn_io_modify(loop, io, 0));
        goes_quiet(loop, fd);
        OK(pirn_io_modify(loop, io, PIRN_READ));
        turn_foreign(loop, fd, 1);
        OK(pirn_io_feed(loop, io, PIRN_READ));
        EQUAL(read(fds[0], &byte, 1), 1);
        turn_foreign(loop, fd, 1);
        goes_quiet(loop, fd);
        OK(pirn_io_remove(loop, io));
        goes_quiet(loop, fd);
        /* A timer: due, pushed, pulled, stopped, in the past, repeated. */
        uint64_t begun = monotonic_ns();
        OK(pirn_timer_start(loop, 50 * MILLISECOND, 0, 0, see_timer, &seen, &timer));
        EQUAL(is_readable(fd, 1), 0);
        turn_foreign(loop, fd, 1);
        CHECK(monotonic_ns() - begun >= 50 * MILLISECOND);
        goes_quiet(loop, fd);
        OK(pirn_timer_start(loop, 10 * SECOND, 0, 0, see_timer, &seen, &timer));
        goes_quiet(loop, fd);
        OK(pirn_timer_again(loop, timer, 0));
        turn_foreign(loop, fd, 1);
        OK(pirn_timer_start(loop, MILLISECOND, 0, 0, see_timer, &seen, &timer));
        OK(pirn_timer_stop(loop, timer));
        for (int turn = 0; turn < 3 && is_readable(fd, 3) == 1; turn++)
            GIVES(pirn_turn(loop, 0), 0);
        EQUAL(is_readable(fd, 3), 0);
        OK(pirn_timer_start(loop, 1, 0, PIRN_TIMER_ABSOLUTE, see_timer, &seen, &timer));
        turn_foreign(loop, fd, 1);
        OK(pirn_timer_start(loop, MILLISECOND, MILLISECOND, PIRN_TIMER_FIXED_DELAY, see_timer,
                            &seen, &timer));
        for (int tick = 0; tick < 5; tick++)
            turn_foreign(loop, fd, 1);
        OK(pirn_timer_stop(loop, timer));
        (void)pirn_turn(loop, 0);
        goes_quiet(loop, fd);
        /* A task; and one taken back. */
        OK(pirn_task_post(loop, see_task, &seen, NULL));
        turn_foreign(loop, fd, 1);
        goes_quiet(loop, fd);
        OK(pirn_task_post(loop, see_task, &seen, &task));
        OK(pirn_task_cancel(loop, task));
        goes_quiet(loop, fd);
        /* A post and a raised bit, from here and from another thread. */
        OK(pirn_remote_post(loop, see_task, &seen));
        turn_foreign(loop, fd, 1);
        goes_quiet(loop, fd);
        MUST(pthread_create(&thread, NULL, post_later, loop) == 0);
        turn_foreign(loop, fd, 1);
        MUST(pthread_join(thread, &result) == 0 && result == NULL);
        goes_quiet(loop, fd);
        OK(pirn_raise_add(loop, 5, 0, see_io, &seen, &raised));
        goes_quiet(loop, fd);
        MUST(pthread_create(&thread, NULL, raise_later, loop) == 0);
        turn_foreign(loop, fd, 1);
        MUST(pthread_join(thread, &result) == 0 && result == NULL);
        OK(pirn_io_remove(loop, raised));
        goes_quiet(loop, fd);
        OK(pirn_wake(loop));
        EQUAL(is_readable(fd, 1000), 1);
        goes_quiet(loop, fd);
        /* A file that is always ready. */
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        OK(pirn_io_add(loop, null, PIRN_WRITE, see_io, &seen, &io));
        turn_foreign(loop, fd, 1);
        turn_foreign(loop, fd, 1);
        OK(pirn_io_remove(loop, io));
        close(null);
        goes_quiet(loop, fd);
        OK(pirn_verify(loop));
    }
    /* What a limited turn left over keeps it readable. */
    OK(pirn_limit(loop, 1, 0));
    for (int at = 0; at < 3; at++)
        OK(pirn_task_post(loop, see_task, &seen, NULL));
    for (int at = 0; at < 3; at++) {
        CHECK(is_readable(fd, 1000) == 1);
        GIVES(pirn_turn(loop, 0), 1);
    }
    goes_quiet(loop, fd);
    GIVES(pirn_fd(loop), fd);
    CLOSE(loop);
    close(foreign_epoll);
    close_all(fds, 2);
}

/* Those who own the wait, with any backend: as pirn_run does it. */
static void the_three_parts_make_a_turn(void)
{
    struct pirn_loop *loop;
    struct pirn_timer timer;
    struct seen seen = { 0 };
    uint64_t timeout = 0;
    OPEN(loop, block, the_backend);
    OK(pirn_prepare(loop, PIRN_FOREVER, &timeout));
    EQUAL(timeout, PIRN_FOREVER);
    OK(pirn_prepare(loop, 12345, &timeout));
    EQUAL(timeout, 12345);
    OK(pirn_timer_start(loop, SECOND, 0, 0, see_timer, &seen, &timer));
    OK(pirn_prepare(loop, PIRN_FOREVER, &timeout));
    CHECK(timeout <= SECOND && timeout > SECOND / 2);
    /* T58: exact after an earlier one, a later one, and the end of the earliest. */
    uint64_t deadline = pirn_deadline(loop);
    struct pirn_timer earlier, later;
    OK(pirn_timer_start(loop, deadline - 1000, 0, PIRN_TIMER_ABSOLUTE, see_timer, &seen, &earlier));
    EQUAL(pirn_deadline(loop), deadline - 1000);
    OK(pirn_timer_start(loop, deadline + 1000, 0, PIRN_TIMER_ABSOLUTE, see_timer, &seen, &later));
    EQUAL(pirn_deadline(loop), deadline - 1000);
    OK(pirn_timer_stop(loop, earlier));
    EQUAL(pirn_deadline(loop), deadline);
    OK(pirn_timer_stop(loop, timer));
    EQUAL(pirn_deadline(loop), deadline + 1000);
    OK(pirn_timer_stop(loop, later));
    EQUAL(pirn_deadline(loop), PIRN_FOREVER);
    OK(pirn_task_post(loop, see_task, &seen, NULL));
    OK(pirn_prepare(loop, PIRN_FOREVER, &timeout));
    EQUAL(timeout, 0);
    GIVES(pirn_wait(loop, timeout), 0);
    GIVES(pirn_dispatch(loop), 1);
    GIVES(pirn_dispatch(loop), 0);
    /* Waited without prepare, dispatched without wait: harmless. */
    GIVES(pirn_wait(loop, 0), 0);
    GIVES(pirn_wait(loop, 0), 0);
    GIVES(pirn_dispatch(loop), 0);
    CLOSE(loop);
}

static void test(uint32_t backend)
{
    the_backend = backend;
    the_fd_tells_of_everything();
    the_three_parts_make_a_turn();
}

int main(int argc, char **argv)
{
    return run_on_backends(argc, argv, test);
}
