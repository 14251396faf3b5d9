/* Finite state entropy coding (Duda's tabled asymmetric numeral systems, 2013), as zstd has it: RFC 8878, 4.1. Tables of 64 states. */
#ifndef FF_FSE_H
#define FF_FSE_H

#include <stddef.h>

#include "bit_writer.h"

#define FF_FSE_LOG 6u
#define FF_FSE_STATES (1u << FF_FSE_LOG)
#define FF_FSE_SYMBOLS 53u

typedef struct ff_fse_table {
    uint32_t log; /* of its states */
    uint16_t next[FF_FSE_STATES];
    struct {
        uint32_t bits; /* what, added to a state, has the bits to write in its upper half */
        int32_t first; /* of the next states */
    } symbols[FF_FSE_SYMBOLS];
} ff_fse_table;

/* `counts`: how many of the 1 << log states, 64 at most, each of `symbols` symbols has; -1: one, at the end of the table. */
void ff_fse_build(ff_fse_table *table, const int8_t *counts, uint32_t symbols, uint32_t log);

/* The state before the last symbol, from which coding goes backwards. */
FF_INLINE uint32_t ff_fse_begin(const ff_fse_table *table, uint32_t symbol) {
    const uint32_t bits = table->symbols[symbol].bits, count = (bits + (1u << 15)) >> 16;
    return table->next[(int32_t)(((count << 16) - bits) >> count) + table->symbols[symbol].first];
}

/* Returns the state before the symbol. */
FF_INLINE uint32_t ff_fse_put(const ff_fse_table *table, ff_bit_writer *writer, uint32_t state, uint32_t symbol) {
    const uint32_t count = (state + table->symbols[symbol].bits) >> 16;
    ff_put_bits(writer, state & ((1u << count) - 1), count);
    return table->next[(int32_t)(state >> count) + table->symbols[symbol].first];
}

FF_INLINE void ff_fse_end(const ff_fse_table *table, ff_bit_writer *writer, uint32_t state) {
    ff_put_bits(writer, state & ((1u << table->log) - 1), table->log);
}

/* Makes a table for symbols that come `counts[symbol]` times each, of FF_FSE_SYMBOLS, and describes it; touches eight bytes more. Returns
 * how many bytes it wrote, or 0 where all are the same. */
size_t ff_fse_describe(ff_fse_table *table, const uint32_t *counts, uint8_t *out);

/* Describes a table and codes `count` values below FF_FSE_SYMBOLS by it, at most FF_FSE_VALUES, with two states in turns. Touches at
 * most FF_FSE_ROOM bytes and returns how many it wrote, or 0 where it cannot: fewer than three values, or all the same. */
#define FF_FSE_VALUES 255u
#define FF_FSE_ROOM (1u + FF_FSE_SYMBOLS + FF_FSE_VALUES * FF_FSE_LOG / 8 + 3u + 8u)
size_t ff_fse_compress(const uint8_t *values, uint32_t count, uint8_t *out);

#endif
