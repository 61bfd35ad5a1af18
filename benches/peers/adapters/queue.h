/* Hand-written queues for libraries that have none: what their users write. No allocation, no
 * locks. A fifo of deferred calls for one thread, and a ring of messages of many threads for one
 * (Vyukov's bounded queue). */
#include "../workloads/bench.h"

struct call {
    void (*function)(void *user);
    void *user;
};

struct fifo {
    struct call *calls;
    uint32_t mask, head, tail;
};

static void fifo_open(struct fifo *fifo, uint32_t at_least)
{
    uint32_t capacity = 1;
    while (capacity < at_least)
        capacity *= 2;
    *fifo = (struct fifo){.calls = zeroed(capacity, sizeof *fifo->calls), .mask = capacity - 1};
}

static inline void fifo_push(struct fifo *fifo, void (*function)(void *user), void *user)
{
    MUST(fifo->tail - fifo->head <= fifo->mask);
    fifo->calls[fifo->tail++ & fifo->mask] = (struct call){function, user};
}

#define fifo_is_empty(fifo) ((fifo)->head == (fifo)->tail)

/* Those that are there now: what they defer in turn comes next time. */
static inline void fifo_run(struct fifo *fifo)
{
    for (uint32_t end = fifo->tail; fifo->head != end;) {
        struct call call = fifo->calls[fifo->head++ & fifo->mask];
        call.function(call.user);
    }
}

struct ring {
    struct cell {
        atomic_uint turn; /* the position at which this cell is free, one more when it is full */
        struct call call;
    } *cells;
    uint32_t mask;
    _Alignas(64) atomic_uint tail;
    _Alignas(64) uint32_t head;
};

static void ring_open(struct ring *ring, uint32_t capacity) /* a power of two */
{
    ring->cells = zeroed(capacity, sizeof *ring->cells);
    ring->mask = capacity - 1;
    for (uint32_t i = 0; i < capacity; i++)
        ring->cells[i].turn = i;
}

static inline bool ring_push(struct ring *ring, void (*function)(void *user), void *user)
{
    uint32_t position = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    for (;;) {
        struct cell *cell = &ring->cells[position & ring->mask];
        uint32_t turn = atomic_load_explicit(&cell->turn, memory_order_acquire);
        int32_t ahead = (int32_t)(turn - position);
        if (ahead < 0)
            return false;
        if (ahead > 0) {
            position = atomic_load_explicit(&ring->tail, memory_order_relaxed);
        } else if (atomic_compare_exchange_weak_explicit(&ring->tail, &position, position + 1,
                                                         memory_order_relaxed,
                                                         memory_order_relaxed)) {
            cell->call = (struct call){function, user};
            atomic_store_explicit(&cell->turn, position + 1, memory_order_release);
            return true;
        }
    }
}

static inline bool ring_pop(struct ring *ring, struct call *call)
{
    struct cell *cell = &ring->cells[ring->head & ring->mask];
    if (atomic_load_explicit(&cell->turn, memory_order_acquire) != ring->head + 1)
        return false;
    *call = cell->call;
    atomic_store_explicit(&cell->turn, ring->head + ring->mask + 1, memory_order_release);
    ring->head++;
    return true;
}
