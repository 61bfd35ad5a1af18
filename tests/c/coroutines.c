/* pirn/co.h: what a wake-up granted, and what a cancellation may take. */
#include "test.h"

#include <pirn/co.h>

DECLARE_BLOCK(block);

/* Parks, waits for a millisecond, parks again; in a coroutine of its own if it is called. */
struct worker {
    struct pirn_co co, sub;
    int first, second, third, resumes;
};

static struct pirn_co_step three_waits(struct pirn_co *co, void *user)
{
    struct worker *worker = user;

    PIRN_CO_BEGIN(co);
    PIRN_CO_PARK(co, PIRN_FOREVER);
    worker->resumes++;
    worker->first = co->result;
    PIRN_CO_DELAY(co, MILLISECOND);
    worker->resumes++;
    worker->second = co->result;
    PIRN_CO_PARK(co, PIRN_FOREVER);
    worker->resumes++;
    worker->third = co->result;
    PIRN_CO_RETURN(co, 9);
    PIRN_CO_END(co);
}

static struct pirn_co_step park_once(struct pirn_co *co, void *user)
{
    struct worker *worker = user;

    PIRN_CO_BEGIN(co);
    PIRN_CO_PARK(co, PIRN_FOREVER);
    worker->first = co->result;
    PIRN_CO_END(co);
}

static struct pirn_co_step call_then_wait(struct pirn_co *co, void *user)
{
    struct worker *worker = user;

    PIRN_CO_BEGIN(co);
    PIRN_CO_CALL(co, &worker->sub, park_once, worker);
    PIRN_CO_YIELD(co);
    worker->second = co->result;
    PIRN_CO_YIELD(co);
    worker->third = co->result;
    PIRN_CO_END(co);
}

static void begin(struct pirn_loop *loop, struct worker *worker, pirn_co_fn body)
{
    memset(worker, 0, sizeof *worker);
    OK(pirn_co_start(loop, &worker->co, body, worker));
    settle(loop, 5);
}

static void the_value_of_a_wake_outlives_a_cancellation(struct pirn_loop *loop)
{
    struct worker worker;
    begin(loop, &worker, three_waits);
    OK(pirn_co_wake(&worker.co, 42));
    OK(pirn_co_cancel(&worker.co));
    OK(pirn_co_cancel(&worker.co));
    GIVES(pirn_turn(loop, 0), 1);
    EQUAL(worker.first, 42);
    EQUAL(worker.second, -ECANCELED);
    /* It was cancelled once: the third wait is a wait again. */
    EQUAL(worker.resumes, 2);
    OK(pirn_co_wake(&worker.co, 43));
    settle(loop, 5);
    EQUAL(worker.third, 43);
    EQUAL(worker.co.result, 9);
    CHECK(!pirn_co_is_live(&worker.co));
}

static void a_cancellation_outlives_the_callee_it_met(struct pirn_loop *loop)
{
    struct worker worker;
    begin(loop, &worker, call_then_wait);
    OK(pirn_co_wake(&worker.sub, 42));
    OK(pirn_co_cancel(&worker.co));
    settle(loop, 5);
    EQUAL(worker.first, 42);
    EQUAL(worker.second, -ECANCELED);
    EQUAL(worker.third, 0);
    CHECK(!pirn_co_is_live(&worker.co));
}

static void a_cancellation_without_a_next_wait_is_forgotten(struct pirn_loop *loop)
{
    struct worker worker;
    begin(loop, &worker, park_once);
    OK(pirn_co_wake(&worker.co, 42));
    OK(pirn_co_cancel(&worker.co));
    settle(loop, 5);
    EQUAL(worker.first, 42);
    EQUAL(worker.co.result, 0);
    /* Started anew it is a new one. */
    OK(pirn_co_start(loop, &worker.co, park_once, &worker));
    settle(loop, 5);
    CHECK(pirn_co_is_live(&worker.co));
    OK(pirn_co_stop(&worker.co));
}

static void a_cancelled_park_is_not_woken(struct pirn_loop *loop)
{
    struct worker worker;
    begin(loop, &worker, park_once);
    OK(pirn_co_cancel(&worker.co));
    GIVES(pirn_co_wake(&worker.co, 42), -ENOENT);
    settle(loop, 5);
    EQUAL(worker.first, -ECANCELED);
}

static void a_woken_coroutine_can_be_stopped(struct pirn_loop *loop)
{
    struct worker worker;
    begin(loop, &worker, park_once);
    OK(pirn_co_wake(&worker.co, 42));
    OK(pirn_co_stop(&worker.co));
    EQUAL(stats_of(loop).task_used, 0);
    settle(loop, 5);
    EQUAL(worker.first, 0);
}

static void test(uint32_t backend)
{
    struct pirn_loop *loop;
    OPEN(loop, block, backend);
    the_value_of_a_wake_outlives_a_cancellation(loop);
    a_cancellation_outlives_the_callee_it_met(loop);
    a_cancellation_without_a_next_wait_is_forgotten(loop);
    a_cancelled_park_is_not_woken(loop);
    a_woken_coroutine_can_be_stopped(loop);
    CLOSE(loop);
}

int main(int argc, char **argv)
{
    return run_on_backends(argc, argv, test);
}
