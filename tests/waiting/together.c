/* Fibers go on when the loop grows, and in both processes after a fork. */
#include "test.h"
#include "six_waits.h"

#include <pthread.h>

#include <pirn/work.h>

/* ---- growth ---- */

static PIRN_STORAGE(larger, 64, 16, 64);
static PIRN_STORAGE(smaller, 8, 2, 4);

static int grows(struct pirn_hub *hub_, void *user)
{
    (void)hub_;
    (void)user;
    GIVES(pirn_grow(loop, larger, sizeof larger, 64, 16, 64, NULL, NULL), -EBUSY);
    return 0;
}

static void fibers_survive_growth(void)
{
    open_fibers(0);
    begin_waits();
    start(WAITERS, grows, NULL);
    settle(loop, 8);
    for (int round = 0; round < 3; round++) {
        OK(pirn_grow(loop, larger, sizeof larger, 64, 16, 64, NULL, NULL));
        /* Nothing looks into the tables that were left. */
        memset(smaller, 0xa5, sizeof smaller);
        OK(pirn_verify(loop));
        OK(pirn_hub_verify(&hub));
        settle(loop, 4);
        OK(pirn_grow(loop, smaller, sizeof smaller, 8, 2, 4, NULL, NULL));
        memset(larger, 0xa5, sizeof larger);
        OK(pirn_verify(loop));
        OK(pirn_hub_verify(&hub));
        settle(loop, 4);
    }
    end_waits();
    close_fibers();
}

/* A full loop refuses a port. After growth the same fiber opens it. */
static int opens_when_there_is_room(struct pirn_hub *hub_, void *user)
{
    struct pirn_port more;
    GIVES(pirn_port_open(hub_, &more, fds[1], 0), -ENOSPC);
    EQUAL(pirn_fiber_park(hub_, PIRN_FOREVER), 0);
    (void)user;
    if (CHECK(pirn_port_open(hub_, &more, fds[1], 0) == 0)) {
        OK(pirn_port_write_all(&more, "y", 1, SECOND));
        OK(pirn_port_close(&more));
    }
    return 0;
}

static void growth_makes_room_for_a_waiting_fiber(void)
{
    static PIRN_STORAGE(tiny, 2, 1, 1);
    char byte = 0;
    MUST(open_loop(&loop, tiny, sizeof tiny, the_backend, 2, 1, 1) == 0);
    OK(pirn_hub_init(loop, &hub, 63));
    memset(fibers, 0, sizeof fibers);
    MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
    open_port(&port, fds[0]);
    start(0, opens_when_there_is_room, NULL);
    settle(loop, 4);
    OK(pirn_grow(loop, larger, sizeof larger, 64, 16, 64, NULL, NULL));
    OK(pirn_fiber_wake(&fibers[0], 0));
    EQUAL(pirn_port_read(&port, &byte, 1, SECOND), 1);
    EQUAL(byte, 'y');
    OK(pirn_fiber_join(&fibers[0], SECOND, NULL));
    OK(pirn_port_close(&port));
    close_all(fds, 2);
    close_fibers();
}

/* ---- forks ---- */

/* A child process, whose failures make one of this process. */
static pid_t fork_child(void)
{
    fflush(stdout);
    pid_t child = fork();
    MUST(child >= 0);
    if (child == 0)
        failure_count = 0;
    return child;
}

static void await_child(pid_t child)
{
    int status = -1;
    MUST(waitpid(child, &status, 0) == child);
    EQUAL(status, 0);
}

static void end_of_child(void)
{
    fflush(stdout);
    _exit(failure_count != 0);
}

/* Child and parent share the sockets, so one goes on after the other. */
static void fibers_go_on_in_both_processes(void)
{
    open_fibers(0);
    begin_waits();
    pid_t child = fork_child();
    if (child == 0) {
        /* What needs no kernel works already. */
        OK(pirn_hub_verify(&hub));
        if (the_backend != PIRN_BACKEND_HOST)
            GIVES(pirn_fiber_join(&fibers[READER], SECOND, NULL), -ECHILD);
        OK(pirn_after_fork(loop));
        end_waits();
        close_fibers();
        end_of_child();
    }
    await_child(child);
    end_waits();
    close_fibers();
}

/* The child takes over a copy whose fibers were granted what they wait for, and did not run yet. */
static void grants_are_copied_with_the_process(void)
{
    int item = 7;
    open_fibers(0);
    begin_waits();
    OK(pirn_queue_put(&hub, &queue, &item, 0));
    OK(pirn_semaphore_release(&tickets, 2));
    pid_t child = fork_child();
    if (child == 0)
        OK(pirn_after_fork(loop));
    for (int at = GETTER; at <= BUYER; at++)
        OK(pirn_fiber_join(&fibers[at], 20 * SECOND, NULL));
    EQUAL(fibers[GETTER].result, 7);
    OK(fibers[BUYER].result);
    /* The joiner goes with the reader, and the sleeper may have ended. */
    for (int at = 0; at < WAITERS; at++)
        (void)pirn_fiber_cancel(&fibers[at]);
    for (int at = 0; at < WAITERS; at++)
        OK(pirn_fiber_join(&fibers[at], 20 * SECOND, NULL));
    OK(pirn_port_close(&port));
    OK(pirn_port_close(&full_port));
    close_fibers();
    if (child == 0)
        end_of_child();
    close_all(fds, 2);
    close_all(full, 2);
    await_child(child);
}

