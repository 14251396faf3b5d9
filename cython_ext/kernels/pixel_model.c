#include "pixel_model.h"

#include <stdlib.h>
#include <string.h>

#include "hash.h"

#ifdef FF_HAVE_AVX2
#include <immintrin.h>
#endif

/* How fast what is learned follows: the difference is divided by 2 to this power. Measured on recorded desktops: with 4 for classes
 * photos take 2 % more bytes, with 6 text 1 %; one more or one less for the others changes nothing beyond 0.3 %. */
#define CONTEXT_RATE 5
#define MEMORY_RATE 6
#define CORRECTION_RATE 6
#define SPAN_RATE 6
#define CLASS_RATE 5
/* Probabilities of guesses keep away from 0 and 1, so that no bit costs more than eleven. */
#define MIN_GUESS 32u
/* Cumulative distributions of classes end at this; each class keeps CLASS_FLOOR of it. */
#define CLASS_TOTAL 32768
#define CLASS_FLOOR 8
/* Weights of the mixer, in 65536ths: 0.3 at first, never beyond 8. */
#define FIRST_WEIGHT 19660
#define MAX_WEIGHT ((1 << 19) - 1)
/* The domain of the mixer: 256 * ln(p / (1 - p)), from -2047 to 2047. */
#define MAX_STRETCH 2047
/* A memory whose colour came true this often is asked before the neighbours. */
#define CONFIDENT 3u
#define MAX_CONFIDENCE 255u
#define NO_COLOUR 0u
/* Bias is learned in 256ths of a sixteenth: within 128 times twice this, which fits 16 bits. */
#define MAX_BIAS_STEP 127

/* 65536 / (1 + exp(-d / 256)) for d from -2048 to 2048 in steps of 128. */
static const uint16_t SQUASH[33] = {
    22,    36,    60,    98,    162,   267,   439,   720,   1179,  1921,  3108,  4971,  7812,  11955, 17625, 24743, 32768,
    40793, 47911, 53581, 57724, 60565, 62428, 63615, 64357, 64816, 65097, 65269, 65374, 65438, 65476, 65500, 65514,
};

static uint32_t squash(int32_t stretched) {
    const uint32_t position = (uint32_t)(stretched + 2048), step = position >> 7, fraction = position & 127;
    return (SQUASH[step] * (128 - fraction) + SQUASH[step + 1] * fraction) >> 7;
}

static uint8_t level_of(uint32_t value) {
    uint32_t level = 8, start = 8, width = 2;
    if (value < 8)
        return (uint8_t)value;
    while (value >= start + 2 * width) {
        start += 2 * width;
        width *= 2;
        level += 2;
    }
    return (uint8_t)(level + (value - start) / width);
}

static void fill(uint16_t *values, size_t count, uint16_t value) {
    for (size_t i = 0; i < count; i++)
        values[i] = value;
}

void ff_model_reset(ff_pixel_model *model) {
    memset(model, 0, sizeof *model);
    fill(&model->by_votes[0][0], sizeof model->by_votes / 2, FF_PROBABILITY_ONE / 2);
    fill(&model->by_pattern[0][0], sizeof model->by_pattern / 2, FF_PROBABILITY_ONE / 2);
    fill(&model->by_ways[0][0], sizeof model->by_ways / 2, FF_PROBABILITY_ONE / 2);
    fill(&model->by_memory[0][0][0][0], sizeof model->by_memory / 2, FF_PROBABILITY_ONE / 2);
    fill(model->spans, sizeof model->spans / 2, FF_PROBABILITY_ONE / 2);
    for (uint32_t rank = 0; rank < FF_GUESSES; rank++)
        for (uint32_t votes = 0; votes < 512; votes++)
            memcpy(model->corrections[rank][votes], SQUASH, sizeof SQUASH);
    int32_t *weights = &model->weights[0][0][0][0][0][0][0];
    for (size_t i = 0; i < sizeof model->weights / sizeof *weights; i++)
        weights[i] = FIRST_WEIGHT;
    uint16_t *classes = &model->classes[0][0][0][0];
    for (size_t i = 0; i < sizeof model->classes / sizeof *classes; i++) {
        const uint32_t symbol = i % FF_CLASSES; /* the first ten are likelier */
        classes[i] = (uint16_t)(symbol <= 10 ? symbol * 2560 : 25600 + (symbol - 10) * 1194);
    }
    for (uint32_t i = 0; i < sizeof model->levels; i++)
        model->levels[i] = level_of(i / 3);
    int32_t stretched = -MAX_STRETCH;
    for (uint32_t i = 0; i < 4096; i++) {
        while (stretched < MAX_STRETCH && squash(stretched) < i * 16 + 8)
            stretched++;
        model->stretch[i] = (int16_t)stretched;
    }
    ff_hash_keys(model->keys, 16);
    for (uint32_t i = 0; i < 16; i++)
        model->keys[i] |= 1;
}

