import numpy as np
import pytest

from likeness.faces.align import TEMPLATE
from likeness.faces.hull import face_outline, hull_mask


def test_the_mask_covers_the_landmarks_and_little_else():
    landmarks = 200 * TEMPLATE + [40, 30]
    mask = hull_mask(landmarks, (300, 280))
    assert mask.shape == (300, 280)
    assert mask.dtype == np.float32
    assert mask.min() == 0
    assert mask.max() == 1
    inner = landmarks.mean(0) + 0.95 * (landmarks - landmarks.mean(0))
    assert all(mask[round(y), round(x)] == 1 for x, y in inner)
    x, y = face_outline(landmarks).T
    area = 0.5 * abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1)))
    assert mask.sum() == pytest.approx(area, rel=0.02)


def test_a_forehead_grows_upwards_only():
    landmarks = 200 * TEMPLATE + [40, 90]
    plain, raised = hull_mask(landmarks, (320, 280)), hull_mask(landmarks, (320, 280), forehead=0.3)
    assert raised.sum() > plain.sum()
    assert np.argmax(raised.any(1)) < np.argmax(plain.any(1))
    np.testing.assert_array_equal(raised[220:], plain[220:])


def test_a_face_outside_the_picture_is_cut_off():
    assert hull_mask(200 * TEMPLATE - [100, 0], (200, 200)).sum() > 0
    assert hull_mask(200 * TEMPLATE + [900, 900], (200, 200)).sum() == 0
