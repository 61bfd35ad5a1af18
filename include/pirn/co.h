/*
 * pirn/co.h: stackless coroutines for C, on top of pirn.h
 *
 * A conversation (log in, read a line, wait, answer) reads badly as a chain of callbacks. As a
 * coroutine it is one function, top to bottom, that is left at each await and entered again, where
 * it was left, when the wait is over. There is no second stack and no allocation: a coroutine is
 * one struct pirn_co (72 bytes on a 64-bit machine) that the caller owns, and a body that is a
 * function with a hidden `switch`. For C99, C++98 and all that came after.
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
 *     static struct pulse pulse;                       // zeroed: a coroutine that has not been
 *                                                      started
 *     rc = pirn_co_start(loop, &pulse.co, pulse_body, &pulse);
 *
 * What is kept, and what is not
 * - Kept across an await: the struct pirn_co and whatever `user` points to. Put there all that must
 *   live.
 * - NOT kept: local variables of the body. They are new, and hold nothing, after every await. Use
 *   them only between two awaits; a `for (int i ...)` around an await is a bug. (gcc and clang find
 *   many of these: -Wmaybe-uninitialized.) In C++ the compiler refuses to jump past an initialised
 *   local: give it a block of its own that holds no await.
 * - The struct must stay where it is from start until it has ended (pirn_co_is_live says). A body
 *   must not free its own.
 *
 * Traps of the hidden switch
 * - No await inside a `switch` of your own: its label would belong to your switch. if/else and
 *   loops are fine. If it happens all the same, the resume does not find its place and the
 *   coroutine ends with -EINVAL. (-Wswitch warns of it where your switch is over an enum.)
 * - One await per source line: the line number is the label. Two on one line do not compile
 *   ("duplicate case value"). A macro of yours that awaits twice is two on one line.
 * - Awaits stand in the body itself, not in a function it calls. What wants a name of its own is a
 *   coroutine of its own: PIRN_CO_CALL.
 * - A body is left by PIRN_CO_RETURN or by reaching PIRN_CO_END. A plain `return 0;` does not
 *   compile, on purpose.
 *
 * Results. Every await leaves an int in co->result:
 *     PIRN_CO_AWAIT_FD, _READABLE, _WRITABLE   the ready bits (> 0), -ETIMEDOUT; -EBADF if the fd
 *                                              was closed behind our back
 *     PIRN_CO_DELAY, PIRN_CO_YIELD             0
 *     PIRN_CO_JOIN, PIRN_CO_CALL               the value the other one ended with; JOIN also
 *                                              -ETIMEDOUT
 *     PIRN_CO_PARK                             what pirn_co_wake gave, or -ETIMEDOUT
 *     PIRN_CO_WAIT (in pirn/co_wait.h)         the result of the wait for a mutex, a queue, a port
 *                                              ...
 * and each of them -ECANCELED, or what pirn_io_add, pirn_timer_start or pirn_task_post refused with
 * (slots full, a bad fd). A refusal comes back at once, in the same turn: a loop that ignores
 * negative results may never return to the event loop. Use errors: -EDEADLK, joining oneself or
 * somebody who waits for us; -EBUSY, joining one that is joined already, or calling one that is
 * live; -ENOENT, joining one that was never started; -EINVAL, NULL or another loop. Awaiting in the
 * name of some other coroutine than the one that is running ends the one that is running with
 * -EINVAL.
 *
 * Cost. A live coroutine holds: one I/O slot while it awaits an fd, one timer slot while it awaits
 * time, one task slot between start, yield or wake and the turn that runs it; nothing while it
 * joins, calls or is parked. The I/O watcher exists only during the await (with epoll: two system
 * calls), so try the read or write first and await only on EAGAIN.
 *
 * Order. A body runs in the callback that ended its wait, never inside start, wake, cancel or stop;
 * one that waits for another goes on directly behind the end of that other. Exactly one resume per
 * await: whichever of fd and timeout is dispatched first takes the other one down. Timers come
 * first in a turn: if both fall into one turn the result is -ETIMEDOUT, and the fd is still ready
 * for whoever tries.
 *
 * Everything here belongs to the loop's thread. pirn_deinit drops all coroutines without a word;
 * zero their structs afterwards.
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

/* What a body returns: which coroutine runs next. Made by the macros only; it is a struct so that a
 * plain `return 0;` in a body is a compile error instead of a coroutine that vanishes. */
struct pirn_co_step {
    struct pirn_co *next;
};