void ff_model_set_base(ff_pixel_model *model, const uint32_t *tile, size_t pitch, ff_box area) {
    for (uint32_t y = 0; y < area.height; y++, tile += pitch) {
        uint32_t *row = model->base + (y + 1) * FF_BASE_PITCH;
        memcpy(ff_model_window_at(model, 0, (int32_t)y), tile, area.width * sizeof *tile);
        memcpy(row + 1, tile, area.width * sizeof *tile);
        row[0] = row[1];
        row[area.width + 1] = row[area.width];
    }
    uint32_t *first = model->base, *last = model->base + (area.height + 1) * FF_BASE_PITCH;
    memcpy(first, first + FF_BASE_PITCH, FF_BASE_PITCH * sizeof *first);
    memcpy(last, last - FF_BASE_PITCH, FF_BASE_PITCH * sizeof *last);
}

/* One of the two; the other is NULL. So one text is the encoder and the decoder, and they cannot fall apart. */
typedef struct coder {
    ff_range_encoder *encoder;
    ff_range_decoder *decoder;
} coder;

FF_INLINE uint32_t code_bit(const coder *c, uint32_t one, uint32_t bit) {
    if (c->decoder != NULL)
        return ff_range_decode_bit(c->decoder, one);
    ff_range_encode_bit(c->encoder, one, bit);
    return bit;
}

FF_INLINE void learn(uint16_t *probability, uint32_t bit, int rate) {
    /* Without a branch: towards 65535 is towards 0 of the complement. Both ways end before the end. */
    const uint16_t flip = (uint16_t)-bit, distance = *probability ^ flip;
    *probability = (uint16_t)(distance - (distance >> rate)) ^ flip;
}

/* ---- Literals ---- */

FF_INLINE int32_t clamp(int32_t value) { return value < 0 ? 0 : value > 255 ? 255 : value; }

FF_INLINE int32_t median(int32_t left, int32_t up, int32_t corner) {
    const int32_t low = left < up ? left : up, high = left < up ? up : left;
    const int32_t gradient = left + up - corner;
    return gradient < low ? low : gradient > high ? high : gradient;
}

/* The parts of the coder that a variant does in its own way. */
typedef struct variant {
    /* Clamps eight predictions to 0 to 255. */
    void (*clamp_all)(int16_t *predictions);
    /* How far eight predictions are from the value. */
    void (*measure)(const int16_t *predictions, int16_t value, uint8_t *errors);
    /* Picks the three smallest of eight sums, of equal ones the first; returns the smallest. */
    uint32_t (*pick_three)(uint16_t *sums, uint32_t *picked);
    /* Adds two cumulative distributions, finds the class of a share of the sum, and moves both distributions towards one in which
     * all but a little belongs to `symbol`. */
    void (*add_classes)(const uint16_t *a, const uint16_t *b, uint16_t *sums);
    uint32_t (*find_class)(const uint16_t *sums, uint16_t share);
    void (*learn_class)(uint16_t *a, uint16_t *b, uint32_t symbol);
} variant;

FF_INLINE void clamp_all_scalar(int16_t *predictions) {
    for (uint32_t i = 0; i < FF_PREDICTORS; i++)
        predictions[i] = (int16_t)clamp(predictions[i]);
}

FF_INLINE void measure_scalar(const int16_t *predictions, int16_t value, uint8_t *errors) {
    for (uint32_t i = 0; i < FF_PREDICTORS; i++)
        errors[i] = (uint8_t)abs(value - predictions[i]);
}

FF_INLINE uint32_t pick_three_scalar(uint16_t *sums, uint32_t *picked) {
    uint32_t smallest = 0;
    for (uint32_t n = 0; n < 3; n++) {
        uint32_t best = 0;
        for (uint32_t i = 1; i < FF_PREDICTORS; i++)
            if (sums[i] < sums[best])
                best = i;
        if (n == 0)
            smallest = sums[best];
        picked[n] = best;
        sums[best] = UINT16_MAX;
    }
    return smallest;
}

FF_INLINE void add_classes_scalar(const uint16_t *a, const uint16_t *b, uint16_t *sums) {
    for (uint32_t i = 0; i < FF_CLASSES; i++)
        sums[i] = (uint16_t)(a[i] + b[i]);
}

FF_INLINE uint32_t find_class_scalar(const uint16_t *sums, uint16_t share) {
    uint32_t symbol = 0;
    while (symbol + 1 < FF_CLASSES && sums[symbol + 1] <= share)
        symbol++;
    return symbol;
}

