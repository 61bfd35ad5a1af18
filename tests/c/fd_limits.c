/* Fds beyond 1024, limits that are lowered, tables that are full. T38, T106. */
#include "test.h"

#include <sys/resource.h>

static uint64_t block[131072];
static uint32_t the_backend;

/* The reading end of a pipe under this number, or -1 if the process may not have it. */
static int pipe_at(int number, int *writing)
{
    int fds[2];
    MUST(pipe2(fds, O_NONBLOCK | O_CLOEXEC) == 0);
    *writing = fds[1];
    if (dup3(fds[0], number, O_CLOEXEC) < 0) {
        close_all(fds, 2);
        return -1;
    }
    close(fds[0]);
    return number;
}

static void raise_limit(rlim_t wanted)
{
    struct rlimit limit;
    MUST(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    MUST(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

/*
 * T38: what select documents: 1024, and 16 more for each I/O watcher; more in a larger block. All
 * others: no bound.
 */
static void fds_beyond_1024(void)
{
    enum { WATCHERS = 64 };
    struct pirn_loop *loop;
    size_t size = pirn_storage_size(WATCHERS, 4, 4);
    const int range = 1024 + 16 * WATCHERS;
    static const int numbers[] = { 500, 1023, 1024, 1025, 1500, 1024 + 16 * WATCHERS - 1,
                                   1024 + 16 * WATCHERS + 500, 4000 };
    int refused = 0, beyond = 0;
    raise_limit(4096);
    MUST(open_loop(&loop, block, size, the_backend, WATCHERS, 4, 4) == 0);
    for (size_t at = 0; at < sizeof numbers / sizeof *numbers; at++) {
        struct seen seen = { 0 };
        struct pirn_io io = { 77, 88 };
        int writing, fd = pipe_at(numbers[at], &writing);
        if (fd < 0)
            continue;
        beyond |= fd == 4000;
        struct pirn_stats before = stats_of(loop);
        int added = pirn_io_add(loop, fd, PIRN_READ, see_io, &seen, &io);
        if (the_backend == PIRN_BACKEND_SELECT && added == -ERANGE) {
            refused++;
            CHECK(fd >= range);
            CHECK(io.slot == 77 && io.generation == 88);
            EQUAL(stats_of(loop).io_used, before.io_used);
            GIVES(pirn_io_add(loop, fd, 0, see_io, &seen, &io), -ERANGE);
        } else if (EQUAL(added, 0)) {
            GIVES(pirn_turn(loop, 0), 0);
            EQUAL(write(writing, "x", 1), 1);
            GIVES(pirn_turn(loop, SECOND), 1);
            EQUAL(seen.fd, fd);
            EQUAL(seen.ready, PIRN_READ);
            OK(pirn_io_remove(loop, io));
        }
        OK(pirn_verify(loop));
        close(fd);
        close(writing);
    }
    EQUAL(refused > 0, the_backend == PIRN_BACKEND_SELECT && beyond);
    CLOSE(loop);
    /* A block larger than it must be watches higher fds. */
    MUST(open_loop(&loop, block, sizeof block, the_backend, WATCHERS, 4, 4) == 0);
    struct seen seen = { 0 };
    int writing, fd = pipe_at(4000, &writing);
    if (fd >= 0) {
        OK(pirn_io_add(loop, fd, PIRN_READ, see_io, &seen, NULL));
        EQUAL(write(writing, "x", 1), 1);
        GIVES(pirn_turn(loop, SECOND), 1);
        close_all((int[]){ fd, writing }, 2);
    }
    CHECK(pirn_deinit(loop) == 0);
}

/* Many at once, across the words of a bitmap: exactly those that are ready are called. */
static void many_fds_at_once(void)
{
    enum { COUNT = 300, FIRST = 900 };
    struct pirn_loop *loop;
    static struct seen seen[COUNT];
    int writing[COUNT];
    raise_limit(4096);
    MUST(open_loop(&loop, block, sizeof block, the_backend, COUNT, 4, 4) == 0);
    for (int at = 0; at < COUNT; at++) {
        MUST(pipe_at(FIRST + at, &writing[at]) >= 0);
        if (writing[at] >= FIRST)
            MUST(at > 0);
        OK(pirn_io_add(loop, FIRST + at, PIRN_READ, see_io, &seen[at], NULL));
    }
    for (int step = 1; step < 70; step += 17) {
        memset(seen, 0, sizeof seen);
        int expected = 0, calls = 0;
        char byte;
        for (int at = 0; at < COUNT; at += step, expected++)
            EQUAL(write(writing[at], "x", 1), 1);
        /* T105: perhaps more than one wait fetches. */
        for (int turn = 0; turn < 10; turn++) {
            int called = pirn_turn(loop, 0);
            CHECK(called >= 0);
            calls += called;
            int all = 1;
            for (int at = 0; at < COUNT; at += step)
                all &= seen[at].calls > 0;
            if (all)
                break;
        }
        for (int at = 0; at < COUNT; at++) {
            CHECK((seen[at].calls > 0) == (at % step == 0));
            while (read(FIRST + at, &byte, 1) == 1)
                ;
        }
        CHECK(calls >= expected);
        settle(loop, 3);
    }
    OK(pirn_verify(loop));
    CLOSE(loop);
    for (int at = 0; at < COUNT; at++) {
        close(FIRST + at);
        close(writing[at]);
    }
}

/*
 * T105: more are ready than one turn fetches, however large the block. All are served, each once in
 * a round.
 */
static void a_turn_has_a_bound(void)
{
    enum { COUNT = 1500, MOST = 1024 };
    struct pirn_loop *loop;
    static struct seen seen[COUNT];
    static int fds[COUNT];
    int ready[2];
    raise_limit(4096);
    memset(seen, 0, sizeof seen);
    MUST(pipe2(ready, O_NONBLOCK | O_CLOEXEC) == 0 && write(ready[1], "x", 1) == 1);
    MUST(open_loop(&loop, block, sizeof block, the_backend, COUNT, 4, 4) == 0);
    for (int at = 0; at < COUNT; at++) {
        MUST((fds[at] = dup(ready[0])) >= 0);
        OK(pirn_io_add(loop, fds[at], PIRN_READ, see_io, &seen[at], NULL));
    }
    int bound = the_backend == PIRN_BACKEND_EPOLL ? MOST : COUNT;
    GIVES(pirn_turn(loop, 0), bound);
    GIVES(pirn_turn(loop, 0), bound);
    for (int at = 0; at < COUNT; at++)
        CHECK(seen[at].calls == 1 || seen[at].calls == 2);
    CLOSE(loop);
    close_all(fds, COUNT);
    close_all(ready, 2);
}

/* T106: the limit is lowered below what is watched, even below the number of records of poll. */
static void a_lowered_limit_changes_nothing(void)
{
    enum { COUNT = 20 };
    struct pirn_loop *loop;
    struct pirn_io io[COUNT];
    struct seen seen = { 0 };
    struct rlimit before, low;
    int fds[COUNT][2];
    MUST(open_loop(&loop, block, pirn_storage_size(64, 4, 4), the_backend, 64, 4, 4) == 0);
    for (int at = 0; at < COUNT; at++) {
        MUST(pipe2(fds[at], O_NONBLOCK | O_CLOEXEC) == 0);
        OK(pirn_io_add(loop, fds[at][0], PIRN_READ, see_io, &seen, &io[at]));
    }
    /* All but four are removed: poll must not keep empty records. */
    for (int at = 0; at < COUNT - 4; at++)
        OK(pirn_io_remove(loop, io[at]));
    MUST(getrlimit(RLIMIT_NOFILE, &before) == 0);
    low = before;
    low.rlim_cur = 8;
    MUST(setrlimit(RLIMIT_NOFILE, &low) == 0);
    for (int at = COUNT - 4; at < COUNT; at++)
        EQUAL(write(fds[at][1], "x", 1), 1);
    GIVES(pirn_turn(loop, SECOND), 4);
    EQUAL(seen.calls, 4);
    EQUAL(seen.all_ready, PIRN_READ);
    OK(pirn_verify(loop));
    MUST(setrlimit(RLIMIT_NOFILE, &before) == 0);
    CLOSE(loop);
    for (int at = 0; at < COUNT; at++)
        close_all(fds[at], 2);
}

/*
 * The limit is lowered below what is watched, and one fd is closed without a word: that watcher is
 * told, on epoll it hears nothing, and nobody else is called. poll refuses so many records as long
 * as the limit is so low, and says so.
 */
static void a_lowered_limit_and_a_closed_fd(void)
{
    enum { COUNT = 50, CLOSED = 25 };
    struct pirn_loop *loop;
    static struct seen seen[COUNT];
    struct rlimit before, low;
    int fds[COUNT][2], silent = the_backend == PIRN_BACKEND_EPOLL;
    if (the_backend == PIRN_BACKEND_HOST)
        return;
    memset(seen, 0, sizeof seen);
    MUST(open_loop(&loop, block, pirn_storage_size(64, 4, 4), the_backend, 64, 4, 4) == 0);
    for (int at = 0; at < COUNT; at++) {
        MUST(pipe2(fds[at], O_NONBLOCK | O_CLOEXEC) == 0);
        OK(pirn_io_add(loop, fds[at][0], PIRN_READ, see_io, &seen[at], NULL));
    }
    MUST(getrlimit(RLIMIT_NOFILE, &before) == 0);
    low = before;
    for (rlim_t limit = 0; limit < 40; limit += 20) {
        low.rlim_cur = limit;
        MUST(setrlimit(RLIMIT_NOFILE, &low) == 0);
        if (limit == 0)
            close(fds[CLOSED][0]);
        if (the_backend == PIRN_BACKEND_POLL) {
            GIVES(pirn_turn(loop, 0), -EINVAL);
            MUST(setrlimit(RLIMIT_NOFILE, &before) == 0);
        }
        GIVES(pirn_turn(loop, 0), limit == 0 && !silent);
        for (int turn = 0; turn < 3; turn++)
            GIVES(pirn_turn(loop, the_backend == PIRN_BACKEND_POLL ? 0 : MILLISECOND), 0);
    }
    for (int at = 0; at < COUNT; at++)
        EQUAL(seen[at].ready, at == CLOSED && !silent ? PIRN_INVALID : 0);
    OK(pirn_verify(loop));
    MUST(setrlimit(RLIMIT_NOFILE, &before) == 0);
    CLOSE(loop);
    for (int at = 0; at < COUNT; at++)
        close_all(fds[at], 2);
}

/* init says -ERANGE where select's own fd would be beyond its bound. */
static void selects_own_fd_has_a_bound(void)
{
    struct pirn_loop *loop = NULL;
    static int fillers[4096];
    int count = 0;
    raise_limit(4096);
    while (count < 3900) {
        int fd = dup(0);
        if (fd < 0)
            break;
        fillers[count++] = fd;
    }
    size_t size = pirn_storage_size(1, 1, 1);
    int result = open_loop(&loop, block, size, the_backend, 1, 1, 1);
    if (the_backend == PIRN_BACKEND_SELECT && count == 3900) {
        EQUAL(result, -ERANGE);
        CHECK(loop == NULL);
    } else {
        EQUAL(result, 0);
        OK(pirn_deinit(loop));
    }
    close_all(fillers, (size_t)count);
}

static void test(uint32_t backend)
{
    the_backend = backend;
    fds_beyond_1024();
    many_fds_at_once();
    a_turn_has_a_bound();
    a_lowered_limit_changes_nothing();
    a_lowered_limit_and_a_closed_fd();
    selects_own_fd_has_a_bound();
}

int main(int argc, char **argv)
{
    return run_on_backends(argc, argv, test);
}
