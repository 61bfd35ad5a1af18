/*
 * Full is an answer: N fit, N + 1 do not, and one given back can be had again. T56, T61, T63, T104.
 */
#include "test.h"

#define MOST 33

static uint64_t block[65536];
static uint32_t the_backend;
static struct pirn_io ios[MOST];
static struct pirn_timer timers[MOST];
static struct pirn_task tasks[MOST];
static struct seen io_seen[MOST], timer_seen[MOST], task_seen[MOST], remote_seen[MOST], extra_seen;

static struct pirn_io const io_mark = { 77, 88 };
static struct pirn_timer const timer_mark = { 77, 88 };
static struct pirn_task const task_mark = { 77, 88 };

#define IS_MARKED(handle) CHECK((handle).slot == 77 && (handle).generation == 88)

static void fill(struct pirn_loop *loop, const int *fds, uint32_t count)
{
    struct pirn_io io = io_mark;
    struct pirn_timer timer = timer_mark;
    struct pirn_task task = task_mark;
    for (uint32_t at = 0; at < count; at++) {
        OK(pirn_io_add(loop, fds[at % 2], PIRN_WRITE, see_io, &io_seen[at], &ios[at]));
        OK(pirn_timer_start(loop, 0, 0, 0, see_timer, &timer_seen[at], &timers[at]));
        OK(pirn_task_post(loop, see_task, &task_seen[at], &tasks[at]));
    }
    for (uint32_t at = 0; at < (count + 1) / 2; at++)
        OK(pirn_remote_post(loop, see_task, &remote_seen[at]));
    /* N + 1: refused, nothing written, nothing lost, again and again. */
    for (int again = 0; again < 3; again++) {
        GIVES(pirn_io_add(loop, fds[0], PIRN_WRITE, see_io, &extra_seen, &io), -ENOSPC);
        GIVES(pirn_io_add(loop, fds[0], 0, see_io, &extra_seen, &io), -ENOSPC);
        GIVES(pirn_raise_add(loop, 9, 0, see_io, &extra_seen, &io), -ENOSPC);
        GIVES(pirn_timer_start(loop, 0, 0, 0, see_timer, &extra_seen, &timer), -ENOSPC);
        GIVES(pirn_task_post(loop, see_task, &extra_seen, &task), -EAGAIN);
        GIVES(pirn_remote_post(loop, see_task, &extra_seen), -EAGAIN);
        OK(pirn_verify(loop));
    }
    IS_MARKED(io);
    IS_MARKED(timer);
    IS_MARKED(task);
    struct pirn_stats stats = stats_of(loop);
    EQUAL(stats.io_used, count);
    EQUAL(stats.io_peak, count);
    EQUAL(stats.timer_used, count);
    EQUAL(stats.timer_peak, count);
    EQUAL(stats.task_used, count);
    EQUAL(stats.task_peak, count);
}

/* Everything that was accepted ran, once, and nothing else. */
static void all_were_called(uint32_t count, long times)
{
    for (uint32_t at = 0; at < count; at++) {
        EQUAL(io_seen[at].calls, times);
        EQUAL(timer_seen[at].calls, times);
        EQUAL(task_seen[at].calls, times);
        EQUAL(remote_seen[at].calls, at < (count + 1) / 2 ? times : 0);
    }
    EQUAL(extra_seen.calls, 0);
}

