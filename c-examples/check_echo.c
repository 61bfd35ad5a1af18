/*
 * check_echo: tests echo_server with every backend, and nolibc_echo, under difficult conditions.
 *
 *     ./build/check_echo ./build/echo_server ./build/nolibc_echo
 *
 * A client that does not read, one that resets, more clients than places, more clients than
 * descriptors. Exit status 0 if the server has served all clients correctly.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <time.h>

#include "check.h"
#include "server_process.h"

/* A blocking connection on which nothing takes longer than five seconds. */
static int dial(const struct server_process *server)
{
    struct timeval limit = { 5, 0 };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK(fd >= 0);
    CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
    CHECK(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == 0);
    CHECK(connect(fd, (const struct sockaddr *)&server->address, sizeof server->address) == 0);
    return fd;
}

static void receive_all(int fd, char *buffer, size_t length)
{
    for (size_t at = 0; at < length;) {
        ssize_t n = recv(fd, buffer + at, length - at, 0);

        CHECK(n > 0);
        at += (size_t)n;
    }
}

static void receive_end(int fd)
{
    char byte;

    CHECK(recv(fd, &byte, 1, 0) == 0);
}

static void say_and_hear(int fd, const char *text)
{
    char answer[64];

    CHECK(send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text));
    receive_all(fd, answer, strlen(text));
    CHECK(memcmp(answer, text, strlen(text)) == 0);
}

static void sleep_ms(long ms)
{
    struct timespec time = { ms / 1000, ms % 1000 * 1000000 };

    while (nanosleep(&time, &time) != 0)
        ;
}

/* Byte number `at` of a long message. */
static char content(size_t at)
{
    return (char)(at * 31 + (at >> 8) * 17 + (at >> 16));
}

/* One client sends as long as anybody takes it and reads nothing: the server must stop reading from
 * it, hold no more than its one buffer, and go on serving the other. Then it reads after all, and
 * gets every byte, and the end. */
static void slow_reader(struct server_process *server)
{
    static char piece[1000];
    int slow = dial(server), other = dial(server);
    size_t sent = 0, received = 0;
    ssize_t n;

    for (int quiet = 0; quiet < 3;) {
        for (size_t i = 0; i < sizeof piece; ++i)
            piece[i] = content(sent + i);
        n = send(slow, piece, sizeof piece, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0) {
            sent += (size_t)n;
            quiet = 0;
        } else {
            CHECK(errno == EAGAIN);
            say_and_hear(other, "meanwhile");
            sleep_ms(20);
            quiet++;
        }
    }
    CHECK(sent > 2 * 16384);
    CHECK(shutdown(slow, SHUT_WR) == 0);
    while (received < sent) {
        n = recv(slow, piece, sizeof piece, 0);
        CHECK(n > 0);
        for (ssize_t i = 0; i < n; ++i)
            CHECK(piece[i] == content(received + (size_t)i));
        received += (size_t)n;
    }
    receive_end(slow);
    say_and_hear(other, "afterwards");
    close(slow);
    close(other);
}

/* Ends its side before it reads anything, after more and more bytes: at some length the end meets
 * the server while it waits for room to send, with bytes in its buffer. They must all come out
 * before it closes. */
static void half_closes(struct server_process *server)
{
    static char piece[1000];
    int small = 8192, segment = 1024;

    for (size_t pieces = 8; pieces <= 160; pieces += 8) {
        struct timeval limit = { 5, 0 };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        size_t sent = 0, received = 0;
        ssize_t n;

        /* Small windows, so that the kernel does not take it all. */
        CHECK(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
        CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small) == 0);
        CHECK(setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment) == 0);
        CHECK(connect(fd, (const struct sockaddr *)&server->address, sizeof server->address) == 0);
        for (size_t i = 0; i < pieces; ++i) {
            for (size_t j = 0; j < sizeof piece; ++j)
                piece[j] = content(sent + j);
            n = send(fd, piece, sizeof piece, MSG_DONTWAIT | MSG_NOSIGNAL);
            if (n > 0)
                sent += (size_t)n;
        }
        CHECK(shutdown(fd, SHUT_WR) == 0);
        sleep_ms(5);
        while ((n = recv(fd, piece, sizeof piece, 0)) > 0)
            for (ssize_t i = 0; i < n; ++i)
                CHECK(piece[i] == content(received++));
        CHECK(n == 0 && received == sent);
        close(fd);
    }
}

