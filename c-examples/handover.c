/*
 * handover: an echo server with one loop that accepts, and several loops that serve the clients.
 *
 * Shows: passing connections to loops in other threads with pirn_remote_post, with the descriptor
 * in the user pointer; a full mailbox; an orderly end, in which no descriptor is lost. The workers
 * get clients in turn. In reuseport.c the kernel distributes the clients instead, and no loop waits
 * for another.
 *
 * A connection always has exactly one owner: the acceptor until its post is accepted, then the
 * worker. If all mailboxes are full, the acceptor keeps the connection it has, accepts no more, and
 * tries again after a moment; the others wait in the kernel's queue.
 *
 *     make && ./build/handover --loops 2 --port 7000 &
 *     ./build/handover --self-test                 64 clients, every byte verified; exit status 0
 *                                                  or 1
 *     ./build/handover --bench                     echoes per second with one worker loop and with
 *                                                  two
 *
 * The clients of --bench run on the same machine and work as hard as the loops do: with two cores
 * for both, expect a ratio near 1.
 *
 * Ends on SIGINT or SIGTERM.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

#include "echo_client.h"
#include "loops_program.h"

#define MAX_WORKERS 16
#define MAILBOX_ROOM 16  /* posts; small, because the kernel's queue is there for the rest */
#define RETRY_NS UINT64_C(1000000)
#define ACCEPT_PAUSE_NS UINT64_C(100000000)
#define LATE_CLIENTS 8                              /* of the self-test */

/* One I/O slot for each client; the room for posts from elsewhere is half of the tasks. */
struct worker {
    uint64_t block[PIRN_STORAGE_SIZE(ECHO_CLIENTS, 0, 2 * MAILBOX_ROOM) / 8];
    struct pirn_loop *loop;
    int result;
    pthread_t thread;
    uint64_t reclaimed;
    struct echo_pool pool;
};

/* One timer, that ends a pause. */
struct acceptor {
    uint64_t block[PIRN_STORAGE_SIZE(1, 1, 0) / 8];
    struct pirn_loop *loop;
    struct pirn_io listener;
    int listener_fd, result;
    pthread_t thread;
    int kept_fd;                                    /* accepted, and not yet handed over; or -1 */
    unsigned next_worker;
    uint64_t handed_over, times_full;
};

static struct worker workers[MAX_WORKERS];
static unsigned worker_count;
static struct acceptor acceptor;

/*
 * In a worker. All there is to say is a small number, so it travels in the pointer; whose loop this
 * is, the loop tells.
 */
static void on_handed_over(struct pirn_loop *loop, void *user)
{
    for (unsigned i = 0; i < worker_count; ++i)
        if (workers[i].loop == loop)
            echo_admit(loop, &workers[i].pool, (int)(intptr_t)user);
}

/*
 * Offers a connection to the workers, beginning with the one whose turn it is. 0: one took it,
 * hands off; -EAGAIN: all are full.
 */
static int hand_over(int fd)
{
    for (unsigned i = 0; i < worker_count; ++i) {
        struct worker *worker = &workers[acceptor.next_worker];
        int rc = pirn_remote_post(worker->loop, on_handed_over, (void *)(intptr_t)fd);

        acceptor.next_worker = (acceptor.next_worker + 1) % worker_count;
        if (rc == 0) {
            acceptor.handed_over++;
            return 0;
        }
        CHECK(rc == -EAGAIN);  /* workers end after the acceptor: their mailboxes are open */
    }
    acceptor.times_full++;
    return -EAGAIN;
}

static void on_pause_over(struct pirn_loop *loop, struct pirn_timer timer, uint64_t missed,
                          void *user);

/* The timer's slot is free: it is started only while the listener is watched, or by itself. */
static void pause_accepting(struct pirn_loop *loop, uint64_t delay_ns)
{
    CHECK(pirn_timer_start(loop, delay_ns, 0, 0, on_pause_over, NULL, NULL) == 0);
    CHECK(pirn_io_modify(loop, acceptor.listener, 0) == 0);
}

static void on_pause_over(struct pirn_loop *loop, struct pirn_timer timer, uint64_t missed,
                          void *user)
{
    (void)timer, (void)missed, (void)user;
    if (acceptor.kept_fd >= 0 && hand_over(acceptor.kept_fd) < 0) {
        pause_accepting(loop, RETRY_NS);
        return;
    }
    acceptor.kept_fd = -1;
    CHECK(pirn_io_modify(loop, acceptor.listener, PIRN_READ) == 0);
}

