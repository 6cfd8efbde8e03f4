/* Convolution-shaped kernels over channels-last int8 images: every convolution (one to three axes, any stride, dilation and
 * padding), matrix product and sub-pixel phase of a transposed convolution is one ck_conv_s8 call.
 *
 * An image has three spatial axes d, h, w (fewer axes: sizes of 1) and its channels are adjacent bytes. Output positions are
 * numbered r = (d * out_size[1] + h) * out_size[2] + w. The output position (d, h, w) reads, for each tap, the input position
 * (d * step[0] + tap.d, h * step[1] + tap.h, w * step[2] + tap.w). Positions outside in_size read the pad value.
 * Padding p is a tap offset of -p; dilation is the distance between taps; a batch of two-dimensional images is axis d with
 * step 1 and taps at d = 0; a matrix product of M rows is an image of M positions with one tap at the origin.
 */
#ifndef CK_CONVOLUTION_H
#define CK_CONVOLUTION_H

#include "ck_epilogue.h"

/* Channel ranges start at multiples of this, on every tier. */
enum { CK_CHANNEL_BLOCK = 32 };

/* Every packed buffer and every scratch buffer starts at a multiple of this. */
enum { CK_BUFFER_ALIGNMENT = 64 };

/* Offset of a tap from the output position's base, in input positions. */
typedef struct ck_tap {
  int32_t d, h, w;
} ck_tap;

/* How output positions read an image and where they are written. Strides are in elements (bytes for int8) between
 * neighbours along an axis and may be anything, zero and negative included. */
typedef struct ck_window {
  int32_t in_size[3];
  int32_t out_size[3];
  int32_t step[3];
  int32_t tap_count; /* >= 0; no taps: an empty sum */
  const ck_tap *_Nullable taps;
  ptrdiff_t in_stride[3];
  ptrdiff_t out_stride[3];
} ck_window;

/* acc[r][c] = bias[c] + sum over taps, pixels and channels of (x - pad) * w[c]; then the epilogue (Q11...Q20).
 *
 * Each tap reads tap_pixels neighbouring positions along w (the tap's own first) of tap_channels bytes each. With
 * tap_pixels > 1, in_stride[2] must equal tap_channels: a row of a kernel that is dense along w is one tap. The inner size is
 * K = tap_count * tap_pixels * tap_channels in that order, the order of the weights given to conv_s8_pack.
 * The caller guarantees Q13. Any int8 weight is allowed here, -128 included. */
typedef struct ck_conv_s8 {
  ck_window window;
  const int8_t *_Nonnull input; /* position (0, 0, 0) */
  int32_t tap_pixels;           /* >= 1 */
  int32_t tap_channels;         /* >= 0 */
  int8_t pad;                   /* zx */
  const void *_Nonnull weights; /* from conv_s8_pack of the same tier; all channels */
  int is_warm; /* not 0: the weights were read shortly before, and none are fetched ahead where there is one tile */
  const int32_t *_Nullable bias;     /* one for each output channel; NULL: zeros */
  const int32_t *_Nullable row_bias; /* added to every accumulator of row r (Q14); entry 0 is row 0; or NULL */
  void *_Nonnull output;        /* int8_t or float: position (0, 0, 0), channel 0 */
  ptrdiff_t residual_stride[3]; /* as window.out_stride, for the residual */
  ck_epilogue epilogue;
  /* Another call with the same weights and a window of the same sizes, steps, taps and input strides, or NULL. It is computed with this one,
   * so that weights are read once where memory is what takes time; the residual of an output may be this call's output there. */
  const struct ck_conv_s8 *_Nullable second;
} ck_conv_s8;

/* Epilogue of a float convolution: + bias, + residual, activation. Arrays have one entry for each output channel. */
typedef struct ck_epilogue_f32 {
  const float *_Nullable bias;
  const float *_Nullable residual; /* placed by the caller's residual strides; it may be the output itself */
  ck_activation activation;
  const float *_Nullable slope;    /* for CK_ACTIVATION_LEAKY, else unused */
  ck_unary function;               /* these three for CK_ACTIVATION_FUNCTION, else unused */
  float p0;
  float p1;
} ck_epilogue_f32;

/* acc[r][c] = sum over taps, pixels and channels, in this order, of x * w[c] (Q29); then the epilogue. As ck_conv_s8 otherwise. */
typedef struct ck_conv_f32 {
  ck_window window;
  const float *_Nonnull input;
  int32_t tap_pixels;
  int32_t tap_channels;
  float pad;
  const void *_Nonnull weights; /* from conv_f32_pack of the same tier; all channels */
  int fused; /* not 0: products are not rounded before they are added, where the tier can: faster, and not the bits of Q29 */
  float *_Nonnull output;
  ptrdiff_t residual_stride[3];
  ck_epilogue_f32 epilogue;
} ck_conv_f32;

/* One kernel row and channel at a time: acc[r][c] = folded[c] + sum over taps of x[c] * w[tap][c]; then the epilogue.
 * in_stride[2] and the like are free; channels are adjacent. */
