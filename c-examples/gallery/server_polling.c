/*
 * server_polling: an echo server that never waits, and tries to read from each client in turn.
 *
 * Shows: many clients in one thread, with nothing but non-blocking sockets. Each call returns at
 * once, with bytes or with EAGAIN, and the loop goes round.
 *
 * Watch for: the processor is never idle. The self-test counts the calls in a tenth of a second in
 * which no client sends anything. And the more clients there are, the more calls are in vain for
 * each one that is not.
 *
 *     ./build/gallery/server_polling 7000          and look at top(1)
 *
 * Next: server_select.c asks the kernel which clients are ready.
 */
#include <fcntl.h>

#include "server.h"

static void serve(int listener)
{
    CHECK(fcntl(listener, F_SETFL, O_NONBLOCK) == 0);
    for (;;) {
        int client = accept_client(listener, SOCK_NONBLOCK);

        if (client >= 0)
            session_open(client);
        else
            count(&counts->in_vain, 1);
        for (int at = 0; at < session_end; at++)
            if (sessions[at].fd >= 0 && session_step(&sessions[at]) == SESSION_OVER)
                session_close(&sessions[at]);
    }
}

static void prove(void)
{
    uint16_t port = begin_server(serve);
    int silent = load_dial(port, 0);
    unsigned before;

    say(silent, 's');
    CHECK(hear(silent) == 's');
    before = counts->in_vain;
    usleep(100000);
    CHECK(counts->in_vain - before > 10);
    printf("server_polling: one silent client, a tenth of a second: %u calls in vain\n",
           counts->in_vain - before);
    close(silent);
    check_that_nobody_waits_for_another(port);
    load_server(port, 50, 5);
    CHECK(counts->clients == 53 && counts->peak > 1);
    end_server();
}

int main(int argc, char **argv)
{
    return server_main(argc, argv, serve, prove);
}
