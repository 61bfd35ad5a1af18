/* The workloads: included by each adapter after it has said how its library does things, so that
 * every library is compiled together with the same code and calls the workloads' callbacks itself,
 * with its own signature. What an adapter defines, as a macro or a static function, most of it one
 * line:
 *
 *   loop_t                       the library's loop
 *   loop_open(limits)            a new loop; limits: the most the workload has of each kind
 *   loop_close(loop)             ends it and gives its memory back, if that is to be measured
 *   loop_turn(loop)              one turn; waits until something happens; loop_poll: does not wait
 *   loop_run(loop), loop_stop(loop)
 *   loop_update(loop)            reads the clock into the loop's cached time
 *   loop_fd(loop)                if it has one: the fd for a foreign loop
 *   LOOP_BYTES                   memory the caller gives for the loop itself, besides watchers
 *   DONE                         how a callback for I/O or a timer returns
 *
 *   struct io                    a watcher; the workloads put it first in a struct of their own
 *   IO_CALLBACK(name)            head of a callback; its parameter `user` is the watcher
 *   IO_READ, IO_WRITE            interests
 *   io_add(loop, io, fd, interest, call)   0 on success
 *   io_modify(loop, io, interest)   IO_READ, with or without IO_WRITE
 *   io_pause(loop, io), io_resume(loop, io), io_remove(loop, io)   one that is watched for reading
 *   IO_ONCE, io_add_once(loop, io, fd, call), io_rearm(loop, io)   if it has oneshot watchers
 *   IO_MAY_BE_LOST               defined if an fd may be closed while it is watched
 *   READY_MAX                    defined if more ready fds than this at once take it minutes
 *   IO_BYTES                     bytes of the caller's memory per watcher
 *
 *   struct timer, TIMER_CALLBACK(name), TIMER_BYTES      likewise; one-shot
 *   delay_t, delay_from_ns(ns)   how the library wants a delay, rounded up; delay_ns(delay): back
 *   timer_add(loop, timer, delay, call), timer_push(loop, timer, delay), timer_cancel(loop, timer)
 *   timer_free(loop, timer)      after it fired or was cancelled: gives back what the library holds
 *   timer_add_fresh(...)         if it has a call of its own to count from now
 *   timer_every(...), timer_tick(loop, timer, delay)   a periodic one, and what its callback does
 *   TIMER_MAX                    how many timers this peer is asked to have; 0: it has none
 *   TIMER_ORDERED, TIMER_TIES_ORDERED   1 if in order of deadlines, and of equal ones as armed
 *   TIMER_EARLY_NS               how early its clock lets a timer fire
 *   TIMER_RESTARTS               defined if a turn starts timers anew: no timers over several turns
 *
 *   struct task, TASK_CALLBACK(name), TASK_DONE      all of it from deferred.h if it has no tasks
 *   task_open(loop, task, call)       what is done once per task; not measured
 *   task_defer(loop, task, call)      calls it once, later; task_again: inside its callback
 *   TASK_ORDER                   1: as deferred, -1: the other way round, 0: any
 *   CHAIN_CALLBACK ...           if task_defer does not poll in between: see libev.c
 *
 *   struct mailbox, mailbox_open(mailbox, loop, capacity)      from letterbox.h likewise
 *   struct post, POST_CALLBACK(name), POST_DONE
 *   post_send(mailbox, post, call)    from any thread; false if full
 */
#ifdef SERVER /* for benches/sizes */
#include "../sizes.d/server.h"
#else

#ifndef timer_add_fresh
#define timer_add_fresh(loop, timer, delay, call)                                                  \
    do {                                                                                           \
        loop_update(loop);                                                                         \
        timer_add(loop, timer, delay, call);                                                       \
    } while (0)
#endif

#include "workloads/waiting.h"
#include "workloads/dispatch.h"
#include "workloads/register.h"
#include "workloads/timers.h"
#include "workloads/lateness.h"
#include "workloads/tasks.h"
#include "workloads/posts.h"
#include "workloads/calls.h"
#include "workloads/echo.h"
#include "workloads/memory.h"
#include "workloads/open.h"
#include "workloads/million.h"

static const struct workload workloads[] = {
    {"dispatch", workload_dispatch}, {"idle", workload_idle},
    {"register", workload_register}, {"lose", workload_lose},
    {"timers", workload_timers},     {"expire", workload_expire},
    {"lateness", workload_lateness}, {"tasks", workload_tasks},
    {"posts", workload_posts},       {"pingpong", workload_pingpong},
    {"periodic", workload_periodic}, {"oneshot", workload_oneshot},
    {"foreign", workload_foreign},   {"echo", workload_echo},
    {"memory", workload_memory},     {"million", workload_million},
    {"open", workload_open},
};

#include "workloads/main.h"

#endif
