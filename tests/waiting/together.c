/* Fibers and what else a loop can do: growth, forks, events taken as data, a loop in a loop. */
#include "test.h"

#include <pthread.h>

#include <pirn/fiber.h>
#include <pirn/sync.h>
#include <pirn/work.h>

#define STACK 16384

DECLARE_BLOCK(block);
static uint32_t the_backend;
static struct pirn_loop *loop;
static struct pirn_hub hub;

#define FIBERS 8
static struct pirn_fiber fibers[FIBERS];
static uint64_t stacks[FIBERS][STACK / 8];

static void open_hub(uint32_t flags)
{
    struct pirn_config config;
    memset(&config, 0, sizeof config);
    config.size = sizeof config;
    config.backend = the_backend;
    config.flags = flags;
    config.host = the_backend == PIRN_BACKEND_HOST ? new_host() : NULL;
    MUST(pirn_init(&loop, block, sizeof block, &config) == 0);
    OK(pirn_hub_init(loop, &hub, 63));
    memset(fibers, 0, sizeof fibers);
}

static void close_hub(void)
{
    OK(pirn_hub_verify(&hub));
    OK(pirn_hub_deinit(&hub));
    CLOSE(loop);
}

static void start(int which, pirn_fiber_fn body, void *user)
{
    OK(pirn_fiber_start(&hub, &fibers[which], stacks[which], STACK, 0, body, user));
}

/* A host has its own fds, whose flags pirn does not change. */
static void open_port(struct pirn_port *port, int fd)
{
    if (the_backend == PIRN_BACKEND_HOST)
        MUST(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0);
    OK(pirn_port_open(&hub, port, fd, 0));
}

/* ---- a wait of each kind ---- */

enum { READER, WRITER, SLEEPER, GETTER, BUYER, JOINER, WAITERS };

static int fds[2], full[2];
static struct pirn_port port, full_port;
static struct pirn_queue queue;
static struct pirn_semaphore tickets;
static int items[2];

static int reads(struct pirn_hub *hub_, void *user)
{
    char byte = 0;
    (void)hub_;
    (void)user;
    intptr_t count = pirn_port_read(&port, &byte, 1, 20 * SECOND);
    return count == 1 ? byte : (int)count;
}

static int writes(struct pirn_hub *hub_, void *user)
{
    (void)hub_;
    (void)user;
    return (int)pirn_port_write(&full_port, "!", 1, 20 * SECOND);
}

static int parks(struct pirn_hub *hub_, void *user)
{
    (void)user;
    return pirn_fiber_park(hub_, 10 * MILLISECOND);
}

static int gets(struct pirn_hub *hub_, void *user)
{
    int item = 0;
    (void)user;
    int rc = pirn_queue_get(hub_, &queue, &item, PIRN_FOREVER);
    return rc == 0 ? item : rc;
}

static int buys(struct pirn_hub *hub_, void *user)
{
    (void)user;
    return pirn_semaphore_acquire(hub_, &tickets, 2, 20 * SECOND);
}

static int joins(struct pirn_hub *hub_, void *user)
{
    int result = 0;
    (void)hub_;
    (void)user;
    int rc = pirn_fiber_join(&fibers[READER], PIRN_FOREVER, &result);
    return rc == 0 ? result + 1 : rc;
}

/* Six fibers, each of which waits for something else. */
static void begin_waits(void)
{
    static const pirn_fiber_fn bodies[WAITERS] = { reads, writes, parks, gets, buys, joins };
    char bytes[4096] = { 0 };
    MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, full) == 0);
    while (write(full[0], bytes, sizeof bytes) > 0)
        ;
    open_port(&port, fds[0]);
    open_port(&full_port, full[0]);
    OK(pirn_queue_init(&queue, items, sizeof items, sizeof items[0], PIRN_QUEUE_FIFO, NULL));
    OK(pirn_semaphore_init(&tickets, 0, 0));
    for (int at = 0; at < WAITERS; at++)
        start(at, bodies[at], NULL);
    settle(loop, 8);
}

