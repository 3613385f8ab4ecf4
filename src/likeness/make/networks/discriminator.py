"""The discriminator: is this patch of the picture filmed or painted?"""

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from likeness.make.networks.attention import SelfAttention

PUBLISHED_WIDTH = 64  # channels after the first layer
WIDTH = 32  # ours

_PATCHES = 8  # a side
_SLOPE = 0.2


class Discriminator(nn.Module):
    """Pictures (n, 3, size, size) in [0, 1] to one number a patch (n, 1, 8, 8), towards 1 for filmed, 0 for painted.

    4×4 convolutions with stride 2 to w, 2w, 4w channels (a step more for each doubling of the size, at most 8w),
    attention, 4×4 to one number: faceswap-GAN v2.2. Where ``conditional``, it sees [picture ‖ warped input] together.
    Spectral normalisation (Miyato et al. 2018) bounds every layer, which v2.2 did not do: without it a discriminator
    soon outruns a small generator.
    """

    def __init__(self, size: int, width: int = WIDTH, conditional: bool = True) -> None:
        super().__init__()
        self.conditional = conditional
        channels, layers, side, step = 6 if conditional else 3, list[nn.Module](), size, 0
        while side > _PATCHES:
            filters = width * min(2**step, 8)
            layers += [_bounded(nn.Conv2d(channels, filters, 4, stride=2, padding=1)), nn.LeakyReLU(_SLOPE)]
            channels, side, step = filters, side // 2, step + 1
        self.look = nn.Sequential(*layers, SelfAttention(channels))
        self.judge = nn.Sequential(nn.ZeroPad2d((1, 2, 1, 2)), _bounded(nn.Conv2d(channels, 1, 4)))

    def forward(self, pictures: Tensor, warped: Tensor) -> Tensor:
        seen = torch.cat([pictures, warped], 1) if self.conditional else pictures
        return self.judge(self.look(seen * 2 - 1))


def discriminators(size: int, width: int = WIDTH, conditional: bool = True) -> nn.ModuleDict:
    """One for each side, by its name."""
    return nn.ModuleDict({side: Discriminator(size, width, conditional) for side in ("a", "b")})


def _bounded(layer: nn.Conv2d) -> nn.Module:
    return spectral_norm(layer)
