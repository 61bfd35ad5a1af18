/*
 * What a switch of stacks must preserve on a microcontroller, while interrupts arrive all the time,
 * also between the instructions of the switch. A program for the board of c-examples/baremetal.
 */
#include <stddef.h>

#include "board.h"

#include <pirn/sync.h>

#define REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))
/* A timer of the board's, whose interrupt is that of board_alarm. */
#define TIMER_CTRL REGISTER(0x40000000)
#define TIMER_RELOAD REGISTER(0x40000008)
#define TIMER_INTCLEAR REGISTER(0x4000000c)

#define SECOND UINT64_C(1000000000)
#define EINVAL 22
#define EOPNOTSUPP 95
#define FIBERS 4
#define ROUNDS 20000

static PIRN_ZERO_STORAGE(block, 3, 3, 3);
const uint32_t program_block_size = sizeof block;

static struct pirn_loop *loop;
static struct pirn_hub hub;
static struct pirn_fiber fibers[FIBERS], listener;
static uint64_t stacks[FIBERS + 1][1040 / 8];
static struct pirn_event tick;
static uint32_t deepest;                /* bytes of a stack that were in use at most */
static int failed;

static void check(int is_true, const char *what)
{
    if (!is_true) {
        put_text("wrong: ");
        put_text(what);
        put_text("\n");
        failed = 1;
    }
}

/* Each caller has a sequence of its own. */
static uint32_t random_word(uint32_t *state)
{
    return *state = *state * 1664525u + 1013904223u;
}

/* ---- interrupts ---- */

/* The switch, as the library names it. The address is odd, for it is one of Thumb instructions. */
extern const char pirn_fiber_switch_[] __attribute__((visibility("hidden")));

static uint32_t interrupt_count, in_switch_count;
static uint8_t is_place_seen[32];       /* for each 16 bits of the switch */

static const uint16_t *switch_code(void)
{
    return (const uint16_t *)((uintptr_t)pirn_fiber_switch_ & ~(uintptr_t)1);
}

/*
 * Returns how many units of 16 bits the switch has, up to its return: pop {r4-r7, pc}, or bx lr.
 * Writes how many instructions these are.
 */
static size_t switch_size(uint32_t *instructions)
{
    const uint16_t *code = switch_code();
    size_t at = 0;

    for (*instructions = 1; code[at] != 0xbdf0 && code[at] != 0x4770; ++*instructions)
        at += code[at] >> 11 >= 0x1d ? 2 : 1;
    return at + 1;
}

/* Called in the interrupt, which has stored where it came on the stack of the program. */
static void on_timer(void)
{
    static uint32_t state = 7;
    const uint32_t *frame;
    uint32_t instructions;
    uintptr_t place;

    TIMER_INTCLEAR = 1;
    TIMER_RELOAD = 500 + random_word(&state) % 256 * 4;
    __asm__ volatile("mrs %0, psp" : "=r"(frame));
    place = (frame[6] - (uintptr_t)switch_code()) / 2;
    if (place < switch_size(&instructions)) {
        in_switch_count++;
        is_place_seen[place % sizeof is_place_seen] = 1;
    }
    interrupt_count++;
    pirn_event_set_from(&hub, &tick);
    /* What a handler may change, and what the compiler preserves for it. */
    __asm__ volatile(".irp n, 0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12\n\tmvn r\\n, #0\n\t.endr"
                     ::: "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12");
#ifdef __ARM_FP
    __asm__ volatile(".irp n, 0, 7, 15, 16, 23, 31\n\tvmov s\\n, r0\n\t.endr"
                     ::: "s0", "s7", "s15", "s16", "s23", "s31");
#endif
}

/* ---- registers ---- */

/*
 * Puts another value into each register that a function preserves, calls `wait`, and returns how
 * many of the registers have changed.
 */
uint32_t changed_by(uint32_t pattern, void (*wait)(void));

#ifdef __ARM_FP
#define FLOATS(text) text
#else
#define FLOATS(text)
#endif

__asm__(
    ".text\n"
    ".thumb_func\n"
    ".type changed_by, %function\n"
    "changed_by:\n\t"
    "push {r3-r11, lr}\n\t"
    FLOATS("vpush {s16-s31}\n\t")
    "push {r0, r1}\n\t"
    ".irp n, 4, 5, 6, 7, 8, 9, 10, 11\n\t"
    "add r\\n, r0, #\\n\n\t"
    ".endr\n\t"
    FLOATS(
    ".irp n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31\n\t"
    "add r2, r0, #\\n\n\t"
    "vmov s\\n, r2\n\t"
    ".endr\n\t")
    "blx r1\n\t"
    "pop {r0, r1}\n\t"
    "mov r1, #0\n\t"
    ".irp n, 4, 5, 6, 7, 8, 9, 10, 11\n\t"
    "add r2, r0, #\\n\n\t"
    "cmp r2, r\\n\n\t"
    "it ne\n\t"
    "addne r1, #1\n\t"
    ".endr\n\t"
    FLOATS(
    ".irp n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31\n\t"
    "add r2, r0, #\\n\n\t"
    "vmov r3, s\\n\n\t"
    "cmp r2, r3\n\t"
    "it ne\n\t"
    "addne r1, #1\n\t"
    ".endr\n\t"
    "vpop {s16-s31}\n\t")
    "mov r0, r1\n\t"
    "pop {r3-r11, pc}\n\t"
    ".size changed_by, . - changed_by\n");

