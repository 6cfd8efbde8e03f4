/* Copies and rearrangements that are the same on every tier. */
#include "arithmetic.h"

void ck_copy_rows(size_t rows, size_t bytes, const void *x, ptrdiff_t x_row, void *y, ptrdiff_t y_row) {
  const uint8_t *from = x;
  uint8_t *to = y;
  for (size_t i = 0; i < rows; i++, from += x_row, to += y_row) {
    memcpy(to, from, bytes);
  }
}

typedef uint8_t ck_bytes __attribute__((vector_size(16)));

#define CK_LOWER 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define CK_UPPER 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31

/* Elements of four bytes, sixteen at a time; returns how many are joined. */
static size_t ck_join_four_planes(size_t count, const uint8_t *restrict x, uint8_t *restrict y) {
  size_t i = 0;
  for (; i + 16 <= count; i += 16) {
    ck_bytes plane[4], pair[4];
    for (size_t j = 0; j < 4; j++) {
      memcpy(&plane[j], x + j * count + i, sizeof plane[j]);
    }
    for (size_t j = 0; j < 4; j += 2) {
      pair[j] = __builtin_shufflevector(plane[j / 2], plane[j / 2 + 2], CK_LOWER);
      pair[j + 1] = __builtin_shufflevector(plane[j / 2], plane[j / 2 + 2], CK_UPPER);
    }
    for (size_t j = 0; j < 2; j++) {
      const ck_bytes low = __builtin_shufflevector(pair[j], pair[j + 2], CK_LOWER);
      const ck_bytes high = __builtin_shufflevector(pair[j], pair[j + 2], CK_UPPER);
      memcpy(y + 4 * i + 32 * j, &low, sizeof low);
      memcpy(y + 4 * i + 32 * j + 16, &high, sizeof high);
    }
  }
  return i;
}

void ck_join_planes(size_t count, size_t width, const uint8_t *x, uint8_t *y) {
  for (size_t i = width == 4 ? ck_join_four_planes(count, x, y) : 0; i < count; i++) {
    for (size_t j = 0; j < width; j++) {
      y[i * width + j] = x[j * count + i];
    }
  }
}
