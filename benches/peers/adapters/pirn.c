/* pirn, through its C interface, on epoll unless pirn-poll.c or pirn-select.c says otherwise. */
#define _GNU_SOURCE
#include "queue.h"

#include <pirn.h>

#ifndef PEER
#define PEER "pirn"
#define BACKEND PIRN_BACKEND_EPOLL
#define BLOCK_SURPLUS 0
#endif

/* ---- the loop ---- */

typedef struct pirn_loop loop_t;
#define LOOP_BYTES(limits) PIRN_STORAGE_SIZE(0, 0, 0)

/* The caller's memory, as large as the workload says; a program that knows its sizes writes PIRN_STORAGE and nothing else. */
static loop_t *loop_open(const struct limits *limits)
{
	/* Room for half as many posts as for tasks. */
	uint32_t tasks = limits->tasks > 2 * limits->posts ? limits->tasks : 2 * limits->posts;
	struct pirn_config config = {.size = sizeof config, .backend = BACKEND, .io = limits->io, .timers = limits->timers, .tasks = tasks};
	size_t size = pirn_storage_size(config.io, config.timers, config.tasks) + BLOCK_SURPLUS;
	loop_t *loop;
	MUST(pirn_init(&loop, zeroed(1, size), size, &config) == 0);
	if (limits->threads)
		pirn_hold(loop);
	return loop;
}

static inline void loop_turn(loop_t *loop)
{
	pirn_turn(loop, PIRN_FOREVER);
}

static inline void loop_poll(loop_t *loop)
{
	pirn_turn(loop, 0);
}

static inline void loop_run(loop_t *loop)
{
	pirn_run(loop);
}

static inline void loop_stop(loop_t *loop)
{
	pirn_stop(loop);
}

static inline void loop_update(loop_t *loop)
{
	pirn_update(loop);
}

/* ---- I/O ---- */

struct io {
	struct pirn_io handle;
};

#define IO_CALLBACK(name) void name(struct pirn_loop *pirn, struct pirn_io handle, int fd, uint32_t ready, void *user)
#define IO_USER(type) ((type *)user)
#define IO_DONE return
#define IO_READ PIRN_READ
#define IO_WRITE PIRN_WRITE
/* The handle too: a program that changes its watchers keeps it. */
#define IO_BYTES (PIRN_STORAGE_SIZE(1000, 0, 0) - PIRN_STORAGE_SIZE(0, 0, 0)) / 1000. + sizeof(struct io)

static inline int io_add(loop_t *loop, struct io *io, int fd, uint32_t interest, pirn_io_fn callback)
{
	return pirn_io_add(loop, fd, interest, callback, io, &io->handle);
}

static inline void io_modify(loop_t *loop, struct io *io, uint32_t interest)
{
	pirn_io_modify(loop, io->handle, interest);
}

static inline void io_pause(loop_t *loop, struct io *io)
{
	pirn_io_modify(loop, io->handle, 0);
}

static inline void io_resume(loop_t *loop, struct io *io)
{
	pirn_io_modify(loop, io->handle, IO_READ);
}

static inline void io_remove(loop_t *loop, struct io *io)
{
	pirn_io_remove(loop, io->handle);
}

/* ---- timers ---- */

struct timer {
	struct pirn_timer handle;
};

#define TIMER_CALLBACK(name) void name(struct pirn_loop *pirn, struct pirn_timer handle, uint64_t missed, void *user)
#define TIMER_USER(type) ((type *)user)
#define TIMER_DONE return
#define TIMER_MAX UINT32_MAX
#define TIMER_ORDERED 1
#define TIMER_TIES_ORDERED 1
#define TIMER_EARLY_NS 0
#define TIMER_BYTES (PIRN_STORAGE_SIZE(0, 1000, 0) - PIRN_STORAGE_SIZE(0, 0, 0)) / 1000. + sizeof(struct timer)

typedef uint64_t delay_t;

static inline delay_t delay_from_ns(uint64_t ns)
{
	return ns;
}

static inline uint64_t delay_ns(delay_t delay)
{
	return delay;
}

static inline void timer_add(loop_t *loop, struct timer *timer, delay_t delay, pirn_timer_fn callback)
{
	MUST(pirn_timer_start(loop, delay, 0, PIRN_TIMER_CACHED, callback, timer, &timer->handle) == 0);
}

#define TIMER_FRESH

static inline void timer_add_fresh(loop_t *loop, struct timer *timer, delay_t delay, pirn_timer_fn callback)
{
	MUST(pirn_timer_start(loop, delay, 0, 0, callback, timer, &timer->handle) == 0);
}

static inline void timer_push(loop_t *loop, struct timer *timer, delay_t delay)
{
	pirn_timer_again(loop, timer->handle, delay);
}

static inline void timer_cancel(loop_t *loop, struct timer *timer)
{
	pirn_timer_stop(loop, timer->handle);
}

static inline void timer_free(loop_t *loop, struct timer *timer)
{
}

/* ---- tasks ---- */

struct task {
	char nothing;
};

#define TASK_CALLBACK(name) void name(struct pirn_loop *pirn, void *user)
#define TASK_USER(type) ((type *)user)
#define TASK_DONE return
#define TASK_AGAIN(loop, task, callback) task_defer(loop, task, callback)
#define TASK_ORDER 1

static inline void task_open(loop_t *loop, struct task *task, pirn_task_fn callback)
{
}

static inline void task_defer(loop_t *loop, struct task *task, pirn_task_fn callback)
{
	MUST(pirn_task_post(loop, callback, task, NULL) == 0);
}

/* ---- messages ---- */

struct post {
	char nothing;
};

#define POST_CALLBACK(name) void name(struct pirn_loop *pirn, void *user)
#define POST_USER(type) ((type *)user)
#define POST_DONE return

struct mailbox {
	struct pirn_loop *loop;
};

static void mailbox_open(struct mailbox *mailbox, loop_t *loop, uint32_t capacity)
{
	mailbox->loop = loop;
}

static inline bool post_send(struct mailbox *mailbox, struct post *post, pirn_task_fn callback)
{
	return pirn_remote_post(mailbox->loop, callback, post) == 0;
}

#include "../workloads.h"
