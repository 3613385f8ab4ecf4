"""A folder of faces tells how the person looks, how they vary, how they are shaped and how they move."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from known_people import SETTINGS, actor_a, face_set, filmed
from made_faces import face, landmarks_at, moving_track

from likeness.detect.reference import (
    Reference,
    habits_distance,
    habits_of,
    learned_habits,
    learned_shape,
    shape_distance,
)
from likeness.errors import FaceSetError
from likeness.footage import footage


def test_a_reference_knows_the_person_and_how_they_vary() -> None:
    known = actor_a()
    assert known.faces == 50
    assert np.linalg.norm(known.mean) == pytest.approx(1, abs=1e-3)
    assert known.parts.centre > known.recogniser.threshold
    assert known.parts.distance(known.parts.centre) == 0
    assert known.shape is not None
    assert known.habits is None  # a face every quarter of a second shows no habits


def test_a_folder_of_too_few_faces_is_no_reference(tmp_path: Path) -> None:
    shipped = footage().actor_a
    with pytest.raises(FaceSetError, match="at least 12"):
        Reference.load(face_set(tmp_path / "few", shipped, filmed(shipped, 60)), SETTINGS)
    with pytest.raises(FaceSetError, match="likeness extract"):
        Reference.load(tmp_path, SETTINGS)


def talking(seed: int, coupling: float, count: int = 500) -> tuple[np.ndarray, np.ndarray]:
    """Six movements at 25 a second, of which nodding and the mouth go together by ``coupling``."""
    rng = np.random.default_rng(seed)
    moved = rng.normal(size=(count, 6))
    moved[:, 3] = coupling * moved[:, 1] + np.sqrt(1 - coupling**2) * moved[:, 3]
    return np.arange(count) / 25, moved


def test_habits_are_correlations_and_those_of_another_differ() -> None:
    habits = learned_habits([talking(seed, 0.9) for seed in range(3)], SETTINGS)
    assert habits is not None
    assert habits[0][np.flatnonzero(np.abs(habits[0]) > 0.7)].tolist() == [pytest.approx(0.9, abs=0.05)]
    same, another = (np.mean(habits_of(*talking(9, coupling), SETTINGS), axis=0) for coupling in (0.9, -0.9))
    far_same, far_other = (np.sqrt((((h - habits[0]) / habits[1]) ** 2).mean()) for h in (same, another))
    assert far_other > 3 * far_same
    assert learned_habits([talking(0, 0.9, count=60)], SETTINGS) is None


def test_a_short_sight_shows_no_habits() -> None:
    habits = learned_habits([talking(seed, 0.5) for seed in range(3)], SETTINGS)
    assert habits is not None
    assert np.isnan(habits_distance(moving_track(30).faces, habits, SETTINGS))
    assert np.isfinite(habits_distance(moving_track(200).faces, habits, SETTINGS))


def test_another_shape_is_far_and_an_unknown_pose_says_nothing() -> None:
    rng = np.random.default_rng(0)
    faces = moving_track(60).faces
    points = np.array([one.landmarks for one in faces], np.float64)
    shape = learned_shape(points, rng.normal(0, 3, (60, 2)), SETTINGS)
    assert shape is not None
    wide = []
    for one in faces:
        moved = one.landmarks.copy()
        moved[[31, 35], 0] += [-6, 6]
        wide.append(face(moved, one.frame))
    assert shape_distance(faces, shape, SETTINGS) < 0.5
    assert shape_distance(wide, shape, SETTINGS) > 3
    assert np.isnan(shape_distance([face(landmarks_at(), i, yaw=34.0) for i in range(20)], shape, SETTINGS))
    assert learned_shape(points[:10], rng.normal(0, 3, (10, 2)), SETTINGS) is None


@settings(max_examples=30)
@given(st.floats(0.3, 4), st.floats(-50, 50))
def test_shape_does_not_depend_on_size_or_place(factor: float, shift: float) -> None:
    faces = moving_track(40).faces
    points = np.array([one.landmarks for one in faces], np.float64)
    poses = np.column_stack([np.sin(np.arange(40)), np.cos(np.arange(40))])
    one = learned_shape(points, poses, SETTINGS)
    other_one = learned_shape(points * factor + shift, poses, SETTINGS)
    assert one is not None
    assert other_one is not None
    np.testing.assert_allclose(one.terms, other_one.terms, atol=1e-6)
