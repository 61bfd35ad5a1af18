/* What every workload stands on: options, meters, checks, random numbers, file descriptors. Knows no event loop. */
#ifndef BENCH_H
#define BENCH_H

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* A measured region is a function of its own that is never inlined, so that callgrind can collect in it and nowhere else:
 * --toggle-collect='measured_*'. A measured function never calls another one: entering it would switch collecting off; which
 * is what functions that are EXCEPTED, named driver_*, are for. */
#if defined(__clang__)
#define EXCEPTED __attribute__((noinline))
#else
#define EXCEPTED __attribute__((noinline, noclone))
#endif
#define MEASURED static EXCEPTED

/* Not every executable has a use for everything in these headers. */
#define MAYBE_UNUSED __attribute__((unused))

#define NS_PER_US UINT64_C(1000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)

struct options {
	double seconds; /* how long each figure is measured */
	bool fixed;	/* a fixed small amount of work instead, for exact counts of instructions */
	bool mark;	/* a fixed amount of work, its regions marked by system calls that a trace shows */
};

static struct options options = {.seconds = 0.2};

/* The most a workload has of each kind at once. `threads`: other threads post to the loop. */
struct limits {
	uint32_t io, timers, tasks, posts;
	bool threads;
};

/* ---- checks ---- */

/* A wrong result is not a slow one: it ends the run. */
static __attribute__((noreturn, format(printf, 1, 2), cold)) void wrong(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	fputs("wrong result: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	_exit(1);
}

/* For what can only fail when the bench or the machine is at fault. Always evaluated. */
#define MUST(expression) \
	do { \
		if (!(expression)) \
			wrong("%s:%d: %s: %s", __FILE__, __LINE__, #expression, strerror(errno)); \
	} while (0)

/* A peer that cannot do a workload says why and is shown as a dash. */
static __attribute__((noreturn, cold)) MAYBE_UNUSED void skip(const char *reason)
{
	printf("{\"skip\": \"%s\"}\n", reason);
	fflush(stdout);
	_exit(0);
}

static void on_watchdog(int signal_number)
{
	(void)signal_number;
	static const char text[] = "wrong result: hangs: an event, a timer or a message was lost\n";
	ssize_t written = write(STDERR_FILENO, text, sizeof text - 1);
	(void)written;
	_exit(1);
}

/* A loop that waits for an event it has lost would wait for ever. */
static void watchdog(unsigned seconds)
{
	signal(SIGALRM, on_watchdog);
	alarm(seconds);
}

/* ---- results: one JSON object per line ---- */

static MAYBE_UNUSED void report_value(const char *metric, const char *unit, double value)
{
	printf("{\"metric\": \"%s\", \"unit\": \"%s\", \"value\": %.6g}\n", metric, unit, value);
}

static uint64_t clock_ns(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_nsec;
}

/* One figure: the time in its measured regions, and the operations done in them. */
struct meter {
	const char *metric;
	uint64_t ns, operations, rounds, started;
};

/* A trace of system calls shows where a region begins and ends by these: they touch nothing. */
static void meter_mark(const struct meter *meter, const char *what)
{
	char text[96];
	snprintf(text, sizeof text, "//bench/%s/%s", what, meter->metric);
	int missing = access(text, F_OK);
	(void)missing;
}

static MAYBE_UNUSED void meter_begin(struct meter *meter)
{
	if (options.mark)
		meter_mark(meter, "begin");
	meter->started = clock_ns();
}

static MAYBE_UNUSED void meter_end(struct meter *meter, uint64_t operations)
{
	meter->ns += clock_ns() - meter->started;
	meter->operations += operations;
	meter->rounds++;
	if (options.mark)
		meter_mark(meter, "end");
}

/* Another round? `fixed` rounds where the amount of work is fixed, else until the time is used up. */
static bool meters_go_on(const struct meter *meters, int count, uint64_t fixed)
{
	uint64_t ns = 0;
	for (int i = 0; i < count; i++)
		ns += meters[i].ns;
	if (options.fixed || options.mark)
		return meters->rounds < fixed;
	return meters->rounds == 0 || (double)ns < options.seconds * 1e9 * count;
}

static MAYBE_UNUSED bool meter_goes_on(const struct meter *meter, uint64_t fixed)
{
	return meters_go_on(meter, 1, fixed);
}

static void meters_report(const struct meter *meters, int count)
{
	for (const struct meter *meter = meters; meter < meters + count; meter++)
		if (meter->operations > 0)
			printf("{\"metric\": \"%s\", \"unit\": \"ns\", \"value\": %.6g, \"operations\": %" PRIu64 ", \"rounds\": %" PRIu64 "}\n",
			       meter->metric, (double)meter->ns / (double)meter->operations, meter->operations, meter->rounds);
}

static MAYBE_UNUSED void meter_report(const struct meter *meter)
{
	meters_report(meter, 1);
}

/* ---- memory ---- */

/* The caller's memory: zeroed, its pages there already so that no peer pays for faults, and not from the heap, whose use is
 * counted. */
static MAYBE_UNUSED void *zeroed(size_t count, size_t size)
{
	void *memory = mmap(NULL, count * size + 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	MUST(memory != MAP_FAILED);
	return memory;
}

/* ---- random numbers: the same for every peer ---- */

static uint64_t random_state = UINT64_C(0x9e3779b97f4a7c15);

static uint64_t random_next(void) /* xorshift64* */
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * UINT64_C(0x2545f4914f6cdd1d);
}

/* 0 .. bound - 1 */
static uint64_t random_below(uint64_t bound)
{
	return (uint64_t)(((unsigned __int128)random_next() * bound) >> 64);
}

/* 0 .. count - 1 in random order */
static MAYBE_UNUSED uint32_t *random_order(uint32_t count)
{
	uint32_t *order = zeroed(count, sizeof *order);
	for (uint32_t i = 0; i < count; i++)
		order[i] = i;
	for (uint32_t i = count; i > 1; i--) {
		uint32_t other = (uint32_t)random_below(i), held = order[i - 1];
		order[i - 1] = order[other];
		order[other] = held;
	}
	return order;
}

/* ---- samples ---- */

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

static MAYBE_UNUSED void sort_u64(uint64_t *samples, size_t count)
{
	qsort(samples, count, sizeof *samples, compare_u64);
}

/* of sorted samples */
static MAYBE_UNUSED uint64_t percentile(const uint64_t *samples, size_t count, unsigned percent)
{
	return count == 0 ? 0 : samples[(count - 1) * percent / 100];
}

static MAYBE_UNUSED void sleep_ns(uint64_t ns)
{
	struct timespec time = {.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)};
	while (nanosleep(&time, &time) != 0 && errno == EINTR)
		;
}

/* ---- file descriptors ---- */

static void raise_fd_limit(void)
{
	struct rlimit limit;
	MUST(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	limit.rlim_cur = limit.rlim_max;
	MUST(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

static MAYBE_UNUSED uint32_t fd_limit(void)
{
	struct rlimit limit;
	MUST(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	return limit.rlim_cur > UINT32_MAX ? UINT32_MAX : (uint32_t)limit.rlim_cur;
}

static MAYBE_UNUSED void open_pair(int *watched, int *other)
{
	int pair[2];
	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
	*watched = pair[0];
	*other = pair[1];
}

/* Until the socket does not take another byte: watching it for writing reports nothing then. */
static MAYBE_UNUSED void fill_socket(int fd)
{
	static const char bytes[4096];
	int size = 1; /* the kernel makes it its minimum */
	MUST(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size) == 0);
	while (write(fd, bytes, sizeof bytes) > 0 || write(fd, bytes, 1) > 0)
		;
	MUST(errno == EAGAIN);
}

/* ---- threads ---- */

static MAYBE_UNUSED pthread_t spawn(void *(*body)(void *), void *argument)
{
	pthread_t thread;
	MUST(pthread_create(&thread, NULL, body, argument) == 0);
	return thread;
}

static MAYBE_UNUSED void join(pthread_t thread)
{
	MUST(pthread_join(thread, NULL) == 0);
}

#endif
