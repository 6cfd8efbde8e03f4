"""Writes golden/gradients/operators.npz: operands, the gradient by the output and PyTorch's gradients by the operands.

    python golden/reference/make_gradient_goldens.py

Operands are float32; PyTorch computes in float64, and what it gives is rounded once. The names of the cases are
those of Tests/AdaptationTests/GradientCases.swift.
"""

import pathlib

import numpy as np
import torch
from torch.nn import functional as F

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "gradients"
CASES = {}


def case(name, *shapes, low=None):
    """A case whose operands are normal numbers, or at least `low` where that is given."""

    def add(function):
        CASES[name] = (shapes, low, function)
        return function

    return add


def unary(name, function, low=None):
    case(name, (2, 3, 5), low=low)(function)


for name, function in {
    "abs": torch.abs, "neg": torch.neg, "exp": torch.exp, "sigmoid": torch.sigmoid, "tanh": torch.tanh,
    "softplus": F.softplus, "softsign": F.softsign, "sin": torch.sin, "cos": torch.cos, "erf": torch.erf,
    "relu": F.relu, "leaky-relu": lambda x: F.leaky_relu(x, 0.1), "elu": lambda x: F.elu(x, 0.7),
    "hard-sigmoid": lambda x: (0.25 * x + 0.4).clamp(0, 1), "hard-swish": lambda x: F.hardswish(4 * x),
    "swish": F.silu, "gelu": F.gelu, "gelu-tanh": lambda x: F.gelu(x, approximate="tanh"),
    "clip": lambda x: x.clamp(-0.5, 0.8), "softmax": lambda x: F.softmax(x, 1),
    "log-softmax": lambda x: F.log_softmax(x, 2), "identity": lambda x: x * 1,
    "normalize-l2": lambda x: F.normalize(x, dim=1),
    "reduce-sum": lambda x: x.sum((0, 2)), "reduce-mean": lambda x: x.mean(1, keepdim=True),
    "reduce-l1": lambda x: x.abs().sum(2), "reduce-l2": lambda x: x.norm(dim=1),
    "reduce-sum-square": lambda x: (x * x).sum((1, 2)), "reduce-log-sum-exp": lambda x: x.logsumexp(2),
    "reduce-max": lambda x: x.amax(1), "reduce-min": lambda x: x.amin((0, 2), keepdim=True),
    "reshape": lambda x: x.reshape(5, 6), "flatten": lambda x: x.flatten(1),
    "unsqueeze": lambda x: x.unsqueeze(1), "transpose": lambda x: x.permute(2, 0, 1),
    "tile": lambda x: x.repeat(2, 1, 3), "slice": lambda x: x[:, 1:3, 1:],
    "slice-steps": lambda x: x.flip(2)[:, :, ::2], "split": lambda x: torch.cat(x.split([2, 3], 2), 2) * 1,
    "gather": lambda x: x[:, [2, 0, 2]], "gather-none": lambda x: x[1],
}.items():
    unary(name, function)
unary("log", torch.log, low=0.2)
unary("sqrt", torch.sqrt, low=0.2)
unary("reciprocal", torch.reciprocal, low=0.2)
unary("reduce-log-sum", lambda x: x.sum(1).log(), low=0.2)
case("squeeze", (2, 1, 5))(lambda x: x.squeeze(1))
case("expand", (3, 1))(lambda x: x.expand(2, 3, 4))
case("depth-to-space", (1, 8, 2, 3))(
    lambda x: x.reshape(1, 2, 2, 2, 2, 3).permute(0, 3, 4, 1, 5, 2).reshape(1, 2, 4, 6))
case("space-to-depth", (1, 2, 4, 6))(
    lambda x: x.reshape(1, 2, 2, 2, 3, 2).permute(0, 3, 5, 1, 2, 4).reshape(1, 8, 2, 3))

