import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from likeness.make.portraits.distance import Spread, distance, distance_interval, frechet_distance
from likeness.make.portraits.memorisation import copying, nearest


def points(count: int, seed: int, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, 4)).astype(np.float32) + shift


def test_of_known_normal_distributions():
    one, other = Spread(np.zeros(2), np.eye(2)), Spread(np.array([3.0, 4.0]), 4 * np.eye(2))
    assert frechet_distance(one, other) == pytest.approx(25 + 2)  # tr(1 + 4 − 2·2) in each dimension


@settings(max_examples=20)
@given(st.integers(0, 1000))
def test_nothing_to_itself_and_the_same_both_ways(seed: int):
    one, other = points(50, seed), points(60, seed + 1, 0.5)
    assert distance(one, one) == pytest.approx(0, abs=1e-4)
    assert distance(one, other) == pytest.approx(distance(other, one), rel=1e-6)
    assert distance(one, other) > 0


def test_fewer_pictures_than_dimensions_still_have_a_distance():
    rng = np.random.default_rng(0)
    assert np.isfinite(distance(rng.standard_normal((3, 16)), rng.standard_normal((3, 16))))


def test_the_interval_holds_the_true_distance_and_narrows_with_more_pictures():
    low, high = distance_interval(points(400, 0, 1.0), points(400, 1))
    assert low < 4 < high  # means one apart in each of four dimensions
    few_low, few_high = distance_interval(points(40, 0, 1.0), points(40, 1))
    assert few_high - few_low > 2 * (high - low)


def test_pictures_of_one_person_count_as_one_draw():
    made, faces = points(4000, 0), np.repeat(points(10, 1), 10, axis=0)
    alone = distance_interval(made, faces)
    together = distance_interval(made, faces, np.repeat(np.arange(10), 10))
    assert together[1] - together[0] > 1.5 * (alone[1] - alone[0])


def test_nearest_agrees_with_looking_at_every_pair():
    made, learnt = points(7, 0), points(300, 1)
    distances, indices = nearest(made, learnt, 2)
    between = np.linalg.norm(made[:, None] - learnt[None], axis=2)
    assert np.array_equal(indices, np.argsort(between, axis=1)[:, :2])
    assert np.allclose(distances, np.sort(between, axis=1)[:, :2], atol=1e-4)


def test_copies_are_found_out():
    learnt, heldout = points(400, 0), points(200, 1)
    copies = copying(learnt[:200] + 1e-3, learnt, heldout, draws=50)
    assert copies.nearer > 0.99
    assert copies.near_copies > 0.9


def test_fresh_faces_are_as_far_as_strangers():
    fresh = copying(points(200, 2), points(400, 0), points(200, 1), draws=200)
    low, high = fresh.nearer_interval
    assert low < 0.5 < high
    assert fresh.near_copies < 0.05
