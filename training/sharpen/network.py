"""The network that makes soft faces sharp: bicubic enlargement and a learned residual (VDSR: Kim et al. 2016, §3.1).

Fully convolutional on pixels that enter by space to depth, so that any even size works and CPUs are fast; the residual
leaves by pixel shuffle (Shi et al. 2016) and starts at zero.
"""

from torch import Tensor, nn
from torch.nn import functional as F

from training.residual import Residual, convolution

TIMES = 2  # how much finer the answer is

_STEP = 2  # pixels, of space to depth
_WIDTH, _BLOCKS = 48, 5


class SharpenNetwork(nn.Module):
    """Soft faces float (n, 3, h, w) RGB in [0, 1], h and w even, to sharp ones (n, 3, 2h, 2w)."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Sequential(nn.PixelUnshuffle(_STEP), convolution(3 * _STEP**2, _WIDTH))
        self.body = nn.Sequential(*(Residual(_WIDTH) for _ in range(_BLOCKS)))
        last = nn.Conv2d(_WIDTH, 3 * (TIMES * _STEP) ** 2, 3, padding=1)
        self.leave = nn.Sequential(last, nn.PixelShuffle(TIMES * _STEP))
        for parameter in last.parameters():
            nn.init.zeros_(parameter)

    def forward(self, images: Tensor) -> Tensor:
        return self.enlarged(images) + self.residual(images)

    def enlarged(self, images: Tensor) -> Tensor:
        """The bicubic enlargement, which the residual is added to."""
        return F.interpolate(images, scale_factor=float(TIMES), mode="bicubic", align_corners=False)

    def residual(self, images: Tensor) -> Tensor:
        """What is missing in it."""
        return self.leave(self.body(self.enter(images * 4 - 2)))
