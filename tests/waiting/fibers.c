/* The life of fibers: start, wait, join, cancel, scopes, groups, pools, stacks, misuse. */
#include "test.h"

#include <stdarg.h>

#include "fibers.h"

DECLARE_BLOCK(other_block);

/* The output of the fibers, in order. */
static char written[256];

static void note(const char *format, ...)
{
    va_list arguments;
    size_t used = strlen(written);
    va_start(arguments, format);
    vsnprintf(written + used, sizeof written - used, format, arguments);
    va_end(arguments);
}

#define WRITTEN(text) \
    do { \
        CHECK(strcmp(written, text) == 0 || (printf("it is \"%s\"\n", written), 0)); \
        written[0] = 0; \
    } while (0)

/* ---- switching ---- */

static int takes_turns(struct pirn_hub *hub_, void *name)
{
    for (int round = 0; round < 3; round++) {
        note("%s", (const char *)name);
        OK(pirn_fiber_yield(hub_));
    }
    return 7;
}

static int does_not_yield(struct pirn_hub *hub_, void *name)
{
    (void)hub_;
    for (int round = 0; round < 3; round++)
        note("%s", (const char *)name);
    return 0;
}

static int sleeps(struct pirn_hub *hub_, void *milliseconds)
{
    uint64_t begun = monotonic_ns(), delay = *(const uint32_t *)milliseconds * MILLISECOND;
    OK(pirn_fiber_sleep(hub_, delay));
    CHECK(monotonic_ns() - begun >= delay);
    note("%u ", (unsigned)*(const uint32_t *)milliseconds);
    return 0;
}

/* The limits of all count from the same turn's time, however long it takes to begin the waits. */
static int parks_for(struct pirn_hub *hub_, void *milliseconds)
{
    uint64_t delay = *(const uint32_t *)milliseconds * MILLISECOND;
    EQUAL(pirn_fiber_park(hub_, delay), -ETIMEDOUT);
    note("%u ", (unsigned)*(const uint32_t *)milliseconds);
    return 0;
}

static void fibers_take_turns(void)
{
    int result = 0;
    open_fibers(0);
    start(0, takes_turns, (void *)(uintptr_t)"a");
    start(1, takes_turns, (void *)(uintptr_t)"b");
    start(2, takes_turns, (void *)(uintptr_t)"c");
    WRITTEN("");
    EQUAL(pirn_run(loop), PIRN_DONE);
    WRITTEN("abcabcabc");
    OK(pirn_fiber_join(&fibers[1], 0, &result));
    EQUAL(result, 7);
    start(0, does_not_yield, (void *)(uintptr_t)"a");
    start(1, does_not_yield, (void *)(uintptr_t)"b");
    EQUAL(pirn_run(loop), PIRN_DONE);
    WRITTEN("aaabbb");
    /* The main program waits as fibers do. */
    static const uint32_t delays[] = { 30, 10, 20, 5 };
    for (int at = 0; at < 4; at++)
        start(at, parks_for, (void *)(uintptr_t)&delays[at]);
    OK(pirn_fiber_join(&fibers[0], PIRN_FOREVER, NULL));
    WRITTEN("5 10 20 30 ");
    OK(pirn_fiber_sleep(&hub, MILLISECOND));
    close_fibers();
}

static void notes_between(struct pirn_hub *hub_, struct pirn_waiter *waiter, int result)
{
    (void)hub_, (void)waiter, (void)result;
    CHECK(pirn_fiber_current(&hub) == NULL);
    note("between ");
}

/* A fiber that yields goes behind whatever is ready, be it a fiber or not. */
static void other_waiters_keep_their_place(void)
{
    struct pirn_waiter between;
    open_fibers(0);
    OK(pirn_waiter_init(&hub, &between, notes_between, NULL));
    start(0, takes_turns, (void *)(uintptr_t)"A");
    EQUAL(pirn_park_start(&between, PIRN_FOREVER), PIRN_WAITS);
    OK(pirn_waiter_wake(&between, 0));
    start(1, takes_turns, (void *)(uintptr_t)"B");
    EQUAL(pirn_run(loop), PIRN_DONE);
    WRITTEN("Abetween BABAB");
    close_fibers();
}

/* Switched by hand: each wakes the other and parks. */
static int writes_12_56(struct pirn_hub *hub_, void *other)
{
    note("12 ");
    OK(pirn_fiber_wake(other, 0));
    EQUAL(pirn_fiber_park(hub_, PIRN_FOREVER), 0);
    note("56 ");
    OK(pirn_fiber_wake(other, 3));
    return 0;
}

static int writes_34_78(struct pirn_hub *hub_, void *other)
{
    EQUAL(pirn_fiber_park(hub_, PIRN_FOREVER), 0);
    note("34 ");
    OK(pirn_fiber_wake(other, 0));
    EQUAL(pirn_fiber_park(hub_, PIRN_FOREVER), 3);
    note("78");
    return 0;
}

