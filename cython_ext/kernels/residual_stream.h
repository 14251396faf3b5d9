/* Residuals as a zstd stream (RFC 8878) of Huffman codes and runs of one value, which is all that repeats in them.
 *
 * zstd itself looks for repeats of any kind. What it finds in residuals is mostly chance: each of them costs more than the codes that
 * it replaces, and looking for them takes half of the time. Nor does it begin new codes where a picture becomes calmer, but every 128
 * KiB. Here a block goes on as long as that costs less than other codes for the next FF_RESIDUAL_UNIT values. */
#ifndef FF_RESIDUAL_STREAM_H
#define FF_RESIDUAL_STREAM_H

#include "huffman.h"

#define FF_RESIDUAL_UNIT 4096u
/* Of a block, unless the window is smaller. */
#define FF_RESIDUAL_BLOCK_LOG 16u
/* Runs of fewer values are codes like all others. */
#define FF_MIN_RUN 16u
#define FF_BLOCK_RUNS ((1u << FF_RESIDUAL_BLOCK_LOG) / FF_MIN_RUN)

typedef struct ff_run {
    uint32_t literals; /* before it, its own first value among them */
    uint32_t length;   /* without that one */
} ff_run;

/* Values of a block or of a part of it. */
typedef struct ff_residual_part {
    uint32_t counts[256];    /* of the literals, by value */
    uint32_t literals, runs; /* how many there are */
    uint32_t trailing;       /* literals behind the last run */
    uint32_t size;           /* values, with those in runs */
    uint64_t bits;           /* an estimate */
} ff_residual_part;

typedef struct ff_residual_stream {
    uint32_t window_log, unit_size, begun;
    uint8_t pending[FF_RESIDUAL_UNIT];
    uint32_t pending_size;
    ff_residual_part block;
    uint8_t literals[(1u << FF_RESIDUAL_BLOCK_LOG) + FF_RESIDUAL_UNIT];
    ff_run runs[FF_BLOCK_RUNS + FF_RESIDUAL_UNIT / FF_MIN_RUN];
    ff_huffman_code code, spare; /* code: of the last block that had one */
    uint32_t has_code;
    ff_fse_table literal_lengths, run_lengths;
} ff_residual_stream;

/* Begins a stream. `window_log`: 10 to FF_RESIDUAL_BLOCK_LOG. */
void ff_residual_begin(ff_residual_stream *stream, uint32_t window_log);

/* The most that ff_residual_take and ff_residual_flush write, of which they may touch all. */
size_t ff_residual_bound(const ff_residual_stream *stream, size_t count);

/* Takes values, and returns how many bytes it wrote to `out`. How they are cut makes no difference. */
size_t ff_residual_take(ff_residual_stream *stream, const uint8_t *values, size_t count, uint8_t *out);

/* Writes what is left, so that a decoder gets all. */
size_t ff_residual_flush(ff_residual_stream *stream, uint8_t *out);

#endif
