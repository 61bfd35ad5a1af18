/* A live loop moves to larger and smaller blocks, with everything it has. */
#include "test.h"

#include <sys/eventfd.h>
#include <sys/resource.h>

DECLARE_BLOCK(block);
static uint32_t the_backend;

/* A block for these capacities. */
static void *block_for(uint32_t io, uint32_t timers, uint32_t tasks, size_t *size)
{
    *size = pirn_storage_size(io, timers, tasks);
    void *memory = malloc(*size);
    MUST(memory);
    memset(memory, 0xa5, *size);
    return memory;
}

static int grow(struct pirn_loop *loop, void *memory, size_t size, uint32_t io, uint32_t timers,
                uint32_t tasks)
{
    return pirn_grow(loop, memory, size, io, timers, tasks, NULL, NULL);
}

static char order[64];

static void note_task(struct pirn_loop *loop, void *user)
{
    (void)loop;
    strcat(order, user);
}

static void note_timer(struct pirn_loop *loop, struct pirn_timer timer, uint64_t missed, void *user)
{
    (void)timer;
    (void)missed;
    note_task(loop, user);
}

/*
 * All kinds in flight: nothing is lost, nothing changes its order, and every handle stays what it
 * is.
 */
static void everything_moves(void)
{
    struct pirn_loop *loop;
    struct pirn_io io[3], bit;
    struct pirn_timer timers[2];
    struct pirn_task tasks[TASKS];
    struct seen seen[3] = { { 0 } }, raised = { 0 };
    int fds[2];
    size_t size, free_size = 0;
    void *memory = block_for(IO * 4, TIMERS * 4, TASKS * 4, &size), *free_memory = NULL;

    order[0] = '\0';
    MUST(pipe2(fds, O_NONBLOCK | O_CLOEXEC) == 0);
    OPEN(loop, block, the_backend);
    OK(pirn_io_add(loop, fds[0], PIRN_READ, see_io, &seen[0], &io[0]));
    OK(pirn_io_add(loop, fds[0], PIRN_READ, see_io, &seen[1], &io[1]));
    OK(pirn_io_add(loop, fds[1], 0, see_io, &seen[2], &io[2]));
    OK(pirn_raise_add(loop, 5, 0, see_io, &raised, &bit));
    OK(pirn_timer_start(loop, MILLISECOND, 0, 0, note_timer, "t", &timers[0]));
    OK(pirn_timer_start(loop, 3600 * SECOND, 0, 0, note_timer, "u", &timers[1]));
    /* The ring of tasks has come round. */
    for (int at = 0; at < TASKS - 2; at++)
        OK(pirn_task_post(loop, note_task, "", NULL));
    settle(loop, 4);
    static char names[TASKS][2];
    for (int at = 0; at < TASKS; at++) {
        names[at][0] = (char)('0' + at);
        OK(pirn_task_post(loop, note_task, names[at], &tasks[at]));
    }
    OK(pirn_task_cancel(loop, tasks[3]));
    OK(pirn_remote_post(loop, note_task, "p"));
    OK(pirn_remote_post(loop, note_task, "q"));
    OK(pirn_raise(loop, 5));
    OK(pirn_io_feed(loop, io[2], PIRN_WRITE));
    GIVES(pirn_task_post(loop, note_task, "", NULL), -EAGAIN);

    OK(pirn_grow(loop, memory, size, IO * 4, TIMERS * 4, TASKS * 4, &free_memory, &free_size));
    /* What is free again is the end of the first block. */
    CHECK((char *)free_memory > (char *)block);
    EQUAL((char *)free_memory + free_size - (char *)block, sizeof block);
    memset(free_memory, 0x5a, free_size);
    OK(pirn_verify(loop));
    EQUAL(stats_of(loop).io_capacity, IO * 4);
    EQUAL(stats_of(loop).timer_capacity, TIMERS * 4);
    EQUAL(stats_of(loop).task_capacity, TASKS * 4);
    EQUAL(stats_of(loop).remote_capacity, TASKS * 2);

    OK(pirn_task_post(loop, note_task, "8", NULL));
    GIVES(pirn_task_cancel(loop, tasks[3]), -ENOENT);
    OK(pirn_task_cancel(loop, tasks[6]));
    EQUAL(write(fds[1], "x", 1), 1);
    uint64_t end = monotonic_ns() + 5 * SECOND;
    while ((!strchr(order, 't') || !seen[1].calls) && monotonic_ns() < end)
        GIVES(pirn_turn(loop, SECOND) >= 0, 1);
    CHECK(strstr(order, "012457") != NULL);
    CHECK(strstr(order, "8pq") != NULL);
    EQUAL(raised.calls, 1);
    /* Paused when it was fed: nothing to hear. */
    EQUAL(seen[2].calls, 0);
    CHECK(seen[0].calls > 0 && seen[0].calls == seen[1].calls);
    uint64_t left = 0;
    OK(pirn_timer_remaining(loop, timers[1], &left));
    CHECK(left > 3000 * SECOND);
    GIVES(pirn_timer_stop(loop, timers[0]), -ENOENT);
    OK(pirn_timer_stop(loop, timers[1]));
    OK(pirn_io_remove(loop, io[1]));
    OK(pirn_io_remove(loop, io[0]));
    OK(pirn_io_remove(loop, io[2]));
    GIVES(pirn_io_remove(loop, io[2]), -ENOENT);
    CLOSE(loop);
    free(memory);
    close_all(fds, 2);
}

