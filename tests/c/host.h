/*
 * A host for the tests: clock, wait and readiness of pirn_host made of clock_gettime and ppoll, so
 * that the host backend can run every test the others run.
 */
#ifndef HOST_H
#define HOST_H

#define HOSTS 8
#define HOST_SOURCES 2048

struct test_host {
    struct pirn_host functions;
    int wake[2];
    nfds_t used;
    struct pollfd sources[HOST_SOURCES];
};

static struct test_host hosts[HOSTS];
static size_t host_count;

static uint64_t host_now(void *user)
{
    struct timespec now;
    (void)user;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static int host_wait(uint64_t timeout_ns, struct pirn_ready *ready, size_t capacity, void *user)
{
    struct test_host *host = user;
    int saved = errno;
    /* At most a year: a time_t may have 32 bits, and a wait may end early. */
    uint64_t seconds = timeout_ns / UINT64_C(1000000000);
    struct timespec limit = { (time_t)(seconds < 31536000 ? seconds : 31536000),
                              (long)(timeout_ns % UINT64_C(1000000000)) };
    int found = ppoll(host->sources, host->used, timeout_ns == PIRN_FOREVER ? NULL : &limit, NULL);
    int result = found < 0 ? -errno : 0;
    char byte;
    if (found > 0)
        while (read(host->wake[0], &byte, 1) == 1)
            ;
    errno = saved;
    for (nfds_t at = 1; found > 0 && at < host->used && (size_t)result < capacity; at++)
        if (host->sources[at].revents != 0) {
            ready[result].fd = host->sources[at].fd;
            ready[result].ready = (uint16_t)host->sources[at].revents;
            result++;
        }
    return result;
}

static int host_watch(int fd, uint32_t interest, void *user)
{
    struct test_host *host = user;
    int saved = errno;
    int result = 0;
    nfds_t at = 1;
    while (at < host->used && host->sources[at].fd != fd)
        at++;
    if (interest == 0) {
        if (at < host->used)
            host->sources[at] = host->sources[--host->used];
    } else if (fcntl(fd, F_GETFD) < 0) {
        result = -EBADF;
    } else if (at == HOST_SOURCES) {
        result = -ENOSPC;
    } else {
        host->sources[at].fd = fd;
        host->sources[at].events = (short)(interest | ((interest & PIRN_READ) ? POLLRDHUP : 0));
        host->used += at == host->used;
    }
    errno = saved;
    return result;
}

static void host_wake(void *user)
{
    struct test_host *host = user;
    int saved = errno;
    ssize_t written = write(host->wake[1], "", 1);
    (void)written;
    errno = saved;
}

/* The hosts are used in turn: a test has no more than HOSTS loops at once. */
static inline const struct pirn_host *new_host(void)
{
    struct test_host *host = &hosts[host_count++ % HOSTS];
    if (host->wake[1] != 0) {
        close(host->wake[0]);
        close(host->wake[1]);
    }
    if (pipe2(host->wake, O_NONBLOCK | O_CLOEXEC) != 0)
        abort();
    host->used = 1;
    host->sources[0].fd = host->wake[0];
    host->sources[0].events = POLLIN;
    host->functions.size = sizeof host->functions;
    host->functions.user = host;
    host->functions.now = host_now;
    host->functions.wait = host_wait;
    host->functions.watch = host_watch;
    host->functions.wake = host_wake;
    return &host->functions;
}

#endif
