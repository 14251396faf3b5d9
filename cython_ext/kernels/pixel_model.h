/* Pixels through a model that learns: the coder of effort "tight".
 *
 * Every pixel of a box is coded in the light of what is known around it: the pixels above and to the left, and the tile as
 * it was (the base: the same place before, or where it moved from). SPEC.md, "Modelled pixels", is the normative text. Three ways,
 * from cheap to dear:
 *
 * - A span: where the row above repeats the base, or is of one colour, one bit says that 16 pixels go on so.
 * - A guess: four memories, hash tables from neighbourhoods of different shape to the colour that followed last time, and the
 *   neighbours themselves vote for colours. A bit says whether the likeliest is right, then the second, then the third. A glyph or an
 *   icon that was seen before, at any place, is found again by the largest neighbourhood. The probability of the bit is mixed from
 *   those of seven contexts by a small neural network, as in Mahoney's PAQ.
 * - A literal: each channel is predicted by the three that did best nearby of eight predictors, spatial and temporal, and its
 *   residual is coded in one of 16 classes and raw bits, as in JPEG XL, with adaptive distributions chosen by the errors nearby. Where
 *   three of the four neighbours are literals, guesses are not even tried.
 *
 * All arithmetic is on integers, so that both sides agree on every machine. Everything learned lives through the epoch. */
#ifndef FF_PIXEL_MODEL_H
#define FF_PIXEL_MODEL_H

#include "range_coder.h"

#define FF_MEMORIES 4u
/* 2 MiB each: a quarter of it takes 4 % more bytes on text, twice as much 2 % fewer. */
#define FF_MEMORY_BITS 19u
#define FF_GUESSES 3u
#define FF_SPAN 16u
#define FF_PREDICTORS 8u
#define FF_CLASSES 16u
#define FF_INPUTS 8u
/* Levels of the scale by which errors and gradients choose a context. */
#define FF_LEVELS 24u

/* A tile with its surroundings: two rows above, and FF_MARGIN pixels at either side. */
#define FF_MARGIN 4u
#define FF_ABOVE 2u
#define FF_WINDOW_PITCH (FF_MARGIN + FF_TILE + FF_MARGIN)
/* A tile with a border of one pixel, which repeats its edges. */
#define FF_BASE_PITCH (FF_TILE + 2u)

/* How far the last predictions of a pixel were off: of each predictor, and of the prediction that was made of them. Zeros where no
 * prediction was needed. One vector, so that sums over the neighbours are sums of vectors. */
typedef struct ff_model_errors {
    uint8_t predictors[3][FF_PREDICTORS];
    uint8_t misses[FF_PREDICTORS]; /* by channel; the last five are 0 */
} ff_model_errors;

/* What is remembered of a row of a box while the next one is coded. */
typedef struct ff_model_row {
    ff_model_errors errors[FF_WINDOW_PITCH];
    uint8_t ways[FF_WINDOW_PITCH]; /* the number of the right guess, or FF_GUESSES for a literal */
} ff_model_row;

/* How the encoder codes a residual: its class, then raw bits, as a share of the range: the lower half begins it, the upper half is its
 * size, both in 65536ths. `count`: 2, or 1 where the class has no bits. */
typedef struct ff_residual_shares {
    uint32_t bits;
    uint16_t symbol, count;
} ff_residual_shares;

/* Where the probabilities of each kind of context begin: of FF_GUESSES ranks each. 16 bits tell them apart. */
enum {
    FF_BY_VOTES = 0,
    FF_BY_PATTERN = FF_BY_VOTES + FF_GUESSES * 512,
    FF_BY_WAYS = FF_BY_PATTERN + FF_GUESSES * 4096,
    FF_BY_MEMORY = FF_BY_WAYS + FF_GUESSES * 4096,
    FF_PROBABILITIES = FF_BY_MEMORY + FF_GUESSES * FF_MEMORIES * 128
};

typedef struct ff_pixel_model {
    uint32_t memories[FF_MEMORIES][1u << FF_MEMORY_BITS]; /* confidence in the top byte (0: empty), a colour below it */
    uint16_t probabilities[FF_PROBABILITIES];             /* of guesses, in 65536ths, by several contexts */
    uint16_t corrections[FF_GUESSES][512][33];
    int32_t weights[FF_GUESSES][3][4][4][2][2][FF_INPUTS];
    uint16_t spans[32];
    uint16_t classes[3][2][FF_LEVELS * FF_LEVELS][FF_CLASSES]; /* cumulative, in 32768ths */
    uint16_t end_of_classes; /* 0, as the first class of a distribution is: the end of the last one modulo 65536 */
    uint32_t last_spans;
    int16_t biases[3][FF_LEVELS / 2][8];
    uint8_t levels[2048];    /* of a sum of errors: see SPEC.md */
    int16_t stretch[4096];   /* the inverse of squash */
    uint16_t squash[4096];   /* of what is mixed, and 2048 */
    ff_residual_shares residual_shares[256];
    uint32_t keys[16];
    /* Both with more behind, as pixels are looked at by sixteen. */
    uint32_t window[(FF_ABOVE + FF_TILE) * FF_WINDOW_PITCH + 16];
    uint32_t base[FF_BASE_PITCH * FF_BASE_PITCH + 16];
    ff_model_row rows[2];
} ff_pixel_model;

/* Forgets all: the beginning of an epoch. */
void ff_model_reset(ff_pixel_model *model);

/* Takes the tile at `area` as it is, from `tile` (rows of `pitch` pixels): it becomes the middle of the window, and the base. The
 * rest of the window, what is around the tile at that moment, is up to the caller: ff_model_window_at says where pixel
 * (x, y), relative to the tile, belongs, for x from -FF_MARGIN to area.width + FF_MARGIN - 1, y from -FF_ABOVE on; pixels outside
 * of the frame are FF_OPAQUE. */
void ff_model_set_base(ff_pixel_model *model, const uint32_t *tile, size_t pitch, ff_box area);

FF_INLINE uint32_t *ff_model_window_at(ff_pixel_model *model, int32_t x, int32_t y) {
    return model->window + (size_t)(y + (int32_t)FF_ABOVE) * FF_WINDOW_PITCH + (size_t)(x + (int32_t)FF_MARGIN);
}

/* encode_box: codes the pixels of `box` of a loaded tile (rows of FF_TILE pixels, X = 255), window and base being set.
 * FF_MAX_MODELLED_BYTES for each pixel is the most that it writes. */
void ff_encode_box_scalar(ff_pixel_model *model, ff_range_encoder *coder, const uint32_t *tile, ff_box box);

/* decode_box: the inverse: the pixels stand in the window afterwards. Cannot fail: any bytes are some pixels. */
void ff_decode_box_scalar(ff_pixel_model *model, ff_range_decoder *coder, ff_box box);

#ifdef FF_HAVE_AVX2
void ff_encode_box_avx2(ff_pixel_model *model, ff_range_encoder *coder, const uint32_t *tile, ff_box box);
void ff_decode_box_avx2(ff_pixel_model *model, ff_range_decoder *coder, ff_box box);
#endif

#endif
