/* Prints a digest of what every kernel of every tier computes from fixed inputs. The digests of two tiers, or of two
 * processors, are equal if and only if (but for collisions) all bytes were. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "CKernels.h"

enum { channels = 37, filters = 45, height = 9, width = 11, kernel = 3, positions = height * width, count = 4099 };

static uint64_t state;

static uint64_t next(void) {
  state += 0x9e3779b97f4a7c15u;
  uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

static int8_t *bytes(size_t n) {
  int8_t *p = malloc(n);
  for (size_t i = 0; i < n; i++) {
    p[i] = (int8_t)next();
  }
  return p;
}

/* Floats in -range...range, exact in both directions. */
static float *floats(size_t n, float range) {
  float *p = malloc(n * sizeof *p);
  for (size_t i = 0; i < n; i++) {
    p[i] = (float)((int32_t)(next() >> 40) - (1 << 23)) / (float)(1 << 23) * range;
  }
  return p;
}

static uint64_t fold(uint64_t digest, const void *data, size_t n) {
  const uint8_t *p = data;
  for (size_t i = 0; i < n; i++) {
    digest = (digest ^ p[i]) * 0x100000001b3u;
  }
  return digest;
}

static void report(const ck_kernels *k, const char *what, const void *data, size_t n) {
  printf("%s %s %016llx\n", what, k->name, (unsigned long long)fold(0xcbf29ce484222325u, data, n));
}

static void windows(const ck_kernels *k) {
  ck_tap taps[kernel * kernel];
  for (int32_t i = 0; i < kernel * kernel; i++) {
    taps[i] = (ck_tap){0, i / kernel - 1, i % kernel - 1};
  }
  const size_t depth = (size_t)kernel * kernel * channels;
  ck_window window = {.in_size = {1, height, width}, .out_size = {1, height, width}, .step = {1, 1, 1},
                      .tap_count = kernel * kernel, .taps = taps, .in_stride = {0, width * channels, channels},
                      .out_stride = {0, width * filters, filters}};
  int8_t *x = bytes(positions * channels), *w = bytes(depth * filters), *residual = bytes(positions * filters), *y = bytes(positions * filters * 4);
  float *m = floats(filters, 0.0002f), *slope = floats(filters, 1);
  int8_t *table = bytes(256), *integers = calloc(positions, filters);
  int32_t biases[filters];
  for (size_t c = 0; c < filters; c++) {
    biases[c] = (int32_t)(next() % 20000) - 10000;
  }
  void *packed = aligned_alloc(64, (k->conv_s8_packed_size(filters, (size_t)kernel * kernel, channels) + 63) / 64 * 64);
  void *scratch = aligned_alloc(64, (k->conv_s8_scratch_size(&window, 1, channels, filters) + 63) / 64 * 64);
  k->conv_s8_pack(w, (ck_weight_steps){.channel_step = depth, .step = 1}, filters, (size_t)kernel * kernel, channels, packed);
  for (int form = 0; form < 4; form++) {
    ck_conv_s8 conv = {.window = window, .input = x, .tap_pixels = 1, .tap_channels = channels, .pad = -7, .weights = packed,
                       .bias = biases, .output = y, .residual_stride = {0, width * filters, filters},
                       .epilogue = {.multiplier = m, .slope = slope, .residual = form % 2 ? residual : 0, .residual_zero = 5,
                                    .residual_multiplier = 0.3f, .activation = (ck_activation)form, .function = CK_UNARY_SILU,
                                    .inverse_scale = form == 3 ? 20 : 1, .output_type = form == 2 ? CK_ELEMENT_F32 : CK_ELEMENT_S8,
                                    .integers = form == 2 ? integers : 0,
                                    .clamp = {-3, -120, 119, form == 1 ? table : 0}}};
    memset(y, 0, positions * filters * 4);
    k->conv_s8(&conv, 0, positions, 0, filters, scratch);
    if (form == 2) {
      report(k, "conv-integers", integers, positions * filters);
    }
    report(k, form == 0 ? "conv" : form == 1 ? "conv-relu" : form == 2 ? "conv-leaky" : "conv-silu", y, positions * filters * 4);
  }
  window.out_stride[1] = width * channels;
  window.out_stride[2] = channels;
  ck_average_pool_s8 average = {.window = window, .input = x, .channels = channels, .counted_size = {1, height, width},
                                .input_zero = 11, .multiplier = 0.77f, .output = y, .clamp = {2, -128, 127, 0}};
  k->average_pool_s8(&average, 0, positions);
  report(k, "average-pool", y, positions * channels);
  ck_max_pool_s8 most = {.window = window, .input = x, .channels = channels, .output = y, .clamp = {0, -100, 110, table}};
  k->max_pool_s8(&most, 0, positions);
  report(k, "max-pool", y, positions * channels);
  ck_depthwise_s8 depthwise = {.window = window, .input = x, .channels = channels, .pad = 3, .weights = w, .output = y,
                               .epilogue = {.multiplier = m, .output_type = CK_ELEMENT_S8, .clamp = {0, -128, 127, 0}}};
  k->depthwise_s8(&depthwise, 0, positions);
  report(k, "depthwise", y, positions * channels);
}

