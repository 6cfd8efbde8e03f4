/* What one thread of the processor can do at best: multiply-adds from registers only, and reading of memory. */
#ifndef FLOORS_H
#define FLOORS_H

#include <immintrin.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The best rate of independent instructions of so many multiply-adds together, again and again; registers follow that they change. */
#define REGISTER_PEAK(instructions, products, ...)             \
  double best = 0;                                             \
  for (int repetition = 0; repetition < 40; repetition++) {    \
    const long count = 200000;                                 \
    double start = now();                                      \
    for (long j = 0; j < count; j++) {                         \
      __asm__ volatile(instructions ::: __VA_ARGS__);          \
    }                                                          \
    double rate = (double)count * (products) / (now() - start); \
    best = rate > best ? rate : best;                          \
  }                                                            \
  return best

#define EIGHT(op) op(0) op(1) op(2) op(3) op(4) op(5) op(6) op(7)
#define SIXTEEN(op) EIGHT(op) op(8) op(9) op(10) op(11) op(12) op(13) op(14) op(15)
#define SIXTEEN_VECTORS                                                                                                     \
  "zmm0", "zmm1", "zmm2", "zmm3", "zmm4", "zmm5", "zmm6", "zmm7", "zmm8", "zmm9", "zmm10", "zmm11", "zmm12", "zmm13", "zmm14", \
      "zmm15"

#define VPDPBUSD(n) "vpdpbusd %%zmm31, %%zmm30, %%zmm" #n "\n\t"
#define VFMADD(n) "vfmadd231ps %%zmm31, %%zmm30, %%zmm" #n "\n\t"
/* Without vpdpbusd, exact products of signed bytes take four instructions. */
#define AVX2_DOT(n)                                                               \
  "vpsignb %%ymm14, %%ymm13, %%ymm12\n\tvpmaddubsw %%ymm12, %%ymm15, %%ymm12\n\t" \
  "vpmaddwd %%ymm12, %%ymm11, %%ymm12\n\tvpaddd %%ymm12, %%ymm" #n ", %%ymm" #n "\n\t"

__attribute__((target("avx512f,avx512vnni"))) static double vnni_peak(void) {
  REGISTER_PEAK(SIXTEEN(VPDPBUSD), 16 * 64, SIXTEEN_VECTORS);
}

__attribute__((target("avx512f"))) static double fma_peak(void) {
  /* Registers may hold anything; zeros keep the additions out of denormal numbers. */
  __asm__ volatile("vpxorq %%zmm31, %%zmm31, %%zmm31\n\tvpxorq %%zmm30, %%zmm30, %%zmm30" ::: "zmm30", "zmm31");
  REGISTER_PEAK(SIXTEEN(VFMADD), 16 * 16, SIXTEEN_VECTORS);
}

/* Multiply-adds of int8 a second with AVX2 alone. */
static inline double avx2_peak(void) {
  REGISTER_PEAK(EIGHT(AVX2_DOT), 8 * 32, "ymm0", "ymm1", "ymm2", "ymm3", "ymm4", "ymm5", "ymm6", "ymm7", "ymm12");
}

/* Multiply-adds of int8 a second; 0 where the processor has no vpdpbusd. */
static inline double integer_peak(void) { return __builtin_cpu_supports("avx512vnni") ? vnni_peak() : 0; }

/* Multiply-adds of float32 a second; 0 where the processor has no AVX-512. */
static inline double float_peak(void) { return __builtin_cpu_supports("avx512f") ? fma_peak() : 0; }

typedef long line __attribute__((vector_size(64)));

/* Reads `count` lines, a multiple of four. */
#define READ_LINES(values, count)                                                         \
  line sums[4] = {{0}};                                                                    \
  for (size_t i = 0; i < (count); i += 4) {                                                \
    for (size_t j = 0; j < 4; j++) {                                                       \
      sums[j] |= (values)[i + j];                                                          \
    }                                                                                      \
  }                                                                                        \
  *sink = (sums[0] | sums[1]) | (sums[2] | sums[3])

__attribute__((target("avx512f"))) static void read_wide(const line *values, size_t count, line *sink) { READ_LINES(values, count); }

static void read_narrow(const line *values, size_t count, line *sink) { READ_LINES(values, count); }

/* Bytes a second that one thread reads again and again of `bytes` bytes, a multiple of 256: from memory, where no cache holds them. */
static inline double read_bandwidth(size_t bytes) {
  const size_t least = (size_t)64 << 20, passes = bytes < least ? least / bytes : 1;
  line *values = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096), sink;
  if (values == NULL) {
    return 0;
  }
  memset(values, 1, bytes);
  double best = 0;
  for (int repetition = 0; repetition < 8; repetition++) {
    double start = now();
    for (size_t pass = 0; pass < passes; pass++) {
      (__builtin_cpu_supports("avx512f") ? read_wide : read_narrow)(values, bytes / sizeof(line), &sink);
      __asm__ volatile("" ::"m"(sink) : "memory");
    }
    double rate = (double)(bytes * passes) / (now() - start);
    best = rate > best ? rate : best;
  }
  free(values);
  return best;
}

#endif
