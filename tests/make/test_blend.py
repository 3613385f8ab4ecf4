import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from likeness.faces.align import invert, warp
from likeness.make.blend import membrane, paste, raised, soft_mask


def _disc(size: int, radius: float) -> np.ndarray:
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    return (np.hypot(x, y) <= radius).astype(np.float32)


def _smooth_picture(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return np.dstack([x / width, y / height, 0.5 + 0.3 * np.sin(x / 17) * np.cos(y / 23)]).astype(np.float32)


def test_soft_mask_rises_from_outside_the_edge_to_inside() -> None:
    y, x = np.mgrid[:96, :96] - 47.5
    depth = 30 - np.hypot(x, y)
    alpha = soft_mask(_disc(96, 30), grow=4, feather=10)
    assert alpha[depth < -5].max() == 0
    assert alpha[depth > 7].min() == 1
    assert np.all(np.diff(alpha[48, 48:]) <= 0)
    assert 0.2 < alpha[48, 48 + 30] < 0.5


@settings(deadline=None, max_examples=40)
@given(st.floats(-10, 10), st.floats(0, 20), st.integers(0, 24))
def test_soft_mask_lies_between_nothing_and_the_grown_mask(grow: float, feather: float, radius: int) -> None:
    alpha = soft_mask(_disc(64, radius), grow, feather)
    assert alpha.min() >= 0
    assert alpha.max() <= 1
    assert alpha[_disc(64, radius + grow + 2) < 0.5].max(initial=0) == 0
    assert max(alpha[0].max(), alpha[-1].max(), alpha[:, 0].max(), alpha[:, -1].max()) == 0


def test_a_mask_over_the_whole_crop_still_ends_at_its_border() -> None:
    alpha = soft_mask(np.ones((64, 64)), grow=-1, feather=4)
    assert alpha[0].max() == 0
    assert alpha[32, 32] == 1


def test_a_mask_is_drawn_up_and_nowhere_else() -> None:
    mask = np.zeros((40, 40), np.float32)
    mask[20:30, 10:20] = 1
    wanted = np.zeros_like(mask)
    wanted[15:30, 10:20] = 1
    assert np.array_equal(raised(mask, 5), wanted)
    assert np.array_equal(raised(mask, 0), mask)


def test_no_mask_is_no_face() -> None:
    assert soft_mask(np.zeros((32, 32)), grow=5, feather=4).max() == 0


def test_membrane_of_a_constant_difference_is_that_constant() -> None:
    image = _smooth_picture(96, 96) * 0.5
    correction = membrane(image, image + 0.2, _disc(96, 35))
    assert np.allclose(correction, 0.2, atol=1e-5)


def test_membrane_continues_a_harmonic_difference_exactly() -> None:
    y, x = np.mgrid[:64, :64].astype(np.float32)
    harmonic = np.dstack([(x * x - y * y) / 4096, x * y / 4096, x / 64]).astype(np.float32)
    hidden = np.where(_disc(64, 20)[:, :, None] > 0, 9.0, harmonic).astype(np.float32)
    correction = membrane(np.zeros_like(hidden), hidden, _disc(64, 20))
    assert np.allclose(correction, harmonic, atol=1e-4)


def test_poisson_keeps_gradients_inside_and_meets_the_frame_at_the_edge() -> None:
    target = _smooth_picture(64, 64) * 0.5 + 0.2
    image = target * 0 + 0.3
    image[28:36, 28:36] += 0.2
    mask = _disc(64, 24)
    blended = image + membrane(image, target, mask)
    assert np.allclose(blended[mask < 0.5], target[mask < 0.5], atol=1e-5)
    assert blended[31, 28, 0] - blended[31, 27, 0] == pytest.approx(0.2, abs=0.02)


def test_membrane_of_an_empty_mask_is_the_difference() -> None:
    image = _smooth_picture(64, 64)
    assert np.allclose(membrane(image, image + 0.1, np.zeros((64, 64))), 0.1, atol=1e-5)


@pytest.mark.parametrize("scale", [0.2, 0.6, 1.0, 2.3])
def test_a_crop_pasted_back_is_the_frame_it_came_from(scale: float) -> None:
    frame = np.rint(_smooth_picture(240, 320) * 255).astype(np.uint8)
    turn = cv2.getRotationMatrix2D((160, 120), 20, scale)
    turn[:, 2] += np.array([64, 64]) - (160, 120)
    crop = warp(frame, turn, 128).astype(np.float32) / 255
    pasted = frame.copy()
    paste(pasted, crop, soft_mask(_disc(128, 60), -2, 8), turn)
    assert np.abs(pasted.astype(int) - frame).max() <= 6
    assert np.abs(pasted.astype(int) - frame).mean() < 0.3


def test_a_fine_pattern_pasted_small_is_averaged() -> None:
    checks = np.indices((128, 128)).sum(0) % 2
    crop = np.repeat(checks[:, :, None], 3, axis=2).astype(np.float32)
    frame = np.zeros((64, 64, 3), np.uint8)
    paste(frame, crop, soft_mask(np.ones((128, 128)), -1, 4), np.array([[4.0, 0, 0], [0, 4.0, 0]]))
    assert np.abs(frame[6:26, 6:26].astype(int) - 127).max() <= 3


@settings(deadline=None, max_examples=40)
@given(st.floats(-300, 300), st.floats(-300, 300), st.floats(0, 6.3), st.floats(0.05, 8))
def test_pasting_anywhere_touches_only_the_face(x: float, y: float, angle: float, scale: float) -> None:
    frame = np.full((60, 80, 3), 7, np.uint8)
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    matrix = np.array([[cos, -sin, x], [sin, cos, y]])
    paste(frame, np.ones((32, 32, 3), np.float32), soft_mask(_disc(32, 12), -1, 3), matrix)
    points = np.argwhere(frame[:, :, 0] != 7)[:, ::-1]
    centre, reach = invert(matrix)[:, :2] @ (15.5, 15.5) + invert(matrix)[:, 2], 16 / scale + 2
    assert all(np.hypot(*(points - centre).T) <= reach) if len(points) else True
