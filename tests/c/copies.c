/*
 * Every public function in a child process that has a copy of the loop: what it returns, before
 * pirn_after_fork, after it, after pirn_deinit, and in a callback that forked. Whatever the child
 * does, the parent's kernel objects stay as they are. Rules 56 and 57.
 *
 * With the argument "--list" the program prints which functions it calls, for the test that
 * compares them with the list of all.
 */
#include "test.h"

#define HOUR (3600 * SECOND)

DECLARE_BLOCK(block);
static uint32_t the_backend;

/* ---- the loop of a case ---- */

static struct pirn_loop *loop;
static int idle_pipe[2], other_pipe[2];
static struct pirn_io idle, other;
static struct pirn_timer timer;
static struct seen idle_seen, seen;
static int fd;
/* In the child of a callback that forked. */
static int is_child;

static void open_world(int has_fd)
{
    memset(&idle_seen, 0, sizeof idle_seen);
    MUST(pipe2(idle_pipe, O_NONBLOCK | O_CLOEXEC) == 0 &&
         pipe2(other_pipe, O_NONBLOCK | O_CLOEXEC) == 0);
    OPEN(loop, block, the_backend);
    fd = has_fd ? pirn_fd(loop) : -1;
    OK(pirn_io_add(loop, idle_pipe[0], PIRN_READ, see_io, &idle_seen, &idle));
    OK(pirn_io_add(loop, other_pipe[0], PIRN_READ, see_io, &seen, &other));
    OK(pirn_timer_start(loop, HOUR, 0, 0, see_timer, &seen, &timer));
    OK(pirn_raise_add(loop, 1, 0, see_io, &seen, NULL));
    settle(loop, 4);
    GIVES(pirn_turn(loop, 0), 0);
}

static void close_world(void)
{
    CLOSE(loop);
    close_all(idle_pipe, 2);
    close_all(other_pipe, 2);
}

/* ---- the kernel's objects ---- */

struct objects {
    /* What /proc says of each epoll set, eventfd and timerfd of this process. */
    char text[8192];
    /* When its timerfd expires. */
    uint64_t alarm_ns;
};

static void look(struct objects *objects)
{
    size_t length = 0;
    memset(objects, 0, sizeof *objects);
    for (int number = 0; number < 64; number++) {
        char path[64], name[64], line[256];
        (void)snprintf(path, sizeof path, "/proc/self/fd/%d", number);
        ssize_t got = readlink(path, name, sizeof name - 1);
        if (got < 0)
            continue;
        name[got] = '\0';
        if (strncmp(name, "anon_inode:[", 12) != 0)
            continue;
        (void)snprintf(path, sizeof path, "/proc/self/fdinfo/%d", number);
        FILE *file = fopen(path, "r");
        MUST(file != NULL);
        while (fgets(line, sizeof line, file) != NULL) {
            long long seconds, nanoseconds;
            if (sscanf(line, "it_value: (%lld, %lld)", &seconds, &nanoseconds) == 2)
                objects->alarm_ns = monotonic_ns() + (uint64_t)seconds * SECOND +
                    (uint64_t)nanoseconds;
            else if (length + sizeof name + sizeof line < sizeof objects->text)
                length += (size_t)snprintf(objects->text + length, sizeof name + sizeof line,
                                           "%s %s", name, line);
        }
        fclose(file);
    }
}

static void are_as_they_were(const struct objects *before)
{
    struct objects now;
    look(&now);
    if (strcmp(before->text, now.text) != 0) {
        FAIL("the child has changed the parent's kernel objects");
        printf("before:\n%safter:\n%s", before->text, now.text);
    }
    uint64_t later = now.alarm_ns > before->alarm_ns ?
        now.alarm_ns - before->alarm_ns : before->alarm_ns - now.alarm_ns;
    CHECK(later < SECOND);
}

