"""Where a network looks is named by the part of the face, and drawn where it is."""

import io

import numpy as np
import pytest
from PIL import Image

from likeness.detect.heat_map import heat_map, on_face, strongest_region
from likeness.detect.networks.inputs import COVERAGE, CROP
from likeness.faces.align import TEMPLATE, apply, square_in_crop


@pytest.mark.parametrize(
    ("landmarks", "name"),
    [((37, 46), "the eyes"), ((30,), "the nose"), ((62, 66), "the mouth"), ((8,), "the chin and jaw")],
)
def test_landmarks_lie_in_the_region_that_is_named(landmarks: tuple[int, ...], name: str) -> None:
    points = apply(square_in_crop(CROP, COVERAGE), TEMPLATE)
    for landmark in landmarks:
        where = np.zeros((56, 56), np.float32)
        x, y = points[landmark] * 56 / CROP
        where[int(y), int(x)] = 1
        assert strongest_region(where) == name


def test_what_lies_beside_the_face_is_not_named() -> None:
    where = np.zeros((7, 7), np.float32)
    where[0, 0] = 9
    where[4, 3] = 1
    assert strongest_region(where) == "the mouth"
    assert not on_face((7, 7))[[0, 0, 6, 6], [0, 6, 0, 6]].any()


def test_the_map_is_drawn_beside_the_crop() -> None:
    crop = np.full((CROP, CROP, 3), 90, np.uint8)
    where = -np.ones((7, 7), np.float32)
    where[4, 2] = 3
    picture = heat_map(crop, where, "here")
    shown = np.asarray(Image.open(io.BytesIO(picture.jpeg)), np.float32)
    assert shown.shape == (CROP, 2 * CROP, 3)
    left, right = shown[:, :CROP], shown[:, CROP:]
    assert abs(left - 90).max() < 12
    brightest = np.unravel_index(right[..., 0].argmax(), right.shape[:2])
    assert abs(brightest[0] - 4.5 * CROP / 7) < CROP / 7
    assert abs(brightest[1] - 2.5 * CROP / 7) < CROP / 7


def test_a_map_that_speaks_for_nothing_leaves_the_crop_alone() -> None:
    crop = np.full((CROP, CROP, 3), 90, np.uint8)
    shown = np.asarray(Image.open(io.BytesIO(heat_map(crop, -np.ones((7, 7)), "").jpeg)), np.float32)
    assert abs(shown - 90).max() < 12
