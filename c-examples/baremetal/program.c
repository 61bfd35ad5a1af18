/*
 * A program for a microcontroller: a loop over the board's clock, its UART, and its interrupts. It
 * is the same file in the firmware and in the simulation, and prints the same lines in both:
 *
 *   1. reads a line from the UART, watching it for input;
 *   2. runs one-shot and periodic timers;
 *   3. has an interrupt raise a bit, and another one post until the queue is full;
 *   4. writes a text whenever the UART has room, watching it for output;
 *   5. reads a second line, and ends with everything given back.
 */
#include <stddef.h>

#include "board.h"

#define MS UINT64_C(1000000)
#define BIT 5

static PIRN_ZERO_STORAGE(block, 3, 5, 8);
const uint32_t program_block_size = sizeof block;

static struct {
    struct pirn_loop *loop;
    struct pirn_io uart, bit;
    struct pirn_timer periodic;
    uint64_t begin;                 /* when the step began that is running */
    int step, failed;
    uint32_t length;                /* of the line */
    uint32_t left;                  /* of the text that is being written */
    const char *text;
    uint32_t accepted, refused;     /* counted in the interrupt that posts */
    char line[16];
} it;

/*
 * One line of the trace: what happened, with a number, and how many milliseconds after
 * the step began. Steps are short: 32 bits are enough, and no division of 64 bits is linked.
 */
static void trace(const char *what, uint32_t number)
{
    put_text(what);
    put_text(" ");
    put_number(number);
    put_text(" at ");
    put_number((uint32_t)(pirn_now(it.loop) - it.begin) / (uint32_t)MS);
    put_text("\n");
}

/*
 * Notes a call that failed. The program goes on, and ends with the failure. pirn_strerror would
 * take 4 KiB of flash for its texts.
 */
static int check(int rc)
{
    if (rc < 0) {
        put_text("error ");
        put_number((uint32_t)-rc);
        put_text("\n");
        it.failed = 1;
    }
    return rc;
}

static void next_step(void);

/* ---- reading and writing ---- */

static void on_uart(struct pirn_loop *loop, struct pirn_io io, int fd, uint32_t ready, void *user)
{
    int byte;

    (void)fd, (void)user;
    if (ready & PIRN_WRITE) {
        while (it.left > 0 && board_put(*it.text) == 0)
            it.text++, it.left--;
        if (it.left == 0) {
            check(pirn_io_modify(loop, io, 0));
            next_step();
        }
        return;
    }
    while ((byte = board_get()) >= 0) {
        if (byte == '\n') {
            put_text("line: ");
            it.line[it.length] = '\0';
            put_text(it.line);
            put_text("\n");
            it.length = 0;
            check(pirn_io_modify(loop, io, 0));
            next_step();
            return;
        }
        if (it.length < sizeof it.line - 1)
            it.line[it.length++] = (char)byte;
    }
}

/* ---- timers ---- */

static void on_periodic(struct pirn_loop *loop, struct pirn_timer timer, uint64_t missed,
                        void *user)
{
    (void)loop, (void)timer, (void)user;
    trace("periodic, missed", (uint32_t)missed);
}

static void on_timer(struct pirn_loop *loop, struct pirn_timer timer, uint64_t missed, void *user)
{
    uint32_t number = *(const uint32_t *)user;

    (void)timer, (void)missed;
    trace("timer", number);
    if (number == 3) {
        check(pirn_timer_stop(loop, it.periodic));
        next_step();
    }
}

/* ---- interrupts ---- */

static void raise_bit(void)
{
    pirn_raise(it.loop, BIT);
}

static void on_post(struct pirn_loop *loop, void *user)
{
    (void)loop;
    trace("post", *(const uint8_t *)user);
    if (*(const uint8_t *)user == it.accepted - 1) {
        trace("accepted", it.accepted);
        trace("refused", it.refused);
        next_step();
    }
}

static void post(void)
{
    static const uint8_t numbers[] = { 0, 1, 2, 3, 4, 5, 6, 7 };

    for (size_t i = 0; i < sizeof numbers; i++)
        if (pirn_remote_post(it.loop, on_post, (void *)&numbers[i]) == 0)
            it.accepted++;
        else
            it.refused++;
}

static void on_bit(struct pirn_loop *loop, struct pirn_io io, int fd, uint32_t ready, void *user)
{
    (void)ready, (void)user;
    trace("raised bit", (uint32_t)fd);
    check(pirn_io_remove(loop, io));
    board_alarm(3, post);
}

/* ---- the steps ---- */

static void on_step(struct pirn_loop *loop, struct pirn_timer timer, uint64_t missed, void *user)
{
    static const uint32_t numbers[] = { 1, 2, 3 };
    static const char text[] = "written whenever there was room\n";

    (void)timer, (void)missed, (void)user;
    it.begin = pirn_now(loop);
    switch (it.step) {
    case 1:
    case 5:
        check(pirn_io_modify(loop, it.uart, PIRN_READ));
        break;
    case 2:
        check(pirn_timer_start(loop, 25 * MS, 0, 0, on_timer, (void *)&numbers[1], NULL));
        check(pirn_timer_start(loop, 10 * MS, 10 * MS, 0, on_periodic, NULL, &it.periodic));
        check(pirn_timer_start(loop, 45 * MS, 0, 0, on_timer, (void *)&numbers[2], NULL));
        check(pirn_timer_start(loop, 5 * MS, 0, 0, on_timer, (void *)&numbers[0], NULL));
        break;
    case 3:
        check(pirn_raise_add(loop, BIT, 0, on_bit, NULL, &it.bit));
        board_alarm(5, raise_bit);
        break;
    case 4:
        it.text = text;
        it.left = sizeof text - 1;
        check(pirn_io_modify(loop, it.uart, PIRN_WRITE));
        break;
    default:
        check(pirn_io_remove(loop, it.uart));       /* nothing is left: pirn_run returns */
    }
}

/* A step begins with the clock's next tick, so that its times are the same on every board. */
static void next_step(void)
{
    it.step++;
    check(pirn_timer_start(it.loop, 1 * MS, 0, 0, on_step, NULL, NULL));
}

int program(void)
{
    struct pirn_config config = PIRN_CONFIG(block);

    config.backend = PIRN_BACKEND_HOST;
    config.host = &board_host;
    put_text("begin\n");
    if (check(pirn_init(&it.loop, block, sizeof block, &config)) < 0)
        return 1;
    check(pirn_io_add(it.loop, UART, 0, on_uart, NULL, &it.uart));
    next_step();
    check(pirn_run(it.loop));
    check(pirn_deinit(it.loop));
    put_text(it.failed || it.step != 6 ? "failed\n" : "end\n");
    return it.failed || it.step != 6;
}
