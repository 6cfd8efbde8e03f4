/// PNG files from the top, row by row.
///
/// libpng leaves by longjmp where a file is bad; no jump goes beyond one of these functions, which
/// return false or NULL and leave a sentence in `message`.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PNG_ROWS_MESSAGE = 128 };

struct png_rows;

struct png_rows_header {
  uint32_t width;
  uint32_t height;
  /// 16, or 8 for every lower depth.
  int depth;
};

/// Reads the header of a file. No memory is taken by its size.
struct png_rows *png_rows_open(const char *path, struct png_rows_header *header, char *message);

/// Begins with the pixels, which come as red, green and blue of `depth` bits, 16 in the machine's order.
/// Values are those stored; transparency is dropped. An interlaced file is unpacked whole here.
bool png_rows_begin(struct png_rows *rows, int depth, char *message);

/// The next `count` rows, `stride` bytes each.
bool png_rows_read(
    struct png_rows *rows, void *target, size_t count, size_t stride, char *message);

/// After the last row: that the file ends as it should.
bool png_rows_end(struct png_rows *rows, char *message);

/// Begins a file of red, green and blue.
struct png_rows *png_rows_create(
    const char *path, const struct png_rows_header *header, char *message);

/// The next rows, laid out as they are read; the last ones end the file.
bool png_rows_write(
    struct png_rows *rows, const void *source, size_t count, size_t stride, char *message);

/// Frees what was opened or created.
void png_rows_close(struct png_rows *rows);
