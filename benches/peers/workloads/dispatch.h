/* Readiness: how much does it cost to get from the kernel's answer to the callback?
 *
 * `active` of `count` watched fds are made readable; a round lasts until each has had its callback, which reads one byte and
 * writes one byte. The loop runs all the time, as in a program: the last callback of a round stops the clock, checks every
 * byte, makes others readable and starts the clock again. With more fds than a process may have pairs of, eventfds are
 * watched instead: their word is eight bytes, and all of them write to one. */

struct channel {
	struct io io;
	int in, out; /* the callback reads from one and writes to the other */
	int driver;  /* where the bench writes what the callback is to read, and reads what it wrote */
	uint32_t calls;
};

static struct {
	loop_t *loop;
	uint32_t count, active, handled;
	size_t word; /* bytes in a read or write */
	struct channel *channels;
	uint32_t *order; /* who is active: a window that moves on over this */
	uint32_t position;
	int sink; /* eventfds: what all of them write to */
	uint32_t warming; /* rounds yet to come that are not measured: they grow buffers and touch memory */
	struct meter meter;
} dispatch;

static void dispatch_next_round(void);

/* Called inside the measured region, and not part of it: --toggle-collect=driver_next_round excepts it. */
static EXCEPTED void driver_next_round(void)
{
	dispatch_next_round();
}

static IO_CALLBACK(on_readable)
{
	struct channel *channel = IO_USER(struct channel);
	uint64_t word;
	if (read(channel->in, &word, dispatch.word) != (ssize_t)dispatch.word)
		wrong("a callback, but nothing to read: %s", strerror(errno));
	if (write(channel->out, &word, dispatch.word) != (ssize_t)dispatch.word)
		wrong("write: %s", strerror(errno));
	channel->calls++;
	if (++dispatch.handled == dispatch.active)
		dispatch.warming > 0 ? dispatch_next_round() : driver_next_round();
	IO_DONE;
}

static void dispatch_open(loop_t *loop, uint32_t count, uint32_t active)
{
	bool pairs = 2 * (uint64_t)count + 100 < fd_limit();
	MUST(count + 100 < fd_limit());
	dispatch.loop = loop;
	dispatch.count = count;
	dispatch.active = active;
	dispatch.word = pairs ? 1 : sizeof(uint64_t);
	dispatch.channels = zeroed(count, sizeof *dispatch.channels);
	dispatch.order = random_order(count);
	dispatch.sink = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	MUST(dispatch.sink >= 0);
	for (uint32_t i = 0; i < count; i++) {
		struct channel *channel = &dispatch.channels[i];
		if (pairs) {
			open_pair(&channel->in, &channel->driver);
			channel->out = channel->in;
		} else {
			channel->in = channel->driver = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
			channel->out = dispatch.sink;
		}
		MUST(channel->in >= 0);
		if (io_add(loop, &channel->io, channel->in, IO_READ, on_readable) != 0)
			wrong("io_add: watcher %" PRIu32, i);
	}
}

static struct channel *dispatch_active(uint32_t i)
{
	return &dispatch.channels[dispatch.order[(dispatch.position + i) % dispatch.count]];
}

/* The byte channel `i` of a round gets. */
static uint64_t dispatch_word(uint32_t i)
{
	return dispatch.word == 1 ? (i * 7 + 1) & 0xff : 1;
}

static void dispatch_fill(void)
{
	dispatch.handled = 0;
	for (uint32_t i = 0; i < dispatch.active; i++) {
		uint64_t word = dispatch_word(i);
		struct channel *channel = dispatch_active(i);
		channel->calls = 0;
		MUST(write(channel->driver, &word, dispatch.word) == (ssize_t)dispatch.word);
	}
}

static void dispatch_check(void)
{
	uint64_t word;
	for (uint32_t i = 0; i < dispatch.active; i++) {
		struct channel *channel = dispatch_active(i);
		if (channel->calls != 1)
			wrong("%" PRIu32 " callbacks of one fd for one byte", channel->calls);
		if (dispatch.word == 1) {
			word = 0;
			if (read(channel->driver, &word, 1) != 1 || word != dispatch_word(i))
				wrong("the byte written is not the byte read");
		}
	}
	if (dispatch.word > 1 && (read(dispatch.sink, &word, sizeof word) != sizeof word || word != dispatch.active))
		wrong("%" PRIu32 " callbacks, but %" PRIu64 " words", dispatch.active, word);
	dispatch.position = (dispatch.position + dispatch.active) % dispatch.count;
}

static void dispatch_next_round(void)
{
	if (dispatch.warming == 0)
		meter_end(&dispatch.meter, dispatch.active);
	dispatch_check();
	if (dispatch.warming > 0 && --dispatch.warming == 0) {
		loop_stop(dispatch.loop);
		return;
	}
	if (dispatch.warming == 0 && !meter_goes_on(&dispatch.meter, dispatch.active == 1 ? 1000 : 20)) {
		loop_stop(dispatch.loop);
		return;
	}
	dispatch_fill();
	if (dispatch.warming == 0)
		meter_begin(&dispatch.meter);
}

MEASURED void measured_dispatch(loop_t *loop)
{
	loop_run(loop);
}

/* dispatch COUNT ACTIVE */
static void workload_dispatch(uint32_t count, uint32_t active)
{
#ifdef READY_MAX
	if (active > READY_MAX)
		skip("too many ready fds for this peer");
#endif
	struct limits limits = {.io = count + 1};
	loop_t *loop = loop_open(&limits);
	dispatch.meter = (struct meter){.metric = "dispatch"};
	dispatch.warming = 3;
	dispatch_open(loop, count, active);
	dispatch_fill();
	loop_run(loop);
	dispatch_fill();
	meter_begin(&dispatch.meter);
	measured_dispatch(loop);
	meter_report(&dispatch.meter);
}

/* ---- a turn in which nothing is ready ---- */

static TIMER_CALLBACK(on_far_timer)
{
	wrong("a timer of an hour fired");
	TIMER_DONE;
}

MEASURED void measured_idle(loop_t *loop, uint32_t turns)
{
	for (uint32_t i = 0; i < turns; i++)
		loop_poll(loop);
}

/* idle TIMERS: one fd watched, which is not ready; and as many timers, an hour away */
static void workload_idle(uint32_t timers)
{
	if (timers > 0 && TIMER_MAX == 0)
		skip("no timers");
	struct limits limits = {.io = 2, .timers = timers};
	loop_t *loop = loop_open(&limits);
	struct meter meter = {.metric = "idle"};
	struct timer *far = zeroed(timers, sizeof *far);
	dispatch_open(loop, 1, 0);
	for (uint32_t i = 0; i < timers; i++)
		timer_add(loop, &far[i], delay_from_ns(3600 * NS_PER_S), on_far_timer);
	for (int i = 0; i < 3; i++)
		loop_poll(loop);
	while (meter_goes_on(&meter, 1)) {
		meter_begin(&meter);
		measured_idle(loop, 1000);
		meter_end(&meter, 1000);
	}
	if (dispatch.handled != 0)
		wrong("a callback although nothing was ready");
	meter_report(&meter);
}
