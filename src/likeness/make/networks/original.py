"""`original`: the published 64-pixel autoencoder of 2017/18, layer by layer; 82.06 M parameters."""

from torch import Tensor, nn
from torch.nn import functional as F

from likeness.make.networks.autoencoder import SharedEncoderAutoencoder

SIZE = 64
_SLOPE = 0.1


class Original(SharedEncoderAutoencoder):
    """Input and output (n, 3, 64, 64) in [0, 1]; encoder 69.66 M parameters, each decoder 6.20 M, 1.90 GMAC a face."""

    def __init__(self) -> None:
        super().__init__(_encoder(), _decoder(), _decoder())


class MatmulConv2d(nn.Conv2d):
    """A convolution written as one matrix product over gathered windows; the same sums as nn.Conv2d.

    For many channels on few pixels (4×4 or 8×8) it is 2–3 times faster on CPUs, where the library's own kernels
    spread over pixels and find too few of them.
    """

    def forward(self, images: Tensor) -> Tensor:
        kernel, stride, padding = self.kernel_size[0], self.stride[0], int(self.padding[0])
        pixels = F.pad(images.permute(0, 2, 3, 1), (0, 0, padding, padding, padding, padding))
        windows = pixels.unfold(1, kernel, stride).unfold(2, kernel, stride)
        count, height, width = windows.shape[:3]
        columns = windows.permute(0, 1, 2, 4, 5, 3).reshape(count * height * width, -1)
        products = F.linear(columns, self.weight.permute(0, 2, 3, 1).flatten(1), self.bias)
        return products.view(count, height, width, -1).permute(0, 3, 1, 2)


def _down(channels: int, filters: int, conv: type[nn.Conv2d] = nn.Conv2d) -> nn.Sequential:
    return nn.Sequential(conv(channels, filters, 5, stride=2, padding=2), nn.LeakyReLU(_SLOPE, inplace=True))


def _up(channels: int, filters: int, conv: type[nn.Conv2d] = nn.Conv2d) -> nn.Sequential:
    """Double the size: 3×3 to four times the filters, then pixel shuffle."""
    return nn.Sequential(
        conv(channels, 4 * filters, 3, padding=1), nn.LeakyReLU(_SLOPE, inplace=True), nn.PixelShuffle(2)
    )


def _encoder() -> nn.Sequential:
    """64 → 32 → 16 → 8 → 4 pixels, dense 1024, dense 4×4×1024, upscale to 8×8×512."""
    return nn.Sequential(
        _down(3, 128),
        _down(128, 256),
        _down(256, 512),
        _down(512, 1024, MatmulConv2d),
        nn.Flatten(),
        nn.Linear(4 * 4 * 1024, 1024),
        nn.Linear(1024, 4 * 4 * 1024),
        nn.Unflatten(1, (1024, 4, 4)),
        _up(1024, 512, MatmulConv2d),
    )


def _decoder() -> nn.Sequential:
    """8×8×512 → 256 → 128 → 64 channels at 64 pixels → RGB."""
    return nn.Sequential(_up(512, 256), _up(256, 128), _up(128, 64), nn.Conv2d(64, 3, 5, padding=2), nn.Sigmoid())
