/*
 * daemons: services that do not keep the program running.
 *
 * Shows: pirn_run returns when nothing keeps the loop going any more. A timer or a child with
 * PIRN_UNREF, a fiber with PIRN_FIBER_DAEMON, and a thread without a pirn_hold do not keep it
 * going. Without these options they do.
 * Watch for: a daemon does not end when the run is over: it stays where it waits. Cancel it, and
 * run the loop once more, so that it can clean up. Next: processes.c, for ways in which processes
 * share.
 *
 *     ./build/gallery/daemons                      takes 6 seconds; with --self-test a moment
 */
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pirn/os.h>

#include "virtual.h"

static PIRN_STORAGE(block, 4, 4, 4);
static PIRN_STORAGE(real_block, 4, 4, 4);
static struct pirn_hub hub;
static struct pirn_fiber worker, helper;
static char stacks[2][16384];

/* ---- fibers and timers ---- */

static int tick(struct pirn_hub *its_hub, void *user)
{
    (void)user;
    while (pirn_fiber_sleep(its_hub, SECOND) == 0)
        tell(its_hub, "tick");
    tell(its_hub, "the helper cleans up");
    return 0;
}

static int work(struct pirn_hub *its_hub, void *user)
{
    (void)user;
    pirn_fiber_sleep(its_hub, 2500 * MS);
    tell(its_hub, "the work is done");
    return 0;
}

static void on_timer(struct pirn_loop *loop, struct pirn_timer timer, uint64_t missed, void *user)
{
    (void)loop, (void)timer, (void)missed, (void)user;
    tell(&hub, "tock");
}

static void fibers_and_timers(struct pirn_loop *loop)
{
    struct pirn_timer timer;

    new_story(&hub, "a fiber works, a daemon and a timer serve");
    CHECK(pirn_fiber_start(&hub, &helper, stacks[0], sizeof stacks[0], PIRN_FIBER_DAEMON, tick,
                           NULL) == 0);
    CHECK(pirn_fiber_start(&hub, &worker, stacks[1], sizeof stacks[1], 0, work, NULL) == 0);
    CHECK(pirn_timer_start(loop, 1500 * MS, 1500 * MS, PIRN_UNREF, on_timer, NULL, &timer) == 0);
    CHECK(pirn_run(loop) == PIRN_DONE);              /* although one sleeps, and one ticks */
    CHECK(pirn_fiber_join(&worker, 0, NULL) == 0);
    CHECK(pirn_fiber_join(&helper, 0, NULL) == -EAGAIN);
    CHECK(pirn_fiber_cancel(&helper) == 0);
    CHECK(pirn_fiber_join(&helper, PIRN_FOREVER, NULL) == 0 && pirn_timer_stop(loop, timer) == 0);
    story_is("1.0 tick\n1.5 tock\n2.0 tick\n2.5 the work is done\n2.5 the helper cleans up\n");
}

/* ---- processes: these need fds, so the clock is a real one ---- */

static int ends;

static void on_end(struct pirn_loop *loop, struct pirn_child *child,
                   const struct pirn_child_status *status, void *user)
{
    (void)loop, (void)child, (void)status, (void)user;
    ends++;
}

static void start_child(struct pirn_loop *loop, struct pirn_child *child, uint32_t options,
                        unsigned sleep_ms)
{
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid == 0) {
        usleep(sleep_ms * 1000);
        _exit(0);
    }
    CHECK(pirn_child_add(loop, child, pid, options, on_end, NULL) == 0);
}

static void processes(struct pirn_loop *loop)
{
    static struct pirn_child short_one, daemon_;
    pid_t pid;

    start_child(loop, &daemon_, PIRN_UNREF, 60000);
    start_child(loop, &short_one, 0, 50);
    CHECK(pirn_run(loop) == PIRN_DONE && ends == 1); /* it has waited for the short one */
    pid = daemon_.pid;
    CHECK(pirn_child_remove(&daemon_) == 0);
    CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
}

/* ---- threads ---- */

static int posts;

static void on_post(struct pirn_loop *loop, void *user)
{
    posts++;
    if (user != NULL)
        CHECK(pirn_release(loop) == 0);
}

struct thread { pthread_t thread; struct pirn_loop *loop; int is_held; };

static void *post_late(void *user)
{
    struct thread *thread = user;

    usleep(50000);
    CHECK(pirn_remote_post(thread->loop, on_post, thread->is_held ? thread : NULL) == 0);
    return NULL;
}

static void threads(struct pirn_loop *loop)
{
    struct thread thread = { .loop = loop };

    CHECK(pthread_create(&thread.thread, NULL, post_late, &thread) == 0);
    CHECK(pirn_run(loop) == PIRN_DONE && posts == 0);                  /* a daemon */
    CHECK(pthread_join(thread.thread, NULL) == 0 && pirn_turn(loop, 0) >= 0 && posts == 1);

    thread.is_held = 1;
    CHECK(pirn_hold(loop) == 0);
    CHECK(pthread_create(&thread.thread, NULL, post_late, &thread) == 0);
    CHECK(pirn_run(loop) == PIRN_DONE && posts == 2);                  /* waited for */
    CHECK(pthread_join(thread.thread, NULL) == 0);
}

int main(int argc, char **argv)
{
    struct pirn_loop *loop = virtual_begin(argc, argv, block, sizeof block, &hub), *real;

    fibers_and_timers(loop);
    CHECK(pirn_init(&real, real_block, sizeof real_block, NULL) == 0);
    processes(real);
    threads(real);
    CHECK(pirn_deinit(real) == 0);
    puts("daemons: a timer, a fiber, a process and a thread did not keep the run going");
    return loop_end(loop, &hub);
}