case("add", (2, 3, 4), (3, 1))(torch.add)
case("sub", (3, 1), (2, 3, 4))(torch.sub)
case("mul", (2, 3, 4), (4,))(torch.mul)
case("div", (2, 3, 4), (2, 1, 4), low=0.3)(torch.div)
case("pow", (2, 3, 4), (4,), low=0.3)(torch.pow)
case("sum", (2, 3), (3,), (1, 1))(lambda a, b, c: a + b + c)
case("mean", (2, 3), (3,), (1, 1))(lambda a, b, c: (a + b + c) / 3)
case("max", (2, 3, 4), (3, 1))(torch.maximum)
case("min", (2, 3, 4), (3, 1))(torch.minimum)
case("prelu", (2, 3, 4), (3, 1))(lambda x, s: torch.where(x < 0, x * s, x))
case("where", (2, 3, 4), (3, 1))(
    lambda x, z: torch.where(torch.arange(24).reshape(2, 3, 4) % 3 == 0, x, z))
case("concat", (2, 3), (2, 4))(lambda a, b: torch.cat([a, b], 1))
case("matmul", (2, 3, 4), (4, 5))(torch.matmul)
case("matmul-vectors", (4,), (2, 4, 5))(torch.matmul)
case("matmul-column", (2, 3, 4), (4,))(torch.matmul)
for a in (False, True):
    for b in (False, True):
        case(f"gemm-{'t' if a else 'n'}{'t' if b else 'n'}", (4, 3) if a else (3, 4), (5, 4) if b else (4, 5), (5,))(
            lambda x, y, z, a=a, b=b: 0.5 * (x.T if a else x) @ (y.T if b else y) + 2 * z)
case("gemm-relu", (3, 4), (4, 5), (5,), (3, 5))(lambda x, y, z, r: F.relu(x @ y + z + r))
case("linear", (2, 3, 4), (5, 4), (5,))(lambda x, w, b: torch.tanh(F.linear(x, w, b)))
case("linear-gelu", (2, 3, 4), (4, 5), (5,))(lambda x, w, b: F.gelu(x @ w + b))

case("conv", (2, 3, 6, 5), (4, 3, 3, 3), (4,))(lambda x, w, b: F.conv2d(x, w, b, padding=1))
case("conv-strided", (1, 4, 9, 8), (6, 2, 3, 2))(
    lambda x, w: F.conv2d(x, w, stride=(2, 3), padding=(1, 0), dilation=(2, 1), groups=2))
case("conv-uneven", (1, 2, 7, 6), (3, 2, 3, 3))(
    lambda x, w: F.conv2d(F.pad(x, (0, 1, 1, 0)), w, stride=2))
case("conv-depthwise", (2, 3, 5, 5), (3, 1, 3, 3))(lambda x, w: F.conv2d(x, w, groups=3, padding=1))
case("conv-1d", (2, 3, 9), (4, 3, 3), (4,))(lambda x, w, b: F.conv1d(x, w, b, dilation=2))
case("conv-3d", (1, 2, 4, 5, 5), (3, 2, 2, 3, 3))(lambda x, w: F.conv3d(x, w, padding=1))
case("conv-fused", (1, 3, 5, 5), (3, 3, 3, 3), (3,), (1, 3, 5, 5))(
    lambda x, w, b, r: F.relu(F.conv2d(x, w, b, padding=1) + r))
case("conv-prelu", (1, 3, 5, 5), (4, 3, 3, 3), (4,), (4,))(
    lambda x, w, b, s: F.prelu(F.conv2d(x, w, b, padding=1), s))
case("conv-silu", (1, 3, 5, 5), (4, 3, 3, 3))(lambda x, w: F.silu(F.conv2d(x, w)))
case("conv-clip", (1, 3, 5, 5), (4, 3, 3, 3))(lambda x, w: F.conv2d(x, w).clamp(-1, 2))
case("conv-transpose", (2, 3, 4, 5), (3, 4, 3, 3), (4,))(
    lambda x, w, b: F.conv_transpose2d(x, w, b, stride=2, padding=1, output_padding=1))
case("conv-transpose-groups", (1, 4, 3, 3), (4, 2, 2, 3))(
    lambda x, w: F.conv_transpose2d(x, w, stride=(3, 1), groups=2, dilation=(1, 2)))

