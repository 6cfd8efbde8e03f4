/* Times the int8 convolution kernels of every tier against the processor's own multiply-add rate.
 *
 *   cc=/opt/swift/usr/bin/clang; src=Sources/CKernels
 *   $cc -std=gnu17 -O2 -I$src/include scripts/bench/kernels.c $src/[a-z]*.c $src/tiers/[a-z]*.c -lpthread -lm -o /tmp/kernels && /tmp/kernels
 *
 * Each figure is the best of many repetitions on one thread. The peak loop issues independent vpdpbusd from registers only.
 */
#include <immintrin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "CKernels.h"

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Multiply-adds per second of register-only vpdpbusd. */
__attribute__((target("avx512f,avx512vnni"))) static double peak(void) {
#define ONE(n) "vpdpbusd %%zmm31, %%zmm30, %%zmm" #n "\n\t"
  double best = 0;
  for (int repetition = 0; repetition < 40; repetition++) {
    const long count = 200000;
    double start = now();
    for (long j = 0; j < count; j++) {
      __asm__ volatile(ONE(0) ONE(1) ONE(2) ONE(3) ONE(4) ONE(5) ONE(6) ONE(7) ONE(8) ONE(9) ONE(10) ONE(11) ONE(12) ONE(13)
                           ONE(14) ONE(15)::
                               : "zmm0", "zmm1", "zmm2", "zmm3", "zmm4", "zmm5", "zmm6", "zmm7", "zmm8", "zmm9", "zmm10",
                                 "zmm11", "zmm12", "zmm13", "zmm14", "zmm15");
    }
    double rate = (double)count * 16 * 64 / (now() - start);
    best = rate > best ? rate : best;
  }
#undef ONE
  return best;
}

enum { cold_bytes = 96 << 20 };

/* One convolution of `channels` to `outputs` over height x width with a size x size kernel, padded; size 1 is a matrix product.
 * Cold: weights are read from memory, as those of a network are that does not fit into the caches. */
static double convolution(const ck_kernels *kernels, int32_t height, int32_t width, int32_t channels, int32_t outputs,
                          int32_t size, int cold) {
  size_t k = (size_t)(size * size * channels), rows = (size_t)height * (size_t)width, n = (size_t)outputs;
  size_t packed_size = kernels->conv_s8_packed_size(n, (size_t)size, (size_t)(size * channels));
  int8_t *input = malloc(rows * (size_t)channels), *weights = malloc(n * k), *output = malloc(rows * n);
  size_t step = (packed_size + 4095) / 4096 * 4096, copies = cold ? cold_bytes / step + 1 : 1, copy = 0;
  char *packed = aligned_alloc(4096, step * copies);
  float *multiplier = malloc(n * sizeof(float));
  int32_t *folded = calloc(n, sizeof(int32_t));
  for (size_t i = 0; i < rows * (size_t)channels; i++) {
    input[i] = (int8_t)(i * 37 % 251 - 125);
  }
  for (size_t i = 0; i < n * k; i++) {
    weights[i] = (int8_t)(i * 53 % 241 - 120);
  }
  for (size_t i = 0; i < n; i++) {
    multiplier[i] = 1e-4f;
  }
  kernels->conv_s8_pack(weights, (ptrdiff_t)k, 1, n, (size_t)size, (size_t)(size * channels), folded, packed);
  for (size_t i = 1; i < copies; i++) {
    memcpy(packed + i * step, packed, packed_size);
  }
  ck_tap taps[16];
  for (int32_t i = 0; i < size; i++) {
    taps[i] = (ck_tap){0, i - size / 2, -(size / 2)};
  }
  ck_conv_s8 conv = {
      .window = {.in_size = {1, height, width},
                 .out_size = {1, height, width},
                 .step = {1, 1, 1},
                 .tap_count = size,
                 .taps = taps,
                 .in_stride = {0, (ptrdiff_t)width * channels, channels},
                 .out_stride = {0, (ptrdiff_t)width * outputs, outputs}},
      .input = input,
      .tap_pixels = size,
      .tap_channels = channels,
      .weights = packed,
      .output = output,
      .epilogue = {.multiplier = multiplier, .output_type = CK_ELEMENT_S8, .clamp = {0, -128, 127, 0}},
  };
  size_t scratch_size = kernels->conv_s8_scratch_size(&conv.window, (size_t)size, (size_t)channels);
  void *scratch = aligned_alloc(64, (scratch_size + 63) / 64 * 64);
  double best = 0, begin = now();
  for (int repetition = 0; repetition < 3 || (repetition < 500 && now() - begin < 1.0); repetition++) {
    conv.weights = packed + step * (copy++ % copies);
    double start = now();
    kernels->conv_s8(&conv, 0, rows, 0, n, scratch);
    double rate = (double)rows * (double)n * (double)k / (now() - start);
    best = rate > best ? rate : best;
  }
  free(input);
  free(weights);
  free(output);
  free(packed);
  free(scratch);
  free(multiplier);
  free(folded);
  return best;
}

