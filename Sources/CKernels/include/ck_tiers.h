/* The instruction-set tiers and the table of kernels that each provides. */
#ifndef CK_TIERS_H
#define CK_TIERS_H

#include "ck_convolution.h"
#include "ck_elementwise_f32.h"
#include "ck_elementwise_s8.h"
#include "ck_layout.h"
#include "ck_matrix_f32.h"
#include "ck_pooling.h"
#include "ck_rows_f32.h"
#include "ck_slots.h"
#include "ck_statistics.h"
#include "ck_weights.h"

/* Every tier that any build knows. */
typedef enum __attribute__((enum_extensibility(closed))) ck_isa {
  CK_ISA_SCALAR __attribute__((swift_name("scalar"))) = 0,
  CK_ISA_AVX2 __attribute__((swift_name("avx2"))) = 1,
  CK_ISA_AVX512_VNNI __attribute__((swift_name("avx512vnni"))) = 2,
  CK_ISA_NEON_DOT __attribute__((swift_name("neondot"))) = 3,
  CK_ISA_AVX_VNNI __attribute__((swift_name("avxvnni"))) = 4,
} ck_isa;

/* One tier's kernels. All tiers give the same bits; packed weights belong to the tier that packed them. */
typedef struct __attribute__((swift_attr("@Sendable"))) ck_kernels {
  ck_isa isa;
  const char *_Nonnull name; /* "scalar", "avx2", "avxvnni", "avx512vnni", "neondot" */

  ck_conv_packed_size_fn _Nonnull conv_s8_packed_size;
  ck_conv_scratch_size_fn _Nonnull conv_s8_scratch_size;
  ck_conv_s8_pack_fn _Nonnull conv_s8_pack;
  ck_conv_s8_fn _Nonnull conv_s8;
  ck_conv_packed_size_fn _Nonnull conv_f32_packed_size;
  ck_conv_scratch_size_fn _Nonnull conv_f32_scratch_size;
  ck_conv_f32_pack_fn _Nonnull conv_f32_pack;
  ck_conv_f32_fn _Nonnull conv_f32;
  ck_conv_packed_size_fn _Nonnull winograd_f32_packed_size;
  ck_conv_scratch_size_fn _Nonnull winograd_f32_scratch_size;
  ck_conv_f32_pack_fn _Nonnull winograd_f32_pack;
  ck_conv_f32_fn _Nonnull winograd_f32;
  ck_conv_scratch_size_fn _Nonnull product_f32_scratch_size;
  ck_conv_f32_fn _Nonnull product_f32;
  ck_winograd_gradient_scratch_fn _Nonnull winograd_gradient_scratch_f32;
  ck_winograd_gradient_fn _Nonnull winograd_gradient_f32;
  int fuses_f32; /* whether conv_f32 heeds `fused` */
  ck_depthwise_s8_fn _Nonnull depthwise_s8;
  ck_row_sums_s8_fn _Nonnull row_sums_s8;

  ck_binary_s8_fn _Nonnull add_s8;
  ck_binary_s8_fn _Nonnull multiply_s8;
  ck_requantize_s8_fn _Nonnull requantize_s8;
  ck_lookup_s8_fn _Nonnull lookup_s8;
  ck_quantize_f32_s8_fn _Nonnull quantize_f32_s8;
  ck_dequantize_s8_f32_fn _Nonnull dequantize_s8_f32;

  ck_transpose_s8_fn _Nonnull transpose_s8;
  ck_transpose_f32_fn _Nonnull transpose_f32;
  ck_quantize_interleave_fn _Nonnull quantize_interleave;
  ck_dequantize_deinterleave_fn _Nonnull dequantize_deinterleave;

  ck_max_pool_s8_fn _Nonnull max_pool_s8;
  ck_average_pool_s8_fn _Nonnull average_pool_s8;
  ck_resize_s8_fn _Nonnull resize_nearest_s8;
  ck_resize_s8_fn _Nonnull resize_linear_s8;

  ck_unary_f32_fn _Nonnull unary_f32;
  ck_binary_f32_fn _Nonnull binary_f32;
  ck_affine_f32_fn _Nonnull affine_f32;
  ck_reduce_rows_f32_fn _Nonnull reduce_rows_f32;
  ck_softmax_rows_f32_fn _Nonnull softmax_rows_f32;
  ck_normalize_rows_f32_fn _Nonnull normalize_rows_f32;
  ck_mix_rows_f32_fn _Nonnull mix_rows_f32;
  ck_gemm_f32_fn _Nonnull gemm_f32;
  ck_outer_f32_fn _Nonnull outer_f32;

  ck_extremes_f32_fn _Nonnull extremes_f32;
  ck_histogram_f32_fn _Nonnull histogram_f32;
  ck_channel_sums_f32_fn _Nonnull channel_sums_f32;
  ck_row_products_s16_fn _Nonnull row_products_s16;
  ck_add_rounded_s64_fn _Nonnull add_rounded_s64;
  ck_steps_s16_fn _Nonnull steps_s16;
  ck_add_multiple_f64_fn _Nonnull add_multiple_f64;

  ck_score_slots_s16_fn _Nonnull score_slots_s16;
  ck_read_slots_s8_fn _Nonnull read_slots_s8;

  ck_decode_weights_fn _Nonnull decode_weights;
} ck_kernels;

/* The kernels of a tier, or NULL if this build or this processor lacks it. */
const ck_kernels *_Nullable ck_kernels_for(ck_isa isa);

/* The widest tier of this processor; never NULL, never changes. */
const ck_kernels *_Nonnull ck_kernels_best(void);

#endif
