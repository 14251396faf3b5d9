/* Literals of the pixel model in passes, see model_rows.h: all that does not wait for what is learned, sixteen pixels at a time, and
 * then the symbols. */
#ifndef FF_MODEL_ROW_LITERALS_H
#define FF_MODEL_ROW_LITERALS_H

#include "model_rows.h"
#include "model_literals.h"

#ifdef FF_HAVE_AVX2

/* A row of bytes, one for each pixel, between its neighbours: those of one pixel to the left in channels, of two in errors. Read
 * sixteen at a time. */
#define LANES 16u
#define ROW_BYTES (FF_TILE + LANES)
#define CHANNELS 3u

typedef struct split_row {
    uint8_t of[CHANNELS][ROW_BYTES]; /* G, B, R, of the pixel before the first on */
} split_row;

/* As ff_model_errors, but of a row. */
typedef struct error_row {
    uint8_t predictors[CHANNELS][FF_PREDICTORS][ROW_BYTES];
    uint8_t misses[CHANNELS][ROW_BYTES];
    uint32_t filled; /* not all are zeros; else nothing is stored */
    uint32_t begins; /* with a literal, whose errors then stand before the next row, too */
} error_row;

#define ERRORS_LEFT 2u

/* What literals depend on, by channel and pixel. */
typedef struct literal_row {
    uint8_t predictions[CHANNELS][FF_PREDICTORS][FF_TILE];
    uint16_t means[CHANNELS][FF_TILE], sides[CHANNELS][FF_TILE]; /* means: and 8, in sixteenths; sides: an index of bias */
    int16_t steps[CHANNELS][FF_TILE];                            /* what is added to the bias */
    uint16_t smallest[CHANNELS][FF_TILE], noises[CHANNELS][FF_TILE]; /* noises: of the misses above */
    uint16_t steepness[FF_TILE];
} literal_row;

/* Splits `count` pixels and up to LANES - 1 more. */
FF_INLINE FF_AVX2 void split_pixels(const uint32_t *pixels, uint32_t count, split_row *row) {
    const __m256i by_channel = _mm256_setr_epi8(1, 5, 9, 13, 0, 4, 8, 12, 2, 6, 10, 14, 3, 7, 11, 15, /* for each half */
                                                1, 5, 9, 13, 0, 4, 8, 12, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m256i lanes = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    for (uint32_t x = 0; x < count; x += LANES) {
        const __m256i left = _mm256_loadu_si256((const __m256i *)(pixels + x));
        const __m256i right = _mm256_loadu_si256((const __m256i *)(pixels + x + 8));
        /* eight of G, B, R and X each */
        const __m256i of_left = _mm256_permutevar8x32_epi32(_mm256_shuffle_epi8(left, by_channel), lanes);
        const __m256i of_right = _mm256_permutevar8x32_epi32(_mm256_shuffle_epi8(right, by_channel), lanes);
        const __m256i even = _mm256_unpacklo_epi64(of_left, of_right); /* G and R */
        const __m256i odd = _mm256_unpackhi_epi64(of_left, of_right);  /* B and X */
        _mm_storeu_si128((__m128i *)(row->of[0] + x), _mm256_castsi256_si128(even));
        _mm_storeu_si128((__m128i *)(row->of[1] + x), _mm256_castsi256_si128(odd));
        _mm_storeu_si128((__m128i *)(row->of[2] + x), _mm256_extracti128_si256(even, 1));
    }
}

/* Sixteen bytes in lanes of 16 bits. */
FF_INLINE FF_AVX2 __m256i widen(const uint8_t *bytes) { return _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)bytes)); }

#define ADD(a, b) _mm256_add_epi16(a, b)
#define SUB(a, b) _mm256_sub_epi16(a, b)
#define HALF(a) _mm256_srai_epi16(a, 1)
#define ONE _mm256_set1_epi16(1)

FF_INLINE FF_AVX2 __m256i median_of(__m256i left, __m256i up, __m256i gradient) {
    return _mm256_max_epi16(_mm256_min_epi16(left, up), _mm256_min_epi16(gradient, _mm256_max_epi16(left, up)));
}

/* The pixels around sixteen of a row: one channel of them, or the difference of two. */
typedef struct around {
    __m256i w, n, nw, ne, t, tw, tn, tnw;
} around;

/* The rows that predictions are made of. */
typedef struct split_rows {
    split_row here, up, upper, base, base_up;
} split_rows;

FF_INLINE FF_AVX2 around look_around_row(const split_rows *rows, uint32_t i, uint32_t x) {
    return (around){
        .w = widen(rows->here.of[i] + x),
        .n = widen(rows->up.of[i] + x + 1),
        .nw = widen(rows->up.of[i] + x),
        .ne = widen(rows->up.of[i] + x + 2),
        .t = widen(rows->base.of[i] + x + 1),
        .tw = widen(rows->base.of[i] + x),
        .tn = widen(rows->base_up.of[i] + x + 1),
        .tnw = widen(rows->base_up.of[i] + x),
    };
}

