/*
 * Fds closed behind the loop's back, duplicates that go on reporting, and numbers that come again.
 * T25, T26, T27, T29, T30, T31, T32, T33, T35.
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

/* 25: closed, then removed: no error, the slot is free, and the number can be watched anew. */
static void close_then_remove(void)
{
    struct pirn_loop *loop;
    struct pirn_io io;
    struct seen seen = { 0 };
    int fds[2];
    OPEN(loop, block, the_backend);
    for (int round = 0; round < 100; round++) {
        make_pipe(fds);
        OK(pirn_io_add(loop, fds[0], PIRN_READ, see_io, &seen, &io));
        close(fds[0]);
        OK(pirn_io_remove(loop, io));
        GIVES(pirn_io_remove(loop, io), -ENOENT);
        close(fds[1]);
    }
    EQUAL(stats_of(loop).io_used, 0);
    GIVES(pirn_turn(loop, 0), 0);
    EQUAL(seen.calls, 0);
    CLOSE(loop);
}

/*
 * 26, 27, 29: closed and nothing else. Where the kernel tells (select, poll) that watcher hears
 * PIRN_INVALID, once; epoll is silent. All others are served, and nothing spins.
 */
static void closed_behind_the_back(void)
{
    enum { OTHERS = 5 };
    struct pirn_loop *loop;
    struct pirn_io io, other_io[OTHERS];
    struct seen lost = { 0 }, others[OTHERS] = { { 0 } };
    int fds[2], other[OTHERS][2];
    char byte;
    OPEN(loop, block, the_backend);
    make_pipe(fds);
    for (int at = 0; at < OTHERS; at++) {
        make_pipe(other[at]);
        OK(pirn_io_add(loop, other[at][0], PIRN_READ, see_io, &others[at], &other_io[at]));
    }
    OK(pirn_io_add(loop, fds[0], PIRN_READ, see_io, &lost, &io));
    GIVES(pirn_turn(loop, 0), 0);
    close(fds[0]);
    for (int round = 1; round <= 3; round++) {
        for (int at = 0; at < OTHERS; at++)
            EQUAL(write(other[at][1], "x", 1), 1);
        int calls = 0;
        for (int turn = 0; turn < 4 && calls < OTHERS; turn++)
            calls += pirn_turn(loop, 5 * MILLISECOND);
        for (int at = 0; at < OTHERS; at++) {
            EQUAL(others[at].calls, round);
            EQUAL(read(other[at][0], &byte, 1), 1);
        }
    }
    settle(loop, 5);
    if (the_backend == PIRN_BACKEND_EPOLL) {
        EQUAL(lost.calls, 0);
    } else {
        EQUAL(lost.calls, 1);
        EQUAL(lost.ready, PIRN_INVALID);
        /* It rests, and is still there. */
        OK(pirn_io_modify(loop, io, 0));
        GIVES(pirn_turn(loop, 0), 0);
    }
    the_loop_sleeps(loop);
    OK(pirn_verify(loop));
    OK(pirn_io_remove(loop, io));
    CLOSE(loop);
    close(fds[1]);
    for (int at = 0; at < OTHERS; at++)
        close_all(other[at], 2);
}

/*
 * 103: without its own fds a loop can neither wait nor be woken. It says so instead of returning at
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
 * A lost watcher that is modified to watch again hears that it is lost again; and when the number
 * is open again, it watches that.
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
 * 29: a duplicate keeps the open file alive, and epoll reports it for ever. The loop heals itself,
 * and the rest lives.
 */
static void ghost_of_a_closed_fd_is_exorcised(void)
{
    struct pirn_loop *loop;
    struct pirn_io io, other_io;
    struct seen lost = { 0 }, other = { 0 };
    int fds[2], others[2], duplicate;
    OPEN(loop, block, the_backend);
    make_pipe(fds);
    make_pipe(others);
    OK(pirn_io_add(loop, others[0], PIRN_READ, see_io, &other, &other_io));
    OK(pirn_io_add(loop, fds[0], PIRN_READ, see_io, &lost, &io));
    duplicate = dup(fds[0]);
    MUST(duplicate >= 0);
    close(fds[0]);
    OK(pirn_io_remove(loop, io));
    EQUAL(write(fds[1], "x", 1), 1);
    settle(loop, 5);
    for (int turn = 0; turn < 4; turn++)
        GIVES(pirn_turn(loop, MILLISECOND), 0);
    EQUAL(lost.calls, 0);
    the_loop_sleeps(loop);
    if (the_backend == PIRN_BACKEND_EPOLL) {
        EQUAL(stats_of(loop).rebuilds, 1);
        CHECK(stats_of(loop).stale_events >= 1);
    } else {
        EQUAL(stats_of(loop).stale_events, 0);
    }
    EQUAL(write(others[1], "x", 1), 1);
    GIVES(pirn_turn(loop, SECOND), 1);
    EQUAL(other.calls, 1);
    OK(pirn_io_remove(loop, other_io));
    CLOSE(loop);
    close_all(others, 2);
    close(duplicate);
    close(fds[1]);
}

