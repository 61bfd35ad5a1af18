/*
 * For the two downloaders: an HTTP server that answers GET /N after N milliseconds.
 */
#ifndef GALLERY_SLOW_SERVER_H
#define GALLERY_SLOW_SERVER_H

#include <pirn/fiber_debug.h>

#include "server.h"

#define DOWNLOADS 10
#define MS UINT64_C(1000000)

/* The first download is the slowest: 500 ms, 450, and so on. */
static inline unsigned delay_of(unsigned number)
{
    return (DOWNLOADS - number) * 50;
}

static PIRN_STORAGE(block, 64, 64, 8);
static struct pirn_hub hub;
PIRN_POOL(fibers, 32, 16384);
static inline int serve_late(struct pirn_hub *its_hub, void *argument)
{
    int fd = *(int *)argument, length;
    struct pirn_port port;
    char text[2048];
    size_t size = 0;
    ptrdiff_t got;
    unsigned delay;

    CHECK(pirn_port_open(its_hub, &port, fd, 0) == 0);
    do {
        got = pirn_port_read(&port, text + size, sizeof text - 1 - size, PIRN_FOREVER);
        size += got > 0 ? (size_t)got : 0;
        text[size] = '\0';
    } while (got > 0 && strstr(text, "\r\n\r\n") == NULL);
    if (sscanf(text, "GET /%u ", &delay) == 1) {
        client_came();
        pirn_fiber_sleep(its_hub, delay * MS);
        length = snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nConnection: close\r\n"
                          "Content-Type: text/plain\r\n\r\nafter %u ms\n", delay);
        pirn_port_write_all(&port, text, (size_t)length, PIRN_FOREVER);
    }
    pirn_port_close(&port);
    return close(fd);
}

static inline void serve_slowly(int fd)
{
    struct pirn_loop *loop;
    struct pirn_port listener;
    int client;

    CHECK(pirn_init(&loop, block, sizeof block, NULL) == 0);
    CHECK(pirn_hub_init(loop, &hub, 63) == 0 && pirn_fiber_debug(&hub) == 0);
    CHECK(pirn_port_open(&hub, &listener, fd, 0) == 0);
    while ((client = pirn_port_accept(&listener, PIRN_FOREVER)) >= 0)
        if (pirn_pool_spawn(&hub, &fibers, serve_late, &client, sizeof client, PIRN_FOREVER) < 0)
            close(client);
}

#endif
