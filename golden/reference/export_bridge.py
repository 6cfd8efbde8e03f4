"""Exports the denoiser and the bridges, graph by graph, with what PyTorch computes.

    python golden/reference/export_bridge.py GRAPH… --size paper|small|tiny --output FOLDER
        [--dialect D1 …] [--checkpoint FOLDER] [--static] [--prefix model]

writes FOLDER/GRAPH-DIALECT.onnx and FOLDER/GRAPH/set_0.npz. `--checkpoint` is the folder where
the trainers left denoiser-small.pt, gru.pt, tcn.pt and speech.pt; other weights are seeded.

| graph                                   | what                                       |
|-----------------------------------------|--------------------------------------------|
| restoration                             | noisy picture to clean and noisy again     |
| body, primary-head, auxiliary-head      | the same in the parts that adaptation needs |
| mask                                    | where the auxiliary loss counts            |
| gru, tcn, heads                         | lips to words                              |
| gru-front, heads-front                  | lips to features                           |
| gru-hearing                             | sound to features                          |
| gru-memory, gru-words, gru-reader       | features to features that recall, those to words, both |
| heads-reader, speech-reader             | features to words, and to a mel spectrogram |
| gru-audio-visual, gru-target            | with sound; what the sound addresses       |
| speech, speech-target                   | lips to a mel spectrogram; the same of it  |
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import nn

import bridge
import denoiser
import export

FRAMES = 29
PICTURE = {2: "height", 3: "width"}
# inputs, outputs, open extents
DENOISER = {
    "restoration": (("noisy",), ("clean", "again"), {"noisy": PICTURE, "clean": PICTURE, "again": PICTURE}),
    "body": (("noisy",), ("features",), {"noisy": PICTURE, "features": PICTURE}),
    "primary-head": (("features", "noisy"), ("clean", "residual"),
                     {p: PICTURE for p in ("features", "noisy", "clean", "residual")}),
    "auxiliary-head": (("clean", "residual"), ("again",),
                       {p: PICTURE for p in ("clean", "residual", "again")}),
    "mask": (("noisy",), ("mask",), {"noisy": PICTURE, "mask": PICTURE}),
}
BATCH = {0: "batch"}
BRIDGES = {
    "gru": (("video",), ("logits", "address")),
    "tcn": (("video",), ("logits", "address")),
    "heads": (("video",), ("logits", "address")),
    "gru-audio-visual": (("video", "audio"), ("logits",)),
    "gru-target": (("audio",), ("address",)),
    "gru-front": (("video",), ("features",)),
    "gru-hearing": (("audio",), ("features",)),
    "gru-memory": (("features",), ("recalled", "address")),
    "gru-words": (("recalled",), ("logits",)),
    "gru-reader": (("features",), ("logits", "address")),
    "heads-front": (("video",), ("features",)),
    "heads-reader": (("features",), ("logits", "address")),
    "speech-reader": (("features",), ("mel", "address")),
    "speech": (("video",), ("mel", "address")),
    "speech-target": (("audio",), ("address",)),
}
GRAPHS = (*DENOISER, *BRIDGES)


class Prefixed(nn.Module):
    """A network within a wrapper, whose name its parameters get."""

    def __init__(self, name, network):
        super().__init__()
        setattr(self, name, network)
        self.name = name

    def forward(self, first, second=None):
        network = getattr(self, self.name)
        return network(first) if second is None else network(first, second)


def settle(network, example):
    """Gives batch normalisations the statistics of something like the data."""
    for module in network.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)):
            module.momentum = None
    network.train()
    with torch.no_grad():
        for seed in range(2):
            torch.manual_seed(seed)
            video, audio = (torch.randn_like(e) for e in example)
            network(video)
            network.a_front(audio)
    return network.eval()


def denoiser_graph(graph, size, checkpoint, shape):
    restoration, mask = denoiser.make(size, seed=3)
    if checkpoint:
        state = torch.load(checkpoint / f"denoiser-{size}.pt", weights_only=True)
        restoration.load_state_dict(state["restoration_net_state_dict"])
        mask.load_state_dict(state["mask_net_state_dict"])
    torch.manual_seed(5)
    noisy = torch.rand(1, 3, *shape)
    with torch.no_grad():
        features = restoration.body(noisy)
        clean, residual = denoiser.PrimaryHead(restoration)(features, noisy)
    return {
        "restoration": (restoration, (noisy,)), "mask": (mask, (noisy,)),
        "body": (denoiser.Body(restoration), (noisy,)),
        "primary-head": (denoiser.PrimaryHead(restoration), (features, noisy)),
        "auxiliary-head": (denoiser.AuxiliaryHead(restoration), (clean, residual)),
    }[graph]


def bridge_graph(graph, size, checkpoint, frames):
    kind = graph.split("-")[0]
    network = bridge.make(size, kind, seed=3)
    torch.manual_seed(5)
    blocks = torch.randn(2, 1, frames, 14, 14)  # blocks of eight points, which pack well
    video = blocks.repeat_interleave(8, 3).repeat_interleave(8, 4)
    example = video, torch.randn(2, 1, 80, 4 * frames)
    if checkpoint and (checkpoint / f"{kind}.pt").exists():
        network.load_state_dict(torch.load(checkpoint / f"{kind}.pt", weights_only=True))
        network.eval()
    else:
        settle(network, example)
    if graph.endswith("audio-visual"):
        return bridge.AudioVisual(network), example
    if graph.endswith("target"):
        return bridge.Target(network), example[1:]
    stage = graph.partition("-")[2]
    if not stage:
        return network, example[:1]
    if stage == "front":
        return network.v_front, example[:1]
    if stage == "hearing":
        return network.a_front, example[1:]
    with torch.no_grad():
        features = network.v_front(video)
        if stage == "words":
            return network.back, network.associate(features)[:1]
    return bridge.Stage(network, network.associate if stage == "memory" else network.answer), (features,)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("graphs", nargs="*", metavar="GRAPH", default=[])
    parser.add_argument("--size", choices=bridge.CONFIGURATIONS, required=True)
    parser.add_argument("--dialect", choices=export.DIALECTS, nargs="+", default=list(export.DIALECTS))
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--static", action="store_true")
    parser.add_argument("--prefix")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    arguments.output.mkdir(parents=True, exist_ok=True)
    for graph in arguments.graphs or GRAPHS:
        if graph in DENOISER:
            inputs, outputs, dynamic = DENOISER[graph]
            module, example = denoiser_graph(graph, arguments.size, arguments.checkpoint, (37, 50))
        else:
            inputs, outputs = BRIDGES[graph]
            dynamic = {port: BATCH for port in (*inputs, *outputs)}
            frames = 75 if graph.startswith("speech") else FRAMES
            module, example = bridge_graph(graph, arguments.size, arguments.checkpoint, frames)
        module = module.eval()
        with torch.no_grad():
            made = module(*example)
        made = made if isinstance(made, tuple) else (made,)
        folder = arguments.output / graph
        folder.mkdir(exist_ok=True)
        np.savez_compressed(
            folder / "set_0.npz",
            **{n: t.numpy() for n, t in zip((*inputs, *outputs), (*example, *made))})
        wrapped = Prefixed(arguments.prefix, module) if arguments.prefix else module
        for dialect in arguments.dialect:
            path = arguments.output / f"{graph}-{dialect.lower()}.onnx"
            export.export_graph(
                wrapped, example, inputs, outputs, {} if arguments.static else dynamic, dialect, path)
            print(f"{path}: {path.stat().st_size:,} bytes", flush=True)


if __name__ == "__main__":
    main()
