/*
 * The fd of pirn_fd is readable exactly when a turn would call something: for every public
 * function, in every state that a loop can be in outside of a dispatch, and after every kind of
 * refusal. Rule 49 of docs/TURN.md.
 *
 * Each case is a state, then one call. Then the fd is polled, and a turn is made to learn the
 * truth. With the argument "--list" the program prints which functions it calls, for the test that
 * compares them with tests/artifact/symbols.txt.
 */
#include "test.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#ifndef SYS_epoll_wait
#define SYS_epoll_wait SYS_epoll_pwait
#endif

/*
 * A wait of so many milliseconds is refused by the kernel, and one that is up to five seconds
 * shorter, since time passes before a wait for a deadline begins. Every other works.
 */
#define REFUSED_MS 7777
#define LEAST_REFUSED_MS (REFUSED_MS - 5000)
#define HOUR (3600 * SECOND)

DECLARE_BLOCK(block);
static uint64_t other_block[sizeof block / sizeof *block];
static uint64_t larger_block[PIRN_STORAGE_SIZE(IO * 2, TIMERS * 2, TASKS * 2) / 8];

/* ---- what there is in the loop of a case ---- */

static struct pirn_loop *loop;
static int fd;
static int idle_pipe[2], ready_pipe[2], edge_fd;
static struct pirn_io idle, paused, ready, handler;
static struct pirn_timer far, fired, pushed;
static struct pirn_task cancelled;
static struct seen seen;

