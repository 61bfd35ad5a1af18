/*
 * server_auto: an echo server on a selector that chooses by itself, with registered callbacks.
 *
 * Shows: PIRN_BACKEND_AUTO takes epoll where there is one, then poll, then select. For each fd the
 * program states the events and the function to be called, and does not care which system call
 * waits. Compare it with server_epoll.c: there is no loop any more, but the steps are the same.
 *
 * Watch for: pirn_io_modify is called on every pass. If nothing changes, it makes no system call,
 * because the loop compares the interest with the kernel's once before it waits.
 *
 *     ./build/gallery/server_auto 7000
 *     ./build/gallery/server_auto 7000 select      or poll, epoll
 *
 * Next: ../echo_server.c adds what a server in use needs: limits, signals, statistics. And
 * server_fibers.c turns the callbacks into code that is read from top to bottom.
 */
#include <fcntl.h>

#include <pirn.h>

#include "server.h"

static PIRN_STORAGE(block, SESSIONS + 1, 1, 1);
static uint32_t backend = PIRN_BACKEND_AUTO;

static void on_client(struct pirn_loop *loop, struct pirn_io io, int fd, uint32_t ready,
                      void *user)
{
    struct session *session = user;
    enum session_state state = session_step(session);

    (void)fd, (void)ready;
    if (state == SESSION_OVER) {
        pirn_io_remove(loop, io);                   /* before the fd is closed */
        session_close(session);
    } else {
        pirn_io_modify(loop, io, state == SESSION_WRITE ? PIRN_WRITE : PIRN_READ);
    }
}

static void on_listener(struct pirn_loop *loop, struct pirn_io io, int fd, uint32_t ready,
                        void *user)
{
    int client = accept_client(fd, SOCK_NONBLOCK);
    struct session *session = client < 0 ? NULL : session_open(client);

    (void)io, (void)ready, (void)user;
    if (session != NULL
        && pirn_io_add(loop, client, PIRN_READ, on_client, session, NULL) < 0)
        session_close(session);
}

static void serve(int listener)
{
    struct pirn_config config;
    struct pirn_loop *loop;

    memset(&config, 0, sizeof config);
    config.size = sizeof config;
    config.backend = backend;
    CHECK(fcntl(listener, F_SETFL, O_NONBLOCK) == 0);
    CHECK(pirn_init(&loop, block, sizeof block, &config) == 0);
    CHECK(pirn_io_add(loop, listener, PIRN_READ, on_listener, NULL, NULL) == 0);
    count(&counts->workers, pirn_backend(loop));    /* the self-test wants to know what it is */
    pirn_run(loop);
}

static void prove(void)
{
    for (backend = PIRN_BACKEND_AUTO; backend <= PIRN_BACKEND_EPOLL; backend++) {
        uint16_t port = begin_server(serve);

        check_that_a_full_client_keeps_nobody_waiting(port);
        load_server(port, 100, 5);
        CHECK(counts->clients == 103 && counts->peak > 1);
        CHECK(backend == PIRN_BACKEND_AUTO || counts->workers == backend);
        printf("server_auto: %s%s, 103 clients\n", backend == PIRN_BACKEND_AUTO ? "auto is " : "",
               pirn_backend_name((int)counts->workers));
        end_server();
    }
}

int main(int argc, char **argv)
{
    while (argc > 2 && backend < PIRN_BACKEND_EPOLL
           && strcmp(argv[2], pirn_backend_name((int)backend)) != 0)
        backend++;
    return server_main(argc, argv, serve, prove);
}
