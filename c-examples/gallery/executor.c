/*
 * executor: twenty threads that do a hundred jobs for a loop.
 *
 * Shows: threads do work that blocks or computes, and the results return to the loop's thread. In
 * four ways: submit and wait; submit with a callback; map, which gives the results in order; and
 * shut down, which finishes all submitted work.
 * Watch for: to submit and wait, one by one, never uses more than one thread. Results arrive by
 * pirn_event_set_from or pirn_remote_post, the only doors for other threads, so callbacks run on
 * the loop's thread and need no locks. pirn_hold keeps the loop going meanwhile.
 * Next: process_pool.c, for jobs that may crash.
 *
 *     ./build/gallery/executor                     --self-test checks order, counts and threads
 */
#include <pthread.h>
#include <unistd.h>

#include <pirn/sync.h>

#include "virtual.h"

#define THREADS 20
#define JOBS 100

struct job {
    struct job *next;
    int number, result;
    pirn_task_fn callback;                           /* NULL: set `done` instead */
    struct pirn_event done;
};

static PIRN_STORAGE(block, 4, 4, 2 * JOBS);          /* room for JOBS posts: none is refused */
static struct pirn_loop *loop;
static struct pirn_hub hub;

/* ---- the executor: a queue of jobs, and threads that take them ---- */

static pthread_t threads[THREADS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct job *first, **last = &first;
static int is_shut, busy, most_busy;                 /* and the queue: protected by the lock */

static int square(int number)
{
    usleep(2000);                                    /* or reading a file, or getaddrinfo */
    return number * number;
}

static void *take_jobs(void *user)
{
    struct job *job;

    (void)user;
    pthread_mutex_lock(&lock);
    for (;;) {
        while (first == NULL && !is_shut)
            pthread_cond_wait(&changed, &lock);
        if ((job = first) == NULL)
            break;
        if ((first = job->next) == NULL)
            last = &first;
        if (++busy > most_busy)
            most_busy = busy;
        pthread_mutex_unlock(&lock);
        job->result = square(job->number);
        pthread_mutex_lock(&lock);
        busy--;
        if (job->callback != NULL)
            CHECK(pirn_remote_post(loop, job->callback, job) == 0);
        else
            CHECK(pirn_event_set_from(&hub, &job->done) == 0);
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}

static int submit(struct job *job, int number, pirn_task_fn callback)
{
    int rc = -ESHUTDOWN;

    memset(job, 0, sizeof *job);
    job->number = number;
    job->callback = callback;
    pthread_mutex_lock(&lock);
    if (!is_shut) {
        *last = job;
        last = &job->next;
        pthread_cond_signal(&changed);
        rc = 0;
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

static int result_of(struct job *job)
{
    CHECK(pirn_event_wait(&hub, &job->done, PIRN_FOREVER) == 0);
    return job->result;
}

static void shut_down(void)
{
    pthread_mutex_lock(&lock);
    is_shut = 1;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    for (int at = 0; at < THREADS; at++)
        CHECK(pthread_join(threads[at], NULL) == 0);
}

/* ---- its uses ---- */

static struct job jobs[JOBS];
static pthread_t loop_thread;
static int called, sum;

static void on_result(struct pirn_loop *its_loop, void *user)
{
    const struct job *job = user;

    CHECK(pthread_equal(pthread_self(), loop_thread));
    sum += job->result;                              /* no lock */
    if (++called % JOBS == 0)
        CHECK(pirn_release(its_loop) == 0);
}

static int take_most_busy(void)
{
    int most;

    pthread_mutex_lock(&lock);
    most = most_busy;
    most_busy = 0;
    pthread_mutex_unlock(&lock);
    return most;
}

int main(void)
{
    int serial, parallel;

    loop = real_begin(block, sizeof block, &hub);
    CHECK(pirn_hold(loop) == 0);                     /* the results come from other threads */
    loop_thread = pthread_self();
    for (int at = 0; at < THREADS; at++)
        CHECK(pthread_create(&threads[at], NULL, take_jobs, NULL) == 0);

    for (int at = 0; at < 10; at++)                  /* submit and wait */
        CHECK(submit(&jobs[at], at, NULL) == 0 && result_of(&jobs[at]) == at * at);
    CHECK((serial = take_most_busy()) == 1);

    for (int at = 0; at < JOBS; at++)                /* map */
        CHECK(submit(&jobs[at], at, NULL) == 0);
    for (int at = 0; at < JOBS; at++)
        CHECK(result_of(&jobs[at]) == at * at);      /* in order, whoever was first */
    CHECK((parallel = take_most_busy()) > 1 && parallel <= THREADS);

    for (int at = 0; at < JOBS; at++)                /* submit and be called */
        CHECK(submit(&jobs[at], at, on_result) == 0);
    CHECK(pirn_run(loop) == PIRN_DONE && called == JOBS && sum == 328350);

    CHECK(pirn_hold(loop) == 0);
    for (int at = 0; at < JOBS; at++)                /* shut down: no more are taken */
        CHECK(submit(&jobs[at], at, on_result) == 0);
    shut_down();
    CHECK(submit(&(struct job){ 0 }, 1, NULL) == -ESHUTDOWN);
    CHECK(pirn_run(loop) == PIRN_DONE && called == 2 * JOBS && sum == 2 * 328350);
    printf("executor: one by one %d thread was busy; submitted together %d of %d\n", serial,
           parallel, THREADS);
    return loop_end(loop, &hub);
}
