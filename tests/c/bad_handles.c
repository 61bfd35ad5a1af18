/*
 * Every function given a NULL, or a handle that is stale, foreign, zero or made up. T35, T57, T109,
 * T113.
 */
#include "test.h"

DECLARE_BLOCK(block);
DECLARE_BLOCK(other_block);
static uint32_t the_backend;

static struct pirn_io const ZERO_IO;
static struct pirn_timer const ZERO_TIMER;
static struct pirn_task const ZERO_TASK;

/* Outputs hold this before a call that must not write them. */
#define MARK UINT32_C(0xdeadbeef)
static struct pirn_io marked_io = { MARK, MARK };
static struct pirn_timer marked_timer = { MARK, MARK };
static struct pirn_task marked_task = { MARK, MARK };

static void outputs_are_unwritten(void)
{
    EQUAL(marked_io.slot, MARK);
    EQUAL(marked_io.generation, MARK);
    EQUAL(marked_timer.slot, MARK);
    EQUAL(marked_timer.generation, MARK);
    EQUAL(marked_task.slot, MARK);
    EQUAL(marked_task.generation, MARK);
}

/* Every function that takes a loop, given one that is none. `error` is -EINVAL. */
static void every_function_refuses(struct pirn_loop *loop)
{
    struct pirn_stats stats = { .size = sizeof stats, .turns = MARK };
    struct pirn_info info = { .size = sizeof info };
    uint64_t number = MARK;
    pirn_task_fn callback = see_task;
    void *user = &number;

    GIVES(pirn_deinit(loop), -EINVAL);
    GIVES(pirn_after_fork(loop), -EINVAL);
    GIVES(pirn_abandon(loop), -EINVAL);
    GIVES(pirn_io_set_callback(loop, ZERO_IO, see_io, NULL), -EINVAL);
    GIVES(pirn_timer_set_callback(loop, ZERO_TIMER, see_timer, NULL), -EINVAL);
    GIVES(pirn_io_info(loop, ZERO_IO, &info), -EINVAL);
    GIVES(pirn_timer_info(loop, ZERO_TIMER, &info), -EINVAL);
    GIVES(pirn_task_info(loop, ZERO_TASK, &info), -EINVAL);
    GIVES(pirn_info_next(loop, &info), -EINVAL);
    EQUAL(info.kind, 0);
    GIVES(pirn_io_add(loop, 0, PIRN_READ, see_io, NULL, &marked_io), -EINVAL);
    GIVES(pirn_io_modify(loop, ZERO_IO, PIRN_READ), -EINVAL);
    GIVES(pirn_io_remove(loop, ZERO_IO), -EINVAL);
    GIVES(pirn_io_ref(loop, ZERO_IO), -EINVAL);
    GIVES(pirn_io_unref(loop, ZERO_IO), -EINVAL);
    GIVES(pirn_io_feed(loop, ZERO_IO, PIRN_READ), -EINVAL);
    GIVES(pirn_fd_closing(loop, 0), -EINVAL);
    GIVES(pirn_raise_add(loop, 0, 0, see_io, NULL, &marked_io), -EINVAL);
    GIVES(pirn_hook_add(loop, PIRN_HOOK_LAST, 0, see_io, NULL, &marked_io), -EINVAL);
    GIVES(pirn_timer_start(loop, 0, 0, 0, see_timer, NULL, &marked_timer), -EINVAL);
    GIVES(pirn_timer_set(loop, &marked_timer, 0, 0, 0, see_timer, NULL), -EINVAL);
    GIVES(pirn_timer_again(loop, ZERO_TIMER, 0), -EINVAL);
    GIVES(pirn_timer_stop(loop, ZERO_TIMER), -EINVAL);
    GIVES(pirn_timer_remaining(loop, ZERO_TIMER, &number), -EINVAL);
    GIVES(pirn_timer_slack(loop, ZERO_TIMER, 0), -EINVAL);
    GIVES(pirn_timer_ref(loop, ZERO_TIMER), -EINVAL);
    GIVES(pirn_timer_unref(loop, ZERO_TIMER), -EINVAL);
    GIVES(pirn_task_post(loop, see_task, NULL, &marked_task), -EINVAL);
    GIVES(pirn_task_cancel(loop, ZERO_TASK), -EINVAL);
    GIVES(pirn_task_reclaim(loop, &callback, &user), -EINVAL);
    GIVES(pirn_remote_post(loop, see_task, NULL), -EINVAL);
    GIVES(pirn_raise(loop, 0), -EINVAL);
    GIVES(pirn_wake(loop), -EINVAL);
    GIVES(pirn_stop(loop), -EINVAL);
    GIVES(pirn_run(loop), -EINVAL);
    GIVES(pirn_run_until(loop, 0), -EINVAL);
    GIVES(pirn_turn(loop, PIRN_FOREVER), -EINVAL);
    GIVES(pirn_prepare(loop, PIRN_FOREVER, &number), -EINVAL);
    GIVES(pirn_wait(loop, PIRN_FOREVER), -EINVAL);
    GIVES(pirn_dispatch(loop), -EINVAL);
    GIVES(pirn_limit(loop, 1, 1), -EINVAL);
    GIVES(pirn_hold(loop), -EINVAL);
    GIVES(pirn_release(loop), -EINVAL);
    GIVES(pirn_fd(loop), -EINVAL);
    GIVES(pirn_deadline(loop), PIRN_FOREVER);
    GIVES(pirn_now(loop), 0);
    CHECK(pirn_now_address(loop) == NULL);
    GIVES(pirn_update(loop), 0);
    GIVES(pirn_backend(loop), -EINVAL);
    GIVES(pirn_capabilities(loop), 0);
    GIVES(pirn_stats(loop, &stats), -EINVAL);
    GIVES(pirn_verify(loop), -EINVAL);

    outputs_are_unwritten();
    EQUAL(number, MARK);
    EQUAL(stats.turns, MARK);
    CHECK(callback == see_task);
    CHECK(user == &number);
}

