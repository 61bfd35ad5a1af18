/* In place of a C library: the start of a program, and the system calls that the servers make. A
 * function's arguments are in the registers that a system call wants, but for the fourth; what it
 * has fewer than the system call (recv, send) is zero. */
#include <errno.h>
#include <sys/syscall.h>

#ifndef __x86_64__
#error "only the numbers and registers of x86_64 are known here"
#endif

__asm__(".globl _start\n"
        "_start: xor %ebp, %ebp\n mov (%rsp), %rdi\n lea 8(%rsp), %rsi\n and $-16, %rsp\n"
        " call main\n mov %eax, %edi\n mov $231, %eax\n syscall\n" /* exit_group */
        "four: xor %r8d, %r8d\n xor %r9d, %r9d\n"
        "six: mov %rcx, %r10\n syscall\n cmp $-4096, %rax\n ja failed\n ret\n"
        "failed: neg %eax\n mov %eax, last_error(%rip)\n or $-1, %rax\n ret\n");

static int last_error __asm__("last_error") __attribute__((used));

int *__errno_location(void) { return &last_error; }

#define STRING(number) #number
#define CALL(name, number, of)                                                                     \
    __asm__(".section .text." #name ", \"ax\"\n.globl " #name "\n" #name                           \
            ": mov $" STRING(number) ", %eax\n jmp " #of "\n.previous")

CALL(close, SYS_close, four);
CALL(socket, SYS_socket, four);
CALL(bind, SYS_bind, four);
CALL(listen, SYS_listen, four);
CALL(accept4, SYS_accept4, four);
CALL(recv, SYS_recvfrom, four);
CALL(send, SYS_sendto, four);
CALL(epoll_create1, SYS_epoll_create1, four);
CALL(epoll_ctl, SYS_epoll_ctl, four);
CALL(epoll_wait, SYS_epoll_wait, four);
CALL(clock_gettime, SYS_clock_gettime, four);
CALL(mmap, SYS_mmap, six);
