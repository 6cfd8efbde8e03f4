/* The AVX-512 VNNI tier. vpdpbusd multiplies unsigned by signed bytes and does not saturate: activations are gathered as
 * x + 128 and the packed bias absorbs -128 * sum(w), modulo 2^32, which is exact because the result fits (Q13). */
#if defined(__x86_64__)
#pragma STDC FP_CONTRACT OFF

#include <immintrin.h>

#include "../arithmetic.h"
#include "../float_functions.h"

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni"))), apply_to = function)

#define CK_TIER_NAME avx512vnni
#define CK_TIER_ISA CK_ISA_AVX512_VNNI
#define CK_FN(name) CK_JOIN(ck_##name##_, CK_TIER_NAME)

#define CK_FLOAT_VECTOR 64

#define CK_ROWS 12
#define CK_K_UNIT 4
#define CK_WEIGHT_SHIFT 128

typedef uint8_t CK_FN(gathered);

CK_INLINE void CK_FN(gather_copy)(CK_FN(gathered) * dst, const int8_t *src, size_t n) {
  const __m512i flip = _mm512_set1_epi8((char)0x80);
  size_t i = 0;
  for (; i + 64 <= n; i += 64) {
    _mm512_storeu_si512(dst + i, _mm512_xor_si512(_mm512_loadu_si512(src + i), flip));
  }
  if (i < n) {
    __mmask64 mask = ~0ull >> (64 - (n - i));
    _mm512_mask_storeu_epi8(dst + i, mask, _mm512_xor_si512(_mm512_maskz_loadu_epi8(mask, src + i), flip));
  }
}

CK_INLINE void CK_FN(gather_fill)(CK_FN(gathered) * dst, int8_t value, size_t n) { memset(dst, value ^ 0x80, n); }

CK_INLINE __m512i CK_FN(broadcast)(const uint8_t *x) {
  int32_t group;
  memcpy(&group, x, sizeof group);
  return _mm512_set1_epi32(group);
}

/* `rows` rows by `halves` times 16 channels; `chains` accumulators for each, over interleaved groups of k, hide latency when rows
 * are few. */
CK_INLINE void CK_FN(tile_rows)(const size_t rows, const size_t halves, const size_t chains, size_t k, const uint8_t *x,
                                size_t x_stride, const uint8_t *panel, int32_t *acc) {
  const size_t group = CK_CHANNEL_BLOCK * CK_K_UNIT;
  __m512i a[CK_ROWS][2][4];
  const uint8_t *w = panel + CK_CHANNEL_BLOCK * sizeof(int32_t);
  for (size_t r = 0; r < rows; r++) {
    for (size_t h = 0; h < halves; h++) {
      a[r][h][0] = _mm512_load_si512(panel + h * 64);
      for (size_t c = 1; c < chains; c++) {
        a[r][h][c] = _mm512_setzero_si512();
      }
    }
  }
  size_t i = 0;
  for (; i + chains * CK_K_UNIT <= k; i += chains * CK_K_UNIT, w += chains * group) {
    for (size_t c = 0; c < chains; c++) {
      __m512i w0 = _mm512_load_si512(w + c * group);
      __m512i w1 = halves > 1 ? _mm512_load_si512(w + c * group + 64) : w0;
      for (size_t r = 0; r < rows; r++) {
        __m512i value = CK_FN(broadcast)(x + r * x_stride + i + c * CK_K_UNIT);
        a[r][0][c] = _mm512_dpbusd_epi32(a[r][0][c], value, w0);
        if (halves > 1) {
          a[r][1][c] = _mm512_dpbusd_epi32(a[r][1][c], value, w1);
        }
      }
    }
  }
  for (; chains > 1 && i < k; i += CK_K_UNIT, w += group) {
    for (size_t r = 0; r < rows; r++) {
      __m512i value = CK_FN(broadcast)(x + r * x_stride + i);
      for (size_t h = 0; h < halves; h++) {
        a[r][h][0] = _mm512_dpbusd_epi32(a[r][h][0], value, _mm512_load_si512(w + h * 64));
      }
    }
  }
  for (size_t r = 0; r < rows; r++) {
    for (size_t h = 0; h < halves; h++) {
      __m512i sum = a[r][h][0];
      for (size_t c = 1; c < chains; c++) {
        sum = _mm512_add_epi32(sum, a[r][h][c]);
      }
      _mm512_store_si512(acc + r * CK_CHANNEL_BLOCK + h * 16, sum);
    }
  }
}

