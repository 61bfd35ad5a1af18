/* Messages for a library whose own call for other threads only wakes the loop up, or that has none:
 * a ring beside that call, which is made once for a burst. The adapter defines before it WAKER, a
 * type, and after it mailbox_wake(mailbox) and mailbox_open(mailbox, loop, capacity). */

struct mailbox {
    struct ring ring;
    _Alignas(64) atomic_bool woken;
    loop_t *loop;
    WAKER waker;
};

struct post {};

#define POST_CALLBACK(name) void name(void *user)
#define POST_DONE return

static void mailbox_wake(struct mailbox *mailbox);

static void mailbox_set_up(struct mailbox *mailbox, loop_t *loop, uint32_t capacity)
{
    ring_open(&mailbox->ring, capacity);
    mailbox->loop = loop;
}

static inline bool post_send(struct mailbox *mailbox, struct post *post,
                             POST_CALLBACK((*callback)))
{
    if (!ring_push(&mailbox->ring, callback, post))
        return false;
    /* Put in before asking, as mailbox_run takes back before looking: one sees the other. */
    atomic_thread_fence(memory_order_seq_cst);
    if (!atomic_load_explicit(&mailbox->woken, memory_order_relaxed)
        && !atomic_exchange(&mailbox->woken, true))
        mailbox_wake(mailbox);
    return true;
}

/* When woken. Whatever is put in from here on wakes again. */
static inline void mailbox_run(struct mailbox *mailbox)
{
    struct call call;
    atomic_store_explicit(&mailbox->woken, false, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
    while (ring_pop(&mailbox->ring, &call))
        call.function(call.user);
}