/*
 * 29 at the limit: there is no fd for a set without the ghost. All others are served, the loop
 * sleeps between its turns, and when an fd is free the ghost goes.
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

/*
 * 30: the same, and the number has a new file with a new watcher: only that one is called, for its
 * own file only.
 */
static void a_number_that_comes_again_has_no_ghost(void)
{
    struct pirn_loop *loop;
    struct pirn_io io, new_io;
    struct seen old = { 0 }, new = { 0 };
    int fds[2], again[2], duplicate;
    char byte;
    OPEN(loop, block, the_backend);
    for (int round = 0; round < 20; round++) {
        make_pipe(fds);
        make_pipe(again);
        old.calls = new.calls = 0;
        OK(pirn_io_add(loop, fds[0], PIRN_READ, see_io, &old, &io));
        duplicate = dup(fds[0]);
        close(fds[0]);
        if (round & 1)
            OK(pirn_io_remove(loop, io));
        MUST(dup2(again[0], fds[0]) == fds[0]);
        OK(pirn_io_add(loop, fds[0], PIRN_READ, see_io, &new, &new_io));
        EQUAL(write(fds[1], "x", 1), 1);
        for (int turn = 0; turn < 4; turn++)
            (void)pirn_turn(loop, 0);
        EQUAL(new.calls, 0);
        /* Without a remove the old watcher now has no file: it is told, or it hears nothing. */
        CHECK(old.calls == 0 || ((round & 1) == 0 && old.all_ready == PIRN_INVALID));
        if ((round & 1) == 0)
            OK(pirn_io_remove(loop, io));
        EQUAL(write(again[1], "x", 1), 1);
        GIVES(pirn_turn(loop, SECOND), 1);
        EQUAL(new.calls, 1);
        EQUAL(read(fds[0], &byte, 1), 1);
        the_loop_sleeps(loop);
        OK(pirn_io_remove(loop, new_io));
        close(duplicate);
        close_all(fds, 2);
        close_all(again, 2);
        OK(pirn_verify(loop));
    }
    CLOSE(loop);
}

/* ---- within one batch ---- */

struct swap {
    struct seen seen;
    struct swap *victim;
    struct pirn_io io;
    int fd, spare, mode;
    struct seen *newcomer;
    struct pirn_io newcomer_io;
};

enum { REMOVE, REMOVE_AND_ADD_OTHER, CLOSE_AND_REOPEN, CLOSING_AND_REOPEN, PAUSE };

static void first_of_batch(struct pirn_loop *loop, struct pirn_io io, int fd, uint32_t ready, void *user)
{
    struct swap *swap = user, *victim = swap->victim;
    (void)io, (void)fd, (void)ready;
    swap->seen.calls++;
    if (victim == NULL || victim->seen.calls > 0)
        return;
    swap->victim = NULL;
    switch (swap->mode) {
    case REMOVE:
        OK(pirn_io_remove(loop, victim->io));
        break;
    case REMOVE_AND_ADD_OTHER:
        OK(pirn_io_remove(loop, victim->io));
        OK(pirn_io_add(loop, victim->spare, PIRN_READ, see_io, swap->newcomer, &swap->newcomer_io));
        EQUAL(swap->newcomer_io.slot, victim->io.slot);
        break;
    case CLOSE_AND_REOPEN:
        OK(pirn_io_remove(loop, victim->io));
        MUST(dup2(victim->spare, victim->fd) == victim->fd);
        OK(pirn_io_add(loop, victim->fd, PIRN_READ, see_io, swap->newcomer, &swap->newcomer_io));
        break;
    case CLOSING_AND_REOPEN:
        GIVES(pirn_fd_closing(loop, victim->fd), 1);
        MUST(dup2(victim->spare, victim->fd) == victim->fd);
        OK(pirn_io_add(loop, victim->fd, PIRN_READ, see_io, swap->newcomer, &swap->newcomer_io));
        break;
    case PAUSE:
        OK(pirn_io_modify(loop, victim->io, 0));
        break;
    }
}

/*
 * 31, 32, 33: both are ready; whichever comes first does away with the other. The other is not
 * called, nor who takes its place.
 */
