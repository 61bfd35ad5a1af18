/*
 * pirn/co.h: stackless coroutines for C, a layer above pirn.h
 *
 * A conversation (log in, read a line, wait, answer) is hard to read as a chain of callbacks. As a
 * coroutine it is one function, which returns at each await and continues there when the wait is
 * over. There is no second stack and no allocation. A coroutine consists of a struct pirn_co (72
 * bytes on a 64-bit machine), which the caller owns, and a body: a function with a hidden `switch`.
 * For C99, C++98 and later standards.
 *
 *     struct pulse { struct pirn_co co; int fd; int sent; };
 *
 *     static struct pirn_co_step pulse_body(struct pirn_co *co, void *user)
 *     {
 *         struct pulse *pulse = user;
 *
 *         PIRN_CO_BEGIN(co);
 *         for (pulse->sent = 0; pulse->sent < 3; ++pulse->sent) {
 *             PIRN_CO_WRITABLE(co, pulse->fd, UINT64_C(5000000000));
 *             if (co->result < 0)
 *                 PIRN_CO_RETURN(co, co->result);      // -ETIMEDOUT, -ECANCELED, -ENOSPC ...
 *             if (write(pulse->fd, "beat\n", 5) != 5)
 *                 PIRN_CO_RETURN(co, -EIO);
 *             PIRN_CO_DELAY(co, UINT64_C(1000000000));
 *         }
 *         PIRN_CO_END(co);
 *     }
 *     ...
 *     static struct pulse pulse;                       // zeroed: not started yet
 *     rc = pirn_co_start(loop, &pulse.co, pulse_body, &pulse);
 *
 * What is kept, and what is not
 * - Kept across an await: the struct pirn_co and the memory that `user` points to. Store everything
 *   there that must survive.
 * - NOT kept: local variables of the body. After every await they are uninitialised. Use them only
 *   between two awaits; a `for (int i ...)` around an await is a bug. (gcc and clang find many of
 *   these with -Wmaybe-uninitialized.) In C++ the compiler refuses to jump past an initialised
 *   local variable: put it into a block of its own without an await.
 * - Do not move the struct between the start and the end of the coroutine (see pirn_co_is_live). A
 *   body must not free its own struct.
 *
 * Traps of the hidden switch
 * - Do not await inside a `switch` of your own, because the await's label would belong to your
 *   switch. if/else and loops are allowed. If you do it all the same, the coroutine cannot be
 *   continued there and ends with -EINVAL. (-Wswitch warns if your switch is over an enum.)
 * - Only one await in a source line, because the line number is the label. Two in one line do not
 *   compile ("duplicate case value"). A macro that awaits twice has two in one line.
 * - Await only in the body itself, and not in a function that it calls. To put awaits into a
 *   separate function, make it a coroutine and use PIRN_CO_CALL.
 * - A body ends with PIRN_CO_RETURN, or when it reaches PIRN_CO_END. A plain `return 0;`
 *   intentionally does not compile.
 *
 * Results. Every await leaves an int in co->result:
 *     PIRN_CO_AWAIT_FD, _READABLE, _WRITABLE   the ready bits (> 0), -ETIMEDOUT; -EBADF if the fd
 *                                              was closed while it was awaited
 *     PIRN_CO_DELAY, PIRN_CO_YIELD             0
 *     PIRN_CO_JOIN, PIRN_CO_CALL               the value with which the other one ended; JOIN also
 *                                              -ETIMEDOUT
 *     PIRN_CO_PARK                             the value of pirn_co_wake, or -ETIMEDOUT
 *     PIRN_CO_WAIT (in pirn/co_wait.h)         the result of the wait for a mutex, a queue, a port
 * Each of them may also give -ECANCELED, or an error of pirn_io_add, pirn_timer_start or
 * pirn_task_post (slots full, a bad fd). An error is returned immediately, in the same turn: a body
 * that loops and ignores negative results may never return to the event loop. Mistakes give:
 * -EDEADLK for joining itself or a coroutine that waits for it; -EBUSY for joining a coroutine that
 * is already joined, or calling one that is live; -ENOENT for joining one that was never started;
 * -EINVAL for NULL or another loop. If a body awaits with the struct of another coroutine, the
 * running one ends with -EINVAL.
 *
 * Cost. A live coroutine uses one I/O slot while it awaits an fd, one timer slot while it awaits
 * time, and one task slot from start, yield or wake to the turn that runs it. It uses nothing while
 * it joins, calls or is parked. The I/O watcher exists only during the await (two system calls with
 * epoll), so try the read or write first, and await only on EAGAIN.
 *
 * Order. A body runs in the callback that ends its wait, and never inside start, wake, cancel or
 * stop. A coroutine that waits for another one continues directly after the end of that one. Each
 * await is continued exactly once: the first of fd and timeout that is dispatched removes the
 * other. Timers come first in a turn, so if both are due in one turn, the result is -ETIMEDOUT, and
 * the fd is still ready.
 *
 * All functions here must be called on the loop's thread. pirn_deinit drops all coroutines without
 * calling them; zero their structs afterwards.
 */
