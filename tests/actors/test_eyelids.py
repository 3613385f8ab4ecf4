"""Closed lids cover the eye, whatever the head's shape and wherever the eye looks."""

import os

import numpy as np
import pytest

from likeness.actors.expressions import EXPRESSION_NAMES
from likeness.actors.eyelids import Eyelids, sphere_centre
from likeness.actors.figure import head_rotation


def ball(rng: np.random.Generator, count: int = 400) -> np.ndarray:
    """An eyeball of radius 1.4 cm about (3, 3, 8) whose cornea bulges by 0.1 cm towards +z."""
    directions = rng.standard_normal((count, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    radius = 1.4 + 0.1 * np.maximum(directions[:, 2:] - 0.85, 0) / 0.15
    return (np.array([3.0, 3.0, 8.0]) + radius * directions).astype(np.float32)


def test_the_sphere_is_found_from_part_of_it() -> None:
    points = ball(np.random.default_rng(0), 2000)
    front = points[(points[:, 2] > 7.0) & (points[:, 2] < 8.8)]
    assert np.abs(sphere_centre(front) - (3, 3, 8)).max() < 1e-3


@pytest.mark.parametrize("gaze", [(0, 0), (20, -15), (-25, 10)])
def test_lids_inside_the_ball_come_out_and_others_stay(gaze: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    mesh = np.array([3.0, 3.0, 8.0]) + rng.uniform(-2.2, 2.2, (300, 3)) + (0, 0, 1.0)
    blink = np.zeros_like(mesh)
    blink[:200] = 0.1
    eye = ball(rng)
    lids = Eyelids.around(eye, np.array([0.0, 0.0, 1.0]), blink)
    turn = head_rotation(np.array([*gaze, 0]))
    before = mesh.copy()
    lids.keep_off_ball(mesh, turn, blink=0.0)
    assert np.array_equal(mesh, before), "open eyes are as the model has them"
    lids.keep_off_ball(mesh, turn, blink=1.0)
    assert np.linalg.norm(mesh[:200] - lids.pivot, axis=1).min() > 1.42
    assert np.array_equal(mesh[200:], before[200:])
    outside = np.linalg.norm(before - lids.pivot, axis=1) > 1.6
    assert np.allclose(mesh[outside], before[outside])


@pytest.mark.skipif("LIKENESS_DATA" not in os.environ, reason="LIKENESS_DATA is not set")
def test_nothing_of_the_eye_shows_through_shut_lids() -> None:
    from likeness.actors.person import Person
    from likeness.actors.scene import Scene
    from likeness.actors.shot import Part, Pose
    from likeness.actors.studio import Studio

    studio = Studio(Person.named("Farah"), Scene(), 160, 1)
    shut = np.isin(EXPRESSION_NAMES, ["eyeBlink_L", "eyeBlink_R"]).astype(np.float32)
    eyes_open = np.sum(studio.shoot(Pose()).parts == Part.EYES)
    for gaze in ((0, 0), (18, 8)):
        eyes = np.sum(studio.shoot(Pose(expression=shut, gaze=np.array(gaze, np.float32))).parts == Part.EYES)
        assert eyes <= 0.15 * eyes_open, "no more than the slit between the lids"
