/* sd-event, of libsystemd. Timers with an accuracy of a microsecond, its finest, so that it does not put them together. */
#define _GNU_SOURCE
#include "queue.h"

#include <sys/epoll.h>
#include <systemd/sd-event.h>

#define PEER "sd-event"

/* ---- the loop ---- */

typedef sd_event loop_t;
#define LOOP_BYTES(limits) 0

static loop_t *loop_open(const struct limits *limits)
{
	loop_t *loop;
	MUST(sd_event_new(&loop) >= 0);
	return loop;
}

static inline void loop_turn(loop_t *loop)
{
	sd_event_run(loop, UINT64_MAX);
}

static inline void loop_poll(loop_t *loop)
{
	sd_event_run(loop, 0);
}

/* What sd_event_loop does; but after sd_event_exit a loop cannot be run again. As many loops as threads. */
static _Thread_local bool sd_event_stopped;

static inline void loop_run(loop_t *loop)
{
	while (!sd_event_stopped)
		sd_event_run(loop, UINT64_MAX);
	sd_event_stopped = false;
}

static inline void loop_stop(loop_t *loop)
{
	sd_event_stopped = true;
}

/* Its time is that of its last turn, and there is no other way to renew it. */
static inline void loop_update(loop_t *loop)
{
	loop_poll(loop);
}

/* ---- I/O ---- */

struct io {
	sd_event_source *source;
};

#define IO_CALLBACK(name) int name(sd_event_source *source, int fd, uint32_t events, void *user)
#define IO_USER(type) ((type *)user)
#define IO_DONE return 0
#define IO_READ EPOLLIN
#define IO_WRITE EPOLLOUT
#define READY_MAX 1000 /* it dispatches one per turn and fetches the list of all that are ready anew each time */
#define IO_BYTES sizeof(struct io)

static inline int io_add(loop_t *loop, struct io *io, int fd, uint32_t interest, sd_event_io_handler_t callback)
{
	int result = sd_event_add_io(loop, &io->source, fd, interest, callback, io);
	return result < 0 ? result : 0;
}

static inline void io_modify(loop_t *loop, struct io *io, uint32_t interest)
{
	sd_event_source_set_io_events(io->source, interest);
}

static inline void io_pause(loop_t *loop, struct io *io)
{
	sd_event_source_set_enabled(io->source, SD_EVENT_OFF);
}

static inline void io_resume(loop_t *loop, struct io *io)
{
	sd_event_source_set_enabled(io->source, SD_EVENT_ON);
}

static inline void io_remove(loop_t *loop, struct io *io)
{
	sd_event_source_disable_unref(io->source);
}

/* ---- timers ---- */

struct timer {
	sd_event_source *source;
};

#define TIMER_CALLBACK(name) int name(sd_event_source *source, uint64_t usec, void *user)
#define TIMER_USER(type) ((type *)user)
#define TIMER_DONE return 0
#define TIMER_MAX 10000 /* one is dispatched per turn */
#define TIMER_ORDERED 0 /* those found due in one turn come in any order */
#define TIMER_TIES_ORDERED 0
#define TIMER_EARLY_NS (1 * NS_PER_US) /* its unit */
#define TIMER_BYTES sizeof(struct timer)

typedef uint64_t delay_t; /* us */

static inline delay_t delay_from_ns(uint64_t ns)
{
	return (ns + NS_PER_US - 1) / NS_PER_US;
}

static inline uint64_t delay_ns(delay_t delay)
{
	return delay * NS_PER_US;
}

static inline void timer_add(loop_t *loop, struct timer *timer, delay_t delay, sd_event_time_handler_t callback)
{
	MUST(sd_event_add_time_relative(loop, &timer->source, CLOCK_MONOTONIC, delay, 1, callback, timer) >= 0);
}

static inline void timer_push(loop_t *loop, struct timer *timer, delay_t delay)
{
	sd_event_source_set_time_relative(timer->source, delay);
}

static inline void timer_cancel(loop_t *loop, struct timer *timer)
{
	timer->source = sd_event_source_disable_unref(timer->source);
}

static inline void timer_free(loop_t *loop, struct timer *timer)
{
	timer->source = sd_event_source_disable_unref(timer->source);
}

/* ---- tasks ---- */

struct task {
	sd_event_source *source;
};

#define TASK_CALLBACK(name) int name(sd_event_source *source, void *user)
#define TASK_USER(type) ((type *)user)
#define TASK_DONE return 0
#define TASK_AGAIN(loop, task, callback) task_defer(loop, task, callback)
#define TASK_ORDER 0

static inline void task_open(loop_t *loop, struct task *task, sd_event_handler_t callback)
{
	MUST(sd_event_add_defer(loop, &task->source, callback, task) >= 0);
	sd_event_source_set_enabled(task->source, SD_EVENT_OFF);
}

static inline void task_defer(loop_t *loop, struct task *task, sd_event_handler_t callback)
{
	sd_event_source_set_enabled(task->source, SD_EVENT_ONESHOT);
}

/* ---- messages: it has no call for other threads, so an eventfd and a ring beside it ---- */

struct post {
	char nothing;
};

#define POST_CALLBACK(name) void name(void *post)
#define POST_USER(type) ((type *)post)
#define POST_DONE return

struct mailbox {
	struct letterbox letterbox;
	int wake;
};

static int mailbox_on_wake(sd_event_source *source, int fd, uint32_t events, void *user)
{
	uint64_t count;
	ssize_t size = read(fd, &count, sizeof count);
	(void)size;
	letterbox_run(&((struct mailbox *)user)->letterbox);
	return 0;
}

static void mailbox_open(struct mailbox *mailbox, loop_t *loop, uint32_t capacity)
{
	ring_open(&mailbox->letterbox.ring, capacity);
	mailbox->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	MUST(sd_event_add_io(loop, NULL, mailbox->wake, EPOLLIN, mailbox_on_wake, mailbox) >= 0);
}

static inline bool post_send(struct mailbox *mailbox, struct post *post, void (*callback)(void *))
{
	bool wake;
	if (!letterbox_put(&mailbox->letterbox, callback, post, &wake))
		return false;
	if (wake) {
		uint64_t one = 1;
		ssize_t written = write(mailbox->wake, &one, sizeof one);
		(void)written;
	}
	return true;
}

#include "../workloads.h"
