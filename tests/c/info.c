/* What is alive in a loop, as C sees it: structs, their sizes, and walks while the loop changes. */
#include "test.h"

DECLARE_BLOCK(block);

static struct pirn_info blank(void)
{
    struct pirn_info info;
    memset(&info, 0, sizeof info);
    info.size = sizeof info;
    return info;
}

static void a_watcher_is_told(struct pirn_loop *loop)
{
    struct pirn_info info = blank();
    struct pirn_io io;
    int fds[2], word;
    MUST(pipe(fds) == 0);
    OK(pirn_io_add(loop, fds[0], PIRN_READ | PIRN_ONESHOT | PIRN_LOW, see_io, &word, &io));
    OK(pirn_io_info(loop, io, &info));
    EQUAL(info.size, sizeof info);
    EQUAL(info.kind, PIRN_DUE_IO);
    EQUAL(pirn_io_to_u64(info.handle.io), pirn_io_to_u64(io));
    EQUAL(info.fd, fds[0]);
    EQUAL(info.options, PIRN_READ | PIRN_ONESHOT | PIRN_LOW);
    CHECK(info.callback.io == see_io && info.user == &word);
    EQUAL(info.deadline_ns | info.period_ns | info.slack_ns, 0);
    /* What was told is what adds it again. */
    OK(pirn_io_remove(loop, io));
    OK(pirn_io_add(loop, info.fd, info.options, info.callback.io, info.user, &io));
    OK(pirn_io_modify(loop, io, 0));
    OK(pirn_io_unref(loop, io));
    OK(pirn_io_info(loop, io, &info));
    EQUAL(info.options, PIRN_ONESHOT | PIRN_LOW | PIRN_UNREF);
    OK(pirn_io_remove(loop, io));
    OK(pirn_raise_add(loop, 63, PIRN_HIGH, see_io, NULL, &io));
    OK(pirn_io_info(loop, io, &info));
    EQUAL(info.kind, PIRN_DUE_RAISED);
    EQUAL(info.fd, 63);
    EQUAL(info.options, PIRN_READ | PIRN_HIGH);
    OK(pirn_io_remove(loop, io));
    close_all(fds, 2);
}

static void a_timer_is_told(struct pirn_loop *loop)
{
    static const uint32_t policies[] = { 0, PIRN_TIMER_FIXED_DELAY, PIRN_TIMER_SKIP };
    struct pirn_info info = blank();
    struct pirn_timer timer;
    for (size_t of = 0; of < sizeof policies / sizeof *policies; of++) {
        uint32_t options = policies[of] | PIRN_UNREF | PIRN_TIMER_ABSOLUTE;
        OK(pirn_timer_start(loop, 1000, SECOND, options, see_timer, &info, &timer));
        OK(pirn_timer_slack(loop, timer, 200));
        OK(pirn_timer_info(loop, timer, &info));
        EQUAL(info.kind, PIRN_DUE_TIMER);
        EQUAL(pirn_timer_to_u64(info.handle.timer), pirn_timer_to_u64(timer));
        EQUAL(info.fd, -1);
        EQUAL(info.options, policies[of] | PIRN_UNREF);
        EQUAL(info.deadline_ns, 1024);
        EQUAL(info.period_ns, SECOND);
        EQUAL(info.slack_ns, 128);
        CHECK(info.callback.timer == see_timer && info.user == &info);
        OK(pirn_timer_ref(loop, timer));
        OK(pirn_timer_info(loop, timer, &info));
        EQUAL(info.options, policies[of]);
        OK(pirn_timer_stop(loop, timer));
    }
}

static void a_task_is_told(struct pirn_loop *loop)
{
    struct pirn_info info = blank();
    struct pirn_task task;
    OK(pirn_task_post(loop, see_task, &info, &task));
    OK(pirn_task_info(loop, task, &info));
    EQUAL(info.kind, PIRN_DUE_TASK);
    EQUAL(pirn_task_to_u64(info.handle.task), pirn_task_to_u64(task));
    CHECK(info.callback.task == see_task && info.user == &info);
    EQUAL(info.fd, -1);
    OK(pirn_task_cancel(loop, task));
    /* Its place is free once the queue has reached it. */
    GIVES(pirn_turn(loop, 0), 0);
}

