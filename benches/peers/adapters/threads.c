/* No library: a thread of the kernel's for each program that waits. */
#include "../workloads/bench.h"

#include <semaphore.h>

#define UNORDERED

enum { PORTS_MAX = 2000 };

struct fiber {
    pthread_t thread;
    sem_t called;
};

#define FIBER_BODY(name) void *name(void *user)
#define FIBER_END return NULL

/* Of two threads each lets the other run. The first is the main thread. */
static sem_t turns[2];
static _Thread_local unsigned mine;

static void fiber_yield(void)
{
    sem_post(&turns[1 - mine]);
    while (sem_wait(&turns[mine]) != 0)
        ;
}

#define SETTLE sleep_ns(200 * NS_PER_MS)
#define FIRST_TURN (mine = 1, sem_wait(&turns[1]))

static inline void fiber_start(struct fiber *fiber, void *(*body)(void *), void *user)
{
    sem_init(&fiber->called, 0, 0);
    fiber->thread = spawn(body, user);
}

static void fiber_join(struct fiber *fiber)
{
    sem_post(&turns[1]); /* it may wait for its turn */
    join(fiber->thread);
}

typedef bool limit_t;
#define FOREVER false
#define LIMIT true

static struct timespec limit_from_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    time.tv_sec += 5;
    return time;
}

typedef pthread_mutex_t lock_t;
typedef pthread_cond_t cond_t;
#define lock_open(lock) pthread_mutex_init(lock, NULL)
#define lock_take(lock) pthread_mutex_lock(lock)
#define lock_give(lock) pthread_mutex_unlock(lock)
#define cond_open(cond) pthread_cond_init(cond, NULL)
#define cond_signal(cond) pthread_cond_signal(cond)

static inline void cond_wait(cond_t *cond, lock_t *lock, limit_t is_limited)
{
    struct timespec until;
    if (!is_limited) {
        pthread_cond_wait(cond, lock);
        return;
    }
    until = limit_from_now();
    MUST(pthread_cond_timedwait(cond, lock, &until) == 0);
}

#include "conditions.h"

#define park(fiber, limit) sem_wait(&(fiber)->called)
#define unpark(fiber) sem_post(&(fiber)->called)

struct port { int fd; };

/* The kernel keeps the limit with the socket: both workloads have it. */
static void port_open(struct port *port, int fd)
{
    struct timeval limit = {.tv_sec = 5};
    port->fd = fd;
    make_blocking(fd);
    MUST(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
}

#define port_read(port, buffer, size, limit) read((port)->fd, buffer, size)
#define port_write(port, buffer, size) write((port)->fd, buffer, size)

static void program_run(void (*body)(void)) { body(); }

#include "../fibers.h"
