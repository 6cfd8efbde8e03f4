/* The AVX-512 VNNI tier. vpdpbusd multiplies unsigned by signed bytes and does not saturate: activations are gathered as
 * x + 128 and sums start at -128 * sum(w), modulo 2^32, which is exact because the result fits (Q13). */
#if defined(__x86_64__)
#pragma STDC FP_CONTRACT OFF

#include <immintrin.h>

#include "../arithmetic.h"
#include "../float_functions.h"

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,popcnt"))), apply_to = function)

#define CK_TIER_NAME avx512vnni
#define CK_TIER_ISA CK_ISA_AVX512_VNNI
#define CK_FN(name) CK_JOIN(ck_##name##_, CK_TIER_NAME)

#define CK_FLOAT_VECTOR 64
#define CK_FUSED

/* Pairs of 16-bit numbers, whose products are added to 32 bits. */
#define CK_PAIRS __m512i
#define CK_PAIRS_ADD(sums, a, b) _mm512_dpwssd_epi32(sums, a, b)

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

/* `rows` rows by `halves` times 16 channels, those above two in a panel `more` bytes later; `chains` accumulators for each, over
 * interleaved groups of k, hide latency when rows are few. */
CK_INLINE void CK_FN(tile_rows)(const size_t rows, const size_t halves, const size_t chains, const ck_segments *segments,
                                const uint8_t *x, size_t x_stride, const int8_t *w, size_t more, const int32_t *start,
                                int32_t *const acc[2]) {
  const size_t group = CK_CHANNEL_BLOCK * CK_K_UNIT;
  const size_t places[4] = {0, 64, more, more + 64};
  __m512i a[CK_ROWS][4][4];
  const uint8_t *fetch = segments->fetch;
  for (size_t r = 0; r < rows; r++) {
    for (size_t h = 0; h < halves; h++) {
      a[r][h][0] = _mm512_load_si512(start + h * 16);
      for (size_t c = 1; c < chains; c++) {
        a[r][h][c] = _mm512_setzero_si512();
      }
    }
  }
  for (size_t s = 0; s < segments->count; s++) {
    const uint8_t *run = x + segments->offsets[s];
    const size_t k = segments->length, whole = k - k % (chains * CK_K_UNIT);
    for (size_t i = 0, next; i < whole; i = next) {
      next = ck_min_size(i + ck_fetch_groups * CK_K_UNIT, whole);
      fetch = ck_fetch(fetch, ck_fetch_groups * segments->fetch_step);
      for (; i < next; i += chains * CK_K_UNIT, w += chains * group) {
        for (size_t c = 0; c < chains; c++) {
          __m512i weights[4];
          for (size_t h = 0; h < halves; h++) {
            weights[h] = _mm512_load_si512(w + c * group + places[h]);
          }
#pragma clang loop unroll(full)
          for (size_t r = 0; r < rows; r++) {
            __m512i value = CK_FN(broadcast)(run + r * x_stride + i + c * CK_K_UNIT);
            for (size_t h = 0; h < halves; h++) {
              a[r][h][c] = _mm512_dpbusd_epi32(a[r][h][c], value, weights[h]);
            }
          }
        }
      }
    }
    for (size_t i = whole; chains > 1 && i < k; i += CK_K_UNIT, w += group) {
      for (size_t r = 0; r < rows; r++) {
        __m512i value = CK_FN(broadcast)(run + r * x_stride + i);
        for (size_t h = 0; h < halves; h++) {
          a[r][h][0] = _mm512_dpbusd_epi32(a[r][h][0], value, _mm512_load_si512(w + places[h]));
        }
      }
    }
  }
  for (size_t r = 0; r < rows; r++) {
    for (size_t h = 0; h < halves; h++) {
      __m512i sum = a[r][h][0];
      for (size_t c = 1; c < chains; c++) {
        sum = _mm512_add_epi32(sum, a[r][h][c]);
      }
      _mm512_store_si512(acc[h / 2] + r * CK_CHANNEL_BLOCK + h % 2 * 16, sum);
    }
  }
}

#define CK_TILE_CASE(rows, chains) \
  case rows: \
    if (wide) { \
      CK_FN(tile_rows)(rows, 2, chains, segments, x, x_stride, w, 0, start, &acc); \
    } else { \
      CK_FN(tile_rows)(rows, 1, chains, segments, x, x_stride, w, 0, start, &acc); \
    } \
    break;

