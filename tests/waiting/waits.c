/* The rules of every wait, shown with waiters of callbacks: parked, at ports, and at an object. */
#include "test.h"

#include <pthread.h>

#include "hub.h"

DECLARE_BLOCK(block);
DECLARE_BLOCK(other_block);
DECLARE_BLOCK(small_block);

/* ---- waiters that note their calls ---- */

struct note {
    struct pirn_waiter waiter;
    int calls, result;
    long order;
};

static long calls_so_far;

static void on_wake(struct pirn_hub *hub_, struct pirn_waiter *waiter, int result)
{
    struct note *note = waiter->user;
    CHECK(hub_ == &hub && waiter == &note->waiter);
    EQUAL(pirn_waiter_is_waiting(waiter), 0);
    note->calls++;
    note->result = result;
    note->order = ++calls_so_far;
}

static void prepare(struct note *note)
{
    memset(note, 0, sizeof *note);
    OK(pirn_waiter_init(&hub, &note->waiter, on_wake, note));
}

/* ---- the object of the header's page "Building objects" ---- */

struct units { struct pirn_waiters waiters; int count; };

static void serve(struct units *units)
{
    while (units->count > 0 && pirn_waiters_first(&units->waiters)) {
        units->count--;
        pirn_waiter_grant(pirn_waiters_first(&units->waiters), 0);
    }
}

static void leave(struct pirn_waiter *waiter)
{
    serve(pirn_waiter_object(waiter));
}

static void undo(struct pirn_waiter *waiter, int result)
{
    struct units *units = pirn_waiter_object(waiter);
    EQUAL(result, 0);
    units->count++;
    serve(units);
}

static const struct pirn_wait_kind kind = { 100, 0, NULL, leave, NULL, undo };

static int acquire_start(struct units *units, struct pirn_waiter *waiter, uint64_t timeout_ns)
{
    int rc = pirn_waiter_check(waiter, timeout_ns);
    if (rc != 0)
        return rc;
    if (units->count > 0 && !pirn_waiters_first(&units->waiters)) {
        units->count--;
        return 0;
    }
    return pirn_waiter_begin(waiter, &units->waiters, &kind, units, 1, timeout_ns);
}

static void release(struct units *units)
{
    units->count++;
    serve(units);
}

/* ---- the rules ---- */

static void bad_arguments_are_refused(void)
{
    struct pirn_hub spare;
    struct pirn_port port;
    struct note note;
    struct pirn_due due;
    OPEN_HUB(block);
    prepare(&note);
    memset(&port, 0, sizeof port);
    memset(&due, 0, sizeof due);
    GIVES(pirn_hub_init(NULL, &spare, 0), -EINVAL);
    GIVES(pirn_hub_init(loop, NULL, 0), -EINVAL);
    GIVES(pirn_hub_init(loop, &spare, 64), -EINVAL);
    GIVES(pirn_hub_init(loop, &spare, 63), -EEXIST);
    GIVES(pirn_hub_deinit(NULL), -EINVAL);
    GIVES(pirn_hub_verify(NULL), -EINVAL);
    GIVES(pirn_hub_handle(NULL, &due), -EINVAL);
    GIVES(pirn_hub_handle(&hub, NULL), -EINVAL);
    GIVES(pirn_hub_handle(&hub, &due), 0);
    CHECK(pirn_hub_loop(&hub) == loop && pirn_hub_loop(NULL) == NULL);
    GIVES(pirn_waiter_init(NULL, &note.waiter, on_wake, NULL), -EINVAL);
    GIVES(pirn_waiter_init(&hub, NULL, on_wake, NULL), -EINVAL);
    GIVES(pirn_waiter_init(&hub, &note.waiter, NULL, NULL), -EINVAL);
    GIVES(pirn_waiter_cancel(NULL, -ECANCELED), -EINVAL);
    GIVES(pirn_waiter_cancel(&note.waiter, 0), -EINVAL);
    GIVES(pirn_waiter_cancel(&note.waiter, -ECANCELED), -ENOENT);
    GIVES(pirn_waiter_drop(NULL), -EINVAL);
    GIVES(pirn_waiter_drop(&note.waiter), 0);
    GIVES(pirn_waiter_is_waiting(NULL), -EINVAL);
    GIVES(pirn_waiter_wake(NULL, 0), -EINVAL);
    GIVES(pirn_waiter_wake(&note.waiter, 0), -ENOENT);
    GIVES(pirn_park_start(NULL, 1), -EDEADLK);
    GIVES(pirn_park_start(&note.waiter, 0), -EAGAIN);
    GIVES(pirn_waiter_check(NULL, 1), -EDEADLK);
    GIVES(pirn_waiter_begin(NULL, NULL, &kind, NULL, 0, 1), -EDEADLK);
    GIVES(pirn_waiter_begin(&note.waiter, NULL, NULL, NULL, 0, 1), -EINVAL);
    GIVES(pirn_port_open(NULL, &port, 0, 0), -EINVAL);
    GIVES(pirn_port_open(&hub, NULL, 0, 0), -EINVAL);
    GIVES(pirn_port_open(&hub, &port, 0, PIRN_EDGE), -EINVAL);
    GIVES(pirn_port_open(&hub, &port, -1, 0), -EBADF);
    GIVES(pirn_port_close(NULL), -EINVAL);
    GIVES(pirn_port_close(&port), -ENOENT);
    GIVES(pirn_port_wait_start(NULL, &note.waiter, PIRN_READ, 1), -EINVAL);
    GIVES(pirn_port_wait_start(&port, NULL, PIRN_READ, 1), -EDEADLK);
    GIVES(pirn_port_wait_start(&port, &note.waiter, PIRN_READ, 1), -ENOENT);
    close_hub();

    /* No slot for the hub: nothing is taken. */
    MUST(open_loop(&loop, small_block, sizeof small_block, the_backend, 1, 1, 1) == 0);
    struct pirn_timer timer;
    OK(pirn_timer_start(loop, SECOND, 0, PIRN_UNREF, see_timer, NULL, &timer));
    GIVES(pirn_hub_init(loop, &hub, 0), -ENOSPC);
    EQUAL(stats_of(loop).io_used, 0);
    OK(pirn_timer_stop(loop, timer));
    OK(pirn_hub_init(loop, &hub, 0));
    GIVES(pirn_hub_init(loop, &spare, 1), -ENOSPC);
    close_hub();
}

