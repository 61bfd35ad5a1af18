/* Deferred work: call this later in the same thread.
 *
 * A chain is a task that defers itself: each link is a turn of its own, so that I/O is looked at in
 * between. With libraries whose deferral runs on in the same turn that is done by other means of
 * theirs (an idle watcher, a timeout of zero): CHAIN_CALLBACK. */

enum { TASKS = 1000 };

struct job {
    struct task task;
    uint32_t number;
};

static struct {
    uint32_t done;
    struct job jobs[TASKS];
    uint32_t order[TASKS]; /* of the calls */
    loop_t *loop;
} tasks;

static TASK_CALLBACK(on_job)
{
    tasks.order[tasks.done++] = ((struct job *)user)->number;
    TASK_DONE;
}

#ifndef CHAIN_CALLBACK
struct chain { struct task task; };
#define CHAIN_CALLBACK TASK_CALLBACK
#define CHAIN_GO_ON task_again(tasks.loop, (struct task *)user, on_link)
#define CHAIN_STOP TASK_DONE
#define chain_open(loop, chain, call) task_open(loop, &(chain)->task, call)
#define chain_start(loop, chain, call) task_defer(loop, &(chain)->task, call)
#endif

static CHAIN_CALLBACK(on_link)
{
    if (++tasks.done == TASKS)
        CHAIN_STOP;
    else
        CHAIN_GO_ON;
    TASK_DONE;
}

static void tasks_batch(loop_t *loop)
{
    tasks.done = 0;
    for (uint32_t i = 0; i < TASKS; i++)
        task_defer(loop, &tasks.jobs[i].task, on_job);
    while (tasks.done < TASKS)
        loop_poll(loop);
}

/* Each once; in the order deferred, or the other way round, if the library does one of these. */
static void tasks_check(void)
{
    uint64_t rising = 0, falling = 0, sum = 0;
    for (uint32_t i = 0; i < TASKS; i++) {
        rising += tasks.order[i] == i;
        falling += tasks.order[i] == TASKS - 1 - i;
        sum += tasks.order[i];
    }
    if ((TASK_ORDER > 0 && rising != TASKS) || (TASK_ORDER < 0 && falling != TASKS)
        || sum != TASKS * (TASKS - 1) / 2)
        wrong("tasks not each once, in the order this library does them");
}

/* tasks */
static void workload_tasks(uint32_t unused, uint32_t unused_too)
{
    enum { CHAIN, BATCH, METERS };
    struct limits limits = {.io = 1, .tasks = TASKS};
    struct meter meters[METERS] = {[CHAIN] = {.metric = "chain"}, [BATCH] = {.metric = "batch"}};
    struct chain *chain = zeroed(1, sizeof *chain);
    loop_t *loop = tasks.loop = loop_open(&limits);
    keep_waiting(loop);
    chain_open(loop, chain, on_link);
    for (uint32_t i = 0; i < TASKS; i++) {
        tasks.jobs[i].number = i;
        task_open(loop, &tasks.jobs[i].task, on_job);
    }
    tasks_batch(loop); /* grows tables */
    while (meter_goes_on(&meters[BATCH], 5)) {
        meter_begin(&meters[BATCH]);
        tasks_batch(loop);
        meter_end(&meters[BATCH], TASKS);
        tasks_check();
    }
    while (meter_goes_on(&meters[CHAIN], 1)) {
        uint32_t turns = 0;
        tasks.done = 0;
        meter_begin(&meters[CHAIN]);
        chain_start(loop, chain, on_link);
        for (; tasks.done < TASKS; turns++)
            loop_poll(loop);
        meter_end(&meters[CHAIN], TASKS);
        if (tasks.done != TASKS || turns < TASKS)
            wrong("%" PRIu32 " calls in %" PRIu32 " turns of a chain", tasks.done, turns);
    }
    meters_report(meters, METERS);
}
