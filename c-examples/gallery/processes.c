/*
 * processes: a pipe, a queue, shared memory and a lock between processes.
 *
 * Shows: a pipe carries bytes from one process to another. A SOCK_SEQPACKET pair is a queue: each
 * message goes to exactly one of those that read. Memory that is shared needs a lock that is
 * shared, and a robust one, because a process can die with it.
 * Watch for: the parent waits for pipes and children in fibers, so nothing blocks its loop. The
 * lock is one of pthread: hold it for a few instructions only, as waiting for it does block.
 * Next: automatic/, where code that blocks is made to wait.
 *
 *     ./build/gallery/processes                    --self-test checks bytes, messages and sums
 */
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pirn/os.h>
#include <pirn/sync.h>

#include "virtual.h"

#define CHILDREN 3
#define TIMES 2000

struct shared { pthread_mutex_t lock; int unprotected, sum, messages[CHILDREN]; };

static PIRN_STORAGE(block, 8, 4, 4);
static struct pirn_loop *loop;
static struct pirn_hub hub;
static struct shared *shared;
static struct pirn_child children[CHILDREN];
static struct pirn_semaphore ended;
static int failures;

static void on_end(struct pirn_loop *its_loop, struct pirn_child *child,
                   const struct pirn_child_status *status, void *user)
{
    (void)its_loop, (void)child, (void)user;
    failures += status->code != CLD_EXITED || status->status != 0;
    CHECK(pirn_semaphore_release(&ended, 1) == 0);
}

static void start_children(void (*body)(int number, int fd), int fd, int fd_of_parent)
{
    for (int at = 0; at < CHILDREN; at++) {
        pid_t pid = fork();

        CHECK(pid >= 0);
        if (pid == 0) {
            if (fd_of_parent >= 0)
                close(fd_of_parent);
            body(at, fd);
            _exit(0);
        }
        CHECK(pirn_child_add(loop, &children[at], pid, 0, on_end, NULL) == 0);
    }
}

static void wait_for_children(void)
{
    CHECK(pirn_semaphore_acquire(&hub, &ended, CHILDREN, 30 * SECOND) == 0 && failures == 0);
}

/* ---- a pipe ---- */

static void write_a_line(int number, int fd)
{
    char line[32];
    int length = snprintf(line, sizeof line, "child %d\n", number);

    CHECK(write(fd, line, (size_t)length) == length); /* so short that it stays in one piece */
}

static void by_a_pipe(void)
{
    struct pirn_port port;
    intptr_t count;
    char bytes[128];
    size_t total = 0;
    int fds[2];

    CHECK(pipe(fds) == 0);
    start_children(write_a_line, fds[1], fds[0]);
    close(fds[1]);                                   /* else the end would never come */
    CHECK(pirn_port_open(&hub, &port, fds[0], 0) == 0);
    while ((count = pirn_port_read(&port, bytes + total, sizeof bytes - total, 30 * SECOND)) > 0)
        total += (size_t)count;
    CHECK(count == 0 && total == CHILDREN * strlen("child 0\n"));
    bytes[total] = '\0';
    CHECK(strstr(bytes, "child 0\n") && strstr(bytes, "child 1\n") && strstr(bytes, "child 2\n"));
    CHECK(pirn_port_close(&port) == 0 && close(fds[0]) == 0);
    wait_for_children();
}

/* ---- a queue ---- */

static void take_messages(int number, int fd)
{
    int message;

    while (read(fd, &message, sizeof message) == sizeof message) {
        __atomic_add_fetch(&shared->messages[number], 1, __ATOMIC_RELAXED);
        __atomic_add_fetch(&shared->sum, message, __ATOMIC_RELAXED);
    }
}

static void by_a_queue(void)
{
    struct pirn_port port;
    int fds[2];

    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds) == 0);
    start_children(take_messages, fds[1], fds[0]);
    close(fds[1]);
    CHECK(pirn_port_open(&hub, &port, fds[0], 0) == 0);
    for (int message = 1; message <= 1000; message++)
        CHECK(pirn_port_write_all(&port, &message, sizeof message, 30 * SECOND) == 0);
    CHECK(pirn_port_close(&port) == 0 && close(fds[0]) == 0);
    wait_for_children();
    CHECK(shared->messages[0] + shared->messages[1] + shared->messages[2] == 1000);
    CHECK(shared->sum == 500500);                    /* each once */
}

/* ---- shared memory and a lock ---- */

static void add(int number, int fd)
{
    (void)fd;
    for (int at = 0; at < TIMES; at++) {
        int old = __atomic_load_n(&shared->unprotected, __ATOMIC_RELAXED);
        sched_yield();
        __atomic_store_n(&shared->unprotected, old + 1, __ATOMIC_RELAXED);

        if (pthread_mutex_lock(&shared->lock) == EOWNERDEAD)
            pthread_mutex_consistent(&shared->lock); /* what it protects is whole: go on */
        shared->sum++;
        if (number == 0 && at == TIMES - 1)
            _exit(0);                                /* with the lock */
        pthread_mutex_unlock(&shared->lock);
    }
}

static void by_shared_memory(void)
{
    pthread_mutexattr_t attributes;

    pthread_mutexattr_init(&attributes);
    CHECK(pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0);
    CHECK(pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST) == 0);
    CHECK(pthread_mutex_init(&shared->lock, &attributes) == 0);
    shared->sum = 0;
    start_children(add, -1, -1);
    wait_for_children();
    CHECK(shared->sum == CHILDREN * TIMES && shared->unprotected < CHILDREN * TIMES);
}

int main(void)
{
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED);
    loop = real_begin(block, sizeof block, &hub);
    by_a_pipe();
    by_a_queue();
    by_shared_memory();
    printf("processes: messages %d + %d + %d; counted with a lock %d, without %d\n",
           shared->messages[0], shared->messages[1], shared->messages[2], shared->sum,
           shared->unprotected);
    return loop_end(loop, &hub);
}
