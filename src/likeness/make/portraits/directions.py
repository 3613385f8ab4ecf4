"""What changes a trait of a made face and leaves the others: directions in style space, found by measuring faces.

Many faces are made, their traits measured (`traits`), and w is regressed on all of them together,

    w ≈ w̄ + Σₖ tₖ dₖ,    tₖ the k-th trait in standard deviations.

dₖ is how w differs, on average, between faces that differ by one standard deviation in trait k and agree in the rest; a
direction found for one trait alone would carry along whatever comes with it (Shen et al. 2020, "InterFaceGAN", sec.
3.3, condition directions on one another for the same reason).
"""

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from likeness.make.portraits.traits import TRAITS, measure

if TYPE_CHECKING:
    from likeness.make.portraits.model import PortraitModel

_FIRST_SEED = 1_000_000
_FEWEST = 100  # faces with measurable traits; with fewer there are no directions


def find_changes(model: "PortraitModel", count: int = 1500) -> dict[str, Tensor]:
    """Directions float32 (style,) by trait, from ``count`` made faces; none where too few of them can be measured."""
    latents = model.latents(list(range(_FIRST_SEED, _FIRST_SEED + count)))
    styles = model.styles(latents)
    traits = measure(model.draw(styles))
    seen = np.isfinite(traits).all(1)
    if seen.sum() < _FEWEST:
        return {}
    found = regressed(styles.cpu().numpy()[seen], traits[seen])
    return {name: torch.from_numpy(direction) for name, direction in zip(TRAITS, found, strict=True)}


def regressed(styles: np.ndarray, traits: np.ndarray) -> np.ndarray:
    """Directions float32 (k, style) from ``styles`` (n, style) and ``traits`` (n, k), by least squares."""
    standard = (traits - traits.mean(0)) / np.maximum(traits.std(0), 1e-9)
    directions, *_ = np.linalg.lstsq(standard, styles - styles.mean(0), rcond=None)
    return directions.astype(np.float32)
