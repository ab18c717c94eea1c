"""Golden files of the ONNX runtime: a model that the Python package onnx wrote, and what its reference evaluator gives.

Run with .peers/bin/python. Writes Tests/Golden/onnx/peer.onnx and peer.json.
"""

import json
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "Tests/Golden/onnx"


def main():
    random = np.random.default_rng(7)
    table = random.integers(-8, 9, (6, 4)).astype(np.float32) / 4
    gain = random.integers(1, 9, 4).astype(np.float32) / 4
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["rows"], name="embed"),
        helper.make_node("LayerNormalization", ["rows", "gain"], ["normed"], name="norm", epsilon=1e-5),
        helper.make_node("ReduceMean", ["normed"], ["pooled"], name="pool", axes=[1], keepdims=0),
        helper.make_node("Softmax", ["pooled"], ["y"], name="softmax", axis=-1),
    ]
    graph = helper.make_graph(
        nodes,
        "peer",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", "length"])],
        [
            helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 4]),
            helper.make_tensor_value_info("normed", TensorProto.FLOAT, ["batch", "length", 4]),
        ],
        [numpy_helper.from_array(table, "table"), numpy_helper.from_array(gain, "gain")],
        doc_string="what our reader does not know is kept",
        value_info=[helper.make_tensor_value_info("pooled", TensorProto.FLOAT, ["batch", 4])],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="onnx", domain="org.example"
    )
    helper.set_model_props(model, {"pooling": "mean"})
    onnx.checker.check_model(model, full_check=True)

    ids = np.array([[0, 1, 5], [2, 2, 3], [4, 0, 0]], np.int64)
    y, normed = ReferenceEvaluator(model).run(None, {"ids": ids})
    FOLDER.mkdir(parents=True, exist_ok=True)
    onnx.save(model, FOLDER / "peer.onnx")
    golden = {"ids": ids.ravel().tolist(), "y": y.ravel().tolist(), "normed": normed.ravel().tolist()}
    golden["table"] = table.ravel().tolist()
    (FOLDER / "peer.json").write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()
