"""Faces whose drawn mouth follows speech: what the small network is trained on.

No recording of a speaking face is free to use here, so the frames are made: a
photographed face, or one of a few drawn ones, loses its mouth and gets a drawn one
(lips, dark inside, teeth, tongue) that opens with the loudness of the voiced bands and
spreads or rounds with the balance of the formant bands. Everything is a function of one
mel window, so what a mouth should do can be learned, and measured on held-out speech.
"""

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFilter

import faces
import mouths
import weights
from mouths import MOUTH

DRAWN_FACES = 6


def mouth_shape(windows):
    """Mel windows (…, 1, 80, 16) to (…, 2): opening and spread, each in [0, 1]."""
    columns = torch.arange(16, dtype=windows.dtype)
    weight = torch.clamp(1 - (columns - 3).abs() / 5, min=0)  # about 40 ms into the window
    bands = (windows[..., 0, :, :] * (weight / weight.sum())).sum(-1)
    voiced, low, middle = (bands[..., a:b].mean(-1) for a, b in ((2, 30), (4, 24), (30, 52)))
    opening = torch.clamp((voiced + 2.9) / 2.5, 0, 1)
    spread = torch.clamp((middle - low + 1.3) / 2.0, 0, 1)
    return torch.stack([opening, spread], dim=-1)


def without_mouth(image):
    """The photograph with skin spread over its mouth from all around it."""
    left, top, right, bottom = faces.FACE_BOX
    y, x = np.mgrid[: image.shape[0], : image.shape[1]].astype(np.float32)
    u, v = (x + 0.5 - left) / (right - left), (y + 0.5 - top) / (bottom - top)
    inside = (((u - MOUTH[0]) / 0.235) ** 2 + ((v - MOUTH[1] - 0.005) / 0.105) ** 2 < 1)[..., None]
    filled = np.where(inside, image[~inside[..., 0]].mean(0), image)
    for _ in range(1500):
        around = sum(np.roll(filled, s, axis=a) for s in (-1, 1) for a in (0, 1)) / 4
        filled = np.where(inside, around, filled)
    return filled


def drawn_face(generator, size=256):
    """A plain face without a mouth, laid out as the photograph is."""
    left, top, right, bottom = faces.FACE_BOX

    def at(u, v):
        return left + u * (right - left), top + v * (bottom - top)

    def oval(u, v, a, b, fill):
        draw.ellipse([*at(u - a, v - b), *at(u + a, v + b)], fill=fill)

    def colour(*ranges):
        return tuple(int(generator.uniform(*r)) for r in ranges)

    tone = generator.uniform(0.35, 1.0)
    skin = tuple(int(c * tone) for c in (245, 200 + generator.uniform(-15, 15), 170))
    shade = tuple(int(c * 0.85) for c in skin)
    hair = colour((20, 200), (15, 150), (10, 90))
    image = Image.new("RGB", (size, size), colour((60, 220), (60, 220), (60, 220)))
    draw = ImageDraw.Draw(image)
    oval(0.5, 0.25, 0.66, 0.62, hair)
    draw.rectangle([*at(0.3, 0.8), *at(0.7, 1.4)], fill=shade)
    draw.rectangle([0, at(0, 1.15)[1], size, size], fill=colour((30, 200), (30, 200), (30, 200)))
    oval(0.5, 0.5, generator.uniform(0.40, 0.46), 0.50, skin)
    oval(0.5, 0.06, 0.42, 0.17, hair)
    for side in (-1, 1):
        oval(0.5 + side * 0.18, 0.31, 0.075, 0.035, (245, 245, 240))
        oval(0.5 + side * 0.18, 0.31, 0.032, 0.034, colour((20, 90), (20, 90), (20, 90)))
        oval(0.5 + side * 0.18, 0.23, 0.09, 0.014, hair)
        oval(0.5 + side * 0.04, 0.485, 0.018, 0.012, shade)
    oval(0.5, 0.46, 0.05, 0.03, tuple(int(c * 0.93) for c in skin))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(1.2)), dtype=np.float32)[:, :, ::-1]


class Faces:
    """Identities without a mouth, and the photograph as it is, ready to be posed."""

    def __init__(self, seed=5, drawn=DRAWN_FACES):
        generator = np.random.default_rng(seed)
        photograph = faces.read_image(weights.MEDIA / "face.png")
        images = [without_mouth(photograph), photograph]
        images += [drawn_face(generator) for _ in range(drawn)]
        stacked = torch.from_numpy(np.stack(images).astype(np.float32)) / 255
        self.textures = stacked.permute(0, 3, 1, 2).contiguous()

    FIRST_DRAWN = 2


def random_look(count, generator, still=False):
    """Pose, colours and identity of `count` faces. `still`: the photograph exactly in its box."""
    amount = 0.0 if still else 1.0
    drawn = torch.rand(count, generator=generator) < 0.25 * amount
    other = torch.randint(Faces.FIRST_DRAWN, Faces.FIRST_DRAWN + DRAWN_FACES, (count,),
                          generator=generator)
    identity = torch.where(drawn, other, mouths.PHOTOGRAPH)
    return mouths.random_look(identity, generator, amount)
