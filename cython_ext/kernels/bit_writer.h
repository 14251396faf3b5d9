/* Bits written from the lowest of each byte on, to be read from the last one backwards, as zstd's entropy coders do. */
#ifndef FF_BIT_WRITER_H
#define FF_BIT_WRITER_H

#include <stdint.h>
#include <string.h>

#include "isa.h"

/* The place of the highest bit of a number from 1 to 2^24. */
FF_INLINE uint32_t ff_top_bit(uint32_t value) {
    const float number = (float)(int32_t)value;
    uint32_t bits;
    memcpy(&bits, &number, sizeof bits);
    return (bits >> 23) - 127;
}

typedef struct ff_bit_writer {
    uint64_t bits;
    uint32_t count; /* of bits that are not written yet */
    uint8_t *at;    /* eight bytes more than will be written are touched */
} ff_bit_writer;

/* At most 56 bits between two calls of ff_write_bits. `value` has no others. */
FF_INLINE void ff_put_bits(ff_bit_writer *writer, uint64_t value, uint32_t count) {
    writer->bits |= value << writer->count;
    writer->count += count;
}

FF_INLINE void ff_write_bits(ff_bit_writer *writer) {
    memcpy(writer->at, &writer->bits, sizeof writer->bits);
    writer->at += writer->count >> 3;
    writer->bits >>= writer->count & ~7u;
    writer->count &= 7;
}

/* A last 1 tells where the bits end. Returns the end of the bytes. */
FF_INLINE uint8_t *ff_end_bits(ff_bit_writer *writer) {
    ff_put_bits(writer, 1, 1);
    ff_write_bits(writer);
    return writer->at + (writer->count > 0);
}

#endif
