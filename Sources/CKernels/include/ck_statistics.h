/* What calibration keeps of float32 values (Q48, Q56): the same bits on every tier. */
#ifndef CK_STATISTICS_H
#define CK_STATISTICS_H

#include <stddef.h>
#include <stdint.h>

/* Of the finite values the least and the greatest, +infinity and -infinity where there is none; and how many are not finite. */
typedef struct ck_extremes {
  float least;
  float greatest;
  size_t not_finite;
} ck_extremes;

typedef ck_extremes (*ck_extremes_f32_fn)(size_t count, const float *_Nonnull x);

/* Adds 1 to bins[floor(x * inverse_width) + CK_HISTOGRAM_BINS / 2] for each finite x, or to the nearest bin there is. */
typedef void (*ck_histogram_f32_fn)(size_t count, const float *_Nonnull x, float inverse_width, int64_t *_Nonnull bins);

enum { CK_HISTOGRAM_BINS = 4096 };

/* Adds to sums[c] every value of channel c as an integer of 2^-24, to nearest even; to counts[c] 1. Values that are NaN or beyond 2^20
 * either way are left out. Channel c of block b has `columns` values from x[b * block_stride + c * channel_stride] on. At most 2^18 values of a channel; a sum may then not overflow. */
typedef void (*ck_channel_sums_f32_fn)(size_t blocks, size_t channels, size_t columns, const float *_Nonnull x,
                                       ptrdiff_t block_stride, ptrdiff_t channel_stride, int64_t *_Nonnull sums,
                                       int64_t *_Nonnull counts);

/* sums[i (i + 1) / 2 + j] = sum of x[i] * x[j] over the columns, for all j <= i below `rows`: products of rows with each other. No sum may
 * leave 32 bits. */
typedef void (*ck_row_products_s16_fn)(size_t rows, size_t columns, const int16_t *_Nonnull x, ptrdiff_t x_row,
                                       int32_t *_Nonnull sums);

/* sums[i] += factor * x[i] to the nearest integer, ties to even. No product may leave 63 bits. Not 0: a sum has left 64 bits. */
typedef int (*ck_add_rounded_s64_fn)(size_t count, const int32_t *_Nonnull x, double factor, int64_t *_Nonnull sums);

/* y[i] = x[i] * factor, limited to -32767...32767, to the nearest integer, ties to even. */
typedef void (*ck_steps_s16_fn)(size_t count, const float *_Nonnull x, float factor, int16_t *_Nonnull y);

/* y[i] += factor * x[i], rounded after the product and after the sum. */
typedef void (*ck_add_multiple_f64_fn)(size_t count, double factor, const double *_Nonnull x, double *_Nonnull y);

#endif
