/* Guesses of the pixel model in passes, see model_rows.h: first the ways of a row's pixels, later the bits of its questions. */
#ifndef FF_MODEL_ROW_GUESSES_H
#define FF_MODEL_ROW_GUESSES_H

#include "model_rows.h"
#include "model_guesses.h"
#include "model_ways.h"

#ifdef FF_HAVE_AVX2

/* How many pixels ahead memories are fetched into the cache. */
#define FETCHED_AHEAD 8u

/* Of a question's contexts, the seven probabilities come in the order of the mixer, then the weights. */
#define WEIGHTS 7u

#define MEMORY_CONTEXTS (2 * (MAX_TRUST + 1))

/* What a candidate adds to the contexts by the lanes that equal it: memories 0 to 3, t, w, n, ne and nw from bit 0 on. */
#define VOTES_1(v)                                                                                                          \
    {((v) & 0x1e3) | ((v) & 24) >> 1 | ((v) & 4) << 2, ((v) & 0x1e0) | ((v) & 16) << 7, ((v) & 16) << 7, ((v) & 1) << 6,           \
     ((v) & 2) << 5, ((v) & 4) << 4, ((v) & 8) << 3, ((v) & 1) << 1 | ((v) >> 1 & 1)}
#define VOTES_4(v) VOTES_1(v), VOTES_1((v) + 1), VOTES_1((v) + 2), VOTES_1((v) + 3)
#define VOTES_16(v) VOTES_4(v), VOTES_4((v) + 4), VOTES_4((v) + 8), VOTES_4((v) + 12)
#define VOTES_64(v) VOTES_16(v), VOTES_16((v) + 16), VOTES_16((v) + 32), VOTES_16((v) + 48)
static const uint16_t OF_VOTES[512][FF_INPUTS] = {
    VOTES_64(0), VOTES_64(64), VOTES_64(128), VOTES_64(192), VOTES_64(256), VOTES_64(320), VOTES_64(384), VOTES_64(448),
};
#undef VOTES_64
#undef VOTES_16
#undef VOTES_4
#undef VOTES_1

/* What the rank adds to the contexts. */
#define RANK(r)                                                                                                             \
    {FF_BY_VOTES + (r)*512, FF_BY_PATTERN + (r)*4096, FF_BY_WAYS + (r)*4096, FF_BY_MEMORY + (r)*4 * MEMORY_CONTEXTS,             \
     FF_BY_MEMORY + ((r)*4 + 1) * MEMORY_CONTEXTS, FF_BY_MEMORY + ((r)*4 + 2) * MEMORY_CONTEXTS,                              \
     FF_BY_MEMORY + ((r)*4 + 3) * MEMORY_CONTEXTS, (r)*3 * 64}
static const uint16_t OF_RANK[FF_GUESSES][FF_INPUTS] = {RANK(0), RANK(1), RANK(2)};
#undef RANK

/* ---- Spans ---- */

/* A bit for each pixel of a row, as in `span` of pixel_model.c. */
typedef struct row_spans {
    uint64_t possible, moving, uneven, base_uneven, wrong;
} row_spans;

/* For each bit whether it or one of the fifteen above it is set. */
FF_INLINE uint64_t any_of_sixteen(uint64_t bits) {
    bits |= bits >> 1;
    bits |= bits >> 2;
    bits |= bits >> 4;
    return bits | bits >> 8;
}

FF_INLINE FF_AVX2 uint64_t unlike_eight(const uint32_t *pixels, const uint32_t *others, uint32_t x) {
    const __m256i equal = _mm256_cmpeq_epi32(_mm256_loadu_si256((const __m256i *)(pixels + x)),
                                             _mm256_loadu_si256((const __m256i *)(others + x)));
    return (uint64_t)(uint8_t)~_mm256_movemask_ps(_mm256_castsi256_ps(equal)) << x;
}

