#include "predict.h"

#include <string.h>

#ifdef FF_HAVE_AVX2
#include <immintrin.h>
#endif

/* median(left, up, left + up - corner) without leaving eight bits: where the corner is not between the two, it is one of
 * them, and else the sum is in range. So compilers work on as many pixels as a vector has bytes. */
FF_INLINE uint8_t median_edge(uint8_t left, uint8_t up, uint8_t corner) {
    const uint8_t low = left < up ? left : up, high = left < up ? up : left;
    const uint8_t gradient = (uint8_t)(left + up - corner);
    const uint8_t upper = corner <= low ? high : gradient;
    return corner >= high ? low : upper;
}

/* B - G, G and R - G in the lower three bytes, modulo 256. */
FF_INLINE uint32_t split_channels(uint32_t pixel) {
    const uint32_t g = pixel >> 8 & 255;
    return ((pixel - g) & 255) | g << 8 | (((pixel >> 16) - g) & 255) << 16;
}

FF_INLINE uint32_t join_channels(uint32_t parts) {
    const uint32_t g = parts >> 8 & 255;
    return ((parts + g) & 255) | g << 8 | (((parts >> 16) + g) & 255) << 16 | FF_OPAQUE;
}

/* Sums and differences of the four bytes of two words, each modulo 256. */
FF_INLINE uint32_t add_bytes(uint32_t a, uint32_t b) {
    return (((a & 0x00FF00FFu) + (b & 0x00FF00FFu)) & 0x00FF00FFu) | (((a & 0xFF00FF00u) + (b & 0xFF00FF00u)) & 0xFF00FF00u);
}

FF_INLINE uint32_t subtract_bytes(uint32_t a, uint32_t b) {
    return (((a | 0xFF00FF00u) - (b & 0x00FF00FFu)) & 0x00FF00FFu) |
           ((((a >> 8) | 0xFF00FF00u) - (b >> 8 & 0x00FF00FFu)) & 0x00FF00FFu) << 8;
}

/* Differences from a base stand around this value. */
#define MIDDLE 0x00808080u

/* One part of a box with a border, so that every pixel has its neighbours: zeros above the first row, which make the median
 * the left neighbour, and left of each row the pixel above its first, which makes it that pixel. Rows have a fixed length, so
 * that compilers need no loops for what is left over. */
#define BORDER 32u
#define PART_PITCH (BORDER + FF_TILE)
typedef uint8_t part_plane[(FF_TILE + 1) * PART_PITCH];

FF_INLINE uint8_t *part_row(uint8_t *part, uint32_t y) { return part + (y + 1) * PART_PITCH + BORDER; }

/* The parts of the pixels of a row, or of what they are more than those of a base, into one row of each part. `width` pixels are
 * there to be read; rows of parts have FF_TILE bytes. */
typedef void split_row(const uint32_t *pixels, const uint32_t *base, uint32_t width, uint8_t *green, uint8_t *blue, uint8_t *red);

FF_INLINE void split_row_scalar(const uint32_t *pixels, const uint32_t *base, uint32_t width, uint8_t *green, uint8_t *blue,
                                uint8_t *red) {
    for (uint32_t x = 0; x < width; x++) {
        /* The parts of a difference are the differences of the parts. */
        const uint32_t parts = base == NULL ? split_channels(pixels[x])
                                            : add_bytes(split_channels(subtract_bytes(pixels[x], base[x])), MIDDLE);
        blue[x] = (uint8_t)parts;
        green[x] = (uint8_t)(parts >> 8);
        red[x] = (uint8_t)(parts >> 16);
    }
}

/* The residuals of a row of a part, the rows above it and its border being known. */
typedef void predict_row(const uint8_t *row, uint8_t *residuals);

FF_INLINE void predict_row_scalar(const uint8_t *row, uint8_t *residuals) {
    const uint8_t *above = row - PART_PITCH;
    for (ptrdiff_t x = 0; x < (ptrdiff_t)FF_TILE; x++)
        residuals[x] = (uint8_t)(row[x] - median_edge(row[x - 1], above[x], above[x - 1]));
}

FF_INLINE void predict_part(const uint8_t *part, ff_box box, uint8_t *residuals, predict_row predict) {
    const uint8_t *row = part + PART_PITCH + BORDER;
    for (uint32_t y = 0; y < box.height; y++, row += PART_PITCH, residuals += box.width) {
        uint8_t row_residuals[FF_TILE];
        predict(row, box.width == FF_TILE ? residuals : row_residuals);
        if (box.width < FF_TILE)
            memcpy(residuals, row_residuals, box.width);
    }
}

