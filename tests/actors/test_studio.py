"""The studio: the same pose gives the same picture, and the truth agrees with what is seen."""

import os
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from likeness.actors.face_model import face_model
from likeness.actors.figure import head_rotation
from likeness.actors.person import CAST, Person
from likeness.actors.scene import Scene
from likeness.actors.studio import Part, Pose, Shot, Studio

pytestmark = pytest.mark.skipif(
    not os.environ.get("LIKENESS_DATA"), reason="LIKENESS_DATA does not name the data folder"
)

SIZE = 96
NOSE_TIP, CHIN, RIGHT_JAW, LEFT_JAW = 30, 8, 0, 16


@cache
def studio(name: str) -> Studio:
    return Studio(Person.named(name), Scene(), SIZE, 1)


@cache
def shot(
    name: str, yaw: float = 0, pitch: float = 0, roll: float = 0, moves: tuple[tuple[str, float], ...] = ()
) -> Shot:
    head = np.array([yaw, pitch, roll], np.float32)
    return studio(name).shoot(Pose(face_model().expression(**dict(moves)), head=head))


def pixels(picture: Shot, part: Part) -> int:
    return int((picture.parts == part).sum())


def test_the_same_pose_gives_the_same_shot_from_a_fresh_studio() -> None:
    again = Studio(Person.named("Bruno"), Scene(), SIZE, 1).shoot(Pose())
    np.testing.assert_array_equal(again.image, shot("Bruno").image)
    np.testing.assert_array_equal(again.landmarks, shot("Bruno").landmarks)


def test_a_frontal_face_shows_all_inner_landmarks_on_the_face() -> None:
    picture = shot("Bruno")
    assert picture.image.shape == (SIZE, SIZE, 3)
    assert picture.image.dtype == np.uint8
    assert picture.landmarks.dtype == np.float32
    assert (picture.landmarks >= 0).all()
    assert (picture.landmarks <= SIZE - 1).all()
    assert picture.landmark_visible[17:].all()
    column, row = np.round(picture.landmarks[17:]).astype(int).T
    assert not np.isin(picture.parts[row, column], [Part.BACKGROUND, Part.CLOTHES]).any()
    assert picture.landmarks[RIGHT_JAW, 0] < picture.landmarks[NOSE_TIP, 0] < picture.landmarks[LEFT_JAW, 0]


def test_every_part_is_in_the_mask() -> None:
    talking = shot("Bruno", moves=(("jawOpen", 0.4),))
    assert set(np.unique(talking.parts)) == {int(part) for part in Part}


def test_signs_of_the_head_angles() -> None:
    straight = shot("Bruno").landmarks
    assert shot("Bruno", yaw=20).landmarks[NOSE_TIP, 0] > straight[NOSE_TIP, 0] + 2
    assert shot("Bruno", pitch=15).landmarks[NOSE_TIP, 1] < straight[NOSE_TIP, 1] - 1
    leaning = shot("Bruno", roll=15).landmarks
    crown_to_chin = leaning[CHIN] - leaning[27]
    assert crown_to_chin[0] < -2  # clockwise: the chin goes to the image's left


def test_a_turned_head_hides_the_far_jaw() -> None:
    visible = shot("Bruno", yaw=35).landmark_visible
    assert not visible[14:17].all()
    assert visible[2:6].all()


def test_a_shift_moves_the_picture_by_the_camera_s_scale() -> None:
    moved = studio("Bruno").shoot(Pose(shift=np.array([1.0, 0.5, 0.0], np.float32)))
    step = (moved.landmarks - shot("Bruno").landmarks)[NOSE_TIP]
    scale = Scene().camera.pixels_per_cm(SIZE) * 95 / (95 - 12)
    np.testing.assert_allclose(step, [scale, -0.5 * scale], rtol=0.05)


def test_closed_eyes_hide_the_eyeballs() -> None:
    closed = shot("Bruno", moves=(("eyeBlink_L", 1.0), ("eyeBlink_R", 1.0)))
    assert pixels(shot("Bruno"), Part.EYES) > 20
    assert pixels(closed, Part.EYES) < 0.1 * pixels(shot("Bruno"), Part.EYES)


def test_an_open_mouth_shows_its_inside() -> None:
    assert pixels(shot("Bruno", moves=(("jawOpen", 0.4),)), Part.TEETH) > 10
    assert pixels(shot("Bruno"), Part.TEETH) < 5


def test_a_gaze_moves_the_iris() -> None:
    aside = studio("Farah").shoot(Pose(gaze=np.array([25, 0], np.float32)))
    difference = np.abs(aside.image.astype(int) - shot("Farah").image).sum(axis=2)
    eyes = (aside.parts == Part.EYES) | (shot("Farah").parts == Part.EYES)
    assert difference[eyes].mean() > 5 * difference[~eyes].mean()


def test_depth_is_that_of_the_camera() -> None:
    depth = shot("Bruno").depth_cm
    assert 80 < depth.min() < 85  # the nose, 95 cm from a camera less about 13
    assert np.isinf(depth[0, 0])


def test_cast_members_look_different() -> None:
    pictures = [shot(name).image.astype(float) for name in ("Bruno", "Farah", "Nia", "Emil", "Lena")]
    for i, one in enumerate(pictures):
        for other in pictures[:i]:
            assert np.abs(one - other).mean() > 5
    shapes = [face_model().shape(np.array(person.identity))[face_model().landmarks] for person in CAST]
    for i, shape in enumerate(shapes):
        for other in shapes[:i]:
            assert np.linalg.norm(shape - other, axis=1).mean() > 0.15  # cm


def test_hair_covers_the_long_haired_and_not_the_bald() -> None:
    assert pixels(shot("Lena"), Part.HAIR) > 0.08 * SIZE**2
    above_brows = shot("Emil").parts[: int(shot("Emil").landmarks[17:27, 1].min()) - 3]
    assert (above_brows == Part.HAIR).sum() == 0


@given(st.integers(0, 2**31), st.lists(st.floats(-180, 180), min_size=3, max_size=3))
@settings(max_examples=30)
def test_rotations_keep_lengths(seed: int, head: list[float]) -> None:
    rotation = head_rotation(np.array(head))
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-5)
    assert Scene.from_seed(seed) == Scene.from_seed(seed)


@given(st.data())
@settings(max_examples=12, deadline=None)
def test_any_pose_can_be_filmed(data: st.DataObject) -> None:
    def draw(count: int, low: float, high: float) -> np.ndarray:
        values = st.lists(st.floats(low, high, width=32), min_size=count, max_size=count)
        return np.array(data.draw(values), np.float32)

    pose = Pose(draw(57, -0.5, 1.5), draw(2, -60, 60), draw(3, -90, 90), draw(3, -30, 30))
    picture = studio("Farah").shoot(pose)
    assert np.isfinite(picture.landmarks).all()
    assert picture.image.shape == (SIZE, SIZE, 3)
    assert picture.parts.max() <= max(Part)
