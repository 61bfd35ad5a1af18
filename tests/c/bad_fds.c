/*
 * Fds and bits that must be refused, and those that look odd and must not. T14, T36, T37, T39, T41,
 * T114.
 */
#include "test.h"

DECLARE_BLOCK(block);
static uint32_t the_backend;

static struct pirn_io marked = { 77, 88 };

#define REFUSES_FD(loop, fd, interest, error) \
    do { \
        struct pirn_stats before = stats_of(loop); \
        GIVES(pirn_io_add(loop, fd, interest, see_io, NULL, &marked), error); \
        CHECK(marked.slot == 77 && marked.generation == 88); \
        EQUAL(stats_of(loop).io_used, before.io_used); \
        OK(pirn_verify(loop)); \
    } while (0)

/* T36: numbers that are no fds, for every interest, the empty one too. */
static void what_is_not_open_is_refused(void)
{
    struct pirn_loop *loop;
    OPEN(loop, block, the_backend);
    int closed = dup(0);
    MUST(closed >= 0 && close(closed) == 0);
    const int bad[] = { -1, -2, -64, -65, -1000, -2147483647 - 1, closed, 2147483647, 1 << 20 };
    const uint32_t interests[] = { 0, PIRN_READ, PIRN_WRITE, PIRN_URGENT,
                                   PIRN_READ | PIRN_WRITE | PIRN_URGENT,
                                   PIRN_READ | PIRN_ONESHOT, PIRN_READ | PIRN_HIGH,
                                   PIRN_WRITE | PIRN_LOW | PIRN_UNREF };
    for (size_t at = 0; at < sizeof bad / sizeof *bad; at++)
        for (size_t of = 0; of < sizeof interests / sizeof *interests; of++) {
            /*
             * A host decides itself what a positive number means. The host of these tests asks the
             * kernel, when something is watched.
             */
            if (the_backend == PIRN_BACKEND_HOST && bad[at] >= 0 && (interests[of] & 7) == 0)
                continue;
            REFUSES_FD(loop, bad[at], interests[of], -EBADF);
        }
    for (size_t at = 0; at < sizeof bad / sizeof *bad; at++)
        GIVES(pirn_fd_closing(loop, bad[at]), bad[at] < 0 ? -EBADF : 0);
    GIVES(pirn_turn(loop, 0), 0);
    EQUAL(stats_of(loop).io_used, 0);
    CLOSE(loop);
}

/* T37: the loop does not watch itself. */
static void the_loops_own_fds_are_refused(void)
{
    struct pirn_loop *loop;
    int lowest = dup(0);
    MUST(lowest >= 0 && close(lowest) == 0);
    if (the_backend == PIRN_BACKEND_HOST)
        return;
    OPEN(loop, block, the_backend);
    int own = open_fd_count();
    int exposed = pirn_fd(loop);
    for (int fd = lowest; fd < lowest + 4; fd++)
        if (fcntl(fd, F_GETFD) >= 0) {
            REFUSES_FD(loop, fd, PIRN_READ, -EINVAL);
            REFUSES_FD(loop, fd, PIRN_WRITE, -EINVAL);
            REFUSES_FD(loop, fd, 0, -EINVAL);
            GIVES(pirn_fd_closing(loop, fd), 0);
        }
    EQUAL(open_fd_count(), own + (exposed >= 0 ? 2 : 0));
    CLOSE(loop);
}

