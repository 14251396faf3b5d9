/* Literals of the pixel model: channels predicted from their surroundings, residuals in classes and raw bits. */
#ifndef FF_MODEL_LITERALS_H
#define FF_MODEL_LITERALS_H

#include "model_coder.h"

/* How fast distributions follow: the difference is divided by 2 to this power. Measured on recorded desktops: with 4 photos take 2 %
 * more bytes, with 6 text 1 %. */
#define CLASS_RATE 5
/* Cumulative distributions of classes end at this; each class keeps CLASS_FLOOR of it. */
#define CLASS_TOTAL 32768
#define CLASS_FLOOR 8
/* Bias is learned in 256ths of a sixteenth: within 128 times twice this, which fits 16 bits. */
#define MAX_BIAS_STEP 127

FF_INLINE int32_t clamp(int32_t value) { return value < 0 ? 0 : value > 255 ? 255 : value; }

FF_INLINE int32_t median(int32_t left, int32_t up, int32_t corner) {
    const int32_t low = left < up ? left : up, high = left < up ? up : left;
    const int32_t gradient = left + up - corner;
    return gradient < low ? low : gradient > high ? high : gradient;
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

FF_INLINE void learn_class_scalar(uint16_t *a, uint16_t *b, uint32_t symbol) {
    for (uint32_t i = 0; i < FF_CLASSES; i++) {
        const int32_t target = (int32_t)(i <= symbol ? i * CLASS_FLOOR : CLASS_TOTAL - (FF_CLASSES - i) * CLASS_FLOOR);
        a[i] = (uint16_t)(a[i] + ((target - a[i]) >> CLASS_RATE));
        b[i] = (uint16_t)(b[i] + ((target - b[i]) >> CLASS_RATE));
    }
}

/* The class of a residual by the sum of two distributions. */
FF_INLINE uint32_t code_class_scalar(uint16_t *a, uint16_t *b, const coder *c, uint32_t symbol) {
    uint16_t sums[FF_CLASSES + 1];
    for (uint32_t i = 0; i < FF_CLASSES; i++)
        sums[i] = (uint16_t)(a[i] + b[i]);
    sums[FF_CLASSES] = 0; /* 65536 */
    if (c->decoder != NULL) {
        const uint32_t share = ff_range_share(c->decoder);
        symbol = 0;
        while (symbol + 1 < FF_CLASSES && sums[symbol + 1] <= share)
            symbol++;
        ff_range_decode(c->decoder, sums[symbol], (uint16_t)(sums[symbol + 1] - sums[symbol]));
    } else {
        ff_range_encode(c->encoder, sums[symbol], (uint16_t)(sums[symbol + 1] - sums[symbol]));
    }
    learn_class_scalar(a, b, symbol);
    return symbol;
}

/* Classes from FIRST_WIDE on hold several residuals: 4, 8, 16 and so on, told apart by raw bits. */
#define FIRST_WIDE 10u

FF_INLINE uint32_t first_of_class(uint32_t bits) { return 6 + (1u << bits); }

/* How a residual is coded: its class, and `bits` raw bits, which say `rest`. */
typedef struct residual_code {
    uint32_t symbol, bits, rest;
} residual_code;

/* The class of a folded residual, and the raw bits. */
FF_INLINE residual_code code_of_residual(uint32_t folded) {
    residual_code code = {.symbol = folded};
    if (folded < FIRST_WIDE)
        return code;
    code.bits = 2;
    while (folded >= first_of_class(code.bits + 1))
        code.bits++;
    code.symbol = code.bits + 8;
    code.rest = folded - first_of_class(code.bits);
    return code;
}

/* A residual, folded to 0 to 255: its class, then the bits that tell it from others of the class. */
FF_INLINE uint32_t code_residual_scalar(uint16_t *a, uint16_t *b, const coder *c, uint32_t folded) {
    const residual_code code = code_of_residual(c->decoder == NULL ? folded : 0);
    const uint32_t symbol = code_class_scalar(a, b, c, code.symbol), bits = symbol - 8;
    if (symbol < FIRST_WIDE)
        return symbol;
    if (c->decoder != NULL)
        return (first_of_class(bits) + ff_range_decode_bits(c->decoder, bits)) & 255;
    ff_range_encode_bits(c->encoder, code.rest, bits);
    return folded;
}

static const uint8_t SHIFTS[3] = {8, 0, 16}; /* G, B, R */

FF_INLINE int32_t channel(uint32_t pixel, int i) { return (int32_t)(pixel >> SHIFTS[i] & 255); }

/* The neighbours of a pixel, and of its place in the base. */
typedef struct surroundings {
    uint32_t w, n, nw, ne, nne, t, tw, tn, tnw;
} surroundings;

FF_INLINE surroundings look_around(const uint32_t *at, const uint32_t *base) {
    const uint32_t *up = at - FF_WINDOW_PITCH, *upper = up - FF_WINDOW_PITCH, *base_up = base - FF_BASE_PITCH;
    return (surroundings){at[-1], up[0], up[-1], up[1], upper[1], base[0], base[-1], base_up[0], base_up[-1]};
}

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

/* A residual modulo 256: small ones of either sign become small numbers, 0, -1, 1, -2 and so on. Its sign cannot be foreseen, so there
 * is no branch on it. */
FF_INLINE uint32_t fold(int32_t residual) {
    const uint32_t byte = (uint32_t)residual & 255;
    return (byte << 1 & 255) ^ ((0 - (byte >> 7)) & 255);
}

FF_INLINE int32_t unfold(uint32_t folded) { return (int32_t)((folded >> 1) ^ ((0 - (folded & 1)) & 255)); }

/* How a channel's errors went, from which all that follows is chosen. */
FF_INLINE uint32_t second_context(const ff_pixel_model *model, int i, uint32_t steepness, uint32_t smallest,
                                  const uint32_t *misses) {
    const uint8_t *levels = model->levels;
    return i == 0   ? levels[2 * steepness] * FF_LEVELS + levels[smallest]
           : i == 1 ? levels[3 * misses[0]] * FF_LEVELS + levels[smallest]
                    : levels[3 * misses[0]] * FF_LEVELS + levels[3 * misses[1]];
}

/* `error` is in sixteenths. */
FF_INLINE void learn_bias(int16_t *bias, int32_t error) {
    const int32_t step = error > MAX_BIAS_STEP ? MAX_BIAS_STEP : error < -MAX_BIAS_STEP ? -MAX_BIAS_STEP : error;
    *bias = (int16_t)(*bias + 2 * step - (*bias >> 7));
}

/* Codes a pixel by residuals and returns it. `above` and `here` point at the errors of the pixel above and of this one. */
FF_INLINE uint32_t code_literal_scalar(ff_pixel_model *model, const coder *c, const uint32_t *at, const uint32_t *base,
                                       const ff_model_errors *above, ff_model_errors *here, uint32_t pixel) {
    const surroundings s = look_around(at, base);
    const ff_model_errors *near[5] = {above, here - 1, above - 1, above + 1, here - 2};
    int32_t values[3] = {channel(pixel, 0), channel(pixel, 1), channel(pixel, 2)};
    uint32_t misses[3] = {0};
    const int32_t w = channel(s.w, 0), n = channel(s.n, 0), nw = channel(s.nw, 0);
    const uint32_t steepness = (uint32_t)(abs(w - nw) + abs(n - nw) + abs(n - channel(s.ne, 0)));
    for (int i = 0; i < 3; i++) {
        int16_t p[FF_PREDICTORS];
        uint16_t sums[FF_PREDICTORS];
        uint32_t picked[3], noise = 0;
        if (i == 0)
            predict_green(&s, p);
        else
            predict_other(&s, i, values[0], values[1], p);
        for (uint32_t k = 0; k < FF_PREDICTORS; k++) {
            p[k] = (int16_t)clamp(p[k]);
            sums[k] = 0;
        }
        for (uint32_t j = 0; j < 5; j++) { /* the first two are nearest */
            for (uint32_t k = 0; k < FF_PREDICTORS; k++)
                sums[k] = (uint16_t)(sums[k] + near[j]->predictors[i][k] * (j < 2 ? 2 : 1));
            noise += near[j]->misses[i] * (j < 2 ? 2u : 1u);
        }
        const uint32_t smallest = pick_three_scalar(sums, picked);
        const int32_t mean = 8 * p[picked[0]] + 4 * (p[picked[1]] + p[picked[2]]); /* in sixteenths */
        const uint32_t level = model->levels[noise];
        const uint32_t sides = (uint32_t)(16 * channel(s.w, i) > mean) | (uint32_t)(16 * channel(s.n, i) > mean) << 1 |
                               (uint32_t)(16 * channel(s.t, i) > mean) << 2;
        int16_t *bias = &model->biases[i][level / 2][sides];
        const int32_t corrected = mean + (*bias >> 8) + 8;
        const int32_t prediction = clamp(corrected >> 4);
        uint16_t *a = model->classes[i][0][level * 4 + ((uint32_t)corrected >> 2 & 3)];
        uint16_t *b = model->classes[i][1][second_context(model, i, steepness, smallest, misses)];
        const uint32_t folded = code_residual_scalar(a, b, c, fold(values[i] - prediction));
        if (c->decoder != NULL)
            values[i] = (prediction + unfold(folded)) & 255;
        learn_bias(bias, 16 * values[i] - mean);
        misses[i] = (uint32_t)abs(values[i] - prediction);
        here->misses[i] = (uint8_t)misses[i];
        for (uint32_t k = 0; k < FF_PREDICTORS; k++)
            here->predictors[i][k] = (uint8_t)abs(values[i] - p[k]);
    }
    return FF_OPAQUE | (uint32_t)values[1] | (uint32_t)values[0] << 8 | (uint32_t)values[2] << 16;
}

#ifdef FF_HAVE_AVX2

/* Bytes of shuffles that widen channels to 16 bits, pixels beginning at byte `o`. A pixel has four lanes here: B - G, G, R - G and
 * R - B: PLUS less MINUS. */
#define ZERO (-128)
#define PLUS(o) (o), ZERO, (o) + 1, ZERO, (o) + 2, ZERO, (o) + 2, ZERO
#define MINUS(o) (o) + 1, ZERO, ZERO, ZERO, (o) + 1, ZERO, (o), ZERO
#define PLAIN(o) (o), ZERO, (o) + 1, ZERO, (o) + 2, ZERO, ZERO, ZERO
#define NOTHING ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO
/* One channel of a pixel in eight lanes. */
#define EIGHT(o) (o), ZERO, (o), ZERO, (o), ZERO, (o), ZERO, (o), ZERO, (o), ZERO, (o), ZERO, (o), ZERO

FF_INLINE FF_AVX2 __m128i load_pixels_avx2(const uint32_t *pixels) { return _mm_loadu_si128((const __m128i *)pixels); }

/* Neighbours of which two are wanted, without what may lie beyond the array. */
FF_INLINE FF_AVX2 __m128i load_two_avx2(const uint32_t *pixels) { return _mm_loadl_epi64((const __m128i *)pixels); }

FF_INLINE FF_AVX2 __m128i median_avx2(__m128i left, __m128i up, __m128i gradient) {
    return _mm_max_epi16(_mm_min_epi16(left, up), _mm_min_epi16(gradient, _mm_max_epi16(left, up)));
}

/* All that can be said of a literal before any of its channels is known; by channel: G, B, R. */
typedef struct literal_avx2 {
    __m128i predictions[3]; /* of eight predictors, without what is added of other channels, not clamped */
    __m128i shares[3];      /* what each predictor has of the mean, in quarters */
    __m128i around[3];      /* w, n, t in sixteenths */
    uint32_t smallest[2], levels[3], steepness;
} literal_avx2;

/* As predict_green and predict_other do. The lower four lanes hold the parts of pixels, the upper four how they differ from the base. */
FF_INLINE FF_AVX2 void predict_avx2(const uint32_t *at, const uint32_t *base, literal_avx2 *l) {
#define PARTS(pixels, o)                                                                                                    \
    _mm_sub_epi16(_mm_shuffle_epi8(pixels, _mm_setr_epi8(PLUS(o), PLUS(o))),                                                 \
                  _mm_shuffle_epi8(pixels, _mm_setr_epi8(MINUS(o), MINUS(o))))
#define UPPER_PARTS(pixels, o)                                                                                              \
    _mm_sub_epi16(_mm_shuffle_epi8(pixels, _mm_setr_epi8(NOTHING, PLUS(o))),                                                     \
                  _mm_shuffle_epi8(pixels, _mm_setr_epi8(NOTHING, MINUS(o))))
#define CHANNELS(pixels, o) _mm_shuffle_epi8(pixels, _mm_setr_epi8(PLAIN(o), NOTHING))
    const uint32_t *up = at - FF_WINDOW_PITCH, *base_up = base - FF_BASE_PITCH;
    const __m128i left = _mm_cvtsi32_si128((int)at[-1]);
    const __m128i above = load_pixels_avx2(up - 1); /* nw, n, ne */
    const __m128i upper = _mm_cvtsi32_si128((int)up[1 - (ptrdiff_t)FF_WINDOW_PITCH]);
    const __m128i then = load_two_avx2(base - 1);          /* tw, t */
    const __m128i then_above = load_two_avx2(base_up - 1); /* tnw, tn */
    const __m128i w = _mm_sub_epi16(PARTS(left, 0), UPPER_PARTS(then, 0));
    const __m128i n = _mm_sub_epi16(PARTS(above, 4), UPPER_PARTS(then_above, 4));
    const __m128i nw = _mm_sub_epi16(PARTS(above, 0), UPPER_PARTS(then_above, 0));
    const __m128i ne = PARTS(above, 8), t = PARTS(then, 4);
    const __m128i gradient = _mm_sub_epi16(_mm_add_epi16(w, n), nw);
    const __m128i medians = median_avx2(w, n, gradient);
    const __m128i w_plain = CHANNELS(left, 0), n_plain = CHANNELS(above, 4), nw_plain = CHANNELS(above, 0);
    const __m128i plain = median_avx2(w_plain, n_plain, _mm_sub_epi16(_mm_add_epi16(w_plain, n_plain), nw_plain));
    const __m128i halves = _mm_srai_epi16(_mm_add_epi16(_mm_add_epi16(w, n), _mm_setr_epi16(1, 0, 1, 0, 0, 0, 0, 0)), 1);
    const __m128i w_ne = _mm_add_epi16(w, ne), w_ne_half = _mm_srai_epi16(_mm_add_epi16(w_ne, _mm_set1_epi16(1)), 1);
    const __m128i steps = _mm_add_epi16(_mm_srli_si128(halves, 8), t);
    /* The eight predictors, each for B, G, R. Lane 1 is of G, which has some of its own. */
    const __m128i p1 = _mm_blend_epi16(halves, _mm_sub_epi16(w_ne, n), 2);
    const __m128i p3 = _mm_blend_epi16(plain, _mm_sub_epi16(_mm_add_epi16(n, ne), CHANNELS(upper, 0)), 2);
    const __m128i p5 = _mm_add_epi16(_mm_srli_si128(medians, 8), t);
    const __m128i p6 = _mm_blend_epi16(_mm_blend_epi16(CHANNELS(then, 4), steps, 2),
                                       _mm_shufflelo_epi16(medians, _MM_SHUFFLE(3, 3, 1, 0)), 4);
    const __m128i p7 = _mm_blend_epi16(w_ne_half, halves, 2);
    const __m128i p01 = _mm_unpacklo_epi16(medians, p1), p23 = _mm_unpacklo_epi16(gradient, p3);
    const __m128i p45 = _mm_unpacklo_epi16(t, p5), p67 = _mm_unpacklo_epi16(p6, p7);
    const __m128i low = _mm_unpacklo_epi32(p01, p23), high = _mm_unpacklo_epi32(p45, p67);
    l->predictions[0] = _mm_unpackhi_epi64(low, high);
    l->predictions[1] = _mm_unpacklo_epi64(low, high);
    l->predictions[2] = _mm_unpacklo_epi64(_mm_unpackhi_epi32(p01, p23), _mm_unpackhi_epi32(p45, p67));

    const __m128i nearest = _mm_blend_epi16(_mm_unpacklo_epi32(left, _mm_srli_si128(above, 4)), _mm_slli_si128(then, 4), 0xf0);
#define SIXTEENTHS(o)                                                                                                       \
    _mm_slli_epi32(_mm_shuffle_epi8(nearest, _mm_setr_epi8((o), ZERO, ZERO, ZERO, (o) + 4, ZERO, ZERO, ZERO, (o) + 8, ZERO,  \
                                                           ZERO, ZERO, ZERO, ZERO, ZERO, ZERO)), 4)
    l->around[0] = SIXTEENTHS(1);
    l->around[1] = SIXTEENTHS(0);
    l->around[2] = SIXTEENTHS(2);
    /* abs(w - nw), abs(n - nw), abs(n - ne) of G */
    l->steepness = (uint32_t)(abs(channel(at[-1], 0) - channel(up[-1], 0)) + abs(channel(up[0], 0) - channel(up[-1], 0)) +
                              abs(channel(up[0], 0) - channel(up[1], 0)));
#undef SIXTEENTHS
#undef CHANNELS
#undef UPPER_PARTS
#undef PARTS
}

/* Gives the best predictor two shares of four, the next two one. `keys` are different: sums with the lane in the lowest bits. */
FF_INLINE FF_AVX2 __m128i share_avx2(__m128i keys, uint32_t *smallest) {
    const __m128i first_word = _mm_set1_epi16(0x0100);
    __m128i found = _mm_minpos_epu16(keys);
    *smallest = (uint32_t)_mm_cvtsi128_si32(found) >> 3 & (UINT16_MAX >> 3);
    const __m128i best = _mm_cmpeq_epi16(keys, _mm_shuffle_epi8(found, first_word));
    keys = _mm_or_si128(keys, best);
    for (int i = 0; i < 2; i++) {
        found = _mm_minpos_epu16(keys);
        keys = _mm_or_si128(keys, _mm_cmpeq_epi16(keys, _mm_shuffle_epi8(found, first_word)));
    }
    return _mm_sub_epi16(_mm_srli_epi16(keys, 15), best); /* only what was found has the highest bit */
}

FF_INLINE FF_AVX2 void weigh_errors_avx2(const ff_pixel_model *model, const ff_model_errors *above, const ff_model_errors *here,
                                         literal_avx2 *l) {
    __m256i sums[2]; /* G and B, R and the misses */
    for (int i = 0; i < 2; i++) {
#define ERRORS(of) _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(of) + i))
        const __m256i nearest = _mm256_add_epi16(ERRORS(above), ERRORS(here - 1));
        const __m256i others = _mm256_add_epi16(_mm256_add_epi16(ERRORS(above - 1), ERRORS(above + 1)), ERRORS(here - 2));
        sums[i] = _mm256_add_epi16(_mm256_add_epi16(nearest, nearest), others);
#undef ERRORS
    }
    const __m256i lanes = _mm256_set_epi16(7, 6, 5, 4, 3, 2, 1, 0, 7, 6, 5, 4, 3, 2, 1, 0);
    const __m256i first = _mm256_or_si256(_mm256_slli_epi16(sums[0], 3), lanes);
    const __m256i second = _mm256_or_si256(_mm256_slli_epi16(sums[1], 3), lanes);
    uint32_t unused;
    l->shares[0] = share_avx2(_mm256_castsi256_si128(first), &l->smallest[0]);
    l->shares[1] = share_avx2(_mm256_extracti128_si256(first, 1), &l->smallest[1]);
    l->shares[2] = share_avx2(_mm256_castsi256_si128(second), &unused);
    const uint64_t noises = (uint64_t)_mm_cvtsi128_si64(_mm256_extracti128_si256(sums[1], 1));
#pragma GCC unroll 3
    for (int i = 0; i < 3; i++)
        l->levels[i] = model->levels[noises >> (16 * i) & UINT16_MAX];
}

#define RISE (CLASS_TOTAL - FF_CLASSES * CLASS_FLOOR)

FF_INLINE FF_AVX2 void learn_class_avx2(uint16_t *a, uint16_t *b, uint32_t symbol) {
    static const uint16_t STEP[2 * FF_CLASSES] = { /* read from 15 - symbol on: the rise comes after the class */
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        RISE, RISE, RISE, RISE, RISE, RISE, RISE, RISE, RISE, RISE, RISE, RISE, RISE, RISE, RISE, RISE,
    };
    const __m256i floors = _mm256_setr_epi16(0, 8, 16, 24, 32, 40, 48, 56, 64, 72, 80, 88, 96, 104, 112, 120); /* CLASS_FLOOR each */
    const __m256i target = _mm256_add_epi16(floors, _mm256_loadu_si256((const __m256i *)(STEP + FF_CLASSES - 1 - symbol)));
    for (int i = 0; i < 2; i++) {
        __m256i *classes = (__m256i *)(i ? b : a);
        const __m256i old = _mm256_loadu_si256(classes);
        _mm256_storeu_si256(classes, _mm256_add_epi16(old, _mm256_srai_epi16(_mm256_sub_epi16(target, old), CLASS_RATE)));
    }
}

#undef RISE

FF_INLINE FF_AVX2 uint32_t find_class_avx2(__m256i sums, uint32_t share) {
    const __m256i limit = _mm256_set1_epi16((short)share);
    const __m256i reached = _mm256_cmpeq_epi16(_mm256_min_epu16(sums, limit), sums); /* a mask of the lowest lanes; the first always is */
    return 15 - ((uint32_t)__builtin_clz((uint32_t)_mm256_movemask_epi8(reached)) >> 1);
}

/* Where the share of a class begins, in the lower half, and where the next begins, in the upper half. Of the last class that is where
 * the following distribution begins: 0, or 65536. */
FF_INLINE uint32_t bounds_of_class(const uint16_t *a, const uint16_t *b, uint32_t symbol) {
    uint32_t of_a, of_b;
    memcpy(&of_a, a + symbol, sizeof of_a);
    memcpy(&of_b, b + symbol, sizeof of_b);
    return of_a + of_b; /* the sums of two are below 65536 */
}

/* Decodes a residual, modulo 256. */
FF_INLINE FF_AVX2 int32_t decode_residual_avx2(uint16_t *a, uint16_t *b, ff_range_decoder *decoder) {
    const __m256i sums = _mm256_add_epi16(_mm256_loadu_si256((const __m256i *)a), _mm256_loadu_si256((const __m256i *)b));
    const uint32_t symbol = find_class_avx2(sums, ff_range_share(decoder));
    const uint32_t bounds = bounds_of_class(a, b, symbol), first = bounds & UINT16_MAX;
    ff_range_decode(decoder, first, ((bounds >> 16) - first) & UINT16_MAX);
    learn_class_avx2(a, b, symbol);
    return unfold(symbol < FIRST_WIDE ? symbol : (first_of_class(symbol - 8) + ff_range_decode_bits(decoder, symbol - 8)) & 255);
}

/* The decoder's; the encoder has passes of its own, see model_rows.h. */
FF_INLINE FF_AVX2 uint32_t code_literal_avx2(ff_pixel_model *model, const coder *c, const uint32_t *at, const uint32_t *base,
                                             const ff_model_errors *above, ff_model_errors *here, uint32_t pixel) {
    /* What is added to predictions: G, but in lane 3, and B in lane 6 of R. */
    const __m128i additions[3] = {
        _mm_setr_epi8(NOTHING, NOTHING),
        _mm_setr_epi8(1, ZERO, 1, ZERO, 1, ZERO, ZERO, ZERO, 1, ZERO, 1, ZERO, ZERO, ZERO, 1, ZERO),
        _mm_setr_epi8(1, ZERO, 1, ZERO, 1, ZERO, ZERO, ZERO, 1, ZERO, 1, ZERO, 0, ZERO, 1, ZERO),
    };
    literal_avx2 l;
    predict_avx2(at, base, &l);
    weigh_errors_avx2(model, above, here, &l);
    pixel = FF_OPAQUE;
    uint32_t misses[3] = {0}, predicted = 0;
#pragma GCC unroll 3
    for (int i = 0; i < 3; i++) {
        __m128i p = _mm_add_epi16(l.predictions[i], _mm_shuffle_epi8(_mm_cvtsi32_si128((int)pixel), additions[i]));
        p = _mm_max_epi16(_mm_min_epi16(p, _mm_set1_epi16(255)), _mm_setzero_si128());
        l.predictions[i] = p;
        __m128i means = _mm_madd_epi16(p, l.shares[i]);
        means = _mm_add_epi32(means, _mm_shuffle_epi32(means, _MM_SHUFFLE(1, 0, 3, 2)));
        means = _mm_slli_epi32(_mm_add_epi32(means, _mm_shuffle_epi32(means, _MM_SHUFFLE(2, 3, 0, 1))), 2);
        const int32_t mean = _mm_cvtsi128_si32(means);
        const uint32_t sides = (uint32_t)_mm_movemask_ps(_mm_castsi128_ps(_mm_cmpgt_epi32(l.around[i], means)));
        int16_t *bias = &model->biases[i][l.levels[i] / 2][sides];
        const int32_t corrected = mean + (*bias >> 8) + 8;
        const int32_t prediction = clamp(corrected >> 4);
        uint16_t *a = model->classes[i][0][l.levels[i] * 4 + ((uint32_t)corrected >> 2 & 3)];
        uint16_t *b = model->classes[i][1][second_context(model, i, l.steepness, i < 2 ? l.smallest[i] : 0, misses)];
        const int32_t value = (prediction + decode_residual_avx2(a, b, c->decoder)) & 255;
        pixel |= (uint32_t)value << SHIFTS[i];
        learn_bias(bias, 16 * value - mean);
        misses[i] = (uint32_t)abs(value - prediction);
        predicted |= misses[i] << (8 * i);
    }
    const __m128i known = _mm_cvtsi32_si128((int)pixel);
#define FAR(i, o) _mm_abs_epi16(_mm_sub_epi16(l.predictions[i], _mm_shuffle_epi8(known, _mm_setr_epi8(EIGHT(o)))))
    const __m128i green_blue = _mm_packus_epi16(FAR(0, 1), FAR(1, 0)), red = FAR(2, 2);
#undef FAR
    const __m128i red_misses = _mm_unpacklo_epi64(_mm_packus_epi16(red, red), _mm_cvtsi32_si128((int)predicted));
    _mm_storeu_si128((__m128i *)here, green_blue);
    _mm_storeu_si128((__m128i *)here + 1, red_misses);
    return pixel;
}

#endif

#endif
