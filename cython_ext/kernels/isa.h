/* Which instruction set the kernels use: a table of functions, filled once at import with the best that the processor
 * runs, and switched by tests to compare every variant with the scalar truth.
 *
 * Only kernels that a benchmark showed to gain have a second variant; all others are called directly. Variants are
 * compiled with per-function target attributes, so that the library runs on every processor of its architecture. */
#ifndef FF_ISA_H
#define FF_ISA_H

#include "tile.h"

#if defined(__GNUC__) && defined(__x86_64__)
#define FF_HAVE_AVX2 1
#define FF_AVX2 __attribute__((target("avx2")))
#endif

#if defined(__GNUC__)
#define FF_INLINE static inline __attribute__((always_inline))
#define FF_NOINLINE __attribute__((noinline))
#elif defined(_MSC_VER)
#define FF_INLINE static __forceinline
#define FF_NOINLINE __declspec(noinline)
#else
#define FF_INLINE static inline
#define FF_NOINLINE
#endif

/* The place of the lowest bit of a number but 0. */
FF_INLINE uint32_t ff_lowest_bit(uint64_t word) {
#if defined(__GNUC__)
    return (uint32_t)__builtin_ctzll(word);
#else
    uint32_t bit = 0;
    for (; !(word & 1); word >>= 1)
        bit++;
    return bit;
#endif
}

/* The place of the highest one. */
FF_INLINE uint32_t ff_highest_bit(uint64_t word) {
#if defined(__GNUC__)
    return 63 - (uint32_t)__builtin_clzll(word);
#else
    uint32_t bit = 0;
    while (word >>= 1)
        bit++;
    return bit;
#endif
}

struct ff_pixel_model;
struct ff_range_encoder;
struct ff_range_decoder;
struct ff_palette;
struct ff_colour_tables;
struct ff_motion;
struct ff_tile_windows;
struct ff_votes;

/* The contract of each function stands in the header of its family. */
typedef struct ff_kernel_table {
    const char *name;
    size_t (*diff_tiles)(const uint8_t *frame, ptrdiff_t stride, const uint32_t *reference,
                         const ff_geometry *geometry, const uint64_t *repeats, const uint8_t *candidates, uint8_t *dirty);
    void (*load_tiles)(const uint8_t *frame, ptrdiff_t stride, const ff_geometry *geometry, const uint8_t *dirty, uint32_t *tiles);
    uint64_t (*find_repeats)(const uint32_t *tile, uint32_t width, uint32_t first, uint32_t end);
    uint32_t (*diff_box)(const uint32_t *tile, const uint32_t *reference, size_t pitch, ff_box area, ff_box *box);
    uint32_t (*count_differences)(const uint32_t *tile, ff_box area, const uint32_t *source, size_t pitch,
                                  uint32_t first, uint32_t apart, uint32_t limit);
    uint64_t (*hash_row)(const uint32_t *row, const uint32_t *keys, size_t width);
    void (*mask_unchanged)(const uint32_t *tile, const uint32_t *base, size_t pitch, ff_box box, uint32_t *masked);
    int (*collect_palette)(struct ff_palette *palette, const uint32_t *tile, ff_box box);
    void (*map_indices)(const uint8_t *indices, uint32_t count, const uint8_t *slots, uint32_t colours, uint8_t *target);
    void (*count_unknown)(const struct ff_colour_tables *tables, const struct ff_palette *palette, uint32_t *unknown);
    void (*expand_palette)(const uint8_t *indices, const uint32_t *colours, ff_box box, uint32_t *target,
                           size_t pitch);
    uint32_t (*predict)(const uint32_t *tile, const uint32_t *base, size_t pitch, ff_box box, uint8_t *green,
                        uint8_t *blue, uint8_t *red);
    void (*unpredict)(const uint8_t *green, const uint8_t *blue, const uint8_t *red, int based, ff_box box, uint32_t *target,
                      size_t pitch);
    void (*xor_box)(const uint32_t *tile, const uint32_t *reference, size_t pitch, ff_box box, uint8_t *planes);
    void (*unxor_box)(const uint8_t *planes, ff_box box, uint32_t *target, size_t pitch);
    void (*motion_take)(const uint32_t *tile, ff_box area, struct ff_tile_windows *taken);
    void (*motion_vote)(const struct ff_motion *motion, const ff_geometry *geometry, const uint8_t *dirty,
                        const uint32_t *reference, uint32_t band, struct ff_votes *votes);
    uint32_t (*estimate_codes)(const uint32_t counts[256], uint32_t all);
    void (*encode_box)(struct ff_pixel_model *model, struct ff_range_encoder *coder, const uint32_t *tile, ff_box box);
    void (*decode_box)(struct ff_pixel_model *model, struct ff_range_decoder *coder, ff_box box);
    uint32_t (*crc32)(uint32_t crc, const uint8_t *bytes, size_t count); /* NULL: zlib's is the best */
} ff_kernel_table;

/* The active table; never NULL once ff_isa_init() has run. */
extern const ff_kernel_table *ff_kernels;

/* Selects the best variant that this processor runs. */
void ff_isa_init(void);

/* All variants this processor runs, slowest first; returns their number, at most `capacity` of them stored. */
size_t ff_isa_list(const ff_kernel_table **tables, size_t capacity);

/* Makes the variant of that name the active one; returns 0, or -1 when there is none here. For tests and benchmarks: not to
 * be called while another thread encodes or decodes. */
int ff_isa_force(const char *name);

#endif
