/* The NEON dot-product tier: sdot multiplies signed bytes by signed bytes and adds four products, exactly. */
#if defined(__aarch64__)
#pragma STDC FP_CONTRACT OFF

#include <arm_neon.h>

#include "../arithmetic.h"
#include "../float_functions.h"

#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)

#define CK_TIER_NAME neondot
#define CK_TIER_ISA CK_ISA_NEON_DOT
#define CK_FN(name) CK_JOIN(ck_##name##_, CK_TIER_NAME)

#define CK_FLOAT_VECTOR 16
#define CK_FUSED

#define CK_ROWS 6
#define CK_K_UNIT 4
#define CK_WEIGHT_SHIFT 0

typedef int8_t CK_FN(gathered);

CK_INLINE void CK_FN(gather_copy)(CK_FN(gathered) * dst, const int8_t *src, size_t n) { memcpy(dst, src, n); }

CK_INLINE void CK_FN(gather_fill)(CK_FN(gathered) * dst, int8_t value, size_t n) { memset(dst, value, n); }

/* `rows` rows by 16 channels. */
CK_INLINE void CK_FN(tile_rows)(const size_t rows, const ck_segments *segments, const CK_FN(gathered) * x, size_t x_stride,
                                const int8_t *w, const int32_t *start, int32_t *acc) {
  int32x4_t a[CK_ROWS][4];
  for (size_t r = 0; r < rows; r++) {
    for (size_t v = 0; v < 4; v++) {
      a[r][v] = vld1q_s32(start + 4 * v);
    }
  }
  for (size_t s = 0; s < segments->count; s++) {
    const CK_FN(gathered) *run = x + segments->offsets[s];
    for (size_t i = 0; i < segments->length; i += CK_K_UNIT, w += CK_CHANNEL_BLOCK * CK_K_UNIT) {
      int8x16_t weights[4];
      for (size_t v = 0; v < 4; v++) {
        weights[v] = vld1q_s8(w + 16 * v);
      }
      for (size_t r = 0; r < rows; r++) {
        int32_t group;
        memcpy(&group, run + r * x_stride + i, sizeof group);
        int8x16_t value = vreinterpretq_s8_s32(vdupq_n_s32(group));
        for (size_t v = 0; v < 4; v++) {
          a[r][v] = vdotq_s32(a[r][v], weights[v], value);
        }
      }
    }
  }
  for (size_t r = 0; r < rows; r++) {
    for (size_t v = 0; v < 4; v++) {
      vst1q_s32(acc + r * CK_CHANNEL_BLOCK + 4 * v, a[r][v]);
    }
  }
}

#include "tile_halves.inc"

#define CK_LANES 4
#define CK_LANE_VECTORS 4

typedef int32x4_t CK_FN(lane_sums);

CK_INLINE CK_FN(lane_sums) CK_FN(lane_groups)(const CK_FN(gathered) * x) { return vreinterpretq_s32_s8(vld1q_s8(x)); }

CK_INLINE CK_FN(lane_sums) CK_FN(lane_weights)(const int8_t *w) {
  int32_t group;
  memcpy(&group, w, sizeof group);
  return vdupq_n_s32(group);
}

CK_INLINE CK_FN(lane_sums) CK_FN(lane_dot)(CK_FN(lane_sums) sum, CK_FN(lane_sums) x, CK_FN(lane_sums) w) {
  return vdotq_s32(sum, vreinterpretq_s8_s32(x), vreinterpretq_s8_s32(w));
}

#include "../portable/kernels.inc"

#pragma clang attribute pop
#else
typedef int ck_no_neondot_here;
#endif
