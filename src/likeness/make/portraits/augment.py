"""Adaptive augmentation: the discriminator sees disturbed pictures, the more the more it knows its own by heart.

After Karras et al. 2020, "Training Generative Adversarial Networks with Limited Data" (ADA). Photographs and made
pictures pass the same disturbances, each with probability p, so that the generator never learns to draw them; all are
differentiable by the pictures.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

_LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class AugmentSettings:
    """How p is moved and how strong the disturbances are.

    p rises while the overfitting r (`overfitting`) lies above ``target`` and falls while it lies below, by 1 in
    ``images`` pictures, up to ``most``. ``shift`` is a part of the side; brightness is added in units of half the
    range of colours, contrast and saturation are factors exp N(0, σ).
    """

    target: float = 0.3
    images: int = 200_000
    most: float = 0.8
    shift: float = 0.125
    brightness: float = 0.2
    contrast: float = 0.3
    saturation: float = 0.5


def overfitting(trained: Tensor, heldout: Tensor, made: Tensor) -> float:
    """r = (E D(trained) − E D(held out)) / (E D(trained) − E D(made)) of logits (n,): 0 none, 1 complete.

    The first of ADA's two measures (eq. 1). The second, E sign D(trained), needs logits with a zero of their own, which
    a relativistic discriminator does not have. 0 where the discriminator tells nothing apart yet.
    """
    apart = float(trained.mean() - made.mean())
    return 0.0 if apart <= 0 else min(max(float(trained.mean() - heldout.mean()) / apart, -1.0), 1.0)


def adapted(p: float, r: float, images: int, settings: AugmentSettings) -> float:
    """p after ``images`` more pictures, moved by the sign of r − target."""
    direction = (r > settings.target) - (r < settings.target)
    return min(max(p + direction * images / settings.images, 0.0), settings.most)


def augmented(pictures: Tensor, p: float, settings: AugmentSettings, random: torch.Generator) -> Tensor:
    """``pictures`` (n, 3, s, s) in [−1, 1], each disturbed in each way with probability ``p``."""
    if p <= 0:
        return pictures
    shifted = _shifted(pictures, p, settings.shift, random)
    return _recoloured(shifted, p, settings, random)


def _shifted(pictures: Tensor, p: float, most: float, random: torch.Generator) -> Tensor:
    """Moved by whole pixels, the edge mirrored into what is left free, and mirrored left to right."""
    count, size, reach = len(pictures), pictures.shape[-1], round(most * pictures.shape[-1])
    moves = torch.randint(-reach, reach + 1, (2, count, 1), generator=random) * _chosen(count, p, random)[:, None]
    places = torch.arange(size) - moves
    places = (size - 1) - ((size - 1) - places.abs()).abs()  # mirrored at both ends
    rows, columns = places.to(pictures.device)
    flipped = (_chosen(count, p / 2, random)).to(pictures.device)
    columns = torch.where(flipped[:, None] > 0, columns.flip(1), columns)
    each = torch.arange(count, device=pictures.device)[:, None, None]
    return pictures.permute(0, 2, 3, 1)[each, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def _recoloured(pictures: Tensor, p: float, settings: AugmentSettings, random: torch.Generator) -> Tensor:
    """Brighter or darker, of more or less contrast and saturation."""
    count = len(pictures)

    def drawn(strength: float) -> Tensor:
        amounts = torch.randn(count, generator=random) * _chosen(count, p, random) * strength
        return amounts.to(pictures.device)[:, None, None, None]

    grey = (pictures * pictures.new_tensor(_LUMA)[None, :, None, None]).sum(1, keepdim=True)
    coloured = grey + (pictures - grey) * drawn(settings.saturation).exp()
    return coloured * drawn(settings.contrast).exp() + drawn(settings.brightness)


def _chosen(count: int, p: float, random: torch.Generator) -> Tensor:
    """(count,) of 0 and 1, 1 with probability ``p``."""
    return (torch.rand(count, generator=random) < p).to(torch.int64)
