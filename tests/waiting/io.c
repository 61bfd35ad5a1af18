/* I/O that looks as if it blocked: its results, which fibers run in between, and its cost. */
#include "test.h"
#include "traced.h"

#include <netinet/in.h>

#include "fibers.h"

/* ---- results ---- */

static void bad_arguments_are_refused(void)
{
    struct pirn_port closed = { 0 };
    struct sockaddr_in address;
    char byte = 0;
    open_fibers(0);
    GIVES(pirn_port_read(NULL, &byte, 1, 0), -EINVAL);
    GIVES(pirn_port_read(&closed, &byte, 1, 0), -ENOENT);
    GIVES(pirn_port_write(NULL, &byte, 1, 0), -EINVAL);
    GIVES(pirn_port_write(&closed, &byte, 1, 0), -ENOENT);
    GIVES(pirn_port_write_all(NULL, &byte, 1, 0), -EINVAL);
    GIVES(pirn_port_write_all(&closed, &byte, 1, 0), -ENOENT);
    GIVES(pirn_port_accept(NULL, 0), -EINVAL);
    GIVES(pirn_port_accept(&closed, 0), -ENOENT);
    GIVES(pirn_port_connect(NULL, &address, sizeof address, 0), -EINVAL);
    GIVES(pirn_port_connect(&closed, &address, sizeof address, 0), -ENOENT);
    GIVES(pirn_port_wait(NULL, PIRN_READ, 0), -EINVAL);
    GIVES(pirn_port_wait(&closed, PIRN_READ, 0), -ENOENT);
    struct pair pair;
    open_pair(&pair);
    GIVES(pirn_port_read(&pair.here, NULL, 1, 0), -EINVAL);
    GIVES(pirn_port_write(&pair.here, NULL, 1, 0), -EINVAL);
    GIVES(pirn_port_write_all(&pair.here, NULL, 1, 0), -EINVAL);
    GIVES(pirn_port_read(&pair.here, NULL, 0, PIRN_FOREVER), 0);
    GIVES(pirn_port_write(&pair.here, NULL, 0, 0), 0);
    GIVES(pirn_port_write_all(&pair.here, NULL, 0, 0), 0);
    GIVES(pirn_port_connect(&pair.here, NULL, 1, 0), -EINVAL);
    GIVES(pirn_port_wait(&pair.here, 0, 1), -EINVAL);
    GIVES(pirn_port_read(&pair.here, &byte, 1, 0), -EAGAIN);
    GIVES(pirn_port_wait(&pair.here, PIRN_READ, 0), -EAGAIN);
    GIVES(pirn_port_read(&pair.here, &byte, 1, MILLISECOND), -ETIMEDOUT);
    GIVES(pirn_port_accept(&pair.here, 0), -EINVAL);
    close_pair(&pair);
    close_fibers();
}

static int reads_until_the_end(struct pirn_hub *hub_, void *user)
{
    struct pair *pair = user;
    char bytes[64];
    (void)hub_;
    EQUAL(pirn_port_read(&pair->here, bytes, sizeof bytes, SECOND), 3);
    CHECK(memcmp(bytes, "abc", 3) == 0);
    EQUAL(pirn_port_read(&pair->here, bytes, sizeof bytes, SECOND), 2);
    EQUAL(pirn_port_wait(&pair->here, PIRN_WRITE, SECOND) & (int)PIRN_WRITE, PIRN_WRITE);
    EQUAL(pirn_port_read(&pair->here, bytes, sizeof bytes, SECOND), 0);
    EQUAL(pirn_port_read(&pair->here, bytes, sizeof bytes, SECOND), 0);
    return 1;
}

