/*
 * coroutines: every await of pirn/co.h, and every way in which it can end, with checks.
 *
 * Shows: delay, yield, fd with a time limit, join, call, park and wake, cancel and stop, full
 * slots, and the errors for mistakes. state_machine.c is a realistic program.
 *
 *     make && ./build/coroutines                   exit status 0 if all claims hold
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <pirn.h>
#include <pirn/co.h>

#include "check.h"

#define MS UINT64_C(1000000)

/* Just enough for what the checks do at once, so that "full" is near. */
static PIRN_STORAGE(block, 1, 2, 4);
static struct pirn_loop *loop;

/* A coroutine that does one thing, so that each check can read like a sentence. */
enum what { DELAY, YIELD, READABLE, JOIN, PARK, CALL_DELAY, SWITCHED, WRONG_NAME };

struct worker {
    struct pirn_co co, sub;
    enum what what;
    int fd;
    uint64_t timeout_ns;
    struct pirn_co *other;
    unsigned resumes;                               /* behind the await */
};

static struct pirn_co_step delay_body(struct pirn_co *co, void *user)
{
    const uint64_t *delay_ns = user;

    PIRN_CO_BEGIN(co);
    PIRN_CO_DELAY(co, *delay_ns);
    PIRN_CO_RETURN(co, co->result < 0 ? co->result : 42);
    PIRN_CO_END(co);
}

static struct pirn_co_step worker_body(struct pirn_co *co, void *user)
{
    struct worker *worker = user;

    PIRN_CO_BEGIN(co);
    if (worker->what == DELAY)
        PIRN_CO_DELAY(co, worker->timeout_ns);
    else if (worker->what == YIELD)
        PIRN_CO_YIELD(co);
    else if (worker->what == READABLE)
        PIRN_CO_READABLE(co, worker->fd, worker->timeout_ns);
    else if (worker->what == JOIN)
        PIRN_CO_JOIN(co, worker->other, worker->timeout_ns);
    else if (worker->what == PARK)
        PIRN_CO_PARK(co, worker->timeout_ns);
    else if (worker->what == CALL_DELAY)
        PIRN_CO_CALL(co, &worker->sub, delay_body, &worker->timeout_ns);
    else if (worker->what == WRONG_NAME)
        PIRN_CO_YIELD(worker->other);
    else
        switch ((int)worker->what) {                /* the trap that the manual warns of */
        default:
            PIRN_CO_YIELD(co);
        }
    worker->resumes++;
    PIRN_CO_RETURN(co, co->result);
    PIRN_CO_END(co);
}

static void start(struct worker *worker, enum what what, uint64_t timeout_ns)
{
    memset(worker, 0, sizeof *worker);
    worker->what = what;
    worker->timeout_ns = timeout_ns;
    CHECK(pirn_co_start(loop, &worker->co, worker_body, worker) == 0);
}

/* Runs until nothing is left, and looks whether really nothing is. */
static void run(void)
{
    struct pirn_stats stats;

    memset(&stats, 0, sizeof stats);
    stats.size = sizeof stats;
    CHECK(pirn_run(loop) == PIRN_DONE);
    CHECK(pirn_stats(loop, &stats) == 0);
    CHECK(stats.io_used == 0 && stats.timer_used == 0 && stats.task_used == 0);
    CHECK(pirn_verify(loop) == 0);
}

static void turn(void)
{
    CHECK(pirn_turn(loop, 0) >= 0);
}

static void ends_with(const struct worker *worker, int result, unsigned resumes)
{
    CHECK(!pirn_co_is_live(&worker->co));
    CHECK(worker->co.result == result);
    CHECK(worker->resumes == resumes);
}

static void delays_and_yields(void)
{
    struct worker a, b;
    uint64_t began = pirn_update(loop);

    start(&a, DELAY, 5 * MS);
    start(&b, YIELD, 0);
    CHECK(a.resumes == 0 && pirn_co_start(loop, &a.co, worker_body, &a) == -EBUSY);
    turn();                                         /* both begin */
    CHECK(pirn_co_is_live(&b.co));
    turn();                                         /* a yield lasts until the next turn */
    ends_with(&b, 0, 1);
    run();
    ends_with(&a, 0, 1);
    CHECK(pirn_update(loop) - began >= 5 * MS);
}

