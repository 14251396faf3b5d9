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
/* Bias is learned in 256ths of a sixteenth. */
#define MAX_BIAS_STEP 255

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

/* A residual, folded to 0 to 255: its class, then the bits that tell it from others of the class. */
FF_INLINE uint32_t code_residual_scalar(uint16_t *a, uint16_t *b, const coder *c, uint32_t folded) {
    uint32_t bits = 0;
    if (c->decoder == NULL && folded >= FIRST_WIDE) {
        bits = 2;
        while (folded >= first_of_class(bits + 1))
            bits++;
    }
    const uint32_t symbol = code_class_scalar(a, b, c, bits > 0 ? bits + 8 : folded);
    if (symbol < FIRST_WIDE)
        return symbol;
    bits = symbol - 8;
    if (c->decoder != NULL)
        return (first_of_class(bits) + ff_range_decode_bits(c->decoder, bits)) & 255;
    ff_range_encode_bits(c->encoder, folded - first_of_class(bits), bits);
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

FF_INLINE uint32_t fold(int32_t residual) {
    const uint32_t byte = (uint32_t)residual & 255;
    return byte < 128 ? 2 * byte : 2 * (255 - byte) + 1;
}

FF_INLINE int32_t unfold(uint32_t folded) { return (int32_t)(folded & 1 ? 255 - folded / 2 : folded / 2); }

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

#endif
