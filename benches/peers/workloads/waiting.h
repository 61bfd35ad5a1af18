/* What several workloads wait with: one fd that never becomes ready, and one that is made ready to
 * run something inside its callback, where programs do most of what they do and where a library
 * has its cached time. Each takes a watcher. */

static IO_CALLBACK(on_never_ready)
{
    wrong("a callback although nothing was ready");
    DONE;
}

static void keep_waiting(loop_t *loop)
{
    int watched, other;
    struct io *io = zeroed(1, sizeof *io);
    open_pair(&watched, &other);
    MUST(io_add(loop, io, watched, IO_READ, on_never_ready) == 0);
}

static struct {
    struct io io;
    int watched, other;
    void (*run)(loop_t *loop, struct meter *meter);
    struct meter *meter;
    loop_t *loop;
} errand;

static IO_CALLBACK(on_errand)
{
    char byte;
    if (read(errand.watched, &byte, 1) != 1 || !errand.run)
        wrong("a callback although nothing was ready");
    errand.run(errand.loop, errand.meter);
    errand.run = NULL;
    DONE;
}

static void errand_open(loop_t *loop)
{
    errand.loop = loop;
    open_pair(&errand.watched, &errand.other);
    MUST(io_add(loop, &errand.io, errand.watched, IO_READ, on_errand) == 0);
}

static void in_callback(void (*run)(loop_t *loop, struct meter *meter), struct meter *meter)
{
    errand.run = run;
    errand.meter = meter;
    MUST(write(errand.other, "", 1) == 1);
    while (errand.run)
        loop_poll(errand.loop);
}
