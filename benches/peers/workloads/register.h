/* What a watcher costs besides its events: add, change, pause and resume, remove; and the loss of
 * one fd.
 *
 * A change may be put off until the loop waits, so each region ends with a turn. The sockets'
 * buffers are full: watching for writing reports nothing. */

static struct {
    uint32_t count;
    struct io *ios;
    int *fds;
    uint32_t reports;
} registry;

static void registry_add(loop_t *loop)
{
    for (uint32_t i = 0; i < registry.count; i++)
        if (io_add(loop, &registry.ios[i], registry.fds[i], IO_READ, on_never_ready) != 0)
            wrong("io_add: watcher %" PRIu32, i);
}

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

/* `times` a statement for each watcher, and a turn. */
#define REGION(meter, times, ...)                                                                  \
    do {                                                                                           \
        meter_begin(&meters[meter]);                                                               \
        for (uint32_t i = 0; i < registry.count; i++)                                              \
            __VA_ARGS__;                                                                           \
        loop_poll(loop);                                                                           \
        meter_end(&meters[meter], (times) * registry.count);                                       \
    } while (0)

/* register COUNT */
static void workload_register(uint32_t count, uint32_t unused)
{
    struct limits limits = {.io = count + 2};
    loop_t *loop = loop_open(&limits);
    enum { ADD, MODIFY, TOGGLE, STOPSTART, PAUSE, RESUME, REMOVE, METERS };
    struct meter meters[METERS] = {
        [ADD] = {.metric = "register"},  [MODIFY] = {.metric = "modify"},
        [TOGGLE] = {.metric = "toggle"}, [STOPSTART] = {.metric = "stopstart"},
        [PAUSE] = {.metric = "pause"},   [RESUME] = {.metric = "resume"},
        [REMOVE] = {.metric = "remove"},
    };
    registry.count = count;
    registry.ios = zeroed(count, sizeof *registry.ios);
    registry.fds = zeroed(count, sizeof *registry.fds);
    for (uint32_t i = 0; i < count; i++) {
        int other;
        open_pair(&registry.fds[i], &other);
        fill_socket(registry.fds[i]);
    }
    keep_waiting(loop);
    registry_check(loop);
    /* The first round grows tables. */
    registry_add(loop);
    loop_poll(loop);
    for (uint32_t i = 0; i < count; i++)
        io_remove(loop, &registry.ios[i]);
    loop_poll(loop);
    loop_poll(loop);
    while (meter_goes_on(&meters[ADD], 1)) {
        meter_begin(&meters[ADD]);
        registry_add(loop);
        loop_poll(loop);
        meter_end(&meters[ADD], count);

        /* Each change is followed by a wait, so it has to reach the kernel. */
        REGION(MODIFY, 1, io_modify(loop, &registry.ios[i], IO_READ | IO_WRITE));
        REGION(MODIFY, 1, io_modify(loop, &registry.ios[i], IO_READ));
        REGION(PAUSE, 1, io_pause(loop, &registry.ios[i]));
        REGION(RESUME, 1, io_resume(loop, &registry.ios[i]));
        /* There and back between two waits: in the end nothing has changed. */
        meter_begin(&meters[TOGGLE]);
        for (uint32_t i = 0; i < count; i++)
            io_modify(loop, &registry.ios[i], IO_READ | IO_WRITE);
        for (uint32_t i = 0; i < count; i++)
            io_modify(loop, &registry.ios[i], IO_READ);
        loop_poll(loop);
        meter_end(&meters[TOGGLE], 2 * count);

        meter_begin(&meters[STOPSTART]);
        for (int round = 0; round < 10; round++)
            for (uint32_t i = 0; i < count; i++) {
                io_pause(loop, &registry.ios[i]);
                io_resume(loop, &registry.ios[i]);
            }
        loop_poll(loop);
        meter_end(&meters[STOPSTART], 10 * count);

        REGION(REMOVE, 1, io_remove(loop, &registry.ios[i]));
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
    registry.ios = zeroed(count, sizeof *registry.ios);
    registry.fds = zeroed(count, sizeof *registry.fds);
    for (uint32_t i = 0; i < count; i++) {
        registry.fds[i] = open_eventfd(0);
        MUST(io_add(loop, &registry.ios[i], registry.fds[i], IO_READ, on_reported) == 0);
    }
    for (int i = 0; i < 3; i++)
        loop_poll(loop);
    for (uint32_t i = 0; meter_goes_on(&meter, LOST) && i < LOST; i++) {
        close(registry.fds[i]);
        meter_begin(&meter);
        io_modify(loop, &registry.ios[i], IO_READ | IO_WRITE);
        loop_poll(loop);
        io_remove(loop, &registry.ios[i]);
        loop_poll(loop);
        meter_end(&meter, 1);
    }
    registry.reports = 0;
    write_eventfd(registry.fds[count - 1]);
    registry_expect(loop, true, "with one fd lost, another is not reported");
    meters_report(&meter, 1);
#endif
}
