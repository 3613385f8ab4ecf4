"""How each architecture is trained: every number of a recipe in one place."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from torch import nn

from likeness.errors import SettingsError
from likeness.faces.align import COVERAGE
from likeness.faces.faceset import CROP_SIZE
from likeness.make.losses import LossSettings
from likeness.make.networks import discriminator, flow, gan, liae, light, original
from likeness.make.networks.autoencoder import SwapNetwork
from likeness.make.phases import Phase, phase_at
from likeness.make.warp import PART_STEP, WarpSettings

Architecture = Literal["flow", "original", "light", "gan", "liae"]
SIZES = {
    "flow": (128, 256),
    "original": (64,),
    "light": (64, 128, 256),
    "gan": (64, 128, 256),
    "liae": (64, 128, 256),
}  # pixels
DEFAULT_SIZE = {"flow": flow.SIZE, "original": original.SIZE, "light": light.SIZE, "gan": gan.SIZE, "liae": liae.SIZE}

_COVERAGE = 0.8  # of all but the original: with room for brow, chin and cheeks around the features


@dataclass(frozen=True)
class Recipe:
    """A network and its training.

    ``size`` in pixels is what the network sees and makes; ``coverage`` is the part of it that the mean face's unit
    square takes (`faces.align`). ``crop`` is the side in pixels at which crops are kept for warping. ``batch`` counts
    faces a side. ``phases`` are what is minimised and when, in order of their starts, the first at 0; without a budget
    a training goes through them in ``iterations``. ``critic`` builds the discriminators, one a side, where a phase is
    adversarial; they learn at ``critic_rate``. ``averaging`` is the decay of the running mean of weights that is
    evaluated and used for swaps; 0 uses the last weights. ``decay`` lowers the learning rate along a half cosine over
    the budget, down to ``final_rate`` of it.
    """

    build: Callable[[], SwapNetwork]
    size: int
    coverage: float
    crop: int
    batch: int
    learning_rate: float
    betas: tuple[float, float]
    phases: tuple[Phase, ...]
    iterations: int = 40_000
    critic: Callable[[], nn.ModuleDict] | None = None
    critic_rate: float = 0.0
    averaging: float = 0.0
    warmup: int = 0  # iterations of linear rise of the learning rate
    decay: bool = False
    final_rate: float = 0.02

    @property
    def view(self) -> float:
        """The part of a face set's crop that the network sees."""
        return COVERAGE / self.coverage

    @property
    def losses(self) -> LossSettings:
        """What the first phase minimises."""
        return self.phases[0].losses

    @property
    def warp(self) -> WarpSettings:
        """How the first phase disturbs faces."""
        return self.phases[0].warp

    def phase(self, iteration: int, done: float | None) -> Phase:
        """The phase of ``iteration``, ``done`` being the part of the budget that is spent, None where there is none."""
        return phase_at(self.phases, iteration / self.iterations if done is None else done)

    def uses(self, term: str) -> bool:
        """Whether any phase gives weight to ``term`` of the losses."""
        return any(getattr(phase.losses, term) for phase in self.phases)


def recipe_for(arch: Architecture, size: int | None = None, published: bool = False) -> Recipe:
    """The recipe of ``arch`` for faces of ``size`` pixels, by default the architecture's own (`DEFAULT_SIZE`).

    ``original`` is the 2018 recipe: mean absolute error, Adam 5e-5 with β₁ 0.5, rotation ±10°, zoom ±5 %, shift ±5 %,
    flip 0.4, and a 5×5 grid over the middle 160 of 256 pixels moved by N(0, 5 px). ``flow`` and ``light`` are ours, for
    two CPU cores. ``gan`` has the weights and the schedule of faceswap-GAN v2.2, ``liae`` those of DeepFaceLab;
    ``published`` gives these two their published widths, without it they have ours. Raises SettingsError for sizes and
    widths that an architecture has not got.
    """
    size = DEFAULT_SIZE[arch] if size is None else size
    if size not in SIZES[arch]:
        sizes = ", ".join(map(str, SIZES[arch]))
        raise SettingsError(f"'{arch}' makes faces of {sizes} pixels. Choose one of these with --size.")
    if published and arch in ("flow", "light"):
        raise SettingsError(f"'{arch}' is our own and has no published widths. Leave --published out.")
    recipes = {"flow": _flow, "original": _original, "light": _light, "gan": _gan, "liae": _liae}
    return recipes[arch](size, published)