static void fibers_are_switched_by_hand(void)
{
    open_fibers(0);
    start(1, writes_34_78, &fibers[0]);
    start(0, writes_12_56, &fibers[1]);
    EQUAL(pirn_run(loop), PIRN_DONE);
    WRITTEN("12 34 56 78");
    GIVES(pirn_fiber_wake(&fibers[0], 0), -ENOENT);
    close_fibers();
}

/* ---- misuse ---- */

static int returns_at_once(struct pirn_hub *hub_, void *user)
{
    (void)hub_;
    (void)user;
    return 0;
}

static int parks(struct pirn_hub *hub_, void *user)
{
    (void)user;
    return pirn_fiber_park(hub_, PIRN_FOREVER);
}

static int joins(struct pirn_hub *hub_, void *other)
{
    (void)hub_;
    return pirn_fiber_join(other, PIRN_FOREVER, NULL);
}

static void on_task(struct pirn_loop *loop_, void *user)
{
    (void)loop_;
    (*(int *)user)++;
    /* A callback cannot wait. */
    GIVES(pirn_fiber_sleep(&hub, MILLISECOND), -EDEADLK);
    GIVES(pirn_fiber_yield(&hub), -EDEADLK);
    GIVES(pirn_fiber_park(&hub, PIRN_FOREVER), -EDEADLK);
    GIVES(pirn_fiber_join(&fibers[0], PIRN_FOREVER, NULL), -EDEADLK);
    CHECK(pirn_fiber_current(&hub) == NULL);
}

