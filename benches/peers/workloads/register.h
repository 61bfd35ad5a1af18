/* The cost of a watcher besides its events: add, change, pause and resume, remove; and the loss of
 * one fd.
 *
 * A change may be put off until the loop waits, so each region ends with a turn. The sockets'
 * buffers are full: watching for writing reports nothing. */

static struct {
    uint32_t count, reports;
} registry;

static IO_CALLBACK(on_reported)
{
    registry.reports++;
    DONE;
}

static void registry_expect(loop_t *loop, bool reports, const char *otherwise)
{
    for (int i = 0; i < 3; i++)
        loop_poll(loop);
    if ((registry.reports > 0) != reports)
        wrong("%s", otherwise);
    registry.reports = 0;
}

/* Before and after everything the watchers have to work. */
static void registry_check(loop_t *loop)
{
    int watched, other;
    struct io *io = zeroed(1, sizeof *io);
    open_pair(&watched, &other);
    MUST(io_add(loop, io, watched, IO_READ, on_reported) == 0);
    io_modify(loop, io, IO_READ | IO_WRITE);
    io_modify(loop, io, IO_READ);
    io_pause(loop, io);
    loop_poll(loop);
    MUST(write(other, "", 1) == 1);
    registry_expect(loop, false, "a paused watcher was called, or one whose fd was only writable");
    io_resume(loop, io);
    registry_expect(loop, true, "a resumed watcher was not called");
    io_remove(loop, io);
    close(watched);
    registry_expect(loop, false, "a removed watcher was called");
    close(other);
}

/* Takes no further byte: watching it for writing then reports nothing. */
static int registry_socket(void)
{
    static const char bytes[4096];
    int fd, other, size = 1; /* the kernel makes it its minimum */
    open_pair(&fd, &other);
    MUST(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size) == 0);
    while (write(fd, bytes, sizeof bytes) > 0 || write(fd, bytes, 1) > 0)
        ;
    MUST(errno == EAGAIN);
    return fd;
}

#define EACH(...)                                                                                  \
    for (uint32_t i = 0; i < registry.count; i++)                                                  \
    __VA_ARGS__

/* Statements, a turn; `times` operations for each watcher. */
#define REGION(meter, times, ...)                                                                  \
    do {                                                                                           \
        meter_begin(&meters[meter]);                                                               \
        __VA_ARGS__;                                                                               \
        loop_poll(loop);                                                                           \
        meter_end(&meters[meter], (times) * registry.count);                                       \
    } while (0)

/* register COUNT */
static void workload_register(uint32_t count, uint32_t unused)
{
    struct limits limits = {.io = count + 2};
    loop_t *loop = loop_open(&limits);
    enum { ADD, MODIFY, TOGGLE, STOPSTART, PAUSE, RESUME, REMOVE, METERS, NONE };
    struct meter meters[NONE + 1] = {
        [ADD] = {.metric = "register"},  [MODIFY] = {.metric = "modify"},
        [TOGGLE] = {.metric = "toggle"}, [STOPSTART] = {.metric = "stopstart"},
        [PAUSE] = {.metric = "pause"},   [RESUME] = {.metric = "resume"},
        [REMOVE] = {.metric = "remove"}, [NONE] = {.metric = "unmeasured"},
    };
    struct io *ios = zeroed(count, sizeof *ios);
    int *fds = zeroed(count, sizeof *fds);
    registry.count = count;
    EACH(fds[i] = registry_socket());
    keep_waiting(loop);
    registry_check(loop);
    /* The first round grows tables. */
    for (bool is_first = true; is_first || meter_goes_on(&meters[ADD], 1); is_first = false) {
        REGION(is_first ? NONE : ADD, 1,
               EACH(MUST(io_add(loop, &ios[i], fds[i], IO_READ, on_never_ready) == 0)));
        if (!is_first) {
            /* Each change is followed by a wait, so it has to reach the kernel. */
            REGION(MODIFY, 1, EACH(io_modify(loop, &ios[i], IO_READ | IO_WRITE)));
            REGION(MODIFY, 1, EACH(io_modify(loop, &ios[i], IO_READ)));
            REGION(PAUSE, 1, EACH(io_pause(loop, &ios[i])));
            REGION(RESUME, 1, EACH(io_resume(loop, &ios[i])));
            /* There and back between two waits: in the end nothing has changed. */
            REGION(TOGGLE, 2, {
                EACH(io_modify(loop, &ios[i], IO_READ | IO_WRITE));
                EACH(io_modify(loop, &ios[i], IO_READ));
            });
            REGION(STOPSTART, 10, for (int round = 0; round < 10; round++) EACH({
                io_pause(loop, &ios[i]);
                io_resume(loop, &ios[i]);
            }));
        }
        REGION(is_first ? NONE : REMOVE, 1, EACH(io_remove(loop, &ios[i])));
        /* A peer that closes in a later turn has the watchers' memory until then. */
        loop_poll(loop);
        loop_poll(loop);
    }
    registry_check(loop);
    meters_report(meters, METERS);
}

/* lose COUNT: one of so many watched fds is closed by a part of the program that does not know of
 * the loop; then its interest is changed, and then its watcher is removed, with a turn after each.
 * The loop has to notice, and the others have to work. */
static void workload_lose(uint32_t count, uint32_t unused)
{
#ifndef IO_MAY_BE_LOST
    skip("its watchers may not be closed while they are watched");
#else
    enum { LOST = 5 };
    struct limits limits = {.io = count};
    loop_t *loop = loop_open(&limits);
    struct meter meter = {.metric = "lose"};
    struct io *ios = zeroed(count, sizeof *ios);
    int *fds = zeroed(count, sizeof *fds);
    for (uint32_t i = 0; i < count; i++) {
        fds[i] = open_eventfd(0);
        MUST(io_add(loop, &ios[i], fds[i], IO_READ, on_reported) == 0);
    }
    loop_poll(loop);
    for (uint32_t i = 0; meter_goes_on(&meter, LOST) && i < LOST; i++) {
        close(fds[i]);
        meter_begin(&meter);
        io_modify(loop, &ios[i], IO_READ | IO_WRITE);
        loop_poll(loop);
        io_remove(loop, &ios[i]);
        loop_poll(loop);
        meter_end(&meter, 1);
    }
    registry.reports = 0;
    write_eventfd(fds[count - 1]);
    registry_expect(loop, true, "with one fd lost, another is not reported");
    meters_report(&meter, 1);
#endif
}
