/*
 * server_poll: an echo server on poll.
 *
 * Shows: a list of fds, each with its interest and its readiness. There is no largest fd, the list
 * is kept between calls, and an entry with the fd -1 is ignored.
 *
 * Watch for: the whole list still goes into the kernel and comes out again for each call, however
 * few are ready. If one of 500 clients sends a message, 500 entries are copied for it.
 *
 *     ./build/gallery/server_poll 7000
 *
 * Next: server_epoll.c leaves the list in the kernel.
 */
#include <fcntl.h>

#include "server.h"

static void serve(int listener)
{
    static struct pollfd list[1 + SESSIONS];        /* the listener, and a place for each session */

    CHECK(fcntl(listener, F_SETFL, O_NONBLOCK) == 0);
    list[0].fd = listener;
    list[0].events = POLLIN;
    for (;;) {
        if (poll(list, 1 + (nfds_t)session_end, -1) < 0)
            continue;
        for (int at = 0; at < session_end; at++) {
            struct pollfd *entry = &list[1 + at];
            enum session_state state;

            if (sessions[at].fd < 0 || entry->revents == 0)
                continue;
            state = session_step(&sessions[at]);
            entry->events = state == SESSION_WRITE ? POLLOUT : POLLIN;
            if (state == SESSION_OVER) {
                session_close(&sessions[at]);
                entry->fd = -1;
            }
        }
        if (list[0].revents != 0) {
            int client = accept_client(listener, SOCK_NONBLOCK);
            struct session *session = client < 0 ? NULL : session_open(client);

            if (session != NULL) {
                struct pollfd *entry = &list[1 + (session - sessions)];

                entry->fd = client;
                entry->events = POLLIN;
                entry->revents = 0;
            }
        }
    }
}

static void prove(void)
{
    uint16_t port = begin_server(serve);

    check_that_a_full_client_keeps_nobody_waiting(port);
    load_server(port, 200, 5);
    CHECK(counts->clients == 203 && counts->peak > 1);
    end_server();
    printf("server_poll: 203 clients, up to %u at once\n", counts->peak);
}

int main(int argc, char **argv)
{
    return server_main(argc, argv, serve, prove);
}