FF_INLINE FF_AVX2 around differences(around a, around b) {
    return (around){SUB(a.w, b.w), SUB(a.n, b.n),   SUB(a.nw, b.nw), SUB(a.ne, b.ne),
                    SUB(a.t, b.t), SUB(a.tw, b.tw), SUB(a.tn, b.tn), SUB(a.tnw, b.tnw)};
}

/* Stores predictions, clamped, and how far off they are where there are literals. */
FF_INLINE FF_AVX2 void store_predictions(const __m256i p[FF_PREDICTORS], __m256i value, __m256i is_literal, uint32_t x,
                                         uint8_t predictions[FF_PREDICTORS][FF_TILE], uint8_t errors[FF_PREDICTORS][ROW_BYTES]) {
    const __m256i values = _mm256_packus_epi16(value, value);
#pragma GCC unroll 4
    for (uint32_t k = 0; k < FF_PREDICTORS; k += 2) {
        const __m256i two = _mm256_packus_epi16(p[k], p[k + 1]);
        __m256i off = _mm256_or_si256(_mm256_subs_epu8(two, values), _mm256_subs_epu8(values, two));
        off = _mm256_permute4x64_epi64(_mm256_and_si256(off, is_literal), _MM_SHUFFLE(3, 1, 2, 0));
        const __m256i clamped = _mm256_permute4x64_epi64(two, _MM_SHUFFLE(3, 1, 2, 0));
        _mm_storeu_si128((__m128i *)(predictions[k] + x), _mm256_castsi256_si128(clamped));
        _mm_storeu_si128((__m128i *)(predictions[k + 1] + x), _mm256_extracti128_si256(clamped, 1));
        _mm_storeu_si128((__m128i *)(errors[k] + ERRORS_LEFT + x), _mm256_castsi256_si128(off));
        _mm_storeu_si128((__m128i *)(errors[k + 1] + ERRORS_LEFT + x), _mm256_extracti128_si256(off, 1));
    }
}

/* As predict_green and predict_other do, for sixteen pixels. */
FF_INLINE FF_AVX2 void predict_sixteen(const split_rows *rows, const uint8_t *literals, uint32_t x, literal_row *l,
                                       error_row *errors) {
    const __m128i flags = _mm_loadu_si128((const __m128i *)(literals + x));
    /* In the order of packing. */
    const __m256i is_literal = _mm256_permute4x64_epi64(_mm256_broadcastsi128_si256(flags), _MM_SHUFFLE(3, 1, 2, 0));
    const around g = look_around_row(rows, 0, x);
    __m256i p[FF_PREDICTORS];
    {
        const __m256i dw = SUB(g.w, g.tw), dn = SUB(g.n, g.tn), dnw = SUB(g.nw, g.tnw), gradient = SUB(ADD(g.w, g.n), g.nw);
        p[0] = median_of(g.w, g.n, gradient);
        p[1] = SUB(ADD(g.w, g.ne), g.n);
        p[2] = gradient;
        p[3] = SUB(ADD(g.n, g.ne), widen(rows->upper.of[0] + x + 2));
        p[4] = g.t;
        p[5] = ADD(g.t, median_of(dw, dn, SUB(ADD(dw, dn), dnw)));
        p[6] = ADD(g.t, HALF(ADD(dw, dn)));
        p[7] = HALF(ADD(g.w, g.n));
        store_predictions(p, widen(rows->here.of[0] + x + 1), is_literal, x, l->predictions[0], errors->predictors[0]);
        const __m256i nearest = ADD(_mm256_abs_epi16(SUB(g.w, g.nw)), _mm256_abs_epi16(SUB(g.n, g.nw)));
        _mm256_storeu_si256((__m256i *)(l->steepness + x), ADD(nearest, _mm256_abs_epi16(SUB(g.n, g.ne))));
    }
    const __m256i green = widen(rows->here.of[0] + x + 1), blue = widen(rows->here.of[1] + x + 1);
    const around b = look_around_row(rows, 1, x);
#pragma GCC unroll 2
    for (uint32_t i = 1; i < CHANNELS; i++) {
        const around own = i == 1 ? b : look_around_row(rows, 2, x), d = differences(own, g);
        const __m256i gradient = SUB(ADD(d.w, d.n), d.nw);
        const __m256i then_w = SUB(d.w, d.tw), then_n = SUB(d.n, d.tn), then_nw = SUB(d.nw, d.tnw);
        p[0] = ADD(green, median_of(d.w, d.n, gradient));
        p[1] = ADD(green, HALF(ADD(ADD(d.w, d.n), ONE)));
        p[2] = ADD(green, gradient);
        p[3] = median_of(own.w, own.n, SUB(ADD(own.w, own.n), own.nw));
        p[4] = ADD(green, d.t);
        p[5] = ADD(p[4], median_of(then_w, then_n, SUB(ADD(then_w, then_n), then_nw)));
        p[6] = own.t;
        if (i == 2) {
            const __m256i w = SUB(own.w, b.w), n = SUB(own.n, b.n), nw = SUB(own.nw, b.nw);
            p[6] = ADD(blue, median_of(w, n, SUB(ADD(w, n), nw)));
        }
        p[7] = ADD(green, HALF(ADD(ADD(d.w, d.ne), ONE)));
        const __m256i value = i == 1 ? blue : widen(rows->here.of[2] + x + 1);
        store_predictions(p, value, is_literal, x, l->predictions[i], errors->predictors[i]);
    }
}

