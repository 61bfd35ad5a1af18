/*
 * process_pool: three worker processes, and one that is killed.
 *
 * Shows: a job is one message over a SOCK_SEQPACKET pair, its result is another one, and comes as a
 * callback. A process can crash without harm to the others: its job ends with -EPIPE, and a new
 * worker takes its place.
 * Watch for: a fiber for each worker keeps the code straight: fetch a job, send it, wait for the
 * result. The end of a worker is seen twice: as the end of its socket, by the fiber, and as the end
 * of a child, by pirn_child_add, which also reaps it.
 * Next: daemons.c, for what may be left behind when the work is done.
 *
 *     ./build/gallery/process_pool                 --self-test checks each answer
 */
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pirn/os.h>
#include <pirn/sync.h>

#include "virtual.h"

#define WORKERS 3
#define JOBS 12
#define POISON 5                                     /* the job that kills its worker */

/* ---- in the worker ---- */

static void work(int fd)
{
    int number, result;

    while (read(fd, &number, sizeof number) == sizeof number) {
        if (number == POISON)
            raise(SIGKILL);                          /* as a crash, or the kernel short of memory */
        result = number * number;
        if (write(fd, &result, sizeof result) != sizeof result)
            break;
    }
    _exit(0);
}

/* ---- the pool ---- */

struct job { int number; void (*on_result)(int number, int result); };

struct worker { int fd; struct pirn_child child; struct pirn_event ended; };

static PIRN_STORAGE(block, 2 * WORKERS + 1, 4, 8);
static struct pirn_loop *loop;
static struct pirn_hub hub;
static struct pirn_queue queue;
static struct job places[JOBS];
static struct worker workers[WORKERS];
static int started, exited, killed;
PIRN_POOL(fibers, WORKERS, 16384);

static void on_end(struct pirn_loop *its_loop, struct pirn_child *child,
                   const struct pirn_child_status *status, void *user)
{
    (void)its_loop, (void)child;
    if (status->code == CLD_EXITED && status->status == 0)
        exited++;
    else if (status->code == CLD_KILLED && status->status == SIGKILL)
        killed++;
    pirn_event_set(&((struct worker *)user)->ended);
}

static void start_worker(struct worker *worker)
{
    int fds[2];
    pid_t pid;

    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == 0);
    CHECK((pid = fork()) >= 0);
    if (pid == 0) {
        for (int at = 0; at < WORKERS; at++)         /* so that they see the end of their pairs */
            if (workers[at].fd > 0)
                close(workers[at].fd);
        close(fds[0]);
        work(fds[1]);
    }
    close(fds[1]);
    worker->fd = fds[0];
    started++;
    CHECK(pirn_event_clear(&worker->ended) == 0);
    CHECK(pirn_child_add(loop, &worker->child, pid, 0, on_end, worker) == 0);
}

/* Returns the result, or -EPIPE if the worker has died. */
static int ask(struct pirn_port *port, int number)
{
    int result;

    if (pirn_port_write_all(port, &number, sizeof number, PIRN_FOREVER) < 0 ||
        pirn_port_read(port, &result, sizeof result, PIRN_FOREVER) != sizeof result)
        return -EPIPE;
    return result;
}

/* One worker after the other, until the queue is closed. */
static int serve(struct pirn_hub *its_hub, void *argument)
{
    struct worker *worker = &workers[*(int *)argument];
    struct pirn_port port;
    struct job job;
    int rc = 0;

    while (rc == 0) {
        int result = 0;

        start_worker(worker);
        CHECK(pirn_port_open(its_hub, &port, worker->fd, 0) == 0);
        while (result >= 0 && (rc = pirn_queue_get(its_hub, &queue, &job, PIRN_FOREVER)) == 0) {
            result = ask(&port, job.number);
            job.on_result(job.number, result);
            CHECK(pirn_queue_done(&queue) == 0);
        }
        CHECK(pirn_port_close(&port) == 0 && close(worker->fd) == 0);
        worker->fd = 0;
        CHECK(pirn_event_wait(its_hub, &worker->ended, 10 * SECOND) == 0);
    }
    return 0;
}

/* ---- its use ---- */

static int answered, refused;

static void on_result(int number, int result)
{
    CHECK(result == (number == POISON ? -EPIPE : number * number));
    answered++;
    refused += result < 0;
}

int main(void)
{
    loop = real_begin(block, sizeof block, &hub);
    CHECK(pirn_queue_init(&queue, places, sizeof places, sizeof places[0], PIRN_QUEUE_FIFO) == 0);
    for (int at = 0; at < WORKERS; at++)
        CHECK(pirn_pool_spawn(&hub, &fibers, serve, &at, sizeof at, PIRN_FOREVER) == 0);
    for (int number = 0; number < JOBS; number++)
        CHECK(pirn_queue_put(&hub, &queue, &(struct job){ number, on_result }, PIRN_FOREVER) == 0);
    CHECK(pirn_queue_join(&hub, &queue, 10 * SECOND) == 0);
    CHECK(pirn_queue_close(&queue, PIRN_QUEUE_DRAIN) == 0);
    CHECK(pirn_group_join(&hub, &fibers.group, PIRN_FOREVER) == 0);
    CHECK(answered == JOBS && refused == 1);
    CHECK(started == WORKERS + 1 && killed == 1 && exited == WORKERS);
    printf("process_pool: %d jobs answered, %d of them by -EPIPE; %d workers for %d places\n",
           answered, refused, started, WORKERS);
    return loop_end(loop, &hub);
}
