/* Timers: add, push forward, cancel, expire.
 *
 * Timers are added, pushed and cancelled in a callback, as programs do it: there a library has its
 * cached time, if it has one, and deadlines count from that. To count from a fresh reading of the
 * clock is a row of its own. */

struct clocked {
    struct timer timer;
    delay_t delay; /* in the library's own unit: the conversion is not measured */
};

/* What "add one, then cancel it" is done with, and how often a timer is pushed at least. */
enum { TIMER_EXTRAS = 1000 };

static struct {
    uint32_t count, pushes, fired;
    struct clocked *clocked, *extras, **fired_order;
    const uint32_t *order;              /* random: cancelled in this order */
    uint32_t *push_random, *push_robin; /* which timer each push is for */
    delay_t *delays;                    /* of each push */
} timers;

static TIMER_CALLBACK(on_expire)
{
    timers.fired_order[timers.fired++] = (struct clocked *)user;
    DONE;
}

static TIMER_CALLBACK(on_too_early)
{
    wrong("a timer of more than a minute fired");
    DONE;
}

/* A region for in_callback: `count` times a statement. */
#define REGION_OF(name, count, ...)                                                                \
    static void run_##name(loop_t *loop, struct meter *meter)                                      \
    {                                                                                              \
        meter_begin(meter);                                                                        \
        for (uint32_t i = 0; i < (count); i++)                                                     \
            __VA_ARGS__;                                                                           \
        meter_end(meter, count);                                                                   \
    }

#define TIMER(i) &timers.clocked[i].timer
#define DELAY(i) timers.clocked[i].delay
#define EXTRA(i) &timers.extras[i].timer
#define PUSH(i, whose) timer_push(loop, TIMER(timers.whose[i]), timers.delays[i])
#define TENTH (timers.count / 10)

REGION_OF(add, timers.count, timer_add(loop, TIMER(i), DELAY(i), on_too_early))
REGION_OF(add_fresh, timers.count, timer_add_fresh(loop, TIMER(i), DELAY(i), on_too_early))
REGION_OF(add_expiring, timers.count, timer_add(loop, TIMER(i), DELAY(i), on_expire))

/* A request's timeout, and the answer arrives: one timer comes and goes beside all the others. */
REGION_OF(pair, TIMER_EXTRAS, {
    timer_add(loop, EXTRA(i), timers.extras[i].delay, on_too_early);
    timer_cancel(loop, EXTRA(i));
})

/* Idle timeouts: each push is to a little later than the one before it. Whose it is, is random, or
 * goes round. */
REGION_OF(push_random, timers.pushes, PUSH(i, push_random))
REGION_OF(push_robin, timers.pushes, PUSH(i, push_robin))

/* The same with a turn after every 64, not in a callback: a library that puts work off has to do it
 * there. */
REGION_OF(turns_random, timers.pushes, {
    PUSH(i, push_random);
    if (i % 64 == 63)
        loop_poll(loop);
})
REGION_OF(turns_robin, timers.pushes, {
    PUSH(i, push_robin);
    if (i % 64 == 63)
        loop_poll(loop);
})

/* A random one out of `count`: only a tenth, so that the others are still there. */
REGION_OF(cancel, TENTH, timer_cancel(loop, TIMER(timers.order[i])))
REGION_OF(cancel_rest, timers.count - TENTH, timer_cancel(loop, TIMER(timers.order[i + TENTH])))
REGION_OF(cancel_all, timers.count, timer_cancel(loop, TIMER(i)))

/* ---- around it ---- */

static struct meter unmeasured = {.metric = "unmeasured"};

static void timers_set(struct clocked *clocked, uint32_t count, uint64_t least, uint64_t span)
{
    for (uint32_t i = 0; i < count; i++)
        clocked[i].delay = delay_from_ns(least + random_below(span));
}

static void timers_set_far(struct clocked *clocked, uint32_t count)
{
    timers_set(clocked, count, 61 * NS_PER_S, 58 * NS_PER_S);
}

