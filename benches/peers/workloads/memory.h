/* Memory: bytes that the library has from the heap for itself, for a watcher and for a timer, the
 * caller's part included. */

#include <malloc.h>

static double heap_bytes(void)
{
    struct mallinfo2 info = mallinfo2();
    return (double)(info.uordblks + info.hblkhd);
}

enum { MEMORY_FDS = 1000, MEMORY_TIMERS = 1000 };

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

/* memory */
static void workload_memory(uint32_t unused, uint32_t unused_too)
{
    uint32_t timer_count = TIMER_MAX < MEMORY_TIMERS ? TIMER_MAX : MEMORY_TIMERS;
    struct limits limits = {.io = MEMORY_FDS, .timers = timer_count};
    for (uint32_t i = 0; i < MEMORY_FDS; i++)
        memory.ios[i].fd = open_eventfd(1);
    printf("\n"); /* has its buffer */
    double closed = heap_bytes();
    loop_t *loop = loop_open(&limits);
    double opened = heap_bytes();

    for (uint32_t i = 0; i < MEMORY_FDS; i++)
        MUST(io_add(loop, &memory.ios[i].io, memory.ios[i].fd, IO_READ, on_memory_ready) == 0);
    while (memory.handled < MEMORY_FDS) /* all ready at once: lists are as long as they get */
        loop_poll(loop);
    double watched = heap_bytes();

    loop_update(loop);
    for (uint32_t i = 0; i < timer_count; i++)
        timer_add(loop, &memory.timers[i], delay_from_ns(3600 * NS_PER_S + i * NS_PER_MS),
                  on_far_timer);
    loop_poll(loop);
    double timed = heap_bytes();

    report_value("loop", opened - closed + LOOP_BYTES);
    report_value("fd", (watched - opened) / MEMORY_FDS + IO_BYTES);
    if (timer_count > 0)
        report_value("timer", (timed - watched) / timer_count + TIMER_BYTES);
}
