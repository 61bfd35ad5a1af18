/* Lateness: when a timer is called, and when it should have been, on an idle machine. */

static struct {
	uint64_t due, earliest;
	uint32_t fired, count;
	struct meter *meter;
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

/* lateness: one timer after the other, of whole milliseconds, so that no library's unit is held against it; then a
 * thousand at once, with waits as long as they come, and the turns counted that were for nothing. */
static void workload_lateness(void)
{
	if (TIMER_MAX == 0)
		skip("no timers");
	enum { AT_ONCE = 1000 };
	uint32_t one_by_one = options.fixed || options.mark ? 20 : (uint32_t)(options.seconds * 1000 / 2.5) + 20;
	struct limits limits = {.timers = AT_ONCE};
	loop_t *loop = loop_open(&limits);
	struct dated *dated = zeroed(one_by_one + AT_ONCE, sizeof *dated);
	lateness.late = zeroed(one_by_one + AT_ONCE, sizeof *lateness.late);
	for (uint32_t i = 0; i < one_by_one; i++) {
		uint64_t delay = (1 + random_below(4)) * NS_PER_MS;
		loop_update(loop);
		dated[i].due = clock_ns() + delay;
		timer_add(loop, &dated[i].timer, delay_from_ns(delay), on_due);
		while (lateness.fired == i)
			loop_turn(loop);
		timer_free(loop, &dated[i].timer);
	}
	lateness_report("alone");
#ifndef TIMER_RESTARTS
	if (AT_ONCE > TIMER_MAX)
		return;
	uint64_t turns = 0;
	lateness.fired = 0;
	lateness.earliest = 0;
	dated += one_by_one;
	loop_update(loop);
	for (uint32_t i = 0; i < AT_ONCE; i++) {
		uint64_t delay = (10 + random_below(300)) * NS_PER_MS;
		dated[i].due = clock_ns() + delay;
		loop_update(loop);
		timer_add(loop, &dated[i].timer, delay_from_ns(delay), on_due);
	}
	uint64_t fruitful = 0;
	while (lateness.fired < AT_ONCE) {
		uint32_t before = lateness.fired;
		loop_turn(loop);
		turns++;
		fruitful += lateness.fired > before;
	}
	lateness_report("thousand");
	report_value("empty_turns", "turns", (double)(turns - fruitful));
#endif
}