#ifndef PIRN_CO_H
#define PIRN_CO_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include "pirn.h"

#ifdef __cplusplus
extern "C" {
#endif

struct pirn_co;
struct pirn_waiter;

/*
 * The result of a body: the coroutine that runs next. Only the macros make it. It is a struct, so
 * that a plain `return 0;` in a body does not compile.
 */
struct pirn_co_step {
    struct pirn_co *next;
};

typedef struct pirn_co_step (*pirn_co_fn)(struct pirn_co *co, void *user);

/* Zero it before the first start. You may read `result`; do not use the other fields. */
struct pirn_co {
    int result;                  /* of the last await; after the end: the coroutine's value */
    int line;                    /* where the body continues; 0: at its beginning */
    struct pirn_loop *loop;
    pirn_co_fn body;
    void *user;
    struct pirn_co *waiter;      /* the coroutine that joins or called this one */
    union {                      /* what it waits for, by `state` */
        struct pirn_io io;
        struct pirn_task task;
        struct pirn_co *other;
        struct {
            struct pirn_waiter *waiter;
            int (*withdraw)(struct pirn_waiter *waiter, int forever);
        } wait;
    } on;
    struct pirn_timer timer;     /* zero: none */
    uint32_t state;
    uint32_t is_cancelled;       /* 1: the next await ends with -ECANCELED */
};

enum {
    PIRN_CO_IDLE_ = 0,           /* never started */
    PIRN_CO_ENDED_,
    PIRN_CO_RUNNING_,
    PIRN_CO_QUEUED_,             /* on.task will resume it */
    PIRN_CO_WOKEN_,              /* the same, with a value of pirn_co_wake */
    PIRN_CO_AWAIT_FD_,           /* on.io, and maybe the timer */
    PIRN_CO_DELAYED_,            /* the timer */
    PIRN_CO_PARKED_,             /* maybe the timer */
    PIRN_CO_JOINING_,            /* on.other, and maybe the timer */
    PIRN_CO_CALLING_,            /* on.other */
    PIRN_CO_WAITING_,            /* on.wait: for an object of another header */
    PIRN_CO_WITHDRAWN_           /* the same, and it was cancelled */
};

/* ---- the body ---- */

/*
 * The first and the last line of a body. Reaching the end means PIRN_CO_RETURN(co, 0). Declare
 * local variables before BEGIN, without a value.
 */
#define PIRN_CO_BEGIN(co) switch ((co)->line) { case 0:
#define PIRN_CO_END(co) \
    break; default: return pirn_co_return_((co), -EINVAL); } return pirn_co_return_((co), 0)

/* End the coroutine with a value; use a negative one for an error. */
#define PIRN_CO_RETURN(co, value) return pirn_co_return_((co), (value))

/* Wait until `fd` is ready for `interest` (PIRN_READ, PIRN_WRITE, PIRN_URGENT, or-ed), at most
 * `timeout_ns` (PIRN_FOREVER: no limit). PIRN_ERROR and PIRN_HANGUP end the wait too, as they do
 * for every watcher. */
#define PIRN_CO_AWAIT_FD(co, fd, interest, timeout_ns) \
    PIRN_CO_LEAVE_(pirn_co_await_fd_((co), __LINE__, (fd), (interest), (timeout_ns)))
#define PIRN_CO_READABLE(co, fd, timeout_ns) PIRN_CO_AWAIT_FD(co, fd, PIRN_READ, timeout_ns)
#define PIRN_CO_WRITABLE(co, fd, timeout_ns) PIRN_CO_AWAIT_FD(co, fd, PIRN_WRITE, timeout_ns)

