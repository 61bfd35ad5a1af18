/*
 * resolve: names are looked up by threads, and fibers wait for the answers.
 *
 * Shows: getaddrinfo(3) blocks, and has no fd to wait for. pirn_work_call has a thread of the
 * program call it, and the fiber that asked waits as for anything else: with a time limit, and
 * beside others. Watch for: eight questions, two threads, and the loop keeps ticking. If the limit
 * ends before a thread has begun, the question is withdrawn; if it has begun, the fiber waits until
 * the call returns, because the thread still writes into the fiber's variables.
 * Next: ui_events.c, where a thread reports by an event.
 *
 *     ./build/gallery/resolve [NAME ...]           the addresses of these; of localhost without
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>

#include <pirn/work.h>

#include "virtual.h"

enum { THREADS = 2, QUESTIONS = 8 };

static PIRN_STORAGE(block, 4, 4, 4);
static struct pirn_loop *loop;
static struct pirn_hub hub;
static struct pirn_workers workers;
static struct pirn_fiber fibers[QUESTIONS], clock_;
static char stacks[QUESTIONS + 1][16384];
static const char *names[QUESTIONS];
static int count, answered, ticks, is_over;

static void *thread(void *user)
{
    (void)user;
    CHECK(pirn_workers_run(&workers) == 0);
    return NULL;
}

/* ---- a question ---- */

struct question { const char *name; struct addrinfo *answer; };

/* Called on a thread, and may block. */
static int ask(struct pirn_work *work, void *user)
{
    struct question *it = user;
    struct addrinfo hints;

    (void)work;
    memset(&hints, 0, sizeof hints);
    hints.ai_socktype = SOCK_STREAM;
    return getaddrinfo(it->name, NULL, &hints, &it->answer);
}

static int resolve(struct pirn_hub *its_hub, void *user)
{
    struct question question = { user, NULL };
    struct pirn_work work = { 0 };
    char text[INET6_ADDRSTRLEN];
    int result = 0;
    int rc = pirn_work_call(&workers, its_hub, &work, ask, &question, 30 * SECOND, &result);

    if (rc < 0 || result != 0) {
        printf("resolve: %s: %s\n", question.name,
               rc < 0 ? pirn_strerror(rc) : gai_strerror(result));
        return -1;
    }
    for (struct addrinfo *at = question.answer; at != NULL; at = at->ai_next) {
        const void *address = at->ai_family == AF_INET6
            ? (const void *)&((const struct sockaddr_in6 *)(const void *)at->ai_addr)->sin6_addr
            : (const void *)&((const struct sockaddr_in *)(const void *)at->ai_addr)->sin_addr;

        printf("resolve: %s has %s\n", question.name,
               inet_ntop(at->ai_family, address, text, sizeof text));
    }
    freeaddrinfo(question.answer);
    answered++;
    return 0;
}

/* ---- the loop goes on meanwhile ---- */

static int tick(struct pirn_hub *its_hub, void *user)
{
    (void)user;
    while (!is_over) {
        ticks++;
        pirn_fiber_sleep(its_hub, MS);
    }
    return 0;
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS];

    is_self_test = argc > 1 && strcmp(argv[1], "--self-test") == 0;
    for (int at = 1; at < argc && count < QUESTIONS && !is_self_test; at++)
        names[count++] = argv[at];
    for (; count < (is_self_test ? QUESTIONS : 1); count++)
        names[count] = count % 2 ? "127.0.0.1" : "localhost";

    loop = real_begin(block, sizeof block, &hub);
    CHECK(pirn_workers_init(&workers, 0) == 0);
    for (int at = 0; at < THREADS; at++)
        CHECK(pthread_create(&threads[at], NULL, thread, NULL) == 0);
    CHECK(pirn_fiber_start(&hub, &clock_, stacks[QUESTIONS], sizeof stacks[0], 0, tick, NULL) == 0);
    for (int at = 0; at < count; at++)
        CHECK(pirn_fiber_start(&hub, &fibers[at], stacks[at], sizeof stacks[0], 0, resolve,
                               (void *)(uintptr_t)names[at]) == 0);

    for (int at = 0; at < count; at++)
        CHECK(pirn_fiber_join(&fibers[at], PIRN_FOREVER, NULL) == 0);
    is_over = 1;
    CHECK(pirn_fiber_join(&clock_, PIRN_FOREVER, NULL) == 0);
    CHECK(pirn_workers_close(&workers, PIRN_WORKERS_DRAIN) == 0);
    for (int at = 0; at < THREADS; at++)
        CHECK(pthread_join(threads[at], NULL) == 0);
    printf("resolve: %d of %d answered, the clock ticked %d times\n", answered, count, ticks);
    CHECK(!is_self_test || (answered == count && ticks > 0));
    return loop_end(loop, &hub);
}
