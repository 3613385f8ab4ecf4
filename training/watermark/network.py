"""The three small networks of the watermark: one that marks, one that reads, one that shows where a mark is missing.

All work at 256 × 256 on luminance, folded to 128 × 128. Their targets are dense: the reader tells each chip's
sign, the tamper decoder each place's state, so that every pixel of every picture teaches, and a few thousand steps
suffice.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from likeness.prove.watermark.strength import StrengthSettings

CHIPS_SHARE = 0.5  # of the mark's power that goes to the robust pattern; the rest to the semi-fragile one
_SSIM_C2 = (0.03 * 255) ** 2


class Block(nn.Module):
    """A residual block of two convolutions; it starts as the identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        _silence(self.second)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(F.relu(self.first(F.relu(x))))


class Marker(nn.Module):
    """Fit both patterns to the picture.

    Takes luminance and mask (B, 1, 256, 256) in grey levels and the chip maps (B, 1, 64, 64) and (B, 1, 128, 128);
    returns the residual (B, 1, 256, 256) before the budget: each pattern has its share of unit power. A chip's
    amplitude is free, to counter what the picture itself would say there; its shape is not. A marker that was free to
    draw within chips went for fine detail, which reads best in clean pictures and is the first thing a codec takes.
    """

    def __init__(self, width: int = 24, blocks: int = 2) -> None:
        super().__init__()
        self.head = nn.Conv2d(10, width, 3, padding=1)
        self.body = nn.Sequential(*[Block(width) for _ in range(blocks)])
        self.robust = nn.Conv2d(width, 1, 4, stride=2, padding=1)
        self.fragile = nn.Conv2d(width, 1, 3, padding=1)
        _silence(self.robust)
        _silence(self.fragile)

    def forward(self, luminance: Tensor, mask: Tensor, chips: Tensor, second: Tensor) -> Tensor:
        finer = F.interpolate(chips, scale_factor=2.0, mode="nearest")
        seen = [F.pixel_unshuffle(luminance / 64.0 - 2.0, 2), F.pixel_unshuffle(mask / 16.0, 2), finer, second]
        fitted = F.relu(self.body(self.head(torch.cat(seen, dim=1))))
        robust = mask * _smooth(chips + self.robust(fitted), 4)
        fragile = mask * _smooth(second + self.fragile(fitted), 2)
        return CHIPS_SHARE**0.5 * _unit(robust) + (1.0 - CHIPS_SHARE) ** 0.5 * _unit(fragile)


class Reader(nn.Module):
    """Luminance (B, 1, 256, 256) in grey levels to the log-odds (B, 1, 64, 64) that a chip is +1."""

    def __init__(self, width: int = 24, inner_blocks: int = 3) -> None:
        super().__init__()
        self.head = nn.Conv2d(4, width, 3, padding=1)
        self.fine = Block(width)
        self.down = nn.Conv2d(width, 2 * width, 2, stride=2)
        self.before = nn.Sequential(*[Block(2 * width) for _ in range(inner_blocks)])
        self.lower = nn.Conv2d(2 * width, 2 * width, 2, stride=2)
        self.context = Block(2 * width)
        self.after = nn.Sequential(*[Block(2 * width) for _ in range(inner_blocks - 1)])
        self.tail = nn.Conv2d(2 * width, 1, 3, padding=1)

    def forward(self, luminance: Tensor) -> Tensor:
        fine = self.fine(self.head(F.pixel_unshuffle(luminance / 64.0 - 2.0, 2)))
        chips = self.before(self.down(F.relu(fine)))
        context = self.context(self.lower(F.relu(chips)))
        chips = chips + F.interpolate(context, scale_factor=2.0, mode="nearest")
        return self.tail(F.relu(self.after(chips)))


class TamperDecoder(nn.Module):
    """Luminance in place, both expected chip maps, and how the reader's log-odds agree with the coarse one
    (B, 1, 64, 64), to the log-odds (B, 1, 64, 64) that a place was altered."""

    def __init__(self, width: int = 24, inner_blocks: int = 3) -> None:
        super().__init__()
        self.head = nn.Conv2d(6, width, 3, padding=1)
        self.first = nn.Sequential(*[Block(width) for _ in range(2)])
        self.mix = nn.Conv2d(3 * width, 2 * width, 1)
        self.heard = nn.Conv2d(1, 2 * width, 3, padding=1)
        _silence(self.heard)
        self.at_half = nn.Sequential(*[Block(2 * width) for _ in range(inner_blocks)])
        self.down = nn.Conv2d(2 * width, 2 * width, 2, stride=2)
        self.at_quarter = nn.Sequential(*[Block(2 * width) for _ in range(inner_blocks)])
        self.tail = nn.Conv2d(2 * width, 1, 3, padding=1)

    def forward(self, luminance: Tensor, chips: Tensor, second: Tensor, agreement: Tensor) -> Tensor:
        folded = F.pixel_unshuffle(luminance / 64.0 - 2.0, 2)
        finer = F.interpolate(chips, scale_factor=2.0, mode="nearest")
        fine = self.first(self.head(torch.cat([folded, finer, second], dim=1)))
        products = torch.cat([fine, fine * finer, fine * second], dim=1)  # a product tells what a sum cannot
        half = self.at_half(self.mix(F.avg_pool2d(products, 2)) + self.heard(agreement.clamp(-4.0, 4.0)))
        quarter = self.at_quarter(self.down(F.relu(half)))
        joined = half + F.interpolate(quarter, scale_factor=2.0, mode="bilinear", align_corners=False)
        return self.tail(F.relu(joined))


def budgeted(residual: Tensor, luminance: Tensor, size: int, settings: StrengthSettings, gain: float = 1.0) -> Tensor:
    """``residual`` (B, 1, 256, 256) brought to ``size`` and to what the budget allows, times ``gain``."""
    scaled = F.interpolate(residual, (size, size), mode="bicubic", align_corners=False) if size != 256 else residual
    power = scaled.square().mean(dim=(1, 2, 3), keepdim=True)
    by_psnr = 255.0**2 * 10 ** (-settings.psnr_db / 10) / power
    loss = (_local_variance(residual) / (2.0 * _local_variance(luminance) + _SSIM_C2)).mean(dim=(1, 2, 3), keepdim=True)
    return scaled * gain * torch.minimum(by_psnr, settings.ssim_loss / loss).sqrt()


def _local_variance(values: Tensor) -> Tensor:
    mean = F.avg_pool2d(values, 3, 1, 1, count_include_pad=False)
    return (F.avg_pool2d(values.square(), 3, 1, 1, count_include_pad=False) - mean.square()).clamp(min=0)


def _silence(layer: nn.Conv2d) -> None:
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)


def _smooth(chips: Tensor, factor: int) -> Tensor:
    """``chips`` at ``factor`` times their size, bilinear: little that is finer than a chip."""
    return F.interpolate(chips, scale_factor=float(factor), mode="bilinear", align_corners=False)


def _unit(pattern: Tensor) -> Tensor:
    return pattern / (pattern.square().mean(dim=(1, 2, 3), keepdim=True) + 1e-8).sqrt()