static void descriptors(void)
{
    struct worker a;
    int fds[2];

    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);

    start(&a, READABLE, 5 * MS);
    a.fd = fds[0];
    run();
    ends_with(&a, -ETIMEDOUT, 1);

    CHECK(write(fds[1], "x", 1) == 1);
    start(&a, READABLE, 1000 * MS);
    a.fd = fds[0];
    run();
    ends_with(&a, PIRN_READ, 1);

    /*
     * Readable and too late in one and the same turn: one resume, and it is the time that counts.
     */
    start(&a, READABLE, 1 * MS);
    a.fd = fds[0];
    turn();
    usleep(3000);
    run();
    ends_with(&a, -ETIMEDOUT, 1);

    /*
     * And the other way round: ready first, then a long stay in this turn, and the time limit must
     * not come after it.
     */
    start(&a, READABLE, 20 * MS);
    a.fd = fds[0];
    turn();
    run();
    ends_with(&a, PIRN_READ, 1);
    usleep(25000);
    turn();
    CHECK(a.resumes == 1);

    start(&a, READABLE, PIRN_FOREVER);
    a.fd = -1;  /* the refusal of pirn_io_add is the result of the await */
    run();
    ends_with(&a, -EBADF, 1);
    close(fds[0]), close(fds[1]);
}

static void joins_and_calls(void)
{
    struct worker a, b, c;

    start(&a, DELAY, 5 * MS);
    start(&b, JOIN, PIRN_FOREVER);
    b.other = &a.co;
    start(&c, JOIN, PIRN_FOREVER);
    c.other = &a.co;
    run();
    ends_with(&b, 0, 1);
    ends_with(&c, -EBUSY, 1);                       /* one joiner at a time */

    start(&b, JOIN, PIRN_FOREVER);                  /* one that has ended is joined at once */
    b.other = &c.co;
    turn();
    ends_with(&b, -EBUSY, 1);

    start(&a, DELAY, 20 * MS);
    start(&b, JOIN, 5 * MS);
    b.other = &a.co;
    run();
    ends_with(&b, -ETIMEDOUT, 1);                   /* gave up ... */
    ends_with(&a, 0, 1);                            /* ... and the other did not notice */

    start(&a, JOIN, PIRN_FOREVER);
    a.other = &b.co;
    start(&b, JOIN, PIRN_FOREVER);
    b.other = &a.co;
    run();
    ends_with(&b, -EDEADLK, 1);                     /* a waited for b already */
    ends_with(&a, -EDEADLK, 1);                     /* and got b's value */

    memset(&c, 0, sizeof c);
    start(&a, JOIN, PIRN_FOREVER);
    a.other = &c.co;
    run();
    ends_with(&a, -ENOENT, 1);  /* never started: it would have been a long wait */

    start(&a, CALL_DELAY, 5 * MS);
    run();
    ends_with(&a, 42, 1);
}

static void parking(void)
{
    struct worker a;

    start(&a, PARK, PIRN_FOREVER);
    CHECK(pirn_co_wake(&a.co, 1) == -ENOENT);       /* not parked yet */
    turn();
    CHECK(pirn_co_wake(&a.co, 7) == 0 && pirn_co_wake(&a.co, 8) == -ENOENT);
    CHECK(a.resumes == 0);                          /* never inside the call */
    run();
    ends_with(&a, 7, 1);

    start(&a, PARK, PIRN_FOREVER);                  /* what was granted stays granted */
    turn();
    CHECK(pirn_co_wake(&a.co, 7) == 0 && pirn_co_cancel(&a.co) == 0);
    run();
    ends_with(&a, 7, 1);

    start(&a, PARK, 5 * MS);
    run();
    ends_with(&a, -ETIMEDOUT, 1);
}

