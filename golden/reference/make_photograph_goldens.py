"""Makes golden/media/photographs: clean and noisy photographs, and how far they are apart.

    python golden/reference/make_photograph_goldens.py --images FOLDER

FOLDER holds astronaut, brick, chelsea, coffee and grass of scikit-image. `held-out` is what the denoiser
never saw in training; `calibration` it did. Noise is that of camera_noise.py; PSNR and SSIM are
scikit-image's.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from skimage import metrics

import camera_noise
import png_file

OUTPUT = Path(__file__).resolve().parents[1] / "media" / "photographs"


def noisy(clean, shot, seed):
    generator = torch.Generator().manual_seed(seed)
    picture = torch.from_numpy(clean).permute(2, 0, 1)[None]
    levels = torch.tensor([shot]), torch.tensor([shot * 0.03])
    return camera_noise.camera(picture, *levels, generator)[0].permute(1, 2, 0).numpy()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=Path, required=True)
    arguments = parser.parse_args()
    (OUTPUT / "calibration").mkdir(parents=True, exist_ok=True)
    (OUTPUT / "held-out").mkdir(exist_ok=True)

    def crop(name, top, left, height, width):
        picture = np.asarray(Image.open(arguments.images / f"{name}.png").convert("RGB"), dtype=np.float32)
        return picture[top : top + height, left : left + width] / 255

    quality = {}
    for name, top, left, height, width, shot in (
            ("chelsea", 30, 100, 256, 256, 4e-3), ("coffee", 100, 150, 77, 101, 1.2e-2)):
        clean = crop(name, top, left, height, width)
        deep = name == "coffee"
        scale = 65535 if deep else 255
        values = np.round(noisy(clean, shot, 7) * scale).astype(np.uint16 if deep else np.uint8)
        if deep:
            png_file.write(OUTPUT / "held-out" / f"{name}-noisy.png", values, 16)
            png_file.write(OUTPUT / "held-out" / f"{name}.png", np.round(clean * scale), 16)
        else:
            Image.fromarray(values).save(OUTPUT / "held-out" / f"{name}-noisy.png")
            Image.fromarray(np.round(clean * 255).astype(np.uint8)).save(OUTPUT / "held-out" / f"{name}.png")
        a, b = values.astype(np.float64) / scale, np.round(clean * scale).astype(np.float64) / scale
        quality[name] = {
            "psnr": metrics.peak_signal_noise_ratio(b, a, data_range=1),
            "ssim": metrics.structural_similarity(
                b, a, data_range=1, channel_axis=2, gaussian_weights=True, sigma=1.5,
                use_sample_covariance=False),
            "first": [int(v) for v in values[0, 0]], "last": [int(v) for v in values[-1, -1]],
            "sum": int(values.astype(np.int64).sum())}
    for k, (name, top, left) in enumerate((("astronaut", 60, 180), ("brick", 0, 0), ("grass", 64, 64), ("astronaut", 300, 60))):
        picture = noisy(crop(name, top, left, 128, 128), 1e-3 * 4**(k % 3), 20 + k)
        Image.fromarray(np.round(picture * 255).astype(np.uint8)).save(OUTPUT / "calibration" / f"{k}-{name}.png")
    (OUTPUT / "quality.json").write_text(json.dumps(quality, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
