"""`gan`: the published GAN variant of the face swap (faceswap-GAN v2.2), with self-attention and a learned α mask."""

import math

from torch import Tensor, nn

from likeness.make.networks.attention import SelfAttention
from likeness.make.networks.autoencoder import Decoded, SharedEncoderAutoencoder, Side
from likeness.make.networks.blocks import SLOPE, Residual, convolution, down, up

SIZE = 64
PUBLISHED_WIDTH = 64  # channels at full size
WIDTHS = {64: 32, 128: 24, 256: 16}  # ours, by size: for two CPU cores at 64 pixels

_ENCODER_LOOKS = (8, 16)  # pixels a side of the encoder's maps that attend to themselves
_DECODER_LOOKS = (32,)  # of the decoder's
_PUBLISHED_DECODER_LOOKS = (32, 64)


class Gan(SharedEncoderAutoencoder):
    """Input (n, 3, size, size) in [0, 1]; output α·RGB + (1 − α)·input with the mask α (n, 1, size, size).

    Encoder: 5×5 to w channels, then 3×3 with stride 2 to 2w, 4w + attention, 8w + attention, 16w; dense 16w, dense
    4×4×16w, upscale to 8×8×8w. Decoder, one a side: upscales to 4w, 2w + attention, w + residual; 5×5 to α (sigmoid)
    and RGB (tanh). Larger sizes have a step more on either side, where the channels stay at 16w and 8w. ``width`` is w:
    64 as published, by default ours (`WIDTHS`); with the published width the decoder attends at 64 pixels too.
    """

    decoder_a: "_Decoder"
    decoder_b: "_Decoder"

    def __init__(self, size: int = SIZE, width: int | None = None) -> None:
        width = width or WIDTHS[size]
        looks = _PUBLISHED_DECODER_LOOKS if width >= PUBLISHED_WIDTH else _DECODER_LOOKS
        super().__init__(_encoder(size, width), _Decoder(size, width, looks), _Decoder(size, width, looks))

    def normalized(self, faces: Tensor, side: Side) -> Tensor:
        """Faces in [−1, 1], as the decoder's tanh paints them."""
        return faces * 2 - 1

    def decode(self, codes: Tensor, side: Side) -> Decoded:
        """The face of ``side`` that ``codes`` describe, with its mask, not yet laid over anything."""
        painted, alpha = (self.decoder_a if side == "a" else self.decoder_b)(codes)
        return Decoded(painted, alpha, painted)

    def composed(self, decoded: Decoded, faces: Tensor) -> Decoded:
        """α·RGB + (1 − α)·input."""
        assert decoded.masks is not None
        return decoded._replace(images=faces + decoded.masks * (decoded.images - faces))


class _Decoder(nn.Module):
    """Codes (n, 8w, 8, 8) to RGB (n, 3, size, size) and α (n, 1, size, size), both in [0, 1]."""

    def __init__(self, size: int, width: int, looks: tuple[int, ...]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for side in _sides(16, size):
            channels = _channels(side, size, width, most=8)
            layers.append(up(_channels(side // 2, size, width, most=8), channels, side))
            layers += [Residual(channels, side)] if side == size else []
            layers += [SelfAttention(channels)] if side in looks else []
        self.grow = nn.Sequential(*layers)
        self.paint = nn.Conv2d(width, 4, 5, padding=2)

    def forward(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        layers = self.paint(self.grow(codes))
        return (layers[:, 1:].tanh() + 1) / 2, layers[:, :1].sigmoid()


def _encoder(size: int, width: int) -> nn.Sequential:
    """Size → size / 2 → … → 4 pixels, dense code, upscale to 8×8×8w."""
    layers: list[nn.Module] = [convolution(3, width, 5, size), nn.LeakyReLU(SLOPE, inplace=True)]
    for side in reversed(_sides(4, size // 2)):
        channels = _channels(side, size, width, most=16)
        layers.append(down(_channels(2 * side, size, width, most=16), channels, 3, side))
        layers += [SelfAttention(channels)] if side in _ENCODER_LOOKS else []
    code = 16 * width
    dense = [nn.Flatten(), nn.Linear(4 * 4 * code, code), nn.Linear(code, 4 * 4 * code), nn.Unflatten(1, (code, 4, 4))]
    return nn.Sequential(*layers, *dense, up(code, 8 * width, 8))


def _sides(first: int, last: int) -> list[int]:
    """``first``, twice that, … up to ``last`` pixels."""
    return [first << step for step in range(round(math.log2(last / first)) + 1)]


def _channels(side: int, size: int, width: int, most: int) -> int:
    """Channels of maps of ``side`` pixels: ``width`` at full size, doubled where the size halves, up to ``most``
    times."""
    return width * min(size // side, most)
