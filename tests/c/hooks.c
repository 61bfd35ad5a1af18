/*
 * Hooks from C: where in a turn they are called, that they enter nothing again, and that one which
 * leaves by longjmp, or forks, does no harm. The order on every backend by steps and through the fd
 * is that of tests/conformance/hooks.rs too, which says more of it.
 */
#include "test.h"

#include <setjmp.h>

DECLARE_BLOCK(block);
static char trace[256];

static void note(const char *name)
{
    MUST(strlen(trace) + strlen(name) + 2 < sizeof trace);
    strcat(trace, name);
    strcat(trace, " ");
}

static void note_io(struct pirn_loop *loop, struct pirn_io io, int fd, uint32_t ready, void *user)
{
    (void)fd;
    OK(pirn_io_info(loop, io, NULL));
    EQUAL(ready, PIRN_READ);
    note(user);
}

static void note_timer(struct pirn_loop *loop, struct pirn_timer timer, uint64_t missed, void *user)
{
    (void)loop, (void)timer, (void)missed;
    note(user);
}

static void note_task(struct pirn_loop *loop, void *user)
{
    (void)loop;
    note(user);
}

/* What was called, and no more. */
static void traced(const char *expected)
{
    if (!CHECK(strcmp(trace, expected) == 0))
        printf("called: %s\nexpected: %s\n", trace, expected);
    trace[0] = '\0';
}

static struct pirn_io add_hook(struct pirn_loop *loop, uint32_t when, char *name)
{
    struct pirn_io io = { 0, 0 };
    OK(pirn_hook_add(loop, when, 0, note_io, name, &io));
    return io;
}

/* A watcher, a timer, a raised bit, a task and a post, each ready once. */
static void bring_everything(struct pirn_loop *loop, int fd)
{
    OK(pirn_remote_post(loop, note_task, "post"));
    OK(pirn_task_post(loop, note_task, "task", NULL));
    OK(pirn_io_add(loop, fd, PIRN_READ | PIRN_ONESHOT, note_io, "io", NULL));
    OK(pirn_raise_add(loop, 7, 0, note_io, "raised", NULL));
    OK(pirn_raise(loop, 7));
    OK(pirn_timer_start(loop, 1, 0, PIRN_TIMER_ABSOLUTE, note_timer, "timer", NULL));
}

static const char EVERYTHING[] = "first timer raised io task post last ";

static void the_order_is_that_of_the_turn(uint32_t backend)
{
    struct pirn_loop *loop;
    uint64_t timeout = 1;
    int fds[2];
    MUST(pipe(fds) == 0 && write(fds[1], "x", 1) == 1);
    for (int way = 0; way < 3; way++) {
        OPEN(loop, block, backend);
        add_hook(loop, PIRN_HOOK_LAST, "last");
        add_hook(loop, PIRN_HOOK_IDLE, "idle");
        add_hook(loop, PIRN_HOOK_FIRST, "first");
        bring_everything(loop, fds[0]);
        int fd = way == 2 ? pirn_fd(loop) : -1;
        if (way == 0) {
            GIVES(pirn_turn(loop, PIRN_FOREVER), 5);
            traced(EVERYTHING);
            GIVES(pirn_turn(loop, PIRN_FOREVER), 0);
        } else if (way == 1) {
            for (int turn = 0; turn < 2; turn++) {
                traced(turn == 0 ? "" : EVERYTHING);
                OK(pirn_prepare(loop, PIRN_FOREVER, &timeout));
                EQUAL(timeout, 0);
                CHECK(pirn_wait(loop, timeout) >= 0);
                traced("");
                GIVES(pirn_dispatch(loop), turn == 0 ? 5 : 0);
            }
        } else if (fd >= 0) {
            struct pollfd poll_fd = { fd, POLLIN, 0 };
            EQUAL(poll(&poll_fd, 1, 1000), 1);
            GIVES(pirn_turn(loop, 0), 5);
            traced(EVERYTHING);
            EQUAL(poll(&poll_fd, 1, 0), 1);
            GIVES(pirn_turn(loop, 0), 0);
        } else {
            CLOSE(loop);
            continue;
        }
        traced("first idle last ");
        CLOSE(loop);
    }
    close_all(fds, 2);
}

/* A run goes on for a hook, and for an idle one it does not sleep. */
static int idle_count;

