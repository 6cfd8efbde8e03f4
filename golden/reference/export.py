"""Exports the audio-lip-memory network as the exporters of PyTorch really emit it.

    python golden/reference/export.py --size small --dialect D1 [--output FOLDER]

| dialect | exporter     | opset | constant folding |
|---------|--------------|-------|------------------|
| D1      | TorchScript  | 17    | yes              |
| D2      | TorchScript  | 17    | no               |
| D3      | torch.export | 20    | yes              |
| D4      | torch.export | 23    | yes              |

writes FOLDER/SIZE-DIALECT.onnx. D3 and D4 record the path of this source in each node;
to keep a personal path out of a file that is committed, run from a copy in /tmp/export.
"""

import argparse
import warnings
from pathlib import Path

import onnx
import torch

import audio_lip_memory
import weights

DIALECTS = {"D1": (False, 17), "D2": (False, 17), "D3": (True, 20), "D4": (True, 23)}
INPUTS, OUTPUTS = ("audio", "faces"), ("frames", "address")


def export(network, dialect, path):
    size = network.configuration.image_size
    example = (torch.zeros(2, 1, 80, 16), torch.zeros(2, 6, size, size))
    dynamo, opset = DIALECTS[dialect]
    options = {}
    if dynamo:
        batch = torch.export.Dim("batch")
        options["dynamic_shapes"] = {name: {0: batch} for name in INPUTS}
        options["external_data"] = False
    else:
        options["dynamic_axes"] = {name: {0: "batch"} for name in (*INPUTS, *OUTPUTS)}
        options["do_constant_folding"] = dialect != "D2"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            network.eval(), example, str(path), input_names=list(INPUTS),
            output_names=list(OUTPUTS), opset_version=opset, dynamo=dynamo, verbose=False,
            **options)
    onnx.checker.check_model(str(path), full_check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--size", choices=audio_lip_memory.CONFIGURATIONS, required=True)
    parser.add_argument("--dialect", choices=DIALECTS, nargs="+", default=list(DIALECTS))
    parser.add_argument("--output", type=Path, default=weights.SMALL_CHECKPOINT.parent)
    parser.add_argument("--checkpoint", type=Path, help="a state dict that train.py saved")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    network = weights.network(arguments.size, arguments.checkpoint)
    arguments.output.mkdir(parents=True, exist_ok=True)
    for dialect in arguments.dialect:
        path = arguments.output / f"{arguments.size}-{dialect.lower()}.onnx"
        export(network, dialect, path)
        print(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
