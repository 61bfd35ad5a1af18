/*
 * fibers: spawn, join, sleep; in which order fibers run, and how long it takes.
 *
 * Shows: fibers that do not wait run one after the other; those that sleep take turns, even with a
 * sleep of 0; ten downloads take as long as the slowest; a time limit for all of them; a generator
 * made of two fibers that wake one another.
 *
 *     make && ./build/fibers                       takes a third of a second; exit status 0 if all
 *                                                  claims hold
 */
#include <errno.h>
#include <string.h>

#include <pirn/fiber.h>

#include "check.h"

#define MS UINT64_C(1000000)

static PIRN_STORAGE(block, 4, 4, 4);
static struct pirn_hub hub;
PIRN_POOL(pool, 10, 16384);

static char order[64];

static void note(char letter)
{
    order[strlen(order)] = letter;
}

/* ---- in turn, or one after the other ---- */

static int three_times(struct pirn_hub *its_hub, void *argument)
{
    (void)its_hub;
    for (int at = 0; at < 3; at++)
        note(*(char *)argument);
    return 0;
}

static int three_times_with_a_pause(struct pirn_hub *its_hub, void *argument)
{
    for (int at = 0; at < 3; at++) {
        note(*(char *)argument);
        pirn_fiber_sleep(its_hub, 0);
    }
    return 0;
}

static void run_three(pirn_fiber_fn body, const char *expected)
{
    memset(order, 0, sizeof order);
    for (char name = 'a'; name <= 'c'; name++)
        CHECK(pirn_pool_spawn(&hub, &pool, body, &name, sizeof name, PIRN_FOREVER) == 0);
    CHECK(pirn_group_join(&hub, &pool.group, PIRN_FOREVER) == 0);
    printf("three fibers: %s\n", order);
    CHECK(strcmp(order, expected) == 0);
}

/* ---- many at once ---- */

static int download(struct pirn_hub *its_hub, void *argument)
{
    int number = *(int *)argument;

    /* What would be a connection, a request and an answer. The later ones are the faster ones. */
    if (pirn_fiber_sleep(its_hub, (uint64_t)(10 - number) * 10 * MS) < 0)
        return -ECANCELED;
    note((char)('0' + number));
    return 0;
}

static void start_downloads(void)
{
    memset(order, 0, sizeof order);
    for (int number = 0; number < 10; number++)
        CHECK(pirn_pool_spawn(&hub, &pool, download, &number, sizeof number, PIRN_FOREVER) == 0);
}

static void all_take_as_long_as_the_slowest(struct pirn_loop *loop)
{
    uint64_t begun = pirn_update(loop), took;

    start_downloads();
    CHECK(pirn_group_join(&hub, &pool.group, PIRN_FOREVER) == 0);
    took = pirn_update(loop) - begun;
    printf("ten downloads: %s, in %u ms\n", order, (unsigned)(took / MS));
    CHECK(strcmp(order, "9876543210") == 0);
    CHECK(took >= 100 * MS && took < 500 * MS);      /* not the sum, which is 550 ms */
}

static void a_limit_leaves_the_slow_ones_behind(void)
{
    start_downloads();
    CHECK(pirn_group_join(&hub, &pool.group, 55 * MS) == -ETIMEDOUT);
    CHECK(pool.group.live > 0 && pool.group.live < 10);
    printf("after 55 ms %u of ten are not done\n", (unsigned)pool.group.live);
    pirn_group_cancel(&pool.group);
    CHECK(pirn_group_join(&hub, &pool.group, PIRN_FOREVER) == 0);
    CHECK(pool.group.result == -ECANCELED);          /* the error of a member that has gone */
}

/* ---- a generator ---- */

struct generator { struct pirn_fiber producer, consumer; int value; };

static int squares(struct pirn_hub *its_hub, void *user)
{
    struct generator *generator = user;

    for (int at = 1; at <= 4; at++) {
        generator->value = at * at;
        pirn_fiber_wake(&generator->consumer, 1);
        pirn_fiber_park(its_hub, PIRN_FOREVER);
    }
    return pirn_fiber_wake(&generator->consumer, 0);
}

static int consume(struct pirn_hub *its_hub, void *user)
{
    struct generator *generator = user;
    int sum = 0;

    while (pirn_fiber_park(its_hub, PIRN_FOREVER) > 0) {
        sum += generator->value;
        pirn_fiber_wake(&generator->producer, 0);
    }
    return sum;
}

static void two_that_wake_one_another(void)
{
    static struct generator generator;
    static char stacks[2][16384];
    int sum = 0;

    CHECK(pirn_fiber_start(&hub, &generator.consumer, stacks[0], sizeof stacks[0], 0, consume,
                           &generator) == 0);
    CHECK(pirn_fiber_start(&hub, &generator.producer, stacks[1], sizeof stacks[1], 0, squares,
                           &generator) == 0);
    CHECK(pirn_fiber_join(&generator.consumer, PIRN_FOREVER, &sum) == 0);
    printf("1 + 4 + 9 + 16 = %d\n", sum);
    CHECK(sum == 30);
}

int main(void)
{
    struct pirn_loop *loop;

    CHECK(pirn_init(&loop, block, sizeof block, NULL) == 0);
    CHECK(pirn_hub_init(loop, &hub, 63) == 0);
    run_three(three_times, "aaabbbccc");
    run_three(three_times_with_a_pause, "abcabcabc");
    all_take_as_long_as_the_slowest(loop);
    two_that_wake_one_another();
    a_limit_leaves_the_slow_ones_behind();
    CHECK(pirn_hub_deinit(&hub) == 0);
    return pirn_deinit(loop);
}