/* Wait at least `delay_ns` from now. PIRN_FOREVER: until cancelled. */
#define PIRN_CO_DELAY(co, delay_ns) PIRN_CO_LEAVE_(pirn_co_delay_((co), __LINE__, (delay_ns)))

/* Let all others run, and continue in the next turn. */
#define PIRN_CO_YIELD(co) PIRN_CO_LEAVE_(pirn_co_yield_((co), __LINE__))

/* Wait until pirn_co_wake is called: use it to await any callback. PIRN_FOREVER: no limit. */
#define PIRN_CO_PARK(co, timeout_ns) PIRN_CO_LEAVE_(pirn_co_park_((co), __LINE__, (timeout_ns)))

/*
 * Wait until `other` has ended; continue immediately if it has already ended. A timeout or a
 * cancellation ends only the wait: `other` keeps running.
 */
#define PIRN_CO_JOIN(co, other, timeout_ns) \
    PIRN_CO_LEAVE_(pirn_co_join_((co), __LINE__, (other), (timeout_ns)))

/*
 * Run `callee` (a struct pirn_co of the caller, usually next to `co`) to its end. It starts
 * immediately and needs no slot. Cancelling the caller cancels the callee's await.
 */
#define PIRN_CO_CALL(co, callee, body, user) \
    PIRN_CO_LEAVE_(pirn_co_call_((co), __LINE__, (callee), (body), (user)))

/*
 * The return is always before the label, so nothing falls through, and an await that fails
 * immediately takes the same path as one that waits.
 */
#define PIRN_CO_LEAVE_(step) do { return step; case __LINE__:; } while (0)

/* ---- inside: not for use ---- */

static inline struct pirn_co_step pirn_co_step_(struct pirn_co *next)
{
    struct pirn_co_step step;
    step.next = next;
    return step;
}

/* An await that ends immediately: the body continues. */
static inline struct pirn_co_step pirn_co_go_on_(struct pirn_co *co, int result)
{
    co->state = PIRN_CO_RUNNING_;
    co->result = result;
    return pirn_co_step_(co);
}

/*
 * Remove the watcher, timer or task with which co waits. Errors are ignored, because the slot is
 * free in any case.
 */
static inline void pirn_co_disarm_(struct pirn_co *co)
{
    if (co->state == PIRN_CO_AWAIT_FD_)
        (void)pirn_io_remove(co->loop, co->on.io);
    else if (co->state == PIRN_CO_QUEUED_ || co->state == PIRN_CO_WOKEN_)
        (void)pirn_task_cancel(co->loop, co->on.task);
    else if (co->state == PIRN_CO_JOINING_ || co->state == PIRN_CO_CALLING_)
        co->on.other->waiter = NULL;
    else if (co->state == PIRN_CO_WAITING_ || co->state == PIRN_CO_WITHDRAWN_)
        (void)co->on.wait.withdraw(co->on.wait.waiter, 1);
    if ((co->timer.slot | co->timer.generation) != 0)
        (void)pirn_timer_stop(co->loop, co->timer);
    co->timer.slot = co->timer.generation = 0;
}

static inline struct pirn_co_step pirn_co_return_(struct pirn_co *co, int value)
{
    struct pirn_co *waiter = co->waiter;

    if (co->state != PIRN_CO_RUNNING_)
        return pirn_co_step_(NULL);          /* not the running one: pirn_co_run_ notices it */
    co->state = PIRN_CO_ENDED_;
    co->result = value;
    if (waiter != NULL) {
        pirn_co_disarm_(waiter);             /* its time limit; it no longer waits for co */
        waiter->result = value;
    }
    return pirn_co_step_(waiter);
}

/*
 * Run co, and then the coroutines that continue because of it. This is a loop and not a recursion,
 * so a chain of any length needs no stack.
 */
static inline void pirn_co_run_(struct pirn_co *co)
{
    while (co != NULL) {
        struct pirn_co *next;

        co->state = PIRN_CO_RUNNING_;
        next = co->body(co, co->user).next;
        if (next == NULL && co->state == PIRN_CO_RUNNING_)  /* it awaited with another struct */
            next = pirn_co_return_(co, -EINVAL).next;
        co = next;
    }
}