/* It hears of its fds, posts and timers, at its fd too. */
static void parent_is_unharmed(void)
{
    char byte;
    struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
    for (int turn = 0; turn < 4 && pirn_turn(loop, 0) > 0; turn++)
        ;
    EQUAL(poll(&poll_fd, 1, 0), 0);
    MUST(write(idle_pipe[1], "x", 1) == 1);
    EQUAL(poll(&poll_fd, 1, 0), fd >= 0);
    GIVES(pirn_turn(loop, SECOND), 1);
    EQUAL(idle_seen.calls, 1);
    MUST(read(idle_pipe[0], &byte, 1) == 1);
    GIVES(pirn_turn(loop, 0), 0);
    OK(pirn_remote_post(loop, see_task, &seen));
    EQUAL(poll(&poll_fd, 1, 0), fd >= 0);
    GIVES(pirn_turn(loop, SECOND), 1);
}

/* ---- the calls ---- */

#define SAYS(name, ...) static long name(void) { __VA_ARGS__ }

/* It must not be called in a callback; a copy has nothing more to say there than that it runs. */
SAYS(say_abandon, return is_child ? pirn_deinit(loop) : pirn_abandon(loop);)
SAYS(say_after_fork, return pirn_after_fork(loop);)
SAYS(say_backend, return pirn_backend(loop) < 0 ? pirn_backend(loop) : 0;)
SAYS(say_backend_name, return pirn_backend_name(0) == NULL;)
SAYS(say_capabilities, return pirn_capabilities(loop) > 0 ? 0 : -EINVAL;)
SAYS(say_deadline, return pirn_deadline(loop) != PIRN_FOREVER ? 0 : -EINVAL;)
SAYS(say_ended, long result = pirn_ended(loop); return result == PIRN_GOING ? 0 : result;)
SAYS(say_deinit, return pirn_deinit(loop);)
SAYS(say_dispatch, return pirn_dispatch(loop);)
SAYS(say_fd, long result = pirn_fd(loop); return result >= 0 || result == -EOPNOTSUPP ? 0 : result;)
SAYS(say_fd_closing, long result = pirn_fd_closing(loop, idle_pipe[0]);
     return result == 1 ? 0 : result;)
SAYS(say_grow, static uint64_t bigger[sizeof block / sizeof *block];
    return pirn_grow(loop, bigger, sizeof bigger, IO, TIMERS, TASKS, NULL, NULL);)
SAYS(say_hook_add, return pirn_hook_add(loop, PIRN_HOOK_IDLE, PIRN_UNREF, see_io, &seen, NULL);)
SAYS(say_hold, return pirn_hold(loop);)
SAYS(say_init, struct pirn_loop *made;
     return open_loop(&made, block, sizeof block, the_backend, 0, 0, 0);)
SAYS(say_io_add, return pirn_io_add(loop, idle_pipe[1], PIRN_WRITE, see_io, &seen, NULL);)
SAYS(say_io_feed, return pirn_io_feed(loop, idle, PIRN_READ);)
SAYS(say_info_next, struct pirn_info info = { .size = sizeof info };
    long result = pirn_info_next(loop, &info); return result == 1 ? 0 : result;)
SAYS(say_io_info, return pirn_io_info(loop, idle, NULL);)
SAYS(say_io_set_callback, return pirn_io_set_callback(loop, idle, see_io, &idle_seen);)
SAYS(say_task_info, struct pirn_task task = { 0, 0 };
     (void)pirn_task_post(loop, see_task, &seen, &task);
    long result = pirn_task_info(loop, task, NULL); (void)pirn_task_cancel(loop, task);
    return result;)
SAYS(say_timer_info, return pirn_timer_info(loop, timer, NULL);)
SAYS(say_timer_set, struct pirn_timer own = timer;
     return pirn_timer_set(loop, &own, 0, 0, 0, see_timer, &seen);)
