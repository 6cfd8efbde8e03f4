/* Copies and rearrangements that are the same on every tier. */
#include "arithmetic.h"

void ck_copy_rows(size_t rows, size_t bytes, const void *x, ptrdiff_t x_row, void *y, ptrdiff_t y_row) {
  const uint8_t *from = x;
  uint8_t *to = y;
  for (size_t i = 0; i < rows; i++, from += x_row, to += y_row) {
    memcpy(to, from, bytes);
  }
}
