/* The AVX-VNNI tier: the dot products of AVX-512 VNNI in vectors of AVX2, for processors without AVX-512. Activations are gathered
 * as x + 128, and sums start at -128 * sum(w). */
#if defined(__x86_64__)
#pragma STDC FP_CONTRACT OFF

#include <immintrin.h>

#include "../arithmetic.h"
#include "../float_functions.h"

#pragma clang attribute push(__attribute__((target("avx2,fma,avxvnni,popcnt"))), apply_to = function)

#define CK_TIER_NAME avxvnni
#define CK_TIER_ISA CK_ISA_AVX_VNNI
#define CK_FN(name) CK_JOIN(ck_##name##_, CK_TIER_NAME)

#define CK_FLOAT_VECTOR 32
#define CK_FUSED

/* Pairs of 16-bit numbers, whose products are added to 32 bits. */
#define CK_PAIRS __m256i
#define CK_PAIRS_ADD(sums, a, b) _mm256_dpwssd_avx_epi32(sums, a, b)

#define CK_ROWS 6
#define CK_K_UNIT 4
#define CK_WEIGHT_SHIFT 128

typedef uint8_t CK_FN(gathered);

CK_INLINE void CK_FN(gather_copy)(CK_FN(gathered) * dst, const int8_t *src, size_t n) {
  for (size_t i = 0; i < n; i++) {
    dst[i] = (uint8_t)src[i] ^ 0x80;
  }
}

CK_INLINE void CK_FN(gather_fill)(CK_FN(gathered) * dst, int8_t value, size_t n) { memset(dst, value ^ 0x80, n); }

CK_INLINE __m256i CK_FN(broadcast)(const uint8_t *x) {
  int32_t group;
  memcpy(&group, x, sizeof group);
  return _mm256_set1_epi32(group);
}

CK_INLINE __m256i CK_FN(load)(const void *from) { return _mm256_load_si256((const __m256i *)from); }

/* `rows` rows by 16 channels; `chains` accumulators for each, over interleaved groups of k, hide latency when rows are few. */
CK_INLINE void CK_FN(tile_rows)(const size_t rows, const ck_segments *segments, const CK_FN(gathered) * x, size_t x_stride,
                                const int8_t *w, const int32_t *start, int32_t *acc) {
  const size_t chains = rows == 1 ? 4 : rows <= 3 ? 2 : 1;
  const size_t group = CK_CHANNEL_BLOCK * CK_K_UNIT;
  __m256i a[CK_ROWS][2][4];
  for (size_t r = 0; r < rows; r++) {
    for (size_t h = 0; h < 2; h++) {
      a[r][h][0] = CK_FN(load)(start + h * 8);
      for (size_t c = 1; c < chains; c++) {
        a[r][h][c] = _mm256_setzero_si256();
      }
    }
  }
  for (size_t s = 0; s < segments->count; s++) {
    const uint8_t *run = x + segments->offsets[s];
    size_t i = 0, k = segments->length;
    for (; i + chains * CK_K_UNIT <= k; i += chains * CK_K_UNIT, w += chains * group) {
      for (size_t c = 0; c < chains; c++) {
        __m256i w0 = CK_FN(load)(w + c * group), w1 = CK_FN(load)(w + c * group + 32);
        for (size_t r = 0; r < rows; r++) {
          __m256i value = CK_FN(broadcast)(run + r * x_stride + i + c * CK_K_UNIT);
          a[r][0][c] = _mm256_dpbusd_avx_epi32(a[r][0][c], value, w0);
          a[r][1][c] = _mm256_dpbusd_avx_epi32(a[r][1][c], value, w1);
        }
      }
    }
    for (; chains > 1 && i < k; i += CK_K_UNIT, w += group) {
      for (size_t r = 0; r < rows; r++) {
        __m256i value = CK_FN(broadcast)(run + r * x_stride + i);
        for (size_t h = 0; h < 2; h++) {
          a[r][h][0] = _mm256_dpbusd_avx_epi32(a[r][h][0], value, CK_FN(load)(w + h * 32));
        }
      }
    }
  }
  for (size_t r = 0; r < rows; r++) {
    for (size_t h = 0; h < 2; h++) {
      __m256i sum = a[r][h][0];
      for (size_t c = 1; c < chains; c++) {
        sum = _mm256_add_epi32(sum, a[r][h][c]);
      }
      _mm256_store_si256((__m256i *)(void *)(acc + r * CK_CHANNEL_BLOCK + h * 8), sum);
    }
  }
}

#include "tile_halves.inc"

#define CK_LANES 8
#define CK_LANE_VECTORS 2

typedef int32_t CK_FN(lane_sums) __attribute__((vector_size(32)));

CK_INLINE CK_FN(lane_sums) CK_FN(lane_groups)(const uint8_t *x) {
  return (CK_FN(lane_sums))_mm256_loadu_si256((const __m256i *)(const void *)x);
}

CK_INLINE CK_FN(lane_sums) CK_FN(lane_weights)(const int8_t *w) { return (CK_FN(lane_sums))CK_FN(broadcast)((const uint8_t *)w); }

CK_INLINE CK_FN(lane_sums) CK_FN(lane_dot)(CK_FN(lane_sums) sum, CK_FN(lane_sums) x, CK_FN(lane_sums) w) {
  return (CK_FN(lane_sums))_mm256_dpbusd_avx_epi32((__m256i)sum, (__m256i)x, (__m256i)w);
}

#include "weights_avx2.inc"

#include "../portable/kernels.inc"

#pragma clang attribute pop
#else
typedef int ck_no_avxvnni_here;
#endif
