/* libev */
#define _GNU_SOURCE
#include "queue.h"

#include <ev.h>

#define PEER "libev"

/* ---- the loop ---- */

typedef struct ev_loop loop_t;
#define LOOP_BYTES(limits) 0

static loop_t *loop_open(const struct limits *limits)
{
	loop_t *loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
	MUST(loop != NULL);
	return loop;
}

static inline void loop_turn(loop_t *loop)
{
	ev_run(loop, EVRUN_ONCE);
}

static inline void loop_poll(loop_t *loop)
{
	ev_run(loop, EVRUN_NOWAIT);
}

static inline void loop_run(loop_t *loop)
{
	ev_run(loop, 0);
}

static inline void loop_stop(loop_t *loop)
{
	ev_break(loop, EVBREAK_ALL);
}

static inline void loop_update(loop_t *loop)
{
	ev_now_update(loop);
}

/* ---- I/O ---- */

struct io {
	ev_io watcher;
};

#define IO_CALLBACK(name) void name(struct ev_loop *ev, ev_io *watcher, int revents)
#define IO_USER(type) ((type *)watcher)
#define IO_DONE return
#define IO_READ EV_READ
#define IO_WRITE EV_WRITE
#define IO_BYTES sizeof(struct io)

static inline int io_add(loop_t *loop, struct io *io, int fd, int interest, void (*callback)(struct ev_loop *, ev_io *, int))
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

static inline void io_pause(loop_t *loop, struct io *io)
{
	ev_io_stop(loop, &io->watcher);
}

static inline void io_resume(loop_t *loop, struct io *io)
{
	ev_io_start(loop, &io->watcher);
}

static inline void io_remove(loop_t *loop, struct io *io)
{
	ev_io_stop(loop, &io->watcher);
}

/* ---- timers ---- */

struct timer {
	ev_timer watcher;
};

#define TIMER_CALLBACK(name) void name(struct ev_loop *ev, ev_timer *watcher, int revents)
#define TIMER_USER(type) ((type *)watcher)
#define TIMER_DONE return
#define TIMER_MAX UINT32_MAX
#define TIMER_ORDERED 1
#define TIMER_TIES_ORDERED 0
#define TIMER_EARLY_NS (1 * NS_PER_US) /* what a double of seconds can be off */
#define TIMER_BYTES sizeof(struct timer)

typedef double delay_t;

static inline delay_t delay_from_ns(uint64_t ns)
{
	return (double)ns * 1e-9;
}

static inline uint64_t delay_ns(delay_t delay)
{
	return (uint64_t)(delay * 1e9);
}

static inline void timer_add(loop_t *loop, struct timer *timer, delay_t delay, void (*callback)(struct ev_loop *, ev_timer *, int))
{
	ev_timer_init(&timer->watcher, callback, delay, 0.);
	ev_timer_start(loop, &timer->watcher);
}

#define TIMER_FRESH

static inline void timer_add_fresh(loop_t *loop, struct timer *timer, delay_t delay, void (*callback)(struct ev_loop *, ev_timer *, int))
{
	ev_now_update(loop);
	timer_add(loop, timer, delay, callback);
}

static inline void timer_push(loop_t *loop, struct timer *timer, delay_t delay)
{
	timer->watcher.repeat = delay;
	ev_timer_again(loop, &timer->watcher);
}

static inline void timer_cancel(loop_t *loop, struct timer *timer)
{
	ev_timer_stop(loop, &timer->watcher);
}

static inline void timer_free(loop_t *loop, struct timer *timer)
{
}

/* ---- tasks: an event fed is delivered in the same turn; an idle watcher is called once per turn ---- */

struct task {
	ev_watcher watcher;
};

#define TASK_CALLBACK(name) void name(struct ev_loop *ev, ev_watcher *watcher, int revents)
#define TASK_USER(type) ((type *)watcher)
#define TASK_DONE return
#define TASK_AGAIN(loop, task, callback) task_defer(loop, task, callback)
#define TASK_ORDER -1

static inline void task_open(loop_t *loop, struct task *task, void (*callback)(struct ev_loop *, ev_watcher *, int))
{
	ev_init(&task->watcher, callback);
}

static inline void task_defer(loop_t *loop, struct task *task, void (*callback)(struct ev_loop *, ev_watcher *, int))
{
	ev_feed_event(loop, &task->watcher, EV_CUSTOM);
}

struct chain {
	ev_idle watcher;
};

#define CHAIN_CALLBACK(name) void name(struct ev_loop *ev, ev_idle *watcher, int revents)
#define CHAIN_GO_ON return
#define CHAIN_STOP ev_idle_stop(ev, watcher)

static inline void chain_start(loop_t *loop, struct chain *chain, void (*callback)(struct ev_loop *, ev_idle *, int))
{
	ev_idle_init(&chain->watcher, callback);
	ev_idle_start(loop, &chain->watcher);
}

/* ---- messages: ev_async coalesces, so a ring beside it ---- */

struct post {
	char nothing;
};

#define POST_CALLBACK(name) void name(void *post)
#define POST_USER(type) ((type *)post)
#define POST_DONE return

struct mailbox {
	struct letterbox letterbox;
	struct ev_loop *loop;
	ev_async async;
};

static void mailbox_on_async(struct ev_loop *loop, ev_async *async, int revents)
{
	letterbox_run(&((struct mailbox *)async->data)->letterbox);
}

static void mailbox_open(struct mailbox *mailbox, loop_t *loop, uint32_t capacity)
{
	ring_open(&mailbox->letterbox.ring, capacity);
	mailbox->loop = loop;
	ev_async_init(&mailbox->async, mailbox_on_async);
	mailbox->async.data = mailbox;
	ev_async_start(loop, &mailbox->async);
}

static inline bool post_send(struct mailbox *mailbox, struct post *post, void (*callback)(void *))
{
	bool wake;
	if (!letterbox_put(&mailbox->letterbox, callback, post, &wake))
		return false;
	if (wake)
		ev_async_send(mailbox->loop, &mailbox->async);
	return true;
}

#include "../workloads.h"
