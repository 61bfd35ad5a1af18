/* Workloads whose system calls matter most: a periodic timer alone, a oneshot
 * watcher that is armed again, a loop that is shown to another loop by its fd. */

static struct {
    uint32_t calls;
    delay_t period;
    loop_t *loop;
} calls;

static TIMER_CALLBACK(on_tick)
{
    calls.calls++;
    timer_tick(calls.loop, (struct timer *)user, calls.period);
    DONE;
}

/* Turns until the callback was called so often, measured but for the first. */
static void calls_run(const char *metric, uint32_t count)
{
    struct meter meter = {.metric = metric};
    loop_turn(calls.loop);
    while (meter_goes_on(&meter, 1)) {
        meter_begin(&meter);
        for (calls.calls = 0; calls.calls < count;)
            loop_turn(calls.loop);
        meter_end(&meter, count);
    }
    meters_report(&meter, 1);
}

/* periodic */
static void workload_periodic(uint32_t unused, uint32_t unused_too)
{
    struct limits limits = {.timers = 1};
    struct timer *timer = zeroed(1, sizeof *timer);
    if (TIMER_MAX == 0)
        skip("no timers");
    calls.loop = loop_open(&limits);
    calls.period = delay_from_ns(5 * NS_PER_MS);
    timer_every(calls.loop, timer, calls.period, on_tick);
    calls_run("periodic", 20);
}

/* oneshot: the fd stays readable, so that each turn calls; the callback only arms it again. */
#ifdef IO_ONCE
static IO_CALLBACK(on_once)
{
    calls.calls++;
    io_rearm(calls.loop, (struct io *)user);
    DONE;
}

static void workload_oneshot(uint32_t unused, uint32_t unused_too)
{
    struct limits limits = {.io = 1};
    struct io *io = zeroed(1, sizeof *io);
    calls.loop = loop_open(&limits);
    MUST(io_add_once(calls.loop, io, open_eventfd(1), on_once) == 0);
    calls_run("oneshot", 100);
}
#else
static void workload_oneshot(uint32_t unused, uint32_t unused_too) { skip("no oneshot watchers"); }
#endif
