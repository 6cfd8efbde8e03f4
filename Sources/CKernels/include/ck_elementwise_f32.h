/* Elementwise float32 kernels, the same bits on every tier (Q28, Q33...Q41). An output may be an input. */
#ifndef CK_ELEMENTWISE_F32_H
#define CK_ELEMENTWISE_F32_H

#include <stddef.h>
#include <stdint.h>

/* Functions of one argument, with at most two parameters p0 and p1. */
typedef enum __attribute__((enum_extensibility(closed))) ck_unary {
  CK_UNARY_ABS __attribute__((swift_name("abs"))) = 0,
  CK_UNARY_CLIP __attribute__((swift_name("clip"))) = 1,         /* p0 lower, p1 upper limit */
  CK_UNARY_ELU __attribute__((swift_name("elu"))) = 2,           /* p0 alpha */
  CK_UNARY_ERF __attribute__((swift_name("erf"))) = 3,
  CK_UNARY_EXP __attribute__((swift_name("exp"))) = 4,
  CK_UNARY_GELU __attribute__((swift_name("gelu"))) = 5,
  CK_UNARY_GELU_TANH __attribute__((swift_name("geluTanh"))) = 6,
  CK_UNARY_HARD_SIGMOID __attribute__((swift_name("hardSigmoid"))) = 7, /* p0 alpha, p1 beta */
  CK_UNARY_HARD_SWISH __attribute__((swift_name("hardSwish"))) = 8,
  CK_UNARY_LEAKY __attribute__((swift_name("leaky"))) = 9,       /* p0 slope */
  CK_UNARY_LOG __attribute__((swift_name("log"))) = 10,
  CK_UNARY_MISH __attribute__((swift_name("mish"))) = 11,
  CK_UNARY_NEGATE __attribute__((swift_name("negate"))) = 12,
  CK_UNARY_RECIPROCAL __attribute__((swift_name("reciprocal"))) = 13,
  CK_UNARY_RELU __attribute__((swift_name("relu"))) = 14,
  CK_UNARY_SIGMOID __attribute__((swift_name("sigmoid"))) = 15,
  CK_UNARY_SILU __attribute__((swift_name("silu"))) = 16,
  CK_UNARY_SOFTPLUS __attribute__((swift_name("softplus"))) = 17,
  CK_UNARY_SOFTSIGN __attribute__((swift_name("softsign"))) = 18,
  CK_UNARY_SQRT __attribute__((swift_name("sqrt"))) = 19,
  CK_UNARY_TANH __attribute__((swift_name("tanh"))) = 20,
} ck_unary;

/* Functions of two arguments. */
typedef enum __attribute__((enum_extensibility(closed))) ck_binary {
  CK_BINARY_ADD __attribute__((swift_name("add"))) = 0,
  CK_BINARY_SUBTRACT __attribute__((swift_name("subtract"))) = 1,
  CK_BINARY_MULTIPLY __attribute__((swift_name("multiply"))) = 2,
  CK_BINARY_DIVIDE __attribute__((swift_name("divide"))) = 3,
  CK_BINARY_MINIMUM __attribute__((swift_name("minimum"))) = 4,
  CK_BINARY_MAXIMUM __attribute__((swift_name("maximum"))) = 5,
  CK_BINARY_PRELU __attribute__((swift_name("prelu"))) = 6, /* a < 0 ? a * b : a */
  CK_BINARY_GATE __attribute__((swift_name("gate"))) = 7,   /* b > 0 ? a : 0 */
} ck_binary;

/* Rows of `columns` elements: element (i, j) is at i * row + j * column; `column` is 0 or 1. */
typedef struct ck_operand_f32 {
  const float *_Nonnull data;
  ptrdiff_t row;
  ptrdiff_t column;
} ck_operand_f32;

/* y[i] = f(x[i]). A result of the functions here is one of its operands, or meets none of them. */
typedef void (*ck_unary_f32_fn)(ck_unary function, size_t count, const float *_Nonnull x, float p0, float p1,
                                float *_Nonnull y);

/* y[i * y_row + j] = f(a(i, j), b(i, j)). */
typedef void (*ck_binary_f32_fn)(ck_binary function, size_t rows, size_t columns, ck_operand_f32 a, ck_operand_f32 b,
                                 float *_Nonnull y, ptrdiff_t y_row);

/* y = x * scale + shift (Q33), scale and shift as operands. */
typedef void (*ck_affine_f32_fn)(size_t rows, size_t columns, ck_operand_f32 x, ck_operand_f32 scale, ck_operand_f32 shift,
                                 float *_Nonnull y, ptrdiff_t y_row);

#endif
