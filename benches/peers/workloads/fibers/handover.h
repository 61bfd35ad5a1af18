/* Items from one fiber to another, through a queue of so many places. */

enum { ITEMS = 1000 };

static struct {
    uint32_t capacity;
    struct queue queue, answers;
    uintptr_t put, got, expected;
    bool is_limited;
} handover;

/* Gets the items, which are numbers in a row, until it gets a 0, and answers each ITEMS of them. */
static FIBER_BODY(consumes)
{
    uintptr_t item;
    while ((item = (uintptr_t)queue_get(&handover.queue, handover.is_limited ? LIMIT : FOREVER))) {
        if (item != ++handover.got)
            wrong("item %" PRIuPTR " instead of %" PRIuPTR, item, handover.got);
        if (item % ITEMS == 0)
            queue_put(&handover.answers, &handover);
    }
    FIBER_END;
}

static void handover_measure(struct meter *meter)
{
    while (meter_goes_on(meter, 5)) {
        meter_begin(meter);
        for (uint32_t i = 0; i < ITEMS; i++)
            queue_put(&handover.queue, (void *)++handover.put);
        queue_get(&handover.answers, FOREVER);
        meter_end(meter, ITEMS);
        if (handover.got != handover.put)
            wrong("%" PRIuPTR " items of %" PRIuPTR, handover.got, handover.put);
    }
}

static void handover_run(void)
{
    enum { ENDLESS, LIMITED, METERS };
    struct meter meters[METERS] = {{.metric = "handover"}, {.metric = "handover_limited"}};
    struct fiber *fiber = zeroed(1, sizeof *fiber);
    queue_open(&handover.queue, handover.capacity);
    queue_open(&handover.answers, 1);
    fiber_start(fiber, consumes, NULL);
    handover_measure(&meters[ENDLESS]);
    handover.is_limited = true;
    handover_measure(&meters[LIMITED]);
    queue_put(&handover.queue, NULL);
    fiber_join(fiber);
    meters_report(meters, METERS);
}

/* handover CAPACITY: _limited: the consumer waits for each item for five seconds at most. */
static void workload_handover(uint32_t capacity, uint32_t unused)
{
    handover.capacity = capacity;
    program_run(handover_run);
}
