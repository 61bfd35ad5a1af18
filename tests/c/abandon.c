/*
 * A callback that leaves by longjmp (or by an exception of C++: exceptions.cc) leaves the loop
 * entered. pirn_abandon ends that; the callback counts as called, and what else was due is called
 * by the turns that follow.
 */
#include "test.h"

#include <setjmp.h>

#define KINDS 5
#define EACH 3

/* With so many tasks, and half as many places for posts, the posts of a test are one batch. */
static PIRN_STORAGE(block, IO, TIMERS, 64);
static jmp_buf outside;
static long calls[KINDS][EACH];
static int leaving_kind, leaving_number;

/* The word of a callback: which of the fifteen it is. */
static void *word(int kind, int number)
{
    return (void *)(uintptr_t)(kind * EACH + number);
}

static void called(void *user)
{
    int kind = (int)(uintptr_t)user / EACH, number = (int)(uintptr_t)user % EACH;
    calls[kind][number]++;
    if (kind == leaving_kind && number == leaving_number)
        longjmp(outside, 1);
}

static void on_io(struct pirn_loop *loop, struct pirn_io io, int fd, uint32_t ready, void *user)
{
    (void)loop, (void)io, (void)fd, (void)ready;
    called(user);
}

static void on_timer(struct pirn_loop *loop, struct pirn_timer timer, uint64_t missed, void *user)
{
    (void)loop, (void)timer, (void)missed;
    called(user);
}

static void on_task(struct pirn_loop *loop, void *user)
{
    (void)loop;
    called(user);
}

static int leaves(int (*run)(struct pirn_loop *), struct pirn_loop *loop)
{
    if (setjmp(outside) != 0)
        return 1;
    run(loop);
    return 0;
}

static int turn(struct pirn_loop *loop)
{
    return pirn_turn(loop, 0);
}

/* Three of each kind, all due at once. */
static void arrange(struct pirn_loop *loop, int *fds)
{
    struct pirn_io io;
    memset(calls, 0, sizeof calls);
    for (int number = 0; number < EACH; number++) {
        MUST(pipe(&fds[2 * number]) == 0);
        OK(pirn_io_add(loop, fds[2 * number], PIRN_READ | PIRN_ONESHOT, on_io, word(2, number),
                       &io));
        /* But for the first, they were paused during a wait: epoll reports the next event once. */
        if (number > 0) {
            OK(pirn_io_modify(loop, io, 0));
            GIVES(turn(loop), 0);
            OK(pirn_io_modify(loop, io, PIRN_READ));
            GIVES(turn(loop), 0);
        }
    }
    for (int number = 0; number < EACH; number++) {
        MUST(write(fds[2 * number + 1], "x", 1) == 1);
        OK(pirn_timer_start(loop, 0, 0, PIRN_TIMER_CACHED, on_timer, word(0, number), NULL));
        OK(pirn_raise_add(loop, (uint32_t)number, 0, on_io, word(1, number), NULL));
        OK(pirn_raise(loop, (uint32_t)number));
        OK(pirn_task_post(loop, on_task, word(3, number), NULL));
        OK(pirn_remote_post(loop, on_task, word(4, number)));
    }
}

static void what_is_left_is_called_once(uint32_t backend, uint32_t flags, uint32_t limit)
{
    for (leaving_kind = 0; leaving_kind < KINDS; leaving_kind++)
        for (leaving_number = 0; leaving_number < EACH; leaving_number++) {
            struct pirn_config config = config_with(backend, flags);
            struct pirn_loop *loop;
            int fds[2 * EACH], lefts = 0;
            MUST(pirn_init(&loop, block, sizeof block, &config) == 0);
            OK(pirn_limit(loop, limit, 0));
            arrange(loop, fds);
            for (int turns = 0; turns < 20; turns++) {
                if (!leaves(turn, loop))
                    continue;
                lefts++;
                GIVES(pirn_turn(loop, 0), -EBUSY);
                GIVES(pirn_deinit(loop), -EBUSY);
                OK(pirn_abandon(loop));
                OK(pirn_verify(loop));
            }
            EQUAL(lefts, 1);
            for (int kind = 0; kind < KINDS; kind++)
                for (int number = 0; number < EACH; number++)
                    EQUAL(calls[kind][number], 1);
            GIVES(pirn_turn(loop, 0), 0);
            close_all(fds, 2 * EACH);
            CLOSE(loop);
        }
    leaving_kind = -1;
}

