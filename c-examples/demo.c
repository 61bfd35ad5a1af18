/*
 * demo: drives echo_server with many clients at once, on every backend, and verifies every byte.
 *
 * Each client sends messages of mixed sizes, 1 byte to 64 KiB, one after the other, and compares what comes back. Half of the
 * clients shut their sending side down behind their last message, before its echo is complete, and expect all of it and then the
 * end; the others close when they have everything. The load comes from plain epoll(7), not from pirn: a fault of pirn's cannot hide
 * in both ends.
 *
 *     make demo                                    or: ./build/demo --clients 100 --messages 50 ./build/echo_server
 *
 * Exit status 0: all bytes came back, on all backends. 1: a wrong or missing byte, or a client that made no progress.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include "server_process.h"

#define MAX_CLIENTS 1000
#define MAX_MESSAGES 1000
#define MAX_LENGTH 65536u
#define STALL_NS UINT64_C(10000000000)

struct client {
    int fd;
    unsigned message;
    uint32_t length, sent, received;
    const unsigned char *content;
    uint64_t began_ns, progress_ns;
    uint32_t events;
};

static struct client clients[MAX_CLIENTS];
static unsigned char noise[2 * MAX_LENGTH];         /* a message is a piece of this, at a place of its own */
static uint32_t latency_us[MAX_CLIENTS * MAX_MESSAGES];
static unsigned client_count = 500, message_count = 400;
static struct server_process server;

static struct { uint64_t messages, bytes; unsigned open; } done;

static void fail(const char *what, const struct client *client)
{
    fprintf(stderr, "demo: %s", what);
    if (client != NULL)
        fprintf(stderr, ": client %u, message %u of %u bytes, sent %u, received %u", (unsigned)(client - clients),
                client->message, (unsigned)client->length, (unsigned)client->sent, (unsigned)client->received);
    fprintf(stderr, "\n");
    if (server.pid > 0)
        kill(server.pid, SIGKILL);
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* splitmix64: well spread numbers, the same in every run */
static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static int is_half_closer(const struct client *client)
{
    return (client - clients) % 2 == 0;
}

static int is_last_message(const struct client *client)
{
    return client->message + 1 == message_count;
}

/* Mostly short, some of a few KiB, a few up to 64 KiB; the first of each client 1 byte, the last the maximum. */
static void begin_message(struct client *client)
{
    uint64_t random = mix((uint64_t)(client - clients) * MAX_MESSAGES + client->message);
    uint32_t kind = (uint32_t)(random % 100), most = kind < 50 ? 256 : kind < 85 ? 4096 : kind < 97 ? 16384 : MAX_LENGTH;

    client->length = client->message == 0 ? 1 : is_last_message(client) ? MAX_LENGTH : 1 + (uint32_t)(random >> 16) % most;
    client->content = noise + (random >> 48);       /* 0 to 65535 */
    client->sent = client->received = 0;
    client->began_ns = now_ns();
}

static void send_some(struct client *client)
{
    while (client->sent < client->length) {
        ssize_t n = send(client->fd, client->content + client->sent, client->length - client->sent, MSG_NOSIGNAL);

        if (n < 0) {
            if (errno != EAGAIN)
                fail(strerror(errno), client);
            return;
        }
        client->sent += (uint32_t)n;
        if (client->sent == client->length && is_last_message(client) && is_half_closer(client)
            && shutdown(client->fd, SHUT_WR) < 0)
            fail("shutdown", client);
    }
}

/* 1 when all is done and the connection is to be closed. */
static int receive_some(struct client *client)
{
    static unsigned char buffer[MAX_LENGTH];

    for (;;) {
        ssize_t n = recv(client->fd, buffer, sizeof buffer, 0);

        if (n < 0) {
            if (errno != EAGAIN)
                fail(strerror(errno), client);
            return 0;
        }
        if (n == 0) {
            if (!is_last_message(client) || !is_half_closer(client) || client->received != client->length)
                fail("closed too early", client);
            return 1;
        }
        if ((size_t)n > client->sent - client->received || memcmp(buffer, client->content + client->received, (size_t)n) != 0)
            fail("wrong bytes", client);
        client->received += (uint32_t)n;
        client->progress_ns = now_ns();
        if (client->received < client->length)
            continue;
        latency_us[done.messages++] = (uint32_t)((client->progress_ns - client->began_ns) / 1000);
        done.bytes += client->length;
        if (!is_last_message(client)) {
            client->message++;
            begin_message(client);
            send_some(client);
        } else if (!is_half_closer(client)) {
            return 1;
        }
    }
}

static void connect_client(int epoll_fd, struct client *client)
{
    struct epoll_event event;
    int one = 1, small = 8192, segment = 1024;

    memset(client, 0, sizeof *client);
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (client->fd < 0 || setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) < 0)
        fail(strerror(errno), NULL);
    /* Every fourth one takes little at once: the server's writes come up short, and its back-pressure sets in. */
    if ((client - clients) % 4 == 0
        && (setsockopt(client->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small) < 0
            || setsockopt(client->fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment) < 0))
        fail(strerror(errno), NULL);
    if (connect(client->fd, (const struct sockaddr *)&server.address, sizeof server.address) < 0 && errno != EINPROGRESS)
        fail(strerror(errno), NULL);
    begin_message(client);
    client->progress_ns = client->began_ns;
    memset(&event, 0, sizeof event);
    event.events = client->events = EPOLLIN | EPOLLOUT;
    event.data.ptr = client;
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, client->fd, &event) < 0)
        fail(strerror(errno), NULL);
}

