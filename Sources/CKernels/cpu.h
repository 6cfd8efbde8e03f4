/* What this processor can do. */
#ifndef CK_CPU_H
#define CK_CPU_H

#if defined(__x86_64__)
static inline int ck_cpu_has_avx2(void) { return __builtin_cpu_supports("avx2") != 0; }

static inline int ck_cpu_has_avx512_vnni(void) {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vnni");
}
#endif

#endif
