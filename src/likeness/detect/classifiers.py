"""SVM and MLP on hand-made features: fitted with scikit-learn, stored as plain numbers, evaluated with numpy.

Both see a vector that is first completed (the training median for what could not be measured), standardised and
limited, so that nothing counts as farther out than what training has shown. Their outputs become log odds by Platt's
scaling (1999, Probabilistic outputs for support vector machines) on people that they were not fitted on, both classes
weighing the same.
"""

import json
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold, cross_val_predict
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

from likeness.errors import MissingDataError, ModelError
from likeness.files import atomic_write

Kind = Literal["svm", "mlp"]

_FARTHEST = 4.0  # standard deviations
_SILENT = 1e12  # the scale of a feature that did not vary in training
_NOTES = "notes"  # the entry of a file that holds JSON


@dataclass(frozen=True)
class ClassifierSettings:
    """What the person-grouped cross-validation chooses from: C and gamma (times 1 / features) of the SVM's Gaussian
    kernel, hidden widths and weight decay of the MLP. ``most_rows`` are drawn where there are more."""

    costs: tuple[float, ...] = (0.3, 3.0, 30.0)
    gammas: tuple[float, ...] = (0.1, 0.3, 1.0)
    widths: tuple[int, ...] = (16, 48)
    decays: tuple[float, ...] = (0.1, 1.0, 10.0)
    folds: int = 5
    most_rows: int = 3000
    steps: int = 400  # of L-BFGS, at most
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Standardise:
    """Completes, standardises and limits vectors: float64 (features,) each."""

    median: np.ndarray
    mean: np.ndarray
    scale: np.ndarray

    def __call__(self, vectors: np.ndarray) -> np.ndarray:
        """(n, features), NaN where unknown, to the same without NaN, within ± 4 standard deviations."""
        known = np.where(np.isfinite(vectors), vectors, self.median)
        with np.errstate(over="ignore"):  # what is infinitely far is limited all the same
            return np.clip((known - self.mean) / self.scale, -_FARTHEST, _FARTHEST)


@dataclass(frozen=True, eq=False)
class Svm:
    """Σ_i dual_i exp(−gamma |support_i − x|²) + intercept. ``support`` float64 (m, features), ``dual`` (m,)."""

    support: np.ndarray
    dual: np.ndarray
    intercept: float
    gamma: float

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """The decision values (n,) of standardised ``inputs`` (n, features)."""
        squares = (inputs**2).sum(1)[:, None] + (self.support**2).sum(1) - 2 * inputs @ self.support.T
        return np.exp(-self.gamma * np.maximum(squares, 0)) @ self.dual + self.intercept


@dataclass(frozen=True, eq=False)
class Mlp:
    """One hidden layer of rectified units: ``hidden`` (features, width), ``hidden_bias`` (width,), ``out`` (width,)."""

    hidden: np.ndarray
    hidden_bias: np.ndarray
    out: np.ndarray
    out_bias: float

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """The log odds (n,) of standardised ``inputs`` (n, features)."""
        return np.maximum(inputs @ self.hidden + self.hidden_bias, 0) @ self.out + self.out_bias


@dataclass(frozen=True, eq=False)
class Classifier:
    """A fitted classifier of vectors whose entries are ``names``. ``platt`` (a, b): log odds are a·decision + b.

    ``figures``: what the cross-validation chose and found.
    """

    names: tuple[str, ...]
    standardise: Standardise
    decide: Svm | Mlp
    platt: tuple[float, float]
    figures: dict[str, Any]

    def decision(self, vectors: np.ndarray) -> np.ndarray:
        """scikit-learn's decision value (the MLP's log odds before scaling) of ``vectors`` (n, features)."""
        return self.decide(self.standardise(np.atleast_2d(vectors)))

    def log_odds(self, vectors: np.ndarray) -> np.ndarray:
        """Natural log odds (n,) of "synthetic" at even prior odds, finite for any vector, NaN included."""
        slope, offset = self.platt
        return slope * self.decision(vectors) + offset


