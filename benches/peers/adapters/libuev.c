/* libuev. A timer is a timerfd of its own; each call of uev_run arms all timers anew, so that turns
 * one by one lose time. Beside it a queue for deferred calls, which it has not. */
#include "queue.h"

#include <uev/uev.h>

typedef uev_ctx_t loop_t;
#define LOOP_BYTES sizeof(uev_ctx_t)
#define DONE return

static struct fifo deferred;
#define DEFERRED(loop) (&deferred)
#include "deferred.h"

static loop_t *loop_open(const struct limits *limits)
{
    loop_t *loop = zeroed(1, sizeof *loop);
    MUST(uev_init1(loop, 1024) == 0);
    fifo_open(&deferred, limits->tasks);
    return loop;
}

static inline void turn(loop_t *loop, int flags)
{
    uev_run(loop, fifo_is_empty(&deferred) ? flags : UEV_ONCE | UEV_NONBLOCK);
    fifo_run(&deferred);
}

#define loop_turn(loop) turn(loop, UEV_ONCE)
#define loop_poll(loop) turn(loop, UEV_ONCE | UEV_NONBLOCK)
#define loop_run(loop) uev_run(loop, 0)
/* What uev_exit does besides taking all watchers out, after which it could not be run again. */
#define loop_stop(loop) ((loop)->running = 0)
#define loop_update(loop)

/* ---- I/O ---- */
struct io { uev_t watcher; };

#define IO_CALLBACK(name) void name(uev_t *watcher, void *user, int events)
#define IO_READ UEV_READ
#define IO_WRITE UEV_WRITE
#define IO_BYTES sizeof(struct io)
#define io_add(loop, io, fd, interest, call)                                                       \
    uev_io_init(loop, &(io)->watcher, call, io, fd, interest)
#define io_modify(loop, io, interest) uev_io_set(&(io)->watcher, (io)->watcher.fd, interest)
#define io_pause(loop, io) uev_io_stop(&(io)->watcher)
#define io_resume(loop, io) uev_io_start(&(io)->watcher)
#define io_remove(loop, io) uev_io_stop(&(io)->watcher)

/* ---- timers ---- */
struct timer { uev_t watcher; };

#define TIMER_CALLBACK IO_CALLBACK
#define TIMER_MAX 10000 /* fds */
#define TIMER_ORDERED 0 /* timerfds come as the kernel lists them */
#define TIMER_TIES_ORDERED 0
#define TIMER_EARLY_NS 0
#define TIMER_RESTARTS
#define TIMER_BYTES sizeof(struct timer)

typedef int delay_t; /* ms */
#define delay_from_ns(ns) ((int)(((ns) + NS_PER_MS - 1) / NS_PER_MS))
#define delay_ns(delay) ((uint64_t)(delay) * NS_PER_MS)

#define arm(loop, timer, delay, period, call)                                                    \
    MUST(uev_timer_init(loop, &(timer)->watcher, call, timer, delay, period) == 0)
#define timer_add(loop, timer, delay, call) arm(loop, timer, delay, 0, call)
#define timer_every(loop, timer, delay, call) arm(loop, timer, delay, delay, call)
#define timer_tick(loop, timer, delay)
#define timer_push(loop, timer, delay) uev_timer_set(&(timer)->watcher, delay, 0)
#define timer_cancel(loop, timer) uev_timer_stop(&(timer)->watcher)
#define timer_free(loop, timer)

/* ---- messages: its event watcher coalesces ---- */
#define WAKER uev_t
#include "letterbox.h"

static void mailbox_wake(struct mailbox *mailbox) { uev_event_post(&mailbox->waker); }

static void on_wake(uev_t *watcher, void *mailbox, int events) { mailbox_run(mailbox); }

static void mailbox_open(struct mailbox *mailbox, loop_t *loop, uint32_t capacity)
{
    mailbox_set_up(mailbox, loop, capacity);
    MUST(uev_event_init(loop, &mailbox->waker, on_wake, mailbox) == 0);
}

#include "../workloads.h"
