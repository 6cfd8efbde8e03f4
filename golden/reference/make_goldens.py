"""Makes the goldens of the audio-lip-memory network with PyTorch, never with a runtime.

    python golden/reference/make_goldens.py --size small
        golden/families/audio-lip-memory/small/test_data_set_0/*.pb   two faces, as in ONNX's tests
        golden/families/audio-lip-memory/small/set_1.npz              one face

    python golden/reference/make_goldens.py --size paper [--output .cache/paper]
        OUTPUT/golden/set_0.npz, set_1.npz
        OUTPUT/calibration/set_0.npz … set_7.npz                      inputs only, two faces each

    python golden/reference/make_goldens.py --size small --calibration FOLDER
        the small network's calibration sets, in the same form

Golden speech is held out; calibration speech is what the small network trains on.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from onnx import numpy_helper

import audio_lip_memory
import export
import weights

CALIBRATION_SETS, CALIBRATION_COUNT = 8, 2


def golden(network, count, seed):
    """Inputs and outputs by graph port."""
    generator = np.random.default_rng(seed)
    size = network.configuration.image_size
    audio, faces = weights.sample_inputs(weights.HELD_OUT_SPEECH, count, size, generator)
    with torch.no_grad():
        frames, address = network(audio, faces)
    return {"audio": audio.numpy(), "faces": faces.numpy(),
            "frames": frames.numpy(), "address": address.numpy()}


def write_test_data(folder, values):
    folder.mkdir(parents=True, exist_ok=True)
    for role, ports in (("input", export.INPUTS), ("output", export.OUTPUTS)):
        for position, port in enumerate(ports):
            tensor = numpy_helper.from_array(values[port], port)
            (folder / f"{role}_{position}.pb").write_bytes(tensor.SerializeToString())


def write_set(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **values)


def write_calibration(folder, size):
    generator = np.random.default_rng(2)
    for k in range(CALIBRATION_SETS):
        audio, faces = weights.sample_inputs(
            weights.TRAINING_SPEECH, CALIBRATION_COUNT, size, generator)
        write_set(folder / f"set_{k}.npz", {"audio": audio.numpy(), "faces": faces.numpy()})


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--size", choices=audio_lip_memory.CONFIGURATIONS, required=True)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--checkpoint", type=Path, help="a state dict that train.py saved")
    parser.add_argument("--calibration", type=Path, help="write only calibration sets, here")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    configuration = audio_lip_memory.CONFIGURATIONS[arguments.size]
    if arguments.calibration:
        write_calibration(arguments.calibration, configuration.image_size)
        return
    network = weights.network(arguments.size, arguments.checkpoint)
    if arguments.size == "small":
        output = arguments.output or weights.SMALL_CHECKPOINT.parent / "small"
        write_test_data(output / "test_data_set_0", golden(network, 2, seed=3))
        write_set(output / "set_1.npz", golden(network, 1, seed=4))
    else:
        output = arguments.output or weights.ROOT / ".cache" / arguments.size
        for k in range(2):
            write_set(output / "golden" / f"set_{k}.npz", golden(network, 1, seed=3 + k))
        write_calibration(output / "calibration", configuration.image_size)


if __name__ == "__main__":
    main()
