/*
 * echo_server: a TCP echo server in fixed memory.
 *
 * Shows: listening and accepting, write buffering with back-pressure, half-close, a limit on
 * clients, running out of descriptors, ending and reloading on signals, statistics. There is no
 * malloc: at most MAX_CLIENTS clients, each with one buffer.
 *
 *     make && ./build/echo_server --port 7000 &
 *     printf 'hello\n' | nc -N 127.0.0.1 7000
 *     ./build/echo_server --backend select --max-clients 2 --bind 0.0.0.0
 *
 * After SIGINT or SIGTERM it accepts no new clients, sends back everything it has received, closes
 * each connection, and ends. A second signal ends it immediately. SIGHUP makes it read the file of
 * --settings again, which contains the largest number of clients. It prints `listening on
 * ADDR:PORT` when clients may connect, and a line of statistics at the end.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <pirn/os.h>

#define MAX_CLIENTS 1024
#define BUFFER_SIZE 16384u  /* per client; a power of two, so that offsets wrap by masking */
#define ACCEPT_BATCH 64  /* per turn: a flood of newcomers must not starve those who are in */
#define ACCEPT_PAUSE_NS UINT64_C(100000000)

/*
 * The bytes between what was received and what was sent back, in a ring. `head` and `tail` run
 * freely; head - tail bytes are in.
 */
struct client {
    struct pirn_io io;
    int fd;                                         /* -1: nobody is here */
    struct client *next_free;
    uint32_t head, tail;
    int has_ended;  /* the client shut its sending side down: drain, then close */
    char buffer[BUFFER_SIZE];
};

#define SIGNALS 3
static const int signal_numbers[SIGNALS] = { SIGHUP, SIGINT, SIGTERM };

struct server {
    struct pirn_io listener;
    int listener_fd;
    struct pirn_signal signals[SIGNALS];
    struct client *free_clients;
    const char *settings;                           /* the path of a file, or NULL */
    uint64_t accepted, refused, pauses, failed, received, sent;
    unsigned connected, connected_peak, max_clients;
    int is_ending;
};

/* An I/O slot for each client, the listener and each signal; a timer that ends an accept pause. */
static PIRN_STORAGE(block, MAX_CLIENTS + 1 + SIGNALS, 1, 1);
static struct client clients[MAX_CLIENTS];
static struct server server;

static void drop_client(struct pirn_loop *loop, struct client *client)
{
    /* Remove before close: afterwards the number may belong to somebody else. */
    (void)pirn_io_remove(loop, client->io);
    close(client->fd);
    client->fd = -1;
    client->next_free = server.free_clients;
    server.free_clients = client;
    server.connected--;
}

/*
 * Receives into the free part of the ring up to its end or its start. 0, or -1 if the connection is
 * broken.
 */
static int receive(struct client *client, int fd)
{
    uint32_t at = client->head & (BUFFER_SIZE - 1);
    uint32_t room = BUFFER_SIZE - (client->head - client->tail);
    uint32_t length = room < BUFFER_SIZE - at ? room : BUFFER_SIZE - at;
    ssize_t n;

    if (room == 0)
        return 0;  /* recv of 0 bytes answers 0, which would pass for the end */
    n = recv(fd, client->buffer + at, length, 0);
    if (n > 0) {
        client->head += (uint32_t)n;
        server.received += (uint64_t)n;
    } else if (n == 0) {
        client->has_ended = 1;
    } else if (errno != EAGAIN && errno != EINTR) {
        return -1;
    }
    return 0;
}

