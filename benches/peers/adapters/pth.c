/* GNU Pth: fibers with priorities, on select. Stacks are its own. */
#include "../workloads/bench.h"

#include <pth.h>

/* A call that wakes may switch at once. */
#define UNORDERED

/* Half of what select can watch. */
enum { STACK_BYTES = 16384, PORTS_MAX = 1000 };

static pth_attr_t attributes;

struct fiber {
    pth_t thread;
    pth_mutex_t lock;
    pth_cond_t called;
};

#define FIBER_BODY(name) void *name(void *user)
#define FIBER_END return NULL

static inline void fiber_start(struct fiber *fiber, void *(*body)(void *), void *user)
{
    pth_mutex_init(&fiber->lock);
    pth_cond_init(&fiber->called);
    MUST((fiber->thread = pth_spawn(attributes, body, user)));
}

#define fiber_join(fiber) MUST(pth_join((fiber)->thread, NULL))
#define fiber_yield() pth_yield(NULL)
#define SETTLE fiber_yield(), fiber_yield()

typedef bool limit_t;
#define FOREVER false
#define LIMIT true

/* What ends a wait after five seconds; NULL: nothing. */
static inline pth_event_t limit_of(limit_t is_limited)
{
    static pth_key_t key = PTH_KEY_INIT;
    return is_limited ? pth_event(PTH_EVENT_TIME | PTH_MODE_STATIC, &key, pth_timeout(5, 0)) : NULL;
}

typedef pth_mutex_t lock_t;
typedef pth_cond_t cond_t;
#define lock_open(lock) pth_mutex_init(lock)
#define lock_take(lock) pth_mutex_acquire(lock, FALSE, NULL)
#define lock_give(lock) pth_mutex_release(lock)
#define cond_open(cond) pth_cond_init(cond)
#define cond_wait(cond, lock, limit) MUST(pth_cond_await(cond, lock, limit_of(limit)))
#define cond_signal(cond) pth_cond_notify(cond, FALSE)
#include "conditions.h"

static inline void park(struct fiber *fiber, limit_t limit)
{
    lock_take(&fiber->lock);
    cond_wait(&fiber->called, &fiber->lock, limit);
    lock_give(&fiber->lock);
}

#define unpark(fiber) cond_signal(&(fiber)->called)

struct port { int fd; };

#define port_open(port, number) make_blocking((port)->fd = (number))
#define port_read(port, buffer, size, limit) pth_read_ev((port)->fd, buffer, size, limit_of(limit))
#define port_write(port, buffer, size) pth_write((port)->fd, buffer, size)

static void program_run(void (*body)(void))
{
    MUST(pth_init());
    attributes = pth_attr_new();
    MUST(pth_attr_set(attributes, PTH_ATTR_JOINABLE, TRUE));
    MUST(pth_attr_set(attributes, PTH_ATTR_STACK_SIZE, (unsigned)STACK_BYTES));
    body();
}

#include "../fibers.h"
