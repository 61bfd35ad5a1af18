/* Memory: what the library takes from the heap and when; bytes per watcher and per timer, the
 * caller's part included. The counts come from allocations.so, preloaded. */

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
    struct channel ios[MEMORY_FDS];
    struct timer timers[MEMORY_TIMERS];
    uint32_t handled;
} memory;

static IO_CALLBACK(on_memory_ready)
{
    memory.handled++;
    write_eventfd(((struct channel *)user)->fd); /* ready again, also where edges count */
    DONE;
}

/* All are ready at once: whatever lists a library has are as long as they get. */
static void memory_turns(loop_t *loop, uint32_t calls)
{
    for (memory.handled = 0; memory.handled < calls;)
        loop_poll(loop);
}

/* memory */
static void workload_memory(uint32_t unused, uint32_t unused_too)
{
    if (!allocations_now)
        skip("needs allocations.so preloaded");
    uint32_t timer_count = TIMER_MAX < MEMORY_TIMERS ? TIMER_MAX : MEMORY_TIMERS;
    struct limits limits = {.io = MEMORY_FDS, .timers = timer_count};
    for (uint32_t i = 0; i < MEMORY_FDS; i++)
        memory.ios[i].fd = open_eventfd(1);

    struct allocations start = allocations_now();
    loop_t *loop = loop_open(&limits);
    struct allocations opened = allocations_now();

    for (uint32_t i = 0; i < MEMORY_FDS; i++)
        MUST(io_add(loop, &memory.ios[i].io, memory.ios[i].fd, IO_READ, on_memory_ready) == 0);
    memory_turns(loop, MEMORY_FDS);
    struct allocations watched = allocations_now();

    loop_update(loop);
    for (uint32_t i = 0; i < timer_count; i++)
        timer_add(loop, &memory.timers[i], delay_from_ns(3600 * NS_PER_S + i * NS_PER_MS),
                  on_far_timer);
    loop_poll(loop);
    struct allocations timed = allocations_now();

    /* Events and pushes, and nothing new. */
    for (int round = 0; round < 20; round++) {
        for (uint32_t i = 0; i < timer_count; i += 10)
            timer_push(loop, &memory.timers[i], delay_from_ns(7200 * NS_PER_S));
        memory_turns(loop, MEMORY_FDS);
    }
    struct allocations after = allocations_now();

    report_value("init_allocations", (double)(opened.calls - start.calls));
    report_value("init_bytes", (double)(opened.bytes - start.bytes) + LOOP_BYTES);
    report_value("fd_allocations", (double)(watched.calls - opened.calls) / MEMORY_FDS);
    report_value("fd_bytes", (double)(watched.bytes - opened.bytes) / MEMORY_FDS + IO_BYTES);
    if (timer_count > 0) {
        report_value("timer_allocations", (double)(timed.calls - watched.calls) / timer_count);
        report_value("timer_bytes",
                     (double)(timed.bytes - watched.bytes) / timer_count + TIMER_BYTES);
    }
    report_value("steady_allocations", (double)(after.calls - timed.calls));
}
