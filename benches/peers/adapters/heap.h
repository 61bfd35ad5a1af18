/* Timers of the hand-written loop: an intrusive 4-ary heap, deadlines beside the pointers. */
#define SCHEDULE_TIES_ORDERED 0

struct timer {
    void (*callback)(struct timer *timer);
    uint32_t place; /* in the heap */
};

struct node {
    uint64_t deadline;
    struct timer *timer;
};

/* nodes[1] is the root; the children of i are 4 i - 2 .. 4 i + 1. */
struct schedule {
    struct node *nodes;
    uint32_t count, capacity;
};

static inline void schedule_place(struct schedule *schedule, uint32_t place, struct node node)
{
    schedule->nodes[place] = node;
    node.timer->place = place;
}

static inline void schedule_rise(struct schedule *schedule, uint32_t place, struct node node)
{
    while (place > 1) {
        uint32_t parent = (place + 2) / 4;
        if (schedule->nodes[parent].deadline <= node.deadline)
            break;
        schedule_place(schedule, place, schedule->nodes[parent]);
        place = parent;
    }
    schedule_place(schedule, place, node);
}

static inline void schedule_sink(struct schedule *schedule, uint32_t place, struct node node)
{
    for (;;) {
        uint32_t child = 4 * place - 2;
        struct node *least = &schedule->nodes[child], *other = least + 1;
        if (child + 3 <= schedule->count) {
            least = other->deadline < least->deadline ? other : least;
            other++;
            least = other->deadline < least->deadline ? other : least;
            other++;
            least = other->deadline < least->deadline ? other : least;
        } else if (child <= schedule->count) {
            for (; other <= &schedule->nodes[schedule->count]; other++)
                least = other->deadline < least->deadline ? other : least;
        } else {
            break;
        }
        if (node.deadline <= least->deadline)
            break;
        schedule_place(schedule, place, *least);
        place = (uint32_t)(least - schedule->nodes);
    }
    schedule_place(schedule, place, node);
}

static inline void schedule_add(struct schedule *schedule, struct timer *timer, uint64_t deadline)
{
    if (schedule->count + 1 >= schedule->capacity) {
        schedule->capacity = schedule->capacity ? 2 * schedule->capacity : 64;
        schedule->nodes = realloc(schedule->nodes, schedule->capacity * sizeof *schedule->nodes);
        MUST(schedule->nodes != NULL);
    }
    schedule_rise(schedule, ++schedule->count, (struct node){deadline, timer});
}

static inline void schedule_move(struct schedule *schedule, struct timer *timer, uint64_t deadline)
{
    if (deadline >= schedule->nodes[timer->place].deadline)
        schedule_sink(schedule, timer->place, (struct node){deadline, timer});
    else
        schedule_rise(schedule, timer->place, (struct node){deadline, timer});
}

static inline void schedule_remove(struct schedule *schedule, struct timer *timer)
{
    struct node last = schedule->nodes[schedule->count--];
    if (last.timer == timer)
        return;
    if (last.deadline >= schedule->nodes[timer->place].deadline)
        schedule_sink(schedule, timer->place, last);
    else
        schedule_rise(schedule, timer->place, last);
}

/* When to look again: not later than the earliest deadline. */
static inline uint64_t schedule_next(const struct schedule *schedule)
{
    return schedule->count > 0 ? schedule->nodes[1].deadline : UINT64_MAX;
}

static inline void schedule_expire(struct schedule *schedule, uint64_t now)
{
    while (schedule->count > 0 && schedule->nodes[1].deadline <= now) {
        struct timer *timer = schedule->nodes[1].timer;
        schedule_remove(schedule, timer);
        timer->callback(timer);
    }
}
