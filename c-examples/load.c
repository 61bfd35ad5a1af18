#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "load.h"

#define STALL_S 10
#define MAX_SAMPLES (1u << 20)
#define SECOND_NS UINT64_C(1000000000)

struct load_client {
    int fd;
    uint32_t length, sent, received;                /* of the message that is on its way */
    unsigned number, message;
    const unsigned char *content;
    uint64_t began_ns, progress_ns;
    uint32_t events;
};

/* A message is a piece of this, at a place of its own. */
static unsigned char noise[LOAD_MAX_LENGTH + LOAD_MAX_MIXED];

static uint64_t now_ns(void)
{
    struct timespec now;

    CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

/* splitmix64: well spread numbers, the same in every run */
static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static void fail(const char *what, const struct load_client *client)
{
    fflush(stdout);
    fprintf(stderr, "load: %s: client %u, message %u of %u bytes, sent %u, received %u\n", what,
            client->number, client->message, (unsigned)client->length, (unsigned)client->sent,
            (unsigned)client->received);
    exit(1);
}

/* True for every n-th client; never if n is 0. */
static int is_nth(const struct load_client *client, unsigned n)
{
    return n != 0 && client->number % n == 0;
}

static int is_last_message(const struct load *load, const struct load_client *client)
{
    return load->messages != 0 ? client->message + 1 == load->messages
                               : client->began_ns >= load->deadline_ns;
}

/* Mixed lengths are mostly short, some a few KiB, a few up to 64 KiB; the first of each client is
 * 1 byte, the last the maximum. */
static void begin_message(const struct load *load, struct load_client *client, uint64_t now)
{
    uint64_t random = mix(((uint64_t)client->number << 32) + client->message);
    uint32_t kind = (uint32_t)(random % 100);
    uint32_t most = kind < 50 ? 256 : kind < 85 ? 4096 : kind < 97 ? 16384 : LOAD_MAX_MIXED;

    client->began_ns = client->progress_ns = now;
    client->length = load->length != 0 ? load->length
                     : client->message == 0 ? 1
                     : is_last_message(load, client) ? LOAD_MAX_MIXED
                                                     : 1 + (uint32_t)(random >> 16) % most;
    client->content = noise + (random >> 48);       /* 0 to 65535 */
    client->sent = client->received = 0;
}

static void send_some(const struct load *load, struct load_client *client)
{
    while (client->sent < client->length) {
        ssize_t n = send(client->fd, client->content + client->sent, client->length - client->sent,
                         MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0)
            fail(strerror(errno), client);
        client->sent += (uint32_t)n;
    }
    if (load->messages != 0 && is_last_message(load, client) && is_nth(client, load->half_closers)
        && shutdown(client->fd, SHUT_WR) < 0)
        fail("shutdown", client);
}

/* Return 1 when all is done and the connection is to be closed. */
static int receive_some(struct load *load, struct load_client *client)
{
    unsigned char buffer[LOAD_MAX_MIXED];
    ssize_t n = recv(client->fd, buffer, sizeof buffer, MSG_DONTWAIT);
    int is_last = is_last_message(load, client);
    uint64_t latency;

    if (n < 0 && errno == EAGAIN)
        return 0;
    if (n < 0)
        fail(strerror(errno), client);
    if (n == 0) {
        if (!is_last || !is_nth(client, load->half_closers) || client->received != client->length)
            fail("closed too early", client);
        return 1;
    }
    if ((size_t)n > client->sent - client->received
        || memcmp(buffer, client->content + client->received, (size_t)n) != 0)
        fail("wrong bytes", client);
    client->received += (uint32_t)n;
    client->progress_ns = now_ns();
    if (client->received < client->length)
        return 0;
    latency = client->progress_ns - client->began_ns;
    if (load->answers < MAX_SAMPLES)
        load->latencies_ns[load->answers] = latency < UINT32_MAX ? (uint32_t)latency : UINT32_MAX;
    load->answers++;
    load->bytes += client->length;
    if (is_last)
        return !is_nth(client, load->half_closers);
    client->message++;
    begin_message(load, client, client->progress_ns);
    send_some(load, client);
    return 0;
}

static void watch(int epoll_fd, int operation, struct load_client *client, uint32_t events)
{
    struct epoll_event event;

    memset(&event, 0, sizeof event);
    event.events = client->events = events;
    event.data.ptr = client;
    CHECK(epoll_ctl(epoll_fd, operation, client->fd, &event) == 0);
}

int load_dial(uint16_t port, int is_slow)
{
    static const struct timeval stall = { STALL_S, 0 };
    struct sockaddr_in address;
    int one = 1, small = 8192, segment = 1024, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK(fd >= 0 && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0
          && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &stall, sizeof stall) == 0
          && setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &stall, sizeof stall) == 0);
    if (is_slow)
        CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small) == 0
              && setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment) == 0);
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(connect(fd, (const struct sockaddr *)&address, sizeof address) == 0);
    return fd;
}

