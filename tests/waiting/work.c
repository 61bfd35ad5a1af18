/* Work that threads do for a loop. */
#include "test.h"

#include <pthread.h>

#include <pirn/work.h>

#include "fibers.h"

#define THREADS 4
#define MANY 200

static struct pirn_workers workers;
static pthread_t threads[THREADS];
static int thread_count;

static void *works(void *user)
{
    pirn_workers_run(&workers);
    return user;
}

static void open_workers(int count, uint32_t most_waiting)
{
    open_fibers(0);
    OK(pirn_workers_init(&workers, most_waiting));
    for (thread_count = 0; thread_count < count; thread_count++)
        MUST(pthread_create(&threads[thread_count], NULL, works, NULL) == 0);
}

static void join_threads(void)
{
    while (thread_count > 0)
        MUST(pthread_join(threads[--thread_count], NULL) == 0);
}

static void close_workers(uint32_t how)
{
    OK(pirn_workers_close(&workers, how));
    join_threads();
    EQUAL(pirn_run(loop), PIRN_DONE);
    close_fibers();
}

/* ---- functions of work, and functions called at its end ---- */

struct job { struct pirn_work work; int number, done, result; };

static int squares(struct pirn_work *work, void *user)
{
    struct job *job = user;
    (void)work;
    return job->number * job->number;
}

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static int began;

/* Runs until the gate is open. */
static int waits_at_the_gate(struct pirn_work *work, void *user)
{
    (void)user;
    __atomic_store_n(&began, 1, __ATOMIC_RELEASE);
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    return pirn_work_is_cancelled(work) == 1 ? 77 : 7;
}

static void wait_until_it_began(void)
{
    while (!__atomic_load_n(&began, __ATOMIC_ACQUIRE))
        usleep(100);
    began = 0;
}

static pthread_t loop_thread;

static void on_done(struct pirn_hub *hub_, struct pirn_work *work, int result, void *user)
{
    struct job *job = user;
    CHECK(pthread_equal(pthread_self(), loop_thread));
    CHECK(hub_ == &hub && work == &job->work);
    job->done++;
    job->result = result;
}

static void prepare(struct job *jobs, int count)
{
    memset(jobs, 0, (size_t)count * sizeof *jobs);
    for (int at = 0; at < count; at++)
        jobs[at].number = at;
}

static int submit(struct job *job, pirn_work_fn function)
{
    return pirn_work_submit(&workers, &hub, &job->work, function, on_done, job);
}

static struct job jobs[MANY];

static void all_work_is_done_once(void)
{
    open_workers(THREADS, 0);
    prepare(jobs, MANY);
    for (int round = 1; round <= 3; round++) {
        for (int at = 0; at < MANY; at++)
            OK(submit(&jobs[at], squares));
        EQUAL(pirn_run(loop), PIRN_DONE);
        for (int at = 0; at < MANY; at++)
            CHECK(jobs[at].done == round && jobs[at].result == at * at);
    }
    close_workers(PIRN_WORKERS_DRAIN);
}

/* A map: results in the order of submission, not of completion. */
static void results_are_taken_in_order(void)
{
    open_workers(THREADS, 0);
    prepare(jobs, MANY);
    for (int at = 0; at < MANY; at++)
        OK(pirn_work_submit(&workers, &hub, &jobs[at].work, squares, NULL, &jobs[at]));
    for (int at = 0; at < MANY; at++) {
        OK(pirn_work_wait(&hub, &jobs[at].work, 20 * SECOND));
        EQUAL(jobs[at].work.result, at * at);
    }
    OK(pirn_work_wait(&hub, &jobs[0].work, PIRN_FOREVER));
    close_workers(PIRN_WORKERS_DRAIN);
}

static struct pirn_work *again;

static void submits_again(struct pirn_hub *hub_, struct pirn_work *work, int result, void *user)
{
    struct job *job = user;
    (void)result;
    CHECK(work == again);
    if (++job->done < 5)
        OK(pirn_work_submit(&workers, hub_, work, squares, submits_again, user));
}

