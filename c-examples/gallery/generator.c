/*
 * generator: yield and send, in coroutines without stacks.
 *
 * Shows: a generator computes its next value when it is requested, and waits in between. A consumer
 * is the opposite: values are sent to it, here by two producers.
 * Watch for: pirn_co_wake is `send`, PIRN_CO_PARK is `yield`. A value cannot be sent to a consumer
 * that has not taken the last one yet (-ENOENT): at 0.6 seconds the second producer tries again.
 * Next: greenlet.c, where functions with stacks of their own do the same.
 *
 *     ./build/gallery/generator                    --self-test checks every value
 */
#include <pirn/co.h>

#include "virtual.h"

static PIRN_STORAGE(block, 2, 4, 8);
static struct pirn_hub hub;

/* ---- a generator: values are pulled out of it ---- */

struct fibonacci { struct pirn_co co; int value, next, computed; struct pirn_co *reader; };

static struct pirn_co_step fibonacci(struct pirn_co *co, void *user)
{
    struct fibonacci *it = user;

    PIRN_CO_BEGIN(co);
    for (it->value = 0, it->next = 1;;) {
        it->computed++;
        (void)pirn_co_wake(it->reader, it->value);   /* yield it->value */
        PIRN_CO_PARK(co, PIRN_FOREVER);
        if (co->result < 0)
            PIRN_CO_RETURN(co, 0);
        it->next += it->value;
        it->value = it->next - it->value;
    }
    PIRN_CO_END(co);
}

struct reader { struct pirn_co co; struct fibonacci numbers; int sum; };

/* Sum up all numbers below 100 of a series that has no end. */
static struct pirn_co_step read_some(struct pirn_co *co, void *user)
{
    struct reader *reader = user;

    PIRN_CO_BEGIN(co);
    reader->numbers.reader = co;
    CHECK(pirn_co_start(co->loop, &reader->numbers.co, fibonacci, &reader->numbers) == 0);
    for (;;) {
        PIRN_CO_PARK(co, PIRN_FOREVER);              /* the next value */
        if (co->result >= 100)
            break;
        reader->sum += co->result;
        CHECK(pirn_co_wake(&reader->numbers.co, 0) == 0);
    }
    PIRN_CO_RETURN(co, pirn_co_cancel(&reader->numbers.co));
    PIRN_CO_END(co);
}

/* ---- a consumer: values are sent into it ---- */

struct consumer { struct pirn_co co; int count; };
struct producer { struct pirn_co co; uint64_t pause_ns; int at, last; };

static struct consumer consumer;
static unsigned producing;

static struct pirn_co_step consume(struct pirn_co *co, void *user)
{
    struct consumer *it = user;

    PIRN_CO_BEGIN(co);
    for (;;) {
        PIRN_CO_PARK(co, PIRN_FOREVER);              /* value = yield */
        if (co->result < 0)
            PIRN_CO_RETURN(co, it->count);
        tell(&hub, "consumed %d", co->result);
        it->count++;
    }
    PIRN_CO_END(co);
}

static struct pirn_co_step produce(struct pirn_co *co, void *user)
{
    struct producer *it = user;

    PIRN_CO_BEGIN(co);
    for (; it->at <= it->last; it->at++) {
        PIRN_CO_DELAY(co, it->pause_ns);             /* it takes a while to make one */
        CHECK(co->result == 0);
        while (pirn_co_wake(&consumer.co, it->at) == -ENOENT)      /* consumer.send(it->at) */
            PIRN_CO_YIELD(co);
    }
    if (--producing == 0)
        PIRN_CO_RETURN(co, pirn_co_cancel(&consumer.co));          /* consumer.close() */
    PIRN_CO_END(co);
}

int main(int argc, char **argv)
{
    static struct reader reader;
    static struct producer a = { .pause_ns = 200 * MS, .at = 1, .last = 3 };
    static struct producer b = { .pause_ns = 300 * MS, .at = 11, .last = 13 };
    struct pirn_loop *loop = virtual_begin(argc, argv, block, sizeof block, &hub);

    CHECK(pirn_co_start(loop, &reader.co, read_some, &reader) == 0 && pirn_run(loop) == PIRN_DONE);
    CHECK(reader.co.result == 0 && reader.sum == 232);
    CHECK(reader.numbers.computed == 13);            /* one value is too large; none more is made */

    CHECK(pirn_co_start(loop, &consumer.co, consume, &consumer) == 0);
    CHECK(pirn_co_start(loop, &a.co, produce, &a) == 0);
    CHECK(pirn_co_start(loop, &b.co, produce, &b) == 0);
    producing = 2;
    CHECK(pirn_run(loop) == PIRN_DONE && consumer.co.result == 6);
    story_is("0.2 consumed 1\n0.3 consumed 11\n0.4 consumed 2\n"
             "0.6 consumed 12\n0.6 consumed 3\n0.9 consumed 13\n");
    printf("generator: numbers below 100 add up to %d; the consumer got %d values\n", reader.sum,
           consumer.count);
    return loop_end(loop, &hub);
}
