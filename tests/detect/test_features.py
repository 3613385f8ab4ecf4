"""Features follow what they are named after, and nothing else; what cannot be measured is NaN."""

import io
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_faces import FACE_PX, face, landmarks_at, moving_track, skin, softened
from PIL import Image

from likeness.detect.features import (
    CLIP_NAMES,
    FEATURE_CROP,
    IMAGE_NAMES,
    PICTURE_NAMES,
    SHAPE_NAMES,
    TIME_NAMES,
    blockiness,
    clip_vector,
    frontal,
    image_statistics,
    picture_vector,
    shapes,
)
from likeness.faces.align import TEMPLATE, aligned_crop
from likeness.faces.face import Face

LANDMARKS = landmarks_at()


def shape_of(landmarks: np.ndarray) -> dict[str, float]:
    return dict(zip(SHAPE_NAMES, shapes(frontal([face(landmarks, 0)]))[0], strict=True))


def image_of(image: np.ndarray) -> dict[str, float]:
    crop = aligned_crop(image, LANDMARKS, *FEATURE_CROP)
    return dict(zip(IMAGE_NAMES, image_statistics(crop, blockiness(image, face(LANDMARKS, 0).box)), strict=True))


def clip_of_faces(faces: list[Face]) -> dict[str, float]:
    return dict(zip(CLIP_NAMES, clip_vector(faces, np.zeros((3, len(IMAGE_NAMES)))), strict=True))


def test_names_are_unique() -> None:
    for names in (SHAPE_NAMES, IMAGE_NAMES, TIME_NAMES, PICTURE_NAMES, CLIP_NAMES):
        assert len(set(names)) == len(names)


@given(st.floats(-200, 200), st.floats(-200, 200), st.floats(0.3, 4), st.floats(-60, 60), st.integers(0, 2**31))
def test_proportions_do_not_change_with_place_size_and_roll(
    x: float, y: float, scale: float, degrees: float, seed: int
) -> None:
    points = LANDMARKS + np.random.default_rng(seed).normal(0, 1.5, (68, 2))
    angle = np.radians(degrees)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = points @ turn.T + [x, y]
    assert shape_of(moved) == pytest.approx(shape_of(points), abs=1e-5)


def test_a_turn_of_a_flat_face_is_undone() -> None:
    flat = TEMPLATE * FACE_PX
    turned = replace(face((flat * [np.cos(np.radians(30)), 1]).astype(np.float32), 0), yaw=30.0)
    assert shapes(frontal([turned]))[0] == pytest.approx(shapes(frontal([face(flat, 0)]))[0], abs=1e-4)


@pytest.mark.parametrize(
    ("points", "move", "name"),
    [
        ([39], (-4, 0), "eye_spacing"),
        ([31], (-4, 0), "nose_width"),
        ([1], (-6, 0), "cheekbone_width"),
        (range(17, 27), (0, -4), "brow_height"),
        (range(17, 22), (0, -4), "brow_asymmetry"),
        ([48], (0, 4), "mouth_asymmetry"),
        ([65, 66, 67], (0, 5), "lip_gap"),
    ],
)
def test_each_proportion_sees_its_own_change(points: list[int], move: tuple[float, float], name: str) -> None:
    changed = LANDMARKS.copy()
    changed[list(points)] += move
    assert shape_of(changed)[name] > shape_of(LANDMARKS)[name] + 0.02


def test_blur_of_the_face_alone_is_a_step() -> None:
    plain, soft = image_of(skin()), image_of(softened(skin(), LANDMARKS, 1.5))
    assert abs(plain["sharpness_step"]) < 0.3
    assert soft["sharpness_step"] < plain["sharpness_step"] - 1
    assert soft["noise_step"] < plain["noise_step"] - 1
    assert soft["band_high"] < plain["band_high"] - 1
    assert soft["sharpness_outside"] == pytest.approx(plain["sharpness_outside"], abs=0.1)


def test_another_colour_of_the_face_is_a_step() -> None:
    plain, red = image_of(skin()), image_of(softened(skin(), LANDMARKS, 0.3, shift=25))
    assert red["green_red_step"] > plain["green_red_step"] + 4
    assert red["saturation"] > plain["saturation"]


def test_noise_is_measured_in_grey_levels() -> None:
    rng = np.random.default_rng(0)
    crop = np.clip(128 + rng.normal(0, 8, (256, 256, 1)), 0, 255).repeat(3, axis=2).astype(np.uint8)
    values = dict(zip(IMAGE_NAMES, image_statistics(crop), strict=True))
    assert 2 ** values["noise_inside"] == pytest.approx(8, rel=0.06)
    assert np.isnan(values["blockiness"])


