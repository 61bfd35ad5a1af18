/* What an application supplies for the host backend, here by epoll. It counts as pirn's. */
#include <errno.h>
#include <sys/epoll.h>
#include <time.h>

static int host_epoll;

static uint64_t host_now(void *user)
{
	struct timespec time;
	(void)user;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static int host_wait(uint64_t timeout_ns, struct pirn_ready *ready, size_t capacity, void *user)
{
	struct epoll_event events[64];
	int timeout = timeout_ns >= UINT64_C(1000000000000) ? -1 : (int)((timeout_ns + 999999) / 1000000);
	int count = epoll_wait(host_epoll, events, capacity < 64 ? (int)capacity : 64, timeout);
	(void)user;
	for (int i = 0; i < count; i++)
		ready[i] = (struct pirn_ready){.fd = events[i].data.fd, .ready = PIRN_READ};
	return count < 0 ? -errno : count;
}

static int host_watch(int fd, uint32_t interest, void *user)
{
	struct epoll_event event = {.events = interest ? EPOLLIN : 0, .data.fd = fd};
	(void)user;
	if (epoll_ctl(host_epoll, interest ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, fd, &event) < 0)
		return -errno;
	return 0;
}

static const struct pirn_host host = {.size = sizeof host, .now = host_now, .wait = host_wait, .watch = host_watch};

#define HOST_CONFIG .backend = PIRN_BACKEND_HOST, .host = (host_epoll = epoll_create1(EPOLL_CLOEXEC), &host)