/* Sends until the ring is empty or the socket full. 0, or -1 if the connection is broken. */
static int transmit(struct client *client, int fd)
{
    while (client->head != client->tail) {
        uint32_t at = client->tail & (BUFFER_SIZE - 1);
        uint32_t used = client->head - client->tail;
        uint32_t length = used < BUFFER_SIZE - at ? used : BUFFER_SIZE - at;
        ssize_t n = send(fd, client->buffer + at, length, MSG_NOSIGNAL);

        if (n < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : -1;
        client->tail += (uint32_t)n;
        server.sent += (uint64_t)n;
    }
    client->head = client->tail = 0;  /* empty: the next receive gets the whole ring in one piece */
    return 0;
}

static void on_client(struct pirn_loop *loop, struct pirn_io io, int fd, uint32_t ready, void *user)
{
    struct client *client = user;
    uint32_t interest = 0, used;

    /*
     * Errors and hang-ups come with READ or WRITE set: the call below meets them. One receive per
     * turn keeps it fair.
     */
    if ((ready & PIRN_INVALID) != 0 || ((ready & PIRN_READ) != 0 && receive(client, fd) < 0) ||
        transmit(client, fd) < 0) {
        server.failed++;
        drop_client(loop, client);
        return;
    }
    used = client->head - client->tail;
    if (used == 0 && client->has_ended) {
        drop_client(loop, client);
        return;
    }
    /*
     * Back-pressure: the server does not read from a client that does not read. The interest is set
     * on every pass. If it does not change, that makes no system call, because pirn compares it
     * with the kernel's once in a turn.
     */
    if (used < BUFFER_SIZE && !client->has_ended)
        interest |= PIRN_READ;
    if (used > 0)
        interest |= PIRN_WRITE;
    /* cannot fail: the handle is live and the bits are valid */
    (void)pirn_io_modify(loop, io, interest);
}

/*
 * Full is an answer: the newcomer is told, as far as its socket buffer goes, and the others go on.
 */
static void refuse(int fd)
{
    static const char busy[] = "busy, try later\n";

    (void)!send(fd, busy, sizeof busy - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    close(fd);
    server.refused++;
}

static void admit(struct pirn_loop *loop, int fd)
{
    struct client *client = server.free_clients;
    int one = 1;

    if (server.connected >= server.max_clients
        || pirn_io_add(loop, fd, PIRN_READ, on_client, client, &client->io) < 0) {
        refuse(fd);
        return;
    }
    client->fd = fd;
    /*
     * Nagle's algorithm would hold the tail of an answer back until the client acknowledges what
     * came before it.
     */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    server.free_clients = client->next_free;
    client->head = client->tail = 0;
    client->has_ended = 0;
    server.accepted++;
    if (++server.connected > server.connected_peak)
        server.connected_peak = server.connected;
}

static void on_pause_over(struct pirn_loop *loop, struct pirn_timer timer, uint64_t missed,
                          void *user)
{
    (void)timer, (void)missed, (void)user;
    (void)pirn_io_modify(loop, server.listener, PIRN_READ);
}

/*
 * Out of descriptors or memory the listener stays readable, and watching it would spin: look away
 * for a moment instead.
 */
static void pause_accepting(struct pirn_loop *loop)
{
    if (pirn_timer_start(loop, ACCEPT_PAUSE_NS, 0, PIRN_UNREF, on_pause_over, NULL, NULL) < 0)
        return;  /* cannot be: the slot is ours alone. Better to spin than to go deaf */
    (void)pirn_io_modify(loop, server.listener, 0);
    server.pauses++;
}

static void on_listener(struct pirn_loop *loop, struct pirn_io io, int fd, uint32_t ready,
                        void *user)
{
    (void)io, (void)ready, (void)user;
    for (int i = 0; i < ACCEPT_BATCH; ++i) {
        int client_fd = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (client_fd >= 0)
            admit(loop, client_fd);
        else if (errno == EAGAIN)
            return;
        else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            pause_accepting(loop);
            return;
        }
        /*
         * Otherwise the connection failed while it waited in the queue (accept(2), "Error
         * handling"): take the next one.
         */
    }
}

/* True if there are good settings. If not, it goes on with those it has. */
static int read_settings(void)
{
    FILE *file = server.settings == NULL ? NULL : fopen(server.settings, "r");
    unsigned max_clients = 0;
    int is_read = file != NULL && fscanf(file, "%u", &max_clients) == 1 && max_clients >= 1
        && max_clients <= MAX_CLIENTS;

    if (file != NULL)
        fclose(file);
    if (is_read)
        server.max_clients = max_clients;
    return is_read;
}

/* No more clients, and those that are in are sent what was received from them. The signals do not
 * keep the loop going: when the last client has left, pirn_run returns. */
static void end_gracefully(struct pirn_loop *loop)
{
    (void)pirn_io_remove(loop, server.listener);
    close(server.listener_fd);
    server.listener_fd = -1;
    for (unsigned i = 0; i < MAX_CLIENTS; ++i) {
        struct client *client = &clients[i];

        if (client->fd < 0)
            continue;
        client->has_ended = 1;
        if (client->head == client->tail)
            drop_client(loop, client);
        else
            (void)pirn_io_modify(loop, client->io, PIRN_WRITE);
    }
}

static void on_signal(struct pirn_loop *loop, struct pirn_signal *signal,
                      const struct pirn_signal_info *info, void *user)
{
    (void)signal, (void)user;
    if (info->signo == SIGHUP) {
        int is_read = read_settings();

        printf("at most %u clients%s\n", server.max_clients, is_read ? "" : ": no settings");
        fflush(stdout);
    } else if (server.is_ending++) {
        (void)pirn_stop(loop);
    } else {
        end_gracefully(loop);
    }
}

static int watch_signals(struct pirn_loop *loop)
{
    int rc = 0;

    /* There is one thread, so pirn may block them here. */
    for (int i = 0; i < SIGNALS && rc == 0; ++i)
        rc = pirn_signal_add(loop, &server.signals[i], signal_numbers[i],
                             PIRN_SIGNAL_BLOCK | PIRN_UNREF, on_signal, NULL);
    return rc;
}

static int open_listener(const char *address, uint16_t port)
{
    struct sockaddr_in name;
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    memset(&name, 0, sizeof name);
    name.sin_family = AF_INET;
    name.sin_port = htons(port);
    if (inet_pton(AF_INET, address, &name.sin_addr) != 1) {
        fprintf(stderr, "echo_server: %s is not an IPv4 address\n", address);
        if (fd >= 0)
            close(fd);
        return -1;
    }
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0
        || bind(fd, (const struct sockaddr *)&name, sizeof name) < 0 || listen(fd, SOMAXCONN) < 0) {
        perror("echo_server: cannot listen");
        if (fd >= 0)
            close(fd);
        return -1;
    }
    return fd;
}

