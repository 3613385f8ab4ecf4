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

from likeness.faces.parts import SIZE
from likeness.files import atomic_write
from training.half_precision import stored_as_half
from training.parts.network import Answers, PartsNetwork
from training.timed_training import load_averaged

_OPSET = 18
_MOST_OFF = 0.02  # of a probability: half precision and another order of sums


def export(run: Path, path: Path) -> float:
    """Write the network of ``run`` to ``path``; returns how far its answers are from torch's at most."""
    answers = Answers(load_averaged(run, PartsNetwork())).eval()
    crops = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, SIZE, SIZE, 3), np.uint8))
    with atomic_write(path) as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            answers, (crops.clone(),), str(temporary), input_names=["crops"], output_names=["parts"],
            opset_version=_OPSET, dynamo=False, dynamic_axes={"crops": {0: "n"}, "parts": {0: "n"}},
        )  # fmt: skip
        onnx.save(stored_as_half(onnx.load(temporary)), temporary)
        session = onnxruntime.InferenceSession(temporary.read_bytes(), providers=["CPUExecutionProvider"])
        with torch.no_grad():
            apart = float(np.abs(session.run(None, {"crops": crops.numpy()})[0] - answers(crops).numpy()).max())
        if apart > _MOST_OFF:
            raise RuntimeError(f"ONNX Runtime's answers differ from torch's by {apart:.3f}; {path} was not written.")
    return apart


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
