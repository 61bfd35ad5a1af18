/*
 * baozi: cooks that steam dumplings, and guests that eat them.
 *
 * Shows: a bounded queue between producers and consumers, which do not know each other. Cooks wait
 * while the counter is full, guests while it is empty, and the slower side determines the speed.
 * Watch for: the cooks are faster here. After a few seconds each of them waits for room, and the
 * counter never holds more than five dumplings: so the memory is bounded.
 * Next: executor.c, with a queue of work for threads.
 *
 *     ./build/gallery/baozi                        takes 15 seconds; with --self-test no time
 */
#include <pirn/sync.h>

#include "virtual.h"

#define COOKS 2
#define GUESTS 3
#define EACH 15
#define ROOM 5

static PIRN_STORAGE(block, 2, 2, 4);
static struct pirn_hub hub;
static struct pirn_queue counter;
static struct dumpling { int cook, number; } places[ROOM];
static int eaten[COOKS][EACH], most, waits_of_cooks;
PIRN_POOL(cooks, COOKS, 16384);
PIRN_POOL(guests, GUESTS, 16384);

static int cook(struct pirn_hub *its_hub, void *argument)
{
    struct dumpling dumpling = { *(int *)argument, 0 };

    for (; dumpling.number < EACH; dumpling.number++) {
        pirn_fiber_sleep(its_hub, 500 * MS);
        if (pirn_queue_put(its_hub, &counter, &dumpling, 0) == -EAGAIN) {
            waits_of_cooks++;
            CHECK(pirn_queue_put(its_hub, &counter, &dumpling, PIRN_FOREVER) == 0);
        }
        tell(its_hub, "cook %d has made number %d", dumpling.cook, dumpling.number);
        if (pirn_queue_size(&counter) > most)
            most = pirn_queue_size(&counter);
    }
    return 0;
}

static int guest(struct pirn_hub *its_hub, void *argument)
{
    struct dumpling dumpling;
    int count = 0;

    while (pirn_queue_get(its_hub, &counter, &dumpling, PIRN_FOREVER) == 0) {
        eaten[dumpling.cook][dumpling.number]++;
        count++;
        pirn_fiber_sleep(its_hub, 1500 * MS);
    }
    tell(its_hub, "guest %d has eaten %d", *(int *)argument, count);
    return count;
}

int main(int argc, char **argv)
{
    struct pirn_loop *loop = virtual_begin(argc, argv, block, sizeof block, &hub);

    CHECK(pirn_queue_init(&counter, places, sizeof places, sizeof places[0], PIRN_QUEUE_FIFO) == 0);
    for (int at = 0; at < GUESTS; at++)
        CHECK(pirn_pool_spawn(&hub, &guests, guest, &at, sizeof at, PIRN_FOREVER) == 0);
    for (int at = 0; at < COOKS; at++)
        CHECK(pirn_pool_spawn(&hub, &cooks, cook, &at, sizeof at, PIRN_FOREVER) == 0);

    CHECK(pirn_group_join(&hub, &cooks.group, PIRN_FOREVER) == 0);
    CHECK(pirn_queue_close(&counter, PIRN_QUEUE_DRAIN) == 0);      /* the rest is eaten */
    CHECK(pirn_group_join(&hub, &guests.group, PIRN_FOREVER) == 0);

    for (int at = 0; at < COOKS * EACH; at++)
        CHECK(eaten[at / EACH][at % EACH] == 1);     /* each dumpling once */
    CHECK(most <= ROOM);
    CHECK(!is_self_test || (most == ROOM && waits_of_cooks > 0));
    printf("baozi: %d dumplings eaten once each, never more than %d on the counter; "
           "cooks waited %d times\n", COOKS * EACH, most, waits_of_cooks);
    return loop_end(loop, &hub);
}
