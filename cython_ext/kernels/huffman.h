/* Huffman codes of bytes, as zstd has them: RFC 8878, 4.2. */
#ifndef FF_HUFFMAN_H
#define FF_HUFFMAN_H

#include "fse.h"

#define FF_CODE_BITS 11u

typedef struct ff_huffman_code {
    uint8_t lengths[256]; /* 0: no code */
    uint64_t codes[256];  /* in the uppermost bits; and the length in the lowest */
} ff_huffman_code;

/* The code for bytes that come `counts[byte]` times each, two different ones at least: of the least bits, or near that, as none has more
 * than FF_CODE_BITS. */
void ff_huffman_build(ff_huffman_code *code, const uint32_t *counts);

/* The bits that so many bytes take, or UINT64_MAX where one of them has no code. */
uint64_t ff_huffman_bits(const ff_huffman_code *code, const uint32_t *counts);

/* Describes the code, touching at most FF_DESCRIPTION_ROOM bytes. Returns how many it wrote, 128 at most, or 0 where there is no
 * description. */
#define FF_DESCRIPTION_ROOM (1u + FF_FSE_ROOM)
size_t ff_huffman_describe(const ff_huffman_code *code, uint8_t *out);

/* Codes bytes, the last one first, and returns the end of what was written; touches eight bytes more. */
uint8_t *ff_huffman_encode(const ff_huffman_code *code, const uint8_t *bytes, size_t count, uint8_t *out);

#endif
