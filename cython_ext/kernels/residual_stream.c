#include "residual_stream.h"

#include <string.h>

/* ---- Runs ---- */

static const uint8_t LITERAL_EXTRA[36] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,  1,
                                          1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
static const int8_t LITERAL_STATES[36] = {4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2,  2,
                                          2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1, -1};
static const uint8_t RUN_EXTRA[53] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                                      0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
static const int8_t RUN_STATES[53] = {1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                      1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1};
#define SHORTEST_RUN 3u /* that zstd has a symbol for */

/* A length as a symbol and bits. */
typedef struct length_code {
    uint32_t symbol, rest, bits;
} length_code;

/* `extra`: the bits of each symbol; `length`: less what the first symbol stands for. */
static length_code code_of_length(const uint8_t *extra, uint32_t length) {
    uint32_t symbol = 0, start = 0;
    while ((length - start) >> extra[symbol] > 0)
        start += 1u << extra[symbol++];
    return (length_code){symbol, length - start, extra[symbol]};
}

#define EQUAL_BYTES UINT64_C(0x0101010101010101)

/* Where the next run begins, from `first` on, or `count`; `end` becomes its end. A run holds eight equal bytes at a multiple of
 * eight. */
static uint32_t find_run(const uint8_t *values, uint32_t first, uint32_t count, uint32_t *end) {
    for (uint32_t i = (first + 7) & ~7u; i + 8 <= count; i += 8) {
        uint64_t eight;
        memcpy(&eight, values + i, 8);
        if (eight != (eight & 255) * EQUAL_BYTES)
            continue;
        uint32_t begin = i, after = i + 8;
        while (begin > first && values[begin - 1] == values[i])
            begin--;
        while (after < count && values[after] == values[i])
            after++;
        if (after - begin >= FF_MIN_RUN) {
            *end = after;
            return begin;
        }
        i = (after & ~7u) - 8;
    }
    return count;
}

/* ---- Units ---- */

static void count_values(const uint8_t *values, uint32_t count, uint32_t *counts) {
    /* Four counters of each value: where neighbours are equal, they would wait for each other. */
    uint32_t of[4][256], i = 0;
    memset(of, 0, sizeof of);
    for (; i + 8 <= count; i += 8) {
        uint64_t eight;
        memcpy(&eight, values + i, 8);
        for (uint32_t k = 0; k < 8; k++)
            of[k % 4][(uint8_t)(eight >> 8 * k)]++;
    }
    for (; i < count; i++)
        of[0][values[i]]++;
    for (uint32_t value = 0; value < 256; value++)
        counts[value] = of[0][value] + of[1][value] + of[2][value] + of[3][value];
}

/* 256 * log2(value), within 2, of 1 to 2^24: without a table, so that compilers do several at a time. */
FF_INLINE uint32_t log2_of(uint32_t value) {
    const float number = (float)(int32_t)value;
    uint32_t bits;
    memcpy(&bits, &number, sizeof bits);
    bits >>= 15; /* the exponent, and eight bits of what is behind it: straight between powers of two, where log2 is bent */
    return bits - (127u << 8) + ((bits & 255) * (256 - (bits & 255)) * 88 >> 16);
}

/* Bits that another code costs: its description, of which each value takes about two, and as many as are worth the time. */
#define BITS_PER_CODE 300u
#define BITS_PER_CODED_VALUE 2u

/* The bits of the literals by their entropy, and of their code. */
static uint64_t estimate(const ff_residual_part *part) {
    uint32_t sum = 0, values = 0; /* of fewer than 2^17 literals: below 2^30 */
    for (uint32_t value = 0; value < 256; value++) {
        sum += part->counts[value] * log2_of(part->counts[value]); /* nothing where there are none */
        values += part->counts[value] > 0;
    }
    return (part->literals * log2_of(part->literals) - sum) / 256 + BITS_PER_CODE + BITS_PER_CODED_VALUE * values;
}

/* Splits values, FF_RESIDUAL_UNIT at most, into literals and runs. */
static void split_values(const uint8_t *values, uint32_t count, uint8_t *literals, ff_run *runs, ff_residual_part *part) {
    uint32_t at = 0, end = 0;
    *part = (ff_residual_part){.size = count};
    while (at < count) {
        const uint32_t begin = find_run(values, at, count, &end), until = begin < count ? begin + 1 : count;
        memcpy(literals + part->literals, values + at, until - at);
        part->literals += until - at;
        if (begin == count) {
            part->trailing = until - at;
            break;
        }
        runs[part->runs++] = (ff_run){until - at, end - until};
        at = end;
    }
    count_values(literals, part->literals, part->counts);
    part->bits = estimate(part);
}

