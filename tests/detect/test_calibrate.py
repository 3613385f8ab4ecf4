"""Calibration: what a fit may claim, and that the shipped one is whole."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from likeness.detect.calibrate import Feature, FitSettings, Measured, fit, shipped, within
from likeness.errors import ModelError

SETTINGS = FitSettings(bound=0.6, ridge=2.0, population="made")


def people(mean: float, count: int, clips: int = 3, seed: int = 0) -> list[Measured]:
    rng = np.random.default_rng(seed)
    return [
        Measured({"a": float(rng.normal(mean)), "b": float(rng.normal())}, f"p{i % count}")
        for i in range(count * clips)
    ]


def test_a_feature_that_tells_gets_weight_and_one_that_does_not_hardly() -> None:
    genuine, synthetic = people(0, 10), people(2.5, 10, seed=1)
    calibration = fit(genuine, synthetic, genuine, SETTINGS)
    assert calibration.features["a"].weight > 5 * calibration.features["b"].weight
    assert calibration.llr({"a": 3.0, "b": 0.0}) > 0.4
    assert calibration.llr({"a": -1.0, "b": 0.0}) < -0.2


def test_missing_marks_are_worth_little_since_not_every_swap_bears_them() -> None:
    genuine, synthetic = people(0, 10), people(6, 10, seed=1)
    assert fit(genuine, synthetic, genuine, SETTINGS).llr({"a": -100.0}) > np.log10(1 - SETTINGS.share_marked) - 1e-9


def test_no_difference_is_no_evidence() -> None:
    calibration = fit(people(0, 10), people(0, 10, seed=1), people(0, 10), SETTINGS)
    assert abs(calibration.llr({"a": 1.0, "b": 1.0})) < 0.2


def test_more_of_a_feature_never_speaks_for_genuine() -> None:
    calibration = fit(people(0, 10), people(-3, 10, seed=1), people(0, 10), SETTINGS)
    assert calibration.features["a"].weight == 0


def test_one_person_with_many_clips_weighs_like_any_other() -> None:
    one, others = (
        [Measured({"a": 3.0}, "one")] * 300,
        [Measured({"a": x}, f"p{i}") for i, x in enumerate(np.linspace(-1, 1, 9))],
    )
    synthetic = [Measured({"a": x}, f"s{i}") for i, x in enumerate(np.linspace(2, 4, 10))]
    assert fit([*one, *others], synthetic, others, SETTINGS).llr({"a": 0.0}) < -0.1


def test_a_feature_that_could_not_be_measured_says_nothing() -> None:
    genuine = [*people(0, 10), Measured({"a": 0.1}, "p1")]
    calibration = fit(genuine, people(2, 10, seed=1), genuine, SETTINGS)
    feature = calibration.features["b"]
    assert calibration.llr({"a": 1.0}) == pytest.approx(calibration.llr({"a": 1.0, "b": feature.centre}))


def test_an_empty_class_cannot_be_fitted() -> None:
    with pytest.raises(ValueError, match="both"):
        fit([], people(0, 2), [], SETTINGS)


@given(st.dictionaries(st.sampled_from(["softness", "step"]), st.floats(-1e6, 1e6)))
def test_shipped_evidence_is_bounded_whatever_is_measured(values: dict[str, float]) -> None:
    calibration = shipped("seam")
    assert abs(calibration.llr(values)) <= calibration.bound <= 1


@pytest.mark.parametrize(("cue", "features"), [("seam", {"softness", "step"}), ("motion", {"jitter", "flicker"})])
def test_shipped_calibrations_are_whole(cue: str, features: set[str]) -> None:
    calibration = shipped(cue)
    assert set(calibration.features) == features
    assert calibration.genuine_people >= 5
    for feature in calibration.features.values():
        assert feature.genuine == sorted(feature.genuine)
        assert feature.weight >= 0


def test_rarity_counts_the_reference_clips() -> None:
    genuine = people(0, 4)
    feature = fit(genuine, people(2, 4, seed=1), genuine, SETTINGS).features["a"]
    assert feature.rarity(1e9) == "0 of 12 genuine clips"
    assert feature.rarity(-1e9) == "12 of 12 genuine clips"


def test_a_cue_without_a_calibration_says_nothing() -> None:
    calibration = shipped("no such cue")
    assert calibration.llr({"anything": 5.0}) == 0
    assert calibration.rarity("anything", 5.0) == "never compared with genuine clips"


def test_a_damaged_calibration_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("likeness.detect.calibrate.CUES_FILE", "detectors.md")
    with pytest.raises(ModelError, match="Install likeness again"):
        shipped("seam")


@given(one=st.floats(-50, 50), other=st.floats(-50, 50), bound=st.floats(0.1, 3))
def test_evidence_that_is_cut_stays_within_its_bound_and_in_order(one: float, other: float, bound: float) -> None:
    low, high = sorted((one, other))
    assert -bound <= within(low, bound) <= within(high, bound) <= bound
    assert within(0.5 * bound, bound) == 0.5 * bound
    assert within(bound, bound) < within(1.5 * bound, bound)


def test_farther_values_still_count_a_little_more() -> None:
    feature = Feature(centre=0.0, scale=1.0, weight=1.0, genuine=[0.0])
    values = [feature.standardised(value) for value in (-9.0, -3.0, 0.5, 3.0, 4.0, 9.0)]
    assert values[1:4] == [-3.0, 0.5, 3.0]
    assert values == sorted(values)
    assert 3.0 < values[4] < 4.0 < values[5] < 5.0


def test_a_feature_that_hardly_varies_can_still_be_measured() -> None:
    genuine = [Measured({"lag": 0.0}, f"p{i}") for i in range(6)]
    synthetic = [Measured({"lag": 0.0 if i else 0.3}, f"p{i}") for i in range(6)]
    calibration = fit(genuine, synthetic, genuine, SETTINGS)
    assert np.isfinite(calibration.llr({"lag": 0.3}))
    assert calibration.llr({"lag": 0.3}) >= calibration.llr({"lag": 0.0})
