/*
 * What is ready, and how: the bits are the same on every backend. T1, T2, T3, T4, T5, T6, T7, T8,
 * T9, T10, T11, T12, T13, T14, T15, T16, T17, T18, T20and the table of section 2.
 */
#include "test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

DECLARE_BLOCK(block);
static uint32_t the_backend;
static struct pirn_loop *loop;

enum { R = PIRN_READ, W = PIRN_WRITE, U = PIRN_URGENT, E = PIRN_ERROR, H = PIRN_HANGUP, P = PIRN_PEER_CLOSED };

/*
 * One watcher with one interest hears exactly `want` in a turn; if that is nothing, the turn waits.
 */
static void hears(const char *what, int fd, uint32_t interest, uint32_t want, int line)
{
    struct seen seen = { 0 };
    struct pirn_io io;
    const char *before = context;
    char name[200];
    snprintf(name, sizeof name, "%s: %s (line %d), interest %x", before, what, line, interest);
    context = name;
    OK(pirn_io_add(loop, fd, interest, see_io, &seen, &io));
    for (int turn = 1; turn <= 2; turn++) {
        GIVES(pirn_turn(loop, want ? SECOND : MILLISECOND), want != 0);
        EQUAL(seen.ready, want);
        EQUAL(seen.calls, want ? turn : 0);
    }
    /* 20: paused, it costs nothing, hang-up or not. */
    OK(pirn_io_modify(loop, io, 0));
    struct pirn_stats stats = stats_of(loop);
    GIVES(pirn_turn(loop, MILLISECOND), 0);
    GIVES(pirn_turn(loop, 0), 0);
    EQUAL(stats_of(loop).events, stats.events);
    /* And resumed, it hears the same. */
    OK(pirn_io_modify(loop, io, interest & (R | W | U)));
    GIVES(pirn_turn(loop, want ? SECOND : MILLISECOND), want != 0);
    EQUAL(seen.ready, want);
    OK(pirn_io_remove(loop, io));
    GIVES(pirn_turn(loop, 0), 0);
    context = before;
}

/*
 * A reader, a writer, both in one, and two watchers of the one fd. `both` is what READ | WRITE |
 * URGENT hears.
 */
static void row(const char *what, int fd, uint32_t reader, uint32_t writer, uint32_t both, int line)
{
    struct seen reading = { 0 }, writing = { 0 };
    hears(what, fd, R, reader, line);
    hears(what, fd, W, writer, line);
    hears(what, fd, R | W | U, both, line);
    const char *before = context;
    char name[200];
    snprintf(name, sizeof name, "%s: %s (line %d), two watchers", before, what, line);
    context = name;
    OK(pirn_io_add(loop, fd, R, see_io, &reading, NULL));
    OK(pirn_io_add(loop, fd, W, see_io, &writing, NULL));
    GIVES(pirn_turn(loop, MILLISECOND), (reader != 0) + (writer != 0));
    EQUAL(reading.ready, reader);
    EQUAL(writing.ready, writer);
    GIVES(pirn_fd_closing(loop, fd), 2);
    context = before;
}

#define ROW(what, fd, reader, writer, both) row(what, fd, reader, writer, both, __LINE__)

static void set_nonblocking(int fd)
{
    MUST(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0);
}

static void fill(int fd)
{
    static char junk[65536];
    while (write(fd, junk, sizeof junk) > 0)
        ;
    while (write(fd, junk, 1) > 0)
        ;
}

/* T1, T2, T3, T4, T5. */
static void pipes(void)
{
    int fds[2];
    MUST(pipe2(fds, O_NONBLOCK) == 0);
    ROW("pipe, empty, read end", fds[0], 0, 0, 0);
    ROW("pipe, empty, write end", fds[1], 0, W, W);
    MUST(write(fds[1], "x", 1) == 1);
    ROW("pipe, a byte", fds[0], R, 0, R);
    fill(fds[1]);
    ROW("pipe, full", fds[1], 0, 0, 0);
    close(fds[0]);
    hears("pipe, full, reader gone", fds[1], W, W | E, __LINE__);
    close(fds[1]);

    MUST(pipe2(fds, O_NONBLOCK) == 0);
    MUST(write(fds[1], "x", 1) == 1);
    close(fds[1]);
    hears("pipe, a byte, writer gone", fds[0], R, R | H, __LINE__);
    char byte;
    MUST(read(fds[0], &byte, 1) == 1);
    hears("pipe, drained, writer gone", fds[0], R, R | H, __LINE__);
    hears("pipe, drained, writer gone", fds[0], R | U, R | H, __LINE__);
    close(fds[0]);

    MUST(pipe2(fds, O_NONBLOCK) == 0);
    close(fds[0]);
    hears("pipe, reader gone", fds[1], W, W | E, __LINE__);
    close(fds[1]);
}