FF_INLINE void learn_class_scalar(uint16_t *a, uint16_t *b, uint32_t symbol) {
    for (uint32_t i = 0; i < FF_CLASSES; i++) {
        const int32_t target = (int32_t)(i <= symbol ? i * CLASS_FLOOR : CLASS_TOTAL - (FF_CLASSES - i) * CLASS_FLOOR);
        a[i] = (uint16_t)(a[i] + ((target - a[i]) >> CLASS_RATE));
        b[i] = (uint16_t)(b[i] + ((target - b[i]) >> CLASS_RATE));
    }
}

static const variant scalar_variant = {
    clamp_all_scalar, measure_scalar, pick_three_scalar, add_classes_scalar, find_class_scalar, learn_class_scalar,
};

FF_INLINE uint32_t code_class(uint16_t *a, uint16_t *b, const coder *c, uint32_t symbol, const variant *v) {
    uint16_t sums[FF_CLASSES + 1];
    v->add_classes(a, b, sums);
    sums[FF_CLASSES] = 0; /* 65536 */
    if (c->decoder != NULL) {
        symbol = v->find_class(sums, (uint16_t)ff_range_share(c->decoder));
        ff_range_decode(c->decoder, sums[symbol], (uint16_t)(sums[symbol + 1] - sums[symbol]));
    } else {
        ff_range_encode(c->encoder, sums[symbol], (uint16_t)(sums[symbol + 1] - sums[symbol]));
    }
    v->learn_class(a, b, symbol);
    return symbol;
}

/* A residual, folded to 0 to 255: its class, then the bits that tell it from others of the class. */
FF_INLINE uint32_t code_residual(uint16_t *a, uint16_t *b, const coder *c, uint32_t folded, const variant *v) {
    uint32_t symbol = folded, bits = 0;
    if (c->decoder == NULL && folded >= 10) {
        bits = 2;
        while (folded >= 6 + (8u << (bits - 2)))
            bits++;
        symbol = bits + 8;
    }
    symbol = code_class(a, b, c, symbol, v);
    if (symbol < 10)
        return symbol;
    bits = symbol - 8;
    const uint32_t first = 6 + (4u << (bits - 2)), unit = FF_PROBABILITY_ONE >> bits;
    if (c->decoder != NULL) {
        const uint32_t rest = ff_range_share(c->decoder) / unit;
        ff_range_decode(c->decoder, rest * unit, unit);
        return (first + rest) & 255;
    }
    ff_range_encode(c->encoder, (folded - first) * unit, unit);
    return folded;
}

static const uint8_t SHIFTS[3] = {8, 0, 16}; /* G, B, R */

FF_INLINE int32_t channel(uint32_t pixel, int i) { return (int32_t)(pixel >> SHIFTS[i] & 255); }

/* The neighbours of a pixel, and of its place in the base. */
typedef struct surroundings {
    uint32_t w, n, nw, ne, nne, t, tw, tn, tnw;
} surroundings;

/* The predictions are yet to be clamped to 0 to 255. */
FF_INLINE void predict_green(const surroundings *s, int16_t *p) {
    const int32_t w = channel(s->w, 0), n = channel(s->n, 0), nw = channel(s->nw, 0), ne = channel(s->ne, 0);
    const int32_t t = channel(s->t, 0), dw = w - channel(s->tw, 0), dn = n - channel(s->tn, 0);
    p[0] = (int16_t)(median(w, n, nw));
    p[1] = (int16_t)(w + ne - n);
    p[2] = (int16_t)(w + n - nw);
    p[3] = (int16_t)(n + ne - channel(s->nne, 0));
    p[4] = (int16_t)(t);
    p[5] = (int16_t)(t + median(dw, dn, nw - channel(s->tnw, 0)));
    p[6] = (int16_t)(t + ((dw + dn) >> 1));
    p[7] = (int16_t)((w + n) >> 1);
}

/* Blue and red, by how they differ from green, which is known, and red from blue. */
FF_INLINE void predict_other(const surroundings *s, int i, int32_t green, int32_t blue, int16_t *p) {
    const int32_t w = channel(s->w, i), n = channel(s->n, i), nw = channel(s->nw, i), t = channel(s->t, i);
    const int32_t dw = w - channel(s->w, 0), dn = n - channel(s->n, 0), dnw = nw - channel(s->nw, 0);
    const int32_t dne = channel(s->ne, i) - channel(s->ne, 0), dt = t - channel(s->t, 0);
    const int32_t dtw = channel(s->tw, i) - channel(s->tw, 0), dtn = channel(s->tn, i) - channel(s->tn, 0);
    const int32_t dtnw = channel(s->tnw, i) - channel(s->tnw, 0);
    p[0] = (int16_t)(green + median(dw, dn, dnw));
    p[1] = (int16_t)(green + ((dw + dn + 1) >> 1));
    p[2] = (int16_t)(green + dw + dn - dnw);
    p[3] = (int16_t)(median(w, n, nw));
    p[4] = (int16_t)(green + dt);
    p[5] = (int16_t)(green + dt + median(dw - dtw, dn - dtn, dnw - dtnw));
    p[6] = (int16_t)(i == 1 ? t : blue + median(w - channel(s->w, 1), n - channel(s->n, 1), nw - channel(s->nw, 1)));
    p[7] = (int16_t)(green + ((dw + dne + 1) >> 1));
}

