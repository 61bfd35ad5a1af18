/*
 * For reuseport.c and handover.c: the other end of their connections, for --self-test and --bench. On plain poll(2) and epoll(7),
 * not on pirn: a fault of pirn's cannot hide in both ends. What is not as it must be ends the program with status 1.
 */
#ifndef ECHO_LOAD_H
#define ECHO_LOAD_H

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

#define LOAD_CLIENTS 64
#define LOAD_LENGTH 524288u                         /* bytes each client sends to have them verified: more than sockets hold */
#define LOAD_MESSAGE 64u                            /* bytes of an echo that is measured */
#define LOAD_THREADS 2
#define LOAD_NS UINT64_C(1000000000)                /* how long is measured */
#define LOAD_STALL_S 10

static uint64_t load_now_ns(void)
{
    struct timespec now;

    CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* A blocking socket, but not for ever. Every fourth client takes little at once: the server's writes come up short. */
static int load_connect(uint16_t port, unsigned number)
{
    static const struct timeval stall = { LOAD_STALL_S, 0 };
    struct sockaddr_in address;
    int one = 1, small = 8192, segment = 1024, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK(fd >= 0 && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0
          && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &stall, sizeof stall) == 0);
    if (number % 4 == 0)
        CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small) == 0
              && setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment) == 0);
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(connect(fd, (const struct sockaddr *)&address, sizeof address) == 0);
    return fd;
}

/*
 * Each client sends LOAD_LENGTH bytes of its own, shuts its sending side down, and expects all of them and then the end. It
 * receives only when it cannot send: an echo server that reads on regardless would have to store everything.
 */
static void load_verify(const int fds[LOAD_CLIENTS])
{
    static unsigned char noise[LOAD_LENGTH + LOAD_CLIENTS * 1009], buffer[65536];
    static struct { size_t sent, received; } at[LOAD_CLIENTS];
    static struct pollfd polls[LOAD_CLIENTS];
    uint64_t random = 1;

    for (size_t i = 0; i < sizeof noise; ++i) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
        noise[i] = (unsigned char)(random >> 56);
    }
    memset(at, 0, sizeof at);
    for (unsigned i = 0; i < LOAD_CLIENTS; ++i) {
        polls[i].fd = fds[i];
        polls[i].events = POLLIN | POLLOUT;
    }
    for (unsigned open = LOAD_CLIENTS; open > 0;) {
        CHECK(poll(polls, LOAD_CLIENTS, LOAD_STALL_S * 1000) > 0);
        for (unsigned i = 0; i < LOAD_CLIENTS; ++i) {
            const unsigned char *content = noise + 1009 * i;
            ssize_t n;

            if ((polls[i].revents & POLLOUT) != 0) {
                n = send(polls[i].fd, content + at[i].sent, LOAD_LENGTH - at[i].sent, MSG_DONTWAIT | MSG_NOSIGNAL);
                CHECK(n >= 0 || errno == EAGAIN);
                at[i].sent += n > 0 ? (size_t)n : 0;
                if (at[i].sent == LOAD_LENGTH) {
                    CHECK(shutdown(polls[i].fd, SHUT_WR) == 0);
                    polls[i].events = POLLIN;
                }
            } else if (polls[i].revents != 0) {
                n = recv(polls[i].fd, buffer, sizeof buffer, MSG_DONTWAIT);
                CHECK(n >= 0 || errno == EAGAIN);
                if (n > 0) {
                    CHECK((size_t)n <= at[i].sent - at[i].received);
                    CHECK(memcmp(buffer, content + at[i].received, (size_t)n) == 0);
                    at[i].received += (size_t)n;
                } else if (n == 0) {
                    CHECK(at[i].received == LOAD_LENGTH);
                    CHECK(close(polls[i].fd) == 0);
                    polls[i].fd = -1;               /* poll passes over it, and says 0 */
                    open--;
                }
            }
        }
    }
}

struct load_thread {
    pthread_t thread;
    int epoll_fd;
    uint64_t echoes;
};

/* LOAD_CLIENTS / LOAD_THREADS clients, each with one message under way, until the time is over and the last one is back. */
static void *load_measure_thread(void *user)
{
    static const char message[LOAD_MESSAGE];
    struct load_thread *self = user;
    uint64_t now, deadline = load_now_ns() + LOAD_NS;
    unsigned open = LOAD_CLIENTS / LOAD_THREADS;

    while (open > 0) {
        struct epoll_event events[LOAD_CLIENTS];
        int count = epoll_wait(self->epoll_fd, events, LOAD_CLIENTS, LOAD_STALL_S * 1000);

        CHECK(count > 0 || (count < 0 && errno == EINTR));
        now = load_now_ns();
        for (int i = 0; i < count; ++i) {
            char buffer[LOAD_MESSAGE];
            int fd = events[i].data.fd;

            /* So short a message travels in one segment; should it not, this waits for the rest. */
            CHECK(recv(fd, buffer, sizeof buffer, MSG_WAITALL) == (ssize_t)sizeof buffer);
            self->echoes++;
            if (now < deadline) {
                CHECK(send(fd, message, sizeof message, MSG_NOSIGNAL) == (ssize_t)sizeof message);
            } else {
                CHECK(close(fd) == 0);
                open--;
            }
        }
    }
    return NULL;
}

/* Echoes per second. */
static double load_measure(uint16_t port)
{
    static const char message[LOAD_MESSAGE];
    struct load_thread threads[LOAD_THREADS];
    uint64_t began, echoes = 0;

    for (unsigned i = 0; i < LOAD_THREADS; ++i) {
        threads[i].echoes = 0;
        threads[i].epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        CHECK(threads[i].epoll_fd >= 0);
        for (unsigned j = 0; j < LOAD_CLIENTS / LOAD_THREADS; ++j) {
            struct epoll_event event;
            int fd = load_connect(port, 1);

            memset(&event, 0, sizeof event);
            event.events = EPOLLIN;
            event.data.fd = fd;
            CHECK(epoll_ctl(threads[i].epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0);
            CHECK(send(fd, message, sizeof message, MSG_NOSIGNAL) == (ssize_t)sizeof message);
        }
    }
    began = load_now_ns();
    for (unsigned i = 0; i < LOAD_THREADS; ++i)
        CHECK(pthread_create(&threads[i].thread, NULL, load_measure_thread, &threads[i]) == 0);
    for (unsigned i = 0; i < LOAD_THREADS; ++i) {
        CHECK(pthread_join(threads[i].thread, NULL) == 0);
        CHECK(close(threads[i].epoll_fd) == 0);
        echoes += threads[i].echoes;
    }
    return (double)echoes * 1e9 / (double)(load_now_ns() - began);
}

#endif
