/* The hand-written loop, the practical limit: epoll, timers in a heap (raw) or a hierarchical wheel
 * (wheel), and nothing around them. It trusts its user: no check, no generation, no watcher that is
 * removed while its event is already fetched. */
#include "queue.h"
#include SCHEDULE

#include <sys/epoll.h>

enum { RAW_EVENTS = 1024 };

struct io {
    void (*callback)(struct io *user, int fd, uint32_t ready);
    int fd;
};

struct mailbox;

typedef struct loop {
    int epoll;
    bool stopped;
    uint64_t now;
    struct schedule timers;
    struct fifo deferred;
    struct mailbox *mailbox; /* its waker: an eventfd, edge-triggered, never read */
    struct epoll_event events[RAW_EVENTS];
} loop_t;

#define LOOP_BYTES sizeof(struct loop)
#define DONE return

#define DEFERRED(loop) (&(loop)->deferred)
#include "deferred.h"
#define WAKER int
#include "letterbox.h"

static loop_t *loop_open(const struct limits *limits)
{
    loop_t *loop = zeroed(1, sizeof *loop);
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    MUST(loop->epoll >= 0);
    loop->now = clock_ns();
    fifo_open(&loop->deferred, limits->tasks);
    return loop;
}

static inline void raw_turn(loop_t *loop, bool waits)
{
    bool looks_only = !waits || !fifo_is_empty(&loop->deferred);
    uint64_t next = looks_only ? 0 : schedule_next(&loop->timers);
    int count, timeout = next == UINT64_MAX ? -1 : 0;
    if (next > loop->now && timeout == 0) {
        next -= loop->now;
        struct timespec time = {(time_t)(next / NS_PER_S), (long)(next % NS_PER_S)};
        count = epoll_pwait2(loop->epoll, loop->events, RAW_EVENTS, &time, NULL);
    } else {
        count = epoll_wait(loop->epoll, loop->events, RAW_EVENTS, timeout);
    }
    loop->now = clock_ns();
    schedule_expire(&loop->timers, loop->now);
    for (int i = 0; i < count; i++) {
        struct io *io = loop->events[i].data.ptr;
        if (io)
            io->callback(io, io->fd, loop->events[i].events);
        else
            mailbox_run(loop->mailbox);
    }
    fifo_run(&loop->deferred);
}

static inline void loop_close(loop_t *loop)
{
    MUST(close(loop->epoll) == 0 && munmap(loop, sizeof *loop + 1) == 0);
}
#define loop_close loop_close

#define loop_turn(loop) raw_turn(loop, true)
#define loop_poll(loop) raw_turn(loop, false)
#define loop_stop(loop) ((loop)->stopped = true)
#define loop_update(loop) ((loop)->now = clock_ns())

static inline void loop_run(loop_t *loop)
{
    for (loop->stopped = false; !loop->stopped;)
        raw_turn(loop, true);
}

/* ---- I/O ---- */
#define IO_CALLBACK(name) void name(struct io *user, int fd, uint32_t ready)
#define IO_READ EPOLLIN
#define IO_WRITE EPOLLOUT
#define IO_BYTES sizeof(struct io)
#define IO_ONCE
#define IO_MAY_BE_LOST /* it ignores that the kernel has forgotten the fd */

static inline int raw_control(loop_t *loop, int operation, struct io *io, uint32_t interest)
{
    struct epoll_event event = {.events = interest, .data.ptr = io};
    return epoll_ctl(loop->epoll, operation, io->fd, &event);
}

static inline int io_add(loop_t *loop, struct io *io, int fd, uint32_t interest,
                         IO_CALLBACK((*callback)))
{
    *io = (struct io){callback, fd};
    return raw_control(loop, EPOLL_CTL_ADD, io, interest);
}

#define io_add_once(loop, io, fd, call) io_add(loop, io, fd, EPOLLIN | EPOLLONESHOT, call)
#define io_rearm(loop, io) io_modify(loop, io, EPOLLIN | EPOLLONESHOT)
#define io_modify(loop, io, interest) raw_control(loop, EPOLL_CTL_MOD, io, interest)
#define io_pause(loop, io) io_modify(loop, io, 0)
#define io_resume(loop, io) io_modify(loop, io, IO_READ)
#define io_remove(loop, io) raw_control(loop, EPOLL_CTL_DEL, io, 0)

/* ---- timers ---- */
#define TIMER_CALLBACK(name) void name(struct timer *user)
#define TIMER_MAX UINT32_MAX
#define TIMER_ORDERED 1
#define TIMER_TIES_ORDERED SCHEDULE_TIES_ORDERED
#define TIMER_EARLY_NS 0
#define TIMER_BYTES sizeof(struct timer)

typedef uint64_t delay_t;
#define delay_from_ns(ns) (ns)
#define delay_ns(delay) (delay)

static inline void raw_start(loop_t *loop, struct timer *timer, uint64_t deadline,
                             TIMER_CALLBACK((*callback)))
{
    timer->callback = callback;
    schedule_add(&loop->timers, timer, deadline);
}

#define timer_add(loop, timer, delay, call) raw_start(loop, timer, (loop)->now + (delay), call)
#define timer_add_fresh(loop, timer, delay, call) raw_start(loop, timer, clock_ns() + (delay), call)
#define timer_push(loop, timer, delay) schedule_move(&(loop)->timers, timer, (loop)->now + (delay))
#define timer_cancel(loop, timer) schedule_remove(&(loop)->timers, timer)
#define timer_free(loop, timer)
#define timer_every timer_add
#define timer_tick(loop, timer, delay) timer_add(loop, timer, delay, (timer)->callback)

/* ---- messages ---- */
static void mailbox_wake(struct mailbox *mailbox) { write_eventfd(mailbox->waker); }

static void mailbox_open(struct mailbox *mailbox, loop_t *loop, uint32_t capacity)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    mailbox_set_up(mailbox, loop, capacity);
    loop->mailbox = mailbox;
    mailbox->waker = open_eventfd(0);
    MUST(epoll_ctl(loop->epoll, EPOLL_CTL_ADD, mailbox->waker, &event) == 0);
}

#include "../workloads.h"
