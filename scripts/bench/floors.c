/* Prints what one thread can do at best, as JSON: multiply-adds of int8 and of float32 and bytes read of memory, each in 10^9 a second, and
 * bytes read again and again of so many KiB. */
#include <stdio.h>

#include "floors.h"

int main(void) {
  printf("{\"integer\": %.1f, \"avx2\": %.1f, \"float\": %.1f, \"read\": %.2f, \"again\": {", integer_peak() * 1e-9,
         avx2_peak() * 1e-9, float_peak() * 1e-9, read_bandwidth((size_t)256 << 20) * 1e-9);
  for (size_t size = 32; size <= 32768; size *= 2) {
    printf("%s\"%zu\": %.2f", size == 32 ? "" : ", ", size, read_bandwidth(size << 10) * 1e-9);
  }
  printf("}}\n");
  return 0;
}