static void refuse_some_waits(void)
{
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
#ifdef SYS_epoll_pwait2
        /* The timeout of this one is in memory. The loop uses the other instead. */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_epoll_pwait2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
#endif
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_epoll_pwait, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_epoll_wait, 0, 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[3])),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, LEAST_REFUSED_MS, 0, 2),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, REFUSED_MS, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOMEM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { .len = sizeof rules / sizeof *rules, .filter = rules };
    MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    MUST(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

static int is_readable(void)
{
    struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
    return poll(&poll_fd, 1, 0) == 1;
}

static void open_world(void)
{
    static const char byte = 'x';
    memset(&seen, 0, sizeof seen);
    MUST(pipe2(idle_pipe, O_NONBLOCK | O_CLOEXEC) == 0 &&
         pipe2(ready_pipe, O_NONBLOCK | O_CLOEXEC) == 0);
    OPEN(loop, block, PIRN_BACKEND_EPOLL);
    fd = pirn_fd(loop);
    MUST(fd >= 0);
    OK(pirn_io_add(loop, idle_pipe[0], PIRN_READ, see_io, &seen, &idle));
    OK(pirn_io_add(loop, idle_pipe[1], 0, see_io, &seen, &paused));
    OK(pirn_timer_start(loop, HOUR, 0, 0, see_timer, &seen, &far));
    OK(pirn_timer_start(loop, 2 * HOUR, 0, 0, see_timer, &seen, &pushed));
    OK(pirn_timer_start(loop, 0, 0, 0, see_timer, &seen, &fired));
    OK(pirn_task_post(loop, see_task, &seen, &cancelled));
    OK(pirn_raise_add(loop, 1, 0, see_io, &seen, &handler));
    OK(pirn_raise(loop, 2));
    settle(loop, 4);
    /* A ready pipe whose watcher is paused: nothing to do until that changes. */
    MUST(write(ready_pipe[1], &byte, 1) == 1);
    OK(pirn_io_add(loop, ready_pipe[0], 0, see_io, &seen, &ready));
    settle(loop, 4);
    for (int turn = 0; turn < 4 && is_readable(); turn++)
        GIVES(pirn_turn(loop, 0), 0);
    CHECK(!is_readable());
}

static void close_world(void)
{
    (void)pirn_deinit(loop);
    close_all(idle_pipe, 2);
    close_all(ready_pipe, 2);
}

/* ---- the states ---- */

static void at_rest(void)
{
}

static void after_a_wait_that_found_nothing(void)
{
    GIVES(pirn_wait(loop, 0), 0);
}

static void after_a_wait_that_found_an_fd(void)
{
    char byte;
    OK(pirn_io_modify(loop, ready, PIRN_READ));
    GIVES(pirn_wait(loop, 0), 1);
    /* The turn is to call it all the same. */
    MUST(read(ready_pipe[0], &byte, 1) == 1);
}

static void after_a_wait_that_found_shared_fds(void)
{
    char byte;
    OK(pirn_io_add(loop, ready_pipe[0], PIRN_READ, see_io, &seen, NULL));
    OK(pirn_io_modify(loop, ready, PIRN_READ));
    GIVES(pirn_wait(loop, 0), 1);
    MUST(read(ready_pipe[0], &byte, 1) == 1);
}

static void after_a_wait_that_a_wake_ended(void)
{
    OK(pirn_wake(loop));
    (void)pirn_wait(loop, 0);
}

static void after_a_wait_by_priority_that_a_wake_ended(void)
{
    struct pirn_io high;
    OK(pirn_io_add(loop, idle_pipe[0], PIRN_READ | PIRN_HIGH, see_io, &seen, &high));
    OK(pirn_wake(loop));
    (void)pirn_wait(loop, 0);
}

static void after_a_refused_wait(void)
{
    GIVES(pirn_wait(loop, REFUSED_MS * MILLISECOND), -ENOMEM);
}

static void after_a_refused_turn(void)
{
    GIVES(pirn_turn(loop, REFUSED_MS * MILLISECOND), -ENOMEM);
}

static void after_a_refused_run(void)
{
    struct pirn_timer timer;
    OK(pirn_timer_start(loop, REFUSED_MS * MILLISECOND + MILLISECOND / 2, 0, 0, see_timer, &seen,
                        &timer));
    GIVES(pirn_run(loop), -ENOMEM);
    OK(pirn_timer_stop(loop, timer));
}

static void in_the_middle_of_a_turn(void)
{
    OK(pirn_limit(loop, 1, 0));
    OK(pirn_task_post(loop, see_task, &seen, NULL));
    OK(pirn_task_post(loop, see_task, &seen, NULL));
    GIVES(pirn_turn(loop, 0), 1);
    OK(pirn_limit(loop, 0, 0));
}

static void after_prepare(void)
{
    uint64_t timeout;
    OK(pirn_prepare(loop, PIRN_FOREVER, &timeout));
}

static void after_a_dispatch_without_a_wait(void)
{
    GIVES(pirn_dispatch(loop), 0);
}

static void with_a_bit_in_hand(void)
{
    OK(pirn_raise(loop, 3));
    GIVES(pirn_turn(loop, 0), 0);
}

static const struct state {
    const char *name;
    void (*reach)(void);
    /* Rule 51: it may show although there is nothing to do. */
    int may_show;
} STATES[] = {
    { "at rest", at_rest, 0 },
    { "after a wait that found nothing", after_a_wait_that_found_nothing, 0 },
    { "after a wait that found an fd", after_a_wait_that_found_an_fd, 1 },
    { "after a wait that found shared fds", after_a_wait_that_found_shared_fds, 1 },
    { "after a wait that a wake ended", after_a_wait_that_a_wake_ended, 0 },
    { "after a wait by priority that a wake ended", after_a_wait_by_priority_that_a_wake_ended, 0 },
    { "after a refused wait", after_a_refused_wait, 0 },
    { "after a refused turn", after_a_refused_turn, 0 },
    { "after a refused run", after_a_refused_run, 0 },
    { "in the middle of a turn", in_the_middle_of_a_turn, 1 },
    { "after prepare", after_prepare, 0 },
    { "after a dispatch without a wait", after_a_dispatch_without_a_wait, 0 },
    { "with a bit in hand", with_a_bit_in_hand, 1 },
};

/* ---- the calls ---- */

/* A hook that would keep the loop from coming to rest. */
static void see_once(struct pirn_loop *loop, struct pirn_io io, int number, uint32_t found,
                     void *user)
{
    see_io(loop, io, number, found, user);
    OK(pirn_io_remove(loop, io));
}

#define CALL(name, ...) static void name(void) { __VA_ARGS__ }

CALL(add_ready, OK(pirn_io_remove(loop, ready));
     OK(pirn_io_add(loop, ready_pipe[1], PIRN_WRITE, see_io, &seen, NULL));)
CALL(add_second, OK(pirn_io_add(loop, idle_pipe[1], PIRN_WRITE, see_io, &seen, NULL));)
CALL(add_idle, OK(pirn_io_add(loop, ready_pipe[1], 0, see_io, &seen, NULL));)
CALL(add_high, OK(pirn_io_add(loop, ready_pipe[1], PIRN_WRITE | PIRN_HIGH, see_io, &seen, NULL));)
CALL(add_closed, GIVES(pirn_io_add(loop, 999, PIRN_READ, see_io, &seen, NULL), -EBADF);)
CALL(add_wrong, GIVES(pirn_io_add(loop, idle_pipe[0], 0x40, see_io, &seen, NULL), -EINVAL);)
CALL(add_always, int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    OK(pirn_io_add(loop, null, PIRN_WRITE, see_io, &seen, NULL)); edge_fd = null;)
CALL(add_to_full, struct pirn_io none; int result;
    while ((result = pirn_io_add(loop, idle_pipe[0], 0, see_io, &seen, NULL)) == 0)
        ;
    EQUAL(result, -ENOSPC);
    GIVES(pirn_io_add(loop, ready_pipe[1], PIRN_WRITE, see_io, &seen, &none), -ENOSPC);)
/*
 * The number was closed while it was watched and is a regular file now, which epoll refuses: the
 * old watcher is to be told.
 */
CALL(add_refused_where_one_is_lost,
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    int fds[2];
    MUST(file >= 0 && pipe2(fds, O_NONBLOCK | O_CLOEXEC) == 0);
    OK(pirn_io_add(loop, fds[0], PIRN_READ | PIRN_EDGE, see_io, &seen, NULL));
    MUST(dup3(file, fds[0], O_CLOEXEC) == fds[0]);
    GIVES(pirn_io_add(loop, fds[0], PIRN_READ | PIRN_EDGE, see_io, &seen, NULL), -EPERM);
    close(fds[1]); close(file); edge_fd = fds[0];)
CALL(modify_ready, OK(pirn_io_modify(loop, ready, PIRN_READ));)
CALL(modify_writable, OK(pirn_io_modify(loop, paused, PIRN_WRITE));)
CALL(modify_and_back, OK(pirn_io_modify(loop, ready, PIRN_READ));
     OK(pirn_io_modify(loop, ready, 0));)
CALL(modify_closed, int fds[2]; struct pirn_io io; MUST(pipe2(fds, O_NONBLOCK | O_CLOEXEC) == 0);
    OK(pirn_io_add(loop, fds[0], PIRN_READ, see_io, &seen, &io)); close(fds[0]);
    OK(pirn_io_modify(loop, io, PIRN_READ | PIRN_URGENT));
    edge_fd = fds[1];)
CALL(modify_wrong, GIVES(pirn_io_modify(loop, idle, PIRN_HIGH), -EINVAL);
     GIVES(pirn_io_modify(loop, handler, 0), -EINVAL);
    GIVES(pirn_io_modify(loop, (struct pirn_io) { 0, 0 }, PIRN_READ), -ENOENT);)
CALL(remove_ready, OK(pirn_io_modify(loop, ready, PIRN_READ)); OK(pirn_io_remove(loop, ready));)
CALL(remove_stale, OK(pirn_io_remove(loop, idle)); GIVES(pirn_io_remove(loop, idle), -ENOENT);)
/* The one that stays is ready. */
CALL(remove_one_of_two, struct pirn_io first = ready;
    OK(pirn_io_add(loop, ready_pipe[0], PIRN_READ, see_io, &seen, NULL));
    OK(pirn_io_remove(loop, first));)
CALL(io_unref_it, OK(pirn_io_unref(loop, ready));)
CALL(io_ref_it, OK(pirn_io_ref(loop, ready));)
CALL(feed_it, OK(pirn_io_feed(loop, idle, PIRN_READ));)
CALL(feed_paused, OK(pirn_io_feed(loop, paused, PIRN_WRITE));)
CALL(feed_wrong, GIVES(pirn_io_feed(loop, idle, 0), -EINVAL);
     GIVES(pirn_io_feed(loop, handler, PIRN_READ), -EINVAL);)
CALL(closing, OK(pirn_io_modify(loop, ready, PIRN_READ));
     GIVES(pirn_fd_closing(loop, ready_pipe[0]) >= 1, 1);)
CALL(closing_wrong, GIVES(pirn_fd_closing(loop, -1), -EBADF); GIVES(pirn_fd_closing(loop, 999), 0);)
CALL(raise_add_raised, OK(pirn_raise_add(loop, 2, 0, see_io, &seen, NULL));)
CALL(raise_add_raised_at_once, OK(pirn_raise(loop, 4));
     OK(pirn_raise_add(loop, 4, PIRN_LOW, see_io, &seen, NULL));)
CALL(raise_add_in_hand, OK(pirn_raise_add(loop, 3, PIRN_HIGH, see_io, &seen, NULL));)
CALL(raise_add_quiet, OK(pirn_raise_add(loop, 9, 0, see_io, &seen, NULL));)
CALL(raise_add_twice, GIVES(pirn_raise_add(loop, 1, 0, see_io, &seen, NULL), -EEXIST);)
CALL(hook_quiet, OK(pirn_hook_add(loop, PIRN_HOOK_FIRST, 0, see_io, &seen, NULL));
    OK(pirn_hook_add(loop, PIRN_HOOK_LAST, 0, see_io, &seen, NULL));)
CALL(hook_idle, OK(pirn_hook_add(loop, PIRN_HOOK_IDLE, 0, see_once, &seen, NULL));
     CHECK(is_readable());)
CALL(hook_wrong, GIVES(pirn_hook_add(loop, 0, 0, see_io, &seen, NULL), -EINVAL);)
CALL(timer_due, OK(pirn_timer_start(loop, 0, 0, 0, see_timer, &seen, NULL));)
CALL(timer_past, OK(pirn_timer_start(loop, 1, 0, PIRN_TIMER_ABSOLUTE, see_timer, &seen, NULL));)
CALL(timer_periodic,
     OK(pirn_timer_start(loop, 0, HOUR, PIRN_TIMER_SKIP | PIRN_UNREF, see_timer, &seen, NULL));)
CALL(timer_far, OK(pirn_timer_start(loop, HOUR, 0, 0, see_timer, &seen, NULL));)
CALL(timer_cached, OK(pirn_timer_start(loop, 0, 0, PIRN_TIMER_CACHED, see_timer, &seen, NULL));)
CALL(timer_refused,
     for (int at = 0; at < TIMERS; at++) (void)pirn_timer_start(loop, HOUR, 0, 0, see_timer, &seen,
                                                                NULL);
    GIVES(pirn_timer_start(loop, 0, 0, 0, see_timer, &seen, NULL), -ENOSPC);)
CALL(timer_set_now, struct pirn_timer own = far;
     OK(pirn_timer_set(loop, &own, 0, 0, 0, see_timer, &seen));)
CALL(timer_set_later, struct pirn_timer own = far;
     OK(pirn_timer_set(loop, &own, 2 * HOUR, 0, 0, see_timer, &seen));)
CALL(timer_set_new, struct pirn_timer own = { 0, 0 };
     OK(pirn_timer_set(loop, &own, 0, HOUR, PIRN_TIMER_CACHED, see_timer, &seen));)
CALL(timer_set_fired, struct pirn_timer own = fired;
     OK(pirn_timer_set(loop, &own, HOUR, 0, 0, see_timer, &seen));)
CALL(timer_set_wrong, struct pirn_timer own = far;
     GIVES(pirn_timer_set(loop, &own, 0, 0, 0x40, see_timer, &seen), -EINVAL);)
CALL(timer_again_now, OK(pirn_timer_again(loop, far, 0));)
CALL(timer_again_later, OK(pirn_timer_again(loop, far, 2 * HOUR));)
CALL(timer_again_stale, GIVES(pirn_timer_again(loop, fired, 0), -ENOENT);)
CALL(timer_stop_it, OK(pirn_timer_stop(loop, far));)
CALL(timer_stop_due, OK(pirn_timer_again(loop, far, 0)); OK(pirn_timer_stop(loop, far));)
CALL(timer_remains, uint64_t remaining; OK(pirn_timer_remaining(loop, far, &remaining));)
CALL(timer_slack_it, OK(pirn_timer_slack(loop, far, SECOND));)
CALL(timer_slack_less, OK(pirn_timer_slack(loop, far, UINT64_C(1) << 62));
     OK(pirn_timer_again(loop, far, 0)); OK(pirn_timer_slack(loop, far, 0));)
CALL(timer_ref_it, OK(pirn_timer_ref(loop, far));)
CALL(timer_unref_it, OK(pirn_timer_unref(loop, far));)
CALL(task_post_it, OK(pirn_task_post(loop, see_task, &seen, NULL));)
CALL(task_post_to_full, while (pirn_task_post(loop, see_task, &seen, NULL) == 0) ;)
CALL(task_cancel_it, struct pirn_task task; OK(pirn_task_post(loop, see_task, &seen, &task));
     OK(pirn_task_cancel(loop, task));)
CALL(task_cancel_stale, GIVES(pirn_task_cancel(loop, cancelled), -ENOENT);)
CALL(task_reclaim_it, pirn_task_fn callback; void *user;
     while (pirn_task_reclaim(loop, &callback, &user) == 1) ;)
CALL(remote_post_it, OK(pirn_remote_post(loop, see_task, &seen));)
CALL(remote_post_to_full, while (pirn_remote_post(loop, see_task, &seen) == 0) ;)
CALL(raise_it, OK(pirn_raise(loop, 1));)
CALL(raise_without_handler, OK(pirn_raise(loop, 40));)
CALL(wake_it, OK(pirn_wake(loop));)
CALL(stop_it, OK(pirn_stop(loop));)
CALL(run_stopped, OK(pirn_stop(loop)); GIVES(pirn_run(loop), PIRN_STOPPED);)
CALL(run_until_past, GIVES(pirn_run_until(loop, 1), PIRN_EXPIRED);)
CALL(run_until_soon, GIVES(pirn_run_until(loop, pirn_update(loop) + MILLISECOND), PIRN_EXPIRED);)
CALL(turn_it, CHECK(pirn_turn(loop, 0) >= 0);)
CALL(prepare_it, uint64_t timeout; OK(pirn_prepare(loop, 5, &timeout));
     GIVES(pirn_prepare(loop, 5, NULL), -EINVAL);)
CALL(wait_it, CHECK(pirn_wait(loop, 0) >= 0);)
CALL(wait_on_due, OK(pirn_timer_start(loop, 0, 0, 0, see_timer, &seen, NULL));
     CHECK(pirn_wait(loop, 0) >= 0);)
CALL(wait_on_post, OK(pirn_remote_post(loop, see_task, &seen)); CHECK(pirn_wait(loop, 0) >= 0);)
CALL(dispatch_it, CHECK(pirn_dispatch(loop) >= 0);)
CALL(take_one, struct pirn_due due; CHECK(pirn_take(loop, &due, 1) >= 0);)
CALL(take_all, struct pirn_due due[64]; CHECK(pirn_take(loop, due, 64) >= 0);)
CALL(take_turns, struct pirn_due due[2];
     for (int at = 0; at < 3; at++) while (pirn_take(loop, due, 2) > 0) ;)
CALL(take_wrong, GIVES(pirn_take(loop, NULL, 1), -EINVAL);)
CALL(ended_it, CHECK(pirn_ended(loop) >= 0);)
CALL(limit_it, OK(pirn_limit(loop, 1, 0));)
CALL(limit_time, OK(pirn_limit(loop, 0, 1)); OK(pirn_task_post(loop, see_task, &seen, NULL));)
CALL(hold_it, OK(pirn_hold(loop));)
CALL(release_it, GIVES(pirn_release(loop), -EINVAL);)
CALL(abandon_nothing, OK(pirn_abandon(loop));)
CALL(fd_again, GIVES(pirn_fd(loop), fd);)
CALL(after_fork_here, OK(pirn_after_fork(loop)); fd = pirn_fd(loop); CHECK(fd >= 0);)
CALL(after_fork_with_task, OK(pirn_task_post(loop, see_task, &seen, NULL));
     OK(pirn_after_fork(loop)); fd = pirn_fd(loop); CHECK(fd >= 0);)
CALL(init_it, struct pirn_loop *other; GIVES(pirn_init(&other, block, sizeof block, NULL), -EBUSY);)
CALL(deinit_other, struct pirn_loop *other;
     MUST(open_loop(&other, other_block, sizeof other_block, PIRN_BACKEND_EPOLL, 1, 1, 1) == 0);
    OK(pirn_deinit(other));)

/* Refused in the middle of a turn. */
static int grow(void)
{
    return pirn_grow(loop, larger_block, sizeof larger_block, IO * 2, TIMERS * 2, TASKS * 2, NULL,
                     NULL);
}

CALL(grow_it, int rc = grow(); CHECK(rc == 0 || rc == -EBUSY);)
CALL(grow_and_post, (void)grow(); OK(pirn_task_post(loop, see_task, &seen, NULL));)
CALL(grow_wrong, GIVES(pirn_grow(loop, NULL, 0, 1, 1, 1, NULL, NULL), -EINVAL);)
CALL(update_it, CHECK(pirn_update(loop) > 0);)
CALL(now_it, CHECK(pirn_now(loop) > 0);)
CALL(now_address_it, CHECK(pirn_now_address(loop) != NULL);)
CALL(deadline_it, CHECK(pirn_deadline(loop) > 0);)
CALL(backend_it, GIVES(pirn_backend(loop), PIRN_BACKEND_EPOLL);)
CALL(backend_name_it, CHECK(pirn_backend_name(3) != NULL);)
CALL(capabilities_it, CHECK(pirn_capabilities(loop) & PIRN_CAN_FD);)
CALL(stats_it, (void)stats_of(loop);)
CALL(storage_size_it, CHECK(pirn_storage_size(1, 1, 1) > 0);)
CALL(strerror_it, CHECK(pirn_strerror(-1) != NULL);)
CALL(verify_it, OK(pirn_verify(loop));)
CALL(io_set_callback_it, OK(pirn_io_set_callback(loop, ready, see_io, &seen));)
CALL(timer_set_callback_it, OK(pirn_timer_set_callback(loop, far, see_timer, &seen));)
CALL(io_info_it, OK(pirn_io_info(loop, idle, NULL));)
CALL(timer_info_it, OK(pirn_timer_info(loop, far, NULL));)
CALL(task_info_it, GIVES(pirn_task_info(loop, cancelled, NULL), -ENOENT);)
CALL(info_next_it, struct pirn_info info = { .size = sizeof info };
    while (pirn_info_next(loop, &info) == 1) ;)
CALL(version_it, CHECK(pirn_version() == PIRN_VERSION);)

static const struct change {
    const char *function;
    void (*make)(void);
    /* Rule 51: it may show although there is nothing to do. */
    int may_show;
} CHANGES[] = {
    { "pirn_io_add", add_ready, 0 },
    { "pirn_io_add", add_second, 0 },
    { "pirn_io_add", add_idle, 0 },
    { "pirn_io_add", add_high, 0 },
    { "pirn_io_add", add_closed, 0 },
    { "pirn_io_add", add_wrong, 0 },
    { "pirn_io_add", add_always, 0 },
    { "pirn_io_add", add_to_full, 0 },
    { "pirn_io_add", add_refused_where_one_is_lost, 0 },
    { "pirn_io_modify", modify_ready, 0 },
    { "pirn_io_modify", modify_writable, 0 },
    { "pirn_io_modify", modify_and_back, 0 },
    { "pirn_io_modify", modify_closed, 0 },
    { "pirn_io_modify", modify_wrong, 0 },
    { "pirn_io_remove", remove_ready, 0 },
    { "pirn_io_remove", remove_stale, 0 },
    { "pirn_io_remove", remove_one_of_two, 0 },
    { "pirn_io_ref", io_ref_it, 0 },
    { "pirn_io_unref", io_unref_it, 0 },
    { "pirn_io_feed", feed_it, 0 },
    { "pirn_io_feed", feed_paused, 1 },
    { "pirn_io_feed", feed_wrong, 0 },
    { "pirn_fd_closing", closing, 0 },
    { "pirn_fd_closing", closing_wrong, 0 },
    { "pirn_raise_add", raise_add_raised, 0 },
    { "pirn_raise_add", raise_add_raised_at_once, 0 },
    { "pirn_raise_add", raise_add_in_hand, 0 },
    { "pirn_raise_add", raise_add_quiet, 0 },
    { "pirn_raise_add", raise_add_twice, 0 },
    { "pirn_hook_add", hook_quiet, 0 },
    { "pirn_hook_add", hook_idle, 1 },
    { "pirn_hook_add", hook_wrong, 0 },
    { "pirn_timer_start", timer_due, 0 },
    { "pirn_timer_start", timer_past, 0 },
    { "pirn_timer_start", timer_periodic, 0 },
    { "pirn_timer_start", timer_far, 0 },
    { "pirn_timer_start", timer_cached, 0 },
    { "pirn_timer_start", timer_refused, 0 },
    { "pirn_timer_set", timer_set_now, 0 },
    { "pirn_timer_set", timer_set_later, 0 },
    { "pirn_timer_set", timer_set_new, 0 },
    { "pirn_timer_set", timer_set_fired, 0 },
    { "pirn_timer_set", timer_set_wrong, 0 },
    { "pirn_timer_again", timer_again_now, 0 },
    { "pirn_timer_again", timer_again_later, 0 },
    { "pirn_timer_again", timer_again_stale, 0 },
    { "pirn_timer_stop", timer_stop_it, 0 },
    { "pirn_timer_stop", timer_stop_due, 1 },
    { "pirn_timer_remaining", timer_remains, 0 },
    { "pirn_timer_slack", timer_slack_it, 0 },
    { "pirn_timer_slack", timer_slack_less, 0 },
    { "pirn_timer_ref", timer_ref_it, 0 },
    { "pirn_timer_unref", timer_unref_it, 0 },
    { "pirn_task_post", task_post_it, 0 },
    { "pirn_task_post", task_post_to_full, 0 },
    { "pirn_task_cancel", task_cancel_it, 1 },
    { "pirn_task_cancel", task_cancel_stale, 0 },
    { "pirn_task_reclaim", task_reclaim_it, 0 },
    { "pirn_remote_post", remote_post_it, 0 },
    { "pirn_remote_post", remote_post_to_full, 0 },
    { "pirn_raise", raise_it, 0 },
    { "pirn_raise", raise_without_handler, 1 },
    { "pirn_wake", wake_it, 1 },
    { "pirn_stop", stop_it, 1 },
    { "pirn_run", run_stopped, 1 },
    { "pirn_run_until", run_until_past, 0 },
    { "pirn_run_until", run_until_soon, 0 },
    { "pirn_turn", turn_it, 0 },
    { "pirn_prepare", prepare_it, 0 },
    { "pirn_wait", wait_it, 0 },
    { "pirn_wait", wait_on_due, 0 },
    { "pirn_wait", wait_on_post, 0 },
    { "pirn_dispatch", dispatch_it, 0 },
    { "pirn_take", take_one, 0 },
    { "pirn_take", take_all, 0 },
    { "pirn_take", take_turns, 0 },
    { "pirn_take", take_wrong, 0 },
    { "pirn_ended", ended_it, 0 },
    { "pirn_limit", limit_it, 0 },
    { "pirn_limit", limit_time, 0 },
    { "pirn_hold", hold_it, 0 },
    { "pirn_release", release_it, 0 },
    { "pirn_abandon", abandon_nothing, 0 },
    { "pirn_fd", fd_again, 0 },
    { "pirn_after_fork", after_fork_here, 0 },
    { "pirn_after_fork", after_fork_with_task, 0 },
    { "pirn_init", init_it, 0 },
    { "pirn_deinit", deinit_other, 0 },
    { "pirn_grow", grow_it, 0 },
    { "pirn_grow", grow_and_post, 0 },
    { "pirn_grow", grow_wrong, 0 },
    { "pirn_update", update_it, 0 },
    { "pirn_now", now_it, 0 },
    { "pirn_now_address", now_address_it, 0 },
    { "pirn_deadline", deadline_it, 0 },
    { "pirn_backend", backend_it, 0 },
    { "pirn_backend_name", backend_name_it, 0 },
    { "pirn_capabilities", capabilities_it, 0 },
    { "pirn_stats", stats_it, 0 },
    { "pirn_storage_size", storage_size_it, 0 },
    { "pirn_strerror", strerror_it, 0 },
    { "pirn_verify", verify_it, 0 },
    { "pirn_io_set_callback", io_set_callback_it, 0 },
    { "pirn_timer_set_callback", timer_set_callback_it, 0 },
    { "pirn_io_info", io_info_it, 0 },
    { "pirn_timer_info", timer_info_it, 0 },
    { "pirn_task_info", task_info_it, 0 },
    { "pirn_info_next", info_next_it, 0 },
    { "pirn_version", version_it, 0 },
};

#define COUNT(table) (sizeof(table) / sizeof *(table))

/* One case: the state, the call, what shows, and what a turn calls. */
static void holds(const struct state *state, const struct change *change)
{
    char name[256];
    (void)snprintf(name, sizeof name, "%s: %s, row %d", state->name, change->function,
                   (int)(change - CHANGES));
    context = name;
    edge_fd = -1;
    open_world();
    state->reach();
    change->make();
    int shown = is_readable();
    int called = pirn_turn(loop, 0);
    CHECK(called >= 0);
    if (called > 0)
        CHECK(shown);
    else if (!state->may_show && !change->may_show)
        CHECK(!shown);
    /* It comes to rest: what shows when nothing is left to do is gone after a turn or two. */
    (void)pirn_fd_closing(loop, edge_fd);
    (void)pirn_fd_closing(loop, ready_pipe[0]);
    (void)pirn_fd_closing(loop, ready_pipe[1]);
    (void)pirn_fd_closing(loop, idle_pipe[1]);
    for (int turn = 0; turn < TASKS + 4 && is_readable(); turn++)
        CHECK(pirn_turn(loop, 0) >= 0);
    CHECK(!is_readable());
    OK(pirn_verify(loop));
    close_world();
    if (edge_fd >= 0)
        close(edge_fd);
    context = "epoll";
}

static void test(uint32_t backend)
{
    CHECK(backend != PIRN_BACKEND_AUTO);
    if (backend != PIRN_BACKEND_EPOLL)
        return;
    refuse_some_waits();
    for (size_t state = 0; state < COUNT(STATES); state++)
        for (size_t change = 0; change < COUNT(CHANGES); change++)
            holds(&STATES[state], &CHANGES[change]);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (size_t at = 0; at < COUNT(CHANGES); at++)
            puts(CHANGES[at].function);
        return 0;
    }
    return run_on_backends(argc, argv, test);
}
