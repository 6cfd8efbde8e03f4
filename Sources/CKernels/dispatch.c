/* From a tier's name to its table. */
#include "cpu.h"
#include "include/CKernels.h"

#define CK_TIER(name, suffix, guard) extern const ck_kernels ck_kernels_##suffix;
#include "tiers.inc"
#undef CK_TIER

const ck_kernels *ck_kernels_for(ck_isa isa) {
#define CK_TIER(name, suffix, guard) \
  if (isa == CK_ISA_##name) { \
    return (guard) ? &ck_kernels_##suffix : 0; \
  }
#include "tiers.inc"
#undef CK_TIER
  return 0;
}

const ck_kernels *ck_kernels_best(void) {
#define CK_TIER(name, suffix, guard) \
  if (guard) { \
    return &ck_kernels_##suffix; \
  }
#include "tiers.inc"
#undef CK_TIER
}
