#include "residual_stream.h"

#include <string.h>

#include "costs.h"

/* ---- Lengths and distances ---- */

static const uint8_t LITERAL_EXTRA[36] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,  1,
                                          1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
static const int8_t LITERAL_STATES[36] = {4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2,  2,
                                          2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1, -1};
static const uint8_t REPEAT_EXTRA[53] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                                      0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
static const int8_t REPEAT_STATES[53] = {1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                      1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1};
static const int8_t DISTANCE_STATES[29] = {1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1};
#define SHORTEST_REPEAT 3u /* that zstd has a symbol for */
static const int8_t *const USUAL_STATES[3] = {LITERAL_STATES, DISTANCE_STATES, REPEAT_STATES};
static const uint32_t USUAL_SYMBOLS[3] = {36, 29, 53}, USUAL_LOGS[3] = {6, 5, 6};
static const uint32_t FIRST_DISTANCES[3] = {1, 4, 8};

/* The symbol of a length, less what the first one stands for; `bases` and `extra`: of the symbols, the least length and how many bits
 * follow. */
static uint8_t symbol_of(const uint32_t *bases, const uint8_t *extra, uint32_t length) {
    uint32_t symbol = length < FF_PLAIN_SYMBOLS ? length : FF_PLAIN_SYMBOLS;
    while ((length - bases[symbol]) >> extra[symbol] > 0)
        symbol++;
    return (uint8_t)symbol;
}

static void set_bases(uint32_t *bases, const uint8_t *extra, uint32_t symbols) {
    bases[0] = 0;
    for (uint32_t symbol = 1; symbol < symbols; symbol++)
        bases[symbol] = bases[symbol - 1] + (1u << extra[symbol - 1]);
}

/* ---- Units ---- */

/* Counters of each value, as one would wait for itself where neighbours are equal; but clearing them takes as long as some values. */
#define COUNTERS 8u
#define FEW_VALUES 512u
/* Between two counters of a value, which are not 4 KiB apart: processors take such places for the same when they load. */
#define COUNTERS_APART (256u + 16u)

static void count_values(const uint8_t *values, uint32_t count, uint32_t *counts) {
    uint32_t of[COUNTERS][COUNTERS_APART], i = 0;
    memset(counts, 0, 256 * sizeof *counts);
    if (count > FEW_VALUES) {
        memset(of, 0, sizeof of);
        for (; i + COUNTERS <= count; i += COUNTERS) {
            uint64_t eight;
            memcpy(&eight, values + i, sizeof eight);
            for (uint32_t k = 0; k < COUNTERS; k++)
                of[k][(uint8_t)(eight >> 8 * k)]++;
        }
        for (uint32_t k = 0; k < COUNTERS; k++)
            for (uint32_t value = 0; value < 256; value++)
                counts[value] += of[k][value];
    }
    for (; i < count; i++)
        counts[values[i]]++;
}

/* A repeat of fewer bits than these, by the mean of all values, saves nothing. */
#define LEAST_BITS 22u

/* The prices of values by how often each comes, the highest of these, and the least length of a repeat. */
static void set_prices(ff_repeat_finder *finder, const ff_residual_part *all) {
    const uint32_t whole = ff_log2(all->size);
    uint32_t dearest = 0;
    for (uint32_t value = 0; value < 256; value++) {
        const uint32_t price = (whole - ff_log2(all->counts[value] > 0 ? all->counts[value] : 1) + 128) / 256;
        finder->prices[value] = (uint8_t)(price > 1 ? price : 1);
        if (all->counts[value] > 0 && finder->prices[value] > dearest)
            dearest = finder->prices[value];
    }
    const uint32_t least = (uint32_t)(LEAST_BITS * (uint64_t)all->size / all->bits);
    finder->dearest = dearest;
    finder->least = least < FF_MIN_REPEAT ? FF_MIN_REPEAT : least;
}

