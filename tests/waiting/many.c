/* Many at once: 5,000 clients of a server, and 50,000 fibers that exchange items. */
#include "test.h"

#include <stddef.h>
#include <sys/resource.h>
#include <sys/un.h>

#include <pirn/fiber.h>
#include <pirn/sync.h>

#include "echo.h"

#define CLIENTS 5000
/* Fds that are neither a client's nor its server's. */
#define OTHERS 64
#define BYTES 2000
#define STACK 16384
#define LIMIT (40 * SECOND)

static PIRN_STORAGE(block, 2 * CLIENTS + OTHERS, 8, 8);

/* ---- clients ---- */

PIRN_POOL(servers, CLIENTS, STACK);
PIRN_POOL(clients, CLIENTS, STACK);
static struct sockaddr_un address;
static socklen_t address_length;
static struct pirn_barrier all_are_connected;
static unsigned char sent[2 * BYTES];
static int client_count;
static uint64_t bytes_compared;

static int serve(struct pirn_hub *hub_, void *fd)
{
    char bytes[1024];
    (void)hub_;
    return serve_client(*(int *)fd, bytes, sizeof bytes, LIMIT);
}

/* Waits until all clients are connected, sends its own bytes in parts, and compares the echo. */
static int ask(struct pirn_hub *hub_, void *argument)
{
    struct pirn_port port;
    unsigned char bytes[700];
    size_t begin = (size_t)*(int *)argument % BYTES;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    MUST(fd >= 0);
    open_port(&port, fd);
    CHECK(pirn_port_connect(&port, &address, address_length, LIMIT) == 0);
    CHECK(pirn_barrier_wait(hub_, &all_are_connected, LIMIT) >= 0);
    size_t got = compare_echo(&port, sent + begin, BYTES, bytes, sizeof bytes, LIMIT);
    EQUAL(got, BYTES);
    bytes_compared += got;
    OK(pirn_port_close(&port));
    return close(fd);
}

static int start_clients(struct pirn_hub *hub_, void *user)
{
    (void)user;
    for (int at = 0; at < client_count; at++) {
        int number = at * 37;
        OK(pirn_pool_spawn(hub_, &clients, ask, &number, sizeof number, PIRN_FOREVER));
        /* No faster than they are accepted: a local socket refuses those that come too early. */
        while (at - most_at_once >= 64)
            OK(pirn_fiber_sleep(hub_, 0));
    }
    return 0;
}

/* How many clients the limit of fds allows. */
static int count_clients(void)
{
    struct rlimit limit;
    int wanted = CLIENTS;
    /* select has room for 1024 fds in all, and the host of the tests for 2048. */
    if (the_backend == PIRN_BACKEND_SELECT)
        wanted = 400;
    else if (the_backend == PIRN_BACKEND_HOST)
        wanted = 900;
    MUST(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < (rlim_t)(2 * wanted + OTHERS))
        wanted = ((int)limit.rlim_max - OTHERS) / 2;
    limit.rlim_cur = (rlim_t)(2 * wanted + OTHERS);
    MUST(wanted > 0 && setrlimit(RLIMIT_NOFILE, &limit) == 0);
    if (wanted < CLIENTS)
        printf("%s: %d clients and not %d, for want of fds\n", context, wanted, CLIENTS);
    return wanted;
}

static void five_thousand_clients_at_once(void)
{
    static struct pirn_fiber starter;
    static uint64_t stack[STACK / 8];
    struct pirn_port port;
    client_count = count_clients();
    for (size_t at = 0; at < sizeof sent; at++)
        sent[at] = (unsigned char)random_word();
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    MUST(fd >= 0);
    /* A name that is in no directory. */
    address.sun_family = AF_UNIX;
    int length = snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "pirn-many-%ld",
                          (long)getpid());
    address_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
    MUST(bind(fd, (struct sockaddr *)&address, address_length) == 0 && listen(fd, 128) == 0);
    OPEN_HUB(block);
    open_port(&port, fd);
    OK(pirn_barrier_init(&all_are_connected, (uint32_t)client_count));
    OK(pirn_fiber_start(&hub, &starter, stack, sizeof stack, 0, start_clients, NULL));
    for (int at = 0; at < client_count; at++) {
        int client = pirn_port_accept(&port, LIMIT);
        if (!CHECK(client >= 0))
            break;
        OK(pirn_pool_spawn(&hub, &servers, serve, &client, sizeof client, LIMIT));
    }
    OK(pirn_group_join(&hub, &clients.group, LIMIT));
    OK(pirn_group_join(&hub, &servers.group, LIMIT));
    OK(pirn_fiber_join(&starter, LIMIT, NULL));
    EQUAL(most_at_once, client_count);
    EQUAL(clients.state.peak, client_count);
    EQUAL(servers.state.peak, client_count);
    EQUAL(bytes_compared, (uint64_t)client_count * BYTES);
    OK(clients.group.result);
    OK(servers.group.result);
    OK(pirn_port_close(&port));
    close(fd);
    close_hub();
}

