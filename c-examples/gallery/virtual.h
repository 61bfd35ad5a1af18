/*
 * A loop whose clock moves only when nobody can run: seconds pass at once, and always in the same
 * order. The programs of the gallery use it for --self-test, and the real clock without.
 *
 * `tell` prints a line with the time, and keeps it: a self-test compares the whole story.
 */
#ifndef VIRTUAL_H
#define VIRTUAL_H

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <pirn/fiber.h>
#include <pirn/fiber_debug.h>

#include "../check.h"

#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)

static uint64_t virtual_time = 1000 * SECOND, time_of_begin;
static int is_self_test;
static uint32_t flags_of_loop;                       /* PIRN_MEASURE, or 0: set before the begin */
static char story[8192];

/* Like a real clock it never shows the same time twice. So of two that sleep equally long, the one
 * that began first ends first. */
static inline uint64_t virtual_now(void *user)
{
    (void)user;
    return virtual_time++;
}

/* There are no fds here: a wait is over when its time is over. */
static inline int virtual_wait(uint64_t timeout_ns, struct pirn_ready *ready, size_t capacity,
                               void *user)
{
    (void)ready, (void)capacity, (void)user;
    if (timeout_ns == PIRN_FOREVER)
        return -EDEADLK;
    virtual_time += timeout_ns;
    return 0;
}

static inline struct pirn_loop *loop_with_a_hub(void *block, size_t size, struct pirn_hub *hub,
                                                const struct pirn_config *config)
{
    struct pirn_loop *loop;

    CHECK(pirn_init(&loop, block, size, config) == 0);
    CHECK(pirn_hub_init(loop, hub, 63) == 0);
    CHECK(pirn_fiber_debug(hub) == 0);               /* does nothing without a sanitizer */
    time_of_begin = pirn_update(loop);
    return loop;
}

/* Make a loop and its hub on the real clock: for programs with fds, threads and processes. */
static inline struct pirn_loop *real_begin(void *block, size_t size, struct pirn_hub *hub)
{
    return loop_with_a_hub(block, size, hub, NULL);
}

/* Make a loop and its hub: on the virtual clock if the program was called with --self-test. */
static inline struct pirn_loop *virtual_begin(int argc, char **argv, void *block, size_t size,
                                              struct pirn_hub *hub)
{
    struct pirn_host host;
    struct pirn_config config;

    memset(&host, 0, sizeof host);
    host.size = sizeof host;
    host.now = virtual_now;
    host.wait = virtual_wait;
    memset(&config, 0, sizeof config);
    config.size = sizeof config;
    config.flags = flags_of_loop;
    is_self_test = argc > 1 && strcmp(argv[1], "--self-test") == 0;
    if (is_self_test) {
        config.backend = PIRN_BACKEND_HOST;
        config.host = &host;
    }
    return loop_with_a_hub(block, size, hub, &config);
}

/* Compute for some time: the others get older, and do not run. */
static inline void compute(struct pirn_hub *hub, uint64_t time_ns)
{
    uint64_t until;

    if (is_self_test) {
        virtual_time += time_ns;
        return;
    }
    until = pirn_update(pirn_hub_loop(hub)) + time_ns;
    while (pirn_update(pirn_hub_loop(hub)) < until)
        ;
}

static inline int loop_end(struct pirn_loop *loop, struct pirn_hub *hub)
{
    CHECK(pirn_hub_verify(hub) == 0 && pirn_hub_deinit(hub) == 0);
    return pirn_deinit(loop);
}

/* Milliseconds since the beginning, or since the last `new_story`. */
static inline unsigned elapsed_ms(struct pirn_hub *hub)
{
    return (unsigned)((pirn_now(pirn_hub_loop(hub)) - time_of_begin) / MS);
}

__attribute__((format(printf, 2, 3)))
static inline void tell(struct pirn_hub *hub, const char *format, ...)
{
    unsigned ms = elapsed_ms(hub);
    size_t used = strlen(story);
    char line[128];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    snprintf(story + used, sizeof story - used, "%u.%u %s\n", ms / 1000, ms % 1000 / 100, line);
    if (!is_self_test)
        fputs(story + used, stdout);
}

static inline void new_story(struct pirn_hub *hub, const char *title)
{
    story[0] = '\0';
    time_of_begin = pirn_update(pirn_hub_loop(hub));
    if (!is_self_test)
        printf("-- %s\n", title);
}

/* On the real clock two lines may change places: then the story is only there to be read. */
static inline void story_is(const char *expected)
{
    if (!is_self_test || strcmp(story, expected) == 0)
        return;
    fprintf(stderr, "expected:\n%sbut this happened:\n%s", expected, story);
    exit(1);
}

#endif
