"""A training in phases: what is minimised, and how faces are disturbed, from which part of the training on."""

from dataclasses import dataclass, field

from likeness.make.losses import LossSettings
from likeness.make.warp import WarpSettings


@dataclass(frozen=True)
class Phase:
    """From ``start``, the part of the training in [0, 1] that is done, until the next phase.

    ``rate_dropout`` is the part of the weights that each step leaves as they are (`rate_dropout`).
    """

    start: float
    losses: LossSettings
    warp: WarpSettings = field(default_factory=WarpSettings)
    rate_dropout: float = 0.0
    name: str = ""


def phase_at(phases: tuple[Phase, ...], done: float) -> Phase:
    """The phase that a training is in of which the part ``done`` is over."""
    return [phase for phase in phases if phase.start <= max(done, 0.0)][-1]