/* ---- Blocks ---- */

static uint8_t *write_number(uint8_t *out, uint64_t number, uint32_t bytes) {
    memcpy(out, &number, bytes);
    return out + bytes;
}

static uint8_t *write_raw_literals(const ff_residual_stream *stream, uint8_t *out) {
    const uint32_t count = stream->block.literals;
    if (count < 32)
        out = write_number(out, count << 3, 1);
    else if (count < 4096)
        out = write_number(out, 1u << 2 | count << 4, 2);
    else
        out = write_number(out, 3u << 2 | count << 4, 3);
    memcpy(out, stream->literals, count);
    return out + count;
}

/* The literals of a block, raw or in codes. */
static uint8_t *write_literals(ff_residual_stream *stream, uint8_t *out) {
    const ff_residual_part *block = &stream->block;
    const uint32_t count = block->literals;
    const int single = count < 1024;
    const uint32_t size_bits = single ? 10 : count < 1u << 14 ? 14 : 18, format = single ? 0 : size_bits == 14 ? 2 : 3;
    const uint32_t header = (4 + 2 * size_bits) / 8, overhead = header + (single ? 1 : 10);
    uint8_t description[FF_DESCRIPTION_ROOM];
    size_t described = 0;
    uint64_t least = UINT64_MAX;
    uint32_t values = 0;
    for (uint32_t value = 0; value < 256; value++)
        values += block->counts[value] > 0;
    if (values > 1) {
        ff_huffman_build(&stream->spare, block->counts);
        described = ff_huffman_describe(&stream->spare, description);
        if (described > 0)
            least = ff_huffman_bits(&stream->spare, block->counts) / 8 + described;
    }
    const uint64_t again = stream->has_code ? ff_huffman_bits(&stream->code, block->counts) / 8 : UINT64_MAX;
    const int repeated = again <= least;
    least = repeated ? again : least;
    if (least >= count || least + overhead + 1 >= count)
        return write_raw_literals(stream, out);
    uint8_t *begin = out;
    out += header;
    if (!repeated) {
        memcpy(out, description, described);
        out += described;
        stream->code = stream->spare;
        stream->has_code = 1;
    }
    if (single) {
        out = ff_huffman_encode(&stream->code, stream->literals, count, out);
    } else {
        uint8_t *sizes = out;
        const size_t quarter = (count + 3) / 4;
        out += 6;
        for (uint32_t i = 0; i < 4; i++) {
            const size_t first = i * quarter, size = i < 3 ? quarter : count - first;
            uint8_t *end = ff_huffman_encode(&stream->code, stream->literals + first, size, out);
            if (i < 3)
                write_number(sizes + 2 * i, (uint64_t)(end - out), 2);
            out = end;
        }
    }
    write_number(begin, (repeated ? 3 : 2) | format << 2 | (uint64_t)count << 4 | (uint64_t)(out - begin - header) << (4 + size_bits),
                 header);
    return out;
}

/* The runs of a block: each repeats the value before it. */
static uint8_t *write_runs(const ff_residual_stream *stream, uint8_t *out) {
    const uint32_t count = stream->block.runs;
    if (count < 128)
        *out++ = (uint8_t)count;
    else
        out = write_number(out, ((count >> 8) + 128) | (count & 255) << 8, 2);
    if (count == 0)
        return out;
    *out++ = 0x10; /* the tables: zstd's own for lengths, one symbol for all distances, */
    *out++ = 0;    /* which is that of the last distance, at first 1 */
    ff_bit_writer writer = {.at = out};
    uint32_t literal_state = 0, run_state = 0;
    for (uint32_t i = count; i-- > 0;) {
        const length_code literals = code_of_length(LITERAL_EXTRA, stream->runs[i].literals);
        const length_code run = code_of_length(RUN_EXTRA, stream->runs[i].length - SHORTEST_RUN);
        if (i == count - 1) {
            run_state = ff_fse_begin(&stream->run_lengths, run.symbol);
            literal_state = ff_fse_begin(&stream->literal_lengths, literals.symbol);
        } else {
            run_state = ff_fse_put(&stream->run_lengths, &writer, run_state, run.symbol);
            literal_state = ff_fse_put(&stream->literal_lengths, &writer, literal_state, literals.symbol);
        }
        ff_put_bits(&writer, literals.rest, literals.bits);
        ff_put_bits(&writer, run.rest, run.bits);
        ff_write_bits(&writer);
    }
    ff_fse_end(&writer, run_state);
    ff_fse_end(&writer, literal_state);
    return ff_end_bits(&writer);
}

