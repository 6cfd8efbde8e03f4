"""Samples for scripts/bench/accuracy: of the networks in golden/families, and of models that are given."""

import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from paper_size import NETWORKS, inputs_of

GOLDEN = Path(__file__).resolve().parent.parent.parent / "golden"
#: The most samples of each kind.
MOST = {"calibration": 24, "held": 6}
FAMILIES = GOLDEN / "families"
SPOKEN = GOLDEN / "media" / "spoken"
BOX = ["--face-box", "70,75,180,185"]


@dataclass
class Bundle:
    """Networks that one bundle holds, and what its samples are made of."""

    name: str
    parts: dict
    #: Makes the folder of a kind ("calibration" or "held") that `convert` reads.
    media: object
    options: list = field(default_factory=list)
    #: What is converted to get the parts' samples, where that is not the parts.
    sources: dict = None


@dataclass
class Network:
    name: str
    file: Path
    #: Folders of .npz by kind.
    samples: dict


def spoken(folder, kind):
    """Utterances with their texts, and a face."""
    for path in sorted(SPOKEN.glob(f"{kind}-*.*")):
        if path.suffix in (".wav", ".txt"):
            shutil.copy(path, folder)
    shutil.copy(SPOKEN / "face-5.png", folder)


def photographs(folder, kind):
    source = "held-out" if kind == "held" else kind
    for path in sorted((GOLDEN / "media" / "photographs" / source).glob("*.png")):
        if kind != "held" or path.stem.endswith("-noisy"):
            shutil.copy(path, folder)


def words(folder, kind):
    """Clips of training voices that lie ready; words of voices and a face that are not among them are held out."""
    if kind == "calibration":
        for path in numbered(FAMILIES / "associative-bridge" / "calibration"):
            shutil.copy(path, folder)
        return
    for path in (GOLDEN / "media" / "lips").glob("word-*"):
        (shutil.copytree if path.is_dir() else shutil.copy)(path, folder / path.name)


def archives(family, kinds):
    """Arrays that lie ready: files by kind."""

    def media(folder, kind):
        for number, path in enumerate(sorted((FAMILIES / family).glob(kinds[kind]))):
            shutil.copy(path, folder / f"set_{number}.npz")

    return media


def bundles():
    def parts(family, *names):
        return {name: FAMILIES / family / "spoken" / f"{name}.onnx" for name in names}

    bridge, denoiser = FAMILIES / "associative-bridge", FAMILIES / "denoiser"
    pieces = ("body", "primary-head", "auxiliary-head", "mask")
    # What the reader that also listens takes is what the others take, and more.
    clips = {"media": words, "options": ["--words", str(bridge / "words.txt")],
             "sources": {"main": bridge / "gru-audio-visual-d3.onnx"}}
    critic = {"calibration": "spoken/held-0.npz", "held": "spoken/held-5.npz"}
    text = parts("text-to-audio-embedding", "encoder", "refine", "speaker", "audio", "base")
    lexicon = str(FAMILIES / "text-to-audio-embedding" / "lexicon.txt")
    return [
        Bundle("memory", parts("audio-lip-memory", "generator"), spoken, BOX),
        Bundle("context", parts("context-aware-lip-sync", "phones", "context", "face"), spoken, BOX),
        Bundle("text", text, spoken, BOX + ["--lexicon", lexicon]),
        Bundle("critic", parts("sync-critic", "critic"), archives("sync-critic", critic)),
        Bundle("lips-gru", {"main": bridge / "gru-d1.onnx"}, **clips),
        Bundle("lips-tcn", {"main": bridge / "tcn-d1.onnx"}, **clips),
        Bundle("lips-heard", {"main": bridge / "gru-audio-visual-d3.onnx"}, **clips),
        Bundle("sound", {"main": bridge / "gru-target-d3.onnx"}, **clips),
        Bundle("denoiser", {name: denoiser / f"{name}-d3.onnx" for name in pieces}, photographs,
               sources={"main": denoiser / "restoration-d3.onnx", "mask": denoiser / "mask-d3.onnx"}),
    ]


def drawn(file, extents):
    """Made-up inputs, for networks that read what others made."""

    def media(folder, kind):
        import onnx

        model = onnx.load(file, load_external_data=False)
        first = {"calibration": 0, "held": 100}[kind]
        for number in range(8 if kind == "calibration" else 2):
            np.savez(folder / f"set_{number}.npz", **inputs_of(model, extents, first + number))

    return media


