/* Without a library: the size that the others add is the difference to this one. */
#include <stdbool.h>
#include <sys/epoll.h>

#include "socket.h"

static void watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        close(fd);
}

int main(int argc, char **argv)
{
    int listener = open_listener(argc, argv), epoll = epoll_create1(EPOLL_CLOEXEC);
    if (listener < 0 || epoll < 0)
        return 1;
    watch(epoll, listener);
    for (;;) {
        struct epoll_event events[64];
        int count = epoll_wait(epoll, events, 64, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == listener)
                watch(epoll, accept_client(listener));
            else if (!answer(fd))
                close(fd);
        }
    }
}
