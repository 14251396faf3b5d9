/* Guesses of the pixel model: colours that the memories and the neighbours vote for, and how likely each is. */
#ifndef FF_MODEL_GUESSES_H
#define FF_MODEL_GUESSES_H

#include "model_coder.h"

/* How fast what is learned follows: the difference is divided by 2 to this power. One more or one less changes
 * nothing beyond 0.3 % on recorded desktops. */
#define CONTEXT_RATE 5
#define MEMORY_RATE 6
#define CORRECTION_RATE 6
/* Probabilities of guesses keep away from 0 and 1, so that no bit costs more than eleven. */
#define MIN_GUESS 32u
/* Weights of the mixer, in 65536ths: 0.3 at first, never beyond 8. */
#define FIRST_WEIGHT 19660
#define MAX_WEIGHT ((1 << 19) - 1)
/* The domain of the mixer: 256 * ln(p / (1 - p)), from -2047 to 2047. */
#define MAX_STRETCH 2047
/* A memory whose colour came true this often is asked before the neighbours. */
#define CONFIDENT 3u
#define MAX_CONFIDENCE 255u
#define NO_COLOUR 0u
/* Confidence beyond this is all one to the probability of a memory. */
#define MAX_TRUST 63u

/* How a confidence, up to MAX_TRUST, chooses weights. */
#define SIXTEEN_OF(step) step, step, step, step, step, step, step, step, step, step, step, step, step, step, step, step
static const uint8_t STEPS[MAX_TRUST + 1] = {
    0, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, SIXTEEN_OF(3), SIXTEEN_OF(3), SIXTEEN_OF(3),
};
#undef SIXTEEN_OF

/* 65536 / (1 + exp(-d / 256)) for d from -2048 to 2048 in steps of 128. */
static const uint16_t SQUASH[33] = {
    22,    36,    60,    98,    162,   267,   439,   720,   1179,  1921,  3108,  4971,  7812,  11955, 17625, 24743, 32768,
    40793, 47911, 53581, 57724, 60565, 62428, 63615, 64357, 64816, 65097, 65269, 65374, 65438, 65476, 65500, 65514,
};

FF_INLINE uint32_t squash(int32_t stretched) {
    const uint32_t position = (uint32_t)(stretched + 2048), step = position >> 7, fraction = position & 127;
    return (SQUASH[step] * (128 - fraction) + SQUASH[step + 1] * fraction) >> 7;
}

/* A pixel in its row, and by which ways its neighbours were coded. */
typedef struct spot {
    const uint32_t *at, *base;
    uint32_t x;
    uint32_t near_ways; /* of w, n, ne, nw, ww, in two bits each */
    uint32_t literals;  /* how many of the first four are */
} spot;

/* What the bit "this colour it is" depends on. */
typedef struct question {
    uint32_t rank, votes, pattern, ways, literals;
    uint32_t agree[FF_MEMORIES], trust[FF_MEMORIES]; /* trust: confidence, at most MAX_TRUST */
} question;

/* The probabilities that speak for the bit. */
FF_INLINE uint16_t *by_votes(ff_pixel_model *model, uint32_t rank, uint32_t votes) {
    return model->probabilities + FF_BY_VOTES + rank * 512 + votes;
}

FF_INLINE uint16_t *by_pattern(ff_pixel_model *model, uint32_t rank, uint32_t pattern) {
    return model->probabilities + FF_BY_PATTERN + rank * 4096 + pattern;
}

FF_INLINE uint16_t *by_ways(ff_pixel_model *model, uint32_t rank, uint32_t ways) {
    return model->probabilities + FF_BY_WAYS + rank * 4096 + ways;
}

FF_INLINE uint16_t *by_memory(ff_pixel_model *model, uint32_t rank, uint32_t memory, uint32_t agrees, uint32_t trust) {
    return model->probabilities + FF_BY_MEMORY + ((rank * FF_MEMORIES + memory) * 2 + agrees) * (MAX_TRUST + 1) + trust;
}

