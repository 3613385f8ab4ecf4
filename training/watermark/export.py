"""Export a training run as the three ONNX files that Likeness ships.

python -m training.watermark.export RUN -o src/likeness/weights
"""

import argparse
import warnings
from pathlib import Path

import torch

from likeness.files import atomic_write
from likeness.prove.watermark.carrier import GRID, SECOND_GRID
from likeness.prove.watermark.strength import WORKING_SIZE
from training.watermark.train import Networks

OPSET = 18


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
    chips, second = torch.ones(1, 1, GRID, GRID), torch.ones(1, 1, SECOND_GRID, SECOND_GRID)
    parts: dict[str, tuple[torch.nn.Module, tuple[torch.Tensor, ...], list[str]]] = {
        "marker": (
            networks.marker,
            (picture, picture, chips, second),
            ["luminance", "mask", "chips", "second"],
        ),
        "reader": (networks.reader, (picture,), ["luminance"]),
        "tamper": (networks.tamper, (picture, chips, second), ["luminance", "chips", "second"]),
    }
    for name, (network, inputs, names) in parts.items():
        with atomic_write(out / f"watermark_{name}.onnx") as temporary, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                network, inputs, str(temporary), input_names=names, output_names=["answer"], opset_version=OPSET,
                dynamo=True, external_data=False, verbose=False,
            )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("-o", "--out", type=Path, default=Path("src/likeness/weights"))
    arguments = parser.parse_args()
    export(arguments.run, arguments.out)


if __name__ == "__main__":
    main()
