/* The echo server over the adapters of the peer bench, in place of their workloads. */
#include "socket.h"

struct client {
    struct io io;
    int fd;
};

static struct client clients[MAX_CLIENTS], listener;
static loop_t *event_loop;

static IO_CALLBACK(on_client)
{
    struct client *client = (struct client *)user;
    if (!answer(client->fd)) {
        io_remove(event_loop, &client->io);
        close(client->fd);
        client->fd = 0;
    }
    DONE;
}

/* A place is used again as late as may be: a library may hold it a little longer. */
static IO_CALLBACK(on_listener)
{
    static unsigned used;
    struct client *client = &clients[used++ % MAX_CLIENTS];
    int new = accept_client(listener.fd);
    if (new < 0)
        DONE;
    if (client->fd != 0 || io_add(event_loop, &client->io, new, IO_READ, on_client) != 0)
        close(new);
    else
        client->fd = new;
    DONE;
}

int main(int argc, char **argv)
{
    struct limits limits = {.io = MAX_CLIENTS + 1};
    listener.fd = open_listener(argc, argv);
    event_loop = loop_open(&limits);
    if (listener.fd < 0 || !event_loop
        || io_add(event_loop, &listener.io, listener.fd, IO_READ, on_listener) != 0)
        return 1;
    loop_run(event_loop);
    return 1;
}