typedef struct pirn_co_step (*pirn_co_fn)(struct pirn_co *co, void *user);

/* Zero it before the first start. Read `result`; leave the rest alone. */
struct pirn_co {
    int result;                  /* of the last await; once ended: the value it ended with */
    int line;                    /* where the body goes on; 0: at its beginning */
    struct pirn_loop *loop;
    pirn_co_fn body;
    void *user;
    struct pirn_co *waiter;      /* who joins or called us; at most one */
    union {                      /* what we wait for; `state` says which */
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
    PIRN_CO_WOKEN_,              /* the same, with a value that pirn_co_wake granted */
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
 * First and last line of a body. Reaching the end is PIRN_CO_RETURN(co, 0). Declare locals before
 * BEGIN, without a value.
 */
#define PIRN_CO_BEGIN(co) switch ((co)->line) { case 0:
#define PIRN_CO_END(co) \
    break; default: return pirn_co_return_((co), -EINVAL); } return pirn_co_return_((co), 0)

/* Ends the coroutine with an int of your choice; by custom negative for an error. */
#define PIRN_CO_RETURN(co, value) return pirn_co_return_((co), (value))

/* Waits until `fd` is ready for `interest` (PIRN_READ, PIRN_WRITE, PIRN_URGENT, or-ed), at most
 * `timeout_ns` (PIRN_FOREVER: no limit). PIRN_ERROR and PIRN_HANGUP end the wait too, as they do
 * for every watcher. */
#define PIRN_CO_AWAIT_FD(co, fd, interest, timeout_ns) \
    PIRN_CO_LEAVE_(pirn_co_await_fd_((co), __LINE__, (fd), (interest), (timeout_ns)))
#define PIRN_CO_READABLE(co, fd, timeout_ns) PIRN_CO_AWAIT_FD(co, fd, PIRN_READ, timeout_ns)
#define PIRN_CO_WRITABLE(co, fd, timeout_ns) PIRN_CO_AWAIT_FD(co, fd, PIRN_WRITE, timeout_ns)

/* Waits `delay_ns`, counted from now, never less. PIRN_FOREVER: until cancelled. */
#define PIRN_CO_DELAY(co, delay_ns) PIRN_CO_LEAVE_(pirn_co_delay_((co), __LINE__, (delay_ns)))

/* Lets all others have a turn, then goes on. */
#define PIRN_CO_YIELD(co) PIRN_CO_LEAVE_(pirn_co_yield_((co), __LINE__))

/* Waits until pirn_co_wake: the way to await any callback. PIRN_FOREVER: no limit. */
#define PIRN_CO_PARK(co, timeout_ns) PIRN_CO_LEAVE_(pirn_co_park_((co), __LINE__, (timeout_ns)))

/*
 * Waits until `other` has ended; at once if it has already. Giving up, by timeout or cancellation,
 * leaves `other` running.
 */
#define PIRN_CO_JOIN(co, other, timeout_ns) \
    PIRN_CO_LEAVE_(pirn_co_join_((co), __LINE__, (other), (timeout_ns)))

/* Runs `callee` (a struct pirn_co of the caller's, usually beside `co`) to its end. It starts at
 * once and needs no slot. Cancelling the caller cancels the callee's await. */
#define PIRN_CO_CALL(co, callee, body, user) \
    PIRN_CO_LEAVE_(pirn_co_call_((co), __LINE__, (callee), (body), (user)))

/* The return comes before the label, never an if: so nothing falls through, and an await that fails
 * at once takes the same way as one that waits. */
#define PIRN_CO_LEAVE_(step) do { return step; case __LINE__:; } while (0)

/* ---- inside: not for use ---- */

static inline struct pirn_co_step pirn_co_step_(struct pirn_co *next)
{
    struct pirn_co_step step;
    step.next = next;
    return step;
}

/* An await that is over before it began: the body runs on at once. */
static inline struct pirn_co_step pirn_co_go_on_(struct pirn_co *co, int result)
{
    co->state = PIRN_CO_RUNNING_;
    co->result = result;
    return pirn_co_step_(co);
}

/*
 * Takes down whatever co waits with. The errors are of no interest: on each of them the slot is
 * free all the same.
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
        return pirn_co_step_(NULL);          /* not the one that is running: pirn_co_run_ notices */
    co->state = PIRN_CO_ENDED_;
    co->result = value;
    if (waiter != NULL) {
        pirn_co_disarm_(waiter);             /* its time limit; and it no longer waits for us */
        waiter->result = value;
    }
    return pirn_co_step_(waiter);
}