/* The deadlines of the `phase`-th series of pushes: later than any before. */
static void timers_set_pushes(unsigned phase)
{
    uint64_t from = (120 + 2 * (uint64_t)phase) * NS_PER_S;
    for (uint32_t i = 0; i < timers.pushes; i++)
        timers.delays[i] = delay_from_ns(from + i * NS_PER_S / timers.pushes);
}

/* After cancelling or expiry: what a library still holds of them. */
static void timers_free(loop_t *loop, struct clocked *clocked, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        timer_free(loop, &clocked[i].timer);
    loop_poll(loop);
    loop_poll(loop);
}

/* Adds and cancels all in order: tables grow, memory is touched, and whatever a library keeps of
 * free places is as in a new loop. */
static void timers_renew(loop_t *loop, void (*add)(loop_t *, struct meter *), struct meter *meter)
{
    timers_set_far(timers.clocked, timers.count);
    in_callback(add, meter);
    in_callback(run_cancel_all, &unmeasured);
    timers_free(loop, timers.clocked, timers.count);
}

static loop_t *timers_open(uint32_t count)
{
    struct limits limits = {.io = 1, .timers = count + 1};
    if (count > TIMER_MAX)
        skip("no timers, or fewer");
    loop_t *loop = loop_open(&limits);
    errand_open(loop);
    timers.count = count;
    timers.pushes = count < 1000 ? 1000 : count;
    timers.clocked = zeroed(count, sizeof *timers.clocked);
    timers.extras = zeroed(TIMER_EXTRAS, sizeof *timers.extras);
    timers.fired_order = zeroed(count, sizeof *timers.fired_order);
    timers.order = random_order(count);
    timers.push_random = zeroed(timers.pushes, sizeof(uint32_t));
    timers.push_robin = zeroed(timers.pushes, sizeof(uint32_t));
    timers.delays = zeroed(timers.pushes, sizeof *timers.delays);
    for (uint32_t i = 0; i < timers.pushes; i++) {
        timers.push_random[i] = (uint32_t)random_below(count);
        timers.push_robin[i] = i % count;
    }
    timers_renew(loop, run_add, &unmeasured);
    return loop;
}

/* timers COUNT */
static void workload_timers(uint32_t count, uint32_t unused)
{
    enum { ADD, ADD_FRESH, PAIR, RANDOM, ROBIN, TURNS_RANDOM, TURNS_ROBIN, CANCEL, METERS };
    struct meter meters[METERS] = {
        [ADD] = {.metric = "add"},
        [ADD_FRESH] = {.metric = "add_fresh"},
        [PAIR] = {.metric = "pair"},
        [RANDOM] = {.metric = "push_random"},
        [ROBIN] = {.metric = "push_robin"},
        [TURNS_RANDOM] = {.metric = "turns_random"},
        [TURNS_ROBIN] = {.metric = "turns_robin"},
        [CANCEL] = {.metric = "cancel"},
    };
    loop_t *loop = timers_open(count);
    while (meter_goes_on(&meters[PAIR], 1) && meter_goes_on(&meters[RANDOM], 1)) {
        timers_renew(loop, run_add_fresh, &meters[ADD_FRESH]);
        in_callback(run_add, &meters[ADD]);

        timers_set_far(timers.extras, TIMER_EXTRAS);
        in_callback(run_pair, &meters[PAIR]);
        timers_free(loop, timers.extras, TIMER_EXTRAS);

        timers_set_pushes(0);
        in_callback(run_push_random, &meters[RANDOM]);
        timers_set_pushes(1); /* from then on the first to expire is the next in turn */
        in_callback(run_push_robin, &unmeasured);
        timers_set_pushes(2);
        in_callback(run_push_robin, &meters[ROBIN]);
#ifndef TIMER_RESTARTS
        timers_set_pushes(3);
        run_turns_robin(loop, &meters[TURNS_ROBIN]);
        timers_set_pushes(4);
        run_turns_random(loop, &meters[TURNS_RANDOM]);
#endif
        in_callback(run_cancel, &meters[CANCEL]);
        in_callback(run_cancel_rest, &unmeasured);
        timers_free(loop, timers.clocked, count);
        timers_renew(loop, run_add, &unmeasured);
    }
    meters_report(meters, METERS);
}

