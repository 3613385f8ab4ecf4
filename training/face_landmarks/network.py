"""MobileNetV2 (Sandler et al. 2018) with three heads: is it a face, where are its 68 landmarks, how sure is each."""

from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from likeness.faces.align import TEMPLATE, apply, square_in_crop
from likeness.faces.landmarks import CROP_COVERAGE, CROP_SIZE

# expansion, output channels, repeats, stride: table 2 of the paper, without its last 1×1 layer.
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
FINE_STAGE = 4  # its 7×7 map keeps more of the places than the last one's 4×4
FROZEN_STAGES = 3
FINE_CHANNELS, COARSE_CHANNELS = 32, 64


class SameConv(nn.Conv2d):
    """Convolution with TensorFlow's 'SAME' padding: at stride 2 the odd pixel of padding goes right and below."""

    def __init__(self, before: int, after: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(before, after, kernel, stride, padding=kernel // 2 if stride == 1 else 0, groups=groups)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.stride[0] == 2:
            odd_height, odd_width = x.shape[-2] % 2, x.shape[-1] % 2
            x = functional.pad(x, (odd_width, 1, odd_height, 1))
        return super().forward(x)


class InvertedResidual(nn.Module):
    """Widen with 1×1, look with 3×3 a channel, narrow with 1×1; added to the input where the shapes agree."""

    def __init__(self, before: int, after: int, expansion: int, stride: int) -> None:
        super().__init__()
        wide = before * expansion
        layers: list[nn.Module] = [] if expansion == 1 else [SameConv(before, wide, 1), nn.ReLU6(inplace=True)]
        layers += [SameConv(wide, wide, 3, stride, groups=wide), nn.ReLU6(inplace=True), SameConv(wide, after, 1)]
        self.layers = nn.Sequential(*layers)
        self.residual = stride == 1 and before == after

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.layers(x) if self.residual else self.layers(x)


class LandmarkNetwork(nn.Module):
    """Crops (n, 3, 112, 112), RGB 0–255, to presence logit (n,), landmarks (n, 68, 2) and log spread (n, 68).

    Landmarks are in units of the crop's side from its top left corner. The spread is the scale b of a Laplace
    distribution of each landmark's error, in units of the outer-eye distance.
    """

    def __init__(self) -> None:
        super().__init__()
        stages, before = [], 32
        for expansion, after, repeats, stride in STAGES:
            blocks = []
            for block in range(repeats):
                blocks.append(InvertedResidual(before, after, expansion, stride if block == 0 else 1))
                before = after
            stages.append(nn.Sequential(*blocks))
        self.stem = nn.Sequential(SameConv(3, 32, 3, 2), nn.ReLU6(inplace=True))
        self.fine_stages = nn.Sequential(*stages[: FINE_STAGE + 1])
        self.coarse_stages = nn.Sequential(*stages[FINE_STAGE + 1 :])
        self.fine = nn.Sequential(SameConv(STAGES[FINE_STAGE][1], FINE_CHANNELS, 1), nn.ReLU())
        self.coarse = nn.Sequential(SameConv(STAGES[-1][1], COARSE_CHANNELS, 1), nn.ReLU())
        width = FINE_CHANNELS * (CROP_SIZE // 16) ** 2 + COARSE_CHANNELS * (-(-CROP_SIZE // 32)) ** 2
        self.place = nn.Linear(width, 2 * len(TEMPLATE))
        self.spread = nn.Linear(width, len(TEMPLATE))
        self.presence = nn.Linear(STAGES[-1][1], 1)
        self._start_heads()

    def _start_heads(self) -> None:
        mean_face = apply(square_in_crop(CROP_SIZE, CROP_COVERAGE), TEMPLATE) / CROP_SIZE
        for head in (self.place, self.spread, self.presence):
            nn.init.normal_(head.weight, std=1e-3)
            nn.init.zeros_(head.bias)
        self.place.bias.data = torch.from_numpy(mean_face.astype(np.float32).ravel())
        self.spread.bias.data.fill_(float(np.log(0.1)))

    def forward(self, crops: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        return self.heads(*self.features(crops))

    def features(self, crops: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Maps (n, 96, 7, 7) and (n, 320, 4, 4)."""
        return self.late_features(self.early_features(crops))

    def early_features(self, crops: torch.Tensor) -> torch.Tensor:
        """The frozen stages' map (n, 32, 14, 14)."""
        early: torch.Tensor = self.fine_stages[:FROZEN_STAGES](self.stem((crops - 128) / 128))
        return early

    def late_features(self, early: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What the trained stages make of it; this part may run in bf16."""
        fine = self.fine_stages[FROZEN_STAGES:](early)
        return fine, self.coarse_stages(fine)

    def freeze_early(self) -> None:
        """Keep ImageNet's edges and corners as they are: over half of a step's time would go to these large maps."""
        for module in (self.stem, self.fine_stages[:FROZEN_STAGES]):
            for parameter in module.parameters():
                parameter.requires_grad_(False)

    def heads(self, fine: torch.Tensor, coarse: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The three answers; in float32, since bf16 would round places to a quarter of a pixel or worse."""
        places = torch.cat([self.fine(fine).flatten(1), self.coarse(coarse).flatten(1)], 1)
        landmarks = self.place(places).reshape(-1, len(TEMPLATE), 2)
        return self.presence(coarse.mean((2, 3)))[:, 0], landmarks, self.spread(places)


def load_backbone(network: LandmarkNetwork, path: Path) -> None:
    """Start the convolutions up to the last stage from ImageNet weights stored in the network's order."""
    stored = np.load(path)
    names = [name[: -len(".weight")] for name in stored.files if name.endswith(".weight")]
    backbone = nn.ModuleList([network.stem, network.fine_stages, network.coarse_stages])
    convolutions = [module for module in backbone.modules() if isinstance(module, SameConv)]
    for convolution, name in zip(convolutions, names, strict=False):
        weight = torch.from_numpy(stored[f"{name}.weight"].astype(np.float32))
        if weight.shape != convolution.weight.shape:
            raise ValueError(
                f"{path}: {name} is {tuple(weight.shape)}, the network has {tuple(convolution.weight.shape)}"
            )
        convolution.weight.data = weight
        bias = stored[f"{name}.bias"].astype(np.float32)
        if convolution.bias is None:
            raise ValueError("a convolution without bias cannot take a folded batch norm")
        convolution.bias.data = torch.from_numpy(bias)
