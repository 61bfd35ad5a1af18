/*
 * Events as data: what pirn_take writes, NULL callbacks, and what a handler may do between takes.
 */
#include "test.h"

#include <setjmp.h>

#define ROOM 32

DECLARE_BLOCK(block);
static uint32_t the_backend;
static struct pirn_due due[ROOM + 1];

static struct pirn_loop *open_taken(void)
{
    struct pirn_loop *loop = NULL;
    struct pirn_config config = config_with(the_backend, PIRN_TAKE);
    MUST(pirn_init(&loop, block, sizeof block, &config) == 0);
    return loop;
}

static void wait_for(struct pirn_loop *loop, uint64_t limit)
{
    uint64_t timeout = 0;
    OK(pirn_prepare(loop, limit, &timeout));
    CHECK(pirn_wait(loop, timeout) >= 0);
}

/* Takes with room for `room`, and checks that no more is written. */
static int take(struct pirn_loop *loop, uint32_t room)
{
    memset(due, 0xa5, sizeof due);
    int count = pirn_take(loop, due, room);
    CHECK(count <= (int)room);
    for (uint32_t at = count < 0 ? 0 : (uint32_t)count; at <= room; at++)
        CHECK(due[at].kind == UINT32_C(0xa5a5a5a5));
    for (int at = 0; at < count; at++)
        CHECK(due[at].reserved == 0 && due[at].more[0] == 0 && due[at].more[1] == 0);
    return count;
}

/* The record of one event: what a callback would get, the callback, and nothing else. */
static void every_kind_is_told(void)
{
    struct pirn_loop *loop;
    struct pirn_io io, raised;
    struct pirn_timer timer;
    struct pirn_task task;
    int fds[2], user[5];
    OPEN(loop, block, the_backend);
    MUST(pipe(fds) == 0);
    MUST(write(fds[1], "x", 1) == 1);
    OK(pirn_io_add(loop, fds[0], PIRN_READ, see_io, &user[0], &io));
    OK(pirn_raise_add(loop, 63, 0, see_io, &user[1], &raised));
    OK(pirn_raise(loop, 63));
    uint32_t options = PIRN_TIMER_ABSOLUTE | PIRN_TIMER_SKIP;
    OK(pirn_timer_start(loop, 1, SECOND, options, see_timer, &user[2], &timer));
    OK(pirn_task_post(loop, see_task, &user[3], &task));
    OK(pirn_remote_post(loop, see_task, &user[4]));
    wait_for(loop, 0);
    EQUAL(take(loop, ROOM), 5);

    EQUAL(due[0].kind, PIRN_DUE_TIMER);
    EQUAL(due[0].fd, -1);
    EQUAL(due[0].ready, 0);
    CHECK(due[0].missed > 0);
    CHECK(due[0].handle.timer.slot == timer.slot);
    CHECK(due[0].handle.timer.generation == timer.generation);
    CHECK(due[0].callback.timer == see_timer && due[0].user == &user[2]);

    EQUAL(due[1].kind, PIRN_DUE_RAISED);
    EQUAL(due[1].fd, 63);
    EQUAL(due[1].ready, PIRN_READ);
    EQUAL(due[1].missed, 0);
    CHECK(due[1].handle.io.slot == raised.slot && due[1].handle.io.generation == raised.generation);
    CHECK(due[1].callback.io == see_io && due[1].user == &user[1]);

    EQUAL(due[2].kind, PIRN_DUE_IO);
    EQUAL(due[2].fd, fds[0]);
    EQUAL(due[2].ready, PIRN_READ);
    EQUAL(due[2].missed, 0);
    CHECK(due[2].handle.io.slot == io.slot && due[2].handle.io.generation == io.generation);
    CHECK(due[2].callback.io == see_io && due[2].user == &user[0]);

    EQUAL(due[3].kind, PIRN_DUE_TASK);
    EQUAL(due[3].fd, -1);
    CHECK(due[3].handle.task.slot == task.slot && due[3].handle.task.generation == task.generation);
    CHECK(due[3].callback.task == see_task && due[3].user == &user[3]);
    GIVES(pirn_task_cancel(loop, due[3].handle.task), -ENOENT);

    EQUAL(due[4].kind, PIRN_DUE_POST);
    EQUAL(due[4].fd, -1);
    CHECK(due[4].handle.task.slot == 0 && due[4].handle.task.generation == 0);
    CHECK(due[4].callback.task == see_task && due[4].user == &user[4]);

    EQUAL(take(loop, ROOM), 0);
    EQUAL(stats_of(loop).callbacks, 5);
    CLOSE(loop);
    close_all(fds, 2);
}

