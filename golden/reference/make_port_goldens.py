"""Makes golden/ports: small models and inputs that fit their ports, or do not.

    python golden/reference/make_port_goldens.py

`running-sum.onnx` adds its input to its state; the samples of `sums` give every state as
zero, so their outputs follow only where the state is carried from sample to sample.
`rows.onnx` scales rows by numbers; its two inputs share their number of rows.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

PORTS = Path(__file__).resolve().parent.parent / "ports"


def port(name, shape, element=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, element, shape)


def write(path, nodes, inputs, outputs, initializers=()):
    graph = helper.make_graph(nodes, path.stem, inputs, outputs, list(initializers))
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9,
        producer_name="make_port_goldens")
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())


def main():
    sums, rows = PORTS / "sums", PORTS / "rows"
    for folder in (sums, rows):
        folder.mkdir(parents=True, exist_ok=True)
    write(PORTS / "running-sum.onnx",
          [helper.make_node("Add", ["x", "state"], ["total"])],
          [port("x", [1, "K"]), port("state", [1, "K"])], [port("total", [1, "K"])])
    generator = np.random.default_rng(3)
    total = np.zeros((1, 5), np.float32)
    for number in range(3):
        x = generator.standard_normal((1, 5)).astype(np.float32)
        total = x + total
        np.savez(sums / f"sample_{number}.npz", x=x, state=np.zeros_like(x), total=total)

    write(PORTS / "rows.onnx",
          [helper.make_node("Cast", ["factors"], ["real"], to=TensorProto.FLOAT),
           helper.make_node("Unsqueeze", ["real", "last"], ["column"]),
           helper.make_node("Mul", ["table", "column"], ["scaled"])],
          [port("table", ["rows", 4]), port("factors", ["rows"], TensorProto.INT64)],
          [port("scaled", ["rows", 4])],
          [helper.make_tensor("last", TensorProto.INT64, [1], [1])])
    table = np.arange(12, dtype=np.float32).reshape(3, 4)
    factors = np.array([1, -1, 2], np.int64)
    variants = {
        "fits": (table, factors),
        "wrong-extent": (table.reshape(4, 3), factors),
        "wrong-rank": (table.reshape(3, 2, 2), factors),
        "wrong-type": (table, factors.astype(np.float32)),
        "disagreeing": (table, factors[:2]),
    }
    for name, (table_like, factors_like) in variants.items():
        np.savez(rows / f"{name}.npz", table=table_like, factors=factors_like)


if __name__ == "__main__":
    main()
