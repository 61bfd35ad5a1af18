/*
 * Prints what a loop costs, and makes one on a host: compiled for 32 bits and for a library that
 * has nothing but hosts.
 */
#include <stdio.h>

#include <pirn.h>

static uint64_t block[PIRN_STORAGE_SIZE(2, 2, 2) / 8];

static uint64_t host_now(void *user)
{
    return ++*(uint64_t *)user;
}

static int host_wait(uint64_t timeout_ns, struct pirn_ready *ready, size_t capacity, void *user)
{
    (void)capacity;
    if (timeout_ns != PIRN_FOREVER)
        *(uint64_t *)user += timeout_ns;
    ready[0].fd = 7;
    ready[0].ready = PIRN_READ;
    return 1;
}

static void on_io(struct pirn_loop *loop, struct pirn_io io, int fd, uint32_t ready, void *user)
{
    *(int *)user += fd == 7 && ready == PIRN_READ ? 100 : 0;
    (void)pirn_io_remove(loop, io);
}

static void on_timer(struct pirn_loop *loop, struct pirn_timer timer, uint64_t missed, void *user)
{
    (void)loop, (void)timer, (void)missed;
    *(int *)user += 10;
}

static void on_task(struct pirn_loop *loop, void *user)
{
    (void)loop;
    *(int *)user += 1;
}

int main(void)
{
    static uint64_t clock = 1000;
    struct pirn_host host = { sizeof host, 0, &clock, host_now, host_wait, NULL, NULL };
    struct pirn_config config = { sizeof config, PIRN_BACKEND_HOST, 2, 2, 2, 0, 0, 0, &host };
    struct pirn_loop *loop;
    int calls = 0;
    printf("pointer %zu\n", sizeof(void *));
    printf("base %zu\n", pirn_storage_size(0, 0, 0));
    printf("io %zu\n", (pirn_storage_size(1000, 0, 0) - pirn_storage_size(0, 0, 0)) / 1000);
    printf("timer %zu\n", (pirn_storage_size(0, 1000, 0) - pirn_storage_size(0, 0, 0)) / 1000);
    printf("task %zu\n", (pirn_storage_size(0, 0, 1000) - pirn_storage_size(0, 0, 0)) / 1000);
    if (pirn_storage_size(2, 2, 2) != sizeof block)
        return 1;
    if (pirn_init(&loop, block, sizeof block, &config) != 0)
        return 2;
    if (pirn_io_add(loop, 7, PIRN_READ, on_io, &calls, NULL) != 0 ||
        pirn_task_post(loop, on_task, &calls, NULL) != 0 ||
        pirn_timer_start(loop, 1000, 0, 0, on_timer, &calls, NULL) != 0 ||
        pirn_remote_post(loop, on_task, &calls) != 0)
        return 3;
    if (pirn_run(loop) != PIRN_DONE || calls != 112)
        return 4;
    return pirn_verify(loop) == 0 && pirn_deinit(loop) == 0 ? 0 : 5;
}