static void nothing_is_lost_whatever_the_room(void)
{
    for (uint32_t room = 1; room <= 9; room++) {
        struct pirn_loop *loop;
        int fds[2], user[TASKS];
        uint32_t taken = 0;
        OPEN(loop, block, the_backend);
        MUST(pipe(fds) == 0);
        for (int at = 0; at < TASKS; at++)
            OK(pirn_task_post(loop, see_task, &user[at], NULL));
        OK(pirn_io_add(loop, fds[1], PIRN_WRITE, see_io, NULL, NULL));
        wait_for(loop, PIRN_FOREVER);
        for (int count; (count = take(loop, room)) > 0;) {
            for (int at = 0; at < count; at++, taken++) {
                EQUAL(due[at].kind, taken == 0 ? PIRN_DUE_IO : PIRN_DUE_TASK);
                CHECK(taken == 0 || due[at].user == &user[taken - 1]);
            }
            /* What is left keeps the wait from sleeping, and is not fetched again. */
            if (taken < TASKS + 1)
                wait_for(loop, PIRN_FOREVER);
        }
        EQUAL(taken, TASKS + 1);
        EQUAL(stats_of(loop).waits, 1);
        CLOSE(loop);
        close_all(fds, 2);
    }
}

static void null_callbacks_are_for_loops_that_are_taken_from(void)
{
    struct pirn_loop *loop;
    struct pirn_io io;
    int fds[2];
    MUST(pipe(fds) == 0);
    OPEN(loop, block, the_backend);
    GIVES(pirn_io_add(loop, fds[1], PIRN_WRITE, NULL, NULL, NULL), -EINVAL);
    GIVES(pirn_raise_add(loop, 1, 0, NULL, NULL, NULL), -EINVAL);
    GIVES(pirn_timer_start(loop, 0, 0, 0, NULL, NULL, NULL), -EINVAL);
    GIVES(pirn_task_post(loop, NULL, NULL, NULL), -EINVAL);
    GIVES(pirn_remote_post(loop, NULL, NULL), -EINVAL);
    CLOSE(loop);

    loop = open_taken();
    OK(pirn_io_add(loop, fds[1], PIRN_WRITE, NULL, &fds, &io));
    OK(pirn_raise_add(loop, 1, 0, NULL, NULL, NULL));
    OK(pirn_raise(loop, 1));
    OK(pirn_timer_start(loop, 0, 0, 0, NULL, NULL, NULL));
    OK(pirn_timer_start(loop, 0, 0, PIRN_TIMER_CACHED, see_timer, NULL, NULL));
    OK(pirn_task_post(loop, NULL, NULL, NULL));
    OK(pirn_remote_post(loop, NULL, NULL));
    GIVES(pirn_run(loop), -EOPNOTSUPP);
    GIVES(pirn_run_until(loop, 0), -EOPNOTSUPP);
    GIVES(pirn_turn(loop, 0), -EOPNOTSUPP);
    GIVES(pirn_dispatch(loop), -EOPNOTSUPP);
    CHECK(strcmp(pirn_strerror(-EOPNOTSUPP), "error of the kernel (see errno(3))") != 0);
    /* The clock may stand where it was when the timers were started, but not for long. */
    int timers = 0, others = 0;
    while (timers < 2) {
        wait_for(loop, PIRN_FOREVER);
        for (int count; (count = take(loop, ROOM)) > 0;)
            for (int at = 0; at < count; at++) {
                if (due[at].kind == PIRN_DUE_TIMER) {
                    timers++;
                    CHECK(due[at].callback.timer == NULL || due[at].callback.timer == see_timer);
                    continue;
                }
                others += due[at].kind != PIRN_DUE_IO;
                CHECK(due[at].callback.io == NULL);
                CHECK(due[at].user == (due[at].kind == PIRN_DUE_IO ? &fds : NULL));
            }
    }
    EQUAL(others, 3);
    /* Handed back as it was given. */
    OK(pirn_task_post(loop, NULL, &fds, NULL));
    OK(pirn_task_post(loop, see_task, NULL, NULL));
    pirn_task_fn function = see_task;
    void *user = NULL;
    GIVES(pirn_task_reclaim(loop, &function, &user), 1);
    CHECK(function == NULL && user == &fds);
    GIVES(pirn_task_reclaim(loop, &function, &user), 1);
    CHECK(function == see_task && user == NULL);
    GIVES(pirn_task_reclaim(loop, &function, &user), 0);
    CLOSE(loop);

    struct pirn_config config = config_with(the_backend, PIRN_NO_FORK_CHECK << 1);
    GIVES(pirn_init(&loop, block, sizeof block, &config), -EINVAL);
    close_all(fds, 2);
}

