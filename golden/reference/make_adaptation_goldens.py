"""Writes golden/gradients/denoiser.npz: the trained small denoiser, adapted to two pictures by PyTorch.

    python golden/reference/make_adaptation_goldens.py

The weights are those of golden/families/denoiser. `PICTURE.PRESET` is the answer after five steps (of the last
forward, clamped, in 16 bits), `PICTURE.PRESET.loss` the loss before each update; pictures are those of
golden/media/photographs/held-out, `corner` the first 64 rows and columns of chelsea.
"""

import pathlib
import struct
import zlib

import numpy as np
import onnx
import onnx.numpy_helper
import torch
from PIL import Image

import denoiser

ROOT = pathlib.Path(__file__).resolve().parents[1]
FAMILY, PHOTOGRAPHS = ROOT / "families" / "denoiser", ROOT / "media" / "photographs" / "held-out"
RATE, STEPS = 1e-5, 5


def unfiltered(rows, step=6):
    """The bytes that a PNG's filtered rows stand for (PNG, third edition, 9.2), `step` bytes a pixel."""
    width = rows.shape[1] - 1
    made = np.zeros((len(rows) + 1, width + step), np.int64)
    for y, row in enumerate(rows.astype(np.int64), 1):
        kind, above, line = row[0], made[y - 1], made[y]
        if kind in (0, 2):
            line[step:] = (row[1:] + (above[step:] if kind else 0)) & 255
            continue
        for x in range(step, width + step):
            a, b, c = line[x - step], above[x], above[x - step]
            if kind == 1:
                guess = a
            elif kind == 3:
                guess = (a + b) // 2
            else:
                guess = min((abs(b - c), 0, a), (abs(a - c), 1, b), (abs(a + b - 2 * c), 2, c))[2]
            line[x] = (row[x - step + 1] + guess) & 255
    return np.ascontiguousarray(made[1:, step:]).astype(np.uint8)


def read(path):
    """A picture of 8 bits, or of 16 in RGB without interlace. In [0, 1]."""
    data, place, packed = path.read_bytes(), 8, b""
    while place < len(data):
        length, kind = struct.unpack(">I4s", data[place:place + 8])
        content = data[place + 8:place + 8 + length]
        if kind == b"IHDR":
            width, height, depth = struct.unpack(">IIB", content[:9])
            if depth == 8:
                return np.asarray(Image.open(path).convert("RGB"), np.float32) / np.float32(255)
        elif kind == b"IDAT":
            packed += content
        place += length + 12
    rows = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, 1 + width * 6)
    return unfiltered(rows).view(">u2").reshape(height, width, 3).astype(np.float32) / np.float32(65535)


def load(network, path):
    arrays = {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}
    state = network.state_dict()
    for name in state:
        if name in arrays:
            state[name] = torch.tensor(arrays[name]).reshape(state[name].shape)
        else:
            # The slope that the blocks of the mask share has no name in the file.
            slopes = [a for a in arrays.values() if a.size == 1 and a.dtype == np.float32]
            state[name] = torch.tensor(slopes[0]).reshape(state[name].shape)
    network.load_state_dict(state)
    return network.eval()


def adapt(network, mask, noisy, everything, hard):
    frozen = not everything
    trained = []
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(not frozen)
        if not frozen:
            trained.append(parameter)
        if frozen and "head" in name:
            frozen = False
    optimiser = torch.optim.Adam(trained, lr=RATE)
    with torch.no_grad():
        weights = mask(noisy)
    if hard:
        weights = (weights > 0.5).float()
    losses = []
    for _ in range(STEPS):
        clean, again = network(noisy)
        loss = ((noisy - again).abs() * weights).mean()
        losses.append(loss.item())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return clean.detach().clamp(0, 1), losses


def main():
    torch.set_num_threads(1)
    out = {}
    coffee, chelsea = (read(PHOTOGRAPHS / f"{name}-noisy.png") for name in ("coffee", "chelsea"))
    for name, picture in {"coffee": coffee, "corner": chelsea[:64, :64]}.items():
        noisy = torch.tensor(picture).permute(2, 0, 1)[None]
        for preset, everything in {"heads_hard": False, "all_soft": True}.items():
            network = load(denoiser.RestorationNet(denoiser.SMALL), FAMILY / "restoration-d3.onnx")
            mask = load(denoiser.MaskNet(denoiser.SMALL), FAMILY / "mask-d3.onnx")
            clean, losses = adapt(network, mask, noisy, everything, not everything)
            rows = clean[0].permute(1, 2, 0).numpy()
            out[f"{name}.{preset}"] = np.round(rows * 65535).astype(np.uint16)
            out[f"{name}.{preset}.loss"] = np.array(losses, np.float32)
    np.savez_compressed(ROOT / "gradients" / "denoiser.npz", **out)


if __name__ == "__main__":
    main()
