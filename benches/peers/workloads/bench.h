/* What every workload stands on: options, meters, checks, random numbers, fds. Knows no event loop.
 */
#ifndef BENCH_H
#define BENCH_H

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#define CALLGRIND_TOGGLE_COLLECT
#define CALLGRIND_DUMP_STATS_AT(name)
#endif

#define NS_PER_US UINT64_C(1000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)

static struct {
    double seconds; /* how long each figure is measured */
    bool fixed;     /* a small fixed amount of work instead, for exact counts of instructions */
    bool mark;      /* a fixed amount of work, its regions marked by calls that a trace shows */
    bool unpopulated; /* memory without its pages */
} options = {.seconds = 0.2};

static bool is_fixed(void) { return options.fixed || options.mark; }

/* The most a workload has of each kind at once. `threads`: other threads post to the loop. */
struct limits {
    uint32_t io, timers, tasks, posts;
    bool threads;
};

/* What `main` finds by its name. The numbers are those of the command line, or 0. */
struct workload {
    const char *name;
    void (*run)(uint32_t first, uint32_t second);
};

/* ---- checks ---- */

/* A wrong result is not a slow one: it ends the run. */
#define wrong(...)                                                                                 \
    (fprintf(stderr, "wrong result: " __VA_ARGS__), fputc('\n', stderr), _exit(1))

/* For what can only fail when the bench or the machine is at fault. Always evaluated. */
#ifdef SERVER
#define MUST(expression) ((expression) ? (void)0 : __builtin_trap())
#else
#define MUST(expression)                                                                           \
    ((expression) ? (void)0                                                                        \
                  : wrong("%s:%d: %s: %s", __FILE__, __LINE__, #expression, strerror(errno)))
#endif

/* A peer that cannot do a workload says why and is shown as a dash. */
#define skip(reason) (puts("{\"skip\": \"" reason "\"}"), exit(0))

/* ---- results: one JSON object per line ---- */

static void report_value(const char *metric, double value)
{
    printf("{\"metric\": \"%s\", \"value\": %.6g}\n", metric, value);
}

static uint64_t clock_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_nsec;
}

/* One figure: the time in its measured regions, and the operations done in them. What other threads
 * do meanwhile is not in its counts. */
struct meter {
    const char *metric;
    uint64_t ns, operations, rounds, started;
};

/* Switches callgrind's collecting in this thread. Not inlined, so that an empty region costs the
 * same number of instructions everywhere; `main` measures one, and the harness subtracts it. */
static __attribute__((noinline)) void count_toggle(void)
{
    if (options.fixed)
        CALLGRIND_TOGGLE_COLLECT;
}

/* What was collected belongs to the metric of the last region. */
static void count_for(const char *metric)
{
    static const char *counted;
    if (counted && counted != metric)
        CALLGRIND_DUMP_STATS_AT(counted);
    counted = metric;
}

/* A trace of system calls shows where a region begins and ends by these: they touch nothing. */
static void meter_mark(const struct meter *meter, const char *what)
{
    char text[96];
    snprintf(text, sizeof text, "//bench/%s/%s", what, meter->metric);
    int missing = access(text, F_OK);
    (void)missing;
}

static __attribute__((noinline)) void meter_begin(struct meter *meter)
{
    if (options.mark)
        meter_mark(meter, "begin");
    if (options.fixed)
        count_for(meter->metric);
    meter->started = clock_ns();
    count_toggle();
}

static __attribute__((noinline)) void meter_end(struct meter *meter, uint64_t operations)
{
    count_toggle();
    meter->ns += clock_ns() - meter->started;
    meter->operations += operations;
    meter->rounds++;
    if (options.mark)
        meter_mark(meter, "end");
}

/* Another round? `fixed` rounds where the amount of work is fixed, else until the time is over. */
static bool meter_goes_on(const struct meter *meter, uint64_t fixed)
{
    if (is_fixed())
        return meter->rounds < fixed;
    return meter->rounds == 0 || (double)meter->ns < options.seconds * 1e9;
}

static void meters_report(const struct meter *meters, int count)
{
    for (const struct meter *meter = meters; meter < meters + count; meter++)
        if (meter->operations > 0)
            printf("{\"metric\": \"%s\", \"value\": %.6g, \"operations\": %" PRIu64
                   ", \"rounds\": %" PRIu64 "}\n",
                   meter->metric, (double)meter->ns / (double)meter->operations, meter->operations,
                   meter->rounds);
    if (options.fixed)
        count_for(NULL);
}

/* ---- memory and random numbers ---- */

/* The caller's memory: zeroed, its pages there already so that no peer pays for faults unless they
 * are what is measured, and not from the heap, whose use is counted. */
static void *zeroed(size_t count, size_t size)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | (options.unpopulated ? 0 : MAP_POPULATE);
    void *memory = mmap(NULL, count * size + 1, PROT_READ | PROT_WRITE, flags, -1, 0);
    MUST(memory != MAP_FAILED);
    return memory;
}

