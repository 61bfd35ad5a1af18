/*
 * A large block costs memory only as it is used: making a loop in it, and adding watchers, touches
 * few pages. The rest may hold anything.
 */
#include "test.h"

#include <sys/mman.h>

#define MANY 1000000
#define FEW 100
#define SIZE PIRN_STORAGE_SIZE(MANY, 1, 1)

static size_t page_size;

/* A block that the kernel has given no pages yet. */
static char *map_block(void)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    char *block = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, flags, -1, 0);
    MUST(block != MAP_FAILED);
    /* A page of 2 MB would hide what is touched. */
    (void)madvise(block, SIZE, MADV_NOHUGEPAGE);
    return block;
}

static size_t touched_pages(char *block)
{
    static unsigned char is_there[SIZE / 4096 + 1];
    size_t pages = (SIZE + page_size - 1) / page_size, count = 0;
    MUST(mincore(block, SIZE, is_there) == 0);
    for (size_t page = 0; page < pages; page++)
        count += is_there[page] & 1;
    return count;
}

static struct pirn_loop *open_in(char *block, uint32_t backend)
{
    struct pirn_loop *loop = NULL;
    MUST(open_loop(&loop, block, SIZE, backend, MANY, 1, 1) == 0);
    return loop;
}

/* Adds watchers, each for an fd of its own, and makes them ready: all are called. */
static void use(struct pirn_loop *loop)
{
    int fds[FEW][2];
    struct seen seen = { 0 };
    for (int i = 0; i < FEW; i++) {
        MUST(pipe2(fds[i], O_NONBLOCK | O_CLOEXEC) == 0 && write(fds[i][1], "x", 1) == 1);
        OK(pirn_io_add(loop, fds[i][0], PIRN_READ, see_io, &seen, NULL));
    }
    GIVES(pirn_turn(loop, 0), FEW);
    OK(pirn_verify(loop));
    for (int i = 0; i < FEW; i++) {
        GIVES(pirn_fd_closing(loop, fds[i][0]), 1);
        close_all(fds[i], 2);
    }
}

static void few_pages_are_touched(uint32_t backend)
{
    char *block = map_block();
    struct pirn_loop *loop = open_in(block, backend);
    size_t at_init = touched_pages(block);
    use(loop);
    size_t in_use = touched_pages(block);
    /* The others fill the sets and records that they give to the kernel. */
    if (backend == PIRN_BACKEND_EPOLL && page_size == 4096) {
        if (!CHECK(at_init <= 12))
            printf("%zu pages at init\n", at_init);
        if (!CHECK(in_use <= at_init + 4))
            printf("%zu pages with %d watchers\n", in_use, FEW);
    }
    OK(pirn_deinit(loop));
    MUST(munmap(block, SIZE) == 0);
}

/* A block that was used for something else. */
static void dirty_block_is_no_different(uint32_t backend)
{
    char *block = map_block();
    for (int byte = 0; byte < 256; byte += 85) {
        memset(block, byte, SIZE);
        struct pirn_loop *loop = open_in(block, backend);
        use(loop);
        OK(pirn_deinit(loop));
    }
    MUST(munmap(block, SIZE) == 0);
}

static void test(uint32_t backend)
{
    page_size = (size_t)sysconf(_SC_PAGESIZE);
    few_pages_are_touched(backend);
    dirty_block_is_no_different(backend);
}

int main(int argc, char **argv)
{
    return run_on_backends(argc, argv, test);
}
