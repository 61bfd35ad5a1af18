/*
 * nolibc_echo: an echo server without a C library: own _start, own system calls, linked with
 * -nostdlib -static.
 *
 * Shows that libpirn.a needs only the kernel. The event loop's memory and the clients' buffers are
 * in .bss, so the executable contains only code.
 *
 *     make && ./build/nolibc_echo 7002 &           prints `listening on 127.0.0.1:7002`; serves
 *                                                  until a signal ends it
 *     ./build/nolibc_echo 7002 --clients 3         ends by itself when three clients have come and
 *                                                  gone
 *
 * Linux on x86_64, i386, aarch64, arm (EABI) and riscv64.
 */
#include <pirn.h>

#define CLIENTS 64
#define BUFFER_SIZE 4096

/* ---- system calls: four arguments are the most we need ---- */

#if defined(__x86_64__)
enum { SYS_READ = 0, SYS_WRITE = 1, SYS_CLOSE = 3, SYS_SIGACTION = 13, SYS_SOCKET = 41,
       SYS_BIND = 49, SYS_LISTEN = 50,
       SYS_SETSOCKOPT = 54, SYS_EXIT = 231, SYS_ACCEPT4 = 288 };

__asm__(".globl _start\n_start: xor %ebp, %ebp\n mov %rsp, %rdi\n and $-16, %rsp\n call begin\n");

static long system_call(long number, long a, long b, long c, long d, long e)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    long result;

    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10),
                     "r"(r8)
                     : "rcx", "r11", "memory");
    return result;
}
#elif defined(__i386__)
enum { SYS_EXIT = 252, SYS_READ = 3, SYS_WRITE = 4, SYS_CLOSE = 6, SYS_SIGACTION = 174,
       SYS_SOCKET = 359, SYS_BIND = 361,
       SYS_LISTEN = 363, SYS_ACCEPT4 = 364, SYS_SETSOCKOPT = 366 };

__asm__(".globl _start\n_start: xor %ebp, %ebp\n mov %esp, %eax\n and $-16, %esp\n sub $12, %esp\n "
        "push %eax\n call begin\n");

static long system_call(long number, long a, long b, long c, long d, long e)
{
    long result;

    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d),
                     "D"(e) : "memory");
    return result;
}
#elif defined(__aarch64__) || (defined(__riscv) && __riscv_xlen == 64)
enum { SYS_CLOSE = 57, SYS_READ = 63, SYS_WRITE = 64, SYS_EXIT = 94, SYS_SIGACTION = 134,
       SYS_SOCKET = 198, SYS_BIND = 200,
       SYS_LISTEN = 201, SYS_SETSOCKOPT = 208, SYS_ACCEPT4 = 242 };

#if defined(__aarch64__)
__asm__(".globl _start\n_start: mov x29, #0\n mov x0, sp\n bl begin\n");
#define CALL_REGISTER "x8"
#define ARGUMENT(n) "x" #n
#define CALL_INSTRUCTION "svc #0"
#else
__asm__(".globl _start\n_start: .option push\n .option norelax\n lla gp, __global_pointer$\n "
        ".option pop\n"
        " mv a0, sp\n andi sp, sp, -16\n call begin\n");
#define CALL_REGISTER "a7"
#define ARGUMENT(n) "a" #n
#define CALL_INSTRUCTION "ecall"
#endif

static long system_call(long number, long a, long b, long c, long d, long e)
{
    register long r_number __asm__(CALL_REGISTER) = number;
    register long r0 __asm__(ARGUMENT(0)) = a;
    register long r1 __asm__(ARGUMENT(1)) = b;
    register long r2 __asm__(ARGUMENT(2)) = c;
    register long r3 __asm__(ARGUMENT(3)) = d;
    register long r4 __asm__(ARGUMENT(4)) = e;

    __asm__ volatile(CALL_INSTRUCTION : "+r"(r0) : "r"(r_number), "r"(r1), "r"(r2), "r"(r3),
                     "r"(r4) : "memory");
    return r0;
}
#elif defined(__arm__)
enum { SYS_READ = 3, SYS_WRITE = 4, SYS_CLOSE = 6, SYS_SIGACTION = 174, SYS_EXIT = 248,
       SYS_SOCKET = 281, SYS_BIND = 282,
       SYS_LISTEN = 284, SYS_SETSOCKOPT = 294, SYS_ACCEPT4 = 366 };

