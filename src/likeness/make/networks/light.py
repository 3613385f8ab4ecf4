"""`light`: our own small autoencoder for CPUs; faces of 64, 128 or 256 pixels with a learned mask."""

import math
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from likeness.make.networks.autoencoder import Decoded, SharedEncoderAutoencoder, Side
from likeness.make.networks.layers import SLOPE, conv
from likeness.make.networks.looks import LookEncoder, folded, load_running_start

SIZE = 128
CODE = 256  # numbers that describe a face
_STEP = 4  # pixels, of space to depth and pixel shuffle
_DOWN = (48, 96, 160, 256, 256)  # channels of the encoder at size / 4, size / 8, … down to 4 pixels
_UP = (128, 128, 64, 64)  # channels of the decoder at 8, 16, … up to size / 4 pixels
_LOOKS = 64  # faces whose looks are averaged for the running start


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
        self.looks: LookEncoder | None = None
        self.register_buffer("mean", torch.full((2, 3, 1, 1), 0.5))
        self.register_buffer("deviation", torch.full((2, 3, 1, 1), 0.25))

    def normalized(self, faces: Tensor, side: Side) -> Tensor:
        """Faces (n, 3, size, size) in [0, 1] in deviations from the side's mean colour."""
        row = 0 if side == "a" else 1
        return (faces - self.mean[row]) / self.deviation[row]

    def decode(self, codes: Tensor, side: Side) -> Decoded:
        """The face of ``side`` that ``codes`` describe, with its mask."""
        return Decoded(*(self.decoder_a if side == "a" else self.decoder_b)(codes))

    def running_start(self, weights: Path | None = None) -> bool:
        """Begin with weights learnt from thousands of synthetic people instead of noise, where there are any of this
        size; each decoder then takes on the looks of its side in `start_from`.

        The encoder stays as it is from then on: it was taught, by true answers, to leave out who is seen, and two face
        sets alone would teach it to tell them apart again.
        """
        if self.size != SIZE:
            return False
        start = load_running_start(weights)
        self.encoder.load_state_dict(start.encoder)
        self.encoder.requires_grad_(False)
        for decoder in (self.decoder_a, self.decoder_b):
            decoder.load_state_dict({"face": decoder.face, **start.decoder})
        object.__setattr__(self, "looks", start.looks)  # not a part of this network: it is not trained or saved
        return True

    @torch.no_grad()
    def start_from(self, side: Side, faces: Tensor, masks: Tensor) -> None:
        """Begin with the mean face, and note the side's colours inside the masks; both are saved with the weights."""
        row, decoder = (0, self.decoder_a) if side == "a" else (1, self.decoder_b)
        decoder.face.copy_(faces.mean(0))
        self.mean[row], self.deviation[row] = colours_within(faces, masks)
        if self.looks is not None:
            chosen = torch.linspace(0, len(faces) - 1, min(_LOOKS, len(faces))).round().long()
            style = self.looks(self.normalized(faces[chosen], side)).mean(0)
            decoder.load_state_dict({"face": decoder.face, **folded(decoder.layers(), self.looks.scales(style))})


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

    def layers(self) -> dict[str, nn.Conv2d]:
        """Its convolutions by the name under which the state dict has them, from the code to the picture."""
        return {name: layer for name, layer in self.named_modules() if isinstance(layer, nn.Conv2d)}


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


def colours_within(faces: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation (3, 1, 1) of ``faces`` (n, 3, size, size) within ``masks`` (n, 1, size / 4, size / 4)."""
    pixels, share = F.avg_pool2d(faces, _STEP), masks / masks.sum()
    mean, square = ((power * share).sum((0, 2, 3), keepdim=True)[0] for power in (pixels, pixels.square()))
    return mean, (square - mean.square()).clamp_min(1e-4).sqrt()


def _doublings(size: int) -> int:
    """How often 8 pixels are doubled to reach a quarter of ``size``."""
    return round(math.log2(size / _STEP / 8))
