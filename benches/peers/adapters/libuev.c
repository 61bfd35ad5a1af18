/* libuev. A timer is a timerfd of its own; each call of uev_run arms all timers anew, so that turns one by one lose time. */
#define _GNU_SOURCE
#include "queue.h"

#include <uev/uev.h>

#define PEER "libuev"

/* ---- the loop, and beside it a queue for deferred calls, which it has not ---- */

typedef uev_ctx_t loop_t;
#define LOOP_BYTES(limits) sizeof(uev_ctx_t)

static struct fifo deferred;

static loop_t *loop_open(const struct limits *limits)
{
	static uev_ctx_t loops[2];
	static int count;
	loop_t *loop = &loops[count++];
	MUST(uev_init1(loop, 1024) == 0);
	if (limits->tasks)
		fifo_open(&deferred, 1024);
	return loop;
}

static inline void loop_turn(loop_t *loop)
{
	uev_run(loop, fifo_is_empty(&deferred) ? UEV_ONCE : UEV_ONCE | UEV_NONBLOCK);
	fifo_run(&deferred);
}

static inline void loop_poll(loop_t *loop)
{
	uev_run(loop, UEV_ONCE | UEV_NONBLOCK);
	fifo_run(&deferred);
}

static inline void loop_run(loop_t *loop)
{
	uev_run(loop, 0);
}

/* What uev_exit does besides taking all watchers out, after which the loop could not be run again. */
static inline void loop_stop(loop_t *loop)
{
	loop->running = 0;
}

static inline void loop_update(loop_t *loop)
{
}

/* ---- I/O ---- */

struct io {
	uev_t watcher;
};

#define IO_CALLBACK(name) void name(uev_t *watcher, void *user, int events)
#define IO_USER(type) ((type *)user)
#define IO_DONE return
#define IO_READ UEV_READ
#define IO_WRITE UEV_WRITE
#define IO_BYTES sizeof(struct io)

static inline int io_add(loop_t *loop, struct io *io, int fd, int interest, uev_cb_t *callback)
{
	return uev_io_init(loop, &io->watcher, callback, io, fd, interest);
}

static inline void io_modify(loop_t *loop, struct io *io, int interest)
{
	uev_io_set(&io->watcher, io->watcher.fd, interest);
}

static inline void io_pause(loop_t *loop, struct io *io)
{
	uev_io_stop(&io->watcher);
}

static inline void io_resume(loop_t *loop, struct io *io)
{
	uev_io_start(&io->watcher);
}

static inline void io_remove(loop_t *loop, struct io *io)
{
	uev_io_stop(&io->watcher);
}

/* ---- timers ---- */

struct timer {
	uev_t watcher;
};

#define TIMER_CALLBACK(name) void name(uev_t *watcher, void *user, int events)
#define TIMER_USER(type) ((type *)user)
#define TIMER_DONE return
#define TIMER_MAX 10000 /* fds */
#define TIMER_ORDERED 0 /* timerfds come as the kernel lists them */
#define TIMER_TIES_ORDERED 0
#define TIMER_EARLY_NS 0
#define TIMER_RESTARTS
#define TIMER_BYTES sizeof(struct timer)

typedef int delay_t; /* ms */

static inline delay_t delay_from_ns(uint64_t ns)
{
	return (int)((ns + NS_PER_MS - 1) / NS_PER_MS);
}

static inline uint64_t delay_ns(delay_t delay)
{
	return (uint64_t)delay * NS_PER_MS;
}

static inline void timer_add(loop_t *loop, struct timer *timer, delay_t delay, uev_cb_t *callback)
{
	MUST(uev_timer_init(loop, &timer->watcher, callback, timer, delay, 0) == 0);
}

static inline void timer_push(loop_t *loop, struct timer *timer, delay_t delay)
{
	uev_timer_set(&timer->watcher, delay, 0);
}

static inline void timer_cancel(loop_t *loop, struct timer *timer)
{
	uev_timer_stop(&timer->watcher);
}

static inline void timer_free(loop_t *loop, struct timer *timer)
{
}

/* ---- tasks ---- */

struct task {
	char nothing;
};

#define TASK_CALLBACK(name) void name(void *task)
#define TASK_USER(type) ((type *)task)
#define TASK_DONE return
#define TASK_AGAIN(loop, task, callback) task_defer(loop, task, callback)
#define TASK_ORDER 1

static inline void task_open(loop_t *loop, struct task *task, void (*callback)(void *))
{
}

static inline void task_defer(loop_t *loop, struct task *task, void (*callback)(void *))
{
	fifo_push(&deferred, callback, task);
}

/* ---- messages: its event watcher coalesces, so a ring beside it ---- */

struct post {
	char nothing;
};

#define POST_CALLBACK(name) void name(void *post)
#define POST_USER(type) ((type *)post)
#define POST_DONE return

struct mailbox {
	struct letterbox letterbox;
	uev_t event;
};

static void mailbox_on_event(uev_t *watcher, void *mailbox, int events)
{
	letterbox_run(&((struct mailbox *)mailbox)->letterbox);
}

static void mailbox_open(struct mailbox *mailbox, loop_t *loop, uint32_t capacity)
{
	ring_open(&mailbox->letterbox.ring, capacity);
	MUST(uev_event_init(loop, &mailbox->event, mailbox_on_event, mailbox) == 0);
}

static inline bool post_send(struct mailbox *mailbox, struct post *post, void (*callback)(void *))
{
	bool wake;
	if (!letterbox_put(&mailbox->letterbox, callback, post, &wake))
		return false;
	if (wake)
		uev_event_post(&mailbox->event);
	return true;
}

#include "../workloads.h"
