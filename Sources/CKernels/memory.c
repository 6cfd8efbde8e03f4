#include "ck_memory.h"

#include <stdint.h>
#include <stdlib.h>
#if defined(__GLIBC__)
#include <malloc.h>
#endif
#if defined(__linux__)
#include <sys/mman.h>
#include <unistd.h>
#endif

void ck_take_pages(void *memory, size_t bytes) {
#if defined(MADV_POPULATE_WRITE)
  enum { step = 1 << 20 }; /* of one call, during which no thread can change the process's map */
  const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  uintptr_t first = ((uintptr_t)memory + page - 1) / page * page, last = ((uintptr_t)memory + bytes) / page * page;
  for (; first < last; first += step) {
    /* Older systems refuse; then pages are taken as they are touched. */
    if (madvise((void *)first, last - first < step ? last - first : step, MADV_POPULATE_WRITE)) {
      return;
    }
  }
#else
  (void)memory;
  (void)bytes;
#endif
}

void ck_trim_memory(void) {
#if defined(__GLIBC__)
  malloc_trim(0);
#endif
}
