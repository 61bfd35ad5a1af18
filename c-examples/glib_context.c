/*
 * glib_context: a GMainContext run by pirn, so that one program has sources of both.
 *
 * GLib must be called before each wait (prepare, query) and after it (check, dispatch). A hook at
 * the end of every turn does both: it passes the readiness that pirn's watchers have found in this
 * turn to check, and watches the fds of query in the next. A turn in which GLib has nothing to do
 * makes no system call for it.
 *
 *     make && ./build/glib_context             needs libglib2.0-dev
 */
#include <string.h>
#include <unistd.h>

#include <gio/gio.h>
#include <glib-unix.h>

#include <pirn.h>

#include "check.h"

/* ---- the adapter ---- */

#define MAX_FDS 32

struct guest {
    struct pirn_loop *loop;
    GMainContext *context;                          /* NULL: detached */
    struct pirn_io hook;
    struct pirn_timer timer;                        /* the timeout that GLib wants */
    gint priority, count;
    GPollFD fds[MAX_FDS];
    struct pirn_io ios[MAX_FDS];
    int error;                                      /* why GLib's fds could not be watched, or 0 */
};

/* The bits of both are those of poll(2). */
static void on_fd(struct pirn_loop *loop, struct pirn_io io, int fd, uint32_t ready, void *user)
{
    GPollFD *entry = user;

    (void)loop, (void)io, (void)fd;
    entry->revents = (gushort)(ready & (entry->events | G_IO_ERR | G_IO_HUP | G_IO_NVAL));
}

/* It has ended the wait, and that is all. */
static void on_timeout(struct pirn_loop *loop, struct pirn_timer timer, uint64_t missed, void *user)
{
    (void)loop, (void)timer, (void)missed, (void)user;
}

static void unwatch(struct guest *guest)
{
    for (gint i = 0; i < guest->count; ++i)
        (void)pirn_io_remove(guest->loop, guest->ios[i]);
    guest->count = 0;
}

static int watch(struct guest *guest, const GPollFD *fds, gint count)
{
    for (gint i = 0; i < count; ++i) {
        GPollFD *entry = &guest->fds[i];
        int rc;

        *entry = fds[i];
        entry->revents = 0;
        rc = pirn_io_add(guest->loop, entry->fd, entry->events, on_fd, entry, &guest->ios[i]);
        if (rc < 0)
            return rc;
        guest->count = i + 1;
    }
    return 0;
}

static int is_watched(const struct guest *guest, const GPollFD *fds, gint count)
{
    gint i = 0;

    while (i < count && i < guest->count && fds[i].fd == guest->fds[i].fd
           && fds[i].events == guest->fds[i].events)
        ++i;
    return i == count && i == guest->count;
}

/* Before a wait: what is to be waited for, and how long. */
static int ask(struct guest *guest)
{
    GPollFD fds[MAX_FDS];
    gint timeout_ms, count;
    int rc = 0;

    (void)g_main_context_prepare(guest->context, &guest->priority);
    count = g_main_context_query(guest->context, guest->priority, &timeout_ms, fds, MAX_FDS);
    if (count > MAX_FDS)
        return -ENOSPC;
    if (!is_watched(guest, fds, count)) {
        unwatch(guest);
        rc = watch(guest, fds, count);
    }
    if (timeout_ms < 0)
        (void)pirn_timer_stop(guest->loop, guest->timer);
    else if (rc == 0)
        rc = pirn_timer_set(guest->loop, &guest->timer, (uint64_t)timeout_ms * 1000000, 0,
                            PIRN_UNREF, on_timeout, NULL);
    return rc;
}

/* After the wait, and before the next. */
static void on_last(struct pirn_loop *loop, struct pirn_io io, int fd, uint32_t ready, void *user)
{
    struct guest *guest = user;

    (void)io, (void)fd, (void)ready;
    if (g_main_context_check(guest->context, guest->priority, guest->fds, guest->count)) {
        /* Its callbacks may close fds, and open others that get the same numbers. */
        unwatch(guest);
        g_main_context_dispatch(guest->context);
        if (guest->context == NULL)
            return;
    }
    for (gint i = 0; i < guest->count; ++i)
        guest->fds[i].revents = 0;
    guest->error = ask(guest);
    if (guest->error < 0)
        (void)pirn_stop(loop);
}

/* Has a loop run a context, which keeps it going until it is detached. Of the loop's slots that
 * takes one for I/O and one for each fd of GLib's, and one for a timer. `guest` stays where it is
 * meanwhile. */
static int guest_attach(struct guest *guest, struct pirn_loop *loop, GMainContext *context)
{
    int rc;

    memset(guest, 0, sizeof *guest);
    if (!g_main_context_acquire(context))
        return -EBUSY;
    guest->loop = loop;
    guest->context = context;
    rc = ask(guest);
    if (rc == 0)
        rc = pirn_hook_add(loop, PIRN_HOOK_LAST, 0, on_last, guest, &guest->hook);
    if (rc < 0) {
        unwatch(guest);
        (void)pirn_timer_stop(loop, guest->timer);
        g_main_context_release(context);
    }
    return rc;
}