static void a_loop_that_is_none_is_refused(void)
{
    static uint64_t memory[sizeof block / 8];
    every_function_refuses(NULL);
    every_function_refuses((struct pirn_loop *)(void *)memory);
    memset(memory, 0xff, sizeof memory);
    every_function_refuses((struct pirn_loop *)(void *)memory);
    /* Declared, never made into a loop. */
    every_function_refuses((struct pirn_loop *)(void *)other_block);
    /* Ended. */
    struct pirn_loop *loop;
    OPEN(loop, block, the_backend);
    OK(pirn_deinit(loop));
    every_function_refuses(loop);
    /* Live, but named a little off. */
    OPEN(loop, block, the_backend);
    every_function_refuses((struct pirn_loop *)(void *)((char *)loop + 1));
    every_function_refuses((struct pirn_loop *)(void *)((char *)loop + 8));
    CLOSE(loop);
}

static void null_callbacks_and_outputs_are_refused(void)
{
    struct pirn_loop *loop;
    struct pirn_timer timer;
    struct pirn_stats stats = { .size = 0 };
    uint64_t number = MARK;
    pirn_task_fn callback = see_task;
    void *user = &number;
    OPEN(loop, block, the_backend);
    OK(pirn_timer_start(loop, SECOND, 0, 0, see_timer, NULL, &timer));
    GIVES(pirn_io_add(loop, 0, PIRN_READ, NULL, NULL, &marked_io), -EINVAL);
    GIVES(pirn_raise_add(loop, 0, 0, NULL, NULL, &marked_io), -EINVAL);
    GIVES(pirn_hook_add(loop, PIRN_HOOK_LAST, 0, NULL, NULL, &marked_io), -EINVAL);
    GIVES(pirn_timer_start(loop, 0, 0, 0, NULL, NULL, &marked_timer), -EINVAL);
    GIVES(pirn_timer_set(loop, &marked_timer, 0, 0, 0, NULL, NULL), -EINVAL);
    GIVES(pirn_timer_set(loop, NULL, 0, 0, 0, see_timer, NULL), -EINVAL);
    GIVES(pirn_task_post(loop, NULL, NULL, &marked_task), -EINVAL);
    GIVES(pirn_remote_post(loop, NULL, NULL), -EINVAL);
    GIVES(pirn_timer_remaining(loop, timer, NULL), -EINVAL);
    GIVES(pirn_prepare(loop, PIRN_FOREVER, NULL), -EINVAL);
    GIVES(pirn_stats(loop, NULL), -EINVAL);
    for (uint32_t size = 0; size < 8; size++) {
        stats.size = size;
        stats.backend = MARK;
        GIVES(pirn_stats(loop, &stats), -EINVAL);
        EQUAL(stats.backend, MARK);
    }
    GIVES(pirn_task_reclaim(loop, NULL, &user), -EINVAL);
    GIVES(pirn_task_reclaim(loop, &callback, NULL), -EINVAL);
    GIVES(pirn_task_reclaim(loop, NULL, NULL), -EINVAL);
    /* A refused reclaim has not closed the queues. */
    OK(pirn_wake(loop));
    outputs_are_unwritten();
    CHECK(user == &number && callback == see_task);
    /* Where an output may be NULL it may be NULL. */
    OK(pirn_io_add(loop, 0, 0, see_io, NULL, NULL));
    OK(pirn_raise_add(loop, 5, 0, see_io, NULL, NULL));
    OK(pirn_timer_start(loop, SECOND, 0, 0, see_timer, NULL, NULL));
    OK(pirn_task_post(loop, see_task, NULL, NULL));
    EQUAL(stats_of(loop).io_used, 2);
    EQUAL(stats_of(loop).timer_used, 2);
    EQUAL(stats_of(loop).task_used, 1);
    CLOSE(loop);
}

