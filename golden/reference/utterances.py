"""Synthetic speech with the time of every phone, and what a mouth does with it.

Speech is espeak-ng's. `speak` gives samples and phones, `mouth_track` four numbers for each video
frame: opening, spread, upper teeth and tongue.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage, signal

import espeak

SAMPLE_RATE = 16_000
FRAMES_PER_SECOND = 25


@dataclass(frozen=True)
class Phone:
    name: str  # espeak's own spelling, without stress
    start: float  # seconds
    end: float


@dataclass(frozen=True)
class Utterance:
    text: str
    samples: np.ndarray  # float32, 16 kHz, mono
    phones: tuple[Phone, ...]
    words: tuple[float, ...]  # where each word starts, in seconds


class Speaker:
    """espeak-ng, once a process."""

    def __init__(self):
        self.synthesiser = espeak.Synthesiser(espeak.RETRIEVAL, 0)

    def speak(self, text, voice="en-us", rate=165, pitch=50, pitch_range=50) -> Utterance:
        self.synthesiser.voice(voice, rate, pitch, pitch_range)
        raw, marks, words = self.synthesiser.say(text)
        samples = signal.resample_poly(raw, SAMPLE_RATE // 50, self.synthesiser.sample_rate // 50)
        end = len(samples) / SAMPLE_RATE
        phones = []
        for k, (name, at) in enumerate(marks):
            until = marks[k + 1][1] if k + 1 < len(marks) else end
            phones.append(Phone(name.strip("',%=_:|;") or "_", at, until))
        return Utterance(text, samples.astype(np.float32), tuple(phones), tuple(words))


# opening, spread, teeth, tongue, weight: how much a phone insists on its shape
SHAPES = {
    "_": (0.03, 0.45, 0.0, 0.0, 0.6),
    "bilabial": (0.0, 0.42, 0.0, 0.0, 4.0),
    "labiodental": (0.12, 0.5, 1.0, 0.0, 3.0),
    "dental": (0.22, 0.55, 0.7, 1.0, 2.0),
    "alveolar": (0.20, 0.62, 0.75, 0.25, 0.9),
    "lateral": (0.34, 0.55, 0.4, 0.9, 1.3),
    "sibilant": (0.14, 0.72, 1.0, 0.0, 1.6),
    "postalveolar": (0.24, 0.12, 0.9, 0.0, 2.2),
    "velar": (0.28, 0.5, 0.3, 0.1, 0.6),
    "glottal": (0.30, 0.5, 0.2, 0.1, 0.2),
    "w": (0.12, 0.0, 0.0, 0.0, 2.6),
    "r": (0.22, 0.18, 0.3, 0.1, 1.6),
    "i": (0.26, 1.0, 0.7, 0.1, 1.4),
    "I": (0.32, 0.8, 0.55, 0.1, 1.0),
    "e": (0.48, 0.82, 0.5, 0.15, 1.2),
    "a": (0.85, 0.72, 0.45, 0.3, 1.4),
    "A": (1.0, 0.5, 0.25, 0.3, 1.4),
    "V": (0.62, 0.52, 0.3, 0.2, 1.1),
    "O": (0.72, 0.12, 0.1, 0.1, 1.5),
    "U": (0.34, 0.12, 0.1, 0.0, 1.3),
    "u": (0.22, 0.0, 0.0, 0.0, 1.7),
    "@": (0.40, 0.5, 0.3, 0.15, 0.6),
    "3": (0.38, 0.3, 0.3, 0.1, 1.0),
}
CONSONANTS = {
    "p": "bilabial", "b": "bilabial", "m": "bilabial", "f": "labiodental", "v": "labiodental",
    "T": "dental", "D": "dental", "t": "alveolar", "d": "alveolar", "n": "alveolar", "*": "alveolar",
    "l": "lateral", "s": "sibilant", "z": "sibilant", "S": "postalveolar", "Z": "postalveolar",
    "k": "velar", "g": "velar", "N": "velar", "x": "velar", "h": "glottal", "?": "glottal",
    "j": "I", "w": "w", "r": "r", "R": "r"}
VOWELS = {
    "i": "i", "I": "I", "e": "e", "E": "e", "a": "a", "A": "A", "V": "V", "O": "O", "0": "O",
    "o": "O", "U": "U", "u": "u", "@": "@", "3": "3"}


def shapes_of(name):
    """One or two shapes that a phone goes through, by the letters of its espeak name."""
    if name == "_":
        return [SHAPES["_"]]
    if name[:2] in ("tS", "dZ"):
        return [SHAPES["alveolar"], SHAPES["postalveolar"]]
    found = []
    for letter in name:
        kind = CONSONANTS.get(letter) or VOWELS.get(letter)
        if kind and (not found or found[-1] is not SHAPES[kind]):
            found.append(SHAPES[kind])
    return found[:2] or [SHAPES["@"]]


def mouth_track(phones, start, frames, lead=0.02, smoothing=0.032, strength=1.0):
    """(frames, 4) float32 of the frames from `start` seconds on, one every 40 ms.

    Each phone pulls the mouth to its shape with its weight; a Gaussian in time joins them.
    """
    rate = 200
    margin = 0.4
    first = start - margin
    count = int((frames / FRAMES_PER_SECOND + 2 * margin) * rate)
    times = first + (np.arange(count) + 0.5) / rate
    rest = np.asarray(SHAPES["_"])
    values = np.tile(rest[:4], (count, 1))
    weights = np.full(count, rest[4])
    for phone in phones:
        shapes = shapes_of(phone.name)
        length = (phone.end - phone.start) / len(shapes)
        for k, shape in enumerate(shapes):
            low = phone.start - lead + k * length
            inside = (times >= low) & (times < low + length)
            values[inside] = shape[:4]
            weights[inside] = shape[4]
    sigma = smoothing * rate
    weight = ndimage.gaussian_filter1d(weights, sigma)
    smooth = ndimage.gaussian_filter1d(values * weights[:, None], sigma, axis=0) / weight[:, None]
    smooth[:, 0] *= strength
    at = ((margin + (np.arange(frames) + 0.5) / FRAMES_PER_SECOND) * rate).astype(int)
    return np.clip(smooth[at], 0, 1).astype(np.float32)


WORDS = (
    "about", "after", "before", "believe", "change", "family", "father", "happy", "music",
    "morning", "nothing", "number", "people", "power", "question", "seven", "should", "summer",
    "thousand", "voice", "water", "welcome", "world", "yellow")
CARRIERS = ("{}", "a {}", "the {} is", "say {} now", "my {} was", "this {} here", "one {} more")
TRAINING_VOICES = (
    "en-us", "en-us+m1", "en-us+m3", "en-us+m4", "en-us+m7", "en-us+f1", "en-us+f2", "en-us+f4",
    "en", "en+m2", "en+f3", "en-gb-x-rp+m8", "en-us+Annie", "en-us+Mike", "en+Alicia")
HELD_OUT_VOICES = ("en-us+m5", "en+m6", "en-us+f5", "en-gb-x-rp+Andy")

# sentences in the manner of GRID: command, colour, preposition, letter, digit, adverb
COMMANDS = ("bin", "lay", "place", "set")
COLOURS = ("blue", "green", "red", "white")
PREPOSITIONS = ("at", "by", "in", "with")
LETTERS = "a b c d e f g h i j k l m n o p q r s t u v x y z".split()
DIGITS = "zero one two three four five six seven eight nine".split()
ADVERBS = ("again", "now", "please", "soon")
SENTENCE_PARTS = (COMMANDS, COLOURS, PREPOSITIONS, LETTERS, DIGITS, ADVERBS)
# who speaks sentences: voice, rate, pitch; each has a face of its own
SPEAKERS = (("en-us+m3", 95, 45), ("en+f2", 100, 55), ("en-us+m7", 90, 35), ("en-us+f4", 98, 60))


def sentence(generator):
    return " ".join(part[generator.integers(len(part))] for part in SENTENCE_PARTS)
