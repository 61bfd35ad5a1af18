/* libevent, configured as it comes: epoll without the change list, which its documentation advises against for fds that may
 * be duplicated, and the coarse clock. */
#define _GNU_SOURCE
#include "queue.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/thread.h>

#define PEER "libevent"

/* ---- the loop ---- */

typedef struct event_base loop_t;
#define LOOP_BYTES(limits) 0

static loop_t *loop_open(const struct limits *limits)
{
	if (limits->threads)
		MUST(evthread_use_pthreads() == 0);
	loop_t *loop = event_base_new();
	MUST(loop != NULL);
	return loop;
}

static inline void loop_turn(loop_t *loop)
{
	event_base_loop(loop, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY);
}

static inline void loop_poll(loop_t *loop)
{
	event_base_loop(loop, EVLOOP_ONCE | EVLOOP_NONBLOCK); /* without ONCE it goes on as long as anything is ready */
}

static inline void loop_run(loop_t *loop)
{
	event_base_loop(loop, EVLOOP_NO_EXIT_ON_EMPTY); /* other threads may be all there is to wait for */
}

static inline void loop_stop(loop_t *loop)
{
	event_base_loopbreak(loop);
}

static inline void loop_update(loop_t *loop)
{
	event_base_update_cache_time(loop);
}

/* ---- I/O ---- */

/* As its users do it, bufferevents included: an event for reading, and one for writing that comes and goes. */
struct io {
	struct event reader, writer;
};

#define IO_CALLBACK(name) void name(evutil_socket_t fd, short events, void *user)
#define IO_USER(type) ((type *)user)
#define IO_DONE return
#define IO_READ EV_READ
#define IO_WRITE EV_WRITE
#define IO_BYTES sizeof(struct event) /* of the two, what a watcher for reading takes */

static inline int io_add(loop_t *loop, struct io *io, int fd, int interest, event_callback_fn callback)
{
	event_assign(&io->reader, loop, fd, EV_READ | EV_PERSIST, callback, io);
	return event_add(&io->reader, NULL);
}

/* The workloads read all the time and sometimes write. */
static inline void io_modify(loop_t *loop, struct io *io, int interest)
{
	if (interest & EV_WRITE) {
		event_assign(&io->writer, loop, io->reader.ev_fd, EV_WRITE | EV_PERSIST, event_get_callback(&io->reader), io);
		event_add(&io->writer, NULL);
	} else {
		event_del(&io->writer);
	}
}

static inline void io_pause(loop_t *loop, struct io *io)
{
	event_del(&io->reader);
}

static inline void io_resume(loop_t *loop, struct io *io)
{
	event_add(&io->reader, NULL);
}

static inline void io_remove(loop_t *loop, struct io *io)
{
	event_del(&io->reader);
}

/* ---- timers ---- */

struct timer {
	struct event event;
};

#define TIMER_CALLBACK(name) void name(evutil_socket_t fd, short events, void *user)
#define TIMER_USER(type) ((type *)user)
#define TIMER_DONE return
#define TIMER_MAX UINT32_MAX
#define TIMER_ORDERED 1
#define TIMER_TIES_ORDERED 0
#define TIMER_EARLY_NS (10 * NS_PER_MS) /* a tick of the coarse clock, with the slowest of kernels */
#define TIMER_BYTES sizeof(struct timer)

typedef struct timeval delay_t;

static inline delay_t delay_from_ns(uint64_t ns)
{
	uint64_t us = (ns + NS_PER_US - 1) / NS_PER_US;
	return (struct timeval){.tv_sec = (time_t)(us / 1000000), .tv_usec = (suseconds_t)(us % 1000000)};
}

static inline uint64_t delay_ns(delay_t delay)
{
	return (uint64_t)delay.tv_sec * NS_PER_S + (uint64_t)delay.tv_usec * NS_PER_US;
}

static inline void timer_add(loop_t *loop, struct timer *timer, delay_t delay, event_callback_fn callback)
{
	evtimer_assign(&timer->event, loop, callback, timer);
	event_add(&timer->event, &delay);
}

#define TIMER_FRESH

static inline void timer_add_fresh(loop_t *loop, struct timer *timer, delay_t delay, event_callback_fn callback)
{
	event_base_update_cache_time(loop);
	timer_add(loop, timer, delay, callback);
}

static inline void timer_push(loop_t *loop, struct timer *timer, delay_t delay)
{
	event_add(&timer->event, &delay);
}

static inline void timer_cancel(loop_t *loop, struct timer *timer)
{
	event_del(&timer->event);
}

static inline void timer_free(loop_t *loop, struct timer *timer)
{
}

/* ---- tasks: an activated event is delivered in the same turn; a timeout of zero in the next ---- */

struct task {
	struct event event;
};

#define TASK_CALLBACK(name) void name(evutil_socket_t fd, short events, void *user)
#define TASK_USER(type) ((type *)user)
#define TASK_DONE return
#define TASK_AGAIN(loop, task, callback) task_defer(loop, task, callback)
#define TASK_ORDER 1

static inline void task_open(loop_t *loop, struct task *task, event_callback_fn callback)
{
	event_assign(&task->event, loop, -1, 0, callback, task);
}

static inline void task_defer(loop_t *loop, struct task *task, event_callback_fn callback)
{
	event_active(&task->event, EV_TIMEOUT, 0);
}

struct chain {
	struct event event;
};

static const struct timeval at_once = {0, 0};

#define CHAIN_CALLBACK(name) void name(evutil_socket_t fd, short events, void *user)
#define CHAIN_GO_ON event_add(&((struct chain *)user)->event, &at_once)
#define CHAIN_STOP return

static inline void chain_start(loop_t *loop, struct chain *chain, event_callback_fn callback)
{
	evtimer_assign(&chain->event, loop, callback, chain);
	event_add(&chain->event, &at_once);
}

/* ---- messages: an event each, activated from any thread ---- */

struct post {
	struct event event;
};

#define POST_CALLBACK(name) void name(evutil_socket_t fd, short events, void *user)
#define POST_USER(type) ((type *)user)
#define POST_DONE return

struct mailbox {
	struct event_base *base;
};

static void mailbox_open(struct mailbox *mailbox, loop_t *loop, uint32_t capacity)
{
	mailbox->base = loop;
}

static inline bool post_send(struct mailbox *mailbox, struct post *post, event_callback_fn callback)
{
	event_assign(&post->event, mailbox->base, -1, 0, callback, post);
	event_active(&post->event, EV_TIMEOUT, 0);
	return true;
}

#include "../workloads.h"