FF_INLINE uint32_t code_literal(ff_pixel_model *model, const coder *c, const surroundings *s, const ff_model_row *above,
                                ff_model_row *row, uint32_t x, uint32_t pixel, const variant *v) {
    int32_t values[3] = {channel(pixel, 0), channel(pixel, 1), channel(pixel, 2)};
    int32_t w = channel(s->w, 0), n = channel(s->n, 0), nw = channel(s->nw, 0);
    uint32_t misses[3] = {0};
    const uint32_t steepness = (uint32_t)(abs(w - nw) + abs(n - nw) + abs(n - channel(s->ne, 0)));
    for (int i = 0; i < 3; i++) {
        int16_t p[FF_PREDICTORS];
        uint16_t sums[FF_PREDICTORS];
        uint32_t picked[3];
        const uint8_t(*ups)[FF_PREDICTORS] = above->errors[i] + x, (*lefts)[FF_PREDICTORS] = row->errors[i] + x;
        const uint8_t *up = above->misses[i] + x, *left = row->misses[i] + x;
        if (i == 0)
            predict_green(s, p);
        else
            predict_other(s, i, values[0], values[1], p);
        v->clamp_all(p);
        for (uint32_t k = 0; k < FF_PREDICTORS; k++)
            sums[k] = (uint16_t)(2 * ups[0][k] + ups[-1][k] + ups[1][k] + 2 * lefts[-1][k] + lefts[-2][k]);
        const uint32_t smallest = v->pick_three(sums, picked);
        const int32_t mean = 8 * p[picked[0]] + 4 * (p[picked[1]] + p[picked[2]]); /* in sixteenths */
        const uint32_t noise = model->levels[2 * left[-1] + 2 * up[0] + up[-1] + up[1] + left[-2]];
        const uint32_t sides = (uint32_t)(16 * channel(s->w, i) > mean) | (uint32_t)(16 * channel(s->n, i) > mean) << 1 |
                               (uint32_t)(16 * channel(s->t, i) > mean) << 2;
        int16_t *bias = &model->biases[i][noise / 2][sides];
        const int32_t corrected = mean + (*bias >> 8) + 8;
        const int32_t prediction = clamp(corrected >> 4);
        const uint32_t second = i == 0   ? model->levels[2 * steepness] * FF_LEVELS + model->levels[smallest]
                                : i == 1 ? model->levels[3 * misses[0]] * FF_LEVELS + model->levels[smallest]
                                         : model->levels[3 * misses[0]] * FF_LEVELS + model->levels[3 * misses[1]];
        uint16_t *a = model->classes[i][0][noise * 4 + ((uint32_t)corrected >> 2 & 3)], *b = model->classes[i][1][second];
        const uint32_t residual = (uint32_t)(values[i] - prediction) & 255;
        const uint32_t folded = code_residual(a, b, c, residual < 128 ? 2 * residual : 2 * (255 - residual) + 1, v);
        if (c->decoder != NULL)
            values[i] = (prediction + (int32_t)(folded & 1 ? 255 - folded / 2 : folded / 2)) & 255;
        int32_t step = 16 * values[i] - mean;
        step = step > MAX_BIAS_STEP ? MAX_BIAS_STEP : step < -MAX_BIAS_STEP ? -MAX_BIAS_STEP : step;
        *bias = (int16_t)(*bias + 2 * step - (*bias >> 7));
        misses[i] = (uint32_t)abs(values[i] - prediction);
        row->misses[i][x] = (uint8_t)misses[i];
        v->measure(p, (int16_t)values[i], row->errors[i][x]);
    }
    return FF_OPAQUE | (uint32_t)values[1] | (uint32_t)values[0] << 8 | (uint32_t)values[2] << 16;
}

/* ---- Guesses ---- */

/* What the bit "this colour it is" depends on. */
typedef struct question {
    uint32_t rank, votes, pattern, ways, literals;
    uint32_t agree[FF_MEMORIES], confidence[FF_MEMORIES];
} question;