static void CK_FN(tile)(size_t rows, int wide, const ck_segments *segments, const uint8_t *x, size_t x_stride, const int8_t *w,
                        const int32_t *start, int32_t *acc) {
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

#define CK_WIDE_TILE

#define CK_TILE_CASE(rows, chains) \
  case rows: \
    if (wide) { \
      CK_FN(tile_rows)(rows, 4, chains, segments, x, x_stride, w, more, start, sums); \
    } else { \
      CK_FN(tile_rows)(rows, 3, chains, segments, x, x_stride, w, more, start, sums); \
    } \
    break;

/* In two parts of the rows, for which registers suffice: each activation is loaded once for up to four vectors of channels, and loads, not
 * products, are what limits tiles of two. */
static void CK_FN(wide_tile)(size_t rows, int wide, const ck_segments *given, const uint8_t *x, size_t x_stride, const int8_t *w,
                             size_t more, const int32_t *start, int32_t *const acc[2]) {
  ck_segments own = *given;
  const ck_segments *segments = &own;
  for (size_t done = 0, take; done < rows; done += take, own.fetch_step = 0, x += take * x_stride) {
    take = done == 0 ? (rows + 1) / 2 : rows - done;
    int32_t *const sums[2] = {acc[0] + done * CK_CHANNEL_BLOCK, acc[1] + done * CK_CHANNEL_BLOCK};
    switch (take) {
      CK_TILE_CASE(1, 2)
      CK_TILE_CASE(2, 2)
      CK_TILE_CASE(3, 1)
      CK_TILE_CASE(4, 1)
      CK_TILE_CASE(5, 1)
      CK_TILE_CASE(6, 1)
    }
  }
}

#undef CK_TILE_CASE

#define CK_LANES 16
#define CK_LANE_VECTORS 4

typedef int32_t CK_FN(lane_sums) __attribute__((vector_size(64)));

CK_INLINE CK_FN(lane_sums) CK_FN(lane_groups)(const uint8_t *x) { return (CK_FN(lane_sums))_mm512_loadu_si512(x); }

CK_INLINE CK_FN(lane_sums) CK_FN(lane_weights)(const int8_t *w) { return (CK_FN(lane_sums))CK_FN(broadcast)((const uint8_t *)w); }

CK_INLINE CK_FN(lane_sums) CK_FN(lane_dot)(CK_FN(lane_sums) sum, CK_FN(lane_sums) x, CK_FN(lane_sums) w) {
  return (CK_FN(lane_sums))_mm512_dpbusd_epi32((__m512i)sum, (__m512i)x, (__m512i)w);
}

#define CK_OWN_EPILOGUE

/* What a residual is made of. */
typedef enum CK_FN(residual) { CK_FN(no_residual), CK_FN(residual_s8), CK_FN(residual_f32) } CK_FN(residual);

/* t and the residual of its channels, the first of which is the element `place` of all. */
CK_INLINE __m512 CK_FN(add_residual)(const CK_FN(residual) kind, __m512 t, const void *residual, ptrdiff_t place, __mmask16 lanes,
                                     __m512i zero, __m512 multiplier) {
  if (kind == CK_FN(residual_f32)) {
    return _mm512_add_ps(t, _mm512_maskz_loadu_ps(lanes, (const float *)residual + place));
  } else if (kind == CK_FN(residual_s8)) {
    __m512i added = _mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(lanes, (const int8_t *)residual + place));
    return _mm512_add_ps(t, _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_sub_epi32(added, zero)), multiplier));
  }
  return t;
}