static void every_capacity_is_exact(uint32_t count, const int *fds)
{
    struct pirn_loop *loop;
    size_t size = pirn_storage_size(count, count, count);
    memset(io_seen, 0, sizeof io_seen);
    memset(timer_seen, 0, sizeof timer_seen);
    memset(task_seen, 0, sizeof task_seen);
    memset(remote_seen, 0, sizeof remote_seen);
    MUST(size <= sizeof block);
    if (!EQUAL(open_loop(&loop, block, size, the_backend, count, count, count), 0))
        return;
    EQUAL(stats_of(loop).remote_capacity, (count + 1) / 2);
    for (long round = 1; round <= 5; round++) {
        fill(loop, fds, count);
        EQUAL(stats_of(loop).task_refused, 3 * round);
        EQUAL(stats_of(loop).remote_refused, 3 * round);
        GIVES(pirn_turn(loop, 0), count * 3 + (count + 1) / 2);
        all_were_called(count, round);
        for (uint32_t at = 0; at < count; at++) {
            OK(pirn_io_remove(loop, ios[at]));
            GIVES(pirn_timer_stop(loop, timers[at]), -ENOENT);
            GIVES(pirn_task_cancel(loop, tasks[at]), -ENOENT);
        }
        EQUAL(stats_of(loop).io_used, 0);
        EQUAL(stats_of(loop).timer_used, 0);
        EQUAL(stats_of(loop).task_used, 0);
        OK(pirn_verify(loop));
    }
    CLOSE(loop);
}

/*
 * One of each is given back, at the front, in the middle, at the end: just that one can be had
 * again.
 */
static void one_freed_is_one_to_be_had(const int *fds)
{
    enum { COUNT = 7 };
    struct pirn_loop *loop;
    MUST(open_loop(&loop, block, sizeof block, the_backend, COUNT, COUNT, COUNT) == 0);
    memset(task_seen, 0, sizeof task_seen);
    for (uint32_t at = 0; at < COUNT; at++) {
        OK(pirn_io_add(loop, fds[0], PIRN_WRITE, see_io, &io_seen[at], &ios[at]));
        OK(pirn_timer_start(loop, SECOND, 0, 0, see_timer, NULL, &timers[at]));
    }
    for (uint32_t at = 0; at < COUNT; at += 3) {
        OK(pirn_io_remove(loop, ios[at]));
        OK(pirn_io_add(loop, fds[0], PIRN_WRITE, see_io, &io_seen[at], &ios[at]));
        GIVES(pirn_io_add(loop, fds[0], PIRN_WRITE, see_io, &io_seen[at], NULL), -ENOSPC);
        OK(pirn_timer_stop(loop, timers[at]));
        OK(pirn_timer_start(loop, SECOND, 0, 0, see_timer, NULL, &timers[at]));
        GIVES(pirn_timer_start(loop, SECOND, 0, 0, see_timer, NULL, NULL), -ENOSPC);
    }
    /* A cancelled task's place is free in the next turn at the latest. */
    for (uint32_t at = 0; at < COUNT; at++)
        OK(pirn_task_post(loop, see_task, &task_seen[at], &tasks[at]));
    for (uint32_t at = 0; at < COUNT; at++)
        OK(pirn_task_cancel(loop, tasks[at]));
    OK(pirn_verify(loop));
    GIVES(pirn_turn(loop, 0), COUNT);
    for (uint32_t at = 0; at < COUNT; at++) {
        EQUAL(task_seen[at].calls, 0);
        OK(pirn_task_post(loop, see_task, &task_seen[at], &tasks[at]));
    }
    GIVES(pirn_task_post(loop, see_task, NULL, NULL), -EAGAIN);
    CLOSE(loop);
}

/* A callback finds the place of its own task, and the slot of its own one-shot timer, free. */
static void again_as_task(struct pirn_loop *loop, void *user);
static void again_as_timer(struct pirn_loop *loop, struct pirn_timer timer, uint64_t missed, void *user)
{
    long *left = user;
    (void)missed;
    GIVES(pirn_timer_stop(loop, timer), -ENOENT);
    if (--*left > 0)
        OK(pirn_timer_start(loop, 0, 0, 0, again_as_timer, user, NULL));
}

static void again_as_task(struct pirn_loop *loop, void *user)
{
    long *left = user;
    if (--*left > 0)
        OK(pirn_task_post(loop, again_as_task, user, NULL));
}

static void again_as_remote(struct pirn_loop *loop, void *user)
{
    long *left = user;
    if (--*left > 0)
        OK(pirn_remote_post(loop, again_as_remote, user));
}

