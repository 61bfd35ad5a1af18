/* The echo server with a fiber for each client, a bounded number of them. */
#include <stdbool.h>
#include <stddef.h>

#include <pirn/fiber.h>

#include "socket.h"

#define LIMIT 5000000000u

static PIRN_ZERO_STORAGE(block, MAX_CLIENTS + 2, 1, 1);
PIRN_POOL(clients, MAX_CLIENTS, 16384);
static struct pirn_hub hub;

static int serve(struct pirn_hub *here, void *user)
{
    int fd = *(int *)user;
    struct pirn_port port;
    char message[MESSAGE];
    intptr_t size;
    if (pirn_port_open(here, &port, fd, 0) == 0) {
        while ((size = pirn_port_read(&port, message, sizeof message, LIMIT)) > 0)
            if (pirn_port_write_all(&port, message, (size_t)size, LIMIT) < 0)
                break;
        pirn_port_close(&port);
    }
    return close(fd);
}

int main(int argc, char **argv)
{
    struct pirn_loop *loop;
    struct pirn_config config = PIRN_CONFIG(block);
    struct pirn_port listener;
    int fd = open_listener(argc, argv);
    if (fd < 0 || pirn_init(&loop, block, sizeof block, &config) < 0
        || pirn_hub_init(loop, &hub, 63) < 0 || pirn_port_open(&hub, &listener, fd, 0) < 0)
        return 1;
    for (;;) {
        int client = pirn_port_accept(&listener, PIRN_FOREVER);
        if (client < 0)
            return 1;
        if (pirn_pool_spawn(&hub, &clients, serve, &client, sizeof client, 0) < 0)
            close(client);
    }
}
