/* Timers: add, push forward, cancel, expire.
 *
 * Timers are added, pushed and cancelled in a callback, as programs do it: there a library has its cached time, if it has
 * one, and deadlines count from that. To count from a fresh reading of the clock is a row of its own. */

enum pattern { PATTERN_RANDOM, PATTERN_EQUAL, PATTERN_INCREASING, PATTERN_DECREASING };

static const char *const pattern_names[] = {"random", "equal", "increasing", "decreasing"};

/* The deadline of timer `i`, `least` to `least + span` from now. */
static uint64_t pattern_ns(enum pattern pattern, uint32_t i, uint32_t count, uint64_t least, uint64_t span)
{
	switch (pattern) {
	case PATTERN_RANDOM:
		return least + random_below(span);
	case PATTERN_EQUAL:
		return least + span / 2;
	case PATTERN_INCREASING:
		return least + span * i / count;
	case PATTERN_DECREASING:
		return least + span - span * i / count;
	}
	return 0;
}

struct clocked {
	struct timer timer;
	delay_t delay; /* in the library's own unit: the conversion is not measured */
};

/* What "add one, then cancel it" is done with, and how often a timer is pushed at least. */
enum { TIMER_EXTRAS = 1000 };

static struct {
	uint32_t count, pushes, fired;
	struct clocked *clocked;
	struct clocked **fired_order;
	const uint32_t *order;		/* random: cancelled in this order */
	uint32_t *push_random, *push_robin; /* which timer each push is for */
	struct clocked extras[TIMER_EXTRAS];
} timers;

static TIMER_CALLBACK(on_expire)
{
	timers.fired_order[timers.fired++] = TIMER_USER(struct clocked);
	TIMER_DONE;
}

static TIMER_CALLBACK(on_too_early)
{
	wrong("a timer of more than a minute fired");
	TIMER_DONE;
}

/* ---- what is measured ---- */

MEASURED void measured_add(loop_t *loop)
{
	for (uint32_t i = 0; i < timers.count; i++)
		timer_add(loop, &timers.clocked[i].timer, timers.clocked[i].delay, on_too_early);
}

#ifdef TIMER_FRESH
MEASURED void measured_add_fresh(loop_t *loop)
{
	for (uint32_t i = 0; i < timers.count; i++)
		timer_add_fresh(loop, &timers.clocked[i].timer, timers.clocked[i].delay, on_too_early);
}
#endif

/* A request's timeout, and the answer arrives: one timer comes and goes beside all the others. */
MEASURED void measured_pair(loop_t *loop)
{
	for (uint32_t i = 0; i < TIMER_EXTRAS; i++) {
		timer_add(loop, &timers.extras[i].timer, timers.extras[i].delay, on_too_early);
		timer_cancel(loop, &timers.extras[i].timer);
	}
}

/* Idle timeouts: each push is to a little later than the one before it. Whose it is, is random, or goes round. */
MEASURED void measured_push_random(loop_t *loop, const delay_t *delays)
{
	for (uint32_t i = 0; i < timers.pushes; i++)
		timer_push(loop, &timers.clocked[timers.push_random[i]].timer, delays[i]);
}

MEASURED void measured_push_robin(loop_t *loop, const delay_t *delays)
{
	for (uint32_t i = 0; i < timers.pushes; i++)
		timer_push(loop, &timers.clocked[timers.push_robin[i]].timer, delays[i]);
}

#ifndef TIMER_RESTARTS
/* The same with a turn after every 64: a library that puts work off has to do it there. */
MEASURED void measured_turns_random(loop_t *loop, const delay_t *delays)
{
	for (uint32_t i = 0; i < timers.pushes; i++) {
		timer_push(loop, &timers.clocked[timers.push_random[i]].timer, delays[i]);
		if (i % 64 == 63)
			loop_poll(loop);
	}
}

MEASURED void measured_turns_robin(loop_t *loop, const delay_t *delays)
{
	for (uint32_t i = 0; i < timers.pushes; i++) {
		timer_push(loop, &timers.clocked[timers.push_robin[i]].timer, delays[i]);
		if (i % 64 == 63)
			loop_poll(loop);
	}
}
#endif

MEASURED void measured_cancel(loop_t *loop)
{
	for (uint32_t i = 0; i < timers.count; i++)
		timer_cancel(loop, &timers.clocked[timers.order[i]].timer);
}

#ifndef TIMER_RESTARTS
MEASURED void measured_expire(loop_t *loop)
{
	while (timers.fired < timers.count)
		loop_poll(loop);
}
#endif

/* ---- around it ---- */

enum { ADD, ADD_FRESH, PAIR, PUSH_RANDOM, PUSH_ROBIN, TURNS_RANDOM, TURNS_ROBIN, CANCEL, EXPIRE, CLOCKWORK_METERS };

