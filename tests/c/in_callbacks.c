/*
 * From inside a callback of each kind: what enters the loop again is -EBUSY, everything else works,
 * and the loop goes on. T91, T92, T93, T132.
 */
#include "test.h"

#include <pthread.h>

DECLARE_BLOCK(block);
static PIRN_STORAGE(other_block, 2, 2, 2);
static uint32_t the_backend;
static int pair[2], spare[2];
static long busy_count;

/*
 * T91, T92: seven functions that must not be entered again, and init of the same block. Nothing is
 * written.
 */
static void nothing_enters_again(struct pirn_loop *loop)
{
    uint64_t timeout = 4711;
    struct pirn_loop *made = NULL;
    struct pirn_stats before = stats_of(loop);
    GIVES(pirn_run(loop), -EBUSY);
    GIVES(pirn_run_until(loop, 0), -EBUSY);
    GIVES(pirn_run_until(loop, PIRN_FOREVER), -EBUSY);
    GIVES(pirn_turn(loop, 0), -EBUSY);
    GIVES(pirn_turn(loop, PIRN_FOREVER), -EBUSY);
    GIVES(pirn_prepare(loop, 0, &timeout), -EBUSY);
    GIVES(pirn_wait(loop, 0), -EBUSY);
    GIVES(pirn_wait(loop, PIRN_FOREVER), -EBUSY);
    GIVES(pirn_dispatch(loop), -EBUSY);
    GIVES(pirn_deinit(loop), -EBUSY);
    GIVES(pirn_after_fork(loop), -EBUSY);
    GIVES(pirn_init(&made, block, sizeof block, NULL), -EBUSY);
    EQUAL(timeout, 4711);
    CHECK(made == NULL);
    OK(pirn_verify(loop));
    struct pirn_stats after = stats_of(loop);
    EQUAL(memcmp(&before, &after, sizeof before), 0);
    busy_count++;
}

/*
 * T93: one watcher, timer, task and handler is added, changed and removed, and it is as if it never
 * was.
 */
static void never_called_io(struct pirn_loop *loop, struct pirn_io io, int fd, uint32_t ready,
                            void *user)
{
    (void)loop, (void)io, (void)fd, (void)ready, (void)user;
    FAIL("called after it was removed");
}

static void never_called_timer(struct pirn_loop *loop, struct pirn_timer timer, uint64_t missed,
                               void *user)
{
    (void)loop, (void)timer, (void)missed, (void)user;
    FAIL("called after it was stopped");
}

static void never_called_task(struct pirn_loop *loop, void *user)
{
    (void)loop, (void)user;
    FAIL("called after it was cancelled");
}

static void everything_else_works(struct pirn_loop *loop)
{
    struct pirn_io io, raised, hook;
    struct pirn_timer timer;
    struct pirn_task task;
    uint64_t remaining;
    OK(pirn_io_add(loop, pair[0], PIRN_WRITE, never_called_io, NULL, &io));
    OK(pirn_io_modify(loop, io, PIRN_READ | PIRN_WRITE));
    OK(pirn_io_unref(loop, io));
    OK(pirn_io_ref(loop, io));
    OK(pirn_io_feed(loop, io, PIRN_READ));
    OK(pirn_raise_add(loop, 60, PIRN_HIGH, never_called_io, NULL, &raised));
    OK(pirn_raise(loop, 60));
    OK(pirn_hook_add(loop, PIRN_HOOK_LAST, 0, never_called_io, NULL, &hook));
    OK(pirn_timer_start(loop, 0, 0, 0, never_called_timer, NULL, &timer));
    EQUAL(*pirn_now_address(loop), pirn_now(loop));
    OK(pirn_timer_again(loop, timer, 0));
    OK(pirn_timer_slack(loop, timer, 1000));
    OK(pirn_timer_slack(loop, timer, 0));
    OK(pirn_timer_unref(loop, timer));
    OK(pirn_timer_ref(loop, timer));
    OK(pirn_timer_remaining(loop, timer, &remaining));
    OK(pirn_task_post(loop, never_called_task, NULL, &task));
    OK(pirn_verify(loop));
    OK(pirn_io_remove(loop, io));
    OK(pirn_io_remove(loop, raised));
    OK(pirn_io_remove(loop, hook));
    OK(pirn_timer_stop(loop, timer));
    OK(pirn_task_cancel(loop, task));
    OK(pirn_io_add(loop, spare[0], PIRN_WRITE, never_called_io, NULL, NULL));
    OK(pirn_io_add(loop, spare[0], PIRN_WRITE, never_called_io, NULL, NULL));
    GIVES(pirn_fd_closing(loop, spare[0]), 2);
    OK(pirn_limit(loop, 0, 0));
    OK(pirn_hold(loop));
    OK(pirn_release(loop));
    OK(pirn_wake(loop));
    CHECK(pirn_now(loop) > 0);
    CHECK(pirn_update(loop) >= pirn_now(loop));
    EQUAL(pirn_backend(loop), the_backend);
    int fd = pirn_fd(loop);
    CHECK(pirn_capabilities(loop) & PIRN_CAN_FD ? fd >= 0 : fd == -EOPNOTSUPP);
    (void)pirn_deadline(loop);
    OK(pirn_verify(loop));
    /* Another loop altogether is another matter. */
    struct pirn_loop *other;
    MUST(open_loop(&other, other_block, sizeof other_block, PIRN_BACKEND_AUTO, 0, 0, 0) == 0);
    struct seen seen = { 0 };
    OK(pirn_timer_start(other, 0, 0, 0, see_timer, &seen, NULL));
    GIVES(pirn_run(other), PIRN_DONE);
    EQUAL(seen.calls, 1);
    CLOSE(other);
}

