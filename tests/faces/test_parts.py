import hashlib
import re

import cv2
import numpy as np
import pytest

from likeness.faces.align import aligned_crop
from likeness.faces.parts import BACKGROUND, FACE, HAIR, OCCLUDER, SIZE, PartSegmenter, shipped_weights


@pytest.fixture(scope="module")
def segmenter() -> PartSegmenter:
    return PartSegmenter(threads=1)


@pytest.fixture(scope="module")
def crop(frames_a, finder) -> np.ndarray:
    image = frames_a[0].image
    return aligned_crop(image, finder.find(image)[0].landmarks, 256)


def test_the_card_names_the_shipped_weights():
    content = shipped_weights().read_bytes()
    card = shipped_weights().with_suffix(".md").read_text(encoding="utf-8")
    assert re.findall(r"\b[0-9a-f]{64}\b", card) == [hashlib.sha256(content).hexdigest()]
    assert len(content) < 2_100_000
    assert all(word in card for word in ("Apache-2.0", "Data", "Recipe", "Licence", "Limits"))


@pytest.mark.parametrize("side", [96, 128, 168, 300])
def test_answers_are_shares_at_any_size(segmenter, crop, side):
    answer = segmenter(np.stack([cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)] * 2))
    assert answer.shape == (2, 4, SIZE, SIZE)
    assert answer.dtype == np.float32
    assert answer.min() >= 0
    np.testing.assert_allclose(answer.sum(1), 1, atol=1e-4)


def test_no_crops_no_answers(segmenter):
    assert segmenter(np.empty((0, 64, 64, 3), np.uint8)).shape == (0, 4, SIZE, SIZE)


def test_more_crops_than_fit_in_one_run_keep_their_order(segmenter, crop):
    crops = np.stack([np.roll(cv2.resize(crop, (SIZE, SIZE)), 3 * shift, axis=1) for shift in range(18)])
    together = segmenter(crops)
    np.testing.assert_allclose(together[17], segmenter(crops[17:])[0], atol=1e-3)


@pytest.mark.parametrize(
    "wrong", [np.zeros((2, 64, 64, 3)), np.zeros((64, 64, 3), np.uint8), np.zeros((1, 9, 8, 3), np.uint8)]
)
def test_other_arrays_are_refused(segmenter, wrong):
    with pytest.raises(ValueError, match="side, side"):
        segmenter(wrong)


def test_an_actors_face_hair_and_background_are_told_apart(segmenter, crop):
    parts = segmenter(crop[None])[0].argmax(0)
    assert (parts[56:100, 48:80] == FACE).mean() > 0.95
    assert (parts == FACE).mean() < 0.6
    assert (parts == BACKGROUND).mean() > 0.1
    assert (parts == OCCLUDER).mean() < 0.02
    assert (parts == HAIR).mean() > 0.02


def test_a_board_in_front_of_the_mouth_is_an_occluder(segmenter, crop):
    covered = crop.copy()
    covered[150:200, 40:220] = (40, 140, 60)
    parts = segmenter(covered[None])[0].argmax(0)
    assert (parts[77:98, 40:90] == OCCLUDER).mean() > 0.9
    assert (parts[50:68, 50:78] == FACE).mean() > 0.9
