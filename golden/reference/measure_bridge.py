"""What bundles of the bridge read and say of every clip that the trainer held out.

    python golden/reference/measure_bridge.py --corpus CORPUS --maquette PROGRAM BUNDLE…

CORPUS is what make_bridge_corpus.py wrote, a BUNDLE has parts named by their roles. The clips are drawn as the trainer draws them to measure, and go to
each BUNDLE through `maquette run`, two at a time; told are the share of words that are read rightly from lips
and from lips with sound, or the mean difference of mel spectrograms.
"""

import argparse
import re
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import torch

import train_bridge

BATCH = 2


def run(maquette, bundle, part, folder, arrays):
    """The outputs of a part, by name."""
    command = [maquette, "run", bundle, "--part", part, "--output", folder / "out"]
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
        command += ["--input", f"{name}={folder / name}.npy"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return {p.stem: np.load(p) for p in (folder / "out").glob("*.npy")}


def batches(clips):
    """Clips of a few, without their borders; the last is filled up by those before it."""
    video, audio, wanted = (torch.cat(c).numpy() for c in zip(*clips))
    for start in range(0, len(video), BATCH):
        rows = slice(min(start, len(video) - BATCH), None if start + BATCH >= len(video) else start + BATCH)
        yield video[rows], audio[rows], wanted[rows]


def words(corpus, call):
    right, total = {"lips": 0, "lips and sound": 0}, 0
    for video, audio, label in batches(corpus.held_out_words()):
        right["lips"] += int((call("lip-reader", video=video)["logits"].argmax(1) == label).sum())
        heard = call("audio-visual", video=video, audio=audio)
        if heard:
            right["lips and sound"] += int((heard["logits"].argmax(1) == label).sum())
        total += len(label)
    return "  ".join(f"{k} {v / total:.3f}" for k, v in right.items() if v) + f"  of {total} clips"


def speech(corpus, call):
    errors = []
    for video, _, wanted in batches(corpus.held_out_sentences()):
        errors += list(np.abs(call("speech", video=video)["mel"] - wanted).mean((1, 2)))
    return f"mel L1 {np.mean(errors):.4f}  of {len(errors)} sentences"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("bundles", nargs="+", type=Path, metavar="BUNDLE")
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--maquette", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    corpus = train_bridge.Corpus(arguments.corpus, "cpu")
    for bundle in arguments.bundles:
        shown = subprocess.run(
            [arguments.maquette, "inspect", bundle], check=True, capture_output=True, text=True).stdout
        parts = re.findall(r"^part\s+(\S+),", shown, re.MULTILINE)

        def call(part, **arrays):
            if part not in parts:
                return None
            with tempfile.TemporaryDirectory() as folder:
                return run(arguments.maquette, bundle, part, Path(folder), arrays)

        measure = speech if "speech" in parts else words
        print(f"{bundle.name}: {measure(corpus, call)}", flush=True)


if __name__ == "__main__":
    main()
