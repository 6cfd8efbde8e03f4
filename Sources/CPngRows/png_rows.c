#include "png_rows.h"

#include <errno.h>
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct png_rows {
  FILE *file;
  png_structp png;
  png_infop info;
  bool writes;
  uint32_t height;
  uint32_t next;
  /// All rows of an interlaced file.
  png_bytep whole;
  png_bytepp pointers;
  char message[PNG_ROWS_MESSAGE];
};

static void fail(png_structp png, png_const_charp message) {
  struct png_rows *rows = png_get_error_ptr(png);
  snprintf(rows->message, sizeof rows->message, "%s", message);
  png_longjmp(png, 1);
}

static void ignore(png_structp png, png_const_charp message) {
  (void)png;
  (void)message;
}

static bool say(struct png_rows *rows, char *message) {
  snprintf(message, PNG_ROWS_MESSAGE, "%s", rows->message);
  return false;
}

static void swap_on_little_endian(png_structp png) {
  const uint16_t one = 1;
  uint8_t first;
  memcpy(&first, &one, 1);
  if (first == 1) png_set_swap(png);
}

static struct png_rows *make(const char *path, bool writes, char *message) {
  struct png_rows *rows = calloc(1, sizeof *rows);
  if (rows == NULL) {
    snprintf(message, PNG_ROWS_MESSAGE, "no memory");
    return NULL;
  }
  rows->writes = writes;
  rows->file = fopen(path, writes ? "wb" : "rb");
  if (rows->file == NULL) {
    snprintf(message, PNG_ROWS_MESSAGE, "%s", strerror(errno));
    png_rows_close(rows);
    return NULL;
  }
  rows->png = writes ? png_create_write_struct(PNG_LIBPNG_VER_STRING, rows, fail, ignore)
                     : png_create_read_struct(PNG_LIBPNG_VER_STRING, rows, fail, ignore);
  rows->info = rows->png == NULL ? NULL : png_create_info_struct(rows->png);
  if (rows->info == NULL) {
    snprintf(message, PNG_ROWS_MESSAGE, "libpng does not start");
    png_rows_close(rows);
    return NULL;
  }
  return rows;
}

struct png_rows *png_rows_open(const char *path, struct png_rows_header *header, char *message) {
  struct png_rows *rows = make(path, false, message);
  if (rows == NULL) return NULL;
  if (setjmp(png_jmpbuf(rows->png))) {
    say(rows, message);
    png_rows_close(rows);
    return NULL;
  }
  png_init_io(rows->png, rows->file);
  // Pixels depend on no other chunk, and what is not looked at cannot be bad.
  png_set_keep_unknown_chunks(rows->png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
  png_read_info(rows->png, rows->info);
  header->width = png_get_image_width(rows->png, rows->info);
  header->height = png_get_image_height(rows->png, rows->info);
  header->depth = png_get_bit_depth(rows->png, rows->info) == 16 ? 16 : 8;
  rows->height = header->height;
  return rows;
}

bool png_rows_begin(struct png_rows *rows, int depth, char *message) {
  if (setjmp(png_jmpbuf(rows->png))) return say(rows, message);
  png_structp png = rows->png;
  png_set_palette_to_rgb(png);
  png_set_expand_gray_1_2_4_to_8(png);
  png_set_gray_to_rgb(png);
  png_set_strip_alpha(png);
  if (depth == 8) {
    png_set_scale_16(png);
  } else {
    swap_on_little_endian(png);
  }
  bool interlaced = png_set_interlace_handling(png) > 1;
  png_read_update_info(png, rows->info);
  if (!interlaced) return true;
  size_t stride = png_get_rowbytes(png, rows->info);
  rows->whole = calloc(rows->height, stride);
  rows->pointers = calloc(rows->height, sizeof *rows->pointers);
  if (rows->whole == NULL || rows->pointers == NULL) png_error(png, "no memory");
  for (uint32_t row = 0; row < rows->height; row++) {
    rows->pointers[row] = rows->whole + row * stride;
  }
  png_read_image(png, rows->pointers);
  return true;
}

bool png_rows_read(
    struct png_rows *rows, void *target, size_t count, size_t stride, char *message) {
  if (setjmp(png_jmpbuf(rows->png))) return say(rows, message);
  if (png_get_rowbytes(rows->png, rows->info) != stride || count > rows->height - rows->next) {
    png_error(rows->png, "rows are of another size");
  }
  for (size_t row = 0; row < count; row++, rows->next++) {
    png_bytep place = (png_bytep)target + row * stride;
    if (rows->whole != NULL) {
      memcpy(place, rows->whole + rows->next * stride, stride);
    } else {
      png_read_row(rows->png, place, NULL);
    }
  }
  return true;
}

bool png_rows_end(struct png_rows *rows, char *message) {
  if (setjmp(png_jmpbuf(rows->png))) return say(rows, message);
  png_read_end(rows->png, NULL);
  return true;
}

struct png_rows *png_rows_create(
    const char *path, const struct png_rows_header *header, char *message) {
  struct png_rows *rows = make(path, true, message);
  if (rows == NULL) return NULL;
  if (setjmp(png_jmpbuf(rows->png))) {
    say(rows, message);
    png_rows_close(rows);
    return NULL;
  }
  rows->height = header->height;
  png_init_io(rows->png, rows->file);
  png_set_IHDR(
      rows->png, rows->info, header->width, header->height, header->depth, PNG_COLOR_TYPE_RGB,
      PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_write_info(rows->png, rows->info);
  if (header->depth == 16) swap_on_little_endian(rows->png);
  return rows;
}

bool png_rows_write(
    struct png_rows *rows, const void *source, size_t count, size_t stride, char *message) {
  if (setjmp(png_jmpbuf(rows->png))) return say(rows, message);
  if (png_get_rowbytes(rows->png, rows->info) != stride || count > rows->height - rows->next) {
    png_error(rows->png, "rows are of another size");
  }
  for (size_t row = 0; row < count; row++, rows->next++) {
    png_write_row(rows->png, (png_const_bytep)source + row * stride);
  }
  if (rows->next < rows->height) return true;
  png_write_end(rows->png, NULL);
  if (fflush(rows->file) != 0) png_error(rows->png, "the file cannot be written");
  return true;
}

void png_rows_close(struct png_rows *rows) {
  if (rows == NULL) return;
  if (rows->png != NULL) {
    if (rows->writes) {
      png_destroy_write_struct(&rows->png, &rows->info);
    } else {
      png_destroy_read_struct(&rows->png, &rows->info, NULL);
    }
  }
  if (rows->file != NULL) fclose(rows->file);
  free(rows->whole);
  free(rows->pointers);
  free(rows);
}