__asm__(".globl _start\n.type _start, %function\n_start: mov r0, sp\n bl begin\n");

static long system_call(long number, long a, long b, long c, long d, long e)
{
    /* r7 is Thumb's frame pointer, so it cannot be named as an operand: it is saved by hand. */
    register long r0 __asm__("r0") = a;
    register long r1 __asm__("r1") = b;
    register long r2 __asm__("r2") = c;
    register long r3 __asm__("r3") = d;
    register long r4 __asm__("r4") = e;
    register long r6 __asm__("r6") = number;

    __asm__ volatile("mov r5, r7\n mov r7, r6\n svc #0\n mov r7, r5"
                     : "+r"(r0) : "r"(r1), "r"(r2), "r"(r3), "r"(r4), "r"(r6) : "r5", "memory");
    return r0;
}
#else
#error "nolibc_echo knows the system calls of x86_64, i386, aarch64, arm and riscv64"
#endif

/*
 * ---- the little of the kernel's interface that we use; the numbers are the same on all five ----
 */

enum { FAMILY_INET = 2, TYPE_STREAM = 1, NONBLOCK = 0x800, CLOSE_ON_EXEC = 0x80000,
       LEVEL_SOCKET = 1, REUSE_ADDRESS = 2,
       SIGNAL_PIPE = 13, SIGNAL_IGNORE = 1, ERROR_AGAIN = -11 };

struct internet_address {                           /* struct sockaddr_in */
    uint16_t family;
    uint8_t port[2], address[4], zero[8];
};

struct client {
    struct pirn_io io;
    uint32_t used, sent;  /* used == 0: the slot is receiving; else it is sending */
    int is_taken;
    char buffer[BUFFER_SIZE];
};

static uint64_t block[PIRN_STORAGE_SIZE(CLIENTS + 1, 0, 0) / sizeof(uint64_t)];
static struct client clients[CLIENTS];
static unsigned long departed, departures_wanted;   /* 0: serve for ever */

/*
 * A compiler may call these two (and memmove and memcmp) where a program copies or clears, so that
 * a program without a C library must bring them. libpirn.a has its own, which only libpirn.a can
 * see. volatile keeps the compiler from making the loop a call of the function that it is in.
 */
void *memcpy(void *to, const void *from, size_t length);
void *memset(void *to, int value, size_t length);

void *memcpy(void *to, const void *from, size_t length)
{
    for (size_t at = 0; at < length; ++at)
        ((volatile char *)to)[at] = ((const char *)from)[at];
    return to;
}

void *memset(void *to, int value, size_t length)
{
    for (size_t at = 0; at < length; ++at)
        ((volatile char *)to)[at] = (char)value;
    return to;
}

static size_t length_of(const char *text)
{
    size_t length = 0;

    while (text[length] != '\0')
        length++;
    return length;
}

static void say(const char *text)
{
    (void)system_call(SYS_WRITE, 1, (long)text, (long)length_of(text), 0, 0);
}

static unsigned long number_in(const char *text)
{
    unsigned long number = 0;

    for (; *text >= '0' && *text <= '9'; ++text)
        number = number * 10 + (unsigned long)(*text - '0');
    return number;
}

__attribute__((noreturn)) static void leave(int status)
{
    for (;;)
        (void)system_call(SYS_EXIT, status, 0, 0, 0, 0);
}

/* ---- the server ---- */

static void drop_client(struct pirn_loop *loop, struct client *client, int fd)
{
    (void)pirn_io_remove(loop, client->io);
    (void)system_call(SYS_CLOSE, fd, 0, 0, 0, 0);
    client->is_taken = 0;
    if (++departed == departures_wanted)
        (void)pirn_stop(loop);
}

