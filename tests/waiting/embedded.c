/* Fibers where the program makes the turns: events taken as data, and a loop in another loop. */
#include "test.h"
#include "echo.h"
#include "six_waits.h"

#include <pthread.h>

/* ---- events as data ---- */

static int serves(struct pirn_hub *hub_, void *user)
{
    struct pair *pair = user;
    char bytes[64];
    (void)hub_;
    send_back(&pair->here, bytes, sizeof bytes, 20 * SECOND);
    return 0;
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
        open_fibers(PIRN_TAKE);
        open_pair(&pair);
        OK(pirn_queue_init(&queue, items, sizeof items, sizeof items[0], PIRN_QUEUE_FIFO));
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
        close_pair(&pair);
        close_fibers();
    }
}

/* ---- ports that others close ---- */

#define PAIRS 6
static struct pair pairs[PAIRS];
static long bytes_sent, bytes_read;
static int is_over;

/* Reads whatever comes, and opens the port again whenever it finds it closed. */
static int reads_and_opens(struct pirn_hub *hub_, void *user)
{
    struct pair *pair = user;
    char bytes[4];
    for (;;) {
        intptr_t rc = pirn_port_read(&pair->here, bytes, sizeof bytes, MILLISECOND / 10);
        bytes_read += rc > 0 ? (long)rc : 0;
        if (rc == -ENOENT) {
            OK(pirn_fiber_sleep(hub_, 0));
            open_port(&pair->here, pair->fds[0]);
        } else if (rc == -ETIMEDOUT && is_over) {
            return 0;
        }
        CHECK(rc > 0 || rc == -ENOENT || rc == -ETIMEDOUT || rc == -ECANCELED);
    }
}

/* Sends to some, and closes the ports of some, several of them in one turn. */
static int sends_and_closes(struct pirn_hub *hub_, void *user)
{
    (void)user;
    for (int round = 0; round < 500; round++) {
        for (int step = 0; step < 4; step++) {
            struct pair *pair = &pairs[random_word() % PAIRS];
            MUST(write(pair->fds[1], "x", 1) == 1);
            bytes_sent++;
            pair = &pairs[random_word() % PAIRS];
            if (random_word() % 4 == 0)
                (void)pirn_port_close(&pair->here);
        }
        if (round % 2)
            OK(pirn_fiber_sleep(hub_, 0));
        else
            OK(pirn_fiber_yield(hub_));
    }
    is_over = 1;
    return 0;
}

/* A port may be closed, and opened again, after its event was fetched and before it is called. */
static void no_byte_is_lost_with_ports_that_others_close(void)
{
    static const uint32_t rooms[] = { 0, 1, 2, 8 };
    for (size_t at = 0; at < sizeof rooms / sizeof *rooms; at++) {
        uint64_t begun = monotonic_ns();
        open_fibers(rooms[at] == 0 ? 0 : PIRN_TAKE);
        bytes_sent = bytes_read = is_over = 0;
        for (int which = 0; which < PAIRS; which++) {
            MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pairs[which].fds) == 0);
            open_port(&pairs[which].here, pairs[which].fds[0]);
            start(which, reads_and_opens, &pairs[which]);
        }
        start(PAIRS, sends_and_closes, NULL);
        while (is_any_live() && CHECK(monotonic_ns() - begun < 20 * SECOND)) {
            if (rooms[at] == 0)
                CHECK(pirn_turn(loop, 5 * SECOND) >= 0);
            else
                take_turn(rooms[at]);
            OK(pirn_hub_verify(&hub));
        }
        EQUAL(bytes_read, bytes_sent);
        for (int which = 0; which < PAIRS; which++) {
            OK(pirn_port_close(&pairs[which].here));
            close_all(pairs[which].fds, 2);
        }
        close_fibers();
    }
}

/* ---- a loop in another loop ---- */

