/*
 * What the echo servers of the gallery share: a listening socket, the two ways to echo (one call
 * after the other, or a step whenever the socket is ready), figures that a server keeps about
 * itself, and a main function. What is left in each program is its model, and nothing else.
 *
 *     server_one 7000               serves 127.0.0.1:7000, until Ctrl-C
 *     server_one --self-test        serves itself, and checks what it claims
 */
#ifndef GALLERY_SERVER_H
#define GALLERY_SERVER_H

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../check.h"
#include "../load.h"

/* ---- figures, in memory that all processes of the server share with its self-test ---- */

struct server_counts {
    unsigned clients;               /* came */
    unsigned live, peak;            /* are connected and served; the most at once */
    unsigned workers;               /* threads, processes or fibers that were started */
    unsigned in_vain;               /* calls that found nothing to do */
    unsigned waits_to_write;        /* times that a client's socket was full */
    int largest_fd;
    pid_t worker_pid;               /* of a process that works */
};

static struct server_counts *counts;

static inline unsigned count(unsigned *figure, int by)
{
    return __atomic_add_fetch(figure, (unsigned)by, __ATOMIC_SEQ_CST);
}

static inline void client_came(void)
{
    unsigned live = count(&counts->live, 1), peak = counts->peak;

    count(&counts->clients, 1);
    while (live > peak && !__atomic_compare_exchange_n(&counts->peak, &peak, live, 0,
                                                       __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        continue;
}

static inline void client_left(void)
{
    count(&counts->live, -1);
}

/* ---- sockets ---- */

/* Listen at 127.0.0.1. `port`: 0 for any; the one that is used is written. */
static inline int listen_at(uint16_t *port)
{
    struct sockaddr_in name;
    socklen_t length = sizeof name;
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memset(&name, 0, sizeof name);
    name.sin_family = AF_INET;
    name.sin_port = htons(*port);
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0
        || bind(fd, (const struct sockaddr *)&name, sizeof name) < 0 || listen(fd, 1024) < 0
        || getsockname(fd, (struct sockaddr *)&name, &length) < 0) {
        perror("cannot listen");
        exit(1);
    }
    *port = ntohs(name.sin_port);
    return fd;
}

/* Without this the last part of an answer waits until the client has acknowledged the others. */
static inline void send_at_once(int fd)
{
    int one = 1;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

/* Accept a client. Return -1 if there is none: its connection broke while it was queued, the
 * listener does not block, or there are no descriptors left. `flags`: as accept4 takes them. */
static inline int accept_client(int listener, int flags)
{
    int fd = accept4(listener, NULL, NULL, flags | SOCK_CLOEXEC);

    if (fd >= 0)
        send_at_once(fd);
    else if (errno == EMFILE || errno == ENFILE)
        usleep(10000);              /* the client stays in the queue: do not spin */
    return fd;
}

/* ---- an echo in sequence, for servers that wait in each call ---- */

static inline int send_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return -1;
        bytes += sent;
        size -= (size_t)sent;
    }
    return 0;
}

static inline void echo_until_end(int fd)
{
    char bytes[4096];
    ssize_t got;

    client_came();
    while ((got = recv(fd, bytes, sizeof bytes, 0)) > 0)
        if (send_all(fd, bytes, (size_t)got) < 0)
            break;
    client_left();
    close(fd);
}

/* ---- an echo in steps, for servers that must never wait in a call ---- */

#define SESSIONS 1024

struct session {
    int fd;                         /* -1: nobody */
    uint32_t length, sent;          /* bytes received, and how many of them went back */
    char bytes[4096];
};

static struct session sessions[SESSIONS];
static int session_end;             /* one past the last slot that was ever used */

/* Return NULL, and close the fd, if there is no room. */
static inline struct session *session_open(int fd)
{
    int at = 0;

    while (at < session_end && sessions[at].fd >= 0)
        at++;
    if (at == SESSIONS) {
        close(fd);
        return NULL;
    }
    session_end = at == session_end ? at + 1 : session_end;
    sessions[at].fd = fd;
    sessions[at].length = sessions[at].sent = 0;
    counts->largest_fd = fd > counts->largest_fd ? fd : counts->largest_fd;
    client_came();
    return &sessions[at];
}

static inline void session_close(struct session *session)
{
    client_left();
    close(session->fd);
    session->fd = -1;
}

enum session_state {
    SESSION_MORE,                   /* it went on, and there may be more to do */
    SESSION_READ,                   /* nothing to read yet */
    SESSION_WRITE,                  /* the client's socket is full */
    SESSION_OVER
};

static inline enum session_state session_refused(enum session_state state)
{
    if (errno != EAGAIN && errno != EINTR)
        return SESSION_OVER;
    count(&counts->in_vain, 1);
    return state;
}

/* Receive once if all bytes went back, and send once. A client that does not read its echo is
 * therefore not read from. */
static inline enum session_state session_step(struct session *session)
{
    ssize_t done;

    if (session->sent == session->length) {
        done = recv(session->fd, session->bytes, sizeof session->bytes, MSG_DONTWAIT);
        if (done == 0)
            return SESSION_OVER;
        if (done < 0)
            return session_refused(SESSION_READ);
        session->length = (uint32_t)done;
        session->sent = 0;
    }
    done = send(session->fd, session->bytes + session->sent, session->length - session->sent,
                MSG_NOSIGNAL | MSG_DONTWAIT);
    if (done < 0)
        return session_refused(SESSION_WRITE);
    session->sent += (uint32_t)done;
    if (session->sent == session->length)
        return SESSION_MORE;
    count(&counts->waits_to_write, 1);
    return SESSION_WRITE;
}