/* Rule 1, and that `wake` is never called inside the call that ended the wait. */
static void wait_ends_once(void)
{
    struct note note;
    OPEN_HUB(block);
    prepare(&note);
    GIVES(pirn_park_start(&note.waiter, PIRN_FOREVER), PIRN_WAITS);
    EQUAL(pirn_waiter_is_waiting(&note.waiter), 1);
    GIVES(pirn_park_start(&note.waiter, PIRN_FOREVER), -EBUSY);
    GIVES(pirn_hub_deinit(&hub), -EBUSY);
    EQUAL(pirn_run(loop), PIRN_DONE);
    EQUAL(note.calls, 0);
    OK(pirn_waiter_wake(&note.waiter, 7));
    EQUAL(note.calls, 0);
    EQUAL(pirn_waiter_is_waiting(&note.waiter), 1);
    GIVES(pirn_waiter_wake(&note.waiter, 8), -ENOENT);
    GIVES(pirn_waiter_cancel(&note.waiter, -ECANCELED), -EALREADY);
    GIVES(pirn_hub_deinit(&hub), -EBUSY);
    EQUAL(pirn_run(loop), PIRN_DONE);
    EQUAL(note.calls, 1);
    EQUAL(note.result, 7);
    settle(loop, 4);
    EQUAL(note.calls, 1);

    GIVES(pirn_park_start(&note.waiter, SECOND), PIRN_WAITS);
    OK(pirn_waiter_cancel(&note.waiter, -ECANCELED));
    EQUAL(pirn_run(loop), PIRN_DONE);
    EQUAL(note.calls, 2);
    EQUAL(note.result, -ECANCELED);

    /* A drop takes the call back, whether the wait is over or not. */
    GIVES(pirn_park_start(&note.waiter, SECOND), PIRN_WAITS);
    OK(pirn_waiter_drop(&note.waiter));
    GIVES(pirn_park_start(&note.waiter, SECOND), PIRN_WAITS);
    OK(pirn_waiter_wake(&note.waiter, 0));
    OK(pirn_waiter_drop(&note.waiter));
    OK(pirn_hub_verify(&hub));
    EQUAL(pirn_run(loop), PIRN_DONE);
    EQUAL(note.calls, 2);

    /* The task that was to call it is taken back with the hub. */
    GIVES(pirn_park_start(&note.waiter, PIRN_FOREVER), PIRN_WAITS);
    OK(pirn_waiter_wake(&note.waiter, 0));
    OK(pirn_waiter_drop(&note.waiter));
    close_hub();
}