FF_INLINE uint32_t code_guess_scalar(ff_pixel_model *model, const coder *c, const question *q, uint32_t right) {
    uint16_t *probabilities[FF_INPUTS - 1] = {by_votes(model, q->rank, q->votes), by_pattern(model, q->rank, q->pattern),
                                              by_ways(model, q->rank, q->ways)};
    for (uint32_t i = 0; i < FF_MEMORIES; i++)
        probabilities[3 + i] = by_memory(model, q->rank, i, q->agree[i], q->trust[i]);
    int32_t *weights = model->weights[q->rank][q->literals][STEPS[q->trust[0]]][STEPS[q->trust[1]]][q->agree[0]][q->agree[1]];
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

FF_INLINE void remember_one(uint32_t *memory, uint32_t pixel) {
    const uint32_t confidence = *memory >> 24, colour = pixel & FF_RGB_MASK;
    if (confidence > 0 && (*memory & FF_RGB_MASK) == colour)
        *memory += confidence < MAX_CONFIDENCE ? 1u << 24 : 0;
    else if (confidence <= 1)
        *memory = colour | 1u << 24;
    else
        *memory = (*memory & FF_RGB_MASK) | (confidence > 6 ? confidence / 2 - 1 : 1) << 24;
}

FF_INLINE void remember_scalar(uint32_t *const slots[FF_MEMORIES], uint32_t pixel) {
    for (uint32_t i = 0; i < FF_MEMORIES; i++)
        remember_one(slots[i], pixel);
}

/* What a row knows of the memories ahead of its pixels: only a variant that looks ahead does. */
typedef struct memory_places {
    uint32_t width;   /* of the row */
    uint32_t ready;   /* the places of pixels before are known, or will not be asked for */
    uint32_t of[FF_MEMORIES][FF_TILE + 7]; /* what is known of their hashes */
} memory_places;

/* The slots of the four memories for pixel x of a row, whose neighbours are known. */
FF_INLINE void find_memories_scalar(ff_pixel_model *model, const coder *c, const spot *o, memory_places *places,
                                    uint32_t *slots[FF_MEMORIES]) {
    (void)c, (void)places;
    const uint32_t *at = o->at, *base = o->base, *k = model->keys, *up = at - FF_WINDOW_PITCH, *upper = up - FF_WINDOW_PITCH;
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
FF_INLINE uint32_t code_guesses_scalar(ff_pixel_model *model, const coder *c, const spot *o, const memory_places *places,
                                       uint32_t *const slots[FF_MEMORIES], uint32_t *pixel) {
    (void)places;
    const uint32_t *at = o->at, *base = o->base, *up = at - FF_WINDOW_PITCH;
    const uint32_t w = at[-1], n = up[0], ne = up[1], nw = up[-1], t = base[0];
    const uint32_t still = (uint32_t)(w == base[-1]) | (uint32_t)(n == base[-(ptrdiff_t)FF_BASE_PITCH]) << 1 |
                           (uint32_t)(ne == base[1 - (ptrdiff_t)FF_BASE_PITCH]) << 2 |
                           (uint32_t)(nw == base[-1 - (ptrdiff_t)FF_BASE_PITCH]) << 3;
    const uint32_t equal = (uint32_t)(w == n) | (uint32_t)(w == nw) << 1 | (uint32_t)(n == ne) << 2 |
                           (uint32_t)(n == nw) << 3 | (uint32_t)(w == at[-2]) << 4;
    const uint32_t near_ways = o->near_ways | (uint32_t)(still == 15) << 10;
    question q = {.literals = o->literals};
    uint32_t remembered[FF_MEMORIES];
    for (uint32_t i = 0; i < FF_MEMORIES; i++) {
        const uint32_t confidence = *slots[i] >> 24;
        q.trust[i] = confidence < MAX_TRUST ? confidence : MAX_TRUST;
        remembered[i] = confidence > 0 ? *slots[i] | FF_OPAQUE : NO_COLOUR;
    }
#define IF(condition, colour) ((condition) ? (colour) : NO_COLOUR)
    const uint32_t candidates[] = {
        IF(q.trust[0] >= CONFIDENT, remembered[0]),
        IF(q.trust[3] >= CONFIDENT, remembered[3]),
        IF(q.trust[1] >= CONFIDENT, remembered[1]),
        remembered[0],
        remembered[1],
        IF(q.trust[2] >= 2, remembered[2]),
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
        if (code_guess_scalar(model, c, &q, colour == *pixel)) {
            *pixel = colour;
            return q.rank;
        }
    }
    return FF_GUESSES;
}

#ifdef FF_HAVE_AVX2

/* All that follows is the decoder's; the encoder has passes of its own, see model_rows.h. */

/* As find_memories_scalar does, for eight pixels, but leaves out the pixels of this row, and does not mix. */
FF_INLINE FF_AVX2 void find_eight_avx2(ff_pixel_model *model, const uint32_t *at, const uint32_t *base, uint32_t x,
                                       memory_places *places) {
    const uint32_t *k = model->keys, *up = at - FF_WINDOW_PITCH, *upper = up - FF_WINDOW_PITCH;
#define TIMES(pixels, key)                                                                                                  \
    _mm256_mullo_epi32(_mm256_loadu_si256((const __m256i *)(pixels)), _mm256_set1_epi32((int)k[key]))
#define SUM(a, b) _mm256_add_epi32(a, b)
    const __m256i two = TIMES(up, 1);
    __m256i hashes[FF_MEMORIES];
    hashes[2] = SUM(two, SUM(TIMES(up + 1, 2), TIMES(up - 1, 3)));
    hashes[1] = SUM(hashes[2], TIMES(upper, 5));
    hashes[0] = SUM(hashes[1], SUM(SUM(TIMES(upper + 1, 7), TIMES(upper - 1, 8)), SUM(TIMES(up - 2, 9), TIMES(up + 2, 10))));
    hashes[3] = SUM(SUM(two, TIMES(base, 11)), SUM(SUM(TIMES(base - 1, 12), TIMES(base + 1, 13)), TIMES(base + FF_BASE_PITCH, 14)));
#undef SUM
#undef TIMES
    for (uint32_t i = 0; i < FF_MEMORIES; i++)
        _mm256_storeu_si256((__m256i *)(places->of[i] + x), hashes[i]);
}

/* Completes the hashes of pixel x by the three pixels before it. */
FF_INLINE void finish_places(ff_pixel_model *model, const memory_places *places, uint32_t x, uint32_t w, uint32_t ww, uint32_t www,
                             uint32_t *slots[FF_MEMORIES]) {
    const uint32_t *k = model->keys, one = w * k[0], two = one + ww * k[4], three = two + www * k[6];
    const uint32_t hashes[FF_MEMORIES] = {places->of[0][x] + three, places->of[1][x] + two, places->of[2][x] + one,
                                          places->of[3][x] + one};
    for (uint32_t i = 0; i < FF_MEMORIES; i++)
        slots[i] = &model->memories[i][(hashes[i] ^ hashes[i] >> 15) * k[15] >> (32 - FF_MEMORY_BITS)];
}

/* Supposes that the guess is right, so that what the next pixel asks of the memories comes meanwhile. */
FF_INLINE FF_AVX2 void prefetch_next(ff_pixel_model *model, const memory_places *places, const spot *o, uint32_t guess) {
    uint32_t *slots[FF_MEMORIES];
    finish_places(model, places, o->x + 1, guess, o->at[-1], o->at[-2], slots);
    for (uint32_t i = 0; i < FF_MEMORIES; i++)
        _mm_prefetch((const char *)slots[i], _MM_HINT_T0);
}

FF_INLINE FF_AVX2 void find_memories_avx2(ff_pixel_model *model, const coder *c, const spot *o, memory_places *places,
                                          uint32_t *slots[FF_MEMORIES]) {
    (void)c;
    const uint32_t x = o->x;
    places->ready = places->ready < x ? x : places->ready;
    for (; places->ready <= x + 1 && places->ready < places->width; places->ready += 8)
        find_eight_avx2(model, o->at + (places->ready - x), o->base + (places->ready - x), places->ready, places);
    finish_places(model, places, x, o->at[-1], o->at[-2], o->at[-3], slots);
}

/* The colours that may be asked for, and what depends on their pixel only. */
typedef struct voters_avx2 {
    __m256i colours; /* memories 0, 1, 3, t, memory 2, w, n, ne: as the bits of votes; nw comes last */
    uint32_t nw;
    uint32_t pattern, ways;        /* without the votes for a colour */
    uint32_t trust[8];             /* confidence of the memories, at most MAX_TRUST; in the order of colours */
    int32_t (*weights)[FF_INPUTS]; /* of rank 0, by the agreement of memories 0 and 1 */
} voters_avx2;

/* As learn does, in fewer instructions where many learn the same bit. The goal of a 0 is not 0, but what makes the shift round towards
 * the old value, as that of a 1 does. */
FF_INLINE void learn_towards(uint16_t *probability, int32_t goal, int rate) {
    *probability = (uint16_t)(*probability + ((goal - *probability) >> rate));
}

FF_INLINE int32_t goal_of(uint32_t bit, int rate) { return bit ? UINT16_MAX : (1 << rate) - 1; }

/* As learn does, two that are side by side. */
FF_INLINE void learn_two(uint16_t *probabilities, uint32_t bit, int rate) {
    const uint32_t flip = 0 - bit, shifted = (uint32_t)(UINT16_MAX >> rate) * 0x10001u;
    uint32_t distances;
    memcpy(&distances, probabilities, sizeof distances);
    distances ^= flip;
    distances = (distances - (distances >> rate & shifted)) ^ flip;
    memcpy(probabilities, &distances, sizeof distances);
}

FF_INLINE FF_AVX2 int32_t sum_avx2(__m256i numbers) {
    __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(numbers), _mm256_extracti128_si256(numbers, 1));
    sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, _MM_SHUFFLE(1, 0, 3, 2)));
    return _mm_cvtsi128_si32(_mm_add_epi32(sum, _mm_shuffle_epi32(sum, _MM_SHUFFLE(2, 3, 0, 1))));
}

