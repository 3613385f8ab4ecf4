import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from likeness.errors import SettingsError
from likeness.faces.align import apply
from likeness.make.smooth import SmoothSettings, noise_level, similarity_matrices, similarity_parameters, steady

TIMES = np.arange(100) / 25


def _noisy(curve: np.ndarray, sigma: float) -> np.ndarray:
    return curve[:, None] + np.random.default_rng(0).normal(0, sigma, (len(curve), 1))


def test_noise_of_a_still_face_is_taken_away() -> None:
    noisy = _noisy(np.zeros(100), 1.0)
    assert np.abs(steady(TIMES, noisy, SmoothSettings())).std() < 0.45 * noisy.std()


def test_a_fast_nod_is_followed_without_lag() -> None:
    nod = 40 * np.sin(2 * np.pi * 2 * TIMES)  # two nods a second, ±40 px
    smoothed = steady(TIMES, _noisy(nod, 0.5), SmoothSettings())[:, 0]
    assert np.abs(smoothed - nod)[5:-5].max() < 2.5
    shifts = [np.mean((smoothed[5:-5] - np.roll(nod, lag)[5:-5]) ** 2) for lag in (-1, 0, 1)]
    assert int(np.argmin(shifts)) == 1


def test_a_jump_stays_a_jump() -> None:
    jump = np.where(TIMES < 2, 0.0, 50.0)
    smoothed = steady(TIMES, _noisy(jump, 0.5), SmoothSettings())[:, 0]
    assert np.abs(smoothed - jump).max() < 4


def test_no_windows_means_no_smoothing() -> None:
    noisy = _noisy(np.zeros(100), 1.0)
    assert np.array_equal(steady(TIMES, noisy, SmoothSettings(windows_s=())), noisy)


@settings(deadline=None, max_examples=40)
@given(st.floats(-5, 5), st.floats(-5, 5), st.integers(6, 40), st.integers(0, 99))
def test_a_steady_motion_is_left_alone_even_at_uneven_times(start: float, speed: float, count: int, seed: int) -> None:
    times = np.cumsum(np.random.default_rng(seed).uniform(0.01, 0.08, count))
    line = (start + speed * times)[:, None]
    assert np.allclose(steady(times, line, SmoothSettings()), line, atol=1e-4)


def test_noise_level_ignores_motion_and_outliers() -> None:
    noisy = _noisy(100 * TIMES, 2.0)
    noisy[::23] += 300
    assert 1.2 < noise_level(TIMES, noisy)[0] < 4


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(st.floats(-500, 500), st.floats(-500, 500), st.floats(-2, 2), st.floats(-1, 1)), min_size=1),
    st.integers(32, 256),
)
def test_parameters_and_matrices_are_one(rows: list[tuple[float, float, float, float]], size: int) -> None:
    parameters = np.array(rows)
    parameters[:, 3] = np.unwrap(parameters[:, 3])
    matrices = similarity_matrices(parameters, size)
    assert np.allclose(similarity_parameters(matrices, size), parameters, atol=1e-6)
    assert np.allclose(apply(matrices[0], parameters[0, :2]), size / 2)


def test_turns_past_half_a_circle_are_unwrapped() -> None:
    turns = np.linspace(0, 7, 50)
    parameters = np.column_stack([np.zeros((50, 3)), turns])
    assert np.allclose(similarity_parameters(similarity_matrices(parameters, 64), 64)[:, 3], turns)


def test_senseless_settings_are_refused() -> None:
    with pytest.raises(SettingsError):
        SmoothSettings(windows_s=(0.2, 0.1))
    with pytest.raises(SettingsError):
        SmoothSettings(confidence=0)
    with pytest.raises(SettingsError):
        SmoothSettings(bridge_s=-1)
