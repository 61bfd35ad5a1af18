/*
 * Some turns of a loop, counted by another program: a turn takes the same instructions whether or
 * not the program is linked with the layer, and has had sources before.
 *
 *     turns BACKEND COUNT       with -DWITH_LAYER sources are added and removed before, with
 *                               -DWITH_HOOK a hook stays
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef WITH_LAYER
#include <signal.h>
#include <pirn/os.h>
#else
#include <pirn.h>
#endif

static PIRN_STORAGE(block, 8, 4, 4);
static unsigned long calls;

#define NEED(claim) \
    do { \
        if (!(claim)) \
            return 3; \
    } while (0)

static void on_io(struct pirn_loop *loop, struct pirn_io io, int fd, uint32_t ready, void *user)
{
    (void)loop, (void)io, (void)fd, (void)ready, (void)user;
    calls++;
}

static void on_task(struct pirn_loop *loop, void *user)
{
    calls++;
    (void)pirn_task_post(loop, on_task, user, NULL);
}

#ifdef WITH_LAYER
static void on_signal(struct pirn_loop *loop, struct pirn_signal *own,
                      const struct pirn_signal_info *info, void *user)
{
    (void)loop, (void)own, (void)info, (void)user;
}

static void on_child(struct pirn_loop *loop, struct pirn_child *own,
                     const struct pirn_child_status *status, void *user)
{
    (void)loop, (void)own, (void)status, (void)user;
}

static void on_clock(struct pirn_loop *loop, struct pirn_clock *own, uint32_t what, uint64_t missed,
                     void *user)
{
    (void)loop, (void)own, (void)what, (void)missed, (void)user;
}

static void on_change(struct pirn_loop *loop, struct pirn_files *own,
                      const struct pirn_file_event *event, void *user)
{
    (void)loop, (void)own, (void)event, (void)user;
}

static int use_the_layer(struct pirn_loop *loop)
{
    struct pirn_signal signal = { 0 };
    struct pirn_child child = { 0 };
    struct pirn_clock clock = { 0 };
    struct pirn_files files = { 0 };
    NEED(pirn_signal_add(loop, &signal, SIGUSR1, PIRN_SIGNAL_BLOCK, on_signal, NULL) == 0);
    /* Its own process will do, for it is removed before the end. valgrind may know no pidfds. */
    int has_child = pirn_child_add(loop, &child, getpid(), 0, on_child, NULL);
    NEED(has_child == 0 || has_child == -ENOSYS);
    NEED(pirn_clock_add(loop, &clock, PIRN_CLOCK_REALTIME, 0, 0, 0, on_clock, NULL) == 0);
    NEED(pirn_files_add(loop, &files, 0, on_change, NULL) == 0);
    NEED(pirn_turn(loop, 0) >= 0);
    NEED(pirn_signal_remove(&signal) == 0);
    NEED(pirn_child_remove(&child) == (has_child == 0 ? 0 : -ENOENT));
    NEED(pirn_clock_remove(&clock) == 0 && pirn_files_remove(&files) == 0);
    return 0;
}
#endif

int main(int argc, char **argv)
{
    static const char *const names[] = { "", "select", "poll", "epoll" };
    struct pirn_config config;
    struct pirn_loop *loop;
    int fds[2];
    NEED(argc == 3 && pipe(fds) == 0 && write(fds[1], "x", 1) == 1);
    memset(&config, 0, sizeof config);
    config.size = sizeof config;
    while (config.backend < 4 && strcmp(argv[1], names[config.backend]) != 0)
        config.backend++;
    NEED(pirn_init(&loop, block, sizeof block, &config) == 0);
    NEED(pirn_io_add(loop, fds[0], PIRN_READ, on_io, NULL, NULL) == 0);
    NEED(pirn_task_post(loop, on_task, NULL, NULL) == 0);
#ifdef WITH_LAYER
    NEED(use_the_layer(loop) == 0);
#endif
#ifdef WITH_HOOK
    NEED(pirn_hook_add(loop, PIRN_HOOK_FIRST, 0, on_io, NULL, NULL) == 0);
#endif
    calls = 0;
    for (long turn = atol(argv[2]); turn > 0; turn--)
        NEED(pirn_turn(loop, 0) == 2);
    NEED(calls >= 2 * (unsigned long)atol(argv[2]));
    return pirn_deinit(loop) == 0 ? 0 : 3;
}