SAYS(say_timer_set_callback, return pirn_timer_set_callback(loop, timer, see_timer, &seen);)
SAYS(say_io_modify, return pirn_io_modify(loop, idle, 0);)
SAYS(say_io_ref, return pirn_io_ref(loop, idle);)
SAYS(say_io_remove, return pirn_io_remove(loop, idle);)
SAYS(say_io_unref, return pirn_io_unref(loop, idle);)
SAYS(say_limit, return pirn_limit(loop, 1, 1);)
SAYS(say_now, return pirn_now(loop) > 0 ? 0 : -EINVAL;)
SAYS(say_now_address, return pirn_now_address(loop) ? 0 : -EINVAL;)
SAYS(say_prepare, uint64_t timeout; return pirn_prepare(loop, PIRN_FOREVER, &timeout);)
SAYS(say_raise, return pirn_raise(loop, 1);)
SAYS(say_raise_add, return pirn_raise_add(loop, 2, 0, see_io, &seen, NULL);)
SAYS(say_release, (void)pirn_hold(loop); return pirn_release(loop);)
SAYS(say_remote_post, return pirn_remote_post(loop, see_task, &seen);)
SAYS(say_run, (void)pirn_stop(loop); long result = pirn_run(loop);
     return result == PIRN_STOPPED ? 0 : result;)
SAYS(say_run_until, long result = pirn_run_until(loop, 1);
     return result == PIRN_EXPIRED ? 0 : result;)
SAYS(say_stats, struct pirn_stats stats = { .size = sizeof stats };
     return pirn_stats(loop, &stats);)
SAYS(say_stop, return pirn_stop(loop);)
SAYS(say_storage_size, return pirn_storage_size(1, 1, 1) == 0;)
SAYS(say_strerror, return pirn_strerror(-1) == NULL;)
SAYS(say_take, struct pirn_due due; return pirn_take(loop, &due, 1);)
SAYS(say_task_cancel, struct pirn_task task = { 0, 0 };
     (void)pirn_task_post(loop, see_task, &seen, &task);
    return pirn_task_cancel(loop, task);)
SAYS(say_task_post, return pirn_task_post(loop, see_task, &seen, NULL);)
SAYS(say_task_reclaim, pirn_task_fn callback; void *user;
     return pirn_task_reclaim(loop, &callback, &user);)
SAYS(say_timer_again, return pirn_timer_again(loop, timer, 0);)
SAYS(say_timer_ref, return pirn_timer_ref(loop, timer);)
SAYS(say_timer_remaining, uint64_t remaining; return pirn_timer_remaining(loop, timer, &remaining);)
SAYS(say_timer_slack, return pirn_timer_slack(loop, timer, HOUR);)
SAYS(say_timer_start, return pirn_timer_start(loop, 0, 0, 0, see_timer, &seen, NULL);)
SAYS(say_timer_stop, return pirn_timer_stop(loop, timer);)
SAYS(say_timer_unref, return pirn_timer_unref(loop, timer);)
SAYS(say_turn, return pirn_turn(loop, 0);)
SAYS(say_update, return pirn_update(loop) > 0 ? 0 : -EINVAL;)
SAYS(say_verify, return pirn_verify(loop);)
SAYS(say_version, return pirn_version() == 0;)
SAYS(say_wait, return pirn_wait(loop, 0);)
SAYS(say_wake, return pirn_wake(loop);)

/*
 * What each returns in a copy: to its own callback, from outside, and when the copy has been ended.
 * Once it is taken over it returns 0.
 */
