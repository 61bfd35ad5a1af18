/* allocations.so: preloaded, counts what a program takes from the heap: calls, and bytes in use. */
#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct allocations {
    uint64_t calls, bytes;
};

static atomic_uint_fast64_t calls, bytes;

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void *memory);

struct allocations allocations_now(void) { return (struct allocations){calls, bytes}; }

/* As large as the allocator made it: it does not tell what was asked for. */
static void *taken(void *memory)
{
    calls++;
    bytes += malloc_usable_size(memory);
    return memory;
}

void *malloc(size_t size) { return taken(__libc_malloc(size)); }
void *calloc(size_t count, size_t size) { return taken(__libc_calloc(count, size)); }

void *realloc(void *memory, size_t size)
{
    bytes -= malloc_usable_size(memory);
    return taken(__libc_realloc(memory, size));
}

void *memalign(size_t alignment, size_t size) { return taken(__libc_memalign(alignment, size)); }
void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void **memory, size_t alignment, size_t size)
{
    *memory = memalign(alignment, size);
    return *memory ? 0 : ENOMEM;
}

void free(void *memory)
{
    bytes -= malloc_usable_size(memory);
    __libc_free(memory);
}