static void take_inside(struct pirn_loop *loop, void *user)
{
    GIVES(pirn_take(loop, due, ROOM), -EBUSY);
    GIVES(pirn_ended(loop), -EBUSY);
    ++*(int *)user;
}

static void misuse_is_refused(void)
{
    struct pirn_loop *loop;
    int calls = 0;
    uint64_t nothing[8] = { 0 };
    GIVES(pirn_take(NULL, due, 1), -EINVAL);
    GIVES(pirn_take((struct pirn_loop *)nothing, due, 1), -EINVAL);
    GIVES(pirn_ended(NULL), -EINVAL);
    GIVES(pirn_ended((struct pirn_loop *)nothing), -EINVAL);
    OPEN(loop, block, the_backend);
    OK(pirn_task_post(loop, take_inside, &calls, NULL));
    GIVES(pirn_take(loop, NULL, 1), -EINVAL);
    GIVES(pirn_take(loop, due, 0), -EINVAL);
    GIVES(pirn_turn(loop, 0), 1);
    EQUAL(calls, 1);
    /* Taking and calling may alternate where all callbacks are given. */
    OK(pirn_task_post(loop, take_inside, &calls, NULL));
    OK(pirn_task_post(loop, see_task, NULL, NULL));
    EQUAL(take(loop, 1), 1);
    CHECK(due[0].callback.task == take_inside);
    GIVES(pirn_dispatch(loop), 1);
    EQUAL(calls, 1);
    CLOSE(loop);
    GIVES(pirn_take(loop, due, 1), -EINVAL);
}

/* What handlers post, start and raise waits for the next turn, however much that is. */
static void turn_ends(void)
{
    struct pirn_loop *loop = open_taken();
    OK(pirn_raise_add(loop, 5, 0, NULL, NULL, NULL));
    for (uint32_t room = 1; room < 4; room++) {
        OK(pirn_task_post(loop, NULL, NULL, NULL));
        for (int turn = 0; turn < 5; turn++) {
            int taken = 0;
            wait_for(loop, PIRN_FOREVER);
            for (int count; (count = take(loop, room)) > 0;) {
                taken += count;
                MUST(taken <= TASKS + TIMERS + TASKS / 2 + 1);
                /* Full is an answer. */
                for (int at = 0; at < 2 * count; at++) {
                    (void)pirn_task_post(loop, NULL, NULL, NULL);
                    (void)pirn_timer_start(loop, 0, 0, PIRN_TIMER_ABSOLUTE, NULL, NULL, NULL);
                    (void)pirn_remote_post(loop, NULL, NULL);
                    OK(pirn_raise(loop, 5));
                }
            }
            CHECK(taken > turn);
        }
        wait_for(loop, 0);
        while (take(loop, ROOM) > 0)
            ;
        EQUAL(take(loop, ROOM), 0);
    }
    CLOSE(loop);
}

