/* Fibers of pirn, and its queue. */
#include "../workloads/bench.h"

#include <pirn/fiber.h>
#include <pirn/sync.h>

enum { STACK_BYTES = 16384, PORTS_MAX = 2000 };

static struct pirn_hub hub;

struct fiber {
    struct pirn_fiber fiber;
    char stack[STACK_BYTES];
};

#define FIBER_BODY(name) int name(struct pirn_hub *here, void *user)
#define FIBER_END return 0

static inline void fiber_start(struct fiber *fiber, pirn_fiber_fn body, void *user)
{
    MUST(pirn_fiber_start(&hub, &fiber->fiber, fiber->stack, STACK_BYTES, 0, body, user) == 0);
}

#define fiber_join(of) MUST(pirn_fiber_join(&(of)->fiber, PIRN_FOREVER, NULL) == 0)
#define fiber_yield() pirn_fiber_yield(&hub)
#define SETTLE fiber_yield(), fiber_yield()

typedef uint64_t limit_t;
#define FOREVER PIRN_FOREVER
#define LIMIT (5 * NS_PER_S)

#define park(of, limit) MUST(pirn_fiber_park(&hub, limit) == 0)
#define unpark(of) pirn_fiber_wake(&(of)->fiber, 0)

struct queue { struct pirn_queue queue; };

static void queue_open(struct queue *queue, uint32_t capacity)
{
    size_t size = capacity * sizeof(void *);
    MUST(pirn_queue_init(&queue->queue, zeroed(1, size), size, sizeof(void *), PIRN_QUEUE_FIFO)
         == 0);
}

static inline void queue_put(struct queue *queue, void *item)
{
    MUST(pirn_queue_put(&hub, &queue->queue, &item, PIRN_FOREVER) == 0);
}

static inline void *queue_get(struct queue *queue, limit_t limit)
{
    void *item;
    MUST(pirn_queue_get(&hub, &queue->queue, &item, limit) == 0);
    return item;
}

struct port { struct pirn_port port; };

#define port_open(of, fd) MUST(pirn_port_open(&hub, &(of)->port, fd, 0) == 0)
#define port_read(of, buffer, size, limit) pirn_port_read(&(of)->port, buffer, size, limit)
#define port_write(of, buffer, size) pirn_port_write(&(of)->port, buffer, size, PIRN_FOREVER)

#define SERVER_CALLBACK(name)                                                                      \
    void name(struct pirn_loop *loop, struct pirn_io io, int fd, uint32_t ready, void *user)
#define server_watch(fd, callback)                                                                 \
    MUST(pirn_io_add(pirn_hub_loop(&hub), fd, PIRN_READ, callback, NULL, NULL) == 0)

static int main_fiber(struct pirn_hub *here, void *user)
{
    ((void (*)(void))user)();
    return pirn_stop(pirn_hub_loop(here));
}

static void program_run(void (*body)(void))
{
    enum { MAIN_STACK = 1 << 18 };
    static struct pirn_fiber fiber;
    struct pirn_config config = {.size = sizeof config, .backend = PIRN_BACKEND_EPOLL,
                                 .io = PORTS_MAX + 8, .timers = 8, .tasks = 8};
    size_t size = pirn_storage_size(config.io, config.timers, config.tasks);
    struct pirn_loop *loop;
    MUST(pirn_init(&loop, zeroed(1, size), size, &config) == 0);
    MUST(pirn_hub_init(loop, &hub, 63) == 0);
    MUST(pirn_fiber_start(&hub, &fiber, zeroed(1, MAIN_STACK), MAIN_STACK, 0, main_fiber,
                          (void *)body) == 0);
    MUST(pirn_run(loop) == PIRN_STOPPED);
}

#include "../fibers.h"
