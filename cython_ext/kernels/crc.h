/* The CRC-32 of zlib, where a processor multiplies without carries: by that several times as fast as by tables.
 *
 * There is no scalar version, since zlib is at hand: where the table of kernels has NULL, its callers go there. */
#ifndef FF_CRC_H
#define FF_CRC_H

#include "isa.h"

#ifdef FF_HAVE_AVX2
/* crc32: the CRC of what has the CRC `crc` (that of nothing is 0) and `count` bytes behind it. Needs PCLMULQDQ as well. */
uint32_t ff_crc32_avx2(uint32_t crc, const uint8_t *bytes, size_t count);
#endif

#endif
