/* The objects of pirn/sync.h for callbacks, coroutines, fibers and main at once. */
#include "test.h"

#include <pthread.h>

#include <pirn/co_wait.h>
#include <pirn/sync.h>

#include "fibers.h"

/* The events, in order. */
static char written[256];

static void note(const char *name, int result)
{
    size_t used = strlen(written);
    snprintf(written + used, sizeof written - used, "%s%d ", name, result);
}

#define WRITTEN(text) \
    do { \
        CHECK(strcmp(written, text) == 0 || (printf("it is \"%s\"\n", written), 0)); \
        written[0] = 0; \
    } while (0)

/* ---- every object, as something that can be waited for ---- */

static struct pirn_event event;
static struct pirn_mutex mutex;
static struct pirn_semaphore semaphore;
static struct pirn_condition condition;
static struct pirn_barrier barrier;
static struct pirn_queue queue;
static char storage[1], items[8];
static struct pirn_waiter owner;

static void ignore(struct pirn_hub *hub_, struct pirn_waiter *waiter, int result)
{
    (void)hub_, (void)waiter, (void)result;
}

struct subject {
    const char *name;
    void (*prepare)(void);
    int (*wait_start)(struct pirn_waiter *waiter, uint64_t timeout_ns);
    int (*wait)(uint64_t timeout_ns);
    /* Lets one through, or all. */
    void (*grant)(struct pirn_waiter *last);
};

static void prepare_event(void) { memset(&event, 0, sizeof event); }
static int event_start(struct pirn_waiter *waiter, uint64_t timeout_ns)
{
    return pirn_event_wait_start(&event, waiter, timeout_ns);
}
static int event_wait(uint64_t timeout_ns) { return pirn_event_wait(&hub, &event, timeout_ns); }
static void event_grant(struct pirn_waiter *last)
{
    (void)last;
    OK(pirn_event_set(&event));
    OK(pirn_event_clear(&event));
}

/* Who has unlocked the mutex already: the next owner may not have run when the timer ticks. */
static struct pirn_waiter *unlocked;

static void prepare_mutex(void)
{
    unlocked = NULL;
    OK(pirn_mutex_init(&mutex, PIRN_MUTEX_RECURSIVE));
    OK(pirn_mutex_lock_start(&mutex, &owner, 0));
}
static int mutex_start(struct pirn_waiter *waiter, uint64_t timeout_ns)
{
    return pirn_mutex_lock_start(&mutex, waiter, timeout_ns);
}
static int mutex_wait(uint64_t timeout_ns) { return pirn_mutex_lock(&hub, &mutex, timeout_ns); }
static void mutex_grant(struct pirn_waiter *last)
{
    if (last != unlocked)
        OK(pirn_mutex_unlock_by(&mutex, last));
    unlocked = last;
}

static void prepare_semaphore(void) { memset(&semaphore, 0, sizeof semaphore); }
static int semaphore_start(struct pirn_waiter *waiter, uint64_t timeout_ns)
{
    return pirn_semaphore_acquire_start(&semaphore, waiter, 1, timeout_ns);
}
static int semaphore_wait(uint64_t timeout_ns)
{
    return pirn_semaphore_acquire(&hub, &semaphore, 1, timeout_ns);
}
static void semaphore_grant(struct pirn_waiter *last)
{
    (void)last;
    OK(pirn_semaphore_release(&semaphore, 1));
}

static void prepare_condition(void) { memset(&condition, 0, sizeof condition); }
static int condition_start(struct pirn_waiter *waiter, uint64_t timeout_ns)
{
    return pirn_condition_wait_start(&condition, NULL, waiter, timeout_ns);
}
static int condition_wait(uint64_t timeout_ns)
{
    return pirn_condition_wait(&hub, &condition, NULL, timeout_ns);
}
static void condition_grant(struct pirn_waiter *last)
{
    (void)last;
    CHECK(pirn_condition_notify(&condition, 1) >= 0);
}

static void prepare_barrier(void) { OK(pirn_barrier_init(&barrier, 5)); }
static int barrier_start(struct pirn_waiter *waiter, uint64_t timeout_ns)
{
    return pirn_barrier_wait_start(&barrier, waiter, timeout_ns);
}
static int barrier_wait(uint64_t timeout_ns)
{
    return pirn_barrier_wait(&hub, &barrier, timeout_ns);
}
static void barrier_grant(struct pirn_waiter *last)
{
    (void)last;
    pirn_barrier_wait_start(&barrier, NULL, 0);
}