/* Floats with many output channels and with few, and as a product of rows. */
static void float_windows(const ck_kernels *k) {
  ck_tap taps[kernel] = {{0, -1, -1}, {0, 0, -1}, {0, 1, -1}};
  float *x = floats(positions * channels, 2), *w = floats(kernel * kernel * channels * filters, 1), *bias = floats(filters, 1);
  float *residual = floats(positions * filters, 1), *y = malloc(positions * filters * sizeof(float));
  const size_t counts[] = {filters, 5, 3};
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    const size_t made = counts[i], run = (size_t)kernel * channels;
    ck_window window = {.in_size = {1, height, width}, .out_size = {1, height, width}, .step = {1, 1, 1}, .tap_count = kernel,
                        .taps = taps, .in_stride = {0, width * channels, channels}, .out_stride = {0, (ptrdiff_t)(width * made), (ptrdiff_t)made}};
    void *packed = aligned_alloc(64, (k->conv_f32_packed_size(made, kernel, run) + 63) / 64 * 64);
    void *scratch = aligned_alloc(64, (k->conv_f32_scratch_size(&window, kernel, channels, made) + 63) / 64 * 64);
    k->conv_f32_pack(w, (ck_weight_steps){.channel_step = kernel * run, .step = 1}, made, kernel, run, packed);
    ck_conv_f32 conv = {.window = window, .input = x, .tap_pixels = kernel, .tap_channels = channels, .weights = packed, .output = y,
                        .residual_stride = {0, (ptrdiff_t)(width * made), (ptrdiff_t)made},
                        .epilogue = {.bias = bias, .residual = residual, .activation = CK_ACTIVATION_LEAKY, .slope = bias}};
    k->conv_f32(&conv, 0, positions, 0, made, scratch);
    report(k, i == 0 ? "conv-f32" : i == 1 ? "conv-f32-five" : "conv-f32-three", y, positions * made * sizeof(float));
  }
  ck_tap origin = {0, 0, 0};
  ck_window line = {.in_size = {1, 1, positions}, .out_size = {1, 1, positions}, .step = {1, 1, 1}, .tap_count = 1, .taps = &origin,
                    .in_stride = {0, positions * channels, channels}, .out_stride = {0, positions * filters, filters}};
  void *packed = aligned_alloc(64, (k->conv_f32_packed_size(filters, 1, channels) + 63) / 64 * 64);
  void *scratch = aligned_alloc(64, (k->product_f32_scratch_size(&line, 1, channels, filters) + 63) / 64 * 64);
  k->conv_f32_pack(w, (ck_weight_steps){.channel_step = 1, .step = filters}, filters, 1, channels, packed);
  ck_conv_f32 product = {.window = line, .input = x, .tap_pixels = 1, .tap_channels = channels, .weights = packed, .output = y,
                         .epilogue = {.bias = bias, .activation = CK_ACTIVATION_RELU}};
  k->product_f32(&product, 0, positions, 0, filters, scratch);
  report(k, "product", y, positions * filters * sizeof(float));
}

static void resize(const ck_kernels *k) {
  enum { rows = 13, columns = 17 };
  int32_t first[2][columns], second[2][columns];
  float weight[2][columns];
  for (int32_t axis = 0; axis < 2; axis++) {
    int32_t extent = axis ? width : height, made = axis ? columns : rows;
    for (int32_t i = 0; i < made; i++) {
      first[axis][i] = i * (extent - 1) / made;
      second[axis][i] = first[axis][i] + 1;
      weight[axis][i] = (float)(i * 7 % made) / (float)made;
    }
  }
  int8_t *x = bytes(positions * channels), *y = bytes(rows * columns * channels);
  ck_resize_s8 resize = {.out_size = {rows, columns}, .channels = channels, .input = x, .in_stride = {width * channels, channels},
                         .output = y, .out_stride = {columns * channels, channels}, .row_first = first[0], .row_second = second[0],
                         .row_weight = weight[0], .column_first = first[1], .column_second = second[1], .column_weight = weight[1],
                         .input_zero = 6, .multiplier = 0.9f, .clamp = {-4, -128, 127, 0}};
  k->resize_nearest_s8(&resize, 0, rows);
  report(k, "resize-nearest", y, rows * columns * channels);
  k->resize_linear_s8(&resize, 0, rows);
  report(k, "resize-linear", y, rows * columns * channels);
}

