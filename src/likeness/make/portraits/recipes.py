"""What a portrait model is and how it is trained, by the size of its pictures and the machine."""

from dataclasses import dataclass, field
from typing import Literal

import torch

from likeness.make.portraits.augment import AugmentSettings
from likeness.make.portraits.networks import NetworkSettings

Size = Literal[64, 128]


@dataclass(frozen=True)
class Recipe:
    """Adam with β₁ = 0 and β₂ ``beta2``; learning rate and γ fall along half a cosine from the first to the second.

    The penalties are taken of a part ``penalised`` of each batch: all of it on a GPU; an eighth on CPUs, where second
    derivatives cost as much as the rest, which estimates the same mean with more noise. ``average_images``: pictures
    after which a step's part in the averaged generator has halved. ``mirror``: faces are shown mirrored as well.
    The two are trained apart (`training`) for ``apart`` iterations, at most ``apart_share`` of the budget.
    """

    network: NetworkSettings = field(default_factory=NetworkSettings)
    batch: int = 16
    learning_rate: tuple[float, float] = (5e-4, 1e-4)
    gamma: tuple[float, float] = (1.0, 0.2)
    beta2: float = 0.99
    warmup: int = 100  # iterations over which the learning rate rises
    penalised: float = 0.125
    average_images: int = 20_000
    mirror: bool = True
    apart: int = 2000
    apart_share: float = 0.2
    augment: AugmentSettings = field(default_factory=AugmentSettings)


_WIDTHS: dict[Size, tuple[int, ...]] = {64: (384, 192, 128, 48), 128: (384, 256, 128, 96, 32)}
_FULL_WIDTHS: dict[Size, tuple[int, ...]] = {64: (768, 768, 512, 256), 128: (768, 768, 512, 256, 128)}


def recipe_for(size: Size, device: torch.device) -> Recipe:
    """The compact recipe on a CPU, the full one on a GPU (R3GAN's batch and rates: Huang et al. 2024, appendix)."""
    if device.type == "cuda":
        widths = _FULL_WIDTHS[size]
        network = NetworkSettings(widths, (2,) * len(widths), (2,) * len(widths))
        return Recipe(network, batch=256, learning_rate=(2e-4, 5e-5), gamma=(2.0, 0.2), penalised=1.0)
    widths = _WIDTHS[size]
    coarse = [2 if number < 2 else 1 for number in range(len(widths))]
    return Recipe(NetworkSettings(widths, tuple(coarse), (1,) * len(widths)))