FF_INLINE FF_AVX2 row_spans find_spans(const uint32_t *at, const uint32_t *base, uint32_t width) {
    if (width < FF_SPAN)
        return (row_spans){0};
    const uint32_t *up = at - FF_WINDOW_PITCH, *base_up = base - FF_BASE_PITCH;
    uint64_t changed = 0, changed_up = 0, apart = 0, turned = 0, step = 0, step_up = 0, base_step = 0;
    for (uint32_t x = 0; x <= width && x < 64; x += 8) {
        changed |= unlike_eight(at, base, x);
        changed_up |= unlike_eight(up, base_up, x);
        apart |= unlike_eight(at, up, x);
        turned |= unlike_eight(base, at - 1, x);
        step |= unlike_eight(at, at - 1, x);
        step_up |= unlike_eight(up, up - 1, x);
        base_step |= unlike_eight(base, base - 1, x);
    }
    /* Pixel 64 counts where the row is as long. */
    const uint64_t after_up = changed_up >> 1 | (uint64_t)(width == 64 && up[64] != base_up[64]) << 63;
    const uint64_t step_after_up = step_up >> 1 | (uint64_t)(width == 64 && up[64] != up[63]) << 63;
    const uint64_t moving = changed << 1 | (at[-1] != base[-1]) | changed_up << 1 | (up[-1] != base_up[-1]) | changed_up |
                            any_of_sixteen(after_up);
    const uint64_t uneven = apart << 1 | (at[-1] != up[-1]) | step_up | any_of_sixteen(step_after_up);
    uint64_t fifteen = base_step >> 1; /* those above the first of sixteen */
    fifteen |= fifteen >> 1;
    fifteen |= fifteen >> 2;
    fifteen |= fifteen >> 4;
    return (row_spans){
        .possible = ~(moving & uneven) & UINT64_MAX >> (63 - (width - FF_SPAN)),
        .moving = moving,
        .uneven = uneven,
        .base_uneven = turned | fifteen | fifteen >> 7,
        .wrong = (moving & any_of_sixteen(step)) | (~moving & any_of_sixteen(changed)),
    };
}

/* Whether a span that is possible at pixel x comes true, and the share of the bit that says so. */
FF_INLINE uint32_t code_span_at(ff_pixel_model *model, const row_spans *spans, uint32_t x, row_share *share) {
    const uint32_t context = (uint32_t)(~spans->moving >> x & 1) << 4 | (uint32_t)(~spans->uneven >> x & 1) << 3 |
                             (uint32_t)(~spans->base_uneven >> x & 1) << 2 | model->last_spans;
    const uint32_t right = (uint32_t)(~spans->wrong >> x & 1);
    uint16_t *probability = &model->spans[context];
    *share = right ? make_share(0, *probability) : make_share(*probability, FF_PROBABILITY_ONE - *probability);
    learn(probability, right, SPAN_RATE);
    model->last_spans = (model->last_spans << 1 | right) & 3;
    return right;
}

/* ---- Ways ---- */

/* What is known of all pixels of a row before the first is looked at. */
typedef struct row_neighbourhoods {
    uint32_t ready;   /* of pixels before */
    uint32_t fetched; /* the memories of pixels before are in the cache, or on their way */
    uint32_t places[FF_TILE + 7][FF_MEMORIES]; /* in all memories, one behind the other */
    uint32_t patterns[FF_TILE + 7]; /* pattern without votes, and still = 15 as the bit of ways 16 bits further up */
} row_neighbourhoods;

#define STILL_ABOVE_AND_LEFT (3u << 9)

