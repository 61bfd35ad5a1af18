/*
 * daemon: the signals that every daemon handles.
 *
 * SIGHUP makes it read its settings again. After SIGINT or SIGTERM it accepts no new work, finishes
 * the work in progress, and ends with status 0; a second signal ends it immediately. The work here
 * is a periodic tick, and the settings are its period in milliseconds, in a file.
 *
 *     make && ./build/daemon FILE                  another terminal: kill -HUP, kill -TERM
 *     ./build/daemon --self-test
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pirn/os.h>

#include "check.h"

#define MS UINT64_C(1000000)

static PIRN_STORAGE(block, 4, 2, 4);

static struct daemon {
    const char *settings;
    struct pirn_signal hang_up, interrupt, terminate;
    struct pirn_timer tick;
    unsigned interval_ms;
    int is_ending;
} the_daemon;

/* True if the file is as it should be. If not, the daemon goes on with the settings it has. */
static int read_settings(struct daemon *daemon)
{
    FILE *file = fopen(daemon->settings, "r");
    unsigned interval_ms = 0;
    int is_read = file != NULL && fscanf(file, "%u", &interval_ms) == 1 && interval_ms > 0;

    if (file != NULL)
        fclose(file);
    if (is_read)
        daemon->interval_ms = interval_ms;
    printf("interval %u ms%s\n", daemon->interval_ms, is_read ? "" : ": settings unreadable");
    return is_read;
}

/* The second half of the work, which is not to be cut off. */
static void finish_tick(struct pirn_loop *loop, void *user)
{
    (void)loop, (void)user;
}

static void on_tick(struct pirn_loop *loop, struct pirn_timer timer, uint64_t missed, void *user)
{
    struct daemon *daemon = user;

    (void)timer, (void)missed;
    (void)pirn_task_post(loop, finish_tick, daemon, NULL);
}

static int start_ticks(struct pirn_loop *loop, struct daemon *daemon)
{
    uint64_t period = daemon->interval_ms * MS;

    return pirn_timer_start(loop, period, period, PIRN_TIMER_SKIP, on_tick, daemon, &daemon->tick);
}

static void on_hang_up(struct pirn_loop *loop, struct pirn_signal *signal,
                       const struct pirn_signal_info *info, void *user)
{
    struct daemon *daemon = user;

    (void)signal, (void)info;
    if (daemon->is_ending || !read_settings(daemon))
        return;
    pirn_timer_stop(loop, daemon->tick);
    start_ticks(loop, daemon);                      /* has room: the slot was freed just now */
}

static void on_end(struct pirn_loop *loop, struct pirn_signal *signal,
                   const struct pirn_signal_info *info, void *user)
{
    struct daemon *daemon = user;

    (void)signal;
    printf("signal %d%s\n", (int)info->signo, daemon->is_ending ? " again" : "");
    if (daemon->is_ending) {
        pirn_stop(loop);
        return;
    }
    daemon->is_ending = 1;
    /* No new work. The signals do not keep the loop going: when what is in hand is done, pirn_run
     * returns. */
    pirn_timer_stop(loop, daemon->tick);
}

static int run(const char *settings)
{
    struct daemon *daemon = &the_daemon;
    const uint32_t options = PIRN_SIGNAL_BLOCK | PIRN_UNREF;
    struct pirn_loop *loop;
    int rc;

    setvbuf(stdout, NULL, _IOLBF, 0);
    daemon->settings = settings;
    if (!read_settings(daemon))
        return 1;
    /* There is one thread, so pirn may block them here. Block them before you make others. */
    rc = pirn_init(&loop, block, sizeof block, NULL);
    if (rc == 0)
        rc = pirn_signal_add(loop, &daemon->hang_up, SIGHUP, options, on_hang_up, daemon);
    if (rc == 0)
        rc = pirn_signal_add(loop, &daemon->interrupt, SIGINT, options, on_end, daemon);
    if (rc == 0)
        rc = pirn_signal_add(loop, &daemon->terminate, SIGTERM, options, on_end, daemon);
    if (rc == 0)
        rc = start_ticks(loop, daemon);
    if (rc == 0) {
        puts("ready");
        rc = pirn_run(loop);
    }
    if (rc < 0)
        fprintf(stderr, "daemon: %s\n", pirn_strerror(rc));
    else
        puts("ended");
    pirn_signal_remove(&daemon->hang_up);
    pirn_signal_remove(&daemon->interrupt);
    pirn_signal_remove(&daemon->terminate);
    return rc == PIRN_DONE && pirn_deinit(loop) == 0 ? 0 : 1;
}

/* ---- the self-test ---- */

static void expect(FILE *output, const char *line)
{
    char got[128];

    CHECK(fgets(got, sizeof got, output) != NULL);
    got[strcspn(got, "\n")] = '\0';
    if (strcmp(got, line) != 0)
        fprintf(stderr, "it says \"%s\", not \"%s\"\n", got, line);
    CHECK(strcmp(got, line) == 0);
}

static void write_settings(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    CHECK(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

static int self_test(void)
{
    char path[] = "/tmp/pirn-daemon-XXXXXX";
    int fds[2], status;
    FILE *output;
    pid_t pid;

    CHECK(close(mkstemp(path)) == 0 && pipe(fds) == 0);
    write_settings(path, "2");
    fflush(stdout);
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        CHECK(dup2(fds[1], STDOUT_FILENO) >= 0 && close(fds[0]) == 0 && close(fds[1]) == 0);
        exit(run(path));
    }
    CHECK(close(fds[1]) == 0);
    output = fdopen(fds[0], "r");
    CHECK(output != NULL);
    expect(output, "interval 2 ms");
    expect(output, "ready");
    write_settings(path, "1");
    CHECK(kill(pid, SIGHUP) == 0);
    expect(output, "interval 1 ms");
    write_settings(path, "nonsense");
    CHECK(kill(pid, SIGHUP) == 0);
    expect(output, "interval 1 ms: settings unreadable");
    CHECK(kill(pid, SIGTERM) == 0);
    expect(output, "signal 15");
    expect(output, "ended");
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK(fclose(output) == 0 && unlink(path) == 0);
    puts("daemon: rereads its settings, and ends gracefully");
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--self-test") == 0)
        return self_test();
    if (argc != 2) {
        fprintf(stderr, "usage: %s FILE | --self-test\n", argv[0]);
        return 2;
    }
    return run(argv[1]);
}
