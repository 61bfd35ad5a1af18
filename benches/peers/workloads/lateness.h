/* Lateness: when a timer is called, and when it should have been, on an idle machine. */

enum { LATENESS_AT_ONCE = 1000 };

static struct {
    uint64_t earliest;
    uint32_t fired;
    uint64_t *late; /* ns, one per timer */
} lateness;

struct dated {
    struct timer timer;
    uint64_t due;
};

static TIMER_CALLBACK(on_due)
{
    struct dated *dated = (struct dated *)user;
    uint64_t now = clock_ns();
    lateness.late[lateness.fired++] = now > dated->due ? now - dated->due : 0;
    if (now < dated->due && dated->due - now > lateness.earliest)
        lateness.earliest = dated->due - now;
    DONE;
}

static void lateness_start(loop_t *loop, struct dated *dated, uint64_t delay)
{
    dated->due = clock_ns() + delay;
    loop_update(loop);
    timer_add(loop, &dated->timer, delay_from_ns(delay), on_due);
}

static struct dated *lateness_begin(uint32_t count)
{
    lateness.late = zeroed(count, sizeof *lateness.late);
    lateness.fired = 0;
    lateness.earliest = 0;
    return zeroed(count, sizeof(struct dated));
}

static void lateness_report(const char *prefix)
{
    char metric[64];
    if (lateness.earliest > TIMER_EARLY_NS)
        wrong("a timer fired %" PRIu64 " ns early", lateness.earliest);
    qsort(lateness.late, lateness.fired, sizeof *lateness.late, compare_u64);
    for (unsigned percent = 50; percent <= 99; percent += 49) {
        snprintf(metric, sizeof metric, "%s_p%u", prefix, percent);
        report_value(metric, (double)percentile(lateness.late, lateness.fired, percent));
    }
    snprintf(metric, sizeof metric, "%s_early", prefix);
    report_value(metric, (double)lateness.earliest);
}

/* One timer after the other, each started when the one before it has fired, `least` to `least +
 * span` ns from then. */
static void lateness_alone(loop_t *loop, const char *prefix, uint64_t least, uint64_t unit,
                           uint64_t units)
{
    double average = (double)(least + unit * units / 2);
    uint32_t count = is_fixed() ? 20 : (uint32_t)(options.seconds * 1e9 / average) + 20;
    struct meter meter = {.metric = prefix};
    struct dated *dated = lateness_begin(count);
    meter_begin(&meter);
    for (uint32_t i = 0; i < count; i++) {
        lateness_start(loop, &dated[i], least + random_below(units) * unit);
        while (lateness.fired == i)
            loop_turn(loop);
        timer_free(loop, &dated[i].timer);
    }
    meter_end(&meter, count);
    if (options.mark) /* its system calls; how long it took says nothing */
        meters_report(&meter, 1);
    lateness_report(prefix);
}

/* lateness IS-SHORT: 1 to 4 ms, whole ones so that no library's unit is held against it, and a
 * thousand at once; or 50 to 950 us, where the kernel's call for waiting may count milliseconds. */
static void workload_lateness(uint32_t is_short, uint32_t unused)
{
    struct limits limits = {.timers = LATENESS_AT_ONCE};
    if (TIMER_MAX == 0)
        skip("no timers");
    if (is_short && delay_ns(delay_from_ns(50 * NS_PER_US)) >= NS_PER_MS)
        skip("its unit is the millisecond");
    loop_t *loop = loop_open(&limits);
    if (is_short) {
        lateness_alone(loop, "short", 50 * NS_PER_US, NS_PER_US, 901);
        return;
    }
    lateness_alone(loop, "alone", NS_PER_MS, NS_PER_MS, 4);
#ifndef TIMER_RESTARTS
    /* A thousand at once, with the turns counted that were for nothing. */
    uint64_t empty = 0;
    struct dated *dated = lateness_begin(LATENESS_AT_ONCE);
    for (uint32_t i = 0; i < LATENESS_AT_ONCE; i++)
        lateness_start(loop, &dated[i], (10 + random_below(300)) * NS_PER_MS);
    while (lateness.fired < LATENESS_AT_ONCE) {
        uint32_t before = lateness.fired;
        loop_turn(loop);
        empty += lateness.fired == before;
    }
    lateness_report("thousand");
    report_value("empty_turns", (double)empty);
#endif
}
