"""A photograph to the six channels that the face encoder reads, and frames back."""

import numpy as np
from PIL import Image

from mouths import FACE_BOX  # noqa: F401  where the face is in golden/media/face.png



def read_image(path):
    """(H, W, 3) float32 in [0, 255]; channels are blue, green, red."""
    rgb = np.asarray(Image.open(path).convert("RGB"), dtype=np.float32)
    return np.ascontiguousarray(rgb[:, :, ::-1])


def write_image(path, image):
    """Blue, green, red values in [0, 255], cut to bytes towards zero."""
    Image.fromarray(np.clip(image, 0, 255).astype(np.uint8)[:, :, ::-1]).save(path)


def taps(start, length, size, limit):
    """Where each of `size` samples of [start, start + length) falls: two indices, one weight."""
    position = start + (np.arange(size, dtype=np.float64) + 0.5) * length / size - 0.5
    position = np.clip(position, 0, limit - 1)
    low = np.floor(position).astype(np.int64)
    return low, np.minimum(low + 1, limit - 1), (position - low).astype(np.float32)


def crop(image, box, size):
    """Bilinear, pixel centres at one half, no smoothing, edges repeated, no rounding."""
    left, top, right, bottom = box
    y0, y1, v = taps(top, bottom - top, size, image.shape[0])
    x0, x1, u = taps(left, right - left, size, image.shape[1])
    u, v = u[None, :, None], v[:, None, None]
    upper = image[y0][:, x0] * (1 - u) + image[y0][:, x1] * u
    lower = image[y1][:, x0] * (1 - u) + image[y1][:, x1] * u
    return (upper * (1 - v) + lower * v).astype(np.float32)


def network_input(face, reference=None):
    """Two (S, S, 3) crops to (6, S, S) in [-1, 1]: `face` without its lower half, `reference`."""
    reference = face if reference is None else reference
    masked, whole = (np.moveaxis(f / 127.5 - 1, 2, 0).astype(np.float32) for f in (face, reference))
    masked[:, masked.shape[1] // 2 :] = 0
    return np.concatenate([masked, whole])


def frame_image(frame):
    """(3, S, S) in [-1, 1] to (S, S, 3) in [0, 255]."""
    return np.moveaxis((frame + 1) * 127.5, 0, 2)