/* ---- the self-test's side ---- */

static pid_t server_pid;

/* Run a server in a child process. Return its port. */
static inline uint16_t begin_server(void (*serve)(int listener))
{
    uint16_t port = 0;
    int listener = listen_at(&port);

    memset(counts, 0, sizeof *counts);
    fflush(stdout);
    server_pid = fork();
    CHECK(server_pid >= 0);
    if (server_pid == 0) {
        setpgid(0, 0);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        serve(listener);
        _exit(0);
    }
    setpgid(server_pid, server_pid);
    close(listener);
    return port;
}

/* End the server and all its processes. It must not have ended by itself. */
static inline void end_server(void)
{
    int status;

    CHECK(waitpid(server_pid, &status, WNOHANG) == 0);
    CHECK(kill(-server_pid, SIGKILL) == 0 && waitpid(server_pid, &status, 0) == server_pid);
}

/* Serve this many clients at once, with messages of 1 byte to 64 KiB. Each byte is compared. */
static inline void load_server(uint16_t port, unsigned clients, unsigned messages)
{
    struct load load;

    memset(&load, 0, sizeof load);
    load.port = port;
    load.clients = clients;
    load.messages = messages;
    load.half_closers = 3;
    load.slow_readers = 5;
    load_connect(&load);
    load_run(&load);
    CHECK(load.answers == (uint64_t)clients * messages);
    load_free(&load);
}

/* True if an answer is there within so many milliseconds. It is not read. */
static inline int is_answered(int fd, int limit_ms)
{
    struct pollfd wait = { fd, POLLIN, 0 };

    return poll(&wait, 1, limit_ms) == 1;
}

static inline void say(int fd, char byte)
{
    CHECK(send(fd, &byte, 1, MSG_NOSIGNAL) == 1);
}

static inline char hear(int fd)
{
    char byte = 0;

    CHECK(recv(fd, &byte, 1, 0) == 1);
    return byte;
}

/*
 * Kills a worker, and waits until another one has taken its place: a worker that dies can take a
 * client with it that it has just been given.
 */
static inline void kill_a_worker(unsigned workers)
{
    CHECK(kill(counts->worker_pid, SIGKILL) == 0);
    for (int waited = 0; waited < 10000; waited++) {
        if (__atomic_load_n(&counts->workers, __ATOMIC_RELAXED) == workers + 1)
            return;
        usleep(1000);
    }
    CHECK(!"the worker was not replaced");
}

/* Claim that a client is served while another one is connected and silent. */
static inline void check_that_nobody_waits_for_another(uint16_t port)
{
    int silent = load_dial(port, 0), other = load_dial(port, 0);

    say(silent, 's');
    CHECK(hear(silent) == 's');
    say(other, 'o');
    CHECK(hear(other) == 'o');
    close(silent);
    close(other);
}

/* Claim that a client that sends and does not read fills its socket, is then not read from, keeps
 * nobody from being served, and gets every byte when it does read. */
static inline void check_that_a_full_client_keeps_nobody_waiting(uint16_t port)
{
    static unsigned char bytes[251 * 256];          /* the same at each multiple of 251 */
    struct pollfd wait = { load_dial(port, 1), POLLOUT, 0 };
    size_t sent = 0, got = 0;
    ssize_t done;

    for (size_t at = 0; at < sizeof bytes; at++)
        bytes[at] = (unsigned char)(at % 251);
    for (int idle = 0; idle < 50 && (idle == 0 || counts->waits_to_write == 0);) {
        if (poll(&wait, 1, 200) != 1) {
            idle++;
            continue;
        }
        done = send(wait.fd, bytes + sent % 251, sizeof bytes - 251, MSG_NOSIGNAL | MSG_DONTWAIT);
        CHECK(done > 0);
        sent += (size_t)done;
    }
    CHECK(counts->waits_to_write > 0);
    check_that_nobody_waits_for_another(port);
    CHECK(shutdown(wait.fd, SHUT_WR) == 0);
    do {
        unsigned char back[sizeof bytes - 251];

        done = recv(wait.fd, back, sizeof back, 0);
        CHECK(done >= 0 && memcmp(back, bytes + got % 251, (size_t)done) == 0);
        got += (size_t)done;
    } while (done > 0);
    CHECK(got == sent);
    close(wait.fd);
}

/* `serve` never returns. `prove` begins and ends servers. */
static inline int server_main(int argc, char **argv, void (*serve)(int listener),
                              void (*prove)(void))
{
    uint16_t port = (uint16_t)(argc > 1 ? atoi(argv[1]) : 7000);
    int listener;

    counts = mmap(NULL, sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(counts != MAP_FAILED);
    if (argc > 1 && strcmp(argv[1], "--self-test") == 0) {
        prove();
        return 0;
    }
    listener = listen_at(&port);
    printf("listening on 127.0.0.1:%u\n", (unsigned)port);
    fflush(stdout);
    serve(listener);
    return 1;
}

#endif
