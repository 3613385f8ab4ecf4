"""How good a set of likelihood ratios is: discrimination, calibration and their cost, each with its 95 % interval.

Both classes weigh the same in every figure, as a likelihood ratio speaks of even prior odds: a set with many more
fakes than genuine clips gives the same figures as a balanced one. Labels are True for "synthetic"; more of a score
speaks for "synthetic".
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict
from scipy.special import expit
from scipy.stats import rankdata
from sklearn.isotonic import IsotonicRegression

Metric = Callable[[np.ndarray, np.ndarray], float]

_LN10 = float(np.log(10))
_SURE = 1e-12  # probabilities are kept so far from 0 and 1 where a logarithm is taken of a fitted one
_MOST_REDRAWS = 20  # tries, for each resample, at one that holds both classes


class Estimate(BaseModel):
    """One figure with its 95 % interval; ``low`` and ``high`` None where there are too few groups to resample."""

    model_config = ConfigDict(frozen=True)

    value: float
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        return f"{self.value:.3f}" + ("" if self.low is None else f" [{self.low:.3f}–{self.high:.3f}]")


@dataclass(frozen=True)
class BootstrapSettings:
    """``resamples`` of whole groups, drawn with replacement; ``level`` is the part that the interval covers."""

    resamples: int = 1000
    level: float = 0.95
    seed: int = 0


def roc_auc(scores: np.ndarray, labels: np.ndarray) -> float:
    """Area under the ROC curve: how often a synthetic clip scores above a genuine one, ties counting half."""
    ranks, fakes = rankdata(scores), int(labels.sum())
    return float((ranks[labels].sum() - fakes * (fakes + 1) / 2) / (fakes * (len(labels) - fakes)))


def eer(scores: np.ndarray, labels: np.ndarray) -> float:
    """Equal error rate: where as many genuine clips are called synthetic as the reverse, between points linearly."""
    false_alarms, hits = roc(scores, labels)
    surplus = false_alarms - (1 - hits)  # grows along the curve from −1 to 1
    after = int(np.argmax(surplus >= 0))
    step = surplus[after] - surplus[after - 1]
    part = -surplus[after - 1] / step
    return float(false_alarms[after - 1] + part * (false_alarms[after] - false_alarms[after - 1]))


def tpr_at_fpr(scores: np.ndarray, labels: np.ndarray, fpr: float = 0.01) -> float:
    """The share of synthetic clips found at the threshold that calls at most ``fpr`` of the genuine ones synthetic."""
    false_alarms, hits = roc(scores, labels)
    return float(hits[false_alarms <= fpr + 1e-12].max())


def cllr(llrs: np.ndarray, labels: np.ndarray) -> float:
    """Log-likelihood-ratio cost in bits: 0 is perfect, 1 says nothing, above 1 misleads.

    Brümmer & du Preez 2006, Computer Speech and Language 20, eq. 37. ``llrs`` are log10, infinite ones allowed.
    """
    bits = np.logaddexp(0, np.where(labels, -llrs, llrs) * _LN10) / np.log(2)
    return _balanced(bits, labels)


def min_cllr(scores: np.ndarray, labels: np.ndarray) -> float:
    """The lowest `cllr` that any monotone map of ``scores`` reaches: what is lost by discrimination alone.

    The map is found by pool adjacent violators (Brümmer & du Preez 2006, section 6). What `cllr` has above it is lost
    by calibration.
    """
    _, order = np.unique(scores, return_inverse=True)  # only the order counts, and infinities cannot be fitted
    weights = _class_weights(labels)
    fitted = IsotonicRegression(y_min=0, y_max=1).fit_transform(order, labels.astype(float), sample_weight=weights)
    right = np.where(labels, fitted, 1 - fitted)
    return _balanced(-np.log2(np.clip(right, _SURE, 1)), labels)


def log_loss(llrs: np.ndarray, labels: np.ndarray) -> float:
    """Mean −ln of the probability given to the truth for even prior odds, in nats (0.693 says nothing)."""
    return cllr(llrs, labels) * float(np.log(2))


def brier(llrs: np.ndarray, labels: np.ndarray) -> float:
    """Mean squared error of the probability of "synthetic" for even prior odds (0.25 says nothing)."""
    return _balanced((expit(llrs * _LN10) - labels) ** 2, labels)


def ece(llrs: np.ndarray, labels: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error: how far, on average, stated probabilities lie from the frequencies observed.

    ``bins`` of equal width in probability (Guo et al. 2017, On Calibration of Modern Neural Networks, eq. 3).
    """
    probability, weights = expit(llrs * _LN10), _class_weights(labels)
    place = np.minimum((probability * bins).astype(int), bins - 1)
    gap = np.bincount(place, weights * (probability - labels), bins)
    return float(np.abs(gap).sum())


