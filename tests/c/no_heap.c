/*
 * No heap (torture 108): an echo exchange, timers, tasks and posts from another thread, on each
 * backend, from init to deinit, in a process in which malloc and its kin are counted, and which the
 * kernel kills when it asks for memory: pirn makes its own system calls, and no wrapper would see
 * them. `no_heap malloc` and `no_heap mmap` break the rule, to show that it is watched.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <pirn.h>

static atomic_long allocation_count;

/* ---- the heap of this process: counted, in an arena of its own ---- */

static _Alignas(16) unsigned char arena[1 << 20];
static atomic_size_t arena_used;

void *malloc(size_t size)
{
    allocation_count++;
    size_t at = atomic_fetch_add(&arena_used, (size + 31) / 16 * 16);
    if (at + size + 16 > sizeof arena)
        return NULL;
    memcpy(arena + at, &size, sizeof size);
    return arena + at + 16;
}

void free(void *memory)
{
    allocation_count += memory != NULL;
}

void *calloc(size_t count, size_t size)
{
    return malloc(count * size);
}

void *realloc(void *memory, size_t size)
{
    void *larger = malloc(size);
    if (memory != NULL && larger != NULL) {
        size_t before;
        memcpy(&before, (unsigned char *)memory - 16, sizeof before);
        memcpy(larger, memory, before < size ? before : size);
    }
    return larger;
}

void *sbrk(intptr_t by)
{
    (void)by;
    allocation_count++;
    errno = ENOMEM;
    return (void *)-1;
}

int brk(void *to)
{
    (void)to;
    allocation_count++;
    errno = ENOMEM;
    return -1;
}

/* ---- the rule ---- */

#define KILL_ON(number) \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 1), \
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)

/* No memory from the kernel, for all threads, from now on. */
static int forbid_memory(void)
{
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        KILL_ON(__NR_mmap),
        KILL_ON(__NR_munmap),
        KILL_ON(__NR_mremap),
        KILL_ON(__NR_brk),
        KILL_ON(__NR_mprotect),
        KILL_ON(__NR_madvise),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { .len = sizeof rules / sizeof *rules, .filter = rules };
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -1;
    return (int)syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
}

/* ---- the work ---- */

#define MESSAGES 50
#define POSTS 100

static PIRN_STORAGE(block, 8, 8, 8);
static int pair[2];
static int echoed, ticks, tasks_run;
static atomic_int posts_made, posts_run;
static _Atomic(struct pirn_loop *) posted_to;

static void die(const char *what)
{
    ssize_t written = write(1, what, strlen(what)) + write(1, "\n", 1);
    (void)written;
    _exit(1);
}

#define NEED(claim) do { if (!(claim)) die("not so: " #claim); } while (0)

static void on_post(struct pirn_loop *loop, void *user)
{
    (void)loop, (void)user;
    posts_run++;
}

/* Made before the rule, and never ended: a thread's end gives memory back. */
static void *poster(void *unused)
{
    for (;;) {
        struct pirn_loop *loop = posted_to;
        if (loop != NULL && posts_made < POSTS) {
            if (pirn_remote_post(loop, on_post, NULL) == 0 && ++posts_made == POSTS)
                posted_to = NULL;
        }
        struct timespec nap = { 0, 20000 };
        nanosleep(&nap, NULL);
    }
    return unused;
}

static void on_server(struct pirn_loop *loop, struct pirn_io io, int fd, uint32_t ready, void *user)
{
    char message[64];
    ssize_t size = read(fd, message, sizeof message);
    (void)loop, (void)io, (void)ready, (void)user;
    NEED(size > 0 && write(fd, message, (size_t)size) == size);
}

static void on_client(struct pirn_loop *loop, struct pirn_io io, int fd, uint32_t ready, void *user)
{
    char message[64];
    (void)user;
    if (ready & PIRN_WRITE) {
        NEED(write(fd, "hello", 5) == 5);
        NEED(pirn_io_modify(loop, io, PIRN_READ) == 0);
    } else {
        NEED(read(fd, message, sizeof message) == 5 && memcmp(message, "hello", 5) == 0);
        echoed++;
        NEED(pirn_io_modify(loop, io, PIRN_WRITE) == 0);
    }
}

static void on_task(struct pirn_loop *loop, void *user)
{
    (void)loop, (void)user;
    tasks_run++;
}

static void on_tick(struct pirn_loop *loop, struct pirn_timer timer, uint64_t missed, void *user)
{
    (void)timer, (void)missed, (void)user;
    ticks++;
    NEED(pirn_task_post(loop, on_task, NULL, NULL) == 0);
    if (echoed >= MESSAGES && posts_run >= POSTS && ticks > 5)
        NEED(pirn_stop(loop) == 0);
}

static void exchange(uint32_t backend)
{
    struct pirn_config config = { .size = sizeof config, .backend = backend };
    struct pirn_loop *loop;
    struct pirn_io server, client;
    struct pirn_timer tick;
    echoed = ticks = tasks_run = 0;
    posts_made = posts_run = 0;
    NEED(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
    NEED(pirn_init(&loop, block, sizeof block, &config) == 0);
    NEED(pirn_io_add(loop, pair[0], PIRN_READ, on_server, NULL, &server) == 0);
    NEED(pirn_io_add(loop, pair[1], PIRN_WRITE, on_client, NULL, &client) == 0);
    NEED(pirn_io_add(loop, pair[1], 0, on_client, NULL, NULL) == 0);
    NEED(pirn_timer_start(loop, 0, 500000, 0, on_tick, NULL, &tick) == 0);
    posted_to = loop;
    NEED(pirn_run(loop) == PIRN_STOPPED);
    NEED(posted_to == NULL);
    NEED(echoed >= MESSAGES && posts_run == POSTS && tasks_run >= 5);
    NEED(pirn_fd_closing(loop, pair[1]) == 2);
    NEED(pirn_io_remove(loop, server) == 0);
    NEED(pirn_timer_stop(loop, tick) == 0);
    NEED(pirn_verify(loop) == 0);
    NEED(pirn_deinit(loop) == 0);
    close(pair[0]);
    close(pair[1]);
}

int main(int argc, char **argv)
{
    pthread_t thread;
    char line[160];
    NEED(pthread_create(&thread, NULL, poster, NULL) == 0);
    NEED(forbid_memory() == 0);
    for (uint32_t backend = PIRN_BACKEND_SELECT; backend <= PIRN_BACKEND_EPOLL; backend++) {
        long before = allocation_count;
        exchange(backend);
        if (argc > 1 && strcmp(argv[1], "malloc") == 0)
            *(void *volatile *)&posted_to = NULL, free(malloc(1));
        if (argc > 1 && strcmp(argv[1], "mmap") == 0)
            mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        long made = allocation_count - before;
        int size = snprintf(line, sizeof line,
                            "%s: %ld allocations, %d echoes, %d posts, %d ticks\n",
                            pirn_backend_name((int)backend), made, echoed, (int)posts_run, ticks);
        NEED(write(1, line, (size_t)size) == size);
        if (made != 0)
            _exit(3);
    }
    _exit(0);
}