static void on_event(int epoll_fd, struct client *client)
{
    struct epoll_event event;

    send_some(client);
    if (receive_some(client)) {
        close(client->fd);
        client->fd = -1;
        done.open--;
        return;
    }
    memset(&event, 0, sizeof event);
    event.events = EPOLLIN | (client->sent < client->length ? EPOLLOUT : 0u);
    event.data.ptr = client;
    if (event.events != client->events && epoll_ctl(epoll_fd, EPOLL_CTL_MOD, client->fd, &event) < 0)
        fail(strerror(errno), client);
    client->events = event.events;
}

static void check_progress(void)
{
    uint64_t now = now_ns();

    for (unsigned i = 0; i < client_count; ++i)
        if (clients[i].fd >= 0 && now > clients[i].progress_ns + STALL_NS)
            fail("no progress", &clients[i]);
}

/* Returns how long it took. */
static uint64_t run_clients(void)
{
    struct epoll_event events[64];
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    uint64_t start = now_ns(), checked = start;

    if (epoll_fd < 0)
        fail(strerror(errno), NULL);
    memset(&done, 0, sizeof done);
    done.open = client_count;
    for (unsigned i = 0; i < client_count; ++i)
        connect_client(epoll_fd, &clients[i]);
    while (done.open > 0) {
        int count = epoll_wait(epoll_fd, events, 64, 1000);

        if (count < 0 && errno != EINTR)
            fail(strerror(errno), NULL);
        for (int i = 0; i < count; ++i) {
            struct client *client = events[i].data.ptr;

            on_event(epoll_fd, client);
        }
        if (now_ns() - checked > STALL_NS / 10) {
            check_progress();
            checked = now_ns();
        }
    }
    close(epoll_fd);
    return now_ns() - start;
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static double percentile_ms(unsigned percent)
{
    return latency_us[(done.messages - 1) * percent / 100] / 1000.0;
}

static void run_backend(char *server_path, char *backend)
{
    char *argv[] = { server_path, (char *)"--backend", backend, (char *)"--port", (char *)"0", NULL };
    uint64_t took_ns;

    if (server_start(&server, argv, 0) < 0)
        fail("the server does not start", NULL);
    took_ns = run_clients();
    if (server_end(&server, SIGTERM) != 0)
        fail("the server did not end well", NULL);
    server.pid = 0;
    if (server_value(&server, "clients") != client_count || server_value(&server, "failed") != 0
        || server_value(&server, "received") != done.bytes || server_value(&server, "sent") != done.bytes)
        fail("the server counted otherwise than its clients", NULL);
    qsort(latency_us, done.messages, sizeof latency_us[0], compare);
    printf("%-6s %u clients, %" PRIu64 " messages, %.1f MB verified: %.0f echoes/s, p50 %.1f ms, p99 %.1f ms; %" PRIu64
           " turns, %" PRId64 " system calls saved, block %" PRIu64 " bytes, at most %" PRIu64 " clients, %" PRIu64 " of %" PRIu64
           " watchers, %" PRIu64 " timers, %" PRIu64 " tasks\n",
           backend, client_count, done.messages, (double)done.bytes / 1e6, (double)done.messages * 1e9 / (double)took_ns,
           percentile_ms(50), percentile_ms(99), server_value(&server, "turns"), (int64_t)server_value(&server, "syscalls_saved"),
           server_value(&server, "block_size"), server_value(&server, "clients_peak"), server_value(&server, "io_peak"),
           server_value(&server, "io_capacity"), server_value(&server, "timer_peak"), server_value(&server, "task_peak"));
    fflush(stdout);
}

/* One descriptor for each client, here and in the server. */
static void raise_fd_limit(void)
{
    struct rlimit limit;
    rlim_t wanted = client_count + 64;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        fail(strerror(errno), NULL);
    if (limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = wanted;
    if (limit.rlim_max < wanted || setrlimit(RLIMIT_NOFILE, &limit) < 0)
        fail("RLIMIT_NOFILE is too low for so many clients", NULL);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "clients", required_argument, NULL, 'c' }, { "messages", required_argument, NULL, 'm' },
        { "backend", required_argument, NULL, 'b' }, { NULL, 0, NULL, 0 }
    };
    static char select_name[] = "select", poll_name[] = "poll", epoll_name[] = "epoll";
    char *backends[] = { select_name, poll_name, epoll_name };
    char *only = NULL;
    int option, is_usage_error = 0;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'c')
            client_count = (unsigned)strtoul(optarg, NULL, 10);
        else if (option == 'm')
            message_count = (unsigned)strtoul(optarg, NULL, 10);
        else if (option == 'b')
            only = optarg;
        else
            is_usage_error = 1;
    }
    if (is_usage_error || optind + 1 != argc || client_count < 1 || client_count > MAX_CLIENTS || message_count < 1
        || message_count > MAX_MESSAGES) {
        fprintf(stderr, "usage: demo [--clients 1..%d] [--messages 1..%d] [--backend NAME] path/to/echo_server\n", MAX_CLIENTS,
                MAX_MESSAGES);
        return 2;
    }
    raise_fd_limit();
    for (size_t i = 0; i < sizeof noise / sizeof(uint64_t); ++i) {
        uint64_t random = mix(i);

        memcpy(noise + i * sizeof random, &random, sizeof random);
    }
    if (only != NULL)
        run_backend(argv[optind], only);
    for (int i = 0; only == NULL && i < 3; ++i)
        run_backend(argv[optind], backends[i]);
    return 0;
}
