/*
 * client: an interactive client. It sends what you type to the server, and prints the answers.
 *
 * Shows: two sources and one thread. A client that waits for the keyboard in one call and for the
 * server in another receives nothing while you think. The loop waits for both.
 *
 * Watch for: at the end of the input only the sending side is shut down. The answer may still be
 * on its way, and the server closes when it has sent all of it.
 *
 *     ./build/gallery/client 7000                  any server of the gallery; Ctrl-D ends it
 *
 * Next: clients.c is 500 of them.
 */
#include <pirn.h>

#include "server.h"

static PIRN_STORAGE(block, 2, 1, 1);
static struct { int server, output; } client;

static int write_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t written = write(fd, bytes, size);

        if (written < 0 && errno != EINTR)
            return -1;
        bytes += written > 0 ? written : 0;
        size -= written > 0 ? (size_t)written : 0;
    }
    return 0;
}

static void on_input(struct pirn_loop *loop, struct pirn_io io, int fd, uint32_t ready, void *user)
{
    char text[1024];
    ssize_t got = read(fd, text, sizeof text);

    (void)ready, (void)user;
    if (got > 0 && send_all(client.server, text, (size_t)got) == 0)
        return;
    pirn_io_remove(loop, io);
    shutdown(client.server, SHUT_WR);
}

static void on_server(struct pirn_loop *loop, struct pirn_io io, int fd, uint32_t ready, void *user)
{
    char text[1024];
    ssize_t got = recv(fd, text, sizeof text, 0);

    (void)io, (void)ready, (void)user;
    if (got <= 0 || write_all(client.output, text, (size_t)got) < 0)
        pirn_stop(loop);                            /* also while somebody types */
}

/* Return when the server has closed the connection. */
static void converse(int server, int input, int output)
{
    struct pirn_loop *loop;

    client.server = server;
    client.output = output;
    CHECK(pirn_init(&loop, block, sizeof block, NULL) == 0);
    CHECK(pirn_io_add(loop, input, PIRN_READ, on_input, NULL, NULL) == 0);
    CHECK(pirn_io_add(loop, server, PIRN_READ, on_server, NULL, NULL) == 0);
    pirn_run(loop);
    CHECK(pirn_deinit(loop) == 0);
}

static void serve(int listener)
{
    int fd = accept_client(listener, 0);

    send_all(fd, "welcome\n", 8);
    echo_until_end(fd);
    pause();
}

static void prove(void)
{
    uint16_t port = begin_server(serve);
    int keyboard[2], screen[2], status;
    char text[32] = "";
    pid_t user;

    CHECK(pipe(keyboard) == 0 && pipe(screen) == 0);
    user = fork();
    CHECK(user >= 0);
    if (user == 0) {                                /* types only after it was greeted */
        CHECK(read(screen[0], text, sizeof text) == 8 && strcmp(text, "welcome\n") == 0);
        CHECK(write(keyboard[1], "how are you\n", 12) == 12);
        _exit(0);                                   /* Ctrl-D */
    }
    close(keyboard[1]);
    converse(load_dial(port, 0), keyboard[0], screen[1]);
    CHECK(read(screen[0], text, sizeof text) == 12 && strcmp(text, "how are you\n") == 0);
    CHECK(waitpid(user, &status, 0) == user && status == 0);
    end_server();
    printf("client: heard the server while nobody typed, and the last answer after the end\n");
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--self-test") != 0) {
        converse(load_dial((uint16_t)atoi(argv[1]), 0), STDIN_FILENO, STDOUT_FILENO);
        return 0;
    }
    return server_main(argc, argv, serve, prove);
}
