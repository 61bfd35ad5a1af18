/* What the echo servers share: everything but the event loop. Each is the same program, `NAME PORT`: it listens on 127.0.0.1, sends back
 * what it receives, and serves until it is killed. They are here for their size; a client that does not read is dropped. */
#ifndef SERVER_H
#define SERVER_H

#define _GNU_SOURCE
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

/* Clients are known by fd; one with a higher number is turned away. */
enum { MAX_FDS = 256, MESSAGE = 4096 };

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
		.sin_port = (in_port_t)(port >> 8 | port << 8), /* of the machines we know, all little-endian */
		.sin_addr.s_addr = 127 | 1u << 24,
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	return fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 128) < 0 ? -1 : fd;
}

/* A client's fd, or -1: there is none, or no room for it. */
static int accept_client(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < MAX_FDS)
		return fd;
	close(fd);
	return -1;
}

/* False: the client has gone, or does not take its answer; the fd is the caller's to close. */
static int answer(int fd)
{
	char message[MESSAGE];
	ssize_t size = recv(fd, message, sizeof message, 0);
	return size > 0 && send(fd, message, (size_t)size, MSG_NOSIGNAL) == size;
}

#endif
