"""Faces whose drawn mouth follows speech: what the small network is trained on.

No recording of a speaking face is free to use here, so the frames are made: a
photographed face, or one of a few drawn ones, loses its mouth and gets a drawn one
(lips, dark inside, teeth, tongue) that opens with the loudness of the voiced bands and
spreads or rounds with the balance of the formant bands. Everything is a function of one
mel window, so what a mouth should do can be learned, and measured on held-out speech.

Positions are in the face box: (0, 0) is its upper left corner, (1, 1) its lower right.
Colours are blue, green, red in [0, 1].
"""

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFilter
from torch.nn import functional as F

import faces
import weights

MOUTH = (0.49, 0.645)
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

    def __init__(self, seed=5):
        generator = np.random.default_rng(seed)
        photograph = faces.read_image(weights.MEDIA / "face.png")
        images = [without_mouth(photograph), photograph]
        images += [drawn_face(generator) for _ in range(DRAWN_FACES)]
        stacked = torch.from_numpy(np.stack(images).astype(np.float32)) / 255
        self.textures = stacked.permute(0, 3, 1, 2).contiguous()

    PHOTOGRAPH, PHOTOGRAPH_AS_IT_IS, FIRST_DRAWN = 0, 1, 2


def random_look(count, generator, still=False):
    """Pose, colours and identity of `count` faces. `still`: the photograph exactly in its box."""
    def uniform(low, high, *shape):
        return low + (high - low) * torch.rand(count, *shape, generator=generator)

    amount = 0.0 if still else 1.0
    drawn = torch.rand(count, generator=generator) < 0.25 * amount
    other = torch.randint(Faces.FIRST_DRAWN, Faces.FIRST_DRAWN + DRAWN_FACES, (count,),
                          generator=generator)
    lips = torch.tensor([0.42, 0.42, 0.72]) * (1 + amount * uniform(-0.08, 0.08, 3))
    return {
        "identity": torch.where(drawn, other, 0),
        "shift": amount * uniform(-0.05, 0.05, 2),
        "scale": 1 + amount * uniform(-0.12, 0.12),
        "angle": amount * uniform(-0.1, 0.1),
        "mirror": (torch.rand(count, generator=generator) < 0.5 * amount),
        "gain": 1 + amount * uniform(-0.07, 0.07, 3) + amount * uniform(-0.15, 0.15, 1),
        "offset": amount * uniform(-0.06, 0.06, 1),
        "lips": lips,
    }


def nudged(look, generator, amount=0.04):
    """The same face in another moment: a slightly different pose."""
    count = len(look["scale"])
    shift = amount * (2 * torch.rand(count, 2, generator=generator) - 1)
    angle = amount * (2 * torch.rand(count, generator=generator) - 1)
    return {**look, "shift": look["shift"] + shift, "angle": look["angle"] + angle}


def inside_oval(x, y, a, b, pixel):
    """How much of each pixel lies in the oval of half-axes a, b."""
    f = torch.sqrt((x / a) ** 2 + (y / b) ** 2 + 1e-9)
    distance = f * (f - 1) / torch.sqrt((x / a**2) ** 2 + (y / b**2) ** 2 + 1e-9)
    return torch.sigmoid(-distance / (0.3 * pixel))


def render(look, shape, textures, size, as_photographed=None):
    """Faces (N, 3, S, S) in [-1, 1]; where `as_photographed`, with the mouth of the photograph."""
    count = len(shape)
    centre = (torch.arange(size) + 0.5) / size
    v, u = torch.meshgrid(centre, centre, indexing="ij")
    u, v = u.expand(count, -1, -1), v.expand(count, -1, -1)
    u = torch.where(look["mirror"][:, None, None], 1 - u, u)
    sin, cos = torch.sin(look["angle"])[:, None, None], torch.cos(look["angle"])[:, None, None]
    scale = look["scale"][:, None, None]
    x, y = u - 0.5, v - 0.5
    u = 0.5 + scale * (cos * x - sin * y) + look["shift"][:, 0, None, None]
    v = 0.5 + scale * (sin * x + cos * y) + look["shift"][:, 1, None, None]

    opening, spread = shape[:, 0, None, None], shape[:, 1, None, None]
    identity = look["identity"]
    drawn = torch.ones(count)
    if as_photographed is not None:
        natural = as_photographed & (identity == Faces.PHOTOGRAPH)
        identity = torch.where(natural, Faces.PHOTOGRAPH_AS_IT_IS, identity)
        drawn = 1 - natural.float()
    drawn = drawn[:, None, None]

    below = torch.sigmoid((v - MOUTH[1]) / 0.03) * torch.sigmoid((1.0 - v) / 0.03)
    jaw = below * torch.exp(-(((u - MOUTH[0]) / 0.32) ** 4))
    source = v - 0.045 * opening * drawn * jaw
    left, top, right, bottom = faces.FACE_BOX
    extent = textures.shape[-1]
    grid = torch.stack([(left + u * (right - left)) / extent * 2 - 1,
                        (top + source * (bottom - top)) / extent * 2 - 1], dim=-1)
    image = F.grid_sample(textures[identity], grid, padding_mode="border", align_corners=False)

    pixel = scale / size
    half_width = 0.095 + 0.075 * spread + 0.01 * opening
    half_height = 0.006 + 0.095 * opening * (1 - 0.25 * spread)
    thickness = 0.030 - 0.008 * spread
    x, y = u - MOUTH[0], v - MOUTH[1] - 0.03 * opening

    def paint(image, colour, cover):
        cover = (cover * drawn)[:, None]
        return image * (1 - cover) + colour[..., None, None] * cover

    lips = look["lips"]
    lower = (y > 0).float()
    image = paint(image, lips, inside_oval(
        x, y, half_width + 0.02, half_height + thickness * (1 + 0.25 * lower), pixel))
    inside = inside_oval(x, y, half_width, half_height, pixel)
    image = paint(image, lips.new_tensor([[0.10, 0.07, 0.20]]), inside)
    teeth = torch.sigmoid((-half_height + 0.042 - y) / (0.3 * pixel))
    image = paint(image, lips.new_tensor([[0.86, 0.90, 0.93]]),
                  inside * teeth * inside_oval(x, y * 0, half_width * 0.85, half_height, pixel))
    tongue = inside_oval(x, y - half_height, half_width * 0.7, half_height * 0.6, pixel)
    image = paint(image, lips.new_tensor([[0.35, 0.32, 0.62]]), inside * tongue)
    image = image * look["gain"][..., None, None] + look["offset"][..., None, None]
    return image.clamp(0, 1) * 2 - 1


def mouth_weight(look, size):
    """Where the mouth is in the posed face: (N, 1, S, S), 1 at its middle."""
    centre = (torch.arange(size) + 0.5) / size
    v, u = torch.meshgrid(centre, centre, indexing="ij")
    u, v = u.expand(len(look["scale"]), -1, -1), v.expand(len(look["scale"]), -1, -1)
    u = torch.where(look["mirror"][:, None, None], 1 - u, u)
    x = 0.5 + look["scale"][:, None, None] * (u - 0.5) + look["shift"][:, 0, None, None] - MOUTH[0]
    y = 0.5 + look["scale"][:, None, None] * (v - 0.5) + look["shift"][:, 1, None, None] - MOUTH[1]
    return torch.exp(-((x / 0.26) ** 4) - ((y / 0.2) ** 4))[:, None]