/* A block in use, one that is too small, the wrong moment: an error, and nothing has changed. */
static void bad_growth_is_refused(void)
{
    struct pirn_loop *loop;
    struct pirn_io io[IO];
    size_t size, small_size;
    void *memory = block_for(IO, TIMERS, TASKS, &size),
        *small = block_for(IO / 2, TIMERS, TASKS, &small_size);
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    void *free_memory = &fd;
    size_t free_size = 7;

    MUST(fd >= 0);
    OPEN(loop, block, the_backend);
    GIVES(pirn_grow(NULL, memory, size, IO, TIMERS, TASKS, &free_memory, &free_size), -EINVAL);
    GIVES(grow(loop, NULL, size, IO, TIMERS, TASKS), -EINVAL);
    GIVES(grow(loop, block, sizeof block, IO, TIMERS, TASKS), -EINVAL);
    GIVES(grow(loop, (char *)memory + 1, size, IO, TIMERS, TASKS), -EFAULT);
    GIVES(pirn_grow(loop, memory, size - 8, IO, TIMERS, TASKS, &free_memory, &free_size), -ENOBUFS);
    CHECK(free_memory == &fd && free_size == 7);
    for (int at = 0; at < IO; at++)
        OK(pirn_io_add(loop, fd, PIRN_READ, see_io, NULL, &io[at]));
    GIVES(grow(loop, small, small_size, IO / 2, TIMERS, TASKS), -EBUSY);
    OK(pirn_verify(loop));
    EQUAL(stats_of(loop).io_capacity, IO);
    /* Slots of low numbers are enough. */
    for (int at = IO / 2; at < IO; at++)
        OK(pirn_io_remove(loop, io[at]));
    OK(grow(loop, small, small_size, IO / 2, TIMERS, TASKS));
    OK(pirn_verify(loop));
    GIVES(pirn_io_add(loop, fd, PIRN_READ, see_io, NULL, NULL), -ENOSPC);
    GIVES(pirn_io_remove(loop, io[IO - 1]), -ENOENT);
    OK(pirn_io_remove(loop, io[0]));
    OK(pirn_io_add(loop, fd, PIRN_READ, see_io, NULL, NULL));
    /* What was fetched must be dispatched first. */
    EQUAL(eventfd_write(fd, 1), 0);
    uint64_t timeout;
    OK(pirn_prepare(loop, 0, &timeout));
    if (pirn_wait(loop, 0) > 0) {
        GIVES(grow(loop, memory, size, IO, TIMERS, TASKS), -EBUSY);
        CHECK(pirn_dispatch(loop) > 0);
    }
    OK(grow(loop, memory, size, IO, TIMERS, TASKS));
    CLOSE(loop);
    /* The first block is a block as before. */
    MUST(open_loop(&loop, block, sizeof block, the_backend, 0, 0, 0) == 0);
    EQUAL(stats_of(loop).io_capacity, IO);
    CLOSE(loop);
    free(memory);
    free(small);
    close(fd);
}

