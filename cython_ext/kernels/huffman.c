#include "huffman.h"

#include <string.h>

#include "bit_writer.h"

/* Bytes that come, as count and byte, the rarest first. Returns their number. */
static uint32_t sort_by_count(const uint32_t *counts, uint32_t *sorted) {
    uint32_t number = 0;
    for (uint32_t i = 0; i < 256; i++) {
        /* Residuals lie around 0: 128, 127, -127 and so on are nearly in order already. */
        const uint32_t byte = (i & 1 ? 128 - (i + 1) / 2 : 128 + i / 2) & 255, key = counts[byte] << 8 | byte;
        uint32_t place = number;
        if (counts[byte] == 0)
            continue;
        for (; place > 0 && sorted[place - 1] > key; place--)
            sorted[place] = sorted[place - 1];
        sorted[place] = key;
        number++;
    }
    return number;
}

/* How many codes have each length below FF_CODE_BITS, and how many that or more, for `n` counts in ascending order, behind which there are
 * two that are larger than all sums. Huffman's algorithm with two queues: van Leeuwen, "On the construction of Huffman trees", 1976. */
static void count_lengths(const uint32_t *leaves, uint32_t n, uint32_t *of_length) {
    uint32_t nodes[256]; /* their weights, in ascending order, too */
    uint8_t parents[256], depths[256];
    uint32_t of_depth[FF_CODE_BITS + 1] = {0}, leaf = 0, node = 0, left = n;
    memset(nodes, 0xFF, sizeof nodes);
    for (uint32_t next = 0; next + 1 < n; next++) {
        /* The two lightest of both: without branches, since nobody could guess them. Where they weigh the same, leaves come first. */
        const uint32_t both_leaves = leaves[leaf + 1] <= nodes[node], both_nodes = nodes[node + 1] < leaves[leaf];
        const uint32_t taken = 1 + both_nodes - both_leaves; /* of the nodes */
        const uint32_t first = both_nodes ? nodes[node + 1] : leaves[leaf], second = both_leaves ? leaves[leaf + 1] : nodes[node];
        parents[node] = parents[node + 1] = (uint8_t)next; /* what is not taken yet is told anew later */
        nodes[next] = first + second;
        node += taken;
        leaf += 2 - taken;
    }
    depths[n - 2] = 0;
    of_depth[0] = 1;
    for (uint32_t i = n - 2; i-- > 0;) {
        depths[i] = (uint8_t)(depths[parents[i]] + 1);
        of_depth[depths[i] < FF_CODE_BITS ? depths[i] : FF_CODE_BITS]++;
    }
    of_length[0] = 0;
    for (uint32_t length = 1; length < FF_CODE_BITS; length++) {
        of_length[length] = 2 * of_depth[length - 1] - of_depth[length];
        left -= of_length[length];
    }
    of_length[FF_CODE_BITS] = left;
}

/* Codes that would be longer than FF_CODE_BITS are counted as of that length already: for these others make room by longer codes, the
 * least of them shorter by as little as can be. */
static void limit_lengths(uint32_t *of_length) {
    uint32_t taken = 0; /* of 2^FF_CODE_BITS */
    for (uint32_t length = 1; length <= FF_CODE_BITS; length++)
        taken += of_length[length] << (FF_CODE_BITS - length);
    for (; taken > 1u << FF_CODE_BITS; taken--) {
        uint32_t length = FF_CODE_BITS - 1;
        while (of_length[length] == 0)
            length--;
        of_length[length]--;
        of_length[length + 1] += 2;
        of_length[FF_CODE_BITS]--;
    }
}

void ff_huffman_build(ff_huffman_code *code, const uint32_t *counts) {
    uint32_t sorted[256], leaves[256 + 2], of_length[FF_CODE_BITS + 1], next[FF_CODE_BITS + 1], first = 0, place = 0;
    const uint32_t n = sort_by_count(counts, sorted);
    for (uint32_t i = 0; i < n; i++)
        leaves[i] = sorted[i] >> 8;
    leaves[n] = leaves[n + 1] = UINT32_MAX;
    count_lengths(leaves, n, of_length);
    limit_lengths(of_length);
    memset(code->lengths, 0, sizeof code->lengths);
    for (uint32_t length = FF_CODE_BITS; length > 0; length--) {
        for (uint32_t i = 0; i < of_length[length]; i++)
            code->lengths[sorted[place++] & 255] = (uint8_t)length;
        next[length] = first;
        first = (first + of_length[length]) >> 1;
    }
    for (uint32_t byte = 0; byte < 256; byte++) {
        const uint32_t length = code->lengths[byte];
        if (length > 0)
            code->codes[byte] = (uint64_t)next[length]++ << (64 - length) | length;
    }
}

