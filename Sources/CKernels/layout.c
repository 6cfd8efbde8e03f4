/* Copies and rearrangements that are the same on every tier. */
#include "arithmetic.h"

void ck_copy_rows(size_t rows, size_t bytes, const void *x, ptrdiff_t x_row, void *y, ptrdiff_t y_row) {
  const uint8_t *from = x;
  uint8_t *to = y;
  for (size_t i = 0; i < rows; i++, from += x_row, to += y_row) {
    memcpy(to, from, bytes);
  }
}

CK_INLINE void ck_join_some_planes(size_t count, const size_t width, const uint8_t *restrict x, uint8_t *restrict y) {
  for (size_t i = 0; i < count; i++) {
    for (size_t j = 0; j < width; j++) {
      y[i * width + j] = x[j * count + i];
    }
  }
}

void ck_join_planes(size_t count, size_t width, const uint8_t *x, uint8_t *y) {
  switch (width) {
  case 2: ck_join_some_planes(count, 2, x, y); break;
  case 4: ck_join_some_planes(count, 4, x, y); break;
  default: ck_join_some_planes(count, width, x, y); break;
  }
}
