/*
 * ui_events: a queue of events, and one thread that serves them, as in every window system.
 *
 * Shows: the user (a thread here) puts events into a queue, and the loop handles one after the
 * other. A slow handler is noticed, because each handler is timed. The solution is to move the work
 * to a thread, which puts an event into the queue when it is done.
 * Watch for: with the slow handler both clicks come after the file is saved. With the thread they
 * come before, and no handler is slow. An event of a linked queue is a struct of the program, so
 * putting one cannot fail, and needs no memory.
 * Next: this is the last one of the series.
 *
 *     ./build/gallery/ui_events                    --self-test checks the order of the events
 */
#include <pthread.h>
#include <unistd.h>

#include <pirn/sync.h>

#include "virtual.h"

struct event { struct pirn_link link; void (*handle)(void); uint64_t put_ns; };

static PIRN_STORAGE(block, 4, 4, 4);
static struct pirn_loop *loop;
static struct pirn_hub hub;
static struct pirn_queue events;
static struct event save, clicks[2], saved;
static pthread_t worker;
static char order[8];
static int is_saved, slow_handlers;

static uint64_t nanoseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

static void put(struct event *event, void (*handle)(void))
{
    event->handle = handle;
    event->put_ns = nanoseconds();
    CHECK(pirn_queue_put_from(&hub, &events, &event->link) == 0);
}

static void note(char what)
{
    order[strlen(order)] = what;
}

/* ---- the handlers ---- */

static void on_click(void)
{
    note('c');
}

static void on_saved(void)
{
    note('s');
    is_saved = 1;
}

static void write_file(void)
{
    usleep(200000);                                  /* the disk is slow today */
}

static void save_slowly(void)
{
    note('S');
    write_file();
    on_saved();
}

static void *save_in_a_thread(void *user)
{
    (void)user;
    write_file();
    put(&saved, on_saved);
    return NULL;
}

static void save_aside(void)
{
    note('S');
    CHECK(pthread_create(&worker, NULL, save_in_a_thread, NULL) == 0);
}

/* ---- the user, and the one who serves ---- */

static void *press_and_click(void *on_save)
{
    put(&save, *(void (**)(void))on_save);
    for (int at = 0; at < 2; at++) {
        usleep(10000);
        put(&clicks[at], on_click);
    }
    return NULL;
}

static void serve(void (*on_save)(void), const char *title)
{
    uint64_t longest_wait_ns = 0;
    pthread_t user;

    memset(order, 0, sizeof order);
    is_saved = slow_handlers = 0;
    CHECK(pthread_create(&user, NULL, press_and_click, &on_save) == 0);
    while (!is_saved || strlen(order) < 4) {
        struct event *event;
        uint64_t begun;

        CHECK(pirn_queue_get(&hub, &events, &event, 30 * SECOND) == 0);
        begun = nanoseconds();
        if (begun - event->put_ns > longest_wait_ns)
            longest_wait_ns = begun - event->put_ns;
        event->handle();
        if (nanoseconds() - begun > 100 * MS)        /* what a person notices */
            slow_handlers++;
        CHECK(pirn_queue_done(&events) == 0);
    }
    CHECK(pthread_join(user, NULL) == 0);
    printf("ui_events: %-12s %s; an event has waited for %u ms at most; %d slow handlers\n", title,
           order, (unsigned)(longest_wait_ns / MS), slow_handlers);
}

int main(void)
{
    loop = real_begin(block, sizeof block, &hub);
    CHECK(pirn_hold(loop) == 0);                     /* the events come from other threads */
    CHECK(pirn_queue_init_linked(&events, PIRN_QUEUE_FIFO) == 0);

    serve(save_slowly, "one thread:");
    CHECK(strcmp(order, "Sscc") == 0 && slow_handlers >= 1);
    serve(save_aside, "a worker:");
    CHECK(strcmp(order, "Sccs") == 0 && pthread_join(worker, NULL) == 0);
    CHECK(pirn_release(loop) == 0);
    return loop_end(loop, &hub);
}
