/*
 * A library made with the profile `checked` tells a thread that uses a loop while another thread is
 * inside it.
 */
#include "test.h"

#include <pthread.h>

DECLARE_BLOCK(block);
static int pair[2];
static struct pirn_io watched;
static struct seen never, posted;

static void *use_it(void *user)
{
    struct pirn_loop *loop = user;
    struct pirn_io io = { 7, 7 };
    struct pirn_stats stats = { .size = sizeof stats };
    GIVES(pirn_io_add(loop, pair[1], PIRN_READ, see_io, &never, &io), -EPERM);
    EQUAL(io.slot, 7);
    GIVES(pirn_io_modify(loop, watched, 0), -EPERM);
    GIVES(pirn_io_remove(loop, watched), -EPERM);
    GIVES(pirn_timer_start(loop, 0, 0, 0, see_timer, &never, NULL), -EPERM);
    GIVES(pirn_task_post(loop, see_task, &never, NULL), -EPERM);
    GIVES(pirn_hold(loop), -EPERM);
    GIVES(pirn_stats(loop, &stats), -EPERM);
    GIVES(pirn_verify(loop), -EPERM);
    GIVES(pirn_turn(loop, 0), -EBUSY);
    OK(pirn_remote_post(loop, see_task, &posted));
    OK(pirn_wake(loop));
    return NULL;
}

static void in_another_thread(struct pirn_loop *loop, void *user)
{
    pthread_t thread;
    (void)user;
    MUST(pthread_create(&thread, NULL, use_it, loop) == 0);
    MUST(pthread_join(thread, NULL) == 0);
    /* The loop's own thread may do all that. */
    OK(pirn_io_modify(loop, watched, 0));
    OK(pirn_hold(loop));
    OK(pirn_release(loop));
    OK(pirn_verify(loop));
}

/* A loop that nobody is inside may be handed over to another thread. */
static void *take_over(void *user)
{
    struct pirn_loop *loop = user;
    OK(pirn_task_post(loop, in_another_thread, NULL, NULL));
    GIVES(pirn_turn(loop, 0), 1);
    GIVES(pirn_turn(loop, SECOND), 1);
    OK(pirn_io_remove(loop, watched));
    return NULL;
}

static void test(uint32_t backend)
{
    struct pirn_loop *loop;
    pthread_t thread;
    MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
    OPEN(loop, block, backend);
    OK(pirn_io_add(loop, pair[0], PIRN_READ, see_io, &never, &watched));
    memset(&posted, 0, sizeof posted);
    OK(pirn_task_post(loop, in_another_thread, NULL, NULL));
    GIVES(pirn_turn(loop, 0), 1);
    GIVES(pirn_turn(loop, SECOND), 1);
    MUST(pthread_create(&thread, NULL, take_over, loop) == 0);
    MUST(pthread_join(thread, NULL) == 0);
    EQUAL(posted.calls, 2);
    EQUAL(never.calls, 0);
    CLOSE(loop);
    close_all(pair, 2);
}

int main(int argc, char **argv)
{
    return run_on_backends(argc, argv, test);
}
