/*
 * pirn_init and pirn_deinit refuse wrong blocks, configurations and hosts. T63, T109, T112, T115,
 * T116.
 */
#include "test.h"

#include <sys/mman.h>
#include <sys/resource.h>

#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/resource.h>

DECLARE_BLOCK(block);
static uint64_t plain[sizeof block / 8];
static uint64_t elsewhere[sizeof block / 8];
static uint32_t the_backend;

/* By how much a block is smaller that is declared with PIRN_HOST_ONLY. */
#define LESS_FOR_HOST_ONLY (PIRN_STORAGE_BASE - (sizeof(void *) == 8 ? 1584 : 1080))

static struct pirn_loop *const NOT_WRITTEN = (struct pirn_loop *)(void *)&the_backend;

static struct pirn_config config_of(uint32_t io, uint32_t timers, uint32_t tasks)
{
    struct pirn_config config;
    memset(&config, 0, sizeof config);
    config.size = sizeof config;
    config.backend = the_backend;
    config.io = io;
    config.timers = timers;
    config.tasks = tasks;
    if (the_backend == PIRN_BACKEND_HOST)
        config.host = new_host();
    return config;
}

/* Init refuses with `error`, writes nothing into the output, and leaves no fd open. */
#define REFUSES(memory, size, config, error) \
    do { \
        struct pirn_loop *made = NOT_WRITTEN; \
        int before = open_fd_count(); \
        GIVES(pirn_init(&made, memory, size, config), error); \
        if (!CHECK(made == NOT_WRITTEN)) \
            pirn_deinit(made); \
        EQUAL(open_fd_count(), before); \
    } while (0)

/* Init accepts, the loop works, and the block can be used again. */
#define ACCEPTS(memory, size, config) ACCEPTS_AND(memory, size, config, 0)

/* A loop whose events are taken refuses to be turned. */
#define ACCEPTS_AND(memory, size, config, turn) \
    do { \
        struct pirn_loop *made = NULL; \
        if (OK(pirn_init(&made, memory, size, config))) { \
            CHECK((void *)made == (void *)(memory)); \
            OK(pirn_verify(made)); \
            GIVES(pirn_turn(made, 0), turn); \
            OK(pirn_deinit(made)); \
            GIVES(pirn_deinit(made), -EINVAL); \
        } \
    } while (0)

/* T109: NULLs, with a length of 0 too. */
static void nulls_are_refused(void)
{
    struct pirn_config config = config_of(0, 0, 0);
    GIVES(pirn_init(NULL, block, sizeof block, &config), -EINVAL);
    GIVES(pirn_init(NULL, NULL, 0, NULL), -EINVAL);
    REFUSES(NULL, sizeof block, &config, -EINVAL);
    REFUSES(NULL, 0, NULL, -EINVAL);
    REFUSES(block, 0, &config, -ENOBUFS);
    GIVES(pirn_deinit(NULL), -EINVAL);
    GIVES(pirn_after_fork(NULL), -EINVAL);
}

/* Too small by one, by all but one, huge; misaligned by 1 to 7. */
/* How a machine aligns the words of a block: i386 to 4 bytes. */
struct words {
    char byte;
    uint64_t word;
};