static void misuse_is_refused(void)
{
    struct pirn_fiber_info info = { 0 };
    struct pirn_scope scope;
    struct pirn_group group = PIRN_ZERO;
    uint64_t stack[STACK / 8];
    int calls = 0;
    open_fibers(0);
    GIVES(pirn_fiber_start(NULL, &fibers[0], stack, STACK, 0, parks, NULL), -EINVAL);
    GIVES(pirn_fiber_start(&hub, NULL, stack, STACK, 0, parks, NULL), -EINVAL);
    GIVES(pirn_fiber_start(&hub, &fibers[0], NULL, STACK, 0, parks, NULL), -EINVAL);
    GIVES(pirn_fiber_start(&hub, &fibers[0], stack, STACK, 0, NULL, NULL), -EINVAL);
    GIVES(pirn_fiber_start(&hub, &fibers[0], stack, STACK, 0x100, parks, NULL), -EINVAL);
    GIVES(pirn_fiber_start(&hub, &fibers[0], stack, PIRN_FIBER_STACK_MIN - 1, 0, parks, NULL),
          -EINVAL);
    GIVES(pirn_fiber_join(NULL, 0, NULL), -EINVAL);
    GIVES(pirn_fiber_join(&fibers[0], 0, NULL), -ENOENT);
    GIVES(pirn_fiber_join_start(&fibers[0], NULL, 0), -EDEADLK);
    GIVES(pirn_fiber_cancel(NULL), -EINVAL);
    GIVES(pirn_fiber_cancel(&fibers[0]), -ENOENT);
    GIVES(pirn_fiber_wake(NULL, 0), -EINVAL);
    GIVES(pirn_fiber_wake(&fibers[0], 0), -ENOENT);
    GIVES(pirn_fiber_sleep(NULL, 1), -EINVAL);
    GIVES(pirn_fiber_park(NULL, 1), -EINVAL);
    GIVES(pirn_fiber_yield(NULL), -EINVAL);
    GIVES(pirn_fiber_yield(&hub), -EDEADLK);
    GIVES(pirn_fiber_park(&hub, PIRN_FOREVER), -EDEADLK);
    GIVES(pirn_fiber_park(&hub, 0), -EAGAIN);
    GIVES(pirn_fiber_await(NULL, PIRN_WAITS), -EINVAL);
    GIVES(pirn_fiber_await(&hub, -EBADF), -EBADF);
    CHECK(pirn_fiber_self(NULL) == NULL && pirn_fiber_current(NULL) == NULL);
    CHECK(pirn_fiber_next(NULL, NULL) == NULL);
    GIVES(pirn_fiber_info(NULL, &info), -EINVAL);
    GIVES(pirn_fiber_info(&fibers[0], NULL), -EINVAL);
    GIVES(pirn_fiber_info(&fibers[0], &info), -EINVAL);
    info.size = sizeof info;
    OK(pirn_fiber_info(&fibers[0], &info));
    EQUAL(info.state, PIRN_FIBER_FRESH);
    GIVES(pirn_scope_enter(&hub, &scope, 1, 0), -EDEADLK);
    GIVES(pirn_scope_enter(NULL, &scope, 1, 0), -EINVAL);
    GIVES(pirn_scope_enter(&hub, NULL, 1, 0), -EINVAL);
    GIVES(pirn_scope_enter(&hub, &scope, PIRN_FOREVER, PIRN_SCOPE_SHIELD), -EINVAL);
    GIVES(pirn_scope_leave(&hub, &scope), -EDEADLK);
    GIVES(pirn_group_add(NULL, &fibers[0]), -EINVAL);
    GIVES(pirn_group_add(&group, NULL), -EINVAL);
    GIVES(pirn_group_add(&group, &fibers[0]), -ENOENT);
    GIVES(pirn_group_cancel(NULL), -EINVAL);
    GIVES(pirn_group_join(&hub, NULL, 0), -EINVAL);
    GIVES(pirn_group_join(&hub, &group, 0), 0);
    GIVES(pirn_fiber_set_hooks(NULL, NULL), -EINVAL);

    /* A live fiber is not started again; a fiber cannot join itself, directly or in a ring. */
    start(0, parks, NULL);
    GIVES(pirn_fiber_start(&hub, &fibers[0], stack, STACK, 0, parks, NULL), -EBUSY);
    GIVES(pirn_fiber_set_hooks(&hub, NULL), -EBUSY);
    GIVES(pirn_hub_deinit(&hub), -EBUSY);
    OK(pirn_group_add(&group, &fibers[0]));
    GIVES(pirn_group_add(&group, &fibers[0]), -EBUSY);
    OK(pirn_task_post(loop, on_task, &calls, NULL));
    EQUAL(pirn_run(loop), PIRN_DONE);
    OK(pirn_task_post(loop, on_task, &calls, NULL));
    GIVES(pirn_fiber_join(&fibers[0], MILLISECOND, NULL), -ETIMEDOUT);
    EQUAL(calls, 2);
    /* A deadlock is seen: the run is over, and a fiber still lives. */
    GIVES(pirn_fiber_join(&fibers[0], PIRN_FOREVER, NULL), -EDEADLK);
    CHECK(pirn_fiber_next(&hub, NULL) == &fibers[0]);
    OK(pirn_fiber_info(&fibers[0], &info));
    EQUAL(info.state, PIRN_FIBER_WAITING);
    EQUAL(info.waits_for, PIRN_FOR_WAKE);
    CHECK(info.used > 0 && info.used < 1024 && info.stack > STACK - 64);
#if defined(__x86_64__) && defined(__OPTIMIZE__)
    CHECK(info.used <= 320);
#endif
    start(1, joins, &fibers[1]);
    start(2, joins, &fibers[3]);
    start(3, joins, &fibers[4]);
    start(4, joins, &fibers[2]);
    EQUAL(pirn_run(loop), PIRN_DONE);
    EQUAL(fibers[1].result, -EDEADLK);
    EQUAL(fibers[4].result, -EDEADLK);
    EQUAL(fibers[2].result + fibers[3].result, 0);

    /* A fiber of another loop cannot be joined. */
    struct pirn_loop *other;
    struct pirn_hub other_hub;
    OPEN(other, other_block, the_backend);
    OK(pirn_hub_init(other, &other_hub, 63));
    GIVES(pirn_fiber_join_start(&fibers[0], pirn_fiber_self(&other_hub), SECOND), -EINVAL);
    GIVES(pirn_group_join_start(&group, pirn_fiber_self(&other_hub), SECOND), -EINVAL);
    OK(pirn_fiber_start(&other_hub, &fibers[5], stacks[5], STACK, 0, returns_at_once, NULL));
    GIVES(pirn_group_add(&group, &fibers[5]), -EINVAL);
    EQUAL(pirn_run(other), PIRN_DONE);
    OK(pirn_hub_deinit(&other_hub));
    CLOSE(other);

    OK(pirn_fiber_cancel(&fibers[0]));
    EQUAL(pirn_run(loop), PIRN_DONE);
    EQUAL(fibers[0].result, -ECANCELED);
    EQUAL(group.result, -ECANCELED);
    close_fibers();
}

static int runs_the_loop(struct pirn_hub *hub_, void *user)
{
    struct pirn_loop *own = pirn_hub_loop(hub_);
    (void)user;
    GIVES(pirn_run(own), -EBUSY);
    GIVES(pirn_turn(own, 0), -EBUSY);
    GIVES(pirn_deinit(own), -EBUSY);
    GIVES(pirn_hub_deinit(hub_), -EBUSY);
    struct pirn_due due;
    memset(&due, 0, sizeof due);
    GIVES(pirn_hub_handle(hub_, &due), -EBUSY);
    CHECK(pirn_fiber_current(hub_) == &fibers[0]);
    return 1;
}