/* Splits the last `count` values of the history into literals and repeats. */
static void split_values(ff_repeat_finder *finder, uint32_t count, uint8_t *literals, ff_sequence *sequences, ff_residual_part *part) {
    const uint8_t *values = finder->history;
    const uint32_t end = finder->size;
    const int search = finder->searches > 0;
    uint32_t at = end - count;
    part->size = part->literals = count;
    part->repeats = part->trailing = 0;
    part->bits = 0;
    count_values(values + at, count, part->counts);
    if (search) {
        part->bits = ff_kernels->estimate_codes(part->counts, part->literals);
        set_prices(finder, part);
    }
    part->literals = 0;
    while (at < end) {
        const ff_repeat repeat = ff_find_repeat(finder, at);
        const uint32_t fresh = repeat.begin - at;
        memcpy(literals + part->literals, values + at, fresh);
        part->literals += fresh;
        if (repeat.begin == end) {
            part->trailing = fresh;
            break;
        }
        sequences[part->repeats++] = (ff_sequence){fresh, repeat.end - repeat.begin, repeat.distance, {0}};
        at = repeat.end;
        if (repeat.distance == 1)
            part->counts[values[repeat.begin]] -= repeat.end - repeat.begin;
        else
            for (uint32_t i = repeat.begin; i < repeat.end; i++)
                part->counts[values[i]]--;
    }
    ff_repeats_end(finder, part->bits);
    if (part->repeats > 0 || !search)
        part->bits = ff_kernels->estimate_codes(part->counts, part->literals);
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

enum literals_type { CODED_LITERALS = 2, LITERALS_CODED_AS_BEFORE = 3 };

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
    const uint64_t type = repeated ? LITERALS_CODED_AS_BEFORE : CODED_LITERALS, coded = (uint64_t)(out - begin - header);
    write_number(begin, type | format << 2 | (uint64_t)count << 4 | coded << (4 + size_bits), header);
    return out;
}

/* What zstd has for a distance: 1 to 3 for one of the last three. Where no literals come before, these mean others, and are not used. */
static uint32_t distance_value(uint32_t *last, const ff_sequence *sequence) {
    const uint32_t distance = sequence->distance;
    uint32_t which = 2;
    if (sequence->literals > 0) {
        for (uint32_t i = 0; i < 3; i++)
            if (last[i] == distance) {
                which = i;
                break;
            }
    }
    const uint32_t value = sequence->literals > 0 && last[which] == distance ? which + 1 : distance + 3;
    for (; which > 0; which--)
        last[which] = last[which - 1];
    last[0] = distance;
    return value;
}

/* The symbols of all sequences, for which what the distances are is replaced by what zstd has for them. */
static void choose_symbols(ff_residual_stream *stream, uint32_t counts[3][FF_FSE_SYMBOLS]) {
    for (uint32_t i = 0; i < stream->block.repeats; i++) {
        ff_sequence *sequence = &stream->sequences[i];
        sequence->distance = distance_value(stream->distances, sequence);
        sequence->symbols[0] = symbol_of(stream->literal_bases, LITERAL_EXTRA, sequence->literals);
        sequence->symbols[1] = (uint8_t)ff_top_bit(sequence->distance);
        sequence->symbols[2] = symbol_of(stream->repeat_bases, REPEAT_EXTRA, sequence->length - SHORTEST_REPEAT);
        for (uint32_t kind = 0; kind < 3; kind++)
            counts[kind][sequence->symbols[kind]]++;
    }
}

/* What the description of a symbol's share takes, about. */
#define BITS_PER_SHARE 7u

/* Whether symbols take fewer bits with a table of their own. `states`: those of zstd's own table, of which there are 1 << log. */
static int needs_own_table(const int8_t *states, uint32_t log, const uint32_t *counts, uint32_t count) {
    uint32_t usual = 0, own = 0; /* in 256th of a bit: of fewer than 2^14 sequences */
    for (uint32_t symbol = 0; symbol < FF_FSE_SYMBOLS; symbol++) {
        if (counts[symbol] == 0)
            continue;
        usual += counts[symbol] * (256 * log - (states[symbol] > 1 ? ff_log2((uint32_t)states[symbol]) : 0));
        own += counts[symbol] * (ff_log2(count) - ff_log2(counts[symbol])) + 256 * BITS_PER_SHARE;
    }
    return own < usual;
}

