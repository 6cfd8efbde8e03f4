"""What bundles of the bridge read and say of every clip that the trainer held out.

    python golden/reference/measure_bridge.py --corpus CORPUS --maquette PROGRAM [--variants 42] BUNDLE…

CORPUS is what make_bridge_corpus.py wrote, a BUNDLE has parts named by their roles. The clips are drawn as the trainer draws them to measure, and go to
each BUNDLE, all of words or all of speech, through `maquette run`, a few at a time; told are the share of words that are read rightly from lips
and from lips with sound, with how many clips are read otherwise than by the first BUNDLE, or the mean difference of mel spectrograms. With --variants
every word is said anew so many times by the voices that the trainer held out: one of the corpus' own 144 clips is 0.7 points. That needs espeak-ng.
"""

import argparse
import re
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import torch

import make_bridge_corpus
import train_bridge
import utterances

BATCH = 12


def run(maquette, bundle, part, folder, arrays):
    """The outputs of a part, by name."""
    command = [maquette, "run", bundle, "--part", part, "--output", folder / "out"]
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
        command += ["--input", f"{name}={folder / name}.npy"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return {p.stem: np.load(p) for p in (folder / "out").glob("*.npy")}


def batches(clips):
    """Clips a few at a time; those of a corpus would not fit in memory together."""
    for part in clips:
        for rows in zip(*(tensor.split(BATCH) for tensor in part)):
            yield [tensor.numpy() for tensor in rows]


def say_anew(corpus, variants):
    """Other utterances of the words by the same voices in place of the corpus' own held-out ones."""
    said = make_bridge_corpus.words(
        utterances.Speaker(), np.random.default_rng(13), utterances.HELD_OUT_VOICES, variants)
    for name, values in said.items():
        corpus.words[f"held_out_{name}"] = torch.from_numpy(values)


def words(corpus, bundles):
    """For each bundle, and each way of reading, whether each clip is read rightly."""
    right = [{"lips": [], "lips and sound": []} for _ in bundles]
    for video, audio, label in batches(corpus.held_out_words()):
        for own, call in zip(right, bundles):
            own["lips"] += list(call("lip-reader", video=video)["logits"].argmax(1) == label)
            heard = call("audio-visual", video=video, audio=audio)
            if heard:
                own["lips and sound"] += list(heard["logits"].argmax(1) == label)
    return [{way: np.array(clips) for way, clips in own.items() if clips} for own in right]


def told(right, first):
    """Shares of clips that are read rightly, and how many of them otherwise than by the first bundle."""
    parts = []
    for way, clips in right.items():
        part = f"{way} {clips.mean():.4f}"
        if first is not right and way in first:
            lost, won = (first[way] & ~clips).sum(), (clips & ~first[way]).sum()
            part += f" ({lost} no longer, {won} only now)"
        parts.append(part)
    return f"{', '.join(parts)} of {len(clips)} clips"


def speech(corpus, bundles):
    """For each bundle the mean differences of its spectrograms."""
    errors = [[] for _ in bundles]
    for video, _, wanted in batches(corpus.held_out_sentences()):
        for own, call in zip(errors, bundles):
            own += list(np.abs(call("speech", video=video)["mel"] - wanted).mean((1, 2)))
    return errors


def parts_of(maquette, bundle):
    shown = subprocess.run([maquette, "inspect", bundle], check=True, capture_output=True, text=True).stdout
    return re.findall(r"^part\s+(\S+),", shown, re.MULTILINE)


def caller(maquette, bundle):
    """Runs a part of a bundle; nothing where it has no such part."""
    parts = parts_of(maquette, bundle)

    def call(part, **arrays):
        if part not in parts:
            return None
        with tempfile.TemporaryDirectory() as folder:
            return run(maquette, bundle, part, Path(folder), arrays)

    return call


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("bundles", nargs="+", type=Path, metavar="BUNDLE")
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--maquette", type=Path, required=True)
    parser.add_argument("--variants", type=int, help="utterances of each word, spoken anew")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    corpus = train_bridge.Corpus(arguments.corpus, "cpu")
    calls = [caller(arguments.maquette, bundle) for bundle in arguments.bundles]
    if "speech" in parts_of(arguments.maquette, arguments.bundles[0]):
        lines = [f"mel L1 {np.mean(own):.4f} of {len(own)} sentences" for own in speech(corpus, calls)]
    else:
        if arguments.variants:
            say_anew(corpus, arguments.variants)
        right = words(corpus, calls)
        lines = [told(own, right[0]) for own in right]
    for bundle, line in zip(arguments.bundles, lines):
        print(f"{bundle.name}: {line}")


if __name__ == "__main__":
    main()