static void fiber_is_inside_a_callback(void)
{
    open_fibers(0);
    start(0, runs_the_loop, NULL);
    EQUAL(pirn_run(loop), PIRN_DONE);
    EQUAL(fibers[0].result, 1);
    close_fibers();
}

/* ---- cancellation ---- */

static int waits_in_vain(struct pirn_hub *hub_, void *user)
{
    int *rounds = user;
    for (*rounds = 0; *rounds < 1000; ++*rounds)
        EQUAL(pirn_fiber_park(hub_, PIRN_FOREVER), -ECANCELED);
    EQUAL(pirn_fiber_park(hub_, 0), -EAGAIN);
    EQUAL(pirn_fiber_sleep(hub_, 0), -ECANCELED);
    OK(pirn_fiber_yield(hub_));
    return -ECANCELED;
}

static int cleans_up(struct pirn_hub *hub_, void *user)
{
    struct pirn_scope scope, inner;
    (void)user;
    EQUAL(pirn_fiber_park(hub_, PIRN_FOREVER), -ECANCELED);
    OK(pirn_scope_enter(hub_, &scope, SECOND, PIRN_SCOPE_SHIELD));
    OK(pirn_fiber_sleep(hub_, MILLISECOND));
    /* What is inside a shield is shielded too. */
    OK(pirn_scope_enter(hub_, &inner, MILLISECOND, 0));
    GIVES(pirn_scope_leave(hub_, &scope), -EINVAL);
    EQUAL(pirn_fiber_sleep(hub_, SECOND), -ECANCELED);
    EQUAL(pirn_scope_leave(hub_, &inner), -ETIMEDOUT);
    OK(pirn_fiber_sleep(hub_, MILLISECOND));
    OK(pirn_scope_leave(hub_, &scope));
    EQUAL(pirn_fiber_sleep(hub_, MILLISECOND), -ECANCELED);
    return 5;
}

/* A fiber that is cancelled before it began still begins, and closes what it was given. */
static void kill_before_start(void)
{
    int rounds = -1;
    open_fibers(0);
    start(0, waits_in_vain, &rounds);
    OK(pirn_fiber_cancel(&fibers[0]));
    OK(pirn_fiber_cancel(&fibers[0]));
    /* A loop that ignores -ECANCELED does not stop the others. */
    start(1, sleeps, (void *)(uintptr_t)&(const uint32_t){ 1 });
    EQUAL(pirn_turn(loop, 0) >= 0, 1);
    CHECK(rounds >= 0 && rounds < 1000);
    EQUAL(pirn_run(loop), PIRN_DONE);
    EQUAL(rounds, 1000);
    EQUAL(fibers[0].result, -ECANCELED);
    WRITTEN("1 ");
    GIVES(pirn_fiber_cancel(&fibers[0]), -ENOENT);
    close_fibers();
}

static void shields_let_a_fiber_clean_up(void)
{
    open_fibers(0);
    start(0, cleans_up, NULL);
    EQUAL(pirn_run(loop), PIRN_DONE);
    OK(pirn_fiber_cancel(&fibers[0]));
    EQUAL(pirn_run(loop), PIRN_DONE);
    EQUAL(fibers[0].result, 5);
    close_fibers();
}

static int cancels_itself(struct pirn_hub *hub_, void *user)
{
    (void)user;
    OK(pirn_fiber_cancel(pirn_fiber_current(hub_)));
    return pirn_fiber_sleep(hub_, SECOND);
}

static void fiber_may_cancel_itself(void)
{
    open_fibers(0);
    start(0, cancels_itself, NULL);
    EQUAL(pirn_run(loop), PIRN_DONE);
    EQUAL(fibers[0].result, -ECANCELED);
    close_fibers();
}

static int limits_its_waits(struct pirn_hub *hub_, void *user)
{
    struct pirn_scope outer, inner;
    (void)user;
    uint64_t begun = monotonic_ns();
    OK(pirn_scope_enter(hub_, &outer, 3 * MILLISECOND, 0));
    /* The call's own limit is distinguished from the scope's. */
    EQUAL(pirn_fiber_park(hub_, MILLISECOND), -ETIMEDOUT);
    OK(pirn_scope_enter(hub_, &inner, SECOND, 0));
    EQUAL(pirn_fiber_park(hub_, 10 * SECOND), -ECANCELED);
    EQUAL(pirn_fiber_park(hub_, PIRN_FOREVER), -ECANCELED);
    EQUAL(pirn_fiber_sleep(hub_, MILLISECOND), -ECANCELED);
    OK(pirn_scope_leave(hub_, &inner));
    EQUAL(pirn_scope_leave(hub_, &outer), -ETIMEDOUT);
    GIVES(pirn_scope_leave(hub_, &outer), -EINVAL);
    CHECK(monotonic_ns() - begun < SECOND);
    OK(pirn_fiber_sleep(hub_, MILLISECOND));
    OK(pirn_scope_enter(hub_, &outer, PIRN_FOREVER, 0));
    OK(pirn_scope_leave(hub_, &outer));
    return 0;
}

