/*
 * What every test program here shares: claims, backends, and the line at the end that says how much
 * was checked.
 *
 * A failed claim is printed and counted; the program goes on, and ends with status 1. Each backend
 * runs in a process of its own, so that one that crashes or hangs does not hide the others.
 * c_api.rs expects a line `<backend>: ok, <n> checks` for each.
 */
#ifndef TEST_H
#define TEST_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <pirn.h>

#define MILLISECOND UINT64_C(1000000)
#define SECOND UINT64_C(1000000000)
/* No call of pirn writes this into errno. */
#define UNTOUCHED 4242
/* On other machines than these the library calls the C library, which changes errno. */
#if defined(__x86_64__) || defined(__i386__) || defined(__aarch64__) || defined(__arm__) \
    || (defined(__riscv) && __riscv_xlen == 64)
#define LEAVES_ERRNO 1
#else
#define LEAVES_ERRNO 0
#endif
/* How the library sets a timerfd: with 64-bit times, also where others have 32 bits. */
#ifdef SYS_timerfd_settime64
#define SET_ALARM SYS_timerfd_settime64
#else
#define SET_ALARM SYS_timerfd_settime
#endif

static long check_count;
static long failure_count;
static const char *context = "";

static inline void failed(const char *file, int line, const char *claim)
{
    failure_count++;
    printf("%s:%d: not so [%s]: %s\n", file, line, context, claim);
}

/*
 * A claim. Its value is whether it holds, so that what makes no sense without it can be left out.
 */
#define CHECK(claim) (check_count++, (claim) ? 1 : (failed(__FILE__, __LINE__, #claim), 0))

/* What must not be reached. */
#define FAIL(what) (check_count++, failed(__FILE__, __LINE__, what))

static inline int same(const char *file, int line, const char *call, long long got, long long want)
{
    check_count++;
    if (got == want)
        return 1;
    failure_count++;
    printf("%s:%d: [%s] %s gives %lld, not %lld\n", file, line, context, call, got, want);
    return 0;
}

#define EQUAL(got, want) same(__FILE__, __LINE__, #got, (long long)(got), (long long)(want))

static inline int pirn_gave(const char *file, int line, const char *call, long long got,
                            long long want, int errno_after)
{
    check_count++;
    if (LEAVES_ERRNO && errno_after != UNTOUCHED) {
        failure_count++;
        printf("%s:%d: [%s] %s changed errno to %d\n", file, line, context, call, errno_after);
    }
    return same(file, line, call, got, want);
}

static long long given_result;

