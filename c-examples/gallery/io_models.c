/*
 * io_models: one echo, written in the five models of input and output.
 *
 * Shows: receiving has two steps: waiting for data, and copying them. The models differ in what the
 * thread does during that time. In the first four the thread copies the data itself, in recv: they
 * are synchronous. In the last one the kernel copies, and the thread is notified at the end:
 * asynchronous.
 *
 * Watch for: the column "in vain". Blocking has no such calls, but the thread can do nothing else.
 * Polling has hundreds. A signal reports that data has arrived, but not how much, so each signal
 * costs one call in vain.
 *
 *     ./build/gallery/io_models                    prints the table, and checks it
 *
 * Next: server_one.c is the first of the servers, and blocks. server_polling.c, server_epoll.c and
 * server_auto.c are the second and the third model with many clients.
 */
#include <errno.h>
#include <fcntl.h>
#include <pirn.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "../check.h"
#include "uring.h"

#define MESSAGES 20
#define SIZE 32u

static unsigned calls, in_vain, bytes_echoed;
static char bytes[SIZE];
static PIRN_STORAGE(block, 4, 4, 4);
static struct pirn_loop *loop;

static ssize_t receive(int fd)
{
    ssize_t got = recv(fd, bytes, SIZE, 0);

    calls++;
    in_vain += got < 0;
    CHECK(got >= 0 || errno == EAGAIN);
    return got;
}

static void echo(int fd, ssize_t size)
{
    calls++;
    CHECK(send(fd, bytes, (size_t)size, MSG_NOSIGNAL) == size);     /* 32 bytes always fit */
    bytes_echoed += (unsigned)size;
}

static void blocking(int fd)
{
    ssize_t got;

    while ((got = receive(fd)) > 0)
        echo(fd, got);
}

static void polling(int fd)
{
    ssize_t got;

    CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    while ((got = receive(fd)) != 0)
        if (got > 0)
            echo(fd, got);
}

static void init_loop(void)
{
    struct pirn_config config = { sizeof config, 0, 0, 0, 0, PIRN_NO_FORK_CHECK, 0, 0, NULL };

    CHECK(pirn_init(&loop, block, sizeof block, &config) == 0);
}

static void run_loop(void)
{
    struct pirn_stats stats = { .size = sizeof stats };

    CHECK(pirn_run(loop) == PIRN_DONE && pirn_stats(loop, &stats) == 0);
    calls += (unsigned)(stats.waits + stats.wake_writes);
    CHECK(pirn_deinit(loop) == 0);
}

static void on_readable(struct pirn_loop *its_loop, struct pirn_io io, int fd, uint32_t ready,
                        void *user)
{
    ssize_t got = receive(fd);

    (void)ready, (void)user;
    if (got > 0)
        echo(fd, got);
    else
        CHECK(pirn_io_remove(its_loop, io) == 0);   /* the end: pirn_run returns */
}

static void multiplexed(int fd)
{
    init_loop();
    CHECK(pirn_io_add(loop, fd, PIRN_READ, on_readable, NULL, NULL) == 0);
    run_loop();
}

static void on_sigio(int signo)
{
    (void)signo;
    pirn_raise(loop, 0);                            /* all that a signal handler should do */
}

static void on_raised(struct pirn_loop *its_loop, struct pirn_io io, int bit, uint32_t ready,
                      void *user)
{
    int fd = *(int *)user;
    ssize_t got;

    (void)bit, (void)ready;
    while ((got = receive(fd)) > 0)                 /* two signals may have become one */
        echo(fd, got);
    if (got == 0)
        CHECK(pirn_io_remove(its_loop, io) == 0);
}

static void signal_driven(int fd)
{
    init_loop();
    CHECK(pirn_raise_add(loop, 0, 0, on_raised, &fd, NULL) == 0 && pirn_raise(loop, 0) == 0);
    CHECK(signal(SIGIO, on_sigio) != SIG_ERR && fcntl(fd, F_SETOWN, getpid()) == 0);
    CHECK(fcntl(fd, F_SETFL, O_NONBLOCK | O_ASYNC) == 0);
    run_loop();
    CHECK(signal(SIGIO, SIG_DFL) == on_sigio);
}

static struct uring ring;

static int complete(uint8_t operation, int fd, uint32_t size)
{
    int result;

    uring_want(&ring, operation, fd, bytes, size);
    calls++;
    CHECK(uring_enter(&ring, 1, 1) == 1);           /* it need not wait here: see uring_result */
    CHECK(uring_result(&ring, &result) && result >= 0);
    return result;
}

static void asynchronous(int fd)
{
    int got;

    while ((got = complete(IORING_OP_RECV, fd, SIZE)) > 0) {
        CHECK(complete(IORING_OP_SEND, fd, (uint32_t)got) == got);
        bytes_echoed += (unsigned)got;
    }
}

/* The other side: a process that says something every 3 ms, and compares what comes back. */
static pid_t start_peer(int fd, int other)
{
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid != 0)
        return pid;
    close(other);
    for (unsigned at = 0; at < MESSAGES; at++) {
        char sent[SIZE], back[SIZE];

        usleep(3000);
        memset(sent, (int)at, sizeof sent);
        if (send(fd, sent, SIZE, 0) != SIZE || recv(fd, back, SIZE, MSG_WAITALL) != SIZE
            || memcmp(sent, back, SIZE) != 0)
            _exit(1);
    }
    _exit(0);
}

static void run_model(const char *name, void (*model)(int fd), const char *waiting,
                      const char *copying)
{
    int pair[2], status;
    pid_t peer;

    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    peer = start_peer(pair[1], pair[0]);
    close(pair[1]);
    calls = in_vain = bytes_echoed = 0;
    model(pair[0]);
    close(pair[0]);
    CHECK(waitpid(peer, &status, 0) == peer && status == 0);
    CHECK(bytes_echoed == MESSAGES * SIZE);
    printf("%-14s %7u %8u   %-30s %s\n", name, calls, in_vain, waiting, copying);
}

int main(void)
{
    int refused = uring_init(&ring);

    printf("%u messages     calls  in vain   waits for data                 copies data\n",
           MESSAGES);
    run_model("blocking", blocking, "asleep in recv", "in recv");
    CHECK(calls == 2 * MESSAGES + 1 && in_vain == 0);
    run_model("polling", polling, "running: asks again and again", "in recv");
    CHECK(in_vain > MESSAGES);
    run_model("multiplexed", multiplexed, "asleep in one call for all fds", "in recv");
    CHECK(calls <= 4 * MESSAGES && in_vain == 0);
    run_model("signal-driven", signal_driven, "anywhere, until the signal", "in recv");
    CHECK(in_vain > 0 && in_vain <= 2 * MESSAGES + 2);
    if (refused < 0) {
        printf("asynchronous    skipped: io_uring is refused here: %s\n", strerror(-refused));
        return 0;
    }
    run_model("asynchronous", asynchronous, "anywhere, until the result", "the kernel does");
    CHECK(calls == 2 * MESSAGES + 1 && in_vain == 0);
    return 0;
}
