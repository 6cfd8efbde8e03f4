/* Elementwise int8 kernels (Q7, Q8, Q19, Q21...Q23). Outputs may be the same memory as an input of the same element type and
 * strides; other overlaps are not allowed. Strides are in elements. */
#ifndef CK_ELEMENTWISE_S8_H
#define CK_ELEMENTWISE_S8_H

#include "ck_epilogue.h"

/* Rows of `columns` elements. Element (i, j) of an operand is at i * row + j * column; a zero stride broadcasts. `column` is 0
 * or 1. */
typedef struct ck_operand_s8 {
  const int8_t *_Nonnull data;
  ptrdiff_t row;
  ptrdiff_t column;
  int32_t zero;
} ck_operand_s8;

/* Two operands, one output with adjacent columns. */
typedef struct ck_binary_s8 {
  size_t rows;
  size_t columns;
  ck_operand_s8 a;
  ck_operand_s8 b;
  float a_multiplier; /* add: ma. multiply: m */
  float b_multiplier; /* add: mb. multiply: unused */
  int8_t *_Nonnull output;
  ptrdiff_t output_row;
  ck_clamp clamp;
} ck_binary_s8;

/* Q22 or Q23. */
typedef void (*ck_binary_s8_fn)(const ck_binary_s8 *_Nonnull args);

/* Q21: y = clampq((x - zero) * multiplier). */
typedef void (*ck_requantize_s8_fn)(size_t rows, size_t columns, const int8_t *_Nonnull x, ptrdiff_t x_row, int32_t zero,
                                    float multiplier, int8_t *_Nonnull y, ptrdiff_t y_row, const ck_clamp *_Nonnull clamp);

/* y[i] = table[x[i] + 128], in rows. */
typedef void (*ck_lookup_s8_fn)(size_t rows, size_t columns, const int8_t *_Nonnull x, ptrdiff_t x_row,
                                const int8_t *_Nonnull table, int8_t *_Nonnull y, ptrdiff_t y_row);

/* Q7 with the limits and table of `clamp`: y[i] = clampq(x[i] * inverse_scale). */
typedef void (*ck_quantize_f32_s8_fn)(size_t count, const float *_Nonnull x, float inverse_scale, int8_t *_Nonnull y,
                                      const ck_clamp *_Nonnull clamp);

/* Q8. */
typedef void (*ck_dequantize_s8_f32_fn)(size_t count, const int8_t *_Nonnull x, float scale, int32_t zero, float *_Nonnull y);

#endif