static const struct call {
    const char *function;
    long (*say)(void);
    long in_callback, in_copy, ended;
} CALLS[] = {
    /* What reaches the kernel. */
    { "pirn_io_add", say_io_add, -ECHILD, -ECHILD, -EINVAL },
    { "pirn_io_remove", say_io_remove, -ECHILD, -ECHILD, -EINVAL },
    { "pirn_fd_closing", say_fd_closing, -ECHILD, -ECHILD, -EINVAL },
    { "pirn_fd", say_fd, -ECHILD, -ECHILD, -EINVAL },
    { "pirn_run", say_run, -EBUSY, -ECHILD, -EINVAL },
    { "pirn_run_until", say_run_until, -EBUSY, -ECHILD, -EINVAL },
    { "pirn_turn", say_turn, -EBUSY, -ECHILD, -EINVAL },
    { "pirn_prepare", say_prepare, -EBUSY, -ECHILD, -EINVAL },
    { "pirn_wait", say_wait, -EBUSY, -ECHILD, -EINVAL },
    /* What does not, and what waits until it does. */
    { "pirn_dispatch", say_dispatch, -EBUSY, 0, -EINVAL },
    { "pirn_take", say_take, -EBUSY, 0, -EINVAL },
    { "pirn_ended", say_ended, -EBUSY, 0, -EINVAL },
    { "pirn_grow", say_grow, -EBUSY, 0, -EINVAL },
    { "pirn_io_feed", say_io_feed, 0, 0, -EINVAL },
    { "pirn_io_modify", say_io_modify, 0, 0, -EINVAL },
    { "pirn_io_ref", say_io_ref, 0, 0, -EINVAL },
    { "pirn_io_set_callback", say_io_set_callback, 0, 0, -EINVAL },
    { "pirn_timer_set", say_timer_set, 0, 0, -EINVAL },
    { "pirn_timer_set_callback", say_timer_set_callback, 0, 0, -EINVAL },
    { "pirn_io_unref", say_io_unref, 0, 0, -EINVAL },
    { "pirn_raise_add", say_raise_add, 0, 0, -EINVAL },
    { "pirn_timer_again", say_timer_again, 0, 0, -EINVAL },
    { "pirn_timer_ref", say_timer_ref, 0, 0, -EINVAL },
    { "pirn_timer_remaining", say_timer_remaining, 0, 0, -EINVAL },
    { "pirn_timer_slack", say_timer_slack, 0, 0, -EINVAL },
    { "pirn_timer_start", say_timer_start, 0, 0, -EINVAL },
    { "pirn_timer_stop", say_timer_stop, 0, 0, -EINVAL },
    { "pirn_timer_unref", say_timer_unref, 0, 0, -EINVAL },
    { "pirn_task_cancel", say_task_cancel, 0, 0, -EINVAL },
    { "pirn_task_post", say_task_post, 0, 0, -EINVAL },
    { "pirn_task_reclaim", say_task_reclaim, 0, 0, -EINVAL },
    { "pirn_remote_post", say_remote_post, 0, 0, -EINVAL },
    { "pirn_raise", say_raise, 0, 0, -EINVAL },
    { "pirn_wake", say_wake, 0, 0, -EINVAL },
    { "pirn_stop", say_stop, 0, 0, -EINVAL },
    { "pirn_limit", say_limit, 0, 0, -EINVAL },
    { "pirn_hold", say_hold, 0, 0, -EINVAL },
    { "pirn_hook_add", say_hook_add, 0, 0, -EINVAL },
    { "pirn_release", say_release, 0, 0, -EINVAL },
    /* What asks. */
    { "pirn_backend", say_backend, 0, 0, -EINVAL },
    { "pirn_backend_name", say_backend_name, 0, 0, 0 },
    { "pirn_capabilities", say_capabilities, 0, 0, -EINVAL },
    { "pirn_deadline", say_deadline, 0, 0, -EINVAL },
    { "pirn_info_next", say_info_next, 0, 0, -EINVAL },
    { "pirn_io_info", say_io_info, 0, 0, -EINVAL },
    { "pirn_task_info", say_task_info, 0, 0, -EINVAL },
    { "pirn_timer_info", say_timer_info, 0, 0, -EINVAL },
    { "pirn_now", say_now, 0, 0, -EINVAL },
    { "pirn_now_address", say_now_address, 0, 0, -EINVAL },
    { "pirn_stats", say_stats, 0, 0, -EINVAL },
    { "pirn_storage_size", say_storage_size, 0, 0, 0 },
    { "pirn_strerror", say_strerror, 0, 0, 0 },
    { "pirn_update", say_update, 0, 0, -EINVAL },
    { "pirn_verify", say_verify, 0, 0, -EINVAL },
    { "pirn_version", say_version, 0, 0, 0 },
    /* What makes a copy a loop, or none. */
    { "pirn_after_fork", say_after_fork, -EBUSY, 0, -EINVAL },
    { "pirn_abandon", say_abandon, -EBUSY, 0, -EINVAL },
    { "pirn_deinit", say_deinit, -EBUSY, 0, -EINVAL },
    { "pirn_init", say_init, -EBUSY, -EBUSY, 0 },
};

#define COUNT(table) (sizeof(table) / sizeof *(table))

