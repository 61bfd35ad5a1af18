/*
 * The system calls of the sources: those that docs/MANUAL.md lists for each of them and no others,
 * and none in a turn in which a source has nothing to report, or that has none any more.
 */
#include "test.h"
#include "traced.h"

#include <sys/inotify.h>
#include <sys/stat.h>

#include <pirn/os.h>

DECLARE_BLOCK(block);
static uint32_t the_backend;
static int calls;

/* A source may make the system calls listed here, and those of the core for every watcher. */

static int is_of_the_core(long number)
{
    static const long core[] = { SYS_getpid, SYS_read, SYS_close, SYS_fcntl, SYS_epoll_ctl,
                                 SYS_epoll_pwait, SYS_epoll_pwait2, SYS_ppoll, SYS_pselect6 };
    for (size_t at = 0; at < sizeof core / sizeof *core; at++)
        if (core[at] == number)
            return 1;
    return 0;
}

static void only(const char *what, const long *listed, size_t count)
{
    long others = 0;
    for (long number = 0; number < CALLS; number++) {
        int is_listed = counted->calls[number] == 0 || is_of_the_core(number);
        for (size_t at = 0; at < count; at++)
            is_listed |= listed[at] == number;
        if (!is_listed) {
            others++;
            printf("%s makes system call %ld\n", what, number);
        }
    }
    EQUAL(others, 0);
    CHECK(counted->total > 0);
}

#define ONLY(what, ...) only(what, (const long[]){ __VA_ARGS__ }, \
                             sizeof(const long[]){ __VA_ARGS__ } / sizeof(long))

/* ---- the sources ---- */

static struct pirn_signal the_signal;
static struct pirn_child child;
static struct pirn_clock the_clock;
static struct pirn_files files;

static void on_signal(struct pirn_loop *loop, struct pirn_signal *own,
                      const struct pirn_signal_info *info, void *user)
{
    (void)loop, (void)own, (void)info, (void)user;
    calls++;
}

static void on_child(struct pirn_loop *loop, struct pirn_child *own,
                     const struct pirn_child_status *status, void *user)
{
    (void)loop, (void)own, (void)status, (void)user;
    calls++;
}

static void on_clock(struct pirn_loop *loop, struct pirn_clock *own, uint32_t what, uint64_t missed,
                     void *user)
{
    (void)loop, (void)own, (void)what, (void)missed, (void)user;
    calls++;
}

static void on_change(struct pirn_loop *loop, struct pirn_files *own,
                      const struct pirn_file_event *event, void *user)
{
    (void)loop, (void)own, (void)event, (void)user;
    calls++;
}

/* The system calls of a turn that does not wait. */
static long turn_of(struct pirn_loop *loop)
{
    COUNT(pirn_turn(loop, 0));
    return counted->total;
}

static pid_t start_sleeper(void)
{
    pid_t pid = fork();
    MUST(pid >= 0);
    if (pid == 0)
        for (;;)
            pause();
    return pid;
}

/* ---- the claims ---- */

