import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from likeness.actors.truth import Truth
from likeness.bench.perceptual import (
    IDENTITY_FEATURES,
    IMAGENET_FEATURES,
    FeatureDistance,
    ImageNetFeatures,
    distances,
    upright_faces,
)
from likeness.errors import MissingDataError
from likeness.footage import footage
from likeness.media.clip import open_clip

BACKBONE = Path(os.environ.get("LIKENESS_DATA", "")) / "backbones" / "mobilenet_v2_imagenet.npz"
needs_backbone = pytest.mark.skipif(not BACKBONE.is_file(), reason="LIKENESS_DATA does not name the data folder")


@pytest.fixture(scope="module")
def answer() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two frames of the true answer, of A's clip, and the answer's exact landmarks."""
    clips = footage()
    truth, other = (
        np.stack([frame.image for frame in open_clip(clip.path).frames(end_s=0.07)])
        for clip in (clips.answer, clips.heldout)
    )
    return truth, other, Truth.load(clips.answer.truth).landmarks[: len(truth)]


def _identity_distance() -> FeatureDistance:
    return distances()[IDENTITY_FEATURES]


def test_a_face_is_nothing_from_itself_and_further_from_another(answer: tuple[np.ndarray, ...]) -> None:
    truth, other, landmarks = answer
    measure = _identity_distance()
    assert measure(truth, truth, landmarks) == pytest.approx(0, abs=1e-6)
    noisy = np.clip(truth + np.random.default_rng(1).normal(0, 4, truth.shape), 0, 255).astype(np.uint8)
    assert (measure(noisy, truth, landmarks) > 0).all()
    assert (measure(noisy, truth, landmarks) < measure(other, truth, landmarks)).all()


def test_the_distance_looks_inside_the_face_only(answer: tuple[np.ndarray, ...]) -> None:
    truth, _, landmarks = answer
    beside = truth.copy()
    beside[:, -20:] = 255 - beside[:, -20:]  # shoulders, outside the crop
    assert _identity_distance()(beside, truth, landmarks) == pytest.approx(0, abs=1e-6)
    within = truth.copy()
    x, y = np.rint(landmarks[0, 33]).astype(int)
    within[:, y - 8 : y + 8, x - 8 : x + 8] = 0
    assert (_identity_distance()(within, truth, landmarks) > 0.001).all()


def test_a_distance_is_that_of_the_published_sum_for_a_known_map(answer: tuple[np.ndarray, ...]) -> None:
    """Features that turn from one channel to another are √2 apart wherever they do, and nothing elsewhere."""
    truth, other, landmarks = answer

    def one_hot(faces: torch.Tensor) -> list[torch.Tensor]:
        value = 1.0 if torch.equal(faces, first[0]) else 0.0
        plane = torch.full((len(faces), 1, 8, 8), value)
        return [torch.cat([plane, 1 - plane], 1), torch.ones(len(faces), 2, 4, 4)]

    first = [upright_faces(truth, landmarks)]
    assert FeatureDistance(one_hot)(other, truth, landmarks) == pytest.approx((2 + 0) / 2)


@needs_backbone
def test_imagenet_features_are_those_of_the_network() -> None:
    """Five scales; and blur moves them more than a change of brightness that pixels mind more."""
    features = ImageNetFeatures(BACKBONE)
    maps = features(torch.rand(1, 3, 96, 96))
    assert [tuple(one.shape[1:]) for one in maps] == [(16, 48, 48), (24, 24, 24), (32, 12, 12), (96, 6, 6), (320, 3, 3)]
    assert all(torch.isfinite(one).all() for one in maps)


@needs_backbone
def test_imagenet_distance_minds_blur_more_than_brightness(answer: tuple[np.ndarray, ...]) -> None:
    truth, _, landmarks = answer
    measure = distances()[IMAGENET_FEATURES]
    blurred = np.stack([cv2.GaussianBlur(image, (0, 0), 3) for image in truth])
    brighter = np.clip(truth.astype(int) + 20, 0, 255).astype(np.uint8)
    assert np.abs(blurred - truth.astype(int)).mean() < 20
    assert (measure(blurred, truth, landmarks) > measure(brighter, truth, landmarks)).all()


def test_without_the_data_there_is_one_distance_and_a_damaged_file_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("LIKENESS_DATA", raising=False)
    assert list(distances()) == [IDENTITY_FEATURES]
    damaged = tmp_path / "backbone.npz"
    damaged.write_bytes(b"PK")
    with pytest.raises(MissingDataError, match=r"backbone\.npz"):
        ImageNetFeatures(damaged)