/* ---- items ---- */

#define MANY 50000
#define ROUNDS 3
#define ECHOES 16
#define ROOM 64
#if defined(__SANITIZE_ADDRESS__) || defined(__clang__)
#define SMALL_STACK 8192
#else
#define SMALL_STACK 2048
#endif

PIRN_POOL(crowd, MANY, SMALL_STACK);
PIRN_POOL(echoes, 2 * ECHOES, STACK);

/* An item, on the stack of its fiber, with the queue in which it comes back. */
struct item { struct pirn_link link; uint32_t number, word, echo; struct pirn_queue back; };

static struct pirn_queue linked, bounded;
static struct item *room[ROOM];
static long items_compared, items_echoed;

/* Those with an even number put the item itself, the others its address where room is scarce. */
static int sends_items(struct pirn_hub *hub_, void *argument)
{
    struct item item, *got = NULL, *own = &item;
    uint32_t number = *(uint32_t *)argument;
    memset(&item, 0, sizeof item);
    item.number = number;
    OK(pirn_queue_init_linked(&item.back, PIRN_QUEUE_FIFO));
    for (int round = 0; round < ROUNDS; round++) {
        item.word = (uint32_t)random_word();
        int rc = number % 2 ? pirn_queue_put(hub_, &bounded, &own, LIMIT)
                            : pirn_queue_put(hub_, &linked, &item, LIMIT);
        if (!CHECK(rc == 0) || !CHECK(pirn_queue_get(hub_, &item.back, &got, LIMIT) == 0))
            return -1;
        if (!CHECK(got == &item && item.echo == (item.word ^ number)))
            return -1;
        items_compared++;
    }
    return 0;
}

static int echoes_items(struct pirn_hub *hub_, void *argument)
{
    struct pirn_queue *queue = *(struct pirn_queue **)argument;
    struct item *item;
    int rc;
    while ((rc = pirn_queue_get(hub_, queue, &item, LIMIT)) == 0) {
        item->echo = item->word ^ item->number;
        items_echoed++;
        OK(pirn_queue_put(hub_, &item->back, item, 0));
    }
    EQUAL(rc, -ESHUTDOWN);
    return 0;
}

/* All wait at once, and each gets its own item back, changed as it asked for. */
static void fifty_thousand_fibers_exchange_items(void)
{
    struct pirn_queue *queues[] = { &linked, &bounded };
    OPEN_HUB(block);
    items_compared = items_echoed = 0;
    OK(pirn_queue_init_linked(&linked, PIRN_QUEUE_FIFO));
    OK(pirn_queue_init(&bounded, room, sizeof room, sizeof room[0], PIRN_QUEUE_FIFO));
    for (uint32_t number = 0; number < MANY; number++)
        if (!CHECK(pirn_pool_spawn(&hub, &crowd, sends_items, &number, sizeof number, 0) == 0))
            break;
    settle(loop, 2);
    EQUAL(crowd.group.live, MANY);
    EQUAL(pirn_queue_size(&linked), MANY / 2);
    EQUAL(pirn_queue_size(&bounded), ROOM);
    for (int at = 0; at < 2 * ECHOES; at++)
        OK(pirn_pool_spawn(&hub, &echoes, echoes_items, &queues[at % 2], sizeof queues[0], 0));
    OK(pirn_group_join(&hub, &crowd.group, LIMIT));
    OK(pirn_queue_close(&linked, PIRN_QUEUE_DRAIN));
    OK(pirn_queue_close(&bounded, PIRN_QUEUE_DRAIN));
    OK(pirn_group_join(&hub, &echoes.group, LIMIT));
    OK(crowd.group.result);
    OK(echoes.group.result);
    EQUAL(items_compared, (long)MANY * ROUNDS);
    EQUAL(items_echoed, (long)MANY * ROUNDS);
    close_hub();
}

static void test(uint32_t backend)
{
    the_backend = backend;
    five_thousand_clients_at_once();
    fifty_thousand_fibers_exchange_items();
}

int main(int argc, char **argv)
{
    return run_on_backends(argc, argv, test);
}
