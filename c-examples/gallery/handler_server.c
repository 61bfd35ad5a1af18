/*
 * handler_server: one handler, run in four models.
 *
 * Shows: a handler is a class of three functions (begin, answer a line, end). It reads and writes
 * through a request, and does not know how the server waits: one client at a time, or with a
 * thread, a process or a fiber for each. To change the model, change one word.
 *
 * Watch for: a handler may keep the state of its client in the request, in all four. What it shares
 * with other clients is another matter: processes share nothing, threads need a lock, and fibers
 * need one only if they wait in between.
 *
 *     ./build/gallery/handler_server 7000 fibers   or one, threads, processes
 *
 * Next: http.c is a server of the kind that you would use.
 */
#include <ctype.h>
#include <pthread.h>

#include <pirn/fiber_debug.h>

#include "server.h"

struct request {
    int fd;
    struct pirn_port *port;         /* of a fiber; NULL: the calls block */
    unsigned lines;                 /* the handler's */
};

struct handler {
    void (*begin)(struct request *request);
    int (*answer)(struct request *request, char *line);     /* not 0: the conversation is over */
    void (*end)(struct request *request);
};

/* ---- what waits differs ---- */

static ptrdiff_t request_read(struct request *request, void *bytes, size_t size)
{
    return request->port == NULL ? recv(request->fd, bytes, size, 0)
                                 : pirn_port_read(request->port, bytes, size, PIRN_FOREVER);
}

static int request_write(struct request *request, const char *text)
{
    return request->port == NULL
               ? send_all(request->fd, text, strlen(text))
               : pirn_port_write_all(request->port, text, strlen(text), PIRN_FOREVER);
}

/* ---- the handler: it is the same everywhere ---- */

static void greet(struct request *request)
{
    client_came();
    request->lines = 0;
    request_write(request, "say something\n");
}

static int answer_louder(struct request *request, char *line)
{
    if (strcmp(line, "bye") == 0)
        return 1;
    request->lines++;
    for (char *at = line; *at != '\0'; at++)
        *at = (char)toupper((unsigned char)*at);
    return request_write(request, line) != 0 || request_write(request, "!\n") != 0;
}

static void part(struct request *request)
{
    char text[64];

    snprintf(text, sizeof text, "%u lines, good bye\n", request->lines);
    request_write(request, text);
    client_left();
}

static const struct handler handler = { greet, answer_louder, part };

static void converse(struct request *request)
{
    char text[256], *end;
    size_t length = 0;
    ptrdiff_t got;
    int is_over = 0;

    handler.begin(request);
    while (!is_over && (got = request_read(request, text + length, sizeof text - length)) > 0) {
        length += (size_t)got;
        while (!is_over && (end = memchr(text, '\n', length)) != NULL) {
            *end++ = '\0';
            is_over = handler.answer(request, text);
            length -= (size_t)(end - text);
            memmove(text, end, length);
        }
        is_over |= length == sizeof text;           /* a line without an end */
    }
    handler.end(request);
}

/* ---- the four models ---- */

static void converse_blocking(int fd)
{
    struct request request = { fd, NULL, 0 };

    converse(&request);
    close(fd);
}

static void *thread_body(void *argument)
{
    converse_blocking((int)(intptr_t)argument);
    return NULL;
}

static int fiber_body(struct pirn_hub *hub, void *argument)
{
    struct pirn_port port;
    struct request request = { *(int *)argument, &port, 0 };

    if (pirn_port_open(hub, &port, request.fd, 0) == 0) {
        converse(&request);
        pirn_port_close(&port);
    }
    return close(request.fd);
}

enum model { ONE, THREADS, PROCESSES, FIBERS, MODELS };
static const char *const names[MODELS] = { "one", "threads", "processes", "fibers" };
static unsigned model = FIBERS;

static PIRN_STORAGE(block, 64, 4, 4);
static struct pirn_hub hub;
PIRN_POOL(pool, 50, 16384);

static void start(int client)
{
    pthread_t thread;

    if (model == ONE) {
        converse_blocking(client);
    } else if (model == THREADS) {
        CHECK(pthread_create(&thread, NULL, thread_body, (void *)(intptr_t)client) == 0);
        pthread_detach(thread);
    } else if (model == PROCESSES) {
        while (waitpid(-1, NULL, WNOHANG) > 0)
            continue;
        if (fork() == 0) {
            converse_blocking(client);
            _exit(0);
        }
        close(client);
    } else if (pirn_pool_spawn(&hub, &pool, fiber_body, &client, sizeof client, PIRN_FOREVER) < 0) {
        close(client);
    }
}

static void serve(int fd)
{
    struct pirn_loop *loop;
    struct pirn_port listener;

    CHECK(pirn_init(&loop, block, sizeof block, NULL) == 0);
    CHECK(pirn_hub_init(loop, &hub, 63) == 0 && pirn_fiber_debug(&hub) == 0);
    if (model == FIBERS)
        CHECK(pirn_port_open(&hub, &listener, fd, 0) == 0);
    for (;;) {
        int client = model == FIBERS ? pirn_port_accept(&listener, PIRN_FOREVER)
                                     : accept_client(fd, 0);

        if (client >= 0)
            start(client);
    }
}

static void prove(void)
{
    static const char expected[] = "say something\nHELLO!\nWORLD!\n2 lines, good bye\n";

    for (model = ONE; model < MODELS; model++) {
        uint16_t port = begin_server(serve);
        int fds[20];

        for (int at = 0; at < 20; at++) {
            fds[at] = load_dial(port, 0);
            CHECK(send_all(fds[at], "hello\nworld\nbye\n", 16) == 0);
        }
        for (int at = 0; at < 20; at++) {
            char text[sizeof expected] = "";

            CHECK(recv(fds[at], text, sizeof text - 1, MSG_WAITALL) == sizeof text - 1);
            CHECK(strcmp(text, expected) == 0);
            CHECK(recv(fds[at], text, 1, 0) == 0);
            close(fds[at]);
        }
        CHECK(counts->clients == 20 && (model != ONE || counts->peak == 1));
        end_server();
        printf("handler_server: %s: 20 conversations\n", names[model]);
    }
}

int main(int argc, char **argv)
{
    for (unsigned at = 0; argc > 2 && at < MODELS; at++)
        if (strcmp(argv[2], names[at]) == 0)
            model = at;
    return server_main(argc, argv, serve, prove);
}