static void idle_until_enough(struct pirn_loop *loop, struct pirn_io io, int fd, uint32_t ready,
                              void *user)
{
    (void)user;
    EQUAL(fd, PIRN_HOOK_IDLE);
    EQUAL(ready, PIRN_READ);
    if (++idle_count == 100)
        OK(pirn_io_remove(loop, io));
}

static void a_run_is_kept_going_by_a_hook(uint32_t backend)
{
    struct pirn_loop *loop;
    struct pirn_io last;
    OPEN(loop, block, backend);
    idle_count = 0;
    OK(pirn_hook_add(loop, PIRN_HOOK_IDLE, 0, idle_until_enough, NULL, NULL));
    GIVES(pirn_run(loop), PIRN_DONE);
    EQUAL(idle_count, 100);
    OK(pirn_hook_add(loop, PIRN_HOOK_LAST, PIRN_UNREF, note_io, "last", &last));
    GIVES(pirn_run(loop), PIRN_DONE);
    OK(pirn_io_ref(loop, last));
    GIVES(pirn_run_until(loop, 1), PIRN_EXPIRED);
    OK(pirn_io_unref(loop, last));
    traced("");
    OK(pirn_task_post(loop, note_task, "task", NULL));
    GIVES(pirn_run(loop), PIRN_DONE);
    traced("task last ");
    CLOSE(loop);
}

static void a_hook_tells_what_it_is(uint32_t backend)
{
    static uint32_t kinds[] = { PIRN_HOOK_FIRST, PIRN_HOOK_LAST, PIRN_HOOK_IDLE };
    static const uint32_t others[] = { PIRN_HIGH, PIRN_LOW, PIRN_READ, PIRN_EDGE, PIRN_ONESHOT,
                                       0x80000000 };
    struct pirn_loop *loop;
    struct pirn_io io = { 0, 0 };
    int seen = 0;
    OPEN(loop, block, backend);
    GIVES(pirn_hook_add(NULL, PIRN_HOOK_LAST, 0, note_io, NULL, &io), -EINVAL);
    GIVES(pirn_hook_add(loop, 0, 0, note_io, NULL, &io), -EINVAL);
    GIVES(pirn_hook_add(loop, PIRN_HOOK_IDLE + 1, 0, note_io, NULL, &io), -EINVAL);
    GIVES(pirn_hook_add(loop, PIRN_HOOK_LAST, 0, NULL, NULL, &io), -EINVAL);
    for (size_t at = 0; at < sizeof others / sizeof *others; at++)
        GIVES(pirn_hook_add(loop, PIRN_HOOK_LAST, others[at], note_io, NULL, &io), -EINVAL);
    EQUAL(pirn_io_to_u64(io), 0);
    EQUAL(stats_of(loop).io_used, 0);
    for (uint32_t at = 0; at < IO; at++)
        OK(pirn_hook_add(loop, kinds[at % 3], PIRN_UNREF, note_io, &kinds[at % 3], &io));
    struct pirn_io none = { 0, 0 };
    GIVES(pirn_hook_add(loop, PIRN_HOOK_LAST, 0, note_io, NULL, &none), -ENOSPC);
    EQUAL(pirn_io_to_u64(none), 0);
    struct pirn_info info = { .size = sizeof info };
    while (pirn_info_next(loop, &info) == 1) {
        seen++;
        EQUAL(info.kind, PIRN_DUE_HOOK);
        EQUAL(info.fd, *(const uint32_t *)info.user);
        EQUAL(info.options, PIRN_READ | PIRN_UNREF);
        CHECK(info.callback.io == note_io);
        GIVES(pirn_io_modify(loop, info.handle.io, 0), -EINVAL);
        GIVES(pirn_io_feed(loop, info.handle.io, PIRN_READ), -EINVAL);
        OK(pirn_io_remove(loop, info.handle.io));
        OK(pirn_verify(loop));
        GIVES(pirn_io_remove(loop, info.handle.io), -ENOENT);
    }
    EQUAL(seen, IO);
    CLOSE(loop);

    /* Nothing would call it. */
    struct pirn_config config = { .size = sizeof config, .backend = backend, .flags = PIRN_TAKE };
    config.host = backend == PIRN_BACKEND_HOST ? new_host() : NULL;
    MUST(pirn_init(&loop, block, sizeof block, &config) == 0);
    GIVES(pirn_hook_add(loop, PIRN_HOOK_LAST, 0, note_io, NULL, NULL), -EOPNOTSUPP);
    EQUAL(stats_of(loop).io_used, 0);
    CLOSE(loop);
}