/* Resets a connection whose echo is still under way. */
static void reset(struct server_process *server)
{
    static char piece[100000];
    struct linger at_once = { 1, 0 };
    int other = dial(server);

    for (int i = 0; i < 20; ++i) {
        int fd = dial(server);

        CHECK(send(fd, piece, i % 2 == 0 ? 1 : sizeof piece, MSG_DONTWAIT | MSG_NOSIGNAL) > 0);
        CHECK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
        close(fd);
        say_and_hear(other, "still here");
    }
    close(other);
}

static void check_endurance(char *path, char *backend)
{
    char *argv[] = { path, (char *)"--backend", backend, (char *)"--port", (char *)"0", NULL };
    struct server_process server;

    CHECK(server_start(&server, argv, 0) == 0);
    slow_reader(&server);
    half_closes(&server);
    reset(&server);
    sleep_ms(50);
    CHECK(server_end(&server, SIGINT) == 0);
    CHECK(server_value(&server, "clients") == 2 + 20 + 21 &&
          server_value(&server, "clients_left") == 0);
    CHECK(server_value(&server, "syscalls_saved") > 0);
    CHECK(server_value(&server, "turns") < 20000);
}

static void hear_refusal(int fd)
{
    static const char busy[] = "busy, try later\n";
    char answer[sizeof busy];

    receive_all(fd, answer, sizeof busy - 1);
    CHECK(memcmp(answer, busy, sizeof busy - 1) == 0);
    receive_end(fd);
    close(fd);
}

static void check_full(char *path, char *backend)
{
    char *argv[] = { path, (char *)"--backend", backend, (char *)"--port", (char *)"0",
                     (char *)"--max-clients", (char *)"3",
                     NULL };
    struct server_process server;
    int fds[3], extra;

    CHECK(server_start(&server, argv, 0) == 0);
    for (int i = 0; i < 3; ++i) {
        fds[i] = dial(&server);
        say_and_hear(fds[i], "in");
    }
    extra = dial(&server);
    hear_refusal(extra);
    for (int i = 0; i < 3; ++i)
        say_and_hear(fds[i], "still in");

    CHECK(shutdown(fds[1], SHUT_WR) == 0);
    receive_end(fds[1]);                            /* now its place is free */
    extra = dial(&server);
    say_and_hear(extra, "in after all");
    CHECK(server_end(&server, SIGTERM) == 0);
    CHECK(server_value(&server, "clients") == 4 && server_value(&server, "refused") == 1);
    CHECK(server_value(&server, "clients_peak") == 3 && server_value(&server, "clients_left") == 0);
    close(fds[0]), close(fds[1]), close(fds[2]), close(extra);
}

/* Sends, and reads nothing, until the server takes no more: its buffer for this client is full. */
static size_t stuff(int fd)
{
    static char piece[65536];
    size_t sent = 0;
    int tries = 0;

    for (size_t i = 0; i < sizeof piece; ++i)
        piece[i] = content(i);
    while (tries < 50) {
        /* The content has a period, which pieces must not break. */
        size_t at = sent % sizeof piece;
        ssize_t n = send(fd, piece + at, sizeof piece - at, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n > 0) {
            sent += (size_t)n;
            tries = 0;
        } else {
            sleep_ms(2);
            tries++;
        }
    }
    return sent;
}

/* Ends gracefully: idle clients are let go, one that reads gets what was received from it. */
static void check_end(char *path, char *backend, int is_patient)
{
    char *argv[] = { path, (char *)"--backend", backend, (char *)"--port", (char *)"0", NULL };
    struct server_process server;
    char piece[4096];
    size_t received = 0;
    ssize_t n;
    int idle, slow;

    CHECK(server_start(&server, argv, 0) == 0);
    idle = dial(&server);
    slow = dial(&server);
    say_and_hear(idle, "in");
    CHECK(stuff(slow) > 0);
    CHECK(kill(server.pid, SIGTERM) == 0);
    receive_end(idle);
    if (is_patient) {
        while ((n = recv(slow, piece, sizeof piece, 0)) > 0)
            for (ssize_t i = 0; i < n; ++i)
                CHECK(piece[i] == content(received++ % 65536));
        /* A reset at the end is for what it had not received. */
        CHECK(n == 0 || errno == ECONNRESET);
        CHECK(server_end(&server, 0) == 0);
        CHECK(server_value(&server, "sent") == server_value(&server, "received"));
        CHECK(server_value(&server, "clients_left") == 0);
    } else {
        CHECK(server_end(&server, SIGINT) == 0);
        CHECK(server_value(&server, "clients_left") == 1);
    }
    close(idle), close(slow);
}

