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
	struct dated *dated = TIMER_USER(struct dated);
	uint64_t now = clock_ns();
	lateness.late[lateness.fired++] = now > dated->due ? now - dated->due : 0;
	if (now < dated->due && dated->due - now > lateness.earliest)
		lateness.earliest = dated->due - now;
	TIMER_DONE;
}

static void lateness_report(const char *prefix)
{
	char metric[64];
	if (lateness.earliest > TIMER_EARLY_NS)
		wrong("a timer fired %" PRIu64 " ns early", lateness.earliest);
	sort_u64(lateness.late, lateness.fired);
	snprintf(metric, sizeof metric, "%s_p50", prefix);
	report_value(metric, "ns", (double)percentile(lateness.late, lateness.fired, 50));
	snprintf(metric, sizeof metric, "%s_p99", prefix);
	report_value(metric, "ns", (double)percentile(lateness.late, lateness.fired, 99));
	snprintf(metric, sizeof metric, "%s_early", prefix);
	report_value(metric, "ns", (double)lateness.earliest);
}

/* One timer after the other, each started when the one before it has fired. `draw` says after how many ns. */
static void lateness_alone(loop_t *loop, uint32_t count, uint64_t (*draw)(void), const char *prefix)
{
	struct meter meter = {.metric = prefix};
	struct dated *dated = zeroed(count, sizeof *dated);
	lateness.late = zeroed(count, sizeof *lateness.late);
	meter_begin(&meter);
	for (uint32_t i = 0; i < count; i++) {
		uint64_t delay = draw();
		dated[i].due = clock_ns() + delay;
		loop_update(loop);
		timer_add(loop, &dated[i].timer, delay_from_ns(delay), on_due);
		while (lateness.fired == i)
			loop_turn(loop);
		timer_free(loop, &dated[i].timer);
	}
	meter_end(&meter, count);
	if (options.mark) /* its system calls; how long it took says nothing */
		meter_report(&meter);
	lateness_report(prefix);
}

/* A thousand at once, with waits as long as they come, and the turns counted that were for nothing. */
static MAYBE_UNUSED void lateness_thousand(loop_t *loop)
{
	uint64_t turns = 0, fruitful = 0;
	struct dated *dated = zeroed(LATENESS_AT_ONCE, sizeof *dated);
	lateness.late = zeroed(LATENESS_AT_ONCE, sizeof *lateness.late);
	lateness.fired = 0;
	lateness.earliest = 0;
	for (uint32_t i = 0; i < LATENESS_AT_ONCE; i++) {
		uint64_t delay = (10 + random_below(300)) * NS_PER_MS;
		dated[i].due = clock_ns() + delay;
		loop_update(loop);
		timer_add(loop, &dated[i].timer, delay_from_ns(delay), on_due);
	}
	while (lateness.fired < LATENESS_AT_ONCE) {
		uint32_t before = lateness.fired;
		loop_turn(loop);
		turns++;
		fruitful += lateness.fired > before;
	}
	lateness_report("thousand");
	report_value("empty_turns", "turns", (double)(turns - fruitful));
}

/* Whole milliseconds, so that no library's unit is held against it. */
static uint64_t draw_milliseconds(void)
{
	return (1 + random_below(4)) * NS_PER_MS;
}

/* Less than one: where the kernel's call for waiting counts milliseconds, a library has to find another way. */
static uint64_t draw_microseconds(void)
{
	return (50 + random_below(901)) * NS_PER_US;
}

/* lateness [short] */
static void workload_lateness(const char *delays)
{
	bool is_short = delays && strcmp(delays, "short") == 0;
	if (TIMER_MAX == 0)
		skip("no timers");
	if (is_short && delay_ns(delay_from_ns(50 * NS_PER_US)) >= NS_PER_MS)
		skip("its unit is the millisecond");
	struct limits limits = {.timers = LATENESS_AT_ONCE};
	loop_t *loop = loop_open(&limits);
	double average_ms = is_short ? 0.5 : 2.5;
	uint32_t one_by_one = options.fixed || options.mark ? 20 : (uint32_t)(options.seconds * 1000 / average_ms) + 20;
	if (is_short) {
		lateness_alone(loop, one_by_one, draw_microseconds, "short");
		return;
	}
	lateness_alone(loop, one_by_one, draw_milliseconds, "alone");
#ifndef TIMER_RESTARTS
	if (LATENESS_AT_ONCE <= TIMER_MAX)
		lateness_thousand(loop);
#endif
}