static void each_makes_the_calls_that_are_listed(void)
{
    struct pirn_loop *loop;
    uint32_t real = PIRN_CLOCK_REALTIME;
    uint64_t now = 0;
    int rc = 0;
    OPEN(loop, block, the_backend);
    long before = turn_of(loop);
    calls = 0;

    COUNT(rc = pirn_signal_add(loop, &the_signal, SIGUSR1, PIRN_SIGNAL_BLOCK, on_signal, NULL));
    EQUAL(rc, 0);
    ONLY("pirn_signal_add", SYS_signalfd4, SYS_rt_sigprocmask);
    EQUAL(counted->calls[SYS_signalfd4], 1);
    EQUAL(turn_of(loop), before);
    MUST(kill(getpid(), SIGUSR1) == 0);
    /* One look at the fd, and nothing to tell that it is empty. select asks for a hang-up. */
    EQUAL(turn_of(loop), before + 1 + (the_backend == PIRN_BACKEND_SELECT));
    EQUAL(calls, 1);
    COUNT(rc = pirn_signal_remove(&the_signal));
    EQUAL(rc, 0);
    ONLY("pirn_signal_remove", SYS_rt_sigprocmask);
    EQUAL(turn_of(loop), before);

    pid_t pid = start_sleeper();
    COUNT(rc = pirn_child_add(loop, &child, pid, 0, on_child, NULL));
    EQUAL(rc, 0);
    ONLY("pirn_child_add", SYS_pidfd_open, SYS_waitid);
    EQUAL(turn_of(loop), before);
    MUST(kill(pid, SIGKILL) == 0);
    siginfo_t info;
    MUST(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0);
    (void)turn_of(loop);
    ONLY("the end of a child", SYS_waitid);
    EQUAL(calls, 2);
    EQUAL(turn_of(loop), before);

    COUNT(rc = pirn_clock_add(loop, &the_clock, real, PIRN_FOREVER, 0, 0, on_clock, NULL));
    EQUAL(rc, 0);
    ONLY("pirn_clock_add", SYS_timerfd_create, SYS_timerfd_settime, SYS_clock_gettime);
    EQUAL(turn_of(loop), before);
    COUNT(rc = pirn_clock_again(&the_clock, 1));
    EQUAL(rc, 0);
    ONLY("pirn_clock_again", SYS_timerfd_settime);
    struct pollfd poll_fd = { .fd = the_clock.fd, .events = POLLIN };
    MUST(poll(&poll_fd, 1, 1000) == 1);
    (void)turn_of(loop);
    ONLY("a deadline", SYS_timerfd_settime, SYS_clock_gettime);
    EQUAL(calls, 3);
    EQUAL(turn_of(loop), before);
    COUNT(rc = pirn_clock_now(real, &now));
    CHECK(rc == 0 && counted->total <= 1);
    COUNT(rc = pirn_clock_remove(&the_clock));
    EQUAL(rc, 0);
    ONLY("pirn_clock_remove", SYS_close);
    EQUAL(turn_of(loop), before);

    char directory[] = "/tmp/pirn-costs-XXXXXX";
    MUST(mkdtemp(directory) != NULL);
    COUNT(rc = pirn_files_add(loop, &files, 0, on_change, NULL));
    EQUAL(rc, 0);
    ONLY("pirn_files_add", SYS_inotify_init1);
    COUNT(rc = pirn_files_watch(&files, directory, IN_ATTRIB));
    CHECK(rc > 0);
    ONLY("pirn_files_watch", SYS_inotify_add_watch);
    EQUAL(turn_of(loop), before);
    MUST(chmod(directory, 0500) == 0);
    (void)turn_of(loop);
    ONLY("a change", SYS_read);
    EQUAL(calls, 4);
    EQUAL(turn_of(loop), before);
    int watch = rc;
    COUNT(rc = pirn_files_unwatch(&files, watch));
    EQUAL(rc, 0);
    ONLY("pirn_files_unwatch", SYS_inotify_rm_watch);
    COUNT(rc = pirn_files_remove(&files));
    EQUAL(rc, 0);
    ONLY("pirn_files_remove", SYS_close);
    EQUAL(turn_of(loop), before);
    MUST(rmdir(directory) == 0);

    /* A hook makes none at all. */
    struct pirn_io hook;
    struct seen seen = { 0 };
    TAKES(0, pirn_hook_add(loop, PIRN_HOOK_LAST, 0, see_io, &seen, &hook));
    EQUAL(turn_of(loop), before);
    EQUAL(seen.calls, 1);
    COUNT(rc = pirn_io_remove(loop, hook));
    EQUAL(rc, 0);
    EQUAL(counted->total, counted->calls[SYS_getpid]);
    CLOSE(loop);
}

static void test(uint32_t backend)
{
    the_backend = backend;
    run_traced(each_makes_the_calls_that_are_listed);
}

int main(int argc, char **argv)
{
    return run_on_backends(argc, argv, test);
}
