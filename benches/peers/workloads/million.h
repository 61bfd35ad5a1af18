/* One loop with up to a million connections, a watcher and an idle timer each, in a simulated world
 * (pirn-host.c). */

#ifdef WORLD

struct member {
    struct io io;
    struct timer idle;
};

enum { IDLE_S = 60 };

static uint32_t million_events;

static IO_CALLBACK(on_member)
{
    million_events++;
    timer_push(pirn, &((struct member *)user)->idle, IDLE_S * NS_PER_S);
}

/* million COUNT */
static void workload_million(uint32_t count, uint32_t unused)
{
    enum { ADD, EVENT, PUSH, IDLE, METERS };
    struct meter meters[METERS] = {[ADD] = {.metric = "add"}, [EVENT] = {.metric = "event"},
                                   [PUSH] = {.metric = "push"}, [IDLE] = {.metric = "idle"}};
    struct limits limits = {.io = count, .timers = count};
    loop_t *loop = loop_open(&limits);
    struct member *members = zeroed(count, sizeof *members);
    meter_begin(&meters[ADD]);
    for (uint32_t i = 0; i < count; i++) {
        MUST(io_add(loop, &members[i].io, (int)i, IO_READ, on_member) == 0);
        timer_add(loop, &members[i].idle, IDLE_S * NS_PER_S, on_far_timer);
    }
    meter_end(&meters[ADD], count);
    while (meter_goes_on(&meters[EVENT], 20)) {
        for (world.count = 0; world.count < WORLD_READY; world.count++)
            world.fds[world.count] = (int)random_below(count);
        million_events = 0;
        meter_begin(&meters[EVENT]);
        loop_poll(loop);
        meter_end(&meters[EVENT], million_events); /* a number drawn twice has one event */

        uint32_t whose[1000];
        for (int i = 0; i < 1000; i++)
            whose[i] = (uint32_t)random_below(count);
        meter_begin(&meters[PUSH]);
        for (int i = 0; i < 1000; i++)
            timer_push(loop, &members[whose[i]].idle, IDLE_S * NS_PER_S);
        meter_end(&meters[PUSH], 1000);

        meter_begin(&meters[IDLE]);
        for (int i = 0; i < 100; i++)
            loop_poll(loop);
        meter_end(&meters[IDLE], 100);
    }
    MUST(pirn_verify(loop) == 0);
    meters_report(meters, METERS);
}

#else

static void workload_million(uint32_t count, uint32_t unused) { skip("needs a simulated world"); }

#endif
