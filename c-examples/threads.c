/*
 * threads: messages from other threads and signal handlers to a loop.
 *
 * Shows: pirn_remote_post from several threads with waiting when the mailbox is full, pirn_raise
 * from a signal handler, pirn_stop from a signal handler, pirn_hold. Checks that every accepted
 * post ran exactly once and in its thread's order.
 *
 *     make && ./build/threads                      exit status 0 if all claims hold
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include <pirn.h>

#include "check.h"

#define PRODUCERS 4
#define POSTS 25000
#define SIGNALS 50
#define USR1_BIT 0

/* a mailbox of (127 + 1) / 2 posts: small, so that it does fill up */
static PIRN_STORAGE(block, 1, 0, 127);

/*
 * What travels through the mailbox is a pointer; what it points to is the producer's until the
 * callback has run.
 */
struct letter {
    struct producer *from;
    uint32_t number;
    uint32_t deliveries;                            /* loop thread only */
};

struct producer {
    pthread_t thread;
    struct letter letters[POSTS];
    uint64_t waits;  /* written before the last post, read after its callback */
    uint32_t received;                              /* loop thread only, as is: */
    uint32_t out_of_order;
};

static struct pirn_loop *loop;  /* one of them, for threads and handlers alike */
static struct producer producers[PRODUCERS];
static pthread_t loop_thread;
static unsigned finished;
static uint64_t raised_calls;
static volatile sig_atomic_t signals_seen;

static void on_letter(struct pirn_loop *the_loop, void *user)
{
    struct letter *letter = user;
    struct producer *producer = letter->from;

    (void)the_loop;
    letter->deliveries++;
    if (letter->number != producer->received)
        producer->out_of_order++;
    producer->received++;
}

/* Runs in the loop after all of that producer's letters. */
static void on_finished(struct pirn_loop *the_loop, void *user)
{
    struct producer *producer = user;

    CHECK(producer->received == POSTS);
    CHECK(pthread_join(producer->thread, NULL) == 0);
    if (++finished == PRODUCERS) {
        CHECK(pirn_release(the_loop) == 0);
        CHECK(raise(SIGINT) == 0);  /* as if the user had pressed ^C: its handler stops the loop */
    }
}

/*
 * The queue is full: nothing was accepted, try again when the loop has had time. A real producer
 * may prefer to drop.
 */
static void post_patiently(struct producer *producer, pirn_task_fn callback, void *user)
{
    static const struct timespec moment = { 0, 50000 };
    int rc;

    while ((rc = pirn_remote_post(loop, callback, user)) == -EAGAIN) {
        producer->waits++;
        nanosleep(&moment, NULL);
    }
    CHECK(rc == 0);
}

static void *produce(void *user)
{
    struct producer *producer = user;

    for (uint32_t i = 0; i < POSTS; ++i) {
        producer->letters[i].from = producer;
        producer->letters[i].number = i;
        post_patiently(producer, on_letter, &producer->letters[i]);
        if (i % (POSTS / SIGNALS) == 0)
            pthread_kill(loop_thread, SIGUSR1);     /* interrupts the loop wherever it is */
    }
    post_patiently(producer, on_finished, producer);
    return NULL;
}

/*
 * The handler only sets a bit; what it means is done here, where everything may be called. Raises
 * may coalesce.
 */
static void on_usr1_raised(struct pirn_loop *the_loop, struct pirn_io io, int bit, uint32_t ready,
                           void *user)
{
    (void)the_loop, (void)io, (void)ready, (void)user;
    CHECK(bit == USR1_BIT);
    raised_calls++;
}

static void on_usr1(int number)
{
    (void)number;
    signals_seen++;
    (void)pirn_raise(loop, USR1_BIT);
}

static void on_int(int number)
{
    (void)number;
    (void)pirn_stop(loop);
}

static void handle(int number, void (*handler)(int))
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    CHECK(sigaction(number, &action, NULL) == 0);
}

int main(void)
{
    struct pirn_stats stats;
    uint64_t waits = 0;
    int seen;

    CHECK(pirn_init(&loop, block, sizeof block, NULL) == 0);
    CHECK(pirn_raise_add(loop, USR1_BIT, 0, on_usr1_raised, NULL, NULL) == 0);
    CHECK(pirn_hold(loop) == 0);  /* posts to come are nothing the loop could know of */
    loop_thread = pthread_self();
    handle(SIGUSR1, on_usr1);
    handle(SIGINT, on_int);

    for (int i = 0; i < PRODUCERS; ++i)
        CHECK(pthread_create(&producers[i].thread, NULL, produce, &producers[i]) == 0);
    CHECK(pirn_run(loop) == PIRN_STOPPED);

    /* The last signal may have come after the last look: one turn shows it. */
    while (pirn_turn(loop, 0) > 0)
        ;
    for (int i = 0; i < PRODUCERS; ++i) {
        for (int j = 0; j < POSTS; ++j)
            CHECK(producers[i].letters[j].deliveries == 1);
        CHECK(producers[i].out_of_order == 0);
        waits += producers[i].waits;
    }
    seen = signals_seen;
    CHECK(seen >= 1 && raised_calls >= 1 && raised_calls <= (uint64_t)seen);

    memset(&stats, 0, sizeof stats);
    stats.size = sizeof stats;
    CHECK(pirn_stats(loop, &stats) == 0);
    printf("%d posts from %d threads, each ran once; producers waited %" PRIu64 " times; mailbox "
           "held at most %u of %u\n",
           PRODUCERS * POSTS, PRODUCERS, waits, (unsigned)stats.remote_peak,
           (unsigned)stats.remote_capacity);
    printf("%d signals seen as %" PRIu64 " raises; %" PRIu64 " wake-up writes\n", seen,
           raised_calls, stats.wake_writes);
    CHECK(pirn_verify(loop) == 0 && pirn_deinit(loop) == 0);
    return 0;
}