enum block_type { RAW_BLOCK = 0, COMPRESSED_BLOCK = 2 };

static uint8_t *write_block(ff_residual_stream *stream, uint8_t *out) {
    if (!stream->begun) { /* no size, no checksum, and the window */
        out = write_number(out, 0xFD2FB528u, 4);
        out = write_number(out, (stream->window_log - 10) << 11, 2);
        stream->begun = 1;
    }
    uint8_t *begin = out + 3;
    enum block_type type = COMPRESSED_BLOCK;
    out = write_literals(stream, begin);
    if (stream->block.runs == 0 && (size_t)(out - begin) >= stream->block.size) {
        type = RAW_BLOCK;
        memcpy(begin, stream->literals, stream->block.size);
        out = begin + stream->block.size;
    } else {
        out = write_runs(stream, out);
    }
    write_number(begin - 3, type << 1 | (uint64_t)(out - begin) << 3, 3);
    return out;
}

/* Puts a part behind the block, or ends the block where codes of its own cost the part less. */
static uint8_t *add_unit(ff_residual_stream *stream, const uint8_t *values, uint32_t count, uint8_t *out) {
    ff_residual_part *block = &stream->block, unit, both;
    uint8_t *literals = stream->literals + block->literals;
    ff_run *runs = stream->runs + block->runs;
    split_values(values, count, literals, runs, &unit);
    if (block->size > 0) {
        for (uint32_t value = 0; value < 256; value++)
            both.counts[value] = block->counts[value] + unit.counts[value];
        both.literals = block->literals + unit.literals;
        both.runs = block->runs + unit.runs;
        both.trailing = unit.trailing + (unit.runs > 0 ? 0 : block->trailing);
        both.size = block->size + unit.size;
        both.bits = estimate(&both);
        if (both.size <= 1u << stream->window_log && both.bits <= block->bits + unit.bits) {
            if (unit.runs > 0)
                runs->literals += block->trailing;
            *block = both;
            return out;
        }
        out = write_block(stream, out);
        memmove(stream->literals, literals, unit.literals);
        memmove(stream->runs, runs, unit.runs * sizeof *runs);
    }
    *block = unit;
    return out;
}

/* ---- The stream ---- */

void ff_residual_begin(ff_residual_stream *stream, uint32_t window_log) {
    stream->window_log = window_log;
    stream->unit_size = window_log < 12 ? 1u << window_log : FF_RESIDUAL_UNIT;
    stream->begun = stream->has_code = stream->pending_size = stream->block.size = stream->block.literals = stream->block.runs = 0;
    ff_fse_build(&stream->literal_lengths, LITERAL_STATES, 36);
    ff_fse_build(&stream->run_lengths, RUN_STATES, 53);
}

size_t ff_residual_bound(const ff_residual_stream *stream, size_t count) {
    const size_t all = stream->block.size + stream->pending_size + count;
    return all + (all / stream->unit_size + 2) * 16 + FF_DESCRIPTION_ROOM + 64;
}

size_t ff_residual_take(ff_residual_stream *stream, const uint8_t *values, size_t count, uint8_t *out) {
    const uint32_t unit_size = stream->unit_size;
    uint8_t *end = out;
    while (count > 0) {
        const uint32_t room = unit_size - stream->pending_size, taken = count < room ? (uint32_t)count : room;
        if (taken == unit_size) {
            end = add_unit(stream, values, taken, end);
        } else {
            memcpy(stream->pending + stream->pending_size, values, taken);
            stream->pending_size += taken;
            if (stream->pending_size == unit_size) {
                end = add_unit(stream, stream->pending, unit_size, end);
                stream->pending_size = 0;
            }
        }
        values += taken;
        count -= taken;
    }
    return (size_t)(end - out);
}

size_t ff_residual_flush(ff_residual_stream *stream, uint8_t *out) {
    uint8_t *end = out;
    if (stream->pending_size > 0)
        end = add_unit(stream, stream->pending, stream->pending_size, end);
    if (stream->block.size > 0)
        end = write_block(stream, end);
    stream->pending_size = stream->block.size = stream->block.literals = stream->block.runs = 0;
    return (size_t)(end - out);
}
