/* Many: 500 clients at once and a server of few fibers, and 50,000 fibers that wait. */
#include "test.h"

#include <netinet/in.h>
#include <sys/resource.h>

#include <pirn/fiber.h>

#include "echo.h"

#define CLIENTS 500
#define SERVERS 64
#define BYTES 20000
#define LIMIT (20 * SECOND)

static PIRN_STORAGE(block, 2 * CLIENTS + 64, 8, 8);
static struct sockaddr_in address;
static unsigned char sent[2 * BYTES];
static int clients_wanted, clients_served;

PIRN_POOL(servers, SERVERS, 16384);
PIRN_POOL(clients, CLIENTS, 16384);

static int serve(struct pirn_hub *hub_, void *fd)
{
    char bytes[4096];
    (void)hub_;
    clients_served++;
    return serve_client(*(int *)fd, bytes, sizeof bytes, LIMIT);
}

/* Sends its own bytes in parts of any size, and compares the echo. */
static int ask(struct pirn_hub *hub_, void *argument)
{
    struct pirn_port port;
    unsigned char bytes[3000];
    size_t begin = (size_t)*(int *)argument % BYTES, got = 0;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)hub_;
    MUST(fd >= 0);
    open_port(&port, fd);
    if (CHECK(pirn_port_connect(&port, &address, sizeof address, LIMIT) == 0))
        got = compare_echo(&port, sent + begin, BYTES, bytes, sizeof bytes, LIMIT);
    EQUAL(got, BYTES);
    OK(pirn_port_close(&port));
    return close(fd);
}

static int start_clients(struct pirn_hub *hub_, void *user)
{
    (void)user;
    for (int at = 0; at < clients_wanted; at++) {
        int number = at * 37;
        OK(pirn_pool_spawn(hub_, &clients, ask, &number, sizeof number, PIRN_FOREVER));
    }
    return 0;
}

/* Five hundred clients at once, served by a bounded pool: every byte is compared. */
static void bounded_pool_serves_many_clients(void)
{
    static struct pirn_fiber starter;
    static uint64_t stack[16384 / 8];
    struct pirn_port listener;
    socklen_t length = sizeof address;
    /* select has room for 1024 fds in all. */
    clients_wanted = the_backend == PIRN_BACKEND_SELECT ? 200 : CLIENTS;
    for (size_t at = 0; at < sizeof sent; at++)
        sent[at] = (unsigned char)random_word();
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    MUST(fd >= 0);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    MUST(bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 512) == 0);
    MUST(getsockname(fd, (struct sockaddr *)&address, &length) == 0);
    OPEN_HUB(block);
    open_port(&listener, fd);
    OK(pirn_fiber_start(&hub, &starter, stack, sizeof stack, 0, start_clients, NULL));
    servers.memory.options = PIRN_FIBER_FILL;
    for (int at = 0; at < clients_wanted; at++) {
        int client = pirn_port_accept(&listener, LIMIT);
        if (!CHECK(client >= 0))
            break;
        OK(pirn_pool_spawn(&hub, &servers, serve, &client, sizeof client, LIMIT));
    }
    OK(pirn_group_join(&hub, &clients.group, LIMIT));
    OK(pirn_group_join(&hub, &servers.group, LIMIT));
    EQUAL(clients_served, clients_wanted);
    EQUAL(clients.state.peak, (uint32_t)clients_wanted);
    CHECK(servers.state.peak <= SERVERS && most_at_once <= SERVERS);
    EQUAL(servers.group.result, 0);
    EQUAL(clients.group.result, 0);
    CHECK(servers.state.deepest > 4096 && servers.state.deepest < 16384);
    OK(pirn_port_close(&listener));
    close_hub();
    close(fd);
}

/* ---- 50,000 ---- */

#define MANY 50000
#if defined(__SANITIZE_ADDRESS__) || defined(__clang__)
#define SMALL_STACK 8192
#else
#define SMALL_STACK 2048
#endif
PIRN_POOL(crowd, MANY, SMALL_STACK);

static int waits_for_ever(struct pirn_hub *hub_, void *user)
{
    (void)user;
    return pirn_fiber_park(hub_, 1000 * SECOND);
}

static long resident_bytes(void)
{
    long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    MUST(file != NULL && fscanf(file, "%ld %ld", &pages, &resident) == 2);
    fclose(file);
    return resident * sysconf(_SC_PAGESIZE);
}

static void fifty_thousand_fibers_wait(void)
{
    OPEN_HUB(block);
    long before = resident_bytes();
    for (int at = 0; at < MANY; at++)
        if (!CHECK(pirn_pool_spawn(&hub, &crowd, waits_for_ever, NULL, 0, 0) == 0))
            break;
    GIVES(pirn_pool_spawn(&hub, &crowd, waits_for_ever, NULL, 0, 0), -EAGAIN);
    while (pirn_turn(loop, 0) > 0)
        ;
    EQUAL(crowd.group.live, MANY);
    OK(pirn_hub_verify(&hub));
    long each = (resident_bytes() - before) / MANY;
    printf("%s: %ld bytes for each of %d waiting fibers\n", context, each, MANY);
    CHECK(each < SMALL_STACK + (long)sizeof(struct pirn_fiber) + 64);
    OK(pirn_group_cancel(&crowd.group));
    OK(pirn_group_join(&hub, &crowd.group, LIMIT));
    EQUAL(crowd.group.live, 0);
    EQUAL(crowd.group.result, -ECANCELED);
    close_hub();
}

static void test(uint32_t backend)
{
    struct rlimit limit;
    the_backend = backend;
    MUST(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max < 4096 ? limit.rlim_max : 4096;
    MUST(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    bounded_pool_serves_many_clients();
    fifty_thousand_fibers_wait();
}

int main(int argc, char **argv)
{
    return run_on_backends(argc, argv, test);
}