/* No more than the size says is written, and a size that was not set is refused. */
static void no_more_is_written_than_there_is_room(struct pirn_loop *loop)
{
    union {
        struct pirn_info info;
        unsigned char bytes[sizeof(struct pirn_info) + 8];
    } room;
    struct pirn_timer timer;
    int32_t none = -1;
    OK(pirn_timer_start(loop, SECOND, 0, 0, see_timer, NULL, &timer));
    for (uint32_t size = 0; size <= sizeof room; size++) {
        memset(&room, 0xee, sizeof room);
        room.info.size = size;
        room.info.kind = 0;
        if (size < offsetof(struct pirn_info, fd)) {
            GIVES(pirn_timer_info(loop, timer, &room.info), -EINVAL);
            GIVES(pirn_info_next(loop, &room.info), -EINVAL);
            EQUAL(room.info.kind, 0);
            continue;
        }
        uint32_t written = size < sizeof room.info ? size : (uint32_t)sizeof room.info;
        for (int way = 0; way < 2; way++) {
            if (way == 0)
                OK(pirn_timer_info(loop, timer, &room.info));
            else
                GIVES(pirn_info_next(loop, &room.info), 1);
            EQUAL(room.info.size, size);
            EQUAL(room.info.kind, PIRN_DUE_TIMER);
            EQUAL(room.info.handle.timer.slot, timer.slot);
            for (size_t at = written; at < sizeof room; at++)
                CHECK(room.bytes[at] == 0xee);
            if (written >= 20)
                CHECK(memcmp(&room.info.fd, &none, sizeof none) == 0);
            room.info.kind = 0;
        }
    }
    GIVES(pirn_info_next(loop, NULL), -EINVAL);
    /* NULL asks whether the handle is live. */
    OK(pirn_timer_info(loop, timer, NULL));
    OK(pirn_timer_stop(loop, timer));
    GIVES(pirn_timer_info(loop, timer, NULL), -ENOENT);
    for (uint32_t kind = PIRN_DUE_TASK + 1; kind != 0; kind <<= 1) {
        struct pirn_info info = blank();
        info.kind = kind;
        GIVES(pirn_info_next(loop, &info), -EINVAL);
    }
}

static void remove_it(struct pirn_loop *loop, const struct pirn_info *info)
{
    switch (info->kind) {
    case PIRN_DUE_TIMER: OK(pirn_timer_stop(loop, info->handle.timer)); break;
    case PIRN_DUE_IO:
    case PIRN_DUE_RAISED: OK(pirn_io_remove(loop, info->handle.io)); break;
    case PIRN_DUE_TASK: OK(pirn_task_cancel(loop, info->handle.task)); break;
    default: FAIL("unknown kind");
    }
}

/* Removes everything, the caller's own watcher too. */
static void clear_from_inside(struct pirn_loop *loop, void *user)
{
    struct pirn_info info = blank();
    int *seen = user;
    while (pirn_info_next(loop, &info) == 1) {
        ++*seen;
        remove_it(loop, &info);
        OK(pirn_verify(loop));
    }
}

static void a_walk_may_remove_what_it_comes_by(struct pirn_loop *loop)
{
    int seen = 0;
    struct pirn_info info = blank();
    for (uint32_t at = 0; at < TIMERS; at++)
        OK(pirn_timer_start(loop, SECOND, 0, 0, see_timer, NULL, NULL));
    for (uint32_t at = 0; at < IO; at++)
        OK(pirn_raise_add(loop, at, 0, see_io, NULL, NULL));
    OK(pirn_task_post(loop, clear_from_inside, &seen, NULL));
    for (uint32_t at = 1; at < TASKS; at++)
        OK(pirn_task_post(loop, see_task, NULL, NULL));
    GIVES(pirn_turn(loop, 0), 1);
    /* All but the task that ran. */
    EQUAL(seen, IO + TIMERS + TASKS - 1);
    GIVES(pirn_info_next(loop, &info), 0);
    EQUAL(info.kind, 0);
}