static inline void pirn_co_on_task_(struct pirn_loop *loop, void *user)
{
    struct pirn_co *co = (struct pirn_co *)user;

    (void)loop;
    /* Cancelled before it began: the body never runs. */
    if (co->line == 0 && co->result == -ECANCELED) {
        co->state = PIRN_CO_RUNNING_;
        pirn_co_run_(pirn_co_return_(co, -ECANCELED).next);
        return;
    }
    pirn_co_run_(co);
}

static inline void pirn_co_on_timer_(struct pirn_loop *loop, struct pirn_timer timer,
                                     uint64_t missed, void *user)
{
    struct pirn_co *co = (struct pirn_co *)user;

    (void)loop, (void)timer, (void)missed;
    /* The handle of a one-shot timer is stale when its callback is called. */
    co->timer.slot = co->timer.generation = 0;
    pirn_co_disarm_(co);
    co->result = co->state == PIRN_CO_DELAYED_ ? 0 : -ETIMEDOUT;
    pirn_co_run_(co);
}

static inline void pirn_co_on_ready_(struct pirn_loop *loop, struct pirn_io io, int fd,
                                     uint32_t ready, void *user)
{
    struct pirn_co *co = (struct pirn_co *)user;

    (void)loop, (void)io, (void)fd;
    pirn_co_disarm_(co);
    co->result = (ready & PIRN_INVALID) != 0 ? -EBADF : (int)ready;
    pirn_co_run_(co);
}

/*
 * Queue co as a task, and end its present wait. On -EAGAIN (task queue full) nothing has changed.
 */
static inline int pirn_co_queue_(struct pirn_co *co, int result)
{
    struct pirn_task task;
    int rc = pirn_task_post(co->loop, pirn_co_on_task_, co, &task);

    if (rc < 0)
        return rc;
    pirn_co_disarm_(co);
    co->on.task = task;
    co->state = PIRN_CO_QUEUED_;
    co->result = result;
    return 0;
}

/*
 * The first step of every await. Returns 1 if co, or a coroutine that has called co, was cancelled
 * before: the cancellation is used up, and the await must end immediately.
 */
static inline int pirn_co_take_cancel_(struct pirn_co *co, int line)
{
    struct pirn_co *of = co;

    co->line = line;
    while (of->is_cancelled == 0) {
        of = of->waiter;
        if (of == NULL || of->state != PIRN_CO_CALLING_)
            return 0;
    }
    of->is_cancelled = 0;
    return 1;
}

/* The last step of every wait: the time limit. */
static inline struct pirn_co_step pirn_co_wait_(struct pirn_co *co, uint32_t state,
                                                uint64_t timeout_ns)
{
    int rc = 0;

    co->state = state;
    if (timeout_ns != PIRN_FOREVER)
        rc = pirn_timer_start(co->loop, timeout_ns, 0, 0, pirn_co_on_timer_, co, &co->timer);
    if (rc < 0) {
        pirn_co_disarm_(co);
        return pirn_co_go_on_(co, rc);
    }
    return pirn_co_step_(NULL);
}

static inline struct pirn_co_step pirn_co_await_fd_(struct pirn_co *co, int line, int fd,
                                                    uint32_t interest,
                                                    uint64_t timeout_ns)
{
    int rc;

    if (co->state != PIRN_CO_RUNNING_)
        return pirn_co_step_(NULL);
    if (pirn_co_take_cancel_(co, line))
        return pirn_co_go_on_(co, -ECANCELED);
    rc = pirn_io_add(co->loop, fd, interest, pirn_co_on_ready_, co, &co->on.io);
    if (rc < 0)
        return pirn_co_go_on_(co, rc);
    return pirn_co_wait_(co, PIRN_CO_AWAIT_FD_, timeout_ns);
}

static inline struct pirn_co_step pirn_co_delay_(struct pirn_co *co, int line, uint64_t delay_ns)
{
    if (co->state != PIRN_CO_RUNNING_)
        return pirn_co_step_(NULL);
    if (pirn_co_take_cancel_(co, line))
        return pirn_co_go_on_(co, -ECANCELED);
    return pirn_co_wait_(co, PIRN_CO_DELAYED_, delay_ns);
}

static inline struct pirn_co_step pirn_co_park_(struct pirn_co *co, int line, uint64_t timeout_ns)
{
    if (co->state != PIRN_CO_RUNNING_)
        return pirn_co_step_(NULL);
    if (pirn_co_take_cancel_(co, line))
        return pirn_co_go_on_(co, -ECANCELED);
    return pirn_co_wait_(co, PIRN_CO_PARKED_, timeout_ns);
}