/* ---- what handlers may do ---- */

static int nested_turns(struct pirn_loop *loop, int depth)
{
    struct pirn_due mine;
    int taken = 0;
    wait_for(loop, 0);
    while (pirn_take(loop, &mine, 1) > 0) {
        taken++;
        if (depth > 0)
            taken += nested_turns(loop, depth - 1);
    }
    return taken;
}

static void handlers_make_turns(void)
{
    struct pirn_loop *loop = open_taken();
    for (int at = 0; at < TASKS; at++)
        OK(pirn_task_post(loop, NULL, NULL, NULL));
    OK(pirn_timer_start(loop, 0, 0, PIRN_TIMER_ABSOLUTE, NULL, NULL, NULL));
    EQUAL(nested_turns(loop, 3), TASKS + 1);
    EQUAL(nested_turns(loop, 3), 0);
    CLOSE(loop);
}

static void handlers_end_and_make_the_loop(void)
{
    struct pirn_loop *loop = open_taken(), *other = NULL;
    DECLARE_BLOCK(other_block);
    OK(pirn_task_post(loop, NULL, NULL, NULL));
    OK(pirn_task_post(loop, NULL, NULL, NULL));
    wait_for(loop, 0);
    EQUAL(take(loop, 1), 1);
    struct pirn_config config = config_with(the_backend, PIRN_TAKE);
    OK(pirn_init(&other, other_block, sizeof other_block, &config));
    OK(pirn_deinit(loop));
    GIVES(pirn_take(loop, due, 1), -EINVAL);
    config = config_with(the_backend, PIRN_TAKE);
    OK(pirn_init(&loop, block, sizeof block, &config));
    OK(pirn_task_post(loop, NULL, due, NULL));
    EQUAL(take(loop, 2), 1);
    CHECK(due[0].user == due);
    EQUAL(take(loop, 2), 0);
    CLOSE(other);
    CLOSE(loop);
}

/* An exception, as it is in C. */
static void handlers_leave_by_a_jump(void)
{
    static jmp_buf out;
    static int jumps;
    struct pirn_loop *volatile loop = open_taken();
    jumps = 0;
    for (int at = 0; at < 4; at++)
        OK(pirn_task_post(loop, NULL, NULL, NULL));
    wait_for(loop, 0);
    if (setjmp(out) == 0 || jumps < 4) {
        while (take(loop, 1) > 0) {
            jumps++;
            longjmp(out, 1);
        }
    }
    EQUAL(jumps, 4);
    EQUAL(take(loop, 1), 0);
    CLOSE(loop);
}

/* Outside of a dispatch, but not in the middle of a turn. */
static void handlers_grow_the_loop(void)
{
    static uint64_t larger[PIRN_STORAGE_SIZE(IO * 2, TIMERS * 2, TASKS * 2) / 8];
    struct pirn_loop *loop = open_taken();
    int user[TASKS * 2];
    for (int at = 0; at < TASKS; at++)
        OK(pirn_task_post(loop, NULL, &user[at], NULL));
    wait_for(loop, 0);
    EQUAL(take(loop, 1), 1);
    GIVES(pirn_grow(loop, larger, sizeof larger, IO * 2, TIMERS * 2, TASKS * 2, NULL, NULL),
          -EBUSY);
    EQUAL(take(loop, ROOM), TASKS - 1);
    for (int at = 0; at < TASKS; at++)
        OK(pirn_task_post(loop, NULL, &user[at], NULL));
    GIVES(pirn_task_post(loop, NULL, NULL, NULL), -EAGAIN);
    OK(pirn_grow(loop, larger, sizeof larger, IO * 2, TIMERS * 2, TASKS * 2, NULL, NULL));
    for (int at = TASKS; at < TASKS * 2; at++)
        OK(pirn_task_post(loop, NULL, &user[at], NULL));
    /* The turn that was taken is over all the same, and the next one has what was posted. */
    EQUAL(take(loop, ROOM), 0);
    EQUAL(take(loop, ROOM), TASKS * 2);
    for (int at = 0; at < TASKS * 2; at++)
        CHECK(due[at].kind == PIRN_DUE_TASK && due[at].user == &user[at]);
    CLOSE(loop);
}

