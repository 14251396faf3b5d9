/* Residuals as a zstd stream (RFC 8878) of Huffman codes, runs of one value, and the repeats that save bits (repeat_finder.h).
 *
 * What zstd itself finds in residuals of photos is mostly chance: each repeat costs more than the codes that it replaces, and looking
 * for them takes half of the time. Nor does it begin new codes where a picture becomes calmer, but every 128 KiB. Here a block goes on
 * as long as that costs less than other codes for the next FF_RESIDUAL_UNIT values. */
#ifndef FF_RESIDUAL_STREAM_H
#define FF_RESIDUAL_STREAM_H

#include "huffman.h"
#include "repeat_finder.h"

#define FF_RESIDUAL_UNIT 4096u
/* Of a block, unless the window is smaller. */
#define FF_RESIDUAL_BLOCK_LOG 16u
#define FF_BLOCK_REPEATS ((1u << FF_RESIDUAL_BLOCK_LOG) / FF_MIN_REPEAT)

/* Lengths below this are symbols by themselves. */
#define FF_PLAIN_SYMBOLS 16u

/* zstd's sequence. */
typedef struct ff_sequence {
    uint32_t literals; /* before the repeat */
    uint32_t length, distance;
    uint8_t symbols[3]; /* of these three, once it is written */
} ff_sequence;

/* Values of a block or of a part of it. */
typedef struct ff_residual_part {
    uint32_t counts[256];    /* of the literals, by value */
    uint32_t literals, repeats; /* how many there are */
    uint32_t trailing;          /* literals behind the last repeat */
    uint32_t size;              /* values, with those in repeats */
    uint64_t bits;              /* an estimate, without the repeats */
} ff_residual_part;

typedef struct ff_residual_stream {
    uint32_t window_log, unit_size, block_size, begun;
    uint32_t pending; /* values behind the last unit */
    ff_residual_part block;
    uint8_t literals[(1u << FF_RESIDUAL_BLOCK_LOG) + FF_RESIDUAL_UNIT];
    ff_sequence sequences[FF_BLOCK_REPEATS + FF_RESIDUAL_UNIT / FF_MIN_REPEAT];
    uint32_t distances[3]; /* of the last repeats */
    ff_huffman_code code, spare; /* code: of the last block that had one */
    uint32_t has_code;
    uint32_t literal_bases[36], repeat_bases[53];
    ff_fse_table usual[3], own[3]; /* zstd's own, and those of a block */
    ff_repeat_finder finder;
} ff_residual_stream;

/* Begins a stream. `window_log`: 10 to FF_REPEAT_WINDOW_LOG. */
void ff_residual_begin(ff_residual_stream *stream, uint32_t window_log);

/* The most that ff_residual_take and ff_residual_flush write, of which they may touch all. */
size_t ff_residual_bound(const ff_residual_stream *stream, size_t count);

/* Takes values, and returns how many bytes it wrote to `out`. How they are cut makes no difference. */
size_t ff_residual_take(ff_residual_stream *stream, const uint8_t *values, size_t count, uint8_t *out);

/* Writes what is left, so that a decoder gets all. */
size_t ff_residual_flush(ff_residual_stream *stream, uint8_t *out);

#endif
