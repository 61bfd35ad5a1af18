/* What objects.py cannot know without the headers. Linked with the library to a shared one. */
#include <pirn/fiber.h>
#include <pirn/sync.h>

#define SIZE(name) const size_t size_of_##name = sizeof(struct pirn_##name);
SIZE(hub)
SIZE(waiter)
SIZE(event)
SIZE(mutex)
SIZE(semaphore)
SIZE(condition)
SIZE(barrier)
SIZE(queue)

#define CAPACITY 8

const size_t size_of_block = PIRN_STORAGE_SIZE(CAPACITY, CAPACITY, CAPACITY);

/* A loop in zeroed memory, and its hub. Returns 0 or a negative errno. */
int host_init(struct pirn_loop **loop, void *block, struct pirn_hub *hub)
{
    struct pirn_config config = {
        .size = sizeof config, .io = CAPACITY, .timers = CAPACITY, .tasks = CAPACITY
    };
    int rc = pirn_init(loop, block, size_of_block, &config);
    return rc < 0 ? rc : pirn_hub_init(*loop, hub, 63);
}
