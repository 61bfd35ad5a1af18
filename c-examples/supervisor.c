/*
 * supervisor: keeps workers running.
 *
 * A worker that ends is started again: immediately the first time, then after a delay that doubles
 * up to a limit. If it has run for a while, the delay starts again from 0. After SIGINT or SIGTERM
 * all workers get SIGTERM, and those that still run after a while get SIGKILL; the supervisor ends
 * when the last worker has ended. It leaves no zombie, and reaps only its own workers.
 *
 *     make && ./build/supervisor COUNT PROGRAM [ARGUMENT]...
 *     ./build/supervisor --self-test
 */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <pirn/os.h>

#include "check.h"

#define MS UINT64_C(1000000)
#define MAX_WORKERS 32

extern char **environ;

/* For each worker: a source for its end, a timer for its restart. And two signals, and a timer. */
static PIRN_STORAGE(block, MAX_WORKERS + 2, MAX_WORKERS + 1, 0);

struct worker {
    struct supervisor *supervisor;
    char **command;
    struct pirn_child child;                        /* added while it runs */
    struct pirn_timer restart;                      /* armed while it does not */
    pid_t pid;
    uint64_t delay_ns, started_ns;
    unsigned starts, killed;
};

static struct supervisor {
    uint64_t first_delay_ns, max_delay_ns, patience_ns;
    struct worker workers[MAX_WORKERS];
    unsigned count, running;
    struct pirn_signal interrupt, terminate;
    struct pirn_timer last_resort;
    int is_ending;
} the_supervisor;

static void start(struct pirn_loop *loop, struct worker *worker);

static void end_when_none_runs(struct pirn_loop *loop, struct supervisor *supervisor)
{
    if (supervisor->is_ending && supervisor->running == 0) {
        pirn_timer_stop(loop, supervisor->last_resort);
        pirn_signal_remove(&supervisor->interrupt);
        pirn_signal_remove(&supervisor->terminate);
    }
}

static void on_restart(struct pirn_loop *loop, struct pirn_timer timer, uint64_t missed, void *user)
{
    (void)timer, (void)missed;
    start(loop, user);
}

/* After a delay that doubles each time. */
static void start_later(struct pirn_loop *loop, struct worker *worker)
{
    const struct supervisor *supervisor = worker->supervisor;
    uint64_t delay = worker->delay_ns;

    worker->delay_ns = delay == 0 ? supervisor->first_delay_ns : delay * 2;
    if (worker->delay_ns > supervisor->max_delay_ns)
        worker->delay_ns = supervisor->max_delay_ns;
    pirn_timer_start(loop, delay, 0, 0, on_restart, worker, &worker->restart);
}

static void on_end(struct pirn_loop *loop, struct pirn_child *child,
                   const struct pirn_child_status *status, void *user)
{
    struct worker *worker = user;

    (void)child;
    printf("%d: %s %d\n", (int)status->pid, status->code == CLD_EXITED ? "status" : "signal",
           (int)status->status);
    worker->supervisor->running--;
    worker->killed += status->code == CLD_KILLED && status->status == SIGKILL;
    if (worker->supervisor->is_ending) {
        end_when_none_runs(loop, worker->supervisor);
        return;
    }
    if (pirn_update(loop) - worker->started_ns > worker->supervisor->max_delay_ns)
        worker->delay_ns = 0;                       /* it was well: the trouble is a new one */
    start_later(loop, worker);
}

static void start(struct pirn_loop *loop, struct worker *worker)
{
    posix_spawnattr_t attributes;
    sigset_t none;
    int error;

    /* Our mask is not for the workers: with SIGTERM blocked they could not be ended. */
    sigemptyset(&none);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    error = posix_spawnp(&worker->pid, worker->command[0], NULL, &attributes, worker->command,
                         environ);
    posix_spawnattr_destroy(&attributes);
    worker->starts++;
    worker->started_ns = pirn_update(loop);
    if (error == 0) {
        int rc = pirn_child_add(loop, &worker->child, worker->pid, 0, on_end, worker);

        if (rc == 0) {
            worker->supervisor->running++;
            return;
        }
        /* Nobody would notice its end: rather none at all. */
        kill(worker->pid, SIGKILL);
        waitpid(worker->pid, NULL, 0);
        error = -rc;
    }
    fprintf(stderr, "%s: %s\n", worker->command[0], strerror(error));
    start_later(loop, worker);
}

static void signal_all(struct supervisor *supervisor, int signo)
{
    /* One that is added has not been reaped: its number cannot be another's. */
    for (unsigned i = 0; i < supervisor->count; ++i)
        if (supervisor->workers[i].child.loop != NULL)
            kill(supervisor->workers[i].pid, signo);
}

static void on_last_resort(struct pirn_loop *loop, struct pirn_timer timer, uint64_t missed,
                           void *user)
{
    (void)loop, (void)timer, (void)missed;
    signal_all(user, SIGKILL);
}

