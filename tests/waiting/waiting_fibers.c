/* Fibers that wait in different ways, for ever, until the program ends itself by a signal. */
#include <stdlib.h>
#include <unistd.h>

#include <pirn/fiber.h>
#include <pirn/sync.h>

static PIRN_STORAGE(block, 8, 8, 8);
static struct pirn_hub hub;
static struct pirn_port port;
static struct pirn_mutex lock;
static struct pirn_fiber fibers[4];
static char stacks[4][16384];

__attribute__((noinline)) static int three_levels_down(struct pirn_hub *hub_, int level)
{
    volatile int result = level > 1 ? three_levels_down(hub_, level - 1)
                                    : pirn_fiber_park(hub_, PIRN_FOREVER);
    return result;
}

static int parks(struct pirn_hub *hub_, void *user)
{
    (void)user;
    return three_levels_down(hub_, 3);
}

static int reads(struct pirn_hub *hub_, void *user)
{
    char byte;
    (void)hub_;
    return (int)pirn_port_read(user, &byte, 1, PIRN_FOREVER);
}

static int locks(struct pirn_hub *hub_, void *user)
{
    (void)user;
    return pirn_mutex_lock(hub_, &lock, PIRN_FOREVER);
}

static int dies(struct pirn_hub *hub_, void *user)
{
    (void)user;
    pirn_fiber_sleep(hub_, 1000000);
    abort();
}

int main(void)
{
    struct pirn_loop *loop;
    int fds[2];
    if (pirn_init(&loop, block, sizeof block, NULL) < 0 || pirn_hub_init(loop, &hub, 63) < 0 ||
        pipe(fds) < 0 || pirn_port_open(&hub, &port, fds[0], 0) < 0)
        return 1;
    pirn_fiber_start(&hub, &fibers[0], stacks[0], sizeof stacks[0], 0, parks, NULL);
    pirn_fiber_start(&hub, &fibers[1], stacks[1], sizeof stacks[1], 0, reads, &port);
    pirn_mutex_lock(&hub, &lock, PIRN_FOREVER);
    pirn_fiber_start(&hub, &fibers[2], stacks[2], sizeof stacks[2], 0, locks, NULL);
    pirn_fiber_start(&hub, &fibers[3], stacks[3], sizeof stacks[3], 0, dies, NULL);
    fibers[0].name = "parked";
    fibers[1].name = "reader";
    return pirn_run(loop);
}