static void scopes_limit_all_waits_inside(void)
{
    open_fibers(0);
    start(0, limits_its_waits, NULL);
    EQUAL(pirn_run(loop), PIRN_DONE);
    EQUAL(fibers[0].result, 0);
    close_fibers();
}

/* ---- groups ---- */

static int fails(struct pirn_hub *hub_, void *user)
{
    (void)user;
    OK(pirn_fiber_sleep(hub_, MILLISECOND));
    return -EBADF;
}

static int closes_slowly(struct pirn_hub *hub_, void *user)
{
    struct pirn_scope scope;
    (void)user;
    EQUAL(pirn_fiber_park(hub_, PIRN_FOREVER), -ECANCELED);
    OK(pirn_scope_enter(hub_, &scope, SECOND, PIRN_SCOPE_SHIELD));
    OK(pirn_fiber_sleep(hub_, 2 * MILLISECOND));
    OK(pirn_scope_leave(hub_, &scope));
    note("closed ");
    return 0;
}

static struct pirn_group the_group;

static int joins_the_group(struct pirn_hub *hub_, void *user)
{
    struct pirn_scope scope;
    uint64_t limit = *(const uint64_t *)user;
    int rc;
    OK(pirn_scope_enter(hub_, &scope, limit, 0));
    rc = pirn_group_join(hub_, &the_group, PIRN_FOREVER);
    note("joined ");
    EQUAL(pirn_scope_leave(hub_, &scope), limit < SECOND ? -ETIMEDOUT : 0);
    return rc;
}

static void groups_end_together(void)
{
    struct pirn_group group = PIRN_ZERO;
    open_fibers(0);
    /* A limit of the call leaves the members running. */
    start(0, fails, NULL);
    start(1, parks, NULL);
    OK(pirn_group_add(&group, &fibers[0]));
    OK(pirn_group_add(&group, &fibers[1]));
    EQUAL(group.live, 2);
    GIVES(pirn_group_join(&hub, &group, 0), -EAGAIN);
    GIVES(pirn_group_join(&hub, &group, 5 * MILLISECOND), -ETIMEDOUT);
    EQUAL(group.live, 1);
    OK(pirn_group_cancel(&group));
    OK(pirn_group_join(&hub, &group, PIRN_FOREVER));
    EQUAL(group.live, 0);
    EQUAL(fibers[1].result, -ECANCELED);
    /* A fiber that joins a cancelled group is cancelled. */
    start(2, parks, NULL);
    OK(pirn_group_add(&group, &fibers[2]));
    OK(pirn_group_join(&hub, &group, PIRN_FOREVER));
    EQUAL(fibers[2].result, -ECANCELED);

    /* The first that fails cancels the others. */
    memset(&group, 0, sizeof group);
    group.options = PIRN_GROUP_FAIL_FAST;
    start(0, fails, NULL);
    start(1, parks, NULL);
    start(2, closes_slowly, NULL);
    for (int at = 0; at < 3; at++)
        OK(pirn_group_add(&group, &fibers[at]));
    OK(pirn_group_join(&hub, &group, PIRN_FOREVER));
    EQUAL(group.result, -EBADF);
    EQUAL(fibers[1].result, -ECANCELED);
    WRITTEN("closed ");
    close_fibers();
}

/* The error of a member is kept after the member has ended. */
static void error_of_a_member_that_has_gone(void)
{
    struct pirn_group group = PIRN_ZERO;
    open_fibers(0);
    start(0, fails, NULL);
    OK(pirn_group_add(&group, &fibers[0]));
    OK(pirn_group_join(&hub, &group, PIRN_FOREVER));
    memset(&fibers[0], 0, sizeof fibers[0]);
    EQUAL(group.result, -EBADF);
    close_fibers();
}

/* No member outlives a join that is cancelled, whichever way it is. */
static void cancelled_join_waits_for_its_members(void)
{
    static const uint64_t limits[] = { PIRN_FOREVER, PIRN_FOREVER, MILLISECOND };
    for (int way = 0; way < 3; way++) {
        open_fibers(0);
        memset(&the_group, 0, sizeof the_group);
        start(0, closes_slowly, NULL);
        start(1, joins_the_group, (void *)(uintptr_t)&limits[way]);
        OK(pirn_group_add(&the_group, &fibers[0]));
        if (way == 0)
            OK(pirn_fiber_cancel(&fibers[1]));
        settle(loop, 3);
        if (way == 1)
            OK(pirn_fiber_cancel(&fibers[1]));
        EQUAL(pirn_run(loop), PIRN_DONE);
        EQUAL(fibers[1].result, -ECANCELED);
        WRITTEN("closed joined ");
        close_fibers();
    }
}