static struct {
	enum pattern pattern;
	delay_t *pushes;
	struct meter meters[CLOCKWORK_METERS];
} clockwork = {
	.meters = {
		[ADD] = {.metric = "add"},
		[ADD_FRESH] = {.metric = "add_fresh"},
		[PAIR] = {.metric = "pair"},
		[PUSH_RANDOM] = {.metric = "push_random"},
		[PUSH_ROBIN] = {.metric = "push_robin"},
		[TURNS_RANDOM] = {.metric = "turns_random"},
		[TURNS_ROBIN] = {.metric = "turns_robin"},
		[CANCEL] = {.metric = "cancel"},
		[EXPIRE] = {.metric = "expire"},
	},
};

static void timers_set(uint64_t least, uint64_t span)
{
	for (uint32_t i = 0; i < timers.count; i++)
		timers.clocked[i].delay = delay_from_ns(pattern_ns(clockwork.pattern, i, timers.count, least, span));
}

static void timers_set_far(void)
{
	timers_set(61 * NS_PER_S, 58 * NS_PER_S);
}

/* The deadlines of the `phase`-th series of pushes: later than any before. */
static void timers_set_pushes(unsigned phase)
{
	for (uint32_t i = 0; i < timers.pushes; i++)
		clockwork.pushes[i] = delay_from_ns((120 + 2 * (uint64_t)phase) * NS_PER_S + i * NS_PER_S / timers.pushes);
}

/* After cancelling or expiry: what a library still holds of them. */
static void timers_free(loop_t *loop)
{
	for (uint32_t i = 0; i < timers.count; i++)
		timer_free(loop, &timers.clocked[i].timer);
	loop_poll(loop);
	loop_poll(loop);
}

/* What runs inside a callback. */

static void run_add_unmeasured(loop_t *loop)
{
	for (uint32_t i = 0; i < timers.count; i++)
		timer_add(loop, &timers.clocked[i].timer, timers.clocked[i].delay, on_too_early);
}

static void run_cancel_unmeasured(loop_t *loop)
{
	for (uint32_t i = 0; i < timers.count; i++)
		timer_cancel(loop, &timers.clocked[i].timer);
}

/* From then on the first to expire is the next in turn. */
static void run_push_robin_unmeasured(loop_t *loop)
{
	for (uint32_t i = 0; i < timers.pushes; i++)
		timer_push(loop, &timers.clocked[timers.push_robin[i]].timer, clockwork.pushes[i]);
}

static void run_add(loop_t *loop)
{
	meter_begin(&clockwork.meters[ADD]);
	measured_add(loop);
	meter_end(&clockwork.meters[ADD], timers.count);
}

static void run_pair(loop_t *loop)
{
	meter_begin(&clockwork.meters[PAIR]);
	measured_pair(loop);
	meter_end(&clockwork.meters[PAIR], TIMER_EXTRAS);
}

static void run_push_random(loop_t *loop)
{
	meter_begin(&clockwork.meters[PUSH_RANDOM]);
	measured_push_random(loop, clockwork.pushes);
	meter_end(&clockwork.meters[PUSH_RANDOM], timers.pushes);
}

static void run_push_robin(loop_t *loop)
{
	meter_begin(&clockwork.meters[PUSH_ROBIN]);
	measured_push_robin(loop, clockwork.pushes);
	meter_end(&clockwork.meters[PUSH_ROBIN], timers.pushes);
}

static void run_cancel(loop_t *loop)
{
	meter_begin(&clockwork.meters[CANCEL]);
	measured_cancel(loop);
	meter_end(&clockwork.meters[CANCEL], timers.count);
}

static MAYBE_UNUSED void run_add_expiring(loop_t *loop)
{
	for (uint32_t i = 0; i < timers.count; i++)
		timer_add(loop, &timers.clocked[i].timer, timers.clocked[i].delay, on_expire);
}

/* Tables grow and memory is touched, unmeasured. */
static void timers_grow(loop_t *loop)
{
	timers_set_far();
	in_callback(run_add_unmeasured);
	in_callback(run_cancel_unmeasured);
	timers_free(loop);
}

#ifdef TIMER_FRESH
static void run_add_fresh(loop_t *loop)
{
	meter_begin(&clockwork.meters[ADD_FRESH]);
	measured_add_fresh(loop);
	meter_end(&clockwork.meters[ADD_FRESH], timers.count);
}
#endif

static void timers_add_fresh(loop_t *loop)
{
#ifdef TIMER_FRESH
	timers_set_far();
	in_callback(run_add_fresh);
	in_callback(run_cancel_unmeasured);
	timers_free(loop);
#endif
}

static void timers_pair(loop_t *loop)
{
	for (uint32_t i = 0; i < TIMER_EXTRAS; i++)
		timers.extras[i].delay = delay_from_ns(61 * NS_PER_S + random_below(58 * NS_PER_S));
	in_callback(run_pair);
	for (uint32_t i = 0; i < TIMER_EXTRAS; i++)
		timer_free(loop, &timers.extras[i].timer);
	loop_poll(loop);
	loop_poll(loop);
}