static inline struct pirn_co_step pirn_co_yield_(struct pirn_co *co, int line)
{
    int rc;

    if (co->state != PIRN_CO_RUNNING_)
        return pirn_co_step_(NULL);
    if (pirn_co_take_cancel_(co, line))
        return pirn_co_go_on_(co, -ECANCELED);
    rc = pirn_co_queue_(co, 0);
    return rc < 0 ? pirn_co_go_on_(co, rc) : pirn_co_step_(NULL);
}

/*
 * Return 0, or the reason why co may not wait for other. Each coroutine has at most one waiter, so
 * the walk along the chain of waiters ends.
 */
static inline int pirn_co_check_join_(const struct pirn_co *co, const struct pirn_co *other)
{
    const struct pirn_co *at = other;

    if (other == NULL)
        return -EINVAL;
    if (other->state == PIRN_CO_IDLE_)
        return -ENOENT;
    if (other->loop != co->loop)
        return -EINVAL;
    if (other->state == PIRN_CO_ENDED_)
        return 0;
    while (at != co && (at->state == PIRN_CO_JOINING_ || at->state == PIRN_CO_CALLING_))
        at = at->on.other;
    if (at == co)
        return -EDEADLK;
    return other->waiter != NULL ? -EBUSY : 0;
}

static inline struct pirn_co_step pirn_co_join_(struct pirn_co *co, int line, struct pirn_co *other,
                                                uint64_t timeout_ns)
{
    int rc;

    if (co->state != PIRN_CO_RUNNING_)
        return pirn_co_step_(NULL);
    if (pirn_co_take_cancel_(co, line))
        return pirn_co_go_on_(co, -ECANCELED);
    rc = pirn_co_check_join_(co, other);
    if (rc < 0)
        return pirn_co_go_on_(co, rc);
    if (other->state == PIRN_CO_ENDED_)
        return pirn_co_go_on_(co, other->result);
    co->on.other = other;
    other->waiter = co;
    return pirn_co_wait_(co, PIRN_CO_JOINING_, timeout_ns);
}

static inline int pirn_co_is_live(const struct pirn_co *co);

static inline struct pirn_co_step pirn_co_call_(struct pirn_co *co, int line,
                                                struct pirn_co *callee, pirn_co_fn body,
                                                void *user)
{
    if (co->state != PIRN_CO_RUNNING_)
        return pirn_co_step_(NULL);
    if (pirn_co_take_cancel_(co, line))
        return pirn_co_go_on_(co, -ECANCELED);
    if (callee == NULL || body == NULL)
        return pirn_co_go_on_(co, -EINVAL);
    if (pirn_co_is_live(callee))
        return pirn_co_go_on_(co, -EBUSY);
    callee->result = callee->line = 0;
    callee->loop = co->loop;
    callee->body = body;
    callee->user = user;
    callee->waiter = co;
    callee->timer.slot = callee->timer.generation = 0;
    callee->is_cancelled = 0;
    co->on.other = callee;
    co->state = PIRN_CO_CALLING_;
    return pirn_co_step_(callee);
}

/* Return the innermost callee, which is the one that waits if co has called another coroutine. */
static inline struct pirn_co *pirn_co_innermost_(struct pirn_co *co)
{
    while (co->state == PIRN_CO_CALLING_)
        co = co->on.other;
    return co;
}

/* ---- from outside ---- */

/*
 * Start a coroutine: its body runs in the next turn. `co` is zeroed or has ended; do not move it
 * until it has ended. Returns 0; -EINVAL: an argument is NULL; -EBUSY: it is live; -EAGAIN: the
 * task queue is full. On an error nothing has changed. O(1).
 */
static inline int pirn_co_start(struct pirn_loop *loop, struct pirn_co *co, pirn_co_fn body,
                                void *user)
{
    struct pirn_task task;
    int rc;

    if (loop == NULL || co == NULL || body == NULL)
        return -EINVAL;
    if (pirn_co_is_live(co))
        return -EBUSY;
    rc = pirn_task_post(loop, pirn_co_on_task_, co, &task);
    if (rc < 0)
        return rc;
    co->result = co->line = 0;
    co->loop = loop;
    co->body = body;
    co->user = user;
    co->waiter = NULL;
    co->on.task = task;
    co->timer.slot = co->timer.generation = 0;
    co->is_cancelled = 0;
    co->state = PIRN_CO_QUEUED_;
    return 0;
}

