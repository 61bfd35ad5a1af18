/* Readiness: how much does it cost to get from the kernel's answer to the callback?
 *
 * `active` of `count` watched fds are made readable; a round lasts until each has had its callback,
 * which reads one byte and writes one byte. The loop runs all the time, as in a program: the last
 * callback of a round stops the meter, checks every byte, makes others readable and starts the
 * meter again. */

struct channel {
    struct io io;
    int fd, driver; /* driver: where the bench writes and reads */
    uint32_t calls;
};

static struct {
    loop_t *loop;
    uint32_t count, active, handled;
    struct channel *channels;
    uint32_t *order; /* who is active: a window that moves on over this */
    uint32_t position;
    uint32_t warming; /* rounds yet to come that are not measured: they grow buffers */
    struct meter meter;
} dispatch;

static void dispatch_next_round(void);

static IO_CALLBACK(on_readable)
{
    struct channel *channel = (struct channel *)user;
    char byte;
    if (read(channel->fd, &byte, 1) != 1 || write(channel->fd, &byte, 1) != 1)
        wrong("a callback, but nothing to read: %s", strerror(errno));
    channel->calls++;
    if (++dispatch.handled == dispatch.active)
        dispatch_next_round();
    DONE;
}

static struct channel *dispatch_active(uint32_t i)
{
    return &dispatch.channels[dispatch.order[(dispatch.position + i) % dispatch.count]];
}

static void dispatch_fill(void)
{
    dispatch.handled = 0;
    for (uint32_t i = 0; i < dispatch.active; i++) {
        char byte = (char)(i * 7 + 1);
        dispatch_active(i)->calls = 0;
        MUST(write(dispatch_active(i)->driver, &byte, 1) == 1);
    }
}

static void dispatch_check(void)
{
    for (uint32_t i = 0; i < dispatch.active; i++) {
        char byte;
        if (dispatch_active(i)->calls != 1)
            wrong("%" PRIu32 " callbacks of one fd for one byte", dispatch_active(i)->calls);
        if (read(dispatch_active(i)->driver, &byte, 1) != 1 || byte != (char)(i * 7 + 1))
            wrong("the byte written is not the byte read");
    }
    dispatch.position = (dispatch.position + dispatch.active) % dispatch.count;
}

static __attribute__((noinline)) void dispatch_next_round(void)
{
    bool is_warm = dispatch.warming == 0;
    if (is_warm)
        meter_end(&dispatch.meter, dispatch.active);
    dispatch_check();
    if (is_warm ? !meter_goes_on(&dispatch.meter, dispatch.active == 1 ? 1000 : 20)
                : --dispatch.warming == 0) {
        loop_stop(dispatch.loop);
        return;
    }
    dispatch_fill();
    if (is_warm)
        meter_begin(&dispatch.meter);
}

/* dispatch COUNT ACTIVE */
static void workload_dispatch(uint32_t count, uint32_t active)
{
#ifdef READY_MAX
    if (active > READY_MAX)
        skip("too many ready fds for this peer");
#endif
    struct limits limits = {.io = count};
    loop_t *loop = dispatch.loop = loop_open(&limits);
    dispatch.meter.metric = "dispatch";
    dispatch.warming = 3;
    dispatch.count = count;
    dispatch.active = active;
    dispatch.channels = zeroed(count, sizeof *dispatch.channels);
    dispatch.order = random_order(count);
    for (uint32_t i = 0; i < count; i++) {
        struct channel *channel = &dispatch.channels[i];
        open_pair(&channel->fd, &channel->driver);
        MUST(io_add(loop, &channel->io, channel->fd, IO_READ, on_readable) == 0);
    }
    dispatch_fill();
    loop_run(loop);
    dispatch_fill();
    meter_begin(&dispatch.meter);
    loop_run(loop);
    meters_report(&dispatch.meter, 1);
}

/* ---- a turn in which nothing is ready ---- */

static TIMER_CALLBACK(on_far_timer)
{
    wrong("a timer of an hour fired");
    DONE;
}

static void idle_run(loop_t *loop, uint32_t timers, struct meter *meter)
{
    struct timer *far = zeroed(timers, sizeof *far);
    keep_waiting(loop);
    for (uint32_t i = 0; i < timers; i++)
        timer_add(loop, &far[i], delay_from_ns(3600 * NS_PER_S), on_far_timer);
    for (int i = 0; i < 3; i++)
        loop_poll(loop);
    while (meter_goes_on(meter, 1)) {
        meter_begin(meter);
        for (int i = 0; i < 1000; i++)
            loop_poll(loop);
        meter_end(meter, 1000);
    }
    meters_report(meter, 1);
}

/* idle TIMERS: one fd watched, which is not ready; and as many timers, an hour away */
static void workload_idle(uint32_t timers, uint32_t unused)
{
    struct limits limits = {.io = 1, .timers = timers};
    struct meter meter = {.metric = "idle"};
    if (timers > TIMER_MAX)
        skip("no timers");
    idle_run(loop_open(&limits), timers, &meter);
}

/* foreign: the same for a foreign loop, which has the fd and calls for a turn */
#ifdef loop_fd
static void workload_foreign(uint32_t unused, uint32_t unused_too)
{
    struct limits limits = {.io = 1, .timers = 1};
    struct meter meter = {.metric = "foreign"};
    loop_t *loop = loop_open(&limits);
    MUST(loop_fd(loop) >= 0);
    idle_run(loop, 1, &meter);
}
#else
static void workload_foreign(uint32_t unused, uint32_t unused_too) { skip("has no fd"); }
#endif
