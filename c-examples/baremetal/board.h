/*
 * What a program asks of the board on which it runs. mps2.c is the board of the firmware;
 * simulated.c plays one in a program for Linux, with a clock that moves only while the loop waits.
 */
#ifndef BOARD_H
#define BOARD_H

#include <stdint.h>

#include <pirn.h>

/* The number by which the host names the UART. */
#define UART 0

/* Clock, wait and readiness. The clock counts whole milliseconds. */
extern const struct pirn_host board_host;

/* Returns the next byte that the UART has received, or -1. */
int board_get(void);

/* Hands a byte to the UART. Returns 0, or -1 if the UART is still busy with the one before. */
int board_put(char byte);

/* Calls `handler` once, in an interrupt, when the clock has ticked so often, at least once. */
void board_alarm(uint32_t milliseconds, void (*handler)(void));

/* The program. Returns 0 if all of it went as it should. */
int program(void);

/* The block that it lends to its loop, to tell it from the program's other memory. */
extern const uint32_t program_block_size;

/* In text.c: writes a text, and a number in decimal, without a newline. */
void put_text(const char *text);
void put_number(uint32_t number);

#endif