def fit_classifier(
    kind: Kind,
    vectors: np.ndarray,
    synthetic: np.ndarray,
    groups: np.ndarray,
    names: Sequence[str],
    settings: ClassifierSettings | None = None,
) -> Classifier:
    """Fit on ``vectors`` float64 (n, features) with NaN where unknown, ``synthetic`` bool (n,), ``groups`` int (n,).

    Rows of one group (the people of `datasets.groups`) are never on two sides of the cross-validation.
    Raises MissingDataError where a class has fewer than two groups.
    """
    settings = settings or ClassifierSettings()
    chosen = _drawn(len(vectors), settings)
    rows, truth, group = np.asarray(vectors, np.float64)[chosen], np.asarray(synthetic, bool)[chosen], groups[chosen]
    rows = np.where(np.isfinite(rows), rows, np.nan)
    folds = min(settings.folds, *(len(set(group[truth == label])) for label in (False, True)))
    if folds < 2:
        raise MissingDataError(
            "The genuine or the synthetic training samples are of fewer than two people. Add samples of other people."
        )
    pipeline, choices = _pipeline(kind, rows.shape[1], settings)
    divide = StratifiedGroupKFold(folds, shuffle=True, random_state=settings.seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a step limit is an early stop, and the figures tell
        search = GridSearchCV(pipeline, choices, scoring="roc_auc", cv=divide).fit(rows, truth, groups=group)
        best: Pipeline = search.best_estimator_
        method = "decision_function" if kind == "svm" else "predict_proba"
        unseen = cross_val_predict(best, rows, truth, groups=group, cv=divide, method=method)
    decisions = unseen if kind == "svm" else _log_odds(unseen[:, 1])
    standardise, decide = exported(best)
    return Classifier(
        names=tuple(names),
        standardise=standardise,
        decide=decide,
        platt=_platt(decisions, truth, group),
        figures={
            "rows": len(rows),
            "genuine_groups": len(set(group[~truth])),
            "synthetic_groups": len(set(group[truth])),
            "chosen": {name.partition("__")[2]: value for name, value in search.best_params_.items()},
            "cross_validated_auc": round(float(roc_auc_score(truth, decisions)), 4),
        },
    )


def save_classifiers(path: Path, classifiers: Mapping[str, Classifier]) -> None:
    """Write ``classifiers`` by name to ``path`` (.npz): arrays of numbers, JSON for the rest, and nothing pickled."""
    arrays: dict[str, np.ndarray] = {}
    notes: dict[str, Any] = {}
    for name, classifier in classifiers.items():
        decide = classifier.decide
        parts = {**vars(classifier.standardise), **vars(decide)}
        arrays |= {f"{name}/{part}": np.asarray(value, np.float64) for part, value in parts.items()}
        kind = "svm" if isinstance(decide, Svm) else "mlp"
        notes[name] = {
            "kind": kind, "names": classifier.names, "platt": classifier.platt, "figures": classifier.figures,
        }  # fmt: skip
    with atomic_write(Path(path)) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **{_NOTES: np.array(json.dumps(notes))}, **arrays)


