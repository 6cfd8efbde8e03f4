/* Times the int8 convolution kernels of every tier against the processor's own multiply-add rate.
 *
 *   cc=/opt/swift/usr/bin/clang; src=Sources/CKernels
 *   $cc -std=gnu17 -O2 -I$src/include scripts/bench/kernels.c $src/[a-z]*.c $src/tiers/[a-z]*.c -lpthread -lm -o /tmp/kernels && /tmp/kernels
 *
 * Each figure is the best of many repetitions on one thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "CKernels.h"
#include "floors.h"

enum { cold_bytes = 96 << 20 };

/* A case: `channels` to `outputs` over height x width with a size x size kernel, padded; size 1 is a matrix product. Cold: weights are
 * read from memory, as those of a network are that does not fit into the caches. */
typedef struct problem {
  const char *name;
  int32_t height, width, channels, outputs, size, cold;
} problem;

static size_t rows_of(const problem *p) { return (size_t)p->height * (size_t)p->width; }

static size_t run_of(const problem *p) { return (size_t)(p->size * p->channels); }

/* The window of a case, over `taps`, one for each kernel row. */
static ck_window window_of(const problem *p, ck_tap *taps) {
  for (int32_t i = 0; i < p->size; i++) {
    taps[i] = (ck_tap){0, i - p->size / 2, -(p->size / 2)};
  }
  return (ck_window){.in_size = {1, p->height, p->width},
                     .out_size = {1, p->height, p->width},
                     .step = {1, 1, 1},
                     .tap_count = p->size,
                     .taps = taps,
                     .in_stride = {0, (ptrdiff_t)p->width * p->channels, p->channels},
                     .out_stride = {0, (ptrdiff_t)p->width * p->outputs, p->outputs}};
}

static void *aligned(size_t bytes) { return aligned_alloc(64, (bytes + 63) / 64 * 64); }

/* The best rate of `call(context, repetition)`, in multiply-adds a second. */
static double best_rate(const problem *p, void (*call)(void *, size_t), void *context) {
  double best = 0, begin = now(), work = (double)rows_of(p) * p->outputs * p->size * (double)run_of(p);
  for (size_t repetition = 0; repetition < 3 || (repetition < 500 && now() - begin < 1.0); repetition++) {
    double start = now();
    call(context, repetition);
    double rate = work / (now() - start);
    best = rate > best ? rate : best;
  }
  return best;
}

typedef struct integer_call {
  const ck_kernels *kernels;
  const problem *problem;
  ck_conv_s8 conv;
  char *packed;
  size_t step, copies;
  void *scratch;
} integer_call;

static void run_integers(void *context, size_t repetition) {
  integer_call *c = context;
  c->conv.weights = c->packed + c->step * (repetition % c->copies);
  c->kernels->conv_s8(&c->conv, 0, rows_of(c->problem), 0, (size_t)c->problem->outputs, c->scratch);
}

static double convolution(const ck_kernels *kernels, const problem *p) {
  size_t taps_count = (size_t)p->size, run = run_of(p), k = taps_count * run, rows = rows_of(p), n = (size_t)p->outputs;
  size_t packed_size = kernels->conv_s8_packed_size(n, taps_count, run);
  size_t step = (packed_size + 4095) / 4096 * 4096, copies = p->cold ? cold_bytes / step + 1 : 1;
  int8_t *input = malloc(rows * (size_t)p->channels), *weights = malloc(n * k), *output = malloc(rows * n);
  char *packed = aligned_alloc(4096, step * copies);
  float *multiplier = malloc(n * sizeof(float));
  int32_t *biases = calloc(n, sizeof(int32_t));
  for (size_t i = 0; i < rows * (size_t)p->channels; i++) {
    input[i] = (int8_t)(i * 37 % 251 - 125);
  }
  for (size_t i = 0; i < n * k; i++) {
    weights[i] = (int8_t)(i * 53 % 241 - 120);
  }
  for (size_t i = 0; i < n; i++) {
    multiplier[i] = 1e-4f;
  }
  kernels->conv_s8_pack(weights, (ck_weight_steps){.channel_step = k, .step = 1}, n, taps_count, run, packed);
  for (size_t i = 1; i < copies; i++) {
    memcpy(packed + i * step, packed, packed_size);
  }
  ck_tap taps[16];
  ck_window window = window_of(p, taps);
  integer_call call = {
      .kernels = kernels,
      .problem = p,
      .conv = {.window = window,
               .input = input,
               .tap_pixels = p->size,
               .tap_channels = p->channels,
               .weights = packed,
               .bias = biases,
               .output = output,
               .epilogue = {.multiplier = multiplier, .inverse_scale = 1, .output_type = CK_ELEMENT_S8, .clamp = {0, -128, 127, 0}}},
      .packed = packed,
      .step = step,
      .copies = copies,
      .scratch = aligned(kernels->conv_s8_scratch_size(&window, (size_t)p->size, (size_t)p->channels, n)),
  };
  double best = best_rate(p, run_integers, &call);
  free(input);
  free(weights);
  free(output);
  free(packed);
  free(call.scratch);
  free(multiplier);
  free(biases);
  return best;
}

