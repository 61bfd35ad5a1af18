/*
 * pirn_verify is called when something has written into the block. It must return whatever stands
 * there, and neither crash nor hang: every word of a live loop is overwritten, alone and with
 * others.
 */
#include "test.h"

#include <sys/mman.h>

#define BLOCK (PIRN_STORAGE_SIZE(IO, TIMERS, TASKS) / sizeof(uint64_t))

/* Room for two blocks: the tables of a loop that has grown are in the second. */
static uint64_t memory[2 * BLOCK], before[2 * BLOCK];
static size_t words;

/* Where a child is, for the parent that finds it dead. */
static volatile uint64_t *progress;

/*
 * A loop with something in every list: fds that are shared, paused and fed, timers, tasks and
 * posts, in a turn that was cut short.
 */
static struct pirn_loop *busy_loop(uint32_t backend, int has_grown)
{
    struct pirn_loop *loop;
    struct pirn_io io;
    struct pirn_timer timer;
    struct pirn_task task;
    int fds[2];
    MUST(open_loop(&loop, memory, sizeof memory / 2, backend, IO, TIMERS, TASKS) == 0);
    words = BLOCK;
    if (has_grown) {
        OK(pirn_grow(loop, memory + BLOCK, sizeof memory / 2, IO, TIMERS, TASKS, NULL, NULL));
        words = 2 * BLOCK;
    }
    MUST(pipe(fds) == 0 && write(fds[1], "x", 1) == 1);
    OK(pirn_io_add(loop, fds[0], PIRN_READ, see_io, NULL, NULL));
    OK(pirn_io_add(loop, fds[0], PIRN_READ | PIRN_LOW, see_io, NULL, &io));
    OK(pirn_io_add(loop, fds[0], PIRN_READ | PIRN_UNREF, see_io, NULL, NULL));
    OK(pirn_io_add(loop, fds[1], 0, see_io, NULL, NULL));
    OK(pirn_raise_add(loop, 0, 0, see_io, NULL, NULL));
    OK(pirn_raise_add(loop, 63, PIRN_HIGH, see_io, NULL, NULL));
    OK(pirn_hook_add(loop, PIRN_HOOK_LAST, 0, see_io, NULL, NULL));
    OK(pirn_hook_add(loop, PIRN_HOOK_IDLE, PIRN_UNREF, see_io, NULL, NULL));
    for (uint64_t at = 0; at < 3; at++)
        OK(pirn_timer_start(loop, 0, 0, PIRN_TIMER_CACHED, see_timer, NULL, NULL));
    OK(pirn_timer_start(loop, SECOND, SECOND, PIRN_TIMER_SKIP, see_timer, NULL, &timer));
    OK(pirn_timer_slack(loop, timer, MILLISECOND));
    OK(pirn_timer_start(loop, 100 * SECOND, 0, PIRN_UNREF, see_timer, NULL, NULL));
    OK(pirn_timer_start(loop, PIRN_FOREVER, 0, 0, see_timer, NULL, &timer));
    OK(pirn_timer_stop(loop, timer));
    for (int at = 0; at < 3; at++)
        OK(pirn_task_post(loop, see_task, NULL, &task));
    OK(pirn_task_cancel(loop, task));
    OK(pirn_remote_post(loop, see_task, NULL));
    OK(pirn_io_feed(loop, io, PIRN_READ));
    pirn_limit(loop, 1, 0);
    GIVES(pirn_turn(loop, 0), 1);
    OK(pirn_io_modify(loop, io, PIRN_READ | PIRN_WRITE));
    OK(pirn_verify(loop));
    memcpy(before, memory, sizeof memory);
    return loop;
}

static void verify(struct pirn_loop *loop)
{
    int result = pirn_verify(loop);
    if (result != 0 && result != -EUCLEAN && result != -EINVAL)
        _exit(3);
}

/* Calls `act` for each number below `count`, in a child; if it dies another goes on behind. */
static void survives(const char *what, uint64_t count, void (*act)(struct pirn_loop *, uint64_t),
                     struct pirn_loop *loop)
{
    uint64_t next = 0;
    for (int deaths = 0; next < count && deaths < 20; deaths++) {
        int status = 0;
        fflush(stdout);
        pid_t child = fork();
        MUST(child >= 0);
        if (child == 0) {
            for (uint64_t at = next; at < count; at++) {
                *progress = at;
                alarm(5);
                act(loop, at);
            }
            _exit(0);
        }
        while (waitpid(child, &status, 0) < 0 && errno == EINTR)
            ;
        check_count++;
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
            return;
        printf("[%s] %s %llu: pirn_verify ends with status 0x%x\n", context, what,
               (unsigned long long)*progress, (unsigned)status);
        failure_count++;
        next = *progress + 1;
    }
}

#define VALUES 12

static void overwrite_one(struct pirn_loop *loop, uint64_t number)
{
    size_t at = (size_t)(number / VALUES);
    uint64_t old = memory[at], own = (uintptr_t)memory;
    const uint64_t values[VALUES] = {
        0, 1, UINT64_MAX, UINT64_C(0xaaaaaaaaaaaaaaaa), UINT64_C(0x100000001), UINT64_C(0x7fffffff),
        own, own + sizeof memory / 2, old + 1, old - 1, old ^ UINT64_C(1) << 63,
        old << 32 | old >> 32
    };
    memory[at] = values[number % VALUES];
    verify(loop);
    memory[at] = old;
    if (pirn_verify(loop) != 0)
        _exit(4);
}

/* Several words at once: random, small, or taken from elsewhere in the block. */
static void overwrite_some(struct pirn_loop *loop, uint64_t number)
{
    random_state = number + 1;
    for (uint64_t many = random_word() % 6; many-- != UINT64_MAX;) {
        uint64_t word = random_word(), *at = &memory[random_word() % words];
        switch (random_word() % 4) {
        case 0: *at = word; break;
        case 1: *at = word % 64; break;
        case 2: *at = before[word % words]; break;
        default: *at ^= UINT64_C(1) << word % 64; break;
        }
    }
    verify(loop);
    memcpy(memory, before, sizeof memory);
}

/* Half words and small numbers: chains that cross, and chains that never end. */
static void tangle(struct pirn_loop *loop, uint64_t number)
{
    random_state = number + 1;
    for (int many = 0; many < 8; many++) {
        uint32_t half = (uint32_t)(random_word() % 9);
        memcpy((char *)memory + random_word() % (2 * words) * 4, &half, sizeof half);
    }
    verify(loop);
    memcpy(memory, before, sizeof memory);
}

static void test(uint32_t backend)
{
    for (int has_grown = 0; has_grown < 2; has_grown++) {
        struct pirn_loop *loop = busy_loop(backend, has_grown);
        survives("overwritten word", words * VALUES, overwrite_one, loop);
        survives("random round", 30000, overwrite_some, loop);
        survives("tangled round", 30000, tangle, loop);
        CLOSE(loop);
    }
}

int main(int argc, char **argv)
{
    progress = mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                    -1, 0);
    MUST(progress != MAP_FAILED);
    return run_on_backends(argc, argv, test);
}