/* Int8 outputs of up to 32 channels; what does not change within the call is settled when this is compiled. */
CK_INLINE void CK_FN(epilogue_rows)(const ck_activation activation, const CK_FN(residual) kind, const ck_epilogue *e, size_t rows,
                                    size_t count, const int32_t *acc, const float *multiplier, const float *slope,
                                    const void *residual, ptrdiff_t residual_step, int8_t *output, ptrdiff_t output_step) {
  const __m512 low = _mm512_set1_ps((float)(e->clamp.low - e->clamp.zero));
  const __m512 high = _mm512_set1_ps((float)(e->clamp.high - e->clamp.zero));
  const __m512i zero = _mm512_set1_epi32(e->clamp.zero), residual_zero = _mm512_set1_epi32(e->residual_zero);
  const __m512 residual_multiplier = _mm512_set1_ps(e->residual_multiplier), nothing = _mm512_setzero_ps();
  const __m512 inverse_scale = _mm512_set1_ps(e->inverse_scale);
  for (size_t c = 0; c < count; c += 16) {
    const __mmask16 lanes = (__mmask16)(count - c < 16 ? (1u << (count - c)) - 1u : 0xffffu);
    const __m512 m = _mm512_maskz_loadu_ps(lanes, multiplier + c);
    const __m512 slopes = activation == CK_ACTIVATION_LEAKY ? _mm512_maskz_loadu_ps(lanes, slope + c) : nothing;
    int8_t *to = output + c;
    for (size_t r = 0; r < rows; r++, to += output_step) {
      __m512 t = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_loadu_si512(acc + r * CK_CHANNEL_BLOCK + c)), m);
      t = CK_FN(add_residual)(kind, t, residual, (ptrdiff_t)r * residual_step + (ptrdiff_t)c, lanes, residual_zero, residual_multiplier);
      if (activation == CK_ACTIVATION_RELU) {
        t = _mm512_max_ps(nothing, t);
      } else if (activation == CK_ACTIVATION_LEAKY) {
        t = _mm512_mask_mul_ps(t, _mm512_cmp_ps_mask(t, nothing, _CMP_LT_OQ), t, slopes);
      }
      t = _mm512_mul_ps(t, inverse_scale);
      __m512i y = _mm512_cvtps_epi32(_mm512_min_ps(_mm512_max_ps(t, low), high));
      _mm_mask_storeu_epi8(to, lanes, _mm512_cvtepi32_epi8(_mm512_add_epi32(y, zero)));
    }
  }
}

/* The same for float32 outputs, which a residual of floats is added to as it is, and for their integers if there are any. */
CK_INLINE void CK_FN(epilogue_floats)(const ck_activation activation, const CK_FN(residual) kind, const ck_epilogue *e, size_t rows,
                                      size_t count, const int32_t *acc, const float *multiplier, const float *slope,
                                      const void *residual, ptrdiff_t residual_step, float *output, int8_t *integers,
                                      ptrdiff_t output_step) {
  const __m512 low = _mm512_set1_ps((float)(e->clamp.low - e->clamp.zero));
  const __m512 high = _mm512_set1_ps((float)(e->clamp.high - e->clamp.zero)), inverse_scale = _mm512_set1_ps(e->inverse_scale);
  const __m512i zero = _mm512_set1_epi32(e->clamp.zero);
  const __m512i residual_zero = _mm512_set1_epi32(e->residual_zero);
  const __m512 residual_multiplier = _mm512_set1_ps(e->residual_multiplier), nothing = _mm512_setzero_ps();
  for (size_t c = 0; c < count; c += 16) {
    const __mmask16 lanes = (__mmask16)(count - c < 16 ? (1u << (count - c)) - 1u : 0xffffu);
    const __m512 m = _mm512_maskz_loadu_ps(lanes, multiplier + c);
    const __m512 slopes = activation == CK_ACTIVATION_LEAKY ? _mm512_maskz_loadu_ps(lanes, slope + c) : nothing;
    for (size_t r = 0; r < rows; r++) {
      __m512 t = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_loadu_si512(acc + r * CK_CHANNEL_BLOCK + c)), m);
      t = CK_FN(add_residual)(kind, t, residual, (ptrdiff_t)r * residual_step + (ptrdiff_t)c, lanes, residual_zero, residual_multiplier);
      if (activation == CK_ACTIVATION_RELU) {
        t = _mm512_max_ps(nothing, t);
      } else if (activation == CK_ACTIVATION_LEAKY) {
        t = _mm512_mask_mul_ps(t, _mm512_cmp_ps_mask(t, nothing, _CMP_LT_OQ), t, slopes);
      }
      const ptrdiff_t to = (ptrdiff_t)r * output_step + (ptrdiff_t)c;
      _mm512_mask_storeu_ps(output + to, lanes, t);
      if (integers) {
        t = _mm512_min_ps(_mm512_max_ps(_mm512_mul_ps(t, inverse_scale), low), high);
        _mm_mask_storeu_epi8(integers + to, lanes, _mm512_cvtepi32_epi8(_mm512_add_epi32(_mm512_cvtps_epi32(t), zero)));
      }
    }
  }
}