static void timers_push(loop_t *loop)
{
	timers_set_pushes(0);
	in_callback(run_push_random);
	timers_set_pushes(1);
	in_callback(run_push_robin_unmeasured);
	timers_set_pushes(2);
	in_callback(run_push_robin);

#ifndef TIMER_RESTARTS
	/* These have turns in them, so they are not in a callback. */
	timers_set_pushes(3);
	meter_begin(&clockwork.meters[TURNS_ROBIN]);
	measured_turns_robin(loop, clockwork.pushes);
	meter_end(&clockwork.meters[TURNS_ROBIN], timers.pushes);
	timers_set_pushes(4);
	meter_begin(&clockwork.meters[TURNS_RANDOM]);
	measured_turns_random(loop, clockwork.pushes);
	meter_end(&clockwork.meters[TURNS_RANDOM], timers.pushes);
#endif
}

#ifndef TIMER_RESTARTS
/* Each timer once; by deadline, and among equal deadlines as armed, where the library promises it. */
static void timers_check_order(void)
{
	uint64_t seen = 0;
	for (uint32_t i = 0; i < timers.count; i++) {
		const struct clocked *now = timers.fired_order[i], *before = i > 0 ? timers.fired_order[i - 1] : NULL;
		seen += (uint64_t)(now - timers.clocked);
		if (before && TIMER_ORDERED && delay_ns(now->delay) < delay_ns(before->delay))
			wrong("timers out of order: %" PRIu64 " ns after %" PRIu64 " ns", delay_ns(now->delay), delay_ns(before->delay));
		if (before && TIMER_TIES_ORDERED && delay_ns(now->delay) == delay_ns(before->delay) && now < before)
			wrong("timers of equal deadlines not in the order in which they were armed");
	}
	if (seen != (uint64_t)timers.count * (timers.count - 1) / 2)
		wrong("a timer fired twice, and another not at all");
}

static void timers_expire(loop_t *loop)
{
	const uint64_t least = 2 * NS_PER_MS, span = 98 * NS_PER_MS;
	timers_set(least, span);
	timers.fired = 0;
	in_callback(run_add_expiring);
	sleep_ns(least + span + 20 * NS_PER_MS); /* now all are due, however a library rounds */
	meter_begin(&clockwork.meters[EXPIRE]);
	measured_expire(loop);
	meter_end(&clockwork.meters[EXPIRE], timers.count);
	for (int i = 0; i < 3; i++)
		loop_poll(loop);
	if (timers.fired != timers.count)
		wrong("%" PRIu32 " calls for %" PRIu32 " timers", timers.fired, timers.count);
	timers_check_order();
	timers_free(loop);
}
#endif

static void timers_open(uint32_t count)
{
	timers.count = count;
	timers.pushes = count < 1000 ? 1000 : count;
	timers.clocked = zeroed(count, sizeof *timers.clocked);
	timers.fired_order = zeroed(count, sizeof *timers.fired_order);
	timers.order = random_order(count);
	timers.push_random = zeroed(timers.pushes, sizeof(uint32_t));
	timers.push_robin = zeroed(timers.pushes, sizeof(uint32_t));
	for (uint32_t i = 0; i < timers.pushes; i++) {
		timers.push_random[i] = (uint32_t)random_below(count);
		timers.push_robin[i] = i % count;
	}
	clockwork.pushes = zeroed(timers.pushes, sizeof *clockwork.pushes);
}

/* timers COUNT PATTERN. With few timers a region would be shorter than the clock is precise: then only pushes and pairs. */
static void workload_timers(uint32_t count, const char *pattern_name)
{
	if (TIMER_MAX == 0)
		skip("no timers");
	if (count > TIMER_MAX)
		skip("too many timers for this peer");
	while (strcmp(pattern_names[clockwork.pattern], pattern_name) != 0)
		MUST(++clockwork.pattern <= PATTERN_DECREASING);
	struct limits limits = {.io = 1, .timers = count + 1};
	loop_t *loop = loop_open(&limits);
	bool many = count >= 1000;
	errand_open(loop);
	timers_open(count);
	timers_grow(loop);
	while (meter_goes_on(&clockwork.meters[PAIR], 1) && meter_goes_on(&clockwork.meters[PUSH_RANDOM], 1)) {
		if (many)
			timers_add_fresh(loop);
		timers_set_far();
		in_callback(many ? run_add : run_add_unmeasured);
		timers_pair(loop);
		timers_push(loop);
		in_callback(many ? run_cancel : run_cancel_unmeasured);
		timers_free(loop);
	}
#ifndef TIMER_RESTARTS
	while (many && clockwork.meters[EXPIRE].rounds < 2 && meter_goes_on(&clockwork.meters[EXPIRE], 1))
		timers_expire(loop);
#endif
	meters_report(clockwork.meters, CLOCKWORK_METERS);
}
