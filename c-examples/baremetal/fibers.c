/*
 * Fibers on a microcontroller: three functions that wait, each on a stack of 1 KiB. It is the same
 * file in the firmware and in the simulation, and prints the same lines in both:
 *
 *   1. the main program reads a line from the UART;
 *   2. one fiber blinks: it waits for time;
 *   3. one fiber measures: it waits for an event that an interrupt sets, and puts what was measured
 *      into a queue with one place, so that it waits for room too;
 *   4. one fiber reports: it waits for the next item of the queue, but not for long;
 *   5. the main program waits for their ends.
 */
#include <stddef.h>

#include "board.h"

#include <pirn/sync.h>

#define MS UINT64_C(1000000)
#define MEASUREMENTS 4

/* The errors have the numbers of Linux. */
#define EBADMSG 74
#define ESHUTDOWN 108
#define ETIMEDOUT 110

/* A simulation under Linux needs more: its UART is the C library. */
#ifndef STACK
#define STACK 1024
#endif

enum { BLINK, MEASURE, REPORT, FIBERS };

static PIRN_ZERO_STORAGE(block, 3, 3, 3);
const uint32_t program_block_size = sizeof block;

static struct pirn_loop *loop;
static struct pirn_hub hub;
static struct pirn_fiber fibers[FIBERS];
static uint64_t stacks[FIBERS][STACK / 8];
static struct pirn_event measured;
static struct pirn_queue values;
static uint32_t value;                  /* what the interrupt has measured */
static uint64_t begin;
static int failed;
static uint32_t deepest[FIBERS];        /* bytes of each stack that were in use at most */

/* One line of the trace: what happened, with a number, and after how many milliseconds. */
static void trace(const char *what, uint32_t number)
{
    put_text(what);
    put_text(" ");
    put_number(number);
    put_text(" at ");
    put_number((uint32_t)(pirn_now(loop) - begin) / (uint32_t)MS);
    put_text("\n");
}

/* Notes a call that failed. The program goes on, and ends with the failure. */
static int check(int rc)
{
    if (rc < 0) {
        trace("error", (uint32_t)-rc);
        failed = 1;
    }
    return rc;
}

/* ---- the fibers ---- */

/* How deep the stack of the fiber was that calls this at its end. */
static void measure_stack(int which)
{
    struct pirn_fiber_info info;

    info.size = sizeof info;
    check(pirn_fiber_info(&fibers[which], &info));
    deepest[which] = (uint32_t)info.deepest;
}

static int blink(struct pirn_hub *hub_, void *user)
{
    (void)user;
    for (uint32_t number = 1; number <= 5; number++) {
        check(pirn_fiber_sleep(hub_, 10 * MS));
        trace("blink", number);
    }
    measure_stack(BLINK);
    return 0;
}

/* The interrupt: a converter is ready, say. */
static void on_converted(void)
{
    value += 11;
    pirn_event_set_from(&hub, &measured);
}

static int measure(struct pirn_hub *hub_, void *user)
{
    (void)user;
    for (int at = 0; at < MEASUREMENTS; at++) {
        check(pirn_event_clear(&measured));
        board_alarm(4, on_converted);
        check(pirn_event_wait(hub_, &measured, 1000 * MS));
        trace("measured", value);
        check(pirn_queue_put(hub_, &values, &value, 1000 * MS));
    }
    trace("all measured", MEASUREMENTS);
    measure_stack(MEASURE);
    return pirn_queue_close(&values, PIRN_QUEUE_DRAIN);
}

static int report(struct pirn_hub *hub_, void *user)
{
    uint32_t got;
    int rc;

    (void)user;
    while ((rc = pirn_queue_get(hub_, &values, &got, 3 * MS)) != -ESHUTDOWN) {
        if (rc == -ETIMEDOUT) {
            trace("nothing for ms", 3);
            continue;
        }
        check(rc);
        trace("reported", got);
        check(pirn_fiber_sleep(hub_, 13 * MS));     /* slower than they are measured */
    }
    measure_stack(REPORT);
    return 0;
}

/* ---- the main program ---- */

/* Reads a line. The host names the UART by a number; there is no read(2) here. */
static int read_line(char *line, size_t size)
{
    struct pirn_port uart;
    size_t length = 0;
    int byte = 0;

    if (check(pirn_port_open(&hub, &uart, UART, 0)) < 0)
        return -EBADMSG;
    while (byte != '\n' && check(pirn_port_wait(&uart, PIRN_READ, PIRN_FOREVER)) > 0)
        while (byte != '\n' && (byte = board_get()) >= 0)
            if (byte != '\n' && length < size - 1)
                line[length++] = (char)byte;
    line[length] = '\0';
    return check(pirn_port_close(&uart));
}

int program(void)
{
    static const pirn_fiber_fn bodies[FIBERS] = { blink, measure, report };
    struct pirn_config config = PIRN_CONFIG(block);
    uint32_t place;
    char line[16];

    config.backend = PIRN_BACKEND_HOST;
    config.host = &board_host;
    put_text("begin\n");
    if (check(pirn_init(&loop, block, sizeof block, &config)) < 0 ||
        check(pirn_hub_init(loop, &hub, 7)) < 0 || read_line(line, sizeof line) < 0)
        return 1;
    put_text("line: ");
    put_text(line);
    put_text("\n");

    /* From the clock's next tick, so that the times are the same on every board. */
    check(pirn_fiber_sleep(&hub, 1 * MS));
    begin = pirn_now(loop);
    check(pirn_queue_init(&values, &place, sizeof place, sizeof place, PIRN_QUEUE_FIFO));
    for (int at = 0; at < FIBERS; at++)
        check(pirn_fiber_start(&hub, &fibers[at], stacks[at], sizeof stacks[at], PIRN_FIBER_FILL,
                               bodies[at], NULL));
    for (int at = 0; at < FIBERS; at++) {
        int result = -1;

        check(pirn_fiber_join(&fibers[at], PIRN_FOREVER, &result));
        check(result);
    }
    /* The simulation's are another machine's. */
    put_text("fibers");
    for (int at = 0; at < FIBERS; at++) {
        put_text(" ");
        put_number(deepest[at]);
    }
    put_text("\n");

    check(pirn_hub_deinit(&hub));
    check(pirn_deinit(loop));
    put_text(failed ? "failed\n" : "end\n");
    return failed;
}
