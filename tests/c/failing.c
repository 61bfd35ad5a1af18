/* Fails in the way that FAIL_BY says: so that c_api.rs can see that failures are seen. */
#include "test.h"

static void test(uint32_t backend)
{
    const char *way = getenv("FAIL_BY");
    int is_this = way != NULL && backend == PIRN_BACKEND_EPOLL;
    CHECK(backend != PIRN_BACKEND_AUTO);
    CHECK(!(is_this && strcmp(way, "claim") == 0));
    if (is_this && strcmp(way, "errno") == 0)
        GIVES((close(-1), pirn_verify(NULL)), -EINVAL);
    if (is_this && strcmp(way, "silence") == 0)
        _exit(0);
    if (is_this && strcmp(way, "crash") == 0)
        abort();
    if (is_this && strcmp(way, "hang") == 0) {
        alarm(1);
        for (;;)
            pause();
    }
}

int main(int argc, char **argv)
{
    return run_on_backends(argc, argv, test);
}
