"""`light`: our own small autoencoder for CPUs; 128-pixel faces with a learned mask."""

import torch
from torch import Tensor, nn

from likeness.make.networks.autoencoder import SharedEncoderAutoencoder, Side

SIZE = 128
CODE = 256  # numbers that describe a face
_SLOPE = 0.1


class Light(SharedEncoderAutoencoder):
    """Input and output (n, 3, 128, 128) in [0, 1], and a mask (n, 1, 128, 128) of the face's hull.

    A CPU is fast at few, thick convolutions and slow at touching many pixels one by one, so pictures enter by
    space-to-depth and leave by pixel shuffle, and every layer in between works at 32×32 or less. Each side's colours
    are standardised by the mean and deviation of its own face set, so that the encoder cannot tell the two people by
    skin or light and has to describe what they share: pose, expression, and how the light differs from the usual.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__(_encoder(), _decoder(), _decoder())
        self.register_buffer("mean", torch.full((2, 3, 1, 1), 0.5))
        self.register_buffer("deviation", torch.full((2, 3, 1, 1), 0.25))

    def normalized(self, faces: Tensor, side: Side) -> Tensor:
        """Faces (n, 3, size, size) in [0, 1] in deviations from the side's mean colour."""
        row = 0 if side == "a" else 1
        return (faces - self.mean[row]) / self.deviation[row]

    def set_colours(self, statistics: dict[Side, tuple[Tensor, Tensor]]) -> None:
        """Keep each side's mean and deviation of colours, float (3,) in [0, 1]; they are saved with the weights."""
        for row, (mean, deviation) in enumerate((statistics["a"], statistics["b"])):
            self.mean[row], self.deviation[row] = mean.view(3, 1, 1), deviation.view(3, 1, 1)


class _Residual(nn.Module):
    """x + conv(act(conv(x))), then the activation."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _conv(channels, channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.activation = nn.LeakyReLU(_SLOPE, inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(x + self.second(self.first(x)))


def _conv(channels: int, filters: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, filters, 3, stride=stride, padding=1), nn.LeakyReLU(_SLOPE, inplace=True))


def _encoder() -> nn.Sequential:
    """128 → (space to depth) 32 → 16 → 8 → 4 pixels, dense code, back to 8×8×128."""
    return nn.Sequential(
        nn.PixelUnshuffle(4),
        _conv(48, 64),
        _conv(64, 128, stride=2),
        _conv(128, 192, stride=2),
        _conv(192, 256, stride=2),
        nn.Flatten(),
        nn.Linear(4 * 4 * 256, CODE),
        nn.Linear(CODE, 8 * 8 * 128),
        nn.Unflatten(1, (128, 8, 8)),
        nn.LeakyReLU(_SLOPE, inplace=True),
    )


def _decoder() -> nn.Sequential:
    """8 → 16 → 32 pixels by pixel shuffle, then 4×4 output pixels of RGB and mask from each."""
    return nn.Sequential(
        _conv(128, 512),
        nn.PixelShuffle(2),
        _Residual(128),
        _conv(128, 256),
        nn.PixelShuffle(2),
        _conv(64, 64),
        nn.Conv2d(64, 4 * 16, 3, padding=1),
        nn.PixelShuffle(4),
        nn.Sigmoid(),
    )
