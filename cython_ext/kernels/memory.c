#if defined(__linux__)
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS and madvise are not in C11 */
#include <sys/mman.h>
#endif

#include "memory.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* The address sanitizer looks after what malloc returns. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#define SANITIZED __has_feature(address_sanitizer)
#else
#define SANITIZED 0
#endif

#if defined(__linux__) && defined(MADV_HUGEPAGE) && !SANITIZED

#define HUGE_PAGE ((size_t)2 << 20)
/* What takes less than half a huge page comes from malloc. */
#define SMALL (HUGE_PAGE / 2)
#define MOST (SIZE_MAX - 2 * HUGE_PAGE)

/* Stands before the memory, which so is aligned for anything. */
typedef struct origin {
    _Alignas(max_align_t) void *start;
    size_t mapped; /* bytes, or 0 for what malloc returned */
} origin;

static void *behind(void *place, void *start, size_t mapped) {
    origin *before = place;
    *before = (origin){start, mapped};
    return before + 1;
}

/* Memory whose address can be divided by `alignment`. */
static void *map(size_t bytes, size_t alignment) {
    const size_t mapped = bytes + alignment; /* what is beside is never touched: it costs addresses alone, unless the system
                                              * counts these (vm.overcommit_memory = 2) */
    uint8_t *start = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED)
        return NULL;
    const size_t first = alignment - (uintptr_t)start % alignment;
    return behind(start + first - sizeof(origin), start, mapped);
}

void *ff_allocate_large(size_t bytes) {
    if (bytes > MOST)
        return NULL;
    if (bytes < SMALL) {
        void *start = malloc(sizeof(origin) + bytes);
        return start == NULL ? NULL : behind(start, start, 0);
    }
    const size_t whole = (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    void *memory = map(whole, HUGE_PAGE);
    if (memory != NULL)
        (void)madvise(memory, whole, MADV_HUGEPAGE); /* a hint */
    return memory;
}

void *ff_allocate_sparse(size_t bytes) {
    if (bytes > MOST)
        return NULL;
    if (bytes >= SMALL)
        return map(bytes, 64);
    void *start = calloc(1, sizeof(origin) + bytes);
    return start == NULL ? NULL : behind(start, start, 0);
}

void ff_free_large(void *memory) {
    if (memory == NULL)
        return;
    const origin *before = (const origin *)memory - 1;
    if (before->mapped > 0)
        (void)munmap(before->start, before->mapped);
    else
        free(before->start);
}

#else

void *ff_allocate_large(size_t bytes) { return malloc(bytes); }

void *ff_allocate_sparse(size_t bytes) { return calloc(1, bytes); }

void ff_free_large(void *memory) { free(memory); }

#endif
