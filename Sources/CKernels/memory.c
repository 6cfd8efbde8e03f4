#include "ck_memory.h"

#include <stdlib.h>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

void ck_trim_memory(void) {
#if defined(__GLIBC__)
  malloc_trim(0);
#endif
}