FF_INLINE FF_AVX2 uint32_t code_guess_avx2(ff_pixel_model *model, const coder *c, const voters_avx2 *o, uint32_t rank, uint32_t votes,
                                           uint32_t right) {
    const uint32_t agree[FF_MEMORIES] = {votes & 1, votes >> 1 & 1, votes >> 4 & 1, votes >> 2 & 1};
    const uint32_t stays = votes >> 3 & 1, neighbours = votes >> 5;
    uint16_t *of_votes = by_votes(model, rank, votes);
    uint16_t *of_pattern = by_pattern(model, rank, o->pattern | neighbours << 5 | stays << 11);
    uint16_t *of_ways = by_ways(model, rank, o->ways | stays << 11);
    uint16_t *first = by_memory(model, rank, 0, agree[0], o->trust[0]), *second = by_memory(model, rank, 1, agree[1], o->trust[1]);
    uint16_t *third = by_memory(model, rank, 2, agree[2], o->trust[4]), *fourth = by_memory(model, rank, 3, agree[3], o->trust[2]);
    const int16_t *stretch = model->stretch;
    __m128i few = _mm_cvtsi32_si128(stretch[*of_votes >> 4]);
    few = _mm_insert_epi16(few, stretch[*of_pattern >> 4], 1);
    few = _mm_insert_epi16(few, stretch[*of_ways >> 4], 2);
    few = _mm_insert_epi16(few, stretch[*first >> 4], 3);
    __m128i more = _mm_cvtsi32_si128(stretch[*second >> 4]);
    more = _mm_insert_epi16(more, stretch[*third >> 4], 1);
    more = _mm_insert_epi16(more, stretch[*fourth >> 4], 2);
    more = _mm_insert_epi16(more, 256, 3);
    const __m256i inputs = _mm256_cvtepi16_epi32(_mm_unpacklo_epi64(few, more));
    __m256i *at = (__m256i *)(o->weights[rank * (sizeof model->weights[0] / sizeof *o->weights) + agree[0] * 2 + agree[1]]);
    __m256i weights = _mm256_loadu_si256(at);
    int32_t sum = sum_avx2(_mm256_srai_epi32(_mm256_mullo_epi32(weights, inputs), 8)) >> 8;
    sum = sum > MAX_STRETCH ? MAX_STRETCH : sum < -MAX_STRETCH ? -MAX_STRETCH : sum;
    const uint32_t position = (uint32_t)(sum + 2048), fraction = position & 127;
    const int32_t mixed = model->squash[position];
    uint16_t *correction = model->corrections[rank][votes] + (position >> 7);
    uint32_t one = ((uint32_t)mixed + ((correction[0] * (128 - fraction) + correction[1] * fraction) >> 7)) >> 1;
    one = one < MIN_GUESS ? MIN_GUESS : one > FF_PROBABILITY_ONE - MIN_GUESS ? FF_PROBABILITY_ONE - MIN_GUESS : one;

    right = code_bit(c, one, right);

    const __m256i error = _mm256_set1_epi32((((right ? 65536 : 0) - mixed) >> 3) * 3 & UINT16_MAX);
    /* Both have 16 bits: the upper half of the inputs is multiplied by 0. */
    const __m256i products = _mm256_madd_epi16(inputs, error);
    const __m256i moves = _mm256_srai_epi32(_mm256_add_epi32(products, _mm256_set1_epi32(4096)), 13);
    weights = _mm256_min_epi32(_mm256_add_epi32(weights, moves), _mm256_set1_epi32(MAX_WEIGHT));
    _mm256_storeu_si256(at, _mm256_max_epi32(weights, _mm256_set1_epi32(-MAX_WEIGHT)));
    const int32_t goal = goal_of(right, CONTEXT_RATE), slow_goal = goal_of(right, MEMORY_RATE);
    learn_two(correction, right, CORRECTION_RATE);
    learn_towards(of_votes, goal, CONTEXT_RATE);
    learn_towards(of_pattern, goal, CONTEXT_RATE);
    learn_towards(of_ways, goal, CONTEXT_RATE);
    learn_towards(first, slow_goal, MEMORY_RATE);
    learn_towards(second, slow_goal, MEMORY_RATE);
    learn_towards(third, slow_goal, MEMORY_RATE);
    learn_towards(fourth, slow_goal, MEMORY_RATE);
    return right;
}

