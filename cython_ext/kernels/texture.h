/* Tiles that effort "tight" draws from a palette, since the pixel model would take more.
 *
 * The model codes a pixel that nothing around it foretells as a literal, in three channels; an index into a palette takes fewer bits,
 * and zstd finds its repeats. So dithered pictures and noise of few colours are smaller as palettes, but what looks like them (photos
 * of few colours, gradients, text) is not. What a palette takes can be estimated; what the model takes is only known when it has
 * drawn the tile. So a tile is drawn like its neighbours whose model took more than the estimate; and from time to time through the
 * model, as that learns. */
#ifndef FF_TEXTURE_H
#define FF_TEXTURE_H

#include "analyse.h"

/* What the box of a tile takes when drawn from a palette, in bits besides new colours, if it is restless and of few colours; the
 * analysis has its palette then. Else 0. */
uint32_t ff_estimate_texture(const struct ff_frame_encoder *encoder, uint32_t tile, ff_analysis *analysis);

/* Whether a tile with a texture is to be drawn from its palette. */
int ff_texture_pays(struct ff_frame_encoder *encoder, uint32_t tile);

/* Else, when the model has drawn it: what that took, and what its texture was estimated to take, new colours included. */
void ff_compare_texture(struct ff_frame_encoder *encoder, uint32_t tile, uint32_t texture_bits, uint64_t model_bits);

/* The model has drawn a tile without a texture. */
void ff_forget_texture(struct ff_frame_encoder *encoder, uint32_t tile);

#endif
