/*
 * server_prefork: an echo server with four processes that are there before the clients come.
 *
 * Shows: all children wait in accept on the same listening socket, and the kernel gives each client
 * to one of them. No client waits for a fork. The parent has one task: when a child ends, it starts
 * another.
 *
 * Watch for: a crash of a child affects only its own client. The self-test
 * kills one, and finds that four clients are still served at once.
 *
 *     ./build/gallery/server_prefork 7000
 *
 * Next: server_process_pool.c, in which the parent accepts and passes clients on;
 * ../reuseport.c, in which each loop has its own listening socket.
 */
#include "server.h"

#define WORKERS 4

static void work(int listener)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    counts->worker_pid = getpid();
    count(&counts->workers, 1);
    for (;;) {
        int client = accept_client(listener, 0);

        if (client >= 0)
            echo_until_end(client);
    }
}

static void serve(int listener)
{
    for (int at = 0; at < WORKERS; at++)
        if (fork() == 0)
            work(listener);
    for (;;) {
        if (waitpid(-1, NULL, 0) < 0)
            sleep(1);                               /* not one could be started */
        if (fork() == 0)
            work(listener);
    }
}

static void prove(void)
{
    uint16_t port = begin_server(serve);
    int clients[WORKERS];

    load_server(port, 60, 5);
    CHECK(counts->clients == 60 && counts->workers <= WORKERS && counts->peak <= WORKERS);
    kill_a_worker(WORKERS);
    for (int at = 0; at < WORKERS; at++) {
        clients[at] = load_dial(port, 0);
        say(clients[at], 'a');
        CHECK(hear(clients[at]) == 'a');
    }
    for (int at = 0; at < WORKERS; at++)
        close(clients[at]);
    end_server();
    printf("server_prefork: 64 clients, %d processes, one was killed and replaced\n", WORKERS);
}

int main(int argc, char **argv)
{
    return server_main(argc, argv, serve, prove);
}