static void prepare_queue(void)
{
    OK(pirn_queue_init(&queue, storage, 1, 1, PIRN_QUEUE_FIFO));
}
static int get_start(struct pirn_waiter *waiter, uint64_t timeout_ns)
{
    return pirn_queue_get_start(&queue, waiter, items, timeout_ns);
}
static int get_wait(uint64_t timeout_ns)
{
    return pirn_queue_get(&hub, &queue, items, timeout_ns);
}
static void get_grant(struct pirn_waiter *last)
{
    (void)last;
    pirn_queue_put_start(&queue, NULL, "x", 0);
}

static void prepare_full_queue(void)
{
    prepare_queue();
    OK(pirn_queue_put_start(&queue, NULL, "x", 0));
}
static int put_start(struct pirn_waiter *waiter, uint64_t timeout_ns)
{
    return pirn_queue_put_start(&queue, waiter, "x", timeout_ns);
}
static int put_wait(uint64_t timeout_ns) { return pirn_queue_put(&hub, &queue, "x", timeout_ns); }
static void put_grant(struct pirn_waiter *last)
{
    (void)last;
    OK(pirn_queue_get_start(&queue, NULL, items, 0));
}

static int join_start(struct pirn_waiter *waiter, uint64_t timeout_ns)
{
    return pirn_queue_join_start(&queue, waiter, timeout_ns);
}
static int join_wait(uint64_t timeout_ns) { return pirn_queue_join(&hub, &queue, timeout_ns); }
static void join_grant(struct pirn_waiter *last)
{
    (void)last;
    pirn_queue_done(&queue);
}

static const struct subject subjects[] = {
    { "event", prepare_event, event_start, event_wait, event_grant },
    { "mutex", prepare_mutex, mutex_start, mutex_wait, mutex_grant },
    { "semaphore", prepare_semaphore, semaphore_start, semaphore_wait, semaphore_grant },
    { "condition", prepare_condition, condition_start, condition_wait, condition_grant },
    { "barrier", prepare_barrier, barrier_start, barrier_wait, barrier_grant },
    { "get", prepare_queue, get_start, get_wait, get_grant },
    { "put", prepare_full_queue, put_start, put_wait, put_grant },
    { "join", prepare_full_queue, join_start, join_wait, join_grant },
};

static const struct subject *subject;

/* ---- the kinds of waiters ---- */

static struct pirn_waiter caller;
/* The waiter that was served last, and so owns the mutex. */
static struct pirn_waiter *served;

static void on_wake(struct pirn_hub *hub_, struct pirn_waiter *waiter, int result)
{
    (void)hub_;
    served = waiter;
    note(waiter->user, result);
}

struct stackless {
    struct pirn_co co;
    struct pirn_waiter waiter;
    uint64_t timeout_ns;
    int calls, ends_at_once;
};

static struct pirn_co_step waits_stackless(struct pirn_co *co, void *user)
{
    struct stackless *stackless = user;

    PIRN_CO_BEGIN(co);
    PIRN_CO_WAIT(co, &stackless->waiter,
                 subject->wait_start(&stackless->waiter, stackless->timeout_ns));
    stackless->calls++;
    served = &stackless->waiter;
    note("coroutine ", co->result);
    if (stackless->ends_at_once)
        PIRN_CO_RETURN(co, 0);
    PIRN_CO_YIELD(co);
    note("then ", co->result);
    PIRN_CO_END(co);
}

static void start_stackless(struct stackless *stackless, uint64_t timeout_ns)
{
    memset(stackless, 0, sizeof *stackless);
    stackless->timeout_ns = timeout_ns;
    OK(pirn_co_waiter_init(&hub, &stackless->waiter, &stackless->co));
    OK(pirn_co_start(loop, &stackless->co, waits_stackless, stackless));
    settle(loop, 4);
}

static int waits_in_a_fiber(struct pirn_hub *hub_, void *user)
{
    int result = subject->wait(PIRN_FOREVER);
    (void)user;
    served = pirn_fiber_self(hub_);
    note("fiber ", result);
    /* What it owns stays its own a little longer. */
    pirn_fiber_sleep(hub_, 50 * MILLISECOND);
    return 0;
}

static void on_tick(struct pirn_loop *loop_, struct pirn_timer timer, uint64_t missed, void *user)
{
    (void)loop_, (void)timer, (void)missed, (void)user;
    subject->grant(served);
}

