#include "pixel_model.h"

#include <string.h>

#include "hash.h"
#include "model_guesses.h"
#include "model_literals.h"
#include "model_ways.h"

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
    fill(model->probabilities, FF_PROBABILITIES, FF_PROBABILITY_ONE / 2);
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
        model->squash[i] = (uint16_t)squash((int32_t)i - 2048);
    }
    for (int32_t i = 0; i < 256; i++) {
        const residual_code code = code_of_residual(fold(i));
        const uint32_t unit = code.bits > 0 ? FF_PROBABILITY_ONE >> code.bits : 0;
        model->residual_shares[i] = (ff_residual_shares){code.rest * unit | unit << 16, (uint16_t)code.symbol, code.bits > 0 ? 2 : 1};
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

/* ---- Spans ---- */

/* What is around the next FF_SPAN pixels. */
typedef struct span {
    uint32_t moving;      /* the pixels before and above are not as in the base */
    uint32_t uneven;      /* the pixels above are not as the one before */
    uint32_t base_uneven; /* nor those of the base */
} span;

/* Returns 0 where the row above says nothing: where it is moving and uneven. */
FF_INLINE uint32_t look_at_span_scalar(const uint32_t *at, const uint32_t *base, span *s) {
    const uint32_t *up = at - FF_WINDOW_PITCH, *base_up = base - FF_BASE_PITCH;
    *s = (span){.moving = at[-1] ^ base[-1]};
    for (int i = -1; i <= (int)FF_SPAN; i++) {
        s->moving |= up[i] ^ base_up[i];
        s->uneven |= up[i] ^ at[-1];
    }
    for (uint32_t i = 0; i < FF_SPAN; i++)
        s->base_uneven |= base[i] ^ at[-1];
    return !(s->moving && s->uneven);
}

#ifdef FF_HAVE_AVX2

/* Most spans are found impossible by the first eight pixels. */
FF_INLINE FF_AVX2 uint32_t look_at_span_avx2(const uint32_t *at, const uint32_t *base, span *s) {
#define UNLIKE(pixels, others) _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)(pixels)), others)
#define BASE_OF(pixels) _mm256_loadu_si256((const __m256i *)(base_up + ((pixels) - up)))
    const uint32_t *up = at - FF_WINDOW_PITCH, *base_up = base - FF_BASE_PITCH;
    const uint32_t *const three[3] = {up - 1, up + 7, up + FF_SPAN - 7}; /* these eights overlap */
    const __m256i w = _mm256_set1_epi32((int)at[-1]);
    __m256i moving = UNLIKE(three[0], BASE_OF(three[0])), uneven = UNLIKE(three[0], w);
    if (!_mm256_testz_si256(moving, moving) && !_mm256_testz_si256(uneven, uneven))
        return 0;
    for (int i = 1; i < 3; i++) {
        moving = _mm256_or_si256(moving, UNLIKE(three[i], BASE_OF(three[i])));
        uneven = _mm256_or_si256(uneven, UNLIKE(three[i], w));
    }
    const __m256i base_uneven = _mm256_or_si256(UNLIKE(base, w), UNLIKE(base + 8, w));
    s->moving = (at[-1] ^ base[-1]) | !_mm256_testz_si256(moving, moving);
    s->uneven = !_mm256_testz_si256(uneven, uneven);
    s->base_uneven = !_mm256_testz_si256(base_uneven, base_uneven);
    return !(s->moving && s->uneven);
#undef BASE_OF
#undef UNLIKE
}

#endif

/* Codes that FF_SPAN pixels go on as the row above says; returns whether they do. */
FF_INLINE uint32_t code_span(ff_pixel_model *model, const coder *c, uint32_t *at, const uint32_t *base, const span *s) {
    const uint32_t w = at[-1];
    uint32_t wrong = 0;
    if (c->decoder == NULL)
        for (uint32_t i = 0; i < FF_SPAN; i++)
            wrong |= at[i] ^ (s->moving ? w : base[i]);
    uint16_t *probability = &model->spans[(uint32_t)!s->moving << 4 | (uint32_t)!s->uneven << 3 | (uint32_t)!s->base_uneven << 2 |
                                          model->last_spans];
    const uint32_t right = code_bit(c, *probability, !wrong);
    learn(probability, right, SPAN_RATE);
    model->last_spans = (model->last_spans << 1 | right) & 3;
    if (right)
        for (uint32_t i = 0; i < FF_SPAN; i++)
            at[i] = s->moving ? w : base[i];
    return right;
}

/* ---- Boxes ---- */

/* The parts of the coder that a variant does in its own way. */
typedef struct variant {
    uint32_t (*look_at_span)(const uint32_t *at, const uint32_t *base, span *s);
    uint32_t (*code_literal)(ff_pixel_model *model, const coder *c, const uint32_t *at, const uint32_t *base,
                             const ff_model_errors *above, ff_model_errors *here, uint32_t pixel);
    uint32_t (*code_guesses)(ff_pixel_model *model, const coder *c, const spot *o, const memory_places *places,
                             uint32_t *const slots[FF_MEMORIES], uint32_t *pixel);
    void (*find_memories)(ff_pixel_model *model, const coder *c, const spot *o, memory_places *places,
                          uint32_t *slots[FF_MEMORIES]);
    void (*remember)(uint32_t *const slots[FF_MEMORIES], uint32_t pixel);
} variant;

static const variant scalar_variant = {
    look_at_span_scalar, code_literal_scalar, code_guesses_scalar, find_memories_scalar, remember_scalar,
};

/* Before the first pixel of a row stands what was above it, after the last pixel of the row above what was last. */
FF_INLINE void extend_rows(ff_model_row *above, ff_model_row *row, uint32_t width) {
    for (uint32_t x = FF_MARGIN - 2; x < FF_MARGIN; x++)
        row->errors[x] = above->errors[FF_MARGIN];
    above->errors[FF_MARGIN + width] = above->errors[FF_MARGIN + width - 1];
}

FF_INLINE void code_box(ff_pixel_model *model, const coder c, const uint32_t *tile, ff_box box, const variant *v) {
    memory_places places;
    places.width = box.width;
    memset(model->rows, 0, sizeof model->rows);
    if (tile != NULL) /* the encoder finds the pixels where the decoder will put them */
        for (uint32_t y = 0; y < box.height; y++)
            memcpy(ff_model_window_at(model, (int32_t)box.x, (int32_t)(box.y + y)), tile + (box.y + y) * FF_TILE + box.x,
                   box.width * sizeof *tile);
    for (uint32_t y = 0; y < box.height; y++) {
        ff_model_row *row = &model->rows[y & 1], *above = &model->rows[~y & 1];
        uint32_t *at = ff_model_window_at(model, (int32_t)box.x, (int32_t)(box.y + y));
        const uint32_t *base = model->base + (box.y + y + 1) * FF_BASE_PITCH + box.x + 1;
        places.ready = 0;
        ways_above of_above;
        look_at_ways(above->ways + FF_MARGIN, &of_above);
        extend_rows(above, row, box.width);
        for (uint32_t x = 0; x < box.width; x++, at++, base++) {
            const uint32_t column = FF_MARGIN + x;
            span s;
            if (x + FF_SPAN <= box.width && v->look_at_span(at, base, &s) && code_span(model, &c, at, base, &s)) {
                memset(row->ways + column, 0, FF_SPAN);
                memset(row->errors + column, 0, FF_SPAN * sizeof *row->errors);
                x += FF_SPAN - 1;
                at += FF_SPAN - 1;
                base += FF_SPAN - 1;
                continue;
            }
            const uint32_t *up = at - FF_WINDOW_PITCH;
            const uint8_t *ways = row->ways + column;
            const uint32_t literals = of_above.literals[x] + (uint32_t)(ways[-1] == FF_GUESSES);
            uint32_t pixel = c.decoder == NULL ? *at : NO_COLOUR, way = FF_GUESSES;
            if (literals < 3) {
                uint32_t *slots[FF_MEMORIES];
                const uint32_t near_ways = ways[-1] | of_above.packed[x] | (uint32_t)ways[-2] << 8;
                const spot o = {at, base, x, near_ways, literals};
                v->find_memories(model, &c, &o, &places, slots);
                way = v->code_guesses(model, &c, &o, &places, slots, &pixel);
                if (way == FF_GUESSES)
                    pixel = v->code_literal(model, &c, at, base, above->errors + column, row->errors + column, pixel);
                else
                    memset(row->errors + column, 0, sizeof *row->errors);
                v->remember(slots, pixel);
            } else {
                pixel = v->code_literal(model, &c, at, base, above->errors + column, row->errors + column, pixel);
                if (pixel == at[-1] || pixel == up[0] || pixel == up[1] || pixel == up[-1] || pixel == base[0])
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

static const variant avx2_variant = {
    look_at_span_avx2, code_literal_avx2, code_guesses_avx2, find_memories_avx2, remember_avx2,
};

FF_AVX2 void ff_decode_box_avx2(ff_pixel_model *model, ff_range_decoder *coder_, ff_box box) {
    code_box(model, (coder){NULL, coder_}, NULL, box, &avx2_variant);
}

#endif
