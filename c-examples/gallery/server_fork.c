/*
 * server_fork: an echo server with a process for each client.
 *
 * Shows: the oldest solution. The parent accepts, a child serves, and both block in each call. The
 * children share nothing, so a crash of one does not affect the others.
 *
 * Watch for: each client costs a fork, a process, and memory for its pages. A child that has ended
 * stays as a zombie until its parent waits for it. And the parent must close its copy of the
 * client's socket, or the client never sees the end.
 *
 *     ./build/gallery/server_fork 7000
 *
 * Next: server_threads.c has threads instead; server_prefork.c forks before the clients come.
 */
#include "server.h"

static void serve(int listener)
{
    for (;;) {
        int client = accept_client(listener, 0);

        while (waitpid(-1, NULL, WNOHANG) > 0)      /* those that have ended since the last one */
            continue;
        if (client < 0)
            continue;
        if (fork() == 0) {                          /* -1: this client is refused */
            prctl(PR_SET_PDEATHSIG, SIGTERM);
            close(listener);
            count(&counts->workers, 1);
            echo_until_end(client);
            _exit(0);
        }
        close(client);
    }
}

static void prove(void)
{
    uint16_t port = begin_server(serve);

    check_that_nobody_waits_for_another(port);
    load_server(port, 40, 5);
    CHECK(counts->clients == 42 && counts->workers == 42);
    CHECK(counts->peak > 1 && counts->peak <= 42);
    end_server();
    printf("server_fork: 42 clients, 42 processes, up to %u at once\n", counts->peak);
}

int main(int argc, char **argv)
{
    return server_main(argc, argv, serve, prove);
}