static void the_first_of_a_batch_takes_the_other_away(void)
{
    for (int mode = REMOVE; mode <= PAUSE; mode++) {
        struct pirn_loop *loop;
        struct seen newcomer = { 0 };
        struct swap left = { .mode = mode, .newcomer = &newcomer }, right = left;
        int left_pipe[2], right_pipe[2], quiet[2][2];
        OPEN(loop, block, the_backend);
        make_pipe(left_pipe);
        make_pipe(right_pipe);
        make_pipe(quiet[0]);
        make_pipe(quiet[1]);
        left.victim = &right;
        right.victim = &left;
        left.fd = left_pipe[0];
        right.fd = right_pipe[0];
        left.spare = quiet[0][0];
        right.spare = quiet[1][0];
        OK(pirn_io_add(loop, left.fd, PIRN_READ, first_of_batch, &left, &left.io));
        OK(pirn_io_add(loop, right.fd, PIRN_READ, first_of_batch, &right, &right.io));
        EQUAL(write(left_pipe[1], "x", 1), 1);
        EQUAL(write(right_pipe[1], "x", 1), 1);
        GIVES(pirn_turn(loop, SECOND), 1);
        EQUAL(left.seen.calls + right.seen.calls, 1);
        EQUAL(newcomer.calls, 0);
        OK(pirn_verify(loop));
        /* Nor later: only the first is still ready. */
        GIVES(pirn_turn(loop, SECOND), 1);
        EQUAL(left.seen.calls + right.seen.calls, 2);
        EQUAL(newcomer.calls, 0);
        CHECK(left.seen.calls == 0 || right.seen.calls == 0);
        CLOSE(loop);
        close_all(left_pipe, 2);
        close_all(right_pipe, 2);
        close_all(quiet[0], 2);
        close_all(quiet[1], 2);
    }
}

static void remove_self_twice(struct pirn_loop *loop, struct pirn_io io, int fd, uint32_t ready, void *user)
{
    struct seen *seen = user;
    (void)ready;
    seen->calls++;
    OK(pirn_io_remove(loop, io));
    GIVES(pirn_io_remove(loop, io), -ENOENT);
    GIVES(pirn_io_modify(loop, io, PIRN_READ), -ENOENT);
    OK(pirn_io_add(loop, fd, PIRN_READ, remove_self_twice, user, NULL));
}

/* 35: removed in its own callback, and added again: called in the next turn, not in this one. */
static void a_watcher_may_end_and_begin_itself(void)
{
    struct pirn_loop *loop;
    struct seen seen = { 0 };
    int fds[2];
    OPEN(loop, block, the_backend);
    make_pipe(fds);
    EQUAL(write(fds[1], "x", 1), 1);
    OK(pirn_io_add(loop, fds[0], PIRN_READ, remove_self_twice, &seen, NULL));
    for (int turn = 1; turn <= 10; turn++) {
        GIVES(pirn_turn(loop, SECOND), 1);
        EQUAL(seen.calls, turn);
    }
    EQUAL(stats_of(loop).io_used, 1);
    CLOSE(loop);
    close_all(fds, 2);
}

/* fd_closing: all watchers of the fd, in the callback of one of them, and no other's. */
static void close_my_fd(struct pirn_loop *loop, struct pirn_io io, int fd, uint32_t ready, void *user)
{
    struct seen *seen = user;
    (void)io, (void)ready;
    seen->calls++;
    GIVES(pirn_fd_closing(loop, fd), 3);
    GIVES(pirn_fd_closing(loop, fd), 0);
}

static void fd_closing_takes_all_watchers(void)
{
    struct pirn_loop *loop;
    struct seen seen = { 0 }, other = { 0 };
    int fds[2], others[2];
    OPEN(loop, block, the_backend);
    make_pipe(fds);
    make_pipe(others);
    EQUAL(write(fds[1], "x", 1), 1);
    EQUAL(write(others[1], "x", 1), 1);
    for (int at = 0; at < 3; at++)
        OK(pirn_io_add(loop, fds[0], PIRN_READ, close_my_fd, &seen, NULL));
    OK(pirn_io_add(loop, others[0], PIRN_READ, see_io, &other, NULL));
    GIVES(pirn_turn(loop, SECOND), 2);
    EQUAL(seen.calls, 1);
    EQUAL(other.calls, 1);
    EQUAL(stats_of(loop).io_used, 1);
    close_all(fds, 2);
    GIVES(pirn_turn(loop, SECOND), 1);
    EQUAL(seen.calls, 1);
    CLOSE(loop);
    close_all(others, 2);
}

static void test(uint32_t backend)
{
    the_backend = backend;
    close_then_remove();
    closed_behind_the_back();
    closed_own_fd_ends_the_run();
    a_lost_watcher_is_told_again();
    ghost_of_a_closed_fd_is_exorcised();
    a_ghost_at_the_fd_limit_stops_nobody();
    a_number_that_comes_again_has_no_ghost();
    the_first_of_a_batch_takes_the_other_away();
    a_watcher_may_end_and_begin_itself();
    fd_closing_takes_all_watchers();
}

int main(int argc, char **argv)
{
    return run_on_backends(argc, argv, test);
}
