"""Small networks as onnxruntime's quantizer writes them, and what onnxruntime computes with them.

    python golden/reference/make_quantized_goldens.py

Writes golden/quantized/NAME.onnx and NAME.npz (input, output). Optimisations of onnxruntime are off, so that
the outputs are those of the operators in the file.
"""

import argparse
import pathlib
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)

SHAPE = (1, 3, 12, 12)


class Net:
    """Nodes and weights of one graph."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)
        self.nodes, self.weights = [], []

    def weight(self, *shape, scale=None):
        fan = int(np.prod(shape[1:])) or 1
        values = self.random.standard_normal(shape) * (scale or 1.5 / np.sqrt(fan))
        return self.constant(values.astype(np.float32))

    def constant(self, values):
        name = f"c{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def node(self, kind, inputs, name, **attributes):
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def model(self, shape, output, classes, opset=17):
        graph = helper.make_graph(
            self.nodes,
            "net",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, classes)],
            self.weights,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
        model.ir_version = 8
        onnx.checker.check_model(model, full_check=True)
        return model


def convolutions():
    """Every kind of convolution, sums, products, joins, pools, resizing and functions."""
    n = Net(11)
    a = n.node("Conv", ["x", n.weight(8, 3, 3, 3), n.weight(8, scale=0.2)], "stem", pads=[1] * 4)
    a = n.node("Relu", [a], "stem.relu")
    b = n.node("Conv", [a, n.weight(8, 1, 3, 3), n.weight(8, scale=0.2)], "depthwise", pads=[1] * 4, group=8)
    b = n.node("Clip", [b, n.constant(np.float32(0)), n.constant(np.float32(1.5))], "depthwise.clip")
    b = n.node("Conv", [b, n.weight(8, 8, 1, 1), n.weight(8, scale=0.2)], "pointwise")
    c = n.node("Add", [a, b], "sum")
    d = n.node("LeakyRelu", [c], "leaky", alpha=0.1)
    gate = n.node("Sigmoid", [n.node("Conv", [d, n.weight(8, 4, 1, 1)], "gate.conv", group=2)], "gate")
    d = n.node("Mul", [d, gate], "gated")
    e = n.node("MaxPool", [d], "max", kernel_shape=[2, 2], strides=[2, 2])
    f = n.node("AveragePool", [d], "mean", kernel_shape=[2, 2], strides=[2, 2])
    g = n.node("Concat", [e, f], "join", axis=1)
    h = n.node("ConvTranspose", [g, n.weight(16, 4, 2, 2, scale=0.3), n.weight(4, scale=0.1)], "up", strides=[2, 2])
    sizes = n.constant(np.array([1, 1, 2, 2], np.float32))
    i = n.node("Resize", [g, "", sizes], "resize", mode="nearest")
    j = n.node("Concat", [h, i], "join.up", axis=1)
    j = n.node("Conv", [j, n.weight(10, 20, 3, 3), n.weight(10, scale=0.2)], "head", strides=[2, 2], pads=[1] * 4)
    j = n.node("Tanh", [j], "head.tanh")
    k = n.node("GlobalAveragePool", [j], "pool")
    k = n.node("Flatten", [k], "flat", axis=1)
    k = n.node("Gemm", [k, n.weight(6, 10), n.weight(6, scale=0.2)], "classes", transB=1)
    k = n.node("Softmax", [k], "y", axis=1)
    return n.model(SHAPE, k, [1, 6])


def products():
    """Matrix products by weights and of activations, as transformers have them."""
    n = Net(12)
    a = n.node("MatMul", ["x", n.weight(12, 16)], "in")
    a = n.node("Add", [a, n.weight(16, scale=0.2)], "in.bias")
    keys = n.node("MatMul", [a, n.weight(16, 16)], "keys")
    turned = n.node("Transpose", [keys], "keys.turned", perm=[0, 2, 1])
    scores = n.node("MatMul", [a, turned], "scores")
    scores = n.node("Mul", [scores, n.constant(np.float32(0.25))], "scores.scaled")
    weights = n.node("Softmax", [scores], "weights", axis=-1)
    mixed = n.node("MatMul", [weights, a], "mixed")
    mixed = n.node("Add", [mixed, a], "mixed.sum")
    out = n.node("MatMul", [mixed, n.weight(16, 8)], "out")
    flat = n.node("Reshape", [out, n.constant(np.array([4, 40], np.int64))], "flat")
    y = n.node("Gemm", [flat, n.weight(40, 5), n.weight(5, scale=0.2)], "y")
    return n.model((4, 5, 12), y, [4, 5])


class Samples(CalibrationDataReader):
    def __init__(self, shape, count=8):
        random = np.random.default_rng(3)
        self.samples = iter([{"x": random.standard_normal(shape).astype(np.float32)} for _ in range(count)])

    def get_next(self):
        return next(self.samples, None)


FORMS = {
    # name: activations, weights, one scale for each channel, format
    "s8s8": (QuantType.QInt8, QuantType.QInt8, False, QuantFormat.QDQ),
    "s8s8-channels": (QuantType.QInt8, QuantType.QInt8, True, QuantFormat.QDQ),
    "u8s8-channels": (QuantType.QUInt8, QuantType.QInt8, True, QuantFormat.QDQ),
    "u8u8": (QuantType.QUInt8, QuantType.QUInt8, False, QuantFormat.QDQ),
    "u8s8-operators": (QuantType.QUInt8, QuantType.QInt8, False, QuantFormat.QOperator),
    "u8u8-operators": (QuantType.QUInt8, QuantType.QUInt8, False, QuantFormat.QOperator),
    "s8s8-operators": (QuantType.QInt8, QuantType.QInt8, False, QuantFormat.QOperator),
}


def fake_quantized():
    """As a framework exports what it trained with simulated quantization: float weights through QuantizeLinear,
    and limits on the integers between the two conversions."""
    n = Net(13)

    def pair(x, scale, zero, name, limits=None, axis=None):
        scale = n.constant(np.asarray(scale, np.float32))
        zero = n.constant(zero)
        more = {} if axis is None else {"axis": axis}
        q = n.node("QuantizeLinear", [x, scale, zero], f"{name}.q", **more)
        if limits is not None:
            q = n.node("Clip", [q, n.constant(limits[0]), n.constant(limits[1])], f"{name}.clip")
        return n.node("DequantizeLinear", [q, scale, zero], f"{name}.dq", **more)

    def layer(x, outputs, inputs, name):
        w = n.weight(outputs, inputs, 3, 3)
        values = numpy_helper.to_array(n.weights[-1])
        scales = np.abs(values).max((1, 2, 3)) / 127.5
        w = pair(w, scales, np.zeros(outputs, np.int8), f"{name}.w", axis=0)
        return n.node("Conv", [x, w, n.weight(outputs, scale=0.1)], name, pads=[1] * 4)

    x = pair("x", 0.05, np.uint8(64), "x", (np.uint8(0), np.uint8(127)))
    a = n.node("Relu", [layer(x, 6, 3, "one")], "one.relu")
    a = pair(a, 0.04, np.uint8(0), "one", (np.uint8(0), np.uint8(127)))
    b = pair(layer(a, 6, 6, "two"), 0.05, np.uint8(60), "two", (np.uint8(0), np.uint8(127)))
    c = n.node("HardSwish", [b], "two.swish")
    c = pair(c, 0.03, np.uint8(12), "two.swish", (np.uint8(0), np.uint8(127)))
    d = pair(n.node("Add", [a, c], "sum"), 0.05, np.uint8(16), "sum", (np.uint8(0), np.uint8(127)))
    y = n.node("GlobalAveragePool", [d], "y")
    return n.model(SHAPE, y, [1, 6, 1, 1])


def unsigned_input():
    """A picture as bytes, and bytes out: integers of the file at both ends."""
    n = Net(14)
    scale, zero = n.constant(np.float32(1 / 64)), n.constant(np.uint8(128))
    x = n.node("DequantizeLinear", ["x", scale, zero], "x.dq")
    w = n.constant(n.random.integers(-128, 128, (4, 3, 3, 3)).astype(np.int8))
    w = n.node("DequantizeLinear", [w, n.constant(np.full(4, 0.01, np.float32))], "w", axis=0)
    a = n.node("Conv", [x, w], "conv", pads=[1] * 4)
    a = n.node("QuantizeLinear", [a, n.constant(np.float32(0.1)), zero], "a.q")
    a = n.node("MaxPool", [a], "max", kernel_shape=[2, 2], strides=[2, 2])
    a = n.node("Transpose", [a], "y", perm=[0, 2, 3, 1])
    graph = helper.make_graph(
        n.nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, SHAPE)],
        [helper.make_tensor_value_info(a, TensorProto.UINT8, [1, 6, 6, 4])],
        n.weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    return model


def write(folder, name, model):
    del model.graph.value_info[:]
    model.doc_string = ""
    del model.metadata_props[:]
    path = folder / f"{name}.onnx"
    onnx.save(model, path)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    port = session.get_inputs()[0]
    random = np.random.default_rng(99)
    if port.type == "tensor(uint8)":
        x = random.integers(0, 256, port.shape).astype(np.uint8)
    else:
        x = random.standard_normal(port.shape).astype(np.float32)
    y = session.run(None, {port.name: x})[0]
    np.savez_compressed(folder / f"{name}.npz", x=x, y=y)
    print(f"{name}: {path.stat().st_size} bytes, {len(model.graph.node)} nodes")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path(__file__).parent.parent / "quantized")
    folder = parser.parse_args().output
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        temporary = pathlib.Path(temporary)
        for net, model, shape in (
            ("convolutions", convolutions(), SHAPE),
            ("products", products(), (4, 5, 12)),
        ):
            onnx.save(model, temporary / "float.onnx")
            for form, (activations, weights, channels, layout) in FORMS.items():
                quantize_static(
                    temporary / "float.onnx",
                    temporary / "int8.onnx",
                    Samples(shape),
                    quant_format=layout,
                    activation_type=activations,
                    weight_type=weights,
                    per_channel=channels,
                    extra_options={"WeightSymmetric": weights == QuantType.QInt8},
                )
                write(folder, f"{net}-{form}", onnx.load(temporary / "int8.onnx"))
            quantize_dynamic(temporary / "float.onnx", temporary / "int8.onnx", weight_type=QuantType.QInt8)
            write(folder, f"{net}-dynamic", onnx.load(temporary / "int8.onnx"))
    write(folder, "fake-quantized", fake_quantized())
    write(folder, "bytes", unsigned_input())


if __name__ == "__main__":
    main()
