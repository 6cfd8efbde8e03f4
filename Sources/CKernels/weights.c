/* Streams of coded weights and their tables, which are the same on every tier. */
#include "arithmetic.h"

void ck_weight_table_make(ck_weight_table *table, const uint16_t *frequencies) {
  uint32_t start = 0;
  memset(table, 0, sizeof *table);
  for (size_t i = 0; i < 256; i++) {
    const uint8_t weight = (uint8_t)(i - 128);
    const uint32_t count = frequencies[i];
    table->spans[weight] = count << 16 | start;
    memset(table->weights + start, weight, count);
    start += count;
  }
}

void ck_weight_stream_begin(ck_weight_stream *stream, uint32_t lanes, const uint8_t *stored, size_t bytes) {
  memset(stream, 0, sizeof *stream);
  stream->lanes = lanes;
  stream->next = stored + 4 * lanes;
  stream->end = stored + bytes;
  for (uint32_t i = 0; i < lanes; i++) {
    const uint8_t *b = stored + 4 * i;
    stream->states[i] = (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
    stream->is_wrong |= stream->states[i] < CK_LEAST_STATE;
  }
}

int ck_weight_stream_ended(const ck_weight_stream *stream) {
  int ended = !stream->is_wrong && stream->next == stream->end;
  for (uint32_t i = 0; i < stream->lanes; i++) {
    ended = ended && stream->states[i] == CK_LEAST_STATE;
  }
  return ended;
}