static const struct call *call;

/* ---- the child ---- */

static void in_a_copy(void)
{
    EQUAL(call->say(), call->in_copy);
    /* The changes it made are not told to the kernel afterwards either. */
    if (call->say != say_deinit && call->say != say_after_fork) {
        CHECK(pirn_dispatch(loop) >= 0);
        OK(pirn_io_modify(loop, other, PIRN_READ | PIRN_URGENT));
        (void)pirn_timer_again(loop, timer, HOUR / 2);
        (void)pirn_wake(loop);
        GIVES(pirn_turn(loop, 0), -ECHILD);
        OK(pirn_verify(loop));
    }
}

static void in_a_copy_that_is_taken_over(void)
{
    OK(pirn_after_fork(loop));
    OK(pirn_verify(loop));
    long result = call->say();
    EQUAL(call->say == say_init ? result + EBUSY : result, 0);
    if (call->say == say_deinit)
        return;
    CHECK(pirn_turn(loop, 0) >= 0);
    MUST(write(other_pipe[1], "x", 1) == 1);
    CHECK(pirn_turn(loop, 0) >= 0);
    OK(pirn_verify(loop));
    OK(pirn_deinit(loop));
    char byte;
    MUST(read(other_pipe[0], &byte, 1) == 1);
}

static void in_a_copy_that_is_ended(void)
{
    OK(pirn_deinit(loop));
    EQUAL(call->say(), call->ended);
}

static void fork_and(void (*check)(void))
{
    int status = -1;
    fflush(stdout);
    pid_t child = fork();
    MUST(child >= 0);
    if (child == 0) {
        failure_count = 0;
        alarm(20);
        check();
        fflush(stdout);
        _exit(failure_count != 0);
    }
    MUST(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* A callback forks, calls, and returns into the run, which ends before it reaches the kernel. */
static void forking_task(struct pirn_loop *in, void *user)
{
    struct objects objects;
    int status = -1;
    (void)user;
    look(&objects);
    fflush(stdout);
    pid_t child = fork();
    MUST(child >= 0);
    if (child == 0) {
        failure_count = 0;
        is_child = 1;
        alarm(20);
        EQUAL(call->say(), call->in_callback);
        return;
    }
    MUST(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    are_as_they_were(&objects);
    OK(pirn_stop(in));
}

static void in_a_callback(void)
{
    OK(pirn_task_post(loop, forking_task, NULL, NULL));
    int result = pirn_run(loop);
    if (is_child) {
        EQUAL(result, -ECHILD);
        GIVES(pirn_turn(loop, 0), -ECHILD);
        fflush(stdout);
        _exit(failure_count != 0);
    }
    EQUAL(result, PIRN_STOPPED);
}

static void holds(int has_fd)
{
    static void (*const checks[])(void) = { in_a_copy, in_a_copy_that_is_taken_over,
                                            in_a_copy_that_is_ended };
    struct objects objects;
    char name[64];
    (void)snprintf(name, sizeof name, "%s, %s", call->function,
                   has_fd ? "with pirn_fd" : "without");
    context = name;
    open_world(has_fd);
    look(&objects);
    for (size_t at = 0; at < COUNT(checks); at++) {
        fork_and(checks[at]);
        are_as_they_were(&objects);
    }
    parent_is_unharmed();
    close_world();
    open_world(has_fd);
    in_a_callback();
    parent_is_unharmed();
    close_world();
    context = BACKEND_NAMES[the_backend];
}

static void test(uint32_t backend)
{
    the_backend = backend;
    CHECK(backend != PIRN_BACKEND_AUTO);
    /* A host has no processes: nobody can tell it. */
    if (backend == PIRN_BACKEND_HOST)
        return;
    for (size_t at = 0; at < COUNT(CALLS); at++)
        for (int has_fd = 0; has_fd <= (backend == PIRN_BACKEND_EPOLL); has_fd++) {
            call = &CALLS[at];
            holds(has_fd);
        }
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (size_t at = 0; at < COUNT(CALLS); at++)
            puts(CALLS[at].function);
        return 0;
    }
    return run_on_backends(argc, argv, test);
}