/* Takes the three predictors whose errors around were smallest, for sixteen pixels of a channel. */
FF_INLINE FF_AVX2 void weigh_sixteen(const split_rows *rows, const error_row *above, const error_row *here, uint32_t i, uint32_t x,
                                     literal_row *l) {
#define SUM_AROUND(up, row)                                                                                                 \
    ADD(ADD(_mm256_slli_epi16(ADD(widen((up) + 2 + x), widen((row) + 1 + x)), 1), widen((row) + x)),                          \
        ADD(widen((up) + 1 + x), widen((up) + 3 + x)))
    __m256i keys[FF_PREDICTORS]; /* sums with the predictor's number in the lowest bits: all are different */
    __m256i first = _mm256_set1_epi16(INT16_MAX), second = first, third = first;
#pragma GCC unroll 8
    for (uint32_t k = 0; k < FF_PREDICTORS; k++) {
        const __m256i sum = SUM_AROUND(above->predictors[i][k], here->predictors[i][k]);
        __m256i key = keys[k] = _mm256_or_si256(_mm256_slli_epi16(sum, 3), _mm256_set1_epi16((short)k)), larger;
        larger = _mm256_max_epi16(first, key);
        first = _mm256_min_epi16(first, key);
        key = _mm256_max_epi16(second, larger);
        second = _mm256_min_epi16(second, larger);
        third = _mm256_min_epi16(third, key);
    }
#undef SUM_AROUND
    __m256i mean = _mm256_setzero_si256(), best = mean;
#pragma GCC unroll 8
    for (uint32_t k = 0; k < FF_PREDICTORS; k++) {
        const __m256i p = widen(l->predictions[i][k] + x);
        mean = ADD(mean, _mm256_andnot_si256(_mm256_cmpgt_epi16(keys[k], third), p));
        best = _mm256_or_si256(best, _mm256_and_si256(_mm256_cmpeq_epi16(keys[k], first), p));
    }
    mean = _mm256_slli_epi16(ADD(mean, best), 2);
#define ABOVE_MEAN(value, bit)                                                                                              \
    _mm256_and_si256(_mm256_cmpgt_epi16(_mm256_slli_epi16(value, 4), mean), _mm256_set1_epi16(bit))
    const __m256i sides = ADD(ADD(ABOVE_MEAN(widen(rows->here.of[i] + x), 1), ABOVE_MEAN(widen(rows->up.of[i] + x + 1), 2)),
                              ABOVE_MEAN(widen(rows->base.of[i] + x + 1), 4));
#undef ABOVE_MEAN
    const __m256i off = SUB(_mm256_slli_epi16(widen(rows->here.of[i] + x + 1), 4), mean), most = _mm256_set1_epi16(MAX_BIAS_STEP);
    const __m256i step = _mm256_max_epi16(_mm256_min_epi16(off, most), SUB(_mm256_setzero_si256(), most));
    _mm256_storeu_si256((__m256i *)(l->steps[i] + x), ADD(step, step));
    _mm256_storeu_si256((__m256i *)(l->means[i] + x), ADD(mean, _mm256_set1_epi16(8)));
    _mm256_storeu_si256((__m256i *)(l->sides[i] + x), sides);
    _mm256_storeu_si256((__m256i *)(l->smallest[i] + x), _mm256_srli_epi16(first, 3));
    const uint8_t *misses = above->misses[i] + x;
    const __m256i noise = ADD(ADD(_mm256_slli_epi16(widen(misses + 2), 1), widen(misses + 1)), widen(misses + 3));
    _mm256_storeu_si256((__m256i *)(l->noises[i] + x), noise);
}

#undef ONE
#undef HALF
#undef SUB
#undef ADD

