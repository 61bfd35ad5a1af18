#include "server.h"

#include <ev.h>

static ev_io clients[MAX_FDS], listener;

static void on_client(struct ev_loop *loop, ev_io *io, int events)
{
	(void)events;
	if (!answer(io->fd)) {
		ev_io_stop(loop, io);
		close(io->fd);
	}
}

static void on_listener(struct ev_loop *loop, ev_io *io, int events)
{
	int fd = accept_client(io->fd);
	(void)events;
	if (fd >= 0) {
		ev_io_init(&clients[fd], on_client, fd, EV_READ);
		ev_io_start(loop, &clients[fd]);
	}
}

int main(int argc, char **argv)
{
	int fd = open_listener(argc, argv);
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
	if (fd < 0 || !loop)
		return 1;
	ev_io_init(&listener, on_listener, fd, EV_READ);
	ev_io_start(loop, &listener);
	ev_run(loop, 0);
	ev_loop_destroy(loop);
	return 1;
}