static void elements(const ck_kernels *k) {
  int8_t *a = bytes(count), *b = bytes(count), *y = bytes(count);
  ck_binary_s8 binary = {.rows = 1, .columns = count, .a = {a, 0, 1, 9}, .b = {b, 0, 1, -20}, .a_multiplier = 0.31f,
                         .b_multiplier = 0.57f, .output = y, .clamp = {4, -128, 127, 0}};
  k->add_s8(&binary);
  report(k, "add", y, count);
  binary.a_multiplier = 0.007f;
  k->multiply_s8(&binary);
  report(k, "multiply", y, count);
  float *x = floats(count, 30), *z = malloc(count * sizeof(float));
  for (int f = 0; f <= CK_UNARY_TANH; f++) {
    char name[32];
    snprintf(name, sizeof name, "unary-%d", f);
    memcpy(z, x, count * sizeof(float));
    if (f == CK_UNARY_LOG || f == CK_UNARY_SQRT) {
      k->unary_f32(CK_UNARY_ABS, count, z, 0, 0, z);
    }
    k->unary_f32((ck_unary)f, count, z, 0.2f, 0.6f, z);
    report(k, name, z, count * sizeof(float));
  }
  k->quantize_f32_s8(count, x, 4.1f, y, &binary.clamp);
  report(k, "quantize", y, count);
  k->dequantize_s8_f32(count, a, 0.13f, -5, z);
  report(k, "dequantize", z, count * sizeof(float));
  const size_t lines = 37, columns = count / lines, pitch = (size_t)lines + 3;
  k->requantize_s8(lines, columns, a, columns, 3, 0.71f, y, columns, &binary.clamp);
  report(k, "requantize", y, lines * columns);
  k->lookup_s8(lines, columns, a, columns, b, y, columns);
  report(k, "lookup", y, lines * columns);
  int32_t sums[lines];
  k->row_sums_s8(lines, columns, a, columns, sums);
  report(k, "row-sums", sums, sizeof sums);
  int8_t *turned = calloc(columns, pitch);
  k->quantize_interleave(lines, columns, x, columns, 4.1f, turned, pitch, &binary.clamp);
  report(k, "quantize-interleave", turned, columns * pitch);
  k->dequantize_deinterleave(lines, columns, turned, pitch, 0.13f, -5, z, columns);
  report(k, "dequantize-deinterleave", z, lines * columns * sizeof(float));
  ck_operand_f32 left = {x, (ptrdiff_t)columns, 1}, right = {x + count / 2, 1, 0};
  for (int f = 0; f <= CK_BINARY_GATE; f++) {
    char name[32];
    snprintf(name, sizeof name, "binary-%d", f);
    k->binary_f32((ck_binary)f, lines, columns, left, right, z, columns);
    report(k, name, z, lines * columns * sizeof(float));
  }
  k->affine_f32(lines, columns, left, right, left, z, columns);
  report(k, "affine", z, lines * columns * sizeof(float));
  k->transpose_s8(lines, columns, a, columns, y, lines);
  report(k, "transpose", y, lines * columns);
  k->transpose_f32(lines, columns, x, columns, z, lines);
  report(k, "transpose-f32", z, lines * columns * sizeof(float));
}

static void rows(const ck_kernels *k) {
  float *x = floats(7 * 101, 6), *y = malloc(7 * 101 * sizeof(float)), *b = floats(101 * 67, 1), *c = malloc(7 * 67 * sizeof(float));
  k->softmax_rows_f32(7, 101, x, 101, 0, y, 101);
  report(k, "softmax", y, 7 * 101 * sizeof(float));
  k->softmax_rows_f32(23, 29, x, 29, 0, y, 29);
  report(k, "softmax-short", y, 23 * 29 * sizeof(float));
  for (int reduction = 0; reduction <= CK_REDUCTION_L2; reduction++) {
    char name[32];
    snprintf(name, sizeof name, "reduce-%d", reduction);
    k->reduce_rows_f32((ck_reduction)reduction, 7, 101, x, 101, y);
    report(k, name, y, 7 * sizeof(float));
  }
  k->normalize_rows_f32(CK_NORMALIZATION_LAYER, 7, 101, x, 101, 1e-5f, 0, 0, y, 101);
  report(k, "layer-norm", y, 7 * 101 * sizeof(float));
  const ptrdiff_t starts[] = {0, 0, 1, 3, 6}, taken[] = {4, 0, 2, 6, 1, 3};
  const float shares[] = {1, 0.25f, 0.75f, 0.3f, -0.2f, 0.9f};
  k->mix_rows_f32(4, 101, starts, taken, shares, x, 0.5f, y);
  report(k, "mix", y, 4 * 101 * sizeof(float));
  ck_gemm_f32 gemm = {.m = 7, .n = 67, .k = 101, .a = x, .a_row = 101, .a_column = 1, .b = b, .b_row = 67, .c = c, .c_row = 67};
  k->gemm_f32(&gemm, 0, 7, 0, 67);
  report(k, "gemm", c, 7 * 67 * sizeof(float));
  float *sums = calloc(7 * 96, sizeof(float)), *whole = floats(101 * 96, 1);
  ck_outer_f32 outer = {.count = 101, .a = x, .a_step = 7, .a_count = 7, .b = whole, .b_step = 96, .b_count = 96, .sums = sums, .sums_row = 96};
  k->outer_f32(&outer);
  report(k, "outer", sums, 7 * 96 * sizeof(float));
}

