/*
 * For reuseport.c and handover.c: the program around several loops. Its options, its signals, its
 * --bench.
 */
#ifndef LOOPS_PROGRAM_H
#define LOOPS_PROGRAM_H

#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "load.h"

/* The clients of --self-test and --bench. */
#define SELF_TEST_CLIENTS 64
#define SELF_TEST_LENGTH (8 * LOAD_MAX_MIXED)       /* bytes from each: more than sockets hold */
#define BENCH_THREADS 2
#define BENCH_CLIENTS 32                            /* of each thread */

/* The steps of a life, in this order. */
struct loops_program {
    const char *name;
    unsigned max_loops;
    void (*open)(unsigned count, uint16_t *port);   /* port 0: any, which is stored */
    void (*start)(void);                            /* their threads */
    void (*stop)(void);                             /* from anywhere, a signal handler too */
    void (*join)(void);
    int (*close)(void);                             /* 0, or 1 if a loop failed */
    void (*print_statistics)(void);
    int (*self_test)(void);
};

static const struct loops_program *loops_running;

static void loops_on_signal(int number)
{
    (void)number;
    loops_running->stop();
}

static void loops_handle_signals(void (*handler)(int))
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    CHECK(sigaction(SIGINT, &action, NULL) == 0 && sigaction(SIGTERM, &action, NULL) == 0);
}

static int loops_serve(const struct loops_program *program, unsigned count, uint16_t port)
{
    sigset_t signals;
    int rc;

    program->open(count, &port);
    loops_running = program;
    /* The handler may run on this thread alone, so that none is under way when the loops end: the
     * other threads block its signals. */
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    CHECK(pthread_sigmask(SIG_BLOCK, &signals, NULL) == 0);
    program->start();
    loops_handle_signals(loops_on_signal);
    CHECK(pthread_sigmask(SIG_UNBLOCK, &signals, NULL) == 0);

    printf("listening on 127.0.0.1:%u\n", (unsigned)port);
    fflush(stdout);
    program->join();
    loops_handle_signals(SIG_DFL);                  /* its loops are going away */
    rc = program->close();
    program->print_statistics();
    return rc;
}

static void *loops_run_load(void *load)
{
    load_run(load);
    return NULL;
}

/* Return echoes per second. */
static double loops_measure(const struct loops_program *program, unsigned count)
{
    struct load loads[BENCH_THREADS];
    pthread_t threads[BENCH_THREADS];
    double echoes_per_second = 0;
    uint16_t port = 0;

    program->open(count, &port);
    program->start();
    for (unsigned i = 0; i < BENCH_THREADS; ++i) {
        struct load load = { .port = port, .clients = BENCH_CLIENTS, .length = 64,
                             .duration_ns = UINT64_C(1000000000) };

        loads[i] = load;
        load_connect(&loads[i]);
    }
    for (unsigned i = 0; i < BENCH_THREADS; ++i)
        CHECK(pthread_create(&threads[i], NULL, loops_run_load, &loads[i]) == 0);
    for (unsigned i = 0; i < BENCH_THREADS; ++i) {
        CHECK(pthread_join(threads[i], NULL) == 0);
        echoes_per_second += (double)loads[i].answers * 1e9 / (double)loads[i].took_ns;
        load_free(&loads[i]);
    }
    program->stop();
    program->join();
    CHECK(program->close() == 0);
    return echoes_per_second;
}

static int loops_bench(const struct loops_program *program)
{
    double one = loops_measure(program, 1), two = loops_measure(program, 2);

    printf("%s: %.0f echoes/s with one loop, %.0f with two, ratio %.2f\n", program->name, one, two,
           two / one);
    return 0;
}

static int loops_main(const struct loops_program *program, int argc, char **argv)
{
    static const struct option options[] = {
        { "loops", required_argument, NULL, 'l' }, { "port", required_argument, NULL, 'p' },
        { "self-test", no_argument, NULL, 't' }, { "bench", no_argument, NULL, 'b' },
        { NULL, 0, NULL, 0 }
    };
    long loops = 2, port = 7000;
    int option, mode = 's';

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'l')
            loops = strtol(optarg, NULL, 10);
        else if (option == 'p')
            port = strtol(optarg, NULL, 10);
        else
            mode = option;
    }
    if (mode == '?' || optind != argc || loops < 1 || loops > (long)program->max_loops || port < 0
        || port > 65535) {
        fprintf(stderr, "usage: %s [--loops 1..%u] [--port N] | --self-test | --bench\n",
                program->name, program->max_loops);
        return 2;
    }
    if (mode == 't')
        return program->self_test();
    if (mode == 'b')
        return loops_bench(program);
    return loops_serve(program, (unsigned)loops, (uint16_t)port);
}

#endif