/* Grants are in the order of arrival, and no waiter overtakes another. */
static void first_come_first_served(void)
{
    struct units units = { .count = 1 };
    struct note notes[5], late;
    OPEN_HUB(block);
    prepare(&late);
    GIVES(acquire_start(&units, &late.waiter, PIRN_FOREVER), 0);
    for (int at = 0; at < 5; at++) {
        prepare(&notes[at]);
        GIVES(acquire_start(&units, &notes[at].waiter, PIRN_FOREVER), PIRN_WAITS);
    }
    GIVES(acquire_start(&units, &late.waiter, 0), -EAGAIN);
    release(&units);
    EQUAL(units.count, 0);
    GIVES(acquire_start(&units, &late.waiter, 0), -EAGAIN);
    for (int at = 0; at < 4; at++)
        release(&units);
    EQUAL(pirn_run(loop), PIRN_DONE);
    for (int at = 0; at < 5; at++) {
        EQUAL(notes[at].calls, 1);
        CHECK(at == 0 || notes[at].order == notes[at - 1].order + 1);
    }
    close_hub();
}

/* A cancelled waiter that had been granted takes nothing with it. */
static void grant_and_cancel_in_one_turn(void)
{
    struct units units = { .count = 0 };
    struct note first, second;
    OPEN_HUB(block);
    prepare(&first);
    prepare(&second);
    GIVES(acquire_start(&units, &first.waiter, PIRN_FOREVER), PIRN_WAITS);
    GIVES(acquire_start(&units, &second.waiter, PIRN_FOREVER), PIRN_WAITS);
    release(&units);
    GIVES(pirn_waiter_cancel(&first.waiter, -ECANCELED), -EALREADY);
    EQUAL(pirn_run(loop), PIRN_DONE);
    EQUAL(first.result, 0);
    EQUAL(first.calls, 1);
    EQUAL(second.calls, 0);

    /* A drop gives the grant back, and the next one has it. */
    GIVES(acquire_start(&units, &first.waiter, PIRN_FOREVER), PIRN_WAITS);
    release(&units);
    EQUAL(pirn_waiter_is_waiting(&second.waiter), 1);
    OK(pirn_waiter_drop(&second.waiter));
    EQUAL(pirn_run(loop), PIRN_DONE);
    EQUAL(first.calls, 2);
    EQUAL(second.calls, 0);
    EQUAL(units.count, 0);
    close_hub();
}

/* The head of a list leaves by cancellation, time or drop: those behind it are served. */
static void the_head_that_leaves(void)
{
    struct units units = { .count = 0 };
    struct note head, next;
    OPEN_HUB(block);
    for (int way = 0; way < 3; way++) {
        prepare(&head);
        prepare(&next);
        GIVES(acquire_start(&units, &head.waiter, way == 1 ? MILLISECOND : PIRN_FOREVER),
              PIRN_WAITS);
        GIVES(acquire_start(&units, &next.waiter, PIRN_FOREVER), PIRN_WAITS);
        /* A unit that was not passed on yet: the waiter that leaves must do it. */
        units.count = 1;
        if (way == 0)
            OK(pirn_waiter_cancel(&head.waiter, -ECANCELED));
        else if (way == 2)
            OK(pirn_waiter_drop(&head.waiter));
        EQUAL(pirn_run(loop), PIRN_DONE);
        EQUAL(head.calls, way == 2 ? 0 : 1);
        EQUAL(head.result, way == 0 ? -ECANCELED : way == 1 ? -ETIMEDOUT : 0);
        EQUAL(next.calls, 1);
        EQUAL(next.result, 0);
        EQUAL(units.count, 0);
    }
    close_hub();
}

/* A waiter of another loop is refused if there is already a waiter. */
static void objects_of_another_loop(void)
{
    struct units units = { .count = 0 };
    struct pirn_loop *other;
    struct pirn_hub other_hub;
    struct pirn_port port;
    struct note note, stranger;
    int fds[2];
    OPEN_HUB(block);
    OPEN(other, other_block, the_backend);
    OK(pirn_hub_init(other, &other_hub, 63));
    MUST(pipe(fds) == 0);
    prepare(&note);
    OK(pirn_waiter_init(&other_hub, &stranger.waiter, on_wake, &stranger));
    GIVES(acquire_start(&units, &note.waiter, PIRN_FOREVER), PIRN_WAITS);
    GIVES(acquire_start(&units, &stranger.waiter, PIRN_FOREVER), -EINVAL);
    OK(pirn_port_open(&hub, &port, fds[0], 0));
    GIVES(pirn_port_wait_start(&port, &stranger.waiter, PIRN_READ, PIRN_FOREVER), -EINVAL);
    OK(pirn_port_close(&port));
    OK(pirn_waiter_drop(&note.waiter));
    OK(pirn_hub_deinit(&other_hub));
    CLOSE(other);
    close_hub();
    close_all(fds, 2);
}

