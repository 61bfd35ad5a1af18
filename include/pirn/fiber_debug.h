/*
 * pirn/fiber_debug.h: tells AddressSanitizer, ThreadSanitizer and valgrind of the stacks of fibers.
 *
 * Call pirn_fiber_debug after pirn_hub_init, before the first fiber is started:
 *
 *     pirn_hub_init(loop, &hub, 63);
 *     pirn_fiber_debug(&hub);
 *
 * In a program that is compiled without a sanitizer this does nothing, so it can stay. Without it
 * the sanitizers mostly work, but take a stack for the global variable that it is in, and
 * AddressSanitizer says "ignoring requested __asan_handle_no_return" at longjmp and throw.
 *
 * For valgrind define PIRN_FIBER_VALGRIND before including this header, which then includes
 * valgrind/valgrind.h. It costs a few instructions for each fiber outside of valgrind.
 *
 * Include it in one file of the program: what it knows of the loop's own stack is in that file, for
 * each thread.
 */
#ifndef PIRN_FIBER_DEBUG_H
#define PIRN_FIBER_DEBUG_H

#include <pirn/fiber.h>

#if defined(__SANITIZE_ADDRESS__)
#define PIRN_FIBER_ASAN_ 1
#elif defined(__SANITIZE_THREAD__)
#define PIRN_FIBER_TSAN_ 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PIRN_FIBER_ASAN_ 1
#elif __has_feature(thread_sanitizer)
#define PIRN_FIBER_TSAN_ 1
#endif
#endif

#if defined(PIRN_FIBER_ASAN_) || defined(PIRN_FIBER_TSAN_) || defined(PIRN_FIBER_VALGRIND)
#define PIRN_FIBER_HOOKS_ 1
#endif

/* ThreadSanitizer keeps a list of calls for each stack: a call that begins on one stack and ends on
 * another must not be noted. */
#if !defined(PIRN_FIBER_TSAN_)
#define PIRN_FIBER_UNSEEN_
#elif defined(__clang__)
#define PIRN_FIBER_UNSEEN_ __attribute__((disable_sanitizer_instrumentation))
#else
#define PIRN_FIBER_UNSEEN_ __attribute__((no_sanitize_thread))
#endif

#if defined(PIRN_FIBER_ASAN_)

#include <sanitizer/common_interface_defs.h>

/* The loop's own stack: where it is, and what the sanitizer keeps for it while a fiber runs. */
static __thread const void *pirn_fiber_debug_bottom_;
static __thread size_t pirn_fiber_debug_size_;
static __thread void *pirn_fiber_debug_kept_;
/* The fiber whose stack was left last; NULL: the loop's own stack was. */
static __thread struct pirn_fiber *pirn_fiber_debug_left_;

static void pirn_fiber_debug_start_(struct pirn_fiber *fiber)
{
    fiber->tool = NULL;
}

static void pirn_fiber_debug_leave_(struct pirn_fiber *from, struct pirn_fiber *to, int ends)
{
    void **kept = from ? &from->tool : &pirn_fiber_debug_kept_;
    pirn_fiber_debug_left_ = from;
    if (to)
        __sanitizer_start_switch_fiber(kept, (const void *)to->stack_.lowest_,
                                       to->stack_.top_ - to->stack_.lowest_);
    else
        __sanitizer_start_switch_fiber(ends ? NULL : kept, pirn_fiber_debug_bottom_,
                                       pirn_fiber_debug_size_);
}

static void pirn_fiber_debug_enter_(struct pirn_fiber *now)
{
    void *kept = now ? now->tool : pirn_fiber_debug_kept_;
    if (pirn_fiber_debug_left_)
        __sanitizer_finish_switch_fiber(kept, NULL, NULL);
    else
        __sanitizer_finish_switch_fiber(kept, &pirn_fiber_debug_bottom_, &pirn_fiber_debug_size_);
}

#elif defined(PIRN_FIBER_TSAN_)

#ifdef __cplusplus
extern "C" {
#endif
void *__tsan_get_current_fiber(void);
void *__tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void *fiber);
void __tsan_switch_to_fiber(void *fiber, unsigned flags);
#ifdef __cplusplus
}
#endif

/* The loop's own stack, and that of a fiber that has just ended. */
static __thread void *pirn_fiber_debug_loop_, *pirn_fiber_debug_ended_;

PIRN_FIBER_UNSEEN_ static void pirn_fiber_debug_start_(struct pirn_fiber *fiber)
{
    fiber->tool = __tsan_create_fiber(0);
}

PIRN_FIBER_UNSEEN_
static void pirn_fiber_debug_leave_(struct pirn_fiber *from, struct pirn_fiber *to, int ends)
{
    if (!from)
        pirn_fiber_debug_loop_ = __tsan_get_current_fiber();
    if (ends)
        pirn_fiber_debug_ended_ = from->tool;
    __tsan_switch_to_fiber(to ? to->tool : pirn_fiber_debug_loop_, 0);
}

PIRN_FIBER_UNSEEN_ static void pirn_fiber_debug_enter_(struct pirn_fiber *now)
{
    (void)now;
    if (pirn_fiber_debug_ended_) {
        __tsan_destroy_fiber(pirn_fiber_debug_ended_);
        pirn_fiber_debug_ended_ = NULL;
    }
}

#elif defined(PIRN_FIBER_VALGRIND)

#include <valgrind/valgrind.h>

/* The number of the stack of a fiber that has just ended, and 1. */
static __thread size_t pirn_fiber_debug_ended_;

static void pirn_fiber_debug_start_(struct pirn_fiber *fiber)
{
    size_t number = VALGRIND_STACK_REGISTER(fiber->stack_.lowest_, fiber->stack_.top_ - 1);
    fiber->tool = (void *)(number + 1);
}

static void pirn_fiber_debug_leave_(struct pirn_fiber *from, struct pirn_fiber *to, int ends)
{
    (void)to;
    if (ends)
        pirn_fiber_debug_ended_ = (size_t)from->tool;
}

static void pirn_fiber_debug_enter_(struct pirn_fiber *now)
{
    (void)now;
    if (pirn_fiber_debug_ended_) {
        VALGRIND_STACK_DEREGISTER(pirn_fiber_debug_ended_ - 1);
        pirn_fiber_debug_ended_ = 0;
    }
}

#endif

/**
 * Tell the tool that watches this program of the stacks of a hub's fibers.
 *
 * Returns 0, or an error as `pirn_fiber_set_hooks`. Loop thread. Since 0.1.
 */
static inline int pirn_fiber_debug(struct pirn_hub *hub)
{
#if defined(PIRN_FIBER_HOOKS_)
    static const struct pirn_fiber_hooks hooks = {
        pirn_fiber_debug_start_, pirn_fiber_debug_leave_, pirn_fiber_debug_enter_
    };
    return pirn_fiber_set_hooks(hub, &hooks);
#else
    return hub ? 0 : -22;
#endif
}

#endif