def test_jpeg_leaves_its_grid() -> None:
    stored = io.BytesIO()
    Image.fromarray(skin()).save(stored, "JPEG", quality=20)
    image, box = np.asarray(Image.open(stored)), (40.0, 40.0, 200.0, 200.0)
    assert blockiness(image, box) > blockiness(skin(), box) + 0.5
    assert blockiness(image, (43.0, 45.0, 200.0, 200.0)) > blockiness(skin(), box) + 0.5, "wherever the box begins"
    assert np.isnan(blockiness(image, (0.0, 0.0, 20.0, 20.0)))


def test_blinks_are_counted() -> None:
    def blinking(closed: bool) -> list[Face]:
        rng = np.random.default_rng(0)
        return [
            face((landmarks_at(openness=0.2 if closed and i % 75 in (30, 31, 32, 33) else 1.0)
                  + rng.normal(0, 0.1, (68, 2))).astype(np.float32), i)
            for i in range(300)
        ]  # fmt: skip

    assert clip_of_faces(blinking(True))["blinks_a_minute"] == pytest.approx(20)
    assert clip_of_faces(blinking(True))["eyes_closed"] > 0.02
    assert clip_of_faces(blinking(False))["blinks_a_minute"] == 0


def test_movement_is_told_from_stillness() -> None:
    def talking(size: float) -> list[Face]:
        faces = []
        for i in range(100):
            points = LANDMARKS.copy()
            points[65:68, 1] += size * abs(np.sin(i / 3))
            points[17:27, 1] -= size * (1 + np.sin(i / 20))
            faces.append(replace(face(points, i), yaw=size * np.sin(i / 10)))
        return faces

    still, moving = clip_of_faces(talking(0.0)), clip_of_faces(talking(6.0))
    for name in ("mouth_activity", "mouth_speed", "brow_activity", "brow_speed", "mimicry", "yaw_spread", "yaw_speed"):
        assert still[name] == pytest.approx(0, abs=1e-6)
        assert moving[name] > 0.005
    assert moving["brow_symmetry"] > 0.99
    assert np.isnan(still["brow_symmetry"])


def test_trembling_shows() -> None:
    calm, trembling = (clip_of_faces(moving_track(60, tremble=size).faces) for size in (0.0, 1.5))
    assert trembling["tremble"] > 1.5 * calm["tremble"]


def test_medians_ignore_one_odd_frame() -> None:
    faces = moving_track(40).faces
    broken = [*faces[:20], face(landmarks_at(width=30) * [1, 2], 20), *faces[21:]]
    assert clip_of_faces(broken)["eye_spacing_median"] == pytest.approx(
        clip_of_faces(faces)["eye_spacing_median"], abs=2e-3
    )


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5])
def test_few_faces_give_nan_and_no_infinity(count: int) -> None:
    vector = clip_vector(moving_track(10).faces[:count], np.empty((0, len(IMAGE_NAMES))))
    assert vector.shape == (len(CLIP_NAMES),)
    assert not np.isinf(vector).any()
    assert np.isnan(vector[-len(TIME_NAMES) :]).all() == (count < 3)


@pytest.mark.parametrize("value", [np.nan, np.inf, 7.0], ids=["nan", "infinite", "one place"])
def test_landmarks_that_are_none_are_left_out(value: float) -> None:
    broken = face(np.full((68, 2), value, np.float32), 0)
    vector = picture_vector(broken, np.zeros(len(IMAGE_NAMES)))
    assert np.isnan(vector[: len(SHAPE_NAMES)]).all()
    faces = moving_track(30).faces
    assert clip_vector([*faces, replace(broken, frame=30, time_s=1.2)], np.zeros((2, len(IMAGE_NAMES)))) == (
        pytest.approx(clip_vector(faces, np.zeros((2, len(IMAGE_NAMES)))), nan_ok=True)
    )


@given(st.integers(0, 2**31), st.sampled_from([16, 64, 256]))
def test_any_picture_has_finite_statistics(seed: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    level = rng.integers(0, 256, 3)
    for crop in (rng.integers(0, 256, (size, size, 3), np.uint8), np.tile(level, (size, size, 1)).astype(np.uint8)):
        values = image_statistics(cv2.GaussianBlur(crop, (0, 0), 0.1 + seed % 3), 0.0)
        assert values.shape == (len(IMAGE_NAMES),)
        assert np.isfinite(values).all()