/* Return 1 from start (or call) until the coroutine has ended, otherwise 0. */
static inline int pirn_co_is_live(const struct pirn_co *co)
{
    return co != NULL && co->state != PIRN_CO_IDLE_ && co->state != PIRN_CO_ENDED_;
}

/*
 * End a PIRN_CO_PARK with `value`; the body continues in the next turn. Once this has returned 0,
 * the body gets the value: a later pirn_co_cancel does not take it away, only pirn_co_stop does.
 * Returns 0; -EINVAL: NULL; -ENOENT: the coroutine is not parked, and the call has no effect;
 * -EAGAIN: the task queue is full, and the coroutine is still parked. O(1).
 */
static inline int pirn_co_wake(struct pirn_co *co, int value)
{
    int rc;

    if (co == NULL)
        return -EINVAL;
    if (co->state != PIRN_CO_PARKED_)
        return -ENOENT;
    rc = pirn_co_queue_(co, value);
    if (rc == 0)
        co->state = PIRN_CO_WOKEN_;
    return rc;
}

/*
 * Cancel the present await (of the innermost callee, if there is one): it ends with -ECANCELED in
 * the next turn. Its watcher and timer are removed when this returns. The body can clean up, and
 * may await again. A coroutine that has not begun to run ends with -ECANCELED and never runs. A
 * second call has no further effect. If pirn_co_wake has already ended a PIRN_CO_PARK, or a
 * PIRN_CO_WAIT was granted, the value stays; the next await of the coroutine, or of one that it
 * calls, then ends immediately with -ECANCELED. If there is no next await, the cancellation has no
 * effect. Returns 0; -EINVAL: NULL; -ENOENT: not live; -EBUSY: the coroutine is running, that is,
 * it has called this itself; -EAGAIN: the task queue is full and nothing has changed. O(depth of
 * calls).
 */
static inline int pirn_co_cancel(struct pirn_co *co)
{
    struct pirn_co *innermost;

    if (co == NULL)
        return -EINVAL;
    if (!pirn_co_is_live(co))
        return -ENOENT;
    innermost = pirn_co_innermost_(co);
    if (innermost->state == PIRN_CO_RUNNING_)
        return -EBUSY;
    if (innermost->state == PIRN_CO_WOKEN_) {
        co->is_cancelled = 1;
        return 0;
    }
    if (innermost->state == PIRN_CO_WITHDRAWN_)
        return 0;
    if (innermost->state == PIRN_CO_WAITING_) {     /* a granted wait stays granted */
        if (innermost->on.wait.withdraw(innermost->on.wait.waiter, 0) < 0)
            co->is_cancelled = 1;
        else
            innermost->state = PIRN_CO_WITHDRAWN_;
        return 0;
    }
    if (innermost->state == PIRN_CO_QUEUED_) {      /* it is queued already: no second task */
        innermost->result = -ECANCELED;
        return 0;
    }
    return pirn_co_queue_(innermost, -ECANCELED);
}

/*
 * Stop a coroutine immediately: its body and those of its callees never run again. When this
 * returns, every slot is free, and the memory belongs to the caller again. Release the resources
 * that the body held (such as an fd) yourself. A coroutine that joins or called it gets -ECANCELED.
 * Returns 0 or errors as pirn_co_cancel, but -EAGAIN only if another coroutine waits for it.
 * O(depth of calls).
 */
static inline int pirn_co_stop(struct pirn_co *co)
{
    if (co == NULL)
        return -EINVAL;
    if (!pirn_co_is_live(co))
        return -ENOENT;
    if (pirn_co_innermost_(co)->state == PIRN_CO_RUNNING_)
        return -EBUSY;
    if (co->waiter != NULL) {
        int rc = pirn_co_queue_(co->waiter, -ECANCELED);  /* and ends the wait of co->waiter */
        if (rc < 0)
            return rc;
    }
    for (;;) {
        struct pirn_co *callee = co->state == PIRN_CO_CALLING_ ? co->on.other : NULL;

        pirn_co_disarm_(co);
        co->state = PIRN_CO_ENDED_;
        co->result = -ECANCELED;
        if (callee == NULL)
            return 0;
        co = callee;
    }
}

#ifdef __cplusplus
}
#endif

#endif /* PIRN_CO_H */
