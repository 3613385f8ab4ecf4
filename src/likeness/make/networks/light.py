"""`light`: our own small autoencoder for CPUs; 128-pixel faces with a learned mask."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from likeness.make.networks.autoencoder import Decoded, SharedEncoderAutoencoder, Side

SIZE = 128
CODE = 256  # numbers that describe a face
_STEP = 4  # pixels, of space to depth and pixel shuffle
_SLOPE = 0.1


class Light(SharedEncoderAutoencoder):
    """Input and output (n, 3, 128, 128) in [0, 1], and a mask (n, 1, 32, 32) of the face's hull.

    A CPU is fast at few, thick convolutions and slow at touching many pixels one by one, so pictures enter by
    space-to-depth and leave by pixel shuffle, and every layer in between works at 32×32 or less. Each side's colours
    are standardised by the mean and deviation of its own face set, so that the encoder cannot tell the two people by
    skin or light and has to describe what they share: pose, expression, and how the light differs from the usual.
    """

    mean: Tensor
    deviation: Tensor
    decoder_a: "_Decoder"
    decoder_b: "_Decoder"

    def __init__(self) -> None:
        super().__init__(_encoder(), _Decoder(), _Decoder())
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
        pixels, share = F.avg_pool2d(faces, _STEP), masks / masks.sum()
        mean, square = ((power * share).sum((0, 2, 3), keepdim=True)[0] for power in (pixels, pixels.square()))
        self.mean[row], self.deviation[row] = mean, (square - mean.square()).clamp_min(1e-4).sqrt()


class _Decoder(nn.Module):
    """8 → 16 → 32 pixels by pixel shuffle, then from each of these 4×4 pixels of RGB and one of the mask.

    What is painted is added to a learnt picture that starts as the mean face, and at first nothing is painted: so
    training begins with what all faces of a side share instead of spending its first minutes on it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.grow = nn.Sequential(_conv(128, 512), nn.PixelShuffle(2), _conv(128, 256), nn.PixelShuffle(2))
        self.paint = nn.Conv2d(64, 3 * _STEP**2 + 1, 3, padding=1)
        self.unfold = nn.PixelShuffle(_STEP)
        self.face = nn.Parameter(torch.full((3, SIZE, SIZE), 0.5))
        for parameter in self.paint.parameters():
            nn.init.zeros_(parameter)

    def forward(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        layers = self.paint(self.grow(codes))
        return self.face + self.unfold(layers[:, 1:]), layers[:, :1].sigmoid()


def _conv(channels: int, filters: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, filters, 3, stride=stride, padding=1), nn.LeakyReLU(_SLOPE, inplace=True))


def _encoder() -> nn.Sequential:
    """128 → (space to depth) 32 → 16 → 8 → 4 pixels, dense code, back to 8×8×128."""
    return nn.Sequential(
        nn.PixelUnshuffle(_STEP),
        _conv(3 * _STEP**2, 48),
        _conv(48, 96, stride=2),
        _conv(96, 160, stride=2),
        _conv(160, 256, stride=2),
        nn.Flatten(),
        nn.Linear(4 * 4 * 256, CODE),
        nn.Linear(CODE, 8 * 8 * 128),
        nn.Unflatten(1, (128, 8, 8)),
        nn.LeakyReLU(_SLOPE, inplace=True),
    )
