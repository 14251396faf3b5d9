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

/* The parts of a row of pixels, or of their difference from a base. Two loops: with the question inside, compilers read the
 * base under a mask, and masked reads of no address are slow. */
FF_INLINE void split_row(const uint32_t *pixels, const uint32_t *base, uint32_t width, uint32_t *parts) {
    if (base == NULL)
        for (uint32_t x = 0; x < width; x++)
            parts[x] = split_channels(pixels[x]);
    else
        for (uint32_t x = 0; x < width; x++)
            parts[x] = add_bytes(subtract_bytes(split_channels(pixels[x]), split_channels(base[x])), MIDDLE);
}

FF_INLINE void split_box(const uint32_t *tile, const uint32_t *base, size_t pitch, ff_box box, uint8_t *green,
                         uint8_t *blue, uint8_t *red) {
    uint32_t parts[FF_TILE] = {0};
    for (uint32_t y = box.y; y < box.y + box.height; y++) {
        uint8_t *greens = part_row(green, y - box.y), *blues = part_row(blue, y - box.y), *reds = part_row(red, y - box.y);
        split_row(tile + y * FF_TILE + box.x, base == NULL ? NULL : base + y * pitch + box.x, box.width, parts);
        for (uint32_t x = 0; x < FF_TILE; x++) {
            blues[x] = (uint8_t)parts[x];
            greens[x] = (uint8_t)(parts[x] >> 8);
            reds[x] = (uint8_t)(parts[x] >> 16);
        }
    }
}

FF_INLINE void predict_part(uint8_t *part, ff_box box, uint8_t *residuals) {
    memset(part, 0, 2 * PART_PITCH - FF_TILE);
    for (uint32_t y = 0; y < box.height; y++, residuals += box.width) {
        uint8_t row_residuals[FF_TILE];
        uint8_t *row = part_row(part, y);
        const uint8_t *above = row - PART_PITCH;
        if (y > 0)
            row[-1] = above[0];
        for (uint32_t x = 0; x < FF_TILE; x++)
            row_residuals[x] = (uint8_t)(row[x] - median_edge(row[(ptrdiff_t)x - 1], above[x], above[(ptrdiff_t)x - 1]));
        if (box.width == FF_TILE) /* a constant spares a call */
            memcpy(residuals, row_residuals, FF_TILE);
        else
            memcpy(residuals, row_residuals, box.width);
    }
}

/* Residuals are signed bytes. */
FF_INLINE uint32_t sum_magnitudes(const uint8_t *residuals, uint32_t count) {
    uint32_t sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t negative = (uint8_t)-residuals[i];
        sum += residuals[i] < negative ? residuals[i] : negative;
    }
    return sum;
}

FF_INLINE uint32_t predict(const uint32_t *tile, const uint32_t *base, size_t pitch, ff_box box, uint8_t *green,
                           uint8_t *blue, uint8_t *red) {
    part_plane parts[3];
    const uint32_t count = box.width * box.height;
    split_box(tile, base, pitch, box, parts[0], parts[1], parts[2]);
    predict_part(parts[0], box, green);
    predict_part(parts[1], box, blue);
    predict_part(parts[2], box, red);
    return sum_magnitudes(green, count) + sum_magnitudes(blue, count) + sum_magnitudes(red, count);
}

uint32_t ff_predict_scalar(const uint32_t *tile, const uint32_t *base, size_t pitch, ff_box box, uint8_t *green,
                           uint8_t *blue, uint8_t *red) {
    return predict(tile, base, pitch, box, green, blue, red);
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

FF_AVX2 uint32_t ff_predict_avx2(const uint32_t *tile, const uint32_t *base, size_t pitch, ff_box box, uint8_t *green,
                                 uint8_t *blue, uint8_t *red) {
    return predict(tile, base, pitch, box, green, blue, red);
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