/* Four vectors of int32 plus `zero`, saturated to int8: bytes of v0, then of v1, v2, v3. */
CK_INLINE __m512i CK_FN(narrow)(const __m512i v[4], __m512i zero) {
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  __m512i low = _mm512_adds_epi16(_mm512_packs_epi32(v[0], v[1]), zero);
  __m512i high = _mm512_adds_epi16(_mm512_packs_epi32(v[2], v[3]), zero);
  return _mm512_permutexvar_epi32(order, _mm512_packs_epi16(low, high));
}

/* The same for `halves` times 16 channels of as many rows as make groups of four vectors; returns their number. Saturation does what
 * clamping to -128 and to 127 would, so `floor` is looked at only if it is above, and the upper limit only if it is below or
 * a value may be too great for an int32. */
CK_INLINE size_t CK_FN(epilogue_groups)(const ck_activation activation, const CK_FN(residual) kind, const int has_scale,
                                        const size_t halves, const int has_floor, const int has_ceiling, const ck_epilogue *e,
                                        size_t rows, const int32_t *acc,
                                        const float *multiplier, const float *slope, const void *residual,
                                        ptrdiff_t residual_step, int8_t *output, ptrdiff_t output_step, float floor) {
  const __m512 low = _mm512_set1_ps(floor), high = _mm512_set1_ps((float)(e->clamp.high - e->clamp.zero));
  const __m512i zero = _mm512_set1_epi16((short)e->clamp.zero), residual_zero = _mm512_set1_epi32(e->residual_zero);
  const __m512 residual_multiplier = _mm512_set1_ps(e->residual_multiplier), nothing = _mm512_setzero_ps();
  const __m512 inverse_scale = _mm512_set1_ps(e->inverse_scale);
  const size_t group = 4 / halves;
  __m512 m[2], slopes[2];
  for (size_t h = 0; h < halves; h++) {
    m[h] = _mm512_loadu_ps(multiplier + h * 16);
    slopes[h] = activation == CK_ACTIVATION_LEAKY ? _mm512_loadu_ps(slope + h * 16) : nothing;
  }
  size_t done = 0;
  for (; done + group <= rows; done += group, acc += group * CK_CHANNEL_BLOCK) {
    __m512i v[4];
    for (size_t i = 0; i < 4; i++) {
      size_t r = i / halves, h = i % halves;
      __m512 t = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_loadu_si512(acc + r * CK_CHANNEL_BLOCK + h * 16)), m[h]);
      t = CK_FN(add_residual)(kind, t, residual, (ptrdiff_t)(done + r) * residual_step + (ptrdiff_t)(h * 16), 0xffff, residual_zero,
                              residual_multiplier);
      if (activation == CK_ACTIVATION_RELU && kind == CK_FN(residual_f32)) {
        t = _mm512_max_ps(nothing, t);
      } else if (activation == CK_ACTIVATION_LEAKY) {
        t = _mm512_mask_mul_ps(t, _mm512_cmp_ps_mask(t, nothing, _CMP_LT_OQ), t, slopes[h]);
      }
      if (has_scale) {
        t = _mm512_mul_ps(t, inverse_scale);
      }
      if (has_floor) {
        t = _mm512_max_ps(t, low);
      }
      v[i] = _mm512_cvtps_epi32(has_ceiling ? _mm512_min_ps(t, high) : t);
    }
    __m512i bytes = CK_FN(narrow)(v, zero);
    int8_t *to = output + (ptrdiff_t)done * output_step;
    if (halves == 2) {
      _mm256_storeu_si256((__m256i *)(void *)to, _mm512_castsi512_si256(bytes));
      _mm256_storeu_si256((__m256i *)(void *)(to + output_step), _mm512_extracti64x4_epi64(bytes, 1));
    } else {
      _mm_storeu_si128((__m128i *)(void *)to, _mm512_castsi512_si128(bytes));
      _mm_storeu_si128((__m128i *)(void *)(to + output_step), _mm512_extracti32x4_epi32(bytes, 1));
      _mm_storeu_si128((__m128i *)(void *)(to + 2 * output_step), _mm512_extracti32x4_epi32(bytes, 2));
      _mm_storeu_si128((__m128i *)(void *)(to + 3 * output_step), _mm512_extracti32x4_epi32(bytes, 3));
    }
  }
  return done;
}

