/* A range coder (Martin, 1979; Subbotin's carry-less relatives do the same): numbers that are likely take a fraction of a bit.
 *
 * The state is an interval of 64-bit numbers. To code a symbol, the interval is narrowed to the symbol's share of it, in
 * 65536ths; when fewer than 2^32 numbers are left, the upper 32 bits are written and the rest is stretched. 32 bits at a time, so
 * that the question comes seldom and is easily foreseen by the processor. */
#ifndef FF_RANGE_CODER_H
#define FF_RANGE_CODER_H

#include "isa.h"

#define FF_PROBABILITY_BITS 16u
#define FF_PROBABILITY_ONE (1u << FF_PROBABILITY_BITS)

/* `data` has room for all that will be written, and eight bytes more; its owner begins with size 0. */
typedef struct ff_range_encoder {
    uint64_t low, range;
    uint8_t *data;
    size_t size;
} ff_range_encoder;

typedef struct ff_range_decoder {
    uint64_t offset, range; /* offset: the number that was coded, less the lower end of the interval */
    const uint8_t *data;
    size_t size, position;  /* position: bytes read; beyond the end zeros are read */
} ff_range_decoder;

FF_INLINE void ff_range_begin_encoding(ff_range_encoder *coder) {
    coder->low = 0;
    coder->range = UINT64_MAX;
    coder->size = 0;
}

/* The sum that `low` holds has overflowed: one is carried into the bytes that stand already. */
FF_INLINE void ff_range_carry(ff_range_encoder *coder) {
    uint8_t *byte = coder->data + coder->size;
    while (++*--byte == 0)
        ;
}

FF_INLINE void ff_range_narrow(ff_range_encoder *coder, uint64_t step, uint64_t range) {
    coder->low += step;
    if (coder->low < step)
        ff_range_carry(coder);
    coder->range = range;
    if (range >> 32 == 0) {
        uint8_t *bytes = coder->data + coder->size;
        for (int i = 0; i < 4; i++)
            bytes[i] = (uint8_t)(coder->low >> (56 - 8 * i));
        coder->size += 4;
        coder->low <<= 32;
        coder->range <<= 32;
    }
}

/* Narrows the interval to the share from `first` on, `count` wide, both in 65536ths; 1 <= count, first + count <= 65536. */
FF_INLINE void ff_range_encode(ff_range_encoder *coder, uint32_t first, uint32_t count) {
    const uint64_t unit = coder->range >> FF_PROBABILITY_BITS;
    ff_range_narrow(coder, unit * first, unit * count);
}

/* Writes as many bytes as tell the interval from all others, zeros at the end left out. */
FF_INLINE void ff_range_end_encoding(ff_range_encoder *coder) {
    uint64_t ignored = UINT64_MAX;
    uint64_t number;
    do { /* a number in the interval whose lower bits are 0: the more of them, the fewer bytes */
        number = (coder->low + ignored) & ~ignored;
        if (number - coder->low < coder->range)
            break;
        ignored >>= 8;
    } while (1);
    if (number < coder->low)
        ff_range_carry(coder);
    for (int shift = 56; shift >= 0; shift -= 8)
        coder->data[coder->size++] = (uint8_t)(number >> shift);
    while (coder->size > 0 && coder->data[coder->size - 1] == 0)
        coder->size--;
}

FF_INLINE uint32_t ff_range_next_word(ff_range_decoder *coder) {
    uint32_t word = 0;
    if (coder->size - coder->position >= 4) {
        const uint8_t *bytes = coder->data + coder->position;
        coder->position += 4;
        return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
    }
    for (int i = 0; i < 4; i++)
        word = word << 8 | (coder->position < coder->size ? coder->data[coder->position++] : 0);
    return word;
}

FF_INLINE void ff_range_begin_decoding(ff_range_decoder *coder, const uint8_t *data, size_t size) {
    coder->data = data;
    coder->size = size;
    coder->position = 0;
    coder->range = UINT64_MAX;
    coder->offset = ff_range_next_word(coder);
    coder->offset = coder->offset << 32 | ff_range_next_word(coder);
}

/* In which 65536th of the interval the number lies: 0 to 65535, whatever the bytes. */
FF_INLINE uint32_t ff_range_share(const ff_range_decoder *coder) {
    const uint64_t share = coder->offset / (coder->range >> FF_PROBABILITY_BITS);
    return share < FF_PROBABILITY_ONE ? (uint32_t)share : FF_PROBABILITY_ONE - 1;
}

/* The inverse of ff_range_encode, for the share that the number lies in. */
FF_INLINE void ff_range_decode(ff_range_decoder *coder, uint32_t first, uint32_t count) {
    const uint64_t unit = coder->range >> FF_PROBABILITY_BITS;
    coder->offset -= unit * first;
    coder->range = unit * count;
    if (coder->range >> 32 == 0) {
        coder->offset = coder->offset << 32 | ff_range_next_word(coder);
        coder->range <<= 32;
    }
}

/* `bits` of 0 and 1 alike, at most 16. No bits leave the interval as it is, without a branch: whether there are any is often hard to
 * foresee. */
FF_INLINE void ff_range_encode_bits(ff_range_encoder *coder, uint32_t value, uint32_t bits) {
    const uint32_t shift = bits > 0 ? FF_PROBABILITY_BITS : 0;
    const uint64_t unit = coder->range >> shift << (shift - bits);
    ff_range_narrow(coder, unit * value, unit);
}

FF_INLINE uint32_t ff_range_decode_bits(ff_range_decoder *coder, uint32_t bits) {
    const uint64_t unit = coder->range >> FF_PROBABILITY_BITS << (FF_PROBABILITY_BITS - bits);
    const uint64_t share = coder->offset / unit;
    const uint32_t value = share >> bits == 0 ? (uint32_t)share : (1u << bits) - 1;
    ff_range_decode(coder, value << (FF_PROBABILITY_BITS - bits), FF_PROBABILITY_ONE >> bits);
    return value;
}

/* A bit that is 1 with probability `one` in 65536ths, 1 to 65535. */
FF_INLINE void ff_range_encode_bit(ff_range_encoder *coder, uint32_t one, uint32_t bit) {
    ff_range_encode(coder, bit ? 0 : one, bit ? one : FF_PROBABILITY_ONE - one);
}

FF_INLINE uint32_t ff_range_decode_bit(ff_range_decoder *coder, uint32_t one) {
    const uint32_t bit = coder->offset < (coder->range >> FF_PROBABILITY_BITS) * one;
    ff_range_decode(coder, bit ? 0 : one, bit ? one : FF_PROBABILITY_ONE - one);
    return bit;
}

#endif