/* Ends the waits, each by its own means. Their results are what they would be without all that. */
static void end_waits(void)
{
    static const int results[WAITERS] = { 'x', 1, -ETIMEDOUT, 7, 0, 'x' + 1 };
    char bytes[4096];
    int item = 7;
    MUST(write(fds[1], "x", 1) == 1);
    while (recv(full[1], bytes, sizeof bytes, MSG_DONTWAIT) > 0)
        ;
    OK(pirn_queue_put(&hub, &queue, &item, 0));
    OK(pirn_semaphore_release(&tickets, 2));
    for (int at = 0; at < WAITERS; at++) {
        OK(pirn_fiber_join(&fibers[at], 20 * SECOND, NULL));
        EQUAL(fibers[at].result, results[at]);
    }
    EQUAL(pirn_fiber_next(&hub, NULL) == NULL, 1);
    OK(pirn_port_close(&port));
    OK(pirn_port_close(&full_port));
    close_all(fds, 2);
    close_all(full, 2);
}

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
    open_hub(0);
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
    close_hub();
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
    close_hub();
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
    open_hub(0);
    begin_waits();
    pid_t child = fork_child();
    if (child == 0) {
        /* What needs no kernel works already. */
        OK(pirn_hub_verify(&hub));
        if (the_backend != PIRN_BACKEND_HOST)
            GIVES(pirn_fiber_join(&fibers[READER], SECOND, NULL), -ECHILD);
        OK(pirn_after_fork(loop));
        end_waits();
        close_hub();
        end_of_child();
    }
    await_child(child);
    end_waits();
    close_hub();
}

/* The child takes over a copy whose fibers were granted what they wait for, and did not run yet. */
static void grants_are_copied_with_the_process(void)
{
    int item = 7;
    open_hub(0);
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
    close_hub();
    if (child == 0)
        end_of_child();
    close_all(fds, 2);
    close_all(full, 2);
    await_child(child);
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
    open_hub(0);
    begin_waits();
    start(WAITERS, forks, NULL);
    OK(pirn_fiber_join(&fibers[WAITERS], 20 * SECOND, NULL));
    end_waits();
    close_hub();
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
    open_hub(0);
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
    close_hub();
}

/* ---- events as data ---- */

struct pair { int fds[2]; struct pirn_port here, there; };

static int serves(struct pirn_hub *hub_, void *user)
{
    struct pair *pair = user;
    char bytes[64];
    intptr_t count;
    (void)hub_;
    while ((count = pirn_port_read(&pair->here, bytes, sizeof bytes, 20 * SECOND)) > 0)
        if (!CHECK(pirn_port_write_all(&pair->here, bytes, (size_t)count, 20 * SECOND) == 0))
            break;
    return (int)count;
}

static int asks(struct pirn_hub *hub_, void *user)
{
    struct pair *pair = user;
    char bytes[64];
    for (int round = 0; round < 50; round++) {
        memset(bytes, 0, sizeof bytes);
        if (!CHECK(pirn_port_write_all(&pair->there, "hello", 5, 20 * SECOND) == 0) ||
            !CHECK(pirn_port_read(&pair->there, bytes, sizeof bytes, 20 * SECOND) == 5) ||
            !CHECK(memcmp(bytes, "hello", 5) == 0))
            break;
        if (round % 10 == 0)
            OK(pirn_fiber_sleep(hub_, MILLISECOND / 10));
    }
    shutdown(pair->fds[1], SHUT_WR);
    return 50;
}

static int puts_items(struct pirn_hub *hub_, void *user)
{
    (void)user;
    for (int item = 0; item < 100; item++)
        OK(pirn_queue_put(hub_, &queue, &item, PIRN_FOREVER));
    return pirn_queue_close(&queue, PIRN_QUEUE_DRAIN);
}

static int gets_items(struct pirn_hub *hub_, void *user)
{
    int item = -1, count = 0, rc;
    (void)user;
    for (; (rc = pirn_queue_get(hub_, &queue, &item, PIRN_FOREVER)) == 0; count++)
        EQUAL(item, count);
    EQUAL(rc, -ESHUTDOWN);
    return count;
}

