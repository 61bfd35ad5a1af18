/* Programs that use some parts of the library: PARTS says which. They are linked, and not run. */
#include <stdbool.h>
#include <stddef.h>

#include <pirn/fiber.h>
#include <pirn/sync.h>

#define TIMEOUT 5000000000u

static PIRN_ZERO_STORAGE(block, 8, 8, 8);
static struct pirn_loop *loop;
static struct pirn_hub hub;

static void on_io(struct pirn_loop *here, struct pirn_io io, int fd, uint32_t ready, void *user)
{
    (void)fd, (void)ready, (void)user;
    pirn_io_remove(here, io);
}

static void on_timer(struct pirn_loop *here, struct pirn_timer timer, uint64_t missed, void *user)
{
    (void)timer, (void)missed, (void)user;
    pirn_stop(here);
}

/* Callbacks for an fd and a timer. */
static int callbacks(void)
{
    static struct pirn_io io;
    static struct pirn_timer timer;
    struct pirn_config config = PIRN_CONFIG(block);
    if (pirn_init(&loop, block, sizeof block, &config) < 0
        || pirn_io_add(loop, 0, PIRN_READ, on_io, NULL, &io) < 0
        || pirn_timer_start(loop, TIMEOUT, 0, 0, on_timer, NULL, &timer) < 0)
        return 1;
    return pirn_run(loop);
}

static int echoes(struct pirn_hub *here, void *user)
{
    struct pirn_port port;
    char message[64];
    intptr_t size;
    if (pirn_port_open(here, &port, *(int *)user, 0) < 0)
        return 1;
    while ((size = pirn_port_read(&port, message, sizeof message, TIMEOUT)) > 0)
        if (pirn_port_write(&port, message, (size_t)size, TIMEOUT) < 0)
            break;
    return pirn_port_close(&port);
}

/* Fibers, ports and time limits. */
static int fibers(void)
{
    static struct pirn_fiber fiber;
    static char stack[4096];
    static int fd;
    if (pirn_hub_init(loop, &hub, 63) < 0
        || pirn_fiber_start(&hub, &fiber, stack, sizeof stack, 0, echoes, &fd) < 0)
        return 1;
    return pirn_run(loop) + pirn_hub_deinit(&hub);
}

PIRN_POOL(members, 4, 4096);

/* A pool of them. */
static int pool(void)
{
    int fd = 0;
    return pirn_pool_spawn(&hub, &members, echoes, &fd, sizeof fd, TIMEOUT);
}

static int event(void)
{
    static struct pirn_event own;
    return pirn_event_set(&own) + pirn_event_wait(&hub, &own, TIMEOUT) + pirn_event_clear(&own);
}

static struct pirn_mutex lock;

static int mutex(void)
{
    return pirn_mutex_lock(&hub, &lock, TIMEOUT) + pirn_mutex_unlock(&hub, &lock);
}

static int condition(void)
{
    static struct pirn_condition own;
    return mutex() + pirn_condition_wait(&hub, &own, &lock, TIMEOUT)
           + pirn_condition_notify(&own, 1);
}

static int semaphore(void)
{
    static struct pirn_semaphore own;
    return pirn_semaphore_acquire(&hub, &own, 1, TIMEOUT) + pirn_semaphore_release(&own, 1);
}

static int barrier(void)
{
    static struct pirn_barrier own;
    return pirn_barrier_init(&own, 2) + pirn_barrier_wait(&hub, &own, TIMEOUT);
}

/* FIFO. */
static int queue(void)
{
    static struct pirn_queue own;
    static void *room[4];
    void *item = NULL;
    return pirn_queue_init(&own, room, sizeof room, sizeof room[0], PIRN_QUEUE_FIFO)
           + pirn_queue_put(&hub, &own, &item, TIMEOUT)
           + pirn_queue_get(&hub, &own, &item, TIMEOUT);
}

int main(int argc, char **argv)
{
    int (*const parts[])(void) = { PARTS };
    int result = 0;
    (void)argc, (void)argv;
    for (size_t at = 0; at < sizeof parts / sizeof parts[0]; at++)
        result += parts[at]();
    return result;
}