/* ---- time ---- */

static void time_limits_end_in_order(void)
{
    enum { MANY = 500 };
    static struct note notes[MANY];
    uint64_t limits[MANY];
    OPEN_HUB(block);
    uint64_t begun = pirn_now(loop);
    for (int at = 0; at < MANY; at++) {
        prepare(&notes[at]);
        limits[at] = 1 + random_word() % (20 * MILLISECOND);
        GIVES(pirn_park_start(&notes[at].waiter, limits[at]), PIRN_WAITS);
    }
    OK(pirn_hub_verify(&hub));
    /* Some leave early, in any order: the heap must stay one. */
    for (int at = 0; at < MANY; at += 3)
        OK(at % 2 ? pirn_waiter_drop(&notes[at].waiter) : pirn_waiter_wake(&notes[at].waiter, 0));
    OK(pirn_hub_verify(&hub));
    EQUAL(pirn_run(loop), PIRN_DONE);
    CHECK(pirn_now(loop) >= begun);
    for (int at = 0; at < MANY; at++) {
        EQUAL(notes[at].calls, at % 3 != 0 || at % 2 == 0);
        EQUAL(notes[at].result, at % 3 != 0 ? -ETIMEDOUT : 0);
        for (int other = 0; other < MANY; other += 7)
            if (at % 3 != 0 && other % 3 != 0 && limits[at] < limits[other])
                CHECK(notes[at].order < notes[other].order);
    }
    /* Without a limit nothing keeps the run going. */
    GIVES(pirn_park_start(&notes[0].waiter, PIRN_FOREVER), PIRN_WAITS);
    EQUAL(pirn_run(loop), PIRN_DONE);
    OK(pirn_waiter_drop(&notes[0].waiter));
    GIVES(pirn_park_start(&notes[0].waiter, PIRN_FOREVER - 1), PIRN_WAITS);
    EQUAL(pirn_run_until(loop, pirn_now(loop) + MILLISECOND), PIRN_EXPIRED);
    OK(pirn_waiter_drop(&notes[0].waiter));
    close_hub();
}

/* ---- ports ---- */

/* A turn that took longer than the limit does not end the wait: the kernel is asked first. */
static void data_wins_over_the_clock(void)
{
    struct pirn_port port;
    struct note note;
    int fds[2];
    OPEN_HUB(block);
    MUST(pipe(fds) == 0);
    OK(pirn_port_open(&hub, &port, fds[0], 0));
    prepare(&note);
    GIVES(pirn_port_wait_start(&port, &note.waiter, PIRN_READ, MILLISECOND), PIRN_WAITS);
    MUST(write(fds[1], "x", 1) == 1);
    struct timespec pause = { 0, 5 * 1000000 };
    nanosleep(&pause, NULL);
    for (int turn = 0; turn < 3 && note.calls == 0; turn++)
        pirn_turn(loop, 0);
    EQUAL(note.calls, 1);
    EQUAL(note.result, PIRN_READ);
    /* And without data it does. */
    char byte;
    MUST(read(fds[0], &byte, 1) == 1);
    GIVES(pirn_port_wait_start(&port, &note.waiter, PIRN_READ, MILLISECOND), PIRN_WAITS);
    while (note.calls == 1)
        pirn_turn(loop, PIRN_FOREVER);
    EQUAL(note.result, -ETIMEDOUT);
    OK(pirn_port_close(&port));
    close_hub();
    close_all(fds, 2);
}