static int joins_its_own_group(struct pirn_hub *hub_, void *user)
{
    (void)user;
    return pirn_group_join(hub_, &the_group, PIRN_FOREVER);
}

static void member_cannot_join_its_own_group(void)
{
    open_fibers(0);
    memset(&the_group, 0, sizeof the_group);
    start(0, joins_its_own_group, NULL);
    OK(pirn_group_add(&the_group, &fibers[0]));
    EQUAL(pirn_run(loop), PIRN_DONE);
    EQUAL(fibers[0].result, -EDEADLK);
    close_fibers();
}

/* ---- pools ---- */

PIRN_POOL(pool, 3, 8192);
PIRN_POOL(small_pool, 1, 64);

static void reset_pool(void)
{
    struct pirn_pool_memory memory = pool.memory;
    memset(&pool, 0, sizeof pool);
    pool.memory = memory;
    memset(memory.slots, 0, memory.slot_size * memory.count);
}

static int adds(struct pirn_hub *hub_, void *argument)
{
    const int *numbers = argument;
    CHECK((uintptr_t)argument % 8 == 0);
    OK(pirn_fiber_sleep(hub_, MILLISECOND));
    CHECK(pool.group.live <= 3);
    note("%d ", numbers[0] + numbers[1]);
    return 0;
}

static int spawns_inside(struct pirn_hub *hub_, void *argument)
{
    int rc = 0;
    (void)argument;
    /* All members wait to spawn: the last of them gets an error. */
    for (int at = 0; at < 3 && rc == 0; at++)
        rc = pirn_pool_spawn(hub_, &pool, spawns_inside, NULL, 0, PIRN_FOREVER);
    if (rc == -EDEADLK)
        note("deadlock ");
    return rc;
}

static int spawns_and_is_cancelled(struct pirn_hub *hub_, void *argument)
{
    (void)argument;
    int rc = pirn_pool_spawn(hub_, &pool, parks, NULL, 0, PIRN_FOREVER);
    note("%d ", rc);
    return 0;
}

static void pools_are_bounded(void)
{
    open_fibers(0);
    reset_pool();
    for (int at = 0; at < 10; at++) {
        int numbers[2] = { at, 100 };
        OK(pirn_pool_spawn(&hub, &pool, adds, numbers, sizeof numbers, PIRN_FOREVER));
    }
    OK(pirn_group_join(&hub, &pool.group, PIRN_FOREVER));
    WRITTEN("100 101 102 103 104 105 106 107 108 109 ");
    EQUAL(pool.state.peak, 3);

    for (int at = 0; at < 3; at++)
        OK(pirn_pool_spawn(&hub, &pool, parks, NULL, 0, PIRN_FOREVER));
    GIVES(pirn_pool_spawn(&hub, &pool, parks, NULL, 0, 0), -EAGAIN);
    GIVES(pirn_pool_spawn(&hub, &pool, parks, NULL, 0, MILLISECOND), -ETIMEDOUT);
    GIVES(pirn_pool_spawn(&hub, &pool, NULL, NULL, 0, 0), -EINVAL);
    GIVES(pirn_pool_spawn(&hub, &pool, parks, NULL, 1, 0), -EINVAL);
    GIVES(pirn_pool_spawn(&hub, &pool, parks, &pool, PIRN_POOL_ARGUMENT + 1, 0), -EINVAL);
    GIVES(pirn_pool_spawn(&hub, NULL, parks, NULL, 0, 0), -EINVAL);
    GIVES(pirn_pool_spawn(NULL, &pool, parks, NULL, 0, 0), -EINVAL);
    GIVES(pirn_pool_spawn(&hub, &small_pool, parks, NULL, 0, 0), -EINVAL);
    OK(pirn_group_cancel(&pool.group));
    OK(pirn_group_join(&hub, &pool.group, PIRN_FOREVER));
    close_fibers();
}

/* Cancelling a pool also cancels waits to spawn. */
static void kill_reaches_the_waiting_spawners(void)
{
    open_fibers(0);
    reset_pool();
    for (int at = 0; at < 3; at++)
        OK(pirn_pool_spawn(&hub, &pool, parks, NULL, 0, 0));
    start(0, spawns_and_is_cancelled, NULL);
    start(1, spawns_and_is_cancelled, NULL);
    settle(loop, 3);
    OK(pirn_fiber_cancel(&fibers[0]));
    OK(pirn_group_cancel(&pool.group));
    EQUAL(pirn_run(loop), PIRN_DONE);
    WRITTEN("-125 -125 ");
    GIVES(pirn_pool_spawn(&hub, &pool, parks, NULL, 0, PIRN_FOREVER), -ESHUTDOWN);
    close_fibers();
}

