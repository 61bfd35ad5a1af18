/* Both ends of an echo, for tests with many clients. Include it after test.h. */
#ifndef ECHO_H
#define ECHO_H

#include <pirn/fiber.h>

#include "hub.h"

/* Sends back all received bytes, until the end, by a buffer of the caller's. */
static inline void send_back(struct pirn_port *port, void *buffer, size_t size, uint64_t limit_ns)
{
    intptr_t count;
    while ((count = pirn_port_read(port, buffer, size, limit_ns)) > 0)
        if (!CHECK(pirn_port_write_all(port, buffer, (size_t)count, limit_ns) == 0))
            break;
    EQUAL(count, 0);
}

/* How many clients are being served, and the most so far. */
static int at_once, most_at_once;

/* Serves a client to its end, and closes its fd. */
static inline int serve_client(int fd, void *buffer, size_t size, uint64_t limit_ns)
{
    struct pirn_port port;
    open_port(&port, fd);
    if (++at_once > most_at_once)
        most_at_once = at_once;
    send_back(&port, buffer, size, limit_ns);
    at_once--;
    OK(pirn_port_close(&port));
    return close(fd);
}

/*
 * Sends bytes in parts of any size that fits the buffer, and compares the echo. Returns how many
 * bytes came back as they were sent.
 */
static inline size_t compare_echo(struct pirn_port *port, const unsigned char *sent, size_t total,
                                  void *buffer, size_t size, uint64_t limit_ns)
{
    size_t sent_count = 0, got = 0;
    while (got < total) {
        size_t part = 1 + (size_t)(random_word() % size);
        if (part > total - sent_count)
            part = total - sent_count;
        if (!CHECK(pirn_port_write_all(port, sent + sent_count, part, limit_ns) == 0))
            break;
        sent_count += part;
        do {
            intptr_t count = pirn_port_read(port, buffer, size, limit_ns);
            if (!CHECK(count > 0) || !CHECK(memcmp(buffer, sent + got, (size_t)count) == 0))
                return got;
            got += (size_t)count;
        } while (got < sent_count && random_word() % 4 != 0);
    }
    return got;
}

#endif
