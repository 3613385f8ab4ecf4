"""Export trained networks to the package: int8 where it holds the AUC, half precision for the small heads.

    python -m training.detectors.export RUN MATERIAL -o src/likeness/weights

RUN has the folders frames, pairs, recurrent and temporal of `train.py`. The backbones are quantised after training,
each channel by itself, with ranges seen on training crops (Jacob et al. 2018); what that costs is printed as AUC on the
validation people, before and after. Where it costs more than a hundredth, half precision is shipped.
"""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from likeness.detect.networks.examples import Example
from likeness.detect.networks.frames import FrameNetwork
from likeness.detect.networks.inputs import CROP, SEQUENCE
from likeness.detect.networks.pairs import PairNetwork
from likeness.detect.networks.sequences import SequenceNetwork
from likeness.detect.networks.shipped import FILES, ShippedNetworks
from likeness.detect.networks.stored import load
from likeness.detect.networks.training import predict
from training.detectors.shards import load_examples
from training.half_precision import stored_as_half

MOST_LOST = 0.01  # of AUC by int8
_IN_FULL = 3  # convolutions that stay as they are: the first see small differences, and hold few weights
VALIDATED = 240  # sequences of validation people
_INPUTS = {"frames": ("pictures",), "pairs": ("before", "after")}


class _FrameExport(nn.Module):
    def __init__(self, network: FrameNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        seen = self.network.see(pictures)
        return seen.where, seen.maps


class _PairExport(nn.Module):
    def __init__(self, network: PairNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, before: Tensor, after: Tensor) -> Tensor:
        return self.network.see(before, after).where


def _wrapped(network: nn.Module) -> nn.Module:
    """``network`` with the outputs that are shipped."""
    if isinstance(network, FrameNetwork):
        return _FrameExport(network).eval()
    assert isinstance(network, PairNetwork)
    return _PairExport(network).eval()


class _Crops(CalibrationDataReader):
    """Training crops by the names of a network's inputs."""

    def __init__(self, kind: str, rows: list[Example]) -> None:
        self._left = self._fed(kind, rows)

    @staticmethod
    def _fed(kind: str, rows: list[Example]) -> Iterator[dict[str, np.ndarray]]:
        for row in rows:
            pictures = row.crops[:2].transpose(0, 3, 1, 2).astype(np.float32) / 127.5 - 1
            yield {name: pictures[[i]] for i, name in enumerate(_INPUTS[kind])}

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._left, None)


def export_backbone(kind: str, run: Path, rows: list[Example], out: Path) -> None:
    """Write the frame or pair network, in int8 and in half precision: OUT.int8 and OUT.half."""
    network, _ = load(run / kind)
    example = tuple(torch.randn(2, 3, CROP, CROP) for _ in _INPUTS[kind])
    outputs = ["where", "maps"] if kind == "frames" else ["where"]
    with tempfile.TemporaryDirectory() as temporary:
        plain, ready = Path(temporary) / "plain.onnx", Path(temporary) / "ready.onnx"
        batch = torch.export.Dim("batch")
        torch.onnx.export(
            _wrapped(network), example, plain, input_names=list(_INPUTS[kind]), output_names=outputs, dynamo=True,
            external_data=False, dynamic_shapes=tuple({0: batch} for _ in example),
        )  # fmt: skip
        quant_pre_process(plain, ready, skip_symbolic_shape=True)
        quantize_static(
            ready, out.with_suffix(".int8"), _Crops(kind, rows), quant_format=QuantFormat.QDQ, per_channel=True,
            weight_type=QuantType.QInt8, activation_type=QuantType.QUInt8, op_types_to_quantize=["Conv"],
            nodes_to_exclude=[node.name for node in onnx.load(ready).graph.node if node.op_type == "Conv"][:_IN_FULL],
        )  # fmt: skip
        onnx.save(stored_as_half(onnx.load(plain)), out.with_suffix(".half"))


def export_head(kind: str, run: Path, channels: int, out: Path) -> None:
    """Write the head of a sequence network in half precision."""
    network, _ = load(run / kind)
    assert isinstance(network, SequenceNetwork)
    with tempfile.TemporaryDirectory() as temporary:
        plain = Path(temporary) / "plain.onnx"
        torch.onnx.export(
            network.head.eval(), (torch.randn(1, SEQUENCE, channels, CROP // 32, CROP // 32),), plain,
            input_names=["maps"], output_names=["logit"], dynamo=True, external_data=False,
        )  # fmt: skip
        onnx.save(stored_as_half(onnx.load(plain)), out)


def auc_of(networks: ShippedNetworks, kind: str, rows: list[Example]) -> float:
    """AUC of the exported network over ``rows``."""
    logits = [networks.logit(kind, row.crops) for row in rows]
    return float(roc_auc_score([row.synthetic for row in rows], logits))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("material", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    options = parser.parse_args()
    rows = list(load_examples(options.material, "train").rows)
    rng = np.random.default_rng(0)
    seen = [rows[i] for i in rng.permutation(len(rows))[:160]]
    validation = list(load_examples(options.material, "validation").rows)
    validation = [validation[i] for i in rng.permutation(len(validation))[:VALIDATED]]
    for kind in ("frames", "pairs"):
        export_backbone(kind, options.run, seen, options.out / FILES[kind])
    for kind in ("recurrent", "temporal"):
        export_head(kind, options.run, 1280, options.out / FILES[kind])
    for kind in ("frames", "pairs"):
        _choose(kind, options, validation)
    networks = ShippedNetworks(options.out)
    for kind in ("recurrent", "temporal"):
        network, config = load(options.run / kind)
        before = roc_auc_score([row.synthetic for row in validation], predict(network, config.kind, validation))
        print(f"{kind}: AUC {before:.4f} in PyTorch, {auc_of(networks, kind, validation):.4f} as shipped", flush=True)


def _choose(kind: str, options: argparse.Namespace, validation: list[Example]) -> None:
    """Keep int8, or half precision where int8 loses too much."""
    target = options.out / FILES[kind]
    found = {}
    for suffix in (".int8", ".half"):
        target.with_suffix(suffix).replace(target)
        found[suffix] = auc_of(ShippedNetworks(options.out), kind, validation)
        target.replace(target.with_suffix(suffix))
    best = ".int8" if found[".half"] - found[".int8"] <= MOST_LOST else ".half"
    target.with_suffix(best).replace(target)
    target.with_suffix(".half" if best == ".int8" else ".int8").unlink()
    print(f"{kind}: AUC {found['.int8']:.4f} int8, {found['.half']:.4f} half; ships {best[1:]}", flush=True)


if __name__ == "__main__":
    main()
