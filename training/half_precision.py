"""ONNX networks stored in half precision: half the bytes, while the runtime still computes in float32."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

_LEAST = 64  # numbers; smaller weights are not worth a Cast


def stored_as_half(model: onnx.ModelProto) -> onnx.ModelProto:
    """``model``, changed in place: float32 weights as float16, each behind a Cast that is folded away while loading."""
    graph, casts = model.graph, []
    for weight in list(graph.initializer):
        if weight.data_type != TensorProto.FLOAT or np.prod(weight.dims) < _LEAST:
            continue
        half = numpy_helper.from_array(numpy_helper.to_array(weight).astype(np.float16), f"{weight.name}.half")
        casts.append(helper.make_node("Cast", [half.name], [weight.name], to=TensorProto.FLOAT))
        graph.initializer.remove(weight)
        graph.initializer.append(half)
    nodes = casts + list(graph.node)
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(model)
    return model