/* T6, T7. */
static void unix_sockets(void)
{
    int fds[2];
    MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
    ROW("unix, idle", fds[0], 0, W, W);
    shutdown(fds[1], SHUT_WR);
    ROW("unix, peer shut down writing", fds[0], R | P, W, R | W | P);
    close(fds[1]);
    ROW("unix, peer closed", fds[0], R | P | H, W | H, R | W | P | H);
    close(fds[0]);

    MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
    MUST(write(fds[0], "unread", 6) == 6);
    close(fds[1]);
    ROW("unix, peer closed with unread data", fds[0], R | P | H | E, W | H | E, R | W | P | H | E);
    close(fds[0]);

    MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
    shutdown(fds[0], SHUT_RDWR);
    ROW("unix, shut down both ways", fds[0], R | P | H, W | H, R | W | P | H);
    close_all(fds, 2);

    MUST(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fds) == 0);
    close(fds[1]);
    hears("unix datagram, peer closed", fds[0], R, 0, __LINE__);
    close(fds[0]);
}

static struct sockaddr_in local(int port)
{
    struct sockaddr_in address;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)port);
    return address;
}

static int port_of(int fd)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    MUST(getsockname(fd, (struct sockaddr *)&address, &length) == 0);
    return ntohs(address.sin_port);
}

static int listener(void)
{
    struct sockaddr_in address = local(0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    MUST(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 8) == 0);
    return fd;
}

static void tcp_pair(int *fds)
{
    int listening = listener();
    struct sockaddr_in address = local(port_of(listening));
    fds[0] = socket(AF_INET, SOCK_STREAM, 0);
    MUST(connect(fds[0], (struct sockaddr *)&address, sizeof address) == 0);
    fds[1] = accept(listening, NULL, NULL);
    MUST(fds[1] >= 0);
    set_nonblocking(fds[0]);
    set_nonblocking(fds[1]);
    close(listening);
}

static void wait_for(int fd, short events)
{
    struct pollfd poll_fd = { .fd = fd, .events = events };
    MUST(poll(&poll_fd, 1, 2000) == 1);
}

/* T8, T9, T10, T11, T12. */
static void tcp_sockets(void)
{
    int fds[2], listening = listener();
    struct sockaddr_in address;
    ROW("listener, idle", listening, 0, 0, 0);
    fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    hears("tcp, never connected", fds[0], R, R | H, __LINE__);
    hears("tcp, never connected", fds[0], W, W | H, __LINE__);
    address = local(port_of(listening));
    MUST(connect(fds[0], (struct sockaddr *)&address, sizeof address) == 0 || errno == EINPROGRESS);
    wait_for(listening, POLLIN);
    ROW("listener, a connection", listening, R, 0, R);
    close(fds[0]);
    close(listening);

    tcp_pair(fds);
    ROW("tcp, idle", fds[0], 0, W, W);
    MUST(send(fds[1], "!", 1, MSG_OOB) == 1);
    wait_for(fds[0], POLLPRI);
    hears("tcp, urgent byte", fds[0], R, 0, __LINE__);
    hears("tcp, urgent byte", fds[0], U, U, __LINE__);
    hears("tcp, urgent byte", fds[0], R | W | U, U | W, __LINE__);
    shutdown(fds[1], SHUT_WR);
    wait_for(fds[0], POLLRDHUP);
    hears("tcp, peer finished", fds[0], R, R | P, __LINE__);
    shutdown(fds[0], SHUT_WR);
    wait_for(fds[0], 0);
    hears("tcp, both finished", fds[0], R, R | P | H, __LINE__);
    hears("tcp, both finished", fds[0], W, W | H, __LINE__);
    close_all(fds, 2);

    tcp_pair(fds);
    struct linger linger = { 1, 0 };
    MUST(setsockopt(fds[1], SOL_SOCKET, SO_LINGER, &linger, sizeof linger) == 0);
    close(fds[1]);
    wait_for(fds[0], 0);
    ROW("tcp, reset", fds[0], R | P | H | E, W | H | E, R | W | P | H | E);
    close(fds[0]);

    /* 9: refused. When the error was fetched the hang-up stays. */
    listening = listener();
    address = local(port_of(listening));
    close(listening);
    fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    int result = connect(fds[0], (struct sockaddr *)&address, sizeof address);
    if (result < 0 && errno == EINPROGRESS) {
        wait_for(fds[0], POLLOUT);
        ROW("tcp, refused", fds[0], R | P | H | E, W | H | E, R | W | P | H | E);
        int error = 0;
        socklen_t length = sizeof error;
        MUST(getsockopt(fds[0], SOL_SOCKET, SO_ERROR, &error, &length) == 0);
        EQUAL(error, ECONNREFUSED);
        ROW("tcp, refused, error fetched", fds[0], R | P | H, W | H, R | W | P | H);
    }
    close(fds[0]);

    /* 11: an ICMP error for a datagram. */
    address = local(9);
    fds[0] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    fds[1] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in any = local(0);
    MUST(bind(fds[1], (struct sockaddr *)&any, sizeof any) == 0);
    address = local(port_of(fds[1]));
    close(fds[1]);
    MUST(connect(fds[0], (struct sockaddr *)&address, sizeof address) == 0 && send(fds[0], "x", 1, 0) == 1);
    wait_for(fds[0], POLLIN);
    hears("udp, port unreachable", fds[0], R, R | E, __LINE__);
    hears("udp, port unreachable", fds[0], W, W | E, __LINE__);
    close(fds[0]);
}

