/* Deferred work: call this later in the same thread.
 *
 * A chain is a task that defers itself: each link is a turn of its own, so that I/O is looked at in
 * between. With libraries whose deferral runs on in the same turn that is done by other means of
 * theirs (an idle watcher, a timeout of zero): CHAIN_CALLBACK. */

struct job {
    struct task task;
    uint32_t number;
};

static struct {
    uint32_t done, count;
    struct job *jobs;
    uint32_t *order; /* of the calls */
    loop_t *loop;
} tasks;

static TASK_CALLBACK(on_job)
{
    tasks.order[tasks.done++] = ((struct job *)user)->number;
    TASK_DONE;
}

#ifndef CHAIN_CALLBACK
struct chain {
    struct task task;
};
#define CHAIN_CALLBACK TASK_CALLBACK
#define CHAIN_GO_ON task_again(tasks.loop, (struct task *)user, on_link)
#define CHAIN_STOP TASK_DONE
#define chain_open(loop, chain, call) task_open(loop, &(chain)->task, call)
#define chain_start(loop, chain, call) task_defer(loop, &(chain)->task, call)
#endif

static CHAIN_CALLBACK(on_link)
{
    if (++tasks.done == tasks.count)
        CHAIN_STOP;
    else
        CHAIN_GO_ON;
    TASK_DONE;
}

static void tasks_batch(loop_t *loop)
{
    tasks.done = 0;
    for (uint32_t i = 0; i < tasks.count; i++)
        task_defer(loop, &tasks.jobs[i].task, on_job);
    while (tasks.done < tasks.count)
        loop_poll(loop);
}

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
    if ((TASK_ORDER > 0 && !rising) || (TASK_ORDER < 0 && !falling)
        || sum != (uint64_t)tasks.count * (tasks.count - 1) / 2)
        wrong("tasks not each once, in the order this library does them");
}

/* tasks */
static void workload_tasks(uint32_t unused, uint32_t unused_too)
{
    enum { COUNT = 1000 };
    struct limits limits = {.io = 1, .tasks = COUNT};
    loop_t *loop = loop_open(&limits);
    enum { CHAIN, BATCH, METERS };
    struct meter meters[METERS] = {[CHAIN] = {.metric = "chain"}, [BATCH] = {.metric = "batch"}};
    struct chain *chain = zeroed(1, sizeof *chain);
    keep_waiting(loop);
    tasks.loop = loop;
    tasks.count = COUNT;
    tasks.jobs = zeroed(COUNT, sizeof *tasks.jobs);
    tasks.order = zeroed(COUNT, sizeof *tasks.order);
    chain_open(loop, chain, on_link);
    for (uint32_t i = 0; i < COUNT; i++) {
        tasks.jobs[i].number = i;
        task_open(loop, &tasks.jobs[i].task, on_job);
    }
    tasks_batch(loop); /* grows tables */
    while (meter_goes_on(&meters[BATCH], 5)) {
        meter_begin(&meters[BATCH]);
        tasks_batch(loop);
        meter_end(&meters[BATCH], COUNT);
        tasks_check();
    }
    while (meter_goes_on(&meters[CHAIN], 1)) {
        uint32_t turns = 0;
        tasks.done = 0;
        meter_begin(&meters[CHAIN]);
        chain_start(loop, chain, on_link);
        for (; tasks.done < COUNT; turns++)
            loop_poll(loop);
        meter_end(&meters[CHAIN], COUNT);
        if (tasks.done != COUNT || turns < COUNT)
            wrong("%" PRIu32 " calls in %" PRIu32 " turns of a chain", tasks.done, turns);
    }
    meters_report(meters, METERS);
}
