"""Write the sharpener as the ONNX file that ships, weights stored as float16.

python -m training.sharpen.export RUN -o src/likeness/weights
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch

from likeness.files import atomic_write
from training.half_precision import stored_as_half
from training.sharpen.network import SharpenNetwork
from training.timed_training import load_averaged

_OPSET = 18
_MOST_OFF = 0.01  # of the range of grey levels


def export(run: Path, path: Path) -> float:
    """Write the network of ``run`` to ``path``; returns how far its answers are from torch's at most."""
    network = load_averaged(run, SharpenNetwork())
    rng = np.random.default_rng(0)
    names = ["images", "sharp"]
    axes = {name: {0: "n", 2: f"{name}_height", 3: f"{name}_width"} for name in names}
    with atomic_write(path) as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        example = torch.from_numpy(rng.random((2, 3, 64, 64), np.float32))
        torch.onnx.export(
            network, (example,), str(temporary), input_names=names[:1], output_names=names[1:],
            opset_version=_OPSET, dynamo=False, dynamic_axes=axes,
        )  # fmt: skip
        onnx.save(stored_as_half(onnx.load(temporary)), temporary)
        session = onnxruntime.InferenceSession(temporary.read_bytes(), providers=["CPUExecutionProvider"])
        apart = 0.0
        for shape in ((2, 3, 64, 64), (1, 3, 84, 52)):
            images = rng.random(shape, np.float32)
            with torch.no_grad():
                expected = network(torch.from_numpy(images.copy())).numpy()
            apart = max(apart, float(np.abs(session.run(None, {"images": images})[0] - expected).max()))
        if apart > _MOST_OFF:
            raise RuntimeError(f"ONNX Runtime's answers differ from torch's by {apart:.3f}; {path} was not written.")
    return apart


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("-o", "--out", type=Path, default=Path("src/likeness/weights"))
    options = parser.parse_args()
    path = options.out / "face_sharpener.onnx"
    apart = export(options.run, path)
    print(f"{path}: {path.stat().st_size:,} bytes, answers within {apart:.4f} of torch's")


if __name__ == "__main__":
    main()
