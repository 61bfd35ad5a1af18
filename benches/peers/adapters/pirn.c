/* pirn, through its C interface. BACKEND is epoll unless given. */
#include "../workloads/bench.h"

#include <pirn.h>

#ifndef BACKEND
#define BACKEND PIRN_BACKEND_EPOLL
#endif
#ifndef HOST
#define HOST NULL
#endif

/* For select's sets: the workloads hold two fds for one that is watched. */
enum { BLOCK_SURPLUS = BACKEND == PIRN_BACKEND_SELECT ? 65536 : 0 };

typedef struct pirn_loop loop_t;
#define LOOP_BYTES PIRN_STORAGE_SIZE(0, 0, 0)
#define DONE return

static size_t loop_size; /* of the last loop */

/* The caller's memory, as large as the workload says; a program that knows its sizes writes
 * PIRN_STORAGE and nothing else. There is room for half as many posts as for tasks. */
static loop_t *loop_open(const struct limits *limits)
{
    uint32_t tasks = limits->tasks > 2 * limits->posts ? limits->tasks : 2 * limits->posts;
    struct pirn_config config = {.size = sizeof config, .backend = BACKEND, .host = HOST,
                                 .io = limits->io, .timers = limits->timers, .tasks = tasks};
    size_t size = pirn_storage_size(config.io, config.timers, config.tasks) + BLOCK_SURPLUS;
    loop_t *loop;
    MUST(pirn_init(&loop, zeroed(1, size), size, &config) == 0);
    if (limits->threads)
        pirn_hold(loop);
    loop_size = size;
    return loop;
}

/* The loop is the block that it was made in. */
static inline void loop_close(loop_t *loop)
{
    MUST(pirn_deinit(loop) == 0 && munmap(loop, loop_size + 1) == 0);
}
#define loop_close loop_close

#define loop_turn(loop) pirn_turn(loop, PIRN_FOREVER)
#define loop_poll(loop) pirn_turn(loop, 0)
#define loop_run(loop) pirn_run(loop)
#define loop_stop(loop) pirn_stop(loop)
#define loop_update(loop) pirn_update(loop)
#define loop_fd(loop) pirn_fd(loop)

/* ---- I/O ---- */
struct io { struct pirn_io handle; };

#define IO_CALLBACK(name)                                                                          \
    void name(struct pirn_loop *pirn, struct pirn_io handle, int fd, uint32_t ready, void *user)
#define IO_READ PIRN_READ
#define IO_WRITE PIRN_WRITE
#define IO_ONCE
#define IO_MAY_BE_LOST
/* The handle too: a program that changes its watchers keeps it. */
#define IO_BYTES (PIRN_STORAGE_SIZE(1000, 0, 0) - LOOP_BYTES) / 1000. + sizeof(struct io)

#define io_add(loop, io, fd, interest, call)                                                       \
    pirn_io_add(loop, fd, interest, call, io, &(io)->handle)
#define io_add_once(loop, io, fd, call) io_add(loop, io, fd, PIRN_READ | PIRN_ONESHOT, call)
#define io_rearm(loop, io) io_modify(loop, io, IO_READ)
#define io_modify(loop, io, interest) pirn_io_modify(loop, (io)->handle, interest)
#define io_pause(loop, io) io_modify(loop, io, 0)
#define io_resume(loop, io) io_modify(loop, io, IO_READ)
#define io_remove(loop, io) pirn_io_remove(loop, (io)->handle)

/* ---- timers ---- */
struct timer { struct pirn_timer handle; };

#define TIMER_CALLBACK(name)                                                                       \
    void name(struct pirn_loop *pirn, struct pirn_timer handle, uint64_t missed, void *user)
#define TIMER_MAX UINT32_MAX
#define TIMER_ORDERED 1
#define TIMER_TIES_ORDERED 1
#define TIMER_EARLY_NS 0
#define TIMER_BYTES (PIRN_STORAGE_SIZE(0, 1000, 0) - LOOP_BYTES) / 1000. + sizeof(struct timer)

typedef uint64_t delay_t;
#define delay_from_ns(ns) (ns)
#define delay_ns(delay) (delay)

#define arm(loop, timer, delay, period, flags, call)                                             \
    MUST(pirn_timer_start(loop, delay, period, flags, call, timer, &(timer)->handle) == 0)
#define timer_add(loop, timer, delay, call) arm(loop, timer, delay, 0, PIRN_TIMER_CACHED, call)
#define timer_add_fresh(loop, timer, delay, call) arm(loop, timer, delay, 0, 0, call)
#define timer_every(loop, timer, delay, call) arm(loop, timer, delay, delay, 0, call)
#define timer_tick(loop, timer, delay)
#define timer_push(loop, timer, delay) pirn_timer_again(loop, (timer)->handle, delay)
#define timer_cancel(loop, timer) pirn_timer_stop(loop, (timer)->handle)
#define timer_free(loop, timer)

/* ---- tasks and messages ---- */
struct task {};

#define TASK_CALLBACK(name) void name(struct pirn_loop *pirn, void *user)
#define TASK_DONE return
#define TASK_ORDER 1
#define task_open(loop, task, call)
#define task_defer(loop, task, call) MUST(pirn_task_post(loop, call, task, NULL) == 0)
#define task_again task_defer

struct post {};

struct mailbox { struct pirn_loop *loop; };

#define POST_CALLBACK TASK_CALLBACK
#define POST_DONE return
#define mailbox_open(mailbox, of, capacity) ((mailbox)->loop = (of))
#define post_send(mailbox, post, call) (pirn_remote_post((mailbox)->loop, call, post) == 0)

#include "../workloads.h"
