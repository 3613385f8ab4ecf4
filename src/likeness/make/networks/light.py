"""`light`: our own small autoencoder for CPUs; faces of 64, 128 or 256 pixels with a learned mask."""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from likeness.make.networks.autoencoder import Decoded, SharedEncoderAutoencoder, Side
from likeness.make.networks.layers import SLOPE, conv
from likeness.make.networks.standardise import colours_within

SIZE = 128
CODE = 256  # numbers that describe a face
_STEP = 4  # pixels, of space to depth and pixel shuffle
_DOWN = (48, 96, 160, 256, 256)  # channels of the encoder at size / 4, size / 8, … down to 4 pixels
_UP = (128, 128, 64, 64)  # channels of the decoder at 8, 16, … up to size / 4 pixels


class Light(SharedEncoderAutoencoder):
    """Input and output (n, 3, size, size) in [0, 1], and a mask (n, 1, size / 4, size / 4) of the face's hull.

    A CPU is fast at few, thick convolutions and slow at touching many pixels one by one, so pictures enter by
    space-to-depth and leave by pixel shuffle, and every layer in between works at a quarter of the size or less. Each
    side's colours are standardised by the mean and deviation of its own face set, so that the encoder cannot tell the
    two people by skin or light and has to describe what they share: pose, expression, and how the light differs from
    the usual.
    """

    mean: Tensor
    deviation: Tensor
    decoder_a: "Decoder"
    decoder_b: "Decoder"

    def __init__(self, size: int = SIZE) -> None:
        super().__init__(encoder(size), Decoder(size), Decoder(size))
        self.size = size
        self.register_buffer("mean", torch.full((2, 3, 1, 1), 0.5))
        self.register_buffer("deviation", torch.full((2, 3, 1, 1), 0.25))

    def normalized(self, faces: Tensor, side: Side) -> Tensor:
        """Faces (n, 3, size, size) in [0, 1] in deviations from the side's mean colour."""
        row = 0 if side == "a" else 1
        return (faces - self.mean[row]) / self.deviation[row]

    def decode(self, codes: Tensor, side: Side) -> Decoded:
        """The face of ``side`` that ``codes`` describe, with its mask."""
        return Decoded(*(self.decoder_a if side == "a" else self.decoder_b)(codes))

    @torch.no_grad()
    def start_from(self, side: Side, faces: Tensor, masks: Tensor) -> None:
        """Begin with the mean face, and note the side's colours inside the masks; both are saved with the weights."""
        row, decoder = (0, self.decoder_a) if side == "a" else (1, self.decoder_b)
        decoder.face.copy_(faces.mean(0))
        self.mean[row], self.deviation[row] = colours_within(faces, masks)


class Decoder(nn.Module):
    """8 → 16 → … → size / 4 pixels by pixel shuffle, then from each of these 4×4 pixels of RGB and one of the mask.

    What is painted is added to a learnt picture that starts as the mean face, and at first nothing is painted: so
    training begins with what all faces of a side share instead of spending its first minutes on it.
    """

    def __init__(self, size: int = SIZE) -> None:
        super().__init__()
        widths = _UP[: _doublings(size) + 1]
        grown = [(conv(before, 4 * after), nn.PixelShuffle(2)) for before, after in pairwise(widths)]
        self.grow = nn.Sequential(*(layer for pair in grown for layer in pair))
        self.paint = nn.Conv2d(widths[-1], 3 * _STEP**2 + 1, 3, padding=1)
        self.unfold = nn.PixelShuffle(_STEP)
        self.face = nn.Parameter(torch.full((3, size, size), 0.5))
        for parameter in self.paint.parameters():
            nn.init.zeros_(parameter)

    def forward(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        layers = self.paint(self.grow(codes))
        return self.face + self.unfold(layers[:, 1:]), layers[:, :1].sigmoid()


def encoder(size: int = SIZE) -> nn.Sequential:
    """Size → (space to depth) size / 4 → … → 4 pixels, dense code, back to 8×8×128."""
    widths = (*_DOWN[: _doublings(size) + 1], _DOWN[-1])
    return nn.Sequential(
        nn.PixelUnshuffle(_STEP),
        conv(3 * _STEP**2, widths[0]),
        *(conv(before, after, stride=2) for before, after in pairwise(widths)),
        nn.Flatten(),
        nn.Linear(4 * 4 * widths[-1], CODE),
        nn.Linear(CODE, 8 * 8 * _UP[0]),
        nn.Unflatten(1, (_UP[0], 8, 8)),
        nn.LeakyReLU(SLOPE, inplace=True),
    )


def _doublings(size: int) -> int:
    """How often 8 pixels are doubled to reach a quarter of ``size``."""
    return round(math.log2(size / _STEP / 8))
