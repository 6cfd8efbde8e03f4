"""Makes the goldens of media preparation in golden/media: mel, resampling, face input.

    python golden/reference/make_media_goldens.py
"""

import numpy as np
import soundfile
from PIL import Image
from scipy import signal

import faces
import mel
import png_file
import weights

MEL_SPEECH = ("librivox_0880", "sphinx_goforward")
RESAMPLED_SPEECH = "cards_001"
FOREIGN_RATE = 22_050


def write_kinds(folder):
    """PNG files of every kind, and the red, green and blue of their pixels."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(3)

    def samples(channels, depth):
        return generator.integers(0, 2**depth, (11, 13, channels))

    pixels = {}
    indexed = Image.fromarray(samples(3, 8).astype(np.uint8)).quantize(9)
    indexed.save(folder / "palette.png", transparency=2)
    pixels["palette"] = np.asarray(indexed.convert("RGB"))
    for name, channels, depth, interlaced in (
            ("grey-4", 1, 4, False), ("grey-alpha", 2, 8, False), ("colour-alpha", 4, 8, False),
            ("deep-alpha", 4, 16, False), ("interlaced", 3, 8, True)):
        picture = samples(channels, depth)
        png_file.write(folder / f"{name}.png", picture, depth, interlaced)
        colours = picture[:, :, : channels - 1 + channels % 2] * (17 if depth == 4 else 1)
        pixels[name] = np.broadcast_to(colours, (*picture.shape[:2], 3))
    np.savez(folder / "pixels.npz", **{k: v.astype(np.int64) for k, v in pixels.items()})


def main():
    write_kinds(weights.MEDIA / "kinds")
    folder = weights.MEDIA / "mel"
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "filterbank.npz", filterbank=mel.filterbank())
    for name in MEL_SPEECH:
        samples = mel.read_speech(weights.MEDIA / "speech" / f"{name}.wav")
        spectrogram = mel.mel_spectrogram(samples)
        starts = np.asarray(mel.window_starts(spectrogram.shape[1]), dtype=np.int64)
        np.savez(folder / f"{name}.npz", mel=spectrogram, window_starts=starts)

    folder = weights.MEDIA / "resampling"
    folder.mkdir(parents=True, exist_ok=True)
    samples = mel.read_speech(weights.MEDIA / "speech" / f"{RESAMPLED_SPEECH}.wav")
    raised = signal.resample_poly(
        samples.astype(np.float64), FOREIGN_RATE, mel.SAMPLE_RATE, window=("kaiser", 12.0))
    stereo = np.stack([raised * 1.25, raised * 0.75], axis=1)  # their mean is the recording
    path = folder / f"{RESAMPLED_SPEECH}-{FOREIGN_RATE}-stereo.wav"
    soundfile.write(path, stereo, FOREIGN_RATE, subtype="PCM_16")
    returned = mel.read_speech(path)
    np.savez(folder / f"{RESAMPLED_SPEECH}.npz", samples=returned,
             mel=mel.mel_spectrogram(returned))
    count = min(len(samples), len(returned))
    error = returned[:count] - samples[:count]
    print(f"resampling there and back: {len(samples)} and {len(returned)} samples, "
          f"{10 * np.log10(np.mean(samples**2) / np.mean(error**2)):.1f} dB")

    photograph = faces.read_image(weights.MEDIA / "face.png")
    face = faces.crop(photograph, faces.FACE_BOX, 64)
    np.savez(weights.MEDIA / "face-64.npz", faces=faces.network_input(face)[None])
    grey = Image.open(weights.MEDIA / "face.png").convert("L").resize((64, 64))
    grey.save(weights.MEDIA / "grey.png", optimize=True)


if __name__ == "__main__":
    main()