static int writes_then_ends(struct pirn_hub *hub_, void *user)
{
    struct pair *pair = user;
    OK(pirn_fiber_sleep(hub_, MILLISECOND));
    EQUAL(pirn_port_write(&pair->there, "abc", 3, SECOND), 3);
    OK(pirn_fiber_sleep(hub_, MILLISECOND));
    OK(pirn_port_write_all(&pair->there, "de", 2, SECOND));
    OK(pirn_fiber_sleep(hub_, MILLISECOND));
    shutdown(pair->fds[1], SHUT_WR);
    return 0;
}

static void reading_waits_for_data_and_sees_the_end(void)
{
    struct pair pair;
    open_fibers(0);
    open_pair(&pair);
    start(0, reads_until_the_end, &pair);
    start(1, writes_then_ends, &pair);
    OK(pirn_fiber_join(&fibers[0], PIRN_FOREVER, NULL));
    OK(pirn_fiber_join(&fibers[1], PIRN_FOREVER, NULL));
    EQUAL(fibers[0].result, 1);
    /* No reader any more: an error, and no signal. */
    OK(pirn_port_close(&pair.here));
    close(pair.fds[0]);
    pair.fds[0] = -1;
    GIVES(pirn_port_write_all(&pair.there, "x", 1, SECOND), -EPIPE);
    OK(pirn_port_close(&pair.there));
    close_all(pair.fds, 2);
    close_fibers();
}

/* ---- much data ---- */

#define MUCH 1000000
static unsigned char sent[MUCH];

static int writes_much(struct pirn_hub *hub_, void *port)
{
    (void)hub_;
    return pirn_port_write_all(port, sent, MUCH, 10 * SECOND);
}

static int reads_much(struct pirn_hub *hub_, void *port)
{
    static unsigned char part[7001];
    size_t count = 0;
    (void)hub_;
    while (count < MUCH) {
        intptr_t more = pirn_port_read(port, part, sizeof part, 10 * SECOND);
        if (!CHECK(more > 0) || !CHECK(memcmp(part, sent + count, (size_t)more) == 0))
            return -1;
        count += (size_t)more;
    }
    return 0;
}

static void all_is_written_and_every_byte_arrives(void)
{
    struct pair pair;
    struct pirn_port ends[2];
    int fds[2];
    for (size_t at = 0; at < MUCH; at++)
        sent[at] = (unsigned char)random_word();
    open_fibers(0);
    open_pair(&pair);
    start(0, writes_much, &pair.here);
    start(1, reads_much, &pair.there);
    OK(pirn_fiber_join(&fibers[1], 10 * SECOND, NULL));
    OK(pirn_fiber_join(&fibers[0], 10 * SECOND, NULL));
    OK(fibers[0].result);
    OK(fibers[1].result);
    close_pair(&pair);
    /* A pipe, whose ends block and stay so. */
    MUST(pipe2(fds, O_CLOEXEC) == 0);
    for (int at = 0; at < 2; at++)
        OK(pirn_port_open(&hub, &ends[at], fds[at], PIRN_PORT_BLOCKING));
    start(0, writes_much, &ends[1]);
    start(1, reads_much, &ends[0]);
    OK(pirn_fiber_join(&fibers[1], 10 * SECOND, NULL));
    OK(pirn_fiber_join(&fibers[0], 10 * SECOND, NULL));
    OK(fibers[0].result);
    OK(fibers[1].result);
    CHECK((fcntl(fds[0], F_GETFL) & O_NONBLOCK) == 0);
    OK(pirn_port_close(&ends[0]));
    OK(pirn_port_close(&ends[1]));
    close_all(fds, 2);
    close_fibers();
}

/* ---- connections ---- */

static int listener_on_loopback(struct sockaddr_in *address)
{
    socklen_t length = sizeof *address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    MUST(fd >= 0);
    memset(address, 0, sizeof *address);
    address->sin_family = AF_INET;
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    MUST(bind(fd, (struct sockaddr *)address, sizeof *address) == 0 && listen(fd, 16) == 0);
    MUST(getsockname(fd, (struct sockaddr *)address, &length) == 0);
    return fd;
}

