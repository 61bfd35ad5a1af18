/* Tasks for a library that defers nothing: a fifo, which the adapter runs in each turn. Before it
 * is included: DEFERRED(loop), the address of the fifo. */

struct task {};

#define TASK_CALLBACK(name) void name(void *user)
#define TASK_DONE return
#define TASK_ORDER 1
#define task_open(loop, task, call)
#define task_defer(loop, task, call) fifo_push(DEFERRED(loop), call, task)
#define task_again task_defer
