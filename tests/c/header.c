/*
 * The header by itself: every name in it used, and a block declared wherever one may be. Compiled
 * as C99 to C17 and as C++, with every warning an error. T119. Also linked and run.
 */
#include <pirn.h>

/* At file scope, with and without static. */
PIRN_STORAGE(shown, 1, 2, 3);
static PIRN_STORAGE(hidden, 4, 5, 6);

/* The same without an initialiser. */
PIRN_ZERO_STORAGE(shown_zero, 1, 2, 3);
static PIRN_ZERO_STORAGE(hidden_zero, 4, 5, 6);
static struct {
    int before;
    PIRN_ZERO_STORAGE(block, 7, 0, 1);
} server;

/* The size is a constant expression. */
typedef char size_is_constant[PIRN_STORAGE_SIZE(64, 16, 32) > 0 ? 1 : -1];
enum { SIZE = PIRN_STORAGE_SIZE(7, 7, 7) };
static unsigned char plain[PIRN_STORAGE_SIZE(1, 1, 1)];

#define USE(value) ((void)(value))

static void on_io(struct pirn_loop *loop, struct pirn_io io, int fd, uint32_t ready, void *user)
{
    USE(fd);
    USE(ready);
    USE(user);
    USE(pirn_io_remove(loop, io));
}

static void on_timer(struct pirn_loop *loop, struct pirn_timer timer, uint64_t missed, void *user)
{
    USE(missed);
    USE(user);
    USE(pirn_timer_stop(loop, timer));
}

static void on_task(struct pirn_loop *loop, void *user)
{
    USE(loop);
    ++*(int *)user;
}

static uint32_t constants(void)
{
    uint32_t bits = PIRN_READ | PIRN_WRITE | PIRN_URGENT | PIRN_ERROR | PIRN_HANGUP | PIRN_INVALID |
        PIRN_PEER_CLOSED;
    bits |= PIRN_EDGE | PIRN_ONESHOT | PIRN_EXCLUSIVE | PIRN_HIGH | PIRN_LOW | PIRN_UNREF;
    bits |= PIRN_TIMER_ABSOLUTE | PIRN_TIMER_CACHED | PIRN_TIMER_FIXED_DELAY | PIRN_TIMER_SKIP;
    bits |= PIRN_CAN_EDGE | PIRN_CAN_EXCLUSIVE | PIRN_CAN_FD | PIRN_CAN_NANOSECONDS | PIRN_MEASURE |
        PIRN_NO_FORK_CHECK | PIRN_VERSION;
    switch (bits) {
    case PIRN_BACKEND_AUTO:
    case PIRN_BACKEND_SELECT:
    case PIRN_BACKEND_POLL:
    case PIRN_BACKEND_EPOLL:
    case PIRN_BACKEND_HOST:
        return 0;
    default:
        return bits;
    }
}

/* Makes a loop in the block, and looks whether it has these capacities. */
static int is_of(void *block, size_t size, const struct pirn_config *config, uint32_t io,
                 uint32_t timers, uint32_t tasks)
{
    struct pirn_loop *loop;
    struct pirn_stats stats;
    stats.size = (uint32_t)sizeof stats;
    return size == pirn_storage_size(io, timers, tasks)
        && pirn_init(&loop, block, size, config) == 0 && pirn_stats(loop, &stats) == 0
        && stats.io_capacity == io && stats.timer_capacity == timers
        && stats.task_capacity == tasks && pirn_deinit(loop) == 0;
}

static int zero_storage(void)
{
    PIRN_ZERO_STORAGE(block, 3, 3, 3);      /* on the stack */
    struct pirn_config of_block = PIRN_CONFIG(block);
    struct pirn_config of_shown = PIRN_CONFIG(shown_zero);
    struct pirn_config of_hidden = PIRN_CONFIG(hidden_zero);
    struct pirn_config of_server = PIRN_CONFIG(server.block);
    return is_of(block, sizeof block, &of_block, 3, 3, 3)
        && is_of(shown_zero, sizeof shown_zero, &of_shown, 1, 2, 3)
        && is_of(hidden_zero, sizeof hidden_zero, &of_hidden, 4, 5, 6)
        && is_of(server.block, sizeof server.block, &of_server, 7, 0, 1);
}

/* A handle survives as an integer and as a pointer. */
static int handles_convert(struct pirn_io io, struct pirn_timer timer)
{
    struct pirn_task task = { 3, 0x80000001u };
    struct pirn_io no_io = pirn_io_from_u64(0);
    uint64_t of_io = pirn_io_to_u64(io), of_timer = pirn_timer_to_u64(timer);
    if (pirn_task_to_u64(task) != ((uint64_t)0x80000001u << 32 | 3) || of_io == 0 || of_timer == 0)
        return 0;
    if (pirn_task_from_u64(pirn_task_to_u64(task)).slot != 3)
        return 0;
    if (no_io.slot != 0 || no_io.generation != 0)
        return 0;
#if UINTPTR_MAX >= UINT64_MAX
    if (pirn_io_to_u64(pirn_io_from_pointer(pirn_io_to_pointer(io))) != of_io)
        return 0;
    if (pirn_timer_to_u64(pirn_timer_from_pointer(pirn_timer_to_pointer(timer))) != of_timer)
        return 0;
    if (pirn_task_from_pointer(pirn_task_to_pointer(task)).generation != task.generation)
        return 0;
#endif
    return pirn_io_from_u64(of_io).generation == io.generation
        && pirn_timer_from_u64(of_timer).slot == timer.slot;
}

int main(void)
{
    PIRN_STORAGE(block, 64, 16, 32);        /* on the stack */
    int calls = 0;
    struct pirn_loop *loop = 0;
    struct pirn_config config;
    struct pirn_io io = { 0, 0 };
    struct pirn_timer timer;
    pirn_io_fn io_fn = on_io;
    pirn_timer_fn timer_fn = on_timer;
    pirn_task_fn task_fn = on_task;
    uint64_t limit = PIRN_FOREVER;
    uint64_t magic = PIRN_STORAGE_MAGIC;
    struct pirn_config *all = &config;

    all->size = (uint32_t)sizeof config;
    all->backend = PIRN_BACKEND_AUTO;
    all->io = all->timers = all->tasks = all->flags = all->seed = all->reserved = 0;
    all->host = 0;
    if (constants() == 0 || block[0] != magic || shown[0] != magic || hidden[0] != magic ||
        plain[0] != 0)
        return 1;
    if (sizeof block != pirn_storage_size(64, 16, 32) || SIZE != pirn_storage_size(7, 7, 7))
        return 2;
    if (!zero_storage())
        return 8;
    if (pirn_init(&loop, block, sizeof block, &config) != 0)
        return 3;
    if (pirn_io_add(loop, 0, 0, io_fn, 0, &io) != 0)
        return 4;
    if (pirn_timer_start(loop, 0, 0, 0, timer_fn, 0, &timer) != 0 || !handles_convert(io, timer))
        return 9;
    io = pirn_io_from_u64(pirn_io_to_u64(io));
    if (pirn_timer_stop(loop, timer) != 0 || pirn_io_remove(loop, io) != 0)
        return 10;
    if (pirn_timer_start(loop, 0, 0, 0, timer_fn, 0, &timer) != 0 ||
        pirn_task_post(loop, task_fn, &calls, 0) != 0)
        return 5;
    if (pirn_run_until(loop, limit) != PIRN_DONE || calls != 1)
        return 6;
    return pirn_deinit(loop) == 0 ? 0 : 7;
}
