/* Two fibers that wait while they handle an exception: each keeps its own. */
#include <cstdio>
#include <cstring>
#include <exception>
#include <stdexcept>

#include <pirn/fiber_cxx.h>

static PIRN_STORAGE(block, 8, 8, 8);
static struct pirn_hub hub;
static struct pirn_fiber fibers[2];
static char stacks[2][65536];
static int right;

static int handles(struct pirn_hub *its_hub, void *name)
{
    const char *own = static_cast<const char *>(name);
    for (int round = 0; round < 10; round++)
        try {
            throw std::runtime_error(own);
        } catch (const std::exception &) {
            pirn_fiber_yield(its_hub);
            try {
                throw;
            } catch (const std::exception &again) {
                right += std::strcmp(again.what(), own) == 0;
            }
            pirn_fiber_yield(its_hub);
            try {
                std::rethrow_exception(std::current_exception());
            } catch (const std::exception &current) {
                right += std::strcmp(current.what(), own) == 0;
            }
        }
    return 0;
}

int main()
{
    struct pirn_loop *loop;
    static char names[2][5] = { "zero", "one" };
    if (pirn_init(&loop, block, sizeof block, NULL) < 0 || pirn_hub_init(loop, &hub, 63) < 0 ||
        pirn_fiber_cxx(&hub) < 0)
        return 1;
    for (int at = 0; at < 2; at++)
        pirn_fiber_start(&hub, &fibers[at], stacks[at], sizeof stacks[at], 0, handles, names[at]);
    try {
        throw std::logic_error("the loop's own");
    } catch (const std::exception &) {
        pirn_run(loop);
        try {
            throw;
        } catch (const std::exception &own) {
            right += std::strcmp(own.what(), "the loop's own") == 0;
        }
    }
    std::printf("%d of 41 are right\n", right);
    return right != 41;
}