static void blocks_too_small_or_misaligned_are_refused(void)
{
    struct pirn_config config = config_of(0, 0, 0);
    struct pirn_config given = config_of(IO, TIMERS, TASKS);
    EQUAL(sizeof block, PIRN_STORAGE_SIZE(IO, TIMERS, TASKS));
    EQUAL(sizeof block, pirn_storage_size(IO, TIMERS, TASKS));
    for (size_t size = 0; size < sizeof block; size += size < 64 ? 1 : 37) {
        /* A size computed with PIRN_HOST_ONLY gives an error of its own. */
        int error = size == sizeof block - LESS_FOR_HOST_ONLY ? -ELIBBAD : -ENOBUFS;
        REFUSES(block, size, &config, error);
        REFUSES(plain, size, &given, error);
    }
    REFUSES(block, sizeof block - LESS_FOR_HOST_ONLY, &config, -ELIBBAD);
    REFUSES(plain, sizeof plain - LESS_FOR_HOST_ONLY, &given, -ELIBBAD);
    REFUSES(block, sizeof block - 1, &config, -ENOBUFS);
    REFUSES(plain, sizeof plain - 1, &given, -ENOBUFS);
    for (size_t by = 1; by < offsetof(struct words, word); by++) {
        REFUSES((char *)block + by, sizeof block - 8, &given, -EFAULT);
        REFUSES((char *)plain + by, sizeof plain - by, &config, -EFAULT);
    }
    given = config_of(UINT32_MAX, UINT32_MAX, UINT32_MAX);
    REFUSES(plain, sizeof plain, &given, -ENOBUFS);
    given = config_of(UINT32_MAX, 0, 0);
    REFUSES(plain, sizeof plain, &given, -ENOBUFS);
    given = config_of(0, UINT32_MAX, 0);
    REFUSES(plain, sizeof plain, &given, -ENOBUFS);
    given = config_of(0, 0, UINT32_MAX);
    REFUSES(plain, sizeof plain, &given, -ENOBUFS);
    given = config_of(IO + 1, TIMERS, TASKS);
    REFUSES(plain, sizeof plain, &given, -ENOBUFS);
    REFUSES(block, sizeof block, &given, -ENOBUFS);
    ACCEPTS(block, sizeof block, &config);
}

/* What happens to be in the memory makes no difference, and is never taken for a loop. */
static void garbage_is_no_loop_and_no_obstacle(void)
{
    static const unsigned char fills[] = { 0x00, 0xff, 0xaa, 0x55, 0x01 };
    for (unsigned round = 0; round < sizeof fills + 3; round++) {
        struct pirn_config none = config_of(0, 0, 0), given = config_of(IO, TIMERS, TASKS);
        struct pirn_loop *fake = (struct pirn_loop *)(void *)plain;
        for (size_t at = 0; at < sizeof plain / 8; at++) {
            plain[at] = random_word();
            if (round < sizeof fills)
                memset(&plain[at], fills[round], 8);
        }
        GIVES(pirn_verify(fake), -EINVAL);
        GIVES(pirn_run(fake), -EINVAL);
        GIVES(pirn_turn(fake, 0), -EINVAL);
        GIVES(pirn_stop(fake), -EINVAL);
        GIVES(pirn_remote_post(fake, see_task, NULL), -EINVAL);
        GIVES(pirn_raise(fake, 0), -EINVAL);
        GIVES(pirn_wake(fake), -EINVAL);
        GIVES(pirn_deinit(fake), -EINVAL);
        REFUSES(plain, sizeof plain, &none, -ENODATA);
        ACCEPTS(plain, sizeof plain, &given);
    }
}

/*
 * The unused part of a block of several GiB is not touched. (Only if the machine has that many
 * addresses.
 */