/* ---- a hook that leaves by longjmp ---- */

static jmp_buf outside;

static void leave(struct pirn_loop *loop, struct pirn_io io, int fd, uint32_t ready, void *user)
{
    (void)fd, (void)ready, (void)user;
    OK(pirn_io_remove(loop, io));
    note("left");
    longjmp(outside, 1);
}

static void a_hook_can_leave(uint32_t backend)
{
    static const struct {
        uint32_t when;
        const char *before, *after;
    } cases[] = {
        /* The turn has not begun: what the wait has found is still to be called. */
        { PIRN_HOOK_FIRST, "left ", "timer raised io task post " },
        { PIRN_HOOK_LAST, "timer raised io task post left ", "" },
    };
    int fds[2];
    MUST(pipe(fds) == 0 && write(fds[1], "x", 1) == 1);
    for (size_t at = 0; at < sizeof cases / sizeof *cases; at++)
        for (int shares = 0; shares < 2; shares++) {
            struct pirn_loop *loop;
            OPEN(loop, block, backend);
            /* With two watchers of an fd the wait tells them what it has found. */
            if (shares)
                OK(pirn_io_add(loop, fds[0], 0, note_io, "paused", NULL));
            bring_everything(loop, fds[0]);
            OK(pirn_hook_add(loop, cases[at].when, 0, leave, NULL, NULL));
            if (setjmp(outside) == 0) {
                (void)pirn_turn(loop, 0);
                FAIL("the hook leaves");
            }
            GIVES(pirn_turn(loop, 0), -EBUSY);
            GIVES(pirn_deinit(loop), -EBUSY);
            OK(pirn_abandon(loop));
            OK(pirn_verify(loop));
            traced(cases[at].before);
            CHECK(pirn_turn(loop, 0) >= 0);
            traced(cases[at].after);
            CLOSE(loop);
        }
    close_all(fds, 2);
}

/* ---- a hook that forks ---- */

static pid_t forked;

static void forks(struct pirn_loop *loop, struct pirn_io io, int fd, uint32_t ready, void *user)
{
    (void)fd, (void)ready, (void)user;
    OK(pirn_io_remove(loop, io));
    fflush(stdout);
    forked = fork();
    MUST(forked >= 0);
    if (forked == 0) {
        context = "child";
        failure_count = 0;
        GIVES(pirn_after_fork(loop), -EBUSY);
        GIVES(pirn_deinit(loop), -EBUSY);
        GIVES(pirn_turn(loop, 0), -EBUSY);
    }
}

static void a_hook_may_fork(uint32_t backend)
{
    static const uint32_t kinds[] = { PIRN_HOOK_FIRST, PIRN_HOOK_LAST, PIRN_HOOK_IDLE };
    for (size_t at = 0; at < 3; at++) {
        struct pirn_loop *loop;
        int status = 0;
        OPEN(loop, block, backend);
        OK(pirn_hook_add(loop, kinds[at], 0, forks, NULL, NULL));
        add_hook(loop, PIRN_HOOK_FIRST, "first");
        add_hook(loop, PIRN_HOOK_IDLE, "idle");
        add_hook(loop, PIRN_HOOK_LAST, "last");
        GIVES(pirn_turn(loop, 0), 0);
        traced("first idle last ");
        if (forked == 0 && backend != PIRN_BACKEND_HOST) {
            GIVES(pirn_turn(loop, 0), -ECHILD);
            /* Hooks are added and removed in a copy too. */
            struct pirn_io io = add_hook(loop, PIRN_HOOK_LAST, "end");
            OK(pirn_after_fork(loop));
            GIVES(pirn_turn(loop, 0), 0);
            traced("first idle last end ");
            OK(pirn_io_remove(loop, io));
        }
        GIVES(pirn_turn(loop, 0), 0);
        traced("first idle last ");
        CLOSE(loop);
        if (forked == 0)
            _exit(failure_count != 0);
        MUST(waitpid(forked, &status, 0) == forked);
        EQUAL(status, 0);
    }
}

static void test(uint32_t backend)
{
    the_order_is_that_of_the_turn(backend);
    a_run_is_kept_going_by_a_hook(backend);
    a_hook_tells_what_it_is(backend);
    a_hook_can_leave(backend);
    a_hook_may_fork(backend);
}

int main(int argc, char **argv)
{
    return run_on_backends(argc, argv, test);
}
