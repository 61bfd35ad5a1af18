/*
 * What a program without a C library needs of the kernel's interface on x86_64: where it begins,
 * system calls, and the structs and numbers that the appliance uses.
 */
#ifndef KERNEL_H
#define KERNEL_H

#include <asm/unistd.h>
#include <linux/fcntl.h>
#include <linux/mount.h>
#include <linux/reboot.h>
#include <linux/watchdog.h>
#include <stddef.h>
#include <stdint.h>

#ifndef __x86_64__
#error "the appliance is for x86_64"
#endif

enum {
    FAMILY_INET = 2, TYPE_STREAM = 1, TYPE_DATAGRAM = 2, NONBLOCK = 0x800, CLOSE_ON_EXEC = 0x80000,
    LEVEL_SOCKET = 1, REUSE_ADDRESS = 2, SIGNAL_INT = 2, SIGNAL_KILL = 9, SIGNAL_PIPE = 13,
    SIGNAL_TERM = 15, SIGNAL_IGNORE = 1, SET_MASK = 2, ERROR_AGAIN = -11, ERROR_EXISTS = -17,
    SET_FLAGS = 0x8914, SET_ADDRESS = 0x8916, SET_NETMASK = 0x891c, ADD_ROUTE = 0x890b,
    INTERFACE_UP = 0x1, ROUTE_UP = 0x1, ROUTE_GATEWAY = 0x2
};

struct internet_address {                   /* struct sockaddr_in */
    uint16_t family;
    uint8_t port[2], address[4], zero[8];
};

struct interface_request {                  /* struct ifreq */
    char name[16];
    union {
        struct internet_address address;
        short flags;
        char size[24];
    } of;
};

struct route {                              /* struct rtentry */
    unsigned long pad1;
    struct internet_address destination, gateway, netmask;
    unsigned short flags;
    short pad2;
    unsigned long pad3;
    void *pad4;
    short metric;
    char *device;
    unsigned long mtu, window;
    unsigned short first_round_trip;
};

struct system_info {                        /* struct sysinfo */
    long uptime;
    unsigned long loads[3], total, free, shared, buffers, swap_total, swap_free;
    unsigned short processes, pad;
    unsigned long high_total, high_free;
    uint32_t unit;
};

static inline long system_call(long number, long a, long b, long c, long d, long e)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    long result;

    __asm__ volatile("syscall" : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                     : "rcx", "r11", "memory");
    return result;
}

/* A system call of up to five arguments; the others are zero. */
#define CALL_(number, a, b, c, d, e, ...) \
    system_call(__NR_##number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e))
#define CALL(...) CALL_(__VA_ARGS__, 0, 0, 0, 0, 0, 0)

/* boot.c: everything before the loop. Each returns 0 or a negative errno. */
int mount_all(void);
int load_modules(void);
int bring_up_network(void);

/* text.c */
size_t length_of(const char *text);
int begins_with(const char *text, const char *beginning);

/* A text that grows in a buffer, as far as it has room. It always ends with a NUL. */
struct text {
    char *at;
    size_t length, room;
};

void add(struct text *text, const char *more);
void add_number(struct text *text, uint64_t number);

#endif
