"""Real inputs for scripts/real-models: recordings, pictures and text of this repository.

Each function yields the inputs of one sample after the other, as dictionaries of arrays by
input name. A value that is a `Carried` is the named output of the sample before.
"""

import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).resolve().parent.parent
SPEECH = ROOT / "golden" / "media" / "speech"
FACE = ROOT / "golden" / "media" / "face.png"
RATE = 16_000


@dataclass
class Carried:
    """The output `name` of the sample before; `first` in the first sample."""

    name: str
    first: np.ndarray


# Recordings


def speech(name):
    """A recording of 16-bit mono samples in [-1, 1)."""
    with wave.open(str(SPEECH / f"{name}.wav")) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE)
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    return samples.astype(np.float32) / 32768


def at_rate(samples, rate):
    """The same sound at another rate, by straight lines between samples."""
    count = int(len(samples) * rate / RATE)
    return np.interp(np.arange(count) * RATE / rate, np.arange(len(samples)), samples).astype(
        np.float32)


def of_length(samples, count):
    """Repeated or cut to `count` samples."""
    return np.resize(samples, count)


def power_frames(samples, transform, hop, window):
    """Power spectra of windows that lie `hop` apart: frames × bins."""
    count = 1 + (len(samples) - len(window)) // hop
    starts = np.arange(count)[:, None] * hop + np.arange(len(window))[None, :]
    return np.abs(np.fft.rfft(samples[starts] * window, transform)) ** 2


