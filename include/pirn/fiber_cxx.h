/*
 * pirn/fiber_cxx.h: fibers that wait while they handle an exception of C++.
 *
 * The language keeps two words for each thread: the exceptions that are being handled, and how many
 * are in flight. Two fibers that both wait inside a `catch` would share them, so that
 * std::current_exception() and `throw;` in one of them take the other's exception. This header has
 * the words saved at each switch, with the two calls that every C++ library on Linux has:
 *
 *     pirn_hub_init(loop, &hub, 63);
 *     pirn_fiber_cxx(&hub);
 *
 * It does what pirn_fiber_debug does, too: call one of them. A C++ program whose fibers never wait
 * inside a `catch`, or in a destructor that runs because of an exception, does not need it.
 */
#ifndef PIRN_FIBER_CXX_H
#define PIRN_FIBER_CXX_H

#include <cstring>
#include <cxxabi.h>

#include <pirn/fiber_debug.h>

/* A pointer and a count, as the C++ ABI of all these machines has them. */
enum { PIRN_FIBER_CXX_BYTES_ = 2 * sizeof(void *) };

/* What belongs to the loop's own stack while a fiber runs. */
static __thread char pirn_fiber_cxx_loop_[PIRN_FIBER_CXX_BYTES_];

static inline void *pirn_fiber_cxx_kept_(struct pirn_fiber *fiber)
{
    return fiber ? reinterpret_cast<void *>(fiber->stack_.top_) : pirn_fiber_cxx_loop_;
}

static inline void pirn_fiber_cxx_start_(struct pirn_fiber *fiber)
{
#if defined(PIRN_FIBER_HOOKS_)
    pirn_fiber_debug_start_(fiber);
#else
    (void)fiber;
#endif
}

/* Its calls end on the stack that they begin on: the switch itself is for the tool. */
PIRN_FIBER_UNSEEN_
static inline void pirn_fiber_cxx_leave_(struct pirn_fiber *from, struct pirn_fiber *to, int ends)
{
    void *words = abi::__cxa_get_globals();
    std::memcpy(pirn_fiber_cxx_kept_(from), words, PIRN_FIBER_CXX_BYTES_);
    std::memcpy(words, pirn_fiber_cxx_kept_(to), PIRN_FIBER_CXX_BYTES_);
#if defined(PIRN_FIBER_HOOKS_)
    pirn_fiber_debug_leave_(from, to, ends);
#else
    (void)ends;
#endif
}

PIRN_FIBER_UNSEEN_
static inline void pirn_fiber_cxx_enter_(struct pirn_fiber *now)
{
#if defined(PIRN_FIBER_HOOKS_)
    pirn_fiber_debug_enter_(now);
#else
    (void)now;
#endif
}

/**
 * Have the state of C++ exceptions saved at each switch of a hub's fibers.
 *
 * Returns 0, or an error as `pirn_fiber_set_hooks`. Loop thread. Since 0.1.
 */
static inline int pirn_fiber_cxx(struct pirn_hub *hub)
{
    static const struct pirn_fiber_hooks hooks = {
        pirn_fiber_cxx_start_, pirn_fiber_cxx_leave_, pirn_fiber_cxx_enter_
    };
    return pirn_fiber_set_hooks(hub, &hooks);
}

#endif
