"""A recogniser that anybody could plug in: it tells people apart by the colours of their faces."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def write_colour_recogniser(path: Path) -> None:
    """An ONNX file: faces (n, 3, 112, 112) to the mean colours of their 4 × 4 parts without their grey, (n, 48)."""
    nodes = [
        helper.make_node("Conv", ["faces", "colour"], ["colours"]),
        helper.make_node("AveragePool", ["colours"], ["parts"], kernel_shape=[28, 28], strides=[28, 28]),
        helper.make_node("Flatten", ["parts"], ["vectors"]),
    ]
    faces = helper.make_tensor_value_info("faces", TensorProto.FLOAT, ["n", 3, 112, 112])
    vectors = helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["n", 48])
    colour = numpy_helper.from_array((np.eye(3) - 1 / 3).astype(np.float32).reshape(3, 3, 1, 1), "colour")
    graph = helper.make_graph(nodes, "colours", [faces], [vectors], [colour])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