def _original(size: int, _published: bool) -> Recipe:
    return Recipe(
        build=original.Original,
        size=size,
        coverage=1.0,
        crop=256,
        batch=16,
        learning_rate=5e-5,
        betas=(0.5, 0.999),
        phases=(Phase(0.0, LossSettings()),),
    )


def _flow(size: int, _published: bool) -> Recipe:
    return _ours(partial(flow.Flow, size), size, 3e-4, LossSettings(face=0.85, gradient=0.5, mask=0.1, draft=0.3))


def _light(size: int, _published: bool) -> Recipe:
    return _ours(partial(light.Light, size), size, 1e-3, LossSettings(face=0.85, gradient=0.5, mask=0.1))


def _ours(build: Callable[[], SwapNetwork], size: int, learning_rate: float, losses: LossSettings) -> Recipe:
    """What `flow` and `light` have in common."""
    return Recipe(
        build=build,
        size=size,
        coverage=_COVERAGE,
        crop=_crop(size),
        batch=16,
        learning_rate=learning_rate,
        betas=(0.9, 0.99),
        phases=(Phase(0.0, losses, WarpSettings(flip=0.0)),),
        averaging=0.998,
        warmup=50,
        decay=True,
    )


def _gan(size: int, published: bool) -> Recipe:
    """faceswap-GAN v2.2: Adam 1e-4 and 2e-4 with β₁ 0.5, batch 8; the perceptual loss from 20 %, the mask's hinge from
    30 % of 40 000 iterations. Ours are the running mean and the mask term, without which α is no face for long."""
    first = LossSettings(gradient=0.1, features=30.0, mask=0.1, adversarial=0.1, alpha_variation=0.1)
    perceptual = replace(first, perceptual=1.0)
    masked = replace(perceptual, alpha_hinge=0.1, alpha_mean=0.01)
    warp = WarpSettings(flip=0.0)
    width = {"width": gan.PUBLISHED_WIDTH} if published else {}
    critic_width = discriminator.PUBLISHED_WIDTH if published else discriminator.WIDTH
    return Recipe(
        build=partial(gan.Gan, size, **width),
        size=size,
        coverage=_COVERAGE,
        crop=_crop(size),
        batch=8,
        learning_rate=1e-4,
        betas=(0.5, 0.999),
        phases=(
            Phase(0.0, first, warp, name="adversarial"),
            Phase(0.2, perceptual, warp, name="perceptual"),
            Phase(0.3, masked, warp, name="mask"),
        ),
        critic=partial(discriminator.discriminators, size, critic_width),
        critic_rate=2e-4,
        averaging=0.998,
    )


def _liae(size: int, published: bool) -> Recipe:
    """DeepFaceLab: 10·DSSIM + 10·MSE + the mask's error; warp on, learning-rate dropout, warp off, GAN (power 0.1).
    Its RMSprop is Adam here, and its U-Net discriminator the one of `gan`, which sees the picture alone."""
    losses = LossSettings(pixel=0.0, square=10.0, dssim=10.0, face=0.5, features=3.0, mask=1.0)
    warp = WarpSettings(flip=0.0)
    still = replace(warp, grid_noise=0.0)
    critic_width = discriminator.PUBLISHED_WIDTH if published else discriminator.WIDTH
    return Recipe(
        build=partial(liae.Liae, size, liae.PUBLISHED_WIDTHS if published else liae.WIDTHS),
        size=size,
        coverage=_COVERAGE,
        crop=_crop(size),
        batch=8,
        learning_rate=2e-4,
        betas=(0.9, 0.999),
        phases=(
            Phase(0.0, losses, warp, name="warp on"),
            Phase(0.6, losses, warp, rate_dropout=0.7, name="learning-rate dropout"),
            Phase(0.75, losses, still, rate_dropout=0.7, name="warp off"),
            Phase(0.9, replace(losses, adversarial=0.1), still, rate_dropout=0.7, name="adversarial"),
        ),
        critic=partial(discriminator.discriminators, size, critic_width, conditional=False),
        critic_rate=2e-4,
        averaging=0.998,
        warmup=50,
    )


def _crop(size: int) -> int:
    """Side at which crops are kept: the view's pixels are then those of the network, as far as there are so many."""
    return min(CROP_SIZE, PART_STEP * math.ceil(size * _COVERAGE / COVERAGE / PART_STEP))
