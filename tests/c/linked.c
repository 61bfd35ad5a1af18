/*
 * Linked in many ways, with many others; ends with status 0 if the loop works. Also compiled as
 * C++. T124.
 */
#include <stdio.h>
#include <string.h>

#include <pirn.h>

#ifdef WITH_OTHER
#ifdef __cplusplus
extern "C"
#endif
int other_sum(int count);
#endif

static void on_timer(struct pirn_loop *loop, struct pirn_timer timer, uint64_t missed, void *user)
{
    (void)loop, (void)timer, (void)missed;
    ++*(int *)user;
}

int main(void)
{
    PIRN_STORAGE(block, 4, 4, 4);
    struct pirn_config config;
    struct pirn_loop *loop;
    int calls = 0;
    for (uint32_t backend = PIRN_BACKEND_AUTO; backend <= PIRN_BACKEND_EPOLL; backend++) {
        memset(&config, 0, sizeof config);
        config.size = (uint32_t)sizeof config;
        config.backend = backend;
        if (pirn_init(&loop, block, sizeof block, &config) != 0)
            return 1;
        if (pirn_timer_start(loop, 100000, 0, 0, on_timer, &calls, 0) != 0 ||
            pirn_run(loop) != PIRN_DONE)
            return 2;
        if (pirn_deinit(loop) != 0)
            return 3;
    }
#ifdef WITH_OTHER
    if (other_sum(4) != 10)
        return 4;
#endif
    printf("linked: %d calls\n", calls);
    return calls == 4 ? 0 : 5;
}
