/*
 * http: an HTTP/1.1 server on fibers, with files that are in memory.
 *
 * Shows: the code follows the protocol: the head, the body, the answer, and again, as long as the
 * connection is kept. Bodies come with a length or in chunks. Everything has a limit: 4 KiB of
 * head, 8 KiB of body, ten seconds for a request. Malformed requests are refused (http_request.h).
 *
 * Watch for: the limit of time is a scope around the whole request. A limit for each read would not
 * do: a client that sends one byte a second would stay within it for an hour, and a few hundred of
 * them would occupy all fibers.
 *
 *     ./build/gallery/http 8000 &
 *     curl -v 127.0.0.1:8000/ 127.0.0.1:8000/stream -d something 127.0.0.1:8000/echo
 *
 * Next: client.c, clients.c and downloader.c are the other side.
 */
#include <time.h>

#include <pirn/fiber_debug.h>

#include "http_request.h"
#include "server.h"

#define FIBERS 600
#define MAX_HEAD 4096u
#define MAX_LINE 128
#define SECOND UINT64_C(1000000000)

static PIRN_STORAGE(block, FIBERS + 2, 4, 4);
static struct pirn_hub hub;
PIRN_POOL(clients, FIBERS, 32768);
static uint64_t request_limit = 10 * SECOND;

struct connection {
    struct pirn_port port;
    size_t length;                  /* of what is in `input`: a request, and what follows it */
    char input[MAX_HEAD];
    struct http_request request;
    size_t body_size;
    char body[HTTP_MAX_BODY];
};

/* Receive more. Return 0, or -1: the end, an error, or no time left. */
static int receive(struct connection *it)
{
    ptrdiff_t got = pirn_port_read(&it->port, it->input + it->length, MAX_HEAD - it->length,
                                   PIRN_FOREVER);

    it->length += got > 0 ? (size_t)got : 0;
    return got > 0 ? 0 : -1;
}

static void consume(struct connection *it, size_t size)
{
    it->length -= size;
    memmove(it->input, it->input + size, it->length);
}

/* ---- reading: each returns 0, the status of a refusal, or -1: the connection is over ---- */

static int read_head(struct connection *it)
{
    int size, status;

    while ((size = http_head(it->input, it->length)) == 0) {
        if (it->length == MAX_HEAD)
            return 431;
        if (receive(it) < 0)
            return -1;
    }
    if (size < 0)
        return 400;
    status = http_parse(&it->request, it->input, (size_t)size);
    consume(it, (size_t)size);
    return status;
}

static int read_body(struct connection *it, size_t size)
{
    if (size > HTTP_MAX_BODY - it->body_size)
        return 413;
    while (size > 0) {
        size_t part = size < it->length ? size : it->length;

        memcpy(it->body + it->body_size, it->input, part);
        it->body_size += part;
        size -= part;
        consume(it, part);
        if (size > 0 && receive(it) < 0)
            return -1;
    }
    return 0;
}

static int read_line(struct connection *it, char line[MAX_LINE])
{
    int size;

    while ((size = http_line(it->input, it->length)) == -1 && it->length < MAX_LINE)
        if (receive(it) < 0)
            return -1;
    if (size < 0 || size >= MAX_LINE)
        return 400;
    memcpy(line, it->input, (size_t)size);
    line[size] = '\0';
    consume(it, (size_t)size + 2);
    return 0;
}

static int read_chunks(struct connection *it)
{
    char line[MAX_LINE];
    int status;

    for (;;) {
        size_t digits, size;

        if ((status = read_line(it, line)) != 0)
            return status;
        digits = strspn(line, "0123456789abcdefABCDEF");
        if (digits == 0 || digits > 6 || (line[digits] != '\0' && line[digits] != ';'))
            return digits > 6 ? 413 : 400;
        size = strtoul(line, NULL, 16);
        if (size == 0)
            break;
        if ((status = read_body(it, size)) != 0 || (status = read_line(it, line)) != 0)
            return status;
        if (line[0] != '\0')
            return 400;
    }
    for (int trailers = 0; trailers < 16; trailers++)
        if ((status = read_line(it, line)) != 0 || line[0] == '\0')
            return status;
    return 431;
}

static int read_request(struct connection *it)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    int status = read_head(it);

    if (status != 0)
        return status;
    if (it->request.expects_continue
        && pirn_port_write_all(&it->port, go_on, sizeof go_on - 1, PIRN_FOREVER) < 0)
        return -1;
    return it->request.is_chunked ? read_chunks(it) : read_body(it, it->request.length);
}

/* ---- writing ---- */

static int respond(struct connection *it, const char *status, const char *header, const char *body,
                   size_t size)
{
    char text[512], date[64];
    time_t now = time(NULL);
    struct tm parts;
    int length;

    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &parts));
    length = snprintf(text, sizeof text, "HTTP/1.1 %s\r\nDate: %s\r\n%s", status, date, header);
    if (body != NULL)
        length += snprintf(text + length, sizeof text - (size_t)length, "Content-Length: %zu\r\n",
                           size);
    length += snprintf(text + length, sizeof text - (size_t)length, "%s\r\n",
                       it->request.is_kept ? "" : "Connection: close\r\n");
    if (pirn_port_write_all(&it->port, text, (size_t)length, request_limit) < 0)
        return -1;
    if (size == 0 || strcmp(it->request.method, "HEAD") == 0)
        return 0;
    return pirn_port_write_all(&it->port, body, size, request_limit);
}

