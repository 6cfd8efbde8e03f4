/* Float32 matrix product with the fixed order of Q29. */
#ifndef CK_MATRIX_F32_H
#define CK_MATRIX_F32_H

#include <stddef.h>
#include <stdint.h>

/* c[i * c_row + j] = sum over p of a[i * a_row + p * a_column] * b(p, j), then + row_bias[i] or + column_bias[j] (at most one of
 * them). b(p, j) is b[p * b_row + j], or b[j * b_row + p] if b_transposed is not 0. The sum starts at 0, or at c if accumulate
 * is not 0. */
typedef struct ck_gemm_f32 {
  size_t m;
  size_t n;
  size_t k;
  const float *_Nonnull a;
  ptrdiff_t a_row;
  ptrdiff_t a_column;
  const float *_Nonnull b;
  ptrdiff_t b_row;
  int b_transposed;
  int accumulate;
  int fused; /* as in ck_conv_f32 */
  const float *_Nullable row_bias;    /* [m] */
  const float *_Nullable column_bias; /* [n] */
  float *_Nonnull c;
  ptrdiff_t c_row;
} ck_gemm_f32;

/* Computes rows [row_first, row_last) and columns [column_first, column_last) of c. Calls with disjoint ranges may run at the same
 * time. */
typedef void (*ck_gemm_f32_fn)(const ck_gemm_f32 *_Nonnull gemm, size_t row_first, size_t row_last, size_t column_first,
                               size_t column_last);

/* sums[i * sums_row + j] += over p of a[p * a_step + i] * b[p * b_step + j], in the order of p, for i < a_count and j < b_count.
 * Products are fused with the addition if `fused` is not 0 and the tier can. b is read, and sums read and written, up to the next
 * multiple of 32 of b_count; what is beyond b_count means nothing. */
typedef struct ck_outer_f32 {
  size_t count;
  const float *_Nonnull a;
  ptrdiff_t a_step;
  size_t a_count;
  const float *_Nonnull b;
  ptrdiff_t b_step;
  size_t b_count;
  int fused;
  float *_Nonnull sums;
  ptrdiff_t sums_row;
} ck_outer_f32;

typedef void (*ck_outer_f32_fn)(const ck_outer_f32 *_Nonnull outer);

#endif