/*
 * Runs co, and then whoever goes on because of it. A loop, not a recursion: a chain of any length
 * needs no stack.
 */
static inline void pirn_co_run_(struct pirn_co *co)
{
    while (co != NULL) {
        struct pirn_co *next;

        co->state = PIRN_CO_RUNNING_;
        next = co->body(co, co->user).next;
        if (next == NULL && co->state == PIRN_CO_RUNNING_)  /* it awaited in somebody else's name */
            next = pirn_co_return_(co, -EINVAL).next;
        co = next;
    }
}

static inline void pirn_co_on_task_(struct pirn_loop *loop, void *user)
{
    struct pirn_co *co = (struct pirn_co *)user;

    (void)loop;
    /* cancelled before it began: the body never runs */
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
    /* a one-shot timer is dead when its callback runs */
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

/* Queues co instead of what it waits with. On -EAGAIN (task queue full) nothing has changed. */
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

/* The first step of every await. 1 if a cancellation has waited for it, of co itself or of a
 * coroutine that has called co: it is used up, and the await is to end at once. */
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
 * 0, or why co may not wait for other. A waiter cannot be reached twice, so the walk along
 * who-waits-for-whom ends.
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

/* Who really waits, when co has called somebody. */
static inline struct pirn_co *pirn_co_innermost_(struct pirn_co *co)
{
    while (co->state == PIRN_CO_CALLING_)
        co = co->on.other;
    return co;
}

/* ---- from outside ---- */

/* Starts a coroutine: its body first runs in the coming turn. `co`: zeroed, or ended; yours, and
 * stays in place until it has ended. 0; -EINVAL: a NULL; -EBUSY: it is live; -EAGAIN: the task
 * queue is full. On an error nothing has changed. O(1). */
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

/* 1 from start (or call) until it has ended, 0 before and after. */
static inline int pirn_co_is_live(const struct pirn_co *co)
{
    return co != NULL && co->state != PIRN_CO_IDLE_ && co->state != PIRN_CO_ENDED_;
}

/* Ends a PIRN_CO_PARK with `value`; the body goes on in the coming turn. Once this has returned 0
 * the body receives the value: a later pirn_co_cancel does not take it away, only pirn_co_stop
 * does.
 * 0; -EINVAL: NULL; -ENOENT: it is not parked, nothing is remembered; -EAGAIN: the task queue is
 * full and it is still parked. O(1). */
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

/* Cancels politely: the await in progress (of the innermost callee, if it has called) ends with
 * -ECANCELED in the coming turn, its watcher and timer are gone when this returns, and the body can
 * clean up; it may await again. One that has not begun to run ends with -ECANCELED and never runs.
 * Twice is once. A PIRN_CO_PARK that pirn_co_wake has already ended keeps its value, and a
 * PIRN_CO_WAIT what it was granted. The next await of the coroutine, or of one that it calls, ends
 * at once with -ECANCELED instead. Without a next await the cancellation has no effect. 0; -EINVAL:
 * NULL; -ENOENT: not live; -EBUSY: it is running, that is, calling this; -EAGAIN: the
 * task queue is full and nothing has changed. O(depth of calls). */
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
    if (innermost->state == PIRN_CO_WAITING_) {     /* what was granted stays granted */
        if (innermost->on.wait.withdraw(innermost->on.wait.waiter, 0) < 0)
            co->is_cancelled = 1;
        else
            innermost->state = PIRN_CO_WITHDRAWN_;
        return 0;
    }
    if (innermost->state == PIRN_CO_QUEUED_) {      /* its turn comes anyway: no second task */
        innermost->result = -ECANCELED;
        return 0;
    }
    return pirn_co_queue_(innermost, -ECANCELED);
}

/* Stops at once: neither the body nor any callee's ever runs again, every slot is free when this
 * returns, and the memory is the caller's again. What the body held (an fd) is for whoever stops it
 * to clean up. Whoever joins or called it gets -ECANCELED. 0 and errors as pirn_co_cancel; -EAGAIN
 * only if somebody waits for it. O(depth of calls). */
static inline int pirn_co_stop(struct pirn_co *co)
{
    if (co == NULL)
        return -EINVAL;
    if (!pirn_co_is_live(co))
        return -ENOENT;
    if (pirn_co_innermost_(co)->state == PIRN_CO_RUNNING_)
        return -EBUSY;
    if (co->waiter != NULL) {
        int rc = pirn_co_queue_(co->waiter, -ECANCELED);  /* which also takes co->waiter down */
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
