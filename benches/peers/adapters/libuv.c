/* libuv */
#define _GNU_SOURCE
#include "queue.h"

#include <uv.h>

#define PEER "libuv"

/* ---- the loop ---- */

typedef uv_loop_t loop_t;
#define LOOP_BYTES(limits) sizeof(uv_loop_t)

static loop_t *loop_open(const struct limits *limits)
{
	static uv_loop_t loops[2];
	static int count;
	loop_t *loop = &loops[count++];
	MUST(uv_loop_init(loop) == 0);
	return loop;
}

static inline void loop_turn(loop_t *loop)
{
	uv_run(loop, UV_RUN_ONCE);
}

static inline void loop_poll(loop_t *loop)
{
	uv_run(loop, UV_RUN_NOWAIT);
}

static inline void loop_run(loop_t *loop)
{
	uv_run(loop, UV_RUN_DEFAULT);
}

static inline void loop_stop(loop_t *loop)
{
	uv_stop(loop);
}

static inline void loop_update(loop_t *loop)
{
	uv_update_time(loop);
}

/* ---- I/O ---- */

struct io {
	uv_poll_t handle;
};

#define IO_CALLBACK(name) void name(uv_poll_t *handle, int status, int events)
#define IO_USER(type) ((type *)handle)
#define IO_DONE return
#define IO_READ UV_READABLE
#define IO_WRITE UV_WRITABLE
#define IO_BYTES sizeof(struct io)

static inline int io_add(loop_t *loop, struct io *io, int fd, int interest, uv_poll_cb callback)
{
	int error = uv_poll_init(loop, &io->handle, fd);
	return error ? error : uv_poll_start(&io->handle, interest, callback);
}

static inline void io_modify(loop_t *loop, struct io *io, int interest)
{
	uv_poll_start(&io->handle, interest, io->handle.poll_cb);
}

static inline void io_pause(loop_t *loop, struct io *io)
{
	uv_poll_stop(&io->handle);
}

static inline void io_resume(loop_t *loop, struct io *io)
{
	uv_poll_start(&io->handle, IO_READ, io->handle.poll_cb);
}

static inline void io_remove(loop_t *loop, struct io *io)
{
	uv_close((uv_handle_t *)&io->handle, NULL);
}

/* ---- timers ---- */

struct timer {
	uv_timer_t handle;
};

#define TIMER_CALLBACK(name) void name(uv_timer_t *handle)
#define TIMER_USER(type) ((type *)handle)
#define TIMER_DONE return
#define TIMER_MAX UINT32_MAX
#define TIMER_ORDERED 1
#define TIMER_TIES_ORDERED 1
#define TIMER_EARLY_NS (1 * NS_PER_MS) /* its time is in whole milliseconds, rounded down */
#define TIMER_BYTES sizeof(struct timer)

typedef uint64_t delay_t; /* ms */

static inline delay_t delay_from_ns(uint64_t ns)
{
	return (ns + NS_PER_MS - 1) / NS_PER_MS;
}

static inline uint64_t delay_ns(delay_t delay)
{
	return delay * NS_PER_MS;
}

static inline void timer_add(loop_t *loop, struct timer *timer, delay_t delay, uv_timer_cb callback)
{
	uv_timer_init(loop, &timer->handle);
	uv_timer_start(&timer->handle, callback, delay, 0);
}

#define TIMER_FRESH

static inline void timer_add_fresh(loop_t *loop, struct timer *timer, delay_t delay, uv_timer_cb callback)
{
	uv_update_time(loop);
	timer_add(loop, timer, delay, callback);
}

static inline void timer_push(loop_t *loop, struct timer *timer, delay_t delay)
{
	uv_timer_start(&timer->handle, timer->handle.timer_cb, delay, 0);
}

static inline void timer_cancel(loop_t *loop, struct timer *timer)
{
	uv_timer_stop(&timer->handle);
}

static inline void timer_free(loop_t *loop, struct timer *timer)
{
	uv_close((uv_handle_t *)&timer->handle, NULL);
}

/* ---- tasks: an idle handle is called in every turn until it is stopped ---- */

struct task {
	uv_idle_t handle;
};

#define TASK_CALLBACK(name) void name(uv_idle_t *handle)
#define TASK_USER(type) ((type *)handle)
#define TASK_DONE \
	do { \
		uv_idle_stop(handle); \
		return; \
	} while (0)
#define TASK_AGAIN(loop, task, callback) return
#define TASK_ORDER -1

static inline void task_open(loop_t *loop, struct task *task, uv_idle_cb callback)
{
	uv_idle_init(loop, &task->handle);
}

static inline void task_defer(loop_t *loop, struct task *task, uv_idle_cb callback)
{
	uv_idle_start(&task->handle, callback);
}

/* ---- messages: uv_async_send coalesces, so a ring beside it ---- */

struct post {
	char nothing;
};

#define POST_CALLBACK(name) void name(void *post)
#define POST_USER(type) ((type *)post)
#define POST_DONE return

struct mailbox {
	struct letterbox letterbox;
	uv_async_t async;
};

static void mailbox_on_async(uv_async_t *async)
{
	letterbox_run(&((struct mailbox *)async->data)->letterbox);
}

static void mailbox_open(struct mailbox *mailbox, loop_t *loop, uint32_t capacity)
{
	ring_open(&mailbox->letterbox.ring, capacity);
	MUST(uv_async_init(loop, &mailbox->async, mailbox_on_async) == 0);
	mailbox->async.data = mailbox;
}

static inline bool post_send(struct mailbox *mailbox, struct post *post, void (*callback)(void *))
{
	bool wake;
	if (!letterbox_put(&mailbox->letterbox, callback, post, &wake))
		return false;
	if (wake)
		uv_async_send(&mailbox->async);
	return true;
}

#include "../workloads.h"
