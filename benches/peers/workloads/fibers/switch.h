/* Two fibers that let one another run, and a fiber that is started, ends, and is joined. */

enum { SWITCHES = 1000, SPAWNS = 100 };

static struct {
    uint64_t turns; /* of the second fiber */
    atomic_bool stops;
    atomic_uint ended;
} switches;

#ifndef FIRST_TURN
#define FIRST_TURN (void)0
#endif

static FIBER_BODY(alternates)
{
    FIRST_TURN;
    while (!switches.stops) {
        switches.turns++;
        fiber_yield();
    }
    FIBER_END;
}

static void switch_run(void)
{
    struct meter meter = {.metric = "switch"};
    struct fiber *fiber = zeroed(1, sizeof *fiber);
    fiber_start(fiber, alternates, NULL);
    fiber_yield();
    while (meter_goes_on(&meter, 5)) {
        uint64_t before = switches.turns;
        meter_begin(&meter);
        for (uint32_t i = 0; i < SWITCHES; i++)
            fiber_yield();
        meter_end(&meter, 2 * SWITCHES);
        if (switches.turns - before != SWITCHES)
            wrong("%" PRIu64 " turns of the other fiber", switches.turns - before);
    }
    switches.stops = true;
    fiber_join(fiber);
    meters_report(&meter, 1);
}

/* switch: of two fibers each yields to the other. An operation is one yield of one of them. */
static void workload_switch(uint32_t unused, uint32_t unused_too) { program_run(switch_run); }

static FIBER_BODY(ends_at_once)
{
    switches.ended++;
    FIBER_END;
}

static void spawn_run(void)
{
    struct meter meter = {.metric = "spawn"};
    struct fiber *fiber = zeroed(1, sizeof *fiber);
    while (meter_goes_on(&meter, 5)) {
        switches.ended = 0;
        meter_begin(&meter);
        for (uint32_t i = 0; i < SPAWNS; i++) {
            fiber_start(fiber, ends_at_once, NULL);
            fiber_join(fiber);
        }
        meter_end(&meter, SPAWNS);
        if (switches.ended != SPAWNS)
            wrong("%u fibers have run", switches.ended);
    }
    meters_report(&meter, 1);
}

/* spawn: starts a fiber that ends at once, and waits for its end. */
static void workload_spawn(uint32_t unused, uint32_t unused_too) { program_run(spawn_run); }
