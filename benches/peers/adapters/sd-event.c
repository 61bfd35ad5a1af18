/* sd-event, of libsystemd. Timers with an accuracy of a microsecond, its finest, so that it does
 * not put them together. */
#include "queue.h"

#include <sys/epoll.h>
#include <systemd/sd-event.h>

typedef sd_event loop_t;
#define LOOP_BYTES 0
#define DONE return 0

static loop_t *loop_open(const struct limits *limits)
{
    loop_t *loop;
    MUST(sd_event_new(&loop) >= 0);
    return loop;
}

#define loop_close(loop) sd_event_unref(loop)
#define loop_turn(loop) sd_event_run(loop, UINT64_MAX)
#define loop_poll(loop) sd_event_run(loop, 0)
#define loop_update(loop) loop_poll(loop) /* its time is that of its last turn */
#define loop_fd(loop) sd_event_get_fd(loop)

/* What sd_event_loop does; but after sd_event_exit a loop cannot be run again. */
static _Thread_local bool is_stopped;
#define loop_stop(loop) (is_stopped = true)

static inline void loop_run(loop_t *loop)
{
    for (is_stopped = false; !is_stopped;)
        sd_event_run(loop, UINT64_MAX);
}

/* ---- I/O ---- */
struct io { sd_event_source *source; };

#define IO_CALLBACK(name) int name(sd_event_source *source, int fd, uint32_t events, void *user)
#define IO_READ EPOLLIN
#define IO_WRITE EPOLLOUT
#define IO_ONCE
#define READY_MAX 1000 /* it dispatches one per turn and fetches all that are ready each time */
#define IO_BYTES sizeof(struct io)

static inline int io_add(loop_t *loop, struct io *io, int fd, uint32_t interest,
                         sd_event_io_handler_t callback)
{
    int result = sd_event_add_io(loop, &io->source, fd, interest, callback, io);
    return result < 0 ? result : 0;
}

#define io_add_once(loop, io, fd, call) (io_add(loop, io, fd, EPOLLIN, call), io_rearm(loop, io))
#define io_rearm(loop, io) sd_event_source_set_enabled((io)->source, SD_EVENT_ONESHOT)
#define io_modify(loop, io, interest) sd_event_source_set_io_events((io)->source, interest)
#define io_pause(loop, io) sd_event_source_set_enabled((io)->source, SD_EVENT_OFF)
#define io_resume(loop, io) sd_event_source_set_enabled((io)->source, SD_EVENT_ON)
#define io_remove(loop, io) sd_event_source_disable_unref((io)->source)

/* ---- timers ---- */
struct timer { sd_event_source *source; };

#define TIMER_CALLBACK(name) int name(sd_event_source *source, uint64_t usec, void *user)
#define TIMER_MAX 10000 /* one is dispatched per turn */
#define TIMER_ORDERED 0 /* those found due in one turn come in any order */
#define TIMER_TIES_ORDERED 0
#define TIMER_EARLY_NS (1 * NS_PER_US) /* its unit */
#define TIMER_BYTES sizeof(struct timer)

typedef uint64_t delay_t; /* us */
#define delay_from_ns(ns) (((ns) + NS_PER_US - 1) / NS_PER_US)
#define delay_ns(delay) ((delay) * NS_PER_US)

static inline void timer_add(loop_t *loop, struct timer *timer, delay_t delay,
                             sd_event_time_handler_t callback)
{
    int result = sd_event_add_time_relative(loop, &timer->source, CLOCK_MONOTONIC, delay, 1,
                                            callback, timer);
    MUST(result >= 0);
}

static inline void timer_tick(loop_t *loop, struct timer *timer, delay_t delay)
{
    sd_event_source_set_time_relative(timer->source, delay);
    sd_event_source_set_enabled(timer->source, SD_EVENT_ONESHOT);
}

#define timer_every timer_add
#define timer_push(loop, timer, delay) sd_event_source_set_time_relative((timer)->source, delay)
#define timer_cancel(loop, timer)                                                                  \
    ((timer)->source = sd_event_source_disable_unref((timer)->source))
#define timer_free timer_cancel

/* ---- tasks ---- */
struct task { sd_event_source *source; };

#define TASK_CALLBACK(name) int name(sd_event_source *source, void *user)
#define TASK_DONE return 0
#define TASK_ORDER 0
#define task_defer(loop, task, call) sd_event_source_set_enabled((task)->source, SD_EVENT_ONESHOT)
#define task_again task_defer

static inline void task_open(loop_t *loop, struct task *task, sd_event_handler_t callback)
{
    MUST(sd_event_add_defer(loop, &task->source, callback, task) >= 0);
    sd_event_source_set_enabled(task->source, SD_EVENT_OFF);
}

/* ---- messages: it has no call for other threads, so an eventfd ---- */
#define WAKER int
#include "letterbox.h"

static void mailbox_wake(struct mailbox *mailbox) { write_eventfd(mailbox->waker); }

static IO_CALLBACK(on_wake)
{
    uint64_t count;
    ssize_t size = read(fd, &count, sizeof count);
    (void)size;
    mailbox_run(user);
    DONE;
}

static void mailbox_open(struct mailbox *mailbox, loop_t *loop, uint32_t capacity)
{
    mailbox_set_up(mailbox, loop, capacity);
    mailbox->waker = open_eventfd(0);
    MUST(sd_event_add_io(loop, NULL, mailbox->waker, EPOLLIN, on_wake, mailbox) >= 0);
}

#include "../workloads.h"