static void spawn_inside_a_full_pool(void)
{
    open_fibers(0);
    reset_pool();
    OK(pirn_pool_spawn(&hub, &pool, spawns_inside, NULL, 0, 0));
    settle(loop, 20);
    CHECK(strncmp(written, "deadlock ", 9) == 0);
    written[0] = 0;
    OK(pirn_group_cancel(&pool.group));
    OK(pirn_group_join(&hub, &pool.group, PIRN_FOREVER));
    written[0] = 0;
    close_fibers();
}

/* ---- stacks ---- */

static volatile unsigned char sink;

static int goes_deep(int levels)
{
    volatile unsigned char frame[512];
    memset((void *)(uintptr_t)frame, levels, sizeof frame);
    int below = levels > 0 ? goes_deep(levels - 1) : 0;
    sink = frame[levels % 512];
    return below + frame[0];
}

static int uses_its_stack(struct pirn_hub *hub_, void *levels)
{
    goes_deep(*(const int *)levels);
    return pirn_fiber_sleep(hub_, 0);
}

static void depth_is_reported(void)
{
    struct pirn_fiber_info info = { 0 };
    static const int shallow = 2, deep = 16;
    size_t first;
    open_fibers(0);
    info.size = sizeof info;
    OK(pirn_fiber_start(&hub, &fibers[0], stacks[0], STACK, PIRN_FIBER_FILL, uses_its_stack,
                        (void *)(uintptr_t)&shallow));
    pirn_turn(loop, 0);
    OK(pirn_fiber_info(&fibers[0], &info));
    first = info.deepest;
    CHECK(first > 2 * 512 && first < STACK);
    CHECK(info.used <= first);
    EQUAL(pirn_run(loop), PIRN_DONE);
    OK(pirn_fiber_start(&hub, &fibers[0], stacks[0], STACK, PIRN_FIBER_FILL, uses_its_stack,
                        (void *)(uintptr_t)&deep));
    fibers[0].name = "deep";
    pirn_turn(loop, 0);
    OK(pirn_fiber_info(&fibers[0], &info));
    CHECK(info.deepest > first + 13 * 512 && info.deepest <= info.stack);
    CHECK(strcmp(info.name, "deep") == 0);
    EQUAL(pirn_run(loop), PIRN_DONE);
    close_fibers();
}

/* Its frames extend below the stack, into the other half of the memory, which is unused. */
static int overflows(struct pirn_hub *hub_, void *user)
{
    (void)user;
    goes_deep(16);
    return pirn_fiber_sleep(hub_, 0);
}

static void overflow_ends_the_run(void)
{
    static uint64_t memory[2 * STACK / 8];
    open_fibers(0);
    OK(pirn_fiber_start(&hub, &fibers[0], (char *)memory + STACK, 4096, 0, overflows, NULL));
    EQUAL(pirn_run(loop), PIRN_STOPPED);
    EQUAL(fibers[0].result, -EUCLEAN);
    OK(pirn_hub_deinit(&hub));
    CLOSE(loop);
    open_fibers(0);
    OK(pirn_fiber_start(&hub, &fibers[0], (char *)memory + STACK, 4096, 0, overflows, NULL));
    start(1, takes_turns, (void *)(uintptr_t)"B"); /* is ready, and must not run */
    GIVES(pirn_fiber_join(&fibers[0], PIRN_FOREVER, NULL), -EUCLEAN);
    EQUAL(fibers[0].result, -EUCLEAN);
    GIVES(pirn_fiber_join(&fibers[0], PIRN_FOREVER, NULL), -EUCLEAN);
    GIVES(pirn_fiber_sleep(&hub, MILLISECOND), -EUCLEAN);
    GIVES(pirn_hub_verify(&hub), -EUCLEAN);
    GIVES(pirn_fiber_start(&hub, &fibers[2], stacks[2], STACK, 0, parks, NULL), -EUCLEAN);
    GIVES(pirn_fiber_start(&hub, &fibers[0], stacks[0], STACK, 0, parks, NULL), -EUCLEAN);
    struct pirn_fiber_info info = { 0 };
    info.size = sizeof info;
    OK(pirn_fiber_info(&fibers[0], &info));
    EQUAL(info.state, PIRN_FIBER_BROKEN);
    OK(pirn_hub_deinit(&hub));
    CLOSE(loop);
    WRITTEN("");
}