/* 0 .. bound - 1, the same for every peer: xorshift64* */
static uint64_t random_below(uint64_t bound)
{
    static uint64_t state = UINT64_C(0x9e3779b97f4a7c15);
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (uint64_t)(((unsigned __int128)(state * UINT64_C(0x2545f4914f6cdd1d)) * bound) >> 64);
}

/* 0 .. count - 1 in random order */
static uint32_t *random_order(uint32_t count)
{
    uint32_t *order = zeroed(count, sizeof *order);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t other = (uint32_t)random_below(i + 1);
        order[i] = order[other];
        order[other] = i;
    }
    return order;
}

static void sleep_ns(uint64_t ns)
{
    struct timespec time = {(time_t)(ns / NS_PER_S), (long)(ns % NS_PER_S)};
    while (nanosleep(&time, &time) != 0 && errno == EINTR)
        ;
}

/* ---- fds and threads ---- */

static void raise_fd_limit(void)
{
    struct rlimit limit;
    MUST(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max;
    MUST(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

static void open_pair(int *watched, int *other)
{
    int pair[2];
    MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
    *watched = pair[0];
    *other = pair[1];
}

/* For what watches an fd before it reads, or blocks in the kernel. */
static void make_blocking(int fd) { MUST(fcntl(fd, F_SETFL, 0) == 0); }

static int open_eventfd(unsigned value)
{
    int fd = eventfd(value, EFD_NONBLOCK | EFD_CLOEXEC);
    MUST(fd >= 0);
    return fd;
}

static void write_eventfd(int fd) { MUST(eventfd_write(fd, 1) == 0 || errno == EAGAIN); }

static pthread_t spawn(void *(*body)(void *), void *argument)
{
    pthread_t thread;
    MUST(pthread_create(&thread, NULL, body, argument) == 0);
    return thread;
}

/* Pins the calling thread: number 0 to the first processor of the program, the others to the rest,
 * if there are more. The first call is made while there is one thread. */
static void pin_thread(uint32_t number)
{
    static cpu_set_t allowed;
    cpu_set_t chosen;
    if (CPU_COUNT(&allowed) == 0)
        MUST(sched_getaffinity(0, sizeof allowed, &allowed) == 0);
    uint32_t others = (uint32_t)CPU_COUNT(&allowed) - 1;
    uint32_t wanted = number == 0 || others == 0 ? 0 : 1 + (number - 1) % others;
    int processor = 0;
    for (uint32_t passed = 0; passed < wanted || !CPU_ISSET(processor, &allowed); processor++)
        passed += CPU_ISSET(processor, &allowed) != 0;
    CPU_ZERO(&chosen);
    CPU_SET(processor, &chosen);
    MUST(sched_setaffinity(0, sizeof chosen, &chosen) == 0);
}

static void join(pthread_t thread) { MUST(pthread_join(thread, NULL) == 0); }

#endif