/* Residuals are signed bytes. */
typedef uint32_t sum_magnitudes(const uint8_t *residuals, uint32_t count);

FF_INLINE uint32_t sum_magnitudes_scalar(const uint8_t *residuals, uint32_t count) {
    uint32_t sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t negative = (uint8_t)-residuals[i];
        sum += residuals[i] < negative ? residuals[i] : negative;
    }
    return sum;
}

/* Cuts a box into its three parts, with their borders. */
FF_INLINE void split_box(const uint32_t *tile, const uint32_t *base, size_t pitch, ff_box box, part_plane parts[3], split_row split) {
    for (int i = 0; i < 3; i++)
        memset(parts[i], 0, 2 * PART_PITCH - FF_TILE);
    for (uint32_t y = 0; y < box.height; y++) {
        uint8_t *rows[3] = {part_row(parts[0], y), part_row(parts[1], y), part_row(parts[2], y)};
        split(tile + (box.y + y) * FF_TILE + box.x, base == NULL ? NULL : base + (box.y + y) * pitch + box.x, box.width,
              rows[0], rows[1], rows[2]);
        for (int i = 0; i < 3 && y > 0; i++) /* long before it is read, since processors dislike what has just been written in parts */
            rows[i][-1] = rows[i][-(ptrdiff_t)PART_PITCH];
    }
}

FF_INLINE uint32_t predict(const uint32_t *tile, const uint32_t *base, size_t pitch, ff_box box, uint8_t *const residuals[3],
                           split_row split, predict_row predict, sum_magnitudes sum_up) {
    part_plane parts[3];
    uint32_t sum = 0;
    split_box(tile, base, pitch, box, parts, split);
    for (int i = 0; i < 3; i++) {
        predict_part(parts[i], box, residuals[i], predict);
        sum += sum_up(residuals[i], box.width * box.height);
    }
    return sum;
}

uint32_t ff_predict_scalar(const uint32_t *tile, const uint32_t *base, size_t pitch, ff_box box, uint8_t *green,
                           uint8_t *blue, uint8_t *red) {
    uint8_t *const residuals[3] = {green, blue, red};
    return predict(tile, base, pitch, box, residuals, split_row_scalar, predict_row_scalar, sum_magnitudes_scalar);
}

/* A row of parts into pixels. */
FF_INLINE void join_row(const uint32_t *parts, int based, uint32_t width, uint32_t *target) {
    if (based)
        for (uint32_t x = 0; x < width; x++)
            target[x] = join_channels(add_bytes(subtract_bytes(parts[x], MIDDLE), split_channels(target[x])));
    else
        for (uint32_t x = 0; x < width; x++)
            target[x] = join_channels(parts[x]);
}

void ff_unpredict_scalar(const uint8_t *green, const uint8_t *blue, const uint8_t *red, int based, ff_box box, uint32_t *target,
                         size_t pitch) {
    uint8_t above[3][FF_TILE]; /* the row above, taken apart */
    uint32_t parts[FF_TILE];
    for (uint32_t y = 0; y < box.height; y++, target += pitch) {
        uint8_t left[3] = {0}, corner[3] = {0};
        for (uint32_t x = 0; x < box.width; x++) {
            const uint8_t residuals[3] = {*blue++, *green++, *red++};
            parts[x] = 0;
            for (int channel = 0; channel < 3; channel++) {
                const uint8_t up = y > 0 ? above[channel][x] : 0;
                const uint8_t prediction = y == 0   ? left[channel]
                                       : x == 0 ? up
                                                : median_edge(left[channel], up, corner[channel]);
                left[channel] = (uint8_t)(prediction + residuals[channel]);
                corner[channel] = up;
                above[channel][x] = left[channel];
                parts[x] |= (uint32_t)left[channel] << 8 * channel;
            }
        }
        join_row(parts, based, box.width, target);
    }
}

FF_INLINE void xor_box(const uint32_t *tile, const uint32_t *reference, size_t pitch, ff_box box, uint8_t *planes) {
    uint8_t *green = planes, *blue = planes + box.width * box.height, *red = blue + box.width * box.height;
    tile += box.y * FF_TILE + box.x;
    reference += box.y * pitch + box.x;
    for (uint32_t y = 0; y < box.height; y++, tile += FF_TILE, reference += pitch)
        for (uint32_t x = 0; x < box.width; x++) {
            const uint32_t difference = tile[x] ^ reference[x];
            *blue++ = (uint8_t)difference;
            *green++ = (uint8_t)(difference >> 8);
            *red++ = (uint8_t)(difference >> 16);
        }
}

