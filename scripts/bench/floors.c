/* Prints what one thread can do at best, as JSON: multiply-adds of int8 and of float32 and bytes read, each in 10^9 a second. */
#include <stdio.h>

#include "floors.h"

int main(void) {
  printf("{\"integer\": %.1f, \"avx2\": %.1f, \"float\": %.1f, \"read\": %.2f}\n", integer_peak() * 1e-9, avx2_peak() * 1e-9,
         float_peak() * 1e-9, read_bandwidth() * 1e-9);
  return 0;
}