static void all_ways_are_served_in_the_order_of_their_coming(void)
{
    struct stackless stackless;
    struct pirn_timer timer;
    const char *expected = "caller 0 coroutine 0 fiber 0 main 0 ";

    open_fibers(0);
    OK(pirn_waiter_init(&hub, &caller, on_wake, "caller "));
    OK(pirn_waiter_init(&hub, &owner, ignore, NULL));
    served = &owner;
    subject->prepare();
    GIVES(subject->wait_start(&caller, PIRN_FOREVER), PIRN_WAITS);
    start_stackless(&stackless, PIRN_FOREVER);
    stackless.ends_at_once = 1;
    start(0, waits_in_a_fiber, NULL);
    settle(loop, 4);
    OK(pirn_timer_start(loop, MILLISECOND, MILLISECOND, PIRN_UNREF, on_tick, NULL, &timer));
    note("main ", subject->wait(5 * SECOND));
    served = pirn_fiber_self(&hub);
    OK(pirn_timer_stop(loop, timer));
    if (strcmp(subject->name, "barrier") == 0)
        expected = "caller 0 coroutine 1 fiber 2 main 3 ";
    EQUAL(pirn_run(loop), PIRN_DONE);
    WRITTEN(expected);
    EQUAL(stackless.calls, 1);
    if (subject->wait == mutex_wait)
        OK(pirn_mutex_unlock(&hub, &mutex));
    close_fibers();
}

/* ---- coroutines ---- */

static void open_for_coroutine(void)
{
    open_fibers(0);
    OK(pirn_waiter_init(&hub, &owner, ignore, NULL));
    served = &owner;
    subject->prepare();
}

static void close_for_coroutine(struct stackless *stackless)
{
    EQUAL(pirn_run(loop), PIRN_DONE);
    EQUAL(pirn_co_is_live(&stackless->co), 0);
    pirn_waiter_end(&stackless->waiter);
    pirn_waiter_end(&owner);
    close_fibers();
}

static void coroutine_is_cancelled(void)
{
    struct stackless stackless;
    open_for_coroutine();
    start_stackless(&stackless, PIRN_FOREVER);
    OK(pirn_co_cancel(&stackless.co));
    OK(pirn_co_cancel(&stackless.co));
    settle(loop, 6);
    WRITTEN("coroutine -125 then 0 ");
    close_for_coroutine(&stackless);
}

static void coroutine_keeps_what_it_was_granted(void)
{
    struct stackless stackless;
    char expected[64];
    int result = strcmp(subject->name, "barrier") == 0 ? -EPIPE : 0;

    open_for_coroutine();
    start_stackless(&stackless, PIRN_FOREVER);
    if (result < 0)
        OK(pirn_barrier_reset(&barrier));
    else
        subject->grant(served);
    OK(pirn_co_cancel(&stackless.co));
    OK(pirn_co_cancel(&stackless.co));
    settle(loop, 6);
    /* The cancellation is for its next await. */
    snprintf(expected, sizeof expected, "coroutine %d then -125 ", result);
    WRITTEN(expected);
    close_for_coroutine(&stackless);
}

static void coroutine_is_cancelled_before_it_waits(void)
{
    struct stackless stackless;
    open_for_coroutine();
    memset(&stackless, 0, sizeof stackless);
    OK(pirn_co_waiter_init(&hub, &stackless.waiter, &stackless.co));
    OK(pirn_co_start(loop, &stackless.co, waits_stackless, &stackless));
    OK(pirn_co_cancel(&stackless.co));
    settle(loop, 6);
    WRITTEN("");
    close_for_coroutine(&stackless);
}

static void coroutine_is_stopped(void)
{
    struct stackless stackless;
    open_for_coroutine();
    OK(pirn_waiter_init(&hub, &caller, on_wake, "caller "));
    start_stackless(&stackless, PIRN_FOREVER);
    EQUAL(pirn_waiter_is_waiting(&stackless.waiter), 1);
    OK(pirn_co_stop(&stackless.co));
    EQUAL(pirn_waiter_is_waiting(&stackless.waiter), 0);
    /* After the grant: it goes to the next one. */
    if (strcmp(subject->name, "semaphore") == 0) {
        start_stackless(&stackless, PIRN_FOREVER);
        GIVES(subject->wait_start(&caller, PIRN_FOREVER), PIRN_WAITS);
        subject->grant(served);
        OK(pirn_co_stop(&stackless.co));
        settle(loop, 4);
        WRITTEN("caller 0 ");
    }
    settle(loop, 4);
    WRITTEN("");
    close_for_coroutine(&stackless);
}

static void coroutine_has_a_time_limit(void)
{
    struct stackless stackless;
    open_for_coroutine();
    start_stackless(&stackless, MILLISECOND);
    EQUAL(pirn_run(loop), PIRN_DONE);
    WRITTEN("coroutine -110 then 0 ");
    /* Only a try: it is over at once. */
    if (strcmp(subject->name, "barrier") == 0)
        OK(pirn_barrier_reset(&barrier));
    start_stackless(&stackless, 0);
    settle(loop, 4);
    WRITTEN("coroutine -11 then 0 ");
    close_for_coroutine(&stackless);
}

