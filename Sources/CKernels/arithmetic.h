/* The scalar operations that every kernel is made of, free of branches so that loops over them vectorise. Clauses: Q2, Q3, Q18. */
#ifndef CK_ARITHMETIC_H
#define CK_ARITHMETIC_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "include/CKernels.h"

#define CK_INLINE static inline __attribute__((always_inline, unused))
/* A name of the kind of convolution that portable/conv.inc is being included for. */
#define CK_CV_JOIN(name, suffix) CK_FN(name##suffix)
#define CK_CV_NAME(name, suffix) CK_CV_JOIN(name, suffix)
#define CK_CV(name) CK_CV_NAME(name, CK_CONV_SUFFIX)
#define CK_JOIN_(a, b) a##b
#define CK_JOIN(a, b) CK_JOIN_(a, b)

/* What no state of coded weights is below (B29). */
enum { CK_LEAST_STATE = 1 << 16 };

/* The weights of `count` slots, an even number, and their spans (ck_weight_table). Each is looked up by itself, slots being read in
 * pairs: where gathers must not leak what they read they take several times as long. */
CK_INLINE void ck_look_up_weights(const ck_weight_table *table, const size_t count, const uint32_t *slots, int8_t *weights,
                                  uint32_t *spans) {
  for (size_t i = 0; i < count; i += 2) {
    uint64_t pair;
    memcpy(&pair, slots + i, sizeof pair);
    const uint8_t first = table->weights[(uint32_t)pair], second = table->weights[pair >> 32];
    weights[i] = (int8_t)first;
    weights[i + 1] = (int8_t)second;
    spans[i] = table->spans[first];
    spans[i + 1] = table->spans[second];
  }
}

CK_INLINE uint32_t ck_bits(float x) {
  uint32_t u;
  memcpy(&u, &x, sizeof u);
  return u;
}

CK_INLINE float ck_from_bits(uint32_t u) {
  float x;
  memcpy(&x, &u, sizeof x);
  return x;
}

CK_INLINE float ck_min(float a, float b) { return a < b ? a : b; }
CK_INLINE float ck_max(float a, float b) { return a > b ? a : b; }

/* Q3 where either operand is a NaN and stays one. */
CK_INLINE float ck_minimum(float a, float b) {
  float lesser = ck_min(a, b);
  return a != a ? a : lesser;
}

CK_INLINE float ck_maximum(float a, float b) {
  float greater = ck_max(a, b);
  return a != a ? a : greater;
}

CK_INLINE size_t ck_min_size(size_t a, size_t b) { return a < b ? a : b; }

/* rne(t) for |t| <= 2^22: adding 1.5 * 2^23 leaves the rounded integer in the low bits. */
CK_INLINE int32_t ck_rne(float t) { return (int32_t)(ck_bits(t + 0x1.8p23f) - 0x4b400000u); }

/* rne(t) as a float32, for |t| <= 2^22. */
CK_INLINE float ck_rne_float(float t) { return (t + 0x1.8p23f) - 0x1.8p23f; }

/* The limits of Q18 relative to the zero point. */
typedef struct ck_limits {
  float low;
  float high;
  int32_t zero;
} ck_limits;

CK_INLINE ck_limits ck_limits_of(const ck_clamp *clamp) {
  ck_limits limits = {(float)(clamp->low - clamp->zero), (float)(clamp->high - clamp->zero), clamp->zero};
  return limits;
}

/* Q18 without the table. */
CK_INLINE int8_t ck_clampq(float t, ck_limits limits) {
  return (int8_t)(ck_rne(ck_min(ck_max(t, limits.low), limits.high)) + limits.zero);
}

/* Q19, in place. */
CK_INLINE void ck_apply_table(const int8_t *table, int8_t *y, size_t count) {
  if (table) {
    for (size_t i = 0; i < count; i++) {
      y[i] = table[y[i] + 128];
    }
  }
}

/* A position of an output image and the base of its window (ck_window). */
typedef struct ck_cursor {
  int64_t d, h, w;
} ck_cursor;

CK_INLINE ck_cursor ck_cursor_at(const ck_window *window, size_t row) {
  size_t height = (size_t)window->out_size[1], width = (size_t)window->out_size[2];
  ck_cursor cursor = {(int64_t)(row / width / height), (int64_t)(row / width % height), (int64_t)(row % width)};
  return cursor;
}

CK_INLINE void ck_cursor_advance(const ck_window *window, ck_cursor *cursor) {
  if (++cursor->w == window->out_size[2]) {
    cursor->w = 0;
    if (++cursor->h == window->out_size[1]) {
      cursor->h = 0;
      cursor->d++;
    }
  }
}

/* Passes `count` positions, at most to the end of the line. */
CK_INLINE void ck_cursor_skip(const ck_window *window, ck_cursor *cursor, size_t count) {
  cursor->w += (int64_t)count - 1;
  ck_cursor_advance(window, cursor);
}

/* Offset of the cursor's position in something with these strides. */
CK_INLINE ptrdiff_t ck_cursor_offset(ck_cursor cursor, const ptrdiff_t stride[3]) {
  return (ptrdiff_t)cursor.d * stride[0] + (ptrdiff_t)cursor.h * stride[1] + (ptrdiff_t)cursor.w * stride[2];
}

CK_INLINE int ck_inside(int64_t position, int32_t size) { return position >= 0 && position < size; }

/* Where a tap falls, from an output position. */
CK_INLINE ck_cursor ck_cursor_tap(const ck_window *window, ck_cursor cursor, const ck_tap *tap) {
  ck_cursor at = {cursor.d * window->step[0] + tap->d, cursor.h * window->step[1] + tap->h,
                  cursor.w * window->step[2] + tap->w};
  return at;
}

CK_INLINE int ck_cursor_inside(const ck_window *window, ck_cursor at) {
  return ck_inside(at.d, window->in_size[0]) && ck_inside(at.h, window->in_size[1]) && ck_inside(at.w, window->in_size[2]);
}

/* Before a loop over elements: the result is one of the operands, or meets none of them, so that the loop vectorises without asking. */
#define CK_ELEMENTWISE _Pragma("clang loop vectorize(assume_safety)")

/* Weight groups of a tile for which memory is fetched at once: each fetch takes a slot of those that loads need. */
enum { ck_fetch_groups = 4 };

/* Fetches `bytes` bytes into the caches; returns their end. */
CK_INLINE const uint8_t *ck_fetch(const uint8_t *start, size_t bytes) {
  for (size_t line = 0; line < bytes; line += CK_BUFFER_ALIGNMENT) {
    __builtin_prefetch(start + line, 0, 2);
  }
  return start + bytes;
}

/* The inner dimension of a tile as equal runs: run i of a row starts offsets[i] elements after the row's start. */
typedef struct ck_segments {
  size_t count;
  size_t length; /* a multiple of the tier's CK_K_UNIT */
  const ptrdiff_t *offsets;
  /* What is read soon: a tile may fetch as many bytes for each of its weight groups. */
  const uint8_t *fetch;
  size_t fetch_step;
} ck_segments;

#endif
