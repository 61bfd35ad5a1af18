/*
 * queues: three orders, and every kind of wait for a bounded queue.
 *
 * Shows: first in first out, last in first out, and by priority; a queue that is full or empty,
 * asked without waiting, with a limit, and without one; `done` and `join`, to wait until the work
 * is not only fetched but finished; closing, which ends all waits.
 * Watch for: join returns when pirn_queue_done was called for each item that was put, no matter
 * whether the queue is empty.
 * Next: baozi.c, where producers and consumers meet.
 *
 *     ./build/gallery/queues                       takes 8 seconds; with --self-test no time
 */
#include <pirn/sync.h>

#include "virtual.h"

static PIRN_STORAGE(block, 2, 2, 4);
static struct pirn_hub hub;
static struct pirn_queue queue;
static int room[3];
PIRN_POOL(pool, 3, 16384);

static int is_smaller(const void *a, const void *b)
{
    return *(const int *)a < *(const int *)b;
}

static void prepare(uint32_t order)
{
    CHECK(pirn_queue_init(&queue, room, sizeof room, sizeof room[0], order) == 0);
}

static int get(void)
{
    int item = -1;

    CHECK(pirn_queue_get(&hub, &queue, &item, 0) == 0);
    return item;
}

/* The digits in which 2, 3 and 1 come out. */
static int order_of_three(void)
{
    int first, second;

    for (int at = 0; at < 3; at++)
        CHECK(pirn_queue_put(&hub, &queue, &(const int[]){ 2, 3, 1 }[at], 0) == 0);
    first = get(), second = get();
    return first * 100 + second * 10 + get();
}

static void full_and_empty(void)
{
    int item = 7;

    prepare(PIRN_QUEUE_FIFO);
    new_story(&hub, "empty, and full");
    CHECK(pirn_queue_get(&hub, &queue, &item, 0) == -EAGAIN);
    CHECK(pirn_queue_get(&hub, &queue, &item, SECOND) == -ETIMEDOUT);
    tell(&hub, "still empty");
    for (int at = 0; at < 3; at++)
        CHECK(pirn_queue_put(&hub, &queue, &item, 0) == 0);
    CHECK(pirn_queue_size(&queue) == 3);
    CHECK(pirn_queue_put(&hub, &queue, &item, 0) == -EAGAIN);
    CHECK(pirn_queue_put(&hub, &queue, &item, SECOND) == -ETIMEDOUT);
    tell(&hub, "still full");
    story_is("1.0 still empty\n2.0 still full\n");
}

/* Fetch an item, work on it for two seconds, and say that it is done; until the queue is closed. */
static int work(struct pirn_hub *its_hub, void *user)
{
    int item;

    (void)user;
    while (pirn_queue_get(its_hub, &queue, &item, PIRN_FOREVER) == 0) {
        pirn_fiber_sleep(its_hub, 2 * SECOND);
        tell(its_hub, "%d is done", item);
        CHECK(pirn_queue_done(&queue) == 0);
    }
    tell(its_hub, "home");
    return 0;
}

static void work_until_all_is_done(void)
{
    prepare(PIRN_QUEUE_FIFO);
    new_story(&hub, "two workers, five items, room for three");
    for (int at = 0; at < 2; at++)
        CHECK(pirn_pool_spawn(&hub, &pool, work, NULL, 0, PIRN_FOREVER) == 0);
    for (int item = 1; item <= 5; item++)
        CHECK(pirn_queue_put(&hub, &queue, &item, PIRN_FOREVER) == 0);
    CHECK(pirn_queue_join(&hub, &queue, SECOND) == -ETIMEDOUT);
    CHECK(pirn_queue_join(&hub, &queue, PIRN_FOREVER) == 0);
    tell(&hub, "all is done");
    CHECK(pirn_queue_done(&queue) == -EINVAL);       /* once too often */
    CHECK(pirn_queue_close(&queue, PIRN_QUEUE_DRAIN) == 0);
    CHECK(pirn_queue_put(&hub, &queue, &(int){ 6 }, 0) == -ESHUTDOWN);
    CHECK(pirn_group_join(&hub, &pool.group, PIRN_FOREVER) == 0);
    story_is("2.0 1 is done\n2.0 2 is done\n4.0 3 is done\n4.0 4 is done\n6.0 5 is done\n"
             "6.0 all is done\n6.0 home\n6.0 home\n");
}

int main(int argc, char **argv)
{
    struct pirn_loop *loop = virtual_begin(argc, argv, block, sizeof block, &hub);

    prepare(PIRN_QUEUE_FIFO);
    CHECK(order_of_three() == 231);
    prepare(PIRN_QUEUE_LIFO);
    CHECK(order_of_three() == 132);
    CHECK(pirn_queue_init_priority(&queue, room, sizeof room, sizeof room[0], is_smaller) == 0);
    CHECK(order_of_three() == 123);
    full_and_empty();
    work_until_all_is_done();
    puts("queues: 2 3 1, 1 3 2, 1 2 3; full, empty, late, done, joined and closed");
    return loop_end(loop, &hub);
}
