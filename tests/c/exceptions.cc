// Exceptions of C++ that leave callbacks, through the static library and the shared one.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>

#include <pirn.h>

static PIRN_STORAGE(block, 8, 4, 4);
static int failures;

#define CHECK(claim) \
    do { \
        if (!(claim)) { \
            std::printf("%s:%d: not so: %s\n", __FILE__, __LINE__, #claim); \
            failures++; \
        } \
    } while (0)

[[noreturn]] static void leave(const char *from)
{
    throw std::runtime_error(from);
}

static void on_timer(pirn_loop *, pirn_timer, std::uint64_t, void *) { leave("timer"); }
static void on_io(pirn_loop *, pirn_io, int, std::uint32_t, void *) { leave("bit"); }
static void on_task(pirn_loop *, void *) { leave("task"); }
static void count(pirn_loop *, void *user) { ++*static_cast<int *>(user); }

// A loop as a program of C++ has it: what leaves a callback ends the run, and the loop can be run
// again.
class Loop {
public:
    Loop()
    {
        if (pirn_init(&loop, block, sizeof block, nullptr) != 0)
            std::abort();
    }
    ~Loop() { CHECK(pirn_deinit(loop) == 0); }
    int run()
    {
        try {
            return pirn_run(loop);
        } catch (...) {
            pirn_abandon(loop);
            throw;
        }
    }
    pirn_loop *loop = nullptr;
};

static std::string what_leaves(Loop &loop)
{
    try {
        loop.run();
    } catch (const std::exception &exception) {
        return exception.what();
    }
    return "";
}

int main()
{
    Loop loop;
    int counted = 0;

    CHECK(pirn_timer_start(loop.loop, 1000, 0, 0, on_timer, nullptr, nullptr) == 0);
    CHECK(what_leaves(loop) == "timer");
    pirn_io io;
    CHECK(pirn_raise_add(loop.loop, 7, PIRN_UNREF, on_io, nullptr, &io) == 0);
    CHECK(pirn_raise(loop.loop, 7) == 0);
    CHECK(pirn_task_post(loop.loop, on_task, nullptr, nullptr) == 0);
    CHECK(pirn_remote_post(loop.loop, on_task, nullptr) == 0);
    CHECK(pirn_task_post(loop.loop, count, &counted, nullptr) == 0);
    CHECK(what_leaves(loop) == "bit");
    CHECK(what_leaves(loop) == "task");
    CHECK(what_leaves(loop) == "task");
    CHECK(what_leaves(loop) == "");
    CHECK(counted == 1 && pirn_verify(loop.loop) == 0);

    // Nobody catches in between: the loop is ended by who unwinds.
    CHECK(pirn_task_post(loop.loop, on_task, nullptr, nullptr) == 0);
    try {
        std::unique_ptr<pirn_loop, int (*)(pirn_loop *)> guard(loop.loop, pirn_abandon);
        pirn_run(loop.loop);
    } catch (const std::exception &) {
        counted++;
    }
    CHECK(counted == 2);
    if (failures == 0)
        std::puts("exceptions: ok");
    return failures != 0;
}
