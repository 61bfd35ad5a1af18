/*
 * downloader_curl: ten downloads at once, by libcurl on the loop.
 *
 * Shows: how to use a library with its own event interface. libcurl reports the sockets that it
 * waits for (on_socket), and the latest time of its next call (on_timeout). The loop waits, and
 * calls libcurl. Everything else in the program runs in the same loop.
 *
 * Watch for: libcurl may ask to be called at once, and must not be called from inside its own
 * callback: so even a delay of 0 is a timer. A socket is removed before libcurl closes it.
 *
 *     ./build/gallery/downloader_curl              starts the slow server by itself
 *
 * Next: docs/GALLERY.md, which has the figures of all servers.
 */
#include <curl/curl.h>

#include "slow_server.h"

static PIRN_STORAGE(client_block, 64, 4, 4);
static struct pirn_loop *client_loop;
static struct pirn_timer timer;
static CURLM *multi;
static unsigned done[DOWNLOADS], done_count;

/* Note what has ended. */
static void after_action(void)
{
    int left;
    CURLMsg *message;

    while ((message = curl_multi_info_read(multi, &left)) != NULL) {
        CURL *easy = message->easy_handle;
        void *delay;
        long status;

        CHECK(message->msg == CURLMSG_DONE && message->data.result == CURLE_OK);
        CHECK(curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK);
        CHECK(curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&delay) == CURLE_OK);
        CHECK(status == 200);
        done[done_count++] = (unsigned)(uintptr_t)delay;
        CHECK(curl_multi_remove_handle(multi, easy) == CURLM_OK);
        curl_easy_cleanup(easy);
    }
}

static void on_ready(struct pirn_loop *loop, struct pirn_io io, int fd, uint32_t ready, void *user)
{
    int running, action = ((ready & PIRN_READ) != 0 ? CURL_CSELECT_IN : 0)
                          | ((ready & PIRN_WRITE) != 0 ? CURL_CSELECT_OUT : 0);

    (void)loop, (void)io, (void)user;
    CHECK(curl_multi_socket_action(multi, fd, action, &running) == CURLM_OK);
    after_action();
}

static void on_time(struct pirn_loop *loop, struct pirn_timer its_timer, uint64_t missed,
                    void *user)
{
    int running;

    (void)loop, (void)its_timer, (void)missed, (void)user;
    CHECK(curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running) == CURLM_OK);
    after_action();
}

/* libcurl: "wait for this socket". The handle of its watcher is kept as the socket's pointer. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *kept)
{
    uint32_t interest = ((what & CURL_POLL_IN) != 0 ? PIRN_READ : 0u)
                        | ((what & CURL_POLL_OUT) != 0 ? PIRN_WRITE : 0u);
    struct pirn_io *io = kept;

    (void)easy, (void)user;
    if (what == CURL_POLL_REMOVE) {
        if (io != NULL)
            CHECK(pirn_io_remove(client_loop, *io) == 0);
        free(io);
    } else if (io != NULL) {
        CHECK(pirn_io_modify(client_loop, *io, interest) == 0);
    } else {
        io = malloc(sizeof *io);
        CHECK(io != NULL
              && pirn_io_add(client_loop, fd, interest, on_ready, NULL, io) == 0
              && curl_multi_assign(multi, fd, io) == CURLM_OK);
    }
    return 0;
}

/* libcurl: "call me after so long at the latest"; -1: no more. */
static int on_timeout(CURLM *its_multi, long timeout_ms, void *user)
{
    (void)its_multi, (void)user;
    pirn_timer_stop(client_loop, timer);            /* -ENOENT if there is none: no matter */
    if (timeout_ms >= 0)
        CHECK(pirn_timer_start(client_loop, (uint64_t)timeout_ms * MS, 0, 0, on_time, NULL,
                               &timer) == 0);
    return 0;
}

static size_t on_body(char *bytes, size_t one, size_t size, void *user)
{
    char expected[32];

    snprintf(expected, sizeof expected, "after %u ms\n", (unsigned)(uintptr_t)user);
    CHECK(size == strlen(expected) && memcmp(bytes, expected, size) == 0);
    return one * size;
}

static void begin_download(uint16_t port, unsigned delay)
{
    char url[64];
    void *user = (void *)(uintptr_t)delay;
    CURL *easy = curl_easy_init();

    snprintf(url, sizeof url, "http://127.0.0.1:%u/%u", (unsigned)port, delay);
    CHECK(easy != NULL && curl_easy_setopt(easy, CURLOPT_URL, url) == CURLE_OK
          && curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK
          && curl_easy_setopt(easy, CURLOPT_PRIVATE, user) == CURLE_OK
          && curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK
          && curl_easy_setopt(easy, CURLOPT_WRITEDATA, user) == CURLE_OK
          && curl_multi_add_handle(multi, easy) == CURLM_OK);
}

static void prove(void)
{
    uint16_t port;
    uint64_t before, took;

    port = begin_server(serve_slowly);
    CHECK(pirn_init(&client_loop, client_block, sizeof client_block, NULL) == 0);
    CHECK(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    multi = curl_multi_init();
    CHECK(multi != NULL
          && curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket) == CURLM_OK
          && curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timeout) == CURLM_OK);
    before = pirn_update(client_loop);
    for (unsigned at = 0; at < DOWNLOADS; at++)
        begin_download(port, delay_of(at));
    CHECK(pirn_run(client_loop) == PIRN_DONE);      /* nothing to wait for: all are done */
    took = (pirn_update(client_loop) - before) / MS;
    CHECK(done_count == DOWNLOADS && counts->clients == DOWNLOADS);
    for (unsigned at = 0; at < DOWNLOADS; at++)
        CHECK(done[at] == delay_of(DOWNLOADS - 1 - at));
    CHECK(took >= delay_of(0) && took < 2750);
    printf("downloader_curl: 10 downloads in %u ms, the fastest first\n", (unsigned)took);
    CHECK(curl_multi_cleanup(multi) == CURLM_OK);
    curl_global_cleanup();
    CHECK(pirn_deinit(client_loop) == 0);
    end_server();
}

int main(int argc, char **argv)
{
    char *self_test[] = { argv[0], (char[]){ "--self-test" }, NULL };

    return server_main(argc < 2 ? 2 : argc, argc < 2 ? self_test : argv, serve_slowly, prove);
}
