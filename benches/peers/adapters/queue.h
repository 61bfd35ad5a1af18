/* Hand-written queues for libraries that have none: what their users write. No allocation, no locks.
 *
 *   fifo: deferred calls of one thread       ring: messages of many threads for one (Vyukov's bounded queue) */
#ifndef QUEUE_H
#define QUEUE_H

#include "../workloads/bench.h"

#include <stdatomic.h>

struct call {
	void (*function)(void *user);
	void *user;
};

/* ---- fifo ---- */

struct fifo {
	struct call *calls;
	uint32_t mask, head, tail;
};

static MAYBE_UNUSED void fifo_open(struct fifo *fifo, uint32_t capacity) /* a power of two */
{
	*fifo = (struct fifo){.calls = zeroed(capacity, sizeof *fifo->calls), .mask = capacity - 1};
}

static inline void fifo_push(struct fifo *fifo, void (*function)(void *user), void *user)
{
	MUST(fifo->tail - fifo->head <= fifo->mask);
	fifo->calls[fifo->tail++ & fifo->mask] = (struct call){function, user};
}

static inline bool fifo_is_empty(const struct fifo *fifo)
{
	return fifo->head == fifo->tail;
}

/* Those that are there now: what they defer in turn comes next time. */
static inline void fifo_run(struct fifo *fifo)
{
	for (uint32_t end = fifo->tail; fifo->head != end;) {
		struct call call = fifo->calls[fifo->head++ & fifo->mask];
		call.function(call.user);
	}
}

/* ---- ring ---- */

struct ring {
	struct cell {
		atomic_uint turn; /* equals the position at which this cell is free, one more when it is full */
		struct call call;
	} *cells;
	uint32_t mask;
	_Alignas(64) atomic_uint tail;
	_Alignas(64) uint32_t head;
};

static MAYBE_UNUSED void ring_open(struct ring *ring, uint32_t capacity) /* a power of two */
{
	ring->cells = zeroed(capacity, sizeof *ring->cells);
	ring->mask = capacity - 1;
	ring->tail = ring->head = 0;
	for (uint32_t i = 0; i < capacity; i++)
		ring->cells[i].turn = i;
}

static inline bool ring_push(struct ring *ring, void (*function)(void *user), void *user)
{
	uint32_t position = atomic_load_explicit(&ring->tail, memory_order_relaxed);
	for (;;) {
		struct cell *cell = &ring->cells[position & ring->mask];
		int32_t ahead = (int32_t)(atomic_load_explicit(&cell->turn, memory_order_acquire) - position);
		if (ahead < 0)
			return false;
		if (ahead > 0) {
			position = atomic_load_explicit(&ring->tail, memory_order_relaxed);
		} else if (atomic_compare_exchange_weak_explicit(&ring->tail, &position, position + 1, memory_order_relaxed, memory_order_relaxed)) {
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

/* ---- a mailbox: a ring beside a wake-up call that coalesces ---- */

struct letterbox {
	struct ring ring;
	_Alignas(64) atomic_bool woken;
};

/* Puts it in; *wake: the loop has to be woken. */
static inline bool letterbox_put(struct letterbox *box, void (*function)(void *user), void *user, bool *wake)
{
	if (!ring_push(&box->ring, function, user))
		return false;
	atomic_thread_fence(memory_order_seq_cst); /* put in before asking, as letterbox_run takes back before looking: one sees the other */
	*wake = !atomic_load_explicit(&box->woken, memory_order_relaxed) && !atomic_exchange(&box->woken, true);
	return true;
}

/* When woken. Whatever is put in from here on wakes again. */
static inline void letterbox_run(struct letterbox *box)
{
	struct call call;
	atomic_store_explicit(&box->woken, false, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
	while (ring_pop(&box->ring, &call))
		call.function(call.user);
}

#endif
