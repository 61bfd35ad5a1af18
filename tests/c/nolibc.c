/*
 * A program without a C library: own _start, linked with -nostdlib -static. It brings not even
 * memcpy: the library has what it needs. Ends with status 0 if every backend works, else with the
 * line that did not.
 */
#include <pirn.h>

static long system_call(long number, long a, long b, long c)
{
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11",
                     "memory");
    return result;
}

#define NEED(claim) \
    do { if (!(claim)) system_call(231, __LINE__ & 127 ? __LINE__ & 127 : 1, 0, 0); } while (0)

static PIRN_STORAGE(block, 4, 4, 4);
static int calls;

static void on_io(struct pirn_loop *loop, struct pirn_io io, int fd, uint32_t ready, void *user)
{
    char byte;
    (void)user;
    NEED(ready & PIRN_READ);
    NEED(system_call(0, fd, (long)&byte, 1) == 1);
    NEED(pirn_io_remove(loop, io) == 0);
    calls += 1;
}

static void on_timer(struct pirn_loop *loop, struct pirn_timer timer, uint64_t missed, void *user)
{
    (void)timer, (void)missed;
    const int *pipe_fds = user;
    NEED(pirn_remote_post(loop, 0, 0) < 0);
    NEED(system_call(1, pipe_fds[1], (long)"x", 1) == 1);
    calls += 10;
}

static void on_task(struct pirn_loop *loop, void *user)
{
    (void)loop, (void)user;
    calls += 100;
}

void begin(void);
void begin(void)
{
    int pipe_fds[2];
    NEED(system_call(22, (long)pipe_fds, 0, 0) == 0);
    for (uint32_t backend = PIRN_BACKEND_AUTO; backend <= PIRN_BACKEND_EPOLL; backend++) {
        struct pirn_config config;
        struct pirn_loop *loop;
        volatile unsigned char *bytes = (volatile unsigned char *)&config;
        for (size_t at = 0; at < sizeof config; at++)
            bytes[at] = 0;
        config.size = sizeof config;
        config.backend = backend;
        calls = 0;
        NEED(pirn_init(&loop, block, sizeof block, &config) == 0);
        NEED(pirn_io_add(loop, pipe_fds[0], PIRN_READ, on_io, 0, 0) == 0);
        NEED(pirn_timer_start(loop, 1000000, 0, 0, on_timer, pipe_fds, 0) == 0);
        NEED(pirn_task_post(loop, on_task, 0, 0) == 0);
        NEED(pirn_remote_post(loop, on_task, 0) == 0);
        NEED(pirn_run(loop) == PIRN_DONE);
        NEED(calls == 211);
        NEED(pirn_verify(loop) == 0);
        NEED(pirn_deinit(loop) == 0);
    }
    system_call(231, 0, 0, 0);
}

__asm__(".globl _start\n_start: xor %ebp, %ebp\n and $-16, %rsp\n call begin\n");
