/* Messages from other threads.
 *
 * A burst: producers post as fast as they can, a million messages together, while the loop runs on
 * another processor (for exact counts: before it does). If the callback does nothing, the loop is
 * faster than the producers and sleeps again and again, so the time is mostly that of waking it. If
 * the callback works for some time, the loop is never idle, and the time is that of the queue. A
 * round trip: two loops of the same library in two threads post to each other in turn. Each message
 * once, those of a producer in order. */

enum { PRODUCERS_MAX = 4, CAPACITY = 4096, MESSAGES = 1000000 };
enum { CACHE_LINES = 128 }; /* two, as processors fetch them in pairs */

struct message {
    struct post post;
    uint32_t producer, number;
};

/* What the loop writes for each message is in no cache line that producers read, and the other way
 * round: no peer pays for how this struct happens to lie. */
static struct {
    _Alignas(CACHE_LINES) struct mailbox mailbox;
    uint32_t producers, per_producer, work;
    struct message *messages[PRODUCERS_MAX];
    _Alignas(CACHE_LINES) uint32_t received;
    uint32_t next[PRODUCERS_MAX];
} burst;

static inline void receive(struct message *message)
{
    if (message->number != burst.next[message->producer]++)
        wrong("message %" PRIu32 " of producer %" PRIu32 " came out of turn", message->number,
              message->producer);
    burst.received++;
}

static POST_CALLBACK(on_message)
{
    receive((struct message *)user);
    POST_DONE;
}

static POST_CALLBACK(on_message_with_work)
{
    for (volatile uint32_t done = 0; done < burst.work; done++)
        ;
    receive((struct message *)user);
    POST_DONE;
}

static void *produce(void *argument)
{
    struct message *messages = argument;
    POST_CALLBACK((*callback)) = burst.work > 0 ? on_message_with_work : on_message;
    pin_thread(1 + messages->producer);
    count_toggle();
    for (uint32_t i = 0; i < burst.per_producer; i++)
        while (!post_send(&burst.mailbox, &messages[i].post, callback))
            sched_yield(); /* full: the loop has to keep up */
    count_toggle();
    return NULL;
}

static void burst_run(loop_t *loop, struct meter *meter)
{
    pthread_t threads[PRODUCERS_MAX];
    burst.received = 0;
    memset(burst.next, 0, sizeof burst.next);
    if (options.fixed)
        count_for(meter->metric);
    else
        meter_begin(meter);
    for (uint32_t i = 0; i < burst.producers; i++)
        threads[i] = spawn(produce, burst.messages[i]);
    for (uint32_t i = 0; i < burst.producers && options.fixed; i++)
        join(threads[i]);
    if (options.fixed)
        meter_begin(meter);
    while (burst.received < burst.producers * burst.per_producer)
        loop_turn(loop);
    meter_end(meter, burst.producers * burst.per_producer);
    for (uint32_t i = 0; i < burst.producers && !options.fixed; i++)
        join(threads[i]);
    for (int i = 0; i < 3; i++)
        loop_poll(loop);
    for (uint32_t i = 0; i < burst.producers; i++)
        if (burst.next[i] != burst.per_producer)
            wrong("%" PRIu32 " messages of a producer, not as many as it sent", burst.next[i]);
}

/* posts PRODUCERS [WORK]: so many steps in each callback */
static void workload_posts(uint32_t producers, uint32_t work)
{
    struct limits limits = {.io = 2, .posts = CAPACITY, .threads = true};
    loop_t *loop = loop_open(&limits);
    struct meter meter = {.metric = "burst"};
    MUST(0 < producers && producers <= PRODUCERS_MAX);
    pin_thread(0);
    mailbox_open(&burst.mailbox, loop, CAPACITY);
    burst.producers = producers;
    burst.work = work;
    burst.per_producer = (is_fixed() ? CAPACITY : MESSAGES) / producers;
    for (uint32_t p = 0; p < producers; p++) {
        burst.messages[p] = zeroed(burst.per_producer, sizeof *burst.messages[p]);
        for (uint32_t i = 0; i < burst.per_producer; i++) {
            burst.messages[p][i].producer = p;
            burst.messages[p][i].number = i;
        }
    }
    while (meter_goes_on(&meter, 1))
        burst_run(loop, &meter);
    meters_report(&meter, 1);
}

/* ---- round trips ---- */

struct side;

struct ball {
    struct post post;
    struct side *to;
};

struct side {
    loop_t *loop;
    struct mailbox mailbox;
    uint32_t received, trips;
    struct ball ball; /* what this side sends */
    bool serves;
};

static POST_CALLBACK(on_ball)
{
    struct side *here = ((struct ball *)user)->to;
    here->received++;
    /* The side that serves keeps the last ball; the other one returns every ball. */
    if (!here->serves || here->received < here->trips)
        if (!post_send(&here->ball.to->mailbox, &here->ball.post, on_ball))
            wrong("a queue with nothing in it is full");
    if (here->received == here->trips)
        loop_stop(here->loop);
    POST_DONE;
}

static void *return_balls(void *side)
{
    loop_run(((struct side *)side)->loop);
    return NULL;
}

/* pingpong */
static void workload_pingpong(uint32_t unused, uint32_t unused_too)
{
    struct limits limits = {.io = 2, .posts = 16, .threads = true};
    struct side *sides = zeroed(2, sizeof *sides);
    struct meter meter = {.metric = "pingpong"};
    for (int i = 0; i < 2; i++) {
        sides[i].loop = loop_open(&limits);
        mailbox_open(&sides[i].mailbox, sides[i].loop, 16);
        sides[i].trips = is_fixed() ? 1000 : 5000;
        sides[i].ball.to = &sides[1 - i];
        sides[i].serves = i == 0;
    }
    while (meter_goes_on(&meter, 1)) {
        sides[0].received = sides[1].received = 0;
        pthread_t thread = spawn(return_balls, &sides[1]);
        meter_begin(&meter);
        MUST(post_send(&sides[1].mailbox, &sides[0].ball.post, on_ball));
        loop_run(sides[0].loop);
        meter_end(&meter, sides[0].trips);
        join(thread);
        if (sides[0].received != sides[0].trips || sides[1].received != sides[1].trips)
            wrong("not as many messages back as there");
    }
    meters_report(&meter, 1);
}
