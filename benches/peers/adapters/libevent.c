/* libevent, configured as it comes: epoll without the change list, which its documentation advises
 * against for fds that may be duplicated, and the coarse clock. */
#include "queue.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/thread.h>

typedef struct event_base loop_t;
#define LOOP_BYTES 0
#define DONE return

static loop_t *loop_open(const struct limits *limits)
{
    if (limits->threads)
        MUST(evthread_use_pthreads() == 0);
    return event_base_new();
}

#define loop_close(loop) event_base_free(loop)
#define loop_turn(loop) event_base_loop(loop, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY)
/* Without ONCE it goes on as long as anything is ready. */
#define loop_poll(loop) event_base_loop(loop, EVLOOP_ONCE | EVLOOP_NONBLOCK)
/* Other threads may be all there is to wait for. */
#define loop_run(loop) event_base_loop(loop, EVLOOP_NO_EXIT_ON_EMPTY)
#define loop_stop(loop) event_base_loopbreak(loop)
#define loop_update(loop) event_base_update_cache_time(loop)

/* ---- I/O: as its users do it, bufferevents included, an event for reading, and one for writing
 * that comes and goes ---- */
struct io { struct event reader, writer; };

#define EVENT_CALLBACK(name) void name(evutil_socket_t fd, short events, void *user)
#define IO_CALLBACK EVENT_CALLBACK
#define IO_READ EV_READ
#define IO_WRITE EV_WRITE
#define IO_ONCE
#define IO_BYTES sizeof(struct event) /* of the two, what a watcher for reading takes */

static inline int add(loop_t *loop, struct io *io, int fd, short events, event_callback_fn callback)
{
    event_assign(&io->reader, loop, fd, events, callback, io);
    return event_add(&io->reader, NULL);
}

/* The workloads read all the time and sometimes write. */
static inline void io_modify(loop_t *loop, struct io *io, int interest)
{
    if (interest & EV_WRITE) {
        event_assign(&io->writer, loop, io->reader.ev_fd, EV_WRITE | EV_PERSIST,
                     event_get_callback(&io->reader), io);
        event_add(&io->writer, NULL);
    } else {
        event_del(&io->writer);
    }
}

#define io_add(loop, io, fd, interest, call) add(loop, io, fd, EV_READ | EV_PERSIST, call)
#define io_add_once(loop, io, fd, call) add(loop, io, fd, EV_READ, call)
#define io_rearm(loop, io) event_add(&(io)->reader, NULL)
#define io_pause(loop, io) event_del(&(io)->reader)
#define io_resume(loop, io) event_add(&(io)->reader, NULL)
#define io_remove(loop, io) event_del(&(io)->reader)

/* ---- timers ---- */
struct timer { struct event event; };

#define TIMER_CALLBACK EVENT_CALLBACK
#define TIMER_MAX UINT32_MAX
#define TIMER_ORDERED 1
#define TIMER_TIES_ORDERED 0
#define TIMER_EARLY_NS (10 * NS_PER_MS) /* a tick of the coarse clock, with the slowest kernels */
#define TIMER_BYTES sizeof(struct timer)

typedef struct timeval delay_t;
#define delay_ns(delay)                                                                            \
    ((uint64_t)(delay).tv_sec * NS_PER_S + (uint64_t)(delay).tv_usec * NS_PER_US)

static inline delay_t delay_from_ns(uint64_t ns)
{
    uint64_t us = (ns + NS_PER_US - 1) / NS_PER_US;
    return (struct timeval){(time_t)(us / 1000000), (suseconds_t)(us % 1000000)};
}

static inline void arm(loop_t *loop, struct event *event, delay_t delay, short events,
                         event_callback_fn callback)
{
    event_assign(event, loop, -1, events, callback, event);
    event_add(event, &delay);
}

static inline void timer_push(loop_t *loop, struct timer *timer, delay_t delay)
{
    event_add(&timer->event, &delay);
}

#define timer_add(loop, timer, delay, call) arm(loop, &(timer)->event, delay, 0, call)
#define timer_every(loop, timer, delay, call) arm(loop, &(timer)->event, delay, EV_PERSIST, call)
#define timer_tick(loop, timer, delay)
#define timer_cancel(loop, timer) event_del(&(timer)->event)
#define timer_free(loop, timer)

/* ---- tasks: an activated event comes in the same turn, a timeout of zero in the next ---- */
struct task { struct event event; };

#define TASK_CALLBACK EVENT_CALLBACK
#define TASK_DONE return
#define TASK_ORDER 1
#define task_open(loop, task, call) event_assign(&(task)->event, loop, -1, 0, call, task)
#define task_defer(loop, task, call) event_active(&(task)->event, EV_TIMEOUT, 0)

struct chain { struct event event; };

static const struct timeval at_once = {0, 0};

#define CHAIN_CALLBACK EVENT_CALLBACK
#define CHAIN_GO_ON event_add(&((struct chain *)user)->event, &at_once)
#define CHAIN_STOP return
#define chain_open(loop, chain, call) evtimer_assign(&(chain)->event, loop, call, chain)
#define chain_start(loop, chain, call) event_add(&(chain)->event, &at_once)

/* ---- messages: an event each, activated from any thread ---- */
struct post { struct event event; };

struct mailbox { struct event_base *base; };

#define POST_CALLBACK EVENT_CALLBACK
#define POST_DONE return
#define mailbox_open(mailbox, loop, capacity) ((mailbox)->base = (loop))

static inline bool post_send(struct mailbox *mailbox, struct post *post, event_callback_fn callback)
{
    event_assign(&post->event, mailbox->base, -1, 0, callback, post);
    event_active(&post->event, EV_TIMEOUT, 0);
    return true;
}

#include "../workloads.h"
