"""Draws what was measured while each small network was trained, from the logs, over the steps.

    python golden/reference/draw_losses.py [--output golden/pictures/training.png]
"""

import argparse
import re
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

HERE = Path(__file__).resolve().parent
# Title; log; where its lines begin and end (None: the log's first or last); what is drawn.
COURSES = (
    ("audio-lip memory, words of cards", "train-log.txt", None, "800 steps", ("audio", "store", "align")),
    ("audio-lip memory, sentences", "train-speaking-log.txt", "== memory", "== context", ("image", "store", "align")),
    ("context-aware", "train-speaking-log.txt", "== context", "== text", ("unit", "image")),
    ("text-driven", "train-speaking-log.txt", "== text", "== critic", ("latent", "duration", "angle", "voice")),
    ("lip-sync critic", "train-speaking-log.txt", "== critic", None, ("choice", "bce")),
    ("bridge, Bi-GRU", "bridge-log.txt", "features of 1440 clips for gru", "gru:", ("lips", "both", "recall", "bridge")),
    ("bridge, MS-TCN", "bridge-log.txt", "features of 2160 clips for tcn", "tcn:", ("lips", "both", "recall", "bridge")),
    ("bridge, four heads", "bridge-log.txt", "features of 1440 clips for heads", "heads:", ("lips", "recall", "angles")),
    ("bridge, speech", "bridge-log.txt", "features of 576 clips for speech", "speech:", ("lips", "both", "recall", "bridge")),
    ("denoiser", "denoiser-log.txt", None, None, ("L1", "auxiliary")),
)


def course(log, first, last, names):
    """{name: [(step, value)]} of the lines from the one that begins with `first` to the next that begins with `last`."""
    found = {name: [] for name in names}
    is_inside = first is None
    for line in (HERE / log).read_text().splitlines():
        if not is_inside:
            is_inside = line.startswith(first)
            continue
        if last is not None and line.startswith(last) and any(found.values()):
            break
        step = re.search(r"step +(\d+)", line)
        for name in names if step else ():
            value = re.search(rf"(?<!\S){name} +([\d.]+)", line)
            if value:
                found[name].append((int(step[1]), float(value[1])))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", default=HERE.parent / "pictures" / "training.png")
    options = parser.parse_args()
    figure, places = plt.subplots(2, 5, figsize=(15, 5.4), layout="constrained")
    for place, (title, log, first, last, names) in zip(places.flat, COURSES):
        for name, points in course(log, first, last, names).items():
            assert points, f"{log} has no '{name}' for {title}"
            place.plot(*zip(*points), label=name, linewidth=1.2)
        place.set_title(title, fontsize=10)
        place.set_yscale("log")
        place.tick_params(labelsize=7, which="both")
        place.legend(fontsize=7, frameon=False)
        place.grid(alpha=0.3)
    figure.supxlabel("steps", fontsize=9)
    figure.savefig(options.output, dpi=80)


if __name__ == "__main__":
    main()