static int accepts_one(struct pirn_hub *hub_, void *user)
{
    (void)hub_;
    return pirn_port_accept(user, 10 * SECOND);
}

static void clients_connect_and_are_accepted(void)
{
    struct sockaddr_in address;
    struct pirn_port listener, client;
    int listening = listener_on_loopback(&address);
    open_fibers(0);
    open_port(&listener, listening);
    GIVES(pirn_port_accept(&listener, 0), -EAGAIN);
    GIVES(pirn_port_accept(&listener, MILLISECOND), -ETIMEDOUT);
    start(0, accepts_one, &listener);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    MUST(fd >= 0);
    open_port(&client, fd);
    OK(pirn_port_connect(&client, &address, sizeof address, SECOND));
    OK(pirn_fiber_join(&fibers[0], SECOND, NULL));
    int accepted = fibers[0].result;
    CHECK(accepted >= 0 && (fcntl(accepted, F_GETFL) & O_NONBLOCK) != 0);
    CHECK((fcntl(accepted, F_GETFD) & FD_CLOEXEC) != 0);
    OK(pirn_port_close(&client));
    close(fd);
    close(accepted);
    OK(pirn_port_close(&listener));
    close(listening);
    /* No listener any more. */
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    open_port(&client, fd);
    GIVES(pirn_port_connect(&client, &address, sizeof address, SECOND), -ECONNREFUSED);
    OK(pirn_port_close(&client));
    close(fd);
    close_fibers();
}

/* ---- without time, and without a port ---- */

/* More than a socket has room for: some of it is written. */
static char much[1 << 22];

static int writes_too_much(struct pirn_hub *hub_, void *port)
{
    (void)hub_;
    return pirn_port_write_all(port, much, sizeof much, 0);
}

static void on_task_that_writes_too_much(struct pirn_loop *loop_, void *port)
{
    (void)loop_;
    GIVES(pirn_port_write_all(port, much, sizeof much, 0), -EAGAIN);
}

static void writing_all_without_time_only_tries(void)
{
    struct pair pairs[3];
    open_fibers(0);
    for (int at = 0; at < 3; at++)
        open_pair(&pairs[at]);
    GIVES(pirn_port_write_all(&pairs[0].here, much, sizeof much, 0), -EAGAIN);
    start(0, writes_too_much, &pairs[1].here);
    OK(pirn_task_post(loop, on_task_that_writes_too_much, &pairs[2].here, NULL));
    OK(pirn_fiber_join(&fibers[0], SECOND, NULL));
    EQUAL(fibers[0].result, -EAGAIN);
    for (int at = 0; at < 3; at++)
        close_pair(&pairs[at]);
    close_fibers();
}

static void on_timer_that_writes_to_both(struct pirn_loop *loop_, struct pirn_timer timer,
                                         uint64_t missed, void *user)
{
    const int *ends = user;
    (void)loop_, (void)timer, (void)missed;
    MUST(write(ends[0], "a", 1) == 1 && write(ends[1], "b", 1) == 1);
}

static void on_late_event_that_closes(struct pirn_loop *loop_, struct pirn_io io, int fd,
                                      uint32_t ready, void *user)
{
    struct pirn_port *port = user;
    int own = port->fd, others[2];
    (void)fd, (void)ready;
    OK(pirn_io_remove(loop_, io));
    OK(pirn_port_close(port));
    /* The number is another file's now, which can be read. */
    MUST(pipe(others) == 0 && write(others[1], "x", 1) == 1 && dup2(others[0], own) == own);
    close_all(others, 2);
}