/* The same for floats; `fused` is the call's. */
static double float_convolution(const ck_kernels *kernels, int32_t height, int32_t width, int32_t channels, int32_t outputs,
                                int32_t size, int fused) {
  size_t run = (size_t)(size * channels), k = (size_t)size * run, rows = (size_t)height * (size_t)width, n = (size_t)outputs;
  float *input = calloc(rows * (size_t)channels, 4), *weights = calloc(n * k, 4), *output = malloc(rows * n * 4);
  void *packed = aligned_alloc(64, (kernels->conv_f32_packed_size(n, (size_t)size, run) + 63) / 64 * 64);
  kernels->conv_f32_pack(weights, (ptrdiff_t)k, 1, n, (size_t)size, run, packed);
  ck_tap taps[16];
  for (int32_t i = 0; i < size; i++) {
    taps[i] = (ck_tap){0, i - size / 2, -(size / 2)};
  }
  ck_conv_f32 conv = {
      .window = {.in_size = {1, height, width},
                 .out_size = {1, height, width},
                 .step = {1, 1, 1},
                 .tap_count = size,
                 .taps = taps,
                 .in_stride = {0, (ptrdiff_t)width * channels, channels},
                 .out_stride = {0, (ptrdiff_t)width * outputs, outputs}},
      .input = input,
      .tap_pixels = size,
      .tap_channels = channels,
      .weights = packed,
      .fused = fused,
      .output = output,
      .epilogue = {.activation = CK_ACTIVATION_RELU},
  };
  void *scratch = aligned_alloc(64, (kernels->conv_f32_scratch_size(&conv.window, (size_t)size, (size_t)channels) + 63) / 64 * 64);
  double best = 0, begin = now();
  for (int repetition = 0; repetition < 3 || (repetition < 500 && now() - begin < 1.0); repetition++) {
    double start = now();
    kernels->conv_f32(&conv, 0, rows, 0, n, scratch);
    double rate = (double)rows * (double)n * (double)k / (now() - start);
    best = rate > best ? rate : best;
  }
  free(input);
  free(weights);
  free(output);
  free(packed);
  free(scratch);
  return best;
}

int main(void) {
  static const struct {
    const char *name;
    int32_t height, width, channels, outputs, size, cold;
  } cases[] = {
      {"gemm 1024x1024x1024", 1, 1024, 1024, 1024, 1, 0}, {"conv 3x3 64-64 64x64", 64, 64, 64, 64, 3, 0},
      {"conv 3x3 512-512 6x6", 6, 6, 512, 512, 3, 0},     {"conv 7x7 3-64 96x96", 96, 96, 3, 64, 7, 0},
      {"conv 3x3 16-16 96x96", 96, 96, 16, 16, 3, 0},     {"conv 1x1 64-256 28x28", 28, 28, 64, 256, 1, 0},
      {"gemv 1x1024x1024", 1, 1, 1024, 1024, 1, 0},       {"gemv 4x1024x1024", 1, 4, 1024, 1024, 1, 0},
      {"cold 1x1024x1024", 1, 1, 1024, 1024, 1, 1},    {"cold 3x3 512-512 4x4", 4, 4, 512, 512, 3, 1},
  };
  static const ck_isa tiers[] = {CK_ISA_AVX512_VNNI, CK_ISA_AVX2, CK_ISA_SCALAR};
  double limit = __builtin_cpu_supports("avx512vnni") ? peak() : 0;
  printf("%-24s %8.1f Gmac/s\n", "vpdpbusd peak", limit * 1e-9);
  for (size_t t = 0; t < sizeof tiers / sizeof tiers[0]; t++) {
    const ck_kernels *kernels = ck_kernels_for(tiers[t]);
    for (size_t i = 0; kernels && i < sizeof cases / sizeof cases[0]; i++) {
      double rate = convolution(kernels, cases[i].height, cases[i].width, cases[i].channels, cases[i].outputs, cases[i].size, cases[i].cold);
      printf("%-24s %8.1f Gmac/s", cases[i].name, rate * 1e-9);
      if (limit > 0) {
        printf("  %5.1f %% of peak", 100 * rate / limit);
      }
      printf("  %s\n", kernels->name);
    }
    for (size_t i = 0; kernels && i < sizeof cases / sizeof cases[0]; i++) {
      for (int fused = 0; fused <= kernels->fuses_f32 && !cases[i].cold; fused++) {
        double rate = float_convolution(kernels, cases[i].height, cases[i].width, cases[i].channels, cases[i].outputs, cases[i].size, fused);
        printf("%-24s %8.1f Gmac/s of floats%s  %s\n", cases[i].name, rate * 1e-9, fused ? ", fused" : "", kernels->name);
      }
    }
  }
  return 0;
}