def load_classifiers(path: Path) -> dict[str, Classifier]:
    """The classifiers in ``path``, by name; raises ModelError where it is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            notes = json.loads(str(stored[_NOTES]))
            return {name: _restored(stored, name, note) for name, note in notes.items()}
    except FileNotFoundError as error:
        raise ModelError(f"There is no model {path}. Train one with `likeness fit handmade`.") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise ModelError(f"{path} is damaged or no model of hand-made features. Train it anew.") from error


def _restored(stored: Any, name: str, note: dict[str, Any]) -> Classifier:
    def array(part: str) -> np.ndarray:
        values = np.asarray(stored[f"{name}/{part}"], np.float64)
        if not np.isfinite(values).all():
            raise ValueError(f"{name}/{part} holds values that are no numbers")
        return values

    decide: Svm | Mlp
    if note["kind"] == "svm":
        decide = Svm(array("support"), array("dual"), float(array("intercept")), float(array("gamma")))
    else:
        decide = Mlp(array("hidden"), array("hidden_bias"), array("out"), float(array("out_bias")))
    standardise = Standardise(array("median"), array("mean"), array("scale"))
    width = decide.support.shape[1] if isinstance(decide, Svm) else decide.hidden.shape[0]
    if {len(standardise.median), len(standardise.mean), len(standardise.scale), width} != {len(note["names"])}:
        raise ValueError(f"{name} has arrays of different lengths")
    slope, offset = note["platt"]
    return Classifier(tuple(note["names"]), standardise, decide, (float(slope), float(offset)), note["figures"])


def _drawn(count: int, settings: ClassifierSettings) -> np.ndarray:
    rng = np.random.default_rng(settings.seed)
    return np.sort(rng.permutation(count)[: settings.most_rows])


def _pipeline(kind: Kind, features: int, settings: ClassifierSettings) -> tuple[Pipeline, dict[str, list[Any]]]:
    """The pipeline, and what to choose its settings from."""
    classify: SVC | MLPClassifier
    if kind == "svm":
        classify = SVC(kernel="rbf", class_weight="balanced")
        choices: dict[str, list[Any]] = {
            "classify__C": list(settings.costs),
            "classify__gamma": [gamma / features for gamma in settings.gammas],
        }
    else:
        classify = MLPClassifier(solver="lbfgs", max_iter=settings.steps, random_state=settings.seed)
        choices = {
            "classify__hidden_layer_sizes": list(settings.widths),
            "classify__alpha": list(settings.decays),
        }
    steps = [
        ("complete", SimpleImputer(strategy="median", keep_empty_features=True)),
        ("standardise", StandardScaler()),
        ("limit", FunctionTransformer(np.clip, kw_args={"a_min": -_FARTHEST, "a_max": _FARTHEST})),
        ("classify", classify),
    ]
    return Pipeline(steps), choices


def exported(pipeline: Pipeline) -> tuple[Standardise, Svm | Mlp]:
    """What a fitted pipeline has learnt, as numbers."""
    scaler, fitted = pipeline["standardise"], pipeline["classify"]
    # scikit-learn gives what never varied the scale 1, so that any value of it that comes later would count.
    constant = np.sqrt(scaler.var_) <= 1e-9 * (1 + np.abs(scaler.mean_))
    scale = np.where(constant, _SILENT, scaler.scale_)
    standardise = Standardise(pipeline["complete"].statistics_, scaler.mean_, scale)
    if isinstance(fitted, SVC):
        intercept, gamma = float(fitted.intercept_[0]), float(fitted.gamma)
        return standardise, Svm(fitted.support_vectors_, fitted.dual_coef_[0], intercept, gamma)
    (hidden, out), (hidden_bias, out_bias) = fitted.coefs_, fitted.intercepts_
    return standardise, Mlp(hidden, hidden_bias, out[:, 0], float(out_bias[0]))


def _platt(decisions: np.ndarray, truth: np.ndarray, group: np.ndarray) -> tuple[float, float]:
    """Slope and offset from ``decisions`` (n,) to log odds, both classes weighing the same.

    Targets are Platt's (n + 1) / (n + 2) instead of 1, n being the groups of the class: however well a few people are
    told apart, the odds stay moderate.
    """
    spread = max(float(decisions.std()), 1e-12)
    weights = np.empty((2, len(truth)))  # of each row being synthetic, and being genuine
    for label in (True, False):
        own, count = truth == label, len(set(group[truth == label]))
        sure = (count + 1) / (count + 2)
        share = len(truth) / 2 / own.sum()
        weights[0, own], weights[1, own] = (sure * share, (1 - sure) * share)[:: 1 if label else -1]
    twice = np.tile(decisions / spread, 2)[:, None]
    labels = np.repeat([1, 0], len(truth))
    scaling = LogisticRegression(C=1e4).fit(twice, labels, sample_weight=weights.ravel())
    return max(float(scaling.coef_[0, 0]) / spread, 0.0), float(scaling.intercept_[0])


def _log_odds(probability: np.ndarray) -> np.ndarray:
    inside = np.clip(probability, 1e-12, 1 - 1e-12)
    return np.log(inside) - np.log1p(-inside)
