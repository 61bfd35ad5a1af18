/* Boost.Context: switches from stack to stack and nothing else. No scheduler and no loop: the
 * practical limit of the rows that it takes part in. Two programs take turns. */
#include "../workloads/bench.h"

#define SWITCHES_ALONE

/* As boost/context/detail/fcontext.hpp declares them for C++. */
typedef void *fcontext_t;
typedef struct { fcontext_t from; void *data; } transfer_t;
extern transfer_t jump_fcontext(fcontext_t to, void *data);
extern fcontext_t make_fcontext(void *top, size_t size, void (*entry)(transfer_t));

enum { STACK_BYTES = 16384 };

/* Where the one that does not run left off. */
static fcontext_t other;

struct fiber {
    void (*body)(void *user);
    void *user;
    bool has_ended;
    char stack[STACK_BYTES];
};

#define FIBER_BODY(name) void name(void *user)
#define FIBER_END return

static inline void fiber_yield(void) { other = jump_fcontext(other, NULL).from; }

static void fiber_entry(transfer_t transfer)
{
    struct fiber *fiber = transfer.data;
    other = transfer.from;
    fiber->body(fiber->user);
    fiber->has_ended = true;
    fiber_yield();
}

static inline void fiber_start(struct fiber *fiber, void (*body)(void *), void *user)
{
    fiber->body = body;
    fiber->user = user;
    fiber->has_ended = false;
    other = jump_fcontext(make_fcontext(fiber->stack + STACK_BYTES, STACK_BYTES, fiber_entry),
                          fiber).from;
}

static inline void fiber_join(struct fiber *fiber)
{
    while (!fiber->has_ended)
        fiber_yield();
}

static void program_run(void (*body)(void)) { body(); }

#include "../fibers.h"
