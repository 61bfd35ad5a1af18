/* The clients of an echo server, many in one thread: for demo.c, reuseport.c, handover.c and the
 * benches. They are written on epoll(7) and not on pirn, so that a fault of pirn's cannot hide in
 * both ends. Every byte that comes back is compared. A wrong or missing byte, or a client that
 * makes no progress for ten seconds, ends the program with status 1. */
#ifndef LOAD_H
#define LOAD_H

#include <stdint.h>

#define LOAD_MAX_MIXED 65536u
#define LOAD_MAX_LENGTH (8 * LOAD_MAX_MIXED)

struct load {
    /* What the clients do. Each has one message on its way at a time. */
    uint16_t port;                  /* of 127.0.0.1 */
    unsigned clients;
    unsigned messages;              /* of each client; 0: as many as duration_ns allows */
    uint64_t duration_ns;
    uint32_t length;                /* of a message; 0: mixed, 1 byte to LOAD_MAX_MIXED */
    unsigned half_closers;          /* every n-th shuts its sending side down behind its last
                                       message and expects the rest and the end; 0: none */
    unsigned slow_readers;          /* every n-th reads through a small window, so that the
                                       server's writes come up short; 0: none */
    /* What came of it. */
    uint64_t answers, bytes, took_ns;
    /* Private. */
    uint64_t deadline_ns;
    struct load_client *state;
    uint32_t *latencies_ns;
};

/* Connect to 127.0.0.1. Return a blocking socket on which nothing takes longer than ten seconds. */
int load_dial(uint16_t port, int is_slow);

/* Connect all clients. The server need not accept yet. */
void load_connect(struct load *load);

/* Run the connected clients until all are done, and close their sockets. */
void load_run(struct load *load);

/* Return the latency that this share of the answers stayed below, in nanoseconds, 4 s at most.
 * Only the first million answers are kept. */
uint32_t load_percentile_ns(const struct load *load, unsigned percent);

/* Free what load_connect allocated. */
void load_free(struct load *load);

#endif