static struct pirn_loop *signalled;

static void on_alarm(int number)
{
    (void)number;
    (void)pirn_stop(signalled);
}

static void stop_ends_the_turns(void)
{
    struct pirn_loop *loop = open_taken();
    struct sigaction action, before;
    int turns = 0;
    signalled = loop;
    GIVES(pirn_ended(loop), PIRN_DONE);
    OK(pirn_hold(loop));
    GIVES(pirn_ended(loop), PIRN_GOING);
    memset(&action, 0, sizeof action);
    action.sa_handler = on_alarm;
    MUST(sigaction(SIGUSR1, &action, &before) == 0);
    OK(pirn_timer_start(loop, 0, MILLISECOND, 0, NULL, NULL, NULL));
    int ended;
    while ((ended = pirn_ended(loop)) == PIRN_GOING) {
        wait_for(loop, PIRN_FOREVER);
        while (take(loop, 1) > 0)
            turns++;
        if (turns == 3)
            raise(SIGUSR1);
        MUST(turns < 1000);
    }
    EQUAL(ended, PIRN_STOPPED);
    EQUAL(turns, 3);
    OK(pirn_release(loop));
    MUST(sigaction(SIGUSR1, &before, NULL) == 0);
    CLOSE(loop);
}

static void limit_bounds_a_take(void)
{
    struct pirn_loop *loop = open_taken();
    for (int at = 0; at < TASKS; at++)
        OK(pirn_task_post(loop, NULL, NULL, NULL));
    OK(pirn_limit(loop, 3, 1));
    wait_for(loop, PIRN_FOREVER);
    EQUAL(take(loop, ROOM), 3);
    EQUAL(take(loop, 2), 2);
    EQUAL(take(loop, ROOM), 3);
    EQUAL(take(loop, ROOM), 0);
    CLOSE(loop);
}

static int is_readable(int fd)
{
    struct pollfd entry = { .fd = fd, .events = POLLIN };
    return poll(&entry, 1, 0) == 1;
}

static void the_fd_shows_what_is_left(void)
{
    struct pirn_loop *loop = open_taken();
    int fd = pirn_fd(loop);
    if (fd < 0) {
        EQUAL(fd, -EOPNOTSUPP);
        CLOSE(loop);
        return;
    }
    for (int at = 0; at < 3; at++)
        OK(pirn_task_post(loop, NULL, NULL, NULL));
    for (int left = 3; left > 0; left--) {
        CHECK(is_readable(fd));
        wait_for(loop, 0);
        EQUAL(take(loop, 1), 1);
    }
    EQUAL(take(loop, 1), 0);
    wait_for(loop, 0);
    EQUAL(take(loop, 1), 0);
    CHECK(!is_readable(fd));
    CLOSE(loop);
}

static void test(uint32_t backend)
{
    the_backend = backend;
    every_kind_is_told();
    nothing_is_lost_whatever_the_room();
    null_callbacks_are_for_loops_that_are_taken_from();
    misuse_is_refused();
    turn_ends();
    handlers_make_turns();
    handlers_end_and_make_the_loop();
    handlers_leave_by_a_jump();
    handlers_grow_the_loop();
    stop_ends_the_turns();
    limit_bounds_a_take();
    the_fd_shows_what_is_left();
}

int main(int argc, char **argv)
{
    return run_on_backends(argc, argv, test);
}
