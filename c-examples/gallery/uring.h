/*
 * For io_models: one operation at a time through io_uring, by its own system calls. The program
 * writes what it wants into a ring that it shares with the kernel, and finds the result in another.
 */
#ifndef GALLERY_URING_H
#define GALLERY_URING_H

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined __has_include
#if __has_include(<linux/io_uring.h>)
#include <linux/io_uring.h>
#endif
#endif
#ifdef IORING_OFF_SQ_RING

struct uring {
    int fd;
    unsigned *submit_tail, *submit_mask, *submit_places;    /* written by us, read by the kernel */
    unsigned *result_head, *result_tail, *result_mask;      /* head: by us; tail: by the kernel */
    struct io_uring_sqe *wanted;
    struct io_uring_cqe *results;
};

static inline void *uring_map(int fd, size_t size, off_t what)
{
    return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, what);
}

/* Return 0, or a negative errno: -ENOSYS or -EPERM where the system refuses it. */
static inline int uring_init(struct uring *ring)
{
    struct io_uring_params about;
    char *submissions, *completions;

    memset(&about, 0, sizeof about);
    ring->fd = (int)syscall(SYS_io_uring_setup, 4, &about);
    if (ring->fd < 0)
        return -errno;
    submissions = uring_map(ring->fd, about.sq_off.array + about.sq_entries * sizeof(unsigned),
                            IORING_OFF_SQ_RING);
    completions = uring_map(ring->fd,
                            about.cq_off.cqes + about.cq_entries * sizeof(struct io_uring_cqe),
                            IORING_OFF_CQ_RING);
    ring->wanted = uring_map(ring->fd, about.sq_entries * sizeof *ring->wanted, IORING_OFF_SQES);
    if (submissions == MAP_FAILED || completions == MAP_FAILED || ring->wanted == MAP_FAILED)
        return -ENOMEM;
    ring->submit_tail = (unsigned *)(void *)(submissions + about.sq_off.tail);
    ring->submit_mask = (unsigned *)(void *)(submissions + about.sq_off.ring_mask);
    ring->submit_places = (unsigned *)(void *)(submissions + about.sq_off.array);
    ring->result_head = (unsigned *)(void *)(completions + about.cq_off.head);
    ring->result_tail = (unsigned *)(void *)(completions + about.cq_off.tail);
    ring->result_mask = (unsigned *)(void *)(completions + about.cq_off.ring_mask);
    ring->results = (struct io_uring_cqe *)(void *)(completions + about.cq_off.cqes);
    return 0;
}

/* Write down one operation. The kernel has not been told of it yet. */
static inline void uring_want(struct uring *ring, uint8_t operation, int fd, void *bytes,
                              uint32_t size)
{
    unsigned tail = *ring->submit_tail, place = tail & *ring->submit_mask;
    struct io_uring_sqe *entry = &ring->wanted[place];

    memset(entry, 0, sizeof *entry);
    entry->opcode = operation;
    entry->fd = fd;
    entry->addr = (uint64_t)(uintptr_t)bytes;
    entry->len = size;
    ring->submit_places[place] = place;
    __atomic_store_n(ring->submit_tail, tail + 1, __ATOMIC_RELEASE);
}

/* Hand over `submitted` operations, and sleep until at least `least` are done. */
static inline int uring_enter(struct uring *ring, unsigned submitted, unsigned least)
{
    return (int)syscall(SYS_io_uring_enter, ring->fd, submitted, least,
                        least > 0 ? IORING_ENTER_GETEVENTS : 0u, NULL, 0);
}

/* True if an operation is done; then its result. It takes no system call. */
static inline int uring_result(struct uring *ring, int *result)
{
    unsigned head = *ring->result_head;

    if (head == __atomic_load_n(ring->result_tail, __ATOMIC_ACQUIRE))
        return 0;
    *result = ring->results[head & *ring->result_mask].res;
    __atomic_store_n(ring->result_head, head + 1, __ATOMIC_RELEASE);
    return 1;
}

#else                               /* the kernel's headers are not there, as with musl */

#define IORING_OP_RECV 27
#define IORING_OP_SEND 26

struct uring { int fd; };

static inline int uring_init(struct uring *ring)
{
    ring->fd = -1;
    return -ENOSYS;
}

static inline void uring_want(struct uring *ring, uint8_t operation, int fd, void *bytes,
                              uint32_t size)
{
    (void)ring, (void)operation, (void)fd, (void)bytes, (void)size;
}

static inline int uring_enter(struct uring *ring, unsigned submitted, unsigned least)
{
    (void)ring, (void)submitted, (void)least;
    return -1;
}

static inline int uring_result(struct uring *ring, int *result)
{
    *result = 0;
    return ring->fd >= 0;
}

#endif
#endif
