/* libev */
#include "queue.h"

#include <ev.h>

typedef struct ev_loop loop_t;
#define LOOP_BYTES 0
#define DONE return

#define loop_open(limits) ((void)(limits), ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV))
#define loop_close(loop) ev_loop_destroy(loop)
#define loop_turn(loop) ev_run(loop, EVRUN_ONCE)
#define loop_poll(loop) ev_run(loop, EVRUN_NOWAIT)
#define loop_run(loop) ev_run(loop, 0)
#define loop_stop(loop) ev_break(loop, EVBREAK_ALL)
#define loop_update(loop) ev_now_update(loop)

/* ---- I/O ---- */
struct io { ev_io watcher; };

#define IO_CALLBACK(name) void name(struct ev_loop *ev, ev_io *user, int revents)
#define IO_READ EV_READ
#define IO_WRITE EV_WRITE
#define IO_BYTES sizeof(struct io)

static inline int io_add(loop_t *loop, struct io *io, int fd, int interest,
                         IO_CALLBACK((*callback)))
{
    ev_io_init(&io->watcher, callback, fd, interest);
    ev_io_start(loop, &io->watcher);
    return 0;
}

static inline void io_modify(loop_t *loop, struct io *io, int interest)
{
    ev_io_stop(loop, &io->watcher);
    ev_io_modify(&io->watcher, interest);
    ev_io_start(loop, &io->watcher);
}

#define io_pause(loop, io) ev_io_stop(loop, &(io)->watcher)
#define io_resume(loop, io) ev_io_start(loop, &(io)->watcher)
#define io_remove(loop, io) ev_io_stop(loop, &(io)->watcher)

/* ---- timers ---- */
struct timer { ev_timer watcher; };

#define TIMER_CALLBACK(name) void name(struct ev_loop *ev, ev_timer *user, int revents)
#define TIMER_MAX UINT32_MAX
#define TIMER_ORDERED 1
#define TIMER_TIES_ORDERED 0
#define TIMER_EARLY_NS (1 * NS_PER_US) /* what a double of seconds can be off */
#define TIMER_BYTES sizeof(struct timer)

typedef double delay_t;
#define delay_from_ns(ns) ((double)(ns) * 1e-9)
#define delay_ns(delay) ((uint64_t)((delay) * 1e9))

static inline void arm(loop_t *loop, struct timer *timer, delay_t delay, delay_t period,
                         TIMER_CALLBACK((*callback)))
{
    ev_timer_init(&timer->watcher, callback, delay, period);
    ev_timer_start(loop, &timer->watcher);
}

static inline void timer_push(loop_t *loop, struct timer *timer, delay_t delay)
{
    timer->watcher.repeat = delay;
    ev_timer_again(loop, &timer->watcher);
}

#define timer_add(loop, timer, delay, call) arm(loop, timer, delay, 0., call)
#define timer_every(loop, timer, delay, call) arm(loop, timer, delay, delay, call)
#define timer_tick(loop, timer, delay)
#define timer_cancel(loop, timer) ev_timer_stop(loop, &(timer)->watcher)
#define timer_free(loop, timer)

/* ---- tasks: an event fed is delivered in the same turn; an idle watcher is called in each ---- */
struct task { ev_watcher watcher; };

#define TASK_CALLBACK(name) void name(struct ev_loop *ev, ev_watcher *user, int revents)
#define TASK_DONE return
#define TASK_ORDER -1
#define task_open(loop, task, call) ev_init(&(task)->watcher, call)
#define task_defer(loop, task, call) ev_feed_event(loop, &(task)->watcher, EV_CUSTOM)

struct chain { ev_idle watcher; };

#define CHAIN_CALLBACK(name) void name(struct ev_loop *ev, ev_idle *user, int revents)
#define CHAIN_GO_ON return
#define CHAIN_STOP ev_idle_stop(ev, user)
#define chain_open(loop, chain, call) ev_idle_init(&(chain)->watcher, call)
#define chain_start(loop, chain, call) ev_idle_start(loop, &(chain)->watcher)

/* ---- messages: ev_async coalesces ---- */
#define WAKER ev_async
#include "letterbox.h"

static void mailbox_wake(struct mailbox *mailbox) { ev_async_send(mailbox->loop, &mailbox->waker); }

static void on_wake(struct ev_loop *ev, ev_async *waker, int revents) { mailbox_run(waker->data); }

static void mailbox_open(struct mailbox *mailbox, loop_t *loop, uint32_t capacity)
{
    mailbox_set_up(mailbox, loop, capacity);
    ev_async_init(&mailbox->waker, on_wake);
    mailbox->waker.data = mailbox;
    ev_async_start(loop, &mailbox->waker);
}

#include "../workloads.h"
