"""Figures of likelihood ratios: against their definitions, scikit-learn and what must hold whatever the numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, roc_auc_score

from likeness.detect.metrics import (
    DISCRIMINATION,
    BootstrapSettings,
    Estimate,
    brier,
    cllr,
    ece,
    eer,
    figures_of,
    log_loss,
    min_cllr,
    roc_auc,
    tpr_at_fpr,
)

FEW = BootstrapSettings(resamples=60)


@st.composite
def rated(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Log10 LRs (ties are common) and labels of both classes."""
    count = draw(st.integers(2, 30))
    llrs = draw(st.lists(st.integers(-12, 12).map(lambda x: x / 4), min_size=count, max_size=count))
    labels = draw(st.lists(st.booleans(), min_size=count, max_size=count))
    labels[0], labels[1] = True, False
    return np.array(llrs), np.array(labels)


@given(rated())
def test_auc_agrees_with_scikit_learn(case: tuple[np.ndarray, np.ndarray]) -> None:
    assert roc_auc(*case) == pytest.approx(roc_auc_score(case[1], case[0]))


@given(rated())
def test_order_alone_decides_discrimination(case: tuple[np.ndarray, np.ndarray]) -> None:
    llrs, labels = case
    for metric in (*DISCRIMINATION.values(), min_cllr):
        assert metric(np.exp(llrs) + 3 * llrs, labels) == pytest.approx(metric(llrs, labels))


@given(rated())
def test_no_monotone_map_costs_less_than_the_least(case: tuple[np.ndarray, np.ndarray]) -> None:
    llrs, labels = case
    least = min_cllr(llrs, labels)
    assert -1e-9 <= least <= 1 + 1e-9
    for scale, shift in ((1, 0), (0.5, 0), (2, -0.4), (0, 0)):
        assert least <= cllr(scale * llrs + shift, labels) + 1e-9


@given(rated())
def test_swapping_the_classes_mirrors_every_figure(case: tuple[np.ndarray, np.ndarray]) -> None:
    llrs, labels = case
    assert roc_auc(-llrs, ~labels) == pytest.approx(roc_auc(llrs, labels))
    for metric in (cllr, brier, eer):
        assert metric(-llrs, ~labels) == pytest.approx(metric(llrs, labels))


@given(rated(), st.integers(2, 4))
def test_more_clips_of_one_class_change_nothing(case: tuple[np.ndarray, np.ndarray], times: int) -> None:
    llrs, labels = case
    more = np.concatenate([np.arange(len(labels)), *[np.flatnonzero(labels)] * (times - 1)])
    for metric in (roc_auc, eer, cllr, min_cllr, brier, ece):
        assert metric(llrs[more], labels[more]) == pytest.approx(metric(llrs, labels), abs=1e-9)


def test_perfect_and_uninformative_ratios() -> None:
    labels = np.array([True, True, False, False])
    perfect, silent = np.array([np.inf, np.inf, -np.inf, -np.inf]), np.zeros(4)
    assert (cllr(perfect, labels), min_cllr(perfect, labels)) == (0, pytest.approx(0, abs=1e-9))
    assert (roc_auc(perfect, labels), eer(perfect, labels), tpr_at_fpr(perfect, labels)) == (1, 0, 1)
    assert (brier(perfect, labels), ece(perfect, labels)) == (0, 0)
    assert (cllr(silent, labels), min_cllr(silent, labels)) == (pytest.approx(1), pytest.approx(1))
    assert (roc_auc(silent, labels), eer(silent, labels), tpr_at_fpr(silent, labels)) == (0.5, 0.5, 0)
    assert (brier(silent, labels), ece(silent, labels)) == (0.25, 0)
    assert log_loss(silent, labels) == pytest.approx(np.log(2))


def test_ratios_that_mislead_cost_more_than_silence() -> None:
    labels = np.array([True, False])
    assert cllr(np.array([-1.0, 1.0]), labels) == pytest.approx(np.log2(11))
    assert ece(np.array([-1.0, 1.0]), labels) == pytest.approx(10 / 11)


