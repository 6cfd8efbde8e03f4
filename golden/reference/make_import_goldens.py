"""Single operators of the domain com.microsoft, and what onnxruntime computes with them.

    python golden/reference/make_import_goldens.py

Writes golden/imports/NAME.onnx and NAME.npz (operands by the inputs' names, outputs as y0, y1 …), and
golden/imports/rejected/NAME.onnx, which must be refused with the codes of rejected/codes.txt.
"""

import argparse
import pathlib

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

F = np.float32


class Case:
    """One node. Arrays given as `constants` are initializers, others are inputs."""

    def __init__(self, name, kind, operands, constants=(), outputs=1, domain="com.microsoft", named=None, **attributes):
        self.name = name
        names = ["" if value is None else f"x{index}" for index, value in enumerate(operands)]
        self.inputs = {
            f"x{index}": value
            for index, value in enumerate(operands)
            if value is not None and index not in constants
        }
        made = [f"y{index}" for index in range(outputs)]
        if named is not None:
            made = [output if output in named else "" for output in made]
        node = helper.make_node(kind, names, made, name="node", domain=domain, **attributes)
        graph = helper.make_graph(
            [node],
            "case",
            [
                helper.make_tensor_value_info(port, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
                for port, value in self.inputs.items()
            ],
            [onnx.ValueInfoProto(name=output) for output in made if output],
            [numpy_helper.from_array(operands[index], f"x{index}") for index in constants],
        )
        self.model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)],
        )
        self.model.ir_version = 8

    def run(self, folder):
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(
            self.model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        ports = session.get_outputs()
        results = session.run(None, self.inputs)
        # The types of outputs, which the node alone does not say.
        del self.model.graph.output[:]
        for port, value in zip(ports, results):
            element = helper.np_dtype_to_tensor_dtype(value.dtype)
            self.model.graph.output.append(helper.make_tensor_value_info(port.name, element, value.shape))
        onnx.save(self.model, folder / f"{self.name}.onnx")
        arrays = {port.name: value for port, value in zip(ports, results)}
        np.savez_compressed(folder / f"{self.name}.npz", **self.inputs, **arrays)

    def reject(self, folder):
        for index, output in enumerate(self.model.graph.output):
            output.CopyFrom(helper.make_tensor_value_info(f"y{index}", TensorProto.FLOAT, None))
        onnx.save(self.model, folder / f"{self.name}.onnx")


random = np.random.default_rng(21)


def real(*shape, scale=1.0):
    return (random.standard_normal(shape) * scale).astype(F)


def bytes_(*shape, signed=False):
    low, high, kind = (-128, 128, np.int8) if signed else (0, 256, np.uint8)
    return random.integers(low, high, shape).astype(kind)


def weights(*shape):
    return random.integers(-127, 128, shape).astype(np.int8)


def at(value, kind=F):
    return np.array(value, kind)


def pack(steps, bits):
    """Rows of steps, the lowest bits first, each row starting at a byte."""
    per = 8 // bits
    rows, count = steps.shape
    padded = np.zeros((rows, -(-count // per) * per), np.uint8)
    padded[:, :count] = steps
    result = np.zeros((rows, padded.shape[1] // per), np.uint8)
    for place in range(per):
        result |= padded[:, place::per] << (place * bits)
    return result


def blocked(n, k, block, bits, zeros=False):
    blocks = -(-k // block)
    steps = random.integers(0, 1 << bits, (n * blocks, block)).astype(np.uint8)
    packed = pack(steps, bits).reshape(n, blocks, block * bits // 8)
    scales = (0.05 + random.random((n, blocks)) * 0.05).astype(F)
    points = random.integers(0, 1 << bits, (n, blocks)).astype(np.uint8)
    return packed, scales, pack(points, bits) if zeros else None


def cases():
    u, s = np.uint8, np.int8
    q = (at(0.03), at(120, u))
    image = bytes_(1, 4, 5, 5)
    yield Case("q-linear-add", "QLinearAdd", [bytes_(2, 3, 4), at(0.02), at(100, u), bytes_(3, 1), at(0.05), at(7, u), *q])
    yield Case("q-linear-add-signed", "QLinearAdd", [bytes_(2, 9, signed=True), at(0.02), at(-3, s), bytes_(2, 9, signed=True), at(0.03), at(5, s), at(0.04), at(1, s)])
    yield Case("q-linear-mul", "QLinearMul", [bytes_(2, 3, 4), at(0.02), at(100, u), bytes_(2, 3, 4), at(0.05), at(7, u), at(0.1), at(30, u)])
    yield Case("q-linear-mul-scalar", "QLinearMul", [bytes_(12), at(0.02), at(3, u), bytes_(), at(0.05), at(7, u), at(0.1), at(30, u)])
    yield Case("q-linear-concat", "QLinearConcat", [*q, bytes_(2, 3), at(0.02), at(10, u), bytes_(2, 2), at(0.04), at(90, u)], constants=(0, 1, 3, 4, 6, 7), axis=1)
    yield Case("q-linear-sigmoid", "QLinearSigmoid", [bytes_(64), at(0.05), at(128, u), at(1 / 256), at(0, u)], constants=(1, 2, 3, 4))
    yield Case("q-linear-leaky-relu", "QLinearLeakyRelu", [bytes_(64), at(0.05), at(128, u), at(0.04), at(20, u)], constants=(1, 2, 3, 4), alpha=0.2)
    yield Case("q-linear-softmax", "QLinearSoftmax", [bytes_(3, 8), at(0.05), at(128, u), at(1 / 256), at(0, u)], constants=(1, 2, 3, 4), opset=13, axis=-1)
    yield Case("q-linear-softmax-rows", "QLinearSoftmax", [bytes_(3, 8), at(0.05), at(128, u), at(1 / 256), at(0, u)], constants=(1, 2, 3, 4), opset=13, axis=0)
    yield Case("q-linear-softmax-flat", "QLinearSoftmax", [bytes_(3, 8), at(0.05), at(128, u), at(1 / 256), at(0, u)], constants=(1, 2, 3, 4), opset=12)
    yield Case("q-linear-average-pool", "QLinearAveragePool", [image, at(0.05), at(128, u), at(0.04), at(110, u)], constants=(1, 2, 3, 4), kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    yield Case("q-linear-average-pool-padding", "QLinearAveragePool", [image, at(0.05), at(128, u), at(0.04), at(110, u)], constants=(1, 2, 3, 4), kernel_shape=[2, 2], pads=[1, 1, 0, 0], count_include_pad=1)
    yield Case("q-linear-global-average-pool", "QLinearGlobalAveragePool", [image, at(0.05), at(128, u), at(0.01), at(110, u)], constants=(1, 2, 3, 4))
    yield Case("q-linear-where", "QLinearWhere", [random.random((3, 4)) > 0.5, bytes_(3, 4), at(0.02), at(5, u), bytes_(4), at(0.03), at(9, u), at(0.04), at(2, u)], constants=(2, 3, 5, 6, 7, 8))
    gemm = [bytes_(3, 6), at(0.02), at(128, u), weights(4, 6), at(0.01), at(0, s), random.integers(-900, 900, 4).astype(np.int32), at(0.05), at(100, u)]
    yield Case("q-gemm", "QGemm", gemm, constants=range(1, 9), transB=1)
    yield Case("q-gemm-float", "QGemm", gemm[:7], constants=range(1, 7), transB=1, alpha=0.5)
    channels = list(gemm)
    channels[3], channels[4], channels[5] = weights(6, 4), (0.01 + random.random(4) * 0.01).astype(F), np.zeros(4, s)
    yield Case("q-gemm-channels", "QGemm", channels, constants=range(1, 9))
    for activation, parameters in (("Relu", None), ("LeakyRelu", [0.2]), ("Sigmoid", None), ("Tanh", None), ("Clip", [-0.5, 1.0]), ("HardSigmoid", [0.25, 0.4])):
        more = {} if parameters is None else {"activation_params": parameters}
        yield Case(f"fused-conv-{activation.lower()}", "FusedConv", [real(1, 3, 5, 5), real(4, 3, 3, 3), real(4)], constants=(1, 2), pads=[1] * 4, activation=activation, **more)
    yield Case("fused-conv-sum", "FusedConv", [real(1, 4, 5, 5), real(4, 2, 3, 3), real(4), real(1, 4, 5, 5)], constants=(1, 2), pads=[1] * 4, group=2, activation="Relu")
    yield Case("fused-mat-mul", "FusedMatMul", [real(2, 3, 4), real(2, 4, 5)], alpha=0.5)
    yield Case("fused-mat-mul-turned", "FusedMatMul", [real(2, 4, 3), real(5, 4)], transA=1, transB=1)
    yield Case("fused-gemm", "FusedGemm", [real(3, 4), real(5, 4), real(5)], transB=1, alpha=0.5, beta=2.0, activation="LeakyRelu", activation_alpha=0.2)
    yield Case("fused-gemm-plain", "FusedGemm", [real(4, 3), real(4, 5)], transA=1, activation="Relu")
    yield Case("gelu", "Gelu", [real(40, scale=2)])
    yield Case("bias-gelu", "BiasGelu", [real(3, 8), real(8)])
    yield Case("fast-gelu", "FastGelu", [real(3, 8)])
    yield Case("fast-gelu-bias", "FastGelu", [real(3, 8), real(8)])
    yield Case("quick-gelu", "QuickGelu", [real(40)])
    yield Case("quick-gelu-alpha", "QuickGelu", [real(40)], alpha=1.0)
    skip = [real(2, 3, 8), real(2, 3, 8), real(8), real(8), real(8)]
    yield Case("skip-layer-normalization", "SkipLayerNormalization", skip[:4], epsilon=1e-5)
    yield Case("skip-layer-normalization-bias", "SkipLayerNormalization", skip, epsilon=1e-5)
    yield Case("skip-layer-normalization-sum", "SkipLayerNormalization", [*skip[:3], None, skip[4]], outputs=4, named=("y0", "y3"))
    yield Case("skip-simplified-layer-normalization", "SkipSimplifiedLayerNormalization", skip[:3], epsilon=1e-5)
    yield Case("skip-simplified-layer-normalization-sum", "SkipSimplifiedLayerNormalization", skip[:4], outputs=4, named=("y0", "y3"))
    yield Case("simplified-layer-normalization", "SimplifiedLayerNormalization", [real(2, 3, 8), real(8)], domain="", axis=-1)
    yield Case("dynamic-quantize-mat-mul", "DynamicQuantizeMatMul", [real(3, 6), weights(6, 4), at(0.01), at(0, s), real(4)], constants=(1, 2, 3, 4))
    yield Case("dynamic-quantize-mat-mul-channels", "DynamicQuantizeMatMul", [real(3, 6), bytes_(6, 4), (0.01 + random.random(4) * 0.01).astype(F), bytes_(4)], constants=(1, 2, 3))
    yield Case("mat-mul-integer-to-float", "MatMulIntegerToFloat", [bytes_(3, 6), weights(6, 4), at(0.02), at(0.01), at(128, u), at(0, s), real(4)], constants=(1, 2, 3, 4, 5, 6))
    for bits in (4, 8, 2):
        for zeros in (False, True):
            packed, scales, points = blocked(6, 48, 16, bits, zeros)
            yield Case(f"mat-mul-{bits}-bits" + ("-zeros" if zeros else ""), "MatMulNBits", [real(3, 48), packed, scales, points], constants=(1, 2, 3) if zeros else (1, 2), K=48, N=6, bits=bits, block_size=16)
    packed, scales, points = blocked(5, 40, 32, 4, True)
    yield Case("mat-mul-4-bits-rest", "MatMulNBits", [real(2, 3, 40), packed.reshape(5, 2, 16), scales.reshape(-1), points.reshape(-1), None, real(5)], constants=(1, 2, 3, 5), K=40, N=5, bits=4, block_size=32, accuracy_level=1)
    yield Case("quantize-linear", "QuantizeLinear", [real(3, 4), at(0.02), at(100, np.uint16)], constants=(1, 2))
    yield Case("dequantize-linear", "DequantizeLinear", [bytes_(3, 4), at([0.02, 0.03, 0.04]), at([1, 2, 3], u)], constants=(1, 2), axis=0)


def dynamic_lstm():
    hidden, features = 6, 5
    for name, channels, directions in (("dynamic-quantize-lstm", False, 1), ("dynamic-quantize-lstm-channels", True, 2)):
        count = (directions, 4 * hidden) if channels else (directions,)
        scales = [(0.005 + random.random(count) * 0.003).astype(F) for _ in range(2)]
        zeros = [np.zeros(count, np.int8) for _ in range(2)]
        operands = [
            real(7, 2, features), weights(directions, features, 4 * hidden), weights(directions, hidden, 4 * hidden),
            real(directions, 8 * hidden, scale=0.2), None, None, None, None, scales[0], zeros[0], scales[1], zeros[1],
        ]
        yield Case(name, "DynamicQuantizeLSTM", operands, constants=(1, 2, 3, 8, 9, 10, 11), outputs=3, hidden_size=hidden, direction="bidirectional" if directions == 2 else "forward")


def rejected():
    u, s = np.uint8, np.int8
    image = [bytes_(1, 5, 5, 4), at(0.05), at(128, u), at(0.04), at(110, u)]
    yield "unsupported-feature", Case("average-pool-channels-last", "QLinearAveragePool", image, kernel_shape=[2, 2], channels_last=1)
    yield "unsupported-feature", Case("global-average-pool-channels-last", "QLinearGlobalAveragePool", image, channels_last=1)
    yield "unsupported-feature", Case("softmax-flattened", "QLinearSoftmax", [bytes_(2, 3, 8), *image[1:]], opset=12, axis=1)
    yield "invalid-value", Case("softmax-without-opset", "QLinearSoftmax", [bytes_(2, 8), *image[1:]])
    yield "invalid-value", Case("concat-of-pairs", "QLinearConcat", [at(0.1), at(0, u), bytes_(2, 3), at(0.1)], axis=1)
    yield "invalid-value", Case("add-without-scale", "QLinearAdd", [bytes_(3), None, None, bytes_(3), at(0.1), None, at(0.1)])
    yield "unsupported-feature", Case("conv-unknown-activation", "FusedConv", [real(1, 3, 5, 5), real(4, 3, 3, 3)], activation="Softsign")
    yield "unsupported-feature", Case("gemm-unknown-activation", "FusedGemm", [real(3, 4), real(4, 5)], activation="Elu")
    yield "unsupported-feature", Case("mat-mul-moved-batches", "FusedMatMul", [real(2, 3, 4), real(2, 4, 5)], transBatchA=1)
    yield "unsupported-feature", Case("skip-statistics", "SkipLayerNormalization", [real(2, 8), real(2, 8), real(8)], outputs=2)
    yield "invalid-value", Case("skip-without-skip", "SkipLayerNormalization", [real(2, 8), None, real(8)])
    yield "invalid-value", Case("bias-gelu-without-bias", "BiasGelu", [real(2, 8)])
    packed, scales, points = blocked(6, 48, 16, 4, True)
    sizes = {"K": 48, "N": 6, "bits": 4, "block_size": 16}
    yield "unsupported-feature", Case("n-bits-three", "MatMulNBits", [real(3, 48), packed, scales], constants=(1, 2), **{**sizes, "bits": 3})
    yield "unsupported-feature", Case("n-bits-prepacked", "MatMulNBits", [real(3, 48), packed, scales], constants=(1, 2), **sizes, weight_prepacked=1)
    yield "unsupported-feature", Case("n-bits-not-constant", "MatMulNBits", [real(3, 48), packed, scales], **sizes)
    yield "unsupported-feature", Case("n-bits-float-zeros", "MatMulNBits", [real(3, 48), packed, scales, real(18)], constants=(1, 2, 3), **sizes)
    yield "unsupported-feature", Case("n-bits-short-zeros", "MatMulNBits", [real(3, 48), packed, scales, points[:, :1]], constants=(1, 2, 3), **sizes)
    yield "shape-mismatch", Case("n-bits-short", "MatMulNBits", [real(3, 48), packed[:, :, :4], scales], constants=(1, 2), **sizes)
    yield "invalid-value", Case("n-bits-block", "MatMulNBits", [real(3, 48), packed, scales], constants=(1, 2), **{**sizes, "block_size": 24})
    yield "invalid-value", Case("n-bits-huge", "MatMulNBits", [real(3, 48), packed, scales], constants=(1, 2), **{**sizes, "K": 1 << 62, "N": 1 << 40})
    yield "unsupported-attribute", Case("gelu-attribute", "Gelu", [real(4)], approximate="tanh")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path(__file__).parent.parent / "imports")
    folder = parser.parse_args().output
    (folder / "rejected").mkdir(parents=True, exist_ok=True)
    for case in [*cases(), *dynamic_lstm()]:
        try:
            case.run(folder)
        except Exception as error:
            print(f"{case.name}: {error}")
    codes = []
    for code, case in rejected():
        case.reject(folder / "rejected")
        codes.append(f"{case.name} {code}\n")
    (folder / "rejected" / "codes.txt").write_text("".join(sorted(codes)))


if __name__ == "__main__":
    main()
