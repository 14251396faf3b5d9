#include "drift.h"

#include <stdlib.h>

/* How far a tile is looked for in each direction. Every second vector is tried, and then those beside the best one. */
#define REACH 32u
#define AROUND (FF_TILE + 2 * REACH)
/* Rows of a tile that are compared. */
#define FIRST_ROW 4u
#define ROWS_APART 8u
/* Vectors of which those that gain most are chosen: as many as tiles are looked for in a frame of 2000 rows. */
#define MOST_CANDIDATES 32u
/* In frames of more than 4000 rows up to twice as many tiles are looked for, or one in eight of all where those are more. In a single
 * column each would be looked for otherwise, and to choose between their vectors took a quarter of the frame's instructions. */
#define TILES_A_LOOK 16u

FF_INLINE uint32_t sum_bytes(const uint8_t *bytes, const uint8_t *others, uint32_t count) {
    uint32_t sum = 0;
    for (uint32_t i = 0; i < count; i++)
        sum += (uint32_t)abs(bytes[i] - others[i]); /* in this form gcc has an instruction for it */
    return sum;
}

uint32_t ff_sum_differences(const uint32_t *tile, ff_box area, const uint32_t *source, size_t pitch) {
    uint32_t sum = 0;
    for (uint32_t y = area.height > FIRST_ROW ? FIRST_ROW : 0; y < area.height; y += ROWS_APART)
        sum += sum_bytes((const uint8_t *)(tile + y * FF_TILE), (const uint8_t *)(source + y * pitch), 4 * area.width);
    return sum;
}

const uint32_t *ff_source_of(const ff_geometry *geometry, const uint32_t *reference, ff_box area, ff_vector vector) {
    const int64_t x = (int64_t)area.x + vector.dx, y = (int64_t)area.y + vector.dy;
    if (x < 0 || y < 0 || x + area.width > geometry->width || y + area.height > geometry->height)
        return NULL;
    return reference + (size_t)y * geometry->width + (size_t)x;
}

static void take_green(const uint32_t *row, uint32_t count, uint8_t *green) {
    for (uint32_t x = 0; x < count; x++)
        green[x] = (uint8_t)(row[x] >> 8);
}

/* The green of a tile's compared rows, and of what is around it in the frame before. */
typedef struct window {
    uint8_t tile[FF_TILE / ROWS_APART][FF_TILE];
    uint8_t before[AROUND][AROUND];
    int32_t left, top, right, bottom; /* the least and the greatest vectors that stay inside */
} window;

static void load(window *around, const ff_geometry *geometry, const uint32_t *tile, ff_box area, const uint32_t *reference) {
    const uint32_t left = area.x < REACH ? area.x : REACH, top = area.y < REACH ? area.y : REACH;
    const uint32_t right = geometry->width - area.x - FF_TILE, bottom = geometry->height - area.y - FF_TILE;
    around->left = -(int32_t)left;
    around->top = -(int32_t)top;
    around->right = (int32_t)(right < REACH ? right : REACH);
    around->bottom = (int32_t)(bottom < REACH ? bottom : REACH);
    const uint32_t width = left + FF_TILE + (uint32_t)around->right, height = top + FF_TILE + (uint32_t)around->bottom;
    const uint32_t *row = reference + (size_t)(area.y - top) * geometry->width + (area.x - left);
    for (uint32_t y = 0; y < height; y++)
        take_green(row + (size_t)y * geometry->width, width, around->before[REACH - top + y] + REACH - left);
    for (uint32_t i = 0; i < FF_TILE / ROWS_APART; i++)
        take_green(tile + (FIRST_ROW + i * ROWS_APART) * FF_TILE, FF_TILE, around->tile[i]);
}

/* The sum of differences at a vector, or a number that is not below `limit`: after half of the rows there is one question, whose answer
 * is hard to foresee. */
FF_INLINE uint32_t sum_at(const window *around, int32_t dx, int32_t dy, uint32_t limit) {
    const uint32_t rows = FF_TILE / ROWS_APART;
    const uint8_t *before = &around->before[(int32_t)(REACH + FIRST_ROW) + dy][(int32_t)REACH + dx];
    uint32_t sum = 0;
    for (uint32_t i = 0; i < rows / 2; i++)
        sum += sum_bytes(around->tile[i], before + i * ROWS_APART * AROUND, FF_TILE);
    if (sum >= limit)
        return sum;
    for (uint32_t i = rows / 2; i < rows; i++)
        sum += sum_bytes(around->tile[i], before + i * ROWS_APART * AROUND, FF_TILE);
    return sum;
}

/* Tries a vector, which becomes the best one if its sum is below the least one. */
FF_INLINE uint32_t try_vector(const window *around, int32_t dx, int32_t dy, uint32_t least, ff_vector *best) {
    const uint32_t sum = sum_at(around, dx, dy, least);
    if (sum < least)
        *best = (ff_vector){dx, dy};
    return sum < least ? sum : least;
}

