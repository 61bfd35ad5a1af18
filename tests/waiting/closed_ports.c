/*
 * An fd that is closed while fibers wait for its port: the waits end with -EBADF as soon as the
 * kernel is asked about it, which each backend does at another time (rule 28 of docs/TURN.md).
 */
#include "test.h"

#include "fibers.h"

static struct pair lost, sound;

/* ---- fibers ---- */

static int reads_for_ever(struct pirn_hub *hub_, void *port)
{
    char byte;
    (void)hub_;
    return (int)pirn_port_read(port, &byte, 1, PIRN_FOREVER);
}

static int reads_with_a_limit(struct pirn_hub *hub_, void *port)
{
    char byte;
    (void)hub_;
    return (int)pirn_port_read(port, &byte, 1, 20 * SECOND);
}

static int waits_to_write(struct pirn_hub *hub_, void *port)
{
    (void)hub_;
    return pirn_port_wait(port, PIRN_WRITE, 20 * SECOND);
}

static int echoes(struct pirn_hub *hub_, void *port)
{
    char byte;
    int count = 0;
    (void)hub_;
    while (pirn_port_read(port, &byte, 1, 20 * SECOND) == 1 &&
           pirn_port_write_all(port, &byte, 1, 20 * SECOND) == 0)
        count++;
    return count;
}

/* ---- claims ---- */

static void begin(void)
{
    open_fibers(0);
    open_pair(&lost);
    open_pair(&sound);
    start(0, reads_for_ever, &lost.here);
    start(1, reads_with_a_limit, &lost.here);
    start(2, echoes, &sound.here);
    settle(loop, 4);
}

/* The other fibers go on, the loop sleeps, and the port can be closed. */
static void end(void)
{
    char byte = 'x';
    for (int round = 0; round < 3; round++) {
        OK(pirn_port_write_all(&sound.there, &byte, 1, SECOND));
        EQUAL(pirn_port_read(&sound.there, &byte, 1, SECOND), 1);
    }
    settle(loop, 4);
    uint64_t begun = monotonic_ns(), before = stats_of(loop).waits;
    while (monotonic_ns() - begun < 10 * MILLISECOND)
        CHECK(pirn_turn(loop, 20 * MILLISECOND) >= 0);
    CHECK(stats_of(loop).waits - before <= 4);
    shutdown(sound.fds[1], SHUT_WR);
    OK(pirn_fiber_join(&fibers[2], SECOND, NULL));
    EQUAL(fibers[2].result, 3);
    lost.fds[0] = -1;
    close_pair(&lost);
    close_pair(&sound);
    close_fibers();
}

/* All waits for the port have ended, and later calls fail as well. */
static void expect_lost(int count)
{
    char byte;
    for (int at = 0; at < count; at++) {
        if (at == 2)
            continue;
        OK(pirn_fiber_join(&fibers[at], SECOND, NULL));
        EQUAL(fibers[at].result, -EBADF);
    }
    GIVES(pirn_port_read(&lost.here, &byte, 1, SECOND), -EBADF);
    GIVES(pirn_port_write(&lost.here, "x", 1, SECOND), -EBADF);
    GIVES(pirn_port_accept(&lost.here, SECOND), -EBADF);
}

/* They watch the number, so the next wait of the loop finds that it is closed. */
static void closed_fd_is_noticed_by_the_next_turn(void)
{
    begin();
    close(lost.fds[0]);
    CHECK(pirn_turn(loop, SECOND) > 0);
    settle(loop, 4);
    expect_lost(2);
    GIVES(pirn_port_wait(&lost.here, PIRN_READ, SECOND), -EBADF);
    end();
}

/* epoll watches the file, so nothing is found until a wait for something else begins. */
static void closed_fd_is_noticed_when_the_interest_changes(void)
{
    begin();
    close(lost.fds[0]);
    settle(loop, 4);
    start(3, waits_to_write, &lost.here);
    settle(loop, 4);
    expect_lost(4);
    GIVES(pirn_port_wait(&lost.here, PIRN_READ, SECOND), -EBADF);
    end();
}

/* A duplicate keeps the file open. epoll reports it, and the read finds that the fd is closed. */
static void closed_fd_with_a_duplicate_is_noticed_by_the_reader(void)
{
    int duplicate;
    begin();
    duplicate = dup(lost.fds[0]);
    MUST(duplicate >= 0);
    close(lost.fds[0]);
    MUST(write(lost.fds[1], "x", 1) == 1);
    expect_lost(2);
    close(duplicate);
    end();
}

/* Nothing reports it: the time limit ends the wait, and cancellation does. */
static void closed_fd_does_not_outlast_the_time_limit(void)
{
    begin();
    close(lost.fds[0]);
    int rc = pirn_port_wait(&lost.here, PIRN_READ, MILLISECOND);
    CHECK(rc == -ETIMEDOUT || rc == -EBADF);
    for (int at = 0; at < 2; at++) {
        (void)pirn_fiber_cancel(&fibers[at]);
        OK(pirn_fiber_join(&fibers[at], SECOND, NULL));
        CHECK(fibers[at].result == -ECANCELED || fibers[at].result == -EBADF);
    }
    end();
}

static void test(uint32_t backend)
{
    the_backend = backend;
    if (backend != PIRN_BACKEND_EPOLL)
        closed_fd_is_noticed_by_the_next_turn();
    closed_fd_is_noticed_when_the_interest_changes();
    closed_fd_with_a_duplicate_is_noticed_by_the_reader();
    closed_fd_does_not_outlast_the_time_limit();
}

int main(int argc, char **argv)
{
    return run_on_backends(argc, argv, test);
}