FF_INLINE FF_AVX2 void look_at_eight(const ff_pixel_model *model, const uint32_t *at, const uint32_t *base, row_neighbourhoods *n) {
    const uint32_t *k = model->keys;
    at += n->ready;
    base += n->ready;
    const uint32_t *up = at - FF_WINDOW_PITCH, *upper = up - FF_WINDOW_PITCH, *base_up = base - FF_BASE_PITCH;
#define LOAD(pixels) _mm256_loadu_si256((const __m256i *)(pixels))
#define TIMES(pixels, key) _mm256_mullo_epi32(pixels, _mm256_set1_epi32((int)k[key]))
#define SUM(a, b) _mm256_add_epi32(a, b)
    const __m256i w = LOAD(at - 1), above = LOAD(up), ne = LOAD(up + 1), nw = LOAD(up - 1), ww = LOAD(at - 2), tw = LOAD(base - 1);
    const __m256i two = SUM(TIMES(w, 0), TIMES(above, 1));
    __m256i hashes[FF_MEMORIES];
    hashes[2] = SUM(two, SUM(TIMES(ne, 2), TIMES(nw, 3)));
    hashes[1] = SUM(hashes[2], SUM(TIMES(ww, 4), TIMES(LOAD(upper), 5)));
    hashes[0] = SUM(SUM(hashes[1], TIMES(LOAD(at - 3), 6)), SUM(SUM(TIMES(LOAD(upper + 1), 7), TIMES(LOAD(upper - 1), 8)),
                                                                SUM(TIMES(LOAD(up - 2), 9), TIMES(LOAD(up + 2), 10))));
    hashes[3] = SUM(SUM(two, TIMES(LOAD(base), 11)),
                    SUM(SUM(TIMES(tw, 12), TIMES(LOAD(base + 1), 13)), TIMES(LOAD(base + FF_BASE_PITCH), 14)));
    for (uint32_t i = 0; i < FF_MEMORIES; i++) {
        const __m256i mixed = _mm256_xor_si256(hashes[i], _mm256_srli_epi32(hashes[i], 15));
        hashes[i] = SUM(_mm256_srli_epi32(TIMES(mixed, 15), 32 - FF_MEMORY_BITS), _mm256_set1_epi32((int)(i << FF_MEMORY_BITS)));
    }
    /* Four together of each pixel. */
    const __m256i a = _mm256_unpacklo_epi32(hashes[0], hashes[1]), b = _mm256_unpacklo_epi32(hashes[2], hashes[3]);
    const __m256i c = _mm256_unpackhi_epi32(hashes[0], hashes[1]), d = _mm256_unpackhi_epi32(hashes[2], hashes[3]);
    const __m256i of_0_4 = _mm256_unpacklo_epi64(a, b), of_1_5 = _mm256_unpackhi_epi64(a, b);
    const __m256i of_2_6 = _mm256_unpacklo_epi64(c, d), of_3_7 = _mm256_unpackhi_epi64(c, d);
    __m256i *places = (__m256i *)n->places[n->ready];
    _mm256_storeu_si256(places, _mm256_permute2x128_si256(of_0_4, of_1_5, 0x20));
    _mm256_storeu_si256(places + 1, _mm256_permute2x128_si256(of_2_6, of_3_7, 0x20));
    _mm256_storeu_si256(places + 2, _mm256_permute2x128_si256(of_0_4, of_1_5, 0x31));
    _mm256_storeu_si256(places + 3, _mm256_permute2x128_si256(of_2_6, of_3_7, 0x31));
#define AND(a, b) _mm256_and_si256(a, b)
#define OR(a, b) _mm256_or_si256(a, b)
#define BITS(lanes, bits) AND(lanes, _mm256_set1_epi32(bits))
#define EQUAL(a, b, bits) BITS(_mm256_cmpeq_epi32(a, b), bits)
    const __m256i w_stays = _mm256_cmpeq_epi32(w, tw), n_stays = _mm256_cmpeq_epi32(above, LOAD(base_up));
    const __m256i ne_stays = _mm256_cmpeq_epi32(ne, LOAD(base_up + 1)), nw_stays = _mm256_cmpeq_epi32(nw, LOAD(base_up - 1));
    const __m256i all_stay = AND(AND(w_stays, n_stays), AND(ne_stays, nw_stays));
    const __m256i w_equal = OR(OR(EQUAL(w, above, 1), EQUAL(w, nw, 2)), EQUAL(w, ww, 16));
    const __m256i equal = OR(w_equal, OR(EQUAL(above, ne, 4), EQUAL(above, nw, 8)));
    const __m256i still = OR(OR(BITS(w_stays, 1 << 9), BITS(n_stays, 1 << 10)), BITS(all_stay, 1 << 26));
    _mm256_storeu_si256((__m256i *)(n->patterns + n->ready), OR(equal, still));
#undef EQUAL
#undef BITS
#undef OR
#undef AND
#undef SUM
#undef TIMES
#undef LOAD
    n->ready += 8;
}

