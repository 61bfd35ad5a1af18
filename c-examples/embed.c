/*
 * embed: pirn inside another event loop.
 *
 * Shows both ways. With pirn_fd: the foreign loop watches one descriptor, which is readable
 * whenever pirn has something to do, including timers and posts from other threads (epoll backend
 * only). With prepare, wait and dispatch: the other program keeps control, and runs pirn between
 * two of its own steps (any backend).
 *
 *     make && ./build/embed                        exit status 0 if all claims hold
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include <pirn.h>

#include "check.h"

#define MS UINT64_C(1000000)

static PIRN_STORAGE(block, 4, 4, 8);

/* What is to happen inside pirn: ten ticks, one post from a thread, one byte through a pipe. */
struct seen {
    unsigned ticks, posts, bytes;
};

static void on_tick(struct pirn_loop *loop, struct pirn_timer timer, uint64_t missed, void *user)
{
    struct seen *seen = user;

    (void)missed;
    if (++seen->ticks == 10)
        CHECK(pirn_timer_stop(loop, timer) == 0);
}

static void on_post(struct pirn_loop *loop, void *user)
{
    struct seen *seen = user;

    (void)loop;
    seen->posts++;
}

static void on_pipe(struct pirn_loop *loop, struct pirn_io io, int fd, uint32_t ready, void *user)
{
    struct seen *seen = user;
    char byte;

    CHECK((ready & PIRN_READ) != 0 && read(fd, &byte, 1) == 1);
    seen->bytes++;
    /* the kernel must learn of this change, also if the application waits itself */
    CHECK(pirn_io_modify(loop, io, 0) == 0);
}

struct poster {
    struct pirn_loop *loop;
    struct seen *seen;
};

static void *post_later(void *user)
{
    struct poster *poster = user;

    usleep(150000);  /* after the last tick: nothing but the post itself can wake the loop */
    CHECK(pirn_remote_post(poster->loop, on_post, poster->seen) == 0);
    return NULL;
}

static int is_done(const struct seen *seen)
{
    return seen->ticks == 10 && seen->posts == 1 && seen->bytes == 1;
}

/* ---- a loop that is not ours: poll(2) over its own descriptors ---- */

struct foreign {
    int fd;
    short events;
    void (*callback)(void *user);
    void *user;
};

static void foreign_loop(struct foreign *sources, nfds_t count, const struct seen *seen,
                         unsigned *rounds)
{
    struct pollfd fds[4];

    for (*rounds = 0; !is_done(seen) && *rounds < 1000; ++*rounds) {
        int ready;

        for (nfds_t i = 0; i < count; ++i) {
            fds[i].fd = sources[i].fd;
            fds[i].events = sources[i].events;
        }
        /* knows nothing of pirn's timers; 2 s without an event is a failure */
        ready = poll(fds, count, 2000);
        CHECK(ready > 0 || (ready < 0 && errno == EINTR));
        for (nfds_t i = 0; ready > 0 && i < count; ++i)
            if (fds[i].revents != 0)
                sources[i].callback(sources[i].user);
    }
}

static void turn_pirn(void *user)
{
    CHECK(pirn_turn(user, 0) >= 0);  /* never blocks: that is the foreign loop's business */
}

static void read_own(void *user)
{
    int *fd = user;
    char byte;

    CHECK(read(*fd, &byte, 1) == 1);
}

/* ---- the two ways ---- */

static void start_all(struct pirn_loop *loop, struct seen *seen, int pipe_fd, struct poster *poster,
                      pthread_t *thread)
{
    memset(seen, 0, sizeof *seen);
    poster->loop = loop;
    poster->seen = seen;
    CHECK(pirn_timer_start(loop, 10 * MS, 10 * MS, 0, on_tick, seen, NULL) == 0);
    CHECK(pirn_io_add(loop, pipe_fd, PIRN_READ, on_pipe, seen, NULL) == 0);
    CHECK(pthread_create(thread, NULL, post_later, poster) == 0);
}

static void by_descriptor(void)
{
    struct pirn_config config;
    struct foreign sources[2];
    struct poster poster;
    struct pirn_loop *loop;
    struct seen seen;
    pthread_t thread;
    unsigned rounds;
    int inner[2], own[2];

    memset(&config, 0, sizeof config);
    config.size = sizeof config;
    config.backend = PIRN_BACKEND_EPOLL;
    CHECK(pirn_init(&loop, block, sizeof block, &config) == 0);
    CHECK((pirn_capabilities(loop) & PIRN_CAN_FD) != 0 && pirn_fd(loop) >= 0);
    CHECK(pipe(inner) == 0 && pipe(own) == 0);
    CHECK(write(inner[1], "xx", 2) == 2 && write(own[1], "y", 1) == 1);

    start_all(loop, &seen, inner[0], &poster, &thread);

    sources[0].fd = pirn_fd(loop);      /* shows what was set up so far, and all that follows */
    sources[0].events = POLLIN;
    sources[0].callback = turn_pirn;
    sources[0].user = loop;
    sources[1].fd = own[0];
    sources[1].events = POLLIN;
    sources[1].callback = read_own;
    sources[1].user = &own[0];
    foreign_loop(sources, 2, &seen, &rounds);

    /* and it slept in between: a paused, readable pipe does not wake anybody */
    CHECK(is_done(&seen) && rounds < 100);
    CHECK(pthread_join(thread, NULL) == 0);
    printf("by descriptor: %u ticks, %u post, %u byte in %u rounds of poll\n", seen.ticks,
           seen.posts, seen.bytes, rounds);
    CHECK(pirn_verify(loop) == 0 && pirn_deinit(loop) == 0);
    close(inner[0]), close(inner[1]), close(own[0]), close(own[1]);
}

static void by_steps(uint32_t backend)
{
    struct pirn_config config;
    struct poster poster;
    struct pirn_loop *loop;
    struct seen seen;
    pthread_t thread;
    uint64_t timeout_ns;
    unsigned rounds, own_steps = 0;
    int inner[2];

    memset(&config, 0, sizeof config);
    config.size = sizeof config;
    config.backend = backend;
    CHECK(pirn_init(&loop, block, sizeof block, &config) == 0);
    CHECK(pipe(inner) == 0 && write(inner[1], "xx", 2) == 2);
    start_all(loop, &seen, inner[0], &poster, &thread);

    for (rounds = 0; !is_done(&seen) && rounds < 1000; ++rounds) {
        /* At most 25 ms at a time: then the owner of this loop wants its turn. */
        CHECK(pirn_prepare(loop, 25 * MS, &timeout_ns) >= 0 && timeout_ns <= 25 * MS);
        CHECK(pirn_wait(loop, timeout_ns) >= 0);
        CHECK(pirn_dispatch(loop) >= 0);
        own_steps++;
    }
    CHECK(is_done(&seen) && rounds < 100);
    CHECK(pthread_join(thread, NULL) == 0);
    printf("by steps on %s: %u ticks, %u post, %u byte in %u rounds\n",
           pirn_backend_name(pirn_backend(loop)), seen.ticks,
           seen.posts, seen.bytes, own_steps);
    CHECK(pirn_verify(loop) == 0 && pirn_deinit(loop) == 0);
    close(inner[0]), close(inner[1]);
}

int main(void)
{
    by_descriptor();
    by_steps(PIRN_BACKEND_SELECT);
    by_steps(PIRN_BACKEND_POLL);
    by_steps(PIRN_BACKEND_EPOLL);
    return 0;
}
