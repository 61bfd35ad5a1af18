/*
 * downloader: ten downloads at once, each in a fiber.
 *
 * Shows: the requests are sent in order, the answers arrive in the order in which they are ready,
 * and all of it takes as long as the slowest: half a second, instead of 2.75 one after the other.
 * Then the same with a time limit for all: downloads that are not done are cancelled.
 *
 * Watch for: after the limit of pirn_group_join the downloads still run. The program decides what
 * to do with them: here it cancels them, and joins again, so that each closes its socket.
 *
 *     ./build/gallery/downloader                   starts the slow server by itself
 *
 * Next: downloader_curl.c does it with a library for HTTP, and callbacks.
 */
#include "slow_server.h"

static PIRN_STORAGE(client_block, DOWNLOADS + 2, DOWNLOADS + 2, 4);
static struct pirn_hub client_hub;
PIRN_POOL(downloads, DOWNLOADS, 16384);
static struct sockaddr_in server;
static unsigned begun[DOWNLOADS], done[DOWNLOADS], begun_count, done_count;

static int fetch(struct pirn_port *port, unsigned delay)
{
    char text[256], expected[32];
    size_t size = 0;
    ptrdiff_t got = pirn_port_connect(port, &server, sizeof server, PIRN_FOREVER);

    snprintf(text, sizeof text, "GET /%u HTTP/1.1\r\nHost: here\r\n\r\n", delay);
    if (got == 0)
        got = pirn_port_write_all(port, text, strlen(text), PIRN_FOREVER);
    if (got < 0)
        return (int)got;
    begun[begun_count++] = delay;
    do {
        got = pirn_port_read(port, text + size, sizeof text - 1 - size, PIRN_FOREVER);
        if (got < 0)
            return (int)got;                        /* -ECANCELED: nobody wants it any more */
        size += (size_t)got;
    } while (got > 0);
    text[size] = '\0';
    snprintf(expected, sizeof expected, "\r\n\r\nafter %u ms\n", delay);
    CHECK(strstr(text, expected) != NULL);
    done[done_count++] = delay;
    return 0;
}

static int download(struct pirn_hub *its_hub, void *argument)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), rc;
    struct pirn_port port;

    CHECK(fd >= 0 && pirn_port_open(its_hub, &port, fd, 0) == 0);
    rc = fetch(&port, *(unsigned *)argument);
    pirn_port_close(&port);
    close(fd);
    return rc;
}

static void begin_all(void)
{
    begun_count = done_count = 0;
    for (unsigned at = 0; at < DOWNLOADS; at++) {
        unsigned delay = delay_of(at);

        CHECK(pirn_pool_spawn(&client_hub, &downloads, download, &delay, sizeof delay,
                              PIRN_FOREVER) == 0);
    }
}

static void prove(void)
{
    struct pirn_loop *loop;
    uint64_t before, took;

    server.sin_family = AF_INET;
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server.sin_port = htons(begin_server(serve_slowly));
    CHECK(pirn_init(&loop, client_block, sizeof client_block, NULL) == 0);
    CHECK(pirn_hub_init(loop, &client_hub, 63) == 0 && pirn_fiber_debug(&client_hub) == 0);

    before = pirn_update(loop);
    begin_all();
    CHECK(pirn_group_join(&client_hub, &downloads.group, PIRN_FOREVER) == 0);
    took = (pirn_update(loop) - before) / MS;
    CHECK(begun_count == DOWNLOADS && done_count == DOWNLOADS && downloads.group.result == 0);
    for (unsigned at = 0; at < DOWNLOADS; at++) {
        CHECK(begun[at] == delay_of(at));
        CHECK(done[at] == delay_of(DOWNLOADS - 1 - at));
    }
    CHECK(took >= delay_of(0) && took < 2750);      /* the sum */
    printf("downloader: 10 requests in order, the answers in reverse, all in %u ms\n",
           (unsigned)took);

    begin_all();
    CHECK(pirn_group_join(&client_hub, &downloads.group, 220 * MS) == -ETIMEDOUT);
    CHECK(done_count < DOWNLOADS && downloads.group.live == DOWNLOADS - done_count);
    printf("downloader: after 220 ms %u are done, the others are cancelled\n", done_count);
    CHECK(pirn_group_cancel(&downloads.group) == 0);
    CHECK(pirn_group_join(&client_hub, &downloads.group, PIRN_FOREVER) == 0);
    CHECK(downloads.group.live == 0 && downloads.group.result == -ECANCELED);
    CHECK(pirn_hub_deinit(&client_hub) == 0 && pirn_deinit(loop) == 0);
    end_server();
}

int main(int argc, char **argv)
{
    char *self_test[] = { argv[0], (char[]){ "--self-test" }, NULL };

    return server_main(argc < 2 ? 2 : argc, argc < 2 ? self_test : argv, serve_slowly, prove);
}
