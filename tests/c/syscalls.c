/*
 * Which system calls pirn makes, and how many. The test runs in a process that is traced by its parent, which counts every system call
 * between two marks.
 */
#include "test.h"

#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

DECLARE_BLOCK(block);
static uint32_t the_backend;

/* ---- counting ---- */

#define CALLS 1024
/* System calls that do not exist: the kernel refuses them, the tracer sees them. */
#define BEGIN 20001
#define END 20002

/* Shared by the traced process and its tracer. */
static struct counted {
    long calls[CALLS];
    long total;
    long check_count;
    long failure_count;
} *counted;

static void mark(long number)
{
    int saved = errno;
    (void)syscall(number);
    errno = saved;
}

static void note(long number, int *is_counting)
{
    if (number == BEGIN) {
        memset(counted->calls, 0, sizeof counted->calls);
        counted->total = 0;
        *is_counting = 1;
    } else if (number == END) {
        *is_counting = 0;
    } else if (*is_counting) {
        counted->total++;
        if (number >= 0 && number < CALLS)
            counted->calls[number]++;
    }
}

/* Follows the traced process to its end, which is the result. */
static int trace(pid_t traced)
{
    int status, is_counting = 0;
    MUST(waitpid(traced, &status, 0) == traced && WIFSTOPPED(status));
    MUST(ptrace(PTRACE_SETOPTIONS, traced, NULL, (void *)(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL)) == 0);
    intptr_t signal_number = 0;
    for (;;) {
        MUST(ptrace(PTRACE_SYSCALL, traced, NULL, (void *)signal_number) == 0);
        MUST(waitpid(traced, &status, 0) == traced);
        if (!WIFSTOPPED(status))
            return status;
        signal_number = 0;
        if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
            struct __ptrace_syscall_info info;
            MUST(ptrace(PTRACE_GET_SYSCALL_INFO, traced, (void *)sizeof info, &info) > 0);
            if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
                note((long)info.entry.nr, &is_counting);
        } else if (WSTOPSIG(status) != SIGSTOP) {
            signal_number = WSTOPSIG(status);
        }
    }
}

/* Counts what the statements take. */
#define COUNT(...) (mark(BEGIN), __VA_ARGS__, mark(END))
/* The statements take so many system calls. */
#define TAKES(count, ...) (COUNT(__VA_ARGS__), same(__FILE__, __LINE__, "system calls of " #__VA_ARGS__, counted->total, count))

/* ---- the pollable fd ---- */

/* A turn that changes no deadline leaves the timerfd alone, whatever ended the wait. */
static void turns_leave_the_alarm_alone(void)
{
    struct pirn_loop *loop;
    struct pirn_timer timer;
    struct seen seen = { 0 };
    int fds[2];
    char byte;
    if (the_backend != PIRN_BACKEND_EPOLL)
        return;
    MUST(pipe2(fds, O_NONBLOCK | O_CLOEXEC) == 0);
    OPEN(loop, block, the_backend);
    OK(pirn_timer_start(loop, 1000 * SECOND, 0, 0, see_timer, &seen, &timer));
    OK(pirn_io_add(loop, fds[0], PIRN_READ, see_io, &seen, NULL));
    struct pollfd poll_fd = { .fd = pirn_fd(loop), .events = POLLIN };
    settle(loop, 3);
    for (int turn = 0; turn < 5; turn++) {
        COUNT(pirn_remote_post(loop, see_task, &seen), poll(&poll_fd, 1, 1000), pirn_turn(loop, 0));
        EQUAL(counted->calls[SYS_timerfd_settime], 0);
        EQUAL(seen.calls, 2 * turn + 1);
        MUST(write(fds[1], "x", 1) == 1);
        COUNT(poll(&poll_fd, 1, 1000), pirn_turn(loop, 0));
        EQUAL(counted->calls[SYS_timerfd_settime], 0);
        EQUAL(seen.calls, 2 * turn + 2);
        MUST(read(fds[0], &byte, 1) == 1);
    }
    /* A deadline pushed back leaves it too: the loop wakes once too early. */
    COUNT(pirn_timer_again(loop, timer, 2000 * SECOND), pirn_turn(loop, 0));
    EQUAL(counted->calls[SYS_timerfd_settime], 0);
    /* An earlier one does not, once. */
    COUNT(pirn_timer_again(loop, timer, 500 * SECOND), pirn_turn(loop, 0));
    EQUAL(counted->calls[SYS_timerfd_settime], 1);
    COUNT(pirn_turn(loop, 0));
    EQUAL(counted->calls[SYS_timerfd_settime], 0);
    CLOSE(loop);
    close_all(fds, 2);
}

/* ---- in a process that is traced ---- */

static void all(void)
{
    turns_leave_the_alarm_alone();
    CHECK(counted != NULL);
}

static void test(uint32_t backend)
{
    the_backend = backend;
    counted = mmap(NULL, sizeof *counted, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    MUST(counted != MAP_FAILED);
    fflush(stdout);
    pid_t traced = fork();
    MUST(traced >= 0);
    if (traced == 0) {
        MUST(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0);
        raise(SIGSTOP);
        all();
        counted->check_count = check_count;
        counted->failure_count = failure_count;
        fflush(stdout);
        _exit(failure_count != 0);
    }
    int status = trace(traced);
    check_count += counted->check_count;
    failure_count += counted->failure_count;
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(int argc, char **argv)
{
    return run_on_backends(argc, argv, test);
}
