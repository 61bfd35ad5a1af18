/* A TCP echo server. Its clients run in a process of their own and are those of c-examples/load.c,
 * the same for every peer; they compare every byte and measure. The server's time is its process's
 * own, user and system. */

#include "../../../c-examples/load.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/wait.h>

enum { ECHO_CONNECTIONS_MAX = 1000 };

struct connection {
    struct io io;
    int fd;
};

static struct {
    loop_t *loop;
    struct io listener;
    int listener_fd;
    struct connection connections[ECHO_CONNECTIONS_MAX];
    uint32_t accepted, closed, expected;
    uint64_t requests;
} echo;

static IO_CALLBACK(on_connection)
{
    struct connection *connection = (struct connection *)user;
    char bytes[4096];
    ssize_t size = read(connection->fd, bytes, sizeof bytes);
    if (size > 0) {
        if (write(connection->fd, bytes, (size_t)size) != size)
            wrong("a short write of %zd bytes", size);
        echo.requests++;
    } else if (size == 0) {
        io_remove(echo.loop, &connection->io);
        close(connection->fd);
        if (++echo.closed == echo.expected)
            loop_stop(echo.loop);
    } else if (errno != EAGAIN) {
        wrong("read: %s", strerror(errno));
    }
    DONE;
}

static IO_CALLBACK(on_listener)
{
    int accepted;
    while ((accepted = accept4(echo.listener_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        int yes = 1;
        struct connection *connection = &echo.connections[echo.accepted++];
        setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        connection->fd = accepted;
        if (io_add(echo.loop, &connection->io, accepted, IO_READ, on_connection) != 0)
            wrong("io_add: connection %" PRIu32, echo.accepted);
    }
    if (errno != EAGAIN)
        wrong("accept4: %s", strerror(errno));
    DONE;
}

static uint16_t echo_listen(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    echo.listener_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    MUST(echo.listener_fd >= 0);
    MUST(bind(echo.listener_fd, (struct sockaddr *)&address, size) == 0);
    MUST(listen(echo.listener_fd, 4096) == 0);
    MUST(getsockname(echo.listener_fd, (struct sockaddr *)&address, &size) == 0);
    return ntohs(address.sin_port);
}

/* Server and clients each have a processor of their own, where there are two; else this fails. */
static void use_processor(unsigned processor)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(processor, &set);
    sched_setaffinity(0, sizeof set, &set);
}

/* 64 bytes at a time. Reports for itself. */
static void echo_run_clients(uint16_t port, uint32_t connections)
{
    struct load load = {.port = port, .clients = connections, .length = 64,
                        .duration_ns = (uint64_t)(options.seconds * 1e9)};
    use_processor(1);
    load_connect(&load);
    load_run(&load);
    report_value("throughput [1/s]", (double)load.answers * 1e9 / (double)load.took_ns);
    report_value("p50 [us]", load_percentile_ns(&load, 50) / 1e3);
    report_value("p99 [us]", load_percentile_ns(&load, 99) / 1e3);
}

/* echo CONNECTIONS */
static void workload_echo(uint32_t connections, uint32_t unused)
{
    struct limits limits = {.io = connections + 1};
    int status;
    MUST(connections > 0 && connections <= ECHO_CONNECTIONS_MAX);
    uint16_t port = echo_listen();
    pid_t clients = fork();
    MUST(clients >= 0);
    if (clients == 0) {
        echo_run_clients(port, connections);
        exit(0);
    }
    use_processor(0);
    echo.expected = connections;
    echo.loop = loop_open(&limits);
    MUST(io_add(echo.loop, &echo.listener, echo.listener_fd, IO_READ, on_listener) == 0);
    clock_t before = clock();
    loop_run(echo.loop);
    double used = (double)(clock() - before) / CLOCKS_PER_SEC;
    report_value("cpu [us]", used * 1e6 / (double)echo.requests);
    MUST(waitpid(clients, &status, 0) == clients);
    if (status != 0)
        wrong("the clients found a wrong byte, or none");
}
