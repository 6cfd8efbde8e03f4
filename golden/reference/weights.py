"""Where a network's weights come from.

The paper-size network has no published weights: it gets seeded ones whose batch
normalisations have seen real speech and faces, so that activations have sane ranges.
The small network's trained weights are kept in its own export: dialect D2 folds
nothing and keeps every name, so it is the checkpoint too.
"""

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper

import audio_lip_memory
import faces
import mel

ROOT = Path(__file__).resolve().parents[2]
MEDIA = ROOT / "golden" / "media"
SMALL_CHECKPOINT = ROOT / "golden" / "families" / "audio-lip-memory" / "small-d2.onnx"
TRAINING_SPEECH = (
    "cards_002", "cards_003", "librivox_0870", "librivox_0890", "sphinx_numbers")
HELD_OUT_SPEECH = ("librivox_0880", "sphinx_goforward", "cards_001")


def speech_windows(name):
    """(frames, 1, 80, 16) of a recording in golden/media/speech."""
    samples = mel.read_speech(MEDIA / "speech" / f"{name}.wav")
    return mel.mel_windows(mel.mel_spectrogram(samples))


def sample_inputs(names, count, size, generator):
    """`count` windows of real speech, each with the photographed face a little moved.

    The first face of a call is exactly in its box.
    """
    windows = np.concatenate([speech_windows(n) for n in names])
    photograph = faces.read_image(MEDIA / "face.png")
    box = np.asarray(faces.FACE_BOX, dtype=np.float64)
    picked, crops = [], []
    for k in range(count):
        picked.append(windows[generator.integers(len(windows))])
        moved = box if k == 0 else box + generator.uniform(-4, 4, size=2).repeat(2)[[0, 2, 0, 2]]
        crops.append(faces.network_input(faces.crop(photograph, moved, size)))
    return torch.from_numpy(np.stack(picked)), torch.from_numpy(np.stack(crops))


def settle(network, passes=6, count=4):
    """Gives the batch normalisations means and variances of real data; sets evaluation mode."""
    size = network.configuration.image_size
    generator = np.random.default_rng(1)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # a plain average over the passes
    network.train()
    with torch.no_grad():
        for _ in range(passes):
            network(*sample_inputs(TRAINING_SPEECH, count, size, generator))
    return network.eval()


def load_export(network, path):
    """Takes the weights of a D2 export; what only training reads keeps its values."""
    exported = {t.name: torch.from_numpy(numpy_helper.to_array(t).copy())
                for t in onnx.load(path).graph.initializer}
    state = network.state_dict()
    absent = [name for name in state if name not in exported
              and not name.startswith(("lip_encoder.", "mem.v_embd."))
              and not name.endswith("num_batches_tracked")]
    if absent:
        raise ValueError(f"{path} lacks {', '.join(absent)}: is it dialect D2?")
    network.load_state_dict({**state, **{n: v for n, v in exported.items() if n in state}})
    return network.eval()


def network(size, checkpoint=None):
    """The network that goldens and exports are made of, in evaluation mode."""
    made = audio_lip_memory.make(size)
    if checkpoint is not None:
        made.load_state_dict(torch.load(checkpoint, weights_only=True))
        return made.eval()
    if size == "small" and SMALL_CHECKPOINT.exists():
        return load_export(made, SMALL_CHECKPOINT)
    return settle(made)