/* T114: every bit by itself, for all that take bits. */
static void unknown_bits_are_refused(void)
{
    struct pirn_loop *loop;
    struct pirn_io io, raised;
    int pair[2];
    MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
    OPEN(loop, block, the_backend);
    uint32_t can = pirn_capabilities(loop);
    const uint32_t askable = PIRN_READ | PIRN_WRITE | PIRN_URGENT;
    const uint32_t options = PIRN_ONESHOT | PIRN_HIGH | PIRN_LOW | PIRN_UNREF;
    for (int at = 0; at < 32; at++) {
        uint32_t bit = UINT32_C(1) << at;
        int result = (bit & (askable | options)) ? 0
                     : bit == PIRN_EDGE          ? (can & PIRN_CAN_EDGE ? 0 : -EOPNOTSUPP)
                     : bit == PIRN_EXCLUSIVE     ? (can & PIRN_CAN_EXCLUSIVE ? 0 : -EOPNOTSUPP)
                                                 : -EINVAL;
        marked.slot = 77;
        marked.generation = 88;
        if (result != 0) {
            REFUSES_FD(loop, pair[0], bit, result);
            REFUSES_FD(loop, pair[0], bit | PIRN_READ, result);
        } else {
            OK(pirn_io_add(loop, pair[0], bit, see_io, NULL, &io));
            OK(pirn_io_remove(loop, io));
        }
        OK(pirn_io_add(loop, pair[0], 0, see_io, NULL, &io));
        GIVES(pirn_io_modify(loop, io, bit), (bit & askable) ? 0 : -EINVAL);
        GIVES(pirn_io_modify(loop, io, 0), 0);
        uint32_t feedable = askable | PIRN_ERROR | PIRN_HANGUP | PIRN_PEER_CLOSED;
        GIVES(pirn_io_feed(loop, io, bit), (bit & feedable) ? 0 : -EINVAL);
        GIVES(pirn_io_feed(loop, io, 0), -EINVAL);
        OK(pirn_io_remove(loop, io));
        /* Raised bits. */
        result = (bit & (PIRN_HIGH | PIRN_LOW | PIRN_UNREF)) ? 0 : -EINVAL;
        GIVES(pirn_raise_add(loop, 1, bit, see_io, NULL, &raised), result);
        if (result == 0)
            OK(pirn_io_remove(loop, raised));
        GIVES(pirn_raise_add(loop, 64 + (uint32_t)at, 0, see_io, NULL, &raised), -EINVAL);
        GIVES(pirn_raise(loop, 64 + (uint32_t)at), -EINVAL);
        /* Timers: the policies want a period. */
        struct pirn_timer timer;
        uint32_t timer_options = PIRN_TIMER_ABSOLUTE | PIRN_TIMER_CACHED | PIRN_UNREF;
        uint32_t policies = PIRN_TIMER_FIXED_DELAY | PIRN_TIMER_SKIP;
        result = (bit & timer_options) ? 0 : -EINVAL;
        GIVES(pirn_timer_start(loop, SECOND, 0, bit, see_timer, NULL, &timer), result);
        if (result == 0)
            OK(pirn_timer_stop(loop, timer));
        result = (bit & (timer_options | policies)) ? 0 : -EINVAL;
        GIVES(pirn_timer_start(loop, SECOND, SECOND, bit, see_timer, NULL, &timer), result);
        if (result == 0)
            OK(pirn_timer_stop(loop, timer));
    }
    REFUSES_FD(loop, pair[0], UINT32_MAX, -EINVAL);
    REFUSES_FD(loop, pair[0], PIRN_READ | PIRN_HIGH | PIRN_LOW, -EINVAL);
    REFUSES_FD(loop, pair[0], PIRN_READ | PIRN_ONESHOT | PIRN_EXCLUSIVE, -EINVAL);
    GIVES(pirn_raise_add(loop, 1, PIRN_HIGH | PIRN_LOW, see_io, NULL, NULL), -EINVAL);
    GIVES(pirn_raise_add(loop, UINT32_MAX, 0, see_io, NULL, NULL), -EINVAL);
    GIVES(pirn_raise(loop, UINT32_MAX), -EINVAL);
    GIVES(pirn_timer_start(loop, 1, 1, PIRN_TIMER_FIXED_DELAY | PIRN_TIMER_SKIP, see_timer, NULL,
                           NULL), -EINVAL);
    EQUAL(stats_of(loop).io_used, 0);
    EQUAL(stats_of(loop).timer_used, 0);
    CLOSE(loop);
    close_all(pair, 2);
}

/*
 * The handler of a raised bit is an I/O watcher for three functions, and for the others it is not.
 */
static void a_raised_bit_is_no_fd(void)
{
    struct pirn_loop *loop;
    struct pirn_io io;
    struct seen seen = { 0 };
    OPEN(loop, block, the_backend);
    for (uint32_t bit = 0; bit < 64; bit += 21) {
        OK(pirn_raise_add(loop, bit, 0, see_io, &seen, &io));
        GIVES(pirn_raise_add(loop, bit, 0, see_io, &seen, &marked), -EEXIST);
        GIVES(pirn_io_modify(loop, io, PIRN_READ), -EINVAL);
        GIVES(pirn_io_modify(loop, io, 0), -EINVAL);
        GIVES(pirn_io_feed(loop, io, PIRN_READ), -EINVAL);
        GIVES(pirn_fd_closing(loop, -1 - (int)bit), -EBADF);
        OK(pirn_io_unref(loop, io));
        OK(pirn_io_ref(loop, io));
        OK(pirn_raise(loop, bit));
        OK(pirn_raise(loop, bit));
        GIVES(pirn_turn(loop, 0), 1);
        EQUAL(seen.fd, bit);
        EQUAL(seen.ready, PIRN_READ);
        OK(pirn_io_remove(loop, io));
        GIVES(pirn_io_remove(loop, io), -ENOENT);
        /* Raised without a handler: delivered when there is one. */
        OK(pirn_raise(loop, bit));
        GIVES(pirn_turn(loop, 0), 0);
        OK(pirn_raise_add(loop, bit, 0, see_io, &seen, &io));
        GIVES(pirn_turn(loop, 0), 1);
        OK(pirn_io_remove(loop, io));
    }
    CLOSE(loop);
}