FF_INLINE uint32_t code_guess(ff_pixel_model *model, const coder *c, const question *q, uint32_t right) {
    static const uint8_t STEPS[17] = {0, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3};
    uint16_t *probabilities[FF_INPUTS - 1] = {&model->by_votes[q->rank][q->votes], &model->by_pattern[q->rank][q->pattern],
                                              &model->by_ways[q->rank][q->ways]};
    for (uint32_t i = 0; i < FF_MEMORIES; i++)
        probabilities[3 + i] = &model->by_memory[q->rank][i][q->agree[i]][q->confidence[i] < 63 ? q->confidence[i] : 63];
    int32_t *weights = model->weights[q->rank][q->literals][STEPS[q->confidence[0] < 16 ? q->confidence[0] : 16]]
                                     [STEPS[q->confidence[1] < 16 ? q->confidence[1] : 16]][q->agree[0]][q->agree[1]];
    int32_t inputs[FF_INPUTS], sum = 0;
    for (uint32_t i = 0; i < FF_INPUTS - 1; i++)
        inputs[i] = model->stretch[*probabilities[i] >> 4];
    inputs[FF_INPUTS - 1] = 256;
    for (uint32_t i = 0; i < FF_INPUTS; i++)
        sum += (weights[i] * inputs[i]) >> 8;
    sum >>= 8;
    sum = sum > MAX_STRETCH ? MAX_STRETCH : sum < -MAX_STRETCH ? -MAX_STRETCH : sum;
    const int32_t mixed = (int32_t)squash(sum);
    const uint32_t step = (uint32_t)(sum + 2048) >> 7, fraction = (uint32_t)(sum + 2048) & 127;
    uint16_t *correction = model->corrections[q->rank][q->votes] + step;
    uint32_t one = ((uint32_t)mixed + ((correction[0] * (128 - fraction) + correction[1] * fraction) >> 7)) >> 1;
    one = one < MIN_GUESS ? MIN_GUESS : one > FF_PROBABILITY_ONE - MIN_GUESS ? FF_PROBABILITY_ONE - MIN_GUESS : one;

    right = code_bit(c, one, right);

    const int32_t error = (((right ? 65536 : 0) - mixed) >> 3) * 3;
    for (uint32_t i = 0; i < FF_INPUTS; i++) {
        const int32_t weight = weights[i] + ((inputs[i] * error + 4096) >> 13);
        weights[i] = weight > MAX_WEIGHT ? MAX_WEIGHT : weight < -MAX_WEIGHT ? -MAX_WEIGHT : weight;
    }
    learn(&correction[0], right, CORRECTION_RATE);
    learn(&correction[1], right, CORRECTION_RATE);
    for (uint32_t i = 0; i < 3; i++)
        learn(probabilities[i], right, CONTEXT_RATE);
    for (uint32_t i = 3; i < FF_INPUTS - 1; i++)
        learn(probabilities[i], right, MEMORY_RATE);
    return right;
}

FF_INLINE void remember(uint32_t *memory, uint32_t pixel) {
    const uint32_t confidence = *memory >> 24, colour = pixel & FF_RGB_MASK;
    if (confidence > 0 && (*memory & FF_RGB_MASK) == colour)
        *memory += confidence < MAX_CONFIDENCE ? 1u << 24 : 0;
    else if (confidence <= 1)
        *memory = colour | 1u << 24;
    else
        *memory = (*memory & FF_RGB_MASK) | (confidence > 6 ? confidence / 2 - 1 : 1) << 24;
}

/* The slots of the four memories for a pixel whose neighbours are known. */
FF_INLINE void find_memories(ff_pixel_model *model, const uint32_t *at, const uint32_t *base, uint32_t *slots[FF_MEMORIES]) {
    const uint32_t *k = model->keys, *up = at - FF_WINDOW_PITCH, *upper = up - FF_WINDOW_PITCH;
    uint32_t hashes[FF_MEMORIES];
    const uint32_t two = at[-1] * k[0] + up[0] * k[1];
    hashes[2] = two + up[1] * k[2] + up[-1] * k[3];
    hashes[1] = hashes[2] + at[-2] * k[4] + upper[0] * k[5];
    hashes[0] = hashes[1] + at[-3] * k[6] + upper[1] * k[7] + upper[-1] * k[8] + up[-2] * k[9] + up[2] * k[10];
    hashes[3] = two + base[0] * k[11] + base[-1] * k[12] + base[1] * k[13] + base[FF_BASE_PITCH] * k[14];
    for (uint32_t i = 0; i < FF_MEMORIES; i++)
        slots[i] = &model->memories[i][(hashes[i] ^ hashes[i] >> 15) * k[15] >> (32 - FF_MEMORY_BITS)];
}

