/*
 * For tables.c: four looks at an echo server that is another program.
 *
 * measure_census    connects clients that each say a byte, and then nothing: who is answered, how
 *                   many processes and threads there are, how much memory has been added
 * measure_load      a load: requests per second, the latency of 99 % of them, context switches
 * measure_one       one client that speaks, beside others that are connected and silent
 * measure_calls     a short load under ptrace(2), which makes the server slow: system calls
 *
 * Each starts the server anew, and ends it with all its processes.
 */
#ifndef GALLERY_MEASURE_H
#define GALLERY_MEASURE_H

#include <dirent.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <time.h>

#include "server.h"

struct cell {                       /* -1: it could not be measured */
    int served, processes, threads;
    double kib_per_client, requests_per_s, p99_ms, switches, calls;
    double us, us_one;              /* of processor time for each request */
};

struct subject {
    const char *path, *option;      /* the option may be NULL */
    pid_t pid;                      /* and its process group */
    int output;
};

static void subject_start(struct subject *it, int is_traced)
{
    int fds[2];

    CHECK(pipe2(fds, O_CLOEXEC) == 0);
    CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);   /* what the server leaves behind is ours */
    it->pid = fork();
    CHECK(it->pid >= 0);
    if (it->pid == 0) {
        setpgid(0, 0);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(fds[1], STDOUT_FILENO);
        if (is_traced && (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 || raise(SIGSTOP) != 0))
            _exit(126);
        execl(it->path, it->path, "0", it->option, (char *)NULL);
        _exit(127);
    }
    setpgid(it->pid, it->pid);
    close(fds[1]);
    it->output = fds[0];
}

/* Read the line that says where the server listens. Return the port. */
static uint16_t subject_port(struct subject *it)
{
    char line[128] = "";
    unsigned port;

    CHECK(read(it->output, line, sizeof line - 1) > 0);
    CHECK(sscanf(line, "listening on 127.0.0.1:%u", &port) == 1);
    return (uint16_t)port;
}

static void subject_end(struct subject *it)
{
    CHECK(kill(-it->pid, SIGKILL) == 0);
    while (waitpid(-1, NULL, __WALL) > 0)
        continue;
    close(it->output);
}

/* ---- the census ---- */

/* Return the number behind a word in a file of /proc, or 0. */
static unsigned long number_in(const char *pid, const char *file, const char *word)
{
    char path[300], line[256];
    unsigned long number = 0;
    FILE *opened;

    snprintf(path, sizeof path, "/proc/%s/%s", pid, file);
    opened = fopen(path, "r");
    while (opened != NULL && fgets(line, sizeof line, opened) != NULL)
        if (strncmp(line, word, strlen(word)) == 0)
            number = strtoul(line + strlen(word), NULL, 10);
    if (opened != NULL)
        fclose(opened);
    return number;
}

/* Count the processes and threads of a group. Return its memory: Pss, which divides a page among
 * the processes that share it. */
static unsigned long take_census(pid_t group, struct cell *cell)
{
    unsigned long kib = 0;
    DIR *directory = opendir("/proc");
    struct dirent *entry;

    CHECK(directory != NULL);
    cell->processes = cell->threads = 0;
    while ((entry = readdir(directory)) != NULL) {
        pid_t pid = atoi(entry->d_name);

        if (pid == 0 || getpgid(pid) != group)
            continue;
        cell->processes++;
        cell->threads += (int)number_in(entry->d_name, "status", "Threads:");
        kib += number_in(entry->d_name, "smaps_rollup", "Pss:");
    }
    closedir(directory);
    return kib;
}

static void measure_census(struct subject *it, unsigned clients, struct cell *cell)
{
    static int fds[1024];
    unsigned long before, after;
    uint16_t port;
    int wait_ms = 3000;

    subject_start(it, 0);
    port = subject_port(it);
    usleep(100000);
    before = take_census(it->pid, cell);
    for (unsigned at = 0; at < clients; at++) {
        fds[at] = load_dial(port, 0);
        say(fds[at], 'x');
    }
    cell->served = 0;
    for (unsigned at = 0; at < clients; at++)
        if (is_answered(fds[at], wait_ms))
            cell->served++;
        else
            wait_ms = 300 / (int)(at + 1);          /* those behind it will not be either */
    after = take_census(it->pid, cell);
    cell->kib_per_client = after <= before ? 0 : (double)(after - before) / cell->served;
    subject_end(it);
}

/* ---- the load ---- */

static void run_load(struct load *load, uint16_t port, unsigned clients, unsigned messages)
{
    memset(load, 0, sizeof *load);
    load->port = port;
    load->clients = clients;
    load->messages = messages;
    load->length = 64;
    load_connect(load);
    load_run(load);
}

