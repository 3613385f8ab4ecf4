import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from likeness.faces.align import MIRROR, TEMPLATE
from likeness.faces.pose import DEPTH, pose_of

SHAPE = np.column_stack([TEMPLATE - 0.5, DEPTH])


def turned(yaw: float, pitch: float, roll: float, distance: float | None = None) -> np.ndarray:
    """Landmarks of the mean face turned by degrees: x right, y down, z away; seen from afar or from ``distance``."""
    yaw, pitch, roll = np.radians([yaw, pitch, roll])
    turn = np.array([[np.cos(yaw), 0, -np.sin(yaw)], [0, 1, 0], [np.sin(yaw), 0, np.cos(yaw)]])
    nod = np.array([[1, 0, 0], [0, np.cos(pitch), np.sin(pitch)], [0, -np.sin(pitch), np.cos(pitch)]])
    lean = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    points = SHAPE @ (turn @ nod @ lean).T
    zoom = 1.0 if distance is None else distance / (distance + points[:, 2:])
    return 150 * zoom * points[:, :2] + [320, 180]


@given(st.floats(-45, 45), st.floats(-30, 30), st.floats(-60, 60))
def test_pose_of_a_turned_mean_face(yaw, pitch, roll):
    np.testing.assert_allclose(pose_of(turned(yaw, pitch, roll)), (yaw, pitch, roll), atol=0.5)


@given(st.floats(-30, 30), st.floats(-20, 20), st.floats(-30, 30))
def test_perspective_changes_it_little(yaw, pitch, roll):
    np.testing.assert_allclose(pose_of(turned(yaw, pitch, roll, distance=5.0)), (yaw, pitch, roll), atol=8)


@given(st.floats(-40, 40), st.floats(-20, 20), st.floats(-30, 30))
def test_a_mirrored_face_turns_the_other_way(yaw, pitch, roll):
    mirrored = (turned(yaw, pitch, roll) * [-1, 1])[MIRROR]
    np.testing.assert_allclose(pose_of(mirrored), (-yaw, pitch, -roll), atol=1.0)


def test_signs():
    """Yaw > 0: the nose moves to the image's right; pitch > 0: up; roll > 0: the eyes' right end in the image sinks."""
    front = turned(0, 0, 0)
    assert turned(20, 0, 0)[30, 0] > front[30, 0]
    assert turned(0, 20, 0)[30, 1] < front[30, 1]
    leaning = turned(0, 0, 20)
    assert leaning[45, 1] > leaning[36, 1]
    assert pose_of(leaning)[2] == pytest.approx(20, abs=0.5)
