/* Between planar ([channels][positions]) and channels-last ([positions][channels]) layouts, and copies of rows. In every function
 * the channels-last side has `pitch` elements (>= channels) from one position to the next; the planar side is dense. */
#ifndef CK_LAYOUT_H
#define CK_LAYOUT_H

#include "ck_epilogue.h"

/* y[p * pitch + c] = x[c * positions + p] */
typedef void (*ck_interleave_s8_fn)(size_t channels, size_t positions, const int8_t *_Nonnull x, int8_t *_Nonnull y,
                                    size_t pitch);

/* y[c * positions + p] = x[p * pitch + c] */
typedef void (*ck_deinterleave_s8_fn)(size_t channels, size_t positions, const int8_t *_Nonnull x, size_t pitch,
                                      int8_t *_Nonnull y);

/* As interleave, of float32. */
typedef void (*ck_interleave_f32_fn)(size_t channels, size_t positions, const float *_Nonnull x, float *_Nonnull y,
                                     size_t pitch);

/* As deinterleave, of float32. */
typedef void (*ck_deinterleave_f32_fn)(size_t channels, size_t positions, const float *_Nonnull x, size_t pitch,
                                       float *_Nonnull y);

/* quantize_f32_s8 and interleave in one pass. */
typedef void (*ck_quantize_interleave_fn)(size_t channels, size_t positions, const float *_Nonnull x, float inverse_scale,
                                          int8_t *_Nonnull y, size_t pitch, const ck_clamp *_Nonnull clamp);

/* deinterleave and dequantize_s8_f32 in one pass. */
typedef void (*ck_dequantize_deinterleave_fn)(size_t channels, size_t positions, const int8_t *_Nonnull x, size_t pitch,
                                              float scale, int32_t zero, float *_Nonnull y);

/* Copies `rows` runs of `bytes` bytes; strides are in bytes. The runs do not overlap. */
void ck_copy_rows(size_t rows, size_t bytes, const void *_Nonnull x, ptrdiff_t x_row, void *_Nonnull y, ptrdiff_t y_row);

#endif