enum table_mode { USUAL_TABLE, ONE_SYMBOL, OWN_TABLE };

static uint8_t *write_sequences(ff_residual_stream *stream, uint8_t *out) {
    const uint32_t count = stream->block.repeats;
    if (count < 128)
        *out++ = (uint8_t)count;
    else
        out = write_number(out, ((count >> 8) + 128) | (count & 255) << 8, 2);
    if (count == 0)
        return out;
    uint32_t counts[3][FF_FSE_SYMBOLS] = {{0}};
    choose_symbols(stream, counts);
    const ff_sequence *last = &stream->sequences[count - 1];
    const ff_fse_table *tables[3];
    uint8_t *modes = out++;
    *modes = 0;
    for (uint32_t kind = 0; kind < 3; kind++) {
        enum table_mode mode = USUAL_TABLE;
        tables[kind] = &stream->usual[kind];
        if (counts[kind][last->symbols[kind]] == count) {
            mode = ONE_SYMBOL;
            tables[kind] = NULL;
            *out++ = last->symbols[kind];
        } else if (needs_own_table(USUAL_STATES[kind], USUAL_LOGS[kind], counts[kind], count)) {
            mode = OWN_TABLE;
            tables[kind] = &stream->own[kind];
            out += ff_fse_describe(&stream->own[kind], counts[kind], out);
        }
        *modes |= (uint8_t)(mode << (6 - 2 * kind));
    }
    ff_bit_writer writer = {.at = out};
    uint32_t states[3] = {0};
    for (uint32_t i = count; i-- > 0;) {
        const ff_sequence *sequence = &stream->sequences[i];
        static const uint32_t kinds[3] = {1, 2, 0}; /* a decoder reads them the other way round */
        for (uint32_t k = 0; k < 3; k++) {
            const uint32_t kind = kinds[k];
            if (tables[kind] == NULL)
                continue;
            states[kind] = i == count - 1 ? ff_fse_begin(tables[kind], sequence->symbols[kind])
                                          : ff_fse_put(tables[kind], &writer, states[kind], sequence->symbols[kind]);
        }
        const uint8_t *symbols = sequence->symbols;
        ff_put_bits(&writer, sequence->literals - stream->literal_bases[symbols[0]], LITERAL_EXTRA[symbols[0]]);
        ff_write_bits(&writer);
        ff_put_bits(&writer, sequence->length - SHORTEST_REPEAT - stream->repeat_bases[symbols[2]], REPEAT_EXTRA[symbols[2]]);
        ff_put_bits(&writer, sequence->distance - (1u << symbols[1]), symbols[1]);
        ff_write_bits(&writer);
    }
    for (uint32_t kind = 3; kind-- > 0;)
        if (tables[kind] != NULL)
            ff_fse_end(tables[kind], &writer, states[kind]);
    return ff_end_bits(&writer);
}

enum block_type { RAW_BLOCK = 0, COMPRESSED_BLOCK = 2 };

/* Writes the block, which ends at a place in the history. */
static uint8_t *write_block(ff_residual_stream *stream, uint32_t end, uint8_t *out) {
    if (!stream->begun) { /* no size, no checksum, and the window */
        out = write_number(out, 0xFD2FB528u, 4);
        out = write_number(out, (stream->window_log - 10) << 11, 2);
        stream->begun = 1;
    }
    uint8_t *begin = out + 3;
    enum block_type type = COMPRESSED_BLOCK;
    const uint32_t size = stream->block.size;
    uint32_t distances[3];
    memcpy(distances, stream->distances, sizeof distances);
    out = write_sequences(stream, write_literals(stream, begin));
    if ((size_t)(out - begin) >= size) {
        /* A decoder sees neither the distances nor a new code. */
        stream->has_code &= (*begin & 3) != CODED_LITERALS;
        type = RAW_BLOCK;
        memcpy(begin, stream->finder.history + end - size, size);
        memcpy(stream->distances, distances, sizeof distances);
        out = begin + size;
    }
    write_number(begin - 3, type << 1 | (uint64_t)(out - begin) << 3, 3);
    return out;
}

