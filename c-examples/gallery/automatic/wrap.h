/*
 * Calls that would block let other fibers run instead.
 *
 * The linker replaces read, write, connect and poll in the whole program by the functions of
 * wrap.c:
 *
 *     cc -Wl,--wrap=read,--wrap=write,--wrap=connect,--wrap=poll ...
 *
 * Outside of fibers, in other threads, and before wrap_begin they are what they were. What is in
 * shared libraries, such as the C library itself, is not reached.
 */
#ifndef WRAP_H
#define WRAP_H

#include <pirn/fiber.h>

/* From now on the calls of this thread's fibers let others run. NULL ends it. */
void wrap_begin(struct pirn_hub *hub);

#endif
