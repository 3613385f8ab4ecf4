"""Blocks of the published encoders and decoders: a step down, a step up, a residual."""

from torch import Tensor, nn
from torch.nn import functional as F

from likeness.make.networks.original import MatmulConv2d

SLOPE = 0.1  # of the leaky rectifiers, as in the published networks

_FEW_PIXELS = 8  # a side; on so small maps a matrix product is the faster convolution


def convolution(channels: int, filters: int, kernel: int, side: int, stride: int = 1) -> nn.Conv2d:
    """A convolution that keeps the size (or halves it by ``stride``) and makes maps of ``side`` pixels a side."""
    kind = MatmulConv2d if side <= _FEW_PIXELS else nn.Conv2d
    return kind(channels, filters, kernel, stride=stride, padding=kernel // 2)


def down(channels: int, filters: int, kernel: int, side: int) -> nn.Sequential:
    """Halve the size to ``side`` pixels: a convolution with stride 2, LeakyReLU."""
    return nn.Sequential(convolution(channels, filters, kernel, side, stride=2), nn.LeakyReLU(SLOPE, inplace=True))


def up(channels: int, filters: int, side: int) -> nn.Sequential:
    """Double the size to ``side`` pixels: 3×3 to four times the filters, LeakyReLU, pixel shuffle (Shi et al. 2016)."""
    return nn.Sequential(
        convolution(channels, 4 * filters, 3, side // 2), nn.LeakyReLU(SLOPE, inplace=True), nn.PixelShuffle(2)
    )


class Residual(nn.Module):
    """LeakyReLU(x + conv(LeakyReLU(conv(x)))), both convolutions 3×3 (He et al. 2016, figure 2)."""

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        self.first = convolution(channels, channels, 3, side)
        self.second = convolution(channels, channels, 3, side)

    def forward(self, maps: Tensor) -> Tensor:
        inner = self.second(F.leaky_relu(self.first(maps), SLOPE))
        return F.leaky_relu(maps + inner, SLOPE)
