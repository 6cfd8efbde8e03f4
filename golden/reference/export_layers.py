"""Exports small layers as the exporters of PyTorch really emit them, to be brought to one form by passes.

    python golden/reference/export_layers.py [--output FOLDER]

writes FOLDER/LAYER-DIALECT.onnx for the dialects of export.py and for opset 14 (D0), which
still writes layer normalisation and attention out. Weights are seeded.
"""

import argparse
import warnings
from pathlib import Path

import onnx
import torch
from torch import nn
from torch.nn import functional as F

# dynamo, opset, constant folding
DIALECTS = {
    "D0": (False, 14, True), "D1": (False, 17, True), "D2": (False, 17, False),
    "D3": (True, 20, True), "D4": (True, 23, True),
}


class TransformerBlock(nn.Module):
    """Pre-normalised attention and a feed-forward network, each with its residual."""

    def __init__(self, width=16, heads=2, activation=None, written_out=False):
        super().__init__()
        self.heads, self.written_out = heads, written_out
        self.activation = activation or nn.GELU()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.q, self.k, self.v, self.o = (nn.Linear(width, width) for _ in range(4))
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x):
        n, t, width = x.shape
        size = width // self.heads

        def split(y):
            return y.view(n, t, self.heads, size).transpose(1, 2)

        y = self.norm1(x)
        q, k, v = split(self.q(y)), split(self.k(y)), split(self.v(y))
        if self.written_out:
            y = torch.softmax(q @ k.transpose(-1, -2) / size**0.5, dim=-1) @ v
        else:
            y = F.scaled_dot_product_attention(q, k, v)
        x = x + self.o(y.transpose(1, 2).reshape(n, t, width))
        return x + self.down(self.activation(self.up(self.norm2(x))))


class LipReader(nn.Module):
    """A 3-D front, a frame at a time in 2-D, and a recurrent back end."""

    def __init__(self):
        super().__init__()
        self.front = nn.Conv3d(1, 4, (3, 5, 5), (1, 2, 2), (1, 2, 2), bias=False)
        self.norm, self.prelu = nn.BatchNorm3d(4), nn.PReLU(4)
        self.pool = nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1))
        self.conv, self.norm2 = nn.Conv2d(4, 6, 3, 1, 1, bias=False), nn.BatchNorm2d(6)
        self.pad, self.last = nn.ZeroPad2d(1), nn.Conv2d(6, 6, 3)
        self.gru = nn.GRU(6, 5, 2, bidirectional=True, batch_first=True)
        self.classify = nn.Linear(10, 7)

    def forward(self, x):
        y = self.pool(self.prelu(self.norm(self.front(x))))
        n, c, t, h, w = y.shape
        y = F.relu(self.norm2(self.conv(y.transpose(1, 2).reshape(n * t, c, h, w))))
        y = self.last(self.pad(y)).mean((2, 3)).view(n, t, -1)
        return self.classify(self.gru(y)[0].mean(1))


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.norm1 = nn.Linear(8, 12), nn.BatchNorm1d(12)
        self.second, self.norm2 = nn.Linear(12, 5, bias=False), nn.BatchNorm1d(5)

    def forward(self, x):
        y = F.leaky_relu(self.norm1(self.first(x)), 0.2)
        return torch.sigmoid(2 * self.norm2(self.second(y)) + 1)


LAYERS = {
    "transformer-block": (TransformerBlock, (2, 3, 16), {0: "n", 1: "t"}),
    "gated-block": (
        lambda: TransformerBlock(activation=nn.SiLU(), written_out=True), (2, 3, 16),
        {0: "n", 1: "t"}),
    "lip-reader": (LipReader, (2, 1, 3, 12, 12), {0: "n"}),
    "classifier": (Classifier, (2, 8), {0: "n"}),
}


def seeded(make):
    torch.manual_seed(0)
    layer = make().eval()
    for module in layer.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)):
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
    return layer


def export(name, dialect, path):
    make, shape, axes = LAYERS[name]
    dynamo, opset, folding = DIALECTS[dialect]
    options = {}
    if dynamo:
        options["dynamic_shapes"] = ({k: torch.export.Dim(v) for k, v in axes.items()},)
        options["external_data"] = False
    else:
        options["dynamic_axes"] = {"x": axes}
        options["do_constant_folding"] = folding
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            seeded(make), (torch.zeros(shape),), str(path), input_names=["x"],
            output_names=["y"], opset_version=opset, dynamo=dynamo, verbose=False, **options)
    model = onnx.load(path)
    for node in model.graph.node:  # traces of the exporter's own files
        del node.metadata_props[:]
        node.doc_string = ""
    onnx.save(model, path)
    onnx.checker.check_model(str(path), full_check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    default = Path(__file__).parent.parent / "exports"
    parser.add_argument("--output", type=Path, default=default)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    arguments.output.mkdir(parents=True, exist_ok=True)
    for name in LAYERS:
        for dialect in DIALECTS:
            path = arguments.output / f"{name}-{dialect.lower()}.onnx"
            export(name, dialect, path)
            print(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
