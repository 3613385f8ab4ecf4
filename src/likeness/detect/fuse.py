"""Fuse what several examiners say of one face into one bounded likelihood ratio.

The examiners share a face's pixels, so their evidence cannot be added as if it were independent. It is weighed instead:
log10 LR = Σ wᵢ · llrᵢ with wᵢ ≥ 0, fitted by logistic regression on faces whose truth is known (Brümmer et al. 2007,
Fusion of heterogeneous speaker recognition systems, IEEE TASLP 15). There is no constant: each llrᵢ is calibrated, so 0
says nothing, and an examiner that abstains counts 0. In the fit examiners fall silent at random, so that no weight
relies on another's being there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.model_selection import GroupKFold

from likeness.detect.calibrate import KNEE, equal_shares, within
from likeness.detect.metrics import BootstrapSettings, Estimate, figures_of
from likeness.errors import ModelError

FUSION_FILE = "fusion.json"

_LN10 = float(np.log(10))


class Fused(BaseModel):
    """The evidence on one face. ``llr`` is its log10 likelihood ratio within the bound; ``parts`` are what each
    examiner that spoke contributes, by name, before the bound; ``bounded`` says whether the bound cut into the sum.
    """

    model_config = ConfigDict(frozen=True)

    llr: float
    parts: dict[str, float]
    bounded: bool


class Fusion(BaseModel):
    """What each examiner counts, with the population that says so, as stored in weights/fusion.json.

    ``bound`` limits the whole, in log10. ``figures`` were measured by cross-validation on people whom the fit had not
    seen; ``alone`` are those of each examiner by itself on the same faces, its abstentions counting 0.
    """

    model_config = ConfigDict(frozen=True)

    weights: dict[str, float]
    bound: float = Field(ge=0)
    population: str
    people: int
    genuine_faces: int
    synthetic_faces: int
    figures: dict[str, Estimate]
    alone: dict[str, dict[str, Estimate]] = Field(default_factory=dict)

    def fuse(self, llrs: Mapping[str, float | None]) -> Fused | None:
        """The evidence of ``llrs`` (log10 by examiner, None where it abstained).

        None where no examiner that has a weight spoke. An examiner that the fit has not seen counts for nothing.
        """
        parts = {
            name: self.weights[name] * llr for name, llr in llrs.items() if llr is not None and name in self.weights
        }
        if not parts:
            return None
        total = float(sum(parts.values()))
        return Fused(llr=within(total, self.bound), parts=parts, bounded=abs(total) > KNEE * self.bound)


@dataclass(frozen=True)
class FusionRow:
    """One face of known truth: log10 LRs by examiner (missing or None: it abstained).

    Rows of one ``person`` stay on one side in cross-validation; rows of one ``source`` (a clip and what was made from
    it) are resampled together. Every ``population`` (kind of footage) weighs the same in the fit.
    """

    llrs: Mapping[str, float | None]
    synthetic: bool
    person: str
    source: str
    population: str = ""


@dataclass(frozen=True)
class FusionSettings:
    """``ridge``: how strongly weights are pulled to 0, in people. ``drop``: how often an examiner falls silent in each
    of ``copies`` of a row. ``bound`` in log10; fewer people than support it lower it.
    """

    population: str
    bound: float = 3.0
    ridge: float = 1.0
    drop: float = 0.2
    copies: int = 8
    folds: int = 5
    seed: int = 0
    bootstrap: BootstrapSettings = field(default_factory=BootstrapSettings)


def shipped_fusion() -> Fusion | None:
    """The fusion that comes with the package, None where none does; raises ModelError where the file is damaged."""
    file = resources.files("likeness.weights").joinpath(FUSION_FILE)
    if not file.is_file():
        return None
    try:
        return Fusion.model_validate_json(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        raise ModelError(f"The weights in weights/{FUSION_FILE} are damaged. Install likeness again.") from error


def fit_fusion(rows: Sequence[FusionRow], settings: FusionSettings) -> Fusion:
    """Fit the weights on all ``rows`` and measure them on people left out.

    Raises ValueError where a class is empty or all rows show one person.
    """
    if not _has_both(rows):
        raise ValueError("fit_fusion needs both genuine and synthetic faces")
    people = np.array([row.person for row in rows])
    if len(set(people)) < 2:
        raise ValueError("fit_fusion needs at least two people, so that one can be left out")
    truth, sources = [row.synthetic for row in rows], [row.source for row in rows]
    names = sorted({name for row in rows for name, llr in row.llrs.items() if llr is not None})
    table = _table(rows, names)
    left_out = _left_out(rows, people, names, settings)
    return Fusion(
        weights={name: round(float(w), 4) for name, w in zip(names, _weights(rows, names, settings), strict=True)},
        bound=_bound(rows, settings),
        population=settings.population,
        people=len(set(people)),
        genuine_faces=truth.count(False),
        synthetic_faces=truth.count(True),
        figures=figures_of(left_out, truth, sources, settings.bootstrap),
        alone={name: figures_of(table[:, i], truth, sources, settings.bootstrap) for i, name in enumerate(names)},
    )


def _left_out(rows: Sequence[FusionRow], people: np.ndarray, names: list[str], settings: FusionSettings) -> np.ndarray:
    """The fused log10 LR of each row by weights that were fitted without its person; 0 where that leaves one class."""
    fused = np.zeros(len(rows))
    folds = GroupKFold(min(settings.folds, len(set(people))), shuffle=True, random_state=settings.seed)
    for kept, out in folds.split(people, groups=people):
        seen = [rows[i] for i in kept]
        if _has_both(seen):
            bound = _bound(seen, settings)
            totals = _table(rows, names)[out] @ _weights(seen, names, settings)
            fused[out] = [within(float(total), bound) for total in totals]
    return fused


def _weights(rows: Sequence[FusionRow], names: list[str], settings: FusionSettings) -> np.ndarray:
    """The weights (examiners,) that cost least, each person of a class and each class weighing the same."""
    if not names:
        return np.zeros(0)
    table, copies = _table(rows, names), max(settings.copies, 1)
    random = np.random.default_rng(settings.seed)
    speaking = random.random((copies, *table.shape)) >= settings.drop
    speaking[0] = True
    x = np.concatenate(table * speaking) * _LN10
    side = np.tile([1.0 if row.synthetic else -1.0 for row in rows], copies)
    share = np.tile(_shares(rows), copies) / copies
    people = len({row.person for row in rows})

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        margin = side * (x @ weights)
        cost = people * (share * np.logaddexp(0, -margin)).sum() + settings.ridge / 2 * (weights**2).sum()
        return float(cost), -people * (share * side * expit(-margin)) @ x + settings.ridge * weights

    start = np.full(len(names), 1 / max(len(names), 1))
    return minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * len(names)).x


def _bound(rows: Sequence[FusionRow], settings: FusionSettings) -> float:
    """Who has seen n people of a class without an error may still err in 1 of n + 2 (Laplace's rule of succession)."""
    fewest = min(len({row.person for row in rows if row.synthetic == truth}) for truth in (True, False))
    return round(min(settings.bound, float(np.log10(fewest + 1))), 3)


def _table(rows: Sequence[FusionRow], names: list[str]) -> np.ndarray:
    return np.array([[row.llrs.get(name) or 0.0 for name in names] for row in rows]).reshape(len(rows), len(names))


def _shares(rows: Sequence[FusionRow]) -> np.ndarray:
    """Weights that sum to 1: half for each class, within it the same for every population and every person in it."""
    shares = np.zeros(len(rows))
    for truth in (True, False):
        own = [i for i, row in enumerate(rows) if row.synthetic == truth]
        shares[own] = equal_shares([rows[i].population for i in own], [rows[i].person for i in own]) / 2
    return shares


def _has_both(rows: Sequence[FusionRow]) -> bool:
    return len({row.synthetic for row in rows}) == 2