/* Codes a pixel by guesses; returns the number of the right one and stores the colour, or returns FF_GUESSES. */
FF_INLINE uint32_t code_guesses(ff_pixel_model *model, const coder *c, const uint32_t *at, const uint32_t *base,
                                const uint8_t *ways, const uint8_t *ways_above, uint32_t literals,
                                uint32_t *const slots[FF_MEMORIES], uint32_t *pixel) {
    const uint32_t *up = at - FF_WINDOW_PITCH;
    const uint32_t w = at[-1], n = up[0], ne = up[1], nw = up[-1], t = base[0];
    const uint32_t still = (uint32_t)(w == base[-1]) | (uint32_t)(n == base[-(ptrdiff_t)FF_BASE_PITCH]) << 1 |
                           (uint32_t)(ne == base[1 - (ptrdiff_t)FF_BASE_PITCH]) << 2 |
                           (uint32_t)(nw == base[-1 - (ptrdiff_t)FF_BASE_PITCH]) << 3;
    const uint32_t equal = (uint32_t)(w == n) | (uint32_t)(w == nw) << 1 | (uint32_t)(n == ne) << 2 |
                           (uint32_t)(n == nw) << 3 | (uint32_t)(w == at[-2]) << 4;
    const uint32_t near_ways = ways[-1] | (uint32_t)ways_above[0] << 2 | (uint32_t)ways_above[1] << 4 |
                               (uint32_t)ways_above[-1] << 6 | (uint32_t)ways[-2] << 8 | (uint32_t)(still == 15) << 10;
    question q = {.literals = literals};
    uint32_t remembered[FF_MEMORIES];
    for (uint32_t i = 0; i < FF_MEMORIES; i++) {
        q.confidence[i] = *slots[i] >> 24;
        remembered[i] = q.confidence[i] > 0 ? *slots[i] | FF_OPAQUE : NO_COLOUR;
    }
#define IF(condition, colour) ((condition) ? (colour) : NO_COLOUR)
    const uint32_t candidates[] = {
        IF(q.confidence[0] >= CONFIDENT, remembered[0]),
        IF(q.confidence[3] >= CONFIDENT, remembered[3]),
        IF(q.confidence[1] >= CONFIDENT, remembered[1]),
        remembered[0],
        remembered[1],
        IF(q.confidence[2] >= 2, remembered[2]),
        IF((still & 3) == 3, t),
        w,
        n,
        ne,
        nw,
        remembered[3],
        remembered[2],
        t,
    };
#undef IF
    uint32_t asked[FF_GUESSES] = {NO_COLOUR, NO_COLOUR, NO_COLOUR};
    uint32_t next = 0;
    for (q.rank = 0; q.rank < FF_GUESSES; q.rank++) {
        uint32_t colour = NO_COLOUR;
        for (; next < sizeof candidates / sizeof *candidates; next++) {
            colour = candidates[next];
            if (colour != NO_COLOUR && colour != asked[0] && colour != asked[1])
                break;
        }
        if (next == sizeof candidates / sizeof *candidates)
            return FF_GUESSES;
        asked[q.rank] = colour;
        for (uint32_t i = 0; i < FF_MEMORIES; i++)
            q.agree[i] = remembered[i] == colour;
        const uint32_t neighbours = (uint32_t)(w == colour) | (uint32_t)(n == colour) << 1 | (uint32_t)(ne == colour) << 2 |
                                    (uint32_t)(nw == colour) << 3;
        const uint32_t stays = t == colour;
        q.votes = q.agree[0] | q.agree[1] << 1 | q.agree[3] << 2 | stays << 3 | q.agree[2] << 4 | neighbours << 5;
        q.pattern = equal | neighbours << 5 | (still & 3) << 9 | stays << 11;
        q.ways = near_ways | stays << 11;
        if (code_guess(model, c, &q, colour == *pixel)) {
            *pixel = colour;
            return q.rank;
        }
    }
    return FF_GUESSES;
}

/* ---- Spans ---- */

