#include "isa.h"

#include <string.h>

#include "colours.h"
#include "costs.h"
#include "crc.h"
#include "diff.h"
#include "hash.h"
#include "motion.h"
#include "palette.h"
#include "pixel_model.h"
#include "predict.h"

static const ff_kernel_table scalar_table = {
    .name = "scalar",
    .diff_tiles = ff_diff_tiles_scalar,
    .load_tiles = ff_load_tiles_scalar,
    .find_repeats = ff_find_repeats_scalar,
    .diff_box = ff_diff_box_scalar,
    .count_differences = ff_count_differences_scalar,
    .hash_row = ff_hash_row_scalar,
    .mask_unchanged = ff_mask_unchanged_scalar,
    .collect_palette = ff_collect_palette_scalar,
    .map_indices = ff_map_indices_scalar,
    .count_unknown = ff_count_unknown_scalar,
    .expand_palette = ff_expand_palette_scalar,
    .predict = ff_predict_scalar,
    .unpredict = ff_unpredict_scalar,
    .xor_box = ff_xor_box_scalar,
    .unxor_box = ff_unxor_box_scalar,
    .motion_take = ff_motion_take_scalar,
    .motion_vote = ff_motion_vote_scalar,
    .estimate_codes = ff_estimate_codes_scalar,
    .encode_box = ff_encode_box_scalar,
    .decode_box = ff_decode_box_scalar,
};

#ifdef FF_HAVE_AVX2
static ff_kernel_table avx2_table = {
    .name = "avx2",
    .diff_tiles = ff_diff_tiles_avx2,
    .load_tiles = ff_load_tiles_avx2,
    .find_repeats = ff_find_repeats_avx2,
    .diff_box = ff_diff_box_avx2,
    .count_differences = ff_count_differences_avx2,
    .hash_row = ff_hash_row_avx2,
    .mask_unchanged = ff_mask_unchanged_avx2,
    .collect_palette = ff_collect_palette_avx2,
    .map_indices = ff_map_indices_avx2,
    .count_unknown = ff_count_unknown_avx2,
    .expand_palette = ff_expand_palette_avx2,
    .predict = ff_predict_avx2,
    .unpredict = ff_unpredict_avx2,
    .xor_box = ff_xor_box_avx2,
    .unxor_box = ff_unxor_box_avx2,
    .motion_take = ff_motion_take_avx2,
    .motion_vote = ff_motion_vote_avx2,
    .estimate_codes = ff_estimate_codes_avx2,
    .encode_box = ff_encode_box_avx2,
    .decode_box = ff_decode_box_avx2,
};
#endif

const ff_kernel_table *ff_kernels = &scalar_table;

size_t ff_isa_list(const ff_kernel_table **tables, size_t capacity) {
    size_t count = 0;
    if (count < capacity)
        tables[count++] = &scalar_table;
#ifdef FF_HAVE_AVX2
    __builtin_cpu_init();
    if (count < capacity && __builtin_cpu_supports("avx2")) {
        avx2_table.crc32 = __builtin_cpu_supports("pclmul") ? ff_crc32_avx2 : NULL;
        tables[count++] = &avx2_table;
    }
#endif
    return count;
}

void ff_isa_init(void) {
    const ff_kernel_table *tables[4];
    ff_kernels = tables[ff_isa_list(tables, 4) - 1];
}

int ff_isa_force(const char *name) {
    const ff_kernel_table *tables[4];
    size_t count = ff_isa_list(tables, 4);
    for (size_t i = 0; i < count; i++)
        if (strcmp(tables[i]->name, name) == 0) {
            ff_kernels = tables[i];
            return 0;
        }
    return -1;
}
