/* Float32 functions by fixed polynomials (Q35...Q41), branch-free so that loops over them vectorise. */
#ifndef CK_FLOAT_FUNCTIONS_H
#define CK_FLOAT_FUNCTIONS_H

#include "arithmetic.h"

CK_INLINE float ck_abs(float x) { return ck_from_bits(ck_bits(x) & 0x7fffffffu); }

/* |a| with the sign of `sign`. */
CK_INLINE float ck_with_sign(float a, float sign) {
  return ck_from_bits((ck_bits(a) & 0x7fffffffu) | (ck_bits(sign) & 0x80000000u));
}

/* 2^n for -126 <= n <= 127. */
CK_INLINE float ck_power_of_two(int32_t n) { return ck_from_bits((uint32_t)(n + 127) << 23); }

/* Q35 */
CK_INLINE float ck_exp(float x) {
  float limited = ck_min(ck_max(x, -150.0f), 130.0f);
  float scaled = limited * 0x1.715476p+0f;
  float k = ck_rne_float(scaled);
  int32_t n = ck_rne(scaled);
  float r = limited - k * 0x1.63p-1f;
  r = r - k * -0x1.bd0106p-13f;
  float p = 1.0f / 5040.0f;
  p = p * r + 1.0f / 720.0f;
  p = p * r + 1.0f / 120.0f;
  p = p * r + 1.0f / 24.0f;
  p = p * r + 1.0f / 6.0f;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  int32_t half = n >> 1;
  float y = (p * ck_power_of_two(half)) * ck_power_of_two(n - half);
  return x != x ? x : y;
}

/* Q36 */
CK_INLINE float ck_log(float x) {
  int subnormal = x < 0x1p-126f;
  float enlarged = x * 0x1p25f;
  float normal = subnormal ? enlarged : x;
  /* Shifting the fraction's range to [sqrt(1/2), sqrt(2)) before taking the exponent. */
  uint32_t shifted = ck_bits(normal) + (0x3f800000u - 0x3f3504f3u);
  int32_t exponent = (int32_t)(shifted >> 23) - 127 - (subnormal ? 25 : 0);
  float f = ck_from_bits((shifted & 0x007fffffu) + 0x3f3504f3u);
  float e = (float)exponent;
  float g = f - 1.0f;
  float s = g / (2.0f + g);
  float z = s * s;
  float p = 2.0f / 9.0f;
  p = p * z + 2.0f / 7.0f;
  p = p * z + 2.0f / 5.0f;
  p = p * z + 2.0f / 3.0f;
  float tail = z * p;
  float h = (0.5f * g) * g;
  float y = e * 0x1.62ep-1f - ((h - (s * (h + tail) + e * 0x1.0bfbe8p-15f)) - g);
  y = x == 0.0f ? -__builtin_inff() : y;
  y = x < 0.0f ? __builtin_nanf("") : y;
  return x < __builtin_inff() ? y : x;
}

/* log(1 + e) for 0 <= e <= 1 (Q41). */
CK_INLINE float ck_log1p_unit(float e) {
  float s = e / (2.0f + e);
  float z = s * s;
  float p = 1.0f / 15.0f;
  p = p * z + 1.0f / 13.0f;
  p = p * z + 1.0f / 11.0f;
  p = p * z + 1.0f / 9.0f;
  p = p * z + 1.0f / 7.0f;
  p = p * z + 1.0f / 5.0f;
  p = p * z + 1.0f / 3.0f;
  return 2.0f * (s + (s * z) * p);
}

/* Q37 */
CK_INLINE float ck_sigmoid(float x) {
  float e = ck_exp(-ck_abs(x));
  return (x < 0.0f ? e : 1.0f) / (1.0f + e);
}

/* Q38 */
CK_INLINE float ck_tanh(float x) {
  float a = ck_abs(x);
  float z = x * x;
  float p = -0x1.75e1cep-8f;
  p = p * z + 0x1.52269cp-6f;
  p = p * z + -0x1.b83c5ap-5f;
  p = p * z + 0x1.110726p-3f;
  p = p * z + -0x1.555532p-2f;
  float small = x + (x * z) * p;
  float large = 1.0f - 2.0f / (ck_exp(2.0f * a) + 1.0f);
  return a < 0.625f ? small : ck_with_sign(large, x);
}

/* Q39 */
CK_INLINE float ck_erf(float x) {
  float a = ck_abs(x);
  float z = x * x;
  float p = -0x1.274026p-11f;
  p = p * z + 0x1.4246fcp-8f;
  p = p * z + -0x1.b5a366p-6f;
  p = p * z + 0x1.ce0944p-4f;
  p = p * z + -0x1.812674p-2f;
  p = p * z + 0x1.06eba2p-3f;
  float small = x + x * p;
  float b = a > 4.0f ? 4.0f : a;
  float l = -0x1.6c066cp-16f;
  l = l * b + 0x1.ceead0p-12f;
  l = l * b + -0x1.1398f0p-8f;
  l = l * b + 0x1.9d0bcep-6f;
  l = l * b + -0x1.bc18ccp-4f;
  l = l * b + -0x1.4434f0p-1f;
  l = l * b + -0x1.212c2cp+0f;
  l = l * b + 0x1.8b3e28p-13f;
  float large = 1.0f - ck_exp(l);
  return a < 1.0f ? small : ck_with_sign(large, x);
}

/* Q40 */
CK_INLINE float ck_gelu(float x) { return (0.5f * x) * (1.0f + ck_erf(x * 0x1.6a09e6p-1f)); }

CK_INLINE float ck_gelu_tanh(float x) {
  return (0.5f * x) * (1.0f + ck_tanh(0x1.988454p-1f * (x + 0.044715f * ((x * x) * x))));
}

CK_INLINE float ck_clip(float x, float lower, float upper) {
  float limited = ck_min(ck_max(x, lower), upper);
  return x != x ? x : limited;
}

CK_INLINE float ck_hard_sigmoid(float x, float alpha, float beta) { return ck_max(0.0f, ck_min(1.0f, alpha * x + beta)); }

CK_INLINE float ck_elu(float x, float alpha) {
  float negative = alpha * (ck_exp(x) - 1.0f);
  return x < 0.0f ? negative : x;
}

CK_INLINE float ck_leaky(float x, float slope) {
  float negative = x * slope;
  return x < 0.0f ? negative : x;
}

/* Q41 */
CK_INLINE float ck_softplus(float x) {
  float positive = ck_max(x, 0.0f);
  float y = positive + ck_log1p_unit(ck_exp(-ck_abs(x)));
  return x != x ? x : y;
}

#endif