static void stats_write_no_more_than_asked(void)
{
    struct {
        struct pirn_stats stats;
        uint32_t beyond;
    } given;
    struct pirn_loop *loop;
    OPEN(loop, block, the_backend);
    settle(loop, 3);
    for (uint32_t size = 8; size <= sizeof given; size++) {
        unsigned char *bytes = (unsigned char *)&given;
        memset(&given, 0xa5, sizeof given);
        given.stats.size = size;
        OK(pirn_stats(loop, &given.stats));
        EQUAL(given.stats.size, size);
        EQUAL(given.stats.backend, the_backend);
        for (size_t at = size < sizeof given.stats ?
             size : sizeof given.stats; at < sizeof given; at++)
            EQUAL(bytes[at], 0xa5);
    }
    CLOSE(loop);
}

/*
 * What the functions return for an I/O, a timer and a task handle that are not live: -ENOENT, and
 * nothing has changed.
 */
static void io_is_unknown(struct pirn_loop *loop, struct pirn_io io)
{
    GIVES(pirn_io_modify(loop, io, PIRN_READ), -ENOENT);
    GIVES(pirn_io_remove(loop, io), -ENOENT);
    GIVES(pirn_io_ref(loop, io), -ENOENT);
    GIVES(pirn_io_unref(loop, io), -ENOENT);
    GIVES(pirn_io_feed(loop, io, PIRN_READ), -ENOENT);
    GIVES(pirn_io_set_callback(loop, io, see_io, NULL), -ENOENT);
    GIVES(pirn_io_info(loop, io, NULL), -ENOENT);
}

static void timer_is_unknown(struct pirn_loop *loop, struct pirn_timer timer)
{
    uint64_t number = MARK;
    GIVES(pirn_timer_again(loop, timer, 0), -ENOENT);
    GIVES(pirn_timer_stop(loop, timer), -ENOENT);
    GIVES(pirn_timer_remaining(loop, timer, &number), -ENOENT);
    GIVES(pirn_timer_slack(loop, timer, 1), -ENOENT);
    GIVES(pirn_timer_ref(loop, timer), -ENOENT);
    GIVES(pirn_timer_unref(loop, timer), -ENOENT);
    GIVES(pirn_timer_set_callback(loop, timer, see_timer, NULL), -ENOENT);
    GIVES(pirn_timer_info(loop, timer, NULL), -ENOENT);
    EQUAL(number, MARK);
}

