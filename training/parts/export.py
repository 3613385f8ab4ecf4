"""Write the parts network as the ONNX file that ships, weights stored as float16.

python -m training.parts.export RUN -o src/likeness/weights
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper

from likeness.faces.parts import SIZE
from likeness.files import atomic_write
from training.parts.network import Answers, PartsNetwork

OPSET = 18
_MOST_OFF = 0.02  # of a probability: half precision and another order of sums


def load(run: Path) -> PartsNetwork:
    """The averaged network of ``run``, ready to use."""
    network = PartsNetwork()
    network.load_state_dict(torch.load(run / "network.pt", weights_only=True)["average"])
    return network.eval()


def export(run: Path, path: Path) -> float:
    """Write the network of ``run`` to ``path``; returns how far its answers are from torch's at most."""
    answers = Answers(load(run)).eval()
    crops = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, SIZE, SIZE, 3), np.uint8))
    with atomic_write(path) as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            answers, (crops.clone(),), str(temporary), input_names=["crops"], output_names=["parts"],
            opset_version=OPSET, dynamo=False, dynamic_axes={"crops": {0: "n"}, "parts": {0: "n"}},
        )  # fmt: skip
        onnx.save(stored_as_half(onnx.load(temporary)), temporary)
        session = onnxruntime.InferenceSession(temporary.read_bytes(), providers=["CPUExecutionProvider"])
        with torch.no_grad():
            apart = float(np.abs(session.run(None, {"crops": crops.numpy()})[0] - answers(crops).numpy()).max())
        if apart > _MOST_OFF:
            raise RuntimeError(f"ONNX Runtime's answers differ from torch's by {apart:.3f}; {path} was not written.")
    return apart


def stored_as_half(model: onnx.ModelProto) -> onnx.ModelProto:
    """``model`` with its float32 weights as float16, each behind a Cast that the runtime folds away while loading."""
    graph, casts = model.graph, []
    for weight in list(graph.initializer):
        if weight.data_type != TensorProto.FLOAT or np.prod(weight.dims) < 64:
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("-o", "--out", type=Path, default=Path("src/likeness/weights"))
    options = parser.parse_args()
    path = options.out / "face_parts.onnx"
    apart = export(options.run, path)
    print(f"{path}: {path.stat().st_size:,} bytes, answers within {apart:.4f} of torch's")


if __name__ == "__main__":
    main()
