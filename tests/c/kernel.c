/*
 * What the kernel refuses is passed on, once, and leaves everything as it was: old kernels and
 * containers that lack a system call, waits and changes that fail. Seccomp plays the kernel, each
 * time in a process of its own. T99, T101, T103, T107, T150.
 */
#include "test.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

/* Machines that came later never had the older calls. */
#ifndef SYS_poll
#define SYS_poll SYS_ppoll
#endif
#ifndef SYS_select
#define SYS_select SYS_pselect6
#define SYS_epoll_wait SYS_epoll_pwait
#define SYS_eventfd SYS_eventfd2
#endif

DECLARE_BLOCK(block);
static uint32_t the_backend;

/* From now on these system calls fail so. */
static void refuse(const int *numbers, size_t count, int error)
{
    struct sock_filter rules[32];
    unsigned short length = 0;
    MUST(count < 12);
    rules[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                                   offsetof(struct seccomp_data, nr));
    for (size_t at = 0; at < count; at++) {
        rules[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
                                                       (uint32_t)numbers[at], 0, 1);
        rules[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
                                                       SECCOMP_RET_ERRNO | (uint32_t)error);
    }
    rules[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = { .len = length, .filter = rules };
    MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    MUST(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

#define REFUSE(error, ...) \
    do { \
        const int numbers[] = { __VA_ARGS__ }; \
        refuse(numbers, sizeof numbers / sizeof *numbers, error); \
    } while (0)

/* From now on epoll_ctl fails so when it is to do this. */
static void refuse_change(uint32_t operation, int error)
{
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_epoll_ctl, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, operation, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { .len = sizeof rules / sizeof *rules, .filter = rules };
    MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    MUST(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

/* A kernel can be crippled, and not healed: each scenario has its own process. */
#define SCENARIO(...) \
    do { \
        int status_ = -1; \
        fflush(stdout); \
        pid_t child_ = fork(); \
        MUST(child_ >= 0); \
        if (child_ == 0) { \
            failure_count = 0; \
            alarm(20); \
            __VA_ARGS__ \
            fflush(stdout); \
            _exit(failure_count != 0); \
        } \
        MUST(waitpid(child_, &status_, 0) == child_); \
        CHECK(WIFEXITED(status_) && WEXITSTATUS(status_) == 0); \
    } while (0)

/* T150: auto takes the best that works, and says so when nothing does. */
static void chooses(int want)
{
    struct pirn_loop *loop = NULL;
    struct seen seen = { 0 };
    int before = open_fd_count();
    int result = open_loop(&loop, block, sizeof block, PIRN_BACKEND_AUTO, 0, 0, 0);
    if (want < 0) {
        EQUAL(result, want);
        CHECK(loop == NULL);
    } else if (EQUAL(result, 0)) {
        EQUAL(pirn_backend(loop), want);
        OK(pirn_timer_start(loop, MILLISECOND, 0, 0, see_timer, &seen, NULL));
        GIVES(pirn_run(loop), PIRN_DONE);
        EQUAL(seen.calls, 1);
        OK(pirn_verify(loop));
        OK(pirn_deinit(loop));
    }
    EQUAL(open_fd_count(), before);
}

static void auto_takes_the_best_that_works(void)
{
    SCENARIO(chooses(PIRN_BACKEND_EPOLL););
    static const int errors[] = { ENOSYS, EPERM };
    for (int at = 0; at < 2; at++) {
        int error = errors[at];
        SCENARIO(REFUSE(error, SYS_epoll_create1); chooses(PIRN_BACKEND_POLL););
        SCENARIO(REFUSE(error, SYS_epoll_pwait, SYS_epoll_wait); chooses(PIRN_BACKEND_POLL););
        SCENARIO(REFUSE(error, SYS_epoll_ctl); chooses(PIRN_BACKEND_POLL););
        SCENARIO(REFUSE(error, SYS_epoll_pwait2); chooses(PIRN_BACKEND_EPOLL););
        SCENARIO(REFUSE(error, SYS_epoll_create1, SYS_ppoll, SYS_poll);
                 chooses(PIRN_BACKEND_SELECT););
        SCENARIO(REFUSE(error, SYS_epoll_create1, SYS_ppoll, SYS_poll, SYS_pselect6, SYS_select);
                 chooses(-EOPNOTSUPP););
        /* The wake object is needed by all. */
        SCENARIO(REFUSE(error, SYS_eventfd2, SYS_eventfd); chooses(-EOPNOTSUPP););
    }
    /* epoll needs most. */
    SCENARIO(REFUSE(EMFILE, SYS_epoll_create1); chooses(PIRN_BACKEND_POLL););
    SCENARIO(REFUSE(ENOMEM, SYS_epoll_ctl); chooses(PIRN_BACKEND_POLL););
    SCENARIO(REFUSE(ENFILE, SYS_eventfd2); chooses(-ENFILE););
    static const int with_free_fds[] = { -EMFILE, PIRN_BACKEND_POLL, PIRN_BACKEND_EPOLL };
    for (int count = 0; count <= 2; count++)
        SCENARIO({
            struct rlimit few = { .rlim_cur = 64, .rlim_max = 4096 };
            int last = 0;
            MUST(setrlimit(RLIMIT_NOFILE, &few) == 0);
            for (int fd = dup(0); fd >= 0; fd = dup(0))
                last = fd;
            for (int freed = 0; freed < count; freed++)
                close(last - freed);
            chooses(with_free_fds[count]);
        });
}

/* T99: named, it is taken or refused with what the kernel said; no fd stays open. */
static void a_named_backend_says_what_is_missing(void)
{
    static const int errors[] = { ENOSYS, EPERM, ENOMEM, EMFILE, ENFILE };
    int calls[5], count = 0;
    switch (the_backend) {
    case PIRN_BACKEND_SELECT:
        calls[count++] = SYS_pselect6;
        break;
    case PIRN_BACKEND_POLL:
        calls[count++] = SYS_ppoll;
        break;
    case PIRN_BACKEND_EPOLL:
        calls[count++] = SYS_epoll_create1;
        calls[count++] = SYS_epoll_ctl;
        calls[count++] = SYS_epoll_pwait;
        break;
    default:
        return;
    }
    calls[count++] = SYS_eventfd2;
    for (int at = 0; at < count; at++)
        for (size_t of = 0; of < sizeof errors / sizeof *errors; of++)
            SCENARIO({
                struct pirn_loop *loop = NULL;
                int before = open_fd_count();
                refuse(&calls[at], 1, errors[of]);
                EQUAL(open_loop(&loop, block, sizeof block, the_backend, 0, 0, 0), -errors[of]);
                CHECK(loop == NULL);
                EQUAL(open_fd_count(), before);
            });
}

/*
 * T103: a wait that fails for good ends the run, with what the kernel said; nothing spins, nothing
 * is lost, and it can be run again.
 */
static void a_failing_wait_ends_the_run(void)
{
    static const int errors[] = { EBADF, EINVAL, ENOMEM, EFAULT, EPERM, ENOSYS };
    if (the_backend == PIRN_BACKEND_HOST)
        return;
    for (size_t of = 0; of < sizeof errors / sizeof *errors; of++) {
        SCENARIO({
            struct pirn_loop *loop = NULL;
            struct seen seen = { 0 };
            struct pirn_io io;
            int fds[2];
            uint64_t cpu;
            MUST(pipe2(fds, O_NONBLOCK) == 0);
            OPEN(loop, block, the_backend);
            OK(pirn_io_add(loop, fds[0], PIRN_READ, see_io, &seen, &io));
            OK(pirn_timer_start(loop, 5 * MILLISECOND, 0, 0, see_timer, &seen, NULL));
            cpu = process_cpu_ns();
            REFUSE(errors[of], SYS_epoll_pwait, SYS_epoll_pwait2, SYS_ppoll, SYS_pselect6);
            /*
             * select takes EBADF as a hint that one of the fds is closed, and looks for it, once.
             */
            if (the_backend == PIRN_BACKEND_SELECT && errors[of] == EBADF)
                GIVES(pirn_turn(loop, SECOND), 0);
            for (int again = 0; again < 3; again++) {
                GIVES(pirn_run(loop), -errors[of]);
                GIVES(pirn_turn(loop, SECOND), -errors[of]);
                GIVES(pirn_run_until(loop, pirn_update(loop) + SECOND), -errors[of]);
            }
            CHECK(process_cpu_ns() - cpu < SECOND);
            OK(pirn_verify(loop));
            /* What needs no wait is served by hand. */
            while (monotonic_ns() < pirn_deadline(loop))
                (void)pirn_update(loop);
            (void)pirn_update(loop);
            GIVES(pirn_dispatch(loop), 1);
            EQUAL(seen.calls, 1);
            OK(pirn_io_remove(loop, io));
            OK(pirn_deinit(loop));
        });
    }
}

/* T101: an fd that the kernel will not take leaves no trace. */
static void a_refused_fd_leaves_no_trace(void)
{
    /* The kernel's limit of watches is not that of the loop's slots. */
    static const int errors[] = { ENOSPC, ENOMEM, ELOOP };
    static const int told[] = { -EDQUOT, -ENOMEM, -ELOOP };
    if (the_backend != PIRN_BACKEND_EPOLL)
        return;
    for (size_t of = 0; of < sizeof errors / sizeof *errors; of++)
        SCENARIO({
            struct pirn_loop *loop = NULL;
            struct seen seen = { 0 };
            struct pirn_io io = { 77, 88 };
            int fds[2];
            MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
            OPEN(loop, block, the_backend);
            OK(pirn_io_add(loop, fds[0], PIRN_WRITE, see_io, &seen, NULL));
            refuse_change(EPOLL_CTL_ADD, errors[of]);
            for (int again = 0; again < 2 * IO; again++)
                GIVES(pirn_io_add(loop, fds[1], PIRN_WRITE, see_io, &seen, &io), told[of]);
            CHECK(io.slot == 77 && io.generation == 88);
            EQUAL(stats_of(loop).io_used, 1);
            OK(pirn_verify(loop));
            GIVES(pirn_turn(loop, SECOND), 1);
            EQUAL(seen.fd, fds[0]);
            OK(pirn_deinit(loop));
        });
}

/*
 * T102: a change that the kernel refuses is told: at once by who adds, later to who modified; that
 * one then rests, and can go.
 */
static void a_refused_change_is_told(void)
{
    if (the_backend != PIRN_BACKEND_EPOLL)
        return;
    SCENARIO({
        struct pirn_loop *loop = NULL;
        struct seen seen = { 0 };
        struct seen other = { 0 };
        struct pirn_io io = { 77, 88 };
        struct pirn_io old;
        int fds[2];
        MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
        OPEN(loop, block, the_backend);
        OK(pirn_io_add(loop, fds[0], PIRN_WRITE, see_io, &seen, &old));
        OK(pirn_io_add(loop, fds[1], PIRN_WRITE, see_io, &other, NULL));
        refuse_change(EPOLL_CTL_MOD, ENOMEM);
        GIVES(pirn_io_add(loop, fds[0], PIRN_READ, see_io, &seen, &io), -ENOMEM);
        CHECK(io.slot == 77 && io.generation == 88);
        EQUAL(stats_of(loop).io_used, 2);
        OK(pirn_verify(loop));
        GIVES(pirn_turn(loop, SECOND), 2);
        EQUAL(seen.ready, PIRN_WRITE);
        OK(pirn_io_modify(loop, old, PIRN_READ));
        GIVES(pirn_turn(loop, SECOND), 2);
        EQUAL(seen.ready, PIRN_INVALID);
        for (int turn = 0; turn < 5; turn++)
            GIVES(pirn_turn(loop, SECOND), 1);
        EQUAL(seen.calls, 2);
        EQUAL(other.calls, 7);
        OK(pirn_io_remove(loop, old));
        EQUAL(stats_of(loop).io_used, 1);
        OK(pirn_verify(loop));
        OK(pirn_deinit(loop));
    });
}

/*
 * A wait that is interrupted for ever is an empty wait for ever: no error, and timers still fire.
 */
static void an_endless_interruption_is_no_error(void)
{
    if (the_backend == PIRN_BACKEND_HOST)
        return;
    SCENARIO({
        struct pirn_loop *loop = NULL;
        struct seen seen = { 0 };
        OPEN(loop, block, the_backend);
        OK(pirn_timer_start(loop, 5 * MILLISECOND, 0, 0, see_timer, &seen, NULL));
        REFUSE(EINTR, SYS_epoll_pwait, SYS_epoll_pwait2, SYS_ppoll, SYS_pselect6);
        GIVES(pirn_run(loop), PIRN_DONE);
        EQUAL(seen.calls, 1);
        OK(pirn_hold(loop));
        GIVES(pirn_run_until(loop, pirn_update(loop) + 5 * MILLISECOND), PIRN_EXPIRED);
        OK(pirn_deinit(loop));
    });
}

/* While the loop is awake a post needs no system call, and none can fail. */
static void a_post_to_a_loop_that_is_awake_needs_no_kernel(void)
{
    if (the_backend == PIRN_BACKEND_HOST)
        return;
    SCENARIO({
        struct pirn_loop *loop = NULL;
        struct seen seen = { 0 };
        OPEN(loop, block, the_backend);
        REFUSE(EBADF, SYS_write, SYS_eventfd2, SYS_epoll_ctl, SYS_fcntl);
        for (int at = 0; at < 3; at++)
            OK(pirn_remote_post(loop, see_task, &seen));
        GIVES(pirn_turn(loop, PIRN_FOREVER), 3);
        EQUAL(seen.calls, 3);
        EQUAL(stats_of(loop).wake_writes, 0);
        OK(pirn_deinit(loop));
    });
}

static void test(uint32_t backend)
{
    the_backend = backend;
    auto_takes_the_best_that_works();
    a_named_backend_says_what_is_missing();
    a_failing_wait_ends_the_run();
    a_refused_fd_leaves_no_trace();
    a_refused_change_is_told();
    an_endless_interruption_is_no_error();
    a_post_to_a_loop_that_is_awake_needs_no_kernel();
}

int main(int argc, char **argv)
{
    return run_on_backends(argc, argv, test);
}
