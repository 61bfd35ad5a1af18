/* Work of pirn: there and back, without the switch of threads, which is the kernel's. */
#include "../workloads/bench.h"

#include <pirn/work.h>

enum { WORKS = 1000 };

static struct pirn_workers workers;
static struct pirn_work works[WORKS];
static uint64_t done, done_in_order;

static int do_nothing(struct pirn_work *work, void *user)
{
    return (int)(work - works);
}

static void on_done(struct pirn_hub *hub, struct pirn_work *work, int result, void *user)
{
    done_in_order += result == (int)(done++ % WORKS);
}

/* work: submitted, done, and reported to the loop. The thread of the loop does the work itself, in
 * between: the workers are closed, so they return when no work is left. */
static void workload_work(uint32_t unused, uint32_t unused_too)
{
    struct pirn_config config = {.size = sizeof config, .io = 8, .timers = 8, .tasks = 8};
    size_t size = pirn_storage_size(config.io, config.timers, config.tasks);
    struct pirn_loop *loop;
    struct pirn_hub hub;
    struct meter meter = {.metric = "work"};
    MUST(pirn_init(&loop, zeroed(1, size), size, &config) == 0);
    MUST(pirn_hub_init(loop, &hub, 63) == 0);
    while (meter_goes_on(&meter, 5)) {
        MUST(pirn_workers_init(&workers, 0) == 0);
        meter_begin(&meter);
        for (int i = 0; i < WORKS; i++)
            MUST(pirn_work_submit(&workers, &hub, &works[i], do_nothing, on_done, NULL) == 0);
        MUST(pirn_workers_close(&workers, PIRN_WORKERS_DRAIN) == 0);
        MUST(pirn_workers_run(&workers) == 0);
        MUST(pirn_run(loop) == PIRN_DONE);
        meter_end(&meter, WORKS);
    }
    if (done_in_order != done || done != meter.operations)
        wrong("%" PRIu64 " works, %" PRIu64 " in order", done, done_in_order);
    meters_report(&meter, 1);
}

static const struct workload workloads[] = {{"work", workload_work}};

#include "../workloads/main.h"
