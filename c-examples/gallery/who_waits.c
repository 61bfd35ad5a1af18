/*
 * who_waits: on a signal, a program prints what each of its fibers waits for.
 *
 * Shows: the question that a program that hangs raises. pirn_fiber_next walks over the fibers of a
 * hub, and pirn_fiber_info describes one. The signal handler only raises a bit; the loop's thread
 * prints. Watch for: the two philosophers hold a fork each, and wait for the other's. The mutex
 * refuses a cycle of waits without a limit (-EDEADLK); with a limit it is allowed, and whoever asks
 * sees the names. `pirn bt` of tools/gdb/pirn.py prints the same of a process that has died, and
 * where in the program each fiber waits.
 * Next: resolve.c, where a wait is for a thread.
 *
 *     ./build/gallery/who_waits                    press Ctrl-\ ; ends after 5 seconds
 */
#include <signal.h>

#include <pirn/sync.h>

#include "virtual.h"

static PIRN_STORAGE(block, 8, 4, 4);
static struct pirn_loop *loop;
static struct pirn_hub hub;
static struct pirn_mutex forks[2];
static struct pirn_queue orders;
static struct pirn_fiber guests[2], waiter_, doorman;
static char stacks[4][16384];

/* ---- the answer ---- */

static const char *words_for(uint32_t waits_for)
{
    switch (waits_for) {
    case 0: return "nothing: it is ready, or runs";
    case PIRN_FOR_WAKE: return "time, or to be woken";
    case PIRN_FOR_PORT: return "an fd";
    case PIRN_FOR_FIBER: return "the end of a fiber";
    case PIRN_FOR_MUTEX: return "a mutex";
    case PIRN_FOR_QUEUE: return "a queue";
    default: return "something else";
    }
}

static void print_waiting_fibers(void)
{
    struct pirn_fiber *fiber = NULL;

    while ((fiber = pirn_fiber_next(&hub, fiber)) != NULL) {
        struct pirn_fiber_info info = { 0 };

        info.size = sizeof info;
        CHECK(pirn_fiber_info(fiber, &info) == 0);
        if (info.deadline_ns != 0)
            tell(&hub, "%s waits for %s, %u ms more", info.name, words_for(info.waits_for),
                 (unsigned)((info.deadline_ns - pirn_now(loop) + MS - 1) / MS));
        else
            tell(&hub, "%s waits for %s", info.name, words_for(info.waits_for));
    }
}

static void on_raised(struct pirn_loop *its_loop, struct pirn_io io, int bit, uint32_t ready,
                      void *user)
{
    (void)its_loop, (void)io, (void)bit, (void)ready, (void)user;
    print_waiting_fibers();
}

static void on_quit(int number)
{
    (void)number;
    pirn_raise(loop, 0);
}

/* ---- the program that hangs ---- */

static int dine(struct pirn_hub *its_hub, void *user)
{
    int own = user == &guests[1];

    CHECK(pirn_mutex_lock(its_hub, &forks[own], PIRN_FOREVER) == 0);
    pirn_fiber_sleep(its_hub, 100 * MS);
    if (pirn_mutex_lock(its_hub, &forks[!own], 5 * SECOND) == 0)
        CHECK(pirn_mutex_unlock(its_hub, &forks[!own]) == 0);
    return pirn_mutex_unlock(its_hub, &forks[own]);
}

static int serve(struct pirn_hub *its_hub, void *user)
{
    int order;

    (void)user;
    return pirn_queue_get(its_hub, &orders, &order, PIRN_FOREVER);
}

static int open_the_door(struct pirn_hub *its_hub, void *user)
{
    (void)user;
    pirn_fiber_sleep(its_hub, SECOND);
    if (is_self_test)
        raise(SIGQUIT);
    return 0;
}

static void start(struct pirn_fiber *fiber, char *stack, pirn_fiber_fn body, const char *name)
{
    CHECK(pirn_fiber_start(&hub, fiber, stack, sizeof stacks[0], 0, body, fiber) == 0);
    fiber->name = name;
}

int main(int argc, char **argv)
{
    struct pirn_io handler;
    int room[4], result;

    loop = virtual_begin(argc, argv, block, sizeof block, &hub);
    CHECK(pirn_raise_add(loop, 0, PIRN_UNREF, on_raised, NULL, &handler) == 0);
    CHECK(signal(SIGQUIT, on_quit) != SIG_ERR);
    CHECK(pirn_queue_init(&orders, room, sizeof room, sizeof room[0], PIRN_QUEUE_FIFO) == 0);
    start(&guests[0], stacks[0], dine, "Plato");
    start(&guests[1], stacks[1], dine, "Kant");
    start(&waiter_, stacks[2], serve, "the waiter");
    start(&doorman, stacks[3], open_the_door, "the doorman");

    CHECK(pirn_fiber_join(&guests[0], PIRN_FOREVER, NULL) == 0);
    CHECK(pirn_fiber_join(&guests[1], PIRN_FOREVER, NULL) == 0);
    CHECK(pirn_queue_close(&orders, PIRN_QUEUE_DRAIN) == 0);
    CHECK(pirn_fiber_join(&waiter_, PIRN_FOREVER, &result) == 0 && result == -ESHUTDOWN);
    CHECK(pirn_io_remove(loop, handler) == 0);
    story_is("1.0 the waiter waits for a queue\n"
             "1.0 Kant waits for a mutex, 4100 ms more\n"
             "1.0 Plato waits for a mutex, 4100 ms more\n");
    return loop_end(loop, &hub);
}
