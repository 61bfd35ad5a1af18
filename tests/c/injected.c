/*
 * An error in every system call at every place where the library makes it: a supervisor thread,
 * asked by seccomp for each call, refuses the n-th. Whatever fails is reported to the caller or to
 * the watcher concerned; nothing is lost, nothing spins, and when the kernel is well again
 * everything is served. T99, T101, T102, T103.
 */
#include "test.h"
#include "supervised.h"

DECLARE_BLOCK(block);
static uint32_t the_backend;

enum { WATCHERS = 4 };

static struct watched {
    struct pirn_io io;
    struct seen seen;
    int fds[2], is_added;
} watched[WATCHERS];

static void add(struct pirn_loop *loop, struct watched *one, uint32_t interest)
{
    if (!one->is_added)
        one->is_added = pirn_io_add(loop, one->fds[0], interest, see_io, &one->seen, &one->io) == 0;
}

static void modify(struct pirn_loop *loop, struct watched *one, uint32_t interest)
{
    if (one->is_added)
        OK(pirn_io_modify(loop, one->io, interest));
}

/* A little of everything. What fails may fail; that all is sound is looked at after each step. */
static void script(struct pirn_loop *loop)
{
    struct watched *ghost = &watched[WATCHERS - 1];
    for (int at = 0; at < WATCHERS; at++)
        add(loop, &watched[at], at == 1 ? 0 : PIRN_READ);
    (void)pirn_turn(loop, 0);
    modify(loop, &watched[0], PIRN_READ | PIRN_URGENT);
    modify(loop, &watched[1], PIRN_READ);
    (void)pirn_turn(loop, 0);
    OK(pirn_verify(loop));
    modify(loop, &watched[0], 0);
    (void)pirn_fd(loop);
    (void)pirn_turn(loop, 0);
    OK(pirn_timer_start(loop, MILLISECOND / 2, 0, 0, see_timer, NULL, NULL));
    OK(pirn_remote_post(loop, see_task, NULL));
    (void)pirn_turn(loop, MILLISECOND);
    (void)pirn_turn(loop, 3 * MILLISECOND);
    modify(loop, &watched[0], PIRN_READ);
    OK(pirn_verify(loop));
    /* A ghost, that a rebuild gets rid of. */
    int was_armed = atomic_exchange(&armed, 0), duplicate = dup(ghost->fds[0]);
    close(ghost->fds[0]);
    EQUAL(write(ghost->fds[1], "x", 1), 1);
    atomic_store(&armed, was_armed);
    if (ghost->is_added)
        OK(pirn_io_remove(loop, ghost->io));
    ghost->is_added = 0;
    for (int turn = 0; turn < 3; turn++)
        (void)pirn_turn(loop, 0);
    OK(pirn_verify(loop));
    atomic_store(&armed, 0);
    /* Its number may be the loop's by now. */
    ghost->fds[0] = duplicate;
}

/* The kernel is well again: each fd is served, and then the loop sleeps. */
static void all_is_well(struct pirn_loop *loop)
{
    for (int turn = 0; turn < 4; turn++)
        CHECK(pirn_turn(loop, 0) >= 0);
    for (int at = 0; at < WATCHERS; at++) {
        struct watched *one = &watched[at];
        char bytes[8];
        add(loop, one, PIRN_READ);
        CHECK(one->is_added);
        /* Who was told of the error tries again. */
        if (one->seen.all_ready & PIRN_INVALID)
            OK(pirn_io_modify(loop, one->io, PIRN_READ));
        EQUAL(write(one->fds[1], "x", 1), 1);
        one->seen.ready = 0;
        for (int turn = 0; turn < 4 && one->seen.ready == 0; turn++)
            CHECK(pirn_turn(loop, 5 * MILLISECOND) >= 0);
        EQUAL(one->seen.ready, PIRN_READ);
        CHECK(read(one->fds[0], bytes, sizeof bytes) > 0);
    }
    int turns = 0;
    for (uint64_t begun = monotonic_ns(); monotonic_ns() - begun < 5 * MILLISECOND; turns++)
        (void)pirn_turn(loop, 6 * MILLISECOND);
    CHECK(turns <= 4);
    OK(pirn_verify(loop));
}

/* A case of refuse_each. */
static int injected(const void *unused)
{
    struct pirn_loop *loop = NULL;
    (void)unused;
    failure_count = 0;
    alarm(20);
    memset(watched, 0, sizeof watched);
    for (int at = 0; at < WATCHERS; at++)
        MUST(pipe2(watched[at].fds, O_NONBLOCK | O_CLOEXEC) == 0);
    if (!begin_supervision())
        return NO_SUPERVISION;
    int before = open_fd_count();
    atomic_store(&armed, 1);
    int result = open_loop(&loop, block, sizeof block, the_backend, 0, 0, 0);
    if (result != 0) {
        atomic_store(&armed, 0);
        CHECK(result < 0 && loop == NULL);
        EQUAL(open_fd_count(), before);
        OK(open_loop(&loop, block, sizeof block, the_backend, 0, 0, 0));
    } else {
        script(loop);
    }
    all_is_well(loop);
    OK(pirn_deinit(loop));
    EQUAL(open_fd_count(), before);
    if (failure_count != 0)
        return IT_FAILED;
    return atomic_load(&counted) < plan_nth ? NO_SUCH_CALL : IT_HELD;
}

static void test(uint32_t backend)
{
    static const int numbers[] = { SYS_epoll_create1, SYS_epoll_ctl, SYS_epoll_pwait,
                                   SYS_epoll_pwait2, SYS_ppoll, SYS_pselect6, SYS_eventfd2,
                                   SYS_timerfd_create, SET_ALARM, SYS_fcntl };
    static const int errors[] = { EINTR, ENOMEM, EMFILE, EPERM, ENOSYS };
    the_backend = backend;
    /* A host makes none of these calls but by the test's own hands. */
    if (CHECK(numbers[0] != numbers[1]) && backend == PIRN_BACKEND_HOST)
        return;
    for (size_t at = 0; at < sizeof numbers / sizeof *numbers; at++)
        for (size_t of = 0; of < sizeof errors / sizeof *errors; of++)
            refuse_each(numbers[at], errors[of], injected, NULL);
}

int main(int argc, char **argv)
{
    return run_on_backends(argc, argv, test);
}
