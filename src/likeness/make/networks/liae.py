"""`liae`: one decoder for both faces, and two codes between; for footage whose light differs (DeepFaceLab's LIAE)."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from likeness.make.networks.autoencoder import Autoencoder, Decoded, Side
from likeness.make.networks.blocks import Residual, down, up


@dataclass(frozen=True)
class Widths:
    """Channels of the encoder's first layer, numbers of a code, channels of decoder and mask at half the size."""

    encoder: int
    code: int
    decoder: int
    mask: int


SIZE = 64
PUBLISHED_WIDTHS = Widths(encoder=64, code=256, decoder=64, mask=22)
WIDTHS = Widths(encoder=32, code=128, decoder=16, mask=8)  # ours: for two CPU cores at 64 pixels

_SMALLEST = 4  # pixels a side of the encoder's last maps


class Liae(Autoencoder):
    """Input and output (n, 3, size, size) in [0, 1], and a mask (n, 1, size, size) of the face's hull.

    Two networks lie between the encoder and the only decoder: inter_AB, which both faces pass, and inter_B, which only
    the face that is *replaced* passes (DeepFaceLab's "dst"; the face that is put in is its "src"). The decoder sees
    two codes side by side:

        src = D[AB(E(src)), AB(E(src))]     dst = D[B(E(dst)), AB(E(dst))]     swap = D[AB(E(dst)), AB(E(dst))]

    What is the replaced face's own, its light among it, can go through inter_B; inter_AB has to carry what both
    share. Here A is dst and B is src: ``a2b``, A's clip with B's face, is the published swap. ``b2a`` takes the other
    way, D[B(E(b)), AB(E(b))], where inter_B meets a face that it has never learnt: it works less well, so train
    with the two sets exchanged where that is the swap you want.
    """

    def __init__(self, size: int = SIZE, widths: Widths = WIDTHS) -> None:
        super().__init__(_encoder(size, widths))
        self.inter_ab, self.inter_b = (_inter(size, widths) for _ in range(2))
        self.decoder = _Decoder(size, widths)

    def decode(self, codes: Tensor, side: Side) -> Decoded:
        """The face of ``side`` (A is dst, B is src) that the encoder's ``codes`` describe."""
        shared = self.inter_ab(codes)
        own = self.inter_b(codes) if side == "a" else shared
        return Decoded(*self.decoder(torch.cat([own, shared], 1)))


class _Decoder(nn.Module):
    """Two codes (n, 2c, 8, 8) to RGB (n, 3, size, size) and the mask (n, 1, size, size), in [0, 1].

    The last step up paints four pixels from each, as in DeepFaceLab's "-d" networks: a quarter of the work.
    """

    def __init__(self, size: int, widths: Widths) -> None:
        super().__init__()
        steps = _steps(size) - 2
        picture, mask = list[nn.Module](), list[nn.Module]()
        inputs = mask_inputs = 2 * _channels(widths)
        for step in range(steps):
            side, times = 16 << step, 1 << (steps - 1 - step)
            picture += [up(inputs, widths.decoder * times, side), Residual(widths.decoder * times, side)]
            mask.append(up(mask_inputs, widths.mask * times, side))
            inputs, mask_inputs = widths.decoder * times, widths.mask * times
        self.picture = nn.Sequential(*picture, nn.Conv2d(inputs, 3 * 4, 3, padding=1), nn.PixelShuffle(2), nn.Sigmoid())
        self.mask = nn.Sequential(*mask, nn.Conv2d(mask_inputs, 4, 3, padding=1), nn.PixelShuffle(2), nn.Sigmoid())

    def forward(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        return self.picture(codes), self.mask(codes)


def _encoder(size: int, widths: Widths) -> nn.Sequential:
    """5×5 with stride 2 down to 4 pixels, the channels doubling up to eight times the first, flat."""
    layers, channels = list[nn.Module](), 3
    for step in range(_steps(size)):
        filters = widths.encoder * min(2**step, 8)
        layers.append(down(channels, filters, 5, size >> (step + 1)))
        channels = filters
    return nn.Sequential(*layers, nn.Flatten())


def _inter(size: int, widths: Widths) -> nn.Sequential:
    """The flat maps through ``code`` numbers to maps of 8×8."""
    channels = _channels(widths)
    flat = _SMALLEST**2 * widths.encoder * min(2 ** (_steps(size) - 1), 8)
    return nn.Sequential(
        nn.Linear(flat, widths.code),
        nn.Linear(widths.code, _SMALLEST**2 * channels),
        nn.Unflatten(1, (channels, _SMALLEST, _SMALLEST)),
        up(channels, channels, 8),
    )


def _channels(widths: Widths) -> int:
    """Of each code's maps."""
    return 2 * widths.code


def _steps(size: int) -> int:
    """How often ``size`` is halved to 4 pixels."""
    return round(math.log2(size / _SMALLEST))
