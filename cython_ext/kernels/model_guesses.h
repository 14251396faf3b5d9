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

/* 65536 / (1 + exp(-d / 256)) for d from -2048 to 2048 in steps of 128. */
static const uint16_t SQUASH[33] = {
    22,    36,    60,    98,    162,   267,   439,   720,   1179,  1921,  3108,  4971,  7812,  11955, 17625, 24743, 32768,
    40793, 47911, 53581, 57724, 60565, 62428, 63615, 64357, 64816, 65097, 65269, 65374, 65438, 65476, 65500, 65514,
};

FF_INLINE uint32_t squash(int32_t stretched) {
    const uint32_t position = (uint32_t)(stretched + 2048), step = position >> 7, fraction = position & 127;
    return (SQUASH[step] * (128 - fraction) + SQUASH[step + 1] * fraction) >> 7;
}

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

#endif