FF_INLINE void clear_errors(error_row *row) {
    memset(row->predictors, 0, sizeof row->predictors);
    memset(row->misses, 0, sizeof row->misses);
}

/* Before the first pixel of a row stands what was above it, after the last pixel of the row above what was last. */
FF_INLINE void extend_errors(error_row *above, error_row *row, uint32_t width) {
    for (uint32_t i = 0; i < CHANNELS; i++) {
        for (uint32_t k = 0; k < FF_PREDICTORS; k++) {
            uint8_t *up = above->predictors[i][k] + ERRORS_LEFT, *here = row->predictors[i][k];
            here[0] = here[1] = up[0];
            up[width] = up[width - 1];
        }
        uint8_t *up = above->misses[i] + ERRORS_LEFT, *here = row->misses[i];
        here[0] = here[1] = up[0];
        up[width] = up[width - 1];
    }
}

/* Codes the symbols of a row's literals, as code_literal_scalar does. */
FF_INLINE FF_AVX2 void code_symbols(ff_pixel_model *model, row_work *row, const split_row *values, const literal_row *l,
                                    error_row *errors) {
    const uint8_t *const levels = model->levels;
    const uint32_t literals = row->literals;
    uint32_t count = 0;
    for (uint32_t i = 0; i < CHANNELS; i++)
        memset(errors->misses[i] + ERRORS_LEFT, 0, FF_TILE);
    for (uint32_t number = 0; number < literals; number++) {
        const uint32_t x = row->literal_x[number];
        row_share *shares = row->shares + row->bits_before[number];
        uint32_t misses[CHANNELS] = {0};
        row->shares_before[number] = (uint16_t)count;
#pragma GCC unroll 3
        for (uint32_t i = 0; i < CHANNELS; i++) {
            uint8_t *here = errors->misses[i] + ERRORS_LEFT + x;
            const uint32_t level = levels[l->noises[i][x] + 2u * here[-1] + here[-2]];
            int16_t *bias = &model->biases[i][level / 2][l->sides[i][x]];
            const int32_t old_bias = *bias, corrected = l->means[i][x] + (old_bias >> 8), prediction = clamp(corrected >> 4);
            const int32_t residual = values->of[i][x + 1] - prediction;
            *bias = (int16_t)(old_bias + l->steps[i][x] - (old_bias >> 7));
            misses[i] = (uint32_t)abs(residual);
            *here = (uint8_t)misses[i];
            uint16_t *a = model->classes[i][0][level * 4 + ((uint32_t)corrected >> 2 & 3)];
            uint16_t *b = model->classes[i][1][second_context(model, (int)i, l->steepness[x], l->smallest[i][x], misses)];
            const ff_residual_shares code = model->residual_shares[residual & 255];
            const uint32_t bounds = bounds_of_class(a, b, code.symbol);
            learn_class_avx2(a, b, code.symbol);
            shares[count] = bounds - (bounds << 16); /* not only where the class ends, but how wide it is */
            shares[count + 1] = code.bits;
            count += code.count;
        }
    }
    row->shares_before[literals] = (uint16_t)count;
}

/* Codes the literals of a row, if it has any. `above` and `errors`: those of the row above, and of this one. */
FF_INLINE FF_AVX2 void code_literals(ff_pixel_model *model, row_work *row, const uint8_t *literals, error_row *above,
                                     error_row *errors) {
    row->shares_before[0] = 0;
    errors->filled = row->literals > 0 || above->begins;
    errors->begins = literals[0];
    if (!errors->filled)
        return;
    if (!above->filled)
        clear_errors(above);
    if (row->literals == 0) {
        clear_errors(errors);
        extend_errors(above, errors, row->width);
        return;
    }
    extend_errors(above, errors, row->width);
    split_rows rows;
    const uint32_t around = row->width + 2;
    split_pixels(row->at - 1, around, &rows.here);
    split_pixels(row->at - FF_WINDOW_PITCH - 1, around, &rows.up);
    split_pixels(row->at - 2 * FF_WINDOW_PITCH - 1, around, &rows.upper);
    split_pixels(row->base - 1, around, &rows.base);
    split_pixels(row->base - FF_BASE_PITCH - 1, around, &rows.base_up);
    literal_row l;
    for (uint32_t x = 0; x < row->width; x += LANES)
        predict_sixteen(&rows, literals, x, &l, errors);
    for (uint32_t x = 0; x < row->width; x += LANES) {
        const __m128i flags = _mm_loadu_si128((const __m128i *)(literals + x));
        if (!_mm_testz_si128(flags, flags))
            for (uint32_t i = 0; i < CHANNELS; i++)
                weigh_sixteen(&rows, above, errors, i, x, &l);
    }
    code_symbols(model, row, &rows.here, &l, errors);
}

#endif

#endif
