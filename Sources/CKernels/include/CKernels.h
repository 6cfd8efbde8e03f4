/* CKernels: exact integer and float inner loops for each instruction-set tier.
 *
 * The arithmetic is that of formats/quantization.md (clauses Q1...); every tier gives the same bits. No function here allocates,
 * locks, reads the environment or keeps state, except the thread pool and ck_trim_memory. Pointers need the alignment of their element type
 * only, unless said otherwise; outputs must not overlap inputs, unless said otherwise. Sizes of zero are allowed and do nothing.
 *
 * Start with ck_kernels_best() and the fields of ck_kernels.
 */
#ifndef CKERNELS_H
#define CKERNELS_H

#include "ck_convolution.h"
#include "ck_elementwise_f32.h"
#include "ck_elementwise_s8.h"
#include "ck_epilogue.h"
#include "ck_layout.h"
#include "ck_matrix_f32.h"
#include "ck_memory.h"
#include "ck_pooling.h"
#include "ck_rows_f32.h"
#include "ck_slots.h"
#include "ck_statistics.h"
#include "ck_thread_pool.h"
#include "ck_tiers.h"
#include "ck_weights.h"

#endif
