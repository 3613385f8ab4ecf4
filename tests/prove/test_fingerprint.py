"""Fingerprints: alike for what looks alike, far apart for what does not, and never a crash."""

import cv2
import numpy as np
import pdqhash
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictured import moving, scene

from likeness.errors import SettingsError
from likeness.prove.fingerprint import (
    HASH_BYTES,
    LABEL_FREE,
    MATCH_BITS,
    MIRRORED,
    STORED_VIEWS,
    ClipFingerprinter,
    ClipFingerprintSettings,
    PictureFingerprint,
    SecondFingerprint,
    asked_fingerprint,
    fingerprint_picture,
    stored_fingerprint,
    views,
)


def _nearest(one: SecondFingerprint, other: SecondFingerprint) -> int:
    return min(a.distance(b) for a in one.views.values() for b in other.views.values())


def _altered(image: np.ndarray, operation: str) -> np.ndarray:
    height, width = image.shape[:2]
    if operation == "jpeg":
        return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 30])[1], cv2.IMREAD_COLOR)
    if operation == "half":
        return cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    if operation == "darker":
        return (image * 0.6).astype(np.uint8)
    if operation == "mirrored":
        return image[:, ::-1]
    if operation == "cropped":
        return image[height // 20 : -height // 20, width // 20 : -width // 20]
    if operation == "barred":
        return np.pad(image, ((height // 6, height // 6), (0, 0), (0, 0)))
    return image


@pytest.mark.parametrize("operation", ["none", "jpeg", "half", "darker", "mirrored", "cropped", "barred"])
def test_altered_pictures_are_found_in_one_of_the_views(operation: str) -> None:
    for seed in range(4):
        image = scene(seed)
        assert _nearest(asked_fingerprint(_altered(image, operation)), stored_fingerprint(image)) <= MATCH_BITS


def test_different_pictures_are_far_apart_in_every_view() -> None:
    stored = [stored_fingerprint(scene(seed)) for seed in range(12)]
    asked = [asked_fingerprint(scene(seed)) for seed in range(12)]
    assert min(_nearest(a, s) for i, a in enumerate(asked) for j, s in enumerate(stored) if i != j) > MATCH_BITS + 20


def test_the_hash_is_pdq() -> None:
    image = scene(1, 128)
    bits, quality = pdqhash.compute(image)
    made = fingerprint_picture(image)
    assert made == PictureFingerprint(np.packbits(bits.astype(np.uint8)).tobytes(), quality)
    assert made.distance(PictureFingerprint(bytes(b ^ 1 for b in made.hash), 100)) == HASH_BYTES


def test_scale_hardly_matters() -> None:
    image = scene(2, 512)
    whole = fingerprint_picture(image)
    for side in (128, 200, 256, 1000):
        scaled = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
        assert whole.distance(fingerprint_picture(scaled)) <= 8


@pytest.mark.slow
def test_200_megapixels() -> None:
    small = scene(3, 400)
    large = cv2.resize(small, (14_400, 14_400), interpolation=cv2.INTER_NEAREST)
    asked = asked_fingerprint(large)
    assert asked.views["whole"].distance(fingerprint_picture(small)) <= 8


@pytest.mark.parametrize("shape", [(1, 1), (16, 16), (1, 300), (300, 1), (5, 7)])
def test_tiny_pictures_have_a_fingerprint(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    assert all(len(made.hash) == HASH_BYTES for made in asked_fingerprint(image).views.values())


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_flat_pictures_are_not_usable(grey: int) -> None:
    flat = np.full((64, 64, 3), grey, np.uint8)
    assert not any(made.usable for made in stored_fingerprint(flat, flat).views.values())


@pytest.mark.parametrize(
    "array", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)]
)
def test_other_arrays_are_refused(array: np.ndarray) -> None:
    for make in (fingerprint_picture, asked_fingerprint, stored_fingerprint, views):
        with pytest.raises(SettingsError, match="8-bit RGB"):
            make(array)


@given(height=st.integers(1, 60), width=st.integers(1, 60), seed=st.integers(0, 5))
@settings(max_examples=25)
def test_every_view_comes_with_its_mirror_image(height: int, width: int, seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    parts = views(image)
    upright = {name for name in parts if not name.endswith(MIRRORED)}
    assert {name + MIRRORED for name in upright} | upright == set(parts)
    assert all((parts[name + MIRRORED][:, ::-1] == parts[name]).all() for name in upright)


def test_label_free_views_are_of_the_label_free_picture() -> None:
    made = stored_fingerprint(scene(4), scene(5))
    assert set(made.views) == {prefix + name for prefix in ("", LABEL_FREE) for name in STORED_VIEWS}
    assert made.views[LABEL_FREE + "whole"] == stored_fingerprint(scene(5)).views["whole"]


def _times(rate: float, seconds: float) -> list[float]:
    return [i / rate for i in range(round(rate * seconds))]


@pytest.mark.parametrize("rate", [25, 30, 12, 1])
def test_a_clip_is_hashed_once_a_second_at_the_frame_nearest_the_middle(rate: int) -> None:
    fingerprinter = ClipFingerprinter()
    for time_s in _times(rate, 4.0):
        fingerprinter.update(moving(0, time_s), time_s)
    made = fingerprinter.finish()
    assert [int(moment.time_s) for moment in made] == [0, 1, 2, 3]
    assert all(abs(moment.time_s % 1 - 0.5) <= max(0.5 / rate, 0.5 * (rate == 1)) + 1e-9 for moment in made)
    nearest = moving(0, made[2].time_s)
    assert made[2].views["whole"] == stored_fingerprint(nearest).views["whole"]


@given(
    times=st.lists(st.floats(0, 9, allow_nan=False), min_size=1, max_size=20, unique=True), per_second=st.integers(1, 5)
)
@settings(max_examples=25)
def test_one_moment_for_every_part_that_has_a_frame(times: list[float], per_second: int) -> None:
    fingerprinter = ClipFingerprinter(settings=ClipFingerprintSettings(per_second))
    image = scene(0, 32)
    for time_s in sorted(times):
        fingerprinter.update(image, time_s)
    made = [moment.time_s for moment in fingerprinter.finish()]
    assert [int(per_second * time_s) for time_s in made] == sorted({int(per_second * time_s) for time_s in times})
    assert set(made) <= set(times)


def test_no_frames_no_fingerprints() -> None:
    assert ClipFingerprinter("asked").finish() == []


def test_too_many_a_second_are_refused() -> None:
    with pytest.raises(SettingsError, match="1 to 100"):
        ClipFingerprintSettings(per_second=0)
