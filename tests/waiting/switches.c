/* What a switch of stacks must preserve: registers, floating point, and the alignment of stacks. */
#include "test.h"

#include <pirn/fiber.h>

#include "hub.h"

#define FIBERS 6
#define ROUNDS 3000

DECLARE_BLOCK(block);
static struct pirn_fiber fibers[FIBERS];
static uint64_t stacks[FIBERS][32768 / 8];
static volatile sig_atomic_t signal_count;
static volatile double clobbered;

/* Uses registers of every kind while a fiber, or the loop, is in the middle of anything. */
static void on_signal(int signo)
{
    double sum = signo;
    for (int at = 0; at < 50; at++)
        sum = sum * 1.5 + at;
    clobbered = sum;
    signal_count++;
}

/* The compiler knows nothing of the value from here on, and may keep it in any register. */
#define HIDE(value) __asm__ volatile("" : "+r"(value))

static unsigned long make(unsigned long seed, unsigned at)
{
    return seed * 2654435761u + at * 40503u;
}

/* More values than there are registers that survive a call, so that all of those are in use. */
static void keeps_its_registers(unsigned long seed, int waits)
{
    unsigned long a = make(seed, 1), b = make(seed, 2), c = make(seed, 3), d = make(seed, 4);
    unsigned long e = make(seed, 5), f = make(seed, 6), g = make(seed, 7), h = make(seed, 8);
    unsigned long i = make(seed, 9), j = make(seed, 10), k = make(seed, 11), l = make(seed, 12);
    double p = (double)(seed % 1000), q = p + 1, r = p + 2, s = p + 3;
    double t = p + 4, u = p + 5, v = p + 6, w = p + 7, x = p + 8, y = p + 9;
    HIDE(a); HIDE(b); HIDE(c); HIDE(d); HIDE(e); HIDE(f);
    HIDE(g); HIDE(h); HIDE(i); HIDE(j); HIDE(k); HIDE(l);
    p += clobbered * 0; q += clobbered * 0; r += clobbered * 0; s += clobbered * 0;
    t += clobbered * 0; u += clobbered * 0; v += clobbered * 0; w += clobbered * 0;
    if (waits)
        pirn_fiber_sleep(&hub, 0);
    else
        pirn_fiber_yield(&hub);
    CHECK(a == make(seed, 1) && b == make(seed, 2) && c == make(seed, 3) && d == make(seed, 4));
    CHECK(e == make(seed, 5) && f == make(seed, 6) && g == make(seed, 7) && h == make(seed, 8));
    CHECK(i == make(seed, 9) && j == make(seed, 10) && k == make(seed, 11) && l == make(seed, 12));
    double z = (double)(seed % 1000);
    CHECK(!(p < z) && !(p > z) && !(q < z + 1) && !(q > z + 1) && !(r < z + 2) && !(r > z + 2));
    CHECK(!(s < z + 3) && !(s > z + 3) && !(t < z + 4) && !(t > z + 4) && !(u > z + 5));
    CHECK(!(v < z + 6) && !(v > z + 6) && !(w < z + 7) && !(w > z + 7) && !(u < z + 5));
    CHECK(!(x < z + 8) && !(x > z + 8) && !(y < z + 9) && !(y > z + 9));
}

static int switches_at_random(struct pirn_hub *hub_, void *user)
{
    /* As much as the machine's ABI aligns a stack: the compiler relies on it. */
    struct { _Alignas(16) char bytes[16]; } aligned;
    volatile uintptr_t address = (uintptr_t)&aligned;
    (void)hub_;
    CHECK(address % 16 == 0);
    for (int round = 0; round < ROUNDS || signal_count < 20; round++)
        keeps_its_registers((unsigned long)random_word() ^ (uintptr_t)user,
                            random_word() % 64 == 0);
    return 3;
}

static void registers_survive_random_switches_and_signals(void)
{
    struct sigaction action;
    struct timespec pause = { 0, 50000 };
    OPEN_HUB(block);
    memset(&action, 0, sizeof action);
    memset(fibers, 0, sizeof fibers);
    action.sa_handler = on_signal;
    MUST(sigaction(SIGUSR1, &action, NULL) == 0);
    fflush(stdout);
    pid_t child = fork();
    MUST(child >= 0);
    while (child == 0) {
        if (getppid() == 1 || kill(getppid(), SIGUSR1) < 0)
            _exit(0);
        nanosleep(&pause, NULL);
    }
    /* Stacks that begin and end anywhere. */
    for (size_t at = 0; at < FIBERS; at++)
        OK(pirn_fiber_start(&hub, &fibers[at], (char *)stacks[at] + at, sizeof stacks[at] - 3 * at,
                            0, switches_at_random, &fibers[at]));
    EQUAL(pirn_run(loop), PIRN_DONE);
    kill(child, SIGKILL);
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
        ;
    for (int at = 0; at < FIBERS; at++)
        EQUAL(fibers[at].result, 3);
    CHECK(signal_count >= 20);
    close_hub();
}

/* Where the header knows no switch, the library has none. */
static void fibers_are_refused(void)
{
    OPEN_HUB(block);
    GIVES(pirn_fiber_start(&hub, &fibers[0], stacks[0], sizeof stacks[0], 0, switches_at_random,
                           NULL),
          -EOPNOTSUPP);
    close_hub();
}

static void test(uint32_t backend)
{
    the_backend = backend;
    if (PIRN_HAS_FIBERS)
        registers_survive_random_switches_and_signals();
    else
        fibers_are_refused();
}

int main(int argc, char **argv)
{
    return run_on_backends(argc, argv, test);
}
