/* Coded weights: the streams of B29 and B80 of formats/bundle.md. Streams may come from anyone: whatever their bytes are, nothing is
 * read outside them or written outside the weights. */
#ifndef CK_WEIGHTS_H
#define CK_WEIGHTS_H

#include <stddef.h>
#include <stdint.h>

enum {
  CK_WEIGHT_BITS = 14,                   /* frequencies are in 2^14ths */
  CK_WEIGHT_SLOTS = 1 << CK_WEIGHT_BITS,
  CK_WEIGHT_LANES = 64,                  /* states that a stream has at most, and those that tiers decode side by side */
};

/* A distribution, as a reader looks it up. */
typedef struct ck_weight_table {
  uint32_t spans[256];                  /* of each weight: its frequency times 2^16, and its first slot */
  uint8_t weights[CK_WEIGHT_SLOTS + 4]; /* of each slot */
} ck_weight_table;

/* frequencies[i] is that of the weight i - 128; their sum is CK_WEIGHT_SLOTS. */
void ck_weight_table_make(ck_weight_table *_Nonnull table, const uint16_t *_Nonnull frequencies);

/* Where a reader is in a stream. */
typedef struct ck_weight_stream {
  uint32_t states[CK_WEIGHT_LANES];
  uint32_t lanes;              /* of the stream */
  uint32_t lane;               /* whose turn it is */
  const uint8_t *_Nonnull next; /* words that are left */
  const uint8_t *_Nonnull end;
  uint32_t is_wrong;           /* a state was below 2^16 and there was no word for it */
} ck_weight_stream;

/* Begins a stream of `lanes` <= CK_WEIGHT_LANES states: `bytes` >= 4 * lanes from `stored` on. */
void ck_weight_stream_begin(ck_weight_stream *_Nonnull stream, uint32_t lanes, const uint8_t *_Nonnull stored, size_t bytes);

/* Whether every state is 2^16 again and every word is used up. */
int ck_weight_stream_ended(const ck_weight_stream *_Nonnull stream);

/* The next `count` weights of a stream, all of one distribution. */
typedef void (*ck_decode_weights_fn)(ck_weight_stream *_Nonnull stream, const ck_weight_table *_Nonnull table, size_t count,
                                     int8_t *_Nonnull weights);

#endif
