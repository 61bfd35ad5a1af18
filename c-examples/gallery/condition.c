/*
 * condition: two speakers recite a poem, line by line, in turn.
 *
 * Shows: with a condition a fiber waits until an expression of your own is true, here "it is my
 * turn". The mutex is unlocked while the fiber waits, and locked again before it continues. Watch
 * for: wait in a loop that checks the expression again. There are no spurious wake-ups here, but
 * notifying all also wakes fibers for which it is not true: the listeners count how often. Next:
 * barrier.c, where all wait for all.
 *
 *     ./build/gallery/condition                    takes 2 seconds; with --self-test no time
 */
#include <pirn/sync.h>

#include "virtual.h"

static const char *const poem[] = { "Tyger Tyger, burning bright,", "In the forests of the night;",
                                    "What immortal hand or eye,",
                                    "Could frame thy fearful symmetry?" };
#define LINES (sizeof poem / sizeof poem[0])

static PIRN_STORAGE(block, 2, 2, 4);
static struct pirn_hub hub;
static struct pirn_mutex lock;
static struct pirn_condition line_is_over;
static size_t line;                                  /* protected by the lock */
static int in_vain;
PIRN_POOL(pool, 4, 16384);

/* Who is 0 or 1, and recites each second line. */
static int recite(struct pirn_hub *its_hub, void *argument)
{
    size_t who = *(size_t *)argument;

    CHECK(pirn_mutex_lock(its_hub, &lock, PIRN_FOREVER) == 0);
    for (size_t mine = who; mine < LINES; mine += 2) {
        while (line != mine)
            CHECK(pirn_condition_wait(its_hub, &line_is_over, &lock, PIRN_FOREVER) == 0);
        tell(its_hub, "%c: %s", (int)('A' + who), poem[line]);
        pirn_fiber_sleep(its_hub, 500 * MS);         /* with the lock: nobody interrupts */
        line++;
        CHECK(pirn_condition_notify(&line_is_over, UINT32_MAX) >= 0);
    }
    return pirn_mutex_unlock(its_hub, &lock);
}

static int listen_to_the_end(struct pirn_hub *its_hub, void *user)
{
    (void)user;
    CHECK(pirn_mutex_lock(its_hub, &lock, PIRN_FOREVER) == 0);
    while (line < LINES) {
        in_vain++;
        CHECK(pirn_condition_wait(its_hub, &line_is_over, &lock, PIRN_FOREVER) == 0);
    }
    tell(its_hub, "applause");
    return pirn_mutex_unlock(its_hub, &lock);
}

int main(int argc, char **argv)
{
    struct pirn_loop *loop = virtual_begin(argc, argv, block, sizeof block, &hub);

    for (int at = 0; at < 2; at++)
        CHECK(pirn_pool_spawn(&hub, &pool, listen_to_the_end, NULL, 0, PIRN_FOREVER) == 0);
    for (size_t who = 2; who-- > 0;)                 /* B comes first, and has to wait */
        CHECK(pirn_pool_spawn(&hub, &pool, recite, &who, sizeof who, PIRN_FOREVER) == 0);
    CHECK(pirn_group_join(&hub, &pool.group, PIRN_FOREVER) == 0 && pool.group.result == 0);
    story_is("0.0 A: Tyger Tyger, burning bright,\n0.5 B: In the forests of the night;\n"
             "1.0 A: What immortal hand or eye,\n1.5 B: Could frame thy fearful symmetry?\n"
             "2.0 applause\n2.0 applause\n");
    printf("condition: four lines in turn; two listeners were woken, and waited, %d times\n",
           in_vain);
    CHECK(in_vain == 2 * 3);                         /* those who wait for the lock are not woken */
    return loop_end(loop, &hub);
}
