"""Exports the talking faces that descend from one another, graph by graph.

    python golden/reference/export_talking.py GRAPH… --size paper|small|tiny --output FOLDER
        [--dialect D1 …] [--checkpoint FOLDER] [--static] [--prefix model]

writes FOLDER/GRAPH-DIALECT.onnx and FOLDER/GRAPH/set_0.npz, inputs and outputs of two samples as
PyTorch computes them. Without names every graph is written; `--checkpoint` is the folder where
train_speaking.py's stages left their weights; other weights are seeded and settled.

| graph              | what                                                          |
|--------------------|---------------------------------------------------------------|
| memory             | audio-lip memory, speech and face to frame                    |
| memory-latent      | the same from an audio feature in place of speech             |
| memory-lips        | its lip encoder, with the address of the lip values           |
| audio-encoder      | speech to the audio feature                                   |
| wav2lip, wav2lip-latent | the talking face without a memory                        |
| cals-lips, cals-face    | its two modules                                          |
| cals-context       | audio-to-lip from features, for phones that are encoded once  |
| cals               | both modules in one                                           |
| taem-encoder, taem-refine, taem-speaker | the three networks from text to features |
| syncnet, syncnet-96 | the critic                                                   |
"""

import argparse
import dataclasses
from pathlib import Path

import numpy as np
import torch
from torch import nn

import audio_lip_memory
import cals
import export
import syncnet
import taem
import wav2lip

TINY_BASE = dataclasses.replace(
    audio_lip_memory.SMALL, name="tiny", face_widths=(2, 4, 4, 4, 6, 6, 8), audio_widths=(2, 4, 4, 6, 8),
    lip_widths=(2, 4, 4, 6, 8), decoder_widths=(8, 6, 6, 4, 4, 4, 4), output_width=4)
TINY_CALS = cals.Configuration("tiny", TINY_BASE, layers=2, heads=2, hidden=12, windows=5)
TINY_TAEM = dataclasses.replace(
    taem.SMALL, name="tiny", width=8, hidden=12, encoder_positions=24, refine_positions=48,
    speaker_width=6, feature_width=8, face_widths=(2, 4, 4, 6))
TINY_SYNCNET = syncnet.Configuration("tiny", 64, (2, 4, 4, 6, 8), (2, 4, 4, 6, 6, 8), 2, 0)


class Named(nn.Module):
    """A network under the name that its parameters carry in a checkpoint, called by one method."""

    def __init__(self, name, network, call=None):
        super().__init__()
        setattr(self, name, network)
        self.call = call or (lambda n, *x: n(*x))
        self.name = name

    def forward(self, first, second=None):
        inputs = (first,) if second is None else (first, second)
        return self.call(getattr(self, self.name), *inputs)


def networks(size, checkpoint):
    """Every network of one size, in evaluation mode, by name."""
    torch.backends.mha.set_fastpath_enabled(False)
    torch.manual_seed(0)
    if size == "tiny":
        base, lips, text = TINY_BASE, TINY_CALS, TINY_TAEM
        critics = {"syncnet": TINY_SYNCNET}
        wave = TINY_BASE
    else:
        base, lips, text = (m.CONFIGURATIONS[size] for m in (audio_lip_memory, cals, taem))
        wave = wav2lip.CONFIGURATIONS[size]
        critics = ({"syncnet": syncnet.PAPER_128, "syncnet-96": syncnet.PAPER_96}
                   if size == "paper" else {"syncnet": syncnet.SMALL})
    made = {
        "memory": audio_lip_memory.AudioLipMemory(base),
        "cals": cals.ContextAwareLipSync(lips),
        "wav2lip": wav2lip.Wav2Lip(wave),
        "encoder": taem.PhoneEncoder(text), "refine": taem.Refine(text),
        "speaker": taem.SpeakerEncoder(text),
        **{k: syncnet.SyncNet(c) for k, c in critics.items()},
    }
    parts = {"memory": ("memory", "memory"), "cals": ("context", "context"),
             "syncnet": ("critic", "critic"), "encoder": ("text", "encoder"),
             "refine": ("text", "refine"), "speaker": ("text", "speaker")}
    for part, (stage, name) in parts.items() if checkpoint else ():
        path = checkpoint / f"{stage}.pt"
        if path.exists():
            made[part].load_state_dict(torch.load(path, weights_only=True)[name])
    made["text"], made["lips"] = text, lips
    return made