static void task_is_unknown(struct pirn_loop *loop, struct pirn_task task)
{
    GIVES(pirn_task_cancel(loop, task), -ENOENT);
    GIVES(pirn_task_info(loop, task, NULL), -ENOENT);
}

static void zero_handles_are_unknown(void)
{
    struct pirn_loop *loop;
    OPEN(loop, block, the_backend);
    for (int round = 0; round < 2; round++) {
        io_is_unknown(loop, ZERO_IO);
        timer_is_unknown(loop, ZERO_TIMER);
        task_is_unknown(loop, ZERO_TASK);
        /* And again when slot 0 is in use. */
        OK(pirn_io_add(loop, 0, 0, see_io, NULL, NULL));
        OK(pirn_timer_start(loop, SECOND, 0, 0, see_timer, NULL, NULL));
        OK(pirn_task_post(loop, see_task, NULL, NULL));
    }
    CLOSE(loop);
}

/*
 * T57, T35: removed twice, fired, cancelled; and if the slot has a new owner, that one is left
 * alone.
 */
static void stale_handles_are_unknown(void)
{
    struct pirn_loop *loop;
    struct pirn_io old_io, io;
    struct pirn_timer old_timer, timer;
    struct pirn_task old_task, task;
    struct seen seen = { 0 };
    uint64_t remaining = 0;
    OPEN(loop, block, the_backend);
    for (int round = 0; round < 100; round++) {
        seen.calls = 0;
        OK(pirn_io_add(loop, 0, 0, see_io, NULL, &old_io));
        OK(pirn_io_remove(loop, old_io));
        io_is_unknown(loop, old_io);
        OK(pirn_timer_start(loop, 0, 0, 0, see_timer, &seen, &old_timer));
        OK(pirn_task_post(loop, see_task, &seen, &old_task));
        GIVES(pirn_turn(loop, 0), 2);
        timer_is_unknown(loop, old_timer);
        task_is_unknown(loop, old_task);
        OK(pirn_timer_start(loop, 0, 0, 0, see_timer, &seen, &old_timer));
        OK(pirn_timer_stop(loop, old_timer));
        timer_is_unknown(loop, old_timer);
        OK(pirn_task_post(loop, see_task, &seen, &old_task));
        OK(pirn_task_cancel(loop, old_task));
        task_is_unknown(loop, old_task);
        /* The slots change hands. */
        OK(pirn_io_add(loop, 0, 0, see_io, NULL, &io));
        OK(pirn_timer_start(loop, SECOND, 0, 0, see_timer, &seen, &timer));
        OK(pirn_task_post(loop, see_task, &seen, &task));
        CHECK(io.slot != old_io.slot || io.generation != old_io.generation);
        CHECK(timer.slot != old_timer.slot || timer.generation != old_timer.generation);
        io_is_unknown(loop, old_io);
        timer_is_unknown(loop, old_timer);
        task_is_unknown(loop, old_task);
        OK(pirn_timer_remaining(loop, timer, &remaining));
        CHECK(remaining > SECOND / 2 && remaining <= SECOND);
        GIVES(pirn_turn(loop, 0), 1);
        EQUAL(seen.calls, 3);
        OK(pirn_io_remove(loop, io));
        OK(pirn_timer_stop(loop, timer));
    }
    EQUAL(stats_of(loop).io_used, 0);
    EQUAL(stats_of(loop).timer_used, 0);
    CLOSE(loop);
}

/* A handle of an earlier life of the block is stale in the next. */
static void handles_do_not_outlive_the_loop(void)
{
    struct pirn_loop *loop;
    struct pirn_io io = ZERO_IO;
    struct pirn_timer timer = ZERO_TIMER;
    struct pirn_task task = ZERO_TASK;
    for (int life = 0; life < 10; life++) {
        struct pirn_io old_io = io;
        struct pirn_timer old_timer = timer;
        struct pirn_task old_task = task;
        OPEN(loop, block, the_backend);
        OK(pirn_io_add(loop, 0, 0, see_io, NULL, &io));
        OK(pirn_timer_start(loop, SECOND, 0, 0, see_timer, NULL, &timer));
        OK(pirn_task_post(loop, see_task, NULL, &task));
        io_is_unknown(loop, old_io);
        timer_is_unknown(loop, old_timer);
        task_is_unknown(loop, old_task);
        CLOSE(loop);
    }
}