/*
 * T14: always ready, on every backend, in every turn; and edge triggering (only with epoll), not
 * for them even there.
 */
static void files_that_are_always_ready_are_reported_alike(void)
{
    struct pirn_loop *loop;
    struct pirn_io io;
    char name[] = "/tmp/pirn-regular-XXXXXX";
    int regular = mkstemp(name);
    int files[] = { regular, open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
                    open("/dev/null", O_RDWR | O_CLOEXEC),
                    open("/dev/zero", O_RDWR | O_CLOEXEC),
                    open("/dev/urandom", O_RDWR | O_CLOEXEC) };
    MUST(regular >= 0 && unlink(name) == 0);
    OPEN(loop, block, the_backend);
    uint32_t can = pirn_capabilities(loop);
    for (size_t at = 0; at < sizeof files / sizeof *files; at++) {
        struct seen seen = { 0 };
        MUST(files[at] >= 0);
        OK(pirn_io_add(loop, files[at], PIRN_READ | PIRN_WRITE, see_io, &seen, &io));
        for (int turn = 1; turn <= 3; turn++) {
            GIVES(pirn_turn(loop, SECOND), 1);
            EQUAL(seen.calls, turn);
            EQUAL(seen.ready, PIRN_READ | PIRN_WRITE);
        }
        OK(pirn_io_modify(loop, io, PIRN_WRITE));
        GIVES(pirn_turn(loop, SECOND), 1);
        EQUAL(seen.ready, PIRN_WRITE);
        OK(pirn_io_modify(loop, io, 0));
        GIVES(pirn_turn(loop, 0), 0);
        OK(pirn_io_remove(loop, io));
        GIVES(pirn_turn(loop, 0), 0);
        REFUSES_FD(loop, files[at], PIRN_READ | PIRN_EDGE,
                   can & PIRN_CAN_EDGE ? -EPERM : -EOPNOTSUPP);
        REFUSES_FD(loop, files[at], PIRN_READ | PIRN_EXCLUSIVE,
                   can & PIRN_CAN_EXCLUSIVE ? -EPERM : -EOPNOTSUPP);
        /* Once and again by hand. */
        OK(pirn_io_add(loop, files[at], PIRN_READ | PIRN_ONESHOT, see_io, &seen, &io));
        GIVES(pirn_turn(loop, 0), 1);
        GIVES(pirn_turn(loop, 0), 0);
        OK(pirn_io_modify(loop, io, PIRN_READ));
        GIVES(pirn_turn(loop, 0), 1);
        OK(pirn_io_remove(loop, io));
    }
    CLOSE(loop);
    close_all(files, sizeof files / sizeof *files);
}

/*
 * A second watcher of an fd must be of the same kind where the kernel has one entry for both.
 */
static void edge_and_exclusive_do_not_share(void)
{
    struct pirn_loop *loop;
    struct pirn_io io;
    int pair[2];
    MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
    OPEN(loop, block, the_backend);
    uint32_t can = pirn_capabilities(loop);
    if (can & PIRN_CAN_EDGE) {
        OK(pirn_io_add(loop, pair[0], PIRN_READ, see_io, NULL, &io));
        REFUSES_FD(loop, pair[0], PIRN_READ | PIRN_EDGE, -EINVAL);
        REFUSES_FD(loop, pair[0], PIRN_READ | PIRN_EXCLUSIVE, -EINVAL);
        OK(pirn_io_remove(loop, io));
        OK(pirn_io_add(loop, pair[0], PIRN_READ | PIRN_EDGE, see_io, NULL, &io));
        REFUSES_FD(loop, pair[0], PIRN_READ, -EINVAL);
        OK(pirn_io_add(loop, pair[0], PIRN_WRITE | PIRN_EDGE, see_io, NULL, NULL));
        GIVES(pirn_fd_closing(loop, pair[0]), 2);
        OK(pirn_io_add(loop, pair[0], PIRN_READ | PIRN_EXCLUSIVE, see_io, NULL, &io));
        REFUSES_FD(loop, pair[0], PIRN_READ, -EINVAL);
        REFUSES_FD(loop, pair[0], PIRN_READ | PIRN_EXCLUSIVE, -EINVAL);
        OK(pirn_io_remove(loop, io));
    }
    (void)pirn_fd_closing(loop, pair[0]);
    OK(pirn_io_add(loop, pair[0], PIRN_READ, see_io, NULL, &io));
    OK(pirn_io_add(loop, pair[0], PIRN_WRITE | PIRN_ONESHOT, see_io, NULL, NULL));
    GIVES(pirn_fd_closing(loop, pair[0]), 2);
    GIVES(pirn_fd_closing(loop, pair[0]), 0);
    CLOSE(loop);
    close_all(pair, 2);
}