/* Others abort or crash when a second one waits. */
static void second_waiter_on_one_fd(void)
{
    struct pirn_port port;
    struct note readers[3], writer;
    int fds[2];
    char byte;
    OPEN_HUB(block);
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    OK(pirn_port_open(&hub, &port, fds[0], 0));
    if (the_backend != PIRN_BACKEND_HOST)
        CHECK((fcntl(fds[0], F_GETFL) & O_NONBLOCK) != 0);
    for (int at = 0; at < 3; at++) {
        prepare(&readers[at]);
        GIVES(pirn_port_wait_start(&port, &readers[at].waiter, PIRN_READ, PIRN_FOREVER),
              PIRN_WAITS);
    }
    prepare(&writer);
    GIVES(pirn_port_wait_start(&port, &writer.waiter, PIRN_WRITE, PIRN_FOREVER), PIRN_WAITS);
    MUST(write(fds[1], "x", 1) == 1);
    pirn_turn(loop, 0);
    settle(loop, 2);
    EQUAL(readers[0].calls, 1);
    EQUAL(writer.calls, 1);
    CHECK((unsigned)writer.result & PIRN_WRITE);
    /* The byte is still there: the next waiter is woken, one in each turn. */
    for (int turn = 0; turn < 6; turn++)
        pirn_turn(loop, 0);
    EQUAL(readers[1].calls, 1);
    EQUAL(readers[2].calls, 1);
    CHECK(readers[1].order < readers[2].order);
    MUST(read(fds[0], &byte, 1) == 1);
    /* A hang-up wakes all. */
    for (int at = 0; at < 3; at++)
        GIVES(pirn_port_wait_start(&port, &readers[at].waiter, PIRN_READ, PIRN_FOREVER),
              PIRN_WAITS);
    close(fds[1]);
    for (int turn = 0; turn < 4; turn++)
        pirn_turn(loop, 0);
    for (int at = 0; at < 3; at++)
        EQUAL(readers[at].calls, 2);
    OK(pirn_port_close(&port));
    close_hub();
    close(fds[0]);
}

static void close_while_somebody_waits(void)
{
    struct pirn_port port;
    struct note waiting;
    int fds[2];
    OPEN_HUB(block);
    MUST(pipe(fds) == 0);
    OK(pirn_port_open(&hub, &port, fds[0], 0));
    GIVES(pirn_hub_deinit(&hub), -EBUSY);
    prepare(&waiting);
    GIVES(pirn_port_wait_start(&port, &waiting.waiter, PIRN_READ, PIRN_FOREVER), PIRN_WAITS);
    OK(pirn_port_close(&port));
    GIVES(pirn_port_close(&port), -ENOENT);
    settle(loop, 4);
    EQUAL(waiting.result, -ECANCELED);
    EQUAL(waiting.calls, 1);
    close_hub();
    close_all(fds, 2);
}

/* The number of a port's fd is used again at once: nothing of the old port reaches the new one. */
static void fd_number_reused_under_a_port(void)
{
    struct pirn_port port;
    struct note waiting, again;
    int fds[2], fd;
    OPEN_HUB(block);
    MUST(pipe(fds) == 0);
    OK(pirn_port_open(&hub, &port, fds[0], 0));
    prepare(&waiting);
    prepare(&again);
    GIVES(pirn_port_wait_start(&port, &waiting.waiter, PIRN_READ, PIRN_FOREVER), PIRN_WAITS);
    MUST(write(fds[1], "x", 1) == 1);
    OK(pirn_port_close(&port));
    close(fds[0]);
    MUST((fd = dup(fds[1])) == fds[0]);
    OK(pirn_port_open(&hub, &port, fd, 0));
    GIVES(pirn_port_wait_start(&port, &again.waiter, PIRN_WRITE, PIRN_FOREVER), PIRN_WAITS);
    settle(loop, 4);
    EQUAL(waiting.result, -ECANCELED);
    EQUAL(waiting.calls, 1);
    EQUAL(again.calls, 1);
    CHECK(again.result < 0 || ((unsigned)again.result & PIRN_READ) == 0);
    OK(pirn_port_close(&port));
    close_hub();
    close(fd);
    close(fds[1]);
}

struct closer { struct note note; struct pirn_port *port; };

static void on_wake_close(struct pirn_hub *hub_, struct pirn_waiter *waiter, int result)
{
    struct closer *closer = waiter->user;
    (void)hub_;
    closer->note.calls++;
    closer->note.result = result;
    OK(pirn_port_close(closer->port));
}

/* One event wakes two waiters; the first closes the port: the second gets -ECANCELED. */
static void close_by_another_who_was_woken(void)
{
    struct pirn_port port;
    struct closer closer;
    struct note other;
    int fds[2];
    OPEN_HUB(block);
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    OK(pirn_port_open(&hub, &port, fds[0], 0));
    memset(&closer, 0, sizeof closer);
    closer.port = &port;
    OK(pirn_waiter_init(&hub, &closer.note.waiter, on_wake_close, &closer));
    prepare(&other);
    GIVES(pirn_port_wait_start(&port, &closer.note.waiter, PIRN_READ, PIRN_FOREVER), PIRN_WAITS);
    GIVES(pirn_port_wait_start(&port, &other.waiter, PIRN_WRITE, PIRN_FOREVER), PIRN_WAITS);
    MUST(write(fds[1], "x", 1) == 1);
    pirn_turn(loop, 0);
    settle(loop, 3);
    EQUAL(closer.note.calls, 1);
    EQUAL(other.calls, 1);
    EQUAL(other.result, -ECANCELED);
    close_hub();
    close_all(fds, 2);
}

