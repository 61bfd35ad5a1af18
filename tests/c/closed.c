/*
 * Closed fds, where a process of its own is needed: the fds that belong to the loop, and a limit on
 * the number of fds. All other cases are claims of tests/conformance. T29, T103.
 */
#include "test.h"

#include <sys/resource.h>

DECLARE_BLOCK(block);
static uint32_t the_backend;

static void make_pipe(int *fds)
{
    MUST(pipe2(fds, O_NONBLOCK | O_CLOEXEC) == 0);
}

/* No spinning: in 30 ms of waiting there are few waits, and hardly any work. */
static void the_loop_sleeps(struct pirn_loop *loop)
{
    uint64_t begun = monotonic_ns(), cpu = process_cpu_ns(), before = stats_of(loop).waits;
    while (monotonic_ns() - begun < 30 * MILLISECOND)
        GIVES(pirn_turn(loop, 40 * MILLISECOND), 0);
    CHECK(stats_of(loop).waits - before <= 4);
    CHECK(process_cpu_ns() - cpu < 20 * MILLISECOND);
}

/*
 * T103: without its own fds a loop can neither wait nor be woken. It fails instead of returning at
 * once for ever.
 */
static void closed_own_fd_ends_the_run(void)
{
    struct pirn_loop *loop;
    struct pirn_io io;
    struct seen seen = { 0 };
    int fds[2], status;
    if (the_backend == PIRN_BACKEND_HOST)
        return;
    fflush(stdout);
    pid_t child = fork();
    MUST(child >= 0);
    if (child == 0) {
        failure_count = 0;
        int first = dup(0);
        close(first);
        OPEN(loop, block, the_backend);
        int own = open_fd_count();
        make_pipe(fds);
        OK(pirn_io_add(loop, fds[0], PIRN_READ, see_io, &seen, &io));
        EQUAL(write(fds[1], "x", 1), 1);
        for (int fd = first; own > first; own--, fd++)
            close(fd);
        for (int again = 0; again < 3; again++) {
            uint64_t begun = monotonic_ns(), before = stats_of(loop).waits;
            GIVES(pirn_run_until(loop, pirn_update(loop) + SECOND), -EBADF);
            GIVES(pirn_turn(loop, SECOND), -EBADF);
            CHECK(stats_of(loop).waits - before <= 4);
            CHECK(monotonic_ns() - begun < SECOND);
        }
        OK(pirn_verify(loop));
        OK(pirn_io_remove(loop, io));
        fflush(stdout);
        _exit(failure_count != 0);
    }
    MUST(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/*
 * A lost watcher that is modified to watch again is called with PIRN_INVALID again; and when the
 * number is open again, it watches that.
 */
static void a_lost_watcher_is_told_again(void)
{
    struct pirn_loop *loop;
    struct pirn_io io;
    struct seen seen = { 0 };
    int fds[2];
    OPEN(loop, block, the_backend);
    make_pipe(fds);
    OK(pirn_io_add(loop, fds[0], PIRN_READ, see_io, &seen, &io));
    close(fds[0]);
    OK(pirn_io_modify(loop, io, PIRN_READ | PIRN_URGENT));
    GIVES(pirn_turn(loop, 5 * MILLISECOND), 1);
    EQUAL(seen.ready, PIRN_INVALID);
    OK(pirn_io_modify(loop, io, PIRN_READ));
    GIVES(pirn_turn(loop, 5 * MILLISECOND), 1);
    EQUAL(seen.ready, PIRN_INVALID);
    EQUAL(seen.calls, 2);
    the_loop_sleeps(loop);
    OK(pirn_io_remove(loop, io));
    CLOSE(loop);
    close(fds[1]);
}

/*
 * T29 at the limit: there is no fd for a new set without the stale entry. All others are served,
 * the loop sleeps between its turns, and when an fd is free the stale entry goes.
 */
static void a_ghost_at_the_fd_limit_stops_nobody(void)
{
    struct pirn_loop *loop;
    struct pirn_io io, other_io;
    struct pirn_timer timer;
    struct seen lost = { 0 }, other = { 0 }, rung = { 0 };
    struct rlimit before, low;
    int fds[2], others[2], duplicate;
    uint64_t begun, cpu, timeout;
    char byte;
    OPEN(loop, block, the_backend);
    make_pipe(fds);
    make_pipe(others);
    OK(pirn_io_add(loop, others[0], PIRN_READ, see_io, &other, &other_io));
    OK(pirn_io_add(loop, fds[0], PIRN_READ, see_io, &lost, &io));
    duplicate = dup(fds[0]);
    MUST(duplicate >= 0 && getrlimit(RLIMIT_NOFILE, &before) == 0);
    close(fds[0]);
    OK(pirn_io_remove(loop, io));
    EQUAL(write(fds[1], "x", 1), 1);
    /* All numbers below are taken. */
    int next = dup(0);
    close(next);
    low = before;
    low.rlim_cur = (rlim_t)next;
    MUST(setrlimit(RLIMIT_NOFILE, &low) == 0);
    for (int turn = 1; turn <= 20; turn++) {
        EQUAL(write(others[1], "x", 1), 1);
        int calls = 0;
        for (int again = 0; again < 4 && calls == 0; again++)
            calls += pirn_turn(loop, SECOND);
        EQUAL(calls, 1);
        EQUAL(other.calls, turn);
        EQUAL(read(others[0], &byte, 1), 1);
    }
    OK(pirn_prepare(loop, PIRN_FOREVER, &timeout));
    EQUAL(timeout, PIRN_FOREVER);
    OK(pirn_timer_start(loop, 100 * MILLISECOND, 0, 0, see_timer, &rung, &timer));
    begun = monotonic_ns(), cpu = process_cpu_ns();
    while (rung.calls == 0 && monotonic_ns() - begun < 10 * SECOND)
        CHECK(pirn_turn(loop, SECOND) >= 0);
    CHECK(process_cpu_ns() - cpu < 50 * MILLISECOND);
    EQUAL(lost.calls, 0);
    EQUAL(stats_of(loop).rebuilds, 0);
    MUST(setrlimit(RLIMIT_NOFILE, &before) == 0);
    settle(loop, 3);
    the_loop_sleeps(loop);
    EQUAL(stats_of(loop).rebuilds, the_backend == PIRN_BACKEND_EPOLL);
    CLOSE(loop);
    close_all(others, 2);
    close(duplicate);
    close(fds[1]);
}

static void test(uint32_t backend)
{
    the_backend = backend;
    closed_own_fd_ends_the_run();
    a_lost_watcher_is_told_again();
    a_ghost_at_the_fd_limit_stops_nobody();
}

int main(int argc, char **argv)
{
    return run_on_backends(argc, argv, test);
}
