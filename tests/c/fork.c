/* A process forks: the copy is told so, and does the original no harm. T134, T137. */
#include "test.h"

#include <pthread.h>
#include <sched.h>

DECLARE_BLOCK(block);
static uint32_t the_backend;

/* What the fork tests have in a loop: a watcher, a timer, a task. */
static int pipe_fds[2], child_pipe[2];
static struct pirn_io io, child_io;
static struct pirn_timer timer;
static struct seen io_seen, child_seen, timer_seen, task_seen;

/* Runs `check` in a child process; its failures are ours. */
static void in_child(struct pirn_loop *loop, void (*check)(struct pirn_loop *loop))
{
    int status = -1;
    fflush(stdout);
    pid_t child = fork();
    MUST(child >= 0);
    if (child == 0) {
        failure_count = 0;
        context = "child";
        io_seen.calls = child_seen.calls = timer_seen.calls = 0;
        check(loop);
        fflush(stdout);
        _exit(failure_count != 0);
    }
    MUST(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static struct pirn_loop *busy_loop(void)
{
    struct pirn_loop *loop;
    memset(&io_seen, 0, sizeof io_seen);
    memset(&child_seen, 0, sizeof child_seen);
    memset(&timer_seen, 0, sizeof timer_seen);
    memset(&task_seen, 0, sizeof task_seen);
    MUST(pipe2(pipe_fds, O_NONBLOCK | O_CLOEXEC) == 0);
    MUST(pipe2(child_pipe, O_NONBLOCK | O_CLOEXEC) == 0);
    OPEN(loop, block, the_backend);
    OK(pirn_io_add(loop, pipe_fds[0], PIRN_READ, see_io, &io_seen, &io));
    OK(pirn_io_add(loop, child_pipe[0], PIRN_READ, see_io, &child_seen, &child_io));
    OK(pirn_timer_start(loop, 10 * SECOND, 0, 0, see_timer, &timer_seen, &timer));
    GIVES(pirn_turn(loop, 0), 0);
    return loop;
}

static void end(struct pirn_loop *loop)
{
    CLOSE(loop);
    close_all(pipe_fds, 2);
    close_all(child_pipe, 2);
}

/* The parent's loop is as it was: it hears of its fds, and sleeps when there is nothing. */
static void parent_is_unharmed(struct pirn_loop *loop)
{
    char byte;
    long before = io_seen.calls, child_before = child_seen.calls;
    /* Whatever the run before has left asked for. */
    GIVES(pirn_turn(loop, 0), 0);
    uint64_t begun = monotonic_ns();
    GIVES(pirn_turn(loop, 5 * MILLISECOND), 0);
    GIVES(pirn_turn(loop, 5 * MILLISECOND), 0);
    CHECK(monotonic_ns() - begun >= 6 * MILLISECOND);
    EQUAL(write(pipe_fds[1], "x", 1), 1);
    EQUAL(write(child_pipe[1], "x", 1), 1);
    GIVES(pirn_turn(loop, SECOND), 2);
    EQUAL(io_seen.calls, before + 1);
    EQUAL(child_seen.calls, child_before + 1);
    EQUAL(read(pipe_fds[0], &byte, 1), 1);
    EQUAL(read(child_pipe[0], &byte, 1), 1);
    OK(pirn_wake(loop));
    GIVES(pirn_turn(loop, PIRN_FOREVER), 0);
    OK(pirn_verify(loop));
}

/* T137: every call that would reach the kernel says so, and changes nothing. */
static void copy_is_refused(struct pirn_loop *loop)
{
    struct pirn_io other = { 77, 88 };
    uint64_t timeout = 4711;
    for (int again = 0; again < 2; again++) {
        GIVES(pirn_io_add(loop, pipe_fds[0], PIRN_READ, see_io, NULL, &other), -ECHILD);
        GIVES(pirn_io_remove(loop, io), -ECHILD);
        GIVES(pirn_fd_closing(loop, pipe_fds[0]), -ECHILD);
        GIVES(pirn_run(loop), -ECHILD);
        GIVES(pirn_run_until(loop, 0), -ECHILD);
        GIVES(pirn_turn(loop, 0), -ECHILD);
        GIVES(pirn_turn(loop, PIRN_FOREVER), -ECHILD);
        GIVES(pirn_prepare(loop, 0, &timeout), -ECHILD);
        EQUAL(timeout, 4711);
        CHECK(other.slot == 77 && other.generation == 88);
        EQUAL(stats_of(loop).io_used, 2);
        OK(pirn_verify(loop));
    }
}

/* T134: ending the copy leaves the original's registrations alone. */
static void copy_is_ended(struct pirn_loop *loop)
{
    OK(pirn_deinit(loop));
    GIVES(pirn_deinit(loop), -EINVAL);
    /* The block is a block again. */
    OPEN(loop, block, the_backend);
    struct seen seen = { 0 };
    OK(pirn_timer_start(loop, MILLISECOND, 0, 0, see_timer, &seen, NULL));
    GIVES(pirn_run(loop), PIRN_DONE);
    EQUAL(seen.calls, 1);
    OK(pirn_deinit(loop));
}

/* The copy becomes a loop of its own, with all it had. */
static void copy_is_taken_over(struct pirn_loop *loop)
{
    char byte;
    if (the_backend != PIRN_BACKEND_HOST)
        GIVES(pirn_turn(loop, 0), -ECHILD);
    OK(pirn_after_fork(loop));
    OK(pirn_verify(loop));
    EQUAL(stats_of(loop).io_used, 2);
    EQUAL(stats_of(loop).timer_used, 1);
    GIVES(pirn_turn(loop, 0), 0);
    OK(pirn_timer_again(loop, timer, 0));
    OK(pirn_task_post(loop, see_task, &task_seen, NULL));
    GIVES(pirn_turn(loop, SECOND), 2);
    EQUAL(timer_seen.calls, 1);
    EQUAL(write(child_pipe[1], "x", 1), 1);
    GIVES(pirn_turn(loop, SECOND), 1);
    EQUAL(child_seen.calls, 1);
    EQUAL(read(child_pipe[0], &byte, 1), 1);
    /* Its own wake object: a hundred wakes, and an unread one is left behind at the end. */
    for (int at = 0; at < 100; at++) {
        OK(pirn_wake(loop));
        GIVES(pirn_turn(loop, PIRN_FOREVER), 0);
    }
    OK(pirn_io_remove(loop, io));
    OK(pirn_io_add(loop, pipe_fds[1], PIRN_WRITE, see_io, &io_seen, NULL));
    GIVES(pirn_turn(loop, SECOND), 1);
    OK(pirn_wake(loop));
    OK(pirn_raise(loop, 1));
    OK(pirn_remote_post(loop, see_task, &task_seen));
    OK(pirn_verify(loop));
    OK(pirn_deinit(loop));
}

/* The child has closed an fd before it took over: that watcher is told, the other lives. */
static void copy_has_lost_an_fd(struct pirn_loop *loop)
{
    close(pipe_fds[0]);
    OK(pirn_after_fork(loop));
    GIVES(pirn_turn(loop, SECOND), 1);
    EQUAL(io_seen.ready, PIRN_INVALID);
    EQUAL(io_seen.calls, 1);
    GIVES(pirn_turn(loop, 0), 0);
    EQUAL(write(child_pipe[1], "x", 1), 1);
    GIVES(pirn_turn(loop, SECOND), 1);
    EQUAL(child_seen.calls, 1);
    OK(pirn_io_remove(loop, io));
    OK(pirn_verify(loop));
    OK(pirn_deinit(loop));
}

static void fork_from_outside(void)
{
    struct pirn_loop *loop = busy_loop();
    char byte;
    if (the_backend != PIRN_BACKEND_HOST) {
        /* A host has no processes: nobody can tell it. */
        in_child(loop, copy_is_refused);
        parent_is_unharmed(loop);
    }
    if (the_backend != PIRN_BACKEND_HOST) {
        /* The test's host is shared with the child: what the child ends there is ended. */
        in_child(loop, copy_is_ended);
        parent_is_unharmed(loop);
        in_child(loop, copy_has_lost_an_fd);
        while (read(child_pipe[0], &byte, 1) == 1)
            ;
        parent_is_unharmed(loop);
    }
    if (the_backend != PIRN_BACKEND_HOST) {
        in_child(loop, copy_is_taken_over);
        parent_is_unharmed(loop);
    } else {
        OK(pirn_after_fork(loop));
        parent_is_unharmed(loop);
    }
    end(loop);
}

/* ---- a callback forks, and returns into the run ---- */

static pid_t forked;
static int tick_count;

static void forking_task(struct pirn_loop *loop, void *user)
{
    (void)user;
    fflush(stdout);
    forked = fork();
    MUST(forked >= 0);
    if (forked == 0) {
        context = "child in callback";
        failure_count = 0;
        GIVES(pirn_after_fork(loop), -EBUSY);
        GIVES(pirn_deinit(loop), -EBUSY);
        GIVES(pirn_run(loop), -EBUSY);
    }
}

static void on_tick(struct pirn_loop *loop, struct pirn_timer own, uint64_t missed, void *user)
{
    (void)own, (void)missed, (void)user;
    if (++tick_count == 200)
        OK(pirn_stop(loop));
}

static void fork_in_a_callback(void)
{
    struct pirn_loop *loop = busy_loop();
    struct pirn_timer tick;
    int status = -1, result;
    if (the_backend == PIRN_BACKEND_HOST) {
        end(loop);
        return;
    }
    tick_count = 0;
    OK(pirn_task_post(loop, forking_task, NULL, NULL));
    OK(pirn_timer_start(loop, 100000, 100000, 0, on_tick, NULL, &tick));
    result = pirn_run(loop);
    if (forked == 0) {
        /* The run has ended with the turn that forked. */
        EQUAL(result, -ECHILD);
        CHECK(tick_count <= 1);
        GIVES(pirn_run(loop), -ECHILD);
        OK(pirn_after_fork(loop));
        tick_count = 150;
        GIVES(pirn_run(loop), PIRN_STOPPED);
        EQUAL(tick_count, 200);
        OK(pirn_verify(loop));
        OK(pirn_deinit(loop));
        fflush(stdout);
        _exit(failure_count != 0);
    }
    EQUAL(result, PIRN_STOPPED);
    EQUAL(tick_count, 200);
    MUST(waitpid(forked, &status, 0) == forked);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    OK(pirn_timer_stop(loop, tick));
    parent_is_unharmed(loop);
    end(loop);
}

/* ---- a process forks while its other threads are in the middle of something ---- */

static volatile int is_over;

static void *post_for_ever(void *loop)
{
    while (!is_over)
        (void)pirn_remote_post(loop, see_task, NULL);
    return NULL;
}

/* About where the runner's stack is. */
static volatile uintptr_t runner_stack;

static void *run_to_the_end(void *loop)
{
    char here;
    runner_stack = (uintptr_t)&here;
    return (void *)(intptr_t)pirn_run(loop);
}

/*
 * A copy tells the runner's callback from one of its own by the stack, of which that of the main
 * thread is the highest on Linux, but not under qemu-user.
 */
static void forget_the_runner(struct pirn_loop *loop)
{
    char here;
    if (runner_stack > (uintptr_t)&here)
        OK(pirn_abandon(loop));
}

/*
 * A thread of the parent may be short of its wake-up, or of filling in a place in the mailbox: here
 * there is no such thread.
 */
static void copy_outlives_the_posters(struct pirn_loop *loop)
{
    struct seen seen = { 0 };
    alarm(20);
    OK(pirn_after_fork(loop));
    OK(pirn_verify(loop));
    for (int turn = 0; turn < 3; turn++)
        CHECK(pirn_turn(loop, 0) >= 0);
    OK(pirn_remote_post(loop, see_task, &seen));
    GIVES(pirn_turn(loop, SECOND), 1);
    EQUAL(seen.calls, 1);
    OK(pirn_deinit(loop));
}

static void copy_hands_back_what_was_posted(struct pirn_loop *loop)
{
    pirn_task_fn callback;
    void *user;
    long accepted = (long)stats_of(loop).remote_posts, handed_back = 0;
    alarm(20);
    while (pirn_task_reclaim(loop, &callback, &user) == 1)
        handed_back++;
    CHECK(handed_back <= accepted);
    GIVES(pirn_remote_post(loop, see_task, NULL), -ESHUTDOWN);
    OK(pirn_deinit(loop));
}

static void copy_is_ended_at_once(struct pirn_loop *loop)
{
    alarm(20);
    forget_the_runner(loop);
    OK(pirn_deinit(loop));
    GIVES(pirn_deinit(loop), -EINVAL);
}

/* The thread that was in pirn_run is not here; it may have been in the middle of a change. */
static void copy_outlives_the_runner(struct pirn_loop *loop)
{
    alarm(20);
    forget_the_runner(loop);
    int result = pirn_after_fork(loop);
    if (result == 0) {
        OK(pirn_verify(loop));
        CHECK(pirn_turn(loop, 0) >= 0);
    } else {
        EQUAL(result, -EUCLEAN);
    }
    OK(pirn_deinit(loop));
}

static void fork_while_threads_are_busy(void)
{
    static void (*const while_posting[])(struct pirn_loop *) = { copy_is_ended_at_once,
                                                                 copy_outlives_the_posters,
                                                                  copy_hands_back_what_was_posted };
    static void (*const while_running[])(struct pirn_loop *) = { copy_is_ended_at_once,
                                                                 copy_outlives_the_runner };
    struct pirn_loop *loop = busy_loop();
    pthread_t posters[2], runner;
    void *result;
    if (the_backend == PIRN_BACKEND_HOST) {
        end(loop);
        return;
    }
    is_over = 0;
    /* With the fd in use a poster wakes whenever the loop is not in a turn. */
    (void)pirn_fd(loop);
    for (int at = 0; at < 2; at++)
        MUST(pthread_create(&posters[at], NULL, post_for_ever, loop) == 0);
    for (int round = 0; round < 60; round++) {
        CHECK(pirn_turn(loop, 0) >= 0);
        in_child(loop, while_posting[round % 3]);
    }
    OK(pirn_hold(loop));
    MUST(pthread_create(&runner, NULL, run_to_the_end, loop) == 0);
    for (int round = 0; round < 60; round++)
        in_child(loop, while_running[round % 2]);
    is_over = 1;
    for (int at = 0; at < 2; at++)
        MUST(pthread_join(posters[at], NULL) == 0);
    OK(pirn_stop(loop));
    MUST(pthread_join(runner, &result) == 0);
    EQUAL((intptr_t)result, PIRN_STOPPED);
    /* The parent's loop was never anybody else's. */
    GIVES(pirn_release(loop), 0);
    settle(loop, 4);
    parent_is_unharmed(loop);
    end(loop);
}

/* ---- copies that nobody finds out ---- */

static void unnoticed_copy_is_taken_over(struct pirn_loop *loop)
{
    char byte;
    struct seen seen = { 0 };
    alarm(20);
    OK(pirn_after_fork(loop));
    OK(pirn_verify(loop));
    /* All of it is this process's own: the wake object too. */
    for (int at = 0; at < 10; at++) {
        OK(pirn_wake(loop));
        GIVES(pirn_turn(loop, PIRN_FOREVER), 0);
    }
    OK(pirn_remote_post(loop, see_task, &seen));
    GIVES(pirn_turn(loop, SECOND), 1);
    EQUAL(write(child_pipe[1], "x", 1), 1);
    GIVES(pirn_turn(loop, SECOND), 1);
    EQUAL(read(child_pipe[0], &byte, 1), 1);
    OK(pirn_io_remove(loop, io));
    OK(pirn_io_modify(loop, child_io, 0));
    GIVES(pirn_turn(loop, 0), 0);
    OK(pirn_wake(loop));
    OK(pirn_deinit(loop));
}

/*
 * In the child of a process with the number 1, in a pid namespace of its own, that has the number 1
 * too.
 */
static void in_a_namespace(struct pirn_loop *ignored)
{
    (void)ignored;
    EQUAL(getpid(), 1);
    struct pirn_loop *loop = busy_loop();
    MUST(unshare(CLONE_NEWPID) == 0);
    in_child(loop, unnoticed_copy_is_taken_over);
    parent_is_unharmed(loop);
    end(loop);
}

static void in_a_process_that_makes_namespaces(struct pirn_loop *ignored)
{
    if (unshare(CLONE_NEWPID) == 0)
        in_child(ignored, in_a_namespace);
}

static void copies_that_nobody_finds_out(void)
{
    struct pirn_loop *loop;
    struct pirn_config config;
    if (the_backend == PIRN_BACKEND_HOST)
        return;
    in_child(NULL, in_a_process_that_makes_namespaces);
    /* And where the program has told that it will say so itself. */
    loop = busy_loop();
    OK(pirn_deinit(loop));
    config = config_with(the_backend, PIRN_NO_FORK_CHECK);
    OK(pirn_init(&loop, block, sizeof block, &config));
    OK(pirn_io_add(loop, pipe_fds[0], PIRN_READ, see_io, &io_seen, &io));
    OK(pirn_io_add(loop, child_pipe[0], PIRN_READ, see_io, &child_seen, &child_io));
    in_child(loop, unnoticed_copy_is_taken_over);
    parent_is_unharmed(loop);
    in_child(loop, copy_is_ended_at_once);
    end(loop);
}

/* The parent closes what the child still has, after removing it: silence. */
static void an_inherited_fd_is_silent_after_remove(void)
{
    struct pirn_loop *loop = busy_loop();
    int status;
    fflush(stdout);
    pid_t child = fork();
    MUST(child >= 0);
    if (child == 0) {
        for (;;)
            pause();
    }
    OK(pirn_io_remove(loop, io));
    close(pipe_fds[0]);
    EQUAL(write(pipe_fds[1], "x", 1), 1);
    for (int turn = 0; turn < 5; turn++)
        GIVES(pirn_turn(loop, MILLISECOND), 0);
    EQUAL(stats_of(loop).stale_events, 0);
    EQUAL(io_seen.calls, 0);
    kill(child, SIGKILL);
    MUST(waitpid(child, &status, 0) == child);
    pipe_fds[0] = -1;
    end(loop);
}

/* The pollable fd of the child is another thing than the parent's. */
static void child_asks_for_its_fd(struct pirn_loop *loop)
{
    OK(pirn_after_fork(loop));
    int fd = pirn_fd(loop);
    CHECK(fd >= 0);
    OK(pirn_timer_again(loop, timer, 0));
    struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
    EQUAL(poll(&poll_fd, 1, 1000), 1);
    GIVES(pirn_turn(loop, 0), 1);
    OK(pirn_deinit(loop));
}

/* Also at the deadline that the parent's fd knows, and that did not change since. */
static void child_waits_for_its_timer(struct pirn_loop *loop)
{
    OK(pirn_after_fork(loop));
    struct pollfd poll_fd = { .fd = pirn_fd(loop), .events = POLLIN };
    uint64_t until = monotonic_ns() + 10 * SECOND;
    long before = timer_seen.calls;
    while (timer_seen.calls == before && monotonic_ns() < until && poll(&poll_fd, 1, 1000) == 1)
        CHECK(pirn_turn(loop, 0) >= 0);
    EQUAL(timer_seen.calls, before + 1);
    OK(pirn_deinit(loop));
}

static void the_pollable_fd_is_not_shared(void)
{
    struct pirn_loop *loop = busy_loop();
    if (pirn_capabilities(loop) & PIRN_CAN_FD) {
        struct pollfd poll_fd = { .fd = pirn_fd(loop), .events = POLLIN };
        settle(loop, 3);
        OK(pirn_timer_again(loop, timer, SECOND / 5));
        in_child(loop, child_waits_for_its_timer);
        OK(pirn_timer_again(loop, timer, 10 * SECOND));
        settle(loop, 3);
        in_child(loop, child_asks_for_its_fd);
        EQUAL(poll(&poll_fd, 1, 5), 0);
        OK(pirn_timer_again(loop, timer, 0));
        EQUAL(poll(&poll_fd, 1, 1000), 1);
        GIVES(pirn_turn(loop, 0), 1);
        OK(pirn_timer_start(loop, 10 * SECOND, 0, 0, see_timer, &timer_seen, &timer));
    }
    parent_is_unharmed(loop);
    end(loop);
}

/* The fds of the loop are closed by exec. T39, T137. */
static void exec_inherits_nothing(void)
{
    struct pirn_loop *loop;
    char list[512];
    int output[2], status;
    OPEN(loop, block, the_backend);
    (void)pirn_fd(loop);
    MUST(pipe(output) == 0);
    pid_t child = fork();
    MUST(child >= 0);
    if (child == 0) {
        dup2(output[1], 1);
        close(output[0]);
        close(output[1]);
        execl("/bin/sh", "sh", "-c", "for fd in /proc/self/fd/*; do readlink $fd; done",
              (char *)NULL);
        _exit(127);
    }
    close(output[1]);
    size_t length = 0;
    ssize_t got;
    while ((got = read(output[0], list + length, sizeof list - 1 - length)) > 0)
        length += (size_t)got;
    list[length] = '\0';
    MUST(waitpid(child, &status, 0) == child && WIFEXITED(status));
    CHECK(length > 0);
    CHECK(strstr(list, "eventpoll") == NULL && strstr(list, "eventfd") == NULL &&
          strstr(list, "timerfd") == NULL);
    close(output[0]);
    CLOSE(loop);
}

static void test(uint32_t backend)
{
    the_backend = backend;
    fork_from_outside();
    fork_in_a_callback();
    fork_while_threads_are_busy();
    copies_that_nobody_finds_out();
    an_inherited_fd_is_silent_after_remove();
    the_pollable_fd_is_not_shared();
    exec_inherits_nothing();
}

int main(int argc, char **argv)
{
    return run_on_backends(argc, argv, test);
}