/* Keep the best of several runs: what else the machine does only ever takes away. */
static void measure_load(struct subject *it, unsigned clients, struct cell *cell)
{
    struct rusage usage;
    struct load load;
    double rate, us;

    subject_start(it, 0);
    run_load(&load, subject_port(it), clients, clients == 1 ? 10000 : 20000 / clients);
    subject_end(it);
    CHECK(getrusage(RUSAGE_CHILDREN, &usage) == 0);
    rate = (double)load.answers / ((double)load.took_ns / 1e9);
    us = ((double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6
          + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec)) / (double)load.answers;
    cell->us = cell->us < 0 || us < cell->us ? us : cell->us;
    if (rate > cell->requests_per_s) {
        cell->requests_per_s = rate;
        cell->p99_ms = load_percentile_ns(&load, 99) / 1e6;
        cell->switches = (double)(usage.ru_nvcsw + usage.ru_nivcsw) / (double)load.answers;
    }
    load_free(&load);
}

/* Return the processor time of a group's processes, with that of threads that have ended. */
static double processor_us(pid_t group)
{
    double us = 0;
    DIR *directory = opendir("/proc");
    struct dirent *entry;

    CHECK(directory != NULL);
    while ((entry = readdir(directory)) != NULL) {
        pid_t pid = atoi(entry->d_name);
        struct timespec used;
        clockid_t clock;

        if (pid != 0 && getpgid(pid) == group && clock_getcpuclockid(pid, &clock) == 0
            && clock_gettime(clock, &used) == 0)
            us += (double)used.tv_sec * 1e6 + (double)used.tv_nsec / 1e3;
    }
    closedir(directory);
    return us;
}

static void measure_one(struct subject *it, unsigned clients, struct cell *cell)
{
    struct load load;
    uint16_t port;
    double us;
    int probe;

    subject_start(it, 0);
    port = subject_port(it);
    for (unsigned at = 1; at < clients; at++)
        say(load_dial(port, 0), 'x');               /* and never again */
    probe = load_dial(port, 0);
    say(probe, 'x');
    if (is_answered(probe, 1000)) {                 /* or else it waits for the silent ones */
        close(probe);
        us = -processor_us(it->pid);
        run_load(&load, port, 1, 4000);
        us = (us + processor_us(it->pid)) / (double)load.answers;
        cell->us_one = cell->us_one < 0 || us < cell->us_one ? us : cell->us_one;
    }
    subject_end(it);
}

/* ---- the system calls ---- */

#define TRACE (PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK \
               | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL)

/* Let the server run until it says where it listens, or, with a pid, until that one has ended.
 * Return how often it was stopped at the beginning or the end of a system call. */
static unsigned long trace(struct subject *it, pid_t until)
{
    struct pollfd said = { it->output, POLLIN, 0 };
    unsigned long stops = 0;
    int status;

    while (until != 0 || poll(&said, 1, 0) == 0) {
        pid_t pid = waitpid(-1, &status, __WALL);
        int is_call = WIFSTOPPED(status) && WSTOPSIG(status) == (SIGTRAP | 0x80);
        long deliver;

        CHECK(pid > 0);
        if (pid == until) {
            CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
            return stops;
        }
        if (!WIFSTOPPED(status))
            continue;
        stops += (unsigned)is_call;
        deliver = is_call || status >> 16 != 0 || WSTOPSIG(status) == SIGSTOP ? 0
                                                                              : WSTOPSIG(status);
        ptrace(PTRACE_SYSCALL, pid, NULL, (void *)deliver);
    }
    return stops;
}

static void measure_calls(struct subject *it, unsigned clients, struct cell *cell)
{
    unsigned messages = clients == 1 ? 200 : clients == 100 ? 20 : 10;
    unsigned long stops;
    uint16_t port;
    int status;
    pid_t loader;

    subject_start(it, 1);
    CHECK(waitpid(it->pid, &status, 0) == it->pid && WIFSTOPPED(status));
    CHECK(ptrace(PTRACE_SETOPTIONS, it->pid, NULL, (void *)TRACE) == 0);
    CHECK(ptrace(PTRACE_SYSCALL, it->pid, NULL, NULL) == 0);
    trace(it, 0);
    port = subject_port(it);
    loader = fork();
    CHECK(loader >= 0);
    if (loader == 0) {
        struct load load;

        run_load(&load, port, clients, messages);
        _exit(0);
    }
    stops = trace(it, loader);
    cell->calls = (double)stops / 2 / (clients * messages);
    subject_end(it);
}

#endif