/* ---- the ready list ---- */

static struct note *partners[2];
static long exchanges;

static void on_wake_partner(struct pirn_hub *hub_, struct pirn_waiter *waiter, int result)
{
    struct note *self = waiter->user;
    (void)hub_;
    (void)result;
    exchanges++;
    if (pirn_park_start(waiter, PIRN_FOREVER) == PIRN_WAITS)
        pirn_waiter_wake(&partners[partners[0] == self]->waiter, 0);
}

static void wake_the_sleeper(struct pirn_loop *loop_, void *user)
{
    struct note *sleeper = user;
    (void)loop_;
    OK(pirn_waiter_wake(&sleeper->waiter, 0));
    EQUAL(sleeper->calls, 0);
}

static struct note sleeping;

static void on_wake_another(struct pirn_hub *hub_, struct pirn_waiter *waiter, int result)
{
    on_wake(hub_, waiter, result);
    OK(pirn_waiter_wake(&sleeping.waiter, 0));
    EQUAL(sleeping.calls, 0);
}

/* What a callback of the program wakes is called in the next turn, which does not sleep. What a
   waiter wakes while the hub calls it is called in the same turn. */
static void woken_waiters_are_called_in_this_turn_or_the_next(void)
{
    struct note waking;
    OPEN_HUB(block);
    prepare(&sleeping);
    GIVES(pirn_park_start(&sleeping.waiter, PIRN_FOREVER), PIRN_WAITS);
    OK(pirn_task_post(loop, wake_the_sleeper, &sleeping, NULL));
    EQUAL(pirn_turn(loop, PIRN_FOREVER), 1);
    EQUAL(sleeping.calls, 0);
    EQUAL(pirn_turn(loop, PIRN_FOREVER), 1);
    EQUAL(sleeping.calls, 1);

    prepare(&sleeping);
    GIVES(pirn_park_start(&sleeping.waiter, PIRN_FOREVER), PIRN_WAITS);
    prepare(&waking);
    waking.waiter.wake = on_wake_another;
    GIVES(pirn_park_start(&waking.waiter, PIRN_FOREVER), PIRN_WAITS);
    OK(pirn_waiter_wake(&waking.waiter, 0));
    EQUAL(pirn_turn(loop, PIRN_FOREVER), 1);
    EQUAL(waking.calls, 1);
    EQUAL(sleeping.calls, 1);
    close_hub();
}

/* Two that wake one another for ever leave room for the kernel's events. */
static void two_that_play_ping_pong_starve_nobody(void)
{
    struct note notes[2];
    struct seen seen = { 0 };
    struct pirn_io io;
    int fds[2];
    OPEN_HUB(block);
    MUST(pipe(fds) == 0);
    for (int at = 0; at < 2; at++) {
        memset(&notes[at], 0, sizeof notes[at]);
        partners[at] = &notes[at];
        OK(pirn_waiter_init(&hub, &notes[at].waiter, on_wake_partner, &notes[at]));
        GIVES(pirn_park_start(&notes[at].waiter, PIRN_FOREVER), PIRN_WAITS);
    }
    exchanges = 0;
    OK(pirn_waiter_wake(&notes[0].waiter, 0));
    OK(pirn_io_add(loop, fds[0], PIRN_READ, see_io, &seen, &io));
    MUST(write(fds[1], "x", 1) == 1);
    EQUAL(pirn_turn(loop, 0) >= 0, 1);
    CHECK(exchanges <= 66);
    pirn_turn(loop, 0);
    CHECK(seen.calls > 0);
    CHECK(exchanges > 66);
    OK(pirn_waiter_drop(&notes[0].waiter));
    OK(pirn_waiter_drop(&notes[1].waiter));
    OK(pirn_io_remove(loop, io));
    close_hub();
    close_all(fds, 2);
}

/* A full task ring refuses nothing: 500 waiters are woken in a loop with room for one task. */
static void full_task_ring_refuses_no_wake(void)
{
    enum { MANY = 500 };
    static struct note notes[MANY];
    struct seen seen = { 0 };
    MUST(open_loop(&loop, small_block, sizeof small_block, the_backend, 2, 1, 1) == 0);
    OK(pirn_hub_init(loop, &hub, 5));
    while (pirn_task_post(loop, see_task, &seen, NULL) == 0)
        ;
    for (int at = 0; at < MANY; at++) {
        prepare(&notes[at]);
        GIVES(pirn_park_start(&notes[at].waiter, PIRN_FOREVER), PIRN_WAITS);
        OK(pirn_waiter_wake(&notes[at].waiter, at));
    }
    EQUAL(pirn_run(loop), PIRN_DONE);
    for (int at = 0; at < MANY; at++) {
        EQUAL(notes[at].calls, 1);
        EQUAL(notes[at].result, at);
    }
    close_hub();
}

