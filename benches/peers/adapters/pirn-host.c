/* pirn on a simulated host: time stands still, and ready is what the workload says. So neither fds
 * nor sockets are needed, and what is measured is pirn alone. */
#include "../workloads/bench.h"

#include <pirn.h>

enum { WORLD_READY = 100 };

static struct {
    uint32_t count;
    int fds[WORLD_READY];
} world;

static uint64_t world_now(void *user) { return NS_PER_S; }

static int world_wait(uint64_t timeout_ns, struct pirn_ready *ready, size_t capacity, void *user)
{
    uint32_t count = 0;
    while (count < capacity && world.count > 0)
        ready[count++] = (struct pirn_ready){.fd = world.fds[--world.count], .ready = PIRN_READ};
    return (int)count;
}

static const struct pirn_host host = {.size = sizeof host, .now = world_now, .wait = world_wait};

#define BACKEND PIRN_BACKEND_HOST
#define HOST &host
#define WORLD
#include "pirn.c"
