/* What happens between an int32 accumulator and the stored output (Q15...Q20). */
#ifndef CK_EPILOGUE_H
#define CK_EPILOGUE_H

#include <stddef.h>
#include <stdint.h>

#include "ck_elementwise_f32.h"

/* Element type of an output or a residual. */
typedef enum __attribute__((enum_extensibility(closed))) ck_element {
  CK_ELEMENT_S8 __attribute__((swift_name("int8"))) = 0,
  CK_ELEMENT_F32 __attribute__((swift_name("float32"))) = 1,
} ck_element;

/* Activation inside an epilogue (Q17). */
typedef enum __attribute__((enum_extensibility(closed))) ck_activation {
  CK_ACTIVATION_NONE __attribute__((swift_name("none"))) = 0,
  CK_ACTIVATION_RELU __attribute__((swift_name("relu"))) = 1,
  CK_ACTIVATION_LEAKY __attribute__((swift_name("leaky"))) = 2, /* slope[c] for each channel; PReLU */
  CK_ACTIVATION_FUNCTION __attribute__((swift_name("function"))) = 3, /* `function` with p0, p1, then t * inverse_scale */
} ck_activation;

/* The int8 end of a kernel: y = clampq(t; zero, low, high), then the table (Q18, Q19).
 * -128 <= low <= high <= 127; -128 <= zero <= 127. */
typedef struct ck_clamp {
  int32_t zero;
  int32_t low;
  int32_t high;
  const int8_t *_Nullable table; /* 256 entries, indexed by y + 128; or NULL */
} ck_clamp;

/* Epilogue of a convolution, matrix product or depthwise convolution. Arrays have one entry for each output channel. */
typedef struct ck_epilogue {
  const float *_Nonnull multiplier;     /* m[c] */
  const float *_Nullable slope;         /* for CK_ACTIVATION_LEAKY, else unused */
  const void *_Nullable residual;       /* int8_t or float, placed by the caller's residual strides; NULL for none. It may be
                                           the output itself if type and strides are the output's. */
  ck_element residual_type;
  float residual_multiplier;            /* mr; int8 residual only */
  int32_t residual_zero;                /* zr; int8 residual only */
  ck_activation activation;
  ck_unary function;                    /* these three for CK_ACTIVATION_FUNCTION, else unused */
  float p0;
  float p1;
  float inverse_scale;                  /* int8 only: 1 / sy, or 1 where the multipliers have it */
  ck_element output_type;
  int8_t *_Nullable integers;           /* float32 output only: its values as int8 go here as well, to the places that they have in
                                           the output; or NULL */
  ck_clamp clamp;                       /* int8 only */
} ck_epilogue;

#endif
