/*
 * deadlock: two fibers that each hold what the other one wants.
 *
 * Shows: pirn_mutex_lock refuses a lock that would close a ring of owners that wait for one
 * another: the last fiber gets -EDEADLK, and nothing hangs. The solution is to take locks in the
 * same order everywhere. A fiber that locks a mutex twice is a ring of one: a recursive lock allows
 * it.
 * Watch for: a fiber that gets -EDEADLK must release its own lock before it tries again, or the
 * other one waits for ever.
 * Next: karaoke.c, where more than one may enter.
 *
 *     ./build/gallery/deadlock                     --self-test checks who waits for whom
 */
#include <pirn/sync.h>

#include "virtual.h"

static PIRN_STORAGE(block, 2, 2, 4);
static struct pirn_hub hub;
static struct pirn_mutex knife, fork_;
PIRN_POOL(eaters, 2, 16384);

struct eater { const char *name; struct pirn_mutex *first, *second; };

/* Returns -EDEADLK if the second lock was refused. */
static int take_both(struct pirn_hub *its_hub, const struct eater *eater)
{
    int rc;

    CHECK(pirn_mutex_lock(its_hub, eater->first, PIRN_FOREVER) == 0);
    tell(its_hub, "%s has the first", eater->name);
    pirn_fiber_sleep(its_hub, SECOND);
    rc = pirn_mutex_lock(its_hub, eater->second, PIRN_FOREVER);
    if (rc < 0)
        CHECK(pirn_mutex_unlock(its_hub, eater->first) == 0);
    return rc;
}

static int eat(struct pirn_hub *its_hub, void *argument)
{
    struct eater *eater = argument;

    while (take_both(its_hub, eater) == -EDEADLK) {
        tell(its_hub, "%s gives up the first", eater->name);
        pirn_fiber_sleep(its_hub, 500 * MS);
    }
    tell(its_hub, "%s eats", eater->name);
    CHECK(pirn_mutex_unlock(its_hub, eater->second) == 0);
    return pirn_mutex_unlock(its_hub, eater->first);
}

static void both_eat(struct eater a, struct eater b)
{
    CHECK(pirn_pool_spawn(&hub, &eaters, eat, &a, sizeof a, PIRN_FOREVER) == 0);
    CHECK(pirn_pool_spawn(&hub, &eaters, eat, &b, sizeof b, PIRN_FOREVER) == 0);
    CHECK(pirn_group_join(&hub, &eaters.group, PIRN_FOREVER) == 0 && eaters.group.result == 0);
}

/* A function that locks, and calls another one that locks. The main program locks as fibers do. */
static int lock_twice(uint32_t options)
{
    struct pirn_mutex mutex;
    int rc;

    CHECK(pirn_mutex_init(&mutex, options) == 0);
    CHECK(pirn_mutex_lock(&hub, &mutex, PIRN_FOREVER) == 0);
    rc = pirn_mutex_lock(&hub, &mutex, PIRN_FOREVER);
    if (rc == 0)
        CHECK(pirn_mutex_unlock(&hub, &mutex) == 0);
    CHECK(pirn_mutex_unlock(&hub, &mutex) == 0);
    CHECK(pirn_mutex_unlock(&hub, &mutex) == -EPERM);
    return rc;
}

int main(int argc, char **argv)
{
    struct pirn_loop *loop = virtual_begin(argc, argv, block, sizeof block, &hub);

    new_story(&hub, "each begins with another one: a ring");
    both_eat((struct eater){ "Ann", &knife, &fork_ }, (struct eater){ "Bob", &fork_, &knife });
    story_is("0.0 Ann has the first\n0.0 Bob has the first\n1.0 Bob gives up the first\n"
             "1.0 Ann eats\n1.5 Bob has the first\n2.5 Bob eats\n");

    new_story(&hub, "both begin with the knife: no ring");
    both_eat((struct eater){ "Ann", &knife, &fork_ }, (struct eater){ "Bob", &knife, &fork_ });
    story_is("0.0 Ann has the first\n1.0 Ann eats\n1.0 Bob has the first\n2.0 Bob eats\n");

    CHECK(lock_twice(0) == -EDEADLK);
    CHECK(lock_twice(PIRN_MUTEX_RECURSIVE) == 0);
    puts("deadlock: the ring is refused; one order for all, and a recursive lock, cure it");
    return loop_end(loop, &hub);
}
