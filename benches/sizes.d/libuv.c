#include "server.h"

#include <uv.h>

static uv_poll_t clients[MAX_FDS], listener;
static int listener_fd;

/* Not before libuv has let go of it: the next client would get the same number, and with it the same handle. */
static void on_closed(uv_handle_t *handle)
{
	close((int)((uv_poll_t *)handle - clients));
}

static void on_client(uv_poll_t *io, int status, int events)
{
	(void)events;
	if (status < 0 || !answer((int)(io - clients)))
		uv_close((uv_handle_t *)io, on_closed);
}

static void on_listener(uv_poll_t *io, int status, int events)
{
	int fd = accept_client(listener_fd);
	(void)status, (void)events;
	if (fd >= 0 && (uv_poll_init(io->loop, &clients[fd], fd) < 0 || uv_poll_start(&clients[fd], UV_READABLE, on_client) < 0))
		close(fd);
}

int main(int argc, char **argv)
{
	uv_loop_t loop;
	listener_fd = open_listener(argc, argv);
	if (listener_fd < 0 || uv_loop_init(&loop) < 0 || uv_poll_init(&loop, &listener, listener_fd) < 0)
		return 1;
	uv_poll_start(&listener, UV_READABLE, on_listener);
	uv_run(&loop, UV_RUN_DEFAULT);
	uv_loop_close(&loop);
	return 1;
}
