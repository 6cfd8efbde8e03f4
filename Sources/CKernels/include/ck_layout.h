/* Transpositions, such as between planar ([channels][positions]) and channels-last ([positions][channels]) layouts, and copies of rows. */
#ifndef CK_LAYOUT_H
#define CK_LAYOUT_H

#include "ck_epilogue.h"

/* y[c * y_row + r] = x[r * x_row + c] for r < rows and c < columns; strides are in elements. */
typedef void (*ck_transpose_s8_fn)(size_t rows, size_t columns, const int8_t *_Nonnull x, ptrdiff_t x_row, int8_t *_Nonnull y,
                                   ptrdiff_t y_row);

/* The same of float32, and of whatever else has four bytes. */
typedef void (*ck_transpose_f32_fn)(size_t rows, size_t columns, const float *_Nonnull x, ptrdiff_t x_row, float *_Nonnull y,
                                    ptrdiff_t y_row);

/* quantize_f32_s8 and the transposition from planar to channels-last in one pass. The planar side has `plane` elements (>= positions)
 * from one channel to the next, the channels-last side `pitch` (>= channels) from one position to the next, here and below. */
typedef void (*ck_quantize_interleave_fn)(size_t channels, size_t positions, const float *_Nonnull x, size_t plane,
                                          float inverse_scale, int8_t *_Nonnull y, size_t pitch,
                                          const ck_clamp *_Nonnull clamp);

/* The transposition from channels-last to planar and dequantize_s8_f32 in one pass. */
typedef void (*ck_dequantize_deinterleave_fn)(size_t channels, size_t positions, const int8_t *_Nonnull x, size_t pitch,
                                              float scale, int32_t zero, float *_Nonnull y, size_t plane);

/* y[i * width + j] = x[j * count + i] for i < count and j < width: elements from planes of their first bytes, of their second ones, and so on. */
void ck_join_planes(size_t count, size_t width, const uint8_t *_Nonnull x, uint8_t *_Nonnull y);

/* Copies `rows` runs of `bytes` bytes; strides are in bytes. The runs do not overlap. */
void ck_copy_rows(size_t rows, size_t bytes, const void *_Nonnull x, ptrdiff_t x_row, void *_Nonnull y, ptrdiff_t y_row);

#endif
