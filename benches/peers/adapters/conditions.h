/* A queue for a library that has locks and conditions. The adapter defines before it lock_t, cond_t
 * and lock_open, lock_take, lock_give, cond_open, cond_wait(cond, lock, limit), cond_signal. */

struct queue {
    lock_t lock;
    cond_t is_filled, is_emptied;
    uint32_t capacity, first, count;
    void **items;
};

static void queue_open(struct queue *queue, uint32_t capacity)
{
    lock_open(&queue->lock);
    cond_open(&queue->is_filled);
    cond_open(&queue->is_emptied);
    queue->capacity = capacity;
    queue->items = zeroed(capacity, sizeof *queue->items);
}

static inline void queue_put(struct queue *queue, void *item)
{
    lock_take(&queue->lock);
    while (queue->count == queue->capacity)
        cond_wait(&queue->is_emptied, &queue->lock, FOREVER);
    queue->items[(queue->first + queue->count++) % queue->capacity] = item;
    cond_signal(&queue->is_filled);
    lock_give(&queue->lock);
}

static inline void *queue_get(struct queue *queue, limit_t limit)
{
    lock_take(&queue->lock);
    while (queue->count == 0)
        cond_wait(&queue->is_filled, &queue->lock, limit);
    void *item = queue->items[queue->first];
    queue->first = (queue->first + 1) % queue->capacity;
    queue->count--;
    cond_signal(&queue->is_emptied);
    lock_give(&queue->lock);
    return item;
}