/* A call of pirn, what it must return, and that errno is left alone (torture 117). */
#define GIVES(call, want) \
    (errno = UNTOUCHED, given_result = (long long)(call), \
     pirn_gave(__FILE__, __LINE__, #call, given_result, (long long)(want), errno))

/* The same for a call that needs no comment on success. */
#define OK(call) (GIVES(call, 0))

/* A step of the test itself, not of the library: without it there is nothing to test. */
#define MUST(claim) \
    do { \
        if (!(claim)) { \
            printf("%s:%d: the test cannot go on: %s (%s)\n", __FILE__, __LINE__, #claim, \
                   strerror(errno)); \
            fflush(stdout); \
            _exit(2); \
        } \
    } while (0)

static inline uint64_t monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

static inline uint64_t process_cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

/* A small generator, seeded alike in every run: xorshift64*. */
static uint64_t random_state = UINT64_C(0x9e3779b97f4a7c15);

static inline uint64_t random_word(void)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return random_state * UINT64_C(0x2545f4914f6cdd1d);
}

static inline int open_fd_count(void)
{
    int count = 0;
    for (int fd = 0; fd < 4096; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static inline void close_all(int *fds, size_t count)
{
    for (size_t at = 0; at < count; at++)
        if (fds[at] >= 0)
            close(fds[at]);
}

/* ---- callbacks that count ---- */

struct seen {
    long calls;
    int fd;
    uint32_t ready;
    uint32_t all_ready;
    uint64_t missed;
};

static inline void see_io(struct pirn_loop *loop, struct pirn_io io, int fd, uint32_t ready,
                          void *user)
{
    struct seen *seen = user;
    (void)loop;
    (void)io;
    CHECK(ready != 0);
    if (seen) {
        seen->calls++;
        seen->fd = fd;
        seen->ready = ready;
        seen->all_ready |= ready;
    }
}

static inline void see_timer(struct pirn_loop *loop, struct pirn_timer timer, uint64_t missed,
                             void *user)
{
    struct seen *seen = user;
    (void)loop;
    (void)timer;
    if (seen) {
        seen->calls++;
        seen->missed = missed;
    }
}

static inline void see_task(struct pirn_loop *loop, void *user)
{
    struct seen *seen = user;
    (void)loop;
    if (seen)
        seen->calls++;
}

/* ---- backends ---- */

#include "host.h"

static const char *const BACKEND_NAMES[] = { "auto", "select", "poll", "epoll", "host" };

/* The configuration of a loop that has all the capacity its block has room for. */
static inline struct pirn_config config_with(uint32_t backend, uint32_t flags)
{
    struct pirn_config config;
    memset(&config, 0, sizeof config);
    config.size = sizeof config;
    config.backend = backend;
    config.flags = flags;
    config.host = backend == PIRN_BACKEND_HOST ? new_host() : NULL;
    return config;
}

/* A loop of a backend in any block, with the capacities given. */
static inline int open_loop(struct pirn_loop **loop, void *block, size_t size, uint32_t backend,
                            uint32_t io, uint32_t timers,
                            uint32_t tasks)
{
    struct pirn_config config = config_with(backend, 0);
    config.io = io;
    config.timers = timers;
    config.tasks = tasks;
    return pirn_init(loop, block, size, &config);
}

/* Every loop of these tests that does not say otherwise: 16 watchers, 8 timers, 8 tasks. */
#define IO 16
#define TIMERS 8
#define TASKS 8
#define DECLARE_BLOCK(name) static PIRN_STORAGE(name, IO, TIMERS, TASKS)

#define OPEN(loop, block, backend) \
    MUST(open_loop(&(loop), block, sizeof(block), backend, 0, 0, 0) == 0)

/* Sound, ended, and none of its fds left open. */
#define CLOSE(loop) do { OK(pirn_verify(loop)); OK(pirn_deinit(loop)); } while (0)

/* Turns until nothing more is called, at most `most`. */
static inline void settle(struct pirn_loop *loop, int most)
{
    while (most-- > 0 && pirn_turn(loop, 0) > 0)
        ;
}

/* What stats say of one counter, whole. */
static inline struct pirn_stats stats_of(struct pirn_loop *loop)
{
    struct pirn_stats stats;
    memset(&stats, 0, sizeof stats);
    stats.size = sizeof stats;
    EQUAL(pirn_stats(loop, &stats), 0);
    return stats;
}

static inline int run_test(uint32_t backend, void (*test)(uint32_t backend), unsigned seconds)
{
    fflush(stdout);
    pid_t child = fork();
    MUST(child >= 0);
    if (child == 0) {
        context = BACKEND_NAMES[backend];
        alarm(seconds);
        test(backend);
        if (failure_count)
            printf("%s: %ld of %ld failed\n", context, failure_count, check_count);
        else
            printf("%s: ok, %ld checks\n", context, check_count);
        fflush(stdout);
        /* With exit and not _exit: the sanitizers' leak check runs then. */
        exit(failure_count != 0);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFSIGNALED(status))
        printf("%s: killed by signal %d%s\n", BACKEND_NAMES[backend], WTERMSIG(status),
               WTERMSIG(status) == SIGALRM ? ": it hangs" : "");
    return !(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* Runs the test on the backends named as arguments, or on all four. */
static inline int run_on_backends(int argc, char **argv, void (*test)(uint32_t backend))
{
    int result = 0;
    for (uint32_t backend = PIRN_BACKEND_SELECT; backend <= PIRN_BACKEND_HOST; backend++) {
        int wanted = argc < 2;
        for (int at = 1; at < argc; at++)
            wanted |= strcmp(argv[at], BACKEND_NAMES[backend]) == 0;
        if (wanted)
            result |= run_test(backend, test, 60);
    }
    return result;
}

#endif