/* Receives when everything is sent, and only then: that is all the back-pressure there is to it. */
static void on_client(struct pirn_loop *loop, struct pirn_io io, int fd, uint32_t ready, void *user)
{
    struct client *client = user;
    long n;

    (void)ready;
    if (client->used == 0) {
        n = system_call(SYS_READ, fd, (long)client->buffer, BUFFER_SIZE, 0, 0);
        if (n == ERROR_AGAIN)
            return;
        if (n <= 0) {
            drop_client(loop, client, fd);
            return;
        }
        client->used = (uint32_t)n;
        client->sent = 0;
    }
    while (client->sent < client->used) {
        n = system_call(SYS_WRITE, fd, (long)(client->buffer + client->sent),
                        (long)(client->used - client->sent), 0, 0);
        if (n == ERROR_AGAIN) {
            (void)pirn_io_modify(loop, io, PIRN_WRITE);
            return;
        }
        if (n < 0) {
            drop_client(loop, client, fd);
            return;
        }
        client->sent += (uint32_t)n;
    }
    client->used = 0;
    (void)pirn_io_modify(loop, io, PIRN_READ);      /* no system call if it was that before */
}

static void on_listener(struct pirn_loop *loop, struct pirn_io io, int fd, uint32_t ready,
                        void *user)
{
    int client_fd = (int)system_call(SYS_ACCEPT4, fd, 0, 0, NONBLOCK | CLOSE_ON_EXEC, 0);

    (void)io, (void)ready, (void)user;
    if (client_fd < 0)
        return;
    for (int i = 0; i < CLIENTS; ++i) {
        struct client *client = &clients[i];

        if (client->is_taken)
            continue;
        if (pirn_io_add(loop, client_fd, PIRN_READ, on_client, client, &client->io) < 0)
            break;
        client->is_taken = 1;
        client->used = 0;
        return;
    }
    (void)system_call(SYS_CLOSE, client_fd, 0, 0, 0, 0);       /* full */
}

static int listen_on(unsigned long port)
{
    struct internet_address name = { FAMILY_INET, { (uint8_t)(port >> 8), (uint8_t)port },
                                     { 127, 0, 0, 1 }, { 0 } };
    int one = 1;
    int fd = (int)system_call(SYS_SOCKET, FAMILY_INET, TYPE_STREAM | NONBLOCK | CLOSE_ON_EXEC, 0, 0,
                              0);

    if (fd < 0 || system_call(SYS_SETSOCKOPT, fd, LEVEL_SOCKET, REUSE_ADDRESS, (long)&one,
                              sizeof one) < 0
        || system_call(SYS_BIND, fd, (long)&name, sizeof name, 0, 0) < 0 ||
            system_call(SYS_LISTEN, fd, 128, 0, 0, 0) < 0)
        return -1;
    return fd;
}

/* The stack as the kernel leaves it: the argument count, then the arguments. Called by _start. */
__attribute__((noreturn, used)) void begin(long *stack);

void begin(long *stack)
{
    /* A signal action is handler, flags and mask, in an order that differs from one machine to the
     * next; all zero behind "ignore" is right on each. Without it, writing to a client that is gone
     * would end the server. */
    static unsigned long ignore[5];
    static struct pirn_config config;
    long argument_count = stack[0];
    char **arguments = (char **)(stack + 1);
    struct pirn_loop *loop;
    int listener, rc;

    if (argument_count != 2 && argument_count != 4) {
        say("usage: nolibc_echo PORT [--clients N]\n");
        leave(2);
    }
    if (argument_count == 4)
        departures_wanted = number_in(arguments[3]);
    ignore[0] = SIGNAL_IGNORE;
    (void)system_call(SYS_SIGACTION, SIGNAL_PIPE, (long)ignore, 0, 8, 0);
    listener = listen_on(number_in(arguments[1]));
    if (listener < 0) {
        say("nolibc_echo: cannot listen\n");
        leave(1);
    }
    config.size = sizeof config;
    config.backend = PIRN_BACKEND_EPOLL;
    config.io = CLIENTS + 1;
    rc = pirn_init(&loop, block, sizeof block, &config);
    if (rc == 0)
        rc = pirn_io_add(loop, listener, PIRN_READ, on_listener, 0, 0);
    if (rc == 0) {
        say("listening on 127.0.0.1:");
        say(arguments[1]);
        say("\n");
        rc = pirn_run(loop);
    }
    if (rc < 0) {
        say("nolibc_echo: failed, the exit status is the errno\n");
        leave(-rc);  /* pirn_strerror would explain it, for 0.8 KB of sentences */
    }
    leave(pirn_deinit(loop) == 0 ? 0 : 1);
}