/* The lanes that are all ones, as bits. */
FF_INLINE FF_AVX2 uint32_t lanes_of(__m256i mask) { return (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(mask)); }

FF_INLINE FF_AVX2 uint32_t equal_lanes_avx2(__m256i a, __m256i b) { return lanes_of(_mm256_cmpeq_epi32(a, b)); }

/* Which of eight candidates are at least so confident; colours of neighbours always are. */
FF_INLINE FF_AVX2 uint32_t confident_lanes_avx2(__m256i slots, __m256i least) {
    const __m256i lacking = _mm256_cmpgt_epi32(least, _mm256_srli_epi32(slots, 24));
    return (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(lacking)) ^ 255;
}

/* The first eight candidates always have one, w, so that the rest is seldom looked at. */
FF_INLINE FF_AVX2 uint32_t code_guesses_avx2(ff_pixel_model *model, const coder *c, const spot *s, const memory_places *places,
                                             uint32_t *const slots[FF_MEMORIES], uint32_t *pixel) {
    const uint32_t *at = s->at, *base = s->base, *up = at - FF_WINDOW_PITCH;
    const uint32_t w = at[-1];
    const __m128i above = _mm_loadu_si128((const __m128i *)(up - 1)); /* nw, n, ne */
    const __m128i base_above = _mm_loadu_si128((const __m128i *)(base - FF_BASE_PITCH - 1));
    const uint32_t unmoved = (uint32_t)_mm_movemask_ps(_mm_castsi128_ps(_mm_cmpeq_epi32(above, base_above)));
    const uint32_t still = (uint32_t)(w == base[-1]) | (unmoved & 6) | (unmoved << 3 & 8); /* w, n, ne, nw */
    const __m128i w_or_n = _mm_unpacklo_epi64(_mm_set1_epi32((int)w), _mm_set1_epi32((int)up[0]));
    const __m128i its_other = _mm_shuffle_epi32(above, _MM_SHUFFLE(0, 2, 0, 1));
    const uint32_t equal = (uint32_t)_mm_movemask_ps(_mm_castsi128_ps(_mm_cmpeq_epi32(w_or_n, its_other)));

    __m128i few = _mm_cvtsi32_si128((int)*slots[0]);
    few = _mm_insert_epi32(few, (int)*slots[1], 1);
    few = _mm_insert_epi32(few, (int)*slots[3], 2);
    few = _mm_insert_epi32(few, (int)base[0], 3);
    __m128i more = _mm_loadu_si128((const __m128i *)(up - 2)); /* , nw, n, ne */
    more = _mm_insert_epi32(more, (int)*slots[2], 0);
    more = _mm_insert_epi32(more, (int)w, 1);
    const __m256i all = _mm256_inserti128_si256(_mm256_castsi128_si256(few), more, 1), opaque = _mm256_set1_epi32((int)FF_OPAQUE);
    voters_avx2 o = {
        /* No colour where nothing is remembered, which is where a slot is 0. */
        .colours = _mm256_andnot_si256(_mm256_cmpeq_epi32(all, _mm256_setzero_si256()), _mm256_or_si256(all, opaque)),
        .nw = up[-1],
        .pattern = equal | (uint32_t)(w == at[-2]) << 4 | (still & 3) << 9,
        .ways = s->near_ways | (uint32_t)(still == 15) << 10,
    };
    _mm256_storeu_si256((__m256i *)o.trust, _mm256_min_epu32(_mm256_srli_epi32(all, 24), _mm256_set1_epi32(MAX_TRUST)));
    o.weights = model->weights[0][s->literals][STEPS[o.trust[0]]][STEPS[o.trust[1]]][0];

    uint32_t candidates[16];
    /* Memories 0, 3 and 1 if confident, 0, 1, 2, then t, if the neighbours stayed, and w. */
    __m256i slots_asked = _mm256_permutevar8x32_epi32(all, _mm256_setr_epi32(0, 2, 1, 0, 1, 4, 3, 5));
    uint32_t open = confident_lanes_avx2(slots_asked, _mm256_setr_epi32(CONFIDENT, CONFIDENT, CONFIDENT, 1, 1, 2, 0, 0));
    open &= (still & 3) == 3 ? 0xff : 0xbf;
    const __m256i first_eight = _mm256_or_si256(slots_asked, opaque);
    _mm256_storeu_si256((__m256i *)candidates, first_eight);
#pragma GCC unroll 3
    for (uint32_t rank = 0; rank < FF_GUESSES; rank++) {
        const uint32_t colour = candidates[(uint32_t)__builtin_ctz(open)];
        if (s->x + 1 < places->ready)
            prefetch_next(model, places, s, colour);
        const __m256i asked = _mm256_set1_epi32((int)colour);
        const uint32_t votes = equal_lanes_avx2(o.colours, asked) | (uint32_t)(o.nw == colour) << 8;
        if (code_guess_avx2(model, c, &o, rank, votes, colour == *pixel)) {
            *pixel = colour;
            return rank;
        }
        if (rank == 0) { /* n, ne, nw, memories 3 and 2, t */
            slots_asked = _mm256_permutevar8x32_epi32(all, _mm256_setr_epi32(6, 7, 0, 2, 4, 3, 3, 3));
            slots_asked = _mm256_blend_epi32(slots_asked, _mm256_set1_epi32((int)o.nw), 4);
            open |= confident_lanes_avx2(slots_asked, _mm256_setr_epi32(0, 0, 0, 1, 1, 0, 256, 256)) << 8;
            _mm256_storeu_si256((__m256i *)(candidates + 8), _mm256_or_si256(slots_asked, opaque));
        }
        open &= ~(equal_lanes_avx2(first_eight, asked) | equal_lanes_avx2(_mm256_or_si256(slots_asked, opaque), asked) << 8);
        if (open == 0)
            break;
    }
    return FF_GUESSES;
}

