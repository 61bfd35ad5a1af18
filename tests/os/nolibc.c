/*
 * The sources in a program without a C library: own _start, linked with -nostdlib -static. Ends
 * with status 0 if every backend works, else with the line that did not.
 */
#include <pirn/os.h>

static long system_call(long number, long a, long b, long c)
{
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c)
                     : "rcx", "r11", "memory");
    return result;
}

enum { KILL = 62, EXIT_GROUP = 231, GETPID = 39, FORK = 57, OPEN = 2, CLOSE = 3 };
enum { SIGUSR1 = 10, CLD_EXITED = 1, IN_OPEN = 0x20 };

#define NEED(claim) \
    do { \
        if (!(claim)) \
            system_call(EXIT_GROUP, __LINE__ & 127 ? __LINE__ & 127 : 1, 0, 0); \
    } while (0)

static PIRN_STORAGE(block, 4, 4, 4);
static int calls;

static void on_signal(struct pirn_loop *loop, struct pirn_signal *signal,
                      const struct pirn_signal_info *info, void *user)
{
    (void)loop, (void)user;
    NEED(info->signo == SIGUSR1 && info->pid == system_call(GETPID, 0, 0, 0));
    NEED(pirn_signal_remove(signal) == 0);
    calls += 1;
}

static void on_child(struct pirn_loop *loop, struct pirn_child *child,
                     const struct pirn_child_status *status, void *user)
{
    (void)loop, (void)child, (void)user;
    NEED(status->code == CLD_EXITED && status->status == 7);
    calls += 10;
}

static void on_clock(struct pirn_loop *loop, struct pirn_clock *clock, uint32_t what,
                     uint64_t missed, void *user)
{
    (void)loop, (void)missed, (void)user;
    NEED(what == PIRN_CLOCK_DUE && pirn_clock_remove(clock) == 0);
    calls += 100;
}

static void on_change(struct pirn_loop *loop, struct pirn_files *files,
                      const struct pirn_file_event *event, void *user)
{
    (void)loop, (void)event, (void)user;
    NEED(pirn_files_remove(files) == 0);
    calls += 1000;
}

void begin(void);
void begin(void)
{
    static struct pirn_signal signal;
    static struct pirn_child child;
    static struct pirn_clock clock;
    static struct pirn_files files;
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
        NEED(pirn_signal_add(loop, &signal, SIGUSR1, PIRN_SIGNAL_BLOCK, on_signal, 0) == 0);
        NEED(system_call(KILL, system_call(GETPID, 0, 0, 0), SIGUSR1, 0) == 0);
        int pid = (int)system_call(FORK, 0, 0, 0);
        if (pid == 0)
            system_call(EXIT_GROUP, 7, 0, 0);
        NEED(pid > 0 && pirn_child_add(loop, &child, pid, 0, on_child, 0) == 0);
        NEED(pirn_clock_add(loop, &clock, PIRN_CLOCK_BOOTTIME, 1, 0, 0, on_clock, 0) == 0);
        NEED(pirn_files_add(loop, &files, 0, on_change, 0) == 0);
        NEED(pirn_files_watch(&files, "/dev/null", IN_OPEN) > 0);
        NEED(system_call(CLOSE, system_call(OPEN, (long)"/dev/null", 0, 0), 0, 0) == 0);
        NEED(pirn_run(loop) == PIRN_DONE);
        NEED(calls == 1111);
        NEED(pirn_deinit(loop) == 0);
    }
    system_call(EXIT_GROUP, 0, 0, 0);
}

__asm__(".globl _start\n_start: xor %ebp, %ebp\n and $-16, %rsp\n call begin\n");