void load_connect(struct load *load)
{
    CHECK(load->length <= LOAD_MAX_LENGTH);
    for (size_t i = 0; i < sizeof noise / sizeof(uint64_t); ++i) {
        uint64_t random = mix(i);

        memcpy(noise + i * sizeof random, &random, sizeof random);
    }
    load->state = calloc(load->clients, sizeof *load->state);
    load->latencies_ns = calloc(MAX_SAMPLES, sizeof *load->latencies_ns);
    CHECK(load->state != NULL && load->latencies_ns != NULL);
    for (unsigned i = 0; i < load->clients; ++i) {
        load->state[i].number = i;
        load->state[i].fd = load_dial(load->port, is_nth(&load->state[i], load->slow_readers));
    }
}

static void check_progress(const struct load *load, uint64_t now)
{
    for (unsigned i = 0; i < load->clients; ++i)
        if (load->state[i].fd >= 0 && now > load->state[i].progress_ns + STALL_S * SECOND_NS)
            fail("no progress", &load->state[i]);
}

void load_run(struct load *load)
{
    struct epoll_event events[256];
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    uint64_t start = now_ns(), checked = start;
    unsigned open = load->clients;

    CHECK(epoll_fd >= 0);
    load->deadline_ns = start + load->duration_ns;
    load->answers = load->bytes = 0;
    for (unsigned i = 0; i < load->clients; ++i) {
        struct load_client *client = &load->state[i];

        begin_message(load, client, now_ns());
        send_some(load, client);
        watch(epoll_fd, EPOLL_CTL_ADD, client,
              EPOLLIN | (client->sent < client->length ? EPOLLOUT : 0u));
    }
    while (open > 0) {
        int count = epoll_wait(epoll_fd, events, 256, 1000);

        CHECK(count >= 0 || errno == EINTR);
        for (int i = 0; i < count; ++i) {
            struct load_client *client = events[i].data.ptr;
            uint32_t wanted;

            if ((events[i].events & EPOLLOUT) != 0)
                send_some(load, client);
            if (receive_some(load, client)) {
                CHECK(close(client->fd) == 0);
                client->fd = -1;
                open--;
                continue;
            }
            wanted = EPOLLIN | (client->sent < client->length ? EPOLLOUT : 0u);
            if (wanted != client->events)
                watch(epoll_fd, EPOLL_CTL_MOD, client, wanted);
        }
        if (now_ns() > checked + SECOND_NS) {
            checked = now_ns();
            check_progress(load, checked);
        }
    }
    load->took_ns = now_ns() - start;
    CHECK(close(epoll_fd) == 0);
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

uint32_t load_percentile_ns(const struct load *load, unsigned percent)
{
    size_t count = load->answers < MAX_SAMPLES ? load->answers : MAX_SAMPLES;

    if (count == 0)
        return 0;
    qsort(load->latencies_ns, count, sizeof load->latencies_ns[0], compare);
    return load->latencies_ns[(count - 1) * percent / 100];
}

void load_free(struct load *load)
{
    free(load->state);
    free(load->latencies_ns);
}
