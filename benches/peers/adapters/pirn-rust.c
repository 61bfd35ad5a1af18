/* pirn, through its Rust interface, behind the C functions of rust/src/pirn.rs. */
#include "../workloads/bench.h"

typedef void loop_t;
#define LOOP_BYTES 0 /* from the heap, and so counted */
#define DONE return

/* What a watcher, a timer, a task and a message begin with. */
struct called {
    void (*callback)(void *user);
    struct {
        uint32_t index, generation;
    } handle;
};

void *pirn_rust_open(uint32_t io, uint32_t timers, bool threads);
void pirn_rust_turn(loop_t *loop, bool waits);
void pirn_rust_run(loop_t *loop);
void pirn_rust_stop(loop_t *loop);
void pirn_rust_update(loop_t *loop);
void pirn_rust_io_add(loop_t *loop, struct called *io, int fd);
void pirn_rust_io_modify(loop_t *loop, struct called *io, uint32_t interest);
void pirn_rust_io_remove(loop_t *loop, struct called *io);
void pirn_rust_timer_add(loop_t *loop, struct called *timer, uint64_t delay);
void pirn_rust_timer_push(loop_t *loop, struct called *timer, uint64_t delay);
void pirn_rust_timer_cancel(loop_t *loop, struct called *timer);
void pirn_rust_task_defer(loop_t *loop, struct called *task);
void *pirn_rust_remote(loop_t *loop);
bool pirn_rust_post(void *remote, struct called *post);

#define loop_open(limits) pirn_rust_open((limits)->io, (limits)->timers, (limits)->threads)
#define loop_turn(loop) pirn_rust_turn(loop, true)
#define loop_poll(loop) pirn_rust_turn(loop, false)
#define loop_run(loop) pirn_rust_run(loop)
#define loop_stop(loop) pirn_rust_stop(loop)
#define loop_update(loop) pirn_rust_update(loop)

/* ---- I/O ---- */
struct io { struct called called; };

#define CALLBACK(name) void name(void *user)
#define IO_CALLBACK CALLBACK
#define IO_READ 1
#define IO_WRITE 2
#define IO_BYTES sizeof(struct io)

static inline int io_add(loop_t *loop, struct io *io, int fd, uint32_t interest,
                         CALLBACK((*callback)))
{
    io->called.callback = callback;
    pirn_rust_io_add(loop, &io->called, fd);
    return 0;
}

#define io_modify(loop, io, interest) pirn_rust_io_modify(loop, &(io)->called, interest)
#define io_pause(loop, io) io_modify(loop, io, 0)
#define io_resume(loop, io) io_modify(loop, io, IO_READ)
#define io_remove(loop, io) pirn_rust_io_remove(loop, &(io)->called)

/* ---- timers ---- */
struct timer { struct called called; };

#define TIMER_CALLBACK CALLBACK
#define TIMER_MAX UINT32_MAX
#define TIMER_ORDERED 1
#define TIMER_TIES_ORDERED 1
#define TIMER_EARLY_NS 0
#define TIMER_BYTES sizeof(struct timer)

typedef uint64_t delay_t;
#define delay_from_ns(ns) (ns)
#define delay_ns(delay) (delay)

static inline void timer_add(loop_t *loop, struct timer *timer, delay_t delay,
                             CALLBACK((*callback)))
{
    timer->called.callback = callback;
    pirn_rust_timer_add(loop, &timer->called, delay);
}

#define timer_every timer_add
#define timer_tick(loop, timer, delay) timer_add(loop, timer, delay, (timer)->called.callback)
#define timer_push(loop, timer, delay) pirn_rust_timer_push(loop, &(timer)->called, delay)
#define timer_cancel(loop, timer) pirn_rust_timer_cancel(loop, &(timer)->called)
#define timer_free(loop, timer)

/* ---- tasks and messages ---- */
struct task { struct called called; };

#define TASK_CALLBACK CALLBACK
#define TASK_DONE return
#define TASK_ORDER 1
#define task_open(loop, task, call) ((task)->called.callback = (call))
#define task_defer(loop, task, call) pirn_rust_task_defer(loop, &(task)->called)
#define task_again task_defer

struct post { struct called called; };

struct mailbox { void *remote; };

#define POST_CALLBACK CALLBACK
#define POST_DONE return
#define mailbox_open(mailbox, loop, capacity) ((mailbox)->remote = pirn_rust_remote(loop))
#define post_send(mailbox, post, call)                                                             \
    ((post)->called.callback = (call), pirn_rust_post((mailbox)->remote, &(post)->called))

#include "../workloads.h"