typedef struct float_call {
  const ck_kernels *kernels;
  const problem *problem;
  ck_conv_f32 conv;
  void *scratch;
} float_call;

static void run_floats(void *context, size_t repetition) {
  float_call *c = context;
  (void)repetition;
  c->kernels->conv_f32(&c->conv, 0, rows_of(c->problem), 0, (size_t)c->problem->outputs, c->scratch);
}

/* The same for floats; `fused` is the call's. */
static double float_convolution(const ck_kernels *kernels, const problem *p, int fused) {
  size_t taps_count = (size_t)p->size, run = run_of(p), k = taps_count * run, rows = rows_of(p), n = (size_t)p->outputs;
  float *input = calloc(rows * (size_t)p->channels, 4), *weights = calloc(n * k, 4), *output = malloc(rows * n * 4);
  void *packed = aligned(kernels->conv_f32_packed_size(n, taps_count, run));
  kernels->conv_f32_pack(weights, (ck_weight_steps){.channel_step = k, .step = 1}, n, taps_count, run, packed);
  ck_tap taps[16];
  ck_window window = window_of(p, taps);
  float_call call = {
      .kernels = kernels,
      .problem = p,
      .conv = {.window = window,
               .input = input,
               .tap_pixels = p->size,
               .tap_channels = p->channels,
               .weights = packed,
               .fused = fused,
               .output = output,
               .epilogue = {.activation = CK_ACTIVATION_RELU}},
      .scratch = aligned(kernels->conv_f32_scratch_size(&window, (size_t)p->size, (size_t)p->channels, n)),
  };
  double best = best_rate(p, run_floats, &call);
  free(input);
  free(weights);
  free(output);
  free(packed);
  free(call.scratch);
  return best;
}

int main(void) {
  static const problem cases[] = {
      {"gemm 1024x1024x1024", 1, 1024, 1024, 1024, 1, 0}, {"conv 3x3 64-64 64x64", 64, 64, 64, 64, 3, 0},
      {"conv 3x3 512-512 6x6", 6, 6, 512, 512, 3, 0},     {"conv 7x7 3-64 96x96", 96, 96, 3, 64, 7, 0},
      {"conv 3x3 16-16 96x96", 96, 96, 16, 16, 3, 0},     {"conv 1x1 64-256 28x28", 28, 28, 64, 256, 1, 0},
      {"gemv 1x1024x1024", 1, 1, 1024, 1024, 1, 0},       {"gemv 4x1024x1024", 1, 4, 1024, 1024, 1, 0},
      {"cold 1x1024x1024", 1, 1, 1024, 1024, 1, 1},    {"cold 3x3 512-512 4x4", 4, 4, 512, 512, 3, 1},
  };
  static const ck_isa tiers[] = {CK_ISA_AVX512_VNNI, CK_ISA_AVX2, CK_ISA_SCALAR};
  double limit = integer_peak();
  printf("%-24s %8.1f Gmac/s\n", "vpdpbusd peak", limit * 1e-9);
  for (size_t t = 0; t < sizeof tiers / sizeof tiers[0]; t++) {
    const ck_kernels *kernels = ck_kernels_for(tiers[t]);
    for (size_t i = 0; kernels && i < sizeof cases / sizeof cases[0]; i++) {
      double rate = convolution(kernels, &cases[i]);
      printf("%-24s %8.1f Gmac/s", cases[i].name, rate * 1e-9);
      if (limit > 0) {
        printf("  %5.1f %% of peak", 100 * rate / limit);
      }
      printf("  %s\n", kernels->name);
    }
    for (size_t i = 0; kernels && i < sizeof cases / sizeof cases[0]; i++) {
      for (int fused = 0; fused <= kernels->fuses_f32 && !cases[i].cold; fused++) {
        double rate = float_convolution(kernels, &cases[i], fused);
        printf("%-24s %8.1f Gmac/s of floats%s  %s\n", cases[i].name, rate * 1e-9, fused ? ", fused" : "", kernels->name);
      }
    }
  }
  return 0;
}
