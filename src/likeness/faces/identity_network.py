"""The network that tells people apart: one unit vector a face, alike for all pictures of a person.

A residual network on pixels that enter by space-to-depth: CPUs are fast at few, thick convolutions. Trained by an
additive-margin softmax over synthetic people (CosFace: Wang et al. 2018, eq. 4); the recipe is training/identity, the
card weights/face_identity.md.
"""

from importlib import resources
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from likeness.faces.align import COVERAGE

SIZE = 112  # pixels, side of the network's input
VIEW_COVERAGE = 0.8  # part of that side which the mean face's unit square takes
EMBEDDING = 128  # numbers that describe a person

_STEP = 4  # pixels, of space to depth
_WIDTHS = (48, 96, 160, 256)  # channels at 28, 14, 7 and 4 pixels
_RESIDUALS = (1, 2, 2, 2)  # blocks at each
_SLOPE = 0.1


class IdentityNetwork(nn.Module):
    """Faces float (n, 3, 112, 112) RGB in [0, 1], as `identity_view` shows them, to unit vectors (n, 128)."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Sequential(nn.PixelUnshuffle(_STEP), _conv(3 * _STEP**2, _WIDTHS[0]))
        self.stages = nn.ModuleList(
            nn.Sequential(_conv(before, width, stride), *(Residual(width) for _ in range(residuals)))
            for before, width, stride, residuals in zip(
                (_WIDTHS[0], *_WIDTHS), _WIDTHS, (1, 2, 2, 2), _RESIDUALS, strict=False
            )
        )
        self.describe = nn.Sequential(
            nn.Flatten(), nn.Linear(_WIDTHS[-1] * 4 * 4, EMBEDDING, bias=False), nn.BatchNorm1d(EMBEDDING)
        )

    def forward(self, images: Tensor) -> Tensor:
        return F.normalize(self.describe(self.features(images)[-1]).float(), dim=1)

    def features(self, images: Tensor) -> list[Tensor]:
        """The four stages' feature maps, at 28, 14, 7 and 4 pixels: what perceptual losses and distances compare."""
        maps = [self.enter(images * 4 - 2)]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        return maps[1:]


class Residual(nn.Module):
    """x + conv(conv(x)), the second branch starting at zero, so that training starts from the identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        last = nn.BatchNorm2d(width)
        nn.init.zeros_(last.weight)
        self.inner = nn.Sequential(_conv(width, width), nn.Conv2d(width, width, 3, padding=1, bias=False), last)

    def forward(self, maps: Tensor) -> Tensor:
        return maps + self.inner(maps)


def _conv(channels: int, filters: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, filters, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(filters),
        nn.LeakyReLU(_SLOPE, inplace=True),
    )


def identity_view(crops: Tensor, coverage: float = COVERAGE) -> Tensor:
    """What the network sees of aligned ``crops``, float (n, 3, side, side) in [0, 1], as (n, 3, 112, 112).

    ``coverage`` is the part of the crops' side that the mean face's unit square takes (`faces.align`); those of a face
    set have 0.625. Differentiable; averaged where it shrinks.
    """
    side, view = crops.shape[-1], coverage / VIEW_COVERAGE
    centre = (torch.arange(SIZE, device=crops.device) + 0.5) / SIZE * 2 - 1
    rows, columns = torch.meshgrid(centre * view, centre * view, indexing="ij")
    points = torch.stack([columns, rows], -1).expand(len(crops), -1, -1, -1).to(crops.dtype)
    times = max(1, round(side * view / SIZE))
    smaller = F.avg_pool2d(crops, times) if times > 1 else crops
    return F.grid_sample(smaller, points, mode="bilinear", padding_mode="border", align_corners=False)


def load_identity_network(weights: Path | None = None) -> IdentityNetwork:
    """The shipped network, or that in ``weights``, frozen and in evaluation mode."""
    network = IdentityNetwork()
    stored = load_file(weights or shipped_weights())
    network.load_state_dict({name: tensor.float() for name, tensor in stored.items()})
    return network.eval().requires_grad_(False)


def shipped_weights() -> Path:
    """The network in the package: weights/face_identity.safetensors (bf16), described by the card beside it."""
    return Path(str(resources.files("likeness.weights") / "face_identity.safetensors"))
