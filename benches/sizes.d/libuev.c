#include "server.h"

#include <uev/uev.h>

static uev_t clients[MAX_FDS], listener;

static void on_client(uev_t *io, void *user, int events)
{
	(void)user, (void)events;
	if (!answer(io->fd)) {
		uev_io_stop(io);
		close(io->fd);
	}
}

static void on_listener(uev_t *io, void *user, int events)
{
	int fd = accept_client(io->fd);
	(void)user, (void)events;
	if (fd >= 0 && uev_io_init(io->ctx, &clients[fd], on_client, NULL, fd, UEV_READ) < 0)
		close(fd);
}

int main(int argc, char **argv)
{
	int fd = open_listener(argc, argv);
	uev_ctx_t loop;
	if (fd < 0 || uev_init(&loop) < 0 || uev_io_init(&loop, &listener, on_listener, NULL, fd, UEV_READ) < 0)
		return 1;
	uev_run(&loop, 0);
	return 1;
}