static void on_stop(struct pirn_loop *loop, struct pirn_signal *signal,
                    const struct pirn_signal_info *info, void *user)
{
    struct supervisor *supervisor = user;

    (void)signal, (void)info;
    if (supervisor->is_ending)
        return;
    supervisor->is_ending = 1;
    for (unsigned i = 0; i < supervisor->count; ++i)
        pirn_timer_stop(loop, supervisor->workers[i].restart); /* stale if it runs: no harm */
    signal_all(supervisor, SIGTERM);
    pirn_timer_start(loop, supervisor->patience_ns, 0, 0, on_last_resort, supervisor,
                     &supervisor->last_resort);
    end_when_none_runs(loop, supervisor);
}

static void add_worker(struct supervisor *supervisor, char **command)
{
    struct worker *worker = &supervisor->workers[supervisor->count++];

    worker->supervisor = supervisor;
    worker->command = command;
}

static void set_delays(struct supervisor *supervisor, uint64_t first_ms, uint64_t max_ms,
                       uint64_t patience_ms)
{
    supervisor->first_delay_ns = first_ms * MS;
    supervisor->max_delay_ns = max_ms * MS;
    supervisor->patience_ns = patience_ms * MS;
}

static int supervise(struct supervisor *supervisor)
{
    struct pirn_loop *loop;
    uint32_t options = PIRN_SIGNAL_BLOCK;
    int rc = pirn_init(&loop, block, sizeof block, NULL);

    if (rc == 0)
        rc = pirn_signal_add(loop, &supervisor->interrupt, SIGINT, options, on_stop, supervisor);
    if (rc == 0)
        rc = pirn_signal_add(loop, &supervisor->terminate, SIGTERM, options, on_stop, supervisor);
    if (rc == 0) {
        for (unsigned i = 0; i < supervisor->count; ++i)
            start(loop, &supervisor->workers[i]);
        rc = pirn_run(loop);
    }
    if (rc < 0)
        fprintf(stderr, "supervisor: %s\n", pirn_strerror(rc));
    return rc == PIRN_DONE && pirn_deinit(loop) == 0 ? 0 : 1;
}

/* ---- the self-test: workers that behave, crash, and will not end ---- */

static int self_test(void)
{
    static char *good[] = { "sleep", "1000", NULL };
    static char *bad[] = { "sh", "-c", "exit 3", NULL };
    static char *stubborn[] = { "sh", "-c", "trap '' TERM; while :; do sleep 0.01; done", NULL };
    static char *missing[] = { "/nonexistent", NULL };
    struct supervisor *supervisor = &the_supervisor;
    const struct worker *workers = supervisor->workers;
    struct timespec begun, ended;
    unsigned most;
    pid_t stopper;

    set_delays(supervisor, 20, 80, 200);
    add_worker(supervisor, good);
    add_worker(supervisor, bad);
    add_worker(supervisor, stubborn);
    add_worker(supervisor, missing);
    fflush(stdout);
    stopper = fork();                               /* a child that is not the supervisor's */
    CHECK(stopper >= 0);
    if (stopper == 0) {
        usleep(500000);
        _exit(kill(getppid(), SIGTERM) != 0);
    }
    clock_gettime(CLOCK_MONOTONIC, &begun);
    CHECK(supervise(supervisor) == 0);
    clock_gettime(CLOCK_MONOTONIC, &ended);
    CHECK(supervisor->running == 0);
    /* Delays of 0, 20 and 40 ms, and then one of 80 ms after the other. */
    most = 5 + (unsigned)(ended.tv_sec - begun.tv_sec + 1) * 1000 / 80;
    CHECK(workers[0].starts == 1 && workers[0].killed == 0);
    CHECK(workers[1].starts >= 3 && workers[1].starts <= most);
    CHECK(workers[2].starts == 1 && workers[2].killed == 1);
    CHECK(workers[3].starts >= 3 && workers[3].starts <= most);
    CHECK(waitpid(stopper, NULL, 0) == stopper);
    CHECK(waitpid(-1, NULL, 0) == -1 && errno == ECHILD);
    puts("supervisor: workers restarted, ended and killed; no zombie");
    return 0;
}

int main(int argc, char **argv)
{
    int count = argc > 2 ? atoi(argv[1]) : 0;

    if (argc == 2 && strcmp(argv[1], "--self-test") == 0)
        return self_test();
    if (count < 1 || count > MAX_WORKERS) {
        fprintf(stderr, "usage: %s COUNT PROGRAM [ARGUMENT]... | --self-test\n", argv[0]);
        return 2;
    }
    set_delays(&the_supervisor, 100, 10000, 5000);
    while (count-- > 0)
        add_worker(&the_supervisor, argv + 2);
    return supervise(&the_supervisor);
}