/* Codes that FF_SPAN pixels go on as the row above says, where it says something; returns whether they do. */
FF_INLINE uint32_t code_span(ff_pixel_model *model, const coder *c, uint32_t *at, const uint32_t *base, const uint32_t *pixels) {
    const uint32_t *up = at - FF_WINDOW_PITCH, *base_up = base - FF_BASE_PITCH;
    const uint32_t w = at[-1];
    uint32_t moving = w ^ base[-1], uneven = 0, base_uneven = 0, wrong = 0;
    for (int i = -1; i <= (int)FF_SPAN; i++) {
        moving |= up[i] ^ base_up[i];
        uneven |= up[i] ^ w;
    }
    if (moving && uneven)
        return 0;
    for (uint32_t i = 0; i < FF_SPAN; i++)
        base_uneven |= base[i] ^ w;
    if (c->decoder == NULL) {
        for (uint32_t i = 0; i < FF_SPAN; i++)
            wrong |= pixels[i] ^ (moving ? w : base[i]);
    }
    uint16_t *probability = &model->spans[(uint32_t)!moving << 4 | (uint32_t)!uneven << 3 | (uint32_t)!base_uneven << 2 |
                                          model->last_spans];
    const uint32_t right = code_bit(c, *probability, !wrong);
    learn(probability, right, SPAN_RATE);
    model->last_spans = (model->last_spans << 1 | right) & 3;
    if (right)
        for (uint32_t i = 0; i < FF_SPAN; i++)
            at[i] = moving ? w : base[i];
    return right;
}

/* ---- Boxes ---- */

FF_INLINE void forget_errors(ff_model_row *row, uint32_t x, uint32_t count) {
    for (int i = 0; i < 3; i++) {
        memset(row->errors[i][x], 0, count * FF_PREDICTORS);
        memset(row->misses[i] + x, 0, count);
    }
}

/* Before the first pixel of a row stands what was above it, after the last pixel of the row above what was last. */
FF_INLINE void extend_rows(ff_model_row *above, ff_model_row *row, uint32_t width) {
    for (int i = 0; i < 3; i++) {
        for (uint32_t x = FF_MARGIN - 2; x < FF_MARGIN; x++) {
            memcpy(row->errors[i][x], above->errors[i][FF_MARGIN], FF_PREDICTORS);
            row->misses[i][x] = above->misses[i][FF_MARGIN];
        }
        memcpy(above->errors[i][FF_MARGIN + width], above->errors[i][FF_MARGIN + width - 1], FF_PREDICTORS);
        above->misses[i][FF_MARGIN + width] = above->misses[i][FF_MARGIN + width - 1];
    }
}

FF_INLINE void code_box(ff_pixel_model *model, const coder c, const uint32_t *tile, ff_box box, const variant *v) {
    memset(model->rows, 0, sizeof model->rows);
    for (uint32_t y = 0; y < box.height; y++) {
        ff_model_row *row = &model->rows[y & 1], *above = &model->rows[~y & 1];
        uint32_t *at = ff_model_window_at(model, (int32_t)box.x, (int32_t)(box.y + y));
        const uint32_t *base = model->base + (box.y + y + 1) * FF_BASE_PITCH + box.x + 1;
        const uint32_t *pixels = tile == NULL ? NULL : tile + (box.y + y) * FF_TILE + box.x;
        extend_rows(above, row, box.width);
        for (uint32_t x = 0; x < box.width; x++, at++, base++) {
            const uint32_t column = FF_MARGIN + x;
            if (x + FF_SPAN <= box.width && code_span(model, &c, at, base, pixels == NULL ? NULL : pixels + x)) {
                memset(row->ways + column, 0, FF_SPAN);
                forget_errors(row, column, FF_SPAN);
                x += FF_SPAN - 1;
                at += FF_SPAN - 1;
                base += FF_SPAN - 1;
                continue;
            }
            const uint8_t *ways = row->ways + column, *ways_above = above->ways + column;
            const uint32_t literals = (uint32_t)(ways[-1] == FF_GUESSES) + (ways_above[0] == FF_GUESSES) +
                                      (ways_above[1] == FF_GUESSES) + (ways_above[-1] == FF_GUESSES);
            const uint32_t *up = at - FF_WINDOW_PITCH, *base_up = base - FF_BASE_PITCH;
            const surroundings s = {at[-1], up[0], up[-1], up[1], up[1 - (ptrdiff_t)FF_WINDOW_PITCH],
                                    base[0], base[-1], base_up[0], base_up[-1]};
            uint32_t pixel = c.decoder == NULL ? pixels[x] : NO_COLOUR, way = FF_GUESSES;
            if (literals < 3) {
                uint32_t *slots[FF_MEMORIES];
                find_memories(model, at, base, slots);
                way = code_guesses(model, &c, at, base, ways, ways_above, literals, slots, &pixel);
                if (way == FF_GUESSES)
                    pixel = code_literal(model, &c, &s, above, row, column, pixel, v);
                else
                    forget_errors(row, column, 1);
                for (uint32_t i = 0; i < FF_MEMORIES; i++)
                    remember(slots[i], pixel);
            } else {
                pixel = code_literal(model, &c, &s, above, row, column, pixel, v);
                if (pixel == s.w || pixel == s.n || pixel == s.ne || pixel == s.nw || pixel == s.t)
                    way = 1;
            }
            row->ways[column] = (uint8_t)way;
            *at = pixel;
        }
    }
}

