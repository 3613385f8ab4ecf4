import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from likeness.make.multiband import band_correction

SIZE = 96


def _disc(radius: float) -> np.ndarray:
    y, x = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    return cv2.GaussianBlur((np.hypot(x, y) <= radius).astype(np.float32), (0, 0), 2)


def _blend(image: np.ndarray, target: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    return target + alpha[:, :, None] * (image - target) + band_correction(image, target, alpha)


def test_two_shades_meet_gradually_and_far_from_the_edge_each_is_itself() -> None:
    dark, bright = (np.full((SIZE, SIZE, 3), level, np.float32) for level in (0.3, 0.7))
    alpha = _disc(26)
    row = _blend(bright, dark, alpha)[SIZE // 2, :, 0]
    plain = (dark + alpha[:, :, None] * (bright - dark))[SIZE // 2, :, 0]
    assert np.abs(np.diff(row)).max() < 0.7 * np.abs(np.diff(plain)).max()
    assert row[SIZE // 2] > 0.6
    assert row[2] == pytest.approx(0.3, abs=0.02)


def test_fine_detail_changes_over_at_once() -> None:
    """Checks in the face: they are there inside the mask and gone a few pixels outside it."""
    checks = np.repeat(((np.indices((SIZE, SIZE)).sum(0) % 2) * 0.2 - 0.1)[:, :, None], 3, axis=2).astype(np.float32)
    target = np.full((SIZE, SIZE, 3), 0.5, np.float32)
    blended = _blend(target + checks, target, _disc(26))[SIZE // 2, :, 0]
    contrast = np.abs(np.diff(blended))
    assert contrast[SIZE // 2 - 8 : SIZE // 2 + 8].min() > 0.15
    assert contrast[: SIZE // 2 - 34].max() < 0.02


def test_equal_pictures_stay() -> None:
    picture = np.random.default_rng(0).random((SIZE, SIZE, 3)).astype(np.float32)
    assert np.abs(band_correction(picture, picture, _disc(26))).max() == 0


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 99), st.integers(17, 90), st.integers(17, 90))
def test_nothing_is_added_along_the_border(seed: int, height: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    image, target = rng.random((2, height, width, 3)).astype(np.float32)
    added = band_correction(image, target, rng.random((height, width)).astype(np.float32))
    assert added.shape == (height, width, 3)
    assert max(np.abs(edge).max() for edge in (added[0], added[-1], added[:, 0], added[:, -1])) == 0