/* Gets ready for pixel x, and those soon after it. `width`: of the row. */
FF_INLINE FF_AVX2 void look_ahead(ff_pixel_model *model, const uint32_t *at, const uint32_t *base, uint32_t x, uint32_t width,
                                  row_neighbourhoods *n) {
    if (n->ready < x) /* behind spans or literals */
        n->ready = x;
    while (n->ready <= x + FETCHED_AHEAD && n->ready < width)
        look_at_eight(model, at, base, n);
    /* A pixel at a time: more at once wait for one another. */
    const uint32_t end = x + FETCHED_AHEAD < n->ready ? x + FETCHED_AHEAD + 1 : n->ready;
    uint32_t next = n->fetched < x ? x : n->fetched;
    for (; next < end; next++)
        for (uint32_t i = 0; i < FF_MEMORIES; i++)
            _mm_prefetch((const char *)(&model->memories[0][0] + n->places[next][i]), _MM_HINT_T0);
    n->fetched = next;
}

/* Whether the first of the open candidates is right. */
FF_INLINE uint32_t first_is_right(uint32_t open, uint32_t right) { return (open & (0 - open) & right) != 0; }

/* `of_pixel`: what all questions of the pixel have in common. */
FF_INLINE FF_AVX2 void store_contexts(uint16_t *contexts, __m128i of_pixel, uint32_t rank, uint32_t votes) {
    const __m128i of_rank = _mm_add_epi16(of_pixel, _mm_loadu_si128((const __m128i *)OF_RANK[rank]));
    _mm_storeu_si128((__m128i *)contexts, _mm_add_epi16(of_rank, _mm_loadu_si128((const __m128i *)OF_VOTES[votes])));
}

/* Finds the guesses that the pixel at `at` is asked, up to the right one, and returns its number, or FF_GUESSES. `places`: in the
 * memories; `pattern`: as row_neighbourhoods has it; `near_ways` and `literals`: as in `spot` of model_guesses.h. Stores what the
 * questions depend on, and the answers as row_work has them; `questions` is raised by their number. */