static void statistics(const ck_kernels *k) {
  float *x = floats(5 * count, 40);
  ck_extremes found = k->extremes_f32(5 * count, x);
  float ends[2] = {found.least, found.greatest};
  report(k, "extremes", ends, sizeof ends);
  int64_t bins[CK_HISTOGRAM_BINS] = {0}, sums[5] = {0}, counts[5] = {0};
  k->histogram_f32(5 * count, x, 32, bins);
  report(k, "histogram", bins, sizeof bins);
  k->channel_sums_f32(1, 5, count, x, 0, count, sums, counts);
  report(k, "channel-sums", sums, sizeof sums);
  int16_t *steps = malloc(5 * count * sizeof *steps);
  k->steps_s16(5 * count, x, 7.3f, steps);
  report(k, "steps", steps, 5 * count * sizeof *steps);
  int32_t products[15];
  k->row_products_s16(5, count, steps, count, products);
  report(k, "row-products", products, sizeof products);
  int64_t rounded[15] = {0};
  for (double factor = 0.37; factor < 1e6; factor *= 977) {
    k->add_rounded_s64(15, products, factor, rounded);
  }
  report(k, "add-rounded", rounded, sizeof rounded);
  double a[count], b[count];
  for (size_t i = 0; i < count; i++) {
    a[i] = x[i];
    b[i] = x[i + count] / 3.0;
  }
  k->add_multiple_f64(count, 0.1, a, b);
  report(k, "add-multiple", b, sizeof b);
}

static void slots(const ck_kernels *k) {
  enum { queries = 3, places = 7, wide = 389 };
  float *x = floats((queries + places) * wide, 32767), *scales = floats(places, 1), *scores = malloc(queries * places * sizeof(float));
  int16_t *steps = malloc((queries + places) * wide * sizeof *steps);
  k->steps_s16((queries + places) * wide, x, 1, steps);
  ck_slot_scores args = {.rows = queries, .slots = places, .width = wide, .directions = steps, .direction_row = wide,
                         .keys = steps + queries * wide, .key_row = wide, .scales = scales, .scores = scores, .score_row = places};
  k->score_slots_s16(&args, malloc(8 * wide));
  report(k, "score-slots", scores, queries * places * sizeof(float));
  int32_t sums[wide];
  k->read_slots_s8(places, wide, scales, 0.1f, bytes(places * wide), wide, sums);
  report(k, "read-slots", sums, sizeof sums);
}

static void weights(const ck_kernels *k) {
  uint16_t frequencies[256];
  for (size_t i = 0; i < 256; i++) {
    frequencies[i] = i == 128 ? CK_WEIGHT_SLOTS - 255 * 40 : 40;
  }
  ck_weight_table table;
  ck_weight_table_make(&table, frequencies);
  int8_t *stored = bytes(2 * count), *made = malloc(count);
  for (uint32_t lanes = 8; lanes <= CK_WEIGHT_LANES; lanes += CK_WEIGHT_LANES - 8) {
    ck_weight_stream stream;
    ck_weight_stream_begin(&stream, lanes, (const uint8_t *)stored, 2 * count);
    k->decode_weights(&stream, &table, count, made);
    report(k, lanes == 8 ? "weights" : "weights-lanes", made, count);
  }
}

int main(void) {
  for (int isa = 0; isa <= CK_ISA_AVX_VNNI; isa++) {
    const ck_kernels *k = ck_kernels_for((ck_isa)isa);
    if (k) {
      state = 1;
      windows(k);
      float_windows(k);
      resize(k);
      elements(k);
      rows(k);
      statistics(k);
      slots(k);
      weights(k);
    }
  }
  return 0;
}
