/* Texts and numbers on the UART, without a C library. */
#include "board.h"

void put_text(const char *text)
{
    for (; *text != '\0'; text++)
        while (board_put(*text) < 0)
            ;
}

void put_number(uint32_t number)
{
    char digits[11];
    char *first = digits + sizeof digits - 1;

    *first = '\0';
    do
        *--first = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    put_text(first);
}
