#include "model_row_guesses.h"
#include "model_row_literals.h"
#include "model_rows.h"

#ifdef FF_HAVE_AVX2

/* Writes the shares of a row. */
FF_INLINE void write_shares(ff_range_encoder *coder, const row_share *shares, uint32_t count) {
    ff_range_encoder local = *coder; /* which no byte written can change */
    for (uint32_t i = 0; i < count; i++)
        ff_range_encode(&local, shares[i] & UINT16_MAX, shares[i] >> 16);
    *coder = local;
}

FF_AVX2 void ff_encode_box_avx2(ff_pixel_model *model, ff_range_encoder *coder, const uint32_t *tile, ff_box box) {
    uint8_t ways[2][FF_WINDOW_PITCH], literals[FF_TILE];
    error_row errors[2];
    row_work row;
    row.width = box.width;
    memset(ways, 0, sizeof ways);
    for (uint32_t i = 0; i < 2; i++)
        errors[i].filled = errors[i].begins = 0;
    for (uint32_t y = 0; y < box.height; y++)
        memcpy(ff_model_window_at(model, (int32_t)box.x, (int32_t)(box.y + y)), tile + (box.y + y) * FF_TILE + box.x,
               box.width * sizeof *tile);
    for (uint32_t y = 0; y < box.height; y++) {
        ways_above above;
        look_at_ways(ways[~y & 1] + FF_MARGIN, &above);
        row.at = ff_model_window_at(model, (int32_t)box.x, (int32_t)(box.y + y));
        row.base = model->base + (box.y + y + 1) * FF_BASE_PITCH + box.x + 1;
        find_ways(model, &row, &above, ways[y & 1] + FF_MARGIN, literals);
        code_literals(model, &row, literals, &errors[~y & 1], &errors[y & 1]);
        code_questions(model, &row);
        write_shares(coder, row.shares, row.questions + row.spans + row.shares_before[row.literals]);
    }
}

#endif
