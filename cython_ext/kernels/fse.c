#include "fse.h"

void ff_fse_build(ff_fse_table *table, const int8_t *counts, uint32_t symbols, uint32_t log) {
    const uint32_t all = 1u << log;
    uint8_t symbol_at[FF_FSE_STATES];
    uint32_t starts[FF_FSE_SYMBOLS], states = 0, high = all, place = 0;
    table->log = log;
    for (uint32_t symbol = 0; symbol < symbols; symbol++) {
        const uint32_t count = counts[symbol] < 0 ? 1 : (uint32_t)counts[symbol];
        starts[symbol] = states;
        table->symbols[symbol].first = (int32_t)states - (int32_t)count;
        states += count;
        if (count == 0)
            continue;
        const uint32_t most = count == 1 ? log : log - ff_top_bit(count - 1);
        table->symbols[symbol].bits = (most << 16) - (count << most);
        if (counts[symbol] < 0)
            symbol_at[--high] = (uint8_t)symbol;
    }
    for (uint32_t symbol = 0; symbol < symbols; symbol++)
        for (int32_t i = 0; i < counts[symbol]; i++) {
            symbol_at[place] = (uint8_t)symbol;
            do
                place = (place + (all >> 1) + (all >> 3) + 3) & (all - 1);
            while (place >= high);
        }
    for (uint32_t state = 0; state < all; state++)
        table->next[starts[symbol_at[state]]++] = (uint16_t)(all + state);
}

/* Shares the states out by how often each symbol comes, one at least. Returns the number of symbols, or 0 where all are the same. */
static uint32_t normalise(const uint32_t *of, int8_t *counts) {
    uint32_t symbols = 0, commonest = 0, all = 0;
    int32_t left = FF_FSE_STATES;
    for (uint32_t symbol = 0; symbol < FF_FSE_SYMBOLS; symbol++)
        all += of[symbol];
    for (uint32_t symbol = 0; symbol < FF_FSE_SYMBOLS; symbol++) {
        counts[symbol] = 0;
        if (of[symbol] == 0)
            continue;
        const uint32_t share = (of[symbol] * FF_FSE_STATES + all / 2) / all;
        counts[symbol] = (int8_t)(share > 0 ? share : 1);
        left -= counts[symbol];
        symbols = symbol + 1;
        if (of[symbol] > of[commonest])
            commonest = symbol;
    }
    if (of[commonest] == all)
        return 0;
    /* What others are rounded up by, the largest shares give. */
    for (; left < 0; left++) {
        uint32_t largest = commonest;
        for (uint32_t symbol = 0; symbol < symbols; symbol++)
            largest = counts[symbol] > counts[largest] ? symbol : largest;
        counts[largest]--;
    }
    counts[commonest] = (int8_t)(counts[commonest] + left);
    return symbols;
}

/* RFC 8878, 4.1.1: each count plus one in as many bits as what is left of the states needs, zeros by their number. */
static uint8_t *describe(const int8_t *counts, uint32_t symbols, uint8_t *out) {
    ff_bit_writer writer = {.at = out};
    uint32_t left = FF_FSE_STATES + 1, threshold = FF_FSE_STATES, bits = FF_FSE_LOG + 1;
    ff_put_bits(&writer, FF_FSE_LOG - 5, 4);
    for (uint32_t symbol = 0; symbol < symbols;) {
        const uint32_t count = (uint32_t)counts[symbol++], spare = 2 * threshold - 1 - left;
        uint32_t value = count + 1;
        left -= count;
        if (value >= threshold)
            value += spare;
        ff_put_bits(&writer, value, bits - (value < spare));
        while (left < threshold) {
            bits--;
            threshold >>= 1;
        }
        if (count == 0) {
            uint32_t zeros = 0;
            while (counts[symbol + zeros] == 0) /* the last count is not */
                zeros++;
            symbol += zeros;
            for (; zeros >= 3; zeros -= 3)
                ff_put_bits(&writer, 3, 2);
            ff_put_bits(&writer, zeros, 2);
        }
        ff_write_bits(&writer);
    }
    return writer.at + (writer.count > 0);
}

size_t ff_fse_describe(ff_fse_table *table, const uint32_t *counts, uint8_t *out) {
    int8_t shares[FF_FSE_SYMBOLS];
    const uint32_t symbols = normalise(counts, shares);
    if (symbols == 0)
        return 0;
    ff_fse_build(table, shares, symbols, FF_FSE_LOG);
    return (size_t)(describe(shares, symbols, out) - out);
}

size_t ff_fse_compress(const uint8_t *values, uint32_t count, uint8_t *out) {
    ff_fse_table table;
    uint32_t of[2][FF_FSE_SYMBOLS] = {{0}}; /* two counters each, as one would wait for itself where neighbours are equal */
    for (uint32_t i = 0; i < count; i++)
        of[i % 2][values[i]]++;
    for (uint32_t symbol = 0; symbol < FF_FSE_SYMBOLS; symbol++)
        of[0][symbol] += of[1][symbol];
    const size_t described = count > 2 ? ff_fse_describe(&table, of[0], out) : 0;
    if (described == 0)
        return 0;
    ff_bit_writer writer = {.at = out + described};
    uint32_t left = count - 2, last = ff_fse_begin(&table, values[left + 1]), other = ff_fse_begin(&table, values[left]);
    for (; left >= 2; left -= 2) {
        last = ff_fse_put(&table, &writer, last, values[left - 1]);
        other = ff_fse_put(&table, &writer, other, values[left - 2]);
        ff_write_bits(&writer);
    }
    if (left == 1)
        last = ff_fse_put(&table, &writer, last, values[0]);
    ff_fse_end(&table, &writer, left == 1 ? other : last); /* of the values at odd places */
    ff_fse_end(&table, &writer, left == 1 ? last : other);
    return (size_t)(ff_end_bits(&writer) - out);
}