static void on_listener(struct pirn_loop *loop, struct pirn_io io, int fd, uint32_t ready,
                        void *user)
{
    (void)io, (void)ready, (void)user;
    for (int i = 0; i < ECHO_ACCEPT_BATCH; ++i) {
        int client_fd = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (client_fd >= 0 && hand_over(client_fd) < 0) {
            acceptor.kept_fd = client_fd;
            pause_accepting(loop, RETRY_NS);
            return;
        }
        if (client_fd < 0 && errno == EAGAIN)
            return;
        if (client_fd < 0 && echo_is_shortage(errno)) {
            pause_accepting(loop, ACCEPT_PAUSE_NS);
            return;
        }
    }
}

static void stop_acceptor(void)
{
    (void)pirn_stop(acceptor.loop);                 /* the workers come after it, see join_loops */
}

static void *run_acceptor(void *user)
{
    (void)user;
    acceptor.result = pirn_run(acceptor.loop);
    return NULL;
}

static void *run_worker(void *user)
{
    struct worker *worker = user;

    worker->result = pirn_run(worker->loop);
    if (worker->result != PIRN_STOPPED)
        (void)pirn_stop(acceptor.loop);             /* all or none */
    return NULL;
}

static void open_loops(unsigned count, uint16_t *port)
{
    struct pirn_config config;

    worker_count = count;
    memset(&config, 0, sizeof config);
    config.size = sizeof config;
    config.io = ECHO_CLIENTS;
    config.tasks = 2 * MAILBOX_ROOM;
    for (unsigned i = 0; i < count; ++i) {
        workers[i].reclaimed = 0;
        echo_pool_init(&workers[i].pool);
        CHECK(pirn_init(&workers[i].loop, workers[i].block, sizeof workers[i].block, &config) == 0);
        /* posts to come are nothing the loop could know of */
        CHECK(pirn_hold(workers[i].loop) == 0);
    }
    memset(&acceptor, 0, sizeof acceptor);
    acceptor.kept_fd = -1;
    acceptor.listener_fd = echo_listen(port, SO_REUSEADDR);
    if (acceptor.listener_fd < 0)
        exit(1);
    config.io = config.timers = 1;
    config.tasks = 0;
    CHECK(pirn_init(&acceptor.loop, acceptor.block, sizeof acceptor.block, &config) == 0);
    CHECK(pirn_io_add(acceptor.loop, acceptor.listener_fd, PIRN_READ, on_listener, NULL,
                      &acceptor.listener) == 0);
}

static void start_loops(void)
{
    for (unsigned i = 0; i < worker_count; ++i)
        CHECK(pthread_create(&workers[i].thread, NULL, run_worker, &workers[i]) == 0);
    CHECK(pthread_create(&acceptor.thread, NULL, run_acceptor, NULL) == 0);
}

/*
 * Waits until the acceptor was stopped, and stops the workers: who posts ends before those that are
 * posted to.
 */
static void join_loops(void)
{
    CHECK(pthread_join(acceptor.thread, NULL) == 0);
    for (unsigned i = 0; i < worker_count; ++i)
        CHECK(pirn_stop(workers[i].loop) == 0);
    for (unsigned i = 0; i < worker_count; ++i)
        CHECK(pthread_join(workers[i].thread, NULL) == 0);
}

/*
 * Every descriptor is closed once: the kept one, those in mailboxes that no worker has seen, those
 * of the clients.
 */
static int close_loops(void)
{
    int rc = acceptor.result == PIRN_STOPPED ? 0 : acceptor.result;

    CHECK(pirn_io_remove(acceptor.loop, acceptor.listener) == 0);
    CHECK(close(acceptor.listener_fd) == 0);
    if (acceptor.kept_fd >= 0)
        CHECK(close(acceptor.kept_fd) == 0);
    CHECK(pirn_verify(acceptor.loop) == 0 && pirn_deinit(acceptor.loop) == 0);
    for (unsigned i = 0; i < worker_count; ++i) {
        struct worker *worker = &workers[i];
        pirn_task_fn callback;
        void *user;
        int more;

        while ((more = pirn_task_reclaim(worker->loop, &callback, &user)) == 1) {
            CHECK(callback == on_handed_over && close((int)(intptr_t)user) == 0);
            worker->reclaimed++;
        }
        CHECK(more == 0);
        if (rc == 0 && worker->result != PIRN_STOPPED)
            rc = worker->result;
        echo_pool_close(worker->loop, &worker->pool);
        CHECK(pirn_verify(worker->loop) == 0 && pirn_deinit(worker->loop) == 0);
    }
    if (rc < 0)
        fprintf(stderr, "handover: %s\n", pirn_strerror(rc));
    return rc < 0;
}

