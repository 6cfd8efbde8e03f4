"""Draws speaking mouths onto faces that have none, on any device.

A mouth is up to five numbers in [0, 1]: opening, spread, rounding, bite (upper teeth on
the lower lip) and tongue. Positions are in the face box: (0, 0) is its upper left corner,
(1, 1) its lower right. Colours are blue, green, red in [0, 1].
"""

import torch
from torch.nn import functional as F

FACE_BOX = (70, 75, 180, 185)  # left, top, right, bottom in golden/media/face.png
MOUTH = (0.49, 0.645)
PHOTOGRAPH, PHOTOGRAPH_AS_IT_IS = 0, 1  # textures, where both are of the photograph
MEASURES = 5


def random_look(identity, generator, amount=1.0):
    """Pose and colours of the faces `identity`; `amount` 0 is the picture exactly in its box.

    Drawn with `generator` where it lives, and moved to where `identity` is.
    """
    count, device = len(identity), identity.device

    def uniform(low, high, *shape):
        made = torch.rand(count, *shape, generator=generator, device=generator.device)
        return (low + (high - low) * made).to(device)

    lips = torch.tensor([0.42, 0.42, 0.72], device=device) * (1 + amount * uniform(-0.08, 0.08, 3))
    return {
        "identity": identity,
        "shift": amount * uniform(-0.05, 0.05, 2),
        "scale": 1 + amount * uniform(-0.12, 0.12),
        "angle": amount * uniform(-0.1, 0.1),
        "mirror": uniform(0, 1) < 0.5 * amount,
        "gain": 1 + amount * uniform(-0.07, 0.07, 3) + amount * uniform(-0.15, 0.15, 1),
        "offset": amount * uniform(-0.06, 0.06, 1),
        "lips": lips,
    }


def nudged(look, generator, amount=0.04):
    """The same face in another moment: a slightly different pose."""
    count, device = len(look["scale"]), look["scale"].device

    def uniform(*shape):
        made = torch.rand(count, *shape, generator=generator, device=generator.device)
        return amount * (2 * made.to(device) - 1)

    shift = uniform(2)
    return {**look, "shift": look["shift"] + shift, "angle": look["angle"] + uniform()}


def chosen(pick, first, second):
    """The looks of `first` where `pick`, else those of `second`."""
    return {k: torch.where(pick.view(-1, *[1] * (v.dim() - 1)), v, second[k])
            for k, v in first.items()}


def repeated(look, times):
    """Each look `times` times over, one after the other."""
    return {k: v.repeat_interleave(times, dim=0) for k, v in look.items()}


def inside_oval(x, y, a, b, pixel):
    """How much of each pixel lies in the oval of half-axes a, b."""
    f = torch.sqrt((x / a) ** 2 + (y / b) ** 2 + 1e-9)
    distance = f * (f - 1) / torch.sqrt((x / a**2) ** 2 + (y / b**2) ** 2 + 1e-9)
    return torch.sigmoid(-distance / (0.3 * pixel))


def positions(look, size):
    """Where in the face box each pixel of the posed face looks, (N, S, S) twice."""
    centre = (torch.arange(size, device=look["scale"].device) + 0.5) / size
    v, u = torch.meshgrid(centre, centre, indexing="ij")
    count = len(look["scale"])
    u, v = u.expand(count, -1, -1), v.expand(count, -1, -1)
    u = torch.where(look["mirror"][:, None, None], 1 - u, u)
    sin, cos = torch.sin(look["angle"])[:, None, None], torch.cos(look["angle"])[:, None, None]
    scale = look["scale"][:, None, None]
    x, y = u - 0.5, v - 0.5
    return (0.5 + scale * (cos * x - sin * y) + look["shift"][:, 0, None, None],
            0.5 + scale * (sin * x + cos * y) + look["shift"][:, 1, None, None])


def render(look, shape, textures, size, as_photographed=None):
    """Faces (N, 3, S, S) in [-1, 1]; where `as_photographed`, with the mouth of the photograph.

    `shape` is (N, 2…5); measures that are not given are zero.
    """
    count = len(shape)
    u, v = positions(look, size)
    scale = look["scale"][:, None, None]
    shape = F.pad(shape, (0, MEASURES - shape.shape[1]))
    opening, spread, rounding, bite, tongue = (shape[:, k, None, None] for k in range(MEASURES))
    identity = look["identity"]
    drawn = torch.ones(count, device=shape.device)
    if as_photographed is not None:
        natural = as_photographed & (identity == PHOTOGRAPH)
        identity = torch.where(natural, PHOTOGRAPH_AS_IT_IS, identity)
        drawn = 1 - natural.float()
    drawn = drawn[:, None, None]

    below = torch.sigmoid((v - MOUTH[1]) / 0.03) * torch.sigmoid((1.0 - v) / 0.03)
    jaw = below * torch.exp(-(((u - MOUTH[0]) / 0.32) ** 4))
    source = v - 0.045 * opening * drawn * jaw
    left, top, right, bottom = FACE_BOX
    extent = textures.shape[-1]
    grid = torch.stack([(left + u * (right - left)) / extent * 2 - 1,
                        (top + source * (bottom - top)) / extent * 2 - 1], dim=-1)
    image = F.grid_sample(textures[identity], grid, padding_mode="border", align_corners=False)

    pixel = scale / size
    half_width = 0.095 + 0.075 * spread + 0.01 * opening - 0.04 * rounding
    half_height = 0.006 + 0.095 * opening * (1 - 0.25 * spread)
    thickness = 0.030 - 0.008 * spread + 0.014 * rounding
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
    white = lips.new_tensor([[0.86, 0.90, 0.93]])
    teeth = torch.sigmoid((-half_height + 0.042 - y) / (0.3 * pixel))
    image = paint(image, white,
                  inside * teeth * inside_oval(x, y * 0, half_width * 0.85, half_height, pixel))
    red = lips.new_tensor([[0.35, 0.32, 0.62]])
    floor = inside_oval(x, y - half_height, half_width * 0.7, half_height * 0.6, pixel)
    image = paint(image, red, inside * floor)
    tip = inside_oval(x, y, half_width * 0.55, half_height * 0.7 + 0.004, pixel)
    image = paint(image, red, tip * tongue)
    image = paint(image, white, bite * inside_oval(
        x, y - half_height - 0.006, half_width * 0.75, thickness * 0.6 + 0 * x, pixel))
    image = image * look["gain"][..., None, None] + look["offset"][..., None, None]
    return image.clamp(0, 1) * 2 - 1


def mouth_weight(look, size):
    """Where the mouth is in the posed face: (N, 1, S, S), 1 at its middle."""
    u, v = positions({**look, "angle": torch.zeros_like(look["angle"])}, size)
    x, y = u - MOUTH[0], v - MOUTH[1]
    return torch.exp(-((x / 0.26) ** 4) - ((y / 0.2) ** 4))[:, None]