/* The first timer of a loop in a block that knows of no earlier life. */
static struct pirn_timer first_timer(uint32_t seed)
{
    struct pirn_config config = { .size = sizeof config, .io = IO, .timers = TIMERS,
                                  .tasks = TASKS };
    struct pirn_loop *loop;
    struct pirn_timer timer = ZERO_TIMER;
    config.backend = the_backend;
    config.seed = seed;
    config.host = the_backend == PIRN_BACKEND_HOST ? new_host() : NULL;
    memset(block, 0, sizeof block);
    MUST(pirn_init(&loop, block, sizeof block, &config) == 0);
    OK(pirn_timer_start(loop, SECOND, 0, 0, see_timer, NULL, &timer));
    CLOSE(loop);
    return timer;
}

/*
 * With a seed the handles of a run are those of the run before. Without, they differ though the
 * block is the same.
 */
static void a_seed_repeats_the_handles(void)
{
    struct pirn_timer seeded = first_timer(7), other = first_timer(8), unseeded = first_timer(0);
    EQUAL(first_timer(7).generation, seeded.generation);
    CHECK(other.generation != seeded.generation);
    CHECK(first_timer(0).generation != unseeded.generation);
}

/* A handle of another loop is refused. */
static void foreign_handles_are_refused(void)
{
    struct pirn_loop *loop, *other;
    struct pirn_io io, foreign_io;
    struct pirn_timer timer, foreign_timer;
    struct pirn_task task, foreign_task;
    /* Both blocks alike: in their first life. */
    memset(block, 0, sizeof block);
    memset(other_block, 0, sizeof other_block);
    MUST(open_loop(&loop, block, sizeof block, the_backend, IO, TIMERS, TASKS) == 0);
    MUST(open_loop(&other, other_block, sizeof other_block, the_backend, IO, TIMERS, TASKS) == 0);
    for (int at = 0; at < 4; at++) {
        OK(pirn_io_add(loop, 0, 0, see_io, NULL, &io));
        OK(pirn_timer_start(loop, SECOND, 0, 0, see_timer, NULL, &timer));
        OK(pirn_task_post(loop, see_task, NULL, &task));
        OK(pirn_io_add(other, 0, 0, see_io, NULL, &foreign_io));
        OK(pirn_timer_start(other, SECOND, 0, 0, see_timer, NULL, &foreign_timer));
        OK(pirn_task_post(other, see_task, NULL, &foreign_task));
        io_is_unknown(loop, foreign_io);
        timer_is_unknown(loop, foreign_timer);
        task_is_unknown(loop, foreign_task);
        io_is_unknown(other, io);
        timer_is_unknown(other, timer);
        task_is_unknown(other, task);
    }
    CLOSE(other);
    CLOSE(loop);
}

/*
 * T113: a million handles made up, half of them near the live ones. None names a live one by chance
 * of less than 2^-32.
 */
