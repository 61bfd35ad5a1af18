/*
 * Counts system calls: the test runs in a process that is traced by its parent, which counts every
 * system call between two marks.
 */
#ifndef TRACED_H
#define TRACED_H

#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/ptrace.h>

#define CALLS 1024
/* System calls that do not exist: the kernel refuses them, the tracer sees them. */
#define BEGIN 20001
#define END 20002

/* Shared by the traced process and its tracer. */
static struct counted {
    long calls[CALLS];
    /* epoll_ctl by its operation. */
    long epoll_ops[4];
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

static void note(long number, unsigned long long second, int *is_counting)
{
    if (number == BEGIN) {
        memset(counted->calls, 0, sizeof counted->calls);
        memset(counted->epoll_ops, 0, sizeof counted->epoll_ops);
        counted->total = 0;
        *is_counting = 1;
    } else if (number == END) {
        *is_counting = 0;
    } else if (*is_counting) {
        counted->total++;
        if (number >= 0 && number < CALLS)
            counted->calls[number]++;
        if (number == SYS_epoll_ctl && second < 4)
            counted->epoll_ops[second]++;
    }
}

/* Follows the traced process to its end, which is the result. */
static int trace(pid_t traced)
{
    int status, is_counting = 0;
    MUST(waitpid(traced, &status, 0) == traced && WIFSTOPPED(status));
    void *options = (void *)(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
    MUST(ptrace(PTRACE_SETOPTIONS, traced, NULL, options) == 0);
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
                note((long)info.entry.nr, info.entry.args[1], &is_counting);
        } else if (WSTOPSIG(status) != SIGSTOP) {
            signal_number = WSTOPSIG(status);
        }
    }
}

/* Counts what the statements take. */
#define COUNT(...) (mark(BEGIN), __VA_ARGS__, mark(END))
/* The statements take so many system calls. */
#define TAKES(count, ...) \
    (COUNT(__VA_ARGS__), \
     same(__FILE__, __LINE__, "system calls of " #__VA_ARGS__, counted->total, count))

/* Runs the claims in a process that is traced, and takes over what they counted. */
static void run_traced(void (*claims)(void))
{
    /* qemu-user has no ptrace. */
    if (ptrace(PTRACE_PEEKDATA, 0, NULL, NULL) < 0 && errno == ENOSYS) {
        printf("%s: skipped: no ptrace\n", context);
        return;
    }
    counted = mmap(NULL, sizeof *counted, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                   0);
    MUST(counted != MAP_FAILED);
    fflush(stdout);
    pid_t traced = fork();
    MUST(traced >= 0);
    if (traced == 0) {
        MUST(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0);
        raise(SIGSTOP);
        claims();
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

#endif