/* The kernel does not report an edge again by itself. */
static void edges_are_not_lost(uint32_t backend)
{
    struct pirn_loop *loop;
    int fds[2 * EACH];
    if (backend != PIRN_BACKEND_EPOLL)
        return;
    OPEN(loop, block, backend);
    memset(calls, 0, sizeof calls);
    leaving_kind = 2;
    for (int number = 0; number < EACH; number++) {
        MUST(pipe(&fds[2 * number]) == 0 && write(fds[2 * number + 1], "x", 1) == 1);
        OK(pirn_io_add(loop, fds[2 * number], PIRN_READ | PIRN_EDGE, on_io, word(2, number), NULL));
    }
    /* Each leaves in its turn, wherever it stands in the kernel's list. */
    for (int turns = 0; turns < 9; turns++) {
        leaving_number = turns % EACH;
        if (leaves(turn, loop)) {
            char byte;
            OK(pirn_abandon(loop));
            CHECK(read(fds[2 * leaving_number], &byte, 1) <= 1);
        }
    }
    for (int number = 0; number < EACH; number++)
        CHECK(calls[2][number] > 0);
    close_all(fds, 2 * EACH);
    CLOSE(loop);
    leaving_kind = -1;
}

/* A foreign loop is woken for what is left, and for new events. */
static void the_fd_shows_what_is_left(uint32_t backend)
{
    struct pirn_loop *loop;
    struct pollfd poll_fd = { -1, POLLIN, 0 };
    if (backend != PIRN_BACKEND_EPOLL)
        return;
    OPEN(loop, block, backend);
    poll_fd.fd = pirn_fd(loop);
    memset(calls, 0, sizeof calls);
    leaving_kind = 3, leaving_number = 0;
    OK(pirn_task_post(loop, on_task, word(3, 0), NULL));
    OK(pirn_task_post(loop, on_task, word(3, 1), NULL));
    CHECK(leaves(turn, loop));
    OK(pirn_abandon(loop));
    /* The turn that was left ends first, and calls nothing. */
    EQUAL(poll(&poll_fd, 1, 0), 1);
    GIVES(pirn_turn(loop, 0), 0);
    EQUAL(poll(&poll_fd, 1, 0), 1);
    GIVES(pirn_turn(loop, 0), 1);
    EQUAL(calls[3][1], 1);
    EQUAL(poll(&poll_fd, 1, 0), 0);
    OK(pirn_remote_post(loop, on_task, word(3, 2)));
    EQUAL(poll(&poll_fd, 1, 0), 1);
    GIVES(pirn_turn(loop, 0), 1);
    CLOSE(loop);
    leaving_kind = -1;
}

static void a_run_can_be_left_and_run_again(uint32_t backend)
{
    struct pirn_loop *loop;
    OPEN(loop, block, backend);
    memset(calls, 0, sizeof calls);
    leaving_kind = 0, leaving_number = 0;
    OK(pirn_timer_start(loop, 0, 0, 0, on_timer, word(0, 0), NULL));
    OK(pirn_timer_start(loop, MILLISECOND, 0, 0, on_timer, word(0, 1), NULL));
    CHECK(leaves(pirn_run, loop));
    GIVES(pirn_run(loop), -EBUSY);
    OK(pirn_abandon(loop));
    GIVES(pirn_run(loop), PIRN_DONE);
    EQUAL(calls[0][1], 1);
    CLOSE(loop);
    leaving_kind = -1;
}

static void nothing_is_abandoned_where_nothing_was_left(uint32_t backend)
{
    struct pirn_loop *loop;
    struct seen task = { 0 };
    GIVES(pirn_abandon(NULL), -EINVAL);
    OPEN(loop, block, backend);
    OK(pirn_task_post(loop, see_task, &task, NULL));
    OK(pirn_abandon(loop));
    OK(pirn_abandon(loop));
    GIVES(pirn_turn(loop, 0), 1);
    EQUAL(task.calls, 1);
    CLOSE(loop);
    GIVES(pirn_abandon(loop), -EINVAL);
}

static void test(uint32_t backend)
{
    leaving_kind = -1;
    what_is_left_is_called_once(backend, 0, 0);
    what_is_left_is_called_once(backend, 0, 4);
    what_is_left_is_called_once(backend, PIRN_MEASURE, 0);
    edges_are_not_lost(backend);
    the_fd_shows_what_is_left(backend);
    a_run_can_be_left_and_run_again(backend);
    nothing_is_abandoned_where_nothing_was_left(backend);
}

int main(int argc, char **argv)
{
    return run_on_backends(argc, argv, test);
}
