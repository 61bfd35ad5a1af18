/* Some fibers for a test, and the loop in which they run. Include it after test.h. */
#ifndef FIBERS_H
#define FIBERS_H

#include <pirn/fiber.h>

#include "hub.h"

#define STACK 16384
#define FIBERS 16

DECLARE_BLOCK(block);
static struct pirn_fiber fibers[FIBERS];
static uint64_t stacks[FIBERS][STACK / 8];

/* Opens the loop, with the flags of a configuration. No fiber was ever started. */
static inline void open_fibers(uint32_t flags)
{
    open_hub_in(block, sizeof block, flags);
    memset(fibers, 0, sizeof fibers);
}

/* Closes the loop, when all fibers have ended. */
static inline void close_fibers(void)
{
    CHECK(pirn_fiber_next(&hub, NULL) == NULL);
    close_hub();
}

static inline struct pirn_fiber *start(int which, pirn_fiber_fn body, void *user)
{
    OK(pirn_fiber_start(&hub, &fibers[which], stacks[which], STACK, 0, body, user));
    return &fibers[which];
}

/* When its wait ends by itself; 0: never. */
static inline uint64_t deadline_of(const struct pirn_fiber *fiber)
{
    struct pirn_fiber_info info = { .size = sizeof info };
    OK(pirn_fiber_info(fiber, &info));
    return info.deadline_ns;
}

#endif
