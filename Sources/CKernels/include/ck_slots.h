/* The products of a key-value memory on integers (Q61, Q63). Strides are in elements. */
#ifndef CK_SLOTS_H
#define CK_SLOTS_H

#include <stddef.h>
#include <stdint.h>

/* Rows of directions and the keys of `slots` slots, all of `width` elements. */
typedef struct ck_slot_scores {
  size_t rows;
  size_t slots;
  size_t width;
  const int16_t *_Nonnull directions;
  ptrdiff_t direction_row;
  const int16_t *_Nonnull keys;
  ptrdiff_t key_row;
  const float *_Nonnull scales; /* [slots] */
  float *_Nonnull scores;
  ptrdiff_t score_row;
} ck_slot_scores;

/* Q61: scores[r * score_row + s] = the sum of the products of direction r and key s, exact, times scales[s]. At most 2^33 of them.
 * `scratch` has room for 8 * width bytes. */
typedef void (*ck_score_slots_s16_fn)(const ck_slot_scores *_Nonnull args, void *_Nonnull scratch);

/* Q63: sums[c] = the sum of the steps of shares[s] times values[s * value_row + c]. Shares below `least` are not read. */
typedef void (*ck_read_slots_s8_fn)(size_t slots, size_t columns, const float *_Nonnull shares, float least,
                                    const int8_t *_Nonnull values, ptrdiff_t value_row, int32_t *_Nonnull sums);

#endif