uint64_t ff_huffman_bits(const ff_huffman_code *code, const uint32_t *counts) {
    uint64_t bits = 0;
    uint32_t missing = 0;
    for (uint32_t byte = 0; byte < 256; byte++) {
        bits += (uint64_t)counts[byte] * code->lengths[byte];
        missing |= (code->lengths[byte] == 0) & (counts[byte] > 0);
    }
    return missing ? UINT64_MAX : bits;
}

size_t ff_huffman_describe(const ff_huffman_code *code, uint8_t *out) {
    uint8_t weights[256];
    uint32_t last = 255, longest = 0;
    while (code->lengths[last] == 0)
        last--;
    for (uint32_t byte = 0; byte <= last; byte++)
        longest = code->lengths[byte] > longest ? code->lengths[byte] : longest;
    for (uint32_t byte = 0; byte <= last; byte++)
        weights[byte] = (uint8_t)(code->lengths[byte] > 0 ? longest + 1 - code->lengths[byte] : 0);
    /* The last weight tells itself: the others lack just that to a power of two. */
    const size_t compressed = ff_fse_compress(weights, last, out + 1);
    const size_t direct = (last + 1) / 2;
    if (compressed > 0 && compressed < 128 && (compressed < direct || last > 128)) {
        out[0] = (uint8_t)compressed;
        return 1 + compressed;
    }
    if (last > 128)
        return 0;
    out[0] = (uint8_t)(127 + last);
    weights[last] = 0; /* the lower half of the last byte */
    for (uint32_t i = 0; i < direct; i++)
        out[1 + i] = (uint8_t)(weights[2 * i] << 4 | weights[2 * i + 1]);
    return 1 + direct;
}

/* Bits in the upper end, the last ones uppermost, so that no code has to be shifted to its place. */
typedef struct code_writer {
    uint64_t bits, count; /* count: in the lowest byte, of bits that are not written yet */
    uint8_t *at;
} code_writer;

/* Codes before others, which have as many bits as the lowest ones of `length` tell; the lowest eight are not kept clean. */
FF_INLINE uint64_t join(uint64_t before, uint64_t others, uint64_t length) { return before >> (length & 63) | others; }

/* At most 49 bits between two calls of write_codes. */
FF_INLINE void put_joined(code_writer *writer, uint64_t codes, uint64_t length) {
    writer->bits = join(writer->bits, codes, length);
    writer->count += length;
}

FF_INLINE void put_code(code_writer *writer, uint64_t code) { put_joined(writer, code, code); }

FF_INLINE void write_codes(code_writer *writer) {
    const uint32_t count = writer->count & 255;
    const uint64_t bits = writer->bits >> (-count & 63);
    memcpy(writer->at, &bits, sizeof bits);
    writer->at += count >> 3;
    writer->count = count & 7;
}

uint8_t *ff_huffman_encode(const ff_huffman_code *code, const uint8_t *bytes, size_t count, uint8_t *out) {
    code_writer writer = {.at = out};
    for (; count % 4 > 0; count--)
        put_code(&writer, code->codes[bytes[count - 1]]);
    write_codes(&writer);
    for (; count > 0; count -= 4) {
        /* Four as one: if each were put behind the one before, all would wait for one another. */
        const uint64_t a = code->codes[bytes[count - 1]], b = code->codes[bytes[count - 2]];
        const uint64_t c = code->codes[bytes[count - 3]], d = code->codes[bytes[count - 4]];
        put_joined(&writer, join(join(a, b, b), join(c, d, d), c + d), a + b + c + d);
        write_codes(&writer);
    }
    put_code(&writer, UINT64_C(1) << 63 | 1); /* tells where the bits end */
    write_codes(&writer);
    return writer.at + (writer.count > 0);
}
