/* Lateness: when a timer is called, and when it should have been, on an idle machine. */

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

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* One timer after the other, each started when the one before it has fired: `least` and up to
 * `units` units more from then. */
static void lateness_run(loop_t *loop, struct meter *meter, uint64_t least, uint64_t unit,
                         uint64_t units)
{
    double average = (double)(least + unit * units / 2);
    uint32_t count = is_fixed() ? 20 : (uint32_t)(options.seconds * 1e9 / average) + 20;
    struct dated *dated = zeroed(count, sizeof *dated);
    lateness.late = zeroed(count, sizeof *lateness.late);
    meter_begin(meter);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t delay = least + random_below(units) * unit;
        dated[i].due = clock_ns() + delay;
        loop_update(loop);
        timer_add(loop, &dated[i].timer, delay_from_ns(delay), on_due);
        while (lateness.fired == i)
            loop_turn(loop);
        timer_free(loop, &dated[i].timer);
    }
    meter_end(meter, count);
}

/* lateness IS-SHORT: 1 to 4 ms, whole ones so that no library's unit is held against it; or 50 to
 * 950 us, where the kernel's call for waiting may count milliseconds. */
static void workload_lateness(uint32_t is_short, uint32_t unused)
{
    struct limits limits = {.timers = 1};
    struct meter meter = {.metric = is_short ? "short" : "alone"};
    if (TIMER_MAX == 0)
        skip("no timers");
    if (is_short && delay_ns(delay_from_ns(50 * NS_PER_US)) >= NS_PER_MS)
        skip("its unit is the millisecond");
    loop_t *loop = loop_open(&limits);
    if (is_short)
        lateness_run(loop, &meter, 50 * NS_PER_US, NS_PER_US, 901);
    else
        lateness_run(loop, &meter, NS_PER_MS, NS_PER_MS, 4);
    if (options.mark) /* its system calls; how long it took says nothing */
        meters_report(&meter, 1);
    if (lateness.earliest > TIMER_EARLY_NS)
        wrong("a timer fired %" PRIu64 " ns early", lateness.earliest);
    qsort(lateness.late, lateness.fired, sizeof *lateness.late, compare_u64);
    report_value("p50 [us]", (double)lateness.late[lateness.fired * 50 / 100] / 1e3);
    report_value("p99 [us]", (double)lateness.late[lateness.fired * 99 / 100] / 1e3);
    report_value("early [us]", (double)lateness.earliest / 1e3);
}
