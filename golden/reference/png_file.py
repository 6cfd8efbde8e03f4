"""PNG files of kinds that Pillow does not write: 16 bits of colour, fewer than 8 of grey, interlaced."""

import struct
import zlib

import numpy as np

COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # by channels
# first row and column, and steps, of the seven passes
PASSES = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))


def packed(rows, depth):
    """Each row after a byte that says that it is not filtered."""
    for row in rows:
        if depth == 16:
            yield b"\0" + row.astype(">u2").tobytes()
        else:
            bits = np.unpackbits(row.astype(np.uint8).reshape(-1, 1), axis=1)[:, 8 - depth :]
            yield b"\0" + np.packbits(bits).tobytes()


def write(path, picture, depth, interlaced=False):
    """`picture` is (height, width, channels) of integers."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width, channels = picture.shape
    parts = [picture]
    if interlaced:
        parts = [picture[top::down, left::right] for top, left, down, right in PASSES]
    data = b"".join(b"".join(packed(p, depth)) for p in parts if p.size)
    header = struct.pack(">IIBBBBB", width, height, depth, COLOUR_TYPES[channels], 0, 0, int(interlaced))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
                     + chunk(b"IDAT", zlib.compress(data, 9)) + chunk(b"IEND", b""))