static void work_may_be_submitted_again_when_it_is_done(void)
{
    open_workers(1, 0);
    prepare(jobs, 1);
    again = &jobs[0].work;
    OK(pirn_work_submit(&workers, &hub, again, squares, submits_again, &jobs[0]));
    EQUAL(pirn_run(loop), PIRN_DONE);
    EQUAL(jobs[0].done, 5);
    close_workers(PIRN_WORKERS_NOW);
}

static void cancelled_work_never_runs_or_is_told(void)
{
    open_workers(1, 2);
    prepare(jobs, 4);
    pthread_mutex_lock(&gate);
    OK(submit(&jobs[0], waits_at_the_gate));
    wait_until_it_began();
    OK(submit(&jobs[1], squares));
    OK(submit(&jobs[2], squares));
    GIVES(submit(&jobs[3], squares), -EAGAIN);
    GIVES(submit(&jobs[1], squares), -EBUSY);
    GIVES(submit(&jobs[0], squares), -EBUSY);
    OK(pirn_work_cancel(&jobs[1].work));
    GIVES(pirn_work_cancel(&jobs[1].work), -EBUSY);
    EQUAL(jobs[1].done, 0);
    GIVES(pirn_work_cancel(&jobs[0].work), -EBUSY);
    GIVES(pirn_work_cancel(&jobs[3].work), -ENOENT);
    settle(loop, 4);
    EQUAL(jobs[1].done, 1);
    EQUAL(jobs[1].result, -ECANCELED);
    pthread_mutex_unlock(&gate);
    EQUAL(pirn_run(loop), PIRN_DONE);
    EQUAL(jobs[0].result, 77);
    EQUAL(jobs[2].result, 4);
    EQUAL(jobs[0].done + jobs[2].done, 2);
    close_workers(PIRN_WORKERS_DRAIN);
}

static void closing_drains_or_not(void)
{
    for (uint32_t how = PIRN_WORKERS_DRAIN; how <= PIRN_WORKERS_NOW; how++) {
        open_workers(1, 0);
        prepare(jobs, 4);
        pthread_mutex_lock(&gate);
        OK(submit(&jobs[0], waits_at_the_gate));
        wait_until_it_began();
        for (int at = 1; at < 4; at++)
            OK(submit(&jobs[at], squares));
        OK(pirn_workers_close(&workers, how));
        GIVES(submit(&jobs[0], squares), -EBUSY);
        pthread_mutex_unlock(&gate);
        EQUAL(pirn_run(loop), PIRN_DONE);
        EQUAL(jobs[0].result, 7);
        for (int at = 1; at < 4; at++) {
            EQUAL(jobs[at].done, 1);
            EQUAL(jobs[at].result, how == PIRN_WORKERS_NOW ? -ECANCELED : at * at);
        }
        GIVES(submit(&jobs[1], squares), -ESHUTDOWN);
        close_workers(how);
    }
}

/* ---- fibers ---- */

static int calls_square(struct pirn_hub *hub_, void *user)
{
    struct job *job = user;
    int result = 0;
    OK(pirn_work_call(&workers, hub_, &job->work, squares, job, 20 * SECOND, &result));
    return result;
}

static void fiber_calls_as_if_it_blocked(void)
{
    open_workers(2, 0);
    prepare(jobs, 4);
    for (int at = 0; at < 4; at++)
        OK(pirn_fiber_start(&hub, &fibers[at], stacks[at], STACK, 0, calls_square, &jobs[at]));
    EQUAL(pirn_run(loop), PIRN_DONE);
    for (int at = 0; at < 4; at++)
        EQUAL(fibers[at].result, at * at);
    close_workers(PIRN_WORKERS_DRAIN);
}

static int calls_at_the_gate(struct pirn_hub *hub_, void *user)
{
    /* On the fiber's own stack: it must not go before the thread has finished. */
    struct pirn_work work;
    int result = 0, rc;
    memset(&work, 0, sizeof work);
    rc = pirn_work_call(&workers, hub_, &work, waits_at_the_gate, NULL, 10 * MILLISECOND,
                        &result);
    *(int *)user = rc;
    return result;
}

static void opens_the_gate(struct pirn_loop *loop_, struct pirn_timer timer, uint64_t missed,
                           void *user)
{
    (void)loop_, (void)timer, (void)missed, (void)user;
    pthread_mutex_unlock(&gate);
}