case("resize-down", (1, 2, 7, 6))(
    lambda x: F.interpolate(x, scale_factor=0.5, mode="bilinear", align_corners=False, recompute_scale_factor=False))
case("resize-up", (1, 2, 3, 4))(lambda x: F.interpolate(x, size=(7, 9), mode="bilinear", align_corners=False))
case("resize-nearest", (1, 2, 3, 4))(lambda x: F.interpolate(x, scale_factor=2, mode="nearest"))
case("pad", (2, 3, 4))(lambda x: F.pad(x, (1, 2, 0, 1)))
case("pad-crop", (2, 3, 4))(lambda x: F.pad(x, (-1, 2)))
case("pad-reflect", (1, 2, 3, 5))(lambda x: F.pad(x, (2, 1, 1, 2), mode="reflect"))
case("pad-edge", (1, 2, 3, 5))(lambda x: F.pad(x, (2, 1, 1, 2), mode="replicate"))
case("average-pool", (2, 3, 6, 7))(lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False))
case("average-pool-counted", (2, 3, 6, 7))(lambda x: F.avg_pool2d(x, (2, 3), 2, (1, 1), count_include_pad=True))
case("max-pool", (2, 3, 6, 7))(lambda x: F.max_pool2d(x, 3, 2, 1))
case("global-average-pool", (2, 3, 4, 5))(lambda x: x.mean((2, 3), keepdim=True))
case("global-max-pool", (2, 3, 4, 5))(lambda x: x.amax((2, 3), keepdim=True))
MEAN = torch.tensor([0.1, -0.2, 0.3, 0.0], dtype=torch.float64)
VARIANCE = torch.tensor([0.5, 1.5, 1.0, 2.0], dtype=torch.float64)
case("batch-normalization", (2, 4, 3, 3), (4,), (4,))(
    lambda x, s, b: F.batch_norm(x, MEAN.clone(), VARIANCE.clone(), s, b))
case("batch-normalization-training", (2, 4, 3, 3), (4,), (4,))(
    lambda x, s, b: F.batch_norm(x, MEAN.clone(), VARIANCE.clone(), s, b, training=True))
case("layer-normalization", (2, 3, 6), (6,), (6,))(lambda x, s, b: F.layer_norm(x, (6,), s, b))
case("rms-normalization", (2, 3, 6), (6,))(lambda x, s: F.rms_norm(x, (6,), s, eps=1e-5))
case("instance-normalization", (2, 3, 4, 4), (3,), (3,))(lambda x, s, b: F.instance_norm(x, weight=s, bias=b))
case("group-normalization", (2, 4, 3, 3), (4,), (4,))(lambda x, s, b: F.group_norm(x, 2, s, b))


@case("memory-read", (3, 8), (10, 4), (10, 6), (6,))
def memory_read(query, keys, values, bias):
    shares = [
        F.softmax(F.normalize(query[:, 4 * h:4 * h + 4], dim=1) @ keys[5 * h:5 * h + 5].T, 1) for h in range(2)]
    return torch.cat(shares, 1) @ values + bias


def main():
    FOLDER.mkdir(exist_ok=True)
    arrays = {}
    for index, (name, (shapes, low, function)) in enumerate(CASES.items()):
        random = np.random.default_rng(1000 + index)
        operands = [random.standard_normal(shape).astype(np.float32) for shape in shapes]
        if low is not None:
            operands = [np.abs(x) + np.float32(low) for x in operands]
        leaves = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in operands]
        y = function(*leaves)
        gradient = random.standard_normal(tuple(y.shape)).astype(np.float32)
        y.backward(torch.tensor(gradient, dtype=torch.float64))
        arrays[f"{name}.y"] = y.detach().numpy().astype(np.float32)
        arrays[f"{name}.gradient"] = gradient
        for place, (x, leaf) in enumerate(zip(operands, leaves)):
            arrays[f"{name}.x{place}"] = x
            arrays[f"{name}.gradient{place}"] = leaf.grad.numpy().astype(np.float32)
    np.savez(FOLDER / "operators.npz", **{key: np.ascontiguousarray(value) for key, value in arrays.items()})
    print(len(CASES), "cases")


if __name__ == "__main__":
    main()
