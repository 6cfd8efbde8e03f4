/* The AVX2 tier. Activations are gathered as int16 and weights widened as they are loaded, so that each pmaddwd adds two exact
 * products; the saturating byte multiplication is not used. */
#if defined(__x86_64__)
#pragma STDC FP_CONTRACT OFF

#include <immintrin.h>

#include "../arithmetic.h"
#include "../float_functions.h"

#pragma clang attribute push(__attribute__((target("avx2,fma,popcnt"))), apply_to = function)

#define CK_TIER_NAME avx2
#define CK_TIER_ISA CK_ISA_AVX2
#define CK_FN(name) CK_JOIN(ck_##name##_, CK_TIER_NAME)

#define CK_FLOAT_VECTOR 32
#define CK_FUSED

/* Pairs of 16-bit numbers, whose products are added to 32 bits. */
#define CK_PAIRS __m256i
#define CK_PAIRS_ADD(sums, a, b) _mm256_add_epi32(sums, _mm256_madd_epi16(a, b))

#define CK_ROWS 6
#define CK_K_UNIT 2
#define CK_WEIGHT_SHIFT 0

typedef int16_t CK_FN(gathered);

CK_INLINE void CK_FN(gather_copy)(CK_FN(gathered) * dst, const int8_t *src, size_t n) {
  for (size_t i = 0; i < n; i++) {
    dst[i] = src[i];
  }
}

CK_INLINE void CK_FN(gather_fill)(CK_FN(gathered) * dst, int8_t value, size_t n) {
  for (size_t i = 0; i < n; i++) {
    dst[i] = value;
  }
}

/* `rows` rows by 16 channels. */
CK_INLINE void CK_FN(tile_rows)(const size_t rows, const ck_segments *segments, const CK_FN(gathered) * x, size_t x_stride,
                                const int8_t *w, const int32_t *start, int32_t *acc) {
  __m256i a[CK_ROWS][2];
  for (size_t r = 0; r < rows; r++) {
    a[r][0] = _mm256_load_si256((const __m256i *)(const void *)start);
    a[r][1] = _mm256_load_si256((const __m256i *)(const void *)(start + 8));
  }
  for (size_t s = 0; s < segments->count; s++) {
    const CK_FN(gathered) *run = x + segments->offsets[s];
    for (size_t i = 0; i < segments->length; i += CK_K_UNIT, w += CK_CHANNEL_BLOCK * CK_K_UNIT) {
      __m256i w0 = _mm256_cvtepi8_epi16(_mm_load_si128((const __m128i *)(const void *)w));
      __m256i w1 = _mm256_cvtepi8_epi16(_mm_load_si128((const __m128i *)(const void *)(w + 16)));
      for (size_t r = 0; r < rows; r++) {
        int32_t pair;
        memcpy(&pair, run + r * x_stride + i, sizeof pair);
        __m256i value = _mm256_set1_epi32(pair);
        a[r][0] = _mm256_add_epi32(a[r][0], _mm256_madd_epi16(w0, value));
        a[r][1] = _mm256_add_epi32(a[r][1], _mm256_madd_epi16(w1, value));
      }
    }
  }
  for (size_t r = 0; r < rows; r++) {
    __m256i *out = (__m256i *)(void *)(acc + r * CK_CHANNEL_BLOCK);
    _mm256_store_si256(out, a[r][0]);
    _mm256_store_si256(out + 1, a[r][1]);
  }
}

#include "tile_halves.inc"

#define CK_LANES 8
#define CK_LANE_VECTORS 2

typedef int32_t CK_FN(lane_sums) __attribute__((vector_size(32)));

CK_INLINE CK_FN(lane_sums) CK_FN(lane_groups)(const CK_FN(gathered) * x) {
  return (CK_FN(lane_sums))_mm256_loadu_si256((const __m256i *)(const void *)x);
}

CK_INLINE CK_FN(lane_sums) CK_FN(lane_weights)(const int8_t *w) {
  return (CK_FN(lane_sums))_mm256_set1_epi32((int32_t)((uint32_t)(uint16_t)w[0] | (uint32_t)(uint16_t)w[1] << 16));
}

CK_INLINE CK_FN(lane_sums) CK_FN(lane_dot)(CK_FN(lane_sums) sum, CK_FN(lane_sums) x, CK_FN(lane_sums) w) {
  return sum + (CK_FN(lane_sums))_mm256_madd_epi16((__m256i)x, (__m256i)w);
}

#include "weights_avx2.inc"

#include "../portable/kernels.inc"

#pragma clang attribute pop
#else
typedef int ck_no_avx2_here;
#endif
