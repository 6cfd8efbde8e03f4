/* Float32 kernels over rows, with the fixed order of Q30: the same bits on every tier. Strides are in elements; an output may be
 * the input. */
#ifndef CK_ROWS_F32_H
#define CK_ROWS_F32_H

#include <stddef.h>

#include "ck_elementwise_f32.h"

/* Q30. The mean of no elements is NaN, their maximum -infinity, their minimum +infinity. */
typedef enum __attribute__((enum_extensibility(closed))) ck_reduction {
  CK_REDUCTION_SUM __attribute__((swift_name("sum"))) = 0,
  CK_REDUCTION_MEAN __attribute__((swift_name("mean"))) = 1,
  CK_REDUCTION_MAXIMUM __attribute__((swift_name("maximum"))) = 2,
  CK_REDUCTION_MINIMUM __attribute__((swift_name("minimum"))) = 3,
  CK_REDUCTION_SUM_OF_SQUARES __attribute__((swift_name("sumOfSquares"))) = 4,
  CK_REDUCTION_L2 __attribute__((swift_name("l2"))) = 5, /* sqrt of the sum of squares */
} ck_reduction;

/* Normalisations of a row (Q32). */
typedef enum __attribute__((enum_extensibility(closed))) ck_normalization {
  CK_NORMALIZATION_LAYER __attribute__((swift_name("layer"))) = 0,
  CK_NORMALIZATION_RMS __attribute__((swift_name("rms"))) = 1,
  CK_NORMALIZATION_L2 __attribute__((swift_name("l2"))) = 2,
} ck_normalization;

/* y[i] = reduction of row i, which has `columns` adjacent elements. */
typedef void (*ck_reduce_rows_f32_fn)(ck_reduction reduction, size_t rows, size_t columns, const float *_Nonnull x,
                                      ptrdiff_t x_row, float *_Nonnull y);

/* Q31. If `logarithm` is not 0, log-softmax. */
typedef void (*ck_softmax_rows_f32_fn)(size_t rows, size_t columns, const float *_Nonnull x, ptrdiff_t x_row, int logarithm,
                                       float *_Nonnull y, ptrdiff_t y_row);

/* Q32. gamma and beta are operands of the rows, or NULL. */
typedef void (*ck_normalize_rows_f32_fn)(ck_normalization normalization, size_t rows, size_t columns, const float *_Nonnull x,
                                         ptrdiff_t x_row, float epsilon, const ck_operand_f32 *_Nullable gamma,
                                         const ck_operand_f32 *_Nullable beta, float *_Nonnull y, ptrdiff_t y_row);

/* Weighted sums of rows: y[i * columns + j] = sum over starts[i] <= t < starts[i + 1] of weights[t] * x[indices[t] * columns + j], in this
 * order, each product and each sum rounded; `absent` where there is nothing to sum. y meets no x. */
typedef void (*ck_mix_rows_f32_fn)(size_t rows, size_t columns, const ptrdiff_t *_Nonnull starts, const ptrdiff_t *_Nonnull indices,
                                   const float *_Nonnull weights, const float *_Nonnull x, float absent, float *_Nonnull y);

#endif