/* T39: the application's fds keep their flags, and the loop's own are closed on exec. */
static void flags_of_fds_are_left_alone(void)
{
    struct pirn_loop *loop;
    struct pirn_io io;
    int pair[2];
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    int status = fcntl(pair[0], F_GETFL), flags = fcntl(pair[0], F_GETFD);
    CHECK((status & O_NONBLOCK) == 0 && (flags & FD_CLOEXEC) == 0);
    int before[256], count = 0;
    for (int fd = 0; fd < 256; fd++)
        before[fd] = fcntl(fd, F_GETFD);
    OPEN(loop, block, the_backend);
    (void)pirn_fd(loop);
    for (int fd = 0; fd < 256; fd++) {
        int now = fcntl(fd, F_GETFD);
        if (before[fd] < 0 && now >= 0) {
            count++;
            CHECK(now & FD_CLOEXEC);
        } else {
            EQUAL(now, before[fd]);
        }
    }
    EQUAL(count, the_backend == PIRN_BACKEND_EPOLL ? 4 : the_backend == PIRN_BACKEND_HOST ? 2 : 1);
    OK(pirn_io_add(loop, pair[0], PIRN_READ | PIRN_WRITE, see_io, NULL, &io));
    settle(loop, 3);
    EQUAL(fcntl(pair[0], F_GETFL), status);
    EQUAL(fcntl(pair[0], F_GETFD), flags);
    OK(pirn_io_modify(loop, io, PIRN_READ));
    settle(loop, 3);
    OK(pirn_io_remove(loop, io));
    EQUAL(fcntl(pair[0], F_GETFL), status);
    EQUAL(fcntl(pair[0], F_GETFD), flags);
    CLOSE(loop);
    EQUAL(fcntl(pair[0], F_GETFL), status);
    close_all(pair, 2);
}

/* T41: with stdin, stdout and stderr closed the loop's own fds are 0, 1 and 2, and all is well. */
static void fd_zero_is_an_fd_like_any(void)
{
    struct pirn_loop *loop;
    struct seen seen = { 0 };
    int saved[3], pair[2];
    MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
    fflush(stdout);
    for (int fd = 0; fd < 3; fd++)
        saved[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 100);
    for (int fd = 0; fd < 3; fd++)
        close(fd);
    int opened = open_loop(&loop, block, sizeof block, the_backend, 0, 0, 0);
    int taken = fcntl(0, F_GETFD);
    int added = pirn_io_add(loop, pair[0], PIRN_READ, see_io, &seen, NULL);
    int own = the_backend == PIRN_BACKEND_HOST ?
        -EINVAL : pirn_io_add(loop, 0, PIRN_READ, see_io, NULL, NULL);
    int waked = pirn_wake(loop), empty = pirn_turn(loop, PIRN_FOREVER);
    ssize_t written = write(pair[1], "x", 1);
    int turned = pirn_turn(loop, PIRN_FOREVER);
    int verified = pirn_verify(loop), ended = pirn_deinit(loop);
    for (int fd = 0; fd < 3; fd++)
        if (saved[fd] >= 0)
            MUST(dup2(saved[fd], fd) == fd && close(saved[fd]) == 0);
    EQUAL(opened, 0);
    CHECK(taken >= 0);
    EQUAL(added, 0);
    EQUAL(own, -EINVAL);
    EQUAL(waked, 0);
    EQUAL(empty, 0);
    EQUAL(written, 1);
    EQUAL(turned, 1);
    EQUAL(seen.calls, 1);
    EQUAL(verified, 0);
    EQUAL(ended, 0);
    close_all(pair, 2);
}

static void test(uint32_t backend)
{
    the_backend = backend;
    the_loops_own_fds_are_refused();
    what_is_not_open_is_refused();
    unknown_bits_are_refused();
    a_raised_bit_is_no_fd();
    files_that_are_always_ready_are_reported_alike();
    edge_and_exclusive_do_not_share();
    flags_of_fds_are_left_alone();
    fd_zero_is_an_fd_like_any();
}

int main(int argc, char **argv)
{
    return run_on_backends(argc, argv, test);
}
