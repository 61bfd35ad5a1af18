/* What the echo servers share besides the event loop. Each is the same program, `NAME PORT`: it
 * listens on 127.0.0.1, sends back what it receives, and serves until it is killed. They are here
 * for their size; a client that does not read is dropped. */
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_CLIENTS = 256, MESSAGE = 4096 };

/* The listening socket, or -1. */
static int open_listener(int argc, char **argv)
{
    unsigned port = 0;
    if (argc != 2)
        return -1;
    for (const char *digit = argv[1]; *digit >= '0' && *digit <= '9'; digit++)
        port = port * 10 + (unsigned)(*digit - '0');
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = (in_port_t)(port >> 8 | port << 8), /* little-endian, as all machines we know */
        .sin_addr.s_addr = 127 | 1u << 24,
    };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool failed = fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0;
    return failed || listen(fd, 128) < 0 ? -1 : fd;
}

/* A client's fd, or -1. */
static int accept_client(int listener)
{
    return accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

/* False if the client has gone, or does not take its answer; the fd is the caller's to close. */
static bool answer(int fd)
{
    char message[MESSAGE];
    ssize_t size = recv(fd, message, sizeof message, 0);
    return size > 0 && send(fd, message, (size_t)size, MSG_NOSIGNAL) == size;
}