/* Finds the vector that gains most, if any gains enough. */
static int find_drift(const window *around, ff_vector *vector) {
    ff_vector best = {0, 0};
    const uint32_t still = sum_at(around, 0, 0, UINT32_MAX);
    uint32_t least = still;
    for (int32_t dy = around->top / 2 * 2; dy <= around->bottom; dy += 2)
        for (int32_t dx = around->left / 2 * 2; dx <= around->right; dx += 2)
            least = try_vector(around, dx, dy, least, &best);
    *vector = best;
    for (int32_t dy = best.dy - 1; dy <= best.dy + 1; dy++)
        for (int32_t dx = best.dx - 1; dx <= best.dx + 1; dx++)
            if (dx >= around->left && dx <= around->right && dy >= around->top && dy <= around->bottom)
                least = try_vector(around, dx, dy, least, vector);
    return still - least > still / FF_LEAST_GAIN;
}

static int is_candidate(const ff_geometry *geometry, const uint8_t *restless, const uint8_t *dirty, uint32_t tile) {
    const ff_box area = ff_tile_area(geometry, tile);
    return restless[tile] && dirty[tile] && area.width == FF_TILE && area.height == FF_TILE;
}

/* Of so many bands tiles are looked for in one. */
static uint32_t bands_apart(const ff_geometry *geometry) {
    const uint32_t bands = (geometry->rows + FF_MOTION_BAND - 1) / FF_MOTION_BAND;
    const uint32_t share = geometry->columns * geometry->rows / TILES_A_LOOK, most = share > MOST_CANDIDATES ? share : MOST_CANDIDATES;
    const uint32_t apart = bands * FF_BAND_DRIFTS / most;
    return apart > 0 ? apart : 1;
}

void ff_look_for_drifts(const ff_geometry *geometry, const uint8_t *restless, const uint8_t *dirty, const uint32_t *tiles,
                        const uint32_t *reference, uint32_t band, ff_band_drifts *found) {
    const uint32_t first = band * FF_MOTION_BAND * geometry->columns;
    const uint32_t rest = geometry->columns * geometry->rows - first, all = FF_MOTION_BAND * geometry->columns;
    const uint32_t end = first + (rest < all ? rest : all);
    uint32_t count = 0, number = 0, next = 0; /* candidates; the one that is come to; those that were taken */
    found->count = 0;
    if (band % bands_apart(geometry) != 0)
        return;
    for (uint32_t tile = first; tile < end; tile++)
        count += (uint32_t)is_candidate(geometry, restless, dirty, tile);
    for (uint32_t tile = first; tile < end && next < FF_BAND_DRIFTS && count > 0; tile++) {
        if (!is_candidate(geometry, restless, dirty, tile))
            continue;
        /* Spread over the band, where there are enough. */
        if (number++ < (2 * next + 1) * count / (2 * FF_BAND_DRIFTS))
            continue;
        next++;
        const ff_box area = ff_tile_area(geometry, tile);
        const uint32_t *pixels = tiles + (size_t)tile * FF_TILE_PIXELS;
        window around;
        load(&around, geometry, pixels, area, reference);
        ff_drift *drift = &found->drifts[found->count];
        if (find_drift(&around, &drift->vector)) {
            drift->tile = tile;
            drift->least = ff_sum_differences(pixels, area, ff_source_of(geometry, reference, area, (ff_vector){0, 0}), geometry->width);
            found->count++;
        }
    }
}

static int is_among(const ff_vector *vectors, uint32_t count, ff_vector vector) {
    for (uint32_t i = 0; i < count; i++)
        if (vectors[i].dx == vector.dx && vectors[i].dy == vector.dy)
            return 1;
    return 0;
}

/* What the tiles that were looked for save by a vector, beyond what they save already. `take`: they save it from now on. */
static uint32_t sum_gains(const ff_geometry *geometry, const uint32_t *tiles, const uint32_t *reference, ff_band_drifts *bands,
                          uint32_t band_count, ff_vector vector, int take) {
    uint32_t gain = 0;
    for (ff_band_drifts *band = bands; band < bands + band_count; band++)
        for (ff_drift *drift = band->drifts; drift < band->drifts + band->count; drift++) {
            const ff_box area = ff_tile_area(geometry, drift->tile);
            const uint32_t *source = ff_source_of(geometry, reference, area, vector);
            if (source == NULL)
                continue;
            const uint32_t sum = ff_sum_differences(tiles + (size_t)drift->tile * FF_TILE_PIXELS, area, source, geometry->width);
            if (sum < drift->least) {
                gain += drift->least - sum;
                drift->least = take ? sum : drift->least;
            }
        }
    return gain;
}

uint32_t ff_choose_drifts(const ff_geometry *geometry, const uint32_t *tiles, const uint32_t *reference, ff_band_drifts *bands,
                          uint32_t band_count, ff_vector *vectors) {
    uint32_t count = 0, tried = 0;
    ff_vector candidates[MOST_CANDIDATES];
    for (uint32_t i = 0; i < FF_BAND_DRIFTS; i++) /* in turn, so that those of no band crowd out the others' */
        for (const ff_band_drifts *band = bands; band < bands + band_count && tried < MOST_CANDIDATES; band++)
            if (i < band->count && !is_among(candidates, tried, band->drifts[i].vector))
                candidates[tried++] = band->drifts[i].vector;
    while (count < FF_DRIFTS) {
        uint32_t most = 0;
        for (uint32_t i = 0; i < tried; i++) {
            const uint32_t gain = sum_gains(geometry, tiles, reference, bands, band_count, candidates[i], 0);
            if (gain > most) {
                most = gain;
                vectors[count] = candidates[i];
            }
        }
        if (most == 0)
            break;
        sum_gains(geometry, tiles, reference, bands, band_count, vectors[count++], 1);
    }
    return count;
}