FF_INLINE FF_AVX2 uint32_t ask_guesses(ff_pixel_model *model, const uint32_t *at, const uint32_t *base, const uint32_t *places,
                                       uint32_t pattern, uint32_t near_ways, uint32_t literals, uint16_t (*contexts)[FF_INPUTS],
                                       uint16_t *answers, uint32_t place, uint32_t *questions) {
    const uint32_t *up = at - FF_WINDOW_PITCH;
    uint32_t *slots[FF_MEMORIES];
    for (uint32_t i = 0; i < FF_MEMORIES; i++)
        slots[i] = &model->memories[0][0] + places[i];
    const __m128i entries = load_entries(slots);
    const __m128i t_and_w = _mm_insert_epi32(_mm_cvtsi32_si128((int)*base), (int)at[-1], 1);
    const __m128i neighbours = _mm_unpacklo_epi64(t_and_w, _mm_loadl_epi64((const __m128i *)up)); /* t, w, n, ne */
    const __m256i all = _mm256_inserti128_si256(_mm256_castsi128_si256(entries), neighbours, 1);
    const __m256i opaque = _mm256_set1_epi32((int)FF_OPAQUE), pixel = _mm256_set1_epi32((int)*at);
    /* No colour where nothing is remembered, which is where an entry is 0. */
    const __m256i colours = _mm256_andnot_si256(_mm256_cmpeq_epi32(all, _mm256_setzero_si256()), _mm256_or_si256(all, opaque));
    /* What votes for the right colour is known before it is asked for. */
    const __m256i is_pixel = _mm256_cmpeq_epi32(colours, pixel);
    const uint32_t votes_for_pixel = lanes_of(is_pixel) | (uint32_t)(up[-1] == *at) << 8;
    remember_entries(slots, entries, _mm256_castsi256_si128(is_pixel), *at);

    const __m128i confidence = _mm_srli_epi32(entries, 24);
    const __m128i trust = _mm_min_epu32(confidence, _mm_set1_epi32(MAX_TRUST));
    const uint64_t first_two = (uint64_t)_mm_cvtsi128_si64(trust);
    const uint32_t steps = (uint32_t)STEPS[first_two & UINT32_MAX] << 4 | (uint32_t)STEPS[first_two >> 32] << 2;
    const uint64_t others = (uint64_t)pattern << 16 | (uint64_t)near_ways << 32;
    const __m128i trusts = _mm_packus_epi32(trust, _mm_cvtsi32_si128((int)(literals * 64 + steps)));
    const __m128i of_pixel = _mm_or_si128(_mm_cvtsi64_si128((long long)others), _mm_slli_si128(trusts, 6));

    /* Memories 0, 3 and 1 if confident, 0, 1, 2, then t, if the neighbours stayed, and w: always one at least. */
    __m256i asked = _mm256_permutevar8x32_epi32(all, _mm256_setr_epi32(0, 3, 1, 0, 1, 2, 4, 5));
    uint32_t open = confident_lanes_avx2(asked, _mm256_setr_epi32(CONFIDENT, CONFIDENT, CONFIDENT, 1, 1, 2, 0, 0));
    open &= (pattern & STILL_ABOVE_AND_LEFT) == STILL_ABOVE_AND_LEFT ? 0xff : 0xbf;
    const __m256i first_eight = _mm256_or_si256(asked, opaque);
    uint32_t right = equal_lanes_avx2(first_eight, pixel), number = *questions;
    if (first_is_right(open, right)) {
        store_contexts(contexts[number], of_pixel, 0, votes_for_pixel);
        answers[number] = (uint16_t)(place | 1);
        *questions = number + 1;
        return 0;
    }
    /* n, ne, nw, memories 3 and 2, t */
    asked = _mm256_permutevar8x32_epi32(all, _mm256_setr_epi32(6, 7, 0, 3, 2, 4, 4, 4));
    asked = _mm256_blend_epi32(asked, _mm256_set1_epi32((int)up[-1]), 4);
    const uint32_t other_open = confident_lanes_avx2(asked, _mm256_setr_epi32(0, 0, 0, 1, 1, 0, 256, 256)) << 8;
    const __m256i other_eight = _mm256_or_si256(asked, opaque);
    right |= equal_lanes_avx2(other_eight, pixel) << 8;
    uint32_t candidates[16], way = FF_GUESSES;
    _mm256_storeu_si256((__m256i *)candidates, first_eight);
    _mm256_storeu_si256((__m256i *)(candidates + 8), other_eight);
#pragma GCC unroll 3
    for (uint32_t rank = 0; rank < FF_GUESSES; rank++) {
        if (rank > 0 && first_is_right(open, right)) {
            store_contexts(contexts[number], of_pixel, rank, votes_for_pixel);
            answers[number++] = (uint16_t)(place | 1);
            way = rank;
            break;
        }
        const uint32_t candidate = candidates[(uint32_t)__builtin_ctz(open)];
        const __m256i colour = _mm256_set1_epi32((int)candidate);
        store_contexts(contexts[number], of_pixel, rank, equal_lanes_avx2(colours, colour) | (uint32_t)(up[-1] == candidate) << 8);
        answers[number++] = (uint16_t)place;
        if (rank == 0)
            open |= other_open;
        open &= ~(equal_lanes_avx2(first_eight, colour) | equal_lanes_avx2(other_eight, colour) << 8);
        if (open == 0)
            break;
    }
    *questions = number;
    return way;
}

