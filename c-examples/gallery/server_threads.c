/*
 * server_threads: an echo server with a thread for each client.
 *
 * Shows: as server_fork, with threads. They are cheaper to start, and they share all memory, which
 * is convenient for the programmer and dangerous for the data.
 *
 * Watch for: nothing bounds the threads. Each reserves a stack (8 MiB of addresses, of which the
 * kernel provides the pages that are touched), and the scheduler switches between them for each
 * message. An idle client costs as much memory as a busy one.
 *
 *     ./build/gallery/server_threads 7000
 *
 * Next: server_thread_pool.c bounds the threads; server_fibers.c looks the same and has one thread.
 */
#include <pthread.h>

#include "server.h"

static void *serve_client(void *argument)
{
    echo_until_end((int)(intptr_t)argument);
    return NULL;
}

static void serve(int listener)
{
    pthread_attr_t detached;

    CHECK(pthread_attr_init(&detached) == 0
          && pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED) == 0);
    for (;;) {
        int client = accept_client(listener, 0);
        pthread_t thread;

        if (client < 0)
            continue;
        count(&counts->workers, 1);
        if (pthread_create(&thread, &detached, serve_client, (void *)(intptr_t)client) != 0) {
            count(&counts->workers, -1);
            close(client);                          /* no more threads: this client is refused */
        }
    }
}

static void prove(void)
{
    uint16_t port = begin_server(serve);

    check_that_nobody_waits_for_another(port);
    load_server(port, 100, 5);
    CHECK(counts->clients == 102 && counts->workers == 102);
    CHECK(counts->peak > 1 && counts->peak <= 102);
    end_server();
    printf("server_threads: 102 clients, 102 threads, up to %u at once\n", counts->peak);
}

int main(int argc, char **argv)
{
    return server_main(argc, argv, serve, prove);
}
