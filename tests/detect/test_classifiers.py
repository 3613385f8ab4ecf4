"""SVM and MLP: the stored numbers say what scikit-learn says, people are kept apart, files are not trusted."""

import json
import pickle
import zipfile
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import Pipeline

from likeness.detect import classifiers
from likeness.detect.classifiers import (
    Classifier,
    ClassifierSettings,
    Kind,
    fit_classifier,
    load_classifiers,
    save_classifiers,
)
from likeness.errors import MissingDataError, ModelError

NAMES = tuple("abcdefgh")
SMALL = ClassifierSettings(costs=(1.0, 10.0), gammas=(0.3, 1.0), widths=(8,), decays=(0.1, 1.0), folds=3)
KINDS = get_args(Kind)

Made = tuple[np.ndarray, np.ndarray, np.ndarray]


def made(people: int = 12, each: int = 10, seed: int = 0, gap: float = 1.5) -> Made:
    """Vectors with gaps, whose first two entries together tell: not by a straight line."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(people), each)
    synthetic = rng.random(len(groups)) < 0.5
    vectors = rng.normal(0, 1, (len(groups), len(NAMES))) * np.geomspace(0.01, 100, len(NAMES))
    vectors += rng.normal(0, 0.3, (people, 1))[groups] * np.geomspace(0.01, 100, len(NAMES))
    vectors[:, 0] = 0.01 * np.where(synthetic, rng.normal(0, 0.4, len(groups)), rng.choice([-gap, gap], len(groups)))
    vectors[rng.random(vectors.shape) < 0.05] = np.nan
    vectors[:, 7] = np.nan
    return vectors, synthetic, groups


@pytest.fixture(scope="module", params=KINDS)
def fitted(request: pytest.FixtureRequest) -> tuple[Classifier, Pipeline]:
    """A classifier with the scikit-learn pipeline it was taken from."""
    kept: list[Pipeline] = []
    original = classifiers.exported

    def keep(pipeline: Pipeline) -> object:
        kept.append(pipeline)
        return original(pipeline)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classifiers, "exported", keep)
        classifier = fit_classifier(request.param, *made(), NAMES, SMALL)
    return classifier, kept[0]


def by_scikit_learn(pipeline: Pipeline, vectors: np.ndarray) -> np.ndarray:
    if hasattr(pipeline, "decision_function"):
        return np.asarray(pipeline.decision_function(vectors))
    inside = pipeline.predict_proba(vectors)
    return np.log(inside[:, 1]) - np.log(inside[:, 0])


def test_numpy_agrees_with_scikit_learn(fitted: tuple[Classifier, Pipeline], tmp_path: Path) -> None:
    classifier, pipeline = fitted
    vectors = np.concatenate([made(seed=1)[0], made(seed=2)[0] * 3])
    expected = by_scikit_learn(pipeline, vectors)
    assert np.ptp(expected) > 1
    assert np.abs(classifier.decision(vectors) - expected).max() < 1e-5
    save_classifiers(tmp_path / "m.npz", {"m": classifier})
    stored = load_classifiers(tmp_path / "m.npz")["m"]
    assert np.abs(stored.decision(vectors) - expected).max() < 1e-5
    assert stored.log_odds(vectors) == pytest.approx(classifier.log_odds(vectors), abs=1e-9)
    assert stored.figures == classifier.figures


def test_other_people_are_told_apart(fitted: tuple[Classifier, Pipeline]) -> None:
    vectors, synthetic, _ = made(seed=5)
    log_odds = fitted[0].log_odds(vectors)
    assert roc_auc_score(synthetic, log_odds) > 0.9
    assert log_odds[synthetic].mean() > 0.5
    assert log_odds[~synthetic].mean() < -0.5


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_learnt_of_a_person_is_not_counted(kind: Kind) -> None:
    """Labels that follow the person, and features that give nothing but the person away."""
    rng = np.random.default_rng(3)
    groups = np.repeat(np.arange(12), 10)
    vectors = rng.normal(0, 5, (12, len(NAMES)))[groups] + rng.normal(0, 0.1, (120, len(NAMES)))
    synthetic = groups % 2 == 1
    assert fit_classifier(kind, vectors, synthetic, groups, NAMES, SMALL).figures["cross_validated_auc"] < 0.8


@pytest.mark.parametrize("kind", KINDS)
def test_noise_gets_hardly_any_odds(kind: Kind) -> None:
    rng = np.random.default_rng(4)
    vectors = rng.normal(0, 1, (200, len(NAMES)))
    model = fit_classifier(kind, vectors, rng.random(200) < 0.5, np.arange(200) // 5, NAMES, SMALL)
    assert np.abs(model.log_odds(rng.normal(0, 1, (50, len(NAMES))))).mean() < 0.5


@pytest.mark.parametrize("kind", KINDS)
def test_the_odds_of_few_people_stay_moderate(kind: Kind) -> None:
    """Six people told apart without a miss are no reason to bet a thousand to one on the seventh."""
    rng = np.random.default_rng(6)
    groups, synthetic = np.arange(48) // 8, np.arange(48) % 2 == 1
    vectors = rng.normal(0, 1, (48, len(NAMES)))
    vectors[:, 0] += np.where(synthetic, 5, -5)
    model = fit_classifier(kind, vectors, synthetic, groups, NAMES, SMALL)
    log_odds = model.log_odds(vectors)
    assert roc_auc_score(synthetic, log_odds) == 1
    assert 1 < np.median(np.abs(log_odds)) < np.log(20)


@hypothesis_settings(max_examples=50)
@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=8, max_size=8))
def test_any_vector_has_finite_log_odds(values: list[float]) -> None:
    assert np.isfinite(model_once().log_odds(np.array(values))).all()


def model_once() -> Classifier:
    if not hasattr(model_once, "model"):
        model_once.model = fit_classifier("svm", *made(), NAMES, SMALL)  # type: ignore[attr-defined]
    return model_once.model  # type: ignore[attr-defined,no-any-return]


@pytest.mark.parametrize("one_sided", ["one person", "one class"])
def test_one_person_is_not_enough(one_sided: str) -> None:
    vectors, synthetic, groups = made()
    if one_sided == "one person":
        groups = np.zeros_like(groups)
    else:
        synthetic = np.ones_like(synthetic)
    with pytest.raises(MissingDataError, match="other people"):
        fit_classifier("svm", vectors, synthetic, groups, NAMES, SMALL)


def test_what_never_varied_in_training_says_nothing() -> None:
    vectors, synthetic, groups = made()
    vectors[:, 6] = 5.0
    model = fit_classifier("svm", vectors, synthetic, groups, NAMES, SMALL)
    changed = vectors.copy()
    changed[:, 6:8] = 1000.0
    assert model.log_odds(changed) == pytest.approx(model.log_odds(vectors), abs=1e-6)


def test_many_rows_are_drawn_from() -> None:
    model = fit_classifier("svm", *made(), NAMES, ClassifierSettings(most_rows=60, folds=2))
    assert model.figures["rows"] == 60


def rewritten(path: Path, target: Path, **changed: np.ndarray) -> Path:
    with np.load(path) as stored:
        np.savez(target, **({name: stored[name] for name in stored.files} | changed))
    return target


def test_damaged_files_are_refused_in_one_line(tmp_path: Path) -> None:
    model = fit_classifier("svm", *made(), NAMES, SMALL)
    good = tmp_path / "good.npz"
    save_classifiers(good, {"m": model})
    notes = json.dumps({"m": {"kind": "svm", "names": ["a"], "platt": [1, 0], "figures": {}}})
    bad = {
        "cut.npz": lambda path: path.write_bytes(good.read_bytes()[:500]),
        "text.npz": lambda path: path.write_text("weights"),
        "empty.npz": lambda path: path.touch(),
        "pickled.npz": lambda path: path.write_bytes(pickle.dumps({"m": 1})),
        "other.npz": lambda path: np.savez(path, a=np.zeros(3)),
        "objects.npz": lambda path: np.savez(path, notes=np.array([{}], object)),
        "nan.npz": lambda path: rewritten(good, path, **{"m/dual": np.full_like(model.decide.dual, np.nan)}),
        "lengths.npz": lambda path: rewritten(good, path, notes=np.array(notes)),
        "zip.npz": lambda path: zipfile.ZipFile(path, "w").close(),
        "list.npz": lambda path: rewritten(good, path, notes=np.array("[1]")),
        "none.npz": lambda path: None,
    }  # fmt: skip
    for name, spoil in bad.items():
        spoil(tmp_path / name)
        with pytest.raises(ModelError) as refused:
            load_classifiers(tmp_path / name)
        assert "\n" not in str(refused.value), name
