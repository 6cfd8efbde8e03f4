"""What a drawn mouth does with each phone of English: shapes over time from phone timings."""

import math

import numpy as np
import torch

PAD = "_"
VOWELS = ("AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW")
CONSONANTS = ("B", "CH", "D", "DH", "F", "G", "HH", "JH", "K", "L", "M", "N", "NG", "P", "R", "S",
              "SH", "T", "TH", "V", "W", "Y", "Z", "ZH")
ARPABET = sorted([*CONSONANTS, *(v + s for v in VOWELS for s in ("", "0", "1", "2"))])
PHONES = (PAD, *ARPABET, "sil", "sp", "spn", "unk")  # a phone's identifier is its place here
VOCABULARY = 90  # one spare

# Opening, spread, rounding, bite, tongue.
SHAPES = {
    "AA": (0.95, 0.35, 0.00, 0.0, 0.00), "AE": (0.85, 0.70, 0.00, 0.0, 0.00),
    "AH": (0.55, 0.40, 0.00, 0.0, 0.00), "AO": (0.80, 0.10, 0.60, 0.0, 0.00),
    "EH": (0.62, 0.62, 0.00, 0.0, 0.00), "ER": (0.40, 0.20, 0.45, 0.0, 0.00),
    "IH": (0.40, 0.62, 0.00, 0.0, 0.00), "IY": (0.28, 0.95, 0.00, 0.0, 0.00),
    "UH": (0.38, 0.10, 0.70, 0.0, 0.00), "UW": (0.25, 0.00, 1.00, 0.0, 0.00),
    "B": (0.00, 0.35, 0.00, 0.0, 0.00), "F": (0.12, 0.45, 0.00, 1.0, 0.00),
    "DH": (0.25, 0.50, 0.00, 0.0, 1.00), "D": (0.22, 0.55, 0.00, 0.0, 0.35),
    "S": (0.12, 0.80, 0.00, 0.0, 0.00), "SH": (0.20, 0.10, 0.75, 0.0, 0.00),
    "L": (0.36, 0.45, 0.00, 0.0, 0.80), "R": (0.28, 0.15, 0.60, 0.0, 0.00),
    "G": (0.35, 0.45, 0.00, 0.0, 0.00), "HH": (0.42, 0.45, 0.00, 0.0, 0.00),
    "W": (0.12, 0.00, 1.00, 0.0, 0.00), "Y": (0.25, 0.80, 0.00, 0.0, 0.00),
    "sil": (0.00, 0.30, 0.00, 0.0, 0.00),
}
SAME = {
    "P": "B", "M": "B", "V": "F", "TH": "DH", "T": "D", "N": "D", "Z": "S", "ZH": "SH",
    "CH": "SH", "JH": "SH", "K": "G", "NG": "G", "sp": "sil", "spn": "sil", "unk": "AH"}
GLIDES = {"AW": ("AA", "UW"), "AY": ("AA", "IY"), "EY": ("EH", "IY"),
          "OW": ("AO", "UW"), "OY": ("AO", "IY")}
INSISTENT = {"B": 4.0, "F": 3.0, "W": 2.0, "SH": 1.5, "DH": 1.5}
SMOOTHING = 0.028  # seconds


def without_stress(phone):
    return phone.rstrip("012")


def viseme(phone):
    """The phone whose shape this phone's mouth has; a glide's first."""
    plain = without_stress(phone)
    plain = GLIDES.get(plain, (plain,))[0]
    return SAME.get(plain, plain)


def targets(phones, ends):
    """Pieces (start, end, weight, shape) of phones that end at these seconds."""
    start = 0.0
    for phone, end in zip(phones, ends):
        plain = without_stress(phone)
        parts = GLIDES.get(plain, (plain,))
        share = (end - start) / len(parts)
        for k, part in enumerate(parts):
            part = SAME.get(part, part)
            yield start + k * share, start + (k + 1) * share, INSISTENT.get(part, 1.0), SHAPES[part]
        start = end


def erf(x):
    return torch.erf(torch.from_numpy(x)).numpy()


def mouth_shapes(phones, ends, times):
    """(len(times), 5): what the mouth does at these seconds, each phone leaning into the next."""
    pieces = list(targets(phones, ends))
    starts, stops, weights = (np.array([p[k] for p in pieces]) for k in range(3))
    shapes = np.array([p[3] for p in pieces])
    starts[0], stops[-1] = -10.0, stops[-1] + 10.0
    scale = SMOOTHING * math.sqrt(2)
    near = erf((stops - times[:, None]) / scale) - erf((starts - times[:, None]) / scale)
    share = near * weights + 1e-12
    return ((share / share.sum(axis=1, keepdims=True)) @ shapes).astype(np.float32)
