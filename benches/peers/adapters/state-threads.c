/* State Threads: fibers, on select as Debian builds it. It has no call that lets the others run:
 * its users sleep for no time. Stacks are its own. */
#include "../workloads/bench.h"

#include <st.h>

/* Half of what select can watch. */
enum { STACK_BYTES = 16384, PORTS_MAX = 1000 };

struct fiber {
    st_thread_t thread;
    st_cond_t called;
};

#define FIBER_BODY(name) void *name(void *user)
#define FIBER_END return NULL

static inline void fiber_start(struct fiber *fiber, void *(*body)(void *), void *user)
{
    MUST((fiber->thread = st_thread_create(body, user, 1, STACK_BYTES)));
}

#define fiber_join(fiber) MUST(st_thread_join((fiber)->thread, NULL) == 0)
#define fiber_yield() st_usleep(0)
#define SETTLE fiber_yield(), fiber_yield()

typedef st_utime_t limit_t;
#define FOREVER ST_UTIME_NO_TIMEOUT
#define LIMIT (5 * (st_utime_t)1000000)

static inline void park(struct fiber *fiber, limit_t limit)
{
    if (!fiber->called)
        fiber->called = st_cond_new();
    MUST(st_cond_timedwait(fiber->called, limit) == 0);
}

#define unpark(fiber) st_cond_signal((fiber)->called)

/* Nobody else runs between two waits: that is the lock. */
typedef char lock_t;
typedef st_cond_t cond_t;
#define lock_open(lock)
#define lock_take(lock)
#define lock_give(lock)
#define cond_open(cond) (*(cond) = st_cond_new())
#define cond_wait(cond, lock, limit) MUST(st_cond_timedwait(*(cond), limit) == 0)
#define cond_signal(cond) st_cond_signal(*(cond))
#include "conditions.h"

struct port { st_netfd_t fd; };

#define port_open(port, number) MUST(((port)->fd = st_netfd_open_socket(number)))
#define port_read(port, buffer, size, limit) st_read((port)->fd, buffer, size, limit)
#define port_write(port, buffer, size) st_write((port)->fd, buffer, size, FOREVER)

static void program_run(void (*body)(void))
{
    MUST(st_set_eventsys(ST_EVENTSYS_ALT) == 0 && st_init() == 0);
    body();
}

#include "../fibers.h"