/* Whether a value has to be clamped from above before it is an int32: sums are at most 2^31. */
CK_INLINE int CK_FN(has_ceiling)(const ck_activation activation, const CK_FN(residual) kind, const size_t halves, const ck_epilogue *e,
                                 const float *multiplier, const float *slope) {
  const __m512 most = _mm512_set1_ps(0.5f), steepest = _mm512_set1_ps(1.0f);
  __mmask16 beyond = 0;
  for (size_t h = 0; h < halves; h++) {
    beyond |= _mm512_cmp_ps_mask(_mm512_abs_ps(_mm512_loadu_ps(multiplier + h * 16)), most, _CMP_NLT_UQ);
    if (activation == CK_ACTIVATION_LEAKY) {
      beyond |= _mm512_cmp_ps_mask(_mm512_abs_ps(_mm512_loadu_ps(slope + h * 16)), steepest, _CMP_NLE_UQ);
    }
  }
  return beyond || e->clamp.high < 127 || kind == CK_FN(residual_f32) ||
         (kind == CK_FN(residual_s8) && !(__builtin_fabsf(e->residual_multiplier) < 0x1p20f));
}

CK_INLINE void CK_FN(epilogue_of)(const ck_activation activation, const CK_FN(residual) kind, const int has_scale,
                                  const ck_epilogue *e, size_t rows, size_t count, const int32_t *acc, const float *multiplier, const float *slope,
                                  const void *residual, ptrdiff_t residual_step, int8_t *output, ptrdiff_t output_step) {
  float floor = (float)(e->clamp.low - e->clamp.zero);
  /* A residual of floats may make something that is no number, which becomes the least and not 0. */
  const int is_number = kind != CK_FN(residual_f32);
  floor = activation == CK_ACTIVATION_RELU && is_number && floor < 0.0f ? 0.0f : floor;
  const int has_floor = !is_number || floor > (float)(-128 - e->clamp.zero);
  size_t done = 0;
#define CK_GROUPS(halves, has_floor, has_ceiling) \
  CK_FN(epilogue_groups)(activation, kind, has_scale, halves, has_floor, has_ceiling, e, rows, acc, multiplier, slope, residual, \
                         residual_step, output, output_step, floor)
#define CK_LIMITED_GROUPS(halves) \
  has_scale || CK_FN(has_ceiling)(activation, kind, halves, e, multiplier, slope) \
      ? has_floor ? CK_GROUPS(halves, 1, 1) : CK_GROUPS(halves, 0, 1) \
      : has_floor ? CK_GROUPS(halves, 1, 0) : CK_GROUPS(halves, 0, 0)
  if (count == 32) {
    done = CK_LIMITED_GROUPS(2);
  } else if (count == 16) {
    done = CK_LIMITED_GROUPS(1);
  }
#undef CK_LIMITED_GROUPS
#undef CK_GROUPS
  if (done < rows) {
    const ptrdiff_t from = (ptrdiff_t)done * residual_step * (kind == CK_FN(residual_f32) ? (ptrdiff_t)sizeof(float) : 1);
    CK_FN(epilogue_rows)(activation, kind, e, rows - done, count, acc + done * CK_CHANNEL_BLOCK, multiplier, slope,
                         (const char *)residual + from, residual_step, output + (ptrdiff_t)done * output_step,
                         output_step);
  }
}

#define CK_EPILOGUE_RUN(activation, kind, has_scale) \
  CK_FN(epilogue_of)(activation, kind, has_scale, e, rows, count, acc, multiplier, slope, residual, residual_step, output, output_step)

#define CK_SCALED_RUN(activation, kind) \
  if (e->inverse_scale == 1.0f) { \
    CK_EPILOGUE_RUN(activation, kind, 0); \
  } else { \
    CK_EPILOGUE_RUN(activation, kind, 1); \
  }