/* Entries of the four memories. */
FF_INLINE FF_AVX2 __m128i load_entries(uint32_t *const slots[FF_MEMORIES]) {
    __m128i entries = _mm_cvtsi32_si128((int)*slots[0]);
    entries = _mm_insert_epi32(entries, (int)*slots[1], 1);
    entries = _mm_insert_epi32(entries, (int)*slots[2], 2);
    return _mm_insert_epi32(entries, (int)*slots[3], 3);
}

/* Stores what the entries are once the pixel is known. `repeated`: the lanes that remember its colour. */
FF_INLINE FF_AVX2 void remember_entries(uint32_t *const slots[FF_MEMORIES], __m128i old, __m128i repeated, uint32_t pixel) {
    const __m128i one = _mm_set1_epi32(1 << 24), rgb = _mm_set1_epi32((int)FF_RGB_MASK);
    const __m128i colour = _mm_set1_epi32((int)(pixel & FF_RGB_MASK)), confidence = _mm_srli_epi32(old, 24);
    const __m128i old_colour = _mm_and_si128(old, rgb);
    /* 1, or less than half of what it was */
    const __m128i half = _mm_slli_epi32(_mm_sub_epi32(_mm_srli_epi32(confidence, 1), _mm_set1_epi32(1)), 24);
    const __m128i lessened = _mm_blendv_epi8(one, half, _mm_cmpgt_epi32(confidence, _mm_set1_epi32(6)));
    const __m128i kept = _mm_blendv_epi8(colour, old_colour, _mm_cmpgt_epi32(confidence, _mm_set1_epi32(1)));
    const __m128i fresh = _mm_blendv_epi8(_mm_or_si128(kept, lessened), _mm_adds_epu8(old, one), repeated);
    *slots[0] = (uint32_t)_mm_cvtsi128_si32(fresh);
    *slots[1] = (uint32_t)_mm_extract_epi32(fresh, 1);
    *slots[2] = (uint32_t)_mm_extract_epi32(fresh, 2);
    *slots[3] = (uint32_t)_mm_extract_epi32(fresh, 3);
}

FF_INLINE FF_AVX2 void remember_avx2(uint32_t *const slots[FF_MEMORIES], uint32_t pixel) {
    const __m128i old = load_entries(slots);
    const __m128i same = _mm_cmpeq_epi32(_mm_or_si128(old, _mm_set1_epi32((int)FF_OPAQUE)), _mm_set1_epi32((int)pixel));
    remember_entries(slots, old, _mm_andnot_si128(_mm_cmpeq_epi32(old, _mm_setzero_si128()), same), pixel);
}

#endif

#endif