static void cancelling(void)
{
    struct worker a, b;
    int fds[2];

    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    start(&a, READABLE, 1000 * MS);
    a.fd = fds[0];
    turn();
    CHECK(write(fds[1], "x", 1) == 1);              /* ready and cancelled: one resume */
    CHECK(pirn_co_cancel(&a.co) == 0 && pirn_co_cancel(&a.co) == 0);
    run();
    ends_with(&a, -ECANCELED, 1);
    CHECK(pirn_co_cancel(&a.co) == -ENOENT && pirn_co_cancel(NULL) == -EINVAL);

    start(&a, DELAY, 1000 * MS);  /* before it began: it never does, and its joiner hears of it */
    start(&b, JOIN, PIRN_FOREVER);
    b.other = &a.co;
    CHECK(pirn_co_cancel(&a.co) == 0);
    run();
    ends_with(&a, -ECANCELED, 0);
    ends_with(&b, -ECANCELED, 1);

    start(&a, CALL_DELAY, 1000 * MS);  /* the callee's await ends, and through it the caller's */
    turn();
    CHECK(pirn_co_cancel(&a.co) == 0);
    run();
    ends_with(&a, -ECANCELED, 1);

    start(&a, CALL_DELAY, 1000 * MS);  /* stop: at once, both of them, and the joiner hears of it */
    start(&b, JOIN, 1000 * MS);
    b.other = &a.co;
    turn();
    CHECK(pirn_co_stop(&a.co) == 0);
    ends_with(&a, -ECANCELED, 0);
    CHECK(!pirn_co_is_live(&a.sub));
    run();
    ends_with(&b, -ECANCELED, 1);

    start(&a, READABLE, 1000 * MS);
    a.fd = fds[0];
    CHECK(pirn_co_stop(&a.co) == 0);                /* before it began */
    run();
    ends_with(&a, -ECANCELED, 0);
    close(fds[0]), close(fds[1]);
}

static void do_nothing(struct pirn_loop *the_loop, void *user)
{
    (void)the_loop, (void)user;
}

/* The block has one I/O slot, two timers and four tasks. */
static void full(void)
{
    struct worker a, b, c;
    int fds[2], rc;

    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    start(&a, READABLE, 10 * MS);
    a.fd = fds[0];
    start(&b, READABLE, PIRN_FOREVER);
    b.fd = fds[1];
    turn();
    /* no I/O slot: told, not lost */
    CHECK(pirn_co_is_live(&a.co) && b.co.result < 0 && b.resumes == 1);
    run();
    ends_with(&a, -ETIMEDOUT, 1);

    start(&a, DELAY, 10 * MS);
    start(&b, DELAY, 10 * MS);
    start(&c, READABLE, 10 * MS);  /* has its I/O slot and gets no timer: gives the slot back */
    c.fd = fds[0];
    turn();
    CHECK(!pirn_co_is_live(&c.co) && c.co.result < 0 && c.resumes == 1);
    start(&c, READABLE, PIRN_FOREVER);
    c.fd = fds[0];
    turn();
    CHECK(pirn_co_is_live(&c.co));
    do {
        rc = pirn_task_post(loop, do_nothing, NULL, NULL);
    } while (rc == 0);
    /* nothing has changed: it still waits */
    CHECK(rc == -EAGAIN && pirn_co_cancel(&c.co) == -EAGAIN);
    CHECK(write(fds[1], "x", 1) == 1);
    run();
    ends_with(&c, PIRN_READ, 1);
    close(fds[0]), close(fds[1]);
}

static void mistakes(void)
{
    struct worker a, b;

    start(&a, SWITCHED, 0);  /* an await inside a switch does not find back */
    run();
    ends_with(&a, -EINVAL, 0);

    start(&b, PARK, PIRN_FOREVER);
    start(&a, WRONG_NAME, 0);
    a.other = &b.co;
    turn();
    ends_with(&a, -EINVAL, 0);
    CHECK(pirn_co_is_live(&b.co));                  /* b is unharmed */
    CHECK(pirn_co_wake(&b.co, 3) == 0);
    run();
    ends_with(&b, 3, 1);

    start(&a, JOIN, PIRN_FOREVER);
    a.other = &a.co;
    run();
    ends_with(&a, -EDEADLK, 1);

    CHECK(pirn_co_start(NULL, &a.co, worker_body, NULL) == -EINVAL &&
          pirn_co_start(loop, NULL, worker_body, NULL) == -EINVAL);
    CHECK(pirn_co_start(loop, &a.co, NULL, NULL) == -EINVAL && pirn_co_stop(&a.co) == -ENOENT);
}

int main(void)
{
    CHECK(pirn_init(&loop, block, sizeof block, NULL) == 0);
    delays_and_yields();
    descriptors();
    joins_and_calls();
    parking();
    cancelling();
    full();
    mistakes();
    CHECK(pirn_deinit(loop) == 0);
    printf("a coroutine is %u bytes; all claims hold\n", (unsigned)sizeof(struct pirn_co));
    return 0;
}
