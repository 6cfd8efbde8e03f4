#include <cblas.h>

/* OpenBLAS makes its threads when it is loaded, and for a while they turn idly on cores that others could use. Where the
 * library has no threads to end, or ends them by another name, nothing happens; it makes them again when it needs them. */
extern int blas_thread_shutdown_(void) __attribute__((weak));

static inline void openblas_end_threads(void) {
  if (blas_thread_shutdown_) {
    blas_thread_shutdown_();
  }
}