/* ---- expire: random deadlines within 20 ms, all due when the turn begins ---- */

enum { EXPIRE_SPAN = 20 * 1000 * 1000 };

static bool expire_added, expire_began;

static TIMER_CALLBACK(on_beginning)
{
    expire_began = true;
    DONE;
}

/* For counts: what it takes to order timers depends on where between two powers of two of the clock
 * they lie. So they are added where a multiple of 2^25 ns, but not of 2^30, is 10 ms away; within
 * 200 us, else that is tried again. */
static uint64_t expire_phase(unsigned bits)
{
    return (clock_ns() + EXPIRE_SPAN / 2) & ((UINT64_C(1) << bits) - 1);
}

static void run_add_in_phase(loop_t *loop, struct meter *meter)
{
    bool is_in_phase = expire_phase(25) < NS_PER_MS / 5 && expire_phase(30) >> 25 != 0;
    expire_added = !options.fixed || is_in_phase;
    if (expire_added)
        run_add_expiring(loop, meter);
}

static void expire_add(loop_t *loop)
{
    for (expire_added = false; !expire_added;) {
        if (options.fixed)
            sleep_ns((UINT64_C(1) << 25) - expire_phase(25));
        /* A timer has just fired, as in a program that has been running for a while. */
        expire_began = false;
        timer_add(loop, EXTRA(0), delay_from_ns(0), on_beginning);
        while (!expire_began)
            loop_poll(loop);
        timer_free(loop, EXTRA(0));
        in_callback(run_add_in_phase, &unmeasured);
    }
}

/* Each timer once; by deadline, and among equal deadlines as armed, where the library says so. */
static void expire_check(void)
{
    uint64_t seen = 0;
    if (timers.fired != timers.count)
        wrong("%" PRIu32 " calls for %" PRIu32 " timers", timers.fired, timers.count);
    for (uint32_t i = 0; i < timers.count; i++) {
        const struct clocked *now = timers.fired_order[i];
        const struct clocked *before = timers.fired_order[i > 0 ? i - 1 : 0];
        uint64_t this_ns = delay_ns(now->delay), before_ns = delay_ns(before->delay);
        seen += (uint64_t)(now - timers.clocked);
        if (TIMER_ORDERED && this_ns < before_ns)
            wrong("timers out of order: %" PRIu64 " ns after %" PRIu64 " ns", this_ns, before_ns);
        if (TIMER_TIES_ORDERED && this_ns == before_ns && now < before)
            wrong("timers of equal deadlines not in the order in which they were armed");
    }
    if (seen != (uint64_t)timers.count * (timers.count - 1) / 2)
        wrong("a timer fired twice, and another not at all");
}

/* expire COUNT */
static void workload_expire(uint32_t count, uint32_t unused)
{
#ifdef TIMER_RESTARTS
    skip("a turn starts its timers anew");
#endif
    struct meter meter = {.metric = "expire"};
    loop_t *loop = timers_open(count);
    while (meter_goes_on(&meter, 1) && meter.rounds < 5) {
        timers_set(timers.clocked, count, 1, EXPIRE_SPAN);
        timers.fired = 0;
        expire_add(loop);
        sleep_ns(EXPIRE_SPAN + 20 * NS_PER_MS); /* now all are due, however a library rounds */
        uint32_t before = timers.fired; /* where adding them took so long that some were due */
        meter_begin(&meter);
        while (timers.fired < timers.count)
            loop_poll(loop);
        meter_end(&meter, timers.count - before);
        timers_free(loop, timers.clocked, count);
        expire_check();
    }
    meters_report(&meter, 1);
}