static void guard_page_faults(void)
{
    static uint64_t memory[(STACK + 2 * 65536) / 8];
    open_fibers(0);
    GIVES(pirn_fiber_start(&hub, &fibers[0], stacks[0], 4096, PIRN_FIBER_GUARD, parks, NULL),
          -EINVAL);
    OK(pirn_fiber_start(&hub, &fibers[0], memory, sizeof memory, PIRN_FIBER_GUARD, uses_its_stack,
                        (void *)(uintptr_t)&(const int){ 4 }));
    EQUAL(pirn_run(loop), PIRN_DONE);
    EQUAL(fibers[0].result, 0);
    /* The page is ordinary memory again. */
    memset(memory, 1, sizeof memory);
    fflush(stdout);
    pid_t child = fork();
    MUST(child >= 0);
    if (child == 0) {
        if (the_backend != PIRN_BACKEND_HOST)
            OK(pirn_after_fork(loop));
        signal(SIGSEGV, SIG_DFL);
        signal(SIGBUS, SIG_DFL);
        OK(pirn_fiber_start(&hub, &fibers[0], memory, 2 * 65536, PIRN_FIBER_GUARD, uses_its_stack,
                            (void *)(uintptr_t)&(const int){ 100000 }));
        pirn_run(loop);
        _exit(0);
    }
    int status;
    MUST(waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status) && (WTERMSIG(status) == SIGSEGV || WTERMSIG(status) == SIGBUS));
    close_fibers();
}

/* ---- daemons, many ---- */

static int ticks_for_ever(struct pirn_hub *hub_, void *user)
{
    while (pirn_fiber_sleep(hub_, MILLISECOND) == 0)
        ++*(int *)user;
    return 0;
}

static void daemons_do_not_keep_the_program_alive(void)
{
    int ticks = 0;
    open_fibers(0);
    OK(pirn_fiber_start(&hub, &fibers[0], stacks[0], STACK, PIRN_FIBER_DAEMON, ticks_for_ever,
                        &ticks));
    start(1, sleeps, (void *)(uintptr_t)&(const uint32_t){ 10 });
    EQUAL(pirn_run(loop), PIRN_DONE);
    CHECK(ticks > 0);
    WRITTEN("10 ");
    OK(pirn_fiber_cancel(&fibers[0]));
    EQUAL(pirn_run(loop), PIRN_DONE);
    close_fibers();
}

/* ---- a limit that is met ---- */

static void wakes(struct pirn_loop *loop_, void *fiber)
{
    (void)loop_;
    OK(pirn_fiber_wake(fiber, 3));
}

#define HOUR (3600000 * (uint64_t)MILLISECOND)

static void times_out_after(uint64_t limit)
{
    uint64_t begun = pirn_now(loop);
    EQUAL(pirn_fiber_park(&hub, limit), -ETIMEDOUT);
    CHECK(pirn_now(loop) - begun >= limit);
}

static int waits_on(struct pirn_hub *hub_, void *fiber)
{
    EQUAL(pirn_fiber_park(hub_, HOUR), 1);
    EQUAL(pirn_fiber_park(hub_, PIRN_FOREVER), 2);
    times_out_after(2 * MILLISECOND);
    OK(pirn_task_post(loop, wakes, fiber, NULL));
    EQUAL(pirn_fiber_park(hub_, MILLISECOND), 3);
    times_out_after(4 * MILLISECOND);
    return pirn_fiber_park(hub_, PIRN_FOREVER);
}

/* It neither keeps the loop going nor ends a later wait, be the limit of that shorter or longer. */
static void limit_that_is_met_is_forgotten(void)
{
    open_fibers(0);
    struct pirn_fiber *fiber = start(0, waits_on, &fibers[0]);
    CHECK(pirn_turn(loop, 0) >= 0);
    CHECK(deadline_of(fiber) > pirn_now(loop) + HOUR / 2);
    OK(pirn_fiber_wake(fiber, 1));
    EQUAL(pirn_run(loop), PIRN_DONE);
    EQUAL(deadline_of(fiber), 0);
    OK(pirn_hub_verify(&hub));
    OK(pirn_fiber_wake(fiber, 2));
    EQUAL(pirn_run(loop), PIRN_DONE);
    OK(pirn_hub_verify(&hub));
    OK(pirn_fiber_wake(fiber, 4));
    EQUAL(pirn_run(loop), PIRN_DONE);
    EQUAL(fiber->result, 4);
    close_fibers();
}

static void test(uint32_t backend)
{
    the_backend = backend;
    fibers_take_turns();
    other_waiters_keep_their_place();
    fibers_are_switched_by_hand();
    misuse_is_refused();
    fiber_is_inside_a_callback();
    kill_before_start();
    shields_let_a_fiber_clean_up();
    fiber_may_cancel_itself();
    scopes_limit_all_waits_inside();
    groups_end_together();
    error_of_a_member_that_has_gone();
    cancelled_join_waits_for_its_members();
    member_cannot_join_its_own_group();
    pools_are_bounded();
    kill_reaches_the_waiting_spawners();
    spawn_inside_a_full_pool();
    depth_is_reported();
    overflow_ends_the_run();
    guard_page_faults();
    daemons_do_not_keep_the_program_alive();
    limit_that_is_met_is_forgotten();
}

int main(int argc, char **argv)
{
    return run_on_backends(argc, argv, test);
}