void ff_encode_box_scalar(ff_pixel_model *model, ff_range_encoder *coder_, const uint32_t *tile, ff_box box) {
    code_box(model, (coder){coder_, NULL}, tile, box, &scalar_variant);
}

void ff_decode_box_scalar(ff_pixel_model *model, ff_range_decoder *coder_, ff_box box) {
    code_box(model, (coder){NULL, coder_}, NULL, box, &scalar_variant);
}

#ifdef FF_HAVE_AVX2

FF_INLINE FF_AVX2 uint32_t pick_three_avx2(uint16_t *sums, uint32_t *picked) {
    __m128i left = _mm_loadu_si128((const __m128i *)sums);
    const __m128i lanes = _mm_set_epi16(7, 6, 5, 4, 3, 2, 1, 0);
    uint32_t smallest = 0;
    for (uint32_t n = 0; n < 3; n++) {
        const __m128i found = _mm_minpos_epu16(left); /* the smallest and its lane: of equal ones the first */
        picked[n] = (uint32_t)_mm_extract_epi16(found, 1);
        if (n == 0)
            smallest = (uint32_t)_mm_extract_epi16(found, 0);
        left = _mm_or_si128(left, _mm_cmpeq_epi16(lanes, _mm_set1_epi16((short)picked[n])));
    }
    return smallest;
}

FF_INLINE FF_AVX2 void clamp_all_avx2(int16_t *predictions) {
    const __m128i p = _mm_loadu_si128((const __m128i *)predictions);
    _mm_storeu_si128((__m128i *)predictions, _mm_max_epi16(_mm_min_epi16(p, _mm_set1_epi16(255)), _mm_setzero_si128()));
}

FF_INLINE FF_AVX2 void measure_avx2(const int16_t *predictions, int16_t value, uint8_t *errors) {
    const __m128i p = _mm_loadu_si128((const __m128i *)predictions);
    const __m128i distance = _mm_abs_epi16(_mm_sub_epi16(p, _mm_set1_epi16(value)));
    _mm_storel_epi64((__m128i *)errors, _mm_packus_epi16(distance, distance));
}

FF_INLINE FF_AVX2 void add_classes_avx2(const uint16_t *a, const uint16_t *b, uint16_t *sums) {
    _mm256_storeu_si256((__m256i *)sums, _mm256_add_epi16(_mm256_loadu_si256((const __m256i *)a),
                                                          _mm256_loadu_si256((const __m256i *)b)));
}

FF_INLINE FF_AVX2 uint32_t find_class_avx2(const uint16_t *sums, uint16_t share) {
    const __m256i all = _mm256_loadu_si256((const __m256i *)sums), limit = _mm256_set1_epi16((short)share);
    const __m256i reached = _mm256_cmpeq_epi16(_mm256_min_epu16(all, limit), all); /* the first always is */
    return (uint32_t)__builtin_popcount((uint32_t)_mm256_movemask_epi8(reached)) / 2 - 1;
}

FF_INLINE FF_AVX2 void learn_class_avx2(uint16_t *a, uint16_t *b, uint32_t symbol) {
    const __m256i lanes = _mm256_set_epi16(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    const __m256i above = _mm256_cmpgt_epi16(lanes, _mm256_set1_epi16((short)symbol));
    const __m256i floors = _mm256_mullo_epi16(lanes, _mm256_set1_epi16(CLASS_FLOOR));
    const __m256i rest = _mm256_set1_epi16((short)(CLASS_TOTAL - FF_CLASSES * CLASS_FLOOR));
    const __m256i target = _mm256_add_epi16(floors, _mm256_and_si256(above, rest));
    for (int i = 0; i < 2; i++) {
        __m256i *classes = (__m256i *)(i ? b : a);
        const __m256i old = _mm256_loadu_si256(classes);
        _mm256_storeu_si256(classes, _mm256_add_epi16(old, _mm256_srai_epi16(_mm256_sub_epi16(target, old), CLASS_RATE)));
    }
}

static const variant avx2_variant = {
    clamp_all_avx2, measure_avx2, pick_three_avx2, add_classes_avx2, find_class_avx2, learn_class_avx2,
};

FF_AVX2 void ff_encode_box_avx2(ff_pixel_model *model, ff_range_encoder *coder_, const uint32_t *tile, ff_box box) {
    code_box(model, (coder){coder_, NULL}, tile, box, &avx2_variant);
}

FF_AVX2 void ff_decode_box_avx2(ff_pixel_model *model, ff_range_decoder *coder_, ff_box box) {
    code_box(model, (coder){NULL, coder_}, NULL, box, &avx2_variant);
}

#endif
