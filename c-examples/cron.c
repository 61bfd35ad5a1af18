/*
 * cron: runs commands at times of the day.
 *
 * Each line of the table is "HOUR MINUTE SECOND COMMAND", a number or * for each: "3 0 0 backup" is
 * three in the morning, local time. A job has one deadline on the clock of the day. When it is
 * reached, and when the clock is set, the next time is computed again. So no job waits for a time
 * in the past, or runs twice for the same time.
 *
 *     make && ./build/cron TABLE
 *     ./build/cron --self-test
 */
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <pirn/os.h>

#include "check.h"

#define SECOND UINT64_C(1000000000)
#define MAX_JOBS 32

extern char **environ;

static PIRN_STORAGE(block, 2 * MAX_JOBS + 2, 0, 0);

#define ANY (-1)

struct job {
    int hour, minute, second;
    char command[256];
    struct pirn_clock clock;
    struct pirn_child child;                        /* added while the command runs */
    unsigned runs, skipped;
};

static struct job jobs[MAX_JOBS];
static unsigned job_count;
static struct pirn_signal interrupt, terminate;

/* ---- when ---- */

static int fits(int field, int value)
{
    return field == ANY || field == value;
}

/* The first time after `now` that fits, or -1 if none does in the next two days. Local hours may be
 * skipped or repeated, so this looks at each second, and leaps over minutes that do not fit. */
static time_t next_time(const struct job *job, time_t now)
{
    time_t at = now + 1;

    while (at < now + 2 * 86400) {
        struct tm local;

        localtime_r(&at, &local);
        if (!fits(job->hour, local.tm_hour) || !fits(job->minute, local.tm_min))
            at += 60 - local.tm_sec;
        else if (fits(job->second, local.tm_sec))
            return at;
        else
            at++;
    }
    return -1;
}

static uint64_t deadline_of(const struct job *job)
{
    time_t at = next_time(job, time(NULL));

    return at < 0 ? PIRN_FOREVER : (uint64_t)at * SECOND;
}

/* ---- what ---- */

static void on_end(struct pirn_loop *loop, struct pirn_child *child,
                   const struct pirn_child_status *status, void *user)
{
    const struct job *job = user;

    (void)loop, (void)child;
    if (status->code != CLD_EXITED || status->status != 0)
        fprintf(stderr, "cron: \"%s\" has failed\n", job->command);
}

static void run_job(struct pirn_loop *loop, struct job *job)
{
    char *arguments[] = { "sh", "-c", job->command, NULL };
    posix_spawnattr_t attributes;
    sigset_t none;
    pid_t pid;

    if (job->child.loop != NULL) {                  /* the last run is not over: one at a time */
        job->skipped++;
        return;
    }
    sigemptyset(&none);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    if (posix_spawn(&pid, "/bin/sh", NULL, &attributes, arguments, environ) == 0) {
        job->runs++;
        if (pirn_child_add(loop, &job->child, pid, 0, on_end, job) < 0)
            waitpid(pid, NULL, 0);
    }
    posix_spawnattr_destroy(&attributes);
}

static void on_clock(struct pirn_loop *loop, struct pirn_clock *clock, uint32_t what,
                     uint64_t missed, void *user)
{
    struct job *job = user;

    (void)missed;
    if (what == PIRN_CLOCK_DUE)
        run_job(loop, job);
    pirn_clock_again(clock, deadline_of(job));
}

static void on_stop(struct pirn_loop *loop, struct pirn_signal *signal,
                    const struct pirn_signal_info *info, void *user)
{
    (void)signal, (void)info, (void)user;
    pirn_stop(loop);
}

/* False if the line is not "HOUR MINUTE SECOND COMMAND", or there are too many. */
static int add_job(const char *line)
{
    char fields[3][8];
    struct job *job = &jobs[job_count];
    int *numbers[] = { &job->hour, &job->minute, &job->second };

    if (job_count == MAX_JOBS || sscanf(line, "%7s %7s %7s %255[^\n]", fields[0], fields[1],
                                        fields[2], job->command) != 4)
        return 0;
    for (int i = 0; i < 3; ++i)
        *numbers[i] = strcmp(fields[i], "*") == 0 ? ANY : atoi(fields[i]);
    job_count++;
    return 1;
}

static int run(void)
{
    struct pirn_loop *loop;
    int rc = pirn_init(&loop, block, sizeof block, NULL);

    if (rc == 0)
        rc = pirn_signal_add(loop, &interrupt, SIGINT, PIRN_SIGNAL_BLOCK, on_stop, NULL);
    if (rc == 0)
        rc = pirn_signal_add(loop, &terminate, SIGTERM, PIRN_SIGNAL_BLOCK, on_stop, NULL);
    for (unsigned i = 0; rc == 0 && i < job_count; ++i)
        rc = pirn_clock_add(loop, &jobs[i].clock, PIRN_CLOCK_REALTIME, deadline_of(&jobs[i]), 0,
                            PIRN_CLOCK_TELL_SET, on_clock, &jobs[i]);
    if (rc == 0)
        rc = pirn_run(loop);
    if (rc < 0) {
        fprintf(stderr, "cron: %s\n", pirn_strerror(rc));
        return 1;
    }
    for (unsigned i = 0; i < job_count; ++i) {
        pirn_clock_remove(&jobs[i].clock);
        pirn_child_remove(&jobs[i].child);          /* if it still runs: it goes on without us */
    }
    pirn_signal_remove(&interrupt);
    pirn_signal_remove(&terminate);
    return pirn_deinit(loop) == 0 ? 0 : 1;
}

static int self_test(void)
{
    static struct job night;
    char path[] = "/tmp/pirn-cron-XXXXXX", line[256];
    int fd = mkstemp(path);

    /* 2026-03-29, Berlin: at 02:00 it is 03:00. 2026-10-25: at 03:00 it is 02:00 once more. */
    CHECK(setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1) == 0);
    tzset();
    night.hour = 3;
    night.minute = 30;
    CHECK(next_time(&night, 1774742400) == 1774747800);
    CHECK(next_time(&night, 1774747800) == 1774747800 + 86400);
    CHECK(next_time(&night, 1792886400) == 1792895400);
    night.hour = 25;
    CHECK(next_time(&night, 1774742400) == -1);

    CHECK(fd >= 0);
    snprintf(line, sizeof line, "* * * printf x >> %s", path);
    CHECK(add_job(line) && add_job("* * * kill -TERM $PPID") && !add_job("1 2 3"));
    CHECK(run() == 0);                              /* within a second, when both are due */
    CHECK(jobs[0].runs >= 1 && jobs[1].runs >= 1);
    while (waitpid(-1, NULL, 0) > 0)
        ;
    CHECK(lseek(fd, 0, SEEK_END) == (off_t)jobs[0].runs);
    CHECK(close(fd) == 0 && unlink(path) == 0);
    puts("cron: jobs run when they are due, over a change to summer time too");
    return 0;
}

int main(int argc, char **argv)
{
    char line[300];
    FILE *table;

    if (argc == 2 && strcmp(argv[1], "--self-test") == 0)
        return self_test();
    if (argc != 2 || (table = fopen(argv[1], "r")) == NULL) {
        fprintf(stderr, "usage: %s TABLE | --self-test\n", argv[0]);
        return 2;
    }
    while (fgets(line, sizeof line, table) != NULL)
        if (!add_job(line))
            fprintf(stderr, "cron: what is this: %s", line);
    fclose(table);
    return run();
}