/* May be called in a callback of either side. */
static void guest_detach(struct guest *guest)
{
    unwatch(guest);
    (void)pirn_timer_stop(guest->loop, guest->timer);
    (void)pirn_io_remove(guest->loop, guest->hook);
    g_main_context_release(guest->context);
    guest->context = NULL;
}

/* ---- both sides at work ---- */

enum { BEATS = 10, IDLES = 50, BYTES = 100, JOBS = 20, TICKS = 100 };

static struct world {
    struct guest guest;
    gint64 beat_due;
    int beats, idles, bytes, jobs, ticks, pipe[2];
} world;

static void leave_if_done(void)
{
    if (world.beats == BEATS && world.idles == IDLES && world.bytes == BYTES && world.jobs == JOBS
        && world.ticks == TICKS)
        guest_detach(&world.guest);
}

/* A timeout of GLib's, which is never early either. */
static gboolean on_beat(gpointer user)
{
    (void)user;
    CHECK(g_get_monotonic_time() >= world.beat_due);
    world.beat_due = g_source_get_time(g_main_current_source()) + 4000;
    world.beats++;
    leave_if_done();
    return world.beats < BEATS;
}

static gboolean on_idle(gpointer user)
{
    (void)user;
    world.idles++;
    leave_if_done();
    return world.idles < IDLES;
}

/* What pirn's timer writes GLib's source reads. */
static gboolean on_byte(gint fd, GIOCondition condition, gpointer user)
{
    char byte;

    (void)user;
    CHECK(condition == G_IO_IN && read(fd, &byte, 1) == 1);
    world.bytes++;
    leave_if_done();
    return world.bytes < BYTES;
}

static void on_tick(struct pirn_loop *loop, struct pirn_timer timer, uint64_t missed, void *user)
{
    (void)missed, (void)user;
    CHECK(write(world.pipe[1], "x", 1) == 1);
    if (++world.ticks == TICKS)
        CHECK(pirn_timer_stop(loop, timer) == 0);
}

/* In a thread of GLib's pool: what it returns wakes the context, and with it the loop. */
static void work(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    (void)source, (void)data, (void)cancellable;
    g_usleep(500);
    g_task_return_int(task, 7);
}

static void on_done(GObject *source, GAsyncResult *result, gpointer user)
{
    (void)source, (void)user;
    CHECK(g_task_propagate_int(G_TASK(result), NULL) == 7);
    world.jobs++;
    leave_if_done();
}

static void attach_source(GSource *source, GSourceFunc callback, GMainContext *context)
{
    g_source_set_callback(source, callback, NULL, NULL);
    CHECK(g_source_attach(source, context) > 0);
    g_source_unref(source);
}

static void run_on(uint32_t backend)
{
    static PIRN_STORAGE(block, MAX_FDS + 1, 2, 1);
    struct pirn_config config = { 0 };
    struct pirn_stats stats = { 0 };
    struct pirn_loop *loop;
    GMainContext *context = g_main_context_new();

    memset(&world, 0, sizeof world);
    config.size = sizeof config;
    config.backend = backend;
    CHECK(pirn_init(&loop, block, sizeof block, &config) == 0 && pipe(world.pipe) == 0);
    CHECK(guest_attach(&world.guest, loop, context) == 0);
    CHECK(pirn_timer_start(loop, 1000000, 500000, 0, on_tick, NULL, NULL) == 0);

    g_main_context_push_thread_default(context);
    attach_source(g_timeout_source_new(4), on_beat, context);
    attach_source(g_idle_source_new(), on_idle, context);
    attach_source(g_unix_fd_source_new(world.pipe[0], G_IO_IN), G_SOURCE_FUNC(on_byte), context);
    for (int i = 0; i < JOBS; ++i) {
        GTask *task = g_task_new(NULL, NULL, on_done, NULL);

        g_task_run_in_thread(task, work);
        g_object_unref(task);
    }
    CHECK(pirn_run(loop) == PIRN_DONE && world.guest.error == 0);
    g_main_context_pop_thread_default(context);

    stats.size = sizeof stats;
    CHECK(pirn_stats(loop, &stats) == 0 && stats.io_used == 0 && stats.timer_used == 0);
    /* Each turn is for something: a loop that spins makes thousands. */
    CHECK(stats.turns < 2 * (BEATS + IDLES + BYTES + JOBS + TICKS));
    CHECK(pirn_verify(loop) == 0 && pirn_deinit(loop) == 0);
    close(world.pipe[0]), close(world.pipe[1]);
    g_main_context_unref(context);
    printf("glib_context on %s: sources of both sides, %u turns\n", pirn_backend_name((int)backend),
           (unsigned)stats.turns);
}

int main(void)
{
    for (uint32_t backend = PIRN_BACKEND_SELECT; backend <= PIRN_BACKEND_EPOLL; ++backend)
        run_on(backend);
    return 0;
}
