"""Speaks the corpus that the bridge is trained on: words and sentences, with mouth tracks.

    python golden/reference/make_bridge_corpus.py --output FOLDER

writes FOLDER/words.npz and FOLDER/sentences.npz. Spectrograms are kept as bytes.
"""

import argparse
from pathlib import Path

import numpy as np

import bridge_audio
import faces
import speaking_faces
import utterances
import weights

FRAMES, MARGIN = 29, 3  # of a word's clip, and around it for moving the clip in time
SENTENCE_FRAMES = 75
VARIANTS, HELD_OUT_VARIANTS = 30, 6
SENTENCES, HELD_OUT_SENTENCES = 48, 6
DRAWN = 40
HEARD_RANGE = (-80.0, 40.0)  # decibels of bytes 0 and 255
SPOKEN_RANGE = (-1.0, 1.2)


def to_bytes(values, limits):
    low, high = limits
    return np.clip((values - low) / (high - low) * 255 + 0.5, 0, 255).astype(np.uint8)


def clip(utterance, middle, frames, margin):
    """Samples and mouth track of `frames` + 2 · `margin` frames around `middle` seconds."""
    total = frames + 2 * margin
    length = total * utterances.SAMPLE_RATE // utterances.FRAMES_PER_SECOND
    start = middle - total / utterances.FRAMES_PER_SECOND / 2
    first = round(start * utterances.SAMPLE_RATE)
    samples = np.zeros(length, dtype=np.float32)
    low, high = max(first, 0), min(first + length, len(utterance.samples))
    samples[low - first : high - first] = utterance.samples[low:high]
    return samples, first / utterances.SAMPLE_RATE, total


def word_middle(utterance, carrier):
    position = carrier.split().index("{}")
    starts = [*utterance.words]
    begin = starts[position]
    end = starts[position + 1] if position + 1 < len(starts) else utterance.phones[-1].start
    return (begin + end) / 2


def words(speaker, generator, voices, variants):
    rows = []
    for label, word in enumerate(utterances.WORDS):
        for _ in range(variants):
            carrier = utterances.CARRIERS[generator.integers(len(utterances.CARRIERS))]
            said = speaker.speak(
                carrier.format(word), voices[generator.integers(len(voices))],
                generator.integers(115, 190), generator.integers(30, 71), generator.integers(30, 71))
            samples, start, total = clip(said, word_middle(said, carrier), FRAMES, MARGIN)
            track = utterances.mouth_track(
                said.phones, start, total, lead=generator.uniform(0.0, 0.04),
                smoothing=generator.uniform(0.026, 0.038), strength=generator.uniform(0.8, 1.1))
            columns = total * bridge_audio.COLUMNS_PER_FRAME
            noise = 3e-4 * generator.standard_normal(len(samples))  # a recording is never silent
            rows.append((
                label, track, to_bytes(bridge_audio.heard_decibels(samples + noise)[:, :columns], HEARD_RANGE),
                carrier.format(word)))
    return {"label": np.asarray([r[0] for r in rows]), "track": np.stack([r[1] for r in rows]),
            "heard": np.stack([r[2] for r in rows])}


def sentences(speaker, generator, count):
    rows = []
    for who, (voice, rate, pitch) in enumerate(utterances.SPEAKERS):
        for _ in range(count):
            text = utterances.sentence(generator)
            said = speaker.speak(text, voice, rate, pitch, 40)
            end = said.phones[-1].start
            samples, start, total = clip(said, end / 2, SENTENCE_FRAMES, 0)
            noise = 3e-4 * generator.standard_normal(len(samples))
            columns = total * bridge_audio.COLUMNS_PER_FRAME
            rows.append((
                who, utterances.mouth_track(said.phones, start, total),
                to_bytes(bridge_audio.heard_decibels(samples + noise)[:, :columns], HEARD_RANGE),
                to_bytes(bridge_audio.spoken_mel(samples)[:, :columns], SPOKEN_RANGE), text))
    return {"speaker": np.asarray([r[0] for r in rows]), "track": np.stack([r[1] for r in rows]),
            "heard": np.stack([r[2] for r in rows]), "spoken": np.stack([r[3] for r in rows]),
            "text": np.asarray([r[4] for r in rows])}


def both(training, held_out):
    return {**{f"training_{k}": v for k, v in training.items()},
            **{f"held_out_{k}": v for k, v in held_out.items()}}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(7)
    speaker = utterances.Speaker()
    corpus = both(words(speaker, generator, utterances.TRAINING_VOICES, VARIANTS),
                  words(speaker, generator, utterances.HELD_OUT_VOICES, HELD_OUT_VARIANTS))
    np.savez_compressed(arguments.output / "words.npz", **corpus)
    corpus = both(sentences(speaker, generator, SENTENCES),
                  sentences(speaker, generator, HELD_OUT_SENTENCES))
    np.savez_compressed(arguments.output / "sentences.npz", **corpus)
    photograph = faces.read_image(weights.MEDIA / "face.png")
    np.savez_compressed(arguments.output / "faces.npz",
                        faces=speaking_faces.textures(DRAWN, photograph=photograph))


if __name__ == "__main__":
    main()
