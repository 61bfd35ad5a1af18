/* Fibers that wait for nothing but a call, and the calls that wake them. */

enum { SLEEPERS = 32 };

static struct {
    struct fiber *fibers;
    uint32_t woken;
    bool stops, is_limited;
} sleepers;

static FIBER_BODY(sleeps)
{
    for (;;) {
        park((struct fiber *)user, sleepers.is_limited ? LIMIT : FOREVER);
        sleepers.woken++;
        if (sleepers.stops)
            break;
    }
    FIBER_END;
}

static void wake_all(struct meter *wake, struct meter *wait)
{
    sleepers.woken = 0;
    meter_begin(wake);
    for (uint32_t i = 0; i < SLEEPERS; i++)
        unpark(&sleepers.fibers[i]);
    meter_end(wake, SLEEPERS);
    if (sleepers.woken != 0)
        wrong("a fiber ran inside the call that woke it");
    meter_begin(wait);
    while (sleepers.woken < SLEEPERS)
        fiber_yield();
    meter_end(wait, SLEEPERS);
}

static void wake_run(void)
{
    enum { WAKE, WAIT, WAIT_LIMITED, METERS };
    struct meter ignored = {.metric = "ignored"};
    struct meter meters[METERS] = {
        [WAKE] = {.metric = "wake"},
        [WAIT] = {.metric = "wait"},
        [WAIT_LIMITED] = {.metric = "wait_limited"},
    };
    sleepers.fibers = zeroed(SLEEPERS, sizeof *sleepers.fibers);
    for (uint32_t i = 0; i < SLEEPERS; i++)
        fiber_start(&sleepers.fibers[i], sleeps, &sleepers.fibers[i]);
    fiber_yield();
    while (meter_goes_on(&meters[WAIT], 20))
        wake_all(&meters[WAKE], &meters[WAIT]);
    sleepers.is_limited = true;
    wake_all(&ignored, &ignored);
    while (meter_goes_on(&meters[WAIT_LIMITED], 20))
        wake_all(&ignored, &meters[WAIT_LIMITED]);
    sleepers.stops = true;
    wake_all(&ignored, &ignored);
    for (uint32_t i = 0; i < SLEEPERS; i++)
        fiber_join(&sleepers.fibers[i]);
    meters_report(meters, METERS);
}

/* wake: the call alone; wait: a fiber that was woken runs and waits again; _limited: for five
 * seconds at most. */
static void workload_wake(uint32_t unused, uint32_t unused_too)
{
#ifdef UNORDERED
    skip("those who are woken may run at once");
#endif
    program_run(wake_run);
}