/* ---- misuse ---- */

static void on_try(struct pirn_loop *loop_, void *user)
{
    (void)loop_, (void)user;
    /* A callback cannot wait, but it can try, unless an owner is needed. */
    GIVES(subject->wait(PIRN_FOREVER), -EDEADLK);
    GIVES(subject->wait(SECOND), -EDEADLK);
    GIVES(subject->wait(0), subject->wait == mutex_wait || subject->wait == condition_wait
                                ? -EDEADLK : -EAGAIN);
}

static void callbacks_do_not_wait(void)
{
    open_for_coroutine();
    OK(pirn_task_post(loop, on_try, NULL, NULL));
    EQUAL(pirn_run(loop), PIRN_DONE);
    pirn_waiter_end(&owner);
    close_fibers();
}

static void main_is_told_that_nobody_can_end_its_wait(void)
{
    open_for_coroutine();
    GIVES(subject->wait(0), -EAGAIN);
    GIVES(subject->wait(PIRN_FOREVER), -EDEADLK);
    if (strcmp(subject->name, "barrier") == 0)
        OK(pirn_barrier_reset(&barrier));
    GIVES(subject->wait(MILLISECOND), -ETIMEDOUT);
    /* A stop that comes before the wait ends it. */
    if (strcmp(subject->name, "barrier") == 0)
        OK(pirn_barrier_reset(&barrier));
    OK(pirn_stop(loop));
    GIVES(subject->wait(SECOND), -ECANCELED);
    pirn_waiter_end(&owner);
    close_fibers();
}

/* ---- what programs do with them ---- */

static int inside, most, sung;

static int sings(struct pirn_hub *hub_, void *user)
{
    (void)user;
    OK(pirn_semaphore_acquire(hub_, &semaphore, 1, PIRN_FOREVER));
    inside++;
    most = inside > most ? inside : most;
    OK(pirn_fiber_sleep(hub_, MILLISECOND));
    inside--;
    sung++;
    return pirn_semaphore_release(&semaphore, 1);
}

static void thirteen_guests_share_four_rooms(void)
{
    open_fibers(0);
    inside = most = sung = 0;
    OK(pirn_semaphore_init(&semaphore, 4, 4));
    for (int guest = 0; guest < 13; guest++)
        start(guest, sings, NULL);
    EQUAL(pirn_run(loop), PIRN_DONE);
    EQUAL(most, 4);
    EQUAL(sung, 13);
    GIVES(pirn_semaphore_release(&semaphore, 1), -EOVERFLOW);
    close_fibers();
}

static int balance;

static int decrements(struct pirn_hub *hub_, void *user)
{
    (void)user;
    for (int round = 0; round < 10; round++) {
        OK(pirn_mutex_lock(hub_, &mutex, PIRN_FOREVER));
        int read = balance;
        OK(pirn_fiber_yield(hub_));
        balance = read - 1;
        OK(pirn_mutex_unlock(hub_, &mutex));
    }
    return 0;
}

static void no_update_is_lost_with_a_lock(void)
{
    open_fibers(0);
    memset(&mutex, 0, sizeof mutex);
    balance = 100;
    for (int fiber = 0; fiber < 10; fiber++)
        start(fiber, decrements, NULL);
    EQUAL(pirn_run(loop), PIRN_DONE);
    EQUAL(balance, 0);
    close_fibers();
}

static struct pirn_mutex forks[2];

static int takes_two(struct pirn_hub *hub_, void *user)
{
    struct pirn_mutex *first = user, *second = first == &forks[0] ? &forks[1] : &forks[0];
    OK(pirn_mutex_lock(hub_, first, PIRN_FOREVER));
    OK(pirn_fiber_yield(hub_));
    int rc = pirn_mutex_lock(hub_, second, PIRN_FOREVER);
    note("", rc);
    if (rc == 0)
        OK(pirn_mutex_unlock(hub_, second));
    return pirn_mutex_unlock(hub_, first);
}

static void locks_in_opposite_order_are_noticed(void)
{
    open_fibers(0);
    memset(forks, 0, sizeof forks);
    start(0, takes_two, &forks[0]);
    start(1, takes_two, &forks[1]);
    EQUAL(pirn_run(loop), PIRN_DONE);
    WRITTEN("-35 0 ");
    close_fibers();
}

static int ends_with_the_lock(struct pirn_hub *hub_, void *user)
{
    (void)user;
    return pirn_mutex_lock(hub_, &mutex, PIRN_FOREVER);
}

