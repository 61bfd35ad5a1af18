/* mio and polling: libraries in Rust that report readiness and nothing else, behind C functions of
 * rust/src. Deferred calls and messages are their users' own. FACE(function) is the library's. */
#include "queue.h"

struct io {
    void (*callback)(void *user);
    int fd;
};

void *FACE(open)(void);
bool FACE(turn)(void *face, bool waits);
void FACE(add)(void *face, struct io *io);
void FACE(modify)(void *face, struct io *io, bool writes);
void FACE(pause)(void *face, struct io *io);
void FACE(resume)(void *face, struct io *io);
void FACE(remove)(void *face, struct io *io);
void *FACE(waker)(void *face);
void FACE(wake)(void *waker);

struct mailbox;

typedef struct {
    void *face;
    struct fifo deferred;
    struct mailbox *mailbox;
    bool stopped;
} loop_t;

#define LOOP_BYTES sizeof(loop_t)
#define DONE return

#define DEFERRED(loop) (&(loop)->deferred)
#include "deferred.h"
#define WAKER void *
#include "letterbox.h"

static loop_t *loop_open(const struct limits *limits)
{
    loop_t *loop = zeroed(1, sizeof *loop);
    loop->face = FACE(open)();
    fifo_open(&loop->deferred, limits->tasks);
    return loop;
}

static inline void turn(loop_t *loop, bool waits)
{
    if (FACE(turn)(loop->face, waits && fifo_is_empty(&loop->deferred)) && loop->mailbox)
        mailbox_run(loop->mailbox);
    fifo_run(&loop->deferred);
}

#define loop_turn(loop) turn(loop, true)
#define loop_poll(loop) turn(loop, false)
#define loop_stop(loop) ((loop)->stopped = true)
#define loop_update(loop)

static inline void loop_run(loop_t *loop)
{
    for (loop->stopped = false; !loop->stopped;)
        turn(loop, true);
}

/* ---- I/O ---- */
#define IO_CALLBACK(name) void name(void *user)
#define IO_READ 1
#define IO_WRITE 2
#define IO_BYTES sizeof(struct io)

static inline int io_add(loop_t *loop, struct io *io, int fd, int interest,
                         IO_CALLBACK((*callback)))
{
    *io = (struct io){callback, fd};
    FACE(add)(loop->face, io);
    return 0;
}

#define io_modify(loop, io, interest) FACE(modify)((loop)->face, io, (interest) & IO_WRITE)
#define io_pause(loop, io) FACE(pause)((loop)->face, io)
#define io_resume(loop, io) FACE(resume)((loop)->face, io)
#define io_remove(loop, io) FACE(remove)((loop)->face, io)

/* ---- timers: none ---- */
struct timer {};

#define TIMER_CALLBACK(name) void name(void *user)
#define TIMER_MAX 0
#define TIMER_ORDERED 0
#define TIMER_TIES_ORDERED 0
#define TIMER_EARLY_NS 0
#define TIMER_BYTES 0

typedef uint64_t delay_t;
#define delay_from_ns(ns) (ns)
#define delay_ns(delay) (delay)
#define timer_add(loop, timer, delay, call) ((void)call)
#define timer_every timer_add
#define timer_tick(loop, timer, delay)
#define timer_push(loop, timer, delay)
#define timer_cancel(loop, timer)
#define timer_free(loop, timer)

/* ---- messages ---- */
static void mailbox_wake(struct mailbox *mailbox) { FACE(wake)(mailbox->waker); }

static void mailbox_open(struct mailbox *mailbox, loop_t *loop, uint32_t capacity)
{
    mailbox_set_up(mailbox, loop, capacity);
    loop->mailbox = mailbox;
    mailbox->waker = FACE(waker)(loop->face);
}

#include "../workloads.h"
