"""Turn a measured quantity into evidence: how it is spread over genuine clips, and a bounded likelihood ratio.

A cue measures a few numbers for each face (its features). Their log likelihood ratio is a logistic regression of
"synthetic" on those numbers, each kind of footage, each person in it and each class weighing the same, so that prior
odds cancel (Brümmer & du Preez 2006, Computer Speech and Language 20). Reference populations here are small, so it is
shrunk (ridge) and bounded: a model seen on few people must not claim strong evidence (Vergeer et al. 2016, Science &
Justice 56, on empirical bounds).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError
from scipy.optimize import minimize

from likeness.errors import ModelError

CUES_FILE = "cues.json"

_FARTHEST = 3.0  # standard deviations: beyond, a value counts hardly farther; nothing was seen there to learn from
_LEAST_SCALE = 1e-4  # of a feature that is the same in most clips; it must outlast rounding
KNEE = 0.7  # of a bound: evidence is cut from here on, ever more, so that stronger evidence still is the stronger


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
        """``value`` in standard deviations of the genuine clips; beyond ±3 only its logarithm adds."""
        return float(_standardised(np.array((value - self.centre) / self.scale)))

    def rarity(self, value: float) -> str:
        """How often genuine reference clips reach ``value``, as "3 of 47 genuine clips"."""
        return f"{sum(value <= reference for reference in self.genuine)} of {len(self.genuine)} genuine clips"


class CueCalibration(BaseModel):
    """What one cue's numbers are worth as evidence, with the populations that say so.

    ``share_marked``: of all synthetic faces only this share is taken to bear the marks that the fit has seen; the
    others measure as genuine ones. So the absence of marks is never worth more than log10(1 − share_marked).
    """

    model_config = ConfigDict(frozen=True)

    features: dict[str, Feature]
    intercept: float
    bound: float
    share_marked: float
    genuine_people: int
    genuine_clips: int
    synthetic_clips: int
    population: str

    def rarity(self, name: str, value: float) -> str:
        """How often genuine reference clips reach ``value`` of the feature ``name``, as "3 of 47 genuine clips"."""
        feature = self.features.get(name)
        return "never compared with genuine clips" if feature is None else feature.rarity(value)

    def frame_high(self, name: str) -> float | None:
        """The value of ``name`` that 1 in 20 genuine moments exceeds, None where that is not known."""
        feature = self.features.get(name)
        return None if feature is None else feature.frame_high

    def llr(self, values: dict[str, float]) -> float:
        """log10 likelihood ratio of the measured ``values`` (by feature), within ± ``bound``; a missing one says
        nothing.
        """
        log_odds = self.intercept
        for name, value in values.items():
            if name not in self.features:
                continue
            log_odds += self.features[name].weight * self.features[name].standardised(value)
        ratio = self.share_marked * np.exp(log_odds) + 1 - self.share_marked
        return within(float(np.log10(ratio)), self.bound)


UNCALIBRATED = CueCalibration(
    features={}, intercept=0, bound=0, share_marked=0, genuine_people=0, genuine_clips=0, synthetic_clips=0,
    population="none",
)  # fmt: skip
"""For measuring before anything is calibrated: every likelihood ratio is 1."""


class Calibrations(BaseModel):
    """All cues by name, as stored in weights/cues.json."""

    model_config = ConfigDict(frozen=True)

    cues: dict[str, CueCalibration]


def shipped(cue: str) -> CueCalibration:
    """The calibration of ``cue`` that comes with the package, UNCALIBRATED where too few people could be measured for
    one: the cue then tells what it measures, and counts for nothing. Raises ModelError where the file is damaged.
    """
    try:
        text = resources.files("likeness.weights").joinpath(CUES_FILE).read_text("utf-8")
        return Calibrations.model_validate_json(text).cues.get(cue, UNCALIBRATED)
    except (OSError, ValidationError) as error:
        raise ModelError(
            f"The calibration weights/{CUES_FILE} is missing or damaged. Install likeness again."
        ) from error


@dataclass(frozen=True)
class Measured:
    """What a cue measured in one clip (a value for each feature that could be measured), who is in it, and of which
    ``population``, that is, kind of footage."""

    values: dict[str, float]
    person: str
    population: str = ""


@dataclass(frozen=True)
class FitSettings:
    """``ridge``: how strongly weights are pulled to 0, in clips. ``bound`` in log10. ``frame_high`` by feature.

    ``share_marked`` as in `CueCalibration`.
    """

    bound: float
    ridge: float
    population: str
    frame_high: dict[str, float] = field(default_factory=dict)
    share_marked: float = 0.5


def fit(
    genuine: Sequence[Measured], synthetic: Sequence[Measured], reference: Sequence[Measured], settings: FitSettings
) -> CueCalibration:
    """Fit one cue. More of a feature never speaks for "genuine": weights are at least 0.

    ``reference`` are the clips that reports count ("3 of 47 genuine clips"): the genuine ones without variants.
    Raises ValueError where a class is empty.
    """
    if not genuine or not synthetic:
        raise ValueError("fit needs both genuine and synthetic clips")
    names = sorted({name for row in genuine for name in row.values})
    table = _table(genuine, names)
    share = _shares(genuine)
    centre = _weighted_median(table, share)
    scale = np.maximum(1.4826 * _weighted_median(np.abs(table - centre), share), _LEAST_SCALE)
    rows = np.vstack([table, _table(synthetic, names)])
    z = np.nan_to_num(_standardised((rows - centre) / scale))
    intercept, weights = _regress(z, genuine, synthetic, settings.ridge)
    features = {
        name: Feature(
            centre=round(float(centre[i]), 5),
            scale=round(float(scale[i]), 5),
            weight=round(float(weights[i]), 4),
            genuine=sorted(round(row.values[name], 4) for row in reference if name in row.values),
            frame_high=settings.frame_high.get(name),
        )
        for i, name in enumerate(names)
    }
    return CueCalibration(
        features=features,
        intercept=round(intercept, 4),
        bound=settings.bound,
        share_marked=settings.share_marked,
        genuine_people=len({row.person for row in genuine}),
        genuine_clips=len(reference),
        synthetic_clips=len(synthetic),
        population=settings.population,
    )


def within(evidence: float, bound: float) -> float:
    """``evidence`` as it is up to KNEE of ``bound``, and beyond bent so that it comes near ± ``bound`` and grows ever
    less: what is cut off keeps its order."""
    knee = KNEE * bound
    excess = abs(evidence) - knee
    if excess <= 0 or bound <= 0:
        return float(np.clip(evidence, -bound, bound))
    rest = bound - knee
    return float(np.sign(evidence) * (bound - rest * np.exp(-excess / rest)))


def _standardised(z: np.ndarray) -> np.ndarray:
    beyond = np.maximum(np.abs(z) - _FARTHEST, 0)
    limited: np.ndarray = np.sign(z) * (np.minimum(np.abs(z), _FARTHEST) + np.log1p(beyond))
    return limited


def _regress(
    z: np.ndarray, genuine: Sequence[Measured], synthetic: Sequence[Measured], ridge: float
) -> tuple[float, np.ndarray]:
    """Logistic regression of "synthetic" on ``z`` (n, features) with weights ≥ 0; both classes weigh the same."""
    is_synthetic = np.repeat([0.0, 1.0], [len(genuine), len(synthetic)])
    share = np.concatenate([_shares(genuine), _shares(synthetic)])
    people = len({row.person for row in (*genuine, *synthetic)})

    def loss(parameters: np.ndarray) -> float:
        log_odds = parameters[0] + z @ parameters[1:]
        errors = np.logaddexp(0, np.where(is_synthetic == 1, -log_odds, log_odds))
        return float(people * (share * errors).sum() + ridge / 2 * (parameters[1:] ** 2).sum())

    limits = [(None, None)] + [(0.0, None)] * z.shape[1]
    found = minimize(loss, np.zeros(z.shape[1] + 1), method="L-BFGS-B", bounds=limits).x
    return float(found[0]), found[1:]


def _table(rows: Sequence[Measured], names: Sequence[str]) -> np.ndarray:
    return np.array([[row.values.get(name, np.nan) for name in names] for row in rows])


def _weighted_median(table: np.ndarray, share: np.ndarray) -> np.ndarray:
    """The median of each column of ``table`` (n, features), NaN left out, with weights ``share`` (n,)."""
    medians = []
    for column in table.T:
        known = np.isfinite(column)
        order = np.argsort(column[known])
        cumulated = np.cumsum(share[known][order])
        medians.append(column[known][order][np.searchsorted(cumulated, cumulated[-1] / 2)])
    return np.array(medians)


def _shares(rows: Sequence[Measured]) -> np.ndarray:
    return equal_shares([row.population for row in rows], [row.person for row in rows])


def equal_shares(populations: Sequence[str], people: Sequence[str]) -> np.ndarray:
    """Weights (n,) that sum to 1: every population weighs the same, and in it every person, however many clips show
    them. So many stills of one studio do not drown a few people filmed otherwise."""
    both = list(zip(populations, people, strict=True))
    clips, members = Counter(both), Counter(population for population, _ in set(both))
    return np.array([1 / clips[one] / members[one[0]] / len(members) for one in both])
