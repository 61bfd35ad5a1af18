/* The loop of a test with its hub, and ports. Include it after test.h. */
#ifndef HUB_H
#define HUB_H

#include <pirn/wait.h>

static uint32_t the_backend;
static struct pirn_loop *loop;
static struct pirn_hub hub;

/* Opens the loop in this block, with the flags of a configuration. */
static inline void open_hub_in(void *memory, size_t size, uint32_t flags)
{
    struct pirn_config config = config_with(the_backend, flags);
    MUST(pirn_init(&loop, memory, size, &config) == 0);
    OK(pirn_hub_init(loop, &hub, 63));
}

#define OPEN_HUB(block) open_hub_in(block, sizeof(block), 0)

static inline void close_hub(void)
{
    OK(pirn_hub_verify(&hub));
    OK(pirn_hub_deinit(&hub));
    CLOSE(loop);
}

/* ---- ports ---- */

/* A host has its own fds, whose flags pirn does not change. */
static inline int try_open_port(struct pirn_port *port, int fd)
{
    if (the_backend == PIRN_BACKEND_HOST)
        MUST(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0);
    return pirn_port_open(&hub, port, fd, 0);
}

static inline void open_port(struct pirn_port *port, int fd)
{
    OK(try_open_port(port, fd));
}

/* Two sockets that are connected, and their ports. */
struct pair { int fds[2]; struct pirn_port here, there; };

static inline void open_pair(struct pair *pair)
{
    MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair->fds) == 0);
    open_port(&pair->here, pair->fds[0]);
    open_port(&pair->there, pair->fds[1]);
}

static inline void close_pair(struct pair *pair)
{
    OK(pirn_port_close(&pair->here));
    OK(pirn_port_close(&pair->there));
    close_all(pair->fds, 2);
}

#endif
