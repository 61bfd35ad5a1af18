/*
 * The self-test of http.c: requests with the answer that each must get, slow clients, and 500
 * clients at once.
 */
#ifndef GALLERY_HTTP_TEST_H
#define GALLERY_HTTP_TEST_H

#define HOST "Host: here\r\n"
#define CLOSE HOST "Connection: close\r\n"
#define CHUNKED "POST /echo HTTP/1.1\r\n" CLOSE "Transfer-Encoding: chunked\r\n\r\n"

struct conversation { const char *request, *status, *end; };

static const struct conversation conversations[] = {
    { "GET /hello.txt HTTP/1.1\r\n" CLOSE "\r\n", "200", "\r\n\r\nhello, world\n" },
    { "GET /hello.txt HTTP/1.0\r\n\r\n", "200", "hello, world\n" },
    { "HEAD /hello.txt HTTP/1.1\r\n" CLOSE "\r\n", "200", "Connection: close\r\n\r\n" },
    { "GET /nothing HTTP/1.1\r\n" CLOSE "\r\n", "404", "no such file\n" },
    { "DELETE / HTTP/1.1\r\n" CLOSE "\r\n", "405", "" },
    { "GET /stream HTTP/1.1\r\n" CLOSE "\r\n", "200", "9\r\nnumber 5\n\r\n0\r\n\r\n" },
    { "GET /stream HTTP/1.0\r\n\r\n", "200", "number 4\nnumber 5\n" },
    { "HEAD /stream HTTP/1.1\r\n" CLOSE "\r\n", "200", "Connection: close\r\n\r\n" },
    { "POST /echo HTTP/1.1\r\n" CLOSE "Content-Length: 5\r\n\r\nabcde", "200", "\r\n\r\nabcde" },
    { CHUNKED "3\r\nabc\r\n2;ext=1\r\nde\r\n0\r\nTrailer: x\r\n\r\n", "200", "\r\n\r\nabcde" },
    { "POST /echo HTTP/1.1\r\n" CLOSE "Expect: 100-continue\r\nContent-Length: 2\r\n\r\nhi", "100",
      "\r\n\r\nhi" },
    /* Two requests in one packet: both are answered, in order. */
    { "GET /nothing HTTP/1.1\r\n" HOST "\r\nGET /hello.txt HTTP/1.1\r\n" CLOSE "\r\n", "404",
      "hello, world\n" },
    /* Refused. */
    { "\r\n\r\n", "400", "" },
    { "GET\r\n\r\n", "400", "" },
    { "GET / HTTP/1.1\n" HOST "\n", "400", "" },
    { "GET  / HTTP/1.1\r\n" HOST "\r\n", "400", "" },
    { "GET / HTTP/1.1 \r\n" HOST "\r\n", "400", "" },
    { "GET hello HTTP/1.1\r\n" HOST "\r\n", "400", "" },
    { "G(T / HTTP/1.1\r\n" HOST "\r\n", "400", "" },
    { "GET / HTTP/2.0\r\n" HOST "\r\n", "505", "" },
    { "GET / HTTP/1.1\r\n\r\n", "400", "" },
    { "GET / HTTP/1.1\r\n" HOST HOST "\r\n", "400", "" },
    { "GET / HTTP/1.1\r\n" HOST "Name : value\r\n\r\n", "400", "" },
    { "GET / HTTP/1.1\r\n" HOST "A: b\r\n continued\r\n\r\n", "400", "" },
    { "GET / HTTP/1.1\r\n" HOST "A: \x01\r\n\r\n", "400", "" },
    { "GET / HTTP/1.1\r\n" HOST ": value\r\n\r\n", "400", "" },
    { "GET / HTTP/1.1\r\n" HOST "A: b\rc\r\n\r\n", "400", "" },
    { "POST /echo HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n", "400", "" },
    { "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5, 5\r\n\r\n", "400", "" },
    { "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", "400", "" },
    { "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx",
      "400", "" },
    { "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n\r\n", "501", "" },
    { "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 8193\r\n\r\n", "413", "" },
    { "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999\r\n\r\n", "413", "" },
    { CHUNKED "2001\r\n", "413", "" },
    { CHUNKED "fffffffffffffffff\r\n", "413", "" },
    { CHUNKED "x\r\n", "400", "" },
    { CHUNKED "3\r\nabcd\r\n0\r\n\r\n", "400", "" },
};

/* Send a request, perhaps byte by byte, and collect everything until the server closes. */
static size_t converse(uint16_t port, const char *request, size_t size, size_t part, char *text,
                       size_t room)
{
    int fd = load_dial(port, 0);
    size_t length = 0;
    ssize_t got;

    for (size_t at = 0; at < size; at += part)
        if (send_all(fd, request + at, part < size - at ? part : size - at) < 0)
            break;                                  /* it was refused before it was complete */
    while ((got = recv(fd, text + length, room - 1 - length, 0)) > 0)
        length += (size_t)got;
    CHECK(got == 0);
    close(fd);
    text[length] = '\0';
    return length;
}

