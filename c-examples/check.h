/*
 * For the examples that check themselves: a failed claim ends the program with a line that says
 * which.
 */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>

#define CHECK(claim)                                                                  \
    do {                                                                              \
        if (!(claim)) {                                                               \
            fflush(stdout);                                                           \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #claim);       \
            exit(1);                                                                  \
        }                                                                             \
    } while (0)

#endif
