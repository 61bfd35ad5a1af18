/*
 * A small server and its clients, again and again: with every capacity from too small to enough,
 * and with one system call refused at every place where it is made. Whatever is refused, each fiber
 * ends, each port and fd is closed, and nobody waits for a time limit.
 */
#include "test.h"
#include "supervised.h"

#include <dirent.h>
#include <netinet/in.h>
#include <sys/resource.h>

#include <pirn/fiber.h>
#include <pirn/sync.h>

#include "hub.h"

#define STACK 16384
#define CLIENTS 3
/* No wait of the script takes that long. */
#define LIMIT (10 * SECOND)

/* What the whole script needs: the hub, the listener, two ports for each client; and so on. */
#define IO_NEEDED (2 + 2 * CLIENTS)
#define TIMERS_NEEDED (1 + CLIENTS)
#define TASKS_NEEDED (2 * CLIENTS + 1)

static PIRN_STORAGE(block, 64, 16, 16);

/* ---- one case, and what became of it ---- */

static struct limits { uint32_t io, timers, tasks, pool, room; uint64_t patience_ns; int fds; }
    limits;
static const struct limits ample = { IO_NEEDED, TIMERS_NEEDED, TASKS_NEEDED, CLIENTS, CLIENTS,
                                     LIMIT, -1 };

static struct outcome { int served, recorded, refused, late, is_deaf; } outcome;

/* Counts a call that may be refused. Returns its result. */
static int noted(int result)
{
    outcome.refused += result < 0;
    outcome.late += result == -ETIMEDOUT;
    return result;
}

/* ---- the script ---- */

PIRN_POOL(servers, CLIENTS, STACK);
static struct pirn_fiber acceptor, recorder, clients[CLIENTS];
static uint64_t stacks[CLIENTS + 2][STACK / 8];
static struct pirn_queue records;
static int room[CLIENTS];
static struct pirn_event begin;
static struct sockaddr_in address;
static int listening;

static int open_noted(struct pirn_port *port, int fd)
{
    return noted(try_open_port(port, fd));
}

/* Sends back what comes, and leaves a record. */
static int serve(struct pirn_hub *hub_, void *argument)
{
    struct pirn_port port;
    char bytes[64];
    int fd = *(int *)argument, rc = open_noted(&port, fd);
    if (rc == 0) {
        while ((rc = (int)pirn_port_read(&port, bytes, sizeof bytes, LIMIT)) > 0)
            if ((rc = noted(pirn_port_write_all(&port, bytes, (size_t)rc, LIMIT))) < 0)
                break;
        noted(rc);
        noted(pirn_queue_put(hub_, &records, &fd, limits.patience_ns));
        OK(pirn_port_close(&port));
    }
    close(fd);
    return rc;
}

/* Accepts until it is cancelled. An error is tried again, but not for ever. */
static int accepts(struct pirn_hub *hub_, void *user)
{
    struct pirn_port port;
    int rc = open_noted(&port, listening);
    (void)user;
    if (rc == 0) {
        for (int errors = 0; errors < 5;) {
            int fd = rc = pirn_port_accept(&port, LIMIT);
            if (fd == -ECANCELED)
                break;
            if (noted(fd) >= 0) {
                rc = pirn_pool_spawn(hub_, &servers, serve, &fd, sizeof fd, limits.patience_ns);
                if (noted(rc) < 0)
                    close(fd);
            }
            errors += rc < 0;
            if (rc < 0 && (rc = pirn_fiber_sleep(hub_, MILLISECOND)) < 0)
                break;
        }
        OK(pirn_port_close(&port));
    } else {
        outcome.is_deaf = 1;
    }
    /* Clients that were not accepted see the end of their connection. */
    close(listening);
    return rc;
}

static int records_all(struct pirn_hub *hub_, void *user)
{
    int rc, record;
    (void)user;
    while ((rc = pirn_queue_get(hub_, &records, &record, LIMIT)) == 0)
        outcome.recorded++;
    EQUAL(rc, -ESHUTDOWN);
    return 0;
}

/* Sends a word, and reads it again. */
static int echoes(struct pirn_port *port)
{
    char bytes[8];
    size_t got = 0;
    int rc = pirn_port_connect(port, &address, sizeof address, LIMIT);
    if (rc == 0)
        rc = pirn_port_write_all(port, "hello", 5, LIMIT);
    while (rc == 0 && got < 5) {
        intptr_t count = pirn_port_read(port, bytes + got, sizeof bytes - got, LIMIT);
        rc = count > 0 ? 0 : count < 0 ? (int)count : -EPIPE;
        got += count > 0 ? (size_t)count : 0;
    }
    if (rc == 0)
        CHECK(got == 5 && memcmp(bytes, "hello", 5) == 0);
    return rc;
}