static void yields(void)
{
    pirn_fiber_yield(&hub);
}

static void sleeps(void)
{
    pirn_fiber_sleep(&hub, 0);
}

static void measure_stack(void)
{
    struct pirn_fiber_info info;

    info.size = sizeof info;
    check(pirn_fiber_info(pirn_fiber_current(&hub), &info) == 0, "info");
    if (info.deepest > deepest)
        deepest = (uint32_t)info.deepest;
}

static int switches_at_random(struct pirn_hub *hub_, void *user)
{
    /* Calls of functions rely on it. */
    struct { _Alignas(8) char bytes[8]; } aligned;
    volatile uintptr_t address = (uintptr_t)&aligned;
    uint32_t state = (uint32_t)(uintptr_t)user, changed = 0;

    (void)hub_;
    check(address % 8 == 0, "alignment");
    for (int round = 0; round < ROUNDS; round++) {
        uint32_t pattern = random_word(&state);

        changed += changed_by(pattern, pattern >> 24 < 8 ? sleeps : yields);
    }
    measure_stack();
    return (int)changed;
}

static int listens(struct pirn_hub *hub_, void *user)
{
    int count = 0;

    (void)user;
    while (pirn_event_wait(hub_, &tick, SECOND) == 0) {
        pirn_event_clear(&tick);
        count++;
    }
    return count;
}

/* ---- the program ---- */

static void refusals(void)
{
    /* No page can be made inaccessible here, whatever the size of the stack is. */
    check(pirn_fiber_start(&hub, &listener, stacks[0], sizeof stacks[0], PIRN_FIBER_GUARD, listens,
                           NULL) == -EOPNOTSUPP, "a guard page in a small stack");
    check(pirn_fiber_start(&hub, &listener, stacks, sizeof stacks, PIRN_FIBER_GUARD, listens,
                           NULL) == -EOPNOTSUPP, "a guard page in a large stack");
    check(pirn_fiber_start(&hub, &listener, stacks[0], PIRN_FIBER_STACK_MIN - 1, 0, listens,
                           NULL) == -EINVAL, "a stack that is too small");
}

static void figures(void)
{
    uint32_t places = 0, instructions;

    switch_size(&instructions);
    for (size_t at = 0; at < sizeof is_place_seen; at++)
        places += is_place_seen[at];
    put_text("switches interrupted ");
    put_number(in_switch_count);
    put_text(" times at ");
    put_number(places);
    put_text(" of ");
    put_number(instructions);
    put_text(" instructions; interrupts ");
    put_number(interrupt_count);
    put_text(" events ");
    put_number((uint32_t)listener.result);
    put_text(" deepest ");
    put_number(deepest);
    put_text("\n");
    check(places == instructions, "an instruction of the switch was never interrupted");
    check(listener.result >= 20, "too few events");
}

int program(void)
{
    struct pirn_config config = PIRN_CONFIG(block);

    config.backend = PIRN_BACKEND_HOST;
    config.host = &board_host;
    put_text("begin\n");
    check(pirn_init(&loop, block, sizeof block, &config) == 0, "init");
    check(pirn_hub_init(loop, &hub, 7) == 0, "hub");
    refusals();

    /* Stacks that begin and end anywhere, as a char array may. */
    for (size_t at = 0; at < FIBERS; at++)
        check(pirn_fiber_start(&hub, &fibers[at], (char *)stacks[at] + at,
                               sizeof stacks[at] - 3 * at, PIRN_FIBER_FILL,
                               switches_at_random, &fibers[at]) == 0, "start");
    check(pirn_fiber_start(&hub, &listener, stacks[FIBERS], sizeof stacks[FIBERS], 0, listens,
                           NULL) == 0, "start");
    board_alarm(1, on_timer);
    TIMER_RELOAD = 1000;
    TIMER_CTRL = 0x9;                   /* on, with its interrupt */
    for (int at = 0; at < FIBERS; at++) {
        int changed = -1;

        check(pirn_fiber_join(&fibers[at], PIRN_FOREVER, &changed) == 0, "join");
        check(changed == 0, "registers have changed");
    }
    TIMER_CTRL = 0;
    check(pirn_fiber_join(&listener, PIRN_FOREVER, NULL) == 0, "join");
    figures();

    check(pirn_hub_deinit(&hub) == 0, "hub_deinit");
    check(pirn_deinit(loop) == 0, "deinit");
    put_text(failed ? "failed\n" : "end\n");
    return failed;
}
