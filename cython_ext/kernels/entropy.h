/* What bytes cost: the estimate by which the encoder chooses between modes. */
#ifndef FF_ENTROPY_H
#define FF_ENTROPY_H

#include <stdint.h>

/* The order-0 entropy of `count` bytes, in bits, rounded; `count` is at most 4096. What zstd's literals cost when nothing
 * repeats. Of many bytes that of a quarter of them, taken four times. */
uint32_t ff_entropy(const uint8_t *bytes, uint32_t count);

/* What zstd makes of `count` bytes of `values` values, at most 4096 bytes of at most 256, in bits: repeats of four bytes and more are
 * found, within them alone. Within a quarter of the truth for indices of restless tiles. */
uint32_t ff_estimate_matches(const uint8_t *bytes, uint32_t count, uint32_t values);

#endif
