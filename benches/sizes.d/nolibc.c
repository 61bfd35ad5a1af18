/* In place of a C library: the start of a program, and the system calls that the servers make. */
#define _GNU_SOURCE
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef __x86_64__
#error "only the numbers and registers of x86_64 are known here"
#endif

int main(int argc, char **argv);
__attribute__((noreturn, used)) void begin(long *stack);

__asm__(".globl _start\n_start: xor %ebp, %ebp\n mov %rsp, %rdi\n and $-16, %rsp\n call begin\n");

static int last_error;

int *__errno_location(void)
{
	return &last_error;
}

static long system_call(long number, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;
	__asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
	if (result >= 0)
		return result;
	last_error = (int)-result;
	return -1;
}

void begin(long *stack)
{
	int status = main((int)stack[0], (char **)(stack + 1));
	for (;;)
		system_call(SYS_exit_group, status, 0, 0, 0, 0, 0);
}

int close(int fd)
{
	return (int)system_call(SYS_close, fd, 0, 0, 0, 0, 0);
}

int socket(int domain, int type, int protocol)
{
	return (int)system_call(SYS_socket, domain, type, protocol, 0, 0, 0);
}

int bind(int fd, const struct sockaddr *address, socklen_t size)
{
	return (int)system_call(SYS_bind, fd, (long)address, size, 0, 0, 0);
}

int listen(int fd, int backlog)
{
	return (int)system_call(SYS_listen, fd, backlog, 0, 0, 0, 0);
}

int accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
	return (int)system_call(SYS_accept4, fd, (long)address, (long)size, flags, 0, 0);
}

ssize_t recv(int fd, void *buffer, size_t size, int flags)
{
	return system_call(SYS_recvfrom, fd, (long)buffer, (long)size, flags, 0, 0);
}

ssize_t send(int fd, const void *buffer, size_t size, int flags)
{
	return system_call(SYS_sendto, fd, (long)buffer, (long)size, flags, 0, 0);
}

int epoll_create1(int flags)
{
	return (int)system_call(SYS_epoll_create1, flags, 0, 0, 0, 0, 0);
}

int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
	return (int)system_call(SYS_epoll_ctl, epoll, operation, fd, (long)event, 0, 0);
}

int epoll_wait(int epoll, struct epoll_event *events, int capacity, int timeout)
{
	return (int)system_call(SYS_epoll_wait, epoll, (long)events, capacity, timeout, 0, 0);
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
	return (int)system_call(SYS_clock_gettime, clock, (long)time, 0, 0, 0, 0);
}
