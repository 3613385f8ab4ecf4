import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from likeness.bench.nearest_frame import FaceFrame, NearestFrame, piecewise_affine, upright
from likeness.faces.align import TEMPLATE

FACE = TEMPLATE.astype(np.float64)


def _picture(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.stack([x, y, (x + y) / 2], axis=2).astype(np.uint8)


def _smiling(landmarks: np.ndarray, amount: float) -> np.ndarray:
    smiling = landmarks.copy()
    smiling[[48, 54]] += amount * np.array([[-0.08, -0.05], [0.08, -0.05]])
    return smiling


def test_pieces_are_bent_exactly_by_an_affine_motion() -> None:
    src = FACE * 60 + 20
    linear = np.array([[1.2, 0.2], [-0.1, 0.9]])
    dst = src @ linear.T + (5, 12)
    bent = piecewise_affine(_picture(110, 110), src, dst, (150, 150)).astype(float)
    for x, y in ((60, 60), (70, 50), (65, 75)):
        assert bent[y, x, :2] == pytest.approx(np.linalg.inv(linear) @ (np.array([x, y]) - (5, 12)), abs=1)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 99))
def test_landmarks_land_on_landmarks(seed: int) -> None:
    rng = np.random.default_rng(seed)
    src = FACE * 100 + 40 + rng.normal(0, 1, (68, 2))
    dst = FACE * 90 + 50 + rng.normal(0, 1, (68, 2))
    bent = piecewise_affine(_picture(200, 200), src, dst, (200, 200)).astype(float)
    inner = np.arange(27, 60)
    at = np.rint(dst[inner]).astype(int)
    assert np.abs(bent[at[:, 1], at[:, 0], :2] - src[inner]).mean() < 1.5


def test_the_nearest_frame_is_chosen_by_expression_not_by_shape() -> None:
    """B is long-faced; A smiles, so B's smile is wanted though B's neutral face is nearer in shape to no frame of A."""
    long_face = FACE * (1.0, 1.25)
    frames = [FaceFrame(_picture(80, 80), _smiling(long_face, amount) * 60 + 10) for amount in (-1, -0.5, 0, 0.5, 1)]
    nearest = NearestFrame(frames, upright(FACE * 50))
    for wanted, amount in ((4, 1.1), (2, 0.05), (0, -0.9)):
        assert nearest.best(_smiling(FACE, amount) * 50 + 7) is frames[wanted]


@pytest.mark.parametrize("warp", ["similarity", "piecewise"])
def test_the_face_of_a_laid_over_itself_is_itself(warp: str) -> None:
    image, landmarks = _picture(120, 140), FACE * 70 + (30, 20)
    nearest = NearestFrame([FaceFrame(image, landmarks)], upright(landmarks))
    assert np.abs(nearest.lay_over(image, landmarks, warp).astype(int) - image).max() <= 3
