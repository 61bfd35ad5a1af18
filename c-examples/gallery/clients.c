/*
 * clients: 500 clients of an echo server at once, in one thread.
 *
 * Shows: the other side of the servers. Each client is a fiber that connects, sends and receives as
 * if it were alone, and compares every byte.
 *
 * Watch for: all clients are connected before the first one sends, so the server has 500 clients at
 * the same time and not one after the other. Two groups of fibers do that: the second one is
 * started when the first one has ended.
 *
 *     ./build/gallery/server_auto 7000 &
 *     ./build/gallery/clients 7000
 *
 * Next: downloader.c gets one answer from each of several servers, which are not equally fast.
 */
#include <pthread.h>

#include <pirn/fiber_debug.h>

#include "server.h"

#define CLIENTS 500
#define ROUNDS 4
#define LIMIT UINT64_C(60000000000)

static PIRN_STORAGE(block, CLIENTS + 2, 4, 4);
static struct pirn_hub hub;
PIRN_POOL(fibers, CLIENTS, 16384);
static struct pirn_port ports[CLIENTS];
static struct sockaddr_in server;
static unsigned connected, answered;

static int connect_one(struct pirn_hub *its_hub, void *argument)
{
    struct pirn_port *port = &ports[*(int *)argument];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char answer;

    CHECK(fd >= 0 && pirn_port_open(its_hub, port, fd, 0) == 0);
    CHECK(pirn_port_connect(port, &server, sizeof server, LIMIT) == 0);
    send_at_once(fd);
    CHECK(pirn_port_write_all(port, "?", 1, LIMIT) == 0);           /* the kernel connects us: */
    CHECK(pirn_port_read(port, &answer, 1, LIMIT) == 1);            /* this is the server */
    connected++;                                    /* one thread: no lock */
    return 0;
}

static int speak(struct pirn_hub *its_hub, void *argument)
{
    int number = *(int *)argument;
    struct pirn_port *port = &ports[number];
    char sent[3000], got[sizeof sent];

    (void)its_hub;
    for (int round = 0; round < ROUNDS; round++) {
        size_t length = 0;

        for (size_t at = 0; at < sizeof sent; at++)
            sent[at] = (char)((int)at * (number + 1) + round);
        CHECK(pirn_port_write_all(port, sent, sizeof sent, LIMIT) == 0);
        while (length < sizeof got) {
            ptrdiff_t more = pirn_port_read(port, got + length, sizeof got - length, LIMIT);

            CHECK(more > 0);
            length += (size_t)more;
        }
        CHECK(memcmp(sent, got, sizeof got) == 0);
        answered++;
    }
    pirn_port_close(port);
    return close(port->fd);
}

static void run_clients(uint16_t port)
{
    struct pirn_loop *loop;

    server.sin_family = AF_INET;
    server.sin_port = htons(port);
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(pirn_init(&loop, block, sizeof block, NULL) == 0);
    CHECK(pirn_hub_init(loop, &hub, 63) == 0 && pirn_fiber_debug(&hub) == 0);
    for (int at = 0; at < CLIENTS; at++)
        CHECK(pirn_pool_spawn(&hub, &fibers, connect_one, &at, sizeof at, PIRN_FOREVER) == 0);
    CHECK(pirn_group_join(&hub, &fibers.group, PIRN_FOREVER) == 0 && connected == CLIENTS);
    for (int at = 0; at < CLIENTS; at++)
        CHECK(pirn_pool_spawn(&hub, &fibers, speak, &at, sizeof at, PIRN_FOREVER) == 0);
    CHECK(pirn_group_join(&hub, &fibers.group, PIRN_FOREVER) == 0 && fibers.group.result == 0);
    CHECK(answered == CLIENTS * ROUNDS);
    CHECK(pirn_hub_deinit(&hub) == 0 && pirn_deinit(loop) == 0);
    printf("clients: %d at once, %u answers, each byte compared\n", CLIENTS, answered);
}

/* For the self-test: server_threads.c in short. */
static void *serve_client(void *argument)
{
    echo_until_end((int)(intptr_t)argument);
    return NULL;
}

static void serve(int listener)
{
    for (;;) {
        int client = accept_client(listener, 0);
        pthread_t thread;

        if (client < 0)
            continue;
        CHECK(pthread_create(&thread, NULL, serve_client, (void *)(intptr_t)client) == 0);
        pthread_detach(thread);
    }
}

static void prove(void)
{
    run_clients(begin_server(serve));
    CHECK(counts->clients == CLIENTS && counts->peak == CLIENTS);
    end_server();
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--self-test") != 0) {
        run_clients((uint16_t)atoi(argv[1]));
        return 0;
    }
    return server_main(argc, argv, serve, prove);
}
