/*
 * server_one: an echo server for one client at a time.
 *
 * Shows: the simplest server: accept, read, write, close, and each call blocks.
 *
 * Watch for: while one client is connected, even a silent one, the next one is connected by the
 * kernel, may send, and gets no answer. The server's only thread sits in recv.
 *
 *     ./build/gallery/server_one 7000 &
 *     nc 127.0.0.1 7000                            and a second one beside it
 *
 * Next: server_fork.c gives each client a process, server_polling.c refuses to wait at all.
 */
#include "server.h"

static void serve(int listener)
{
    for (;;) {
        int client = accept_client(listener, 0);

        if (client >= 0)
            echo_until_end(client);
    }
}

static void prove(void)
{
    uint16_t port = begin_server(serve);
    int first = load_dial(port, 0), second;

    say(first, '1');
    CHECK(hear(first) == '1');
    second = load_dial(port, 0);                    /* the kernel accepts and keeps bytes */
    say(second, '2');
    CHECK(!is_answered(second, 100));
    close(first);
    CHECK(hear(second) == '2');
    close(second);
    load_server(port, 20, 5);
    CHECK(counts->clients == 22 && counts->peak == 1);
    end_server();
    printf("server_one: the second client waits for the first; 20 clients, one at a time\n");
}

int main(int argc, char **argv)
{
    return server_main(argc, argv, serve, prove);
}
