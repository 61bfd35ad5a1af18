/* As such libraries are written: connect, write, wait with a limit, read. */
#include "quotes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int exchange(int fd, const struct sockaddr_in *server, int share, int *price)
{
    struct pollfd answer = { fd, POLLIN, 0 };
    int count;

    if (connect(fd, (const struct sockaddr *)server, sizeof *server) < 0)
        return -1;
    if (write(fd, &share, sizeof share) != sizeof share)
        return -1;
    if ((count = poll(&answer, 1, 10000)) <= 0) {
        if (count == 0)
            errno = ETIMEDOUT;
        return -1;
    }
    return read(fd, price, sizeof *price) == sizeof *price ? 0 : -1;
}

int quotes_ask(int port, int share)
{
    struct sockaddr_in server;
    int price = -1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    memset(&server, 0, sizeof server);
    server.sin_family = AF_INET;
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server.sin_port = htons((unsigned short)port);
    if (exchange(fd, &server, share, &price) < 0)
        price = -1;
    close(fd);
    return price;
}
