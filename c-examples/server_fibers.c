/*
 * server_fibers: an echo server that reads as if it blocked, a fiber for each client.
 *
 * Shows: accept, read and write that wait, with a time limit on each; a bounded pool, so that the
 * server accepts only as many clients as it has fibers; and an orderly end: Ctrl-C stops accepting,
 * cancels the clients, and waits until each has closed its socket.
 *
 *     make && ./build/server_fibers 7000 &
 *     printf 'hello\n' | nc -N 127.0.0.1 7000
 *     ./build/server_fibers --self-test            300 clients of its own, every byte compared
 *
 * All memory is static: 100 fibers of 16 KiB, and the loop.
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <pirn/fiber.h>

#include "check.h"

#define MAX_CLIENTS 100
#define SECOND UINT64_C(1000000000)

static PIRN_STORAGE(block, 1024, 8, 8);
static struct pirn_loop *loop;
static struct pirn_hub hub;
PIRN_POOL(clients, MAX_CLIENTS, 16384);

/* ---- the server ---- */

static int serve(struct pirn_hub *its_hub, void *argument)
{
    int fd = *(int *)argument;
    struct pirn_port client;
    char bytes[1024];
    intptr_t count;

    if (pirn_port_open(its_hub, &client, fd, 0) == 0) {
        while ((count = pirn_port_read(&client, bytes, sizeof bytes, 30 * SECOND)) > 0)
            if (pirn_port_write_all(&client, bytes, (size_t)count, 30 * SECOND) < 0)
                break;
        pirn_port_close(&client);
    }
    return close(fd);
}

static void serve_until_stopped(int fd)
{
    struct pirn_port listener;
    int client;

    CHECK(pirn_port_open(&hub, &listener, fd, 0) == 0);
    while ((client = pirn_port_accept(&listener, PIRN_FOREVER)) >= 0)
        if (pirn_pool_spawn(&hub, &clients, serve, &client, sizeof client, PIRN_FOREVER) < 0)
            close(client);
    pirn_port_close(&listener);
    pirn_group_cancel(&clients.group);
    pirn_group_join(&hub, &clients.group, PIRN_FOREVER);
}

static void on_interrupt(int signo)
{
    (void)signo;
    pirn_stop(loop);
}

static int listening_socket(struct sockaddr_in *address)
{
    socklen_t length = sizeof *address;
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0);
    CHECK(bind(fd, (struct sockaddr *)address, sizeof *address) == 0 && listen(fd, 512) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)address, &length) == 0);
    return fd;
}

/* ---- clients of its own ---- */

#define OWN_CLIENTS 300
#define BYTES 5000

static struct sockaddr_in server_address;
static int answered;
PIRN_POOL(own_clients, OWN_CLIENTS, 16384);

static int ask(struct pirn_hub *its_hub, void *argument)
{
    int number = *(int *)argument, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct pirn_port server;
    char sent[BYTES], got[BYTES];
    size_t count = 0;

    for (int at = 0; at < BYTES; at++)
        sent[at] = (char)(at * number);
    CHECK(fd >= 0 && pirn_port_open(its_hub, &server, fd, 0) == 0);
    CHECK(pirn_port_connect(&server, &server_address, sizeof server_address, 30 * SECOND) == 0);
    CHECK(pirn_port_write_all(&server, sent, BYTES, 30 * SECOND) == 0);
    while (count < BYTES) {
        intptr_t more = pirn_port_read(&server, got + count, BYTES - count, 30 * SECOND);
        CHECK(more > 0);
        count += (size_t)more;
    }
    CHECK(memcmp(sent, got, BYTES) == 0);
    pirn_port_close(&server);
    close(fd);
    if (++answered == OWN_CLIENTS)
        raise(SIGINT);
    return 0;
}

static int start_own_clients(struct pirn_hub *its_hub, void *user)
{
    (void)user;
    for (int at = 0; at < OWN_CLIENTS; at++)
        CHECK(pirn_pool_spawn(its_hub, &own_clients, ask, &at, sizeof at, PIRN_FOREVER) == 0);
    return 0;
}

int main(int argc, char **argv)
{
    static struct pirn_fiber starter;
    static char stack[16384];
    int is_test = argc > 1 && strcmp(argv[1], "--self-test") == 0, fd;

    server_address.sin_family = AF_INET;
    server_address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server_address.sin_port = htons((unsigned short)(is_test || argc < 2 ? 0 : atoi(argv[1])));
    fd = listening_socket(&server_address);
    CHECK(pirn_init(&loop, block, sizeof block, NULL) == 0);
    CHECK(pirn_hub_init(loop, &hub, 63) == 0);
    signal(SIGINT, on_interrupt);
    if (is_test)
        CHECK(pirn_fiber_start(&hub, &starter, stack, sizeof stack, 0, start_own_clients, NULL)
              == 0);
    printf("listening on 127.0.0.1:%d\n", ntohs(server_address.sin_port));
    fflush(stdout);
    serve_until_stopped(fd);
    close(fd);
    CHECK(!is_test || answered == OWN_CLIENTS);
    CHECK(clients.state.peak <= MAX_CLIENTS);
    printf("at most %u clients at once\n", (unsigned)clients.state.peak);
    CHECK(pirn_hub_deinit(&hub) == 0);
    return pirn_deinit(loop);
}
