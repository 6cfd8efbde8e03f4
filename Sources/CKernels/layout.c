/* Copies and rearrangements that are the same on every tier. */
#include "arithmetic.h"

void ck_copy_rows(size_t rows, size_t bytes, const void *x, ptrdiff_t x_row, void *y, ptrdiff_t y_row) {
  const uint8_t *from = x;
  uint8_t *to = y;
  for (size_t i = 0; i < rows; i++, from += x_row, to += y_row) {
    memcpy(to, from, bytes);
  }
}

/* One row of columns along the last axis: the taps that fall inside are copied, the others are zero. */
static void unfold_line(const ck_unfold_f32 *unfold, const float *line, int64_t first, float *y) {
  int64_t step = unfold->step[2], size = unfold->size[2], count = unfold->out_size[2];
  for (int64_t o = 0, at = first; o < count; o++, at += step) {
    y[o] = line && at >= 0 && at < size ? line[at] : 0.0f;
  }
}

void ck_unfold(const ck_unfold_f32 *unfold, size_t row_first, size_t row_last) {
  const int32_t *kernel = unfold->kernel, *out = unfold->out_size;
  size_t taps = (size_t)kernel[0] * (size_t)kernel[1] * (size_t)kernel[2];
  size_t columns = (size_t)out[0] * (size_t)out[1] * (size_t)out[2];
  size_t plane = (size_t)unfold->size[1] * (size_t)unfold->size[2];
  for (size_t row = row_first; row < row_last; row++) {
    size_t tap = row % taps;
    const float *image = unfold->x + row / taps * (size_t)unfold->size[0] * plane;
    int64_t k[3] = {(int64_t)(tap / (size_t)kernel[2] / (size_t)kernel[1]),
                    (int64_t)(tap / (size_t)kernel[2] % (size_t)kernel[1]), (int64_t)(tap % (size_t)kernel[2])};
    int64_t base[3];
    for (size_t axis = 0; axis < 3; axis++) {
      base[axis] = k[axis] * unfold->dilation[axis] - unfold->pad[axis];
    }
    float *y = unfold->y + row * columns;
    for (int64_t d = 0; d < out[0]; d++) {
      int64_t at_d = base[0] + d * unfold->step[0];
      for (int64_t h = 0; h < out[1]; h++, y += out[2]) {
        int64_t at_h = base[1] + h * unfold->step[1];
        int inside = ck_inside(at_d, unfold->size[0]) && ck_inside(at_h, unfold->size[1]);
        unfold_line(unfold, inside ? image + (size_t)at_d * plane + (size_t)at_h * (size_t)unfold->size[2] : 0, base[2], y);
      }
    }
  }
}