static void check_conversation(uint16_t port, const struct conversation *it, size_t part)
{
    char text[4096];
    size_t size = converse(port, it->request, strlen(it->request), part, text, sizeof text);

    if (size < 12 + strlen(it->end) || memcmp(text, "HTTP/1.1 ", 9) != 0
        || memcmp(text + 9, it->status, 3) != 0
        || strcmp(text + size - strlen(it->end), it->end) != 0) {
        fprintf(stderr, "request:\n%s\nexpected %s, got:\n%s\n", it->request, it->status, text);
        exit(1);
    }
}

static void check_limits(uint16_t port)
{
    static char request[3 * MAX_HEAD] = "GET / HTTP/1.1\r\nLong: ";
    char text[4096];

    memset(request + strlen(request), 'x', sizeof request - 1 - strlen(request));
    converse(port, request, sizeof request - 1, sizeof request, text, sizeof text);
    CHECK(memcmp(text, "HTTP/1.1 431", 12) == 0);
    memset(request + 5, 'x', 1000);
    converse(port, request, sizeof request - 1, sizeof request, text, sizeof text);
    CHECK(memcmp(text, "HTTP/1.1 4", 10) == 0);
}

/* One byte each 20 ms, for ever: dropped after a second, and the others are served. */
static void check_slow_clients(void)
{
    static const char request[] = "GET / HTTP/1.1\r\nA: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
                                  "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
    uint16_t port;
    int slow, idle;
    unsigned at = 0;

    request_limit = SECOND;
    port = begin_server(serve);
    slow = load_dial(port, 0);
    idle = load_dial(port, 0);
    while (at < sizeof request - 1 && !is_answered(slow, 20))
        say(slow, request[at++]);
    check_conversation(port, &conversations[0], 1000);
    CHECK(is_answered(slow, 5000) && hear(slow) == 'H');            /* 408 */
    CHECK(is_answered(idle, 5000));
    CHECK(recv(idle, &(char){ 0 }, 1, 0) == 0);                     /* without a word */
    close(slow);
    close(idle);
    end_server();
    printf("http: a slow client is dropped after %u bytes, an idle one too\n", at);
}

static int ask_five_times(struct pirn_hub *its_hub, void *argument)
{
    static const char request[] = "GET /hello.txt HTTP/1.1\r\n" HOST "\r\n";
    int fd = *(int *)argument;
    struct pirn_port port;

    CHECK(pirn_port_open(its_hub, &port, fd, 0) == 0);
    for (int at = 0; at < 5; at++) {
        char text[1024];
        size_t length = 0;

        CHECK(pirn_port_write_all(&port, request, sizeof request - 1, 60 * SECOND) == 0);
        do {
            ptrdiff_t got = pirn_port_read(&port, text + length, sizeof text - 1 - length,
                                           60 * SECOND);

            CHECK(got > 0);
            length += (size_t)got;
            text[length] = '\0';
        } while (strstr(text, "\r\n\r\nhello, world\n") == NULL);
        CHECK(memcmp(text, "HTTP/1.1 200 OK\r\n", 17) == 0);
        CHECK(strcmp(text + length - 13, "hello, world\n") == 0);
    }
    pirn_port_close(&port);
    return close(fd);
}

static void check_500_clients(uint16_t port)
{
    struct pirn_loop *loop;

    CHECK(pirn_init(&loop, block, sizeof block, NULL) == 0);
    CHECK(pirn_hub_init(loop, &hub, 63) == 0 && pirn_fiber_debug(&hub) == 0);
    for (int at = 0; at < 500; at++) {
        int fd = load_dial(port, 0);

        CHECK(pirn_pool_spawn(&hub, &clients, ask_five_times, &fd, sizeof fd, 0) == 0);
    }
    CHECK(pirn_group_join(&hub, &clients.group, PIRN_FOREVER) == 0);
    CHECK(clients.group.result == 0 && counts->peak <= FIBERS);
    CHECK(pirn_hub_deinit(&hub) == 0 && pirn_deinit(loop) == 0);
}

static void prove(void)
{
    const size_t all = sizeof conversations / sizeof conversations[0];
    uint16_t port = begin_server(serve);

    for (size_t at = 0; at < all; at++) {
        check_conversation(port, &conversations[at], 1000);
        check_conversation(port, &conversations[at], 1);
    }
    check_limits(port);
    printf("http: %u requests answered as they deserve\n", (unsigned)all);
    check_500_clients(port);
    printf("http: 500 clients, 5 requests each, up to %u at once\n", counts->peak);
    end_server();
    check_slow_clients();
}

#endif
