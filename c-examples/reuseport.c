/*
 * reuseport: an echo server with one loop for each core; the kernel distributes the clients.
 *
 * Shows: several loops in one process, each with a thread, a block of memory, a pool of clients and
 * a listener of its own. The listeners share a port (SO_REUSEPORT, socket(7)): the kernel gives
 * each new connection to one of them, by a hash of its addresses. The loops share nothing, so no
 * lock is needed. In handover.c one loop accepts for all.
 *
 *     make && ./build/reuseport --loops 2 --port 7000 &
 *     ./build/reuseport --self-test                64 clients, every byte verified; exit status 0
 *                                                  or 1
 *     ./build/reuseport --bench                    echoes per second with one loop and with two
 *
 * The clients of --bench run on the same machine and work as hard as the loops do: with two cores
 * for both, expect a ratio near 1.
 *
 * Ends on SIGINT or SIGTERM. A connection stays with its listener: when a listener is closed, the
 * connections in its queue are reset, even if other listeners continue (unless
 * net.ipv4.tcp_migrate_req is 1).
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

#include "echo_client.h"
#include "loops_program.h"

#define MAX_LOOPS 16
#define ACCEPT_PAUSE_NS UINT64_C(100000000)

/*
 * One I/O slot for each client and one for the listener; one timer that ends an accept pause; no
 * tasks.
 */
struct server {
    uint64_t block[PIRN_STORAGE_SIZE(ECHO_CLIENTS + 1, 1, 0) / 8];
    struct pirn_loop *loop;
    struct pirn_io listener;
    int listener_fd, result;
    pthread_t thread;
    struct echo_pool pool;
};

static struct server servers[MAX_LOOPS];
static unsigned server_count;

static void on_pause_over(struct pirn_loop *loop, struct pirn_timer timer, uint64_t missed,
                          void *user)
{
    struct server *server = user;

    (void)timer, (void)missed;
    CHECK(pirn_io_modify(loop, server->listener, PIRN_READ) == 0);
}

static void on_listener(struct pirn_loop *loop, struct pirn_io io, int fd, uint32_t ready,
                        void *user)
{
    struct server *server = user;

    (void)ready;
    for (int i = 0; i < ECHO_ACCEPT_BATCH; ++i) {
        int client_fd = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (client_fd >= 0) {
            echo_admit(loop, &server->pool, client_fd);
        } else if (errno == EAGAIN) {
            return;
        } else if (echo_is_shortage(errno)) {
            /*
             * Look away for a moment. The timer's slot is free: the listener rests while it is in
             * use.
             */
            CHECK(pirn_timer_start(loop, ACCEPT_PAUSE_NS, 0, 0, on_pause_over, server, NULL) == 0);
            CHECK(pirn_io_modify(loop, io, 0) == 0);
            return;
        }
    }
}

/* From a signal handler too: pirn_stop may be called from anywhere. */
static void stop_all(void)
{
    for (unsigned i = 0; i < server_count; ++i)
        (void)pirn_stop(servers[i].loop);
}

static void *run_server(void *user)
{
    struct server *server = user;

    server->result = pirn_run(server->loop);
    if (server->result != PIRN_STOPPED)
        stop_all();  /* all or none: half a server would answer half of the clients */
    return NULL;
}

/*
 * All listeners are there before the first loop runs: one that joins later changes who gets which
 * connection.
 */
static void open_servers(unsigned count, uint16_t *port)
{
    server_count = count;
    for (unsigned i = 0; i < count; ++i) {
        struct server *server = &servers[i];
        struct pirn_config config;

        memset(&config, 0, sizeof config);
        config.size = sizeof config;
        config.io = ECHO_CLIENTS + 1;
        config.timers = 1;
        echo_pool_init(&server->pool);
        server->listener_fd = echo_listen(port, SO_REUSEPORT);
        if (server->listener_fd < 0)
            exit(1);
        CHECK(pirn_init(&server->loop, server->block, sizeof server->block, &config) == 0);
        CHECK(pirn_io_add(server->loop, server->listener_fd, PIRN_READ, on_listener, server,
                          &server->listener) == 0);
    }
}

static void start_servers(void)
{
    for (unsigned i = 0; i < server_count; ++i)
        CHECK(pthread_create(&servers[i].thread, NULL, run_server, &servers[i]) == 0);
}

/* After this nobody but the caller can reach the loops, and they may be ended. */
static void join_servers(void)
{
    for (unsigned i = 0; i < server_count; ++i)
        CHECK(pthread_join(servers[i].thread, NULL) == 0);
}

static int close_servers(void)
{
    int rc = 0;

    for (unsigned i = 0; i < server_count; ++i) {
        struct server *server = &servers[i];

        if (server->result != PIRN_STOPPED) {
            fprintf(stderr, "reuseport: loop %u: %s\n", i, pirn_strerror(server->result));
            rc = 1;
        }
        CHECK(pirn_io_remove(server->loop, server->listener) == 0);
        CHECK(close(server->listener_fd) == 0);
        echo_pool_close(server->loop, &server->pool);
        CHECK(pirn_verify(server->loop) == 0 && pirn_deinit(server->loop) == 0);
    }
    return rc;
}

static void print_statistics(void)
{
    for (unsigned i = 0; i < server_count; ++i) {
        const struct echo_pool *pool = &servers[i].pool;

        printf("stats loop=%u clients=%" PRIu64 " refused=%" PRIu64 " failed=%" PRIu64 " "
               "echoed=%" PRIu64 " short_writes=%" PRIu64 "\n",
               i, pool->admitted, pool->refused, pool->failed, pool->echoed, pool->short_writes);
    }
}

static int self_test(void)
{
    struct load load = { .clients = SELF_TEST_CLIENTS, .messages = 1, .length = SELF_TEST_LENGTH,
                         .half_closers = 1, .slow_readers = 4 };
    uint64_t admitted = 0, short_writes = 0;
    uint16_t port = 0;

    open_servers(2, &port);
    start_servers();
    load.port = port;
    load_connect(&load);
    load_run(&load);
    load_free(&load);
    stop_all();
    join_servers();
    for (unsigned i = 0; i < server_count; ++i) {
        const struct echo_pool *pool = &servers[i].pool;

        CHECK(pool->admitted > 0 && pool->connected == 0 && pool->refused == 0 &&
              pool->failed == 0);
        CHECK(pool->echoed == pool->admitted * SELF_TEST_LENGTH);
        admitted += pool->admitted;
        short_writes += pool->short_writes;
    }
    CHECK(admitted == SELF_TEST_CLIENTS);
    CHECK(close_servers() == 0);
    printf("reuseport: %d clients, each %u bytes verified, %" PRIu64 " and %" PRIu64 " to a loop; "
           "%" PRIu64 " short writes\n",
           SELF_TEST_CLIENTS, SELF_TEST_LENGTH, servers[0].pool.admitted, servers[1].pool.admitted,
           short_writes);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct loops_program program = {
        "reuseport", MAX_LOOPS, open_servers, start_servers, stop_all, join_servers, close_servers,
            print_statistics, self_test
    };

    return loops_main(&program, argc, argv);
}
