/* A hash of pixels: of the whole framebuffer, by which a decoder learns that it holds what the encoder holds, and of tiles,
 * by which the encoder finds them in its cache.
 *
 * It guards against faults (a bug, a bad memory module), not against an attacker: the transport does that. Rows go
 * through NH, the almost-universal hash of UMAC (Black, Halevi, Krawczyk, Krovetz, Rogaway, CRYPTO '99): sums of
 * products of neighbouring pixels, each with a key added, which vector units compute at the speed of memory. */
#ifndef FF_HASH_H
#define FF_HASH_H

#include "isa.h"

/* Fills keys[0 .. count): the fixed keys that SPEC.md defines. `count` is the width rounded up to an even number. */
void ff_hash_keys(uint32_t *keys, size_t count);

/* hash_row: NH of one row of `width` pixels with `width` rounded up to even keys; an odd row ends in a pixel 0. */
uint64_t ff_hash_row_scalar(const uint32_t *row, const uint32_t *keys, size_t width);
#ifdef FF_HAVE_AVX2
uint64_t ff_hash_row_avx2(const uint32_t *row, const uint32_t *keys, size_t width);
#endif

/* The hash of a rectangle of pixels, rows `pitch` pixels apart: of a framebuffer, or of a tile in it. */
uint64_t ff_hash_pixels(const uint32_t *pixels, size_t pitch, uint32_t width, uint32_t height, const uint32_t *keys);

/* The same of rows of `width` pixels whose hashes are known. */
uint64_t ff_join_row_hashes(const uint64_t *rows, uint32_t width, uint32_t height);

#endif
