"""The mark in real pictures: invisible within its budget, read after what happens to pictures, silent where there is
none."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from likeness.bench.metrics import psnr, ssim
from likeness.errors import SettingsError
from likeness.footage import footage
from likeness.media.clip import open_clip
from likeness.prove.watermark.mark import Marker
from likeness.prove.watermark.read import ReadSettings, _windows, read_clip, read_frames, read_picture
from likeness.prove.watermark.strength import activity, luminance
from likeness.prove.watermark.tamper import look, look_at_frames

MARK = "0123456789"


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    """A frame of an actor whom no training of the watermark saw: uint8 (384, 384, 3)."""
    return next(open_clip(footage().heldout.path).frames(2.0)).image


@pytest.fixture(scope="module")
def marked(picture: np.ndarray) -> np.ndarray:
    return Marker(MARK).mark(picture)


def _jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    coded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.ascontiguousarray(np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR))[..., ::-1])


def _scaled(image: np.ndarray, factor: float) -> np.ndarray:
    return cv2.resize(
        image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    )


def test_it_stays_within_its_budget(picture: np.ndarray, marked: np.ndarray) -> None:
    assert marked.shape == picture.shape
    assert marked.dtype == np.uint8
    assert (marked != picture).any()
    assert psnr(marked, picture) >= 42
    assert ssim(marked, picture) >= 0.985
    difference = marked.astype(int) - picture
    inside = (picture > 20).all(axis=2) & (picture < 235).all(axis=2)
    assert np.ptp(difference[inside], axis=1).max() == 0, "only the luminance may change"


OPERATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "clean": lambda image: image,
    "JPEG 50": lambda image: _jpeg(image, 50),
    "JPEG 40": lambda image: _jpeg(image, 40),
    "half": lambda image: _scaled(image, 0.5),
    "double": lambda image: _scaled(image, 2.0),
    "darker": lambda image: (image * 0.5).astype(np.uint8),
    "brighter": lambda image: np.clip(image * 1.5, 0, 255).astype(np.uint8),
    "less contrast": lambda image: (image * 0.5 + 64).astype(np.uint8),
    "cropped": lambda image: image[12:376, 8:372],
    "squeezed": lambda image: cv2.resize(image, (300, 420), interpolation=cv2.INTER_AREA),
    "mirrored": lambda image: np.ascontiguousarray(image[:, ::-1]),
    "blurred": lambda image: cv2.GaussianBlur(image, (0, 0), 1.5),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_it_is_read_after(name: str, marked: np.ndarray) -> None:
    reading = read_picture(OPERATIONS[name](marked))
    assert (reading.state, reading.mark_id) == ("found", MARK)
    assert reading.mirrored == (name == "mirrored")


def test_nothing_is_read_where_there_is_no_mark(picture: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (200, 300, 3), dtype=np.uint8)
    for image in (picture, noise, np.zeros_like(picture), np.full_like(picture, 255), picture[100:140, 50:300]):
        reading = read_picture(image)
        assert (reading.state, reading.mark_id, reading.score) == ("absent", None, 0.0)


@given(height=st.integers(1, 300), width=st.integers(1, 300), level=st.integers(0, 255))
@settings(max_examples=20)
def test_any_size_and_level_is_marked_without_harm(height: int, width: int, level: int) -> None:
    image = np.full((height, width, 3), level, np.uint8)
    kept = image.copy()
    marked = Marker(MARK).mark(image)
    assert marked.shape == image.shape
    assert np.array_equal(image, kept)
    assert np.abs(marked.astype(int) - image).max() <= 8
    assert read_picture(image).state == "absent"


def test_a_wrong_id_is_refused() -> None:
    with pytest.raises(SettingsError, match="hexadecimal"):
        Marker("nonsense")


def test_a_second_of_video_is_read_though_no_frame_alone_would_do() -> None:
    """Soft evidence of frames adds up: noise that hides the mark in each frame does not hide it in 25."""
    rng = np.random.default_rng(5)
    frames = [frame.image for frame in open_clip(footage().heldout.path).frames(1.0, 2.0)]
    marker = Marker(MARK)
    noisy = [np.clip(marker.mark(frame) + rng.normal(0, 45, frame.shape), 0, 255).astype(np.uint8) for frame in frames]
    alone = sum(read_picture(image).state == "found" for image in noisy[::5])
    assert alone < len(noisy[::5])
    assert read_frames(noisy).mark_id == MARK


def test_an_unmarked_clip_has_none() -> None:
    reading = read_clip(open_clip(footage().actor_b.path))
    assert reading.state == "absent"
    assert reading.frames_read > 50


def test_spread_windows_hold_the_same_frames_however_they_are_come_by(monkeypatch: pytest.MonkeyPatch) -> None:
    clip, spread = open_clip(footage().heldout.path), ReadSettings(windows=2, window_frames=3, window_s=1.0)
    passed_through = list(_windows(clip, spread))
    assert [len(window) for window in passed_through] == [3, 3]
    monkeypatch.setattr("likeness.prove.watermark.read._DECODED_THROUGH_S", 0.0)
    for window, sought in zip(passed_through, _windows(clip, spread), strict=True):
        assert [np.array_equal(a.luminance, b.luminance) for a, b in zip(window, sought, strict=True)] == [True] * 3
    times = [0.0, 1 / 3, 2 / 3, clip.duration_s - 1.0]
    expected = [luminance(next(clip.frames(max(time_s - 1e-6, 0))).image) for time_s in times]
    seen = [*passed_through[0], passed_through[1][0]]
    assert all(np.array_equal(a.luminance, b) for a, b in zip(seen, expected, strict=True))


def test_beside_an_edge_the_smooth_side_counts() -> None:
    step = np.zeros((256, 256), np.float32)
    step[:, 128:] = 200
    textured = step + np.random.default_rng(0).normal(0, 12, step.shape).astype(np.float32) * (step > 0)
    assert activity(step).max() == pytest.approx(0, abs=1e-2)
    assert np.median(activity(textured)[:, 140:]) > 40
    assert activity(textured)[:, :120].max() == pytest.approx(0, abs=1e-2)


def test_an_altered_place_shows_and_gentle_treatment_does_not(picture: np.ndarray, marked: np.ndarray) -> None:
    for gentle in (marked, _jpeg(marked, 75), _scaled(marked, 0.7), (marked * 0.8).astype(np.uint8)):
        seen = look(gentle, read_picture(gentle))
        assert (seen.state, seen.regions) == ("intact", [])
    altered = marked.copy()
    altered[200:300, 60:180] = picture[60:160, 180:300]
    mirrored = np.ascontiguousarray(altered[:, ::-1])
    for image, centre in ((altered, 120), (_jpeg(altered, 75), 120), (mirrored, 384 - 120)):
        seen = look(image, read_picture(image))
        assert seen.state == "altered"
        x0, y0, x1, y1 = seen.regions[0]
        assert abs((x0 + x1) / 2 - centre) < 30
        assert abs((y0 + y1) / 2 - 250) < 30
    assert look(picture, read_picture(picture)).state == "unmarked"


def test_a_piece_of_another_marked_picture_does_not_pass(marked: np.ndarray) -> None:
    other = Marker("fedcba9876").mark(next(open_clip(footage().actor_b.path).frames(1.0)).image)
    spliced = marked.copy()
    spliced[120:260, 120:260] = other[120:260, 120:260]
    reading = read_picture(spliced)
    assert reading.mark_id == MARK
    x0, y0, x1, y1 = look(spliced, reading).regions[0]
    assert x0 < 190 < x1
    assert y0 < 190 < y1


def test_neighbouring_frames_are_judged_together() -> None:
    frames = [frame.image for frame in open_clip(footage().heldout.path).frames(1.0, 1.2)]
    marker = Marker(MARK)
    marked = [marker.mark(frame) for frame in frames]
    assert look_at_frames(marked, read_frames(marked)).state == "intact"


def test_a_mark_over_a_mark_leaves_both(marked: np.ndarray) -> None:
    """A clip that carries a mark already is swapped into: both works must be found, or the older would hide the
    newer."""
    reading = read_picture(Marker("fedcba9876").mark(marked))
    assert {reading.mark_id, *reading.also} == {MARK, "fedcba9876"}
    assert read_picture(marked).also == ()