static void callbacks_are_replaced(struct pirn_loop *loop)
{
    struct pirn_io io;
    struct pirn_timer timer;
    struct seen old = { 0 }, fresh = { 0 };
    OK(pirn_raise_add(loop, 1, 0, see_io, &old, &io));
    OK(pirn_timer_start(loop, 0, 0, PIRN_TIMER_CACHED, see_timer, &old, &timer));
    OK(pirn_raise(loop, 1));
    GIVES(pirn_io_set_callback(loop, io, NULL, &fresh), -EINVAL);
    GIVES(pirn_timer_set_callback(loop, timer, NULL, &fresh), -EINVAL);
    OK(pirn_io_set_callback(loop, io, see_io, &fresh));
    OK(pirn_timer_set_callback(loop, timer, see_timer, &fresh));
    GIVES(pirn_turn(loop, 0), 2);
    EQUAL(old.calls, 0);
    EQUAL(fresh.calls, 2);
    OK(pirn_io_remove(loop, io));
}

static void the_statistics_tell_what_keeps_a_run_going(struct pirn_loop *loop)
{
    struct pirn_io io;
    struct pirn_stats stats;
    OK(pirn_raise_add(loop, 1, 0, see_io, NULL, &io));
    OK(pirn_raise_add(loop, 2, PIRN_UNREF, see_io, NULL, NULL));
    OK(pirn_timer_start(loop, SECOND, 0, 0, see_timer, NULL, NULL));
    OK(pirn_timer_start(loop, SECOND, 0, PIRN_UNREF, see_timer, NULL, NULL));
    OK(pirn_hold(loop));
    OK(pirn_remote_post(loop, see_task, NULL));
    stats = stats_of(loop);
    EQUAL(stats.io_used, 2);
    EQUAL(stats.io_referenced, 1);
    EQUAL(stats.timer_used, 2);
    EQUAL(stats.timer_referenced, 1);
    EQUAL(stats.holds, 1);
    EQUAL(stats.remote_used, 1);
    GIVES(pirn_turn(loop, 0), 1);
    OK(pirn_release(loop));
    OK(pirn_io_unref(loop, io));
    stats = stats_of(loop);
    EQUAL(stats.io_referenced + stats.holds + stats.remote_used, 0);
    EQUAL(stats.timer_referenced, 1);
}

/* A callback that is NULL, where that is allowed, is NULL again. */
static void null_callbacks_are_told_as_null(uint32_t backend)
{
    struct pirn_config config = { .size = sizeof config, .backend = backend, .flags = PIRN_TAKE };
    struct pirn_loop *loop;
    struct pirn_info info = blank();
    struct pirn_timer timer;
    config.host = backend == PIRN_BACKEND_HOST ? new_host() : NULL;
    MUST(pirn_init(&loop, block, sizeof block, &config) == 0);
    OK(pirn_timer_start(loop, SECOND, 0, 0, see_timer, NULL, &timer));
    OK(pirn_timer_set_callback(loop, timer, NULL, &info));
    OK(pirn_timer_info(loop, timer, &info));
    CHECK(info.callback.timer == NULL && info.user == &info);
    OK(pirn_deinit(loop));
}

static void test(uint32_t backend)
{
    struct pirn_loop *loop;
    OPEN(loop, block, backend);
    a_watcher_is_told(loop);
    a_timer_is_told(loop);
    a_task_is_told(loop);
    no_more_is_written_than_there_is_room(loop);
    a_walk_may_remove_what_it_comes_by(loop);
    callbacks_are_replaced(loop);
    the_statistics_tell_what_keeps_a_run_going(loop);
    CLOSE(loop);
    null_callbacks_are_told_as_null(backend);
}

int main(int argc, char **argv)
{
    return run_on_backends(argc, argv, test);
}