typedef struct ck_depthwise_s8 {
  ck_window window;
  const int8_t *_Nonnull input;
  int32_t channels;
  int8_t pad;
  const int8_t *_Nonnull weights;  /* [tap_count][channels] */
  const int32_t *_Nullable folded; /* [channels]; NULL: zeros */
  void *_Nonnull output;
  ptrdiff_t residual_stride[3];
  ck_epilogue epilogue;
} ck_depthwise_s8;

/* Bytes that conv_s8_pack or conv_f32_pack writes for `channels` output channels of `taps` taps that read `run` elements each. */
typedef size_t (*ck_conv_packed_size_fn)(size_t channels, size_t taps, size_t run);

/* Bytes of scratch that one conv_s8 or conv_f32 call over `window` needs, whose weights have `channels` output channels; twice as many
 * with a second one. Each concurrent call needs its own. */
typedef size_t (*ck_conv_scratch_size_fn)(const ck_window *_Nonnull window, size_t tap_pixels, size_t tap_channels, size_t channels);

/* Where weights lie before they are packed: element i < taps * run of channel c is w[c * channel_step + i * step]. One of the steps is 1.
 * Floats alone: where `inner` is not 0, step is 1 and input channels have so many weights each: taps * run = inner * depth, and element
 * i = e * depth + d is w[c * channel_step + d * inner + e]. */
typedef struct ck_weight_steps {
  size_t channel_step;
  size_t step;
  size_t inner;
} ck_weight_steps;

/* Packs weights for this tier only; run = tap_pixels * tap_channels. `packed` is aligned to CK_BUFFER_ALIGNMENT. */
typedef void (*ck_conv_s8_pack_fn)(const int8_t *_Nonnull w, ck_weight_steps steps, size_t channels, size_t taps, size_t run,
                                   void *_Nonnull packed);

/* The same for floats. */
typedef void (*ck_conv_f32_pack_fn)(const float *_Nonnull w, ck_weight_steps steps, size_t channels, size_t taps, size_t run,
                                    void *_Nonnull packed);

/* Computes output positions [row_first, row_last) and channels [channel_first, channel_last). channel_first is a multiple of
 * CK_CHANNEL_BLOCK; channel_last is one too or the number of channels that was packed. Calls with disjoint ranges may run
 * at the same time and give the same bytes as one call. `scratch` is aligned to CK_BUFFER_ALIGNMENT. */
typedef void (*ck_conv_s8_fn)(const ck_conv_s8 *_Nonnull conv, size_t row_first, size_t row_last, size_t channel_first,
                              size_t channel_last, void *_Nonnull scratch);

/* The same for floats. */
typedef void (*ck_conv_f32_fn)(const ck_conv_f32 *_Nonnull conv, size_t row_first, size_t row_last, size_t channel_first,
                               size_t channel_last, void *_Nonnull scratch);

/* conv_f32 and winograd_f32 have one contract. winograd_f32 takes dense 3×3 kernels of step 1 only: three taps of three pixels, one below
 * the other. It multiplies less than half as often, and its sums are not those of Q29. Its input is read up to 64 bytes past its end.
 *
 * product_f32 has their contract too, and the bits and the packed weights of conv_f32. It takes products of matrices only: one tap at the
 * origin, of one pixel, and positions of one line (d = h = 1), with in_size equal to out_size and a step of 1. It is faster than conv_f32
 * while the weights of CK_CHANNEL_BLOCK channels stay in cache. */

/* The gradient by the weights of a convolution that winograd_f32 takes, before it is turned back: with B and A of
 * portable/winograd_f32.inc, sums[i][c][m] += over the 2x2 tiles of output positions, (B' x B)[i] of the channel c of the patch that a
 * tile reads, times (A e A')[i] of the channel m of its errors; i < 16. With G, the gradient is G' sums G.
 * The channels of `sums` are step = channels rounded up to CK_CHANNEL_BLOCK apart; what is beyond `channels` means nothing. Both images
 * are read up to 64 bytes past their ends. */
typedef struct ck_winograd_gradient_f32 {
  ck_window window;             /* out_stride is that of the errors */
  const float *_Nonnull input;
  int32_t tap_channels;
  const float *_Nonnull errors; /* position (0, 0, 0) */
  size_t channels;
  float *_Nonnull sums;         /* [16][tap_channels][step] */
} ck_winograd_gradient_f32;

/* Bytes of scratch that a call needs. */
typedef size_t (*ck_winograd_gradient_scratch_fn)(const ck_winograd_gradient_f32 *_Nonnull gradient);

/* Adds what the pairs of output lines [pair_first, pair_last) give; each image of the first axis has half as many as lines, rounded up. */
typedef void (*ck_winograd_gradient_fn)(const ck_winograd_gradient_f32 *_Nonnull gradient, size_t pair_first, size_t pair_last,
                                        void *_Nonnull scratch);

/* Computes output positions [row_first, row_last), all channels. Calls with disjoint ranges may run at the same time. */
typedef void (*ck_depthwise_s8_fn)(const ck_depthwise_s8 *_Nonnull conv, size_t row_first, size_t row_last);

/* sums[r] = sum of the `columns` bytes of row r, in int32 (the row term of Q14). At most 2^23 columns. */
typedef void (*ck_row_sums_s8_fn)(size_t rows, size_t columns, const int8_t *_Nonnull x, ptrdiff_t x_stride,
                                  int32_t *_Nonnull sums);

#endif
