"""Faces that speak: 256×256 frames as a lip reader expects them, the mouth at (127, 163).

A face is a photographed or drawn one without its mouth; a mouth of four numbers (opening,
spread, upper teeth, tongue: `utterances.mouth_track`) is painted on it. Everything is done
for many frames at a time, on whatever device the textures are.
"""

import numpy as np
import torch
from torch.nn import functional as F

import faces

FRAME_SIZE = 256
MOUTH_IN_FRAME = (127.0, 163.0)
FACE_WIDTH = 170.0  # of the face box, in pixels of a frame
LEFT, TOP, RIGHT, BOTTOM = faces.FACE_BOX
LUMA = (0.299, 0.587, 0.114)
MOUTH = (0.49, 0.645)  # in the face box, as of drawn_faces
SPEAKER_FACES = (0, 5, 9, 13)  # of those who speak sentences


def oval(x, y, a, b, pixel):
    """How much of each pixel lies in the oval of half-axes a, b."""
    f = torch.sqrt((x / a) ** 2 + (y / b) ** 2 + 1e-9)
    distance = f * (f - 1) / torch.sqrt((x / a**2) ** 2 + (y / b**2) ** 2 + 1e-9)
    return torch.sigmoid(-distance / (0.3 * pixel))


def textures(drawn, seed=11, photograph=None):
    """(1 + drawn, 256, 256, 3) bytes, red first: faces without a mouth, the photographed one first."""
    import drawn_faces  # not needed where textures are at hand

    generator = np.random.default_rng(seed)
    images = [] if photograph is None else [drawn_faces.without_mouth(photograph)]
    images += [drawn_faces.drawn_face(generator) for _ in range(drawn)]
    return np.stack([np.clip(i[:, :, ::-1] + 0.5, 0, 255).astype(np.uint8) for i in images])


def looks(count, identities, generator, device="cpu", amount=1.0):
    """What a clip's face is like: identity, pose, lips and light. `amount` 0 is the plain face."""
    def uniform(low, high, *shape):
        return low + (high - low) * torch.rand(count, *shape, generator=generator, device=device)

    middle, spread = torch.tensor([0.72, 0.42, 0.42], device=device), 0.10 * amount
    return {
        "identity": identities,
        "shift": amount * uniform(-0.03, 0.03, 2),
        "scale": 1 + amount * uniform(-0.10, 0.10),
        "angle": amount * uniform(-0.09, 0.09),
        "lips": middle * (1 + uniform(-1, 1, 3) * spread),
        "width": 1 + amount * uniform(-0.15, 0.15),
        "height": 1 + amount * uniform(-0.2, 0.2),
        "thickness": 1 + amount * uniform(-0.3, 0.3),
        "gain": 1 + amount * uniform(-0.2, 0.2),
        "offset": amount * uniform(-0.08, 0.08),
        "noise": amount * uniform(0, 0.03),
    }