/* Puts the last `count` values of the history behind the block, or ends the block where codes of its own cost them less. */
static uint8_t *add_unit(ff_residual_stream *stream, uint32_t count, uint8_t *out) {
    ff_residual_part *block = &stream->block, unit, both;
    uint8_t *literals = stream->literals + block->literals;
    ff_sequence *sequences = stream->sequences + block->repeats;
    split_values(&stream->finder, count, literals, sequences, &unit);
    if (block->size > 0) {
        for (uint32_t value = 0; value < 256; value++)
            both.counts[value] = block->counts[value] + unit.counts[value];
        both.literals = block->literals + unit.literals;
        both.repeats = block->repeats + unit.repeats;
        both.trailing = unit.trailing + (unit.repeats > 0 ? 0 : block->trailing);
        both.size = block->size + unit.size;
        both.bits = ff_kernels->estimate_codes(both.counts, both.literals);
        if (both.size <= stream->block_size && both.bits <= block->bits + unit.bits) {
            if (unit.repeats > 0)
                sequences->literals += block->trailing;
            *block = both;
            return out;
        }
        out = write_block(stream, stream->finder.size - count, out);
        memmove(stream->literals, literals, unit.literals);
        memmove(stream->sequences, sequences, unit.repeats * sizeof *sequences);
    }
    *block = unit;
    return out;
}

/* ---- The stream ---- */

void ff_residual_begin(ff_residual_stream *stream, uint32_t window_log) {
    stream->window_log = window_log;
    stream->unit_size = window_log < 12 ? 1u << window_log : FF_RESIDUAL_UNIT;
    stream->block_size = 1u << (window_log < FF_RESIDUAL_BLOCK_LOG ? window_log : FF_RESIDUAL_BLOCK_LOG);
    stream->begun = stream->has_code = stream->pending = 0;
    stream->block.size = stream->block.literals = stream->block.repeats = 0;
    for (uint32_t i = 0; i < 3; i++)
        stream->distances[i] = FIRST_DISTANCES[i];
    for (uint32_t kind = 0; kind < 3; kind++)
        ff_fse_build(&stream->usual[kind], USUAL_STATES[kind], USUAL_SYMBOLS[kind], USUAL_LOGS[kind]);
    set_bases(stream->literal_bases, LITERAL_EXTRA, 36);
    set_bases(stream->repeat_bases, REPEAT_EXTRA, 53);
    ff_repeats_begin(&stream->finder, window_log);
}

size_t ff_residual_bound(const ff_residual_stream *stream, size_t count) {
    const size_t all = stream->block.size + stream->pending + count;
    return all + (all / stream->unit_size + 2) * 16 + FF_DESCRIPTION_ROOM + 64;
}

size_t ff_residual_take(ff_residual_stream *stream, const uint8_t *values, size_t count, uint8_t *out) {
    uint8_t *end = out;
    while (count > 0) {
        const uint32_t room = stream->unit_size - stream->pending, taken = count < room ? (uint32_t)count : room;
        if (stream->pending == 0) /* only where a unit begins: how values are cut must make no difference */
            ff_repeats_make_room(&stream->finder, stream->unit_size);
        memcpy(stream->finder.history + stream->finder.size, values, taken);
        stream->finder.size += taken;
        stream->pending += taken;
        if (stream->pending == stream->unit_size) {
            end = add_unit(stream, stream->pending, end);
            stream->pending = 0;
        }
        values += taken;
        count -= taken;
    }
    return (size_t)(end - out);
}

size_t ff_residual_flush(ff_residual_stream *stream, uint8_t *out) {
    uint8_t *end = out;
    if (stream->pending > 0)
        end = add_unit(stream, stream->pending, end);
    if (stream->block.size > 0)
        end = write_block(stream, stream->finder.size, end);
    stream->pending = stream->block.size = stream->block.literals = stream->block.repeats = 0;
    ff_repeats_allow(&stream->finder);
    return (size_t)(end - out);
}
