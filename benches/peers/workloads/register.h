/* What a watcher costs besides its events: register, change, stop and start, remove.
 *
 * A change may be put off until the loop waits, so each region ends with a turn. The sockets' buffers are full: watching
 * for writing reports nothing. */

static struct {
	uint32_t count;
	struct io *ios;
	int *fds;
} registry;

static IO_CALLBACK(on_never_ready)
{
	wrong("a callback although nothing was ready");
	IO_DONE;
}

static void registry_open(uint32_t count)
{
	registry.count = count;
	registry.ios = zeroed(count, sizeof *registry.ios);
	registry.fds = zeroed(count, sizeof *registry.fds);
	for (uint32_t i = 0; i < count; i++) {
		int other;
		open_pair(&registry.fds[i], &other);
		fill_socket(registry.fds[i]);
	}
}

MEASURED void measured_register(loop_t *loop)
{
	for (uint32_t i = 0; i < registry.count; i++)
		if (io_add(loop, &registry.ios[i], registry.fds[i], IO_READ, on_never_ready) != 0)
			wrong("io_add: watcher %" PRIu32, i);
	loop_poll(loop);
}

/* Each change is followed by a wait, so it has to reach the kernel. */
MEASURED void measured_modify(loop_t *loop, unsigned interest)
{
	for (uint32_t i = 0; i < registry.count; i++)
		io_modify(loop, &registry.ios[i], interest);
	loop_poll(loop);
}

/* There and back between two waits: in the end nothing has changed. */
MEASURED void measured_toggle(loop_t *loop)
{
	for (uint32_t i = 0; i < registry.count; i++)
		io_modify(loop, &registry.ios[i], IO_READ | IO_WRITE);
	for (uint32_t i = 0; i < registry.count; i++)
		io_modify(loop, &registry.ios[i], IO_READ);
	loop_poll(loop);
}

MEASURED void measured_stopstart(loop_t *loop)
{
	for (int round = 0; round < 10; round++)
		for (uint32_t i = 0; i < registry.count; i++) {
			io_pause(loop, &registry.ios[i]);
			io_resume(loop, &registry.ios[i]);
		}
	loop_poll(loop);
}

MEASURED void measured_remove(loop_t *loop)
{
	for (uint32_t i = 0; i < registry.count; i++)
		io_remove(loop, &registry.ios[i]);
	loop_poll(loop);
}

/* After all that the watchers still have to work. */
static uint32_t registry_reports;

static IO_CALLBACK(on_reported)
{
	registry_reports++;
	IO_DONE;
}

static void registry_check(loop_t *loop)
{
	int watched, other;
	struct io *io = zeroed(1, sizeof *io);
	open_pair(&watched, &other);
	MUST(io_add(loop, io, watched, IO_READ, on_reported) == 0);
	io_modify(loop, io, IO_READ | IO_WRITE);
	io_modify(loop, io, IO_READ);
	io_pause(loop, io);
	loop_poll(loop);
	MUST(write(other, "", 1) == 1);
	for (int i = 0; i < 3; i++)
		loop_poll(loop);
	if (registry_reports != 0)
		wrong("a paused watcher was called, or one whose fd was writable only");
	io_resume(loop, io);
	for (int i = 0; i < 3; i++)
		loop_poll(loop);
	if (registry_reports == 0)
		wrong("a resumed watcher was not called");
	registry_reports = 0;
	io_remove(loop, io);
	close(watched);
	for (int i = 0; i < 3; i++)
		loop_poll(loop);
	if (registry_reports != 0)
		wrong("a removed watcher was called");
}

/* register COUNT */
static void workload_register(uint32_t count)
{
	struct limits limits = {.io = count + 3};
	loop_t *loop = loop_open(&limits);
	struct io *keeper = zeroed(1, sizeof *keeper);
	int keeper_fd, other;
	enum { IO_ADD, IO_MODIFY, IO_TOGGLE, IO_STOPSTART, IO_REMOVE, METERS };
	struct meter meters[METERS] = {
		[IO_ADD] = {.metric = "register"},
		[IO_MODIFY] = {.metric = "modify"},
		[IO_TOGGLE] = {.metric = "toggle"},
		[IO_STOPSTART] = {.metric = "stopstart"},
		[IO_REMOVE] = {.metric = "remove"},
	};
	registry_open(count);
	/* One fd stays, so that the loop always has something to wait for. */
	open_pair(&keeper_fd, &other);
	MUST(io_add(loop, keeper, keeper_fd, IO_READ, on_never_ready) == 0);
	registry_check(loop);
	/* The first round grows tables. */
	for (uint32_t i = 0; i < count; i++)
		MUST(io_add(loop, &registry.ios[i], registry.fds[i], IO_READ, on_never_ready) == 0);
	loop_poll(loop);
	for (uint32_t i = 0; i < count; i++)
		io_remove(loop, &registry.ios[i]);
	loop_poll(loop);
	loop_poll(loop);
	while (meters_go_on(meters, METERS, 1)) {
		meter_begin(&meters[IO_ADD]);
		measured_register(loop);
		meter_end(&meters[IO_ADD], count);

		for (int i = 0; i < 2; i++) {
			meter_begin(&meters[IO_MODIFY]);
			measured_modify(loop, i == 0 ? IO_READ | IO_WRITE : IO_READ);
			meter_end(&meters[IO_MODIFY], count);
		}
		meter_begin(&meters[IO_TOGGLE]);
		measured_toggle(loop);
		meter_end(&meters[IO_TOGGLE], 2 * count);

		meter_begin(&meters[IO_STOPSTART]);
		measured_stopstart(loop);
		meter_end(&meters[IO_STOPSTART], 10 * count);

		meter_begin(&meters[IO_REMOVE]);
		measured_remove(loop);
		meter_end(&meters[IO_REMOVE], count);
		/* A peer that closes in a later turn has the watchers' memory until then. */
		loop_poll(loop);
		loop_poll(loop);
	}
	registry_check(loop);
	meters_report(meters, METERS);
}
