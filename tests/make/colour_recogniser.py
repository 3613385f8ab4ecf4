"""A recogniser that anybody could plug in: it tells people apart by the colours of their faces."""

from pathlib import Path

import onnx
from onnx import TensorProto, helper


def write_colour_recogniser(path: Path) -> None:
    """An ONNX file: faces (n, 3, 112, 112) to the mean colours of their 4 × 4 parts, (n, 48)."""
    nodes = [
        helper.make_node("AveragePool", ["faces"], ["parts"], kernel_shape=[28, 28], strides=[28, 28]),
        helper.make_node("Flatten", ["parts"], ["vectors"]),
    ]
    faces = helper.make_tensor_value_info("faces", TensorProto.FLOAT, ["n", 3, 112, 112])
    vectors = helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["n", 48])
    graph = helper.make_graph(nodes, "colours", [faces], [vectors])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