/* Main is woken in a turn, and continues when it is over. */
static void port_closed_between_the_wake_and_the_end_of_the_turn(void)
{
    struct pair pair;
    struct pirn_io io;
    struct pirn_timer timer;
    int fds[2], ends[2];
    char byte = '-';
    open_fibers(0);
    open_pair(&pair);
    MUST(pipe(fds) == 0);
    ends[0] = pair.fds[1];
    ends[1] = fds[1];
    OK(pirn_io_add(loop, fds[0], PIRN_READ | PIRN_LOW, on_late_event_that_closes, &pair.here, &io));
    OK(pirn_timer_start(loop, MILLISECOND, 0, 0, on_timer_that_writes_to_both, ends, &timer));
    GIVES(pirn_port_read(&pair.here, &byte, 1, SECOND), -ECANCELED);
    EQUAL(byte, '-');
    OK(pirn_port_close(&pair.there));
    close_all(pair.fds, 2);
    close_all(fds, 2);
    close_fibers();
}

/* ---- several waiters for one fd ---- */

static int reads_one(struct pirn_hub *hub_, void *port)
{
    char byte;
    (void)hub_;
    return (int)pirn_port_read(port, &byte, 1, PIRN_FOREVER);
}

static void second_waiter_on_one_fd(void)
{
    struct pair pair;
    open_fibers(0);
    open_pair(&pair);
    for (int at = 0; at < 3; at++)
        start(at, reads_one, &pair.here);
    settle(loop, 3);
    OK(pirn_port_write_all(&pair.there, "xyz", 3, 0));
    for (int at = 0; at < 3; at++) {
        OK(pirn_fiber_join(&fibers[at], SECOND, NULL));
        EQUAL(fibers[at].result, 1);
    }
    close_pair(&pair);
    close_fibers();
}

static int reads_within_a_second(struct pirn_hub *hub_, void *port)
{
    char byte;
    (void)hub_;
    return (int)pirn_port_read(port, &byte, 1, SECOND);
}

static int reads_within_a_scope(struct pirn_hub *hub_, void *port)
{
    struct pirn_scope scope;
    char byte;
    OK(pirn_scope_enter(hub_, &scope, SECOND / 2, 0));
    GIVES((int)pirn_port_read(port, &byte, 1, SECOND), -ECANCELED);
    return pirn_scope_leave(hub_, &scope);
}

static void on_thief(struct pirn_loop *loop_, struct pirn_io io, int fd, uint32_t ready, void *user)
{
    char byte;
    (void)loop_, (void)io, (void)ready;
    EQUAL(read(fd, &byte, 1), 1);
    ++*(int *)user;
}

/* Somebody else reads what has woken the reader: it waits again, for what is left of its time. */
static void limit_is_for_the_whole_call(void)
{
    static const pirn_fiber_fn readers[] = { reads_within_a_second, reads_within_a_scope };
    for (int which = 0; which < 2; which++) {
        struct pair pair;
        struct pirn_io thief;
        int thefts = 0;
        open_fibers(0);
        open_pair(&pair);
        struct pirn_fiber *reader = start(0, readers[which], &pair.here);
        settle(loop, 3);
        uint64_t deadline = deadline_of(reader);
        CHECK(deadline > pirn_now(loop));
        OK(pirn_io_add(loop, pair.fds[0], PIRN_READ | PIRN_HIGH, on_thief, &thefts, &thief));
        for (int round = 1; round <= 2; round++) {
            OK(pirn_fiber_sleep(&hub, MILLISECOND));
            OK(pirn_port_write_all(&pair.there, "x", 1, 0));
            settle(loop, 3);
            EQUAL(thefts, round);
            EQUAL(deadline_of(reader), deadline);
        }
        OK(pirn_io_remove(loop, thief));
        OK(pirn_fiber_cancel(reader));
        OK(pirn_fiber_join(reader, PIRN_FOREVER, NULL));
        EQUAL(reader->result, which == 0 ? -ECANCELED : 0);
        close_pair(&pair);
        close_fibers();
    }
}

