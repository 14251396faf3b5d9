# The C declarations that both extension modules use. (Cython silently ignores a .pxd named like its .pyx here.)
from libc.stdint cimport int16_t, int32_t, uint8_t, uint16_t, uint32_t, uint64_t


cdef extern from "tile.h" nogil:
    enum:
        FF_TILE
        FF_TILE_PIXELS
    ctypedef struct ff_box:
        uint32_t x, y, width, height
    ctypedef struct ff_geometry:
        uint32_t width, height, columns, rows
    ff_geometry ff_make_geometry(uint32_t width, uint32_t height)


cdef extern from "memory.h" nogil:
    void *ff_allocate_large(size_t bytes)
    void *ff_allocate_sparse(size_t bytes)
    void ff_free_large(void *memory)


cdef extern from "range_coder.h" nogil:
    ctypedef struct ff_range_encoder:
        uint8_t *data
        size_t size
    ctypedef struct ff_range_decoder:
        size_t position
    void ff_range_begin_encoding(ff_range_encoder *coder)
    void ff_range_end_encoding(ff_range_encoder *coder)
    void ff_range_begin_decoding(ff_range_decoder *coder, const uint8_t *data, size_t size)


cdef extern from "pixel_model.h" nogil:
    enum:
        FF_MARGIN
        FF_ABOVE
        FF_WINDOW_PITCH
    ctypedef struct ff_pixel_model:
        uint32_t *window
    void ff_model_reset(ff_pixel_model *model)
    void ff_model_set_base(ff_pixel_model *model, const uint32_t *tile, size_t pitch, ff_box area)


cdef extern from "palette.h" nogil:
    enum:
        FF_TABLE_SLOTS
        FF_PALETTE_MAX
    ctypedef struct ff_palette:
        uint32_t count, transitions
        uint32_t *colours
        uint8_t *indices


cdef extern from "colours.h" nogil:
    enum:
        FF_TABLES
    ctypedef struct ff_colour_tables:
        uint32_t *colours


cdef extern from "motion.h" nogil:
    ctypedef struct ff_vector:
        int32_t dx, dy
    enum:
        FF_MOTION_BAND
    ctypedef struct ff_tile_windows:
        uint32_t count
    ctypedef struct ff_votes:
        uint32_t count
    ctypedef struct ff_motion:
        ff_vector *vectors
        uint32_t vector_count
    uint32_t ff_motion_begin(ff_motion *, const ff_geometry *, const ff_tile_windows *, const uint8_t *, size_t)
    void ff_motion_end(ff_motion *, const ff_votes *, uint32_t)


cdef extern from "drift.h" nogil:
    ctypedef struct ff_band_drifts:
        uint32_t count


cdef extern from "isa.h" nogil:
    ctypedef struct ff_kernel_table:
        const char *name
        size_t (*diff_tiles)(const uint8_t *, Py_ssize_t, const uint32_t *, const ff_geometry *, const uint64_t *,
                             const uint8_t *, uint8_t *) noexcept nogil
        void (*load_tiles)(const uint8_t *, Py_ssize_t, const ff_geometry *, const uint8_t *, uint32_t *) noexcept nogil
        uint64_t (*find_repeats)(const uint32_t *, uint32_t, uint32_t, uint32_t) noexcept nogil
        uint32_t (*diff_box)(const uint32_t *, const uint32_t *, size_t, ff_box, ff_box *) noexcept nogil
        uint32_t (*count_differences)(const uint32_t *, ff_box, const uint32_t *, size_t, uint32_t, uint32_t,
                                      uint32_t) noexcept nogil
        uint64_t (*hash_row)(const uint32_t *, const uint32_t *, size_t) noexcept nogil
        void (*mask_unchanged)(const uint32_t *, const uint32_t *, size_t, ff_box, uint32_t *) noexcept nogil
        int (*collect_palette)(ff_palette *, const uint32_t *, ff_box) noexcept nogil
        void (*map_indices)(const uint8_t *, uint32_t, const uint8_t *, uint32_t, uint8_t *) noexcept nogil
        void (*count_unknown)(const ff_colour_tables *, const ff_palette *, uint32_t *) noexcept nogil
        void (*expand_palette)(const uint8_t *, const uint32_t *, ff_box, uint32_t *, size_t) noexcept nogil
        uint32_t (*predict)(const uint32_t *, const uint32_t *, size_t, ff_box, uint8_t *, uint8_t *,
                            uint8_t *) noexcept nogil
        void (*unpredict)(const uint8_t *, const uint8_t *, const uint8_t *, int, ff_box, uint32_t *, size_t) noexcept nogil
        void (*xor_box)(const uint32_t *, const uint32_t *, size_t, ff_box, uint8_t *) noexcept nogil
        void (*unxor_box)(const uint8_t *, ff_box, uint32_t *, size_t) noexcept nogil
        void (*motion_take)(const uint32_t *, ff_box, ff_tile_windows *) noexcept nogil
        void (*motion_vote)(const ff_motion *, const ff_geometry *, const uint8_t *, const uint32_t *, uint32_t,
                            ff_votes *) noexcept nogil
        uint32_t (*estimate_codes)(const uint32_t *, uint32_t) noexcept nogil
        void (*encode_box)(ff_pixel_model *, ff_range_encoder *, const uint32_t *, ff_box) noexcept nogil
        void (*decode_box)(ff_pixel_model *, ff_range_decoder *, ff_box) noexcept nogil
        uint32_t (*crc32)(uint32_t crc, const uint8_t *bytes, size_t count) noexcept nogil
    const ff_kernel_table *ff_kernels
    void ff_isa_init()
    size_t ff_isa_list(const ff_kernel_table **tables, size_t capacity)
    int ff_isa_force(const char *name)


