"""The two networks of a GAN for faces: one makes pictures from numbers, the other tells them from photographs.

After R3GAN (Huang et al. 2024, "The GAN is dead; long live the GAN!"): residual blocks without normalisation,
resampling between stages and never within a block, last convolutions that start at zero (Fixup: Zhang et al. 2019).
Changed for CPUs, which are fast at few, thick, dense convolutions: the 3 × 3 convolution of a block is dense and half
as wide, not grouped; pictures enter and leave by space-to-depth and pixel shuffle, so that no convolution runs at the
full size. Added from StyleGAN (Karras et al. 2019): a small mapping network, whose output w scales the channels of
every block; truncation and attribute changes act on w.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Layer = TypeVar("Layer", bound=nn.Module)

_SLOPE = 0.2  # of the leaky rectifier
_FIRST = 4  # pixels, side of the coarsest feature maps
_STEP = 2  # pixels, of space to depth


@dataclass(frozen=True)
class NetworkSettings:
    """``widths``: channels at 4, 8, 16 … pixels; pictures are twice the last of these sizes a side.

    ``generator_blocks`` and ``discriminator_blocks`` at each of these sizes, ``latent`` numbers behind a face,
    ``style`` numbers of w.
    """

    widths: tuple[int, ...] = (384, 192, 128, 48)
    generator_blocks: tuple[int, ...] = (2, 2, 1, 1)
    discriminator_blocks: tuple[int, ...] = (1, 1, 1, 1)
    latent: int = 64
    style: int = 256

    @property
    def size(self) -> int:
        """Side of the pictures in pixels."""
        return _FIRST * 2 ** (len(self.widths) - 1) * _STEP


class Generator(nn.Module):
    """Latents z float (n, latent), standard normal, to pictures (n, 3, size, size), about in [−1, 1]."""

    mean_style: Tensor  # (style,): w̄, a running mean over training; truncation draws faces towards it

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        self.settings = settings
        first, last = settings.widths[0], settings.widths[-1]
        self.mapping = nn.Sequential(
            _linear(settings.latent, settings.style),
            nn.LeakyReLU(_SLOPE),
            _linear(settings.style, settings.style),
            nn.LeakyReLU(_SLOPE),
        )
        self.register_buffer("mean_style", torch.zeros(settings.style))
        self.basis = nn.Parameter(torch.randn(first, _FIRST, _FIRST))
        self.weigh = _linear(settings.style, first, gain=1.0)
        self.stages = nn.ModuleList(
            StyledStage(width, settings.style, count)
            for width, count in zip(settings.widths, settings.generator_blocks, strict=True)
        )
        self.widen = nn.ModuleList(
            _convolution(before, after, 1, gain=1.0) for before, after in pairwise(settings.widths)
        )
        self.leave = _convolution(last, 3 * _STEP**2, 3, gain=0.5)

    def forward(self, latents: Tensor) -> Tensor:
        return self.draw(self.style(latents))

    def style(self, latents: Tensor) -> Tensor:
        """w (n, style) for z (n, latent), which is brought to length √latent first."""
        return self.mapping(latents * latents.square().mean(1, keepdim=True).add(1e-8).rsqrt())

    def draw(self, style: Tensor) -> Tensor:
        """The pictures (n, 3, size, size) for w (n, style)."""
        maps = self.basis * self.weigh(style)[:, :, None, None]
        maps = maps.contiguous(memory_format=torch.channels_last)
        for number, stage in enumerate(self.stages):
            if number:
                # a 1 × 1 convolution and interpolation commute; in this order it is a quarter of the work
                maps = F.interpolate(self.widen[number - 1](maps), scale_factor=2, mode="bilinear")
            maps = stage(maps, style)
        return F.pixel_shuffle(self.leave(maps), _STEP)


class Discriminator(nn.Module):
    """Pictures (n, 3, size, size) in [−1, 1] to logits (n,): the higher, the more like a photograph.

    Only differences between logits mean anything (`losses`).
    """

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        widths = settings.widths[::-1]
        self.enter = _convolution(3 * _STEP**2, widths[0], 3)
        self.stages = nn.ModuleList(
            nn.Sequential(*(Block(width) for _ in range(count)))
            for width, count in zip(widths, settings.discriminator_blocks[::-1], strict=True)
        )
        self.widen = nn.ModuleList(_convolution(before, after, 1, gain=1.0) for before, after in pairwise(widths))
        self.basis = nn.Parameter(torch.randn(widths[-1], _FIRST, _FIRST) / _FIRST)
        self.judge = _linear(widths[-1], 1, gain=1.0)

    def forward(self, pictures: Tensor) -> Tensor:
        return self.judge(self.describe(pictures)).flatten()

    def describe(self, pictures: Tensor) -> Tensor:
        """The numbers (n, widths[0]) that the logit is a sum of."""
        maps = self.enter(F.pixel_unshuffle(pictures, _STEP).contiguous(memory_format=torch.channels_last))
        for number, blocks in enumerate(self.stages):
            if number:
                maps = self.widen[number - 1](F.avg_pool2d(maps, 2))
            maps = blocks(maps)
        return (maps * self.basis).sum((2, 3))


class Guess(nn.Module):
    """What latents a picture may have: mean and log variance (n, latent) from `Discriminator.describe`'s numbers."""

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        self.numbers = _linear(settings.widths[0], 2 * settings.latent, gain=0.1)

    def forward(self, described: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.numbers(F.leaky_relu(described, _SLOPE)).float().chunk(2, dim=1)
        return mean, log_variance


class Block(nn.Module):
    """x + C₃ φ C₂ φ C₁ x: a bottleneck of half the width, φ leaky, C₃ zero at first; x itself is never rectified."""

    def __init__(self, width: int) -> None:
        super().__init__()
        inner = width // 2
        self.narrow, self.look = _convolution(width, inner, 1), _convolution(inner, inner, 3)
        self.back = _convolution(inner, width, 1, gain=0.0)

    def forward(self, maps: Tensor) -> Tensor:
        inner = F.leaky_relu(self.look(F.leaky_relu(self.narrow(maps), _SLOPE)), _SLOPE)
        return maps + self.back(inner)


class StyledBlock(Block):
    """A block whose inner channels are scaled by 1 + A w."""

    def __init__(self, width: int, style: int) -> None:
        super().__init__(width)
        self.scale = _linear(style, width // 2, gain=0.1)

    def forward(self, maps: Tensor, style: Tensor) -> Tensor:  # type: ignore[override]
        scale = 1 + self.scale(style)[:, :, None, None]
        inner = F.leaky_relu(self.look(F.leaky_relu(self.narrow(maps) * scale, _SLOPE)), _SLOPE)
        return maps + self.back(inner)


class StyledStage(nn.Module):
    """The blocks of one size, all with the same w."""

    def __init__(self, width: int, style: int, count: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(StyledBlock(width, style) for _ in range(count))

    def forward(self, maps: Tensor, style: Tensor) -> Tensor:
        for block in self.blocks:
            maps = block(maps, style)
        return maps


def _convolution(channels: int, filters: int, side: int, gain: float = 2**0.5) -> nn.Conv2d:
    """A convolution that keeps the size; weights N(0, gain² / inputs) and no bias at first (He et al. 2015)."""
    made = nn.Conv2d(channels, filters, side, padding=side // 2)
    return _started(made, gain / (channels * side**2) ** 0.5)


def _linear(inputs: int, outputs: int, gain: float = 2**0.5) -> nn.Linear:
    return _started(nn.Linear(inputs, outputs), gain / inputs**0.5)


def _started(layer: Layer, spread: float) -> Layer:
    """``layer`` with weights of this standard deviation and without bias."""
    for name, parameter in layer.named_parameters():
        nn.init.normal_(parameter, std=spread if name == "weight" else 0.0)
    return layer
