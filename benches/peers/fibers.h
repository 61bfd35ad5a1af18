/* The workloads of programs that wait: included by each adapter of a library of fibers, or of
 * threads, after it has said how its library does things. What an adapter defines, as a macro or a
 * static function:
 *
 *   program_run(body)            calls `body`, a void (*)(void), where it may start fibers and wait
 *   struct fiber                 with its stack, if that is the caller's memory
 *   FIBER_BODY(name)             head of what a fiber runs; its parameter `user` is what was given
 *   FIBER_END                    how it returns
 *   fiber_start(fiber, body, user)   fiber_join(fiber)   one that has ended may be started again
 *   fiber_yield()                lets the others run that are ready
 *   FIRST_TURN                   if fibers start by themselves: waits for the first fiber_yield
 *
 * An adapter that defines SWITCHES_ALONE needs no more. The others define:
 *
 *   limit_t, FOREVER, LIMIT      how long to wait; LIMIT is five seconds
 *   struct queue                 of pointers; first come, first served
 *   queue_open(queue, capacity), queue_put(queue, item), queue_get(queue, limit)
 *   struct port                  an fd that fibers read and write as if it blocked
 *   port_open(port, fd), port_read(port, buffer, size, limit), port_write(port, buffer, size)
 *   PORTS_MAX                    how many ports it can have at once
 *   park(fiber, limit)           called by the fiber itself: waits for unpark(fiber)
 *   SETTLE                       lets the others run until all of them wait
 *   UNORDERED                    defined if those who are woken may run inside the call
 *   SERVER_CALLBACK(name)        defined if it has callbacks: head of one, with a parameter `fd`
 *   server_watch(fd, callback)   has it called whenever the fd can be read
 */
#include "workloads/fibers/switch.h"
#ifndef SWITCHES_ALONE
#include "workloads/fibers/handover.h"
#include "workloads/fibers/wake.h"
#include "workloads/fibers/roundtrips.h"
#include "workloads/fibers/footprint.h"
#endif

static const struct workload workloads[] = {
    {"switch", workload_switch},         {"spawn", workload_spawn},
#ifndef SWITCHES_ALONE
    {"handover", workload_handover},     {"wake", workload_wake},
    {"roundtrips", workload_roundtrips}, {"footprint", workload_footprint},
#endif
#ifdef SERVER_CALLBACK
    {"callbacks", workload_callbacks},
#endif
};

#include "workloads/main.h"