static int handles(struct pirn_hub *hub_, void *user)
{
    struct pirn_due due[1];
    (void)user;
    memset(due, 0, sizeof due);
    GIVES(pirn_hub_handle(hub_, due), -EBUSY);
    return 0;
}

static int is_any_live(void)
{
    return pirn_fiber_next(&hub, NULL) != NULL;
}

/* A turn whose events are taken, at most `room` at a time. Returns how many were the program's. */
static int take_turn(uint32_t room)
{
    struct pirn_due due[8];
    uint64_t timeout;
    int count, own = 0;
    OK(pirn_prepare(loop, 5 * SECOND, &timeout));
    CHECK(pirn_wait(loop, timeout) >= 0);
    while ((count = pirn_take(loop, due, room)) > 0)
        for (int at = 0; at < count; at++) {
            int rc = pirn_hub_handle(&hub, &due[at]);
            CHECK(rc == 0 || rc == 1);
            own += rc == 0;
        }
    EQUAL(count, 0);
    return own;
}

static void fibers_run_where_events_are_taken(void)
{
    static const uint32_t rooms[] = { 1, 2, 8 };
    for (size_t at = 0; at < sizeof rooms / sizeof *rooms; at++) {
        struct pair pair;
        uint64_t begun = monotonic_ns();
        int own = 0;
        open_hub(PIRN_TAKE);
        MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.fds) == 0);
        open_port(&pair.here, pair.fds[0]);
        open_port(&pair.there, pair.fds[1]);
        OK(pirn_queue_init(&queue, items, sizeof items, sizeof items[0], PIRN_QUEUE_FIFO, NULL));
        start(0, serves, &pair);
        start(1, asks, &pair);
        start(2, puts_items, NULL);
        start(3, gets_items, NULL);
        start(4, parks, NULL);
        start(5, handles, NULL);
        OK(pirn_task_post(loop, NULL, NULL, NULL));
        /* The main program cannot wait: it would have to run a loop that has no callbacks. */
        GIVES(pirn_fiber_join(&fibers[0], SECOND, NULL), -EOPNOTSUPP);
        while (is_any_live() && CHECK(monotonic_ns() - begun < 20 * SECOND))
            own += take_turn(rooms[at]);
        EQUAL(own, 1);
        EQUAL(fibers[0].result, 0);
        EQUAL(fibers[1].result, 50);
        EQUAL(fibers[2].result, 0);
        EQUAL(fibers[3].result, 100);
        EQUAL(fibers[4].result, -ETIMEDOUT);
        CHECK(monotonic_ns() - begun >= 10 * MILLISECOND);
        OK(pirn_port_close(&pair.here));
        OK(pirn_port_close(&pair.there));
        close_all(pair.fds, 2);
        close_hub();
    }
}

/* ---- a loop in another loop ---- */

static int is_readable(int fd, int timeout_ms)
{
    struct pollfd polled = { fd, POLLIN, 0 };
    return poll(&polled, 1, timeout_ms) == 1 && (polled.revents & POLLIN) != 0;
}

#define CHAIN 300
static struct pirn_waiter chain[CHAIN];
static int chain_calls;

static void wakes_the_next(struct pirn_hub *hub_, struct pirn_waiter *waiter, int result)
{
    (void)hub_;
    EQUAL(result, 0);
    chain_calls++;
    if (waiter + 1 < chain + CHAIN)
        OK(pirn_waiter_wake(waiter + 1, 0));
}

/* Turns as another loop makes them: only while the fd is readable. Returns how many. */
static int turns_of_another_loop(int fd)
{
    int turns = 0;
    while (turns < 1000 && is_readable(fd, 0)) {
        CHECK(pirn_turn(loop, 0) >= 0);
        turns++;
    }
    CHECK(turns < 1000);
    return turns;
}

/*
 * Another loop sleeps until the fd is readable. So it has to be, whenever a waiter is to be called.
 */
