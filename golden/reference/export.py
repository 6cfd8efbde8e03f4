"""Exports the audio-lip-memory network as the exporters of PyTorch really emit it.

    python golden/reference/export.py --size small --dialect D1 [--output FOLDER]

| dialect | exporter     | opset | constant folding |
|---------|--------------|-------|------------------|
| D1      | TorchScript  | 17    | yes              |
| D2      | TorchScript  | 17    | no               |
| D3      | torch.export | 20    | yes              |
| D4      | torch.export | 23    | yes              |

writes FOLDER/SIZE-DIALECT.onnx, without the paths of this source that D3 and D4 record in each
node.
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


def export_graph(module, example, inputs, outputs, dynamic, dialect, path):
    """`dynamic`: for each port with open extents, the extents' names by axis."""
    dynamo, opset = DIALECTS[dialect]
    options = {}
    if dynamo:
        if dynamic:
            names = {n for axes in dynamic.values() for n in axes.values()}
            dims = {n: torch.export.Dim(n, min=1) for n in names}
            shapes = tuple({a: dims[n] for a, n in dynamic.get(port, {}).items()} for port in inputs)
            options["dynamic_shapes"] = shapes
        options["external_data"] = False
    else:
        options["dynamic_axes"] = dynamic
        options["do_constant_folding"] = dialect != "D2"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(), example, str(path), input_names=list(inputs),
            output_names=list(outputs), opset_version=opset, dynamo=dynamo, verbose=False,
            **options)
    forget_paths(path)
    onnx.checker.check_model(str(path), full_check=True)


def forget_paths(path):
    """Takes out of an export the lines of source, with their paths, that each node came from."""
    model = onnx.load(path)
    for node in model.graph.node:
        kept = [p for p in node.metadata_props if p.key != "pkg.torch.onnx.stack_trace"]
        if len(kept) < len(node.metadata_props):
            del node.metadata_props[:]
            node.metadata_props.extend(kept)
    onnx.save(model, path)


def export(network, dialect, path):
    size = network.configuration.image_size
    example = (torch.zeros(2, 1, 80, 16), torch.zeros(2, 6, size, size))
    dynamic = {port: {0: "batch"} for port in (*INPUTS, *OUTPUTS)}
    export_graph(network, example, INPUTS, OUTPUTS, dynamic, dialect, path)


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
