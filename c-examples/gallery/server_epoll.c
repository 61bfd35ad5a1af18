/*
 * server_epoll: an echo server on epoll, level triggered and edge triggered.
 *
 * Shows: the kernel keeps the list. A client is added once, and changed when its interest changes;
 * a wait returns only the clients that are ready.
 *
 * Watch for: level means "is readable", and is reported as long as that is true. Edge means "has
 * become readable", and is reported once: if a server does not read until EAGAIN, it misses the
 * rest, and its client waits for ever. The self-test shows that too, with a server that takes one
 * step
 * for each edge. Edge triggered, both interests can stay registered, which saves the changes.
 *
 *     ./build/gallery/server_epoll 7000            level
 *     ./build/gallery/server_epoll 7000 edge
 *
 * Next: server_auto.c leaves the choice of the call to a library, and registers callbacks.
 */
#include <fcntl.h>
#include <sys/epoll.h>

#include "server.h"

static int is_edge, takes_one_step;

static void watch(int epoll_fd, int operation, int fd, uint32_t interest, void *user)
{
    struct epoll_event event;

    memset(&event, 0, sizeof event);
    event.events = interest;
    event.data.ptr = user;
    CHECK(epoll_ctl(epoll_fd, operation, fd, &event) == 0);
}

static void admit(int epoll_fd, int client)
{
    struct session *session = client < 0 ? NULL : session_open(client);

    if (session != NULL)
        watch(epoll_fd, EPOLL_CTL_ADD, client, is_edge ? EPOLLIN | EPOLLOUT | EPOLLET : EPOLLIN,
              session);
}

static void on_ready(int epoll_fd, struct session *session)
{
    int was_full = session->sent < session->length, is_full;
    enum session_state state;

    do
        state = session_step(session);
    while (is_edge && !takes_one_step && state == SESSION_MORE);
    is_full = state == SESSION_WRITE;
    if (state == SESSION_OVER)
        session_close(session);                     /* which removes it from the list too */
    else if (!is_edge && is_full != was_full)
        watch(epoll_fd, EPOLL_CTL_MOD, session->fd, is_full ? EPOLLOUT : EPOLLIN, session);
}

static void serve(int listener)
{
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);

    CHECK(epoll_fd >= 0 && fcntl(listener, F_SETFL, O_NONBLOCK) == 0);
    watch(epoll_fd, EPOLL_CTL_ADD, listener, EPOLLIN, NULL);
    for (;;) {
        struct epoll_event ready[64];
        int found = epoll_wait(epoll_fd, ready, 64, -1);

        for (int at = 0; at < found; at++)
            if (ready[at].data.ptr == NULL)
                admit(epoll_fd, accept_client(listener, SOCK_NONBLOCK));
            else
                on_ready(epoll_fd, ready[at].data.ptr);
    }
}

/* More bytes than one step echoes, and then silence. */
static void check_that_the_rest_is_missed(void)
{
    static char bytes[3 * sizeof sessions[0].bytes];
    uint16_t port;
    size_t got = 0;
    int fd;

    is_edge = takes_one_step = 1;
    port = begin_server(serve);
    fd = load_dial(port, 0);
    CHECK(send_all(fd, bytes, sizeof bytes) == 0);
    while (got < sizeof bytes && is_answered(fd, 300)) {
        ssize_t more = recv(fd, bytes, sizeof bytes, 0);

        CHECK(more > 0);
        got += (size_t)more;
    }
    CHECK(got < sizeof bytes);
    printf("server_epoll: edge, one step for each: %u of %u bytes came back\n", (unsigned)got,
           (unsigned)sizeof bytes);
    close(fd);
    end_server();
    takes_one_step = 0;
}

static void prove(void)
{
    for (is_edge = 0; is_edge <= 1; is_edge++) {
        uint16_t port = begin_server(serve);

        check_that_a_full_client_keeps_nobody_waiting(port);
        load_server(port, 300, 5);
        CHECK(counts->clients == 303 && counts->peak > 1);
        end_server();
        printf("server_epoll: %s, 303 clients, %u calls in vain\n", is_edge ? "edge" : "level",
               counts->in_vain);
    }
    check_that_the_rest_is_missed();
}

int main(int argc, char **argv)
{
    is_edge = argc > 2 && strcmp(argv[2], "edge") == 0;
    return server_main(argc, argv, serve, prove);
}
