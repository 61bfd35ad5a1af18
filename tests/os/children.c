/*
 * The end of child processes, and of others.
 *
 * The same claims hold where the kernel has no pidfd, where a sandbox refuses it, and where waitid
 * does not take one: a filter for system calls makes it so, in a process of its own for each.
 */
#include "sources.h"

#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <spawn.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define CHILDREN 1000

static PIRN_STORAGE(block, CHILDREN + 8, 8, 8);

/* The properties of the kernel. */
enum kernel { COMPLETE, WITHOUT_PIDFD, REFUSING_PIDFD, OF_LINUX_5_3, KERNELS };
static const char *const KERNEL_NAMES[] = { "complete", "without pidfd", "refusing pidfd",
                                            "of Linux 5.3" };
static enum kernel the_kernel;

static int is_scanning(void)
{
    return the_kernel == WITHOUT_PIDFD || the_kernel == REFUSING_PIDFD;
}

/* From now on in this process, and its children, `number` is answered with `error`; if its first
 * argument is `first`, or in any case if that is -1. */
static void filter(uint32_t number, int64_t first, uint32_t error)
{
    struct sock_filter with_argument[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)first, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_filter always[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { sizeof always / sizeof *always, always };
    if (first >= 0) {
        program.len = sizeof with_argument / sizeof *with_argument;
        program.filter = with_argument;
    }
    MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    MUST(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

/* ---- children that are watched ---- */

struct watched {
    struct pirn_child child;
    int calls;
    struct pirn_child_status status;
};

static struct watched watched[CHILDREN];
static struct pirn_signal sigchld;

static void on_child(struct pirn_loop *loop, struct pirn_child *child,
                     const struct pirn_child_status *status, void *user)
{
    struct watched *own = user;
    (void)loop;
    own->calls++;
    own->status = *status;
    CHECK(child == &own->child);
    EQUAL(status->size, sizeof *status);
    if (status->status != -EBADF)
        CHECK(child->loop == NULL && child->io.generation == 0 && child->fd == 0);
}

static void on_sigchld(struct pirn_loop *loop, struct pirn_signal *signal,
                       const struct pirn_signal_info *info, void *user)
{
    (void)loop, (void)signal, (void)info, (void)user;
    for (int at = 0; at < CHILDREN; at++)
        if (watched[at].child.loop)
            OK(pirn_child_scan(&watched[at].child));
}

static void watch_sigchld(struct pirn_loop *loop)
{
    uint32_t options = PIRN_SIGNAL_BLOCK | PIRN_UNREF;
    OK(pirn_signal_add(loop, &sigchld, SIGCHLD, options, on_sigchld, NULL));
}

/* What pirn_child_add returns for a process that is no child, if it has to do without pidfd. */
static int refusal(void)
{
    return the_kernel == WITHOUT_PIDFD ? -ENOSYS : -EPERM;
}

static struct pirn_loop *open_children(void)
{
    struct pirn_loop *loop;
    memset(watched, 0, sizeof watched);
    MUST(open_loop(&loop, block, sizeof block, the_backend, 0, 0, 0) == 0);
    if (is_scanning())
        watch_sigchld(loop);
    return loop;
}

/* Sound, ended, no zombie left and no fd. */
static void close_children(struct pirn_loop *loop)
{
    if (is_scanning())
        OK(pirn_signal_remove(&sigchld));
    EQUAL(stats_of(loop).io_used, 0);
    CLOSE(loop);
    errno = 0;
    EQUAL(waitpid(-1, NULL, WNOHANG), -1);
    EQUAL(errno, ECHILD);
}

static int add(struct pirn_loop *loop, int at, pid_t pid, uint32_t options)
{
    options |= PIRN_CHILD_SCAN;
    return pirn_child_add(loop, &watched[at].child, pid, options, on_child, &watched[at]);
}

/* A child that ends at once, with a status or by a signal. */
static pid_t start(int status, int signo)
{
    pid_t pid = fork();
    MUST(pid >= 0);
    if (pid == 0) {
        if (signo) {
            signal(signo, SIG_DFL);
            sigset_t none;
            sigemptyset(&none);
            sigprocmask(SIG_SETMASK, &none, NULL);
            kill(getpid(), signo);
        }
        _exit(status);
    }
    return pid;
}

/* A child that lives until it is killed. */
static pid_t start_sleeper(void)
{
    pid_t pid = fork();
    MUST(pid >= 0);
    if (pid == 0)
        for (;;)
            pause();
    return pid;
}

static void await_zombie(pid_t pid)
{
    siginfo_t info;
    MUST(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0);
}

/* Turns until a child was reported. */
static void await(struct pirn_loop *loop, int at, int calls)
{
    uint64_t begun = monotonic_ns();
    while (watched[at].calls < calls && monotonic_ns() - begun < 5 * SECOND)
        CHECK(pirn_turn(loop, 10 * MILLISECOND) >= 0);
    EQUAL(watched[at].calls, calls);
}

static void was(int at, pid_t pid, int code, int status)
{
    EQUAL(watched[at].calls, 1);
    EQUAL(watched[at].status.pid, pid);
    EQUAL(watched[at].status.code, code);
    EQUAL(watched[at].status.status, status);
}

/* ---- the claims ---- */

static void bad_arguments_are_refused(void)
{
    struct pirn_loop *loop = open_children(), *host;
    struct pirn_child child = { 0 };
    host = open_host();
    pid_t pid = start_sleeper();
    int fds = open_fd_count();
    GIVES(pirn_child_add(NULL, &child, pid, 0, on_child, NULL), -EINVAL);
    GIVES(pirn_child_add(loop, NULL, pid, 0, on_child, NULL), -EINVAL);
    GIVES(pirn_child_add(loop, &child, pid, 0, NULL, NULL), -EINVAL);
    GIVES(pirn_child_add(loop, &child, 0, 0, on_child, NULL), -EINVAL);
    GIVES(pirn_child_add(loop, &child, -1, 0, on_child, NULL), -EINVAL);
    GIVES(pirn_child_add(loop, &child, INT32_MIN, PIRN_CHILD_SCAN, on_child, NULL), -EINVAL);
    GIVES(pirn_child_add(loop, &child, pid, 4, on_child, NULL), -EINVAL);
    GIVES(pirn_child_add(loop, &child, pid, PIRN_EDGE, on_child, NULL), -EINVAL);
    GIVES(pirn_child_add(loop, &child, pid, UINT32_C(0x80000000), on_child, NULL), -EINVAL);
    GIVES(pirn_child_add(host, &child, pid, 0, on_child, NULL), -EOPNOTSUPP);
    /* No such process: numbers end at 2^22. */
    GIVES(pirn_child_add(loop, &child, 1 << 23, PIRN_CHILD_SCAN, on_child, NULL), -ESRCH);
    GIVES(pirn_child_remove(NULL), -EINVAL);
    GIVES(pirn_child_remove(&child), -ENOENT);
    GIVES(pirn_child_scan(NULL), -EINVAL);
    GIVES(pirn_child_scan(&child), -ENOENT);
    EQUAL(child.options, 0);
    /* Without the option that allows it nothing stands in for a pidfd. */
    if (is_scanning())
        GIVES(pirn_child_add(loop, &child, pid, 0, on_child, NULL), refusal());
    OK(add(loop, 0, pid, 0));
    EQUAL(watched[0].child.pid, pid);
    EQUAL(fcntl(watched[0].child.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    GIVES(add(loop, 0, pid, 0), -EEXIST);
    OK(pirn_child_scan(&watched[0].child));
    GIVES(pirn_turn(loop, 0), 0);
    OK(pirn_child_remove(&watched[0].child));
    GIVES(pirn_child_remove(&watched[0].child), -ENOENT);
    EQUAL(open_fd_count(), fds);
    kill(pid, SIGKILL);
    MUST(waitpid(pid, NULL, 0) == pid);
    GIVES(add(loop, 0, pid, 0), -ESRCH);
    CLOSE(host);
    close_children(loop);
}

static void a_thousand_children_at_once(void)
{
    static pid_t pids[CHILDREN];
    int fds = open_fd_count(), gate[2];
    struct pirn_loop *loop = open_children();
    long wrong = 0;
    /* They end together, when the gate is opened, while they are being added. */
    MUST(pipe2(gate, O_CLOEXEC) == 0);
    for (int at = 0; at < CHILDREN; at++) {
        pids[at] = fork();
        MUST(pids[at] >= 0);
        if (pids[at] == 0) {
            char byte;
            close(gate[1]);
            (void)!read(gate[0], &byte, 1);
            if (at % 10 == 9)
                kill(getpid(), SIGKILL);
            _exit(at % 256);
        }
        if (at == CHILDREN / 2)
            close_all(gate, 2);
        if (at > CHILDREN / 2)
            OK(add(loop, at, pids[at], 0));
    }
    for (int at = 0; at <= CHILDREN / 2; at++)
        OK(add(loop, at, pids[at], 0));
    GIVES(pirn_run(loop), PIRN_DONE);
    for (int at = 0; at < CHILDREN; at++) {
        const struct pirn_child_status *status = &watched[at].status;
        int is_killed = at % 10 == 9;
        wrong += watched[at].calls != 1 || status->pid != pids[at];
        wrong += status->code != (is_killed ? CLD_KILLED : CLD_EXITED);
        wrong += status->status != (is_killed ? SIGKILL : at % 256);
    }
    EQUAL(wrong, 0);
    close_children(loop);
    EQUAL(open_fd_count(), fds);
}

/* Another part of the program waits for all children that there are. */
static void others_may_wait_for_any_child(void)
{
    struct pirn_loop *loop = open_children();
    enum { HALF = 40 };
    pid_t own[HALF], foreign[HALF];
    int taken[2 * HALF], taken_count = 0, foreign_count = 0, status;
    pid_t pid;
    for (int at = 0; at < HALF; at++) {
        foreign[at] = start(100 + at, 0);
        own[at] = start(at, 0);
        OK(add(loop, at, own[at], 0));
    }
    /* pirn reaps its own and no other, while the others are there. */
    for (int at = 0; at < HALF / 2; at++)
        await(loop, at, 1);
    do {
        while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
            taken[taken_count++] = pid;
            for (int at = 0; at < HALF; at++)
                if (foreign[at] == pid) {
                    foreign_count++;
                    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 100 + at);
                }
        }
        if (pid < 0)
            EQUAL(errno, ECHILD);
        CHECK(pirn_turn(loop, MILLISECOND) >= 0);
    } while (pid == 0);
    EQUAL(foreign_count, HALF);
    if (is_scanning())
        on_sigchld(loop, NULL, NULL, NULL);
    GIVES(pirn_run(loop), PIRN_DONE);
    for (int at = 0; at < HALF; at++) {
        int was_taken = 0;
        for (int other = 0; other < taken_count; other++)
            was_taken |= taken[other] == own[at];
        if (was_taken)
            was(at, own[at], 0, 0);
        else
            was(at, own[at], CLD_EXITED, at);
    }
    close_children(loop);
}

static void a_child_that_has_ended_before_is_reported(void)
{
    struct pirn_loop *loop = open_children();
    pid_t pid = start(7, 0), killed = start(0, SIGTERM);
    await_zombie(pid);
    await_zombie(killed);
    CHECK(pirn_turn(loop, 0) >= 0);
    CHECK(pirn_turn(loop, 0) >= 0);
    OK(add(loop, 0, pid, 0));
    OK(add(loop, 1, killed, 0));
    GIVES(pirn_run(loop), PIRN_DONE);
    was(0, pid, CLD_EXITED, 7);
    was(1, killed, CLD_KILLED, SIGTERM);
    close_children(loop);
}

static void a_child_can_be_kept(void)
{
    struct pirn_loop *loop = open_children();
    pid_t pid = start(9, 0);
    int status;
    OK(add(loop, 0, pid, PIRN_CHILD_KEEP));
    GIVES(pirn_run(loop), PIRN_DONE);
    was(0, pid, CLD_EXITED, 9);
    EQUAL(waitpid(pid, &status, WNOHANG), pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 9);
    close_children(loop);
}

static void a_process_that_is_no_child_can_be_watched(void)
{
    struct pirn_loop *loop = open_children();
    int numbers[2];
    pid_t stranger;
    MUST(pipe2(numbers, O_CLOEXEC) == 0);
    pid_t child = fork();
    MUST(child >= 0);
    if (child == 0) {
        stranger = start_sleeper();
        _exit(write(numbers[1], &stranger, sizeof stranger) != sizeof stranger);
    }
    MUST(read(numbers[0], &stranger, sizeof stranger) == sizeof stranger);
    MUST(waitpid(child, NULL, 0) == child);
    if (is_scanning()) {
        GIVES(add(loop, 0, stranger, 0), refusal());
        kill(stranger, SIGKILL);
    } else {
        OK(add(loop, 0, stranger, 0));
        GIVES(pirn_turn(loop, 0), 0);
        kill(stranger, SIGKILL);
        await(loop, 0, 1);
        was(0, stranger, 0, 0);
    }
    close_all(numbers, 2);
    close_children(loop);
}

static void a_child_that_nobody_waits_for_is_reported_without_status(void)
{
    struct pirn_loop *loop = open_children();
    struct sigaction ignore, before;
    memset(&ignore, 0, sizeof ignore);
    ignore.sa_handler = SIG_IGN;
    MUST(sigaction(SIGCHLD, &ignore, &before) == 0);
    pid_t pid = start_sleeper();
    OK(add(loop, 0, pid, 0));
    kill(pid, SIGKILL);
    /* An ignored signal is not sent for children that the kernel reaps itself. */
    uint64_t begun = monotonic_ns();
    while (watched[0].calls == 0 && monotonic_ns() - begun < 5 * SECOND) {
        CHECK(pirn_turn(loop, MILLISECOND) >= 0);
        if (is_scanning() && watched[0].child.loop)
            OK(pirn_child_scan(&watched[0].child));
    }
    was(0, pid, 0, 0);
    MUST(sigaction(SIGCHLD, &before, NULL) == 0);
    close_children(loop);
}

/* ---- as a source ---- */

static void a_removed_child_is_not_reported(void)
{
    struct pirn_loop *loop = open_children();
    pid_t pid = start_sleeper(), other = start(3, 0);
    OK(add(loop, 0, pid, 0));
    OK(add(loop, 1, other, 0));
    OK(pirn_child_remove(&watched[0].child));
    kill(pid, SIGKILL);
    await_zombie(pid);
    GIVES(pirn_run(loop), PIRN_DONE);
    EQUAL(watched[0].calls, 0);
    was(1, other, CLD_EXITED, 3);
    EQUAL(waitpid(pid, NULL, WNOHANG), pid);
    close_children(loop);
}

static void remove_the_other(struct pirn_loop *loop, struct pirn_child *child,
                             const struct pirn_child_status *status, void *user)
{
    (void)loop, (void)child, (void)status;
    struct watched *other = user;
    OK(pirn_child_remove(&other->child));
    EQUAL(waitpid(other->status.pid, NULL, 0), other->status.pid);
    other->calls++;
}

static void removing_another_in_a_callback_ends_it(void)
{
    struct pirn_loop *loop = open_children();
    uint32_t options = PIRN_CHILD_SCAN;
    pid_t first = start(0, 0), second = start(0, 0);
    await_zombie(first);
    await_zombie(second);
    watched[0].status.pid = first;
    watched[1].status.pid = second;
    OK(pirn_child_add(loop, &watched[0].child, first, options, remove_the_other, &watched[1]));
    OK(pirn_child_add(loop, &watched[1].child, second, options, remove_the_other, &watched[0]));
    GIVES(pirn_run(loop), PIRN_DONE);
    EQUAL(watched[0].calls + watched[1].calls, 1);
    close_children(loop);
}

static int restarts;

static void restart(struct pirn_loop *loop, struct pirn_child *child,
                    const struct pirn_child_status *status, void *user)
{
    EQUAL(status->status, 20 + restarts);
    if (++restarts < 5)
        OK(pirn_child_add(loop, child, start(20 + restarts, 0), PIRN_CHILD_SCAN, restart, user));
}

static void a_child_can_be_started_again_in_its_callback(void)
{
    static PIRN_STORAGE(full_block, 2, 1, 1);
    struct pirn_loop *loop;
    memset(watched, 0, sizeof watched);
    MUST(open_loop(&loop, full_block, sizeof full_block, the_backend, 0, 0, 0) == 0);
    restarts = 0;
    /* The loop is full: the slot of a child that is reported is free. */
    watch_sigchld(loop);
    struct pirn_child *child = &watched[0].child;
    OK(pirn_child_add(loop, child, start(20, 0), PIRN_CHILD_SCAN, restart, NULL));
    GIVES(add(loop, 1, getppid(), 0), is_scanning() ? refusal() : -ENOSPC);
    GIVES(pirn_run(loop), PIRN_DONE);
    EQUAL(restarts, 5);
    OK(pirn_signal_remove(&sigchld));
    CLOSE(loop);
}

static void its_handle_is_that_of_a_watcher(void)
{
    struct pirn_loop *loop = open_children();
    pid_t pid = start_sleeper(), high = start_sleeper();
    OK(add(loop, 0, pid, PIRN_UNREF));
    OK(add(loop, 1, high, PIRN_HIGH | PIRN_UNREF));
    GIVES(pirn_run(loop), PIRN_DONE);
    OK(pirn_io_modify(loop, watched[0].child.io, 0));
    kill(pid, SIGKILL);
    await_zombie(pid);
    settle(loop, 4);
    EQUAL(watched[0].calls, 0);
    OK(pirn_io_modify(loop, watched[0].child.io, PIRN_READ));
    kill(high, SIGKILL);
    await_zombie(high);
    if (is_scanning())
        on_sigchld(loop, NULL, NULL, NULL);
    OK(pirn_limit(loop, 1, 0));
    while (watched[0].calls + watched[1].calls == 0)
        CHECK(pirn_turn(loop, SECOND) >= 0);
    was(1, high, CLD_KILLED, SIGKILL);
    OK(pirn_limit(loop, 0, 0));
    await(loop, 0, 1);
    was(0, pid, CLD_KILLED, SIGKILL);
    close_children(loop);
}

/* In a copy of the loop the parent's children are strangers. */
static void a_copy_of_the_loop_reaps_nothing(void)
{
    struct pirn_loop *loop = open_children();
    int to_child[2];
    char byte = 0;
    pid_t pid = start_sleeper();
    MUST(pipe2(to_child, O_CLOEXEC) == 0);
    OK(add(loop, 0, pid, 0));
    pid_t copy = begin_copy();
    if (copy == 0) {
        GIVES(pirn_child_remove(&watched[0].child), -ECHILD);
        OK(pirn_after_fork(loop));
        close(to_child[1]);
        EQUAL(read(to_child[0], &byte, 1), 0);
        if (is_scanning())
            OK(pirn_child_scan(&watched[0].child));
        await(loop, 0, 1);
        was(0, pid, 0, 0);
        close_children(loop);
        end_copy(copy);
    }
    kill(pid, SIGKILL);
    await(loop, 0, 1);
    was(0, pid, CLD_KILLED, SIGKILL);
    close_all(to_child, 2);
    end_copy(copy);
    close_children(loop);
}

static void a_lost_fd_is_reported(void)
{
    struct pirn_loop *loop = open_children();
    pid_t pid = start_sleeper();
    OK(add(loop, 0, pid, 0));
    close(watched[0].child.fd);
    settle(loop, 4);
    if (watched[0].calls > 0) {
        was(0, pid, 0, -EBADF);
        EQUAL(watched[0].child.fd, -1);
        OK(pirn_child_scan(&watched[0].child));
    } else {
        CHECK(the_backend == PIRN_BACKEND_EPOLL);
    }
    OK(pirn_child_remove(&watched[0].child));
    kill(pid, SIGKILL);
    MUST(waitpid(pid, NULL, 0) == pid);
    close_children(loop);
}

/* ---- by pidfd ---- */

static int start_with_pidfd(int status)
{
    int pidfd = -1;
    struct clone_args arguments;
    memset(&arguments, 0, sizeof arguments);
    /* No signal when it ends: waitid finds such a child only with __WALL. */
    arguments.flags = CLONE_PIDFD;
    arguments.pidfd = (uintptr_t)&pidfd;
    long pid = syscall(SYS_clone3, &arguments, sizeof arguments);
    MUST(pid >= 0);
    if (pid == 0)
        _exit(status);
    return pidfd;
}

static void a_child_can_be_added_by_its_pidfd(void)
{
    struct pirn_loop *loop = open_children();
    struct pirn_child *child = &watched[0].child;
    int fds = open_fd_count(), pipe_fds[2];
    GIVES(pirn_child_add_fd(loop, child, -1, 0, on_child, NULL), -EBADF);
    GIVES(pirn_child_add_fd(loop, child, 4000, 0, on_child, NULL), -EBADF);
    MUST(pipe(pipe_fds) == 0);
    GIVES(pirn_child_add_fd(loop, child, pipe_fds[0], 0, on_child, NULL), -EBADF);
    close_all(pipe_fds, 2);
    int pidfd = start_with_pidfd(33);
    GIVES(pirn_child_add_fd(loop, child, pidfd, 0, NULL, NULL), -EINVAL);
    GIVES(pirn_child_add_fd(loop, child, pidfd, PIRN_CHILD_SCAN, on_child, NULL), -EINVAL);
    CHECK(fcntl(pidfd, F_GETFD) >= 0);
    OK(pirn_child_add_fd(loop, child, pidfd, 0, on_child, &watched[0]));
    GIVES(pirn_child_add_fd(loop, child, pidfd, 0, on_child, NULL), -EEXIST);
    GIVES(pirn_run(loop), PIRN_DONE);
    EQUAL(watched[0].calls, 1);
    CHECK(watched[0].status.pid > 0);
    EQUAL(watched[0].status.code, CLD_EXITED);
    EQUAL(watched[0].status.status, 33);
    EQUAL(open_fd_count(), fds);
    close_children(loop);
}

static void test_with_kernel(void)
{
    bad_arguments_are_refused();
    a_thousand_children_at_once();
    others_may_wait_for_any_child();
    a_child_that_has_ended_before_is_reported();
    a_child_can_be_kept();
    a_process_that_is_no_child_can_be_watched();
    a_child_that_nobody_waits_for_is_reported_without_status();
    a_removed_child_is_not_reported();
    removing_another_in_a_callback_ends_it();
    a_child_can_be_started_again_in_its_callback();
    its_handle_is_that_of_a_watcher();
    a_copy_of_the_loop_reaps_nothing();
    a_lost_fd_is_reported();
    if (the_kernel == COMPLETE)
        a_child_can_be_added_by_its_pidfd();
}

static void test(uint32_t backend)
{
    struct rlimit files;
    the_backend = backend;
    MUST(getrlimit(RLIMIT_NOFILE, &files) == 0);
    files.rlim_cur = files.rlim_max < 4096 ? files.rlim_max : 4096;
    MUST(setrlimit(RLIMIT_NOFILE, &files) == 0);
    for (the_kernel = COMPLETE; the_kernel < KERNELS; the_kernel++) {
        int status;
        fflush(stdout);
        pid_t child = fork();
        MUST(child >= 0);
        if (child == 0) {
            char name[64];
            snprintf(name, sizeof name, "%s, kernel %s", context, KERNEL_NAMES[the_kernel]);
            context = name;
            alarm(60);
            if (the_kernel == WITHOUT_PIDFD)
                filter(SYS_pidfd_open, -1, ENOSYS);
            if (the_kernel == REFUSING_PIDFD)
                filter(SYS_pidfd_open, -1, EPERM);
            if (the_kernel == OF_LINUX_5_3)
                filter(SYS_waitid, 3, EINVAL);
            test_with_kernel();
            fflush(stdout);
            _exit(failure_count != 0);
        }
        MUST(waitpid(child, &status, 0) == child);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
}

int main(int argc, char **argv)
{
    return run_on_backends(argc, argv, test);
}