void ff_xor_box_scalar(const uint32_t *tile, const uint32_t *reference, size_t pitch, ff_box box, uint8_t *planes) {
    xor_box(tile, reference, pitch, box, planes);
}

FF_INLINE void unxor_box(const uint8_t *planes, ff_box box, uint32_t *target, size_t pitch) {
    const uint8_t *green = planes, *blue = planes + box.width * box.height, *red = blue + box.width * box.height;
    for (uint32_t y = 0; y < box.height; y++, target += pitch)
        for (uint32_t x = 0; x < box.width; x++)
            target[x] ^= *blue++ | (uint32_t)*green++ << 8 | (uint32_t)*red++ << 16;
}

void ff_unxor_box_scalar(const uint8_t *planes, ff_box box, uint32_t *target, size_t pitch) {
    unxor_box(planes, box, target, pitch);
}

#ifdef FF_HAVE_AVX2

/* Of 32 pixels, or of what they are more than those of a base. */
FF_INLINE FF_AVX2 void split_32_avx2(const uint32_t *pixels, const uint32_t *base, uint8_t *green, uint8_t *blue, uint8_t *red) {
    /* Of each four pixels first the four of one channel, then those of the next. */
    const __m256i by_channel = _mm256_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15, 0, 4, 8, 12, 1, 5, 9, 13, 2, 6,
                                                10, 14, 3, 7, 11, 15);
    const __m256i in_order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    __m256i fours[4];
    for (int i = 0; i < 4; i++) {
        __m256i eight = _mm256_loadu_si256((const __m256i *)pixels + i);
        if (base != NULL)
            eight = _mm256_sub_epi8(eight, _mm256_loadu_si256((const __m256i *)base + i));
        fours[i] = _mm256_shuffle_epi8(eight, by_channel);
    }
    const __m256i low = _mm256_unpacklo_epi32(fours[0], fours[1]), low_after = _mm256_unpacklo_epi32(fours[2], fours[3]);
    const __m256i high = _mm256_unpackhi_epi32(fours[0], fours[1]), high_after = _mm256_unpackhi_epi32(fours[2], fours[3]);
    const __m256i middle = _mm256_set1_epi8(base != NULL ? -128 : 0);
    const __m256i b = _mm256_unpacklo_epi64(low, low_after), g = _mm256_unpackhi_epi64(low, low_after);
    const __m256i r = _mm256_unpacklo_epi64(high, high_after);
#define STORE(row, bytes)                                                                                                    \
    _mm256_storeu_si256((__m256i *)(row), _mm256_permutevar8x32_epi32(_mm256_add_epi8(bytes, middle), in_order))
    STORE(green, g);
    STORE(blue, _mm256_sub_epi8(b, g));
    STORE(red, _mm256_sub_epi8(r, g));
#undef STORE
}

FF_INLINE FF_AVX2 void split_row_avx2(const uint32_t *pixels, const uint32_t *base, uint32_t width, uint8_t *green, uint8_t *blue,
                                      uint8_t *red) {
    uint32_t row[2][FF_TILE];
    if (width < FF_TILE) { /* what lies beyond may not be there to be read */
        memcpy(row[0], pixels, width * sizeof *pixels);
        memset(row[0] + width, 0, (FF_TILE - width) * sizeof *pixels);
        pixels = row[0];
        if (base != NULL) {
            memcpy(row[1], base, width * sizeof *base);
            memset(row[1] + width, 0, (FF_TILE - width) * sizeof *base);
            base = row[1];
        }
    }
    for (uint32_t x = 0; x < FF_TILE; x += 32)
        split_32_avx2(pixels + x, base == NULL ? NULL : base + x, green + x, blue + x, red + x);
}

