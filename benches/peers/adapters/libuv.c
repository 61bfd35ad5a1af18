/* libuv */
#include "queue.h"

#include <uv.h>

typedef uv_loop_t loop_t;
#define LOOP_BYTES sizeof(uv_loop_t)
#define DONE return

static loop_t *loop_open(const struct limits *limits)
{
    loop_t *loop = zeroed(1, sizeof *loop);
    MUST(uv_loop_init(loop) == 0);
    return loop;
}

static inline void loop_close(loop_t *loop)
{
    MUST(uv_loop_close(loop) == 0 && munmap(loop, sizeof *loop + 1) == 0);
}
#define loop_close loop_close

#define loop_turn(loop) uv_run(loop, UV_RUN_ONCE)
#define loop_poll(loop) uv_run(loop, UV_RUN_NOWAIT)
#define loop_run(loop) uv_run(loop, UV_RUN_DEFAULT)
#define loop_stop(loop) uv_stop(loop)
#define loop_update(loop) uv_update_time(loop)

/* ---- I/O ---- */
struct io { uv_poll_t handle; };

#define IO_CALLBACK(name) void name(uv_poll_t *user, int status, int events)
#define IO_READ UV_READABLE
#define IO_WRITE UV_WRITABLE
#define IO_BYTES sizeof(struct io)

static inline int io_add(loop_t *loop, struct io *io, int fd, int interest, uv_poll_cb callback)
{
    int error = uv_poll_init(loop, &io->handle, fd);
    return error ? error : uv_poll_start(&io->handle, interest, callback);
}

#define io_modify(loop, io, interest) uv_poll_start(&(io)->handle, interest, (io)->handle.poll_cb)
#define io_pause(loop, io) uv_poll_stop(&(io)->handle)
#define io_resume(loop, io) io_modify(loop, io, IO_READ)
#define io_remove(loop, io) uv_close((uv_handle_t *)&(io)->handle, NULL)

/* ---- timers ---- */
struct timer { uv_timer_t handle; };

#define TIMER_CALLBACK(name) void name(uv_timer_t *user)
#define TIMER_MAX UINT32_MAX
#define TIMER_ORDERED 1
#define TIMER_TIES_ORDERED 1
#define TIMER_EARLY_NS (1 * NS_PER_MS) /* its time is in whole milliseconds, rounded down */
#define TIMER_BYTES sizeof(struct timer)

typedef uint64_t delay_t; /* ms */
#define delay_from_ns(ns) (((ns) + NS_PER_MS - 1) / NS_PER_MS)
#define delay_ns(delay) ((delay) * NS_PER_MS)

static inline void arm(loop_t *loop, struct timer *timer, delay_t delay, delay_t period,
                         uv_timer_cb callback)
{
    uv_timer_init(loop, &timer->handle);
    uv_timer_start(&timer->handle, callback, delay, period);
}

#define timer_add(loop, timer, delay, call) arm(loop, timer, delay, 0, call)
#define timer_every(loop, timer, delay, call) arm(loop, timer, delay, delay, call)
#define timer_tick(loop, timer, delay)
#define timer_push(loop, timer, delay)                                                             \
    uv_timer_start(&(timer)->handle, (timer)->handle.timer_cb, delay, 0)
#define timer_cancel(loop, timer) uv_timer_stop(&(timer)->handle)
#define timer_free(loop, timer) uv_close((uv_handle_t *)&(timer)->handle, NULL)

/* ---- tasks: an idle handle is called in every turn until it is stopped ---- */
struct task { uv_idle_t handle; };

#define TASK_CALLBACK(name) void name(uv_idle_t *user)
#define TASK_DONE                                                                                  \
    do {                                                                                           \
        uv_idle_stop(user);                                                                        \
        return;                                                                                    \
    } while (0)
#define TASK_ORDER -1
#define task_open(loop, task, call) uv_idle_init(loop, &(task)->handle)
#define task_defer(loop, task, call) uv_idle_start(&(task)->handle, call)
#define task_again(loop, task, call) return

/* ---- messages: uv_async_send coalesces ---- */
#define WAKER uv_async_t
#include "letterbox.h"

static void mailbox_wake(struct mailbox *mailbox) { uv_async_send(&mailbox->waker); }

static void on_wake(uv_async_t *waker) { mailbox_run(waker->data); }

static void mailbox_open(struct mailbox *mailbox, loop_t *loop, uint32_t capacity)
{
    mailbox_set_up(mailbox, loop, capacity);
    MUST(uv_async_init(loop, &mailbox->waker, on_wake) == 0);
    mailbox->waker.data = mailbox;
}

#include "../workloads.h"