def mel_weights(rate, transform, bands):
    """Triangles of equal area, equally spaced on Slaney's mel scale: bins × bands."""

    def hertz(mel):
        return np.where(mel < 15, mel * 200 / 3, 1000 * 6.4 ** ((mel - 15) / 27))

    top = 15 + 27 * np.log(rate / 2 / 1000) / np.log(6.4)
    edges = hertz(np.linspace(0, top, bands + 2))
    bins = np.linspace(0, rate / 2, transform // 2 + 1)[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    return np.maximum(0, np.minimum(rising, falling)) * 2 / (edges[2:] - edges[:-2])


def mel_decibels(samples, rate, transform, hop, bands):
    """Mel bands in decibels under the loudest, as quality predictors want them: frames × bands."""
    padded = np.pad(samples, transform // 2)
    power = power_frames(padded, transform, hop, np.hanning(transform + 1)[:-1])
    mel = np.maximum(power @ mel_weights(rate, transform, bands), 1e-10)
    decibels = 10 * np.log10(mel / mel.max())
    return ((np.maximum(decibels, -80) + 40) / 40).astype(np.float32)


def quality_waveform(_):
    for name in ["sphinx_goforward", "librivox_0880", "cards_001"]:
        yield {"input_1": of_length(speech(name), 144_160)[None]}


def quality_spectrogram(frames, transform, hop, bands):
    def samples(_):
        for name in ["sphinx_goforward", "librivox_0880", "cards_001"]:
            sound = of_length(speech(name), frames * hop + transform)
            yield {"input_1": mel_decibels(sound, RATE, transform, hop, bands)[None, :frames]}
    return samples


def quality_power(_):
    """Log power of 320-point transforms."""
    for name in ["sphinx_goforward", "librivox_0880", "cards_001"]:
        power = power_frames(of_length(speech(name), 901 * 160 + 320), 320, 160, np.hanning(320))
        yield {"input_1": np.log10(np.maximum(power[:901], 1e-12)).astype(np.float32)[None]}


def echo_quality(rate, hidden, has_scenario):
    """Far end, microphone and enhanced signal of a call, the microphone hearing the far end."""
    def samples(_):
        for far, near in [("librivox_0880", "sphinx_goforward"), ("librivox_0870", "cards_001")]:
            count = int(2.5 * rate)
            far = of_length(at_rate(speech(far), rate), count)
            near = of_length(at_rate(speech(near), rate), count)
            echo = 0.3 * np.roll(far, rate // 20)
            transform = 512 * rate // 16_000
            bands = [mel_decibels(x, rate, transform, transform // 2, 160)
                     for x in (far, near + echo, near + 0.1 * echo)]
            if has_scenario:
                mark = np.concatenate([np.ones((20, 160)), np.zeros((20, 160))])
                bands = [np.concatenate([b, mark]) for b in bands]
            yield {"input": np.stack(bands).astype(np.float32)[None],
                   "h0": np.zeros((4, 1, hidden), np.float32)}
    return samples


def loss_quality(_):
    """Log power spectra, and an imagined listener."""
    listeners = np.random.default_rng(1)
    for name in ["sphinx_goforward", "cards_001"]:
        sound = np.pad(speech(name)[:80_000], (256, 256))
        power = power_frames(sound, 512, 256, np.hamming(513)[:-1])
        yield {"degraded_audio": (np.log(np.maximum(power, 1e-12)) / 20).astype(np.float32)[None, None],
               "rater_embed": listeners.standard_normal((1, 64)).astype(np.float32)}


def pitch(_):
    for name in ["sphinx_numbers", "librivox_0890"]:
        sound = at_rate(speech(name), 22_050)
        yield {"serving_default_input_2:0": of_length(sound, 43_844)[None, :, None]}


def speaker(_):
    """Windows of log mel bands; as many as the recording has."""
    for name in ["librivox_0870", "sphinx_goforward"]:
        window = np.pad(np.hamming(401)[:-1], (56, 56))
        power = power_frames(speech(name)[:5 * RATE], 512, 160, window)
        mel = np.log10(power @ mel_weights(RATE, 512, 40) + 1e-10).astype(np.float32)
        starts = range(0, len(mel) - 80 + 1, 40)
        yield {"mel_window": np.stack([mel[s:s + 80] for s in starts])}


def voice_filter(_):
    """A frame of speech at a time with the four last frames' bands; the state is carried."""
    window = np.pad(np.hanning(640), (0, 560))
    power = power_frames(speech("sphinx_goforward")[:2 * RATE], 1200, 160, window)
    mel = np.log(power @ mel_weights(RATE, 1200, 128) + 1e-6).astype(np.float32)
    mel = np.concatenate([np.zeros((3, 128), np.float32), mel])
    voice = np.random.default_rng(1).standard_normal((1, 256)).astype(np.float32)
    voice /= np.linalg.norm(voice)
    rest = np.zeros((3, 1, 512), np.float32)
    for frame in range(len(mel) - 3):
        yield {"stacked_logmel": mel[frame:frame + 4].reshape(1, 1, 512), "dvec": voice,
               "h0": Carried("hN", rest), "c0": Carried("cN", rest)}


def voice_activity(rate, names=("input", "state"), has_rate=True):
    """Thirty-two milliseconds at a time after the end of the chunk before; the state is carried."""
    def samples(_):
        chunk, context = 512 * rate // RATE, 64 * rate // RATE
        sound = speech("sphinx_goforward")[::RATE // rate]
        sound = np.concatenate([np.zeros(context, np.float32), sound])
        for start in range(0, len(sound) - chunk - context + 1, chunk):
            inputs = {names[0]: sound[start:start + chunk + context][None],
                      names[1]: Carried("stateN", np.zeros((2, 1, 128), np.float32))}
            if has_rate:
                inputs["sr"] = np.array(rate, np.int64)
            yield inputs
    return samples


def voice_activity_sequence(_):
    """Two seconds at a time; the state is carried."""
    sound = np.concatenate([np.zeros(64, np.float32), speech("librivox_0880")])
    starts = np.arange((len(sound) - 64) // 512)[:, None] * 512
    chunks = sound[starts + np.arange(576)[None, :]]
    rest = np.zeros((1, 1, 128), np.float32)
    for start in range(0, len(chunks), 62):
        yield {"input": chunks[start:start + 62], "h": Carried("hn", rest),
               "c": Carried("cn", rest)}


# Text and pictures


def file_kinds(_):
    """The first and the last bytes of files, 256 where there are none; one at a time and together."""
    files = ["README.md", "Package.swift", "scripts/demo", "Sources/CKernels/dispatch.c",
             "golden/media/face.png", "golden/media/speech/cards_001.wav",
             "scripts/conformance-data", "LICENSE"]
    rows = []
    for path in files:
        data = (ROOT / path).read_bytes()
        head, tail = data[:4096].lstrip()[:1024], data[-4096:].rstrip()[-1024:]
        row = np.full(2048, 256, np.int32)
        row[:len(head)] = list(head)
        row[2048 - len(tail):] = list(tail)
        rows.append(row)
    for row in rows[:4]:
        yield {"bytes": row[None]}
    yield {"bytes": np.stack(rows)}


LINES = ["Convert a network, prove it,", "run it anywhere.", "No. 48 / 192, 7.50 EUR",
         "THE SAME BITS EVERYWHERE"]


def line_picture(text, height):
    """A line of black text on grey paper."""
    font = ImageFont.load_default(height * 0.66)
    width = int(font.getlength(text)) + height // 2
    picture = Image.new("RGB", (width, height), (222, 220, 214))
    ImageDraw.Draw(picture).text((height // 4, height * 0.12), text, (24, 22, 30), font)
    return picture


def channels(picture, mean=0.5, deviation=0.5):
    """A picture as blue, green and red planes."""
    pixels = np.asarray(picture, np.float32)[:, :, ::-1] / 255
    return ((pixels - mean) / deviation).transpose(2, 0, 1).astype(np.float32)


def text_directions(_):
    """Lines upright and upside down, alone and together, and part of a photograph."""
    crops = []
    for text in LINES:
        picture = line_picture(text, 48).resize((192, 48), Image.Resampling.BILINEAR)
        crops += [channels(picture), channels(picture.rotate(180))]
    photograph = Image.open(FACE).convert("RGB").crop((0, 100, 256, 164)).resize((192, 48))
    yield {"x": crops[0][None]}
    yield {"x": np.stack(crops)}
    yield {"x": channels(photograph)[None]}


def text_lines(_):
    """Lines at their own widths, and two that are filled up to one width."""
    crops = [channels(line_picture(text, 48)) for text in LINES]
    for crop in crops[:2]:
        yield {"x": crop[None]}
    width = max(crop.shape[2] for crop in crops[2:])
    yield {"x": np.stack([np.pad(c, ((0, 0), (0, 0), (0, width - c.shape[2])))
                          for c in crops[2:]])}


def text_pages(_):
    """A page with a photograph and lines of text, in two sizes."""
    for width, height in [(320, 224), (416, 320)]:
        page = Image.new("RGB", (width, height), (240, 238, 230))
        face = Image.open(FACE).convert("RGB").resize((96, 96))
        page.paste(face, (width - 104, 8))
        for number, text in enumerate(LINES):
            page.paste(line_picture(text, 28), (8, 12 + 44 * number))
        yield {"x": channels(page, np.array([0.485, 0.456, 0.406], np.float32),
                             np.array([0.229, 0.224, 0.225], np.float32))[None]}