#define CK_TILE_CASE(rows, chains) \
  case rows: \
    if (wide) { \
      CK_FN(tile_rows)(rows, 2, chains, k, x, x_stride, panel, acc); \
    } else { \
      CK_FN(tile_rows)(rows, 1, chains, k, x, x_stride, panel, acc); \
    } \
    break;

static void CK_FN(tile)(size_t rows, int wide, size_t k, const uint8_t *x, size_t x_stride, const void *panel, int32_t *acc) {
  switch (rows) {
    CK_TILE_CASE(1, 4)
    CK_TILE_CASE(2, 2)
    CK_TILE_CASE(3, 2)
    CK_TILE_CASE(4, 1)
    CK_TILE_CASE(5, 1)
    CK_TILE_CASE(6, 1)
    CK_TILE_CASE(7, 1)
    CK_TILE_CASE(8, 1)
    CK_TILE_CASE(9, 1)
    CK_TILE_CASE(10, 1)
    CK_TILE_CASE(11, 1)
    CK_TILE_CASE(12, 1)
  }
}

#undef CK_TILE_CASE

#define CK_OWN_EPILOGUE

CK_INLINE void CK_FN(own_epilogue)(const ck_epilogue *e, size_t count, const int32_t *acc, const float *multiplier,
                                   const float *slope, const void *residual, void *output) {
  const __m512 low = _mm512_set1_ps((float)(e->clamp.low - e->clamp.zero));
  const __m512 high = _mm512_set1_ps((float)(e->clamp.high - e->clamp.zero));
  for (size_t c = 0; c < count; c += 16) {
    __mmask16 lanes = (__mmask16)(count - c < 16 ? (1u << (count - c)) - 1u : 0xffffu);
    __m512 t = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_maskz_loadu_epi32(lanes, acc + c)),
                             _mm512_maskz_loadu_ps(lanes, multiplier + c));
    if (residual && e->residual_type == CK_ELEMENT_S8) {
      __m512i r = _mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(lanes, (const int8_t *)residual + c));
      r = _mm512_sub_epi32(r, _mm512_set1_epi32(e->residual_zero));
      t = _mm512_add_ps(t, _mm512_mul_ps(_mm512_cvtepi32_ps(r), _mm512_set1_ps(e->residual_multiplier)));
    } else if (residual) {
      t = _mm512_add_ps(t, _mm512_maskz_loadu_ps(lanes, (const float *)residual + c));
    }
    __mmask16 negative = _mm512_cmp_ps_mask(t, _mm512_setzero_ps(), _CMP_LT_OQ);
    if (e->activation == CK_ACTIVATION_RELU) {
      t = _mm512_mask_mov_ps(t, negative, _mm512_setzero_ps());
    } else if (e->activation == CK_ACTIVATION_LEAKY) {
      t = _mm512_mask_mul_ps(t, negative, t, _mm512_maskz_loadu_ps(lanes, slope + c));
    }
    if (e->output_type == CK_ELEMENT_F32) {
      _mm512_mask_storeu_ps((float *)output + c, lanes, t);
    } else {
      __m512i y = _mm512_cvtps_epi32(_mm512_min_ps(_mm512_max_ps(t, low), high));
      y = _mm512_add_epi32(y, _mm512_set1_epi32(e->clamp.zero));
      _mm_mask_storeu_epi8((int8_t *)output + c, lanes, _mm512_cvtepi32_epi8(y));
    }
  }
  if (e->output_type == CK_ELEMENT_S8) {
    ck_apply_table(e->clamp.table, output, count);
  }
}

#include "../portable/kernels.inc"

#pragma clang attribute pop
#else
typedef int ck_no_avx512vnni_here;
#endif