static void inside(struct pirn_loop *loop, void *user)
{
    struct seen *seen = user;
    seen->calls++;
    nothing_enters_again(loop);
    everything_else_works(loop);
    nothing_enters_again(loop);
}

static void inside_io(struct pirn_loop *loop, struct pirn_io io, int fd, uint32_t ready, void *user)
{
    (void)fd, (void)ready;
    inside(loop, user);
    OK(pirn_io_remove(loop, io));
}

static void inside_timer(struct pirn_loop *loop, struct pirn_timer timer, uint64_t missed,
                         void *user)
{
    (void)missed;
    inside(loop, user);
    GIVES(pirn_timer_stop(loop, timer), -ENOENT);
}

static void inside_task(struct pirn_loop *loop, void *user)
{
    inside(loop, user);
}

/* One callback of each kind, and a second of each that must not be disturbed by the first. */
static void arm(struct pirn_loop *loop, struct seen *inner, struct seen *outer)
{
    OK(pirn_timer_start(loop, 0, 0, 0, inside_timer, inner, NULL));
    OK(pirn_timer_start(loop, 0, 0, 0, see_timer, outer, NULL));
    OK(pirn_raise_add(loop, 3, 0, inside_io, inner, NULL));
    OK(pirn_raise(loop, 3));
    OK(pirn_io_add(loop, pair[0], PIRN_WRITE, inside_io, inner, NULL));
    OK(pirn_io_add(loop, pair[1], PIRN_WRITE | PIRN_LOW, inside_io, inner, NULL));
    OK(pirn_task_post(loop, inside_task, inner, NULL));
    OK(pirn_task_post(loop, see_task, outer, NULL));
    OK(pirn_remote_post(loop, inside_task, inner));
    OK(pirn_remote_post(loop, see_task, outer));
    OK(pirn_hook_add(loop, PIRN_HOOK_FIRST, 0, inside_io, inner, NULL));
    OK(pirn_hook_add(loop, PIRN_HOOK_LAST, 0, inside_io, inner, NULL));
}

static void every_kind_of_callback_refuses_to_enter_again(void)
{
    struct pirn_loop *loop;
    for (int way = 0; way < 4; way++) {
        struct seen inner = { 0 }, outer = { 0 };
        uint64_t timeout;
        OPEN(loop, block, the_backend);
        arm(loop, &inner, &outer);
        switch (way) {
        case 0:
            GIVES(pirn_run(loop), PIRN_DONE);
            break;
        case 1:
            GIVES(pirn_run_until(loop, pirn_update(loop) + SECOND), PIRN_DONE);
            break;
        case 2:
            GIVES(pirn_turn(loop, PIRN_FOREVER), 9);
            break;
        case 3:
            OK(pirn_prepare(loop, PIRN_FOREVER, &timeout));
            EQUAL(timeout, 0);
            CHECK(pirn_wait(loop, timeout) >= 1);
            GIVES(pirn_dispatch(loop), 9);
            break;
        }
        EQUAL(inner.calls, 8);
        EQUAL(outer.calls, 3);
        settle(loop, 3);
        EQUAL(inner.calls + outer.calls, 11);
        EQUAL(stats_of(loop).io_used, 0);
        EQUAL(stats_of(loop).timer_used, 0);
        CLOSE(loop);
    }
    CHECK(busy_count >= 4 * 8 * 2);
}

