/* Shared by the tests of the sources, in addition to test.h. */
#ifndef SOURCES_H
#define SOURCES_H

#include "test.h"

#include <pirn/os.h>

static uint32_t the_backend;

/* A loop that has no fds, and takes no source. */
static inline struct pirn_loop *open_host(void)
{
    static PIRN_STORAGE(host_block, 4, 4, 4);
    struct pirn_loop *host;
    MUST(open_loop(&host, host_block, sizeof host_block, PIRN_BACKEND_HOST, 0, 0, 0) == 0);
    return host;
}

/* Claims of a copy that fork made, where 0 is returned, up to `end_copy`. */
static inline pid_t begin_copy(void)
{
    fflush(stdout);
    pid_t copy = fork();
    MUST(copy >= 0);
    if (copy == 0) {
        context = "copy";
        failure_count = 0;
    }
    return copy;
}

/* Ends the copy, or waits for it and what it claims. */
static inline void end_copy(pid_t copy)
{
    int status;
    if (copy == 0) {
        fflush(stdout);
        _exit(failure_count != 0);
    }
    MUST(waitpid(copy, &status, 0) == copy);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

#endif
