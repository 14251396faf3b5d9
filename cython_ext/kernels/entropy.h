/* What bytes cost: the estimate by which the encoder chooses between modes. */
#ifndef FF_ENTROPY_H
#define FF_ENTROPY_H

#include <stdint.h>

/* The order-0 entropy of `count` bytes, in bits, rounded; `count` is at most 4096. What zstd's literals cost when nothing
 * repeats. */
uint32_t ff_entropy(const uint8_t *bytes, uint32_t count);

#endif
