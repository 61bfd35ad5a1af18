/*
 * server_thread_pool: an echo server with four threads, however many clients there are.
 *
 * Shows: one thread accepts and puts clients into a bounded queue, four take them out. The threads
 * are started once, and their number is known.
 *
 * Watch for: a worker is occupied by its client until the client leaves, even if it is silent.
 * The fifth client waits, as the second one does in server_one.c. If the queue is full too, the
 * server stops accepting, and the kernel's queue fills: that is back-pressure, and better than a
 * queue without an end.
 *
 *     ./build/gallery/server_thread_pool 7000
 *
 * Next: server_process_pool.c has processes; server_pool.c has fibers, of which hundreds are cheap.
 */
#include <pthread.h>

#include "server.h"

#define WORKERS 4
#define PLACES 16

static struct {
    pthread_mutex_t lock;
    pthread_cond_t has_client, has_place;
    int clients[PLACES];
    unsigned put, taken;            /* run freely; the difference is what is in the queue */
} queue = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, PTHREAD_COND_INITIALIZER,
            { 0 }, 0, 0 };

static void put_client(int client)
{
    pthread_mutex_lock(&queue.lock);
    while (queue.put - queue.taken == PLACES)
        pthread_cond_wait(&queue.has_place, &queue.lock);
    queue.clients[queue.put++ % PLACES] = client;
    pthread_cond_signal(&queue.has_client);
    pthread_mutex_unlock(&queue.lock);
}

static int take_client(void)
{
    int client;

    pthread_mutex_lock(&queue.lock);
    while (queue.put == queue.taken)
        pthread_cond_wait(&queue.has_client, &queue.lock);
    client = queue.clients[queue.taken++ % PLACES];
    pthread_cond_signal(&queue.has_place);
    pthread_mutex_unlock(&queue.lock);
    return client;
}

static void *work(void *unused)
{
    int client;

    (void)unused;
    count(&counts->workers, 1);
    while ((client = take_client()) >= 0)           /* always: nobody ends this server but Ctrl-C */
        echo_until_end(client);
    return NULL;
}

static void serve(int listener)
{
    for (int at = 0; at < WORKERS; at++) {
        pthread_t worker;

        CHECK(pthread_create(&worker, NULL, work, NULL) == 0);
    }
    for (;;) {
        int client = accept_client(listener, 0);

        if (client >= 0)
            put_client(client);
    }
}

static void prove(void)
{
    uint16_t port = begin_server(serve);
    int clients[WORKERS + 1];

    for (int at = 0; at < WORKERS; at++) {
        clients[at] = load_dial(port, 0);
        say(clients[at], 'a');
        CHECK(hear(clients[at]) == 'a');
    }
    clients[WORKERS] = load_dial(port, 0);
    say(clients[WORKERS], 'z');
    CHECK(!is_answered(clients[WORKERS], 100));     /* all are busy with clients who are silent */
    close(clients[0]);
    CHECK(hear(clients[WORKERS]) == 'z');
    for (int at = 1; at <= WORKERS; at++)
        close(clients[at]);
    load_server(port, 100, 5);
    CHECK(counts->clients == 105 && counts->workers == WORKERS && counts->peak == WORKERS);
    end_server();
    printf("server_thread_pool: 105 clients, never more than %d at once\n", WORKERS);
}

int main(int argc, char **argv)
{
    return server_main(argc, argv, serve, prove);
}
