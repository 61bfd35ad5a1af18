/* What is counted in system calls alone: a periodic timer with nothing beside it, a oneshot watcher
 * that is armed again, a loop that is shown to another loop by its fd. */

static struct {
    uint32_t ticks;
    delay_t period;
    loop_t *loop;
    int eventfd;
} calls;

static TIMER_CALLBACK(on_tick)
{
    calls.ticks++;
    timer_tick(calls.loop, (struct timer *)user, calls.period);
    DONE;
}

/* periodic */
static void workload_periodic(uint32_t unused, uint32_t unused_too)
{
    enum { TICKS = 20 };
    struct limits limits = {.timers = 1};
    struct meter meter = {.metric = "periodic"};
    struct timer *timer = zeroed(1, sizeof *timer);
    if (TIMER_MAX == 0)
        skip("no timers");
    calls.loop = loop_open(&limits);
    calls.period = delay_from_ns(5 * NS_PER_MS);
    timer_every(calls.loop, timer, calls.period, on_tick);
    loop_turn(calls.loop);
    calls.ticks = 0;
    meter_begin(&meter);
    while (calls.ticks < TICKS)
        loop_turn(calls.loop);
    meter_end(&meter, TICKS);
    meters_report(&meter, 1);
}

#ifdef IO_ONCE
static IO_CALLBACK(on_once)
{
    calls.ticks++;
    io_rearm(calls.loop, (struct io *)user);
    DONE;
}
#endif

/* oneshot: the fd stays readable, so that each turn calls; the callback only arms it again. */
static void workload_oneshot(uint32_t unused, uint32_t unused_too)
{
#ifndef IO_ONCE
    skip("no oneshot watchers");
#else
    struct limits limits = {.io = 1};
    struct meter meter = {.metric = "oneshot"};
    struct io *io = zeroed(1, sizeof *io);
    calls.loop = loop_open(&limits);
    MUST(io_add_once(calls.loop, io, open_eventfd(1), on_once) == 0);
    loop_turn(calls.loop);
    while (meter_goes_on(&meter, 1)) {
        calls.ticks = 0;
        meter_begin(&meter);
        while (calls.ticks < 100)
            loop_turn(calls.loop);
        meter_end(&meter, 100);
    }
    meters_report(&meter, 1);
#endif
}

/* foreign: a foreign loop has the fd and calls for a turn, in which nothing changes a deadline. */
static void workload_foreign(uint32_t unused, uint32_t unused_too)
{
#ifndef loop_fd
    skip("not to be driven by its fd");
#else
    struct limits limits = {.io = 1, .timers = 1};
    struct meter meter = {.metric = "foreign"};
    struct timer *timer = zeroed(1, sizeof *timer);
    loop_t *loop = loop_open(&limits);
    keep_waiting(loop);
    timer_add(loop, timer, delay_from_ns(3600 * NS_PER_S), on_far_timer);
    MUST(loop_fd(loop) >= 0);
    for (int i = 0; i < 3; i++)
        loop_poll(loop);
    while (meter_goes_on(&meter, 1)) {
        meter_begin(&meter);
        for (int i = 0; i < 100; i++)
            loop_poll(loop);
        meter_end(&meter, 100);
    }
    meters_report(&meter, 1);
#endif
}