def render(look, tracks, images, xs, ys, generator=None):
    """`tracks` (N, T, 4) to (N, T, C, len(ys), len(xs)) in [0, 1].

    `images` is (K, C, 256, 256) in [0, 1] with C = 3 (red first) or 1 (luma); `xs`, `ys` are
    the sampled points, in pixels of the 256×256 frame.
    """
    count, time = tracks.shape[:2]
    device, channels = images.device, images.shape[1]
    y, x = torch.meshgrid(ys.to(device), xs.to(device), indexing="ij")

    def per_clip(name):
        return look[name].view(count, 1, 1)

    # from the frame to the face box: (0, 0) … (1, 1), the mouth at MOUTH
    dx = (x + 0.5 - MOUTH_IN_FRAME[0])[None] / FACE_WIDTH
    dy = (y + 0.5 - MOUTH_IN_FRAME[1])[None] / FACE_WIDTH
    sin, cos = torch.sin(per_clip("angle")), torch.cos(per_clip("angle"))
    scale = per_clip("scale")
    u = MOUTH[0] + scale * (cos * dx - sin * dy) + look["shift"][:, 0].view(-1, 1, 1)
    v = MOUTH[1] + scale * (sin * dx + cos * dy) + look["shift"][:, 1].view(-1, 1, 1)
    pixel = scale / FACE_WIDTH

    def each(values):
        return values.repeat_interleave(time, 0)

    opening, spread, teeth, tongue = (tracks[..., k].reshape(-1, 1, 1) for k in range(4))
    u, v, pixel = each(u), each(v), each(pixel)
    below = torch.sigmoid((v - MOUTH[1]) / 0.03) * torch.sigmoid((1.0 - v) / 0.03)
    jaw = below * torch.exp(-(((u - MOUTH[0]) / 0.32) ** 4))
    source = v - 0.045 * opening * jaw
    extent = images.shape[-1]
    grid = torch.stack([(LEFT + u * (RIGHT - LEFT)) / extent * 2 - 1,
                        (TOP + source * (BOTTOM - TOP)) / extent * 2 - 1], dim=-1)
    image = F.grid_sample(images[each(look["identity"])], grid, padding_mode="border",
                          align_corners=False)

    half_width = (0.085 + 0.085 * spread + 0.012 * opening) * each(per_clip("width"))
    half_height = (0.004 + 0.095 * opening * (1 - 0.2 * spread)) * each(per_clip("height"))
    thickness = (0.034 - 0.012 * spread) * each(per_clip("thickness"))
    x, y = u - MOUTH[0], v - MOUTH[1] - 0.03 * opening

    def paint(image, colour, cover):
        return image * (1 - cover[:, None]) + colour[:, :, None, None] * cover[:, None]

    def colour(*rgb):
        return shade(torch.tensor([rgb], device=device))

    def shade(rgb):
        if channels == 3:
            return rgb
        return (rgb * torch.tensor(LUMA, device=device)).sum(1, keepdim=True)

    image = paint(image, shade(each(look["lips"])), oval(
        x, y, half_width + 0.02, half_height + thickness * (1 + 0.25 * (y > 0).float()), pixel))
    inside = oval(x, y, half_width, half_height + 0.004, pixel)
    image = paint(image, colour(0.20, 0.07, 0.10), inside)
    row = torch.sigmoid((-half_height + 0.012 + 0.034 * teeth - y) / (0.3 * pixel))
    image = paint(image, colour(0.93, 0.90, 0.86),
                  inside * row * teeth * oval(x, y * 0, half_width * 0.85, half_height, pixel))
    tip = oval(x, y - half_height * (1 - 1.1 * tongue), half_width * 0.6,
               half_height * 0.5 + 0.004, pixel)
    image = paint(image, colour(0.74, 0.36, 0.38), inside * tip * (0.3 + 0.7 * tongue))
    # for f and v the teeth rest on the lower lip
    bite = torch.relu(teeth - 0.6) / 0.4 * torch.relu(0.3 - opening) / 0.3
    image = paint(image, colour(0.93, 0.90, 0.86), 0.8 * bite * oval(
        x, y - 0.006, half_width * 0.7, half_height * 0 + 0.008, pixel))
    gain, offset = each(look["gain"].view(-1, 1, 1, 1)), each(look["offset"].view(-1, 1, 1, 1))
    image = image * gain + offset
    if generator is not None:
        amount = each(look["noise"].view(-1, 1, 1, 1))
        image = image + amount * torch.randn(image.shape, generator=generator, device=device)
    return image.clamp(0, 1).view(count, time, channels, *image.shape[-2:])


def crop_points(size=112, left=59.0, top=95.0, extent=136.0, jitter=(0.0, 0.0)):
    """Points of the crop that the lip reader takes: columns 59–195, rows 95–231, to `size`."""
    step = extent / size
    at = (torch.arange(size) + 0.5) * step - 0.5
    return left + jitter[0] + at, top + jitter[1] + at


def whole_points():
    at = torch.arange(FRAME_SIZE, dtype=torch.float32)
    return at, at