/* ---- other threads ---- */

struct far { struct pirn_remote remote; int runs; };
static struct far fars[4];
static struct note far_note;

static void on_remote(struct pirn_hub *hub_, struct pirn_remote *remote)
{
    CHECK(hub_ == &hub);
    struct far *far = (struct far *)(void *)remote;
    far->runs++;
    if (far == &fars[3])
        pirn_waiter_wake(&far_note.waiter, 9);
}

static void *push_from_thread(void *argument)
{
    (void)argument;
    for (int round = 0; round < 1000; round++)
        for (int at = 0; at < 3; at++)
            pirn_remote_push(&hub, &fars[at].remote, on_remote);
    pirn_remote_push(&hub, &fars[3].remote, on_remote);
    return NULL;
}

static void on_signal(int signo)
{
    (void)signo;
    pirn_remote_push(&hub, &fars[0].remote, on_remote);
}

static void other_threads_cannot_be_refused(void)
{
    pthread_t thread;
    OPEN_HUB(block);
    memset(fars, 0, sizeof fars);
    prepare(&far_note);
    GIVES(pirn_park_start(&far_note.waiter, 10 * SECOND), PIRN_WAITS);
    MUST(pthread_create(&thread, NULL, push_from_thread, NULL) == 0);
    EQUAL(pirn_run(loop), PIRN_DONE);
    MUST(pthread_join(thread, NULL) == 0);
    settle(loop, 3);
    EQUAL(far_note.result, 9);
    for (int at = 0; at < 3; at++)
        CHECK(fars[at].runs >= 1 && fars[at].runs <= 1000);
    EQUAL(fars[3].runs, 1);

    memset(fars, 0, sizeof fars);
    signal(SIGUSR1, on_signal);
    raise(SIGUSR1);
    raise(SIGUSR1);
    GIVES(pirn_hub_deinit(&hub), -EBUSY);
    settle(loop, 3);
    EQUAL(fars[0].runs, 1);
    signal(SIGUSR1, SIG_DFL);
    close_hub();
}

/* ---- taking, growing, fork, damage ---- */

static void events_are_taken_as_data(void)
{
    struct pirn_due due[8];
    struct pirn_port port;
    struct note reader, sleeper, woken;
    struct seen seen = { 0 };
    int fds[2], own = 0, handled = 0;
    open_hub_in(block, sizeof block, PIRN_TAKE);
    MUST(pipe(fds) == 0);
    OK(pirn_port_open(&hub, &port, fds[0], 0));
    prepare(&reader);
    prepare(&sleeper);
    prepare(&woken);
    GIVES(pirn_port_wait_start(&port, &reader.waiter, PIRN_READ, SECOND), PIRN_WAITS);
    GIVES(pirn_park_start(&sleeper.waiter, MILLISECOND), PIRN_WAITS);
    GIVES(pirn_park_start(&woken.waiter, PIRN_FOREVER), PIRN_WAITS);
    OK(pirn_waiter_wake(&woken.waiter, 0));
    OK(pirn_task_post(loop, NULL, &seen, NULL));
    MUST(write(fds[1], "x", 1) == 1);
    for (int turn = 0; turn < 100 && reader.calls + sleeper.calls + woken.calls < 3; turn++) {
        uint64_t timeout;
        OK(pirn_prepare(loop, 10 * MILLISECOND, &timeout));
        CHECK(pirn_wait(loop, timeout) >= 0);
        int count;
        while ((count = pirn_take(loop, due, 8)) > 0)
            for (int at = 0; at < count; at++) {
                int rc = pirn_hub_handle(&hub, &due[at]);
                CHECK(rc == 0 || rc == 1);
                handled += rc;
                own += rc == 0 && due[at].user == &seen;
            }
    }
    EQUAL(reader.calls, 1);
    EQUAL(sleeper.calls, 1);
    EQUAL(sleeper.result, -ETIMEDOUT);
    EQUAL(woken.calls, 1);
    EQUAL(own, 1);
    CHECK(handled >= 3);

    /* The event of a port that an earlier handler has closed, and whose memory is gone. */
    struct pirn_port *gone = malloc(sizeof *gone);
    MUST(gone != NULL);
    OK(pirn_port_close(&port));
    OK(pirn_port_open(&hub, gone, fds[0], 0));
    GIVES(pirn_port_wait_start(gone, &reader.waiter, PIRN_READ, PIRN_FOREVER), PIRN_WAITS);
    uint64_t timeout;
    OK(pirn_prepare(loop, 0, &timeout));
    CHECK(pirn_wait(loop, timeout) >= 0);
    int count = pirn_take(loop, due, 8);
    CHECK(count >= 1);
    OK(pirn_port_close(gone));
    free(gone);
    for (int at = 0; at < count; at++)
        EQUAL(pirn_hub_handle(&hub, &due[at]), 1);
    OK(pirn_waiter_drop(&reader.waiter));
    while (pirn_take(loop, due, 8) > 0)
        ;
    close_hub();
    close_all(fds, 2);
}

