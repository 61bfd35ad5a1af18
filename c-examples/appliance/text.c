/* The little of a C library that the appliance needs. */
#include "kernel.h"

/*
 * A compiler may call these two where a program copies or clears. volatile keeps it from making the
 * loop a call of the function that it is in.
 */
void *memcpy(void *to, const void *from, size_t length);
void *memset(void *to, int value, size_t length);

void *memcpy(void *to, const void *from, size_t length)
{
    for (size_t at = 0; at < length; at++)
        ((volatile char *)to)[at] = ((const char *)from)[at];
    return to;
}

void *memset(void *to, int value, size_t length)
{
    for (size_t at = 0; at < length; at++)
        ((volatile char *)to)[at] = (char)value;
    return to;
}

size_t length_of(const char *text)
{
    size_t length = 0;

    while (text[length] != '\0')
        length++;
    return length;
}

int begins_with(const char *text, const char *beginning)
{
    while (*beginning != '\0')
        if (*text++ != *beginning++)
            return 0;
    return 1;
}

void add(struct text *text, const char *more)
{
    while (*more != '\0' && text->length + 1 < text->room)
        text->at[text->length++] = *more++;
    if (text->room > 0)
        text->at[text->length] = '\0';
}

void add_number(struct text *text, uint64_t number)
{
    char digits[21];
    char *first = digits + sizeof digits - 1;

    *first = '\0';
    do
        *--first = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    add(text, first);
}
