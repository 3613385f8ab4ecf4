"""The network that tells a face's parts apart: an encoder and decoder on pixels that enter and leave by rearrangement.

Space to depth at the start and depth to space at the end keep every convolution at 32² or below, where CPUs are fast
(pixel shuffle: Shi et al. 2016, arXiv 1609.05158); skips as in U-Net (Ronneberger et al. 2015, arXiv 1505.04597).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from likeness.faces.parts import PARTS
from training.residual import Residual, convolution

_STEP = 4  # pixels, of space to depth
_WIDTHS = (64, 80, 112)  # channels at 32, 16 and 8 pixels


class PartsNetwork(nn.Module):
    """Crops float (n, 3, 128, 128) RGB in [0, 1] to log-odds (n, 4, 128, 128) of `PARTS`."""

    def __init__(self) -> None:
        super().__init__()
        fine, middle, coarse = _WIDTHS
        self.enter = nn.Sequential(
            nn.PixelUnshuffle(_STEP), convolution(3 * _STEP**2, fine), Residual(fine), Residual(fine)
        )
        self.down = nn.Sequential(convolution(fine, middle, 2), Residual(middle), Residual(middle))
        self.bottom = nn.Sequential(convolution(middle, coarse, 2), Residual(coarse))
        self.to_middle, self.up_middle = nn.Conv2d(coarse, middle, 1), Residual(middle)
        self.to_fine, self.up_fine = nn.Conv2d(middle, fine, 1), Residual(fine)
        self.leave = nn.Sequential(nn.Conv2d(fine, len(PARTS) * _STEP**2, 3, padding=1), nn.PixelShuffle(_STEP))

    def forward(self, images: Tensor) -> Tensor:
        fine = self.enter(images * 4 - 2)
        middle = self.down(fine)
        middle = self.up_middle(middle + _doubled(self.to_middle(self.bottom(middle))))
        return self.leave(self.up_fine(fine + _doubled(self.to_fine(middle))))


def _doubled(maps: Tensor) -> Tensor:
    return F.interpolate(maps, scale_factor=2.0, mode="bilinear", align_corners=False)


class Answers(nn.Module):
    """What ships: uint8 crops (n, 128, 128, 3) to probabilities (n, 4, 128, 128)."""

    def __init__(self, network: PartsNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, crops: Tensor) -> Tensor:
        return torch.softmax(self.network(crops.permute(0, 3, 1, 2).float() / 255), 1)
