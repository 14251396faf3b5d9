#include "predict.h"

#include "entropy.h"

#include <string.h>

#ifdef FF_HAVE_AVX2
#include <immintrin.h>
#endif

FF_INLINE int smaller(int a, int b) { return a < b ? a : b; }
FF_INLINE int larger(int a, int b) { return a > b ? a : b; }

FF_INLINE int median_edge(int left, int up, int corner) {
    const int low = smaller(left, up), high = larger(left, up);
    return larger(low, smaller(high, left + up - corner));
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

/* Takes a box apart into three planes, box.width bytes a row: byte planes are what a compiler turns into vector code. */
FF_INLINE void split_box(const uint32_t *tile, const uint32_t *base, size_t pitch, ff_box box, uint8_t *green,
                         uint8_t *blue, uint8_t *red) {
    tile += box.y * FF_TILE + box.x;
    if (base != NULL)
        base += box.y * pitch + box.x;
    for (uint32_t y = 0; y < box.height; y++, tile += FF_TILE) {
        for (uint32_t x = 0; x < box.width; x++) {
            uint32_t parts = split_channels(tile[x]);
            if (base != NULL)
                parts = add_bytes(subtract_bytes(parts, split_channels(base[x])), MIDDLE);
            *blue++ = (uint8_t)parts;
            *green++ = (uint8_t)(parts >> 8);
            *red++ = (uint8_t)(parts >> 16);
        }
        if (base != NULL)
            base += pitch;
    }
}

FF_INLINE void predict_channel(const uint8_t *restrict values, uint32_t width, uint32_t height,
                               uint8_t *restrict residuals) {
    residuals[0] = values[0];
    for (uint32_t x = 1; x < width; x++)
        residuals[x] = (uint8_t)(values[x] - values[x - 1]);
    for (uint32_t y = 1; y < height; y++) {
        const uint8_t *above = values;
        values += width;
        residuals += width;
        residuals[0] = (uint8_t)(values[0] - above[0]);
        for (uint32_t x = 1; x < width; x++)
            residuals[x] = (uint8_t)(values[x] - median_edge(values[x - 1], above[x], above[x - 1]));
    }
}

FF_INLINE uint32_t predict(const uint32_t *tile, const uint32_t *base, size_t pitch, ff_box box, uint8_t *green,
                           uint8_t *blue, uint8_t *red) {
    uint8_t channels[3 * FF_TILE_PIXELS];
    uint8_t *const planes[3] = {green, blue, red};
    const uint32_t count = box.width * box.height;
    uint32_t bits = 0;
    split_box(tile, base, pitch, box, channels, channels + FF_TILE_PIXELS, channels + 2 * FF_TILE_PIXELS);
    for (int i = 0; i < 3; i++) {
        predict_channel(channels + i * FF_TILE_PIXELS, box.width, box.height, planes[i]);
        bits += ff_entropy(planes[i], count);
    }
    return bits;
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
        int left[3] = {0}, corner[3] = {0};
        for (uint32_t x = 0; x < box.width; x++) {
            const int residuals[3] = {*blue++, *green++, *red++};
            parts[x] = 0;
            for (int channel = 0; channel < 3; channel++) {
                const int up = y > 0 ? above[channel][x] : 0;
                const int prediction = y == 0   ? left[channel]
                                       : x == 0 ? up
                                                : median_edge(left[channel], up, corner[channel]);
                left[channel] = (prediction + residuals[channel]) & 255;
                corner[channel] = up;
                above[channel][x] = (uint8_t)left[channel];
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
