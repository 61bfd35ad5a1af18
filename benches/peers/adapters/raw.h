/* The hand-written loop, the practical limit: epoll, one of two kinds of timers, and nothing around them.
 *
 * It trusts its user: no check, no generation, no watcher that is removed while its event is already fetched. */
#include "queue.h"

#include <sys/epoll.h>

enum { RAW_EVENTS = 1024 };

struct io {
	void (*callback)(struct io *io, int fd, uint32_t ready);
	int fd;
};

struct loop {
	int epoll, wake; /* wake: an eventfd, edge-triggered, never read */
	bool stopped;
	uint64_t now;
	struct schedule timers;
	struct fifo deferred;
	struct letterbox *letterbox;
	struct epoll_event events[RAW_EVENTS];
};

/* ---- the contract of workloads.h ---- */

typedef struct loop loop_t;

static loop_t *loop_open(const struct limits *limits)
{
	loop_t *loop = zeroed(1, sizeof *loop);
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	MUST(loop->epoll >= 0);
	loop->now = clock_ns();
	if (limits->tasks)
		fifo_open(&loop->deferred, 1024);
	return loop;
}

static inline int raw_wait(loop_t *loop, uint64_t timeout)
{
	if (timeout == 0 || timeout == UINT64_MAX)
		return epoll_wait(loop->epoll, loop->events, RAW_EVENTS, timeout == 0 ? 0 : -1);
	struct timespec time = {.tv_sec = (time_t)(timeout / NS_PER_S), .tv_nsec = (long)(timeout % NS_PER_S)};
	int count = epoll_pwait2(loop->epoll, loop->events, RAW_EVENTS, &time, NULL);
	if (count < 0 && (errno == ENOSYS || errno == EPERM)) /* an old kernel, or a container that refuses what it does not know */
		count = epoll_wait(loop->epoll, loop->events, RAW_EVENTS, (int)(timeout / NS_PER_MS + 1));
	return count;
}

static inline void raw_turn(loop_t *loop, bool waits)
{
	uint64_t timeout = waits ? UINT64_MAX : 0;
	if (waits) {
		uint64_t next = schedule_next(&loop->timers);
		if (!fifo_is_empty(&loop->deferred) || next <= loop->now)
			timeout = 0;
		else if (next != UINT64_MAX)
			timeout = next - loop->now;
	}
	int count = raw_wait(loop, timeout);
	loop->now = clock_ns();
	schedule_expire(&loop->timers, loop->now);
	for (int i = 0; i < count; i++) {
		struct io *io = loop->events[i].data.ptr;
		if (io)
			io->callback(io, io->fd, loop->events[i].events);
		else
			letterbox_run(loop->letterbox);
	}
	fifo_run(&loop->deferred);
}

static inline void loop_turn(loop_t *loop)
{
	raw_turn(loop, true);
}

static inline void loop_poll(loop_t *loop)
{
	raw_turn(loop, false);
}

static inline void loop_run(loop_t *loop)
{
	while (!loop->stopped)
		raw_turn(loop, true);
	loop->stopped = false;
}

static inline void loop_stop(loop_t *loop)
{
	loop->stopped = true;
}

static inline void loop_update(loop_t *loop)
{
	loop->now = clock_ns();
}

#define LOOP_BYTES(limits) sizeof(struct loop)

/* ---- I/O ---- */

#define IO_CALLBACK(name) void name(struct io *io, int fd, uint32_t ready)
#define IO_USER(type) ((type *)io)
#define IO_DONE return
#define IO_READ EPOLLIN
#define IO_WRITE EPOLLOUT
#define IO_BYTES sizeof(struct io)

static inline int raw_control(loop_t *loop, int operation, struct io *io, uint32_t interest)
{
	struct epoll_event event = {.events = interest, .data.ptr = io};
	return epoll_ctl(loop->epoll, operation, io->fd, &event);
}

static inline int io_add(loop_t *loop, struct io *io, int fd, uint32_t interest, void (*callback)(struct io *, int, uint32_t))
{
	*io = (struct io){callback, fd};
	return raw_control(loop, EPOLL_CTL_ADD, io, interest);
}

static inline void io_modify(loop_t *loop, struct io *io, uint32_t interest)
{
	raw_control(loop, EPOLL_CTL_MOD, io, interest);
}

static inline void io_pause(loop_t *loop, struct io *io)
{
	raw_control(loop, EPOLL_CTL_MOD, io, 0);
}

static inline void io_resume(loop_t *loop, struct io *io)
{
	raw_control(loop, EPOLL_CTL_MOD, io, IO_READ);
}

static inline void io_remove(loop_t *loop, struct io *io)
{
	raw_control(loop, EPOLL_CTL_DEL, io, 0);
}

/* ---- timers ---- */

#define TIMER_CALLBACK(name) void name(struct timer *timer)
#define TIMER_USER(type) ((type *)timer)
#define TIMER_DONE return
#define TIMER_MAX UINT32_MAX
#define TIMER_ORDERED 1
#define TIMER_TIES_ORDERED SCHEDULE_TIES_ORDERED
#define TIMER_EARLY_NS 0
#define TIMER_BYTES sizeof(struct timer)

typedef uint64_t delay_t;

static inline delay_t delay_from_ns(uint64_t ns)
{
	return ns;
}

static inline uint64_t delay_ns(delay_t delay)
{
	return delay;
}

static inline void timer_add(loop_t *loop, struct timer *timer, delay_t delay, void (*callback)(struct timer *))
{
	timer->callback = callback;
	schedule_add(&loop->timers, timer, loop->now + delay);
}

#define TIMER_FRESH

static inline void timer_add_fresh(loop_t *loop, struct timer *timer, delay_t delay, void (*callback)(struct timer *))
{
	timer->callback = callback;
	schedule_add(&loop->timers, timer, clock_ns() + delay);
}

static inline void timer_push(loop_t *loop, struct timer *timer, delay_t delay)
{
	schedule_move(&loop->timers, timer, loop->now + delay);
}

static inline void timer_cancel(loop_t *loop, struct timer *timer)
{
	schedule_remove(&loop->timers, timer);
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
	fifo_push(&loop->deferred, callback, task);
}

/* ---- messages ---- */

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

static void mailbox_open(struct mailbox *mailbox, loop_t *loop, uint32_t capacity)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET};
	ring_open(&mailbox->letterbox.ring, capacity);
	loop->letterbox = &mailbox->letterbox;
	loop->wake = mailbox->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	MUST(epoll_ctl(loop->epoll, EPOLL_CTL_ADD, mailbox->wake, &event) == 0);
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