/* Finds out how each pixel of the row is coded, and stores its ways. `is_literal`: a byte for each pixel, 255 for literals. */
FF_INLINE FF_AVX2 void find_ways(ff_pixel_model *model, row_work *row, const ways_above *above, uint8_t *ways, uint8_t *is_literal) {
    const uint32_t *const at = row->at, *const base = row->base, width = row->width;
    const row_spans spans_of = find_spans(at, base, width);
    row_neighbourhoods n;
    /* What is counted stands in the row only at the end: not to be read again after each byte that is stored. */
    uint32_t questions = 0, spans = 0, literals = 0;
    n.ready = n.fetched = 0;
    memset(is_literal, 0, FF_TILE);
    for (uint32_t x = 0; x < width; x++) {
        if (spans_of.possible >> x & 1) {
            row->span_places[spans] = (row_place){(uint16_t)(questions + spans), (uint16_t)literals};
            if (code_span_at(model, &spans_of, x, &row->span_shares[spans++])) {
                memset(ways + x, 0, FF_SPAN);
                x += FF_SPAN - 1;
                continue;
            }
        }
        const uint8_t *before = ways + x;
        const uint32_t near_literals = above->literals[x] + (uint32_t)(before[-1] == FF_GUESSES);
        if (near_literals < 3) {
            look_ahead(model, at, base, x, width, &n);
            const uint32_t near_ways = before[-1] | above->packed[x] | (uint32_t)before[-2] << 8;
            const uint32_t way = ask_guesses(model, at + x, base + x, n.places[x], n.patterns[x], near_ways, near_literals,
                                             row->contexts, row->answers, spans << 1 | literals << 8, &questions);
            ways[x] = (uint8_t)way;
            if (way < FF_GUESSES)
                continue;
        } else {
            const uint32_t *here = at + x, *up = here - FF_WINDOW_PITCH;
            const uint32_t known = (*here == here[-1]) | (*here == up[0]) | (*here == up[1]) | (*here == up[-1]) | (*here == base[x]);
            ways[x] = known ? 1 : FF_GUESSES;
        }
        is_literal[x] = UINT8_MAX;
        row->literal_x[literals] = (uint8_t)x;
        row->bits_before[literals++] = (uint16_t)(questions + spans);
    }
    row->questions = questions;
    row->spans = spans;
    row->literals = literals;
}

/* ---- Probabilities ---- */

