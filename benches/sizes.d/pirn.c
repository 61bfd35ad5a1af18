#include "server.h"

#include <pirn.h>

static void on_client(struct pirn_loop *loop, struct pirn_io io, int fd, uint32_t ready, void *user)
{
	(void)ready, (void)user;
	if (!answer(fd)) {
		pirn_io_remove(loop, io);
		close(fd);
	}
}

static void on_listener(struct pirn_loop *loop, struct pirn_io io, int fd, uint32_t ready, void *user)
{
	int client = accept_client(fd);
	(void)io, (void)ready, (void)user;
	if (client >= 0 && pirn_io_add(loop, client, PIRN_READ, on_client, NULL, NULL) < 0)
		close(client);
}

static uint64_t block[PIRN_STORAGE_SIZE(MAX_FDS, 0, 0) / sizeof(uint64_t)];

#ifdef HOST
#include "host.h"
#else
#define HOST_CONFIG
#endif

int main(int argc, char **argv)
{
	int listener = open_listener(argc, argv);
	struct pirn_config config = {.size = sizeof config, .io = MAX_FDS, HOST_CONFIG};
	struct pirn_loop *loop;
	if (listener < 0 || pirn_init(&loop, block, sizeof block, &config) < 0)
		return 1;
	if (pirn_io_add(loop, listener, PIRN_READ, on_listener, NULL, NULL) == 0)
		pirn_run(loop);
	pirn_deinit(loop);
	return 1;
}