def graphs(n):
    """Each graph's module, inputs and outputs; an input is (example, {axis: extent})."""
    generator = torch.Generator().manual_seed(7)

    def rand(*shape, low=-1.0, high=1.0):
        return low + (high - low) * torch.rand(*shape, generator=generator)

    base, lips, text = n["memory"].configuration, n["lips"], n["text"]
    size, feature = base.image_size, base.feature_width
    batch = {0: "batch"}
    speech = (rand(2, 1, 80, 16, low=-4, high=1), batch)
    faces = (rand(2, 6, size, size), batch)
    latent = (rand(2, feature, low=0, high=1), batch)
    unit = (rand(2, feature), batch)

    def from_latent(network, latent, faces):
        fused, address = network.mem(latent[:, :, None, None])
        return network.decode(fused, network.encode_faces(faces)), address

    def lip_address(network, lips):
        feature = network.lip_encoder(lips).flatten(1)
        return feature, network.mem.address(network.mem.v_embd(feature), network.mem.value)

    def context(network, features):
        return cals.Context.forward(network, features)

    class Lips(nn.Module):
        def __init__(self, network):
            super().__init__()
            self.lip_encoder, self.mem = network.lip_encoder, network.mem

        def forward(self, lips):
            return lip_address(self, lips)

    wave = n["wav2lip"].configuration.image_size
    wave_faces = (rand(2, 6, wave, wave, low=0), batch)
    made = {
        "memory": (n["memory"], {"audio": speech, "faces": faces}, {"frames": batch, "address": batch}),
        "memory-latent": (Bare(n["memory"], from_latent), {"latent": latent, "faces": faces},
                          {"frames": batch, "address": batch}),
        "memory-lips": (Lips(n["memory"]), {"lips": (rand(2, 3, 5, size, size), batch)},
                        {"lip_feature": batch, "lip_address": batch}),
        "audio-encoder": (Named("audio_encoder", n["memory"].audio_encoder, lambda e, x: e(x).flatten(1)),
                          {"audio": speech}, {"latent": batch}),
        "wav2lip": (n["wav2lip"], {"audio": speech, "faces": wave_faces}, {"frames": batch}),
        "wav2lip-latent": (Bare(n["wav2lip"], lambda w, *x: w.from_latent(*x)),
                           {"latent": latent, "faces": wave_faces}, {"frames": batch}),
        "cals-lips": (Named("audio_to_lip", n["cals"].audio_to_lip),
                      {"mel": (rand(2, lips.windows, 1, 80, 16, low=-4, high=1), batch)},
                      {"lip_units": batch}),
        "cals-context": (Named("audio_to_lip", n["cals"].audio_to_lip, context),
                         {"features": (rand(2, lips.windows, feature, low=0), batch)},
                         {"lip_units": batch}),
        "cals-face": (Named("lip_to_face", n["cals"].lip_to_face), {"unit": unit, "face": faces},
                      {"frame": batch}),
        "cals": (n["cals"], {"mel": (rand(2, lips.windows, 1, 80, 16, low=-4, high=1), batch),
                             "face": faces}, {"frame": batch}),
        "taem-encoder": (
            Named("taem", n["encoder"]),
            {"phone_ids": (torch.randint(1, text.vocabulary, (2, 9), generator=generator),
                           {0: "batch", 1: "phones"}),
             "spk": (nn.functional.normalize(rand(2, text.speaker_width)), batch)},
            {"hidden": {0: "batch", 1: "phones"}, "log_dur": {0: "batch", 1: "phones"}}),
        "taem-refine": (Named("taem", n["refine"]),
                        {"expanded": (rand(2, 14, text.width), {0: "batch", 1: "frames"})},
                        {"f_aud": {0: "batch", 1: "frames"}}),
        "taem-speaker": (Named("spk_encoder", n["speaker"]),
                         {"face_image": (rand(2, 3, text.face_size, text.face_size), batch)},
                         {"spk": batch}),
    }
    for critic in (k for k in n if k.startswith("syncnet")):
        edge = n[critic].configuration.image_size
        made[critic] = (n[critic], {"audio": speech, "face": (rand(2, 15, edge // 2, edge, low=0), batch)},
                        {"audio_embedding": batch, "face_embedding": batch})
    return made


class Bare(nn.Module):
    """A network whose parameters keep their own names, called by another method."""

    def __init__(self, network, call):
        super().__init__()
        for name, module in network.named_children():
            setattr(self, name, module)
        self.configuration, self.method = network.configuration, call
        for helper in ("encode_faces", "decode", "from_latent"):
            if hasattr(network, helper):
                object.__setattr__(self, helper, getattr(network, helper))

    def forward(self, first, second):
        return self.method(self, first, second)


def settle(module, inputs, passes=4):
    """Gives batch normalisations means and variances of the examples; sets evaluation mode."""
    norms = [m for m in module.modules() if isinstance(m, (nn.BatchNorm2d, nn.BatchNorm3d))]
    for norm in norms:
        norm.momentum = None
    module.train()
    with torch.no_grad():
        for _ in range(passes if norms else 0):
            module(*(x + 0.1 * torch.randn_like(x) if x.is_floating_point() else x for x in inputs))
    module.eval()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("graph", nargs="*")
    parser.add_argument("--size", choices=("paper", "small", "tiny"), required=True)
    parser.add_argument("--dialect", choices=export.DIALECTS, nargs="+", default=list(export.DIALECTS))
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--static", action="store_true", help="extents as in the example")
    parser.add_argument("--prefix", help="a wrapper's name before every parameter's")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    made = graphs(networks(arguments.size, arguments.checkpoint))
    if not arguments.checkpoint:
        for name in ("memory", "memory-lips", "wav2lip", "cals", "taem-speaker", "syncnet", "syncnet-96"):
            if name in made:
                settle(made[name][0], [x for x, _ in made[name][1].values()])
    arguments.output.mkdir(parents=True, exist_ok=True)
    for name in arguments.graph or made:
        module, inputs, outputs = made[name]
        module.eval()
        example = tuple(x for x, _ in inputs.values())
        dynamic = {k: axes for k, (_, axes) in inputs.items()} | outputs
        with torch.no_grad():
            results = module(*example)
        results = results if isinstance(results, tuple) else (results,)
        folder = arguments.output / name
        folder.mkdir(exist_ok=True)
        np.savez(folder / "set_0.npz", **{k: x.numpy() for k, (x, _) in inputs.items()},
                 **{k: y.numpy() for k, y in zip(outputs, results)})
        if arguments.prefix:
            module = Named(arguments.prefix, module)
        for dialect in arguments.dialect:
            path = arguments.output / f"{name}-{dialect.lower()}.onnx"
            export.export_graph(module, example, inputs, outputs, {} if arguments.static else dynamic,
                                dialect, path)
            print(f"{path}: {path.stat().st_size:,} bytes", flush=True)


if __name__ == "__main__":
    main()
