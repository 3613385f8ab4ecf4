import hashlib
import re

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from likeness.actors.truth import Truth
from likeness.bench.metrics import psnr
from likeness.errors import MissingDataError
from likeness.faces.align import aligned_crop
from likeness.footage import footage
from likeness.make.sharpen import Sharpener, shipped_weights
from likeness.media.clip import open_clip


@pytest.fixture(scope="module")
def sharpener() -> Sharpener:
    return Sharpener(threads=1)


def test_the_card_names_the_shipped_weights():
    content = shipped_weights().read_bytes()
    card = shipped_weights().with_suffix(".md").read_text(encoding="utf-8")
    assert re.findall(r"\b[0-9a-f]{64}\b", card) == [hashlib.sha256(content).hexdigest()]
    assert len(content) < 2_000_000
    assert all(word in card for word in ("Apache-2.0", "Data", "Recipe", "Licence", "Limits"))


@settings(max_examples=8, deadline=None)
@given(height=st.integers(1, 40), width=st.integers(1, 40), count=st.integers(0, 9))
def test_any_size_comes_back_doubled_and_in_range(height, width, count):
    images = np.random.default_rng(height).random((count, height, width, 3)).astype(np.float32)
    finer = Sharpener(threads=1)(images)
    assert finer.shape == (count, 2 * height, 2 * width, 3)
    assert finer.dtype == np.float32
    assert finer.min(initial=0) >= 0
    assert finer.max(initial=1) <= 1


def test_other_shapes_are_refused(sharpener):
    with pytest.raises(ValueError, match="n, s, s, 3"):
        sharpener(np.zeros((64, 64, 3), np.float32))


def test_plain_colour_stays(sharpener):
    plain = np.full((1, 32, 32, 3), (0.7, 0.5, 0.4), np.float32)
    np.testing.assert_allclose(sharpener(plain), np.broadcast_to(plain[:, :1, :1], (1, 64, 64, 3)), atol=0.02)


@pytest.fixture(scope="module")
def sharp() -> np.ndarray:
    """The shipped actor A, aligned, uint8 (128, 128, 3)."""
    try:
        take = footage().actor_a
    except MissingDataError as error:
        pytest.skip(str(error))
    return aligned_crop(next(open_clip(take.path).frames()).image, Truth.load(take.truth).landmarks[0], 128)


def test_a_soft_actor_comes_nearer_to_the_truth_than_by_bicubic(sharpener, sharp):
    soft = cv2.resize(cv2.GaussianBlur(sharp, (0, 0), 1.0), (64, 64), interpolation=cv2.INTER_AREA)
    bicubic = cv2.resize(soft, (128, 128), interpolation=cv2.INTER_CUBIC)
    ours = np.round(sharpener(soft[None].astype(np.float32) / 255)[0] * 255).astype(np.uint8)
    assert psnr(ours, sharp) > psnr(bicubic, sharp) + 0.3
    # No shift: the answer lies where the bicubic one lies.
    moved, _ = cv2.phaseCorrelate(ours.mean(2), bicubic.mean(2))
    assert np.hypot(*moved) < 0.2
