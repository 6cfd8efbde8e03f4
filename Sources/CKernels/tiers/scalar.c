/* The scalar tier: plain C, for any processor. */
#pragma STDC FP_CONTRACT OFF

#include "../arithmetic.h"
#include "../float_functions.h"

#define CK_TIER_NAME scalar
#define CK_TIER_ISA CK_ISA_SCALAR
#define CK_FN(name) CK_JOIN(ck_##name##_, CK_TIER_NAME)

#define CK_FLOAT_VECTOR 16

#define CK_ROWS 4
#define CK_K_UNIT 1
#define CK_WEIGHT_SHIFT 0

typedef int8_t CK_FN(gathered);

CK_INLINE void CK_FN(gather_copy)(CK_FN(gathered) * dst, const int8_t *src, size_t n) { memcpy(dst, src, n); }

CK_INLINE void CK_FN(gather_fill)(CK_FN(gathered) * dst, int8_t value, size_t n) { memset(dst, value, n); }

static void CK_FN(tile)(size_t rows, int wide, const ck_segments *segments, const CK_FN(gathered) * x, size_t x_stride,
                        const int8_t *weights, const int32_t *start, int32_t *acc) {
  (void)wide;
  for (size_t r = 0; r < rows; r++) {
    int32_t *out = acc + r * CK_CHANNEL_BLOCK;
    const int8_t *w = weights;
    memcpy(out, start, CK_CHANNEL_BLOCK * sizeof(int32_t));
    for (size_t s = 0; s < segments->count; s++) {
      const CK_FN(gathered) *run = x + segments->offsets[s] + r * x_stride;
      for (size_t i = 0; i < segments->length; i++, w += CK_CHANNEL_BLOCK) {
        int16_t value = run[i];
        for (size_t c = 0; c < CK_CHANNEL_BLOCK; c++) {
          out[c] += (int16_t)(value * w[c]);
        }
      }
    }
  }
}

#include "../portable/kernels.inc"
