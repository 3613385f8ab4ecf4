"""Write the landmark network as the ONNX file that ships: answers in plain units, weights stored as float16."""

from pathlib import Path

import onnx
import torch

from likeness.faces.landmarks import CROP_SIZE
from training.face_landmarks.network import LandmarkNetwork
from training.half_precision import stored_as_half

OPSET = 17


class Answers(torch.nn.Module):
    """uint8 crops (n, 112, 112, 3) to presence (n,) in [0, 1], landmarks (n, 68, 2) in crop sides, spread (n, 68)."""

    def __init__(self, network: LandmarkNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, crops: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        logits, landmarks, log_spread = self.network(crops.permute(0, 3, 1, 2).float())
        return torch.sigmoid(logits), landmarks, torch.exp(log_spread)


def export(network: LandmarkNetwork, path: Path) -> None:
    """Write ``network`` to ``path``; about 4.7 MB."""
    answers = Answers(network).eval().cpu()
    example = torch.zeros(1, CROP_SIZE, CROP_SIZE, 3, dtype=torch.uint8)
    names = ["presence", "landmarks", "spread"]
    torch.onnx.export(
        answers, (example,), str(path), input_names=["crops"], output_names=names, opset_version=OPSET, dynamo=False,
        dynamic_axes={name: {0: "n"} for name in ["crops", *names]},
    )  # fmt: skip
    onnx.save(stored_as_half(onnx.load(path)), path)