static void grow_inside(struct pirn_loop *loop, void *user)
{
    GIVES(grow(loop, user, 4096, 1, 1, 1), -EBUSY);
}

static void callbacks_cannot_grow(void)
{
    struct pirn_loop *loop;
    size_t size;
    void *memory = block_for(1, 1, 1, &size);
    OPEN(loop, block, the_backend);
    OK(pirn_task_post(loop, grow_inside, memory, NULL));
    GIVES(pirn_turn(loop, 0), 1);
    CLOSE(loop);
    free(memory);
}

/* A server that doubles whenever it is full, from 16 clients to 16,384, and back. */
enum { CLIENTS = 16384 };
static struct seen clients[CLIENTS];
static struct pirn_io handles[CLIENTS];
static int fds[CLIENTS];

static void a_server_grows(void)
{
    struct pirn_loop *loop;
    struct rlimit limit;
    uint32_t io = IO, most = CLIENTS, times = 0;
    void *memory = NULL;
    size_t size;

    MUST(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max < CLIENTS + 64 ? limit.rlim_max : CLIENTS + 64;
    MUST(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    while (limit.rlim_cur < most + 64)
        most /= 2;
    OPEN(loop, block, the_backend);
    for (uint32_t at = 0; at < most; at++) {
        MUST((fds[at] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) >= 0);
        int rc = pirn_io_add(loop, fds[at], PIRN_READ, see_io, &clients[at], &handles[at]);
        if (rc == -ENOSPC || rc == -ERANGE) {
            io *= 2;
            void *larger = block_for(io, TIMERS, TASKS, &size), *old;
            OK(pirn_grow(loop, larger, size, io, TIMERS, TASKS, &old, NULL));
            CHECK(memory == NULL || old == memory);
            free(memory);
            memory = larger;
            times++;
            rc = pirn_io_add(loop, fds[at], PIRN_READ, see_io, &clients[at], &handles[at]);
        }
        EQUAL(rc, 0);
    }
    EQUAL(IO << times, io);
    CHECK(io >= most);
    OK(pirn_verify(loop));
    for (uint32_t at = 0; at < most; at++)
        EQUAL(eventfd_write(fds[at], 1), 0);
    uint32_t called = 0;
    for (int turn = 0; turn < 10000 && called < most; turn++) {
        int rc = pirn_turn(loop, 0);
        CHECK(rc > 0);
        called = 0;
        for (uint32_t at = 0; at < most; at++) {
            eventfd_t value;
            if (clients[at].calls)
                (void)(eventfd_read(fds[at], &value) == 0), called++;
        }
    }
    EQUAL(called, most);
    for (uint32_t at = 0; at < most; at++)
        EQUAL(clients[at].fd, fds[at]);
    for (uint32_t at = most; at-- > 0;) {
        OK(pirn_io_remove(loop, handles[at]));
        close(fds[at]);
    }
    void *less = block_for(IO, TIMERS, TASKS, &size);
    OK(grow(loop, less, size, IO, TIMERS, TASKS));
    CLOSE(loop);
    free(memory);
    free(less);
}

static void test(uint32_t backend)
{
    the_backend = backend;
    everything_moves();
    bad_growth_is_refused();
    callbacks_cannot_grow();
    /* The host of these tests has room for few fds. */
    if (backend != PIRN_BACKEND_HOST)
        a_server_grows();
}

int main(int argc, char **argv)
{
    return run_on_backends(argc, argv, test);
}