/* Waiters for which the last turn had no room go on after growth, and in both processes. */
static void waiters_left_over_survive_growth_and_fork(void)
{
    open_fibers(0);
    begin_chain();
    OK(pirn_waiter_wake(&chain[0], 0));
    CHECK(pirn_turn(loop, 0) > 0);
    CHECK(chain_calls >= 64 && chain_calls <= 65);
    OK(pirn_grow(loop, larger, sizeof larger, 64, 16, 64, NULL, NULL));
    CHECK(pirn_turn(loop, 0) > 0);
    CHECK(chain_calls >= 128 && chain_calls <= 130);
    pid_t child = fork_child();
    if (child == 0)
        OK(pirn_after_fork(loop));
    else
        await_child(child);
    settle(loop, 8);
    EQUAL(chain_calls, CHAIN);
    close_fibers();
    if (child == 0)
        end_of_child();
}

/* What other threads have put and set, and the loop has not seen yet. */
static void notifications_survive_growth_and_fork(void)
{
    static struct pirn_link link;
    struct pirn_link *got = NULL;
    struct pirn_event event;
    open_fibers(0);
    memset(&event, 0, sizeof event);
    OK(pirn_queue_init_linked(&queue, PIRN_QUEUE_FIFO));
    OK(pirn_event_set_from(&hub, &event));
    OK(pirn_queue_put_from(&hub, &queue, &link));
    OK(pirn_grow(loop, larger, sizeof larger, 64, 16, 64, NULL, NULL));
    pid_t child = fork_child();
    if (child == 0)
        OK(pirn_after_fork(loop));
    else
        await_child(child);
    OK(pirn_event_wait(&hub, &event, 20 * SECOND));
    OK(pirn_queue_get(&hub, &queue, &got, 20 * SECOND));
    CHECK(got == &link);
    close_fibers();
    if (child == 0)
        end_of_child();
}

/* A fiber runs inside the loop, so its child cannot take the loop over. */
static int forks(struct pirn_hub *hub_, void *user)
{
    (void)user;
    for (int round = 0; round < 2; round++) {
        pid_t child = fork_child();
        if (child == 0 && round == 0) {
            GIVES(pirn_after_fork(loop), -EBUSY);
            GIVES(pirn_after_fork(loop), -EBUSY);
            end_of_child();
        }
        if (child == 0) {
            execlp("true", "true", (char *)NULL);
            _exit(1);
        }
        OK(pirn_fiber_sleep(hub_, MILLISECOND));
        await_child(child);
    }
    return 0;
}

static void fiber_that_forks_ends_its_child(void)
{
    open_fibers(0);
    begin_waits();
    start(WAITERS, forks, NULL);
    OK(pirn_fiber_join(&fibers[WAITERS], 20 * SECOND, NULL));
    end_waits();
    close_fibers();
}

/* ---- work ---- */

static struct pirn_workers workers;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static int has_begun;

static void *works(void *user)
{
    pirn_workers_run(&workers);
    return user;
}

static int waits_at_the_gate(struct pirn_work *work, void *user)
{
    (void)work;
    __atomic_store_n(&has_begun, 1, __ATOMIC_RELEASE);
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    return *(int *)user;
}

struct call { struct pirn_work work; int number, result; };

static int calls(struct pirn_hub *hub_, void *user)
{
    struct call *call = user;
    int result = 0;
    int rc = pirn_work_call(&workers, hub_, &call->work, waits_at_the_gate, &call->number,
                            PIRN_FOREVER, &result);
    call->result = result;
    return rc;
}

/*
 * The child has no threads. What has not begun is cancelled when it closes the workers, and the
 * fibers that wait for that go on. The work that a thread of the parent does has no end there.
 */
static void work_that_has_not_begun_is_cancelled_in_the_child(void)
{
    static struct call running[3];
    pthread_t thread;
    open_fibers(0);
    memset(running, 0, sizeof running);
    has_begun = 0;
    OK(pirn_workers_init(&workers, 0));
    MUST(pthread_create(&thread, NULL, works, NULL) == 0);
    pthread_mutex_lock(&gate);
    for (int at = 0; at < 3; at++) {
        running[at].number = 10 + at;
        start(at, calls, &running[at]);
    }
    settle(loop, 4);
    while (!__atomic_load_n(&has_begun, __ATOMIC_ACQUIRE))
        usleep(100);
    pid_t child = fork_child();
    if (child == 0) {
        OK(pirn_after_fork(loop));
        OK(pirn_workers_close(&workers, PIRN_WORKERS_NOW));
        for (int at = 1; at < 3; at++) {
            OK(pirn_fiber_join(&fibers[at], 20 * SECOND, NULL));
            EQUAL(fibers[at].result, 0);
            EQUAL(running[at].result, -ECANCELED);
        }
        GIVES(pirn_fiber_join(&fibers[0], MILLISECOND, NULL), -ETIMEDOUT);
        GIVES(pirn_hub_deinit(&hub), -EBUSY);
        OK(pirn_hub_verify(&hub));
        OK(pirn_verify(loop));
        end_of_child();
    }
    await_child(child);
    pthread_mutex_unlock(&gate);
    for (int at = 0; at < 3; at++) {
        OK(pirn_fiber_join(&fibers[at], 20 * SECOND, NULL));
        EQUAL(fibers[at].result, 0);
        EQUAL(running[at].result, 10 + at);
    }
    OK(pirn_workers_close(&workers, PIRN_WORKERS_DRAIN));
    MUST(pthread_join(thread, NULL) == 0);
    close_fibers();
}

static void test(uint32_t backend)
{
    the_backend = backend;
    fibers_survive_growth();
    growth_makes_room_for_a_waiting_fiber();
    fibers_go_on_in_both_processes();
    grants_are_copied_with_the_process();
    waiters_left_over_survive_growth_and_fork();
    notifications_survive_growth_and_fork();
    fiber_that_forks_ends_its_child();
    work_that_has_not_begun_is_cancelled_in_the_child();
}

int main(int argc, char **argv)
{
    return run_on_backends(argc, argv, test);
}
