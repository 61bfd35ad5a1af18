/* Memory: what the library takes from the heap and when; bytes per watcher and per timer, the caller's part included.
 * The counts come from allocations.so, preloaded. */

struct allocations {
	uint64_t calls; /* malloc, calloc, realloc and the aligned ones; free does not count */
	uint64_t bytes; /* in use, as large as the allocator made them */
};

/* There only when allocations.so is preloaded. */
extern struct allocations allocations_now(void) __attribute__((weak));

#ifdef TIMER_RESTARTS
enum { MEMORY_FDS = 1000, MEMORY_TIMERS = 100 }; /* each turn goes through all of them */
#else
enum { MEMORY_FDS = 1000, MEMORY_TIMERS = 10000 };
#endif

static struct {
	struct io ios[MEMORY_FDS];
	struct timer timers[MEMORY_TIMERS];
	uint32_t handled;
	int fds[MEMORY_FDS];
} memory;

static IO_CALLBACK(on_memory_ready)
{
	memory.handled++;
	IO_DONE;
}

static TIMER_CALLBACK(on_memory_timer)
{
	wrong("a timer of an hour fired");
	TIMER_DONE;
}

/* memory */
static void workload_memory(void)
{
	if (!allocations_now)
		skip("needs allocations.so preloaded");
	uint32_t timers_wanted = TIMER_MAX < MEMORY_TIMERS ? TIMER_MAX : MEMORY_TIMERS;
	struct limits limits = {.io = MEMORY_FDS, .timers = timers_wanted};
	for (uint32_t i = 0; i < MEMORY_FDS; i++) {
		memory.fds[i] = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
		MUST(memory.fds[i] >= 0);
	}

	struct allocations start = allocations_now();
	loop_t *loop = loop_open(&limits);
	struct allocations opened = allocations_now();

	for (uint32_t i = 0; i < MEMORY_FDS; i++)
		MUST(io_add(loop, &memory.ios[i], memory.fds[i], IO_READ, on_memory_ready) == 0);
	while (memory.handled < MEMORY_FDS) /* all ready at once: whatever lists a library has are as long as they get */
		loop_poll(loop);
	struct allocations watched = allocations_now();

	loop_update(loop);
	for (uint32_t i = 0; i < timers_wanted; i++)
		timer_add(loop, &memory.timers[i], delay_from_ns(3600 * NS_PER_S + i * NS_PER_MS), on_memory_timer);
	loop_poll(loop);
	struct allocations timed = allocations_now();

	/* Events and pushes, and nothing new. */
	memory.handled = 0;
	while (memory.handled < 20 * MEMORY_FDS) {
		for (uint32_t i = 0; i < timers_wanted; i += 10)
			timer_push(loop, &memory.timers[i], delay_from_ns(7200 * NS_PER_S));
		loop_poll(loop);
	}
	struct allocations after = allocations_now();

	report_value("init_allocations", "calls", (double)(opened.calls - start.calls));
	report_value("init_bytes", "bytes", (double)(opened.bytes - start.bytes) + LOOP_BYTES(limits));
	report_value("fd_allocations", "calls", (double)(watched.calls - opened.calls) / MEMORY_FDS);
	report_value("fd_bytes", "bytes", (double)(watched.bytes - opened.bytes) / MEMORY_FDS + IO_BYTES);
	if (timers_wanted > 0) {
		report_value("timer_allocations", "calls", (double)(timed.calls - watched.calls) / timers_wanted);
		report_value("timer_bytes", "bytes", (double)(timed.bytes - watched.bytes) / timers_wanted + TIMER_BYTES);
	}
	report_value("steady_allocations", "calls", (double)(after.calls - timed.calls));
}
