/* See wrap.h. `__real_read` is the linker's name for what `read` was. */
#include "wrap.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

ssize_t __real_read(int fd, void *buffer, size_t size);
ssize_t __real_write(int fd, const void *buffer, size_t size);
int __real_connect(int fd, const struct sockaddr *address, socklen_t length);
int __real_poll(struct pollfd *fds, nfds_t count, int timeout_ms);

ssize_t __wrap_read(int fd, void *buffer, size_t size);
ssize_t __wrap_write(int fd, const void *buffer, size_t size);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t length);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms);

static __thread struct pirn_hub *hub;

void wrap_begin(struct pirn_hub *its_hub)
{
    hub = its_hub;
}

/* Returns 1 if fd blocks and a fiber runs here, so that others can run meanwhile. The port is then
 * open, and the fd does not block until `leave`. */
static int enter(struct pirn_port *port, int fd, int *flags)
{
    if (hub == NULL || pirn_fiber_current(hub) == NULL)
        return 0;
    *flags = fcntl(fd, F_GETFL);
    return *flags >= 0 && !(*flags & O_NONBLOCK) && pirn_port_open(hub, port, fd, 0) == 0;
}

/* Turns a result of pirn into one of the C library: -1, and errno. */
static ssize_t leave(struct pirn_port *port, int flags, ssize_t result)
{
    pirn_port_close(port);
    fcntl(port->fd, F_SETFL, flags);
    if (result >= 0)
        return result;
    errno = (int)-result;
    return -1;
}

ssize_t __wrap_read(int fd, void *buffer, size_t size)
{
    struct pirn_port port;
    int flags;

    if (!enter(&port, fd, &flags))
        return __real_read(fd, buffer, size);
    return leave(&port, flags, pirn_port_read(&port, buffer, size, PIRN_FOREVER));
}

/* A write that blocks writes everything. */
ssize_t __wrap_write(int fd, const void *buffer, size_t size)
{
    struct pirn_port port;
    int flags, rc;

    if (!enter(&port, fd, &flags))
        return __real_write(fd, buffer, size);
    rc = pirn_port_write_all(&port, buffer, size, PIRN_FOREVER);
    return leave(&port, flags, rc < 0 ? rc : (ssize_t)size);
}

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t length)
{
    struct pirn_port port;
    int flags;

    if (!enter(&port, fd, &flags))
        return __real_connect(fd, address, length);
    return (int)leave(&port, flags, pirn_port_connect(&port, address, length, PIRN_FOREVER));
}

/* Of one fd, and for input or output. Other calls go to the kernel, and block. */
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    uint64_t limit_ns = timeout_ms < 0 ? PIRN_FOREVER : (uint64_t)timeout_ms * 1000000;
    struct pirn_port port;
    uint32_t interest;
    int flags, rc;

    if (timeout_ms == 0 || count != 1 || !(fds->events & (POLLIN | POLLOUT)) ||
        !enter(&port, fds->fd, &flags))
        return __real_poll(fds, count, timeout_ms);
    interest = (fds->events & POLLIN ? PIRN_READ : 0) | (fds->events & POLLOUT ? PIRN_WRITE : 0);
    rc = pirn_port_wait(&port, interest, limit_ns);
    if (leave(&port, flags, rc == -ETIMEDOUT ? 0 : rc) < 0)
        return -1;
    return __real_poll(fds, count, 0);               /* which has the words for what is ready */
}