static void a_callback_can_take_its_own_place(void)
{
    struct pirn_loop *loop;
    long timer_left = 1000, task_left = 1000, remote_left = 1000;
    MUST(open_loop(&loop, block, sizeof block, the_backend, 1, 1, 1) == 0);
    OK(pirn_timer_start(loop, 0, 0, 0, again_as_timer, &timer_left, NULL));
    OK(pirn_task_post(loop, again_as_task, &task_left, NULL));
    OK(pirn_remote_post(loop, again_as_remote, &remote_left));
    GIVES(pirn_run(loop), PIRN_DONE);
    EQUAL(timer_left, 0);
    EQUAL(task_left, 0);
    EQUAL(remote_left, 0);
    /* 8: bounded turns. Each ran once in a turn. */
    CHECK(stats_of(loop).turns >= 1000);
    CLOSE(loop);
}

/*
 * Reclaim: own tasks, then posts, each in order, cancelled ones left out; then the queues are
 * closed.
 */
static void what_was_accepted_is_handed_back(void)
{
    struct pirn_loop *loop;
    pirn_task_fn callback = NULL;
    void *user = NULL;
    MUST(open_loop(&loop, block, sizeof block, the_backend, 1, 1, 6) == 0);
    for (int at = 0; at < 6; at++)
        OK(pirn_task_post(loop, see_task, &task_seen[at], &tasks[at]));
    for (int at = 0; at < 3; at++)
        OK(pirn_remote_post(loop, see_task, &remote_seen[at]));
    OK(pirn_task_cancel(loop, tasks[0]));
    OK(pirn_task_cancel(loop, tasks[3]));
    for (int at = 0; at < 6; at++) {
        if (at == 0 || at == 3)
            continue;
        GIVES(pirn_task_reclaim(loop, &callback, &user), 1);
        CHECK(callback == see_task);
        CHECK(user == &task_seen[at]);
    }
    for (int at = 0; at < 3; at++) {
        GIVES(pirn_task_reclaim(loop, &callback, &user), 1);
        CHECK(callback == see_task);
        CHECK(user == &remote_seen[at]);
    }
    callback = NULL;
    user = &loop;
    GIVES(pirn_task_reclaim(loop, &callback, &user), 0);
    GIVES(pirn_task_reclaim(loop, &callback, &user), 0);
    CHECK(callback == NULL && user == &loop);
    GIVES(pirn_remote_post(loop, see_task, NULL), -ESHUTDOWN);
    GIVES(pirn_raise(loop, 0), -ESHUTDOWN);
    GIVES(pirn_wake(loop), -ESHUTDOWN);
    GIVES(pirn_stop(loop), -ESHUTDOWN);
    CLOSE(loop);
}

/* Hold counts, and says when it is not held. */
static void hold_and_release_count(void)
{
    struct pirn_loop *loop;
    MUST(open_loop(&loop, block, sizeof block, the_backend, 1, 1, 1) == 0);
    GIVES(pirn_release(loop), -EINVAL);
    OK(pirn_hold(loop));
    OK(pirn_hold(loop));
    GIVES(pirn_run_until(loop, pirn_update(loop) + MILLISECOND), PIRN_EXPIRED);
    OK(pirn_release(loop));
    GIVES(pirn_run_until(loop, pirn_update(loop) + MILLISECOND), PIRN_EXPIRED);
    OK(pirn_release(loop));
    GIVES(pirn_release(loop), -EINVAL);
    GIVES(pirn_run(loop), PIRN_DONE);
    CLOSE(loop);
}

static void test(uint32_t backend)
{
    static const uint32_t counts[] = { 1, 2, 3, 4, 7, 8, 9, 16, 31, 32, MOST };
    int pair[2];
    the_backend = backend;
    MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
    for (size_t at = 0; at < sizeof counts / sizeof *counts; at++)
        every_capacity_is_exact(counts[at], pair);
    one_freed_is_one_to_be_had(pair);
    a_callback_can_take_its_own_place();
    what_was_accepted_is_handed_back();
    hold_and_release_count();
    close_all(pair, 2);
}

int main(int argc, char **argv)
{
    return run_on_backends(argc, argv, test);
}