static void call_withdraws_only_what_has_not_begun(void)
{
    int first = 1, second = 1, cancelled = 1;
    open_workers(1, 0);
    pthread_mutex_lock(&gate);
    OK(pirn_fiber_start(&hub, &fibers[0], stacks[0], STACK, 0, calls_at_the_gate, &first));
    OK(pirn_fiber_start(&hub, &fibers[1], stacks[1], STACK, 0, calls_at_the_gate, &second));
    OK(pirn_fiber_start(&hub, &fibers[2], stacks[2], STACK, 0, calls_at_the_gate, &cancelled));
    settle(loop, 2);
    wait_until_it_began();
    OK(pirn_fiber_cancel(&fibers[2]));
    OK(pirn_timer_start(loop, 30 * MILLISECOND, 0, 0, opens_the_gate, NULL, NULL));
    EQUAL(pirn_run(loop), PIRN_DONE);
    /* The first is running when its limit is over: it is marked as cancelled, and waited for. */
    EQUAL(first, 0);
    EQUAL(fibers[0].result, 77);
    EQUAL(second, -ETIMEDOUT);
    EQUAL(cancelled, -ECANCELED);
    close_workers(PIRN_WORKERS_DRAIN);
}

/* ---- misuse ---- */

static void misuse_is_refused(void)
{
    struct pirn_waiter *self;
    open_workers(0, 0);
    prepare(jobs, 1);
    self = pirn_fiber_self(&hub);
    GIVES(pirn_workers_init(NULL, 0), -EINVAL);
    GIVES(pirn_workers_run(NULL), -EINVAL);
    GIVES(pirn_workers_close(NULL, PIRN_WORKERS_NOW), -EINVAL);
    GIVES(pirn_workers_close(&workers, 2), -EINVAL);
    GIVES(pirn_work_submit(NULL, &hub, &jobs[0].work, squares, NULL, NULL), -EINVAL);
    GIVES(pirn_work_submit(&workers, NULL, &jobs[0].work, squares, NULL, NULL), -EINVAL);
    GIVES(pirn_work_submit(&workers, &hub, NULL, squares, NULL, NULL), -EINVAL);
    GIVES(pirn_work_submit(&workers, &hub, &jobs[0].work, NULL, NULL, NULL), -EINVAL);
    GIVES(pirn_work_cancel(NULL), -EINVAL);
    GIVES(pirn_work_cancel(&jobs[0].work), -ENOENT);
    GIVES(pirn_work_is_cancelled(NULL), -EINVAL);
    GIVES(pirn_work_wait_start(NULL, self, 1), -EINVAL);
    GIVES(pirn_work_wait_start(&jobs[0].work, NULL, 1), -EDEADLK);
    GIVES(pirn_work_wait_start(&jobs[0].work, self, 1), 0);
    GIVES(pirn_work_call_start(&workers, &hub, &jobs[0].work, squares, NULL, NULL, 1), -EDEADLK);
    GIVES(pirn_work_call_start(&workers, &hub, &jobs[0].work, squares, NULL, self, 0), -EAGAIN);
    OK(submit(&jobs[0], squares));
    GIVES(pirn_work_wait_start(&jobs[0].work, NULL, 0), -EAGAIN);
    GIVES(pirn_hub_deinit(&hub), -EBUSY);
    /* There is no thread: it is withdrawn. */
    GIVES(pirn_work_wait(&hub, &jobs[0].work, MILLISECOND), -ETIMEDOUT);
    close_workers(PIRN_WORKERS_NOW);
    EQUAL(jobs[0].done, 1);
    EQUAL(jobs[0].result, -ECANCELED);
}

static void test(uint32_t backend)
{
    the_backend = backend;
    loop_thread = pthread_self();
    all_work_is_done_once();
    results_are_taken_in_order();
    work_may_be_submitted_again_when_it_is_done();
    cancelled_work_never_runs_or_is_told();
    closing_drains_or_not();
    fiber_calls_as_if_it_blocked();
    call_withdraws_only_what_has_not_begun();
    misuse_is_refused();
}

int main(int argc, char **argv)
{
    return run_on_backends(argc, argv, test);
}
