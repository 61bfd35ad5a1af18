/*
 * demo: drives echo_server with many clients at once, on every backend, and verifies every byte.
 *
 * Each client sends messages of mixed sizes, 1 byte to 64 KiB, one after the other, and compares
 * what comes back. Half of the clients shut down their sending side after their last message,
 * before its echo is complete, and expect the whole echo and then the end. The others close when
 * they have received everything. Every fourth client reads small pieces: the server's writes are
 * then short, and it must apply back-pressure.
 *
 *     make demo            or: ./build/demo --clients 100 --messages 50 ./build/echo_server
 *
 * Exit status 0: all bytes came back, on all backends. 1: a wrong or missing byte, or a client
 * that made no progress.
 */
#include <getopt.h>
#include <inttypes.h>

#include "check.h"
#include "load.h"
#include "server_process.h"

#define MAX_CLIENTS 1000
#define MAX_MESSAGES 1000

static void run_backend(char *server_path, char *backend, unsigned clients, unsigned messages)
{
    char *argv[] = { server_path, (char *)"--backend", backend, (char *)"--port", (char *)"0",
                     NULL };
    struct load load = { .clients = clients, .messages = messages, .half_closers = 2,
                         .slow_readers = 4 };
    struct server_process server;

    CHECK(server_start(&server, argv, 0) == 0);
    load.port = ntohs(server.address.sin_port);
    load_connect(&load);
    load_run(&load);
    CHECK(server_end(&server, SIGTERM) == 0);
    CHECK(load.answers == (uint64_t)clients * messages);
    CHECK(server_value(&server, "clients") == clients && server_value(&server, "failed") == 0);
    CHECK(server_value(&server, "received") == load.bytes);
    CHECK(server_value(&server, "sent") == load.bytes);
    printf("%-6s %u clients, %" PRIu64 " messages, %.1f MB verified: %.0f echoes/s, p50 %.1f ms, "
           "p99 %.1f ms; %" PRIu64 " turns, %" PRId64 " system calls saved, block %" PRIu64
           " bytes, at most %" PRIu64 " clients, %" PRIu64 " of %" PRIu64 " watchers, %" PRIu64
           " timers, %" PRIu64 " tasks\n",
           backend, clients, load.answers, (double)load.bytes / 1e6,
           (double)load.answers * 1e9 / (double)load.took_ns, load_percentile_ns(&load, 50) / 1e6,
           load_percentile_ns(&load, 99) / 1e6, server_value(&server, "turns"),
           (int64_t)server_value(&server, "syscalls_saved"), server_value(&server, "block_size"),
           server_value(&server, "clients_peak"), server_value(&server, "io_peak"),
           server_value(&server, "io_capacity"), server_value(&server, "timer_peak"),
           server_value(&server, "task_peak"));
    fflush(stdout);
    load_free(&load);
}

/* One descriptor for each client, here and in the server. */
static void raise_fd_limit(rlim_t wanted)
{
    struct rlimit limit;

    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    if (limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = wanted;
    CHECK(limit.rlim_max >= wanted && setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "clients", required_argument, NULL, 'c' }, { "messages", required_argument, NULL, 'm' },
        { "backend", required_argument, NULL, 'b' }, { NULL, 0, NULL, 0 }
    };
    static char select_name[] = "select", poll_name[] = "poll", epoll_name[] = "epoll";
    char *backends[] = { select_name, poll_name, epoll_name };
    unsigned clients = 500, messages = 400;
    char *only = NULL;
    int option, is_usage_error = 0;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'c')
            clients = (unsigned)strtoul(optarg, NULL, 10);
        else if (option == 'm')
            messages = (unsigned)strtoul(optarg, NULL, 10);
        else if (option == 'b')
            only = optarg;
        else
            is_usage_error = 1;
    }
    if (is_usage_error || optind + 1 != argc || clients < 1 || clients > MAX_CLIENTS || messages < 1
        || messages > MAX_MESSAGES) {
        fprintf(stderr,
                "usage: demo [--clients 1..%d] [--messages 1..%d] [--backend NAME] echo_server\n",
                MAX_CLIENTS, MAX_MESSAGES);
        return 2;
    }
    raise_fd_limit(clients + 64);
    for (int i = 0; i < 3; ++i)
        if (only == NULL || strcmp(only, backends[i]) == 0)
            run_backend(argv[optind], backends[i], clients, messages);
    return 0;
}