#define CK_FLOATS_RUN(activation, kind) \
  CK_FN(epilogue_floats)(activation, kind, e, rows, count, acc, multiplier, slope, residual, residual_step, output, integers, output_step);

#define CK_EPILOGUE_CASE(activation, run) \
  case activation: \
    if (!residual) { \
      run(activation, CK_FN(no_residual)) \
    } else if (e->residual_type == CK_ELEMENT_F32) { \
      run(activation, CK_FN(residual_f32)) \
    } else { \
      run(activation, CK_FN(residual_s8)) \
    } \
    break;

static int CK_FN(own_epilogue)(const ck_epilogue *e, size_t rows, size_t count, const int32_t *acc, const float *multiplier,
                               const float *slope, const void *residual, ptrdiff_t residual_step, void *output, int8_t *integers,
                               ptrdiff_t output_step) {
  if (e->output_type == CK_ELEMENT_F32) {
    switch (e->activation) {
      CK_EPILOGUE_CASE(CK_ACTIVATION_NONE, CK_FLOATS_RUN)
      CK_EPILOGUE_CASE(CK_ACTIVATION_RELU, CK_FLOATS_RUN)
      CK_EPILOGUE_CASE(CK_ACTIVATION_LEAKY, CK_FLOATS_RUN)
    default:
      return 0;
    }
  } else {
    integers = output;
    switch (e->activation) {
      CK_EPILOGUE_CASE(CK_ACTIVATION_NONE, CK_SCALED_RUN)
      CK_EPILOGUE_CASE(CK_ACTIVATION_RELU, CK_SCALED_RUN)
      CK_EPILOGUE_CASE(CK_ACTIVATION_LEAKY, CK_SCALED_RUN)
    default:
      return 0;
    }
  }
  for (size_t r = 0; integers && e->clamp.table && r < rows; r++) {
    ck_apply_table(e->clamp.table, integers + (ptrdiff_t)r * output_step, count);
  }
  return 1;
}

#undef CK_EPILOGUE_CASE
#undef CK_FLOATS_RUN
#undef CK_SCALED_RUN
#undef CK_EPILOGUE_RUN

#define CK_OWN_WEIGHTS

/* Four vectors of states hide what looking up takes. */
CK_INLINE void CK_FN(weight_rounds)(ck_weight_stream *stream, const ck_weight_table *table, size_t rounds, int8_t *weights) {
  enum { vectors = CK_WEIGHT_LANES / 16 };
  const __m512i slots = _mm512_set1_epi32(CK_WEIGHT_SLOTS - 1), low = _mm512_set1_epi32(0xffff);
  const uint8_t *next = stream->next;
  __m512i state[vectors];
  memcpy(state, stream->states, sizeof state);
  for (; rounds > 0; rounds--, weights += CK_WEIGHT_LANES) {
    for (size_t v = 0; v < vectors; v++) {
      const __m512i slot = _mm512_and_si512(state[v], slots);
      _Alignas(64) uint32_t own[16], spans[16];
      _mm512_store_si512(own, slot);
      ck_look_up_weights(table, 16, own, weights + 16 * v, spans);
      const __m512i span = _mm512_loadu_si512(spans);
      const __m512i scaled = _mm512_mullo_epi32(_mm512_srli_epi32(span, 16), _mm512_srli_epi32(state[v], CK_WEIGHT_BITS));
      state[v] = _mm512_add_epi32(scaled, _mm512_sub_epi32(slot, _mm512_and_si512(span, low)));
    }
    for (size_t v = 0; v < vectors; v++) {
      const __mmask16 wants = _mm512_cmple_epu32_mask(state[v], low);
      const __m512i words = _mm512_maskz_expand_epi32(
          wants, _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(const void *)next)));
      state[v] = _mm512_mask_or_epi32(state[v], wants, _mm512_slli_epi32(state[v], 16), words);
      next += 2 * (size_t)__builtin_popcount(wants);
    }
  }
  stream->next = next;
  memcpy(stream->states, state, sizeof state);
}

#include "../portable/kernels.inc"

#pragma clang attribute pop
#else
typedef int ck_no_avx512vnni_here;
#endif
