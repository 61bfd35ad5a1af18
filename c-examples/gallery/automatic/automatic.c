/*
 * automatic: twenty fibers use a library that blocks, and none delays the others.
 *
 * Shows: quotes.c connects, writes, polls and reads, and knows nothing of loops. It is compiled
 * unchanged. The linker replaces those four calls by other functions (wrap.c), which let other
 * fibers run while the call would block.
 * Watch for: the server answers only when all twenty have asked. So the library must be in the
 * middle of twenty calls at the same time, on one thread. Called without fibers, it blocks as
 * usual.
 * Next: switches.c, for what that costs.
 *
 *     ./build/gallery/automatic                    --self-test checks each answer
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../virtual.h"
#include "quotes.h"
#include "wrap.h"

#define CLIENTS 20

static PIRN_STORAGE(block, CLIENTS + 2, 4, 4);
static struct pirn_hub hub;
static int port, answers, asking, most;
PIRN_POOL(clients, CLIENTS, 16384);

/* ---- a server in a thread of its own, which answers when `count` clients have asked ---- */

struct server { pthread_t thread; int fd, count; };

static void *serve(void *user)
{
    struct server *server = user;
    int fds[CLIENTS], shares[CLIENTS];

    for (int at = 0; at < server->count; at++) {
        CHECK((fds[at] = accept(server->fd, NULL, NULL)) >= 0);
        CHECK(read(fds[at], &shares[at], sizeof shares[at]) == sizeof shares[at]);
    }
    for (int at = server->count; at-- > 0;) {        /* the last one first */
        int price = shares[at] * 100;

        CHECK(write(fds[at], &price, sizeof price) == sizeof price);
        CHECK(close(fds[at]) == 0);
    }
    return NULL;
}

static void start_server(struct server *server, int count)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;

    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK((server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) >= 0);
    CHECK(bind(server->fd, (struct sockaddr *)&address, length) == 0);
    CHECK(listen(server->fd, 64) == 0);
    CHECK(getsockname(server->fd, (struct sockaddr *)&address, &length) == 0);
    port = ntohs(address.sin_port);
    server->count = count;
    CHECK(pthread_create(&server->thread, NULL, serve, server) == 0);
}

static void end_server(struct server *server)
{
    CHECK(pthread_join(server->thread, NULL) == 0 && close(server->fd) == 0);
}

/* ---- its clients ---- */

static int ask(struct pirn_hub *its_hub, void *argument)
{
    int share = *(int *)argument;

    (void)its_hub;
    if (++asking > most)
        most = asking;
    CHECK(quotes_ask(port, share) == share * 100);   /* it looks as if it blocked */
    asking--;
    answers++;
    return 0;
}

int main(void)
{
    struct pirn_loop *loop = real_begin(block, sizeof block, &hub);
    struct server server;

    wrap_begin(&hub);

    start_server(&server, CLIENTS);
    for (int share = 1; share <= CLIENTS; share++)
        CHECK(pirn_pool_spawn(&hub, &clients, ask, &share, sizeof share, PIRN_FOREVER) == 0);
    CHECK(pirn_group_join(&hub, &clients.group, 30 * SECOND) == 0);
    end_server(&server);
    CHECK(answers == CLIENTS && most == CLIENTS);

    start_server(&server, 1);
    CHECK(quotes_ask(port, 7) == 700);               /* no fiber: the thread waits */
    end_server(&server);

    printf("automatic: %d answers, %d calls of the library at once, on one thread\n", answers,
           most);
    return loop_end(loop, &hub);
}
