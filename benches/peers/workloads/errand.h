/* Runs a function inside an I/O callback: where programs do most of what they do, and where a library has its cached time. */

static struct {
	struct io io;
	int watched, other;
	void (*run)(loop_t *loop);
	loop_t *loop;
} errand;

static IO_CALLBACK(on_errand)
{
	char byte;
	if (read(errand.watched, &byte, 1) != 1 || !errand.run)
		wrong("a callback although nothing was ready");
	errand.run(errand.loop);
	errand.run = NULL;
	IO_DONE;
}

/* Takes a watcher. It stays, so that the loop always has something to wait for. */
static void errand_open(loop_t *loop)
{
	errand.loop = loop;
	open_pair(&errand.watched, &errand.other);
	MUST(io_add(loop, &errand.io, errand.watched, IO_READ, on_errand) == 0);
}

static void in_callback(void (*run)(loop_t *loop))
{
	errand.run = run;
	MUST(write(errand.other, "", 1) == 1);
	while (errand.run)
		loop_turn(errand.loop);
}
