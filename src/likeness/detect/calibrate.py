"""Turn a measured quantity into evidence: how it is spread over genuine clips, and a bounded likelihood ratio.

A cue measures a few numbers for each face (its features). Their log likelihood ratio is a logistic regression of
"synthetic" on those numbers, each person and each class weighing the same, so that prior odds cancel (Brümmer & du
Preez 2006, Computer Speech and Language 20). Reference populations here are small, so it is shrunk (ridge) and bounded:
a model seen on few people must not claim strong evidence (Vergeer et al. 2016, Science & Justice 56, on empirical
bounds).
"""

from collections import Counter
from collections.abc import Sequence
from importlib import resources

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError
from scipy.optimize import minimize

from likeness.errors import ModelError

CUES_FILE = "cues.json"

_FARTHEST = 3.0  # standard deviations: beyond, a value counts as that far; nothing was seen there to learn from


class Feature(BaseModel):
    """One measured quantity: its place and spread in genuine clips, and how it speaks for "synthetic".

    ``genuine`` are the sorted values of the reference clips (one a face); ``weight`` is natural log odds a standard
    deviation. ``frame_high`` is the value of a single moment that 1 in 20 genuine moments exceeds.
    """

    model_config = ConfigDict(frozen=True)

    centre: float
    scale: float
    weight: float
    genuine: list[float]
    frame_high: float | None = None

    def standardised(self, value: float) -> float:
        """``value`` in standard deviations of the genuine clips, limited to ±3."""
        return float(np.clip((value - self.centre) / self.scale, -_FARTHEST, _FARTHEST))

    def rarity(self, value: float) -> str:
        """How often genuine reference clips reach ``value``, as "3 of 47 genuine clips"."""
        return f"{sum(value <= reference for reference in self.genuine)} of {len(self.genuine)} genuine clips"


class CueCalibration(BaseModel):
    """What one cue's numbers are worth as evidence, with the populations that say so."""

    model_config = ConfigDict(frozen=True)

    features: dict[str, Feature]
    intercept: float
    bound: float
    genuine_people: int
    genuine_clips: int
    synthetic_clips: int
    population: str

    def llr(self, values: dict[str, float]) -> float:
        """log10 likelihood ratio of the measured ``values`` (by feature), within ± ``bound``; a missing feature says
        nothing.
        """
        log_odds = self.intercept + sum(
            self.features[name].weight * self.features[name].standardised(v) for name, v in values.items()
        )
        return float(np.clip(log_odds / np.log(10), -self.bound, self.bound))


class Calibrations(BaseModel):
    """All cues by name, as stored in weights/cues.json."""

    model_config = ConfigDict(frozen=True)

    cues: dict[str, CueCalibration]


def shipped(cue: str) -> CueCalibration:
    """The calibration of ``cue`` that comes with the package; raises ModelError where the file is damaged."""
    try:
        text = resources.files("likeness.weights").joinpath(CUES_FILE).read_text("utf-8")
        return Calibrations.model_validate_json(text).cues[cue]
    except (OSError, KeyError, ValidationError) as error:
        raise ModelError(
            f"The calibration weights/{CUES_FILE} is missing or damaged. Install likeness again."
        ) from error


def fit(
    genuine: Sequence[dict[str, float]],
    people: Sequence[str],
    synthetic: Sequence[dict[str, float]],
    synthetic_people: Sequence[str],
    *,
    bound: float,
    ridge: float,
    population: str,
    frame_high: dict[str, float] | None = None,
    only_positive: bool = True,
) -> CueCalibration:
    """Fit one cue from the measured values (by feature) of genuine and synthetic clips and the names of the people in
    them.

    ``ridge`` is the strength of the pull of every weight to 0, in clips; ``only_positive`` keeps more of a feature from
    speaking for "genuine". Raises ValueError where either class is empty.
    """
    if not genuine or not synthetic:
        raise ValueError("fit needs both genuine and synthetic clips")
    names = sorted({name for row in genuine for name in row})
    table = np.array([[row.get(name, np.nan) for name in names] for row in genuine])
    centre = np.nanmedian(table, axis=0)
    scale = np.maximum(1.4826 * np.nanmedian(np.abs(table - centre), axis=0), 1e-6)
    rows = np.vstack([table, np.array([[row.get(name, np.nan) for name in names] for row in synthetic])])
    z = np.nan_to_num(np.clip((rows - centre) / scale, -_FARTHEST, _FARTHEST))
    is_synthetic = np.repeat([0.0, 1.0], [len(genuine), len(synthetic)])
    share = np.concatenate([_equal_people(people), _equal_people(synthetic_people)])
    total = len(set(people)) + len(set(synthetic_people))

    def loss(parameters: np.ndarray) -> float:
        log_odds = parameters[0] + z @ parameters[1:]
        errors = np.logaddexp(0, np.where(is_synthetic == 1, -log_odds, log_odds))
        return float(total / 2 * (share * errors).sum() + ridge / 2 * (parameters[1:] ** 2).sum())

    limits = [(None, None)] + [(0.0 if only_positive else None, None)] * len(names)
    found = minimize(loss, np.zeros(len(names) + 1), method="L-BFGS-B", bounds=limits).x
    features = {
        name: Feature(
            centre=round(float(centre[i]), 5),
            scale=round(float(scale[i]), 5),
            weight=round(float(found[i + 1]), 4),
            genuine=sorted(round(float(v), 4) for v in table[:, i] if np.isfinite(v)),
            frame_high=(frame_high or {}).get(name),
        )
        for i, name in enumerate(names)
    }
    return CueCalibration(
        features=features, intercept=round(float(found[0]), 4), bound=bound, genuine_people=len(set(people)),
        genuine_clips=len(genuine), synthetic_clips=len(synthetic), population=population,
    )  # fmt: skip


def _equal_people(people: Sequence[str]) -> np.ndarray:
    """Weights that sum to 1, the same for every person however many clips show them."""
    counts = Counter(people)
    return np.array([1 / counts[person] / len(counts) for person in people])
