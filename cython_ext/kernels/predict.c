#include "predict.h"

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

/* Splits a box into its channels, each FF_TILE_PIXELS apart, box.width bytes a row: byte planes are what a compiler
 * turns into vector code. */
FF_INLINE void split_channels(const uint32_t *tile, ff_box box, uint8_t *green, uint8_t *blue, uint8_t *red) {
    tile += box.y * FF_TILE + box.x;
    for (uint32_t y = 0; y < box.height; y++, tile += FF_TILE)
        for (uint32_t x = 0; x < box.width; x++) {
            *blue++ = (uint8_t)tile[x];
            *green++ = (uint8_t)(tile[x] >> 8);
            *red++ = (uint8_t)(tile[x] >> 16);
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

/* About log2(1 + mean magnitude) + 1.5 bits a residual fits the entropy of the two-sided geometric distribution that
 * prediction residuals follow, within half a bit; the fraction matters little for choosing a mode. */
FF_INLINE uint32_t estimate_bits(uint64_t magnitudes, uint32_t count) {
    uint32_t bits = 0;
    uint64_t scaled = (magnitudes * 16 + count) / count; /* 16 * (mean + 1/16) */
    while (scaled > 1) { /* quarter bits by linear interpolation between powers of two */
        if (scaled < 4) {
            bits += scaled == 2 ? 4 : 6;
            break;
        }
        bits += 4;
        scaled >>= 1;
    }
    /* scaled was 16 * mean: log2(16) = 4 bits too many; nearly constant residuals still cost a little. */
    bits = bits > 12 ? bits - 12 : 1;
    return (uint32_t)((uint64_t)bits * count / 4);
}

FF_INLINE uint32_t predict(const uint32_t *tile, ff_box box, uint8_t *residuals) {
    uint8_t channels[3 * FF_TILE_PIXELS];
    uint8_t *green = channels, *blue = green + FF_TILE_PIXELS, *red = blue + FF_TILE_PIXELS;
    const uint32_t count = box.width * box.height;
    uint32_t magnitudes = 0;
    split_channels(tile, box, green, blue, red);
    predict_channel(green, box.width, box.height, residuals);
    predict_channel(blue, box.width, box.height, residuals + count);
    predict_channel(red, box.width, box.height, residuals + 2 * count);
    for (uint32_t i = 0; i < count; i++) {
        residuals[count + i] = (uint8_t)(residuals[count + i] - residuals[i]);
        residuals[2 * count + i] = (uint8_t)(residuals[2 * count + i] - residuals[i]);
    }
    for (uint32_t i = 0; i < 3 * count; i++) {
        const uint8_t negated = (uint8_t)-residuals[i];
        magnitudes += residuals[i] < negated ? residuals[i] : negated;
    }
    return estimate_bits(magnitudes, 3 * count);
}

uint32_t ff_predict_scalar(const uint32_t *tile, ff_box box, uint8_t *residuals) {
    return predict(tile, box, residuals);
}

void ff_unpredict_scalar(const uint8_t *residuals, ff_box box, uint32_t *target, size_t pitch) {
    const uint32_t count = box.width * box.height;
    for (uint32_t y = 0; y < box.height; y++, target += pitch)
        for (uint32_t x = 0; x < box.width; x++, residuals++) {
            const int green = residuals[0];
            const int residual[3] = {residuals[count] + green, green, residuals[2 * count] + green};
            uint32_t pixel = FF_OPAQUE;
            for (int channel = 0; channel < 3; channel++) {
                const int shift = 8 * channel;
                int prediction = 0;
                if (x > 0 && y > 0) {
                    const uint32_t *above = target - pitch + x;
                    prediction = median_edge(target[x - 1] >> shift & 255, above[0] >> shift & 255,
                                             above[-1] >> shift & 255);
                } else if (x > 0) {
                    prediction = target[x - 1] >> shift & 255;
                } else if (y > 0) {
                    prediction = *(target - pitch) >> shift & 255;
                }
                pixel |= (uint32_t)((prediction + residual[channel]) & 255) << shift;
            }
            target[x] = pixel;
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

FF_AVX2 uint32_t ff_predict_avx2(const uint32_t *tile, ff_box box, uint8_t *residuals) {
    return predict(tile, box, residuals);
}

FF_AVX2 void ff_xor_box_avx2(const uint32_t *tile, const uint32_t *reference, size_t pitch, ff_box box,
                             uint8_t *planes) {
    xor_box(tile, reference, pitch, box, planes);
}

FF_AVX2 void ff_unxor_box_avx2(const uint8_t *planes, ff_box box, uint32_t *target, size_t pitch) {
    unxor_box(planes, box, target, pitch);
}

/* Each pixel waits for its left neighbour, so the loop is bound by latency; keeping the four channels of a pixel in
 * 16-bit lanes does the three medians at once. */
FF_AVX2 void ff_unpredict_avx2(const uint8_t *residuals, ff_box box, uint32_t *target, size_t pitch) {
    const uint32_t count = box.width * box.height;
    const __m128i low_bytes = _mm_set1_epi16(255), zero = _mm_setzero_si128();
    uint32_t above[FF_TILE], sums[FF_TILE];
    memset(above, 0, sizeof above);
    for (uint32_t y = 0; y < box.height; y++, target += pitch) {
        for (uint32_t x = 0; x < box.width; x++, residuals++) {
            const uint8_t green = residuals[0];
            sums[x] = (uint8_t)(residuals[count] + green) | (uint32_t)green << 8 |
                      (uint32_t)(uint8_t)(residuals[2 * count] + green) << 16;
        }
        /* In the first row all of `above` is 0, and in the first column left and upper left are the pixel above:
         * the median then is the prediction that is defined for the border. */
        __m128i up = _mm_unpacklo_epi8(_mm_cvtsi32_si128((int)above[0]), zero);
        __m128i left = up, corner = up;
        for (uint32_t x = 0; x < box.width; x++) {
            const __m128i sum = _mm_unpacklo_epi8(_mm_cvtsi32_si128((int)sums[x]), zero);
            up = _mm_unpacklo_epi8(_mm_cvtsi32_si128((int)above[x]), zero);
            const __m128i gradient = _mm_add_epi16(_mm_sub_epi16(up, corner), left);
            const __m128i prediction =
                _mm_max_epi16(_mm_min_epi16(left, up), _mm_min_epi16(_mm_max_epi16(left, up), gradient));
            left = _mm_and_si128(_mm_add_epi16(prediction, sum), low_bytes);
            corner = up;
            above[x] = (uint32_t)_mm_cvtsi128_si32(_mm_packus_epi16(left, zero)) | FF_OPAQUE;
        }
        /* X of `above` is 255 from the second row on; its median and the residual 0 keep it so, and it is set anyway. */
        memcpy(target, above, (size_t)box.width * 4);
    }
}

#endif