def paper_size(exports):
    """The networks at the size of their papers, which nothing has trained, on what those that are trained read."""
    lips = {"media": words, "options": ["--words", str(FAMILIES / "associative-bridge" / "words.txt")]}
    faces = {"media": spoken, "options": BOX}
    known = {"Wav2Lip-96": faces, "SyncTalkFace-128": faces, "bridge Bi-GRU": lips, "bridge MS-TCN": lips}
    for title, file, extents in NETWORKS:
        path = exports / file
        name = title.replace(" ", "-")
        if "restoration" in path.stem:
            # A denoiser is taken apart; nearly all of it is its body.
            body = path.with_stem(path.stem.replace("restoration", "body"))
            yield Bundle(name, {"body": body}, photographs, sources={"main": path})
        else:
            yield Bundle(name, {"main": path}, **known.get(title, {"media": drawn(path, extents)}))


def ports(file):
    """Names of the inputs that a model reads."""
    import onnx

    graph = onnx.load(file, load_external_data=False).graph
    constants = {tensor.name for tensor in graph.initializer}
    return [port.name for port in graph.input if port.name not in constants]


def evenly(paths, most):
    if len(paths) <= most:
        return paths
    return [paths[round(k * (len(paths) - 1) / (most - 1))] for k in range(most)]


def numbered(folder):
    return sorted(folder.glob("*.npz"), key=lambda path: (len(path.name), path.name))


def write_samples(paths, inputs, folder, most):
    """The inputs of each sample, and nothing else."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for number, path in enumerate(evenly(paths, most)):
        with np.load(path) as arrays:
            np.savez(folder / f"set_{number}.npz", **{name: arrays[name] for name in inputs})


def prepare(bundle, maquette, work):
    """The networks of a bundle with their samples."""
    gathered = {}
    for kind in MOST:
        media, kept = work / bundle.name / f"{kind}-media", work / bundle.name / f"{kind}-all"
        for folder in (media, kept):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        bundle.media(media, kind)
        if any(media.glob("*.npz")):
            gathered[kind] = {part: numbered(media) for part in bundle.parts}
            continue
        models = [f"--part={part}={path}"
                  for part, path in (bundle.sources or bundle.parts).items()]
        subprocess.run(
            [maquette, "convert", *models, "--output", str(work / "samples.maq"), "--precision",
             "int8", "--method", "min-max", "--rounding", "nearest", "--balance", "none",
             "--calibration", str(media), "--keep-samples", str(kept), *bundle.options],
            check=False, stdout=subprocess.DEVNULL)
        gathered[kind] = {
            part: numbered(kept / part) or numbered(kept) for part in bundle.parts}
    for part, file in bundle.parts.items():
        name = bundle.name if len(bundle.parts) == 1 else f"{bundle.name}-{part}"
        samples = {}
        for kind, most in MOST.items():
            samples[kind] = work / name / kind
            write_samples(gathered[kind][part], ports(file), samples[kind], most)
        yield Network(name, file, samples)


def noise(path, folder, count):
    """Samples that have each array's mean, deviation and extremes."""
    generator = np.random.default_rng(1)
    with np.load(path) as arrays:
        known = {name: arrays[name] for name in arrays.files}
    for number in range(count):
        made = {}
        for name, values in known.items():
            if values.dtype.kind == "f":
                drawn = generator.normal(values.mean(), values.std(), values.shape)
                made[name] = drawn.clip(values.min(), values.max()).astype(values.dtype)
            else:
                made[name] = generator.permutation(values.ravel()).reshape(values.shape)
        np.savez(folder / f"set_{number}.npz", **made)


def given(name, file, source, work):
    """A network that the command line names."""
    inputs = ports(file)
    folders = {kind: work / name / kind for kind in MOST}
    if source.is_dir():
        for kind, most in MOST.items():
            write_samples(numbered(source / kind), inputs, folders[kind], most)
    else:
        write_samples([source], inputs, folders["held"], 1)
        shutil.rmtree(folders["calibration"], ignore_errors=True)
        folders["calibration"].mkdir(parents=True)
        noise(folders["held"] / "set_0.npz", folders["calibration"], 8)
    return Network(name, file, folders)


def load(folder):
    for path in numbered(Path(folder)):
        with np.load(path) as arrays:
            yield {name: arrays[name] for name in arrays.files}
