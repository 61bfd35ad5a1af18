#include "server.h"

#include <event2/event.h>
#include <event2/event_struct.h>

static struct event clients[MAX_FDS], listener;

static void on_client(evutil_socket_t fd, short events, void *user)
{
	(void)events, (void)user;
	if (!answer(fd)) {
		event_del(&clients[fd]);
		close(fd);
	}
}

static void on_listener(evutil_socket_t fd, short events, void *base)
{
	int client = accept_client(fd);
	(void)events;
	if (client >= 0 && (event_assign(&clients[client], base, client, EV_READ | EV_PERSIST, on_client, NULL) < 0 || event_add(&clients[client], NULL) < 0))
		close(client);
}

int main(int argc, char **argv)
{
	int fd = open_listener(argc, argv);
	struct event_base *base = event_base_new();
	if (fd < 0 || !base || event_assign(&listener, base, fd, EV_READ | EV_PERSIST, on_listener, base) < 0)
		return 1;
	event_add(&listener, NULL);
	event_base_dispatch(base);
	event_base_free(base);
	return 1;
}
