/* pirn on the host backend, with what an application then supplies, here by epoll. It counts as
 * pirn's. */
#include <errno.h>
#include <pirn.h>
#include <sys/epoll.h>
#include <time.h>

static int host_epoll;

static uint64_t host_now(void *user)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static int host_wait(uint64_t timeout_ns, struct pirn_ready *ready, size_t capacity, void *user)
{
    struct epoll_event events[64];
    uint64_t ms = timeout_ns / 1000000 + (timeout_ns % 1000000 != 0);
    int timeout = ms >= 1000000 ? -1 : (int)ms;
    int count = epoll_wait(host_epoll, events, capacity < 64 ? (int)capacity : 64, timeout);
    for (int i = 0; i < count; i++)
        ready[i] = (struct pirn_ready){.fd = events[i].data.fd, .ready = PIRN_READ};
    return count < 0 ? -errno : count;
}

static int host_watch(int fd, uint32_t interest, void *user)
{
    struct epoll_event event = {.events = interest ? EPOLLIN : 0, .data.fd = fd};
    int operation = interest ? EPOLL_CTL_ADD : EPOLL_CTL_DEL;
    return epoll_ctl(host_epoll, operation, fd, &event) < 0 ? -errno : 0;
}

static const struct pirn_host host = {
    .size = sizeof host, .now = host_now, .wait = host_wait, .watch = host_watch};

#undef BACKEND
#define BACKEND PIRN_BACKEND_HOST
#define HOST (host_epoll = epoll_create1(EPOLL_CLOEXEC), &host)
#include "../peers/adapters/pirn.c"