DISCRIMINATION: Mapping[str, Metric] = {"roc_auc": roc_auc, "eer": eer, "tpr_at_1_percent_fpr": tpr_at_fpr}
"""Figures of any score: only the order counts."""

CALIBRATION: Mapping[str, Metric] = {
    "cllr": cllr, "min_cllr": min_cllr, "log_loss": log_loss, "brier": brier, "ece": ece,
}  # fmt: skip
"""Figures of log10 likelihood ratios."""


def figures_of(
    llrs: Sequence[float] | np.ndarray,
    labels: Sequence[bool] | np.ndarray,
    groups: Sequence[Hashable] | np.ndarray,
    settings: BootstrapSettings | None = None,
    metrics: Mapping[str, Metric] | None = None,
) -> dict[str, Estimate]:
    """Every figure of ``llrs`` (n,), log10 likelihood ratios, an abstention being 0, with its interval.

    ``groups`` (n,) name the source of each clip: clips of one source are not independent, so whole groups are drawn.
    ``metrics`` None takes all; for scores that are no likelihood ratios give `DISCRIMINATION`. Raises ValueError where
    the lengths differ, a value is NaN or a class is empty.
    """
    settings = settings or BootstrapSettings()
    metrics = {**DISCRIMINATION, **CALIBRATION} if metrics is None else metrics
    values, truth = np.asarray(llrs, float), np.asarray(labels, bool)
    members = _members(groups)
    if not len(values) == len(truth) == sum(map(len, members)):
        raise ValueError("llrs, labels and groups must have one length")
    if np.isnan(values).any():
        raise ValueError("a likelihood ratio is NaN; give 0 for an abstention")
    if truth.all() or not truth.any():
        raise ValueError("figures need both genuine and synthetic clips")
    drawn = np.array(
        [
            [metric(values[rows], truth[rows]) for metric in metrics.values()]
            for rows in _draws(members, truth, settings)
        ]
    )
    tail = 50 * (1 - settings.level)
    figures = {}
    for column, (name, metric) in enumerate(metrics.items()):
        value = metric(values, truth)
        if not len(drawn):
            figures[name] = Estimate(value=value)
            continue
        # Resampling repeats clips, which moves min Cllr down and ECE up: the interval is stretched to hold the value.
        low, high = np.percentile(drawn[:, column], [tail, 100 - tail])
        figures[name] = Estimate(value=value, low=min(float(low), value), high=max(float(high), value))
    return figures


def roc(scores: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The ROC curve: false-alarm rates and hit rates, both float64 (thresholds + 1,), from (0, 0) to (1, 1)."""
    _, place = np.unique(-scores, return_inverse=True)
    hits, false_alarms = (np.append(0, np.cumsum(np.bincount(place, which))) for which in (labels, ~labels))
    return false_alarms / false_alarms[-1], hits / hits[-1]


def _balanced(losses: np.ndarray, labels: np.ndarray) -> float:
    return float((losses[labels].mean() + losses[~labels].mean()) / 2)


def _class_weights(labels: np.ndarray) -> np.ndarray:
    return np.where(labels, 0.5 / labels.sum(), 0.5 / (~labels).sum())


def _members(groups: Sequence[Hashable] | np.ndarray) -> list[np.ndarray]:
    """The rows of each group."""
    rows: dict[Hashable, list[int]] = {}
    for row, group in enumerate(groups):
        rows.setdefault(group, []).append(row)
    return [np.array(own) for own in rows.values()]


def _draws(members: list[np.ndarray], labels: np.ndarray, settings: BootstrapSettings) -> list[np.ndarray]:
    """The rows of each resample that holds both classes; none where there are fewer than two groups."""
    if len(members) < 2:
        return []
    random = np.random.default_rng(settings.seed)
    draws: list[np.ndarray] = []
    for _ in range(settings.resamples * _MOST_REDRAWS):
        if len(draws) == settings.resamples:
            break
        rows = np.concatenate([members[i] for i in random.integers(len(members), size=len(members))])
        if labels[rows].any() and not labels[rows].all():
            draws.append(rows)
    return draws