static void fd_of_the_loop_tells_of_woken_waiters(void)
{
    int fd, item = 7;
    open_hub(0);
    fd = pirn_fd(loop);
    if (!CHECK(fd >= 0))
        return;
    begin_waits();
    turns_of_another_loop(fd);
    CHECK(!is_readable(fd, 0));
    /* Woken outside of a dispatch: by hand, by an object, and as a fiber that is to begin. */
    OK(pirn_queue_put(&hub, &queue, &item, 0));
    CHECK(is_readable(fd, 0));
    CHECK(turns_of_another_loop(fd) <= 3);
    EQUAL(fibers[GETTER].result, 7);
    OK(pirn_semaphore_release(&tickets, 2));
    CHECK(is_readable(fd, 0));
    CHECK(turns_of_another_loop(fd) <= 3);
    GIVES(pirn_fiber_join(&fibers[BUYER], 0, NULL), 0);
    start(WAITERS, grows, NULL);
    CHECK(is_readable(fd, 0));
    CHECK(turns_of_another_loop(fd) <= 3);
    GIVES(pirn_fiber_join(&fibers[WAITERS], 0, NULL), 0);
    OK(pirn_fiber_cancel(&fibers[WRITER]));
    CHECK(is_readable(fd, 0));
    CHECK(turns_of_another_loop(fd) <= 3);
    EQUAL(fibers[WRITER].result, -ECANCELED);
    /* An fd, and time. */
    CHECK(!is_readable(fd, 0));
    MUST(write(fds[1], "x", 1) == 1);
    CHECK(is_readable(fd, 0));
    CHECK(turns_of_another_loop(fd) <= 4);
    EQUAL(fibers[READER].result, 'x');
    EQUAL(fibers[JOINER].result, 'x' + 1);
    while (pirn_fiber_join(&fibers[SLEEPER], 0, NULL) == -EAGAIN && CHECK(is_readable(fd, 1000)))
        turns_of_another_loop(fd);
    EQUAL(fibers[SLEEPER].result, -ETIMEDOUT);
    CHECK(!is_readable(fd, 0));
    OK(pirn_port_close(&port));
    OK(pirn_port_close(&full_port));
    close_all(fds, 2);
    close_all(full, 2);
    close_hub();
}

/* One call of the hub leaves waiters over, and the fd stays readable for them. */
static void fd_of_the_loop_tells_of_waiters_left_over(void)
{
    int fd;
    open_hub(0);
    fd = pirn_fd(loop);
    chain_calls = 0;
    for (int at = 0; at < CHAIN; at++) {
        OK(pirn_waiter_init(&hub, &chain[at], wakes_the_next, NULL));
        GIVES(pirn_park_start(&chain[at], PIRN_FOREVER), PIRN_WAITS);
    }
    settle(loop, 4);
    CHECK(!is_readable(fd, 0));
    OK(pirn_waiter_wake(&chain[0], 0));
    CHECK(is_readable(fd, 0));
    CHECK(pirn_turn(loop, 0) > 0);
    CHECK(chain_calls >= 64 && chain_calls <= 65);
    CHECK(is_readable(fd, 0));
    CHECK(turns_of_another_loop(fd) <= CHAIN / 64 + 2);
    EQUAL(chain_calls, CHAIN);
    CHECK(!is_readable(fd, 0));
    close_hub();
}

static void test(uint32_t backend)
{
    the_backend = backend;
    fibers_survive_growth();
    growth_makes_room_for_a_waiting_fiber();
    fibers_go_on_in_both_processes();
    grants_are_copied_with_the_process();
    fiber_that_forks_ends_its_child();
    work_that_has_not_begun_is_cancelled_in_the_child();
    fibers_run_where_events_are_taken();
    if (backend == PIRN_BACKEND_EPOLL) {
        fd_of_the_loop_tells_of_woken_waiters();
        fd_of_the_loop_tells_of_waiters_left_over();
    }
}

int main(int argc, char **argv)
{
    return run_on_backends(argc, argv, test);
}
