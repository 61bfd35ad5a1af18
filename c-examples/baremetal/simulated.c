/*
 * The board as a simulation, in a program for Linux. Its clock stands still while the program runs,
 * and jumps to the next event when the loop waits. The UART receives what is on standard input, as
 * fast as it is read, and sends to standard output.
 */
#include <stdio.h>

#include "board.h"

#define NEVER UINT64_MAX

static uint64_t now_ns;
static int is_woken;
static uint32_t uart_interest;
static int received = -1;               /* the UART has room for one byte */
static uint64_t alarm_ns = NEVER;
static void (*alarm_handler)(void);

static uint64_t host_now(void *user)
{
    (void)user;
    return now_ns;
}

static uint32_t uart_ready(void)
{
    if (received < 0 && (uart_interest & PIRN_READ))
        received = getchar();
    return (received >= 0 ? PIRN_READ : 0u) | PIRN_WRITE;
}

static int host_wait(uint64_t timeout_ns, struct pirn_ready *ready, size_t capacity, void *user)
{
    uint64_t begin = host_now(user);
    uint64_t end = timeout_ns > NEVER - begin ? NEVER : begin + timeout_ns;

    for (;;) {
        uint32_t found = uart_ready() & uart_interest;

        if (found != 0 && capacity > 0) {
            ready->fd = UART;
            ready->ready = found;
            is_woken = 0;
            return 1;
        }
        if (is_woken || now_ns >= end) {
            is_woken = 0;
            return 0;
        }
        if (alarm_ns > end) {
            now_ns = end;
            continue;
        }
        if (alarm_ns == NEVER)
            return -5;                  /* EIO: it would wait for ever */
        now_ns = alarm_ns;
        alarm_ns = NEVER;
        alarm_handler();
    }
}

static int host_watch(int fd, uint32_t interest, void *user)
{
    (void)user;
    if (fd != UART)
        return -9;                      /* EBADF */
    uart_interest = interest & (PIRN_READ | PIRN_WRITE);
    return 0;
}

static void host_wake(void *user)
{
    (void)user;
    is_woken = 1;
}

const struct pirn_host board_host = {
    sizeof board_host, 0, NULL, host_now, host_wait, host_watch, host_wake
};

int board_get(void)
{
    int byte = received;

    received = -1;
    return byte;
}

int board_put(char byte)
{
    return putchar(byte) == EOF ? -1 : 0;
}

void board_alarm(uint32_t milliseconds, void (*handler)(void))
{
    alarm_ns = now_ns + (uint64_t)milliseconds * 1000000;
    alarm_handler = handler;
}

int main(void)
{
    return program();
}
