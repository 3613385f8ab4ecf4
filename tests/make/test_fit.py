import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from likeness.faces.align import TEMPLATE, apply, invert, umeyama
from likeness.make.fit import compose, landmark_weights, view_matrix, weighted_scaling

FACE = TEMPLATE.astype(np.float64) * 100


def _similarity(scale: float, turn: float, x: float, y: float) -> np.ndarray:
    cos, sin = scale * np.cos(turn), scale * np.sin(turn)
    return np.array([[cos, -sin, x], [sin, cos, y]])


@settings(deadline=None, max_examples=40)
@given(st.floats(0.3, 3), st.floats(-50, 50), st.floats(-50, 50), st.integers(0, 9))
def test_a_scaling_is_found_again_whatever_the_weights(scale: float, x: float, y: float, seed: int) -> None:
    move = _similarity(scale, 0, x, y)
    weights = np.random.default_rng(seed).uniform(0.1, 5, 68)
    assert np.allclose(weighted_scaling(FACE, apply(move, FACE), weights), move, atol=1e-6)


def test_equal_weights_are_umeyama_where_nothing_turns() -> None:
    stretched = FACE * (1.3, 1.1)
    assert np.allclose(weighted_scaling(FACE, stretched, np.ones(68)), umeyama(FACE, stretched), atol=1e-3)


def test_a_broad_jaw_does_not_shrink_the_eyes() -> None:
    broad = FACE.copy()
    broad[:17, 0] = 50 + 1.3 * (broad[:17, 0] - 50)
    weighted = weighted_scaling(broad, FACE, landmark_weights())
    plain = umeyama(broad, FACE)
    assert abs(np.hypot(*weighted[:, 0]) - 1) < 0.5 * abs(np.hypot(*plain[:, 0]) - 1)


@given(st.floats(0.3, 3), st.floats(-3, 3), st.floats(-50, 50), st.floats(-50, 50))
def test_composed_with_its_inverse_nothing_moves(scale: float, turn: float, x: float, y: float) -> None:
    move = _similarity(scale, turn, x, y)
    assert np.allclose(compose(invert(move), move), np.eye(2, 3), atol=1e-9)


def test_the_middle_of_a_crop_stays_the_middle() -> None:
    assert np.allclose(apply(view_matrix(64, 0.625), np.array([127.5, 127.5])), 31.5)