static void refuse(struct connection *it, int status)
{
    char text[32];

    it->request.is_kept = 0;
    it->request.method[0] = '\0';
    snprintf(text, sizeof text, "%d Refused", status);
    respond(it, text, "", "", 0);
}

/* Numbers that nobody counts beforehand: so the answer has no length, but chunks. For a client of
 * HTTP/1.0 it ends with the connection. */
static int stream(struct connection *it)
{
    int is_plain = it->request.is_1_0;

    if (respond(it, "200 OK", is_plain ? "" : "Transfer-Encoding: chunked\r\n", NULL, 0) < 0)
        return -1;
    for (int at = 1; at <= 5 && strcmp(it->request.method, "HEAD") != 0; at++) {
        char chunk[64];
        int length = is_plain ? snprintf(chunk, sizeof chunk, "number %d\n", at)
                              : snprintf(chunk, sizeof chunk, "9\r\nnumber %d\n\r\n", at);

        if (pirn_port_write_all(&it->port, chunk, (size_t)length, request_limit) < 0)
            return -1;
    }
    if (is_plain || strcmp(it->request.method, "HEAD") == 0)
        return 0;
    return pirn_port_write_all(&it->port, "0\r\n\r\n", 5, request_limit);
}

struct file { const char *path, *header, *content; };

static const struct file files[] = {
    { "/", "Content-Type: text/html\r\n", "<h1>pirn</h1><a href=/hello.txt>hello</a>\n" },
    { "/hello.txt", "Content-Type: text/plain\r\n", "hello, world\n" },
};

static int answer(struct connection *it)
{
    int is_get = strcmp(it->request.method, "GET") == 0
                 || strcmp(it->request.method, "HEAD") == 0;

    if (strcmp(it->request.target, "/echo") == 0) {
        if (strcmp(it->request.method, "POST") == 0)
            return respond(it, "200 OK", "", it->body, it->body_size);
        return respond(it, "405 Method Not Allowed", "Allow: POST\r\n", "", 0);
    }
    if (!is_get)
        return respond(it, "405 Method Not Allowed", "Allow: GET, HEAD\r\n", "", 0);
    if (strcmp(it->request.target, "/stream") == 0)
        return stream(it);
    for (size_t at = 0; at < sizeof files / sizeof files[0]; at++)
        if (strcmp(it->request.target, files[at].path) == 0)
            return respond(it, "200 OK", files[at].header, files[at].content,
                           strlen(files[at].content));
    return respond(it, "404 Not Found", "", "no such file\n", 13);
}

/* ---- a connection ---- */

static int serve_requests(struct pirn_hub *its_hub, struct connection *it)
{
    struct pirn_scope scope;
    int status, is_late;

    do {
        memset(&it->request, 0, sizeof it->request);
        it->body_size = 0;
        pirn_scope_enter(its_hub, &scope, request_limit, 0);
        status = read_request(it);
        is_late = pirn_scope_leave(its_hub, &scope) == -ETIMEDOUT;
        if (is_late && status < 0)
            return it->length > 0 || it->body_size > 0 || it->request.method[0] != '\0' ? 408 : 0;
        if (status != 0)
            return status < 0 ? 0 : status;
        if (answer(it) < 0)
            return 0;
    } while (it->request.is_kept);
    return 0;
}

static int serve_client(struct pirn_hub *its_hub, void *argument)
{
    int fd = *(int *)argument, status;
    struct connection it;

    client_came();
    send_at_once(fd);
    it.length = 0;
    if (pirn_port_open(its_hub, &it.port, fd, 0) == 0) {
        status = serve_requests(its_hub, &it);
        if (status != 0)
            refuse(&it, status);
        /* A close with bytes unread would reset the connection, and the answer with it. */
        shutdown(fd, SHUT_WR);
        for (unsigned at = 0; at < 64; at++)
            if (pirn_port_read(&it.port, it.input, MAX_HEAD, SECOND / 4) <= 0)
                break;
        pirn_port_close(&it.port);
    }
    client_left();
    return close(fd);
}

static void serve(int fd)
{
    struct pirn_loop *loop;
    struct pirn_port listener;

    CHECK(pirn_init(&loop, block, sizeof block, NULL) == 0);
    CHECK(pirn_hub_init(loop, &hub, 63) == 0 && pirn_fiber_debug(&hub) == 0);
    CHECK(pirn_port_open(&hub, &listener, fd, 0) == 0);
    for (;;) {
        int client = pirn_port_accept(&listener, PIRN_FOREVER);

        if (client < 0)
            pirn_fiber_sleep(&hub, SECOND / 100);   /* no descriptors: the client stays queued */
        else if (pirn_pool_spawn(&hub, &clients, serve_client, &client, sizeof client,
                                 PIRN_FOREVER) < 0)
            close(client);
    }
}

#include "http_test.h"

int main(int argc, char **argv)
{
    return server_main(argc, argv, serve, prove);
}