static void write_settings(const char *file, const char *text)
{
    FILE *settings = fopen(file, "w");

    CHECK(settings != NULL && fputs(text, settings) >= 0 && fclose(settings) == 0);
}

static void rereads(struct server_process *server, const char *says)
{
    char line[64];

    CHECK(kill(server->pid, SIGHUP) == 0);
    CHECK(fgets(line, sizeof line, server->output) != NULL && strcmp(line, says) == 0);
}

static void check_settings(char *path, char *backend)
{
    char file[] = "/tmp/pirn-echo-XXXXXX";
    char *argv[] = { path, (char *)"--backend", backend, (char *)"--port", (char *)"0",
                     (char *)"--settings", file, NULL };
    struct server_process server;
    int first, second;

    CHECK(close(mkstemp(file)) == 0);
    write_settings(file, "1");
    CHECK(server_start(&server, argv, 0) == 0);
    first = dial(&server);
    say_and_hear(first, "in");
    second = dial(&server);
    hear_refusal(second);
    write_settings(file, "2");
    rereads(&server, "at most 2 clients\n");
    second = dial(&server);
    say_and_hear(second, "in after all");
    write_settings(file, "nonsense");
    rereads(&server, "at most 2 clients: no settings\n");
    say_and_hear(second, "still in");
    CHECK(server_end(&server, SIGTERM) == 0);
    close(first), close(second), unlink(file);
}

/* Twenty clients, and descriptors for about half of them. The others wait in the kernel's queue,
 * and are served when the first ones leave. Until then the server must sleep, not poll. */
static void check_descriptors(char *path, char *backend)
{
    enum { CLIENTS = 20, FD_LIMIT = 16 };
    char *argv[] = { path, (char *)"--backend", backend, (char *)"--port", (char *)"0", NULL };
    struct server_process server;
    int fds[CLIENTS];

    CHECK(server_start(&server, argv, FD_LIMIT) == 0);
    for (int i = 0; i < CLIENTS; ++i)
        fds[i] = dial(&server);
    say_and_hear(fds[0], "first");
    sleep_ms(350);
    say_and_hear(fds[1], "second");
    for (int i = 0; i < CLIENTS; ++i) {
        say_and_hear(fds[i], "my turn");
        close(fds[i]);
    }
    sleep_ms(50);
    CHECK(server_end(&server, SIGTERM) == 0);
    CHECK(server_value(&server, "clients") == CLIENTS && server_value(&server, "refused") == 0);
    CHECK(server_value(&server, "pauses") >= 3 && server_value(&server, "pauses") < 100);
    CHECK(server_value(&server, "turns") < 300);
}

static void check_nolibc(char *path)
{
    struct server_process server;
    struct sockaddr_in name;
    socklen_t length = sizeof name;
    char port[8];
    char *argv[] = { path, port, (char *)"--clients", (char *)"43", NULL };
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    /* It cannot tell its port, so we look for a free one. */
    memset(&name, 0, sizeof name);
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(fd >= 0 && bind(fd, (const struct sockaddr *)&name, sizeof name) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&name, &length) == 0);
    close(fd);
    snprintf(port, sizeof port, "%u", (unsigned)ntohs(name.sin_port));

    CHECK(server_start(&server, argv, 0) == 0);
    slow_reader(&server);
    half_closes(&server);
    reset(&server);
    CHECK(server_end(&server, 0) == 0);             /* by itself, when the 43rd client has left */
}

int main(int argc, char **argv)
{
    static char select_name[] = "select", poll_name[] = "poll", epoll_name[] = "epoll";
    char *backends[] = { select_name, poll_name, epoll_name };

    if (argc != 3) {
        fprintf(stderr, "usage: check_echo path/to/echo_server path/to/nolibc_echo\n"
                        "       - in the place of one leaves it out\n");
        return 2;
    }
    for (int i = 0; i < 3 && strcmp(argv[1], "-") != 0; ++i) {
        check_endurance(argv[1], backends[i]);
        check_full(argv[1], backends[i]);
        check_descriptors(argv[1], backends[i]);
        check_end(argv[1], backends[i], 1);
        check_end(argv[1], backends[i], 0);
        check_settings(argv[1], backends[i]);
        printf("echo_server on %s: a slow reader, resets, too many clients, too few descriptors,"
               " the end, settings: ok\n", backends[i]);
    }
    if (strcmp(argv[2], "-") != 0) {
        check_nolibc(argv[2]);
        printf("nolibc_echo: a slow reader, resets: ok\n");
    }
    return 0;
}