static void closing_a_port_under_a_reader(void)
{
    struct pair pair;
    open_fibers(0);
    open_pair(&pair);
    start(0, reads_one, &pair.here);
    settle(loop, 3);
    OK(pirn_port_close(&pair.here));
    OK(pirn_fiber_join(&fibers[0], SECOND, NULL));
    EQUAL(fibers[0].result, -ECANCELED);
    /* The same if data has arrived already, but the reader was not woken yet. */
    open_port(&pair.here, pair.fds[0]);
    start(0, reads_one, &pair.here);
    start(1, reads_one, &pair.here);
    settle(loop, 3);
    OK(pirn_port_write_all(&pair.there, "x", 1, 0));
    OK(pirn_port_close(&pair.here));
    OK(pirn_fiber_join(&fibers[0], SECOND, NULL));
    OK(pirn_fiber_join(&fibers[1], SECOND, NULL));
    EQUAL(fibers[0].result, -ECANCELED);
    EQUAL(fibers[1].result, -ECANCELED);
    OK(pirn_port_close(&pair.there));
    close_all(pair.fds, 2);
    close_fibers();
}

/* A turn that takes longer than all limits drops no client that has sent something. */
static int reads_with_a_limit(struct pirn_hub *hub_, void *port)
{
    char byte;
    (void)hub_;
    return (int)pirn_port_read(port, &byte, 1, 2 * MILLISECOND);
}

static void data_wins_over_time_limits(void)
{
    struct pair pair;
    struct timespec pause = { 0, 10 * 1000000 };
    open_fibers(0);
    open_pair(&pair);
    start(0, reads_with_a_limit, &pair.here);
    pirn_turn(loop, 0);
    OK(pirn_port_write_all(&pair.there, "x", 1, 0));
    nanosleep(&pause, NULL);
    OK(pirn_fiber_join(&fibers[0], SECOND, NULL));
    EQUAL(fibers[0].result, 1);
    close_pair(&pair);
    close_fibers();
}

/* ---- hogs ---- */

static int echoes_to_itself(struct pirn_hub *hub_, void *user)
{
    struct pair *pair = user;
    long rounds = 0;
    char byte = 'x';
    (void)hub_;
    while (pirn_port_write_all(&pair->here, &byte, 1, SECOND) == 0 && byte == 'x') {
        EQUAL(pirn_port_read(&pair->there, &byte, 1, SECOND), 1);
        rounds++;
        if (rounds > 1000000)
            return -1;
    }
    return 0;
}

static void fiber_that_never_waits_starves_nobody(void)
{
    struct pair pair;
    open_fibers(0);
    open_pair(&pair);
    start(0, echoes_to_itself, &pair);
    EQUAL(pirn_run_until(loop, pirn_now(loop) + 5 * MILLISECOND), PIRN_EXPIRED);
    OK(pirn_fiber_cancel(&fibers[0]));
    OK(pirn_port_close(&pair.here));
    OK(pirn_port_close(&pair.there));
    OK(pirn_fiber_join(&fibers[0], SECOND, NULL));
    close_all(pair.fds, 2);
    close_fibers();
}

/* ---- system calls ---- */

#define ECHOES 100

struct echo { struct pair *pair; uint64_t limit; };

static int serves(struct pirn_hub *hub_, void *user)
{
    struct echo *echo = user;
    char bytes[64];
    intptr_t count;
    (void)hub_;
    while ((count = pirn_port_read(&echo->pair->here, bytes, sizeof bytes, echo->limit)) > 0)
        if (pirn_port_write_all(&echo->pair->here, bytes, (size_t)count, echo->limit) < 0)
            return -1;
    return 0;
}

static int asks(struct pirn_hub *hub_, void *user)
{
    struct echo *echo = user;
    char bytes[64];
    (void)hub_;
    for (int round = 0; round < ECHOES; round++) {
        if (!CHECK(pirn_port_write_all(&echo->pair->there, "hello", 5, echo->limit) == 0))
            return -1;
        if (!CHECK(pirn_port_read(&echo->pair->there, bytes, sizeof bytes, echo->limit) == 5))
            return -1;
    }
    return 0;
}

