/* Timers of the hand-written loop: a hierarchical wheel of exact deadlines.
 *
 * A timer lies in the level of the highest bit, six at a time, in which its deadline differs from
 * `base`, and there in the slot those six bits say. So all of a lower level is due before all of a
 * higher one, slots come in order, and the first bucket is two bit scans away. A bucket that comes
 * up is spread over the levels below, or sorted if it is short. */
#define SCHEDULE_TIES_ORDERED 1

enum { WHEEL_BITS = 6, WHEEL_SLOTS = 64, WHEEL_LEVELS = 11 };
enum { WHEEL_DUE = WHEEL_LEVELS * WHEEL_SLOTS, WHEEL_SHORT = 32, WHEEL_RUNS = 6, WHEEL_SCAN = 8 };

struct timer {
    void (*callback)(struct timer *timer);
    uint64_t deadline;
    struct timer *next, *previous; /* the first one's previous is the last one */
    uint32_t bucket;
};

struct schedule {
    uint64_t base; /* no pending deadline is before it, nor it after the loop's time */
    uint32_t levels; /* those that have an occupied slot */
    uint64_t occupied[WHEEL_LEVELS];
    struct timer *buckets[WHEEL_LEVELS * WHEEL_SLOTS + 1];
};

static inline void wheel_append(struct schedule *schedule, uint32_t bucket, struct timer *timer)
{
    struct timer *first = schedule->buckets[bucket];
    timer->bucket = bucket;
    timer->next = NULL;
    if (first) {
        timer->previous = first->previous;
        first->previous->next = timer;
        first->previous = timer;
    } else {
        timer->previous = timer;
        schedule->buckets[bucket] = timer;
    }
}

static inline void wheel_link(struct schedule *schedule, struct timer *timer)
{
    uint64_t differs = timer->deadline ^ schedule->base;
    uint32_t level = differs ? (uint32_t)(63 - __builtin_clzll(differs)) / WHEEL_BITS : 0;
    uint32_t slot = (timer->deadline >> (level * WHEEL_BITS)) % WHEEL_SLOTS;
    schedule->levels |= UINT32_C(1) << level;
    schedule->occupied[level] |= UINT64_C(1) << slot;
    wheel_append(schedule, level * WHEEL_SLOTS + slot, timer);
}

static inline void wheel_clear(struct schedule *schedule, uint32_t bucket)
{
    uint32_t level = bucket / WHEEL_SLOTS;
    schedule->occupied[level] &= ~(UINT64_C(1) << bucket % WHEEL_SLOTS);
    if (schedule->occupied[level] == 0)
        schedule->levels &= ~(UINT32_C(1) << level);
}

static inline void wheel_unlink(struct schedule *schedule, struct timer *timer)
{
    uint32_t bucket = timer->bucket;
    struct timer *first = schedule->buckets[bucket];
    if (timer->next)
        timer->next->previous = timer->previous;
    else
        first->previous = timer->previous;
    if (timer != first)
        timer->previous->next = timer->next;
    else if (!(schedule->buckets[bucket] = timer->next) && bucket != WHEEL_DUE)
        wheel_clear(schedule, bucket);
}

static inline void schedule_add(struct schedule *schedule, struct timer *timer, uint64_t deadline)
{
    timer->deadline = deadline;
    wheel_link(schedule, timer);
}

static inline void schedule_move(struct schedule *schedule, struct timer *timer, uint64_t deadline)
{
    wheel_unlink(schedule, timer);
    timer->deadline = deadline;
    wheel_link(schedule, timer);
}

#define schedule_remove wheel_unlink

/* The first bucket, and the first moment it is for; false if there is none. */
static inline bool wheel_first(const struct schedule *schedule, uint32_t *level, uint32_t *bucket,
                               uint64_t *start)
{
    if (schedule->levels == 0)
        return false;
    uint32_t first = (uint32_t)__builtin_ctz(schedule->levels), above = (first + 1) * WHEEL_BITS;
    uint32_t slot = (uint32_t)__builtin_ctzll(schedule->occupied[first]);
    *level = first;
    *bucket = first * WHEEL_SLOTS + slot;
    *start = (above < 64 ? schedule->base >> above << above : 0)
             | (uint64_t)slot << (first * WHEEL_BITS);
    return true;
}

/* Fewer than `length`? */
static inline bool wheel_is_short(const struct timer *list, uint32_t length)
{
    for (uint32_t i = 0; i < length; i++, list = list->next)
        if (!list)
            return true;
    return false;
}

/* When to look again: the first deadline if the first bucket is quickly looked through, else when
 * that bucket begins. */
static inline uint64_t schedule_next(const struct schedule *schedule)
{
    uint32_t level, bucket;
    uint64_t start, least = UINT64_MAX;
    if (!wheel_first(schedule, &level, &bucket, &start))
        return UINT64_MAX;
    const struct timer *timer = schedule->buckets[bucket];
    if (!wheel_is_short(timer, WHEEL_SCAN))
        return start;
    for (; timer; timer = timer->next)
        if (timer->deadline < least)
            least = timer->deadline;
    return least;
}

/* Merges two sorted lists, linked by next only; of equal deadlines those of `a` come first. */
static inline struct timer *wheel_merge(struct timer *a, struct timer *b)
{
    struct timer *merged, **end = &merged;
    while (a && b) {
        struct timer **least = b->deadline < a->deadline ? &b : &a;
        *end = *least;
        end = &(*least)->next;
        *least = *end;
    }
    *end = a ? a : b;
    return merged;
}

static inline struct timer *wheel_sort(struct timer *list)
{
    /* runs[i]: of 2^i timers, or none; earlier ones in higher places */
    struct timer *runs[WHEEL_RUNS] = {NULL};
    while (list) {
        struct timer *run = list;
        uint32_t i = 0;
        list = list->next;
        run->next = NULL;
        for (; runs[i]; runs[i++] = NULL)
            run = wheel_merge(runs[i], run);
        runs[i] = run;
    }
    for (uint32_t i = 0; i < WHEEL_RUNS; i++)
        list = wheel_merge(runs[i], list);
    return list;
}

static inline void schedule_expire(struct schedule *schedule, uint64_t now)
{
    uint32_t level, bucket;
    uint64_t start;
    while (wheel_first(schedule, &level, &bucket, &start) && start <= now) {
        struct timer *list = schedule->buckets[bucket];
        schedule->buckets[bucket] = NULL;
        wheel_clear(schedule, bucket);
        schedule->base = start;
        uint64_t last = start + ((UINT64_C(1) << level * WHEEL_BITS) - 1);
        bool is_due = (list->next ? last : list->deadline) <= now;
        if (level > 0 && (!is_due || !wheel_is_short(list, WHEEL_SHORT))) {
            for (struct timer *next; list; list = next) {
                next = list->next;
                wheel_link(schedule, list);
            }
            continue;
        }
        if (level > 0 && list->next)
            list = wheel_sort(list);
        for (struct timer *next; list; list = next) {
            next = list->next;
            wheel_append(schedule, WHEEL_DUE, list);
        }
        /* A callback may cancel or move any timer, so they are taken out one by one. */
        for (struct timer *timer; (timer = schedule->buckets[WHEEL_DUE]);) {
            wheel_unlink(schedule, timer);
            timer->callback(timer);
        }
    }
    /* The first bucket, if there is one, begins later than now: base stays below it. */
    schedule->base = now;
}
