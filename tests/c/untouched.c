/*
 * A large block costs memory only as it is used: making a loop in it, and using a little of it,
 * touches few pages. The rest may hold anything.
 */
#include "test.h"

#include <sys/mman.h>

#define MANY 1000000
#define FEW 100
#define LARGEST PIRN_STORAGE_SIZE(MANY, MANY, MANY)

/* What a block has much room for. */
struct room {
    const char *of;
    uint32_t io, timers, tasks;
};

static const struct room ROOMS[] = {
    { "watchers", MANY, 1, 1 },
    { "timers", 1, MANY, 1 },
    { "tasks", 1, 1, MANY },
};

static size_t page_size;

static size_t block_size(const struct room *room)
{
    return pirn_storage_size(room->io, room->timers, room->tasks);
}

/* A block that the kernel has given no pages yet. */
static char *map_block(size_t size)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    char *block = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, -1, 0);
    MUST(block != MAP_FAILED);
    /* A page of 2 MB would hide what is touched. */
    (void)madvise(block, size, MADV_NOHUGEPAGE);
    return block;
}

static size_t touched_pages(char *block, size_t size)
{
    static unsigned char is_there[LARGEST / 4096 + 1];
    size_t pages = (size + page_size - 1) / page_size, count = 0;
    MUST(mincore(block, size, is_there) == 0);
    for (size_t page = 0; page < pages; page++)
        count += is_there[page] & 1;
    return count;
}

static struct pirn_loop *open_in(char *block, const struct room *room, uint32_t backend)
{
    struct pirn_loop *loop = NULL;
    MUST(open_loop(&loop, block, block_size(room), backend, room->io, room->timers, room->tasks)
         == 0);
    return loop;
}

/* Adds watchers, each for an fd of its own, and makes them ready: all are called. */
static void use_watchers(struct pirn_loop *loop, int count)
{
    int fds[FEW][2];
    struct seen seen = { 0 };
    for (int i = 0; i < count; i++) {
        MUST(pipe2(fds[i], O_NONBLOCK | O_CLOEXEC) == 0 && write(fds[i][1], "x", 1) == 1);
        OK(pirn_io_add(loop, fds[i][0], PIRN_READ, see_io, &seen, NULL));
    }
    GIVES(pirn_turn(loop, 0), count);
    for (int i = 0; i < count; i++) {
        GIVES(pirn_fd_closing(loop, fds[i][0]), 1);
        close_all(fds[i], 2);
    }
}

static void use_timers(struct pirn_loop *loop, int count)
{
    struct seen seen = { 0 };
    for (int i = 0; i < count; i++)
        OK(pirn_timer_start(loop, 0, 0, 0, see_timer, &seen, NULL));
    GIVES(pirn_turn(loop, 0), count);
}

static void use_tasks(struct pirn_loop *loop, int count)
{
    struct seen seen = { 0 };
    for (int i = 0; i < count; i++)
        OK(pirn_task_post(loop, see_task, &seen, NULL));
    GIVES(pirn_turn(loop, 0), count);
    for (int i = 0; i < count; i++)
        OK(pirn_remote_post(loop, see_task, &seen));
    GIVES(pirn_turn(loop, 0), count);
}

/* What there is much room for is used a little. */
static void use(struct pirn_loop *loop, const struct room *room)
{
    use_watchers(loop, room->io == MANY ? FEW : 1);
    use_timers(loop, room->timers == MANY ? FEW : 1);
    use_tasks(loop, room->tasks == MANY ? FEW : 1);
    OK(pirn_verify(loop));
}

static void few_pages_are_touched(const struct room *room, uint32_t backend)
{
    size_t size = block_size(room);
    char *block = map_block(size);
    struct pirn_loop *loop = open_in(block, room, backend);
    size_t at_init = touched_pages(block, size);
    use(loop, room);
    size_t in_use = touched_pages(block, size);
    /* Every place for a post is written at init: posters are other threads. */
    size_t posts = (room->tasks + 1) / 2 * 2 * sizeof(void *) / page_size;
    if (!CHECK(at_init <= posts + 12))
        printf("%s: %zu pages at init\n", room->of, at_init);
    if (!CHECK(in_use <= at_init + 12))
        printf("%s: %zu pages at init, %zu in use\n", room->of, at_init, in_use);
    OK(pirn_deinit(loop));
    MUST(munmap(block, size) == 0);
}

/* A block that was used for something else. */
static void dirty_block_is_no_different(const struct room *room, uint32_t backend)
{
    size_t size = block_size(room);
    char *block = map_block(size);
    for (int byte = 0; byte < 256; byte += 85) {
        memset(block, byte, size);
        struct pirn_loop *loop = open_in(block, room, backend);
        use(loop, room);
        OK(pirn_deinit(loop));
    }
    MUST(munmap(block, size) == 0);
}

static void test(uint32_t backend)
{
    page_size = (size_t)sysconf(_SC_PAGESIZE);
    for (size_t i = 0; i < sizeof(ROOMS) / sizeof(ROOMS[0]); i++) {
        few_pages_are_touched(&ROOMS[i], backend);
        dirty_block_is_no_different(&ROOMS[i], backend);
    }
}

int main(int argc, char **argv)
{
    return run_on_backends(argc, argv, test);
}