/* T13, T15, T16, T17. */
static void others(void)
{
    int fds[2];
    char name[64];
    fds[0] = eventfd(0, EFD_NONBLOCK);
    ROW("eventfd, 0", fds[0], 0, W, W);
    uint64_t value = UINT64_MAX - 1;
    MUST(write(fds[0], &value, sizeof value) == sizeof value);
    ROW("eventfd, full", fds[0], R, 0, R);
    close(fds[0]);

    fds[0] = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    hears("timerfd, disarmed", fds[0], R, 0, __LINE__);
    struct itimerspec soon = { .it_value = { 0, 1 } };
    MUST(timerfd_settime(fds[0], 0, &soon, NULL) == 0);
    wait_for(fds[0], POLLIN);
    hears("timerfd, expired", fds[0], R, R, __LINE__);
    close(fds[0]);

    snprintf(name, sizeof name, "/tmp/pirn-fifo-%d", (int)getpid());
    MUST(mkfifo(name, 0600) == 0);
    fds[0] = open(name, O_RDONLY | O_NONBLOCK);
    MUST(fds[0] >= 0);
    hears("fifo, never a writer", fds[0], R, 0, __LINE__);
    fds[1] = open(name, O_WRONLY | O_NONBLOCK);
    MUST(fds[1] >= 0);
    hears("fifo, a writer", fds[0], R, 0, __LINE__);
    close(fds[1]);
    hears("fifo, writer gone", fds[0], R, R | H, __LINE__);
    close(fds[0]);
    unlink(name);

    fds[0] = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
    if (fds[0] >= 0 && grantpt(fds[0]) == 0 && unlockpt(fds[0]) == 0) {
        fds[1] = open(ptsname(fds[0]), O_RDWR | O_NOCTTY | O_NONBLOCK);
        MUST(fds[1] >= 0);
        ROW("pty master, slave open", fds[0], 0, W, W);
        close(fds[1]);
        ROW("pty master, slave closed", fds[0], R | H, W | H, R | W | H);
        fds[1] = open(ptsname(fds[0]), O_RDWR | O_NOCTTY | O_NONBLOCK);
        MUST(fds[1] >= 0);
        close(fds[0]);
        ROW("pty slave, master closed", fds[1], R | H | E, W | H | E, R | W | H | E);
        close(fds[1]);
    }

    pid_t child = fork();
    MUST(child >= 0);
    if (child == 0) {
        for (;;)
            pause();
    }
    int pidfd = (int)syscall(SYS_pidfd_open, child, 0);
    if (pidfd >= 0) {
        hears("pidfd, running", pidfd, R, 0, __LINE__);
        kill(child, SIGKILL);
        wait_for(pidfd, POLLIN);
        hears("pidfd, ended", pidfd, R, R, __LINE__);
        close(pidfd);
    } else {
        kill(child, SIGKILL);
    }
    MUST(waitpid(child, NULL, 0) == child);
}

static void test(uint32_t backend)
{
    the_backend = backend;
    signal(SIGPIPE, SIG_IGN);
    OPEN(loop, block, backend);
    pipes();
    unix_sockets();
    tcp_sockets();
    others();
    EQUAL(stats_of(loop).io_used, 0);
    EQUAL(stats_of(loop).stale_events, 0);
    CLOSE(loop);
}

int main(int argc, char **argv)
{
    return run_on_backends(argc, argv, test);
}
