"""Export a training run as the three ONNX files that Likeness ships.

python -m training.watermark.export RUN -o src/likeness/weights
"""

import argparse
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from likeness.files import atomic_write
from likeness.prove.watermark.carrier import GRID, SECOND_GRID
from likeness.prove.watermark.strength import WORKING_SIZE, luminance
from training.watermark.data import pictures
from training.watermark.train import Networks

OPSET = 18
CALIBRATION_PICTURES = 60


def load(run: Path) -> Networks:
    """The networks of ``run``, ready to use."""
    state = torch.load(run / "networks.pt", weights_only=True)
    networks = Networks(state["settings"]["width"])
    networks.load_state_dict(state["networks"])
    return networks.eval()


def export(run: Path, out: Path) -> None:
    """Write watermark_marker.onnx, watermark_reader.onnx and watermark_tamper.onnx into ``out``."""
    networks = load(run)
    picture = torch.full((1, 1, WORKING_SIZE, WORKING_SIZE), 9.0)
    # Every example is a tensor of its own: one that is passed twice becomes one input.
    chips, second = torch.ones(1, 1, GRID, GRID), torch.ones(1, 1, SECOND_GRID, SECOND_GRID)
    parts: dict[str, tuple[torch.nn.Module, tuple[torch.Tensor, ...], list[str]]] = {
        "marker": (
            networks.marker,
            (picture, picture.clone(), chips, second),
            ["luminance", "mask", "chips", "second"],
        ),
        "reader": (networks.reader, (picture,), ["luminance"]),
        "tamper": (
            networks.tamper,
            (picture, chips, second, chips.clone()),
            ["luminance", "chips", "second", "agreement"],
        ),
    }
    for name, (network, inputs, names) in parts.items():
        with atomic_write(out / f"watermark_{name}.onnx") as temporary, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                network, inputs, str(temporary), input_names=names, output_names=["answer"], opset_version=OPSET,
                dynamo=True, external_data=False, verbose=False,
            )  # fmt: skip


class _Calibration(CalibrationDataReader):
    """Luminance of training pictures, one after the other."""

    def __init__(self, data: Path) -> None:
        chosen = [picture for picture in pictures(data, None, for_evaluation=False) if picture.kind != "signing"]
        chosen = chosen[:: max(1, len(chosen) // CALIBRATION_PICTURES)]
        self._inputs: Iterator[np.ndarray] = (luminance(picture.image)[None, None] for picture in chosen)

    def get_next(self) -> dict[str, np.ndarray] | None:
        seen = next(self._inputs, None)
        return None if seen is None else {"luminance": seen}


def quantize(model: Path, data: Path) -> None:
    """Replace the convolutions of ``model`` by 8-bit ones (per channel), in place."""
    with TemporaryDirectory() as folder, atomic_write(model) as temporary:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(model), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared), str(temporary), _Calibration(data), quant_format=QuantFormat.QDQ, per_channel=True,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, op_types_to_quantize=["Conv"],
        )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("-o", "--out", type=Path, default=Path("src/likeness/weights"))
    arguments = parser.parse_args()
    export(arguments.run, arguments.out)
    quantize(arguments.out / "watermark_reader.onnx", Path(os.environ["LIKENESS_DATA"]))


if __name__ == "__main__":
    main()