static void lock_of_a_fiber_that_has_ended_goes_on(void)
{
    open_fibers(0);
    memset(&mutex, 0, sizeof mutex);
    start(0, ends_with_the_lock, NULL);
    start(1, ends_with_the_lock, NULL);
    EQUAL(pirn_run(loop), PIRN_DONE);
    EQUAL(fibers[0].result, 0);
    EQUAL(fibers[1].result, -EOWNERDEAD);
    GIVES(pirn_mutex_lock(&hub, &mutex, 0), -EOWNERDEAD);
    OK(pirn_mutex_unlock(&hub, &mutex));
    close_fibers();
}

static char buns[3];
static int eaten;

static int bakes(struct pirn_hub *hub_, void *name)
{
    for (int bun = 0; bun < 20; bun++)
        OK(pirn_queue_put(hub_, &queue, name, PIRN_FOREVER));
    return 0;
}

static int eats(struct pirn_hub *hub_, void *user)
{
    char bun;
    int rc;
    (void)user;
    while ((rc = pirn_queue_get(hub_, &queue, &bun, PIRN_FOREVER)) == 0) {
        CHECK(bun == 'a' || bun == 'b');
        eaten++;
        OK(pirn_fiber_sleep(hub_, 1000));
        OK(pirn_queue_done(&queue));
    }
    EQUAL(rc, -ESHUTDOWN);
    return 0;
}

static void producers_and_consumers(void)
{
    open_fibers(0);
    eaten = 0;
    OK(pirn_queue_init(&queue, buns, sizeof buns, 1, PIRN_QUEUE_FIFO));
    start(0, bakes, "a");
    start(1, bakes, "b");
    for (int fiber = 2; fiber < 5; fiber++)
        start(fiber, eats, NULL);
    /* Main waits until both have baked, then until all is eaten. */
    for (int baker = 0; baker < 2; baker++)
        OK(pirn_fiber_join(&fibers[baker], 5 * SECOND, NULL));
    OK(pirn_queue_join(&hub, &queue, 5 * SECOND));
    EQUAL(eaten, 40);
    OK(pirn_queue_close(&queue, PIRN_QUEUE_DRAIN));
    EQUAL(pirn_run(loop), PIRN_DONE);
    close_fibers();
}

/* ---- other threads ---- */

struct job { struct pirn_link link; int number; };
static struct job jobs[1000];

static void *puts_jobs(void *user)
{
    (void)user;
    for (int at = 0; at < 1000; at++) {
        jobs[at].number = at;
        pirn_queue_put_from(&hub, &queue, &jobs[at].link);
    }
    pirn_event_set_from(&hub, &event);
    return NULL;
}

static int takes_jobs(struct pirn_hub *hub_, void *user)
{
    struct job *job;
    (void)user;
    for (int at = 0; at < 1000; at++) {
        OK(pirn_queue_get(hub_, &queue, &job, 20 * SECOND));
        EQUAL(job->number, at);
    }
    return 0;
}

static void other_threads_put_and_set(void)
{
    pthread_t thread;
    open_fibers(0);
    memset(&event, 0, sizeof event);
    OK(pirn_queue_init_linked(&queue, PIRN_QUEUE_FIFO));
    start(0, takes_jobs, NULL);
    MUST(pthread_create(&thread, NULL, puts_jobs, NULL) == 0);
    OK(pirn_event_wait(&hub, &event, 20 * SECOND));
    OK(pirn_fiber_join(&fibers[0], 20 * SECOND, NULL));
    MUST(pthread_join(thread, NULL) == 0);
    EQUAL(pirn_run(loop), PIRN_DONE);
    close_fibers();
}

static void test(uint32_t backend)
{
    const char *name = context;

    the_backend = backend;
    for (size_t at = 0; at < sizeof subjects / sizeof *subjects; at++) {
        subject = &subjects[at];
        context = subject->name;
        all_ways_are_served_in_the_order_of_their_coming();
        coroutine_is_cancelled();
        coroutine_keeps_what_it_was_granted();
        coroutine_is_cancelled_before_it_waits();
        coroutine_is_stopped();
        coroutine_has_a_time_limit();
        callbacks_do_not_wait();
        main_is_told_that_nobody_can_end_its_wait();
    }
    context = name;
    thirteen_guests_share_four_rooms();
    no_update_is_lost_with_a_lock();
    locks_in_opposite_order_are_noticed();
    lock_of_a_fiber_that_has_ended_goes_on();
    producers_and_consumers();
    other_threads_put_and_set();
}

int main(int argc, char **argv)
{
    return run_on_backends(argc, argv, test);
}
