/* Pooling and resizing of channels-last int8 images (Q24...Q27). */
#ifndef CK_POOLING_H
#define CK_POOLING_H

#include "ck_convolution.h"

/* Maximum over the taps inside the image (Q24); a window with none gives -128. The table of `clamp` is applied, and its limits
 * (zero is unused). */
typedef struct ck_max_pool_s8 {
  ck_window window;
  const int8_t *_Nonnull input;
  int32_t channels;
  int8_t *_Nonnull output;
  ck_clamp clamp;
} ck_max_pool_s8;

/* Average over the taps inside the image (Q25). The divisor counts the taps whose position is below counted_size on every axis
 * and, if count_padding is 0, also not below zero: with padding counted, counted_size is in_size plus the padding at the
 * end; otherwise it is in_size. A divisor of 0 gives t = 0. */
typedef struct ck_average_pool_s8 {
  ck_window window;
  const int8_t *_Nonnull input;
  int32_t channels;
  int32_t counted_size[3];
  int32_t count_padding;
  int32_t input_zero;
  float multiplier; /* sx / sy */
  int8_t *_Nonnull output;
  ck_clamp clamp;
} ck_average_pool_s8;

/* Resizes the two axes of a channels-last image. Strides are in elements; in_stride and out_stride are {row, column}. */
typedef struct ck_resize_s8 {
  int32_t out_size[2];
  int32_t channels;
  const int8_t *_Nonnull input;
  ptrdiff_t in_stride[2];
  int8_t *_Nonnull output;
  ptrdiff_t out_stride[2];
  const int32_t *_Nonnull row_first;     /* [out_size[0]] i0 */
  const int32_t *_Nullable row_second;   /* i1; linear only */
  const float *_Nullable row_weight;     /* v1; linear only */
  const int32_t *_Nonnull column_first;  /* [out_size[1]] j0 */
  const int32_t *_Nullable column_second;
  const float *_Nullable column_weight;
  int32_t input_zero; /* linear only, as are the next two */
  float multiplier;
  ck_clamp clamp;
} ck_resize_s8;

/* Computes output positions [row_first, row_last) of the window's numbering. */
typedef void (*ck_max_pool_s8_fn)(const ck_max_pool_s8 *_Nonnull pool, size_t row_first, size_t row_last);
typedef void (*ck_average_pool_s8_fn)(const ck_average_pool_s8 *_Nonnull pool, size_t row_first, size_t row_last);

/* Computes output rows (first axis) [row_first, row_last). */
typedef void (*ck_resize_s8_fn)(const ck_resize_s8 *_Nonnull resize, size_t row_first, size_t row_last);

#endif