static void print_statistics(void)
{
    printf("stats handed_over=%" PRIu64 " times_full=%" PRIu64 "\n", acceptor.handed_over,
           acceptor.times_full);
    for (unsigned i = 0; i < worker_count; ++i) {
        const struct echo_pool *pool = &workers[i].pool;

        printf("stats worker=%u clients=%" PRIu64 " refused=%" PRIu64 " failed=%" PRIu64 " "
               "echoed=%" PRIu64 " short_writes=%" PRIu64
               " reclaimed=%" PRIu64 "\n",
               i, pool->admitted, pool->refused, pool->failed, pool->echoed, pool->short_writes,
               workers[i].reclaimed);
    }
}

static int self_test(void)
{
    struct load load = { .clients = SELF_TEST_CLIENTS, .messages = 1, .length = SELF_TEST_LENGTH,
                         .half_closers = 1, .slow_readers = 4 };
    int late_fds[LATE_CLIENTS];
    uint64_t short_writes = 0;
    uint16_t port = 0;
    char byte;

    /*
     * While no worker runs, the mailboxes fill up; the acceptor keeps one connection, the rest wait
     * in the kernel.
     */
    open_loops(2, &port);
    load.port = port;
    load_connect(&load);
    while (acceptor.times_full < 2)  /* found full, and found so again by the timer */
        CHECK(pirn_turn(acceptor.loop, RETRY_NS * 1000) > 0);
    CHECK(acceptor.handed_over == 2 * MAILBOX_ROOM && acceptor.kept_fd >= 0);

    /* Now all are served, every byte. */
    start_loops();
    load_run(&load);
    load_free(&load);
    CHECK(pirn_stop(acceptor.loop) == 0);
    join_loops();
    CHECK(acceptor.handed_over == SELF_TEST_CLIENTS && acceptor.kept_fd < 0);
    for (unsigned i = 0; i < worker_count; ++i) {
        const struct echo_pool *pool = &workers[i].pool;

        CHECK(pool->admitted > 0 && pool->connected == 0 && pool->refused == 0 &&
              pool->failed == 0);
        CHECK(pool->echoed == pool->admitted * SELF_TEST_LENGTH);
        short_writes += pool->short_writes;
    }
    CHECK(workers[0].pool.admitted + workers[1].pool.admitted == SELF_TEST_CLIENTS);

    /* What is posted to a worker that runs no more is reclaimed, and its client sees the end. */
    for (unsigned i = 0; i < LATE_CLIENTS; ++i)
        late_fds[i] = load_dial(port, 0);
    while (acceptor.handed_over < SELF_TEST_CLIENTS + LATE_CLIENTS)
        CHECK(pirn_turn(acceptor.loop, RETRY_NS * 1000) > 0);
    CHECK(close_loops() == 0);
    CHECK(workers[0].reclaimed + workers[1].reclaimed == LATE_CLIENTS);
    for (unsigned i = 0; i < LATE_CLIENTS; ++i)
        CHECK(recv(late_fds[i], &byte, 1, 0) == 0 && close(late_fds[i]) == 0);
    printf("handover: %d clients, each %u bytes verified, %" PRIu64 " and %" PRIu64 " to a worker; "
           "%" PRIu64
           " times full, %d reclaimed; %" PRIu64 " short writes\n",
           SELF_TEST_CLIENTS, SELF_TEST_LENGTH, workers[0].pool.admitted, workers[1].pool.admitted,
           acceptor.times_full, LATE_CLIENTS,
           short_writes);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct loops_program program = {
        "handover", MAX_WORKERS, open_loops, start_loops, stop_acceptor, join_loops, close_loops,
            print_statistics, self_test
    };

    return loops_main(&program, argc, argv);
}
