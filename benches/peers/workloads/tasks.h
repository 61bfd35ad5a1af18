/* Deferred work: call this later in the same thread.
 *
 * A chain is a task that defers itself: each link is a turn of its own, so that I/O is looked at in between. With libraries
 * whose deferral runs on in the same turn that is done by other means of theirs (an idle watcher, a timeout of zero), and
 * what deferral itself costs is a row of its own. */

struct job {
	struct task task;
	uint32_t number;
};

static struct {
	uint32_t done, count;
	struct job *jobs, link;
	uint32_t *order; /* of the calls */
	loop_t *loop;
} tasks;

static TASK_CALLBACK(on_job)
{
	tasks.order[tasks.done++] = TASK_USER(struct job)->number;
	TASK_DONE;
}

static TASK_CALLBACK(on_link)
{
	if (++tasks.done < tasks.count)
		TASK_AGAIN(tasks.loop, &TASK_USER(struct job)->task, on_link);
	TASK_DONE;
}

MEASURED void measured_batch(loop_t *loop)
{
	for (uint32_t i = 0; i < tasks.count; i++)
		task_defer(loop, &tasks.jobs[i].task, on_job);
	while (tasks.done < tasks.count)
		loop_poll(loop);
}

MEASURED uint64_t measured_defer_chain(loop_t *loop)
{
	uint64_t turns = 0;
	task_defer(loop, &tasks.link.task, on_link);
	for (; tasks.done < tasks.count; turns++)
		loop_poll(loop);
	return turns;
}

#ifdef CHAIN_CALLBACK
static CHAIN_CALLBACK(on_chain)
{
	if (++tasks.done < tasks.count)
		CHAIN_GO_ON;
	else
		CHAIN_STOP;
}

MEASURED uint64_t measured_chain(loop_t *loop, struct chain *chain)
{
	uint64_t turns = 0;
	chain_start(loop, chain, on_chain);
	for (; tasks.done < tasks.count; turns++)
		loop_poll(loop);
	return turns;
}
#endif

/* Each once; in the order deferred, or the other way round, if the library does one of these. */
static void tasks_check(void)
{
	bool rising = true, falling = true;
	uint64_t sum = 0;
	for (uint32_t i = 0; i < tasks.count; i++) {
		rising = rising && tasks.order[i] == i;
		falling = falling && tasks.order[i] == tasks.count - 1 - i;
		sum += tasks.order[i];
	}
	if ((TASK_ORDER > 0 && !rising) || (TASK_ORDER < 0 && !falling) || sum != (uint64_t)tasks.count * (tasks.count - 1) / 2)
		wrong("tasks not each once, in the order this library does them");
}

static IO_CALLBACK(on_tasks_keeper)
{
	wrong("a callback although nothing was ready");
	IO_DONE;
}

static void workload_tasks(void)
{
	enum { BATCH = 1000, LINKS = 1000 };
	struct limits limits = {.io = 1, .tasks = BATCH};
	loop_t *loop = loop_open(&limits);
	struct meter chain = {.metric = "chain"}, defer_chain = {.metric = "chain_no_poll"}, batch = {.metric = "batch"};
	int fd, other;
	struct io *keeper = zeroed(1, sizeof *keeper);
	open_pair(&fd, &other);
	MUST(io_add(loop, keeper, fd, IO_READ, on_tasks_keeper) == 0);
	tasks.loop = loop;
	tasks.jobs = zeroed(BATCH, sizeof *tasks.jobs);
	tasks.order = zeroed(BATCH, sizeof *tasks.order);
	task_open(loop, &tasks.link.task, on_link);
	for (uint32_t i = 0; i < BATCH; i++) {
		tasks.jobs[i].number = i;
		task_open(loop, &tasks.jobs[i].task, on_job);
	}

	/* The first round grows tables, unmeasured. */
	tasks.count = BATCH;
	for (uint32_t i = 0; i < BATCH; i++)
		task_defer(loop, &tasks.jobs[i].task, on_job);
	while (tasks.done < BATCH)
		loop_poll(loop);
	tasks_check();
	while (meter_goes_on(&batch, 5)) {
		tasks.done = 0;
		tasks.count = BATCH;
		meter_begin(&batch);
		measured_batch(loop);
		meter_end(&batch, BATCH);
		tasks_check();
	}

	uint64_t turns = 0;
	tasks.count = LINKS;
	while (meter_goes_on(&defer_chain, 1)) {
		tasks.done = 0;
		meter_begin(&defer_chain);
		turns = measured_defer_chain(loop);
		meter_end(&defer_chain, LINKS);
		if (tasks.done != LINKS)
			wrong("%" PRIu32 " calls of a chain of %d", tasks.done, LINKS);
	}
	if (turns >= LINKS)
		defer_chain.metric = "chain"; /* it does poll */
	meter_report(&defer_chain);
#ifdef CHAIN_CALLBACK
	if (turns < LINKS) {
		struct chain *own = zeroed(1, sizeof *own);
		while (meter_goes_on(&chain, 1)) {
			tasks.done = 0;
			meter_begin(&chain);
			turns = measured_chain(loop, own);
			meter_end(&chain, LINKS);
			if (tasks.done != LINKS || turns < LINKS)
				wrong("%" PRIu32 " calls in %" PRIu64 " turns of a chain of %d", tasks.done, turns, LINKS);
		}
	}
#endif
	meter_report(&chain);
	meter_report(&batch);
}
