/*
 * connect_check: wait until a service is up, but do not try for ever.
 *
 * Shows: a wait with a time limit returns -ETIMEDOUT, and the caller decides what that means. Here
 * it tries three times, and then gives up.
 * Watch for: the limit of a wait limits one attempt. To limit all of them, count them, or use a
 * scope around them (pirn_scope_enter), which ends them with -ECANCELED.
 * Next: condition.c, which waits for more than a flag.
 *
 *     ./build/gallery/connect_check                takes 9 seconds; with --self-test no time
 */
#include <pirn/sync.h>

#include "virtual.h"

static PIRN_STORAGE(block, 2, 2, 4);
static struct pirn_hub hub;
static struct pirn_event is_up;
PIRN_POOL(pool, 3, 16384);

/* Returns 0 if the service is up, else -ETIMEDOUT after three attempts of a second each. */
static int connect_to_service(struct pirn_hub *its_hub, const char *name)
{
    for (int attempt = 1; attempt <= 3; attempt++) {
        int rc;

        tell(its_hub, "%s: attempt %d", name, attempt);
        rc = pirn_event_wait(its_hub, &is_up, SECOND);
        if (rc != -ETIMEDOUT)
            return rc;
    }
    return -ETIMEDOUT;
}

static int client(struct pirn_hub *its_hub, void *argument)
{
    const char *name = argument;
    int rc = connect_to_service(its_hub, name);

    tell(its_hub, "%s: %s", name, rc == 0 ? "connected" : "gives up");
    return rc;
}

static int hurried_client(struct pirn_hub *its_hub, void *user)
{
    struct pirn_scope scope;
    int rc;

    (void)user;
    CHECK(pirn_scope_enter(its_hub, &scope, 1500 * MS, 0) == 0);
    rc = connect_to_service(its_hub, "hurried");
    CHECK(rc == -ECANCELED);
    rc = pirn_scope_leave(its_hub, &scope);
    tell(its_hub, "hurried: %s", rc == -ETIMEDOUT ? "has no more time" : "connected");
    return rc;
}

static int service(struct pirn_hub *its_hub, void *argument)
{
    pirn_fiber_sleep(its_hub, *(uint64_t *)argument);
    tell(its_hub, "the service is up");
    return pirn_event_set(&is_up);
}

static void run(pirn_fiber_fn body, const char *name, uint64_t up_after_ns)
{
    new_story(&hub, name);
    CHECK(pirn_event_clear(&is_up) == 0);
    CHECK(pirn_pool_spawn(&hub, &pool, body, name, strlen(name) + 1, PIRN_FOREVER) == 0);
    if (up_after_ns != PIRN_FOREVER)
        CHECK(pirn_pool_spawn(&hub, &pool, service, &up_after_ns, sizeof up_after_ns,
                              PIRN_FOREVER) == 0);
    CHECK(pirn_group_join(&hub, &pool.group, PIRN_FOREVER) == 0);
}

int main(int argc, char **argv)
{
    struct pirn_loop *loop = virtual_begin(argc, argv, block, sizeof block, &hub);

    run(client, "patient", 2500 * MS);
    story_is("0.0 patient: attempt 1\n1.0 patient: attempt 2\n2.0 patient: attempt 3\n"
             "2.5 the service is up\n2.5 patient: connected\n");
    run(client, "unlucky", PIRN_FOREVER);
    story_is("0.0 unlucky: attempt 1\n1.0 unlucky: attempt 2\n2.0 unlucky: attempt 3\n"
             "3.0 unlucky: gives up\n");
    run(hurried_client, "hurried", 2500 * MS);
    story_is("0.0 hurried: attempt 1\n1.0 hurried: attempt 2\n1.5 hurried: has no more time\n"
             "2.5 the service is up\n");
    puts("connect_check: three attempts, then -ETIMEDOUT; a scope limits all of them together");
    return loop_end(loop, &hub);
}