cdef extern from "hash.h" nogil:
    void ff_hash_keys(uint32_t *keys, size_t count)
    uint64_t ff_hash_pixels(const uint32_t *pixels, size_t pitch, uint32_t width, uint32_t height,
                            const uint32_t *keys)
    uint64_t ff_join_row_hashes(const uint64_t *rows, uint32_t width, uint32_t height)


cdef extern from "planes.h" nogil:
    enum:
        FF_PLANES
        FF_PLANE_INDICES
        FF_PLANE_GREEN
        FF_PLANE_BLUE
        FF_PLANE_RED
        FF_PLANE_MODELLED
        FF_MODES
        FF_MAX_MODELLED_BYTES
        FF_RANGE_CODER_ROOM
        FF_MAX_TILE_BYTES
        FF_MAX_MODELLED_TILE_BYTES
    size_t ff_plane_capacity(const ff_geometry *geometry, int plane)
    size_t ff_plane_buffer_size(const ff_geometry *geometry, int plane)


cdef extern from "cache.h" nogil:
    ctypedef struct ff_cache_slot:
        uint32_t used
    ctypedef struct ff_cache:
        uint32_t slot_count
        uint32_t *pixels
        ff_cache_slot *slots


cdef extern from "frame_encode.h" nogil:
    enum:
        FF_ANALYSES
        FF_WINDOWS
    ctypedef struct ff_analysis:
        uint32_t steps
    ctypedef struct ff_frame_encoder:
        ff_geometry geometry
        uint32_t *reference
        uint64_t *repeats
        uint64_t *hashes
        uint32_t *tiles
        uint8_t *dirty
        uint8_t *modes
        ff_box *boxes
        uint32_t *changed_at
        uint8_t *restless
        uint16_t *excesses
        uint32_t *order
        size_t order_count, coded
        uint8_t **planes
        size_t *sizes
        uint64_t part_bits
        const uint32_t *hash_keys
        uint32_t packet
        ff_tile_windows *windows
        ff_votes *votes
        ff_band_drifts *drifts
        uint32_t bands
        ff_cache cache
        ff_pixel_model *model
        ff_range_encoder range_coder
        uint32_t modelled_pixels
    void ff_encoder_reset(ff_frame_encoder *encoder)
    void ff_begin_packet(ff_frame_encoder *encoder)
    size_t ff_compare_rows(ff_frame_encoder *encoder, const uint8_t *frame, Py_ssize_t stride,
                           const uint8_t *candidates, uint32_t first, uint32_t end)
    void ff_begin_tiles(ff_frame_encoder *encoder, uint32_t start)
    void ff_look_for_motion(ff_frame_encoder *encoder, uint32_t first, uint32_t end)
    void ff_end_motion(ff_frame_encoder *encoder)
    void ff_begin_part(ff_frame_encoder *encoder)
    void ff_begin_window(ff_frame_encoder *encoder, size_t first, size_t end, ff_analysis *analyses)
    void ff_analyse_tiles(const ff_frame_encoder *encoder, size_t first, size_t end, ff_analysis *analyses)
    void ff_encode_tiles(ff_frame_encoder *encoder, size_t count, ff_analysis *analyses, uint64_t bit_budget,
                         uint64_t byte_room)
    void ff_end_packet(ff_frame_encoder *encoder)
    void ff_end_rows(ff_frame_encoder *encoder, uint32_t first, uint32_t end, uint64_t *row_hashes)


cdef extern from "frame_decode.h" nogil:
    ctypedef struct ff_plane_view:
        const uint8_t *data
        size_t size
    ctypedef struct ff_tile_weights:
        uint32_t tile
    ctypedef struct ff_frame_decoder:
        ff_geometry geometry
        uint32_t cache_slots
        uint32_t *cache
        ff_pixel_model *model
        uint32_t modelled_pixels
        uint32_t *moved
        uint8_t *modes
        ff_tile_weights *coded
        uint32_t coded_count
        ff_box *dirty
        uint32_t dirty_count
    ctypedef enum ff_fault:
        FF_OK
        FF_FAULT_PLANE_SHORT
        FF_FAULT_PLANE_LONG
        FF_FAULT_OPERATION
        FF_FAULT_TILE
        FF_FAULT_BOX
        FF_FAULT_VECTOR
        FF_FAULT_SLOT
        FF_FAULT_TABLE
    void ff_decoder_init(ff_frame_decoder *decoder)
    ff_fault ff_check_planes(const ff_frame_decoder *decoder, const ff_plane_view *planes, int *plane)
    void ff_apply_planes(ff_frame_decoder *decoder, const ff_plane_view *planes, uint32_t *framebuffer)