FF_INLINE FF_AVX2 void predict_row_avx2(const uint8_t *row, uint8_t *residuals) {
#define LOAD(bytes) _mm256_loadu_si256((const __m256i *)(bytes))
    for (uint32_t x = 0; x < FF_TILE; x += 32) {
        const uint8_t *at = row + x, *above = at - PART_PITCH;
        const __m256i left = LOAD(at - 1), up = LOAD(above), corner = LOAD(above - 1);
        /* median_edge */
        const __m256i low = _mm256_min_epu8(left, up), high = _mm256_max_epu8(left, up);
        const __m256i gradient = _mm256_sub_epi8(_mm256_add_epi8(left, up), corner);
        const __m256i over = _mm256_cmpeq_epi8(_mm256_max_epu8(corner, high), corner);
        const __m256i under = _mm256_cmpeq_epi8(_mm256_min_epu8(corner, low), corner);
        const __m256i median = _mm256_blendv_epi8(_mm256_blendv_epi8(gradient, high, under), low, over);
        _mm256_storeu_si256((__m256i *)(residuals + x), _mm256_sub_epi8(LOAD(at), median));
    }
#undef LOAD
}

FF_INLINE FF_AVX2 uint32_t sum_magnitudes_avx2(const uint8_t *residuals, uint32_t count) {
    __m256i sums = _mm256_setzero_si256();
    uint32_t i = 0;
    for (; i + 32 <= count; i += 32) {
        const __m256i magnitudes = _mm256_abs_epi8(_mm256_loadu_si256((const __m256i *)(residuals + i)));
        sums = _mm256_add_epi64(sums, _mm256_sad_epu8(magnitudes, _mm256_setzero_si256()));
    }
    const __m128i two = _mm_add_epi64(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
    return (uint32_t)(_mm_cvtsi128_si32(two) + _mm_extract_epi32(two, 2)) + sum_magnitudes_scalar(residuals + i, count - i);
}

FF_AVX2 uint32_t ff_predict_avx2(const uint32_t *tile, const uint32_t *base, size_t pitch, ff_box box, uint8_t *green,
                                 uint8_t *blue, uint8_t *red) {
    uint8_t *const residuals[3] = {green, blue, red};
    return base == NULL ? predict(tile, NULL, pitch, box, residuals, split_row_avx2, predict_row_avx2, sum_magnitudes_avx2)
                        : predict(tile, base, pitch, box, residuals, split_row_avx2, predict_row_avx2, sum_magnitudes_avx2);
}

FF_AVX2 void ff_xor_box_avx2(const uint32_t *tile, const uint32_t *reference, size_t pitch, ff_box box,
                             uint8_t *planes) {
    xor_box(tile, reference, pitch, box, planes);
}

FF_AVX2 void ff_unxor_box_avx2(const uint8_t *planes, ff_box box, uint32_t *target, size_t pitch) {
    unxor_box(planes, box, target, pitch);
}

/* Each pixel waits for its left neighbour, so the loop is bound by latency; keeping the channels of a pixel in 16-bit
 * lanes does the three medians at once. */
FF_AVX2 void ff_unpredict_avx2(const uint8_t *green, const uint8_t *blue, const uint8_t *red, int based,
                               ff_box box, uint32_t *target, size_t pitch) {
    const __m128i low_bytes = _mm_set1_epi16(255), zero = _mm_setzero_si128();
    uint32_t above[FF_TILE] = {0}, residuals[FF_TILE]; /* B - G, G and R - G of a row, 0 */
    for (uint32_t y = 0; y < box.height; y++, target += pitch) {
        for (uint32_t x = 0; x < box.width; x++)
            residuals[x] = *blue++ | (uint32_t)*green++ << 8 | (uint32_t)*red++ << 16;
        /* In the first row all of `above` is 0, and in the first column left and upper left are the pixel above:
         * the median then is the prediction that is defined for the border. */
        __m128i up = _mm_unpacklo_epi8(_mm_cvtsi32_si128((int)above[0]), zero);
        __m128i left = up, corner = up;
        for (uint32_t x = 0; x < box.width; x++) {
            const __m128i residual = _mm_unpacklo_epi8(_mm_cvtsi32_si128((int)residuals[x]), zero);
            up = _mm_unpacklo_epi8(_mm_cvtsi32_si128((int)above[x]), zero);
            const __m128i gradient = _mm_add_epi16(_mm_sub_epi16(up, corner), left);
            const __m128i prediction =
                _mm_max_epi16(_mm_min_epi16(left, up), _mm_min_epi16(_mm_max_epi16(left, up), gradient));
            left = _mm_and_si128(_mm_add_epi16(prediction, residual), low_bytes);
            corner = up;
            above[x] = (uint32_t)_mm_cvtsi128_si32(_mm_packus_epi16(left, zero));
        }
        join_row(above, based, box.width, target);
    }
}

#endif
