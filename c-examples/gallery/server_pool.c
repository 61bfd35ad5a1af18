/*
 * server_pool: an echo server on a bounded pool of fibers, under 500 clients at once.
 *
 * Shows: as many fibers as you decide, one thread, and memory that is known before the program
 * runs. When all fibers are in use, the call that would start one more waits, so the server stops
 * accepting until a client leaves.
 *
 * Watch for: compare with server_thread_pool.c. The code of a client is the same; but a hundred
 * fibers take 16 KiB of addresses each and no thread, so the bound can be as high as the number of
 * clients that you expect. The time limit frees the fiber of a client that is silent.
 *
 *     ./build/gallery/server_pool 7000
 *
 * Next: handler_server.c runs one handler in four of these models.
 */
#include <pirn/fiber_debug.h>

#include "server.h"

#define FIBERS 100
#define STACK 16384
#define LIMIT UINT64_C(30000000000)

static PIRN_STORAGE(block, FIBERS + 2, 4, 4);      /* the clients, the listener, the hub */
static struct pirn_hub hub;
PIRN_POOL(clients, FIBERS, STACK);

static int serve_client(struct pirn_hub *its_hub, void *argument)
{
    int fd = *(int *)argument;
    struct pirn_port client;
    char bytes[4096];
    ptrdiff_t got;

    client_came();
    send_at_once(fd);
    if (pirn_port_open(its_hub, &client, fd, 0) == 0) {
        while ((got = pirn_port_read(&client, bytes, sizeof bytes, LIMIT)) > 0)
            if (pirn_port_write_all(&client, bytes, (size_t)got, LIMIT) < 0)
                break;
        pirn_port_close(&client);
    }
    client_left();
    return close(fd);
}

static void serve(int fd)
{
    struct pirn_loop *loop;
    struct pirn_port listener;
    int client;

    CHECK(pirn_init(&loop, block, sizeof block, NULL) == 0);
    CHECK(pirn_hub_init(loop, &hub, 63) == 0 && pirn_fiber_debug(&hub) == 0);
    CHECK(pirn_port_open(&hub, &listener, fd, 0) == 0);
    for (;;) {
        client = pirn_port_accept(&listener, PIRN_FOREVER);
        if (client < 0)
            pirn_fiber_sleep(&hub, 10000000);       /* no descriptors: the client stays queued */
        else if (pirn_pool_spawn(&hub, &clients, serve_client, &client, sizeof client,
                                 PIRN_FOREVER) < 0)
            close(client);
        count(&counts->workers, (int)(clients.state.peak - counts->workers));
    }
}

static void prove(void)
{
    uint16_t port = begin_server(serve);

    check_that_nobody_waits_for_another(port);
    load_server(port, 500, 5);
    CHECK(counts->clients == 502 && counts->peak > 1 && counts->peak <= FIBERS);
    CHECK(counts->workers <= FIBERS);
    end_server();
    printf("server_pool: 502 clients, up to %u in %d fibers, %u KiB for all of them\n",
           counts->peak, FIBERS, (unsigned)((sizeof clients_slots_ + sizeof block) / 1024));
}

int main(int argc, char **argv)
{
    return server_main(argc, argv, serve, prove);
}