static long calls_of_echoes(uint64_t limit)
{
    struct pair pair;
    struct echo echo = { &pair, limit };
    open_fibers(0);
    open_pair(&pair);
    start(0, serves, &echo);
    start(1, asks, &echo);
    COUNT(pirn_fiber_join(&fibers[1], PIRN_FOREVER, NULL));
#ifdef SYS_socketcall
    long writes = counted->calls[SYS_socketcall];
#else
    long writes = counted->calls[SYS_sendto];
#endif
    long reads = counted->calls[SYS_read];
    EQUAL(writes, 2 * ECHOES);
    /* Each reads the available data, and the first attempts find nothing. */
    CHECK(reads >= 2 * ECHOES && reads <= 2 * ECHOES + 4);
    OK(pirn_port_close(&pair.there));
    close(pair.fds[1]);
    OK(pirn_fiber_join(&fibers[0], SECOND, NULL));
    OK(pirn_port_close(&pair.here));
    close(pair.fds[0]);
    close_fibers();
    return counted->total;
}

static void limit_on_every_read_takes_no_system_call(void)
{
    long without = calls_of_echoes(PIRN_FOREVER), with = calls_of_echoes(5 * SECOND);
    if (!CHECK(with <= without + 2))
        printf("%ld calls without limits, %ld with\n", without, with);
}

#define ROUNDS 30

static int reads_now_and_then(struct pirn_hub *hub_, void *user)
{
    struct pair *pair = user;
    char bytes[64];
    for (int round = 0; round < ROUNDS; round++) {
        /* What has come during the sleep, and then what comes during a wait. */
        CHECK(pirn_port_read(&pair->here, bytes, sizeof bytes, SECOND) > 0);
        CHECK(pirn_port_read(&pair->here, bytes, sizeof bytes, SECOND) > 0);
        OK(pirn_fiber_sleep(hub_, MILLISECOND));
    }
    return 0;
}

static int writes_all_the_time(struct pirn_hub *hub_, void *user)
{
    struct pair *pair = user;
    while (write(pair->fds[1], "x", 1) == 1 && pirn_fiber_sleep(hub_, MILLISECOND / 4) == 0)
        ;
    return 0;
}

/*
 * The fd becomes ready while its reader sleeps. Each of the reader's two waits takes one call to
 * have it watched, and its event ends that without another.
 */
static void await_takes_one_call_at_most(void)
{
    struct pair pair;
    open_fibers(0);
    open_pair(&pair);
    start(0, reads_now_and_then, &pair);
    start(1, writes_all_the_time, &pair);
    COUNT(pirn_fiber_join(&fibers[0], PIRN_FOREVER, NULL));
    if (!CHECK(counted->calls[SYS_epoll_ctl] <= 2 * ROUNDS + 4))
        printf("%ld calls for %d waits\n", counted->calls[SYS_epoll_ctl], 2 * ROUNDS);
    OK(pirn_fiber_cancel(&fibers[1]));
    OK(pirn_fiber_join(&fibers[1], SECOND, NULL));
    close_pair(&pair);
    close_fibers();
}

static void test(uint32_t backend)
{
    the_backend = backend;
    bad_arguments_are_refused();
    reading_waits_for_data_and_sees_the_end();
    all_is_written_and_every_byte_arrives();
    clients_connect_and_are_accepted();
    writing_all_without_time_only_tries();
    port_closed_between_the_wake_and_the_end_of_the_turn();
    second_waiter_on_one_fd();
    limit_is_for_the_whole_call();
    closing_a_port_under_a_reader();
    data_wins_over_time_limits();
    fiber_that_never_waits_starves_nobody();
    if (backend != PIRN_BACKEND_HOST)
        run_traced(limit_on_every_read_takes_no_system_call);
    if (backend == PIRN_BACKEND_EPOLL)
        run_traced(await_takes_one_call_at_most);
}

int main(int argc, char **argv)
{
    return run_on_backends(argc, argv, test);
}