static void made_up_handles_are_unknown(void)
{
    enum { LIVE = 6 };
    struct pirn_loop *loop;
    struct pirn_io io[LIVE];
    struct pirn_timer timer[LIVE];
    struct pirn_task task[LIVE];
    struct seen seen = { 0 };
    OPEN(loop, block, the_backend);
    for (int at = 0; at < LIVE; at++) {
        OK(pirn_io_add(loop, 0, 0, see_io, &seen, &io[at]));
        /* None is due before the end, however slow the machine. */
        OK(pirn_timer_start(loop, 3600 * SECOND, 0, 0, see_timer, &seen, &timer[at]));
        OK(pirn_task_post(loop, see_task, &seen, &task[at]));
    }
    long accepted = 0, harmless = 0;
    errno = UNTOUCHED;
    for (long round = 0; round < 1000000; round++) {
        uint64_t word = random_word();
        uint32_t slot = (uint32_t)word, generation = (uint32_t)(word >> 32);
        if (round & 1) {
            slot %= IO + 2;
            generation = generation % 16 + io[0].generation - 8;
        }
        struct pirn_io made_io = { slot, generation };
        struct pirn_timer made_timer = { slot, generation };
        struct pirn_task made_task = { slot, generation };
        int is_live = 0;
        for (int at = 0; at < LIVE; at++)
            is_live |= (slot == io[at].slot && generation == io[at].generation) ||
                       (slot == timer[at].slot && generation == timer[at].generation) ||
                       (slot == task[at].slot && generation == task[at].generation);
        if (is_live)
            continue;
        harmless++;
        accepted += pirn_io_modify(loop, made_io, PIRN_READ) != -ENOENT;
        accepted += pirn_io_remove(loop, made_io) != -ENOENT;
        accepted += pirn_io_unref(loop, made_io) != -ENOENT;
        accepted += pirn_io_feed(loop, made_io, PIRN_READ) != -ENOENT;
        accepted += pirn_io_set_callback(loop, made_io, see_io, NULL) != -ENOENT;
        accepted += pirn_io_info(loop, made_io, NULL) != -ENOENT;
        accepted += pirn_timer_again(loop, made_timer, 0) != -ENOENT;
        accepted += pirn_timer_stop(loop, made_timer) != -ENOENT;
        accepted += pirn_timer_slack(loop, made_timer, 7) != -ENOENT;
        accepted += pirn_timer_unref(loop, made_timer) != -ENOENT;
        accepted += pirn_timer_info(loop, made_timer, NULL) != -ENOENT;
        accepted += pirn_task_cancel(loop, made_task) != -ENOENT;
        accepted += pirn_task_info(loop, made_task, NULL) != -ENOENT;
    }
    EQUAL(errno, UNTOUCHED);
    EQUAL(accepted, 0);
    CHECK(harmless > 900000);
    OK(pirn_verify(loop));
    EQUAL(stats_of(loop).io_used, LIVE);
    EQUAL(stats_of(loop).timer_used, LIVE);
    /* The live ones are as they were: the tasks run, the timers can be stopped. */
    GIVES(pirn_turn(loop, 0), LIVE);
    EQUAL(seen.calls, LIVE);
    for (int at = 0; at < LIVE; at++) {
        OK(pirn_io_remove(loop, io[at]));
        OK(pirn_timer_stop(loop, timer[at]));
    }
    CLOSE(loop);
}

static void functions_without_a_loop_answer_anything(void)
{
    for (long number = -5000; number < 5000; number++) {
        const char *text = pirn_strerror((int)number);
        CHECK(text != NULL && text[0] != '\0');
        CHECK(text == pirn_strerror((int)-number));
    }
    static const int no_errors[] = { -2147483647 - 1, 2147483647, 4096, -4096, 100000 };
    for (size_t at = 0; at < sizeof no_errors / sizeof *no_errors; at++)
        CHECK(strcmp(pirn_strerror(no_errors[at]), "not an error number") == 0);
    CHECK(strcmp(pirn_strerror(-ENOENT), pirn_strerror(-EBUSY)) != 0);
    for (int backend = 0; backend < 5; backend++)
        EQUAL(strcmp(pirn_backend_name(backend), BACKEND_NAMES[backend]), 0);
    EQUAL(strcmp(pirn_backend_name(-1), "unknown"), 0);
    EQUAL(strcmp(pirn_backend_name(5), "unknown"), 0);
    EQUAL(strcmp(pirn_backend_name(2147483647), "unknown"), 0);
    EQUAL(pirn_version(), PIRN_VERSION);
}

static void test(uint32_t backend)
{
    the_backend = backend;
    a_loop_that_is_none_is_refused();
    null_callbacks_and_outputs_are_refused();
    stats_write_no_more_than_asked();
    zero_handles_are_unknown();
    stale_handles_are_unknown();
    handles_do_not_outlive_the_loop();
    a_seed_repeats_the_handles();
    foreign_handles_are_refused();
    made_up_handles_are_unknown();
    functions_without_a_loop_answer_anything();
}

int main(int argc, char **argv)
{
    return run_on_backends(argc, argv, test);
}
