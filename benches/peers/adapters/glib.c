/* GLib: g_main_context. It polls, and looks at every source in every turn. */
#define _GNU_SOURCE
#include "queue.h"

#include <glib.h>

#define PEER "glib"

/* ---- the loop ---- */

typedef GMainContext loop_t;
#define LOOP_BYTES(limits) 0

/* As many loops as threads. */
static _Thread_local gboolean glib_stopped;

static loop_t *loop_open(const struct limits *limits)
{
	return g_main_context_new();
}

static inline void loop_turn(loop_t *loop)
{
	g_main_context_iteration(loop, TRUE);
}

static inline void loop_poll(loop_t *loop)
{
	g_main_context_iteration(loop, FALSE);
}

/* What g_main_loop_run does, with one object less. */
static inline void loop_run(loop_t *loop)
{
	while (!glib_stopped)
		g_main_context_iteration(loop, TRUE);
	glib_stopped = FALSE;
}

static inline void loop_stop(loop_t *loop)
{
	glib_stopped = TRUE;
}

static inline void loop_update(loop_t *loop)
{
}

/* ---- I/O: a source of our own, whose interest can be changed; GLib's fd source would have to be destroyed for that ---- */

struct io {
	GSource *source;
};

struct glib_io {
	GSource source;
	gpointer tag;
	struct io *io;
};

typedef gboolean io_callback(GSource *source, GSourceFunc callback, gpointer user);

#define IO_CALLBACK(name) gboolean name(GSource *source, GSourceFunc callback, gpointer user)
#define IO_USER(type) ((type *)((struct glib_io *)source)->io)
#define IO_DONE return G_SOURCE_CONTINUE
#define IO_READ G_IO_IN
#define IO_WRITE G_IO_OUT
#define IO_BYTES sizeof(struct io)

/* A program has one table of functions per kind of source. */
static GSourceFuncs *glib_functions(io_callback *callback)
{
	static GSourceFuncs tables[16];
	for (GSourceFuncs *table = tables; table < tables + 16; table++) {
		if (!table->dispatch)
			table->dispatch = callback;
		if (table->dispatch == callback)
			return table;
	}
	return NULL;
}

static inline int io_add(loop_t *loop, struct io *io, int fd, GIOCondition interest, io_callback *callback)
{
	struct glib_io *source = (struct glib_io *)g_source_new(glib_functions(callback), sizeof *source);
	io->source = &source->source;
	source->io = io;
	source->tag = g_source_add_unix_fd(io->source, fd, interest);
	g_source_attach(io->source, loop);
	return 0;
}

static inline void io_modify(loop_t *loop, struct io *io, GIOCondition interest)
{
	g_source_modify_unix_fd(io->source, ((struct glib_io *)io->source)->tag, interest);
}

static inline void io_pause(loop_t *loop, struct io *io)
{
	io_modify(loop, io, 0);
}

static inline void io_resume(loop_t *loop, struct io *io)
{
	io_modify(loop, io, IO_READ);
}

static inline void io_remove(loop_t *loop, struct io *io)
{
	g_source_destroy(io->source);
	g_source_unref(io->source);
}

/* ---- timers ---- */

struct timer {
	GSource *source;
};

#define TIMER_CALLBACK(name) gboolean name(gpointer user)
#define TIMER_USER(type) ((type *)user)
#define TIMER_DONE return G_SOURCE_REMOVE
#define TIMER_MAX 10000
#define TIMER_ORDERED 0 /* all that are due in a turn, as they were attached */
#define TIMER_TIES_ORDERED 0
#define TIMER_EARLY_NS (1 * NS_PER_US) /* its unit */
#define TIMER_BYTES sizeof(struct timer)

typedef guint delay_t; /* ms */

static inline delay_t delay_from_ns(uint64_t ns)
{
	return (guint)((ns + NS_PER_MS - 1) / NS_PER_MS);
}

static inline uint64_t delay_ns(delay_t delay)
{
	return delay * NS_PER_MS;
}

static inline void timer_add(loop_t *loop, struct timer *timer, delay_t delay, GSourceFunc callback)
{
	timer->source = g_timeout_source_new(delay);
	g_source_set_callback(timer->source, callback, timer, NULL);
	g_source_attach(timer->source, loop);
}

static inline void timer_push(loop_t *loop, struct timer *timer, delay_t delay)
{
	g_source_set_ready_time(timer->source, g_source_get_time(timer->source) + (gint64)delay * 1000);
}

static inline void timer_cancel(loop_t *loop, struct timer *timer)
{
	g_source_destroy(timer->source);
	g_source_unref(timer->source);
	timer->source = NULL;
}

static inline void timer_free(loop_t *loop, struct timer *timer)
{
	if (timer->source)
		g_source_unref(timer->source);
	timer->source = NULL;
}

/* ---- tasks ---- */

struct task {
	char nothing;
};

#define TASK_CALLBACK(name) gboolean name(gpointer user)
#define TASK_USER(type) ((type *)user)
#define TASK_DONE return G_SOURCE_REMOVE
#define TASK_AGAIN(loop, task, callback) return G_SOURCE_CONTINUE
#define TASK_ORDER 1

static inline void task_open(loop_t *loop, struct task *task, GSourceFunc callback)
{
}

static inline void glib_call(loop_t *loop, GSourceFunc callback, gpointer user)
{
	GSource *source = g_idle_source_new();
	g_source_set_priority(source, G_PRIORITY_DEFAULT);
	g_source_set_callback(source, callback, user, NULL);
	g_source_attach(source, loop);
	g_source_unref(source);
}

static inline void task_defer(loop_t *loop, struct task *task, GSourceFunc callback)
{
	glib_call(loop, callback, task);
}

/* ---- messages: an idle source attached from any thread, which is what g_main_context_invoke does ---- */

struct post {
	char nothing;
};

#define POST_CALLBACK(name) gboolean name(gpointer user)
#define POST_USER(type) ((type *)user)
#define POST_DONE return G_SOURCE_REMOVE

struct mailbox {
	GMainContext *context;
};

static void mailbox_open(struct mailbox *mailbox, loop_t *loop, uint32_t capacity)
{
	mailbox->context = loop;
}

static inline bool post_send(struct mailbox *mailbox, struct post *post, GSourceFunc callback)
{
	glib_call(mailbox->context, callback, post);
	return true;
}

#include "../workloads.h"
