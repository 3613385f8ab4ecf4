"""How each architecture is trained: every number of a recipe in one place."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from likeness.faces.align import COVERAGE
from likeness.make.losses import LossSettings
from likeness.make.networks import light, original
from likeness.make.networks.autoencoder import SharedEncoderAutoencoder
from likeness.make.warp import WarpSettings

Architecture = Literal["original", "light"]


@dataclass(frozen=True)
class Recipe:
    """A network and its training.

    ``size`` in pixels is what the network sees and makes; ``coverage`` is the part of it that the mean face's unit
    square takes (`faces.align`). ``crop`` is the side in pixels at which crops are kept for warping. ``batch`` counts
    faces a side. ``averaging`` is the decay of the running mean of weights that is evaluated and used for swaps; 0 uses
    the last weights. ``decay`` lowers the learning rate along a half cosine over the budget, down to ``final_rate`` of
    it.
    """

    build: Callable[[], SharedEncoderAutoencoder]
    size: int
    coverage: float
    crop: int
    batch: int
    learning_rate: float
    betas: tuple[float, float]
    warp: WarpSettings
    losses: LossSettings
    averaging: float = 0.0
    warmup: int = 0  # iterations of linear rise of the learning rate
    decay: bool = False
    final_rate: float = 0.02

    @property
    def view(self) -> float:
        """The part of a face set's crop that the network sees."""
        return COVERAGE / self.coverage


def recipe_for(arch: Architecture) -> Recipe:
    """The recipe of ``arch``.

    ``original`` is the 2018 recipe: mean absolute error, Adam 5e-5 with β₁ 0.5, rotation ±10°, zoom ±5 %, shift ±5 %,
    flip 0.4, and a 5×5 grid over the middle 160 of 256 pixels moved by N(0, 5 px). ``light`` is ours, tuned for held-
    out quality per minute on two CPU cores.
    """
    if arch == "original":
        return Recipe(
            build=original.Original,
            size=original.SIZE,
            coverage=1.0,
            crop=256,
            batch=16,
            learning_rate=5e-5,
            betas=(0.5, 0.999),
            warp=WarpSettings(),
            losses=LossSettings(),
        )
    return Recipe(
        build=light.Light,
        size=light.SIZE,
        coverage=0.8,
        crop=164,
        batch=16,
        learning_rate=1e-3,
        betas=(0.9, 0.99),
        warp=WarpSettings(flip=0.0),
        losses=LossSettings(face=0.85, gradient=0.5, mask=0.1),
        averaging=0.998,
        warmup=50,
        decay=True,
    )
