import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from likeness.bench.temporal import flicker, jitter
from likeness.faces.align import TEMPLATE
from likeness.faces.face import OUTER_EYE_CORNERS

FRAMES, SIZE = 5, 160
RANDOM = np.random.default_rng(8)
# A face that drifts and turns its head a little, and a smooth picture that moves along.
LANDMARKS = np.stack([TEMPLATE * (70 + index) + (30 + 2 * index, 40 - index) for index in range(FRAMES)])


def _clip(brightness: np.ndarray | float = 0.0) -> np.ndarray:
    """uint8 (T, 160, 160, 3): a pattern fixed to the face, lifted by ``brightness`` (T,)."""
    y, x = np.mgrid[:SIZE, :SIZE]
    lifts = np.broadcast_to(brightness, FRAMES)
    pictures = []
    for index, lift in enumerate(lifts):
        u, v = (x - 30 - 2 * index) / (70 + index), (y - 40 + index) / (70 + index)
        pattern = 110 + 50 * np.sin(5 * u) * np.cos(4 * v) + lift
        pictures.append(np.repeat(pattern[:, :, None], 3, axis=2))
    return np.rint(np.stack(pictures)).astype(np.uint8)


def test_what_is_wrong_alike_in_every_frame_does_not_flicker() -> None:
    figures = flicker(_clip(25.0), _clip(), LANDMARKS)
    assert np.isnan(figures[0])
    assert figures[1:].max() < 1  # rounding to grey levels


def test_a_face_that_blinks_in_brightness_flickers_by_as_much() -> None:
    lifts = np.array([0, 12, 0, 12, 0])
    assert flicker(_clip(lifts), _clip(), LANDMARKS)[1:] == pytest.approx(12, abs=0.7)


def test_flicker_outside_the_face_does_not_count() -> None:
    images = _clip()
    images[::2, 130:] = 255
    assert flicker(images, _clip(), LANDMARKS)[1:].max() == 0


@settings(deadline=None, max_examples=25)
@given(st.floats(-3, 3), st.floats(-3, 3))
def test_an_even_drift_does_not_jitter(dx: float, dy: float) -> None:
    drift = np.arange(FRAMES)[:, None, None] * np.array([dx, dy]) + (4, -7)
    figures = jitter(LANDMARKS + drift, LANDMARKS)
    assert np.isnan(figures[[0, -1]]).all()
    assert figures[1:-1] == pytest.approx(0, abs=1e-9)


def test_one_frame_out_of_place_jitters_in_percent_of_the_eyes_distance() -> None:
    shaken = LANDMARKS.copy()
    shaken[2] += (3, 4)
    right, left = OUTER_EYE_CORNERS
    units = np.linalg.norm(LANDMARKS[1:-1, left] - LANDMARKS[1:-1, right], axis=1)
    assert jitter(shaken, LANDMARKS)[1:-1] == pytest.approx(100 * np.array([5, 10, 5]) / units)


def test_frames_without_a_face_and_clips_too_short_have_no_figure() -> None:
    lost = LANDMARKS.copy()
    lost[3] = np.nan
    figures = jitter(lost, LANDMARKS)
    assert np.isfinite(figures).tolist() == [False, True, False, False, False]
    assert np.isnan(jitter(LANDMARKS[:2], LANDMARKS[:2])).all()
