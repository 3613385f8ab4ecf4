import hashlib
import re

import cv2
import numpy as np
import pytest

from likeness.faces.align import MIRROR, TEMPLATE, apply
from likeness.faces.landmarks import (
    CROP_COVERAGE,
    CROP_SIZE,
    LandmarkModel,
    crop_around,
    crop_of_square,
    shipped_weights,
)


def test_the_card_names_the_shipped_weights():
    content = shipped_weights().read_bytes()
    card = shipped_weights().with_suffix(".md").read_text(encoding="utf-8")
    assert re.findall(r"\b[0-9a-f]{64}\b", card) == [hashlib.sha256(content).hexdigest()]
    assert len(content) < 6_000_000
    assert all(word in card for word in ("Apache-2.0", "Data", "Recipe", "Licence", "public domain"))


def test_a_square_and_a_face_in_it_give_the_same_crop():
    face = 120 * TEMPLATE + [200, 80]
    np.testing.assert_allclose(crop_of_square((260.0, 140.0), 120.0), crop_around(face), atol=1e-4)


def test_a_leaning_square_is_brought_upright():
    matrix = crop_of_square((100.0, 100.0), 50.0, turn_deg=30.0)
    along = np.array([100 + 10 * np.cos(np.radians(30)), 100 + 10 * np.sin(np.radians(30))])
    moved = apply(matrix, np.array([[100.0, 100.0], along]))
    np.testing.assert_allclose(moved[0], [CROP_SIZE / 2] * 2, atol=1e-6)
    np.testing.assert_allclose(moved[1] - moved[0], [10 * CROP_SIZE * CROP_COVERAGE / 50, 0], atol=1e-6)


def test_answers_have_shapes_and_ranges(finder):
    picture = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)
    squares = [crop_of_square((60.0, 45.0), 50.0), crop_of_square((-20.0, 300.0), 50.0)]
    seen = finder.model(picture, squares)
    assert finder.model(picture, []) == []
    for one in seen:
        assert one.landmarks.shape == (68, 2)
        assert one.landmarks.dtype == np.float32
        assert 0 <= one.presence < 0.5
        assert one.spread.shape == (68,)
        assert 0 <= one.visibility <= 1


def test_hiding_the_mouth_raises_its_spread(frames_a, finder):
    image = frames_a[0].image
    face = finder.find(image)[0]
    covered = image.copy()
    x0, y0, x1, y1 = (int(value) for value in (*face.landmarks[48:].min(0) - 12, *face.landmarks[48:].max(0) + 12))
    cv2.rectangle(covered, (x0, y0), (x1, y1), (90, 120, 90), -1)
    open_face, hidden = (finder.model(picture, [crop_around(face.landmarks)])[0] for picture in (image, covered))
    assert hidden.spread[48:].mean() > open_face.spread[48:].mean()


def test_a_careful_look_at_a_mirrored_face_is_the_mirrored_look(frames_a, finder):
    image = frames_a[0].image
    square = crop_of_square((192.0, 180.0), 170.0)
    mirrored_square = crop_of_square((image.shape[1] - 1 - 192.0, 180.0), 170.0)
    seen = finder.model(image, [square])[0]
    mirrored = finder.model(np.ascontiguousarray(image[:, ::-1]), [mirrored_square])[0]
    back = (mirrored.landmarks * [-1, 1] + [image.shape[1] - 1, 0])[MIRROR]
    assert np.abs(back - seen.landmarks).max() < 0.03 * np.ptp(seen.landmarks)


def test_turning_the_picture_turns_the_landmarks(frames_a, finder):
    image = frames_a[0].image
    face = finder.find(image)[0]
    height, width = image.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), 25, 1)
    turned = finder.find(cv2.warpAffine(image, turn, (width, height)))
    assert turned
    error = np.linalg.norm(turned[0].landmarks - apply(turn, face.landmarks), axis=1).mean() / face.eye_distance
    assert error < 0.06


def test_threads_do_not_change_the_answer(frames_a, finder):
    square = crop_of_square((192.0, 192.0), 180.0)
    one, two = (LandmarkModel(threads=threads)(frames_a[0].image, [square])[0] for threads in (1, 2))
    np.testing.assert_allclose(one.landmarks, two.landmarks, atol=0.05)
    assert one.presence == pytest.approx(two.presence, abs=1e-3)
