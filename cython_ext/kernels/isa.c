#include "isa.h"

#include <string.h>

#include "diff.h"
#include "hash.h"
#include "palette.h"
#include "predict.h"

static const ff_kernel_table scalar_table = {
    "scalar",          ff_diff_tiles_scalar, ff_diff_box_scalar, ff_hash_row_scalar, ff_expand_palette_scalar,
    ff_predict_scalar, ff_unpredict_scalar,  ff_xor_box_scalar,  ff_unxor_box_scalar};

#ifdef FF_HAVE_AVX2
static const ff_kernel_table avx2_table = {
    "avx2",          ff_diff_tiles_avx2, ff_diff_box_avx2, ff_hash_row_avx2, ff_expand_palette_avx2,
    ff_predict_avx2, ff_unpredict_avx2,  ff_xor_box_avx2,  ff_unxor_box_avx2};
#endif

const ff_kernel_table *ff_kernels = &scalar_table;

size_t ff_isa_list(const ff_kernel_table **tables, size_t capacity) {
    size_t count = 0;
    if (count < capacity)
        tables[count++] = &scalar_table;
#ifdef FF_HAVE_AVX2
    __builtin_cpu_init();
    if (count < capacity && __builtin_cpu_supports("avx2"))
        tables[count++] = &avx2_table;
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