static void waits_survive_growth_and_fork(void)
{
    static PIRN_STORAGE(larger, 64, 16, 64);
    struct pirn_port port;
    struct note reader, sleeper;
    int fds[2];
    OPEN_HUB(block);
    MUST(pipe(fds) == 0);
    OK(pirn_port_open(&hub, &port, fds[0], 0));
    prepare(&reader);
    prepare(&sleeper);
    GIVES(pirn_port_wait_start(&port, &reader.waiter, PIRN_READ, SECOND), PIRN_WAITS);
    GIVES(pirn_park_start(&sleeper.waiter, MILLISECOND), PIRN_WAITS);
    OK(pirn_grow(loop, larger, sizeof larger, 64, 16, 64, NULL, NULL));
    MUST(write(fds[1], "x", 1) == 1);

    fflush(stdout);
    pid_t child = fork();
    MUST(child >= 0);
    if (the_backend != PIRN_BACKEND_HOST || child != 0) {
        if (child == 0)
            OK(pirn_after_fork(loop));
        while (sleeper.calls == 0)
            pirn_turn(loop, PIRN_FOREVER);
        EQUAL(reader.calls, 1);
        EQUAL(reader.result, PIRN_READ);
        EQUAL(sleeper.result, -ETIMEDOUT);
        OK(pirn_hub_verify(&hub));
        OK(pirn_port_close(&port));
        close_hub();
    }
    if (child == 0)
        _exit(failure_count != 0);
    int status;
    MUST(waitpid(child, &status, 0) == child);
    EQUAL(status, 0);
    close_all(fds, 2);
}

static void damage_is_found(void)
{
    struct note notes[3];
    OPEN_HUB(block);
    for (int at = 0; at < 3; at++) {
        prepare(&notes[at]);
        GIVES(pirn_park_start(&notes[at].waiter, SECOND), PIRN_WAITS);
    }
    OK(pirn_hub_verify(&hub));
    uint64_t at_ns = notes[1].waiter.heap_.at_ns_;
    notes[1].waiter.heap_.at_ns_ = 0;
    GIVES(pirn_hub_verify(&hub), -EUCLEAN);
    notes[1].waiter.heap_.at_ns_ = at_ns;
    OK(pirn_hub_verify(&hub));
    for (int at = 0; at < 3; at++)
        OK(pirn_waiter_wake(&notes[at].waiter, 0));
    struct pirn_links *previous = notes[1].waiter.links_.previous_;
    notes[1].waiter.links_.previous_ = &notes[2].waiter.links_;
    GIVES(pirn_hub_verify(&hub), -EUCLEAN);
    notes[1].waiter.links_.previous_ = previous;
    settle(loop, 3);
    close_hub();
}

static void test(uint32_t backend)
{
    the_backend = backend;
    bad_arguments_are_refused();
    wait_ends_once();
    first_come_first_served();
    grant_and_cancel_in_one_turn();
    the_head_that_leaves();
    objects_of_another_loop();
    time_limits_end_in_order();
    data_wins_over_the_clock();
    second_waiter_on_one_fd();
    close_while_somebody_waits();
    fd_number_reused_under_a_port();
    close_by_another_who_was_woken();
    woken_waiters_are_called_in_this_turn_or_the_next();
    two_that_play_ping_pong_starve_nobody();
    full_task_ring_refuses_no_wake();
    other_threads_cannot_be_refused();
    events_are_taken_as_data();
    waits_survive_growth_and_fork();
    damage_is_found();
}

int main(int argc, char **argv)
{
    return run_on_backends(argc, argv, test);
}