def test_known_values() -> None:
    labels = np.array([True] * 4 + [False] * 4)
    llrs = np.array([2.0, 1.0, 0.5, -0.5, 1.5, -1.0, -1.5, -2.0])
    assert eer(llrs, labels) == pytest.approx(0.25)
    assert tpr_at_fpr(llrs, labels) == 0.25
    assert tpr_at_fpr(llrs, labels, 0.25) == 1.0
    assert brier(llrs, labels) == pytest.approx(brier_score_loss(labels, 1 / (1 + 10**-llrs)))


def test_calibrated_ratios_have_hardly_any_calibration_error() -> None:
    random = np.random.default_rng(1)
    labels = np.arange(40_000) % 2 == 0
    natural = random.normal(np.where(labels, 1.0, -1.0), np.sqrt(2.0))  # variance twice the mean: calibrated by nature
    llrs = natural / np.log(10)
    assert ece(llrs, labels) < 0.01
    assert cllr(llrs, labels) - min_cllr(llrs, labels) < 0.01
    assert ece(3 * llrs, labels) > 0.1


def test_intervals_hold_the_value_and_narrow_with_the_number_of_sources() -> None:
    random = np.random.default_rng(0)
    labels = np.arange(400) % 2 == 0
    llrs = random.normal(np.where(labels, 0.5, -0.5), 1.0)
    many = figures_of(llrs, labels, np.arange(400) // 2, FEW)
    for name, figure in many.items():
        assert figure.low is not None
        assert figure.high is not None
        assert figure.low <= figure.high
        assert figure.low <= figure.value <= figure.high, name
    # Ten sources whose clips are all alike are ten observations, not four hundred.
    alike = figures_of(llrs[np.arange(400) // 40], labels[np.arange(400) // 40], np.arange(400) // 40, FEW)
    assert width(alike["roc_auc"]) > 2 * width(many["roc_auc"])


def width(figure: Estimate) -> float:
    assert figure.low is not None
    assert figure.high is not None
    return figure.high - figure.low


def test_whole_groups_are_drawn() -> None:
    """Within each source the order is perfect, across them it is not: resampling clips would never see that."""
    labels = np.array([True, False] * 2)
    llrs = np.array([3.0, 2.0, 1.0, 0.0])
    auc = figures_of(llrs, labels, ["a", "a", "b", "b"], FEW, DISCRIMINATION)["roc_auc"]
    assert (auc.value, auc.low, auc.high) == (0.75, 0.75, 1.0)


def test_one_source_has_no_interval() -> None:
    figure = figures_of([1.0, -1.0], [True, False], ["a", "a"], FEW)["cllr"]
    assert (figure.low, figure.high) == (None, None)
    assert str(figure) == "0.138"


@settings(max_examples=20)
@given(rated(), st.integers(0, 3))
def test_the_same_seed_gives_the_same_figures(case: tuple[np.ndarray, np.ndarray], seed: int) -> None:
    groups = np.arange(len(case[0])) // 2
    choice = BootstrapSettings(resamples=10, seed=seed)
    assert figures_of(*case, groups, choice) == figures_of(*case, groups, choice)


@pytest.mark.parametrize(
    ("llrs", "labels", "groups"),
    [
        ([1.0], [True], ["a"]),
        ([1.0, 2.0], [True, True], ["a", "b"]),
        ([1.0, float("nan")], [True, False], ["a", "b"]),
        ([1.0, 2.0], [True, False], ["a"]),
        ([], [], []),
    ],
    ids=["one", "one class", "NaN", "lengths", "nothing"],
)
def test_what_cannot_be_measured_is_refused(llrs: list[float], labels: list[bool], groups: list[str]) -> None:
    with pytest.raises(ValueError, match=r"must|NaN|both"):
        figures_of(llrs, labels, groups, FEW)
