/*
 * For reuseport.c and handover.c: the clients of an echo server with several loops. Each loop has a
 * pool of its own, and only the loop's thread touches it: nothing here is locked, shared or
 * allocated.
 */
#ifndef ECHO_CLIENT_H
#define ECHO_CLIENT_H

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <pirn.h>

#include "check.h"

#define ECHO_CLIENTS 256                            /* per loop */
#define ECHO_BUFFER_SIZE 4096                       /* per client */
#define ECHO_ACCEPT_BATCH 64  /* per turn: a flood of newcomers must not starve those who are in */

struct echo_client {
    struct pirn_io io;
    struct echo_pool *pool;
    struct echo_client *next_free;
    int fd;                                         /* -1: not in use */
    uint32_t length, sent;  /* of the buffer: bytes received, and how many of them went back */
    char buffer[ECHO_BUFFER_SIZE];
};

struct echo_pool {
    struct echo_client *free_clients;
    unsigned connected;
    uint64_t admitted, refused, failed, echoed, short_writes;
    struct echo_client clients[ECHO_CLIENTS];
};

static void echo_pool_init(struct echo_pool *pool)
{
    memset(pool, 0, sizeof *pool);
    for (unsigned i = 0; i < ECHO_CLIENTS; ++i) {
        pool->clients[i].fd = -1;
        pool->clients[i].pool = pool;
        pool->clients[i].next_free = pool->free_clients;
        pool->free_clients = &pool->clients[i];
    }
}

static void echo_drop(struct pirn_loop *loop, struct echo_client *client)
{
    /* Remove before close: afterwards the number may belong to another thread. */
    CHECK(pirn_io_remove(loop, client->io) == 0);
    close(client->fd);
    client->fd = -1;
    client->next_free = client->pool->free_clients;
    client->pool->free_clients = client;
    client->pool->connected--;
}

static void echo_fail(struct pirn_loop *loop, struct echo_client *client)
{
    client->pool->failed++;
    echo_drop(loop, client);
}

/*
 * Receives only into an empty buffer, and so either reads or writes. Back-pressure: who does not
 * take its echo is not read from. Half-close: the end is seen when all before it went back, and
 * closing then tells the client that this was all.
 */
static void echo_on_ready(struct pirn_loop *loop, struct pirn_io io, int fd, uint32_t ready,
                          void *user)
{
    struct echo_client *client = user;
    struct echo_pool *pool = client->pool;
    ssize_t n;

    if ((ready & PIRN_INVALID) != 0) {
        echo_fail(loop, client);
        return;
    }
    if (client->sent == client->length) {
        n = recv(fd, client->buffer, sizeof client->buffer, 0);
        if (n == 0)
            echo_drop(loop, client);
        else if (n < 0 && errno != EAGAIN && errno != EINTR)
            echo_fail(loop, client);
        if (n <= 0)
            return;
        client->length = (uint32_t)n;
        client->sent = 0;
    }
    n = send(fd, client->buffer + client->sent, client->length - client->sent, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        echo_fail(loop, client);
        return;
    }
    client->sent += n > 0 ? (uint32_t)n : 0;
    pool->echoed += n > 0 ? (uint64_t)n : 0;
    /* Set on every pass, it costs nothing where nothing changes. */
    pool->short_writes += client->sent < client->length;
    CHECK(pirn_io_modify(loop, io, client->sent < client->length ? PIRN_WRITE : PIRN_READ) == 0);
}

/*
 * Takes over an accepted connection. A full pool is an answer: the newcomer is told, and the others
 * go on.
 */
static void echo_admit(struct pirn_loop *loop, struct echo_pool *pool, int fd)
{
    static const char busy[] = "busy, try later\n";
    struct echo_client *client = pool->free_clients;
    int one = 1;

    if (client == NULL ||
        pirn_io_add(loop, fd, PIRN_READ, echo_on_ready, client, &client->io) < 0) {
        (void)!send(fd, busy, sizeof busy - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        close(fd);
        pool->refused++;
        return;
    }
    /* without it an echo is late, not wrong */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    pool->free_clients = client->next_free;
    client->fd = fd;
    client->length = client->sent = 0;
    pool->connected++;
    pool->admitted++;
}

/* Closes all connections, when the loop no longer runs. */
static void echo_pool_close(struct pirn_loop *loop, struct echo_pool *pool)
{
    for (unsigned i = 0; i < ECHO_CLIENTS; ++i)
        if (pool->clients[i].fd >= 0)
            echo_drop(loop, &pool->clients[i]);
}

/*
 * Out of descriptors or memory a listener stays readable, and watching it would spin. Other errors
 * concern one newcomer.
 */
static int echo_is_shortage(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/*
 * Listens on the loopback interface at `*port`; 0: any, and written. `option`: SO_REUSEADDR or
 * SO_REUSEPORT. -1: it said why.
 */
static int echo_listen(uint16_t *port, int option)
{
    struct sockaddr_in name;
    socklen_t length = sizeof name;
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    memset(&name, 0, sizeof name);
    name.sin_family = AF_INET;
    name.sin_port = htons(*port);
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, option, &one, sizeof one) < 0
        || bind(fd, (const struct sockaddr *)&name, sizeof name) < 0 || listen(fd, SOMAXCONN) < 0
        || getsockname(fd, (struct sockaddr *)&name, &length) < 0) {
        perror("cannot listen");
        if (fd >= 0)
            close(fd);
        return -1;
    }
    *port = ntohs(name.sin_port);
    return fd;
}

#endif
