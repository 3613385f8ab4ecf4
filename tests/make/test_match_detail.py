import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from likeness.make.match_detail import blur_variance, corrected, grain, grain_factor, noise_covariance, observe, pooled

SIZE = 128
MASK = np.zeros((SIZE, SIZE), np.float32)
cv2.circle(MASK, (64, 64), 56, 1.0, -1)
STILL = np.zeros(2)


def _features(seed: int = 0) -> np.ndarray:
    """Soft-edged shapes on plain skin, float32 (128, 128, 3): edges in every direction, and flat parts between them."""
    rng = np.random.default_rng(seed)
    picture = np.full((SIZE, SIZE), 0.6, np.float32)
    for _ in range(6):
        x, y = (int(v) for v in rng.integers(30, 98, 2))
        cv2.ellipse(picture, (x, y), (9, 5), int(rng.integers(0, 180)), 0, 360, float(rng.uniform(0.2, 0.4)), -1)
    return cv2.GaussianBlur(np.repeat(picture[:, :, None], 3, axis=2), (0, 0), 0.7)


def _line(length: int) -> np.ndarray:
    return np.full((1, length), 1 / length, np.float32)


@pytest.mark.parametrize("sigma", [1.0, 1.6, 2.4, 3.0])
def test_blur_is_measured_at_edges(sigma: float) -> None:
    step = np.zeros((SIZE, SIZE), np.float32)
    step[:, 64:] = 1
    across, along = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    blurred = cv2.GaussianBlur(step, (0, 0), sigma)
    assert blur_variance(blurred, MASK, across) == pytest.approx(sigma**2, rel=0.3)
    assert blur_variance(blurred, MASK, along) < 0.1  # no edge is crossed that way


@pytest.mark.parametrize("sigma", [0.8, 1.5, 2.5])
def test_a_blurred_frame_makes_the_face_as_blurred(sigma: float) -> None:
    frame = cv2.GaussianBlur(_features(), (0, 0), sigma)
    wanted = observe(frame, _features(), MASK, STILL)
    assert np.sqrt(wanted.blur) == pytest.approx(sigma, rel=0.15)
    after = corrected(_features(), wanted, STILL, 1)
    assert np.abs(after - frame)[MASK > 0].mean() < 0.2 * np.abs(_features() - frame)[MASK > 0].mean()


def test_a_sharper_frame_sharpens_the_face_within_limits() -> None:
    made = cv2.GaussianBlur(_features(), (0, 0), 1.2)
    wanted = observe(_features(), made, MASK, STILL)
    assert 0.2 < wanted.unsharp <= 1
    sharpened = corrected(made, wanted, STILL, 1)
    assert np.abs(sharpened - _features())[MASK > 0].mean() < 0.8 * np.abs(made - _features())[MASK > 0].mean()


@pytest.mark.parametrize("vertical", [False, True])
def test_motion_blur_runs_along_the_motion_and_is_no_longer_than_it(vertical: bool) -> None:
    frame = cv2.filter2D(_features(), -1, _line(9).T if vertical else _line(9))
    along = np.array([0.0, 1.0] if vertical else [1.0, 0.0])
    wanted = observe(frame, _features(), MASK, 16 * along)
    assert wanted.streak == pytest.approx(9, rel=0.3)
    assert wanted.blur < 1
    streaked = corrected(_features(), wanted, 16 * along, 1)
    assert np.abs(streaked - frame)[MASK > 0].mean() < 0.5 * np.abs(_features() - frame)[MASK > 0].mean()
    assert observe(frame, _features(), MASK, 4 * along).streak <= 4
    assert observe(frame, _features(), MASK, STILL).streak == 0


def test_missing_noise_becomes_grain_of_its_strength_and_colour() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 1, (SIZE, SIZE, 3)).astype(np.float32) * np.float32([0.02, 0.01, 0.015])
    wanted = observe(_features() + noise, _features(), MASK, STILL)
    drawn = grain((200, 200), grain_factor(wanted.noise), frame=3, face=0)
    assert drawn is not None
    assert drawn.std(axis=(0, 1)) == pytest.approx([0.02, 0.01, 0.015], rel=0.25)


def test_grain_follows_from_the_frame_alone() -> None:
    factor = np.eye(3) * 0.01
    assert np.array_equal(grain((8, 9), factor, 5, 0), grain((8, 9), factor, 5, 0))
    assert not np.array_equal(grain((8, 9), factor, 5, 0), grain((8, 9), factor, 6, 0))
    assert not np.array_equal(grain((8, 9), factor, 5, 0), grain((8, 9), factor, 5, 1))
    assert grain((8, 9), np.zeros((3, 3)), 5, 0) is None


def test_a_face_that_is_as_the_frame_is_left_alone() -> None:
    wanted = observe(_features(), _features(), MASK, STILL)
    assert (wanted.blur, wanted.unsharp, wanted.streak) == (0, 0, 0)
    assert not grain_factor(wanted.noise).any()
    assert np.array_equal(corrected(_features(), wanted, STILL, 1), _features())


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 500), st.floats(-30, 30), st.floats(-30, 30), st.sampled_from([8, 40, 64]))
def test_anything_measured_gives_a_finite_face(seed: int, x: float, y: float, side: int) -> None:
    rng = np.random.default_rng(seed)
    frame, made = rng.random((2, side, side, 3)).astype(np.float32)
    mask = (rng.random((side, side)) < rng.random()).astype(np.float32)
    motion = np.array([x, y])
    seen = observe(frame, made, mask, motion)
    wanted = pooled([seen, seen], np.array([1.0, 0.3]))
    assert np.isfinite(corrected(made, wanted, motion, 0.7)).all()
    assert np.isfinite(grain_factor(noise_covariance(frame, mask))).all()
    assert wanted.blur <= 16
    assert wanted.streak <= np.hypot(x, y) + 1e-6