/* Codes the bits of a row's questions, as code_guess_scalar does, and puts those of spans beside them. */
FF_INLINE FF_AVX2 void code_questions(ff_pixel_model *model, row_work *row) {
    /* Shifts to the right as products of which the upper half counts. The last lane is of no probability. */
    const int16_t fast = 1 << (16 - CONTEXT_RATE), slow = 1 << (16 - MEMORY_RATE);
    const __m128i shifts = _mm_setr_epi16(fast, fast, fast, slow, slow, slow, slow, 0);
    uint16_t *const probabilities = model->probabilities;
    const int16_t *const stretch = model->stretch;
    for (uint32_t i = 0, questions = row->questions; i < questions; i++) {
        const uint16_t *of = row->contexts[i];
#define PROBABILITY(k) probabilities[of[k]]
#define STRETCHED(k) stretch[(uint32_t)PROBABILITY(k) >> 4]
        __m128i few = _mm_cvtsi32_si128(STRETCHED(0)), more = _mm_cvtsi32_si128(STRETCHED(4));
        few = _mm_insert_epi16(few, STRETCHED(1), 1);
        more = _mm_insert_epi16(more, STRETCHED(5), 1);
        few = _mm_insert_epi16(few, STRETCHED(2), 2);
        more = _mm_insert_epi16(more, STRETCHED(6), 2);
        few = _mm_insert_epi16(few, STRETCHED(3), 3);
        more = _mm_or_si128(more, _mm_setr_epi16(0, 0, 0, 256, 0, 0, 0, 0));
        const __m256i inputs = _mm256_cvtepi16_epi32(_mm_unpacklo_epi64(few, more));
        __m256i *at = (__m256i *)(&model->weights[0][0][0][0][0][0][0] + of[WEIGHTS] * FF_INPUTS);
        __m256i weights = _mm256_loadu_si256(at);
        const __m256i terms = _mm256_srai_epi32(_mm256_mullo_epi32(weights, inputs), 8);
        __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(terms), _mm256_extracti128_si256(terms, 1));
        sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, _MM_SHUFFLE(1, 0, 3, 2)));
        sum = _mm_srai_epi32(_mm_add_epi32(sum, _mm_shuffle_epi32(sum, _MM_SHUFFLE(2, 3, 0, 1))), 8);
        sum = _mm_max_epi32(_mm_min_epi32(sum, _mm_set1_epi32(MAX_STRETCH)), _mm_set1_epi32(-MAX_STRETCH));
        const uint32_t position = (uint32_t)(_mm_cvtsi128_si32(sum) + 2048), fraction = position & 127, answer = row->answers[i];
        const int32_t mixed = model->squash[position];
        uint16_t *correction = &model->corrections[0][0][0] + of[0] * 33u + (position >> 7);
        const int32_t lower = correction[0], upper = correction[1];
        uint32_t one = (uint32_t)(mixed + lower + (((upper - lower) * (int32_t)fraction) >> 7)) >> 1;
        one = one < MIN_GUESS ? MIN_GUESS : one > FF_PROBABILITY_ONE - MIN_GUESS ? FF_PROBABILITY_ONE - MIN_GUESS : one;

        const uint32_t right = answer & 1, wrong_mask = right - 1;
        /* As make_share(0, one) or make_share(one, 65536 - one), without a branch: the answer is often hard to foresee. */
        const row_share share = make_share(one & wrong_mask, (one ^ wrong_mask) - wrong_mask);
        row->shares[i + (answer >> 1 & 127) + row->shares_before[answer >> 8]] = share;

        const __m256i error = _mm256_set1_epi32((((int32_t)(~wrong_mask & 65536) - mixed) >> 3) * 3 & UINT16_MAX);
        /* Both have 16 bits: the upper half of the inputs is multiplied by 0. */
        const __m256i products = _mm256_madd_epi16(inputs, error);
        const __m256i moves = _mm256_srai_epi32(_mm256_add_epi32(products, _mm256_set1_epi32(4096)), 13);
        weights = _mm256_min_epi32(_mm256_add_epi32(weights, moves), _mm256_set1_epi32(MAX_WEIGHT));
        _mm256_storeu_si256(at, _mm256_max_epi32(weights, _mm256_set1_epi32(-MAX_WEIGHT)));

        const int32_t goal = (int32_t)(((1 << CORRECTION_RATE) - 1) | (~wrong_mask & UINT16_MAX));
        correction[0] = (uint16_t)(lower + ((goal - lower) >> CORRECTION_RATE));
        correction[1] = (uint16_t)(upper + ((goal - upper) >> CORRECTION_RATE));
        __m128i old = _mm_cvtsi32_si128(PROBABILITY(0));
        old = _mm_insert_epi16(old, PROBABILITY(1), 1);
        old = _mm_insert_epi16(old, PROBABILITY(2), 2);
        old = _mm_insert_epi16(old, PROBABILITY(3), 3);
        old = _mm_insert_epi16(old, PROBABILITY(4), 4);
        old = _mm_insert_epi16(old, PROBABILITY(5), 5);
        old = _mm_insert_epi16(old, PROBABILITY(6), 6);
        /* As learn does. */
        const __m128i flip = _mm_set1_epi16((short)~wrong_mask);
        old = _mm_xor_si128(old, flip);
        old = _mm_xor_si128(_mm_sub_epi16(old, _mm_mulhi_epu16(old, shifts)), flip);
        PROBABILITY(0) = (uint16_t)_mm_extract_epi16(old, 0);
        PROBABILITY(1) = (uint16_t)_mm_extract_epi16(old, 1);
        PROBABILITY(2) = (uint16_t)_mm_extract_epi16(old, 2);
        PROBABILITY(3) = (uint16_t)_mm_extract_epi16(old, 3);
        PROBABILITY(4) = (uint16_t)_mm_extract_epi16(old, 4);
        PROBABILITY(5) = (uint16_t)_mm_extract_epi16(old, 5);
        PROBABILITY(6) = (uint16_t)_mm_extract_epi16(old, 6);
#undef STRETCHED
#undef PROBABILITY
    }
    for (uint32_t i = 0; i < row->spans; i++) {
        const row_place place = row->span_places[i];
        row->shares[place.bits + row->shares_before[place.literals]] = row->span_shares[i];
    }
}

#endif

#endif