/* stop inside a callback: the turn is finished, then the run ends; a second run goes on. */
static void stop_io(struct pirn_loop *loop, struct pirn_io io, int fd, uint32_t ready, void *user)
{
    (void)io, (void)fd, (void)ready;
    struct seen *seen = user;
    seen->calls++;
    OK(pirn_stop(loop));
    OK(pirn_stop(loop));
}

static void stop_finishes_the_turn(void)
{
    struct pirn_loop *loop;
    struct seen stopping = { 0 }, other = { 0 };
    OPEN(loop, block, the_backend);
    OK(pirn_io_add(loop, pair[0], PIRN_WRITE, stop_io, &stopping, NULL));
    OK(pirn_io_add(loop, pair[1], PIRN_WRITE, see_io, &other, NULL));
    OK(pirn_task_post(loop, see_task, &other, NULL));
    OK(pirn_remote_post(loop, see_task, &other));
    GIVES(pirn_run(loop), PIRN_STOPPED);
    EQUAL(stopping.calls, 1);
    EQUAL(other.calls, 3);
    GIVES(pirn_run(loop), PIRN_STOPPED);
    EQUAL(stopping.calls, 2);
    EQUAL(other.calls, 4);
    /* Said outside, it ends the next run before its first turn, once. */
    OK(pirn_stop(loop));
    GIVES(pirn_run(loop), PIRN_STOPPED);
    EQUAL(stopping.calls, 2);
    GIVES(pirn_run(loop), PIRN_STOPPED);
    EQUAL(stopping.calls, 3);
    CLOSE(loop);
}

/* A second thread that runs the loop is refused. */
static int second_result, second_deinit;

static void *run_too(void *loop)
{
    second_result = pirn_turn(loop, 0);
    second_deinit = pirn_deinit(loop);
    return NULL;
}

static void start_second(struct pirn_loop *loop, void *user)
{
    pthread_t thread;
    (void)user;
    MUST(pthread_create(&thread, NULL, run_too, loop) == 0);
    MUST(pthread_join(thread, NULL) == 0);
}

static void a_second_thread_is_refused(void)
{
    struct pirn_loop *loop;
    OPEN(loop, block, the_backend);
    OK(pirn_task_post(loop, start_second, NULL, NULL));
    GIVES(pirn_run(loop), PIRN_DONE);
    EQUAL(second_result, -EBUSY);
    EQUAL(second_deinit, -EBUSY);
    CLOSE(loop);
}

/* T132: with nothing to do run returns, and a turn waits no longer than it may. */
static void an_empty_loop_is_done(void)
{
    struct pirn_loop *loop;
    OPEN(loop, block, the_backend);
    GIVES(pirn_run(loop), PIRN_DONE);
    GIVES(pirn_run_until(loop, PIRN_FOREVER), PIRN_DONE);
    GIVES(pirn_turn(loop, 0), 0);
    uint64_t begun = monotonic_ns();
    GIVES(pirn_turn(loop, 2 * MILLISECOND), 0);
    GIVES(pirn_turn(loop, 2 * MILLISECOND), 0);
    CHECK(monotonic_ns() - begun < SECOND);
    CLOSE(loop);
}

static void test(uint32_t backend)
{
    the_backend = backend;
    MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
    MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, spare) == 0);
    every_kind_of_callback_refuses_to_enter_again();
    stop_finishes_the_turn();
    a_second_thread_is_refused();
    an_empty_loop_is_done();
    close_all(pair, 2);
    close_all(spare, 2);
}

int main(int argc, char **argv)
{
    return run_on_backends(argc, argv, test);
}