/* A client, which also has a timer and tasks of its own. */
static int asks(struct pirn_hub *hub_, void *user)
{
    struct pirn_port port;
    struct pirn_timer timer;
    struct pirn_scope scope;
    (void)user;
    int has_timer = noted(pirn_timer_start(loop, LIMIT, 0, 0, see_timer, NULL, &timer)) == 0;
    for (int task = 0; task < 2; task++)
        noted(pirn_task_post(loop, see_task, NULL, NULL));
    OK(pirn_scope_enter(hub_, &scope, LIMIT, 0));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (noted(fd < 0 ? -errno : 0) == 0) {
        if (open_noted(&port, fd) == 0) {
            /* All have their port before the first of them goes on. */
            OK(pirn_event_wait(hub_, &begin, LIMIT));
            outcome.served += noted(echoes(&port)) == 0;
            OK(pirn_port_close(&port));
        }
        close(fd);
    }
    OK(pirn_scope_leave(hub_, &scope));
    if (has_timer)
        OK(pirn_timer_stop(loop, timer));
    return 0;
}

static int fds_in_use(void)
{
    int count = 0;
    DIR *directory = opendir("/proc/self/fd");
    MUST(directory != NULL);
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

/* From now on only so many more fds can be opened; -1: as many as before. */
static void limit_fds(int count)
{
    static struct rlimit first;
    struct rlimit limit;
    if (first.rlim_cur == 0)
        MUST(getrlimit(RLIMIT_NOFILE, &first) == 0);
    limit = first;
    if (count >= 0) {
        int next = dup(0);
        MUST(next >= 0 && close(next) == 0);
        limit.rlim_cur = (rlim_t)(next + count);
    }
    MUST(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

static void listen_on_loopback(void)
{
    socklen_t length = sizeof address;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    MUST(listening >= 0);
    MUST(bind(listening, (struct sockaddr *)&address, sizeof address) == 0);
    MUST(listen(listening, 16) == 0);
    MUST(getsockname(listening, (struct sockaddr *)&address, &length) == 0);
}

static void prepare(void)
{
    memset(&acceptor, 0, sizeof acceptor);
    memset(&recorder, 0, sizeof recorder);
    memset(clients, 0, sizeof clients);
    memset(&begin, 0, sizeof begin);
    memset(&servers.group, 0, sizeof servers.group);
    memset(&servers.state, 0, sizeof servers.state);
    servers.memory.count = limits.pool;
    OK(pirn_queue_init(&records, room, limits.room * sizeof room[0], sizeof room[0],
                       PIRN_QUEUE_FIFO));
}

/*
 * A wait of the main program ends with the error of a wait for the kernel, and can be made again.
 * The fibers do not notice it.
 */
#define JOINED(join) \
    do { \
        int rc_ = join; \
        EQUAL(rc_ == -ENOMEM ? join : rc_, 0); \
    } while (0)

/* From the first fiber to the end of the last. */
static void serve_clients(void)
{
    prepare();
    OK(pirn_fiber_start(&hub, &acceptor, stacks[0], STACK, 0, accepts, NULL));
    OK(pirn_fiber_start(&hub, &recorder, stacks[1], STACK, 0, records_all, NULL));
    for (int at = 0; at < CLIENTS; at++)
        OK(pirn_fiber_start(&hub, &clients[at], stacks[2 + at], STACK, 0, asks, NULL));
    limit_fds(limits.fds);
    atomic_store(&armed, 1);
    for (int turn = 0; turn < 3; turn++) {
        int rc = pirn_turn(loop, 0);
        CHECK(rc >= 0 || rc == -ENOMEM);
    }
    OK(pirn_event_set(&begin));
    for (int at = 0; at < CLIENTS; at++)
        JOINED(pirn_fiber_join(&clients[at], LIMIT, NULL));
    /* It may have given up. */
    (void)pirn_fiber_cancel(&acceptor);
    JOINED(pirn_fiber_join(&acceptor, LIMIT, NULL));
    JOINED(pirn_group_join(&hub, &servers.group, LIMIT));
    OK(pirn_queue_close(&records, PIRN_QUEUE_DRAIN));
    JOINED(pirn_fiber_join(&recorder, LIMIT, NULL));
    atomic_store(&armed, 0);
    limit_fds(-1);
    settle(loop, 4);
    CHECK(pirn_fiber_next(&hub, NULL) == NULL);
    EQUAL(servers.group.live, 0);
    OK(pirn_hub_verify(&hub));
    OK(pirn_verify(loop));
    OK(pirn_hub_deinit(&hub));
}

/* The script with these limits. Whatever is refused, nothing is left at the end. */
static void run_script(struct limits with)
{
    int before = fds_in_use();
    limits = with;
    memset(&outcome, 0, sizeof outcome);
    listen_on_loopback();
    MUST(open_loop(&loop, block, sizeof block, the_backend, limits.io, limits.timers,
                   limits.tasks) == 0);
    if (noted(pirn_hub_init(loop, &hub, 63)) == 0)
        serve_clients();
    else
        close(listening);
    EQUAL(stats_of(loop).io_used, 0);
    EQUAL(stats_of(loop).timer_used, 0);
    CLOSE(loop);
    EQUAL(fds_in_use(), before);
    EQUAL(outcome.late, 0);
    if (!CHECK(outcome.served == CLIENTS || outcome.refused > 0))
        printf("%d served, %d calls refused\n", outcome.served, outcome.refused);
}

/* ---- capacities ---- */

static void nothing_is_refused_where_all_is_ample(void)
{
    run_script(ample);
    EQUAL(outcome.served, CLIENTS);
    EQUAL(outcome.recorded, CLIENTS);
    EQUAL(outcome.refused, 0);
}

static void slots_are_refused_one_after_the_other(void)
{
    for (uint32_t io = 0; io < IO_NEEDED; io++) {
        struct limits limits_ = ample;
        limits_.io = io;
        run_script(limits_);
        CHECK(outcome.refused > 0);
        /* Those slots that are left serve a client each. */
        CHECK(outcome.served >= (int)io - 2 - CLIENTS);
    }
    for (uint32_t timers = 0; timers < TIMERS_NEEDED; timers++) {
        struct limits limits_ = ample;
        limits_.timers = timers;
        run_script(limits_);
        CHECK(outcome.refused > 0);
        EQUAL(outcome.served, timers == 0 ? 0 : CLIENTS);
    }
    for (uint32_t tasks = 0; tasks < TASKS_NEEDED; tasks++) {
        struct limits limits_ = ample;
        limits_.tasks = tasks;
        run_script(limits_);
        CHECK(outcome.refused > 0 || tasks + 1 == TASKS_NEEDED);
        EQUAL(outcome.served, CLIENTS);
    }
}

/* A waiter that may wait for a fiber or for room gets it, and another one an error. */
static void fibers_and_room_are_waited_for_or_refused(void)
{
    for (uint32_t count = 1; count <= CLIENTS; count++)
        for (int is_patient = 0; is_patient < 2; is_patient++) {
            struct limits limits_ = ample;
            limits_.patience_ns = is_patient ? LIMIT : 0;
            limits_.pool = count;
            run_script(limits_);
            CHECK(outcome.served >= (is_patient ? CLIENTS : 1));
            EQUAL(outcome.refused > 0, outcome.served < CLIENTS);
            limits_.pool = CLIENTS;
            limits_.room = count;
            run_script(limits_);
            EQUAL(outcome.served, CLIENTS);
            EQUAL(outcome.recorded, CLIENTS - outcome.refused);
            CHECK(outcome.refused == 0 || !is_patient);
        }
}

static void fds_are_refused_one_after_the_other(void)
{
    for (int count = 0; count < 2 * CLIENTS; count++) {
        struct limits limits_ = ample;
        limits_.fds = count;
        run_script(limits_);
    }
}

static void several_things_are_scarce_at_once(void)
{
    for (int round = 0; round < 100; round++) {
        struct limits limits_;
        limits_.io = 1 + (uint32_t)(random_word() % IO_NEEDED);
        limits_.timers = 1 + (uint32_t)(random_word() % TIMERS_NEEDED);
        limits_.tasks = (uint32_t)(random_word() % TASKS_NEEDED);
        limits_.pool = 1 + (uint32_t)(random_word() % CLIENTS);
        limits_.room = 1 + (uint32_t)(random_word() % CLIENTS);
        limits_.patience_ns = random_word() % 2 ? LIMIT : 0;
        limits_.fds = random_word() % 2 ? (int)(random_word() % (2 * CLIENTS)) : -1;
        run_script(limits_);
    }
}

/* ---- system calls ---- */

/* What fails, and how many clients at most it costs. A number below 0 does not exist here. */
struct fault { int number, error, most_lost; };

#ifndef SYS_sendto
#define SYS_sendto -1
#endif
#ifndef SYS_accept4
#define SYS_accept4 -1
#endif
#ifndef SYS_connect
#define SYS_connect -1
#endif

static const struct fault faults[] = {
    { SYS_read, EINTR, 0 },
    { SYS_read, EAGAIN, 0 },
    { SYS_read, ECONNRESET, 1 },
    { SYS_read, ENOMEM, 1 },
    { SYS_sendto, EINTR, 0 },
    { SYS_sendto, EAGAIN, 0 },
    { SYS_sendto, ECONNRESET, 1 },
    { SYS_sendto, EPIPE, 1 },
    { SYS_sendto, ENOBUFS, 1 },
    { SYS_accept4, EINTR, 0 },
    { SYS_accept4, EAGAIN, 0 },
    { SYS_accept4, ECONNABORTED, 0 },
    { SYS_accept4, EMFILE, 0 },
    { SYS_connect, ECONNREFUSED, 1 },
    { SYS_fcntl, ENOMEM, 1 },
    { SYS_epoll_ctl, ENOSPC, 1 },
    { SYS_epoll_ctl, ENOMEM, 1 },
    /* So epoll refuses files that are always ready: the fd is then taken for one. */
    { SYS_epoll_ctl, EPERM, 1 },
    { SYS_epoll_pwait, EINTR, 0 },
    { SYS_epoll_pwait, ENOMEM, 0 },
    { SYS_epoll_pwait2, EINTR, 0 },
    { SYS_epoll_pwait2, ENOMEM, 0 },
    { SYS_ppoll, EINTR, 0 },
    { SYS_ppoll, ENOMEM, 0 },
    { SYS_pselect6, EINTR, 0 },
    { SYS_pselect6, ENOMEM, 0 },
};

/* A case of refuse_each. */
static int fault_is_contained(const void *argument)
{
    const struct fault *fault = argument;
    failure_count = 0;
    alarm(30);
    if (!begin_supervision())
        return NO_SUPERVISION;
    run_script(ample);
    if (atomic_load(&counted) < plan_nth)
        return NO_SUCH_CALL;
    /* Without a port for the listening socket no client is accepted. */
    int can_lose_all = fault->number == SYS_fcntl || fault->number == SYS_epoll_ctl;
    if (outcome.is_deaf)
        CHECK(can_lose_all && outcome.served == 0);
    else
        CHECK(outcome.served >= CLIENTS - fault->most_lost);
    if (fault->most_lost == 0 && fault->error != EMFILE)
        EQUAL(outcome.refused, 0);
    return failure_count != 0 ? IT_FAILED : IT_HELD;
}

static void refused_system_calls_cost_one_client_at_most(void)
{
    int refused = 0;
    for (size_t at = 0; at < sizeof faults / sizeof *faults; at++) {
        const struct fault *fault = &faults[at];
        /* A host makes its calls by the hands of the test. */
        int is_of_host = fault->number == SYS_fcntl || fault->number == SYS_ppoll;
        if (fault->number < 0 || (the_backend == PIRN_BACKEND_HOST && is_of_host))
            continue;
        int count = refuse_each(fault->number, fault->error, fault_is_contained, fault);
        if (count < 0) {
            printf("%s: skipped: no supervision of system calls here\n", context);
            return;
        }
        refused += count;
    }
    printf("%s: %d system calls were refused\n", context, refused);
    CHECK(refused > 4 * CLIENTS);
}

static void test(uint32_t backend)
{
    the_backend = backend;
    /* The pipes of hosts stay open. */
    for (int at = 0; at < HOSTS && backend == PIRN_BACKEND_HOST; at++)
        new_host();
    nothing_is_refused_where_all_is_ample();
    slots_are_refused_one_after_the_other();
    fibers_and_room_are_waited_for_or_refused();
    fds_are_refused_one_after_the_other();
    several_things_are_scarce_at_once();
    refused_system_calls_cost_one_client_at_most();
}

int main(int argc, char **argv)
{
    return run_on_backends(argc, argv, test);
}