/* A signal that comes from now on is heard. */
static void print_address(int fd)
{
    struct sockaddr_in name;
    socklen_t length = sizeof name;
    char text[INET_ADDRSTRLEN];

    if (getsockname(fd, (struct sockaddr *)&name, &length) < 0)
        return;
    printf("listening on %s:%u\n", inet_ntop(AF_INET, &name.sin_addr, text, sizeof text),
           (unsigned)ntohs(name.sin_port));
    fflush(stdout);
}

static int backend_by_name(const char *name)
{
    static const char *const names[] = { "auto", "select", "poll", "epoll" };

    for (int i = 0; i < 4; ++i)
        if (strcmp(name, names[i]) == 0)
            return i;  /* PIRN_BACKEND_AUTO, _SELECT, _POLL, _EPOLL are 0 to 3 */
    return -1;
}

static void print_statistics(struct pirn_loop *loop)
{
    struct pirn_stats stats;

    memset(&stats, 0, sizeof stats);
    stats.size = sizeof stats;
    if (pirn_stats(loop, &stats) < 0)
        return;
    printf("stats backend=%s clients=%" PRIu64 " clients_peak=%u clients_left=%u "
           "refused=%" PRIu64 " failed=%" PRIu64
           " pauses=%" PRIu64 " received=%" PRIu64 " sent=%" PRIu64 " turns=%" PRIu64 " "
               "callbacks=%" PRIu64
           " interest_changes=%" PRIu64 " syscalls_saved=%" PRId64 " block_size=%u io_peak=%u "
               "io_capacity=%u"
           " timer_peak=%u task_peak=%u\n",
           pirn_backend_name(pirn_backend(loop)), server.accepted, server.connected_peak,
           server.connected, server.refused,
           server.failed, server.pauses, server.received, server.sent, stats.turns, stats.callbacks,
           stats.interest_changes,
           (int64_t)(stats.interest_changes - stats.interest_syscalls), (unsigned)stats.block_size,
           (unsigned)stats.io_peak,
           (unsigned)stats.io_capacity, (unsigned)stats.timer_peak, (unsigned)stats.task_peak);
}

static int serve(int backend)
{
    struct pirn_config config;
    struct pirn_loop *loop;
    int rc;

    for (unsigned i = 0; i < MAX_CLIENTS; ++i) {
        clients[i].fd = -1;
        clients[i].next_free = server.free_clients;
        server.free_clients = &clients[i];
    }
    memset(&config, 0, sizeof config);
    config.size = sizeof config;
    config.backend = (uint32_t)backend;
    rc = pirn_init(&loop, block, sizeof block, &config);
    if (rc < 0)
        return rc;

    rc = pirn_io_add(loop, server.listener_fd, PIRN_READ, on_listener, NULL, &server.listener);
    if (rc == 0)
        rc = watch_signals(loop);
    if (rc == 0) {
        print_address(server.listener_fd);
        rc = pirn_run(loop);
    }
    print_statistics(loop);
    for (int i = 0; i < SIGNALS; ++i)
        (void)pirn_signal_remove(&server.signals[i]);
    (void)pirn_deinit(loop);  /* the clients' descriptors are ours, and go with the process */
    return rc;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "backend", required_argument, NULL, 'b' }, { "port", required_argument, NULL, 'p' },
        { "max-clients", required_argument, NULL, 'm' }, { "bind", required_argument, NULL, 'a' },
        { "settings", required_argument, NULL, 's' }, { NULL, 0, NULL, 0 }
    };
    const char *address = "127.0.0.1";
    long port = 7000, max_clients = MAX_CLIENTS;
    int backend = PIRN_BACKEND_AUTO, option, rc;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'b')
            backend = backend_by_name(optarg);
        else if (option == 'p')
            port = strtol(optarg, NULL, 10);
        else if (option == 'm')
            max_clients = strtol(optarg, NULL, 10);
        else if (option == 'a')
            address = optarg;
        else if (option == 's')
            server.settings = optarg;
        else
            backend = -1;
    }
    if (backend < 0 || optind != argc || port < 0 || port > 65535 || max_clients < 1 ||
        max_clients > MAX_CLIENTS) {
        fprintf(stderr, "usage: echo_server [--backend auto|select|poll|epoll] [--port N]\n"
                        "       [--max-clients 1..%d] [--bind ADDR] [--settings FILE]\n",
                        MAX_CLIENTS);
        return 2;
    }
    server.max_clients = (unsigned)max_clients;
    if (server.settings != NULL && !read_settings())
        return 1;
    server.listener_fd = open_listener(address, (uint16_t)port);
    if (server.listener_fd < 0)
        return 1;
    rc = serve(backend);
    if (server.listener_fd >= 0)
        close(server.listener_fd);
    if (rc < 0) {
        fprintf(stderr, "echo_server: %s\n", pirn_strerror(rc));
        return 1;
    }
    return 0;
}
