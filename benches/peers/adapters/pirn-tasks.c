/* Tasks of pirn: futures in Rust, in the workloads of rust/src/tasks.rs. */
#include "../workloads/bench.h"

/* How the workloads measure: a round is between `begin` and `end`. */
struct rounds {
    bool (*goes_on)(void);
    void (*begin)(void);
    void (*end)(uint64_t operations);
};

void pirn_tasks_yield(const struct rounds *rounds);
void pirn_tasks_handover(const struct rounds *rounds, uint32_t capacity);

static struct meter meter;

static bool goes_on(void) { return meter_goes_on(&meter, 5); }
static void begin(void) { meter_begin(&meter); }
static void end(uint64_t operations) { meter_end(&meter, operations); }

static const struct rounds rounds = {goes_on, begin, end};

/* yields: of two tasks each yields to the other. An operation is one yield of one of them. */
static void workload_yields(uint32_t unused, uint32_t unused_too)
{
    meter.metric = "yield";
    pirn_tasks_yield(&rounds);
    meters_report(&meter, 1);
}

/* items CAPACITY: from one task to another through a queue of so many places, 1 or 16. */
static void workload_items(uint32_t capacity, uint32_t unused)
{
    meter.metric = "item";
    pirn_tasks_handover(&rounds, capacity);
    meters_report(&meter, 1);
}

static const struct workload workloads[] = {{"yields", workload_yields}, {"items", workload_items}};

#include "../workloads/main.h"
