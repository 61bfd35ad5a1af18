/*
 * pirn/co_wait.h: stackless coroutines of pirn/co.h that wait for the objects of pirn/sync.h, for
 * ports and for fibers.
 *
 * A coroutine that does so has a waiter beside its struct:
 *
 *     struct customer { struct pirn_co co; struct pirn_waiter waiter; };
 *
 *     static struct pirn_co_step customer_body(struct pirn_co *co, void *user)
 *     {
 *         struct customer *customer = user;
 *
 *         PIRN_CO_BEGIN(co);
 *         PIRN_CO_WAIT(co, &customer->waiter,
 *                      pirn_semaphore_acquire_start(&clerks, &customer->waiter, 1, PIRN_FOREVER));
 *         if (co->result < 0)
 *             PIRN_CO_RETURN(co, co->result);
 *         PIRN_CO_DELAY(co, 1000000);
 *         pirn_semaphore_release(&clerks, 1);
 *         PIRN_CO_END(co);
 *     }
 *     ...
 *     pirn_co_waiter_init(&hub, &customer->waiter, &customer->co);
 *     pirn_co_start(loop, &customer->co, customer_body, customer);
 *
 * pirn_co_cancel ends the wait with -ECANCELED, unless what it waits for was granted already: then
 * the body receives that, and its next await ends with -ECANCELED. pirn_co_stop drops the wait, and
 * gives back what was granted. What the waiter owns, a mutex, stays its own: end the waiter with
 * pirn_waiter_end, so that the next owner is told.
 */
#ifndef PIRN_CO_WAIT_H
#define PIRN_CO_WAIT_H

#include <pirn/wait.h>
#include <pirn/co.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Waits for an object. `start` is a call of a function that ends in _start, with this waiter. Its
 * result, or that of the wait, is in co->result afterwards. One await a line, as with all of them.
 */
#define PIRN_CO_WAIT(co, waiter, start) \
    PIRN_CO_LEAVE_(pirn_co_waits_((co), (waiter), \
                                  pirn_co_may_wait_((co), __LINE__) ? (start) : -ECANCELED))

/* ---- inside: not for use ---- */

static inline void pirn_co_on_wake_(struct pirn_hub *hub, struct pirn_waiter *waiter, int result)
{
    struct pirn_co *co = (struct pirn_co *)waiter->user;

    (void)hub;
    co->result = result;
    pirn_co_run_(co);
}

static inline int pirn_co_withdraw_(struct pirn_waiter *waiter, int forever)
{
    return forever ? pirn_waiter_drop(waiter) : pirn_waiter_cancel(waiter, -ECANCELED);
}

/* 1 if the wait may begin, 0 if a cancellation has waited for it. */
static inline int pirn_co_may_wait_(struct pirn_co *co, int line)
{
    return co->state == PIRN_CO_RUNNING_ && !pirn_co_take_cancel_(co, line);
}

static inline struct pirn_co_step pirn_co_waits_(struct pirn_co *co, struct pirn_waiter *waiter,
                                                 int begun)
{
    if (co->state != PIRN_CO_RUNNING_)
        return pirn_co_step_(NULL);
    if (begun != PIRN_WAITS)
        return pirn_co_go_on_(co, begun);
    co->on.wait.waiter = waiter;
    co->on.wait.withdraw = pirn_co_withdraw_;
    co->state = PIRN_CO_WAITING_;
    return pirn_co_step_(NULL);
}

/* ---- from outside ---- */

/* Prepares the waiter of a coroutine, once, before its first PIRN_CO_WAIT. 0; -EINVAL: a NULL. */
static inline int pirn_co_waiter_init(struct pirn_hub *hub, struct pirn_waiter *waiter,
                                      struct pirn_co *co)
{
    return co == NULL ? -EINVAL : pirn_waiter_init(hub, waiter, pirn_co_on_wake_, co);
}

#ifdef __cplusplus
}
#endif

#endif /* PIRN_CO_WAIT_H */
