/* Boxes of many colours: photos and gradients through a spatial predictor, sparse changes through XOR.
 *
 * box.x and box.y say where in the tile the box lies; the inverse functions do not use them, their `target` points at the
 * box's first pixel in a frame of `pitch` pixels a row. */
#ifndef FF_PREDICT_H
#define FF_PREDICT_H

#include "isa.h"

/* predict: writes box.width * box.height residuals to each of three planes. Pixels are taken apart into G, B - G and
 * R - G, since the channels resemble each other. With a `base`, which points at the tile's (not the box's) first pixel in a
 * frame of `pitch` pixels a row, the parts of the base are subtracted and 128 is added, so that small differences do not
 * wrap; NULL: none. Each of the three parts is predicted by the median edge detector of LOCO-I /
 * JPEG-LS (Weinberger, Seroussi, Sapiro, 2000): median(left, up, left + up - upper left); the first row from the left,
 * the first column from above, the first pixel as 0. All modulo 256. Returns the sum of the magnitudes of
 * all residuals, taken as signed bytes. */
uint32_t ff_predict_scalar(const uint32_t *tile, const uint32_t *base, size_t pitch, ff_box box, uint8_t *green,
                       uint8_t *blue, uint8_t *red);

/* unpredict: the inverse; X becomes 255. With `based` the target holds the base. */
void ff_unpredict_scalar(const uint8_t *green, const uint8_t *blue, const uint8_t *red, int based, ff_box box, uint32_t *target,
                         size_t pitch);

/* xor_box: the XOR of a loaded tile with `reference`, which points at the tile's (not the box's) first pixel, as
 * three planes of box.width * box.height bytes, one after the other: G, B, R. */
void ff_xor_box_scalar(const uint32_t *tile, const uint32_t *reference, size_t pitch, ff_box box, uint8_t *planes);

/* unxor_box: applies the planes to the target in place. */
void ff_unxor_box_scalar(const uint8_t *planes, ff_box box, uint32_t *target, size_t pitch);

#ifdef FF_HAVE_AVX2
uint32_t ff_predict_avx2(const uint32_t *tile, const uint32_t *base, size_t pitch, ff_box box, uint8_t *green,
                       uint8_t *blue, uint8_t *red);
void ff_unpredict_avx2(const uint8_t *green, const uint8_t *blue, const uint8_t *red, int based, ff_box box, uint32_t *target,
                       size_t pitch);
void ff_xor_box_avx2(const uint32_t *tile, const uint32_t *reference, size_t pitch, ff_box box, uint8_t *planes);
void ff_unxor_box_avx2(const uint8_t *planes, ff_box box, uint32_t *target, size_t pitch);
#endif

#endif