static int is_readable(int fd, int timeout_ms)
{
    struct pollfd polled = { fd, POLLIN, 0 };
    return poll(&polled, 1, timeout_ms) == 1 && (polled.revents & POLLIN) != 0;
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
    open_fibers(0);
    fd = pirn_fd(loop);
    if (!CHECK(fd >= 0))
        return;
    begin_waits();
    /* A time limit. The others have longer ones. */
    turns_of_another_loop(fd);
    while (pirn_fiber_join(&fibers[SLEEPER], 0, NULL) == -EAGAIN && CHECK(is_readable(fd, 10000)))
        turns_of_another_loop(fd);
    EQUAL(fibers[SLEEPER].result, -ETIMEDOUT);
    CHECK(!is_readable(fd, 0));
    /* Woken outside of a dispatch: by an object, by a start and by a cancellation. */
    OK(pirn_queue_put(&hub, &queue, &item, 0));
    CHECK(is_readable(fd, 0));
    CHECK(turns_of_another_loop(fd) <= 3);
    EQUAL(fibers[GETTER].result, 7);
    OK(pirn_semaphore_release(&tickets, 2));
    CHECK(is_readable(fd, 0));
    CHECK(turns_of_another_loop(fd) <= 3);
    GIVES(pirn_fiber_join(&fibers[BUYER], 0, NULL), 0);
    start(WAITERS, handles, NULL);
    CHECK(is_readable(fd, 0));
    CHECK(turns_of_another_loop(fd) <= 3);
    GIVES(pirn_fiber_join(&fibers[WAITERS], 0, NULL), 0);
    OK(pirn_fiber_cancel(&fibers[WRITER]));
    CHECK(is_readable(fd, 0));
    CHECK(turns_of_another_loop(fd) <= 3);
    EQUAL(fibers[WRITER].result, -ECANCELED);
    /* An fd. */
    CHECK(!is_readable(fd, 0));
    MUST(write(fds[1], "x", 1) == 1);
    CHECK(is_readable(fd, 0));
    CHECK(turns_of_another_loop(fd) <= 4);
    EQUAL(fibers[READER].result, 'x');
    EQUAL(fibers[JOINER].result, 'x' + 1);
    CHECK(!is_readable(fd, 0));
    OK(pirn_port_close(&port));
    OK(pirn_port_close(&full_port));
    close_all(fds, 2);
    close_all(full, 2);
    close_fibers();
}

/* One call of the hub leaves waiters over, and the fd stays readable for them. */
static void fd_of_the_loop_tells_of_waiters_left_over(void)
{
    int fd;
    open_fibers(0);
    fd = pirn_fd(loop);
    begin_chain();
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
    close_fibers();
}

/* ---- the fd of the loop, other threads and forks ---- */

static struct pirn_event event;

static int waits_for_the_event(struct pirn_hub *hub_, void *user)
{
    (void)user;
    return pirn_event_wait(hub_, &event, PIRN_FOREVER);
}

static void *sets_the_event(void *user)
{
    pirn_event_set_from(&hub, &event);
    return user;
}

static void fd_of_the_loop_tells_of_other_threads(void)
{
    pthread_t thread;
    int fd;
    open_fibers(0);
    memset(&event, 0, sizeof event);
    start(0, waits_for_the_event, NULL);
    fd = pirn_fd(loop);
    turns_of_another_loop(fd);
    CHECK(!is_readable(fd, 0));
    MUST(pthread_create(&thread, NULL, sets_the_event, NULL) == 0);
    CHECK(is_readable(fd, 10000));
    CHECK(turns_of_another_loop(fd) <= 4);
    GIVES(pirn_fiber_join(&fibers[0], 0, NULL), 0);
    OK(fibers[0].result);
    MUST(pthread_join(thread, NULL) == 0);
    close_fibers();
}

/* The child has an fd of its own, which tells of its own fibers. */
static void fd_of_the_loop_tells_of_fibers_after_a_fork(void)
{
    int fd;
    open_fibers(0);
    fd = pirn_fd(loop);
    begin_chain();
    turns_of_another_loop(fd);
    fflush(stdout);
    pid_t child = fork();
    MUST(child >= 0);
    if (child == 0) {
        failure_count = 0;
        OK(pirn_after_fork(loop));
        fd = pirn_fd(loop);
        CHECK(fd >= 0);
        turns_of_another_loop(fd);
        CHECK(!is_readable(fd, 0));
    } else {
        int status = -1;
        MUST(waitpid(child, &status, 0) == child);
        EQUAL(status, 0);
        CHECK(!is_readable(fd, 0));
    }
    OK(pirn_waiter_wake(&chain[0], 0));
    CHECK(is_readable(fd, 0));
    CHECK(turns_of_another_loop(fd) <= CHAIN / 64 + 2);
    EQUAL(chain_calls, CHAIN);
    close_fibers();
    if (child == 0) {
        fflush(stdout);
        _exit(failure_count != 0);
    }
}

static void test(uint32_t backend)
{
    the_backend = backend;
    fibers_run_where_events_are_taken();
    no_byte_is_lost_with_ports_that_others_close();
    if (backend == PIRN_BACKEND_EPOLL) {
        fd_of_the_loop_tells_of_woken_waiters();
        fd_of_the_loop_tells_of_waiters_left_over();
        fd_of_the_loop_tells_of_other_threads();
        fd_of_the_loop_tells_of_fibers_after_a_fork();
    }
}

int main(int argc, char **argv)
{
    return run_on_backends(argc, argv, test);
}