static void huge_blocks_are_welcome(void)
{
    struct pirn_config given = config_of(IO, TIMERS, TASKS);
    size_t size = sizeof(void *) == 8 ? (size_t)5 << 30 : (size_t)1 << 29;
    struct rusage before, after;
    void *huge = mmap(NULL, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    MUST(huge != MAP_FAILED);
    getrusage(RUSAGE_SELF, &before);
    ACCEPTS(huge, size, &given);
    getrusage(RUSAGE_SELF, &after);
    CHECK(after.ru_minflt - before.ru_minflt < 1024);
    MUST(munmap(huge, size) == 0);
}

/* An empty list, or a ring of one, points to itself: it is no loop. */
static void memory_that_points_to_itself_is_no_loop(void)
{
    struct pirn_config given = config_of(IO, TIMERS, TASKS);
    struct pirn_loop *fake = (struct pirn_loop *)(void *)plain;
    for (size_t words = 1; words <= sizeof plain / 8; words *= 2) {
        memset(plain, 0, sizeof plain);
        for (size_t at = 0; at < words; at++)
            plain[at] = (uintptr_t)plain;
        GIVES(pirn_remote_post(fake, see_task, NULL), -EINVAL);
        GIVES(pirn_turn(fake, 0), -EINVAL);
        GIVES(pirn_deinit(fake), -EINVAL);
        ACCEPTS(plain, sizeof plain, &given);
    }
}

/*
 * T112: a live block is busy; an ended one is no loop, but a block again that knows its capacities.
 */
static void init_and_deinit_alternate(void)
{
    struct pirn_config config = config_of(0, 0, 0);
    struct pirn_config given = config_of(4, 4, 4);
    struct pirn_loop *loop = NULL;
    struct pirn_io io;
    struct seen seen = { 0 };
    int pipe_fds[2];
    MUST(pipe2(pipe_fds, O_NONBLOCK | O_CLOEXEC) == 0);
    for (int life = 0; life < 3; life++) {
        if (!OK(pirn_init(&loop, block, sizeof block, &config)))
            return;
        OK(pirn_io_add(loop, pipe_fds[0], PIRN_READ, see_io, &seen, &io));
        REFUSES(block, sizeof block, &config, -EBUSY);
        REFUSES(block, sizeof block, &given, -EBUSY);
        /* The refused init has not touched it. */
        OK(pirn_verify(loop));
        EQUAL(write(pipe_fds[1], "x", 1), 1);
        GIVES(pirn_turn(loop, 0), 1);
        EQUAL(seen.calls, life + 1);
        EQUAL(stats_of(loop).io_capacity, IO);
        EQUAL(stats_of(loop).timer_capacity, TIMERS);
        EQUAL(stats_of(loop).task_capacity, TASKS);
        EQUAL(stats_of(loop).remote_capacity, (TASKS + 1) / 2);
        EQUAL(stats_of(loop).block_size, sizeof block);
        OK(pirn_deinit(loop));
        GIVES(pirn_deinit(loop), -EINVAL);
        GIVES(pirn_io_remove(loop, io), -EINVAL);
        GIVES(pirn_turn(loop, 0), -EINVAL);
        GIVES(pirn_wake(loop), -EINVAL);
        GIVES(pirn_verify(loop), -EINVAL);
        char byte;
        EQUAL(read(pipe_fds[0], &byte, 1), 1);
    }
    close_all(pipe_fds, 2);
}

/* T116: a copied or moved block is no loop; the original goes on. */
static void a_moved_loop_is_found_out(void)
{
    struct pirn_config config = config_of(0, 0, 0), given = config_of(4, 4, 4);
    struct pirn_loop *loop, *copy = (struct pirn_loop *)(void *)elsewhere;
    struct pirn_timer timer;
    struct seen seen = { 0 };
    if (!OK(pirn_init(&loop, block, sizeof block, &config)))
        return;
    OK(pirn_timer_start(loop, 0, 0, 0, see_timer, &seen, &timer));
    memcpy(elsewhere, block, sizeof block);
    GIVES(pirn_verify(copy), -EINVAL);
    GIVES(pirn_turn(copy, 0), -EINVAL);
    GIVES(pirn_timer_stop(copy, timer), -EINVAL);
    GIVES(pirn_wake(copy), -EINVAL);
    GIVES(pirn_deinit(copy), -EINVAL);
    REFUSES(elsewhere, sizeof elsewhere, &config, -ENODATA);
    ACCEPTS(elsewhere, sizeof elsewhere, &given);
    GIVES(pirn_turn(loop, 0), 1);
    EQUAL(seen.calls, 1);
    CLOSE(loop);
}

static void unknown_backends_and_flags_are_refused(void)
{
    struct pirn_config config = config_of(0, 0, 0);
    struct pirn_host const *host = config.host ? config.host : new_host();
    for (uint32_t backend = PIRN_BACKEND_HOST + 1; backend != 0; backend <<= 1) {
        config.backend = backend;
        REFUSES(block, sizeof block, &config, -EINVAL);
    }
    config.backend = UINT32_MAX;
    REFUSES(block, sizeof block, &config, -EINVAL);
    config.backend = the_backend;
    for (uint32_t flag = 1; flag != 0; flag <<= 1) {
        config.flags = flag;
        if (flag == PIRN_MEASURE || flag == PIRN_TAKE || flag == PIRN_NO_FORK_CHECK)
            ACCEPTS_AND(block, sizeof block, &config, flag == PIRN_TAKE ? -EOPNOTSUPP : 0);
        else
            REFUSES(block, sizeof block, &config, -EINVAL);
    }
    config.flags = 0;
    config.reserved = 1;
    REFUSES(block, sizeof block, &config, -EINVAL);
    config.reserved = 0;
    /* A host belongs to its backend, and to no other. */
    for (uint32_t backend = PIRN_BACKEND_AUTO; backend <= PIRN_BACKEND_HOST; backend++) {
        config.backend = backend;
        config.host = backend == PIRN_BACKEND_HOST ? NULL : host;
        REFUSES(block, sizeof block, &config, -EINVAL);
    }
}

/* T115: the size field gives the length of the struct. */
static void config_may_be_shorter_or_longer(void)
{
    struct {
        struct pirn_config config;
        unsigned char tail[64];
    } longer;
    memset(&longer, 0, sizeof longer);
    longer.config = config_of(0, 0, 0);
    for (uint32_t size = 0; size < 4; size++) {
        longer.config.size = size;
        REFUSES(block, sizeof block, &longer.config, -EBADMSG);
    }
    for (uint32_t size = sizeof longer.config; size <= sizeof longer; size++) {
        longer.config.size = size;
        ACCEPTS(block, sizeof block, &longer.config);
    }
    for (uint32_t at = 0; at < sizeof longer.tail; at++) {
        longer.tail[at] = 1;
        longer.config.size = (uint32_t)sizeof longer.config + at;
        ACCEPTS(block, sizeof block, &longer.config);
        longer.config.size = (uint32_t)sizeof longer.config + at + 1;
        REFUSES(block, sizeof block, &longer.config, -E2BIG);
        longer.config.size = sizeof longer;
        REFUSES(block, sizeof block, &longer.config, -E2BIG);
        longer.tail[at] = 0;
    }
    /*
     * Shorter: what is missing is zero. Read no further: the memory after it belongs to another
     * (ASan watches).
     */
    uint32_t *shorter = malloc(5 * sizeof *shorter);
    MUST(shorter);
    struct pirn_config whole = config_of(IO, TIMERS, TASKS);
    memcpy(shorter, &whole, 5 * sizeof *shorter);
    shorter[0] = 5 * sizeof *shorter;
    if (the_backend == PIRN_BACKEND_HOST)
        REFUSES(plain, sizeof plain, (const struct pirn_config *)(const void *)shorter, -EINVAL);
    else
        ACCEPTS(plain, sizeof plain, (const struct pirn_config *)(const void *)shorter);
    free(shorter);
    /* Only the size: everything is the default. */
    shorter = malloc(sizeof *shorter);
    MUST(shorter);
    *shorter = sizeof *shorter;
    ACCEPTS(block, sizeof block, (const struct pirn_config *)(const void *)shorter);
    memset(elsewhere, 0, sizeof elsewhere);
    const struct pirn_config *size_alone = (const void *)shorter;
    REFUSES(elsewhere, sizeof elsewhere, size_alone, -ENODATA);
    free(shorter);
}

/* A size that was never set is whatever was there: no more is read than any struct may have. */
static void a_size_that_is_garbage_is_not_believed(void)
{
    static const uint32_t sizes[] = { 257, 4096, 0x7f7f7f7f, UINT32_MAX };
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *memory = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct pirn_config *config = (void *)(memory + page - sizeof *config);
    struct pirn_config with_host = config_of(0, 0, 0);
    struct pirn_host *host = (void *)(memory + page - sizeof *host);
    MUST(memory != MAP_FAILED && munmap(memory + page, page) == 0);
    *config = config_of(0, 0, 0);
    for (size_t of = 0; of < sizeof sizes / sizeof *sizes; of++) {
        config->size = sizes[of];
        REFUSES(block, sizeof block, config, -E2BIG);
    }
    if (the_backend == PIRN_BACKEND_HOST) {
        *host = *with_host.host;
        with_host.host = host;
        for (size_t of = 0; of < sizeof sizes / sizeof *sizes; of++) {
            host->size = sizes[of];
            REFUSES(block, sizeof block, &with_host, -E2BIG);
        }
    }
    MUST(munmap(memory, page) == 0);
}

static void a_host_must_be_whole(void)
{
    struct {
        struct pirn_host host;
        unsigned char tail[16];
    } given;
    struct pirn_config config = config_of(0, 0, 0);
    if (the_backend != PIRN_BACKEND_HOST)
        return;
    memset(&given, 0, sizeof given);
    given.host = *config.host;
    config.host = &given.host;
    ACCEPTS(block, sizeof block, &config);
    given.host.now = NULL;
    REFUSES(block, sizeof block, &config, -EINVAL);
    given.host.now = host_now;
    given.host.wait = NULL;
    REFUSES(block, sizeof block, &config, -EINVAL);
    given.host.wait = host_wait;
    given.host.capabilities = PIRN_CAN_FD;
    REFUSES(block, sizeof block, &config, -EINVAL);
    given.host.capabilities = 0;
    /* Missing fields are zero; half a pointer counts as missing. */
    for (uint32_t size = 0; size < offsetof(struct pirn_host,
                                            wait) + sizeof given.host.wait; size++) {
        given.host.size = size;
        REFUSES(block, sizeof block, &config, size < 4 ? -EBADMSG : -EINVAL);
    }
    given.host.size = sizeof given;
    ACCEPTS(block, sizeof block, &config);
    given.tail[15] = 1;
    REFUSES(block, sizeof block, &config, -E2BIG);
    given.host.size = sizeof given.host;
    given.host.watch = NULL;
    given.host.wake = NULL;
    ACCEPTS(block, sizeof block, &config);
}

/* T63: capacities of 0 and 1, and capacities in the block and in the config. */
static void capacities_come_from_config_or_block(void)
{
    struct pirn_loop *loop;
    struct pirn_config config;
    static const uint32_t few[][3] = { { 1, 0, 0 }, { 0, 1, 0 }, { 0, 0, 1 }, { 1, 1, 1 },
                                       { 3, 2, 5 }, { IO, TIMERS, TASKS } };
    for (size_t at = 0; at < sizeof few / sizeof *few; at++) {
        const uint32_t *of = few[at];
        config = config_of(of[0], of[1], of[2]);
        /* The capacities in the config take precedence over those in the block. */
        if (!OK(pirn_init(&loop, block, pirn_storage_size(of[0], of[1], of[2]), &config)))
            continue;
        struct pirn_stats stats = stats_of(loop);
        EQUAL(stats.io_capacity, of[0]);
        EQUAL(stats.timer_capacity, of[1]);
        EQUAL(stats.task_capacity, of[2]);
        EQUAL(stats.remote_capacity, (of[2] + 1) / 2);
        GIVES(pirn_io_add(loop, 0, 0, see_io, NULL, NULL), of[0] ? 0 : -ENOSPC);
        GIVES(pirn_timer_start(loop, SECOND, 0, 0, see_timer, NULL, NULL), of[1] ? 0 : -ENOSPC);
        GIVES(pirn_task_post(loop, see_task, NULL, NULL), of[2] ? 0 : -EAGAIN);
        GIVES(pirn_remote_post(loop, see_task, NULL), of[2] ? 0 : -EAGAIN);
        GIVES(pirn_raise(loop, 63), 0);
        GIVES(pirn_turn(loop, 0), of[2] ? 2 : 0);
        CLOSE(loop);
    }
    /* The block now has the capacities of the last config. */
    config = config_of(0, 0, 0);
    if (OK(pirn_init(&loop, block, sizeof block, &config))) {
        EQUAL(stats_of(loop).io_capacity, IO);
        CLOSE(loop);
    }
    /* A block declared for nothing at all holds a loop that can only be turned. */
    static PIRN_STORAGE(empty, 0, 0, 0);
    struct pirn_config none = config_of(0, 0, 0);
    ACCEPTS(empty, sizeof empty, &none);
}

/* T99: the k-th fd cannot be opened. Init returns the error, and closes the fds opened before. */
static void a_lack_of_fds_is_reported(void)
{
    struct rlimit before, limit;
    struct pirn_config config = config_of(0, 0, 0);
    int lowest = dup(0), needed = the_backend == PIRN_BACKEND_EPOLL ? 2 : 1;
    if (the_backend == PIRN_BACKEND_HOST)
        return;
    MUST(lowest >= 0 && getrlimit(RLIMIT_NOFILE, &before) == 0);
    close(lowest);
    limit = before;
    for (int room = 0; room < needed; room++) {
        limit.rlim_cur = (rlim_t)(lowest + room);
        MUST(setrlimit(RLIMIT_NOFILE, &limit) == 0);
        REFUSES(block, sizeof block, &config, -EMFILE);
    }
    limit.rlim_cur = (rlim_t)(lowest + needed);
    MUST(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    ACCEPTS(block, sizeof block, &config);
    MUST(setrlimit(RLIMIT_NOFILE, &before) == 0);
}

/* A host whose wake-up is held up, and the thread that holds it. */
enum { AWAKE, ASLEEP, WAKING, DONE };
static atomic_int host_state;

static int lazy_wait(uint64_t timeout_ns, struct pirn_ready *ready, size_t capacity, void *user)
{
    (void)ready, (void)capacity, (void)user;
    /* A poster comes while the loop sleeps; the wait ends while the poster is still at it. */
    if (timeout_ns > 0)
        atomic_store(&host_state, ASLEEP);
    while (atomic_load(&host_state) == ASLEEP)
        usleep(100);
    return 0;
}

static void held_up_wake(void *user)
{
    (void)user;
    atomic_store(&host_state, WAKING);
    while (atomic_load(&host_state) == WAKING)
        usleep(100);
}

static void *post_one(void *user)
{
    while (atomic_load(&host_state) != ASLEEP)
        usleep(100);
    CHECK(pirn_remote_post(user, see_task, NULL) == 0);
    return NULL;
}

/* -EBUSY: a poster is just waking the loop. The loop lives on as if nothing had been asked. */
static void a_refused_deinit_changes_nothing(void)
{
    struct pirn_host host = { 0 };
    struct pirn_config config = config_of(0, 0, 0);
    struct pirn_loop *loop;
    struct seen task = { 0 };
    pthread_t thread;
    if (the_backend != PIRN_BACKEND_HOST)
        return;
    host.size = sizeof host;
    host.now = host_now;
    host.wait = lazy_wait;
    host.wake = held_up_wake;
    config.host = &host;
    MUST(pirn_init(&loop, block, sizeof block, &config) == 0);
    MUST(pthread_create(&thread, NULL, post_one, loop) == 0);
    GIVES(pirn_turn(loop, PIRN_FOREVER), 1);
    GIVES(pirn_deinit(loop), -EBUSY);
    OK(pirn_remote_post(loop, see_task, &task));
    OK(pirn_raise(loop, 1));
    OK(pirn_stop(loop));
    GIVES(pirn_turn(loop, 0), 1);
    EQUAL(task.calls, 1);
    GIVES(pirn_run(loop), PIRN_STOPPED);
    GIVES(pirn_deinit(loop), -EBUSY);
    atomic_store(&host_state, DONE);
    MUST(pthread_join(thread, NULL) == 0);
    OK(pirn_deinit(loop));
}

static void test(uint32_t backend)
{
    the_backend = backend;
    nulls_are_refused();
    blocks_too_small_or_misaligned_are_refused();
    garbage_is_no_loop_and_no_obstacle();
    memory_that_points_to_itself_is_no_loop();
    huge_blocks_are_welcome();
    init_and_deinit_alternate();
    a_moved_loop_is_found_out();
    unknown_backends_and_flags_are_refused();
    config_may_be_shorter_or_longer();
    a_size_that_is_garbage_is_not_believed();
    a_host_must_be_whole();
    capacities_come_from_config_or_block();
    a_lack_of_fds_is_reported();
    a_refused_deinit_changes_nothing();
}

int main(int argc, char **argv)
{
    return run_on_backends(argc, argv, test);
}
