#if defined(__linux__)
#define _DEFAULT_SOURCE /* posix_memalign and madvise are not in C11 */
#include <sys/mman.h>
#endif

#include "memory.h"

#include <stdint.h>
#include <stdlib.h>

#define HUGE_PAGE ((size_t)2 << 20)

void *ff_allocate_large(size_t bytes) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    if (bytes >= HUGE_PAGE / 2 && bytes <= SIZE_MAX - HUGE_PAGE) {
        const size_t whole = (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
        void *memory;
        if (posix_memalign(&memory, HUGE_PAGE, whole) != 0)
            return NULL;
        (void)madvise(memory, whole, MADV_HUGEPAGE); /* a hint */
        return memory;
    }
#endif
    return malloc(bytes);
}
