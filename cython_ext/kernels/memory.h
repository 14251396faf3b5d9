/* Memory for large buffers, which goes back to the system when it is freed, where the system can: malloc would keep it, in pieces that the
 * next large buffer does not fit into. */
#ifndef FF_MEMORY_H
#define FF_MEMORY_H

#include <stddef.h>

/* For memory of which most will be written to; not zeroed. It comes in huge pages where the system can, one of which takes a fifth of the
 * time of the 512 pages in its place. NULL where there is none. */
void *ff_allocate_large(size_t bytes);

/* For memory of which little may be written to: zeroed, and a page costs nothing before. NULL where there is none. */
void *ff_allocate_sparse(size_t bytes);

/* Frees what either of these returned; NULL is let pass. */
void ff_free_large(void *memory);

#endif
