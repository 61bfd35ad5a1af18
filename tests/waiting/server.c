/* Many: 500 clients at once and a server of few fibers, and 50,000 fibers that wait. */
#include "test.h"

#include <netinet/in.h>
#include <sys/resource.h>

#include <pirn/fiber.h>

#define CLIENTS 500
#define SERVERS 64
#define BYTES 20000
#define LIMIT (20 * SECOND)

static PIRN_STORAGE(block, 2 * CLIENTS + 64, 8, 8);
static uint32_t the_backend;
static struct pirn_loop *loop;
static struct pirn_hub hub;
static struct sockaddr_in address;
static unsigned char sent[2 * BYTES];
static int clients_wanted, clients_served, most_at_once, at_once;

PIRN_POOL(servers, SERVERS, 16384);
PIRN_POOL(clients, CLIENTS, 16384);

static void open_port(struct pirn_hub *hub_, struct pirn_port *port, int fd)
{
    if (the_backend == PIRN_BACKEND_HOST)
        MUST(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0);
    OK(pirn_port_open(hub_, port, fd, 0));
}

/* Sends back all received bytes, until the end. */
static int serve(struct pirn_hub *hub_, void *argument)
{
    struct pirn_port port;
    char bytes[4096];
    intptr_t count;
    int fd = *(int *)argument;
    open_port(hub_, &port, fd);
    if (++at_once > most_at_once)
        most_at_once = at_once;
    while ((count = pirn_port_read(&port, bytes, sizeof bytes, LIMIT)) > 0)
        if (!CHECK(pirn_port_write_all(&port, bytes, (size_t)count, LIMIT) == 0))
            break;
    EQUAL(count, 0);
    at_once--;
    clients_served++;
    OK(pirn_port_close(&port));
    return close(fd);
}

/* Sends its own bytes in parts of any size, and compares the echo. */
static int ask(struct pirn_hub *hub_, void *argument)
{
    struct pirn_port port;
    unsigned char bytes[3000];
    size_t begin = (size_t)*(int *)argument % BYTES, sent_count = 0, got = 0;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    MUST(fd >= 0);
    open_port(hub_, &port, fd);
    if (CHECK(pirn_port_connect(&port, &address, sizeof address, LIMIT) == 0))
        while (got < BYTES) {
            size_t part = 1 + (size_t)(random_word() % sizeof bytes);
            if (part > BYTES - sent_count)
                part = BYTES - sent_count;
            if (!CHECK(pirn_port_write_all(&port, sent + begin + sent_count, part, LIMIT) == 0))
                break;
            sent_count += part;
            do {
                intptr_t count = pirn_port_read(&port, bytes, sizeof bytes, LIMIT);
                if (!CHECK(count > 0) ||
                    !CHECK(memcmp(bytes, sent + begin + got, (size_t)count) == 0))
                    goto end;
                got += (size_t)count;
            } while (got < sent_count && random_word() % 4 != 0);
        }
end:
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
    OPEN(loop, block, the_backend);
    OK(pirn_hub_init(loop, &hub, 63));
    open_port(&hub, &listener, fd);
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
    OK(pirn_hub_verify(&hub));
    OK(pirn_hub_deinit(&hub));
    CLOSE(loop);
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
    OPEN(loop, block, the_backend);
    OK(pirn_hub_init(loop, &hub, 63));
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
    OK(pirn_hub_deinit(&hub));
    CLOSE(loop);
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
